//! What is told, read as a client reads it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq_base::Millis;
use wharfmq_core::{Address, ConnId, Facts, HeadTag, MessageId, SubTag};
use wharfmq_openwire::primitive::{Map, Value};
use wharfmq_openwire::{
    ConnectionId, ConnectionInfo, ConsumerId, ConsumerInfo, DestinationKind, Message, MessageKind,
    ProducerId, Structure, body, read_head, write_head,
};

use super::super::OpenWireOptions;
use super::{OpenWireVoice, bare, is_told, roll};
use crate::adapters::convert::{OPENWIRE, STOMP};
use crate::broker::{Client, Consuming, Event, Fate, News, Producing, Turn, Voice};

const JMS: ConnId = ConnId(7);
const OTHER: ConnId = ConnId(8);

/// A voice that knows of one OpenWire client, whose consumer's number is 3.
fn voice() -> OpenWireVoice {
    let options = Arc::new(OpenWireOptions::default());
    let info = ConnectionInfo {
        connection_id: Some(Arc::new(ConnectionId { value: Some("ID:host-1:1".into()) })),
        client_id: Some("jms".into()),
        password: Some("secret".into()),
        user_name: Some("not checked".into()),
        manageable: true,
        ..ConnectionInfo::default()
    };
    options.roll.add_client(JMS, &info);
    let id = ConsumerId { connection_id: Some("ID:host-1:1".into()), session_id: 2, value: 5 };
    let consumer = ConsumerInfo {
        consumer_id: Some(Arc::new(id)),
        prefetch_size: 1_000,
        selector: Some("a = 1".into()),
        ..ConsumerInfo::default()
    };
    options.roll.add_consumer(JMS, SubTag(3), &Arc::new(roll::told(&consumer, "jms")));
    OpenWireVoice::new(options)
}

/// The message as it is kept, its properties, and its body as JSON.
fn said(voice: &OpenWireVoice, event: &Event<'_>) -> (Message, BTreeMap<String, String>, serde_json::Value) {
    let topic = Address::topic("ActiveMQ.Advisory.X");
    let mut out = b"what was there before".to_vec();
    let before = out.len();
    let said = voice.say(&News { topic: &topic, event, id: MessageId(9), at: Millis(1_000) }, &mut out);
    assert_eq!(said.tag, OPENWIRE);
    let all = Bytes::from(out).slice(before..);
    let message = read_head(&all.slice(..said.head)).unwrap();
    let json = body::text(&all[said.head..])
        .unwrap()
        .map_or(serde_json::Value::Null, |text| serde_json::from_str(&text.decode().unwrap()).unwrap());
    let properties = message.marshalled_properties.clone().unwrap();
    let mut seen = BTreeMap::new();
    for entry in Map::read(&properties).unwrap().unwrap().iter() {
        let entry = entry.unwrap();
        let value = match entry.value {
            Value::Text(text) => text.decode().unwrap().into_owned(),
            Value::Int(number) => number.to_string(),
            Value::Long(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        seen.insert(entry.key.decode().unwrap().into_owned(), value);
    }
    (message, seen, json)
}

fn payload(voice: &OpenWireVoice, event: &Event<'_>) -> Structure {
    *said(voice, event).0.data_structure.unwrap()
}

#[test]
fn clients_of_all_protocols_have_names() {
    let voice = voice();
    let client = |conn| Client {
        conn,
        id: "jms".into(),
        user: Some("me".into()),
        addr: ([127, 0, 0, 1], 9).into(),
        listener: "openwire",
    };
    let Structure::ConnectionInfo(info) = payload(&voice, &Event::Client(&client(JMS), Turn::Begins)) else {
        panic!("a ConnectionInfo");
    };
    assert_eq!(info.connection_id.unwrap().value.as_ref().unwrap().to_string(), "ID:host-1:1");
    assert_eq!((info.password, info.user_name.unwrap().to_string()), (None, "me".to_owned()));
    assert_eq!(info.client_ip.unwrap().to_string(), "openwire://127.0.0.1:9");
    assert!(info.manageable);
    let (_, properties, json) = said(&voice, &Event::Client(&client(OTHER), Turn::Ends));
    assert_eq!(json["RemoveInfo"]["objectId"]["value"], "ID:wharfmq-8:1");
    assert_eq!(json["RemoveInfo"]["objectId"]["@class"], "ConnectionId");
    let names: Vec<_> = properties.keys().map(String::as_str).collect();
    assert_eq!(names, ["originBrokerId", "originBrokerName", "originBrokerURL"]);
    voice.forget(JMS);
    let Structure::RemoveInfo(gone) = payload(&voice, &Event::Client(&client(JMS), Turn::Ends)) else {
        panic!("a RemoveInfo");
    };
    assert_eq!(gone.last_delivered_sequence_id, -2);
}

#[test]
fn consumers_are_told_as_they_were_announced() {
    let voice = voice();
    let from = Address::queue("orders");
    let consuming = |conn, sub| Consuming { conn, sub: SubTag(sub), from: &from, asked: None, count: 2 };
    let (message, properties, json) = said(&voice, &Event::Consumer(consuming(JMS, 3), Turn::Begins));
    let Structure::ConsumerInfo(info) = *message.data_structure.clone().unwrap() else { panic!("its kind") };
    assert_eq!((info.consumer_id.unwrap().value, info.prefetch_size), (5, 1_000));
    assert_eq!(info.destination.unwrap().physical_name.as_ref().unwrap().to_string(), "orders");
    assert_eq!(properties["consumerCount"], "2");
    assert_eq!(json["ConsumerInfo"]["selector"], "a = 1");
    assert_eq!(json["ConsumerInfo"]["destination"]["@class"], "ActiveMQQueue");
    assert_eq!(message.jms_type.unwrap().to_string(), "Advisory");
    let Structure::RemoveInfo(gone) = payload(&voice, &Event::Consumer(consuming(OTHER, 4), Turn::Ends))
    else {
        panic!("its kind")
    };
    let Structure::ConsumerId(id) = &*gone.object_id.unwrap() else { panic!("its kind") };
    assert_eq!((id.session_id, id.value), (-1, 4));
    assert_eq!(id.connection_id.as_ref().unwrap().to_string(), "ID:wharfmq-8:1");
    let (_, properties, _) = said(&voice, &Event::Slow(consuming(JMS, 3)));
    assert_eq!(properties["consumerId"], "ID:host-1:1:2:5");
}

#[test]
fn producers_are_known_by_their_ids() {
    let voice = voice();
    let id = ProducerId { connection_id: Some("ID:host-1:1".into()), value: 6, session_id: -1 };
    let number = super::super::producers::number_of(&id).unwrap();
    let to = Address::topic("t");
    let producing = Producing { conn: JMS, number, to: &to, count: 1 };
    let (message, properties, _) = said(&voice, &Event::Producer(producing, Turn::Begins));
    let Structure::ProducerInfo(info) = *message.data_structure.unwrap() else { panic!("its kind") };
    assert_eq!(*info.producer_id.unwrap(), id);
    assert_eq!(properties["producerCount"], "1");
    for (session, value) in [(i64::MAX, 1), (1, -1), (1, i64::MAX)] {
        let id = ProducerId { connection_id: None, value, session_id: session };
        assert_eq!(super::super::producers::number_of(&id), None);
    }
}

#[test]
fn temporary_destinations_go_by_the_names_that_clients_chose() {
    let voice = voice();
    let address = Address::queue("$temp.ID:host-1:1:1");
    let (message, _, json) = said(&voice, &Event::Destination(&address, Some(JMS), Turn::Ends));
    let Structure::DestinationInfo(info) = *message.data_structure.unwrap() else { panic!("its kind") };
    let destination = info.destination.unwrap();
    assert_eq!(destination.kind, DestinationKind::TempQueue);
    assert_eq!(destination.physical_name.as_ref().unwrap().to_string(), "ID:host-1:1:1");
    assert_eq!(info.operation_type, 1);
    assert_eq!(json["DestinationInfo"]["connectionId"]["value"], "ID:host-1:1");
}

#[test]
fn messages_are_told_without_their_content() {
    let voice = voice();
    let at = Address::queue("orders");
    let facts = |tag, head| Facts {
        id: MessageId(41),
        address: &at,
        persistent: true,
        priority: 7,
        received: 900,
        expires: 950,
        deliveries: 0,
        tag,
        head,
    };
    let sent = Message {
        kind: MessageKind::Map,
        message_id: Some(wharfmq_openwire::MessageId {
            producer_id: Some(Arc::new(ProducerId {
                connection_id: Some("ID:p".into()),
                value: 2,
                session_id: 1,
            })),
            producer_sequence_id: 3,
            ..Default::default()
        }),
        content: Some(Bytes::new()),
        compressed: true,
        ..Message::default()
    };
    let mut head = BytesMut::new();
    write_head(&sent, &mut head);
    let fate = Fate { at: &at, message: facts(OPENWIRE, &head), consumer: Some((JMS, SubTag(3))) };
    let (message, properties, json) = said(&voice, &Event::Discarded(fate));
    let Structure::Message(payload) = *message.data_structure.unwrap() else { panic!("its kind") };
    assert_eq!((payload.kind, payload.content, payload.compressed), (MessageKind::Map, None, false));
    assert_eq!((payload.expiration, payload.priority, payload.persistent), (950, 7, true));
    assert_eq!(properties["orignalMessageId"], "ID:p:1:2:3");
    assert_eq!(properties["orignalDestination"], "queue://orders");
    assert_eq!(properties["consumerId"], "ID:host-1:1:2:5");
    assert_eq!(json["ActiveMQMapMessage"]["messageId"]["producerSequenceId"], 3);
    for (tag, head) in [(STOMP, &b"a:b\n"[..]), (HeadTag(99), b"?"), (OPENWIRE, b"damaged")] {
        let fate = Fate { at: &at, message: facts(tag, head), consumer: None };
        let (message, properties, _) = said(&voice, &Event::Expired(fate));
        assert!(matches!(*message.data_structure.unwrap(), Structure::Message(_)));
        assert!(properties.contains_key("orignalMessageId"));
    }
}

#[test]
fn a_full_queue_has_no_payload_and_openwire_clients_get_no_body() {
    let voice = voice();
    let (message, properties, json) = said(&voice, &Event::Full(&Address::queue("orders")));
    assert!(json.is_null() && message.data_structure.is_none());
    assert_eq!((message.kind, message.content), (MessageKind::Plain, None));
    assert_eq!(properties["usageName"], "queue://orders");
    let mut message = said(&voice, &Event::Destination(&Address::queue("q"), None, Turn::Begins)).0;
    assert!(is_told(&message));
    bare(&mut message);
    assert_eq!((message.kind, message.content), (MessageKind::Plain, None));
    assert!(!is_told(&Message::default()));
}
