//! What publications ask of their queues: delays, groups, identities; and all of it after a restart.

use bytestring::ByteString;
use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{
    Credit, Entry, GroupId, Novelty, Order, Outcome, Overflow, PartialPolicy, QueueCell, Settings, Tags,
    Terms, limits,
};
use wharfmq_store::sim::SimDisk;

use super::kit::*;
use crate::broker::{Binding, Xid};

/// Where every test's clock begins.
const START: u64 = 1_000_000;

fn due(at: u64) -> Terms {
    Terms { due: Millis(START + at), ..Terms::default() }
}

fn grouped(name: &str) -> Terms {
    Terms { group: GroupId::of(name), ..Terms::default() }
}

fn known_as(id: &str) -> Terms {
    Terms { dedup: id.into(), ..Terms::default() }
}

/// Duplicates are dropped within ten seconds, told apart by the header `id`.
fn deduplicating() -> PartialPolicy {
    PartialPolicy {
        dedup: Some(Millis(10_000)),
        dedup_by: Some(ByteString::from_static("id")),
        ..PartialPolicy::default()
    }
}

fn once() -> Settings {
    settings([("queue://once", deduplicating()), ("topic://>", deduplicating())])
}

fn durable(rig: &Rig, client: &mut Client, name: &str, to: &str) -> std::sync::Arc<QueueCell> {
    let cell = client.port.open(Class::Durable, &name.into(), true).unwrap().0;
    let options = bytes::Bytes::new();
    let binding = Binding { pattern: pattern(to), flags: 2, no_local: false, filter: None, options };
    client.port.bind(&cell, binding).unwrap();
    client.settle_down(rig);
    cell
}

fn browse(rig: &Rig, cell: &std::sync::Arc<QueueCell>) -> Vec<Entry> {
    rig.broker.browse(cell, Order(0), 1_000).into_iter().map(|(entry, _)| entry).collect()
}

#[test]
fn a_delayed_message_comes_when_it_is_due() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    let cell = rig.queue("q");
    client.consume(&cell, 1, PLENTY);
    client.stage_with(&queue("q"), ("", "late"), SAFE, due(2_000), Some(1));
    client.stage_with(&queue("q"), ("", "later"), FAST, due(3_000), Some(2));
    client.stage_with(&queue("q"), ("", "over"), SAFE, due(0), Some(3));
    client.stage(&queue("q"), "now", SAFE, Some(4));
    client.flush();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [1, 2, 3, 4]);
    assert_eq!(client.take_bodies(), ["over", "now"]);
    assert_eq!(rig.stats(&cell).delayed, 2);
    for (step, expected) in [(2_000, "late"), (1_000, "later")] {
        rig.advance(step);
        rig.broker.clock_moved();
        client.turn_until(&rig, "what is due", |client| !client.deliveries.is_empty());
        assert_eq!(client.take_bodies(), [expected]);
    }
    rig.check();
}

#[test]
fn delays_survive_a_restart() {
    for checkpoint in [false, true] {
        let dir = tempdir().unwrap();
        let rig = Rig::journal(dir.path(), Settings::default());
        let mut client = rig.client();
        // Large, so that some segments are known by their index alone.
        let filler = "-".repeat(3_000);
        for n in 0..12 {
            let how = if n % 2 == 0 { SAFE } else { FAST };
            let body = format!("{n:02}{filler}");
            client.stage_with(&queue("q"), ("", &body), how, due(1_000 * (1 + n)), Some(n));
            client.flush();
        }
        client.send(&queue("q"), "plain", SAFE, None);
        client.send(&queue("q"), "lost", FAST, None);
        client.settle_down(&rig);
        if checkpoint {
            rig.broker.checkpoint().unwrap();
        }
        drop(client);
        rig.abandon();
        // Five of them became due while the broker was down.
        let rig = Rig::journal_at(dir.path(), Settings::default(), START + 5_000);
        let cell = rig.queue("q");
        let stats = rig.stats(&cell);
        assert_eq!((stats.ready, stats.delayed), (6, 7), "checkpoint: {checkpoint}");
        let mut client = rig.client();
        client.consume(&cell, 1, PLENTY);
        let short = |client: &mut Client| -> Vec<String> {
            client.take_bodies().iter().map(|body| body.trim_end_matches('-').to_owned()).collect()
        };
        client.turn_until(&rig, "what is due", |client| client.deliveries.len() == 6);
        assert_eq!(short(&mut client), ["00", "01", "02", "03", "04", "plain"]);
        rig.advance(6_000);
        rig.broker.clock_moved();
        client.turn_until(&rig, "what is due", |client| client.deliveries.len() == 6);
        assert_eq!(short(&mut client), ["05", "06", "07", "08", "09", "10"]);
        rig.check();
        drop(client);
        rig.abandon();
    }
}

#[test]
fn compaction_keeps_what_was_asked_for() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let held = client.consume(&rig.queue("gone"), 1, PLENTY);
    let asked = Terms { closes_group: true, ..grouped("g") };
    client.stage_with(&queue("kept"), ("", "late"), FAST, Terms { due: Millis(START + 500), ..asked }, None);
    for _ in 0..60 {
        client.send(&queue("gone"), &"-".repeat(1_000), SAFE, None);
    }
    client.settle_down(&rig);
    client.port.settle(&held, Tags::UpTo(60), Outcome::Accept, Credit::default());
    let segment = |rig: &Rig| browse(rig, &rig.queue("kept"))[0].at.segment;
    let first = segment(&rig);
    rig.wait("compaction", || {
        rig.broker.keep();
        segment(&rig) > first
    });
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    let entries = browse(&rig, &rig.queue("kept"));
    assert_eq!((entries[0].group, entries[0].closes_group), (GroupId::of("g"), true));
    assert_eq!(rig.stats(&rig.queue("kept")).delayed, 1);
    rig.abandon();
}

#[test]
fn groups_survive_a_restart() {
    for checkpoint in [false, true] {
        let dir = tempdir().unwrap();
        let rig = Rig::journal(dir.path(), Settings::default());
        let mut client = rig.client();
        let sub = durable(&rig, &mut client, "s", "t");
        for to in [queue("q"), topic("t")] {
            client.stage(&to, "plain", SAFE, None);
            client.stage_with(&to, ("", "grouped"), SAFE, grouped("g"), None);
            let last = Terms { closes_group: true, ..grouped("g") };
            client.stage_with(&to, ("", "last"), SAFE, last, None);
        }
        client.flush();
        client.settle_down(&rig);
        if checkpoint {
            rig.broker.checkpoint().unwrap();
        }
        let (name, class) = (sub.name.clone(), sub.class);
        drop((client, sub));
        rig.abandon();
        let rig = Rig::journal(dir.path(), Settings::default());
        let sub = rig.broker.queues().find(class, &name).unwrap();
        for cell in [rig.queue("q"), sub] {
            let groups: Vec<_> = browse(&rig, &cell).iter().map(|e| (e.group, e.closes_group)).collect();
            let g = GroupId::of("g");
            assert_eq!(groups, [(GroupId::NONE, false), (g, false), (g, true)]);
        }
        rig.abandon();
    }
}

#[test]
fn a_life_begins_when_the_message_is_due() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    let short = How { expires: Millis(START + 100), ..SAFE };
    client.stage_with(&queue("q"), ("", "m"), short, due(5_000), None);
    client.flush();
    assert_eq!(browse(&rig, &rig.queue("q"))[0].expires, Millis(START + 5_100));
}

#[test]
fn what_waits_for_room_still_asks_for_the_same() {
    let full =
        PartialPolicy { max_messages: Some(1), overflow: Some(Overflow::Block), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://q", full)]));
    let cell = rig.queue("q");
    let (mut client, mut consumer) = (rig.client(), rig.client());
    client.stage(&queue("q"), "first", SAFE, Some(1));
    client.stage(&queue("other"), "x", SAFE, Some(2));
    client.stage(&queue("q"), "second", SAFE, Some(3));
    client.stage_with(&queue("other"), ("", "y"), SAFE, grouped("g"), Some(4));
    client.flush();
    // Behind what is parked already.
    client.stage(&queue("other"), "z", SAFE, Some(5));
    client.stage_with(&queue("other"), ("", "last"), SAFE, due(9_000), Some(6));
    client.flush();
    assert_eq!(rig.bodies(&rig.queue("other")), ["x"]);
    let held = consumer.consume(&cell, 1, PLENTY);
    consumer.turn_until(&rig, "a message", |consumer| !consumer.deliveries.is_empty());
    consumer.accept(&held, 1);
    client.settle_down(&rig);
    let other = browse(&rig, &rig.queue("other"));
    let groups: Vec<_> = other.iter().map(|entry| entry.group).collect();
    assert_eq!(groups, [GroupId::NONE, GroupId::of("g"), GroupId::NONE, GroupId::NONE]);
    assert_eq!(rig.stats(&rig.queue("other")).delayed, 1);
}

#[test]
fn a_transaction_carries_what_was_asked_for() {
    let rig = Rig::memory(once());
    let mut client = rig.client();
    client.port.begin(&"tx".into()).unwrap();
    client.send_in("tx", &queue("q"), "plain");
    client.send_in_with("tx", &queue("q"), "grouped", SAFE, Some(grouped("g")));
    client.send_in_with("tx", &queue("once"), "first", SAFE, Some(known_as("a")));
    client.send_in_with("tx", &queue("once"), "again", SAFE, Some(known_as("a")));
    client.port.commit("tx", Some(wharfmq_core::Token(7))).unwrap();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [7]);
    let groups: Vec<_> = browse(&rig, &rig.queue("q")).iter().map(|entry| entry.group).collect();
    assert_eq!(groups, [GroupId::NONE, GroupId::of("g")]);
    assert_eq!(rig.bodies(&rig.queue("once")), ["first"]);
    assert_eq!(rig.stats(&rig.queue("once")).duplicates, 1);
}

#[test]
fn a_delay_begins_with_the_commit() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    client.port.begin(&"tx".into()).unwrap();
    client.send_in_with("tx", &queue("q"), "late", SAFE, Some(due(1_000)));
    rig.advance(5_000);
    client.port.now = rig.now();
    client.port.commit("tx", None).unwrap();
    assert_eq!(rig.stats(&rig.queue("q")).delayed, 1);
    client.consume(&rig.queue("q"), 1, PLENTY);
    rig.advance(1_000);
    rig.broker.clock_moved();
    client.turn_until(&rig, "the message", |client| !client.deliveries.is_empty());
}

#[test]
fn a_prepared_transaction_carries_what_was_asked_for() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), once());
    let xid = Xid::new(1, vec![1], vec![2]).unwrap();
    let mut client = rig.client();
    client.port.begin(&"tx".into()).unwrap();
    client.send_in_with(
        "tx",
        &queue("q"),
        "late",
        FAST,
        Some(Terms { due: Millis(START + 99), ..grouped("g") }),
    );
    client.send_in("tx", &queue("q"), "plain");
    client.send_in_with("tx", &queue("once"), "known", SAFE, Some(known_as("a")));
    client.port.prepare("tx", &xid, Some(wharfmq_core::Token(1))).unwrap();
    client.settle_down(&rig);
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), once());
    let mut client = rig.client();
    client.commit_prepared(&rig, &xid, Some(wharfmq_core::Token(2))).unwrap();
    client.stage_with(&queue("once"), ("id=a", "again"), SAFE, Terms::default(), Some(3));
    client.flush();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [2, 3]);
    let groups: Vec<_> = browse(&rig, &rig.queue("q")).iter().map(|entry| entry.group).collect();
    assert_eq!(groups, [GroupId::of("g"), GroupId::NONE]);
    assert_eq!(rig.stats(&rig.queue("q")).delayed, 1);
    assert_eq!(rig.bodies(&rig.queue("once")), ["known"]);
    drop(client);
    rig.abandon();
}

#[test]
fn duplicates_are_confirmed_and_dropped() {
    let rig = Rig::memory(once());
    let mut client = rig.client();
    let cell = rig.queue("once");
    // By the header, and by the identity that was given; in one flush and in several.
    client.stage_with(&queue("once"), ("id=a", "1"), SAFE, Terms::default(), Some(1));
    client.stage_with(&queue("once"), ("x=;id=a", "2"), SAFE, Terms::default(), Some(2));
    client.stage_with(&queue("once"), ("", "3"), SAFE, known_as("a"), Some(3));
    client.stage_with(&queue("once"), ("id=b", "4"), SAFE, Terms::default(), Some(4));
    client.stage(&queue("once"), "5", SAFE, Some(5));
    client.flush();
    client.settle_down(&rig);
    let mut other = rig.client();
    other.stage_with(&queue("once"), ("id=b", "6"), FAST, Terms::default(), Some(6));
    other.flush();
    other.settle_down(&rig);
    assert_eq!((client.confirmed(), other.confirmed()), (vec![1, 2, 3, 4, 5], vec![6]));
    assert_eq!(rig.bodies(&cell), ["1", "4", "5"]);
    assert_eq!(rig.stats(&cell).duplicates, 3);
    // Other queues do not ask.
    client.stage_with(&queue("q"), ("id=a", "7"), SAFE, Terms::default(), None);
    client.stage_with(&queue("q"), ("id=a", "8"), SAFE, known_as("a"), None);
    client.flush();
    assert_eq!(rig.bodies(&rig.queue("q")), ["7", "8"]);
    // The window is over.
    rig.advance(10_000);
    client.port.now = rig.now();
    client.stage_with(&queue("once"), ("id=a", "9"), SAFE, Terms::default(), None);
    client.flush();
    assert_eq!(rig.bodies(&cell), ["1", "4", "5", "9"]);
    rig.check();
}

#[test]
fn subscriptions_drop_duplicates_each_for_itself() {
    let rig = Rig::memory(once());
    let mut client = rig.client();
    let all = durable(&rig, &mut client, "all", "t.*");
    client.stage_with(&topic("t.a"), ("id=1", "first"), SAFE, Terms::default(), None);
    client.flush();
    let late = durable(&rig, &mut client, "late", "t.a");
    let mut direct = rig.client();
    direct.port.subscribe(&pattern("t.a"), wharfmq_core::SubTag(1), false, false, None);
    client.stage_with(&topic("t.a"), ("id=1", "again"), SAFE, Terms::default(), Some(1));
    client.flush();
    client.settle_down(&rig);
    direct.turn(&rig);
    assert_eq!((rig.bodies(&all), rig.bodies(&late)), (vec!["first".into()], vec!["again".into()]));
    assert_eq!(direct.chunked, ["again"], "what stores nothing knows no identities");
}

#[test]
fn what_is_not_known_yet_is_waited_for() {
    let rig = Rig::memory(once());
    let cell = rig.queue("once");
    let id = ByteString::from_static("a");
    let now = rig.now().wall;
    // As by another connection between its admission and its append.
    assert_eq!(cell.lock().queue().try_first(&id, now), Novelty::New);
    let mut client = rig.client();
    client.stage_with(&queue("once"), ("id=b", "1"), SAFE, Terms::default(), Some(1));
    client.stage_with(&queue("once"), ("id=a", "2"), SAFE, Terms::default(), Some(2));
    client.flush();
    client.turn(&rig);
    assert_eq!((client.confirmed(), client.port.may_read()), (vec![1], false));
    client.port.begin(&"tx".into()).unwrap();
    client.send_in_with("tx", &queue("once"), "t", SAFE, Some(known_as("a")));
    client.send_in_with("tx", &queue("once"), "u", SAFE, Some(known_as("c")));
    client.port.commit("tx", Some(wharfmq_core::Token(9))).unwrap();
    cell.lock().queue().forget_first(&id);
    rig.advance(1_000);
    client.settle_down(&rig);
    assert_eq!(rig.bodies(&cell), ["1", "2"]);
    let refused = client.confirms.iter().find(|(token, _)| *token == 9).unwrap();
    assert!(refused.1.as_ref().unwrap_err().contains("same identity"), "{refused:?}");
    // Nothing of the transaction is remembered.
    client.stage_with(&queue("once"), ("id=c", "3"), SAFE, Terms::default(), None);
    client.flush();
    assert_eq!(rig.bodies(&cell), ["1", "2", "3"]);
}

#[test]
fn what_was_refused_is_no_duplicate() {
    let rejecting =
        PartialPolicy { max_messages: Some(1), overflow: Some(Overflow::Reject), ..deduplicating() };
    let rig = Rig::memory(settings([("queue://q", rejecting)]));
    let cell = rig.queue("q");
    let (mut client, mut consumer) = (rig.client(), rig.client());
    client.stage_with(&queue("q"), ("id=a", "1"), SAFE, Terms::default(), Some(1));
    client.stage_with(&queue("q"), ("id=b", "2"), SAFE, Terms::default(), Some(2));
    client.flush();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [1]);
    let held = consumer.consume(&cell, 1, PLENTY);
    consumer.accept(&held, 1);
    client.stage_with(&queue("q"), ("id=b", "3"), SAFE, Terms::default(), Some(3));
    client.flush();
    client.settle_down(&rig);
    assert_eq!((client.confirmed(), rig.bodies(&cell)), (vec![1, 3], vec!["3".into()]));
}

#[test]
fn identities_are_short() {
    let rig = Rig::memory(once());
    let mut client = rig.client();
    let longest = "x".repeat(limits::IDENTITY_BYTES_MAX);
    client.stage_with(&queue("once"), (&format!("id={longest}"), "1"), SAFE, Terms::default(), Some(1));
    client.stage_with(&queue("once"), (&format!("id={longest}x"), "2"), SAFE, Terms::default(), Some(2));
    client.stage_with(&queue("once"), ("", "3"), SAFE, known_as(&format!("y{longest}")), Some(3));
    client.flush();
    client.settle_down(&rig);
    assert_eq!((client.confirmed(), rig.bodies(&rig.queue("once"))), (vec![1], vec!["1".into()]));
    assert_eq!(client.confirms[1].1, Err("id has 257 bytes; it may have 256".into()));
}

#[test]
fn identities_survive_a_restart_and_a_crash() {
    for (seed, checkpoints) in [(1, 0), (2, 1), (3, 2)] {
        let disk = SimDisk::new(seed);
        let rig = Rig::sim(&disk, once());
        let mut client = rig.client();
        let consumer = client.consume(&rig.queue("once"), 1, PLENTY);
        for n in 0..20 {
            client.stage_with(&queue("once"), (&format!("id={n}"), "m"), SAFE, Terms::default(), Some(n));
            client.flush();
            if n == 10 && checkpoints > 0 {
                rig.broker.checkpoint().unwrap();
            }
        }
        client.settle_down(&rig);
        // Also of those that are done with.
        client.port.settle(&consumer, Tags::UpTo(20), Outcome::Accept, Credit::default());
        client.port.confirm(wharfmq_core::Token(99));
        client.flush();
        client.settle_down(&rig);
        if checkpoints > 1 {
            rig.broker.checkpoint().unwrap();
        }
        drop(client);
        let disk = disk.reboot();
        rig.abandon();
        for restart in 0..2 {
            let rig = Rig::sim(&disk, once());
            let cell = rig.queue("once");
            let mut client = rig.client();
            for n in 0..20 {
                client.stage_with(&queue("once"), (&format!("id={n}"), "m"), SAFE, Terms::default(), Some(n));
            }
            client.flush();
            client.settle_down(&rig);
            assert_eq!(client.confirmed().len(), 20);
            assert_eq!(rig.stats(&cell).duplicates, 20, "seed {seed}, restart {restart}");
            assert!(rig.bodies(&cell).is_empty());
            drop(client);
            rig.broker.checkpoint().unwrap();
            rig.abandon();
        }
        let rig = Rig::sim(&disk, once());
        let mut client = rig.client();
        rig.advance(10_001);
        client.port.now = rig.now();
        client.stage_with(&queue("once"), ("id=3", "m"), SAFE, Terms::default(), None);
        client.flush();
        assert_eq!(rig.bodies(&rig.queue("once")).len(), 1, "the window is over");
        drop(client);
        rig.abandon();
    }
}

#[test]
fn last_values_survive_a_restart() {
    let dir = tempdir().unwrap();
    let set = || {
        let last = Some(ByteString::from_static("key"));
        settings([("queue://last", PartialPolicy { last_value: Some(last), ..PartialPolicy::default() })])
    };
    let rig = Rig::journal(dir.path(), set());
    let mut client = rig.client();
    for n in 0..9 {
        let head = format!("key={}", n % 3);
        client.stage_with(&queue("last"), (&head, &n.to_string()), SAFE, Terms::default(), None);
    }
    client.stage(&queue("last"), "none", SAFE, None);
    client.flush();
    client.settle_down(&rig);
    assert_eq!(rig.bodies(&rig.queue("last")), ["6", "7", "8", "none"]);
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), set());
    let mut client = rig.client();
    client.stage_with(&queue("last"), ("key=1", "new"), SAFE, Terms::default(), None);
    client.flush();
    assert_eq!(rig.bodies(&rig.queue("last")), ["6", "8", "none", "new"]);
    rig.check();
    drop(client);
    rig.abandon();
}

#[test]
fn a_dead_letter_asks_for_nothing_but_its_group() {
    let rig = Rig::memory(once());
    let mut client = rig.client();
    let terms = Terms { group: GroupId::of("g"), due: Millis(START + 50), ..known_as("a") };
    client.stage_with(&queue("once"), ("", "m"), SAFE, terms, None);
    client.flush();
    rig.advance(100);
    client.port.now = rig.now();
    let held = client.consume(&rig.queue("once"), 1, PLENTY);
    client.turn_until(&rig, "the message", |client| !client.deliveries.is_empty());
    client.port.settle(&held, Tags::One(1), Outcome::Reject, Credit::default());
    rig.wait_for_burials();
    let dead = rig.broker.browse(&rig.queue("ActiveMQ.DLQ"), Order(0), 1);
    assert_eq!(dead[0].1.terms.as_deref(), Some(&grouped("g")));
}

#[test]
fn what_a_full_log_did_not_take_is_no_duplicate() {
    let disk = SimDisk::new(5);
    disk.set_capacity(40 * SEGMENT);
    let rig = Rig::sim(&disk, once());
    rig.broker.keep();
    let (mut producer, mut consumer) = (rig.client(), rig.client());
    let filler = "x".repeat(1_000);
    let mut sent = 0;
    while producer.port.may_read() {
        let head = format!("id={sent}");
        producer.stage_with(&queue("once"), (&head, &filler), SAFE, Terms::default(), Some(sent));
        producer.flush();
        producer.turn(&rig);
        sent += 1;
    }
    let cell = rig.queue("once");
    let held = consumer.consume(&cell, 1, PLENTY);
    consumer.turn_until(&rig, "all but the last", |consumer| consumer.deliveries.len() as u64 == sent - 1);
    consumer.port.settle(&held, Tags::UpTo(u64::MAX), Outcome::Accept, Credit::default());
    rig.wait("room", || {
        rig.broker.keep();
        !rig.broker.log.is_full()
    });
    rig.advance(50);
    producer.settle_down(&rig);
    assert_eq!(producer.confirmed().len() as u64, sent);
    assert_eq!((rig.bodies(&cell).len(), rig.stats(&cell).duplicates), (1, 0));
}
