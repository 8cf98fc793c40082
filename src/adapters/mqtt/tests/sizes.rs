//! Maximum Packet Size of the client, to the byte (MQTT-3.1.2-24 and -25).

use wharfmq_mqtt::{PropertyId, Value};

use super::kit::{Knock, count, publish};
use super::*;
use crate::broker::Cause;

/// How a message reaches a client: from which version, at which quality of service, over a session or not.
const WAYS: [(Version, Qos, bool); 7] = [
    (Version::V5, Qos::AtMostOnce, false),
    (Version::V5, Qos::AtLeastOnce, false),
    (Version::V5, Qos::ExactlyOnce, false),
    (Version::V311, Qos::AtMostOnce, false),
    (Version::V311, Qos::AtLeastOnce, false),
    (Version::V311, Qos::AtLeastOnce, true),
    (Version::V5, Qos::ExactlyOnce, true),
];

fn to(on: &TestBroker, most: u32, kept: bool) -> Client {
    let properties = [
        (PropertyId::MaximumPacketSize, Value::U32(most)),
        (PropertyId::SessionExpiryInterval, Value::U32(100)),
    ];
    let properties = &properties[..if kept { 2 } else { 1 }];
    let mut to = Knock { id: "to", clean: !kept, properties, ..Knock::default() }.enter(on);
    to.subscribe(on, "a/b", Qos::ExactlyOnce);
    to
}

#[test]
fn a_packet_of_exactly_the_maximum_goes_out() {
    // Around where the length of the remaining length grows, and where bodies are chained.
    for body in [1usize, 111, 119, 120, 121, 122, 123, 124, 125, 2_040, 3_000, 16_372, 16_376, 16_380, 16_400]
    {
        for (version, qos, kept) in WAYS {
            let body = vec![b'x'; body];
            let expected = publish(Version::V5, "a/b", 1, qos, &[], &body).len() as u32;
            for most in [expected, expected - 1] {
                let most = most.max(30);
                let on = TestBroker::new();
                let mut to = to(&on, most, kept);
                let mut from = Knock { id: "from", version, ..Knock::default() }.enter(&on);
                from.inner.send(&on, &publish(version, "a/b", 1, qos, &[], &body));
                let out = to.turn(&on);
                assert!(out.len() <= most as usize);
                let sent = usize::from(expected <= most);
                assert_eq!(to.published(&out).len(), sent, "{version:?} {qos:?} {kept} {}", body.len());
                assert_eq!(count(&on, Cause::TooLargeForClient), 1 - sent as u64);
                for publish in to.published(&out) {
                    assert_eq!(out.len() as u32, expected);
                    if let Some(id) = publish.packet_id {
                        to.ack(&on, AckKind::Puback, id);
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_dropped_is_done_with() {
    for kept in [false, true] {
        let on = TestBroker::new();
        let properties = [
            (PropertyId::MaximumPacketSize, Value::U32(50)),
            (PropertyId::ReceiveMaximum, Value::U16(2)),
            (PropertyId::SessionExpiryInterval, Value::U32(100)),
        ];
        let properties = &properties[..if kept { 3 } else { 2 }];
        let knock = || Knock { id: "to", clean: !kept, properties, ..Knock::default() };
        let mut to = knock().enter(&on);
        to.subscribe(&on, "a", Qos::ExactlyOnce);
        let mut from = Knock { id: "from", ..Knock::default() }.enter(&on);
        for id in 1..=10 {
            let out = from.inner.send(&on, &publish(Version::V5, "a", id, Qos::ExactlyOnce, &[], &[0; 50]));
            assert!(matches!(from.all(&out)[..], [Packet::Pubrec(_)]));
        }
        assert!(to.turn(&on).is_empty());
        assert_eq!(count(&on, Cause::TooLargeForClient), 10);
        // No place of the window is taken, now or in a later connection.
        if kept {
            to.lose();
            to = knock().enter(&on);
        }
        from.inner.send(&on, &publish(Version::V5, "a", 11, Qos::ExactlyOnce, &[], b"1"));
        from.inner.send(&on, &publish(Version::V5, "a", 12, Qos::ExactlyOnce, &[], b"2"));
        let out = to.turn(&on);
        assert_eq!(to.published(&out).len(), 2);
    }
}

#[test]
fn retained_messages_are_held_to_it_too() {
    let on = TestBroker::new();
    let mut from = Client::connect_as(&on, Version::V5, "from", true).0;
    from.publish(&on, "a/b", Qos::AtLeastOnce, true, 1, &"x".repeat(60));
    let mut to = to(&on, 40, false);
    assert!(to.turn(&on).is_empty());
    assert_eq!(count(&on, Cause::TooLargeForClient), 1);
}

#[test]
fn a_refusal_gives_the_place_in_the_window_back() {
    let on = TestBroker::new();
    let properties = [(PropertyId::ReceiveMaximum, Value::U16(1))];
    let mut to = Knock { id: "to", properties: &properties, ..Knock::default() }.enter(&on);
    to.subscribe(&on, "a", Qos::ExactlyOnce);
    let mut from = Knock { id: "from", ..Knock::default() }.enter(&on);
    for id in 1..=3 {
        from.inner.send(&on, &publish(Version::V5, "a", id, Qos::ExactlyOnce, &[], b"x"));
    }
    let out = to.turn(&on);
    let got = to.published(&out);
    assert_eq!(got.len(), 1);
    // PUBREC with an error is the end of it: PUBREL does not follow, the next one does.
    let id = got[0].packet_id.unwrap();
    let mut bytes = BytesMut::new();
    let ack = Ack { packet_id: id, reason: Reason::QUOTA_EXCEEDED, properties: Properties::EMPTY };
    encode::ack(&mut bytes, Version::V5, AckKind::Pubrec, &ack).unwrap();
    let out = to.inner.send(&on, &bytes);
    assert_eq!((to.all(&out).len(), to.published(&out).len()), (1, 1));
    let id = to.published(&out)[0].packet_id.unwrap();
    // One without does not: PUBCOMP has to come.
    let out = to.ack(&on, AckKind::Pubrec, id);
    assert!(matches!(to.all(&out)[..], [Packet::Pubrel(_)]));
    let out = to.ack(&on, AckKind::Pubcomp, id);
    assert_eq!(to.published(&out).len(), 1);
}

#[test]
fn what_was_in_flight_and_expired_is_finished_and_takes_no_place() {
    for retained in [false, true] {
        let on = TestBroker::new();
        let properties = [
            (PropertyId::ReceiveMaximum, Value::U16(1)),
            (PropertyId::SessionExpiryInterval, Value::U32(100)),
        ];
        let knock = || Knock { id: "to", clean: false, properties: &properties, ..Knock::default() };
        let mut from = Knock { id: "from", keep_alive: 0, ..Knock::default() }.enter(&on);
        from.publish(&on, "r", Qos::AtLeastOnce, true, 9, "kept");
        let mut to = knock().enter(&on);
        to.subscribe(&on, "a", Qos::ExactlyOnce);
        let expiry = [(PropertyId::MessageExpiryInterval, Value::U32(1))];
        from.inner.send(&on, &publish(Version::V5, "a", 1, Qos::AtLeastOnce, &expiry, b"short"));
        let out = to.turn(&on);
        assert_eq!(to.published(&out)[0].payload, b"short");
        to.lose();
        on.advance(Millis(2_000));
        let mut to = knock().enter(&on);
        let out = to.turn(&on);
        let again = to.published(&out);
        assert!(again.len() == 1 && again[0].dup && again[0].payload == b"short", "{again:?}");
        let id = again[0].packet_id.unwrap();
        to.ack(&on, AckKind::Puback, id);
        if retained {
            let out = to.subscribe(&on, "r", Qos::AtLeastOnce);
            let got = to.published(&out);
            assert_eq!(got[0].payload, b"kept");
            let id = got[0].packet_id.unwrap();
            to.ack(&on, AckKind::Puback, id);
        }
        for (id, body) in [(2, "one"), (3, "two")] {
            from.publish(&on, "a", Qos::ExactlyOnce, false, id, body);
            let out = to.turn(&on);
            let got = to.published(&out);
            assert_eq!(got[0].payload, body.as_bytes());
            let id = got[0].packet_id.unwrap();
            to.ack(&on, AckKind::Pubrec, id);
            to.ack(&on, AckKind::Pubcomp, id);
        }
        // Nothing of it is left in the log either.
        to.lose();
        let mut to = knock().enter(&on);
        assert!(to.turn(&on).is_empty());
        from.publish(&on, "a", Qos::AtLeastOnce, false, 4, "three");
        let out = to.turn(&on);
        assert_eq!(to.published(&out)[0].payload, b"three");
    }
}

#[test]
fn what_is_sent_again_keeps_to_the_window_of_its_connection() {
    let on = TestBroker::new();
    let knock = |most| {
        let properties = [
            (PropertyId::ReceiveMaximum, Value::U16(most)),
            (PropertyId::SessionExpiryInterval, Value::U32(100)),
        ];
        Knock { id: "to", clean: false, properties: &properties, ..Knock::default() }.enter(&on)
    };
    let mut from = Knock { id: "from", ..Knock::default() }.enter(&on);
    from.publish(&on, "r", Qos::AtLeastOnce, true, 9, "kept");
    let mut to = knock(10);
    to.subscribe(&on, "a", Qos::AtLeastOnce);
    for id in 1..=5 {
        from.publish(&on, "a", Qos::AtLeastOnce, false, id, &id.to_string());
    }
    let out = to.turn(&on);
    let ids: Vec<_> = to.published(&out).iter().map(|publish| publish.packet_id).collect();
    assert_eq!(ids.len(), 5);
    to.lose();
    let mut to = knock(2);
    let out = to.turn(&on);
    assert_eq!(to.published(&out).len(), 2);
    // A retained message waits like the others.
    let out = to.subscribe(&on, "r", Qos::AtLeastOnce);
    assert!(to.published(&out).is_empty());
    let mut again = vec![ids[0], ids[1]];
    let mut bodies = Vec::new();
    for nth in 0..4 {
        let out = to.ack(&on, AckKind::Puback, again[nth].unwrap());
        let got = to.published(&out);
        assert_eq!(got.len(), 1, "one goes, one comes");
        again.push(got[0].packet_id);
        bodies.push(String::from_utf8_lossy(got[0].payload).into_owned());
    }
    bodies.sort_unstable();
    assert_eq!(bodies, ["3", "4", "5", "kept"]);
    let sent_again = again.iter().filter(|id| ids.contains(id)).count();
    assert!(sent_again >= 5, "each keeps its packet id: {again:?} of {ids:?}");
}
