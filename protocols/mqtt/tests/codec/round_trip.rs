//! What is written is read again, and what was read writes the same bytes.

use crate::model::{Model, model, version};
use bytes::BytesMut;
use proptest::prelude::*;
use wharfmq_mqtt::encode::{self, PublishHead};
use wharfmq_mqtt::*;

fn again(version: Version, packet: &Packet<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    let len = match packet {
        Packet::Connack(connack) => encode::connack(&mut out, version, connack),
        Packet::Publish(publish) => {
            encode::publish(&mut out, version, &PublishHead::from(publish), publish.payload)
        }
        Packet::Puback(ack) => encode::ack(&mut out, version, AckKind::Puback, ack),
        Packet::Pubrec(ack) => encode::ack(&mut out, version, AckKind::Pubrec, ack),
        Packet::Pubrel(ack) => encode::ack(&mut out, version, AckKind::Pubrel, ack),
        Packet::Pubcomp(ack) => encode::ack(&mut out, version, AckKind::Pubcomp, ack),
        Packet::Subscribe(subscribe) => {
            let list: Vec<_> = subscribe.subscriptions.iter().collect();
            assert_eq!(list.len(), subscribe.subscriptions.len());
            encode::subscribe(&mut out, version, subscribe.packet_id, subscribe.properties, &list)
        }
        Packet::Suback(suback) => encode::suback(&mut out, version, suback),
        Packet::Unsubscribe(unsubscribe) => {
            let list: Vec<_> = unsubscribe.filters.iter().collect();
            assert_eq!(list.len(), unsubscribe.filters.len());
            encode::unsubscribe(&mut out, version, unsubscribe.packet_id, unsubscribe.properties, &list)
        }
        Packet::Unsuback(unsuback) => encode::unsuback(&mut out, version, unsuback),
        Packet::Pingreq => Ok(encode::pingreq(&mut out)),
        Packet::Pingresp => Ok(encode::pingresp(&mut out)),
        Packet::Disconnect(disconnect) => encode::disconnect(&mut out, version, disconnect),
        Packet::Auth(auth) => encode::auth(&mut out, auth),
    };
    assert_eq!(len.unwrap(), out.len());
    out.to_vec()
}

/// Compares what identifies a message with the model it came from.
fn compare(model: &Model, packet: &Packet<'_>, input: &[u8]) {
    match (model, packet) {
        (Model::Publish(_, qos, retain, topic, id, _, payload), Packet::Publish(publish)) => {
            assert_eq!((publish.qos, publish.retain, publish.topic), (*qos, *retain, topic.as_str()));
            assert_eq!(publish.packet_id, (*qos != Qos::AtMostOnce).then_some(*id));
            assert_eq!(publish.payload, payload.as_slice());
            compare_ranges(publish, input);
        }
        (Model::Subscribe(id, _, list), Packet::Subscribe(subscribe)) => {
            let found: Vec<_> = subscribe.subscriptions.iter().map(|entry| entry.filter).collect();
            let expected: Vec<_> = list.iter().map(|(filter, _)| filter.as_str()).collect();
            assert_eq!((subscribe.packet_id, found), (*id, expected));
        }
        (Model::Unsubscribe(id, _, list), Packet::Unsubscribe(unsubscribe)) => {
            let found: Vec<_> = unsubscribe.filters.iter().collect();
            assert_eq!((unsubscribe.packet_id, found), (*id, list.iter().map(String::as_str).collect()));
        }
        (Model::Suback(id, _, codes), Packet::Suback(suback)) => {
            assert_eq!((suback.packet_id, suback.codes), (*id, codes.as_slice()));
        }
        (
            Model::Ack(_, id, ..),
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack),
        ) => {
            assert_eq!(ack.packet_id, *id);
        }
        _ => {}
    }
}

fn compare_ranges(publish: &Publish<'_>, input: &[u8]) {
    assert_eq!(&input[publish.topic_range()], publish.topic.as_bytes());
    assert_eq!(&input[publish.payload_range()], publish.payload);
    assert_eq!(&input[publish.properties_range()], publish.properties.raw());
    assert_eq!(offset_in(input, publish.payload), publish.payload_range());
    if let (Some(range), Some(id)) = (publish.packet_id_range(), publish.packet_id) {
        assert_eq!(input[range], id.get().to_be_bytes());
    }
}

proptest! {
    #[test]
    fn every_packet_in_every_version(model in model(), version in version()) {
        prop_assume!(model.exists_in(version));
        let input = model.encode(version);
        if let Model::Connect(clean_start, keep_alive, client_id, will, user_name, ..) = &model {
            let decoded = decode_connect(&input, u32::MAX).unwrap().unwrap();
            let connect = decoded.packet;
            prop_assert_eq!((decoded.len, connect.version), (input.len(), version));
            prop_assert_eq!((connect.clean_start, connect.keep_alive), (*clean_start, *keep_alive));
            prop_assert_eq!((connect.client_id, connect.user_name), (client_id.as_str(), user_name.as_deref()));
            prop_assert_eq!(connect.will.is_some(), will.is_some());
            let mut out = BytesMut::new();
            encode::connect(&mut out, &connect).unwrap();
            prop_assert_eq!(out, input);
            return Ok(());
        }
        let limits = Limits { max_packet: u32::MAX, from: model.from() };
        let decoded = decode(&input, version, limits).unwrap().unwrap();
        prop_assert_eq!(decoded.len, input.len());
        compare(&model, &decoded.packet, &input);
        prop_assert_eq!(again(version, &decoded.packet), input);
    }
}

#[test]
fn head_and_shared_tail_are_the_whole_packet() {
    let mut scratch = BytesMut::new();
    let mut own_scratch = BytesMut::new();
    let mut shared = PropertyWriter::new(&mut scratch);
    shared.put(PropertyId::ContentType, Value::Text("text/plain")).unwrap().user("k", "v").unwrap();
    let shared = shared.finish();
    let mut own = PropertyWriter::new(&mut own_scratch);
    own.put(PropertyId::SubscriptionIdentifier, Value::VarInt(300)).unwrap();
    let head = PublishHead {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic: "a/b",
        packet_id: PacketId::new(7),
        properties: own.finish(),
        shared_properties_len: shared.raw().len(),
    };
    let mut out = BytesMut::new();
    let total = encode::publish_head(&mut out, Version::V5, &head, 2).unwrap();
    out.extend_from_slice(shared.raw());
    out.extend_from_slice(b"hi");
    assert_eq!(out.len(), total);
    let decoded = decode(&out, Version::V5, Limits::from_server(1 << 20)).unwrap().unwrap();
    let Packet::Publish(publish) = decoded.packet else { panic!() };
    assert_eq!(publish.payload, b"hi");
    assert_eq!(publish.properties.subscription_ids().collect::<Vec<_>>(), [300]);
    assert_eq!(publish.properties.text(PropertyId::ContentType), Some("text/plain"));

    let mut copied = BytesMut::new();
    let mut writer = PropertyWriter::new(&mut copied);
    writer.copy(publish.properties, |id| id != PropertyId::SubscriptionIdentifier);
    assert_eq!(writer.finish(), shared);
}

#[test]
fn nothing_is_written_when_a_length_does_not_fit() {
    let long = "a".repeat(65_536);
    let mut out = BytesMut::from(&b"before"[..]);
    let id = PacketId::MIN;
    let none = Properties::EMPTY;
    let entry = Subscription { filter: &long, options: SubscriptionOptions::from_qos(Qos::AtMostOnce) };
    let head = |topic| PublishHead {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic,
        packet_id: None,
        properties: none,
        shared_properties_len: 0,
    };
    let v311 = Version::V311;
    assert_eq!(encode::subscribe(&mut out, v311, id, none, &[entry]), Err(EncodeError::FieldTooLong));
    assert_eq!(encode::unsubscribe(&mut out, v311, id, none, &[&long]), Err(EncodeError::FieldTooLong));
    assert_eq!(encode::publish(&mut out, v311, &head(&long), b""), Err(EncodeError::FieldTooLong));
    assert_eq!(
        encode::publish_head(&mut out, v311, &head("a"), 268_435_455),
        Err(EncodeError::PacketTooLong)
    );
    assert_eq!(encode::publish_head(&mut out, v311, &head("a"), usize::MAX), Err(EncodeError::PacketTooLong));
    let without_id = PublishHead { qos: Qos::AtLeastOnce, ..head("a") };
    assert_eq!(encode::publish(&mut out, v311, &without_id, b""), Err(EncodeError::PacketId));
    assert_eq!(encode::subscribe(&mut out, v311, id, none, &[]), Err(EncodeError::Empty));
    let failed = Ack { reason: Reason::QUOTA_EXCEEDED, ..Ack::success(id) };
    assert_eq!(encode::ack(&mut out, v311, AckKind::Puback, &failed), Err(EncodeError::Version));
    assert_eq!(out, b"before"[..]);
}

#[test]
fn property_writer_refuses_what_a_decoder_would() {
    let mut scratch = BytesMut::new();
    let mut writer = PropertyWriter::new(&mut scratch);
    let long = "a".repeat(65_536);
    for (id, value) in [
        (PropertyId::TopicAlias, Value::U16(0)),
        (PropertyId::TopicAlias, Value::U32(1)),
        (PropertyId::PayloadFormatIndicator, Value::Byte(2)),
        (PropertyId::SubscriptionIdentifier, Value::VarInt(MAX_VAR_INT + 1)),
        (PropertyId::ResponseTopic, Value::Text("a/#")),
    ] {
        assert_eq!(writer.put(id, value).err(), Some(EncodeError::PropertyValue), "{id:?}");
    }
    assert_eq!(writer.user("k", &long).err(), Some(EncodeError::FieldTooLong));
    assert!(writer.finish().is_empty());
}
