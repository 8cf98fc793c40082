//! Topic aliases towards a client (MQTT 5, 3.3.2.3.4).

use wharfmq_mqtt::{PropertyId, Value};

use super::kit::{Knock, publish};
use super::*;

/// A subscriber that allows `most` aliases and takes packets of `max_packet` bytes.
fn to(on: &TestBroker, most: u16, max_packet: u32, kept: bool) -> Client {
    let properties = [
        (PropertyId::TopicAliasMaximum, Value::U16(most)),
        (PropertyId::MaximumPacketSize, Value::U32(max_packet)),
        (PropertyId::SessionExpiryInterval, Value::U32(100)),
    ];
    let properties = &properties[..if kept { 3 } else { 2 }];
    let mut to = Knock { id: "to", clean: !kept, properties, ..Knock::default() }.enter(on);
    to.subscribe(on, "#", Qos::ExactlyOnce);
    to
}

/// What was sent as topic and alias.
fn spelled(to: &Client, out: &[u8]) -> Vec<(String, Option<u16>)> {
    let alias = |publish: &Publish<'_>| publish.properties.u16(PropertyId::TopicAlias);
    to.published(out).iter().map(|publish| (publish.topic.to_owned(), alias(publish))).collect()
}

fn send(on: &TestBroker, from: &mut Client, topics: &[&str], qos: Qos) {
    for (topic, id) in topics.iter().zip(1..) {
        let version = from.version;
        from.inner.send(on, &publish(version, topic, id, qos, &[], b"x"));
    }
}

fn is<'a>(expected: impl IntoIterator<Item = (&'a str, u16)>) -> Vec<(String, Option<u16>)> {
    expected.into_iter().map(|(topic, alias)| (topic.to_owned(), (alias > 0).then_some(alias))).collect()
}

#[test]
fn the_first_topics_are_named_once() {
    for (version, qos) in [(Version::V5, Qos::AtLeastOnce), (Version::V311, Qos::AtMostOnce)] {
        let on = TestBroker::new();
        let mut to = to(&on, 2, 1_000, false);
        let mut from = Knock { id: "from", version, ..Knock::default() }.enter(&on);
        let topics = ["one/topic", "one/topic", "two/topic", "three/topic", "one/topic", "two/topic", "abc"];
        send(&on, &mut from, &topics, qos);
        let out = to.turn(&on);
        let expected = [
            ("one/topic", 1),
            ("", 1),
            ("two/topic", 2),
            ("three/topic", 0),
            ("", 1),
            ("", 2),
            // No shorter with an alias.
            ("abc", 0),
        ];
        assert_eq!(spelled(&to, &out), is(expected));
    }
}

#[test]
fn the_broker_has_a_bound_of_its_own_and_none_may_be_allowed() {
    for (client, broker, alias) in [(0, 64, 0), (10, 0, 0), (10, 1, 1)] {
        let on = TestBroker::new();
        let options = MqttOptions { topic_aliases: broker, ..MqttOptions::default() };
        let properties = [(PropertyId::TopicAliasMaximum, Value::U16(client))];
        let mut to = Knock { id: "to", options, properties: &properties, ..Knock::default() }.enter(&on);
        to.subscribe(&on, "#", Qos::AtLeastOnce);
        let mut from = Knock { id: "from", ..Knock::default() }.enter(&on);
        send(&on, &mut from, &["one/topic", "two/topic"], Qos::AtLeastOnce);
        let out = to.turn(&on);
        assert_eq!(spelled(&to, &out), is([("one/topic", alias), ("two/topic", 0)]));
    }
}

#[test]
fn what_passes_as_it_came_has_none() {
    let on = TestBroker::new();
    let mut to = to(&on, 10, 1_000, false);
    let mut from = Knock { id: "from", ..Knock::default() }.enter(&on);
    let frame = publish(Version::V5, "one/topic", 0, Qos::AtMostOnce, &[], b"x");
    from.inner.send(&on, &frame.repeat(3));
    assert_eq!(to.turn(&on), frame.repeat(3));
}

#[test]
fn what_was_not_sent_set_nothing() {
    let on = TestBroker::new();
    let mut to = to(&on, 10, 100, false);
    let mut from = Knock { id: "from", ..Knock::default() }.enter(&on);
    let fitting = 100 - publish(Version::V5, "one/topic", 1, Qos::AtLeastOnce, &[], b"").len();
    for (body, expected) in [
        // Dropped.
        (fitting + 1, None),
        // Fits without the alias only.
        (fitting, Some(("one/topic", 0))),
        (fitting - 3, Some(("one/topic", 1))),
        // With the alias there is room for what the topic took.
        (fitting + 6, Some(("", 1))),
        (fitting + 7, None),
        (1, Some(("", 1))),
    ] {
        let body = vec![b'x'; body];
        from.inner.send(&on, &publish(Version::V5, "one/topic", 1, Qos::AtLeastOnce, &[], &body));
        let out = to.turn(&on);
        assert!(out.len() <= 100);
        assert_eq!(spelled(&to, &out), is(expected));
    }
}

#[test]
fn a_connection_begins_without_any() {
    let on = TestBroker::new();
    let mut from = Knock { id: "from", ..Knock::default() }.enter(&on);
    for _ in 0..2 {
        let mut to = to(&on, 10, 1_000, true);
        send(&on, &mut from, &["one/topic", "one/topic"], Qos::AtLeastOnce);
        let out = to.turn(&on);
        let got = spelled(&to, &out);
        assert_eq!(got[..2], is([("one/topic", 1), ("", 1)]));
        for publish in to.published(&out) {
            to.ack(&on, AckKind::Puback, publish.packet_id.unwrap());
        }
        to.lose();
    }
}

/// A packet that waits for the log may go out behind later ones, so it sets no alias; it may use one.
#[test]
fn what_goes_out_late_sets_none() {
    let on = TestBroker::new();
    let mut to = to(&on, 10, 1_000, true);
    let mut from = Knock { id: "from", ..Knock::default() }.enter(&on);
    send(&on, &mut from, &["one/topic"], Qos::ExactlyOnce);
    let out = to.turn(&on);
    assert_eq!(spelled(&to, &out), is([("one/topic", 0)]));
    send(&on, &mut from, &["one/topic"], Qos::AtLeastOnce);
    let out = to.turn(&on);
    assert_eq!(spelled(&to, &out), is([("one/topic", 1)]));
    from.inner.send(&on, &publish(Version::V5, "one/topic", 9, Qos::ExactlyOnce, &[], b"x"));
    let out = to.turn(&on);
    assert_eq!(spelled(&to, &out), is([("", 1)]));
}
