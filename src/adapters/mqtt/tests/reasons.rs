//! Why the broker ends a connection or refuses something, in codes and in words.

use wharfmq_mqtt::{PropertyId, Value};

use super::kit::{Knock, count, goodbye, parting, publish, subscribe};
use super::*;
use crate::broker::Cause;

const NO_PROBLEMS: (PropertyId, Value<'static>) = (PropertyId::RequestProblemInformation, Value::Byte(0));

/// Bytes that end the connection, and the code that says why.
#[test]
fn every_end_has_its_code() {
    let alias = |alias| [(PropertyId::TopicAlias, Value::U16(alias))];
    let at_most_once = |topic, alias| publish(Version::V5, topic, 0, Qos::AtMostOnce, alias, b"");
    for (bytes, reason) in [
        (vec![0x30, 0xFF, 0xFF, 0x7F], Reason::PACKET_TOO_LARGE),
        (vec![0x36, 3, 0, 1, b'a'], Reason::MALFORMED_PACKET),
        (vec![0xF0, 2, 0x18, 0], Reason::PROTOCOL_ERROR),
        (vec![0xC1, 0], Reason::MALFORMED_PACKET),
        (vec![0xD0, 0], Reason::PROTOCOL_ERROR),
        (vec![0x10, 0], Reason::PROTOCOL_ERROR),
        (vec![0x82, 3, 0, 1, 0], Reason::PROTOCOL_ERROR),
        (vec![0x32, 6, 0, 1, b'a', 0, 0, 0], Reason::PROTOCOL_ERROR),
        (vec![0x30, 7, 0, 1, b'a', 3, 0x23, 0, 0], Reason::TOPIC_ALIAS_INVALID),
        (at_most_once("a", &alias(65)), Reason::TOPIC_ALIAS_INVALID),
        (at_most_once("", &alias(1)), Reason::PROTOCOL_ERROR),
        (at_most_once("a/#", &[]), Reason::TOPIC_NAME_INVALID),
        (vec![0x30, 4, 0, 1, 0xFF, 0], Reason::MALFORMED_PACKET),
        (vec![0xE0, 7, 0, 5, 0x11, 0, 0, 0, 1], Reason::PROTOCOL_ERROR),
    ] {
        let on = TestBroker::new();
        let options = MqttOptions { max_packet: 100_000, ..MqttOptions::default() };
        let mut client = Knock { options, ..Knock::default() }.enter(&on);
        let out = client.inner.send(&on, &bytes);
        let said = parting(&out);
        assert_eq!(said.reason, reason, "{bytes:?}");
        let why = said.properties.text(PropertyId::ReasonString).unwrap();
        assert!(why.len() > 10, "{why}");
        assert!(matches!(client.inner.closed, Some(Close::Violation(_))));
    }
}

#[test]
fn a_large_packet_is_told_the_limit_and_counted() {
    let on = TestBroker::new();
    let options = MqttOptions { max_packet: 100, ..MqttOptions::default() };
    let mut client = Knock { options, ..Knock::default() }.enter(&on);
    assert!(client.inner.send(&on, &publish(Version::V5, "a", 1, Qos::AtMostOnce, &[], &[0; 94])).is_empty());
    let out = client.inner.send(&on, &publish(Version::V5, "a", 1, Qos::AtMostOnce, &[], &[0; 95]));
    let why = parting(&out).properties.text(PropertyId::ReasonString).unwrap().to_owned();
    assert_eq!(why, "the packet has more than 100 bytes (maximum packet size)");
    assert_eq!(count(&on, Cause::PacketTooLarge), 1);
}

#[test]
fn reason_strings_go_to_who_wants_them() {
    for (properties, words) in [(&[][..], true), (&[NO_PROBLEMS], false)] {
        let on = TestBroker::new();
        let mut client = Knock { properties, ..Knock::default() }.enter(&on);
        let out = client.inner.send(&on, &publish(Version::V5, "$SYS/x", 7, Qos::AtLeastOnce, &[], b""));
        let packets = client.all(&out);
        let [Packet::Puback(ack)] = packets[..] else { panic!("{out:?}") };
        assert_eq!((ack.reason, ack.properties.is_empty()), (Reason::NOT_AUTHORIZED, !words));
        let deep = "a/".repeat(128);
        let out = client.inner.send(&on, &subscribe(Version::V5, &["ok", &deep], Qos::AtMostOnce));
        let packets = client.all(&out);
        let [Packet::Suback(ref suback)] = packets[..] else { panic!("{out:?}") };
        assert_eq!((suback.codes, suback.properties.is_empty()), (&[0, 0x8F][..], !words));
        let out = client.ack(&on, AckKind::Pubrel, PacketId::MIN);
        assert_eq!(out.len() > 5, words);
        let out = client.ack(&on, AckKind::Pubrec, PacketId::MIN);
        assert_eq!(out.len() > 5, words);
        // DISCONNECT says it all the same (MQTT-3.1.2-29).
        let out = client.inner.send(&on, &[0xD0, 0]);
        assert!(parting(&out).properties.text(PropertyId::ReasonString).is_some());
    }
}

#[test]
fn words_are_left_out_where_they_do_not_fit() {
    let on = TestBroker::new();
    let frame = publish(Version::V5, "$SYS/x", 7, Qos::AtLeastOnce, &[], b"");
    let whole = Knock { id: "whole", ..Knock::default() }.enter(&on).inner.send(&on, &frame).len();
    for (most, len) in [(whole, whole), (whole - 1, 5)] {
        let properties = [(PropertyId::MaximumPacketSize, Value::U32(most as u32))];
        let mut client = Knock { properties: &properties, ..Knock::default() }.enter(&on);
        assert_eq!(client.inner.send(&on, &frame).len(), len);
        let out = client.inner.send(&on, &[0xD0, 0]);
        assert_eq!(goodbye(&out), Reason::PROTOCOL_ERROR);
        assert!(out.len() <= most);
        client.inner.close(Closed::Lost);
    }
}

#[test]
fn an_answer_that_cannot_fit_ends_the_connection() {
    let on = TestBroker::new();
    let properties = [(PropertyId::MaximumPacketSize, Value::U32(20))];
    let mut client = Knock { properties: &properties, ..Knock::default() }.enter(&on);
    let filters: Vec<_> = (b'a'..=b'z').map(|letter| char::from(letter).to_string()).collect();
    let filters: Vec<_> = filters.iter().map(String::as_str).collect();
    assert_eq!(client.inner.send(&on, &subscribe(Version::V5, &filters[..15], Qos::AtMostOnce)).len(), 20);
    let out = client.inner.send(&on, &subscribe(Version::V5, &filters[..16], Qos::AtMostOnce));
    assert_eq!(goodbye(&out), Reason::PACKET_TOO_LARGE);
}

#[test]
fn who_is_sent_away_learns_where_to_go() {
    let texts = [(PropertyId::MaximumPacketSize, Value::U32(30))];
    for (server, properties, reason, told) in [
        (None, &[][..], Reason::SERVER_SHUTTING_DOWN, None),
        (Some("b.example.com:8883"), &[], Reason::USE_ANOTHER_SERVER, Some("b.example.com:8883")),
        // The words are left out, the server is not.
        (Some("b.example.com:8883"), &texts, Reason::USE_ANOTHER_SERVER, Some("b.example.com:8883")),
        (Some("a-name-that-is-too-long-for-it"), &texts, Reason::USE_ANOTHER_SERVER, None),
    ] {
        let on = TestBroker::new();
        let options = MqttOptions { server_reference: server.map(Into::into), ..MqttOptions::default() };
        let mut client = Knock { options, properties, ..Knock::default() }.enter(&on);
        client.inner.session.drain(&mut client.inner.port);
        let out = client.turn(&on);
        let said = parting(&out);
        assert_eq!(said.reason, reason);
        assert_eq!(said.properties.text(PropertyId::ServerReference), told);
        assert_eq!(said.properties.text(PropertyId::ReasonString).is_some(), properties.is_empty());
    }
}

#[test]
fn goodbye_comes_behind_the_answers_and_nothing_behind_it() {
    let on = TestBroker::new();
    let mut to = Knock { id: "to", ..Knock::default() }.enter(&on);
    to.subscribe(&on, "#", Qos::AtMostOnce);
    let mut client = Knock { clean: false, ..Knock::default() }.enter(&on);
    // Handled, and not yet answered when the broker stops.
    let mut frames = BytesMut::from(&publish(Version::V5, "a", 1, Qos::AtLeastOnce, &[], b"1")[..]);
    client.inner.session.on_input(&mut frames, &mut client.inner.port).unwrap();
    client.inner.session.drain(&mut client.inner.port);
    let out = client.turn(&on);
    let packets = client.all(&out);
    assert!(matches!(packets[..], [Packet::Puback(_), Packet::Disconnect(_)]), "{packets:?}");
    // Of what comes now, only what needs no answer is taken.
    let at_most = publish(Version::V5, "a", 0, Qos::AtMostOnce, &[], b"2");
    let at_least = publish(Version::V5, "a", 2, Qos::AtLeastOnce, &[], b"3");
    assert!(client.inner.send(&on, &[&at_most[..], &at_least, &[0xC0, 0]].concat()).is_empty());
    let out = to.turn(&on);
    let bodies: Vec<_> = to.published(&out).iter().map(|publish| publish.payload).collect();
    assert_eq!(bodies, [b"1", b"2"]);
    client.inner.send(&on, &[0xE0, 0]);
    assert_eq!(client.inner.closed, Some(Close::Clean));
}

#[test]
fn silence_while_nothing_is_read_is_no_silence() {
    let queue = wharfmq_core::PartialPolicy { max_messages: Some(1), ..Default::default() };
    let pattern = wharfmq_core::Pattern::parse_canonical("topic://kept").unwrap();
    let on = TestBroker::with(wharfmq_core::Settings::new([(pattern, queue)]));
    let mut kept = Knock {
        id: "kept",
        clean: false,
        properties: &[(PropertyId::SessionExpiryInterval, Value::U32(100))],
        ..Knock::default()
    }
    .enter(&on);
    kept.subscribe(&on, "a", Qos::AtLeastOnce);
    kept.lose();
    let mut from = Knock::default().enter(&on);
    for id in 1..=2 {
        from.publish(&on, "a", Qos::AtLeastOnce, false, id, "x");
    }
    assert!(!from.inner.port.may_read());
    on.advance(Millis(90_000));
    assert!(from.turn(&on).is_empty());
    assert_eq!(from.inner.closed, None);
}

#[test]
fn an_end_from_outside_says_who_wants_it() {
    for (gone, reason, why) in [
        (Gone::Closed("closed by hand".into()), Reason::ADMINISTRATIVE_ACTION, "closed by hand"),
        (Gone::Deleted, Reason::ADMINISTRATIVE_ACTION, "the session was deleted"),
        (Gone::TakenOver, Reason::SESSION_TAKEN_OVER, "another connection took over the client id"),
    ] {
        let on = TestBroker::new();
        let mut client = Knock::default().enter(&on);
        client.inner.port.events.push_back(CoreEvent::Kick(gone));
        let out = client.turn(&on);
        let said = parting(&out);
        assert_eq!(said.reason, reason);
        assert_eq!(said.properties.text(PropertyId::ReasonString), Some(why));
    }
}
