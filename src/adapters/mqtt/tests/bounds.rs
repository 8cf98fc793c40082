//! Limits: topics, filters, subscriptions, payloads, rates and queues.

use wharfmq_mqtt::{PropertyId, Value};

use super::kit::{Knock, count, goodbye, publish, subscribe};
use super::*;
use crate::broker::Cause;

fn narrow() -> MqttOptions {
    MqttOptions { max_topic_levels: 3, max_topic_length: 10, max_subscriptions: 2, ..MqttOptions::default() }
}

#[test]
fn topics_have_a_longest_and_a_deepest() {
    for (topic, fits) in [
        ("a/b/c", true),
        ("a/b/c/d", false),
        ("a/b/", true),
        ("////", false),
        ("0123456789", true),
        ("0123456789a", false),
    ] {
        for version in [Version::V311, Version::V5] {
            for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
                let on = TestBroker::new();
                let mut client = Knock { options: narrow(), version, ..Knock::default() }.enter(&on);
                let out = client.inner.send(&on, &publish(version, topic, 5, qos, &[], b"x"));
                assert_eq!(count(&on, Cause::TopicName), u64::from(!fits));
                let ends = !fits && (version == Version::V311 || qos == Qos::AtMostOnce);
                assert_eq!(client.inner.closed.is_some(), ends, "{topic} {version:?} {qos:?}");
                match (fits, version, qos) {
                    (true, ..) => {}
                    (false, Version::V311, _) => assert!(out.is_empty()),
                    (false, _, Qos::AtMostOnce) => assert_eq!(goodbye(&out), Reason::TOPIC_NAME_INVALID),
                    (false, ..) => match client.all(&out)[..] {
                        [Packet::Puback(ack) | Packet::Pubrec(ack)] => {
                            assert_eq!(ack.reason, Reason::TOPIC_NAME_INVALID);
                            assert!(ack.properties.text(PropertyId::ReasonString).unwrap().contains("than"));
                        }
                        ref other => panic!("{other:?}"),
                    },
                }
            }
        }
    }
}

#[test]
fn a_refused_publication_leaves_its_packet_id_free() {
    let on = TestBroker::new();
    let mut client = Knock { options: narrow(), ..Knock::default() }.enter(&on);
    for topic in ["a/b/c/d", "a/b", "a/b/c/d"] {
        let out = client.inner.send(&on, &publish(Version::V5, topic, 5, Qos::ExactlyOnce, &[], b"x"));
        let packets = client.all(&out);
        let [Packet::Pubrec(ack)] = packets[..] else { panic!("{out:?}") };
        assert_eq!(ack.reason.is_error(), topic.len() > 3);
        client.ack(&on, AckKind::Pubrel, PacketId::new(5).unwrap());
    }
}

#[test]
fn filters_and_subscriptions_have_limits() {
    let on = TestBroker::new();
    let mut client = Knock { options: narrow(), ..Knock::default() }.enter(&on);
    let filters = ["a/+/#", "a/b/c/#", "$share/g/a/b/+", "$share/g/a/b/c/d", "01234567/#", "012345678/#"];
    let out = client.inner.send(&on, &subscribe(Version::V5, &filters, Qos::AtMostOnce));
    let packets = client.all(&out);
    let [Packet::Suback(ref suback)] = packets[..] else { panic!("{out:?}") };
    assert_eq!(suback.codes, [0, 0x8F, 0, 0x8F, 0x97, 0x8F]);
    assert!(suback.properties.text(PropertyId::ReasonString).unwrap().contains("3 levels"));
    assert_eq!((count(&on, Cause::TopicFilter), count(&on, Cause::Subscriptions)), (3, 1));
    // One that is there may be made anew, and one that goes makes room.
    let out = client.inner.send(&on, &subscribe(Version::V5, &["a/+/#"], Qos::AtLeastOnce));
    assert!(matches!(client.all(&out)[..], [Packet::Suback(ref suback)] if suback.codes == [1]));
    let mut bytes = BytesMut::new();
    encode::unsubscribe(&mut bytes, Version::V5, PacketId::MIN, Properties::EMPTY, &["a/+/#"]).unwrap();
    client.inner.send(&on, &bytes);
    let out = client.inner.send(&on, &subscribe(Version::V5, &["b"], Qos::AtLeastOnce));
    assert!(matches!(client.all(&out)[..], [Packet::Suback(ref suback)] if suback.codes == [1]));
    let out = client.inner.send(&on, &subscribe(Version::V5, &["c"], Qos::AtLeastOnce));
    let packets = client.all(&out);
    let [Packet::Suback(ref suback)] = packets[..] else { panic!("{out:?}") };
    assert!(suback.properties.text(PropertyId::ReasonString).unwrap().contains("2 subscriptions"));
    let mut old =
        Knock { options: narrow(), version: Version::V311, id: "old", ..Knock::default() }.enter(&on);
    let out = old.inner.send(&on, &subscribe(Version::V311, &["a", "a/b/c/#"], Qos::AtMostOnce));
    assert!(matches!(old.all(&out)[..], [Packet::Suback(ref suback)] if suback.codes == [0, 0x80]));
}

#[test]
fn payloads_that_say_they_are_text_are_checked_where_asked() {
    let text = [(PropertyId::PayloadFormatIndicator, Value::Byte(1))];
    let alias = [text[0], (PropertyId::TopicAlias, Value::U16(1))];
    for checks in [true, false] {
        let on = TestBroker::new();
        let mut to = Knock { id: "to", ..Knock::default() }.enter(&on);
        to.subscribe(&on, "#", Qos::AtMostOnce);
        let options = MqttOptions { check_payload_format: checks, ..MqttOptions::default() };
        let mut from = Knock { options, ..Knock::default() }.enter(&on);
        let refused = if checks { Reason::PAYLOAD_FORMAT_INVALID } else { Reason::SUCCESS };
        for (qos, id) in [(Qos::AtMostOnce, 1), (Qos::AtLeastOnce, 2), (Qos::ExactlyOnce, 3)] {
            let out = from.inner.send(&on, &publish(Version::V5, "a", id, qos, &alias, b"\xff"));
            match from.all(&out)[..] {
                [] => assert_eq!(qos, Qos::AtMostOnce),
                [Packet::Puback(ack) | Packet::Pubrec(ack)] => assert_eq!(ack.reason, refused),
                ref other => panic!("{other:?}"),
            }
            from.inner.send(&on, &publish(Version::V5, "a", 9, Qos::AtLeastOnce, &text, b"text"));
            // Binary, as nothing is said of it; the alias was set by what was refused.
            from.inner.send(&on, &publish(Version::V5, "", 0, Qos::AtMostOnce, &alias[1..], b"\xff"));
        }
        assert_eq!(from.inner.closed, None);
        let out = to.turn(&on);
        assert_eq!(to.published(&out).len(), if checks { 6 } else { 9 });
        assert_eq!(count(&on, Cause::PayloadFormat), if checks { 3 } else { 0 });
    }
}

#[test]
fn a_full_session_gets_no_more_and_nobody_is_refused() {
    let on = TestBroker::with(wharfmq_core::Settings::default().with_session_messages(2));
    let knock = |id| Knock {
        id,
        clean: false,
        properties: &[(PropertyId::SessionExpiryInterval, Value::U32(100))],
        ..Knock::default()
    };
    let mut full = knock("full").enter(&on);
    full.subscribe(&on, "a", Qos::AtLeastOnce);
    full.lose();
    let mut other = knock("other").enter(&on);
    other.subscribe(&on, "a", Qos::AtLeastOnce);
    let mut from = Knock::default().enter(&on);
    for id in 1..=5 {
        let out = from.publish(&on, "a", Qos::AtLeastOnce, false, id, &id.to_string());
        assert_eq!(out, [0x40, 2, 0, id as u8]);
        let out = other.turn(&on);
        let packet_id = other.published(&out)[0].packet_id.unwrap();
        other.ack(&on, AckKind::Puback, packet_id);
    }
    assert_eq!(count(&on, Cause::SubscriptionFull), 3);
    let mut full = knock("full").enter(&on);
    let out = full.turn(&on);
    let bodies: Vec<_> = full.published(&out).iter().map(|publish| publish.payload).collect();
    assert_eq!(bodies, [b"1", b"2"]);
}

#[test]
fn who_publishes_too_fast_waits_and_loses_nothing() {
    for (version, qos) in [(Version::V5, Qos::AtMostOnce), (Version::V311, Qos::AtLeastOnce)] {
        let on = TestBroker::new();
        let mut to = Knock { id: "to", ..Knock::default() }.enter(&on);
        to.subscribe(&on, "a", Qos::AtMostOnce);
        let options = MqttOptions { max_publish_rate: Some(10), ..MqttOptions::default() };
        let mut fast = Knock { options, version, keep_alive: 2, ..Knock::default() }.enter(&on);
        let bodies: Vec<_> = (0..35).map(|n| n.to_string()).collect();
        let bytes: Vec<_> = bodies
            .iter()
            .zip(1..)
            .flat_map(|(body, id)| publish(version, "a", id, qos, &[], body.as_bytes()))
            .collect();
        fast.inner.send(&on, &bytes);
        let mut seen = Vec::new();
        for second in 0..4 {
            let out = to.turn(&on);
            seen.extend(to.published(&out).iter().map(|p| String::from_utf8_lossy(p.payload).into_owned()));
            assert_eq!(seen.len(), bodies.len().min(10 * (second + 1)));
            // Another client is not held up.
            let mut other = Knock { id: "other", ..Knock::default() }.enter(&on);
            other.publish(&on, "b", Qos::AtMostOnce, false, 0, "x");
            other.inner.close(Closed::Lost);
            for _ in 0..10 {
                on.advance(Millis(100));
                fast.turn(&on);
            }
        }
        assert_eq!(seen, bodies);
        assert_eq!(fast.inner.closed, None, "it was not silent, it was not read from");
        assert!(count(&on, Cause::PublishRate) > 0);
    }
}

#[test]
fn expired_messages_are_counted() {
    let on = TestBroker::new();
    let mut to = Knock { id: "to", ..Knock::default() }.enter(&on);
    to.subscribe(&on, "a", Qos::AtLeastOnce);
    let mut from = Knock::default().enter(&on);
    let expiry = [(PropertyId::MessageExpiryInterval, Value::U32(1))];
    from.inner.send(&on, &publish(Version::V5, "a", 1, Qos::AtLeastOnce, &expiry, b"x"));
    on.advance(Millis(1_000));
    assert!(to.turn(&on).is_empty());
    assert_eq!(count(&on, Cause::ExpiredOnTheWay), 1);
}

#[test]
fn a_limit_above_what_destinations_can_have_is_cut_to_it() {
    let on = TestBroker::new();
    let options = MqttOptions { max_topic_levels: 1_000, ..MqttOptions::default() };
    let mut client = Knock { options, ..Knock::default() }.enter(&on);
    for (levels, reason) in [(128, Reason::NO_MATCHING_SUBSCRIBERS), (129, Reason::TOPIC_NAME_INVALID)] {
        let topic = vec!["x"; levels].join("/");
        let out = client.inner.send(&on, &publish(Version::V5, &topic, 5, Qos::AtLeastOnce, &[], b"x"));
        assert!(matches!(client.all(&out)[..], [Packet::Puback(ack)] if ack.reason == reason), "{out:?}");
        let out = client.inner.send(&on, &subscribe(Version::V5, &[&topic], Qos::AtMostOnce));
        let granted = if levels == 128 { 0 } else { 0x8F };
        assert!(matches!(client.all(&out)[..], [Packet::Suback(ref suback)] if suback.codes == [granted]));
    }
}
