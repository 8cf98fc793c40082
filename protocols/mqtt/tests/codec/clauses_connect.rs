//! Clauses of CONNECT (3.1), with the answer each refusal gets.

use crate::{connect, field, packet};
use wharfmq_mqtt::{ConnectReturn, Error, Qos, Reason, Refusal, Version, decode_connect};

fn v3(level: u8, flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    let name = if level == 3 { "MQIsdp" } else { "MQTT" };
    packet(0x10, &[&field(name), &[level, flags, 0, 60], &payload.concat()])
}

fn v5(flags: u8, properties: &[u8], payload: &[&[u8]]) -> Vec<u8> {
    let len = [u8::try_from(properties.len()).unwrap()];
    packet(0x10, &[&field("MQTT"), &[5, flags, 0, 60], &len, properties, &payload.concat()])
}

fn error(input: &[u8]) -> Option<Error> {
    connect(input).err().map(|refused| refused.error)
}

fn refusal(input: &[u8]) -> Option<Refusal> {
    connect(input).unwrap_err().refusal()
}

#[test]
fn mqtt_3_1_0_1_first_packet_is_connect() {
    for first in [b'G', 0x30, 0x20, 0x00, b'S'] {
        let refused = decode_connect(&[first], 1 << 20).unwrap_err();
        assert_eq!((refused.error, refused.refusal()), (Error::FirstPacketNotConnect, None));
    }
}

#[test]
fn mqtt_3_1_2_1_protocol_name() {
    let input = packet(0x10, &[&field("MQTX"), &[4, 2, 0, 60], &field("a")]);
    assert_eq!((error(&input), refusal(&input)), (Some(Error::ProtocolName), None));
}

#[test]
fn mqtt_3_1_2_2_protocol_level_and_its_answer() {
    let level = |name: &str, level: u8| packet(0x10, &[&field(name), &[level, 2, 0, 60], &field("a")]);
    let v3 = Some(Refusal::V3(ConnectReturn::UnacceptableProtocolVersion));
    for input in
        [level("MQTT", 3), level("MQTT", 0), level("MQIsdp", 4), level("MQTT", 0x84), level("MQIsdp", 0x83)]
    {
        assert_eq!((error(&input), refusal(&input)), (Some(Error::ProtocolLevel), v3), "{input:x?}");
    }
    let v5 = Some(Refusal::V5(Reason::UNSUPPORTED_PROTOCOL_VERSION));
    assert_eq!(refusal(&level("MQTT", 6)), v5);
}

#[test]
fn versions_are_told_apart() {
    assert_eq!(connect(&v3(3, 2, &[&field("a")])).unwrap().version, Version::V31);
    assert_eq!(connect(&v3(4, 2, &[&field("a")])).unwrap().version, Version::V311);
    assert_eq!(connect(&v5(2, &[], &[&field("a")])).unwrap().version, Version::V5);
}

#[test]
fn mqtt_2_1_3_1_flags_of_connect() {
    // A TLS handshake on a plain port begins with 0x16.
    for first in [0x11, 0x16, 0x1F] {
        let refused = decode_connect(&[first], 1 << 20).unwrap_err();
        assert_eq!((refused.error, refused.refusal()), (Error::FixedHeaderFlags, None));
    }
}

#[test]
fn mqtt_3_1_2_3_reserved_flag() {
    assert_eq!(error(&v3(4, 3, &[&field("a")])), Some(Error::ConnectReservedFlag));
    assert_eq!(refusal(&v3(4, 3, &[&field("a")])), None);
    assert_eq!(refusal(&v5(3, &[], &[&field("a")])), Some(Refusal::V5(Reason::MALFORMED_PACKET)));
    assert_eq!(error(&v3(3, 3, &[&field("a")])), None);
}

#[test]
fn mqtt_3_1_2_11_will_flags_without_will() {
    for flags in [0x0A, 0x12, 0x22] {
        assert_eq!(error(&v3(4, flags, &[&field("a")])), Some(Error::WillFlagsWithoutWill));
        assert_eq!(error(&v5(flags, &[], &[&field("a")])), Some(Error::WillFlagsWithoutWill));
    }
}

#[test]
fn mqtt_3_1_2_12_will_qos_3() {
    let input = v3(4, 0x1E, &[&field("a"), &field("t"), &field("m")]);
    assert_eq!(error(&input), Some(Error::WillQos));
}

#[test]
fn mqtt_3_1_2_9_will_is_in_the_payload() {
    let input = v3(4, 0x2E, &[&field("a"), &field("t/w"), &field([0xFF, 0])]);
    let will = connect(&input).unwrap().will.unwrap();
    assert_eq!(
        (will.qos, will.retain, will.topic, will.payload),
        (Qos::AtLeastOnce, true, "t/w", &[0xFF, 0][..])
    );
    assert_eq!(error(&v3(4, 0x06, &[&field("a")])), Some(Error::Truncated));
}

#[test]
fn mqtt_3_1_3_11_will_topic_is_a_topic_name() {
    let with = |topic: &[u8]| error(&v3(4, 0x06, &[&field("a"), &field(topic), &field("")]));
    assert_eq!(with(b""), Some(Error::TopicEmpty));
    assert_eq!(with(b"a/#"), Some(Error::TopicWildcard));
    assert_eq!(with(&[0xC3]), Some(Error::InvalidUtf8));
}

#[test]
fn mqtt_3_1_2_22_of_311_password_without_user_name() {
    assert_eq!(error(&v3(4, 0x42, &[&field("a"), &field("p")])), Some(Error::PasswordWithoutUserName));
    let input = v5(0x42, &[], &[&field("a"), &field([0xFF])]);
    let connect = connect(&input).unwrap();
    assert_eq!((connect.user_name, connect.password), (None, Some(&[0xFF][..])));
}

#[test]
fn mqtt_3_1_3_user_name_may_be_empty_and_password_binary() {
    let input = v3(4, 0xC2, &[&field("a"), &field(""), &field([0, 0xFF])]);
    let connect = connect(&input).unwrap();
    assert_eq!((connect.user_name, connect.password), (Some(""), Some(&[0, 0xFF][..])));
}

#[test]
fn mqtt_3_1_3_8_of_311_empty_client_id() {
    let rejected = Some(Refusal::V3(ConnectReturn::IdentifierRejected));
    assert_eq!(refusal(&v3(4, 0, &[&field("")])), rejected);
    assert_eq!(refusal(&v3(3, 2, &[&field("")])), rejected);
    assert_eq!(error(&v3(4, 2, &[&field("")])), None);
    assert_eq!(error(&v5(0, &[], &[&field("")])), None);
}

#[test]
fn mqtt_31_long_client_ids_are_taken() {
    assert_eq!(error(&v3(3, 2, &[&field("a".repeat(60))])), None);
}

#[test]
fn mqtt_31_user_name_and_password_may_be_missing() {
    let input = v3(3, 0xC2, &[&field("a")]);
    let connect = connect(&input).unwrap();
    assert_eq!((connect.user_name, connect.password), (None, None));
    assert_eq!(error(&v3(4, 0xC2, &[&field("a")])), Some(Error::Truncated));
}

#[test]
fn mqtt_3_1_3_1_nothing_after_the_payload() {
    assert_eq!(error(&v3(4, 2, &[&field("a"), &[0]])), Some(Error::TrailingBytes));
    assert_eq!(error(&v5(2, &[], &[&field("a"), &[0]])), Some(Error::TrailingBytes));
}

#[test]
fn mqtt_3_1_3_4_client_id_is_utf8() {
    assert_eq!(error(&v3(4, 2, &[&field([0xFF])])), Some(Error::InvalidUtf8));
    assert_eq!(error(&v3(4, 2, &[&field("a\0")])), Some(Error::NulInString));
}

#[test]
fn mqtt_3_1_2_11_property_values_of_connect() {
    let with = |properties: &[u8]| error(&v5(2, properties, &[&field("a")]));
    assert_eq!(with(&[0x21, 0, 0]), Some(Error::PropertyValue));
    assert_eq!(with(&[0x27, 0, 0, 0, 0]), Some(Error::PropertyValue));
    assert_eq!(with(&[0x17, 2]), Some(Error::PropertyValue));
    assert_eq!(with(&[0x19, 2]), Some(Error::PropertyValue));
    assert_eq!(with(&[0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1]), Some(Error::DuplicateProperty));
    assert_eq!(with(&[0x01, 1]), Some(Error::MisplacedProperty));
    assert_eq!(with(&[0x11, 0xFF, 0xFF, 0xFF, 0xFF, 0x21, 0, 1, 0x22, 0, 0, 0x17, 0]), None);
}

#[test]
fn mqtt_3_1_2_11_10_authentication_data_needs_a_method() {
    let with = |properties: &[u8]| error(&v5(2, properties, &[&field("a")]));
    assert_eq!(with(&[0x16, 0, 1, 9]), Some(Error::AuthDataWithoutMethod));
    assert_eq!(with(&[0x16, 0, 1, 9, 0x15, 0, 1, b'x']), None);
}

#[test]
fn mqtt_3_1_3_2_will_properties_are_their_own() {
    let with = |properties: &[u8]| {
        let len = [u8::try_from(properties.len()).unwrap()];
        error(&v5(6, &[], &[&field("a"), &len, properties, &field("t"), &field("m")]))
    };
    assert_eq!(with(&[0x18, 0, 0, 0, 5, 0x01, 1]), None);
    assert_eq!(with(&[0x11, 0, 0, 0, 5]), Some(Error::MisplacedProperty));
    assert_eq!(with(&[0x23, 0, 5]), Some(Error::MisplacedProperty));
    assert_eq!(error(&v5(2, &[0x18, 0, 0, 0, 5], &[&field("a")])), Some(Error::MisplacedProperty));
}

#[test]
fn mqtt_3_1_4_padded_length_is_refused_in_the_right_words() {
    let mut input = v5(2, &[], &[&field("a")]);
    let len = input[1];
    input.splice(1..2, [len | 0x80, 0]);
    assert_eq!(refusal(&input), Some(Refusal::V5(Reason::MALFORMED_PACKET)));
}
