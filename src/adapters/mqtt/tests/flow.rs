//! Receive Maximum of the broker: what a client may have unanswered (MQTT 5, 3.3.4 and 4.9).

use wharfmq_mqtt::{PropertyId, Value};

use super::kit::{Knock, count, parting, publish};
use super::*;
use crate::broker::Cause;

fn three() -> MqttOptions {
    MqttOptions { receive_maximum: 3, ..MqttOptions::default() }
}

fn frames(version: Version, ids: impl IntoIterator<Item = u16>, qos: Qos) -> Vec<u8> {
    ids.into_iter().flat_map(|id| publish(version, "a", id, qos, &[], b"x")).collect()
}

#[test]
fn as_many_as_were_granted_and_not_one_more() {
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let on = TestBroker::new();
        let mut client = Knock { options: three(), ..Knock::default() }.enter(&on);
        let out = client.inner.send(&on, &frames(Version::V5, 1..=3, qos));
        assert_eq!(client.all(&out).len(), 3);
        let ids = if qos == Qos::AtLeastOnce { 4..=7 } else { 4..=4 };
        let out = client.inner.send(&on, &frames(Version::V5, ids, qos));
        let said = parting(&out);
        assert_eq!(said.reason, Reason::RECEIVE_MAXIMUM_EXCEEDED);
        assert_eq!(
            said.properties.text(PropertyId::ReasonString),
            Some("more than 3 unanswered publications of QoS 1 and 2 (receive maximum)")
        );
        assert_eq!(count(&on, Cause::ReceiveMaximum), 1);
    }
}

#[test]
fn answers_give_places_back() {
    let on = TestBroker::new();
    let mut client = Knock { options: three(), ..Knock::default() }.enter(&on);
    for round in 0..10 {
        let first = round * 3 + 1;
        // At PUBACK.
        client.inner.send(&on, &frames(Version::V5, first..first + 3, Qos::AtLeastOnce));
        // At PUBCOMP; what is sent again under the same packet id does not count again.
        client.inner.send(&on, &frames(Version::V5, first..first + 3, Qos::ExactlyOnce));
        client.inner.send(&on, &frames(Version::V5, first..first + 3, Qos::ExactlyOnce));
        for id in first..first + 3 {
            let out = client.ack(&on, AckKind::Pubrel, PacketId::new(id).unwrap());
            assert!(matches!(client.all(&out)[..], [Packet::Pubcomp(ack)] if ack.reason == Reason::SUCCESS));
        }
        // At a PUBREC that refuses.
        for id in first..first + 5 {
            let out = client.inner.send(&on, &publish(Version::V5, "$SYS/x", id, Qos::ExactlyOnce, &[], b""));
            let packets = client.all(&out);
            assert!(matches!(packets[..], [Packet::Pubrec(ack)] if ack.reason == Reason::NOT_AUTHORIZED));
        }
        assert_eq!(client.inner.closed, None);
    }
}

#[test]
fn mqtt_3_has_no_such_limit() {
    let on = TestBroker::new();
    let mut client = Knock { options: three(), version: Version::V311, ..Knock::default() }.enter(&on);
    let out = client.inner.send(&on, &frames(Version::V311, 1..=100, Qos::ExactlyOnce));
    assert_eq!(client.all(&out).len(), 100);
    assert_eq!(client.inner.closed, None);
}

#[test]
fn a_resumed_session_begins_with_all_places() {
    let on = TestBroker::new();
    let knock = || Knock {
        options: three(),
        clean: false,
        properties: &[(PropertyId::SessionExpiryInterval, Value::U32(100))],
        ..Knock::default()
    };
    let mut client = knock().enter(&on);
    client.inner.send(&on, &frames(Version::V5, 1..=3, Qos::ExactlyOnce));
    client.lose();
    let mut client = knock().enter(&on);
    // Known from the last connection: answered, not routed, and nothing is held against the client.
    let out = client.inner.send(&on, &frames(Version::V5, 1..=3, Qos::ExactlyOnce));
    assert_eq!(client.all(&out).len(), 3);
    for id in 1..=3 {
        client.ack(&on, AckKind::Pubrel, PacketId::new(id).unwrap());
    }
    let out = client.inner.send(&on, &frames(Version::V5, 4..=6, Qos::ExactlyOnce));
    assert_eq!(client.all(&out).len(), 3);
    let out = client.inner.send(&on, &frames(Version::V5, 7..=7, Qos::ExactlyOnce));
    assert_eq!(parting(&out).reason, Reason::RECEIVE_MAXIMUM_EXCEEDED);
}

#[test]
fn refusals_come_in_their_turn() {
    let on = TestBroker::new();
    let mut to = Knock { id: "to", clean: false, ..Knock::default() }.enter(&on);
    to.subscribe(&on, "a", Qos::AtLeastOnce);
    let mut client = Knock::default().enter(&on);
    let bytes = [
        publish(Version::V5, "a", 1, Qos::AtLeastOnce, &[], b""),
        publish(Version::V5, "$SYS/a", 2, Qos::AtLeastOnce, &[], b""),
        publish(Version::V5, "a", 3, Qos::AtLeastOnce, &[], b""),
    ]
    .concat();
    let out = client.inner.send(&on, &bytes);
    let ids: Vec<_> = client
        .all(&out)
        .iter()
        .map(|packet| if let Packet::Puback(ack) = packet { ack.packet_id.get() } else { 0 })
        .collect();
    assert_eq!(ids, [1, 2, 3]);
}
