//! Single situations that are easy to get wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytestring::ByteString;
use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{Credit, Outcome, Overflow, PartialPolicy, Settings, Tags, Token};
use wharfmq_store::sim::SimDisk;

use super::kit::*;
use crate::broker::Binding;

fn limited(max: u64, overflow: Overflow) -> PartialPolicy {
    PartialPolicy { max_messages: Some(max), overflow: Some(overflow), ..PartialPolicy::default() }
}

fn bind(client: &mut Client, name: &str, to: &str) -> Arc<wharfmq_core::QueueCell> {
    let (cell, _) = client.port.open(Class::Durable, &name.into(), true).unwrap();
    let binding = Binding {
        pattern: pattern(to),
        flags: 2,
        no_local: false,
        filter: None,
        options: bytes::Bytes::new(),
    };
    client.port.bind(&cell, binding).unwrap();
    cell
}

#[test]
fn what_was_parked_keeps_its_bytes() {
    let rig = Rig::memory(settings([("queue://q", limited(1, Overflow::Block))]));
    let (mut producer, mut consumer) = (rig.client(), rig.client());
    for (n, body) in ["one", "two", "three"].into_iter().enumerate() {
        producer.stage(&queue("q"), body, SAFE, Some(n as u64));
    }
    producer.flush();
    producer.send(&queue("q"), "four", SAFE, Some(3));
    assert!(!producer.port.may_read());
    let held = consumer.consume(&rig.queue("q"), 1, PLENTY);
    for (tag, body) in ["one", "two", "three", "four"].into_iter().enumerate() {
        producer.turn(&rig);
        consumer.turn(&rig);
        assert_eq!(consumer.take_bodies(), [body]);
        consumer.accept(&held, tag as u64 + 1);
    }
    producer.settle_down(&rig);
    assert_eq!(producer.confirmed(), [0, 1, 2, 3]);
    rig.check();
}

#[test]
fn a_refused_publication_leaves_no_reservation() {
    let rig = Rig::memory(settings([
        ("topic://roomy", limited(2, Overflow::Block)),
        ("topic://full", limited(1, Overflow::Block)),
    ]));
    let mut client = rig.client();
    // Routes name queues by their numbers, so the one with room is asked first.
    let (roomy, full) = (bind(&mut client, "roomy", "t"), bind(&mut client, "full", "t"));
    // Who consumes is refused instead of held back.
    let held = client.consume(&full, 1, Credit::default());
    client.send(&topic("t"), "first", SAFE, Some(0));
    for n in 1..10 {
        client.send(&topic("t"), "refused", SAFE, Some(n));
    }
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [0]);
    client.port.cancel(&held, 0);
    let _held = client.consume(&rig.queue("other"), 1, Credit::default());
    client.port.delete(&full).unwrap();
    client.send(&topic("t"), "second", SAFE, Some(10));
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [0, 10], "the refused ones took no room");
    assert_eq!(rig.bodies(&roomy), ["first", "second"]);
    rig.check();
}

#[test]
fn a_cleared_topic_stays_clear() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    for (body, token) in [("one", 1), ("two", 2), ("", 3)] {
        client.send(&topic("a.b"), body, RETAIN, Some(token));
    }
    client.send(&topic("a.c"), "kept", RETAIN, Some(4));
    client.settle_down(&rig);
    let all = pattern(">");
    assert_eq!(retained(&rig, &all), [("a.c".into(), "kept".into())].into());
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    assert_eq!(retained(&rig, &all), [("a.c".into(), "kept".into())].into());
    rig.abandon();
}

#[test]
fn a_checkpoint_never_names_what_was_buried() {
    for round in 0..10 {
        let dir = tempdir().unwrap();
        let rig = Rig::journal(dir.path(), Settings::default());
        let mut client = rig.client();
        for n in 0..400 {
            client.stage(&queue("q"), &format!("{n}"), SAFE, None);
        }
        client.flush();
        let held = client.consume(&rig.queue("q"), 1, PLENTY);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    rig.broker.checkpoint().unwrap();
                }
            });
            for tag in 1..=400 {
                client.port.settle(&held, Tags::One(tag), Outcome::Reject, Credit::default());
            }
            rig.wait_for_burials();
            stop.store(true, Ordering::Relaxed);
        });
        rig.check();
        drop((client, held));
        rig.abandon();
        let rig = Rig::journal(dir.path(), Settings::default());
        let (left, dead) = (rig.bodies(&rig.queue("q")), rig.bodies(&rig.queue("ActiveMQ.DLQ")));
        assert_eq!((left.len(), dead.len()), (0, 400), "round {round}");
        rig.abandon();
    }
}

#[test]
fn a_deleted_queue_gives_everything_back() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let cell = bind(&mut client, "s", "t");
    let route = client.port.route(&Arc::new(topic("t"))).unwrap();
    for n in 0..10 {
        client.send(&topic("t"), &format!("{n}"), SAFE, None);
    }
    let held = client.consume(&cell, 1, Credit { messages: 5, bytes: u32::MAX });
    client.port.delete(&cell).unwrap();
    // What is still in flight is settled in part, and a publisher comes late with an old route.
    client.accept(&held, 1);
    let item = client.item("late", SAFE);
    client.port.publish(&route, item, Some(Token(1)));
    client.flush();
    client.port.cancel(&held, u64::MAX);
    client.settle_down(&rig);
    assert_eq!(rig.broker.log.stats().live_bytes, 0);
    assert_eq!(rig.broker.memory.used(), 0);
    cell.lock().queue().check();
    assert_eq!(rig.stats(&cell).stored(), 0);
    drop((client, held, cell, route));
    rig.abandon();
}

#[test]
fn deleting_twice_spares_the_successor() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let first = rig.queue("q");
    client.port.delete(&first).unwrap();
    let second = rig.queue("q");
    client.port.delete(&first).unwrap();
    client.send(&queue("q"), "kept", SAFE, Some(1));
    client.settle_down(&rig);
    assert!(Arc::ptr_eq(&rig.queue("q"), &second));
    assert_eq!(rig.bodies(&second), ["kept"]);
    drop((client, first, second));
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    assert_eq!(rig.bodies(&rig.queue("q")), ["kept"]);
    rig.abandon();
}

#[test]
fn everyone_who_makes_a_queue_reaches_it() {
    let rig = Rig::memory(Settings::default());
    const NAMES: usize = 2_000;
    std::thread::scope(|scope| {
        for who in 0..3 {
            let rig = &rig;
            scope.spawn(move || {
                let mut client = rig.client();
                for name in 0..NAMES {
                    client.send(&queue(&format!("q{name}")), &format!("{who}"), SAFE, None);
                }
            });
        }
    });
    for name in 0..NAMES {
        assert_eq!(rig.bodies(&rig.queue(&format!("q{name}"))).len(), 3, "q{name}");
    }
}

#[test]
fn a_log_that_has_failed_confirms_no_settle() {
    let disk = SimDisk::new(1);
    let rig = Rig::sim(&disk, Settings::default());
    let mut client = rig.client();
    client.send(&queue("q"), "m", SAFE, Some(1));
    client.settle_down(&rig);
    let held = client.consume(&rig.queue("q"), 1, PLENTY);
    // Something else breaks the log, and whoever settles afterwards must not be told that all is well.
    let mut other = rig.client();
    rig.wait("the log to fail", || {
        // The upkeep of the log may take the error, which it survives.
        disk.fail_after(0);
        let mut breaker = rig.client();
        breaker.send(&queue("q"), "x", SAFE, None);
        rig.broker.log.durable().failure().is_some()
    });
    other.turn(&rig);
    assert_eq!(client.accept(&held, 1), 1);
    client.port.confirm(Token(2));
    client.flush();
    for _ in 0..10 {
        client.turn(&rig);
    }
    assert_eq!(client.confirmed(), [1]);
}

#[test]
fn memory_pressure_stops_publishers_and_lets_consumers_in() {
    let rig = Rig::on(Arc::new(wharfmq_store::MemoryLog::new()), Settings::default(), 100_000);
    let mut producer = rig.client();
    let body = "x".repeat(1_000);
    for _ in 0..120 {
        producer.send(&queue("q"), &body, FAST, None);
    }
    assert!(!producer.port.may_read());
    let mut consumer = rig.client();
    assert!(consumer.port.may_read(), "who has published nothing may come to consume");
    let held = consumer.consume(&rig.queue("q"), 1, PLENTY);
    consumer.turn(&rig);
    for tag in 1..=120 {
        assert_eq!(consumer.accept(&held, tag), 1);
    }
    assert!(producer.port.may_read());
    assert_eq!(rig.broker.memory.used(), 0);
}

#[test]
fn sessions_that_come_and_go_leave_no_appointments() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    let (cell, _) = client.port.open(Class::Session, &ByteString::from("s"), true).unwrap();
    for n in 0..1_000 {
        client.port.expire_queue(&cell, Millis(10_000_000 + n));
        client.port.expire_queue(&cell, Millis::NEVER);
    }
    assert!(rig.broker.threads.appointments() <= 1);
    client.port.expire_queue(&cell, Millis(10_000_000));
    client.port.delete(&cell).unwrap();
    assert_eq!(rig.broker.threads.appointments(), 0);
}

#[test]
fn state_goes_with_its_publication() {
    let rig = Rig::memory(settings([("queue://q", limited(1, Overflow::Block))]));
    let (mut producer, mut consumer) = (rig.client(), rig.client());
    let (session, _) = producer.port.open(Class::Session, &"s".into(), true).unwrap();
    let key = |n: u8| bytes::Bytes::from(vec![n]);
    for n in 1..=3 {
        producer.port.remember(&session, key(n), Some(key(n)));
        producer.stage(&queue("q"), &format!("{n}"), SAFE, Some(u64::from(n)));
    }
    producer.flush();
    let held = consumer.consume(&rig.queue("q"), 1, PLENTY);
    for tag in 1..=3 {
        let known: Vec<_> = producer.port.recall(&session).into_iter().map(|(key, _)| key[0]).collect();
        assert_eq!(known, (1..=tag as u8).collect::<Vec<_>>());
        consumer.accept(&held, tag);
        producer.turn(&rig);
    }
    assert_eq!(producer.confirmed(), [1, 2, 3]);
}
