//! What is under way when something ends: a subscription, a connection, an earlier exchange.

use wharfmq_core::record::Class;
use wharfmq_mqtt::{PropertyId, RetainHandling, SubscriptionOptions, Value};

use super::kit::{Knock, block as kit_block, publish};
use super::*;
use crate::broker::Cause;

fn unsubscribe(client: &mut Client, on: &TestBroker, filter: &str) {
    let mut bytes = BytesMut::new();
    let id = PacketId::new(7).unwrap();
    encode::unsubscribe(&mut bytes, client.version, id, Properties::EMPTY, &[filter]).unwrap();
    client.inner.send(on, &bytes);
}

fn queued(on: &TestBroker, name: &str) -> u64 {
    on.broker.queues().find(Class::Queue, &name.into()).map_or(0, |queue| queue.lock().queue().len())
}

fn bodies<'a>(client: &Client, out: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
    client.published(out).iter().map(|publish| (publish.topic, publish.payload)).collect()
}

#[test]
fn what_a_queue_gave_and_was_not_sent_ends_with_its_subscription() {
    let on = TestBroker::new();
    let mut from = Client::connect(&on, "from", true);
    for name in ["a", "b", "c"] {
        from.publish(&on, &format!("$queue/{name}"), Qos::AtLeastOnce, false, 1, name);
    }
    let properties = [(PropertyId::ReceiveMaximum, Value::U16(1))];
    let mut to = Knock { properties: &properties, ..Knock::default() }.enter(&on);
    let out = to.subscribe(&on, "$queue/a", Qos::AtLeastOnce);
    let id = to.published(&out)[0].packet_id.unwrap();
    to.subscribe(&on, "$queue/b", Qos::AtLeastOnce);
    unsubscribe(&mut to, &on, "$queue/b");
    to.subscribe(&on, "$queue/c", Qos::AtLeastOnce);
    let out = to.ack(&on, AckKind::Puback, id);
    assert_eq!(bodies(&to, &out), [("$queue/c", &b"c"[..])]);
    let id = to.published(&out)[0].packet_id.unwrap();
    assert_eq!([queued(&on, "b"), queued(&on, "c")], [1, 1]);
    to.ack(&on, AckKind::Puback, id);
    assert_eq!([queued(&on, "b"), queued(&on, "c")], [1, 0]);
}

#[test]
fn what_a_share_gave_and_was_not_sent_goes_to_another_alone() {
    let on = TestBroker::new();
    let properties = [(PropertyId::ReceiveMaximum, Value::U16(1))];
    let mut to = Knock { properties: &properties, ..Knock::default() }.enter(&on);
    to.subscribe(&on, "$queue/a", Qos::AtLeastOnce);
    to.subscribe(&on, "$share/g/t", Qos::ExactlyOnce);
    let mut from = Client::connect(&on, "from", true);
    from.publish(&on, "$queue/a", Qos::AtLeastOnce, false, 1, "a");
    let out = to.turn(&on);
    let id = to.published(&out)[0].packet_id.unwrap();
    from.publish(&on, "t", Qos::ExactlyOnce, false, 2, "once");
    assert!(to.turn(&on).is_empty());
    let mut other = Client::connect_as(&on, Version::V5, "other", true).0;
    other.subscribe(&on, "$share/g/t", Qos::ExactlyOnce);
    unsubscribe(&mut to, &on, "$share/g/t");
    let out = other.turn(&on);
    assert_eq!(bodies(&other, &out), [("t", &b"once"[..])]);
    let out = to.ack(&on, AckKind::Puback, id);
    assert_eq!(bodies(&to, &out), []);
}

#[test]
fn what_came_before_a_violation_is_published_whole() {
    for (id, clean) in [("short", true), ("long", false)] {
        let on = TestBroker::new();
        let mut other = Client::connect_as(&on, Version::V5, "other", true).0;
        other.subscribe(&on, "#", Qos::AtLeastOnce);
        let (mut client, _) = Client::connect_as(&on, Version::V5, id, clean);
        let good = publish(Version::V5, "t", 1, Qos::AtLeastOnce, &[], b"good");
        let alias = [(PropertyId::TopicAlias, Value::U16(9))];
        let bad = publish(Version::V5, "", 0, Qos::AtMostOnce, &alias, b"bad");
        client.inner.send(&on, &[good, bad].concat());
        client.lose();
        let out = other.turn(&on);
        assert_eq!(bodies(&other, &out), [("t", &b"good"[..])], "{id}");
    }
}

#[test]
fn retained_messages_still_come_when_the_subscription_is_made_again() {
    let on = TestBroker::new();
    let mut publisher = Client::connect(&on, "publisher", true);
    for n in 0..3_u16 {
        publisher.publish(&on, &format!("r/{n}"), Qos::AtLeastOnce, true, n + 1, "x");
    }
    let properties = [(PropertyId::ReceiveMaximum, Value::U16(1))];
    let mut reader = Knock { properties: &properties, ..Knock::default() }.enter(&on);
    let mut out = reader.subscribe(&on, "r/#", Qos::AtLeastOnce);
    let options = SubscriptionOptions {
        retain_handling: RetainHandling::SendIfNew,
        ..SubscriptionOptions::from_qos(Qos::AtLeastOnce)
    };
    let mut bytes = BytesMut::new();
    let id = PacketId::new(8).unwrap();
    encode::subscribe(&mut bytes, Version::V5, id, Properties::EMPTY, &[("r/#", options)].map(sub)).unwrap();
    out.extend(reader.inner.send(&on, &bytes));
    let mut got = 0;
    while let Some(id) = reader.published(&out).first().and_then(|publish| publish.packet_id) {
        got += 1;
        out = reader.ack(&on, AckKind::Puback, id).to_vec();
    }
    assert_eq!(got, 3);
}

#[test]
fn an_exchange_of_an_earlier_connection_may_end_before_it_is_begun_anew() {
    let on = TestBroker::new();
    let properties =
        [(PropertyId::ReceiveMaximum, Value::U16(2)), (PropertyId::SessionExpiryInterval, Value::U32(60))];
    let enter = || Knock { clean: false, properties: &properties, ..Knock::default() }.enter(&on);
    let mut to = enter();
    to.subscribe(&on, "t", Qos::ExactlyOnce);
    let mut from = Client::connect(&on, "from", true);
    for n in 1..=2 {
        from.publish(&on, "t", Qos::ExactlyOnce, false, n, &n.to_string());
    }
    let out = to.inner.wait(&on, |out| count(Version::V5, out) == 2);
    let ids: Vec<_> = to.published(&out).iter().map(|publish| publish.packet_id.unwrap()).collect();
    to.lose();
    // The window is full with the first of them, so that the second is still to come.
    let properties =
        [(PropertyId::ReceiveMaximum, Value::U16(1)), (PropertyId::SessionExpiryInterval, Value::U32(60))];
    let mut to = Knock { clean: false, properties: &properties, ..Knock::default() }.enter(&on);
    let mut out = to.turn(&on);
    assert_eq!(bodies(&to, &out).len(), 1);
    to.ack(&on, AckKind::Pubrec, ids[1]);
    to.ack(&on, AckKind::Pubcomp, ids[1]);
    from.publish(&on, "t", Qos::ExactlyOnce, false, 3, "3");
    out = to.ack(&on, AckKind::Pubrec, ids[0]);
    out.extend(to.ack(&on, AckKind::Pubcomp, ids[0]));
    out.extend(to.turn(&on));
    assert_eq!(bodies(&to, &out), [("t", &b"3"[..])]);
}

#[test]
fn a_will_that_nobody_can_ever_get_is_dropped() {
    for (topic, cause) in [("$queue/$temp/1/x", Cause::TopicName), ("$SYS", Cause::OwnTopic)] {
        let on = TestBroker::new();
        let will = wharfmq_mqtt::Will {
            qos: Qos::AtLeastOnce,
            retain: false,
            topic,
            payload: b"bye",
            properties: Properties::EMPTY,
        };
        Knock { will: Some(will), ..Knock::default() }.enter(&on).lose();
        assert_eq!((on.broker.wills(), kit::count(&on, cause)), (0, 1), "{topic}");
    }
}

#[test]
fn a_share_message_that_expires_with_its_session_leaves_nothing_behind() {
    let on = TestBroker::new();
    let properties =
        [(PropertyId::ReceiveMaximum, Value::U16(1)), (PropertyId::SessionExpiryInterval, Value::U32(600))];
    let enter = || Knock { clean: false, properties: &properties, ..Knock::default() }.enter(&on);
    let mut to = enter();
    let mut bytes = BytesMut::new();
    let id = kit_block(&[(PropertyId::SubscriptionIdentifier, Value::VarInt(5))]);
    let options = SubscriptionOptions::from_qos(Qos::ExactlyOnce);
    let packet = PacketId::new(8).unwrap();
    let filters = [("$share/g/t", options)].map(sub);
    encode::subscribe(&mut bytes, Version::V5, packet, Properties::from_raw(&id), &filters).unwrap();
    to.inner.send(&on, &bytes);
    to.inner.wait(&on, |_| true);
    let mut from = Client::connect_as(&on, Version::V5, "from", true).0;
    let expiry = [(PropertyId::MessageExpiryInterval, Value::U32(1))];
    from.inner.send(&on, &publish(Version::V5, "t", 1, Qos::ExactlyOnce, &expiry, b"x"));
    // Handed over, not yet sent.
    to.inner.port.refresh(true);
    to.inner.session.on_events(&mut to.inner.port).unwrap();
    to.lose();
    on.advance(Millis(5_000));
    let cell = on.broker.queues().find(Class::Session, &"c".into()).unwrap();
    // Another thread of the broker sees to what has expired.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while cell.lock().queue().stats().stored() > 0 {
        assert!(std::time::Instant::now() < end, "it stays");
        std::thread::yield_now();
    }
    let to = enter();
    let keys: Vec<_> = to.inner.port.recall(&cell).into_iter().map(|(key, _)| key).collect();
    assert!(keys.iter().all(|key| key[0] != b'g'), "{keys:?}");
}

#[test]
fn a_session_that_was_deleted_is_not_remembered_again() {
    let on = TestBroker::new();
    let properties = [(PropertyId::SessionExpiryInterval, Value::U32(600))];
    let mut to = Knock { clean: false, properties: &properties, ..Knock::default() }.enter(&on);
    to.subscribe(&on, "t", Qos::AtLeastOnce);
    to.inner.wait(&on, |_| true);
    let mut from = Client::connect(&on, "from", true);
    from.publish(&on, "t", Qos::AtLeastOnce, false, 1, "x");
    to.inner.wait(&on, |out| count(Version::V5, out) == 1);
    let cell = on.broker.queues().find(Class::Session, &"c".into()).unwrap();
    from.inner.port.delete(&cell).unwrap();
    to.lose();
    assert_eq!(from.inner.port.recall(&cell), []);
}

fn count(version: Version, mut out: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(Some(decoded)) = decode(out, version, Limits::from_server(u32::MAX)) {
        count += usize::from(matches!(decoded.packet, Packet::Publish(_)));
        out = &out[decoded.len..];
    }
    count
}
