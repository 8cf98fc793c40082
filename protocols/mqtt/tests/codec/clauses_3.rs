//! Clauses that hold in every version (numbers of MQTT 5.0), and those of 3.1.1 alone.

use crate::{down, field, packet, up};
use wharfmq_mqtt::{Error, Limits, Packet, Qos, Reason, Version, decode, frame};

const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;
const ID: &[u8] = &[0, 1];

fn publish_311(first: u8, topic: impl AsRef<[u8]>, rest: &[u8]) -> Vec<u8> {
    packet(first, &[&field(topic), rest])
}

#[test]
fn mqtt_1_5_4_1_ill_formed_utf8() {
    // Bare continuation, overlong slash, surrogate, above U+10FFFF, cut off.
    for bytes in [&[0x80][..], &[0xC0, 0xAF], &[0xED, 0xA0, 0x80], &[0xF4, 0x90, 0x80, 0x80], &[0xE2, 0x82]] {
        assert_eq!(up(V311, &publish_311(0x30, bytes, b"x")), Err(Error::InvalidUtf8), "{bytes:x?}");
        let subscribe = packet(0x82, &[ID, &field(bytes), &[0]]);
        assert_eq!(up(V311, &subscribe), Err(Error::InvalidUtf8), "{bytes:x?}");
    }
}

#[test]
fn mqtt_1_5_4_2_no_u0000() {
    for topic in ["\0", "a\0", "abcdefg\0", "abcdefgh\0i", "abcdefghijklmnop\0"] {
        assert_eq!(up(V311, &publish_311(0x30, topic, b"x")), Err(Error::NulInString));
        assert_eq!(up(V311, &packet(0x82, &[ID, &field(topic), &[0]])), Err(Error::NulInString));
    }
}

#[test]
fn mqtt_1_5_4_3_byte_order_mark_is_kept() {
    let input = publish_311(0x30, "\u{feff}a", b"");
    let Ok(Packet::Publish(publish)) = up(V311, &input) else { panic!() };
    assert_eq!(publish.topic, "\u{feff}a");
}

#[test]
fn mqtt_2_1_3_1_reserved_flags() {
    let id = |first| packet(first, &[ID]);
    for input in [id(0x41), id(0x52), id(0x60), id(0x6A), id(0x78), vec![0xC1, 0], vec![0xE8, 0]] {
        assert_eq!(up(V311, &input), Err(Error::FixedHeaderFlags), "{input:x?}");
        assert_eq!(up(V5, &input), Err(Error::FixedHeaderFlags), "{input:x?}");
    }
    for first in [0x80, 0x83, 0x8A] {
        assert_eq!(up(V311, &packet(first, &[ID, &field("a"), &[0]])), Err(Error::FixedHeaderFlags));
    }
    assert_eq!(up(V311, &packet(0xA0, &[ID, &field("a")])), Err(Error::FixedHeaderFlags));
    for input in [packet(0x21, &[&[0, 0]]), packet(0x92, &[ID, &[0]]), packet(0xB2, &[ID]), vec![0xD1, 0]] {
        assert_eq!(down(V311, &input), Err(Error::FixedHeaderFlags), "{input:x?}");
    }
}

#[test]
fn mqtt_31_repeated_requests_may_carry_dup() {
    assert!(up(V31, &packet(0x8A, &[ID, &field("a"), &[0]])).is_ok());
    assert!(up(V31, &packet(0x6A, &[ID])).is_ok());
    let input = publish_311(0x38, "a", b"");
    let Ok(Packet::Publish(publish)) = up(V31, &input) else { panic!() };
    assert!(!publish.dup);
}

#[test]
fn mqtt_2_1_2_reserved_packet_types() {
    for version in [V31, V311, V5] {
        assert_eq!(up(version, &[0x00, 0]), Err(Error::ReservedPacketType));
    }
    assert_eq!(up(V311, &[0xF0, 0]), Err(Error::ReservedPacketType));
}

#[test]
fn mqtt_2_1_2_direction() {
    for input in [packet(0x20, &[&[0, 0]]), packet(0x90, &[ID, &[0]]), packet(0xB0, &[ID]), vec![0xD0, 0]] {
        assert_eq!(up(V311, &input), Err(Error::WrongDirection));
    }
    for input in [packet(0x82, &[ID, &field("a"), &[0]]), packet(0xA2, &[ID, &field("a")]), vec![0xC0, 0]] {
        assert_eq!(down(V311, &input), Err(Error::WrongDirection));
    }
    assert_eq!(down(V311, &[0xE0, 0]), Err(Error::WrongDirection));
    assert!(down(V5, &[0xE0, 0]).is_ok());
}

#[test]
fn mqtt_2_1_4_remaining_length_has_four_bytes_at_most() {
    assert_eq!(
        decode(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], V311, Limits::from_client(u32::MAX)),
        Err(Error::RemainingLengthTooLong)
    );
}

#[test]
fn mqtt_2_1_4_padded_remaining_length_is_valid_before_mqtt_5() {
    let input = [0xC0, 0x80, 0x00];
    assert_eq!(up(V311, &input), Ok(Packet::Pingreq));
    assert_eq!(up(V5, &input), Err(Error::VarIntNotMinimal));
}

#[test]
fn mqtt_2_2_1_3_packet_id_zero() {
    let zero = [0, 0];
    let inputs = [
        packet(0x32, &[&field("a"), &zero]),
        packet(0x40, &[&zero]),
        packet(0x50, &[&zero]),
        packet(0x62, &[&zero]),
        packet(0x70, &[&zero]),
        packet(0x82, &[&zero, &field("a"), &[0]]),
        packet(0xA2, &[&zero, &field("a")]),
    ];
    for input in inputs {
        assert_eq!(up(V311, &input), Err(Error::PacketIdZero), "{input:x?}");
        assert_eq!(up(V5, &input), Err(Error::PacketIdZero), "{input:x?}");
    }
}

#[test]
fn mqtt_3_1_0_2_second_connect() {
    assert_eq!(
        up(V311, &packet(0x10, &[&field("MQTT"), &[4, 2, 0, 0], &field("a")])),
        Err(Error::SecondConnect)
    );
}

#[test]
fn mqtt_3_1_2_24_claimed_size_is_refused_before_it_is_there() {
    let claim = [0x30, 0xFF, 0xFF, 0xFF, 0x7F];
    assert_eq!(frame(&claim, 1 << 20), Err(Error::PacketTooLarge));
    assert_eq!(Error::PacketTooLarge.reason(), Reason::PACKET_TOO_LARGE);
    let input = publish_311(0x30, "a", b"123");
    let size = u32::try_from(input.len()).unwrap();
    assert!(decode(&input, V311, Limits::from_client(size)).is_ok());
    assert_eq!(decode(&input, V311, Limits::from_client(size - 1)), Err(Error::PacketTooLarge));
}

#[test]
fn mqtt_3_2_2_1_connack_flags() {
    assert_eq!(down(V311, &packet(0x20, &[&[2, 0]])), Err(Error::ConnackFlags));
    assert!(down(V31, &packet(0x20, &[&[2, 0]])).is_ok());
}

#[test]
fn mqtt_3_2_2_4_of_311_session_present_needs_success() {
    assert_eq!(down(V311, &packet(0x20, &[&[1, 5]])), Err(Error::SessionPresentOnFailure));
    assert_eq!(down(V5, &packet(0x20, &[&[1, 0x87, 0]])), Err(Error::SessionPresentOnFailure));
}

#[test]
fn mqtt_3_2_2_3_of_311_return_codes() {
    assert!(down(V311, &packet(0x20, &[&[0, 5]])).is_ok());
    assert_eq!(down(V311, &packet(0x20, &[&[0, 6]])), Err(Error::ReasonCode));
}

#[test]
fn mqtt_3_3_1_2_dup_on_qos0() {
    assert_eq!(up(V311, &publish_311(0x38, "a", b"")), Err(Error::DupOnQos0));
    assert_eq!(up(V5, &publish_311(0x38, "a", &[0])), Err(Error::DupOnQos0));
}

#[test]
fn mqtt_3_3_1_4_qos_3() {
    for version in [V31, V311, V5] {
        assert_eq!(up(version, &publish_311(0x36, "a", &[0, 1, 0])), Err(Error::PublishQos));
    }
}

#[test]
fn mqtt_3_3_2_2_wildcard_in_topic_name() {
    for topic in ["+", "#", "a/+", "a/#", "a+", "abcdefgh+", "abcdefghijklmno#", "/+/plant/line1/tempera"] {
        assert_eq!(up(V311, &publish_311(0x30, topic, b"")), Err(Error::TopicWildcard), "{topic}");
    }
    assert_eq!(Error::TopicWildcard.reason(), Reason::TOPIC_NAME_INVALID);
}

#[test]
fn mqtt_4_7_3_1_empty_topic_and_filter() {
    assert_eq!(up(V311, &publish_311(0x30, "", b"x")), Err(Error::TopicEmpty));
    assert_eq!(up(V311, &packet(0x82, &[ID, &field(""), &[0]])), Err(Error::FilterEmpty));
    assert_eq!(up(V311, &packet(0xA2, &[ID, &field("")])), Err(Error::FilterEmpty));
}

#[test]
fn mqtt_4_7_1_2_hash_is_last_and_alone() {
    for filter in ["a#", "#/a", "a/#/b", "##", "a/b#"] {
        assert_eq!(up(V311, &packet(0x82, &[ID, &field(filter), &[0]])), Err(Error::FilterHash), "{filter}");
        assert_eq!(up(V311, &packet(0xA2, &[ID, &field(filter)])), Err(Error::FilterHash), "{filter}");
    }
}

#[test]
fn mqtt_4_7_1_3_plus_fills_its_level() {
    for filter in ["a+", "+a", "a/+b", "++", "a+/b"] {
        assert_eq!(up(V311, &packet(0x82, &[ID, &field(filter), &[0]])), Err(Error::FilterPlus), "{filter}");
    }
}

#[test]
fn mqtt_3_8_3_2_subscribe_without_filter() {
    assert_eq!(up(V311, &packet(0x82, &[ID])), Err(Error::NoFilters));
    assert_eq!(up(V5, &packet(0x82, &[ID, &[0]])), Err(Error::NoFilters));
    assert_eq!(Error::NoFilters.reason(), Reason::PROTOCOL_ERROR);
}

#[test]
fn mqtt_3_10_3_2_unsubscribe_without_filter() {
    assert_eq!(up(V311, &packet(0xA2, &[ID])), Err(Error::NoFilters));
    assert_eq!(up(V5, &packet(0xA2, &[ID, &[0]])), Err(Error::NoFilters));
}

#[test]
fn mqtt_3_8_3_4_of_311_reserved_bits_of_requested_qos() {
    for bits in [0x04, 0x08, 0x10, 0x80] {
        assert_eq!(up(V311, &packet(0x82, &[ID, &field("a"), &[bits]])), Err(Error::SubscriptionOptions));
    }
    assert_eq!(up(V311, &packet(0x82, &[ID, &field("a"), &[3]])), Err(Error::SubscriptionQos));
}

#[test]
fn mqtt_3_9_3_2_of_311_suback_codes() {
    assert!(down(V311, &packet(0x90, &[ID, &[0, 1, 2, 0x80]])).is_ok());
    assert_eq!(down(V311, &packet(0x90, &[ID, &[3]])), Err(Error::ReasonCode));
    assert_eq!(down(V311, &packet(0x90, &[ID])), Err(Error::NoReasonCodes));
}

#[test]
fn mqtt_2_1_4_trailing_bytes() {
    for input in
        [packet(0x40, &[ID, &[0]]), packet(0x62, &[ID, &[0]]), packet(0xC0, &[&[0]]), packet(0xE0, &[&[0]])]
    {
        assert_eq!(up(V311, &input), Err(Error::TrailingBytes), "{input:x?}");
    }
    for input in [packet(0x20, &[&[0, 0, 0]]), packet(0xB0, &[ID, &[0]]), packet(0xD0, &[&[0]])] {
        assert_eq!(down(V311, &input), Err(Error::TrailingBytes), "{input:x?}");
    }
}

#[test]
fn mqtt_2_1_4_field_past_the_end() {
    let inputs = [
        vec![0x30, 0],
        vec![0x30, 1, 0],
        vec![0x30, 3, 0, 2, b'a'],
        vec![0x32, 4, 0, 1, b'a', 0],
        vec![0x40, 1, 0],
        vec![0x40, 0],
        vec![0x82, 5, 0, 1, 0, 2, b'a'],
        vec![0x82, 5, 0, 1, 0, 1, b'a'],
        vec![0xA2, 4, 0, 1, 0, 1],
    ];
    for input in inputs {
        assert_eq!(up(V311, &input), Err(Error::Truncated), "{input:x?}");
    }
}

#[test]
fn mqtt_3_3_3_empty_payload_is_valid() {
    let input = publish_311(0x3D, "a", ID);
    let Ok(Packet::Publish(publish)) = up(V311, &input) else { panic!() };
    assert_eq!((publish.dup, publish.qos, publish.retain), (true, Qos::ExactlyOnce, true));
    assert!(publish.payload.is_empty());
    assert_eq!(publish.packet_id_range(), Some(5..7));
    assert_eq!(publish.payload_range(), 7..7);
}
