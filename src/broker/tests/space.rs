//! Space on the disk and in memory: compaction gives it back, paging keeps it small.

use tempfile::tempdir;
use wharfmq_core::{Credit, Entry, Order, Outcome, PartialPolicy, Settings, Tags, limits};

use super::kit::*;

/// Looks after the log until it has hardly more than what is live.
fn tidy(rig: &Rig) {
    rig.wait("the log to become small", || {
        rig.broker.keep();
        rig.broker.log.stats().bytes <= 8 * SEGMENT
    });
}

#[test]
fn a_stuck_message_does_not_hold_its_segment() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let (mut producer, mut consumer) = (rig.client(), rig.client());
    let cell = rig.queue("q");
    let held = consumer.consume(&cell, 1, PLENTY);
    let mut stuck = Vec::new();
    // Sixty segments, each with one or two that are never settled.
    for n in 0..4_000u64 {
        producer.send(&queue("q"), &format!("{n:04}{}", "x".repeat(200)), SAFE, Some(n));
        consumer.turn(&rig);
        if n % 100 == 50 {
            stuck.push(format!("{n:04}"));
        } else {
            assert_eq!(consumer.accept(&held, n + 1), 1);
        }
    }
    producer.settle_down(&rig);
    tidy(&rig);
    rig.check();
    drop((producer, consumer, held, cell));
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    let bodies = rig.bodies(&rig.queue("q"));
    assert_eq!(bodies.iter().map(|body| &body[..4]).collect::<Vec<_>>(), stuck);
    // And once they are settled, nothing is left.
    let mut consumer = rig.client();
    let cell = rig.queue("q");
    let held = consumer.consume(&cell, 1, PLENTY);
    consumer.turn_until(&rig, "all", |consumer| consumer.deliveries.len() == stuck.len());
    consumer.port.settle(&held, Tags::UpTo(u64::MAX), Outcome::Accept, Credit::default());
    assert_eq!(rig.broker.log.stats().live_bytes, 0);
    drop((consumer, held, cell));
    rig.abandon();
}

#[test]
fn live_bytes_are_what_is_live() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let long = "a-rather-long-name.".repeat(12);
    let cell = rig.queue(&long);
    let held = client.consume(&cell, 1, PLENTY);
    for n in 0..100 {
        client.send(&queue(&long), "tiny", SAFE, Some(n));
    }
    let one = u64::from(rig.broker.browse(&cell, Order(0), 1)[0].0.size);
    for left in (0..100u64).rev() {
        client.accept(&held, 100 - left);
        assert_eq!(rig.broker.log.stats().live_bytes, left * one);
    }
}

#[test]
fn retained_messages_do_not_hold_segments() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    for n in 0..3_000u64 {
        let name = if n % 100 == 7 { format!("rare.{n:04}") } else { format!("often.{}", n % 7) };
        client.send(&topic(&name), &format!("{n:04}{}", "x".repeat(200)), RETAIN, Some(n));
    }
    client.settle_down(&rig);
    let before = retained(&rig, &pattern(">"));
    assert_eq!(before.len(), 37);
    tidy(&rig);
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    assert_eq!(retained(&rig, &pattern(">")), before);
    rig.abandon();
}

#[test]
fn a_backlog_stays_on_disk_and_drains_in_order() {
    const COUNT: u64 = 200_000;
    let dir = tempdir().unwrap();
    let journal = wharfmq_store::JournalOptions {
        disk_free_min: 0,
        segment_bytes: 8 << 20,
        ..wharfmq_store::JournalOptions::new(dir.path())
    };
    let journal = std::sync::Arc::new(wharfmq_store::Journal::open(journal).unwrap());
    let rig = Rig::on(journal, Settings::default(), 1 << 30);
    let mut producer = rig.client();
    let cell = rig.queue("q");
    let filler = "x".repeat(1_016);
    for n in 0..COUNT {
        producer.stage(&queue("q"), &format!("{n:08}{filler}"), SAFE, None);
        if n % 100 == 99 {
            producer.flush();
            producer.turn(&rig);
            let resident = rig.stats(&cell).resident_bytes;
            assert!(resident <= limits::RESIDENT_BYTES_PER_QUEUE + 200_000, "{resident} bytes resident");
        }
    }
    assert_eq!(rig.stats(&cell).ready, COUNT);
    assert_eq!(rig.broker.memory.used(), rig.stats(&cell).resident_bytes);
    const { assert!(size_of::<Entry>() <= 100) };
    let mut consumer = rig.client();
    let credit = Credit { messages: 200, bytes: u32::MAX };
    let held = consumer.consume(&cell, 1, credit);
    let mut next = 0;
    while next < COUNT {
        consumer.turn_until(&rig, "deliveries", |consumer| !consumer.deliveries.is_empty());
        let (mut last, count) = (0, consumer.deliveries.len() as u32);
        for delivery in consumer.deliveries.drain(..) {
            assert_eq!(&delivery.message.body[..8], format!("{next:08}").as_bytes());
            (next, last) = (next + 1, delivery.tag);
        }
        let credit = Credit { messages: count, bytes: 0 };
        let found = consumer.port.settle(&held, Tags::UpTo(last), Outcome::Accept, credit);
        assert_eq!(found, count as usize);
        let resident = rig.stats(&cell).resident_bytes;
        assert!(resident <= limits::RESIDENT_BYTES_PER_QUEUE * 2, "{resident} bytes resident");
    }
    assert_eq!((rig.broker.memory.used(), rig.broker.log.stats().live_bytes), (0, 0));
    rig.check();
}

#[test]
fn a_drained_log_that_is_full_makes_room() {
    let disk = wharfmq_store::sim::SimDisk::new(3);
    disk.set_capacity(40 * SEGMENT);
    let rig = Rig::sim(&disk, Settings::default());
    // The first look writes a checkpoint in any case.
    rig.broker.keep();
    let (mut producer, mut consumer) = (rig.client(), rig.client());
    let mut sent = 0;
    while producer.port.may_read() {
        producer.send(&queue("q"), &"x".repeat(1_000), SAFE, Some(sent));
        producer.turn(&rig);
        sent += 1;
    }
    // All at once, so that no segment is ever sparse.
    let held = consumer.consume(&rig.queue("q"), 1, PLENTY);
    consumer.turn_until(&rig, "all but the last", |consumer| consumer.deliveries.len() as u64 == sent - 1);
    consumer.port.settle(&held, Tags::UpTo(u64::MAX), Outcome::Accept, Credit::default());
    rig.wait("room", || {
        rig.broker.keep();
        !rig.broker.log.is_full()
    });
    rig.advance(50);
    producer.settle_down(&rig);
    assert_eq!(producer.confirmed().len() as u64, sent);
}

#[test]
fn what_compaction_has_moved_is_still_found() {
    let dir = tempdir().unwrap();
    let paging = PartialPolicy { resident_bytes: Some(1), ..PartialPolicy::default() };
    let rig = Rig::journal(dir.path(), settings([("queue://q", paging)]));
    let (mut producer, mut consumer) = (rig.client(), rig.client());
    let held = consumer.consume(&rig.queue("other"), 1, PLENTY);
    for n in 0..3_000u64 {
        let to = if n % 500 == 0 { "q" } else { "other" };
        producer.stage(&queue(to), &format!("{n:04}{}", "x".repeat(200)), SAFE, Some(n));
        if n % 10 == 9 {
            producer.flush();
        }
    }
    producer.settle_down(&rig);
    let cell = rig.queue("q");
    let mut before = Vec::new();
    cell.lock().queue().browse(Order(0), 10, &mut before);
    consumer.turn(&rig);
    consumer.port.settle(&held, Tags::UpTo(u64::MAX), Outcome::Accept, Credit::default());
    let paged: Vec<&Entry> = before.iter().filter(|entry| entry.message.is_none()).collect();
    assert!(paged.len() >= 4);
    rig.wait("compaction", || {
        rig.broker.keep();
        paged.iter().any(|entry| rig.broker.read_one(entry.at).is_none())
    });
    for entry in &paged {
        assert!(rig.broker.read_moved(&cell, entry.order, entry.at).is_some());
    }
    let wanted = paged.iter().map(|entry| (entry.order, entry.at)).collect();
    rig.broker.page_in(crate::broker::threads::Load { cell: cell.clone(), wanted });
    assert_eq!(rig.broker.counters().totals().lost_on_read, 0);
    let held = consumer.consume(&cell, 2, PLENTY);
    consumer.turn_until(&rig, "all six", |consumer| consumer.deliveries.len() >= 6);
    consumer.port.settle(&held, Tags::UpTo(u64::MAX), Outcome::Accept, Credit::default());
    assert_eq!(rig.broker.memory.used(), 0);
}
