use wharfmq_core::record::Class;
use wharfmq_core::{QueueCell, Settings};
use wharfmq_store::MemoryLog;
use wharfmq_store::sim::SimDisk;

use super::kit::reason;
use super::*;
use crate::broker::{Topology, Totals};

const FILTER: &str = "$share/g/job/#";
/// Session expiry: an hour.
const HOUR: [u8; 5] = [0x11, 0, 0, 0x0E, 0x10];

fn member(on: &TestBroker, id: &str) -> (Client, bool) {
    Client::connect_with(on, Version::V5, id, false, &HOUR)
}

fn joined(on: &TestBroker, id: &str, qos: Qos) -> Client {
    let mut client = member(on, id).0;
    client.subscribe_on(on, FILTER, qos);
    client
}

fn share(on: &TestBroker) -> Option<Arc<QueueCell>> {
    on.broker.queues().find(Class::Shared, &"g/job.>".into())
}

fn totals(on: &TestBroker) -> Totals {
    on.broker.counters().totals()
}

/// Publishes bodies `0`, `1` and so on.
fn publish(on: &TestBroker, topic: &str, qos: Qos, count: u16) {
    let mut from = Client::connect(on, "from", true);
    for n in 0..count {
        from.publish(on, topic, qos, false, n + 1, &n.to_string());
        if qos != Qos::AtMostOnce {
            let out = from.inner.wait(on, |_| true);
            drop(out);
        }
    }
    from.inner.wait(on, |_| true);
    // Everything is routed by now: the round that read it has ended.
    from.lose();
}

impl Client {
    fn subscribe_on(&mut self, on: &TestBroker, filter: &str, qos: Qos) -> Vec<u8> {
        let mut out = self.subscribe(on, filter, qos);
        if out.is_empty() {
            out = self.inner.wait(on, |out| !out.is_empty());
        }
        out
    }

    /// Body, packet id and DUP of what comes.
    fn got(&mut self, on: &TestBroker) -> Vec<(String, u16, bool)> {
        let out = self.turn(on);
        self.named(&out)
    }

    /// The same, once something has come.
    fn some(&mut self, on: &TestBroker, count: usize) -> Vec<(String, u16, bool)> {
        let early = std::mem::take(&mut self.early);
        let version = self.version;
        let rest = self.inner.wait(on, |out| {
            let all = [&early[..], out].concat();
            count_publishes(version, &all) >= count
        });
        self.named(&[early, rest].concat())
    }

    fn named(&self, out: &[u8]) -> Vec<(String, u16, bool)> {
        let named = |publish: &Publish<'_>| {
            let body = String::from_utf8(publish.payload.to_vec()).unwrap();
            (body, publish.packet_id.map_or(0, PacketId::get), publish.dup)
        };
        self.published(out).iter().map(named).collect()
    }

    fn answer(&mut self, on: &TestBroker, kind: AckKind, id: u16) -> Vec<u8> {
        self.ack(on, kind, PacketId::new(id).unwrap())
    }
}

fn count_publishes(version: Version, mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(Some(decoded)) = decode(bytes, version, Limits::from_server(u32::MAX)) {
        count += usize::from(matches!(decoded.packet, Packet::Publish(_)));
        bytes = &bytes[decoded.len..];
    }
    count
}

fn bodies(got: &[(String, u16, bool)]) -> Vec<&str> {
    got.iter().map(|(body, ..)| &**body).collect()
}

#[test]
fn a_durable_share_collects_while_all_are_away() {
    let on = TestBroker::new();
    joined(&on, "a", Qos::AtLeastOnce).lose();
    joined(&on, "b", Qos::ExactlyOnce).lose();
    publish(&on, "job/x", Qos::AtLeastOnce, 3);
    publish(&on, "job/x", Qos::AtMostOnce, 1);
    let (mut b, present) = member(&on, "b");
    assert!(present);
    assert_eq!(bodies(&b.got(&on)), ["0", "1", "2"]);
    // What it leaves goes to the other at once, without DUP: that one never had it.
    b.answer(&on, AckKind::Puback, 1);
    b.lose();
    let (mut a, _) = member(&on, "a");
    let got = a.got(&on);
    assert_eq!(bodies(&got), ["1", "2"]);
    assert!(got.iter().all(|(_, _, dup)| !dup));
}

#[test]
fn a_share_ends_with_its_last_member() {
    let on = TestBroker::new();
    // Unsubscribed.
    let mut a = joined(&on, "a", Qos::AtLeastOnce);
    let unsubscribe = [&[0xA2, 19, 0, 5, 0, 0, 14][..], FILTER.as_bytes()].concat();
    assert!(share(&on).unwrap().is_durable());
    assert_eq!(a.inner.send(&on, &unsubscribe)[..], [0xB0, 4, 0, 5, 0, 0]);
    assert!(share(&on).is_none());
    // Begun anew.
    a.subscribe_on(&on, FILTER, Qos::AtLeastOnce);
    a.lose();
    publish(&on, "job/x", Qos::AtLeastOnce, 2);
    assert!(share(&on).is_some());
    Client::connect_with(&on, Version::V5, "a", true, &HOUR).0.lose();
    assert!(share(&on).is_none());
    assert_eq!(totals(&on).dropped_ended, 2);
    // Ended with the connection, as DISCONNECT says so.
    let mut a = joined(&on, "a", Qos::AtLeastOnce);
    a.inner.send(&on, &[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0]);
    let how = Closed::Session(a.inner.closed.clone().unwrap());
    a.inner.close(how);
    assert!(share(&on).is_none());
    // Expired.
    joined(&on, "a", Qos::AtLeastOnce).lose();
    on.advance(Millis(3_600_001));
    let start = std::time::Instant::now();
    while share(&on).is_some() {
        assert!(start.elapsed() < std::time::Duration::from_secs(10));
        std::thread::yield_now();
    }
}

#[test]
fn a_share_becomes_durable_with_the_first_member_that_stays() {
    let on = TestBroker::new();
    let mut early = Client::connect_as(&on, Version::V5, "early", true).0;
    early.subscribe(&on, FILTER, Qos::AtLeastOnce);
    assert!(!share(&on).unwrap().is_durable());
    publish(&on, "job/x", Qos::AtLeastOnce, 2);
    let mut late = joined(&on, "late", Qos::AtLeastOnce);
    assert!(share(&on).unwrap().is_durable());
    assert_eq!(bodies(&early.got(&on)), ["0", "1"]);
    early.lose();
    assert_eq!(bodies(&late.got(&on)), ["0", "1"], "what waited was not lost");
    late.lose();
    assert!(share(&on).is_some());
}

#[test]
fn subscribing_again_keeps_what_waits() {
    let on = TestBroker::new();
    let mut a = Client::connect_as(&on, Version::V5, "a", true).0;
    a.subscribe(&on, FILTER, Qos::AtLeastOnce);
    publish(&on, "job/x", Qos::AtLeastOnce, 2);
    let out = a.subscribe(&on, FILTER, Qos::AtMostOnce);
    assert_eq!(bodies(&a.named(&out)), ["0", "1"]);
    publish(&on, "job/x", Qos::AtLeastOnce, 1);
    assert_eq!(a.got(&on), [("0".to_owned(), 0, false)]);
}

#[test]
fn qos_2_belongs_to_the_session_it_was_sent_to() {
    let on = TestBroker::new();
    let mut a = joined(&on, "a", Qos::ExactlyOnce);
    publish(&on, "job/x", Qos::ExactlyOnce, 1);
    assert_eq!(a.got(&on), [("0".to_owned(), 1, false)]);
    let mut b = joined(&on, "b", Qos::ExactlyOnce);
    a.lose();
    assert!(b.got(&on).is_empty());
    let (mut a, _) = member(&on, "a");
    assert_eq!(a.got(&on), [("0".to_owned(), 1, true)]);
    assert_eq!(a.answer(&on, AckKind::Pubrec, 1), [0x62, 2, 0, 1]);
    assert!(a.answer(&on, AckKind::Pubcomp, 1).is_empty());
    // A session that ends first takes the message with it.
    publish(&on, "job/x", Qos::ExactlyOnce, 2);
    assert_eq!(a.got(&on).len() + b.got(&on).len(), 2);
    a.lose();
    Client::connect_with(&on, Version::V5, "a", true, &[]).0.lose();
    assert!(b.got(&on).is_empty());
    assert_eq!(totals(&on).dropped_ended, 1);
}

#[test]
fn qos_2_under_way_ends_with_a_session_that_ends_with_its_connection() {
    let on = TestBroker::new();
    let mut a = Client::connect_as(&on, Version::V5, "a", true).0;
    a.subscribe(&on, FILTER, Qos::ExactlyOnce);
    publish(&on, "job/x", Qos::ExactlyOnce, 2);
    assert_eq!(a.got(&on).len(), 2);
    let mut b = Client::connect_as(&on, Version::V5, "b", true).0;
    b.subscribe(&on, FILTER, Qos::ExactlyOnce);
    a.answer(&on, AckKind::Pubrec, 1);
    a.answer(&on, AckKind::Pubcomp, 1);
    a.lose();
    assert!(b.got(&on).is_empty());
    assert_eq!(totals(&on).dropped_ended, 1);
}

#[test]
fn a_full_member_holds_no_more_than_its_window() {
    let on = TestBroker::new();
    let receive_two = [&HOUR[..], &[0x21, 0, 2]].concat();
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let mut stuck = Client::connect_with(&on, Version::V5, "stuck", true, &receive_two).0;
        stuck.subscribe(&on, FILTER, qos);
        let mut quick = joined(&on, "quick", qos);
        publish(&on, "job/x", qos, 10);
        assert_eq!(stuck.got(&on).len(), 2);
        assert_eq!(quick.got(&on).len(), 8);
        // What is acknowledged makes room for as much.
        publish(&on, "job/x", qos, 4);
        quick.got(&on);
        let out = match qos {
            Qos::ExactlyOnce => {
                stuck.answer(&on, AckKind::Pubrec, 1);
                stuck.answer(&on, AckKind::Pubcomp, 1)
            }
            _ => stuck.answer(&on, AckKind::Puback, 1),
        };
        assert!(stuck.named(&out).is_empty());
        publish(&on, "job/x", qos, 2);
        assert_eq!(stuck.got(&on).len() + quick.got(&on).len(), 2);
        stuck.lose();
        quick.lose();
        Client::connect_with(&on, Version::V5, "quick", true, &[]).0.lose();
        Client::connect_with(&on, Version::V5, "stuck", true, &[]).0.lose();
    }
}

#[test]
fn an_error_of_the_client_discards_the_message() {
    let on = TestBroker::new();
    let mut a = joined(&on, "a", Qos::ExactlyOnce);
    publish(&on, "job/x", Qos::AtLeastOnce, 1);
    publish(&on, "job/x", Qos::ExactlyOnce, 1);
    assert_eq!(a.got(&on).len(), 2);
    a.inner.send(&on, &[0x40, 3, 0, 1, 0x83]);
    a.inner.send(&on, &[0x50, 3, 0, 2, 0x83]);
    a.lose();
    let mut b = joined(&on, "b", Qos::ExactlyOnce);
    assert!(b.got(&on).is_empty());
    assert!(member(&on, "a").0.got(&on).is_empty());
    assert_eq!(totals(&on).rejected, 2);
}

#[test]
fn a_sticky_share_keeps_topics_together() {
    let topology = Topology { shared_sticky: true, ..Topology::default() };
    let on = TestBroker::on(Arc::new(MemoryLog::new()), Settings::default(), topology);
    let mut members = [joined(&on, "a", Qos::AtMostOnce), joined(&on, "b", Qos::AtMostOnce)];
    let topics = |client: &mut Client| {
        let out = client.turn(&on);
        let topics =
            client.published(&out).iter().map(|publish| publish.topic.to_owned()).collect::<Vec<_>>();
        let different: std::collections::BTreeSet<String> = topics.iter().cloned().collect();
        (topics.len(), different)
    };
    for topic in ["job/1", "job/2", "job/3", "job/4"] {
        publish(&on, topic, Qos::AtLeastOnce, 2);
        publish(&on, topic, Qos::AtMostOnce, 1);
    }
    let [a, b] = &mut members;
    let (first, second) = (topics(a), topics(b));
    assert_eq!((first.0, second.0), (6, 6));
    assert!(first.1.is_disjoint(&second.1));
    let [a, mut b] = members;
    a.lose();
    for topic in &first.1 {
        publish(&on, topic, Qos::AtLeastOnce, 1);
    }
    assert_eq!(topics(&mut b), (2, first.1));
}

#[test]
fn shares_beside_other_subscriptions() {
    let on = TestBroker::new();
    let mut a = member(&on, "a").0;
    let subscribe = |id: u8, filter: &str, bits: u8| {
        let len = filter.len() as u8;
        [&[0x82, 8 + len, 0, 7, 2, 0x0B, id, 0, len][..], filter.as_bytes(), &[bits]].concat()
    };
    // The same topics by two groups, by another filter of a group, and by no group.
    for (id, filter) in ["$share/g/t", "$share/h/t", "$share/g/+", "t"].into_iter().enumerate() {
        a.inner.send(&on, &subscribe(id as u8 + 1, filter, 2));
    }
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        publish(&on, "t", qos, 1);
        let out = a.turn(&on);
        let mut ids: Vec<u32> =
            a.published(&out).iter().flat_map(|publish| publish.properties.subscription_ids()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4]);
    }
    // In the next connection as well.
    a.lose();
    let (mut a, _) = member(&on, "a");
    let out = a.turn(&on);
    let mut ids: Vec<u32> =
        a.published(&out).iter().flat_map(|publish| publish.properties.subscription_ids()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 1, 2, 2, 3, 3, 4, 4]);
}

#[test]
fn no_retained_messages_but_the_flag_as_published() {
    let on = TestBroker::new();
    let mut from = Client::connect(&on, "from", true);
    from.publish(&on, "job/x", Qos::AtLeastOnce, true, 1, "kept");
    let mut a = Client::connect_as(&on, Version::V5, "a", true).0;
    let subscribe = [&[0x82, 20, 0, 7, 0, 0, 14][..], FILTER.as_bytes(), &[0x09]].concat();
    assert_eq!(a.inner.send(&on, &subscribe)[..], [0x90, 4, 0, 7, 0, 1]);
    assert!(a.got(&on).is_empty());
    from.publish(&on, "job/x", Qos::AtLeastOnce, true, 1, "new");
    let out = a.turn(&on);
    assert!(a.published(&out)[0].retain);
}

#[test]
fn what_is_wrong_with_a_shared_subscription() {
    let on = TestBroker::new();
    let mut new = member(&on, "new").0;
    let mut old = Client::connect(&on, "old", true);
    for filter in ["$share", "$share/", "$share//x", "$share/a+/x", "$share/g", "$share/g/", "$share/#/x"] {
        assert_eq!(
            reason(&new.subscribe(&on, filter, Qos::AtLeastOnce)),
            Reason::TOPIC_FILTER_INVALID,
            "{filter}"
        );
        assert_eq!(old.subscribe(&on, filter, Qos::AtLeastOnce)[..], [0x90, 3, 0, 9, 0x80], "{filter}");
    }
    let no_local = [&[0x82, 20, 0, 7, 0, 0, 14][..], FILTER.as_bytes(), &[0x05]].concat();
    assert_eq!(reason(&new.inner.send(&on, &no_local)), Reason::PROTOCOL_ERROR);
}

#[test]
fn shares_survive_the_loss_of_power() {
    let disk = SimDisk::new(1);
    let on = TestBroker::on_disk(&disk);
    let mut a = joined(&on, "a", Qos::ExactlyOnce);
    let mut from = Client::connect(&on, "from", true);
    let frames = from.publish(&on, "job/x", Qos::ExactlyOnce, false, 1, "two");
    if frames.is_empty() {
        from.inner.wait(&on, |out| !out.is_empty());
    }
    let first = a.some(&on, 1);
    assert_eq!(first, [("two".to_owned(), 1, false)]);
    // Another member comes; everybody is away when the next message comes.
    joined(&on, "b", Qos::ExactlyOnce).lose();
    from.lose();
    a.lose();
    let mut from = Client::connect(&on, "from", true);
    if from.publish(&on, "job/y", Qos::AtLeastOnce, false, 1, "one").is_empty() {
        from.inner.wait(&on, |out| !out.is_empty());
    }
    let disk = disk.reboot();
    drop(from);
    let on = TestBroker::on_disk(&disk);
    assert!(share(&on).is_some_and(|share| share.is_durable()));
    let (mut b, present) = member(&on, "b");
    assert!(present);
    assert_eq!(bodies(&b.some(&on, 1)), ["one"], "what was another session's is not for this one");
    assert!(b.got(&on).is_empty());
    let (mut a, _) = member(&on, "a");
    assert_eq!(a.some(&on, 1), [("two".to_owned(), 1, true)]);
}

#[test]
fn members_and_shares_are_brought_into_line() {
    let disk = SimDisk::new(2);
    let on = TestBroker::on_disk(&disk);
    let orphan = on.broker.queue(Class::Shared, &"g/nobody".into(), true).unwrap().0;
    joined(&on, "a", Qos::AtLeastOnce).lose();
    let mut admin = Client::connect(&on, "admin", true);
    admin.inner.port.delete(&share(&on).unwrap()).unwrap();
    on.broker.checkpoint().unwrap();
    let disk = disk.reboot();
    drop((admin, orphan));
    let on = TestBroker::on_disk(&disk);
    assert!(on.broker.queues().find(Class::Shared, &"g/nobody".into()).is_none());
    assert!(share(&on).is_some());
    let (mut a, _) = member(&on, "a");
    let mut from = Client::connect(&on, "from", true);
    from.publish(&on, "job/z", Qos::AtLeastOnce, false, 1, "z");
    assert_eq!(bodies(&a.some(&on, 1)), ["z"]);
}
