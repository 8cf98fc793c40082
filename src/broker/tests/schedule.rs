//! Messages that are sent later, and again and again.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{
    Address, Credit, Cron, MessageId, Outcome, PartialPolicy, QueueCell, Settings, SubTag, Tags, Terms, Token,
};
use wharfmq_store::sim::SimDisk;

use super::kit::*;
use crate::broker::schedule::{Job, policy};
use crate::broker::{Binding, Repeats, Schedule};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const YEAR: u64 = 365 * 24 * HOUR;

fn plan(delay: u64, period: u64, repeats: u32) -> Schedule {
    Schedule {
        job: MessageId(7),
        delay: Millis(delay),
        period: Millis(period),
        repeats: Repeats::Times(repeats),
        cron: None,
    }
}

fn cron(text: &str) -> Schedule {
    Schedule { cron: Some(Cron::parse(text).unwrap()), ..plan(0, 0, 0) }
}

impl Client {
    fn later(&mut self, rig: &Rig, to: &Address, body: &str, how: How, schedule: Schedule) {
        self.port.now = rig.now();
        let item = self.item(body, how);
        let later = self.port.later(&Arc::new(to.clone()), item, Terms::default(), schedule).unwrap();
        self.port.schedule(later, Some(Token(1)));
        self.flush();
        self.settle_down(rig);
    }
}

/// Turns the clock, and has everybody notice.
fn pass(rig: &Rig, ms: u64) {
    rig.advance(ms);
    rig.broker.clock_moved();
}

fn sent(rig: &Rig) -> u64 {
    rig.broker.counters().totals().scheduled_sent
}

fn await_sent(rig: &Rig, count: u64) {
    rig.wait("scheduled messages", || sent(rig) >= count);
    assert_eq!(sent(rig), count);
}

fn jobs(rig: &Rig) -> Arc<QueueCell> {
    rig.broker.jobs().unwrap()
}

/// Waits until so many jobs wait for their time, and no other is there.
fn await_waiting(rig: &Rig, count: u64) {
    let jobs = jobs(rig);
    rig.wait("the jobs to wait", || {
        let stats = rig.stats(&jobs);
        stats.in_flight == 0 && stats.ready == 0 && stats.delayed == count
    });
}

/// When a schedule sends, from its first time on, called at its times exactly.
fn times(schedule: &Schedule, now: u64, until: u64) -> Vec<u64> {
    let mut sent = Vec::new();
    let mut open = vec![(schedule.first(Millis(now)), schedule.clone())];
    while let Some(at) = (0..open.len()).min_by_key(|&at| open[at].0) {
        let (due, schedule) = open.swap_remove(at);
        if due.0 > until {
            return sent;
        }
        let firing = schedule.fire(due, due);
        sent.extend(firing.sends.then_some(due.0));
        open.extend(firing.then);
    }
    sent
}

#[test]
fn when_a_schedule_sends() {
    let ever = u64::MAX - 1;
    assert_eq!(times(&plan(1_000, 0, 0), 500, ever), [1_500]);
    assert_eq!(times(&plan(0, 1_000, 0), 500, ever), [1_500], "a period alone is a delay");
    assert_eq!(times(&plan(1_000, 100, 3), 0, ever), [1_000, 1_100, 1_200, 1_300]);
    assert_eq!(times(&plan(0, 100, 2), 0, ever), [100, 200, 300]);
    assert_eq!(times(&plan(100, 0, 2), 0, ever), [100, 100, 100]);
    let endless = Schedule { repeats: Repeats::Endless, ..plan(5, 10, 0) };
    assert_eq!(times(&endless, 0, 40), [5, 15, 25, 35]);
    let hourly = cron("0 * * * *");
    assert_eq!(times(&hourly, 1, 3 * HOUR), [HOUR, 2 * HOUR, 3 * HOUR]);
    let late = Schedule { delay: Millis(90 * MINUTE), ..hourly.clone() };
    assert_eq!(times(&late, 0, 4 * HOUR), [2 * HOUR + 30 * MINUTE, 3 * HOUR + 30 * MINUTE]);
    let series = Schedule { cron: hourly.cron, ..plan(1_000, 2_000, 2) };
    let hour = |n| [n * HOUR + 1_000, n * HOUR + 3_000, n * HOUR + 5_000];
    assert_eq!(times(&series, 0, 2 * HOUR + MINUTE), [hour(1), hour(2)].concat());
}

#[test]
fn what_was_missed() {
    let three = plan(10, 10, 2).fire(Millis(10), Millis(1_000));
    assert_eq!(three.then[0].0, Millis(20), "a number of times is kept");
    let endless = Schedule { repeats: Repeats::Endless, ..plan(10, 10, 0) };
    assert_eq!(endless.fire(Millis(10), Millis(1_000)).then[0].0, Millis(1_010));
    assert_eq!(endless.fire(Millis(10), Millis(1_009)).then[0].0, Millis(1_010));
    let hourly = cron("0 * * * *").fire(Millis(HOUR), Millis(5 * HOUR + 1));
    assert!(hourly.sends);
    assert_eq!(hourly.then[0].0, Millis(6 * HOUR));
}

#[test]
fn a_delay_on_a_topic() {
    let rig = Rig::memory(Settings::default());
    let (mut client, mut live) = (rig.client(), rig.client());
    live.port.subscribe(&pattern("t"), SubTag(1), false, false, None);
    let (durable, _) = client.port.open(Class::Durable, &"d".into(), true).unwrap();
    let binding = Binding::to(pattern("t"), 2);
    client.port.bind(&durable, binding).unwrap();
    client.later(&rig, &topic("t"), "x", SAFE, plan(1_000, 0, 0));
    pass(&rig, 999);
    await_waiting(&rig, 1);
    assert_eq!(sent(&rig), 0);
    pass(&rig, 1);
    await_sent(&rig, 1);
    live.turn_until(&rig, "the message", |live| !live.chunked.is_empty());
    assert_eq!(live.chunked, ["x"]);
    assert_eq!(rig.bodies(&durable), ["x"]);
    await_waiting(&rig, 0);
    rig.check();
}

#[test]
fn a_history_knows_only_what_was_sent() {
    let kept = PartialPolicy { history: Some(5), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("topic://t", kept)]));
    let (mut client, mut live) = (rig.client(), rig.client());
    live.port.subscribe(&pattern("t"), SubTag(1), false, false, None);
    client.later(&rig, &topic("t"), "x", SAFE, plan(1_000, 0, 0));
    live.turn(&rig);
    assert!(live.chunked.is_empty() && live.port.recent([&pattern("t")]).is_empty());
    pass(&rig, 1_000);
    live.turn_until(&rig, "the message", |live| !live.chunked.is_empty());
    assert_eq!((live.chunked.len(), live.port.recent([&pattern("t")]).len()), (1, 1));
}

#[test]
fn what_a_temporary_destination_was_to_get_ends_with_it() {
    let rig = Rig::memory(Settings::default());
    let (mut client, mut owner) = (rig.client(), rig.client());
    let own = owner.port.temporary(wharfmq_core::Kind::Queue, "own").unwrap();
    client.later(&rig, &own, "x", SAFE, plan(1_000, 1_000, 5));
    client.later(&rig, &queue("q"), "y", SAFE, plan(1_000, 0, 0));
    owner.port.close();
    pass(&rig, 1_000);
    await_sent(&rig, 1);
    await_waiting(&rig, 0);
    assert_eq!(rig.bodies(&rig.queue("q")), ["y"]);
    assert!(rig.bodies(&rig.queue("ActiveMQ.DLQ")).is_empty());
}

#[test]
fn repetitions_end_and_each_is_a_message_of_its_own() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    client.later(&rig, &queue("q"), "x", SAFE, plan(1_000, 100, 2));
    for n in 1..=3 {
        pass(&rig, if n == 1 { 1_000 } else { 100 });
        await_sent(&rig, n);
    }
    await_waiting(&rig, 0);
    let cell = rig.queue("q");
    assert_eq!(rig.bodies(&cell), ["x"; 3]);
    let mut ids: Vec<_> =
        rig.broker.browse(&cell, wharfmq_core::Order(0), 9).into_iter().map(|(_, m)| m.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    rig.check();
}

#[test]
fn a_message_is_sent_as_it_was_published() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    let how = How { priority: 7, expires: rig.now().wall.plus(Millis(300)), ..FAST };
    client.later(&rig, &queue("q"), "x", how, plan(1_000, 500, 1));
    client.later(&rig, &topic("r"), "kept", RETAIN, plan(1_000, 0, 0));
    assert!(retained(&rig, &pattern("r")).is_empty());
    let stored = rig.broker.browse(&jobs(&rig), wharfmq_core::Order(0), 9);
    assert!(stored.iter().all(|(entry, _)| entry.at.is_stored()), "jobs outlive the process");
    pass(&rig, 1_000);
    await_sent(&rig, 2);
    let [(entry, message)] = &rig.broker.browse(&rig.queue("q"), wharfmq_core::Order(0), 9)[..] else {
        panic!()
    };
    let now = rig.now().wall;
    assert!(!entry.at.is_stored(), "it is not persistent");
    assert_eq!((message.priority, message.received), (7, now));
    assert_eq!(message.expires, now.plus(Millis(300)), "its life begins when it is sent");
    assert_eq!((&message.head.bytes[..], message.notes.iter().count()), (&b"head"[..], 0));
    assert_eq!(retained(&rig, &pattern("r")).into_values().collect::<Vec<_>>(), ["kept"]);
    pass(&rig, 500);
    await_sent(&rig, 3);
    await_waiting(&rig, 0);
}

#[test]
fn a_cron_entry_goes_on_for_ever() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    client.later(&rig, &queue("q"), "x", SAFE, cron("* * * * *"));
    let mut ahead = MINUTE - rig.now().wall.0 % MINUTE;
    for n in 1..=5 {
        pass(&rig, ahead);
        await_sent(&rig, n);
        await_waiting(&rig, 1);
        ahead = MINUTE;
    }
    // What was missed is made up for by one.
    pass(&rig, 100 * MINUTE + 1);
    await_sent(&rig, 6);
    await_waiting(&rig, 1);
    pass(&rig, MINUTE);
    await_sent(&rig, 7);
    rig.check();
}

#[test]
fn each_time_of_a_cron_entry_begins_a_series() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    let schedule =
        Schedule { repeats: Repeats::Times(1), delay: Millis(10), period: Millis(20), ..cron("0 * * * *") };
    client.later(&rig, &queue("q"), "x", SAFE, schedule);
    let start = HOUR - rig.now().wall.0 % HOUR;
    for hour in 0..3 {
        pass(&rig, if hour == 0 { start } else { HOUR - 30 });
        await_waiting(&rig, 2);
        assert_eq!(sent(&rig), hour * 2);
        pass(&rig, 10);
        await_sent(&rig, hour * 2 + 1);
        pass(&rig, 20);
        await_sent(&rig, hour * 2 + 2);
        await_waiting(&rig, 1);
    }
    rig.check();
}

#[test]
fn a_restart_changes_nothing() {
    let dir = tempdir().unwrap();
    let mut rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    client.later(
        &rig,
        &queue("q"),
        "far",
        FAST,
        Schedule { repeats: Repeats::Times(1), ..plan(4 * YEAR, 1, 1) },
    );
    client.later(&rig, &queue("q"), "thrice", SAFE, plan(1_000, 1_000, 2));
    client.later(&rig, &queue("hourly"), "cron", SAFE, cron("0 * * * *"));
    pass(&rig, 1_000);
    await_sent(&rig, 1);
    await_waiting(&rig, 3);
    for (round, checkpoint) in [true, false].into_iter().enumerate() {
        if checkpoint {
            rig.broker.checkpoint().unwrap();
        }
        let at = rig.now();
        drop(client);
        rig.abandon();
        rig = Rig::journal(dir.path(), Settings::default());
        client = rig.client();
        rig.advance(at.wall.0 - rig.now().wall.0);
        await_waiting(&rig, 3 - round as u64);
        // The clock stood still while the broker was down, once for much longer than to the next time.
        pass(&rig, if round == 0 { 1_000 } else { 2 * HOUR });
        await_sent(&rig, 1);
        if round == 0 {
            assert_eq!(rig.bodies(&rig.queue("q")), ["thrice"; 2]);
            pass(&rig, 1_000);
            await_sent(&rig, 2);
        }
    }
    assert_eq!(rig.bodies(&rig.queue("q")), ["thrice"; 3]);
    assert_eq!(rig.bodies(&rig.queue("hourly")), ["cron"]);
    let far = rig.broker.browse(&jobs(&rig), wharfmq_core::Order(0), 9);
    assert!(far.iter().all(|(entry, _)| entry.message.is_none()), "bodies of the far future are on disk");
    pass(&rig, 4 * YEAR);
    rig.wait("the far future", || rig.bodies(&rig.queue("q")).len() == 5);
    assert_eq!(
        rig.entries(&rig.queue("q")).iter().filter(|(body, stored, _)| body == "far" && !stored).count(),
        2
    );
    rig.check();
    drop(client);
    rig.abandon();
}

#[test]
fn a_full_queue_keeps_only_its_own_waiting() {
    let small = PartialPolicy { max_messages: Some(2), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://small", small)]));
    let mut client = rig.client();
    for n in 0..4 {
        client.later(&rig, &queue("small"), &format!("s{n}"), SAFE, plan(1_000, 1, 1));
        client.later(&rig, &queue("large"), &format!("l{n}"), SAFE, plan(1_000, 0, 0));
    }
    pass(&rig, 1_000);
    rig.wait("what has room", || rig.bodies(&rig.queue("large")).len() == 4 && sent(&rig) == 6);
    // Two have been sent once, two never.
    await_waiting(&rig, 4);
    assert!(rig.broker.counters().totals().scheduled_refused >= 2);
    let cell = rig.queue("small");
    let held = client.consume(&cell, 1, PLENTY);
    let mut got = Vec::new();
    while got.len() < 8 {
        pass(&rig, 1_000);
        client.turn_until(&rig, "more", |client| !client.deliveries.is_empty());
        for delivery in std::mem::take(&mut client.deliveries) {
            got.push(body_of(&delivery));
            client.port.settle(&held, Tags::One(delivery.tag), Outcome::Accept, Credit::default());
        }
    }
    got.sort();
    assert_eq!(got, ["s0", "s0", "s1", "s1", "s2", "s2", "s3", "s3"]);
    await_waiting(&rig, 0);
    rig.check();
}

#[test]
fn a_transaction_schedules_or_does_not() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    for (tx, body) in [("kept", "a"), ("gone", "b")] {
        client.port.begin(&tx.into()).unwrap();
        let item = client.item(body, SAFE);
        let to = Arc::new(topic("t"));
        let later = client.port.later(&to, item, Terms::default(), plan(1_000, 0, 0)).unwrap();
        let raw = client.take_raw();
        client.port.schedule_in(tx, later, &raw).unwrap();
    }
    await_waiting(&rig, 0);
    client.port.abort("gone").unwrap();
    client.port.commit("kept", Some(Token(1))).unwrap();
    client.settle_down(&rig);
    await_waiting(&rig, 1);
    let mut live = rig.client();
    live.port.subscribe(&pattern("t"), SubTag(1), false, false, None);
    pass(&rig, 1_000);
    live.turn_until(&rig, "the message", |live| !live.chunked.is_empty());
    assert_eq!(live.chunked, ["a"]);
}

#[test]
fn repetitions_are_not_duplicates_of_each_other() {
    let once =
        PartialPolicy { dedup: Some(Millis(HOUR)), dedup_by: Some("id".into()), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://q", once)]));
    let mut client = rig.client();
    let item = client.item_of("id=5", "x", SAFE);
    let to = Arc::new(queue("q"));
    let later = client.port.later(&to, item, Terms::default(), plan(10, 10, 2)).unwrap();
    client.port.schedule(later, None);
    client.flush();
    client.settle_down(&rig);
    pass(&rig, 1_000);
    rig.wait("all three", || rig.bodies(&rig.queue("q")).len() == 3);
}

#[test]
fn more_than_a_batch_at_once() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let to = Arc::new(queue("q"));
    for n in 0..3_000 {
        let item = client.item(&format!("{n:04}"), SAFE);
        let later = client.port.later(&to, item, Terms::default(), plan(60_000, 60_000, 1)).unwrap();
        client.port.schedule(later, None);
    }
    client.flush();
    client.settle_down(&rig);
    for round in 1..=2 {
        pass(&rig, 60_000);
        await_sent(&rig, round * 3_000);
        await_waiting(&rig, (2 - round) * 3_000);
    }
    let expected: Vec<String> = (0..3_000).map(|n| format!("{n:04}")).collect();
    assert_eq!(rig.bodies(&rig.queue("q")), [expected.clone(), expected].concat());
    rig.check();
    drop(client);
    rig.abandon();
}

#[test]
fn settings_of_queues_are_not_those_of_jobs() {
    let strict = PartialPolicy { max_messages: Some(1), expiry: Some(Millis(1)), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://>", strict)]));
    assert_eq!(*jobs(&rig).policy, policy());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 100, ..ProptestConfig::default() })]

    /// Loss of power at any moment while jobs are sent: of each confirmed job all messages come, each once.
    #[test]
    fn nothing_scheduled_is_lost_or_sent_twice(seed in any::<u64>(), crash in 0u64..16, count in 1u64..40) {
        let disk = SimDisk::new(seed);
        let rig = Rig::sim(&disk, Settings::default());
        let mut client = rig.client();
        let out = rig.queue("out");
        for n in 0..count {
            client.later(&rig, &queue("out"), &format!("{n:02}"), SAFE, plan(1_000 + n, 100, (n % 3) as u32));
        }
        let expected: u64 = (0..count).map(|n| 1 + n % 3).sum();
        disk.crash_after(crash);
        let mut quiet = false;
        while !quiet {
            pass(&rig, 100);
            let failed = rig.broker.log.durable().failure().is_some();
            quiet = failed || rig.stats(&jobs(&rig)).stored() == 0;
        }
        drop((client, out));
        let disk = disk.reboot();
        let at = rig.now();
        rig.abandon();
        let rig = Rig::sim(&disk, Settings::default());
        rig.advance(at.wall.0 - rig.now().wall.0);
        pass(&rig, 10_000);
        rig.wait("the rest", || rig.stats(&jobs(&rig)).stored() == 0);
        let mut bodies = rig.bodies(&rig.queue("out"));
        bodies.sort();
        let all = (0..count).flat_map(|n| vec![format!("{n:02}"); 1 + (n % 3) as usize]);
        prop_assert_eq!(bodies.len() as u64, expected);
        prop_assert_eq!(bodies, all.collect::<Vec<_>>());
        rig.check();
        rig.abandon();
    }

    #[test]
    fn a_job_is_read_back_as_it_was_written(
        numbers in (any::<u64>(), 0u8..3, any::<bool>(), any::<u64>(), any::<u32>()),
        times in (any::<u64>(), any::<u64>(), prop::option::of(any::<u32>())),
        entry in prop::option::of(Just("*/5 1-3,7 ? * 1")),
    ) {
        let ((job, qos, retain, life, group), (delay, period, repeats)) = (numbers, times);
        let job = Job {
            schedule: Schedule {
                job: MessageId(job),
                delay: Millis(delay),
                period: Millis(period),
                repeats: repeats.map_or(Repeats::Endless, Repeats::Times),
                cron: entry.map(|text| Cron::parse(text).unwrap()),
            },
            qos: wharfmq_core::Qos::from_u8(qos).unwrap(),
            retain,
            life: Millis(life),
            group: wharfmq_core::GroupId(group),
        };
        let extra = job.extra(Terms::default(), Millis(5));
        prop_assert_eq!(extra.terms.due, Millis(5));
        prop_assert_eq!(Job::of(&extra.notes), Some(job));
    }
}
