//! Bytes of every packet in every version that has it, written down by hand from the specification.

use crate::{connect, down, up};
use bytes::BytesMut;
use wharfmq_mqtt::encode::{self, PublishHead};
use wharfmq_mqtt::*;

const ID: PacketId = PacketId::new(10).unwrap();
const NONE: Properties<'static> = Properties::EMPTY;
const V3: [Version; 2] = [Version::V31, Version::V311];

fn written(write: impl FnOnce(&mut BytesMut) -> Result<usize, EncodeError>) -> Vec<u8> {
    let mut out = BytesMut::new();
    assert_eq!(write(&mut out).unwrap(), out.len());
    out.to_vec()
}

fn will<'a>(properties: Properties<'a>) -> Will<'a> {
    Will { qos: Qos::AtLeastOnce, retain: true, topic: "w", payload: b"bye", properties }
}

fn plain_connect(version: Version) -> Connect<'static> {
    Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        client_id: "id",
        will: Some(will(NONE)),
        user_name: Some("u"),
        password: Some(b"p"),
        properties: NONE,
    }
}

#[test]
fn connect_3() {
    let tail = b"\xee\x00\x3c\x00\x02id\x00\x01w\x00\x03bye\x00\x01u\x00\x01p";
    let v31 = [&b"\x10\x1e\x00\x06MQIsdp\x03"[..], tail].concat();
    let v311 = [&b"\x10\x1c\x00\x04MQTT\x04"[..], tail].concat();
    for (version, golden) in [(Version::V31, v31), (Version::V311, v311)] {
        let model = plain_connect(version);
        assert_eq!(written(|out| encode::connect(out, &model)), golden);
        assert_eq!(connect(&golden), Ok(model));
    }
}

#[test]
fn connect_5() {
    let golden = b"\x10\x2b\x00\x04MQTT\x05\xee\x00\x3c\x08\x11\x00\x00\x00\x0a\x21\x00\x14\x00\x02id\
        \x05\x18\x00\x00\x00\x05\x00\x01w\x00\x03bye\x00\x01u\x00\x01p";
    let (mut first, mut second) = (BytesMut::new(), BytesMut::new());
    let mut properties = PropertyWriter::new(&mut first);
    properties.put(PropertyId::SessionExpiryInterval, Value::U32(10)).unwrap();
    properties.put(PropertyId::ReceiveMaximum, Value::U16(20)).unwrap();
    let mut will_properties = PropertyWriter::new(&mut second);
    will_properties.put(PropertyId::WillDelayInterval, Value::U32(5)).unwrap();
    let model = Connect {
        will: Some(will(will_properties.finish())),
        properties: properties.finish(),
        ..plain_connect(Version::V5)
    };
    assert_eq!(written(|out| encode::connect(out, &model)), golden);
    assert_eq!(connect(golden), Ok(model));
}

#[test]
fn connack() {
    let model = Connack { session_present: true, code: Reason::SUCCESS, properties: NONE };
    assert_eq!(written(|out| encode::connack(out, Version::V311, &model)), b"\x20\x02\x01\x00");
    assert_eq!(down(Version::V311, b"\x20\x02\x01\x00"), Ok(Packet::Connack(model)));
    assert_eq!(written(|out| encode::connack(out, Version::V31, &model)), b"\x20\x02\x00\x00");

    let mut scratch = BytesMut::new();
    let mut properties = PropertyWriter::new(&mut scratch);
    properties.put(PropertyId::MaximumQos, Value::Byte(1)).unwrap();
    properties.put(PropertyId::AssignedClientIdentifier, Value::Text("x")).unwrap();
    let model = Connack { properties: properties.finish(), ..model };
    let golden = b"\x20\x09\x01\x00\x06\x24\x01\x12\x00\x01x";
    assert_eq!(written(|out| encode::connack(out, Version::V5, &model)), golden);
    assert_eq!(down(Version::V5, golden), Ok(Packet::Connack(model)));
}

fn head(qos: Qos, properties: Properties<'_>) -> PublishHead<'_> {
    let packet_id = (qos != Qos::AtMostOnce).then_some(ID);
    let dup = qos != Qos::AtMostOnce;
    PublishHead { dup, qos, retain: false, topic: "a/b", packet_id, properties, shared_properties_len: 0 }
}

#[test]
fn publish() {
    let mut scratch = BytesMut::new();
    let mut properties = PropertyWriter::new(&mut scratch);
    properties.put(PropertyId::TopicAlias, Value::U16(5)).unwrap();
    let properties = properties.finish();
    let goldens: [(Version, Qos, Properties<'_>, &[u8]); 6] = [
        (Version::V31, Qos::AtMostOnce, NONE, b"\x30\x07\x00\x03a/bhi"),
        (Version::V311, Qos::AtMostOnce, NONE, b"\x30\x07\x00\x03a/bhi"),
        (Version::V311, Qos::AtLeastOnce, NONE, b"\x3a\x09\x00\x03a/b\x00\x0ahi"),
        (Version::V311, Qos::ExactlyOnce, NONE, b"\x3c\x09\x00\x03a/b\x00\x0ahi"),
        (Version::V5, Qos::AtMostOnce, NONE, b"\x30\x08\x00\x03a/b\x00hi"),
        (Version::V5, Qos::AtLeastOnce, properties, b"\x3a\x0d\x00\x03a/b\x00\x0a\x03\x23\x00\x05hi"),
    ];
    for (version, qos, properties, golden) in goldens {
        assert_eq!(written(|out| encode::publish(out, version, &head(qos, properties), b"hi")), golden);
        for decoded in [up(version, golden), down(version, golden)] {
            let Ok(Packet::Publish(publish)) = decoded else { panic!("{decoded:?}") };
            assert_eq!((publish.topic, publish.payload), ("a/b", &b"hi"[..]));
            assert_eq!((publish.qos, publish.properties), (qos, properties));
            assert_eq!(publish.packet_id, head(qos, properties).packet_id);
        }
    }
}

#[test]
fn acknowledgements() {
    let kinds =
        [(AckKind::Puback, 0x40), (AckKind::Pubrec, 0x50), (AckKind::Pubrel, 0x62), (AckKind::Pubcomp, 0x70)];
    for (kind, first) in kinds {
        let golden = [first, 2, 0, 10];
        for version in [Version::V31, Version::V311, Version::V5] {
            assert_eq!(written(|out| encode::ack(out, version, kind, &Ack::success(ID))), golden);
            assert!(up(version, &golden).is_ok() && down(version, &golden).is_ok());
        }
    }
    let model = Ack { reason: Reason::NO_MATCHING_SUBSCRIBERS, ..Ack::success(ID) };
    assert_eq!(
        written(|out| encode::ack(out, Version::V5, AckKind::Puback, &model)),
        b"\x40\x03\x00\x0a\x10"
    );
    assert_eq!(up(Version::V5, b"\x40\x03\x00\x0a\x10"), Ok(Packet::Puback(model)));

    let mut scratch = BytesMut::new();
    let mut properties = PropertyWriter::new(&mut scratch);
    properties.put(PropertyId::ReasonString, Value::Text("no")).unwrap();
    let model = Ack { reason: Reason::QUOTA_EXCEEDED, packet_id: ID, properties: properties.finish() };
    let golden = b"\x50\x09\x00\x0a\x97\x05\x1f\x00\x02no";
    assert_eq!(written(|out| encode::ack(out, Version::V5, AckKind::Pubrec, &model)), golden);
    assert_eq!(down(Version::V5, golden), Ok(Packet::Pubrec(model)));
}

#[test]
fn subscribe() {
    let entries = [
        Subscription { filter: "a/+", options: SubscriptionOptions::from_qos(Qos::AtLeastOnce) },
        Subscription { filter: "#", options: SubscriptionOptions::from_qos(Qos::ExactlyOnce) },
    ];
    let golden = b"\x82\x0c\x00\x0a\x00\x03a/+\x01\x00\x01#\x02";
    for version in V3 {
        assert_eq!(written(|out| encode::subscribe(out, version, ID, NONE, &entries)), golden);
        let Ok(Packet::Subscribe(subscribe)) = up(version, golden) else { panic!() };
        assert_eq!((subscribe.packet_id, subscribe.subscriptions.len()), (ID, 2));
        assert!(subscribe.subscriptions.iter().eq(entries));
    }

    let mut scratch = BytesMut::new();
    let mut properties = PropertyWriter::new(&mut scratch);
    properties.put(PropertyId::SubscriptionIdentifier, Value::VarInt(321)).unwrap();
    let options = SubscriptionOptions {
        qos: Qos::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::SendIfNew,
    };
    let entries = [Subscription { filter: "a", options }];
    let golden = b"\x82\x0a\x00\x0a\x03\x0b\xc1\x02\x00\x01a\x1d";
    assert_eq!(written(|out| encode::subscribe(out, Version::V5, ID, properties.finish(), &entries)), golden);
    let Ok(Packet::Subscribe(subscribe)) = up(Version::V5, golden) else { panic!() };
    assert!(subscribe.subscriptions.iter().eq(entries));
    assert_eq!(subscribe.properties.subscription_ids().next(), Some(321));
}

#[test]
fn suback() {
    let model = Suback { packet_id: ID, properties: NONE, codes: &[0, 2, 0x80] };
    for (version, golden) in [
        (Version::V311, &b"\x90\x05\x00\x0a\x00\x02\x80"[..]),
        (Version::V5, b"\x90\x06\x00\x0a\x00\x00\x02\x80"),
    ] {
        assert_eq!(written(|out| encode::suback(out, version, &model)), golden);
        assert_eq!(down(version, golden), Ok(Packet::Suback(model)));
    }
}

#[test]
fn unsubscribe() {
    for (version, golden) in [
        (Version::V311, &b"\xa2\x08\x00\x0a\x00\x01a\x00\x01#"[..]),
        (Version::V5, b"\xa2\x09\x00\x0a\x00\x00\x01a\x00\x01#"),
    ] {
        assert_eq!(written(|out| encode::unsubscribe(out, version, ID, NONE, &["a", "#"])), golden);
        let Ok(Packet::Unsubscribe(unsubscribe)) = up(version, golden) else { panic!() };
        assert!(unsubscribe.filters.iter().eq(["a", "#"]));
    }
}

#[test]
fn unsuback() {
    let model = Unsuback { packet_id: ID, properties: NONE, codes: &[0, 0x11] };
    assert_eq!(written(|out| encode::unsuback(out, Version::V311, &model)), b"\xb0\x02\x00\x0a");
    let bare = Unsuback { codes: &[], ..model };
    assert_eq!(down(Version::V311, b"\xb0\x02\x00\x0a"), Ok(Packet::Unsuback(bare)));
    let golden = b"\xb0\x05\x00\x0a\x00\x00\x11";
    assert_eq!(written(|out| encode::unsuback(out, Version::V5, &model)), golden);
    assert_eq!(down(Version::V5, golden), Ok(Packet::Unsuback(model)));
}

#[test]
fn pings() {
    assert_eq!(written(|out| Ok(encode::pingreq(out))), [0xC0, 0]);
    assert_eq!(written(|out| Ok(encode::pingresp(out))), [0xD0, 0]);
    for version in [Version::V31, Version::V311, Version::V5] {
        assert_eq!(up(version, &[0xC0, 0]), Ok(Packet::Pingreq));
        assert_eq!(down(version, &[0xD0, 0]), Ok(Packet::Pingresp));
    }
}

#[test]
fn disconnect() {
    let normal = Disconnect { reason: Reason::SUCCESS, properties: NONE };
    for version in [Version::V31, Version::V311, Version::V5] {
        assert_eq!(written(|out| encode::disconnect(out, version, &normal)), [0xE0, 0]);
        assert_eq!(up(version, &[0xE0, 0]), Ok(Packet::Disconnect(normal)));
    }
    let taken_over = Disconnect { reason: Reason::SESSION_TAKEN_OVER, properties: NONE };
    assert_eq!(written(|out| encode::disconnect(out, Version::V5, &taken_over)), [0xE0, 1, 0x8E]);
    assert_eq!(down(Version::V5, &[0xE0, 1, 0x8E]), Ok(Packet::Disconnect(taken_over)));
}

#[test]
fn auth() {
    let mut scratch = BytesMut::new();
    let mut properties = PropertyWriter::new(&mut scratch);
    properties.put(PropertyId::AuthenticationMethod, Value::Text("M")).unwrap();
    properties.put(PropertyId::AuthenticationData, Value::Binary(&[1, 2])).unwrap();
    let model = Auth { reason: Reason::CONTINUE_AUTHENTICATION, properties: properties.finish() };
    let golden = b"\xf0\x0b\x18\x09\x15\x00\x01M\x16\x00\x02\x01\x02";
    assert_eq!(written(|out| encode::auth(out, &model)), golden);
    assert_eq!(up(Version::V5, golden), Ok(Packet::Auth(model)));
    assert_eq!(down(Version::V5, golden), Ok(Packet::Auth(model)));
}

#[test]
fn lengths_at_the_borders_of_table_1_1() {
    let borders = [
        (127, &[0x7F][..]),
        (128, &[0x80, 0x01]),
        (16_383, &[0xFF, 0x7F]),
        (16_384, &[0x80, 0x80, 0x01]),
        (2_097_151, &[0xFF, 0xFF, 0x7F]),
        (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
        (MAX_VAR_INT, &[0xFF, 0xFF, 0xFF, 0x7F]),
    ];
    for (remaining, golden) in borders {
        let mut out = BytesMut::new();
        let head = head(Qos::AtMostOnce, NONE);
        let total = encode::publish_head(&mut out, Version::V311, &head, remaining as usize - 5).unwrap();
        assert_eq!((&out[1..=golden.len()], var_int_len(remaining)), (golden, golden.len()));
        assert_eq!(total, 1 + golden.len() + remaining as usize);
        let found = frame(&out, u32::MAX).unwrap().unwrap();
        assert_eq!(found.total_len as usize, total);
    }
}
