//! Full queues, full disks, slow subscribers, poison: what is told to whom, and that nothing vanishes.

use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::{Credit, DeadLetter, Outcome, Overflow, PartialPolicy, Settings, Tags, limits};
use wharfmq_store::sim::SimDisk;

use super::kit::*;
use crate::broker::undertaker::note;

fn limited(max: u64, overflow: Overflow) -> PartialPolicy {
    PartialPolicy { max_messages: Some(max), overflow: Some(overflow), ..PartialPolicy::default() }
}

#[test]
fn a_full_queue_blocks_and_wakes() {
    let rig = Rig::memory(settings([("queue://q", limited(3, Overflow::Block))]));
    let mut producers = [rig.client(), rig.client()];
    for (nth, producer) in producers.iter_mut().enumerate() {
        for n in 0..4 {
            producer.send(&queue("q"), &format!("{nth}{n}"), SAFE, Some(n));
        }
        producer.turn(&rig);
    }
    assert!(producers.iter().all(|producer| !producer.port.may_read()));
    assert_eq!(rig.bodies(&rig.queue("q")), ["00", "01", "02"]);
    let mut consumer = rig.client();
    let held = consumer.consume(&rig.queue("q"), 1, PLENTY);
    let mut seen = Vec::new();
    for tag in 1..=8 {
        let woken =
            producers.each_ref().map(|producer| producer.wakes.0.load(std::sync::atomic::Ordering::Relaxed));
        consumer.turn_until(&rig, "a message", |consumer| !consumer.deliveries.is_empty());
        seen.push(body_of(&consumer.deliveries.pop_front().unwrap()));
        assert_eq!(consumer.accept(&held, tag), 1);
        let waited = producers.iter().zip(woken).all(|(producer, before)| {
            producer.port.is_settled() || producer.wakes.0.load(std::sync::atomic::Ordering::Relaxed) > before
        });
        assert!(waited, "room has come and a publisher sleeps");
        for producer in &mut producers {
            producer.turn(&rig);
        }
    }
    for nth in ["0", "1"] {
        let own: Vec<_> = seen.iter().filter(|body| body.starts_with(nth)).collect();
        assert_eq!(own.len(), 4);
        assert!(own.is_sorted());
    }
    assert!(producers.iter().all(|producer| producer.confirmed() == [0, 1, 2, 3]));
    rig.check();
}

#[test]
fn a_connection_that_consumes_is_refused_instead() {
    let rig = Rig::memory(settings([("queue://q", limited(1, Overflow::Block))]));
    let mut client = rig.client();
    let _held = client.consume(&rig.queue("other"), 1, PLENTY);
    for n in 0..3 {
        client.send(&queue("q"), "m", SAFE, Some(n));
    }
    client.settle_down(&rig);
    assert!(client.port.may_read());
    assert_eq!(client.confirmed(), [0]);
    assert_eq!(client.confirms[1].1.as_ref().unwrap_err(), "queue q is full");
}

#[test]
fn a_queue_that_rejects_says_so_of_each() {
    let rig = Rig::memory(settings([("queue://q", limited(2, Overflow::Reject))]));
    let mut client = rig.client();
    for n in 0..5 {
        client.stage(&queue(if n == 3 { "other" } else { "q" }), "m", SAFE, Some(n));
    }
    client.flush();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [0, 1, 3]);
    assert_eq!(client.confirms.len(), 5);
    rig.check();
}

#[test]
fn a_queue_that_drops_the_oldest_counts() {
    let rig = Rig::memory(settings([("queue://q", limited(3, Overflow::DropOldest))]));
    let mut client = rig.client();
    for n in 0..10 {
        client.send(&queue("q"), &format!("{n}"), if n % 2 == 0 { SAFE } else { FAST }, Some(n));
    }
    client.settle_down(&rig);
    let cell = rig.queue("q");
    assert_eq!(rig.bodies(&cell), ["7", "8", "9"]);
    assert_eq!((rig.stats(&cell).dropped.overflow, client.confirmed().len()), (7, 10));
    rig.check();
}

#[test]
fn overflow_to_the_dead_letters() {
    let set = limited(3, Overflow::DeadLetter);
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), settings([("queue://q", set.clone())]));
    let mut client = rig.client();
    for n in 0..10 {
        client.send(&queue("q"), &format!("{n}"), SAFE, Some(n));
        client.turn_until(&rig, "room", |client| client.port.may_read());
    }
    client.settle_down(&rig);
    rig.wait_for_burials();
    rig.check();
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), settings([("queue://q", set)]));
    assert_eq!(rig.bodies(&rig.queue("q")), ["7", "8", "9"]);
    assert_eq!(rig.bodies(&rig.queue("ActiveMQ.DLQ")), ["0", "1", "2", "3", "4", "5", "6"]);
    rig.abandon();
}

#[test]
fn dead_letters_say_where_they_come_from() {
    let retry = PartialPolicy {
        max_deliveries: Some(2),
        redelivery_delay: Some(Millis(0)),
        ..PartialPolicy::default()
    };
    let own =
        PartialPolicy { dead_letter: Some(DeadLetter::To(queue("DLQ.own"))), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://poison", retry), ("queue://own", own)]));
    let mut client = rig.client();
    let expiring = How { expires: rig.now().wall.plus(Millis(10)), ..SAFE };
    client.stage(&queue("poison"), "poison", SAFE, None);
    client.stage(&queue("own"), "rejected", SAFE, None);
    client.stage(&queue("late"), "late", expiring, None);
    client.stage(&queue("late"), "fast and late", How { qos: FAST.qos, ..expiring }, None);
    client.flush();
    let held = client.consume(&rig.queue("poison"), 1, PLENTY);
    for tag in 1..=2 {
        client.port.settle(&held, Tags::One(tag), Outcome::Retry, Credit::default());
    }
    let held = client.consume(&rig.queue("own"), 2, PLENTY);
    client.port.settle(&held, Tags::One(1), Outcome::Reject, Credit::default());
    rig.advance(11);
    client.port.now = rig.now();
    let _held = client.consume(&rig.queue("late"), 3, PLENTY);
    rig.wait_for_burials();
    let expected = [
        ("DLQ.own", "rejected", "queue://own", "own", "1", "refused"),
        ("ActiveMQ.DLQ", "poison", "queue://poison", "poison", "2", "delivered 2 times"),
        ("ActiveMQ.DLQ", "late", "queue://late", "late", "0", "expired"),
    ];
    for (dlq, body, original, from, deliveries, cause) in expected {
        let all = rig.broker.browse(&rig.queue(dlq), wharfmq_core::Order(0), 10);
        let (entry, message) = all.iter().find(|(_, message)| message.body == body).unwrap();
        assert_eq!(message.notes.get(note::ORIGINAL_DESTINATION), Some(original));
        assert_eq!(message.notes.get(note::QUEUE), Some(from));
        assert_eq!(message.notes.get(note::DELIVERIES), Some(deliveries));
        assert!(message.notes.get(note::CAUSE).unwrap().starts_with(cause));
        assert_eq!((entry.deliveries, entry.expires, entry.at.is_stored()), (0, Millis::NEVER, true));
        assert_eq!(*message.address, queue(dlq));
    }
    let late = rig.stats(&rig.queue("late"));
    assert_eq!((late.expired, late.dropped.expired, late.dead_lettered), (2, 1, 1), "non-persistent ones go");
    assert_eq!(rig.broker.counters().totals().dead_lettered, 3);
    rig.check();
    // What is rejected out of the dead letters is not sent around in circles.
    let held = client.consume(&rig.queue("DLQ.own"), 4, PLENTY);
    client.port.settle(&held, Tags::One(1), Outcome::Reject, Credit::default());
    rig.wait_for_burials();
    rig.check();
}

#[test]
fn a_full_dead_letter_queue_sends_back() {
    let rig = Rig::memory(settings([("queue://ActiveMQ.DLQ", limited(1, Overflow::Reject))]));
    let mut client = rig.client();
    for n in 0..3 {
        client.send(&queue("q"), &format!("{n}"), SAFE, None);
    }
    let cell = rig.queue("q");
    let held = client.consume(&cell, 1, PLENTY);
    client.port.settle(&held, Tags::UpTo(3), Outcome::Reject, Credit::default());
    rig.wait_for_burials();
    assert_eq!(rig.stats(&cell).delayed, 2);
    assert_eq!(rig.broker.counters().totals().dead_refused, 2);
    rig.check();
}

#[test]
fn a_full_disk_parks_and_goes_on() {
    let disk = SimDisk::new(7);
    disk.set_capacity(30 * SEGMENT);
    let rig = Rig::sim(&disk, Settings::default());
    let (mut producer, mut consumer) = (rig.client(), rig.client());
    let body = |n: u64| format!("{n:05}{}", "-".repeat(995));
    let mut sent = 0;
    while producer.port.may_read() {
        producer.send(&queue("q"), &body(sent), SAFE, Some(sent));
        producer.turn(&rig);
        sent += 1;
        assert!(sent < 2_000, "the disk never fills");
    }
    let held = consumer.consume(&rig.queue("q"), 1, PLENTY);
    // A transaction of acknowledgements only needs no room that is not reserved for it.
    consumer.turn_until(&rig, "deliveries", |consumer| consumer.deliveries.len() > 20);
    consumer.port.begin(&"t".into()).unwrap();
    consumer.port.settle_in("t", &held, Tags::UpTo(10), Outcome::Accept).unwrap();
    consumer.port.commit("t", Some(wharfmq_core::Token(1))).unwrap();
    consumer.settle_down(&rig);
    assert_eq!(consumer.confirmed(), [1]);
    // A send in a transaction is refused, and what it acknowledged is still in flight.
    consumer.port.begin(&"t".into()).unwrap();
    consumer.port.settle_in("t", &held, Tags::One(11), Outcome::Accept).unwrap();
    consumer.send_in("t", &queue("q"), &body(99_999));
    consumer.port.commit("t", Some(wharfmq_core::Token(2))).unwrap();
    consumer.settle_down(&rig);
    // Unless what was settled has made room meanwhile.
    let (settled, expected) = match &consumer.confirms[1].1 {
        Ok(()) => (11, sent + 1),
        Err(_) => (10, sent),
    };
    let mut seen = Vec::new();
    while seen.len() < expected as usize {
        consumer.turn_until(&rig, "a message", |consumer| !consumer.deliveries.is_empty());
        for delivery in std::mem::take(&mut consumer.deliveries) {
            assert_eq!(consumer.accept(&held, delivery.tag), usize::from(delivery.tag > settled));
            seen.push(body_of(&delivery)[..5].to_owned());
        }
        rig.broker.keep();
        rig.advance(50);
        producer.turn(&rig);
    }
    seen.retain(|body| body != "99999");
    assert!(seen.iter().enumerate().all(|(n, body)| *body == format!("{n:05}")), "in order, none missing");
    rig.wait("room on the disk", || {
        rig.broker.keep();
        !rig.broker.log.is_full()
    });
    rig.advance(50);
    producer.turn(&rig);
    producer.settle_down(&rig);
    assert_eq!(producer.confirmed().len(), sent as usize);
    for n in 0..100 {
        producer.send(&queue("again"), &body(n), SAFE, Some(10_000 + n));
        producer.settle_down(&rig);
    }
    assert_eq!(rig.bodies(&rig.queue("again")).len(), 100);
    rig.check();
}

#[test]
fn a_slow_subscriber_holds_back_then_delays_nobody() {
    let rig = Rig::memory(Settings::default());
    let (mut publisher, mut subscriber) = (rig.client(), rig.client());
    subscriber.port.subscribe(&pattern("t"), wharfmq_core::SubTag(1), false, false, None);
    let body = "x".repeat(100_000);
    let fill = |publisher: &mut Client| {
        let mut sent = 0;
        while publisher.port.may_read() {
            publisher.send(&topic("t"), &body, FAST, None);
            sent += 1;
        }
        sent
    };
    let sent = fill(&mut publisher);
    assert!((10..13).contains(&sent), "held back at the soft bound: {sent}");
    assert!(!publisher.turn(&rig));
    subscriber.turn(&rig);
    assert_eq!(subscriber.chunked.len(), sent);
    assert!(publisher.wakes.0.load(std::sync::atomic::Ordering::Relaxed) > 0);
    assert!(publisher.turn(&rig));
    assert!(publisher.port.may_read(), "released when it had drained");

    fill(&mut publisher);
    rig.advance(limits::SLOW_AFTER_MS - 1);
    publisher.turn(&rig);
    assert!(!publisher.port.may_read());
    rig.advance(1);
    assert_eq!(publisher.port.deadline(), Some(rig.now().mono));
    publisher.turn(&rig);
    assert!(publisher.port.may_read(), "a slow one delays nobody");
    for _ in 0..300 {
        publisher.send(&topic("t"), &body, FAST, None);
        assert!(publisher.port.may_read());
    }
    let dropped = rig.broker.counters().totals().dropped_slow;
    subscriber.chunked.clear();
    subscriber.turn(&rig);
    assert!(dropped > 100, "{dropped}");
    assert_eq!(subscriber.chunked.len() as u64 + dropped, 300 + sent as u64);
    // Drained, it holds its publishers back again.
    assert_eq!(fill(&mut publisher), sent);
}
