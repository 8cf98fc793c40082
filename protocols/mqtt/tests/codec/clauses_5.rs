//! Clauses of MQTT 5.0 that a decoder can check: properties, reason codes, subscription options, AUTH.

use crate::{down, field, packet, up};
use wharfmq_mqtt::{Error, Packet, PropertyId, Reason, RetainHandling, Value, Version};

const V5: Version = Version::V5;
const ID: &[u8] = &[0, 1];

/// A property block with its length.
fn block(properties: &[&[u8]]) -> Vec<u8> {
    let raw = properties.concat();
    let mut block = vec![u8::try_from(raw.len()).unwrap()];
    block.extend(raw);
    block
}

fn publish(properties: &[&[u8]]) -> Vec<u8> {
    packet(0x30, &[&field("a"), &block(properties), b"x"])
}

fn publish_error(properties: &[&[u8]]) -> Option<Error> {
    up(V5, &publish(properties)).err()
}

fn text_property(id: u8, text: &str) -> Vec<u8> {
    [&[id][..], &field(text)].concat()
}

#[test]
fn mqtt_1_5_5_1_variable_byte_integers_are_minimal() {
    let padded_block = packet(0x30, &[&field("a"), &[0x80, 0x00]]);
    assert_eq!(up(V5, &padded_block), Err(Error::VarIntNotMinimal));
    let padded_id = packet(0x82, &[ID, &block(&[&[0x0B, 0x81, 0x00]]), &field("a"), &[0]]);
    assert_eq!(up(V5, &padded_id), Err(Error::VarIntNotMinimal));
    let five = packet(0x82, &[ID, &block(&[&[0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]]), &field("a"), &[0]]);
    assert_eq!(up(V5, &five), Err(Error::VarIntTooLong));
}

#[test]
fn mqtt_2_2_2_1_missing_property_length() {
    assert_eq!(up(V5, &packet(0x30, &[&field("a")])), Err(Error::Truncated));
    assert_eq!(up(V5, &packet(0x82, &[ID])), Err(Error::Truncated));
}

#[test]
fn mqtt_2_2_2_properties_past_their_length() {
    // The block ends inside a property, though the packet goes on.
    let input = packet(0x30, &[&field("a"), &[2], &[0x02, 0, 0, 0, 9], b"payload"]);
    assert_eq!(up(V5, &input), Err(Error::Truncated));
    // The block is longer than the packet.
    assert_eq!(up(V5, &packet(0x30, &[&field("a"), &[9], &[0x01, 0]])), Err(Error::Truncated));
}

#[test]
fn mqtt_2_2_2_2_unknown_property() {
    for id in [0x00, 0x04, 0x14, 0x2B, 0x7F, 0x81, 0xFF] {
        assert_eq!(publish_error(&[&[id, 0, 0]]), Some(Error::UnknownProperty), "{id:x}");
    }
}

#[test]
fn mqtt_2_2_2_2_misplaced_property() {
    assert_eq!(publish_error(&[&[0x11, 0, 0, 0, 1]]), Some(Error::MisplacedProperty));
    let puback = packet(0x40, &[ID, &[0], &block(&[&[0x01, 0]])]);
    assert_eq!(up(V5, &puback), Err(Error::MisplacedProperty));
    let unsubscribe = packet(0xA2, &[ID, &block(&[&[0x0B, 1]]), &field("a")]);
    assert_eq!(up(V5, &unsubscribe), Err(Error::MisplacedProperty));
    let subscribe = packet(0x82, &[ID, &block(&[&text_property(0x1F, "no")]), &field("a"), &[0]]);
    assert_eq!(up(V5, &subscribe), Err(Error::MisplacedProperty));
}

#[test]
fn mqtt_2_2_2_2_duplicate_property() {
    assert_eq!(publish_error(&[&[0x01, 0], &[0x01, 0]]), Some(Error::DuplicateProperty));
    assert_eq!(publish_error(&[&[0x23, 0, 1], &[0x23, 0, 1]]), Some(Error::DuplicateProperty));
    let subscribe = packet(0x82, &[ID, &block(&[&[0x0B, 1], &[0x0B, 2]]), &field("a"), &[0]]);
    assert_eq!(up(V5, &subscribe), Err(Error::DuplicateProperty));
}

#[test]
fn mqtt_3_3_2_18_user_properties_repeat_and_keep_their_order() {
    let pair = |name: &str, value: &str| [&[0x26][..], &field(name), &field(value)].concat();
    let input = publish(&[&pair("k", "1"), &pair("k", "2"), &pair("", "")]);
    let Ok(Packet::Publish(publish)) = up(V5, &input) else { panic!() };
    let found: Vec<_> = publish.properties.user_properties().collect();
    assert_eq!(found, [("k", "1"), ("k", "2"), ("", "")]);
}

#[test]
fn mqtt_3_3_2_property_values() {
    assert_eq!(publish_error(&[&[0x01, 2]]), Some(Error::PropertyValue));
    assert_eq!(publish_error(&[&[0x01, 1]]), None);
    let zero_id = packet(0x82, &[ID, &block(&[&[0x0B, 0]]), &field("a"), &[0]]);
    assert_eq!(up(V5, &zero_id), Err(Error::PropertyValue));
}

#[test]
fn mqtt_3_2_2_connack_property_values() {
    let connack = |property: &[u8]| packet(0x20, &[&[0, 0], &block(&[property])]);
    for id in [0x24, 0x25, 0x28, 0x29, 0x2A] {
        assert!(down(V5, &connack(&[id, 1])).is_ok(), "{id:x}");
        assert_eq!(down(V5, &connack(&[id, 2])), Err(Error::PropertyValue), "{id:x}");
    }
    assert_eq!(down(V5, &connack(&[0x21, 0, 0])), Err(Error::PropertyValue));
    assert_eq!(down(V5, &connack(&[0x27, 0, 0, 0, 0])), Err(Error::PropertyValue));
    assert!(down(V5, &connack(&[0x22, 0, 0])).is_ok());
}

#[test]
fn mqtt_3_2_2_8_connack_reason_codes() {
    for code in [0x00, 0x80, 0x81, 0x84, 0x8A, 0x8C, 0x90, 0x9F] {
        assert!(down(V5, &packet(0x20, &[&[0, code, 0]])).is_ok(), "{code:x}");
    }
    for code in [0x01, 0x18, 0x8B, 0x91, 0xA2, 0xFF] {
        assert_eq!(down(V5, &packet(0x20, &[&[0, code, 0]])), Err(Error::ReasonCode), "{code:x}");
    }
}

#[test]
fn mqtt_3_3_2_8_topic_alias_zero() {
    assert_eq!(publish_error(&[&[0x23, 0, 0]]), Some(Error::TopicAliasZero));
    assert_eq!(Error::TopicAliasZero.reason(), Reason::TOPIC_ALIAS_INVALID);
}

#[test]
fn mqtt_3_3_2_1_empty_topic_needs_an_alias() {
    assert_eq!(up(V5, &packet(0x30, &[&field(""), &[0]])), Err(Error::TopicMissing));
    assert_eq!(Error::TopicMissing.reason(), Reason::PROTOCOL_ERROR);
    let input = packet(0x30, &[&field(""), &block(&[&[0x23, 0, 7]]), b"x"]);
    let Ok(Packet::Publish(publish)) = up(V5, &input) else { panic!() };
    assert_eq!((publish.topic, publish.properties.u16(PropertyId::TopicAlias)), ("", Some(7)));
}

#[test]
fn mqtt_3_3_2_14_response_topic_without_wildcards() {
    for topic in ["", "a/+", "#"] {
        assert_eq!(publish_error(&[&text_property(0x08, topic)]), Some(Error::ResponseTopicWildcard));
    }
    assert_eq!(publish_error(&[&text_property(0x08, "a/b")]), None);
}

#[test]
fn mqtt_3_3_2_13_property_strings_are_utf8() {
    assert_eq!(publish_error(&[&[0x03, 0, 1, 0x80]]), Some(Error::InvalidUtf8));
    assert_eq!(publish_error(&[&[0x26, 0, 1, b'a', 0, 1, 0]]), Some(Error::NulInString));
    // Correlation data is binary.
    assert_eq!(publish_error(&[&[0x09, 0, 2, 0x80, 0]]), None);
}

#[test]
fn mqtt_3_3_2_3_2_payload_format_on_request() {
    let input = packet(0x30, &[&field("a"), &block(&[&[0x01, 1]]), &[0xFF]]);
    let Ok(Packet::Publish(publish)) = up(V5, &input) else { panic!() };
    assert_eq!(publish.check_payload_format(), Err(Error::PayloadFormat));
    assert_eq!(Error::PayloadFormat.reason(), Reason::PAYLOAD_FORMAT_INVALID);
}

#[test]
fn mqtt_3_3_4_6_subscription_identifier_from_a_client() {
    let input = publish(&[&[0x0B, 1], &[0x0B, 0xFF, 0x7F]]);
    assert_eq!(up(V5, &input), Err(Error::SubscriptionIdFromClient));
    let Ok(Packet::Publish(publish)) = down(V5, &input) else { panic!() };
    assert_eq!(publish.properties.subscription_ids().collect::<Vec<_>>(), [1, 0x3FFF]);
    assert_eq!(publish.payload, b"x");
}

#[test]
fn mqtt_3_4_2_1_acknowledgement_forms_and_reason_codes() {
    for first in [0x40, 0x50, 0x62, 0x70] {
        for body in [&[][..], &[0], &[0, 0]] {
            assert!(up(V5, &packet(first, &[ID, body])).is_ok(), "{first:x} {body:x?}");
        }
        assert_eq!(up(V5, &packet(first, &[ID, &[0, 0, 0]])), Err(Error::TrailingBytes));
        assert_eq!(up(V5, &packet(first, &[ID, &[0x81]])), Err(Error::ReasonCode));
    }
    assert!(up(V5, &packet(0x40, &[ID, &[0x10]])).is_ok());
    assert!(up(V5, &packet(0x50, &[ID, &[0x99]])).is_ok());
    assert_eq!(up(V5, &packet(0x40, &[ID, &[0x92]])), Err(Error::ReasonCode));
    assert!(up(V5, &packet(0x62, &[ID, &[0x92]])).is_ok());
    assert_eq!(up(V5, &packet(0x70, &[ID, &[0x10]])), Err(Error::ReasonCode));
}

#[test]
fn mqtt_3_8_3_1_subscription_options() {
    let subscribe = |filter: &str, bits| packet(0x82, &[ID, &[0], &field(filter), &[bits]]);
    assert_eq!(up(V5, &subscribe("a", 0x03)), Err(Error::SubscriptionQos));
    assert_eq!(up(V5, &subscribe("a", 0x30)), Err(Error::RetainHandling));
    let input = subscribe("a", 0x2E);
    let Ok(Packet::Subscribe(subscribe)) = up(V5, &input) else { panic!() };
    let options = subscribe.subscriptions.iter().next().unwrap().options;
    assert!(options.no_local && options.retain_as_published);
    assert_eq!((options.qos as u8, options.retain_handling), (2, RetainHandling::DoNotSend));
}

#[test]
fn mqtt_3_8_3_4_no_local_on_shared_subscription() {
    let input = packet(0x82, &[ID, &[0], &field("$share/g/a"), &[0x04]]);
    assert_eq!(up(V5, &input), Err(Error::NoLocalOnShared));
    assert_eq!(Error::NoLocalOnShared.reason(), Reason::PROTOCOL_ERROR);
}

#[test]
fn mqtt_3_8_3_5_reserved_bits_of_the_options() {
    for bits in [0x40, 0x80] {
        assert_eq!(up(V5, &packet(0x82, &[ID, &[0], &field("a"), &[bits]])), Err(Error::SubscriptionOptions));
    }
}

#[test]
fn mqtt_4_8_2_1_share_name() {
    let error = |filter: &str| up(V5, &packet(0x82, &[ID, &[0], &field(filter), &[0]])).err();
    // What is wrong with a share name is told in SUBACK, for this subscription alone.
    for filter in ["$share//a", "$share/+/a", "$share/g#/a", "$share/", "$share/g", "$share/g/"] {
        assert_eq!(error(filter), None, "{filter}");
    }
    assert_eq!(error("$share/g/a#"), Some(Error::FilterHash));
    assert_eq!(error("$share/g//"), None);
    assert!(up(Version::V311, &packet(0x82, &[ID, &field("$share/g"), &[0]])).is_ok());
}

#[test]
fn mqtt_3_9_3_2_suback_and_unsuback_codes() {
    assert!(down(V5, &packet(0x90, &[ID, &[0], &[0, 1, 2, 0x87, 0x8F, 0xA2]])).is_ok());
    assert_eq!(down(V5, &packet(0x90, &[ID, &[0], &[0x11]])), Err(Error::ReasonCode));
    assert_eq!(down(V5, &packet(0x90, &[ID, &[0]])), Err(Error::NoReasonCodes));
    assert!(down(V5, &packet(0xB0, &[ID, &[0], &[0, 0x11, 0x80]])).is_ok());
    assert_eq!(down(V5, &packet(0xB0, &[ID, &[0], &[1]])), Err(Error::ReasonCode));
    assert_eq!(down(V5, &packet(0xB0, &[ID, &[0]])), Err(Error::NoReasonCodes));
}

#[test]
fn mqtt_3_14_2_1_disconnect_forms_and_reason_codes() {
    for body in [&[][..], &[0], &[4], &[0, 0], &[0x81]] {
        assert!(up(V5, &packet(0xE0, &[body])).is_ok(), "{body:x?}");
    }
    assert_eq!(up(V5, &packet(0xE0, &[&[0x8B]])), Err(Error::ReasonCode));
    assert_eq!(up(V5, &packet(0xE0, &[&[0x01]])), Err(Error::ReasonCode));
    assert!(down(V5, &packet(0xE0, &[&[0x8B]])).is_ok());
    assert_eq!(down(V5, &packet(0xE0, &[&[0x04]])), Err(Error::ReasonCode));
    for code in 0x97..=0xA2 {
        assert!(down(V5, &packet(0xE0, &[&[code]])).is_ok(), "{code:x}");
    }
}

#[test]
fn mqtt_3_14_2_2_session_expiry_from_a_server() {
    let input = packet(0xE0, &[&[0], &block(&[&[0x11, 0, 0, 0, 9]])]);
    assert_eq!(down(V5, &input), Err(Error::SessionExpiryFromServer));
    let Ok(Packet::Disconnect(disconnect)) = up(V5, &input) else { panic!() };
    assert_eq!(disconnect.properties.get(PropertyId::SessionExpiryInterval), Some(Value::U32(9)));
}

#[test]
fn mqtt_3_15_2_auth() {
    let method = block(&[&text_property(0x15, "SCRAM")]);
    assert!(up(V5, &packet(0xF0, &[&[0x18], &method])).is_ok());
    assert!(up(V5, &packet(0xF0, &[&[0x19], &method])).is_ok());
    assert!(down(V5, &packet(0xF0, &[&[0x00], &method])).is_ok());
    assert!(down(V5, &[0xF0, 0]).is_ok());
    assert_eq!(up(V5, &[0xF0, 0]), Err(Error::ReasonCode));
    assert_eq!(up(V5, &packet(0xF0, &[&[0x00], &method])), Err(Error::ReasonCode));
    assert_eq!(down(V5, &packet(0xF0, &[&[0x19], &method])), Err(Error::ReasonCode));
    assert_eq!(up(V5, &packet(0xF0, &[&[0x18, 0]])), Err(Error::AuthMethodMissing));
    let data = block(&[&[0x16, 0, 1, 9]]);
    assert_eq!(up(V5, &packet(0xF0, &[&[0x18], &data])), Err(Error::AuthMethodMissing));
    assert_eq!(up(V5, &packet(0xF1, &[&[0x18], &method])), Err(Error::FixedHeaderFlags));
}
