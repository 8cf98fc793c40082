//! Dead letters: where they go, what they say, and many at once.

use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{Credit, DeadLetter, Order, Outcome, Overflow, PartialPolicy, Settings, Tags};

use super::kit::*;
use crate::broker::undertaker::note;

fn around() -> DeadLetter {
    DeadLetter::Around("DLQ.".into(), ".dead".into())
}

#[test]
fn a_queue_may_be_named_after_the_one_that_gives_up() {
    let set = PartialPolicy {
        dead_letter: Some(around()),
        max_messages: Some(3),
        overflow: Some(Overflow::DeadLetter),
        max_deliveries: Some(1),
        ..PartialPolicy::default()
    };
    let rig = Rig::memory(settings([("queue://q", set)]));
    let mut client = rig.client();
    let expiring = How { expires: rig.now().wall.plus(Millis(10)), ..SAFE };
    client.send(&queue("q"), "pushed out", SAFE, None);
    client.send(&queue("q"), "late", expiring, None);
    client.send(&queue("q"), "poison", SAFE, None);
    client.send(&queue("q"), "rejected", SAFE, None);
    rig.wait_for_burials();
    rig.advance(11);
    client.port.now = rig.now();
    let held = client.consume(&rig.queue("q"), 1, PLENTY);
    client.port.settle(&held, Tags::One(1), Outcome::Retry, Credit::default());
    client.port.settle(&held, Tags::One(2), Outcome::Reject, Credit::default());
    rig.wait_for_burials();
    let dlq = rig.queue("DLQ.q.dead");
    let mut bodies = rig.bodies(&dlq);
    bodies.sort();
    assert_eq!(bodies, ["late", "poison", "pushed out", "rejected"]);
    for (_, message) in rig.broker.browse(&dlq, Order(0), 10) {
        let time = message.notes.get(note::TIME).unwrap().parse::<u64>().unwrap();
        assert!((1_000_000..=1_000_011).contains(&time));
        assert_eq!(message.notes.get(note::QUEUE), Some("q"));
    }
    rig.check();
}

#[test]
fn what_a_consumer_says_of_what_it_refuses() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    client.send(&queue("q"), "one", SAFE, None);
    client.send(&queue("q"), "two", SAFE, None);
    let held = client.consume(&rig.queue("q"), 1, PLENTY);
    client.port.refuse(&held, Tags::One(1), "no such order".into());
    client.port.settle(&held, Tags::One(2), Outcome::Reject, Credit::default());
    rig.wait_for_burials();
    let dead = rig.broker.browse(&rig.queue("ActiveMQ.DLQ"), Order(0), 10);
    let causes: Vec<_> = dead.iter().map(|(_, message)| message.notes.get(note::CAUSE)).collect();
    assert_eq!(causes, [Some("no such order"), Some("refused by its consumer")]);
    rig.check();
}

#[test]
fn a_name_that_no_client_could_use_is_not_made() {
    let set = PartialPolicy { dead_letter: Some(around()), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://>", set)]));
    let mut client = rig.client();
    let name = ByteString::from("a.>.b");
    let odd = rig.broker.queue(Class::Queue, &name, true).unwrap().0;
    client.send(&queue(&name), "m", SAFE, None);
    let held = client.consume(&odd, 1, PLENTY);
    client.port.settle(&held, Tags::One(1), Outcome::Reject, Credit::default());
    rig.wait_for_burials();
    assert_eq!(rig.bodies(&rig.queue("ActiveMQ.DLQ")), ["m"]);
}

#[test]
fn what_has_no_dead_letter_queue_is_dropped_and_counted() {
    let set = PartialPolicy {
        dead_letter: Some(DeadLetter::Drop),
        max_messages: Some(2),
        overflow: Some(Overflow::DeadLetter),
        ..PartialPolicy::default()
    };
    let rig = Rig::memory(settings([("queue://q", set)]));
    let mut client = rig.client();
    let expiring = How { expires: rig.now().wall.plus(Millis(10)), ..SAFE };
    client.send(&queue("q"), "pushed out", SAFE, None);
    client.send(&queue("q"), "late", expiring, None);
    client.send(&queue("q"), "rejected", SAFE, None);
    rig.advance(11);
    client.port.now = rig.now();
    let held = client.consume(&rig.queue("q"), 1, PLENTY);
    client.port.settle(&held, Tags::One(1), Outcome::Reject, Credit::default());
    let stats = rig.stats(&rig.queue("q"));
    let dropped = stats.dropped;
    assert_eq!((dropped.overflow, dropped.expired, dropped.poison, stats.dying), (1, 1, 1, 0));
    assert!(rig.bodies(&rig.queue("ActiveMQ.DLQ")).is_empty());
    rig.check();
}

#[test]
fn many_at_once_are_moved_in_few_batches() {
    const COUNT: u64 = 5_000;
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    let expiring = How { expires: rig.now().wall.plus(Millis(10)), ..SAFE };
    for n in 0..COUNT {
        client.stage(&queue("q"), &format!("{n:05}"), expiring, None);
    }
    client.flush();
    let appended = || rig.broker.log.stats().appended.0;
    let before = appended();
    rig.advance(11);
    client.port.now = rig.now();
    let _held = client.consume(&rig.queue("q"), 1, PLENTY);
    rig.wait("the dead letters", || rig.stats(&rig.queue("q")).dead_lettered == COUNT);
    let bodies = rig.bodies(&rig.queue("ActiveMQ.DLQ"));
    assert_eq!(bodies.len() as u64, COUNT);
    assert!(bodies.is_sorted(), "in the order in which they expired");
    let batches = appended() - before;
    assert!(batches < COUNT / 20, "{batches} batches");
    assert_eq!(rig.broker.counters().totals().dead_lettered, COUNT);
    rig.check();
}

#[test]
fn a_dead_letter_queue_takes_what_it_has_room_for() {
    let full = PartialPolicy {
        max_messages: Some(30),
        overflow: Some(Overflow::Reject),
        ..PartialPolicy::default()
    };
    let rig = Rig::memory(settings([("queue://ActiveMQ.DLQ", full)]));
    let mut client = rig.client();
    for n in 0..100 {
        client.stage(&queue("q"), &format!("{n:03}"), SAFE, None);
    }
    client.flush();
    let cell = rig.queue("q");
    let held = client.consume(&cell, 1, PLENTY);
    client.port.settle(&held, Tags::UpTo(100), Outcome::Reject, Credit::default());
    rig.wait_for_burials();
    assert_eq!(rig.bodies(&rig.queue("ActiveMQ.DLQ")).len(), 30);
    assert_eq!((rig.stats(&cell).delayed, rig.broker.counters().totals().dead_refused), (70, 70));
    rig.check();
}
