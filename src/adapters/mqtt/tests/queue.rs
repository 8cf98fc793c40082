use wharfmq_core::record::Class;
use wharfmq_core::{PartialPolicy, Pattern, Settings};

use super::kit::reason;
use super::*;

fn queued(on: &TestBroker, name: &str) -> u64 {
    on.broker.queues().find(Class::Queue, &name.into()).map_or(0, |queue| queue.lock().queue().len())
}

#[test]
fn a_queue_is_sent_to_and_consumed_from() {
    let on = TestBroker::new();
    let mut from = Client::connect_as(&on, Version::V5, "from", true).0;
    assert_eq!(from.publish(&on, "$queue/a/b", Qos::AtLeastOnce, false, 1, "one")[..], [0x40, 2, 0, 1]);
    from.publish(&on, "$queue/a/b", Qos::ExactlyOnce, true, 2, "two");
    from.publish(&on, "$queue/a/b", Qos::AtMostOnce, false, 0, "three");
    assert_eq!(queued(&on, "a.b"), 3);
    // No topic of that name gets it.
    let mut other = Client::connect(&on, "other", true);
    other.subscribe(&on, "#", Qos::AtLeastOnce);
    let mut to = Client::connect(&on, "to", true);
    let out = to.subscribe(&on, "$queue/a/b", Qos::ExactlyOnce);
    let got = to.published(&out);
    let said: Vec<_> = got.iter().map(|p| (p.topic, p.payload, p.qos, p.retain)).collect();
    assert_eq!(
        said,
        [
            ("$queue/a/b", &b"one"[..], Qos::AtLeastOnce, false),
            ("$queue/a/b", &b"two"[..], Qos::ExactlyOnce, false),
            ("$queue/a/b", &b"three"[..], Qos::AtMostOnce, false),
        ]
    );
    assert_eq!(queued(&on, "a.b"), 2);
    to.ack(&on, AckKind::Puback, got[0].packet_id.unwrap());
    assert_eq!(queued(&on, "a.b"), 1);
    to.ack(&on, AckKind::Pubrec, got[1].packet_id.unwrap());
    assert_eq!(queued(&on, "a.b"), 1);
    to.ack(&on, AckKind::Pubcomp, got[1].packet_id.unwrap());
    assert_eq!(queued(&on, "a.b"), 0);
    assert!(other.turn(&on).is_empty());
}

#[test]
fn what_is_not_acknowledged_returns_and_dies_in_the_end() {
    let limited = PartialPolicy {
        max_deliveries: Some(2),
        redelivery_delay: Some(Millis(0)),
        ..PartialPolicy::default()
    };
    let pattern = Pattern::parse_canonical("queue://jobs").unwrap();
    let on = TestBroker::with(Settings::new([(pattern, limited)]));
    let mut from = Client::connect_as(&on, Version::V5, "from", true).0;
    from.publish(&on, "$queue/jobs", Qos::AtLeastOnce, false, 1, "one");
    let mut to = Client::connect_as(&on, Version::V5, "to", true).0;
    let out = to.subscribe(&on, "$share/g/$queue/jobs", Qos::AtLeastOnce);
    assert!(!to.published(&out)[0].dup);
    to.lose();
    let mut to = Client::connect_as(&on, Version::V5, "to", true).0;
    let out = to.subscribe(&on, "$queue/jobs", Qos::AtLeastOnce);
    let got = to.published(&out);
    assert!(got[0].dup, "it was delivered before");
    // Refused: its second delivery was its last.
    let id = got[0].packet_id.unwrap().get().to_be_bytes();
    to.inner.send(&on, &[0x40, 3, id[0], id[1], 0x80]);
    let mut dead = Client::connect_as(&on, Version::V5, "dead", true).0;
    let mut all = dead.subscribe(&on, "$queue/ActiveMQ/DLQ", Qos::AtLeastOnce);
    if dead.published(&all).is_empty() {
        all.extend(dead.inner.wait(&on, |out| !out.is_empty()));
    }
    let got = dead.published(&all);
    assert_eq!((got[0].topic, got[0].payload), ("$queue/ActiveMQ/DLQ", &b"one"[..]));
    let notes: Vec<_> = got[0].properties.user_properties().collect();
    assert!(notes.iter().any(|(name, value)| *name == "dlq-consumer" && *value == "to"), "{notes:?}");
}

#[test]
fn a_full_queue_refuses() {
    let limited = PartialPolicy {
        max_messages: Some(1),
        overflow: Some(wharfmq_core::Overflow::Reject),
        ..PartialPolicy::default()
    };
    let pattern = Pattern::parse_canonical("queue://full").unwrap();
    let on = TestBroker::with(Settings::new([(pattern, limited)]));
    let mut from = Client::connect_as(&on, Version::V5, "from", true).0;
    assert_eq!(from.publish(&on, "$queue/full", Qos::AtLeastOnce, false, 1, "one")[..], [0x40, 2, 0, 1]);
    let two = from.publish(&on, "$queue/full", Qos::AtLeastOnce, false, 2, "two");
    assert_eq!(reason(&two), Reason::QUOTA_EXCEEDED);
}

#[test]
fn a_session_comes_back_as_a_consumer() {
    let on = TestBroker::new();
    let (mut to, _) = Client::connect_as(&on, Version::V5, "to", false);
    to.subscribe(&on, "$queue/x", Qos::AtLeastOnce);
    to.lose();
    let mut from = Client::connect(&on, "from", true);
    from.publish(&on, "$queue/x", Qos::AtLeastOnce, false, 1, "one");
    let (mut to, present) = Client::connect_as(&on, Version::V5, "to", false);
    assert!(present);
    let out = to.turn(&on);
    assert_eq!(to.published(&out)[0].payload, b"one");
    // Until it unsubscribes.
    assert_eq!(to.inner.send(&on, b"\xA2\x0D\0\x05\0\0\x08$queue/x")[..], [0xB0, 4, 0, 5, 0, 0]);
    to.lose();
    let (mut to, _) = Client::connect_as(&on, Version::V5, "to", false);
    assert!(to.turn(&on).is_empty());
    assert_eq!(queued(&on, "x"), 1);
}

#[test]
fn a_will_goes_to_a_queue() {
    let on = TestBroker::new();
    let connect = wharfmq_mqtt::Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive: 60,
        client_id: "dying",
        will: Some(wharfmq_mqtt::Will {
            qos: Qos::AtLeastOnce,
            retain: true,
            topic: "$queue/wills",
            payload: b"bye",
            properties: Properties::EMPTY,
        }),
        user_name: None,
        password: None,
        properties: Properties::EMPTY,
    };
    let mut bytes = BytesMut::new();
    encode::connect(&mut bytes, &connect).unwrap();
    let mut dying = on.client(MqttSession::new(options()));
    dying.send(&on, &bytes);
    dying.close(Closed::Lost);
    assert_eq!(queued(&on, "wills"), 1);
}

#[test]
fn what_is_no_queue() {
    let on = TestBroker::new();
    let mut new = Client::connect_as(&on, Version::V5, "new", true).0;
    for filter in ["$queue/", "$queue/#", "$queue/+/x", "$share/g/$queue/a/#"] {
        assert_eq!(
            reason(&new.subscribe(&on, filter, Qos::AtLeastOnce)),
            Reason::TOPIC_FILTER_INVALID,
            "{filter}"
        );
    }
    let temporary = new.subscribe(&on, "$queue/$temp/1/x", Qos::AtLeastOnce);
    assert_eq!(reason(&temporary), Reason::NOT_AUTHORIZED);
    assert_eq!(
        reason(&new.publish(&on, "$queue/", Qos::AtLeastOnce, false, 1, "x")),
        Reason::TOPIC_NAME_INVALID
    );
}
