use proptest::prelude::*;

use super::*;

fn to_stomp(tag: HeadTag, head: &[u8]) -> String {
    let mut out = BytesMut::new();
    write_stomp_headers(tag, head, &Notes::default(), &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn to_mqtt5(tag: HeadTag, head: &[u8], text: bool) -> BytesMut {
    let mut out = BytesMut::new();
    write_mqtt5_properties(tag, head, &Notes::default(), text, &mut out);
    out
}

/// The first line is the marker of text, the others are the publisher's.
const HEAD: &[u8] = b"amq-msg-type:text\ncontent-type:text/plain\ncorrelation-id:c1\n\
    reply-to:/topic/re.ply\nunit:\\cK\\\\\n";
const PROPERTIES: &[u8] = b"\x01\x01\x03\x00\x0atext/plain\x09\x00\x02c1\x08\x00\x08re/ply..\
    \x26\x00\x04unit\x00\x03:K\\";

#[test]
fn golden_bytes_both_ways() {
    let head = String::from_utf8(HEAD.to_vec()).unwrap().replace("re.ply", "re.ply//");
    let properties = to_mqtt5(STOMP, head.as_bytes(), true);
    assert_eq!(properties.as_ref(), PROPERTIES);
    let lines = head.strip_prefix("amq-msg-type:text\n").unwrap();
    assert_eq!(to_stomp(MQTT5, PROPERTIES), lines);
    assert_eq!(to_stomp(STOMP, head.as_bytes()), lines, "the marker is not the client's affair");
    assert_eq!(to_mqtt5(MQTT5, PROPERTIES, true).as_ref(), PROPERTIES);
    assert_eq!(to_stomp(MQTT3, b""), "");
    assert_eq!(to_mqtt5(MQTT3, b"", true).len(), 0);
}

#[test]
fn what_is_already_there_stays_and_is_not_repeated() {
    let mut out = BytesMut::from(&b"\x02\x00\x00\x00\x05"[..]);
    let head = b"content-type:a\ncontent-type:b\ncorrelation-id:1\ncorrelation-id:2\nx:1\nx:2\n";
    write_mqtt5_properties(STOMP, head, &Notes::new([("why", "so")]), false, &mut out);
    let properties = Properties::from_raw(&out);
    assert_eq!(properties.u32(PropertyId::MessageExpiryInterval), Some(5));
    assert_eq!(properties.iter().filter(|(id, _)| *id == PropertyId::ContentType).count(), 1);
    assert_eq!(properties.text(PropertyId::ContentType), Some("a"));
    assert_eq!(properties.binary(PropertyId::CorrelationData), Some(&b"1"[..]));
    assert_eq!(properties.user_properties().collect::<Vec<_>>(), [("why", "so"), ("x", "1"), ("x", "2")]);
    assert_eq!(properties.byte(PropertyId::PayloadFormatIndicator), None);
}

#[test]
fn an_alias_and_what_poses_as_the_brokers_is_left_behind() {
    let head =
        b"\x23\x00\x07\x02\x00\x00\x00\x09\x0b\x05\x26\x00\x0amessage-id\x00\x01x\x26\x00\x01a\x00\x01b";
    assert_eq!(to_stomp(MQTT5, head), "a:b\n");
    assert_eq!(to_mqtt5(MQTT5, head, false).as_ref(), b"\x26\x00\x01a\x00\x01b");
    assert_eq!(to_mqtt5(STOMP, b"destination:/queue/x\npriority:9\na:b\n", false).as_ref(), &head[26..]);
}

#[test]
fn text_is_what_says_so_or_looks_so() {
    let pfi = b"\x01\x01";
    assert!(body_is_text(STOMP, HEAD, b"x\0y"));
    assert!(!body_is_text(STOMP, HEAD, b"\xff"), "not UTF-8, whatever the header says");
    assert!(!body_is_text(STOMP, b"a:b\n", b"looks like text"));
    assert!(body_is_text(MQTT5, pfi, b"\x01"));
    assert!(!body_is_text(MQTT5, pfi, b"\xff"));
    for tag in [MQTT3, MQTT5] {
        assert!(body_is_text(tag, b"", "grün\t\r\n".as_bytes()));
        for odd in [&b"\0"[..], b"\x1b[1m", b"\x7f", b"\xff\xfe", "\u{85}".as_bytes()] {
            assert!(!body_is_text(tag, b"", odd), "{odd:?}");
        }
    }
}

#[test]
fn replies_to_what_mqtt_cannot_name_stay_text() {
    for value in ["/queue/a*b", "/temp-queue/x", "nonsense", "/topic/a*b"] {
        let head = format!("reply-to:{value}\n");
        let properties = to_mqtt5(STOMP, head.as_bytes(), false);
        assert_eq!(Properties::from_raw(&properties).user_properties().next(), Some((REPLY_TO, value)));
        assert_eq!(to_stomp(MQTT5, &properties), head);
    }
}

#[test]
fn replies_to_queues() {
    for (value, topic) in [
        ("/queue/a.b", "$queue/a/b"),
        ("/remote-temp-queue/$temp.1.f.x", "$queue/$temp/1/f/x"),
        ("/topic/a.b", "a/b"),
    ] {
        let head = format!("reply-to:{value}\n");
        let properties = to_mqtt5(STOMP, head.as_bytes(), false);
        assert_eq!(Properties::from_raw(&properties).text(PropertyId::ResponseTopic), Some(topic));
        assert_eq!(to_stomp(MQTT5, &properties), head);
    }
}

#[test]
fn a_value_cannot_pose_as_another_header() {
    let head = b"\x26\x00\x03a\nb\x00\x06x\nack:\x03\x00\x03t\n\n";
    assert_eq!(to_stomp(MQTT5, head), "a\\nb:x\\nack\\c\ncontent-type:t\\n\\n\n");
    assert_eq!(to_mqtt5(STOMP, b"a\\nb:c\\rd\n", false).as_ref(), b"\x26\x00\x03a?b\x00\x03c?d");
}

#[test]
fn notes_come_first_and_name_destinations_as_the_protocol_does() {
    let notes = Notes::new([(note::ORIGINAL_DESTINATION, "queue://a:b"), (note::CAUSE, "no\nway")]);
    let mut out = BytesMut::new();
    write_stomp_headers(STOMP, b"x:y\n", &notes, &mut out);
    let expected = "original-destination:/queue/a\\cb\ndlqDeliveryFailureCause:no\\nway\nx:y\n";
    assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn a_block_has_a_bound() {
    let line = format!("{}:{}\n", "n".repeat(8_000), "v".repeat(8_000));
    let properties = to_mqtt5(STOMP, line.repeat(100).as_bytes(), false);
    assert!(properties.len() <= PROPERTIES_BYTES_MAX);
    assert_eq!(Properties::from_raw(&properties).user_properties().count(), PROPERTIES_BYTES_MAX / 16_005);
}

proptest! {
    #[test]
    fn correlations_come_back(data in prop_oneof![
        any::<Vec<u8>>(),
        "hex:[0-9a-g]{0,6}".prop_map(String::into_bytes),
        "\\PC{0,8}".prop_map(String::into_bytes),
    ]) {
        let mut head = BytesMut::new();
        put_fields(&mut head, PropertyId::CorrelationData, &[&data]);
        let stomp = to_stomp(MQTT5, &head);
        prop_assert_eq!(to_mqtt5(STOMP, stomp.as_bytes(), false), head);
    }

    #[test]
    fn properties_come_back(pairs in prop::collection::vec(("[a-z:\\\\ é]{1,5}", "[a-z:\\\\ é]{0,5}"), 0..5)) {
        let mut head = BytesMut::new();
        for (name, value) in &pairs {
            put_header(&mut head, name, &[value]);
        }
        let properties = to_mqtt5(STOMP, &head, false);
        let found: Vec<_> = Properties::from_raw(&properties).user_properties().collect();
        let sent: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        prop_assert_eq!(found, sent);
        let back = to_stomp(MQTT5, &properties);
        prop_assert_eq!(back.as_bytes(), head.as_ref());
    }

    #[test]
    fn no_head_panics(tag in 0u8..5, head: Vec<u8>, body: Vec<u8>) {
        let tag = HeadTag(tag);
        let text = body_is_text(tag, &head, &body);
        to_mqtt5(tag, &head, text);
        let mut out = BytesMut::new();
        write_stomp_headers(tag, &head, &Notes::default(), &mut out);
    }
}
