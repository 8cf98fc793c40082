//! Messages of JMS clients, as STOMP and MQTT clients get them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq_core::{Address, Item, Qos, Span};
use wharfmq_openwire::primitive::{MapWriter, Value};
use wharfmq_openwire::{Message, MessageKind, body, write_head};

use super::crossing::{mqtt, subscribe};
use super::*;
use crate::adapters::convert::OPENWIRE;
use crate::broker::{Cause, Port};

/// Publishes as an OpenWire client's session does.
fn publish(port: &mut Port, address: Address, mut message: Message) {
    let content = message.content.as_mut().map(std::mem::take).unwrap_or_default();
    let mut raw = BytesMut::new();
    write_head(&message, &mut raw);
    let head = Span { start: 0, len: raw.len() as u32 };
    raw.extend_from_slice(&content);
    let item = Item {
        frame: Span { start: 0, len: raw.len() as u32 },
        head,
        body: Span { start: head.len, len: content.len() as u32 },
        address: 0,
        patch: u16::MAX,
        tag: OPENWIRE,
        qos: Qos::ExactlyOnce,
        retain: false,
        priority: 4,
        expires: Millis::NEVER,
    };
    let route = port.route(&Arc::new(address)).unwrap();
    port.publish(&route, item, None);
    port.flush(raw.freeze());
}

fn text(text: &str) -> Message {
    let mut content = BytesMut::new();
    body::write_text(text, &mut content);
    Message { kind: MessageKind::Text, content: Some(content.freeze()), ..Message::default() }
}

fn map() -> Message {
    let mut map = MapWriter::default();
    assert!(map.put("n", &Value::Int(7)) && map.put_text("s", "x"));
    Message { kind: MessageKind::Map, content: Some(map.finish()), ..Message::default() }
}

#[test]
fn every_type_in_every_version() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let bench = Bench::new();
        let mut jms = bench.stomp(Version::V1_2);
        let mut stomp = bench.stomp(version);
        stomp.subscribe("q", "/queue/q", "ack:client\n");
        stomp.subscribe("t", "/topic/t", "");
        for address in [Address::queue("q"), Address::topic("t")] {
            let properties = {
                let mut map = MapWriter::default();
                assert!(map.put_text("a:b", "c\nd"));
                Some(map.finish())
            };
            let bytes = Message { kind: MessageKind::Bytes, ..text("hé\0") };
            for message in [
                Message { marshalled_properties: properties, ..text("hé") },
                text("n\0"),
                text(""),
                bytes,
                map(),
                Message { kind: MessageKind::Stream, content: None, ..Message::default() },
                Message {
                    kind: MessageKind::Object,
                    content: Some(Bytes::from_static(b"\xac\xed")),
                    ..Message::default()
                },
            ] {
                publish(&mut jms.inner.port, address.clone(), message);
            }
            let got = stomp.await_frames(7);
            let name = if version == Version::V1_0 { "a?b" } else { "a:b" };
            assert_eq!(got[0].text(), "hé");
            assert!(got[0].get(name).is_some(), "{:?}", got[0]);
            let lengths: Vec<_> = got.iter().map(|got| got.get("content-length")).collect();
            assert_eq!(lengths, [None, Some("2"), None, Some("9"), None, None, Some("2")]);
            assert_eq!(got[3].body, b"\0\0\0\x05h\xc3\xa9\xc0\x80");
            assert_eq!(
                (got[4].text(), got[4].get("transformation")),
                ("{\"n\":7,\"s\":\"x\"}", Some("jms-map-json"))
            );
            assert_eq!((got[5].text(), got[5].get("transformation")), ("[]", Some("jms-stream-json")));
            assert_eq!(got[6].body, b"\xac\xed");
            assert!(got[0].get("message-id").unwrap().starts_with("ID:wharfmq-"));
        }
    }
}

#[test]
fn maps_in_the_form_of_activemq_for_who_asks() {
    let bench = Bench::new();
    let mut jms = bench.stomp(Version::V1_2);
    let mut stomp = bench.stomp(Version::V1_2);
    stomp.subscribe("plain", "/topic/t", "");
    stomp.subscribe("entries", "/topic/t", "transformation:jms-map-json\n");
    stomp.subscribe("several", "/queue/a,/queue/b", "transformation:jms-json\n");
    publish(&mut jms.inner.port, Address::topic("t"), map());
    publish(&mut jms.inner.port, Address::queue("b"), map());
    let entries = r#"{"map":{"entry":[{"string":"n","int":7},{"string":["s","x"]}]}}"#;
    for got in stomp.await_frames(3) {
        let expected = if got.get("subscription") == Some("plain") { r#"{"n":7,"s":"x"}"# } else { entries };
        assert_eq!(got.text(), expected);
    }
    stomp.say("UNSUBSCRIBE\nid:entries\n\n\0");
    stomp.subscribe("entries", "/topic/u", "");
    publish(&mut jms.inner.port, Address::topic("u"), map());
    assert_eq!(stomp.await_frames(1)[0].text(), r#"{"n":7,"s":"x"}"#);
}

#[test]
fn in_mqtt() {
    let bench = Bench::new();
    let mut jms = bench.stomp(Version::V1_2);
    let mut old = mqtt(&bench, 4);
    let mut new = mqtt(&bench, 5);
    subscribe(&mut old, false, "t");
    subscribe(&mut new, true, "t");
    let properties = {
        let mut map = MapWriter::default();
        assert!(map.put("n", &Value::Short(5)));
        Some(map.finish())
    };
    let sent = Message {
        marshalled_properties: properties,
        correlation_id: Some("c".into()),
        ..text("hé\u{1f600}")
    };
    publish(&mut jms.inner.port, Address::topic("t"), sent);
    let payload = "hé\u{1f600}".as_bytes();
    let packet = |head: &[u8]| [&[0x32, (head.len() + payload.len()) as u8], head, payload].concat();
    assert_eq!(old.take(), packet(b"\0\x01t\0\x01"));
    assert_eq!(new.take(), packet(b"\0\x01t\0\x01\x0d\x01\x01\x09\0\x01c\x26\0\x01n\0\x015"));
    publish(&mut jms.inner.port, Address::topic("t"), map());
    assert!(old.take().ends_with(br#"{"n":7,"s":"x"}"#));
    let got = new.take();
    assert!(got.ends_with(br#"{"n":7,"s":"x"}"#));
    assert!(got.windows(16).any(|part| part == b"application/json"));
}

#[test]
fn contents_that_cannot_be_converted_are_passed_on_and_counted() {
    let bench = Bench::new();
    let mut jms = bench.stomp(Version::V1_2);
    let mut stomp = bench.stomp(Version::V1_2);
    let mut old = mqtt(&bench, 4);
    let mut new = mqtt(&bench, 5);
    stomp.subscribe("1", "/queue/q", "ack:client\n");
    subscribe(&mut old, false, "t");
    subscribe(&mut new, true, "t");
    let broken = Message {
        kind: MessageKind::Map,
        content: Some(Bytes::from_static(b"\0\0\0\x01")),
        ..Message::default()
    };
    publish(&mut jms.inner.port, Address::queue("q"), broken.clone());
    let got = stomp.await_frames(1).remove(0);
    assert_eq!((&*got.body, got.get("content-length")), (&b"\0\0\0\x01"[..], Some("4")));
    assert_eq!(got.get("transformation-error"), Some("a count larger than the contents"));
    assert_eq!(got.get("transformation"), None);
    publish(&mut jms.inner.port, Address::topic("t"), broken);
    assert!(old.take().ends_with(b"\0\0\0\x01"));
    let got = new.take();
    assert!(got.ends_with(b"\0\0\0\x01") && got.windows(20).any(|part| part == b"transformation-error"));
    assert_eq!(bench.0.broker.counters().causes.of(Cause::NotConverted), 3);
}

#[test]
fn selectors_compare_what_jms_clients_typed() {
    let bench = Bench::new();
    let mut jms = bench.stomp(Version::V1_2);
    let mut stomp = bench.stomp(Version::V1_2);
    stomp.subscribe("1", "/queue/q", "selector:n > 6 AND b AND JMSType = 'x' AND JMSTimestamp = 9\n");
    for (n, b, timestamp) in [(7, true, 9), (5, true, 9), (8, false, 9), (9, true, 10)] {
        let mut map = MapWriter::default();
        assert!(map.put("n", &Value::Long(n)) && map.put("b", &Value::Bool(b)));
        let marshalled_properties = Some(map.finish());
        let message = Message { jms_type: Some("x".into()), timestamp, marshalled_properties, ..text("x") };
        publish(&mut jms.inner.port, Address::queue("q"), message);
    }
    let got = stomp.await_frames(1);
    assert_eq!((got.len(), got[0].get("n")), (1, Some("7")));
}
