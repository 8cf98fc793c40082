//! Wills and the time of sessions over restarts, on a real journal and on a disk that loses what was not synced.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{Head, Outcome, QueueCell, Settings, Tags};
use wharfmq_store::sim::SimDisk;

use super::kit::*;
use crate::broker::{Binding, EXPIRY_KEY, LEFT_KEY, Will, WillId};

const START: u64 = 1_000_000;
const DELAY: u64 = 60_000;

fn name() -> ByteString {
    "mortal".into()
}

fn will(delay: u64) -> Will {
    Will {
        address: topic("w"),
        qos: SAFE.qos,
        retain: false,
        head: Head::default(),
        body: Bytes::from_static(b"gone"),
        life: Millis::NEVER,
        delay: Millis(delay),
    }
}

/// A durable subscription that keeps what goes out.
fn witness(rig: &Rig) -> Arc<QueueCell> {
    let binding = Binding::to(pattern("w"), 2);
    rig.client().port.open_durable(&"witness".into(), binding).unwrap().0
}

fn comes(rig: &Rig, delay: u64, resumes: bool) -> (Client, WillId) {
    let mut client = rig.client();
    let id = client.port.leave_will(&name(), will(delay), Millis(2 * DELAY)).unwrap();
    client.port.exchange_will(&name(), resumes, Some(id));
    (client, id)
}

fn again(dir: &Path, wall: u64) -> Rig {
    Rig::journal_at(dir, Settings::default(), wall)
}

/// Waits until a will has gone out, which must be the only one ever.
fn goes_out(rig: &Rig) {
    let cell = witness(rig);
    rig.wait("the will", || rig.broker.wills() == 0 && !rig.bodies(&cell).is_empty());
    assert_eq!(rig.bodies(&cell), ["gone"]);
}

fn waits(rig: &Rig) {
    assert_eq!((rig.broker.wills(), rig.bodies(&witness(rig)).len()), (1, 0));
}

fn pass(rig: &Rig, ms: u64) {
    rig.advance(ms);
    rig.broker.clock_moved();
}

#[test]
fn one_that_waits_goes_out_at_its_time() {
    for checkpoint in [false, true] {
        let dir = tempdir().unwrap();
        let rig = again(dir.path(), START);
        witness(&rig);
        let (mut client, id) = comes(&rig, DELAY, false);
        client.port.let_will_go(id, Millis(2 * DELAY));
        if checkpoint {
            rig.broker.checkpoint().unwrap();
        }
        drop(client);
        rig.abandon();
        let rig = again(dir.path(), START + DELAY - 1);
        waits(&rig);
        rig.abandon();
        let rig = again(dir.path(), START + DELAY - 1);
        waits(&rig);
        pass(&rig, 1);
        goes_out(&rig);
        rig.abandon();
        let rig = again(dir.path(), START + 10 * DELAY);
        goes_out(&rig);
    }
}

#[test]
fn one_whose_time_came_while_the_broker_was_down_goes_out_at_the_start() {
    let dir = tempdir().unwrap();
    let rig = again(dir.path(), START);
    witness(&rig);
    let (mut client, id) = comes(&rig, DELAY, false);
    client.port.let_will_go(id, Millis(2 * DELAY));
    drop(client);
    rig.abandon();
    goes_out(&again(dir.path(), START + 2 * DELAY));
}

#[test]
fn a_connection_that_the_broker_died_with_is_lost_at_the_restart() {
    for delay in [0, DELAY] {
        let dir = tempdir().unwrap();
        let rig = again(dir.path(), START);
        witness(&rig);
        let client = comes(&rig, delay, false);
        drop(client);
        rig.abandon();
        let restart = START + 10 * DELAY;
        let rig = again(dir.path(), restart);
        if delay > 0 {
            waits(&rig);
            rig.abandon();
            // Another restart does not begin the delay anew.
            let rig = again(dir.path(), restart + delay - 1);
            waits(&rig);
            pass(&rig, 1);
            goes_out(&rig);
        } else {
            goes_out(&rig);
        }
    }
}

#[test]
fn who_comes_back_after_the_restart_takes_it_back() {
    let dir = tempdir().unwrap();
    let rig = again(dir.path(), START);
    witness(&rig);
    drop(comes(&rig, DELAY, false));
    rig.abandon();
    let rig = again(dir.path(), START + 1);
    rig.client().port.exchange_will(&name(), true, None);
    assert_eq!(rig.broker.wills(), 0);
    rig.abandon();
    let rig = again(dir.path(), START + 10 * DELAY);
    assert_eq!((rig.broker.wills(), rig.bodies(&witness(&rig)).len()), (0, 0));
}

#[test]
fn one_that_was_taken_away_or_replaced_stays_so() {
    let dir = tempdir().unwrap();
    let rig = again(dir.path(), START);
    witness(&rig);
    let (mut client, id) = comes(&rig, DELAY, false);
    client.port.drop_will(id);
    drop(client);
    for _ in 0..5 {
        drop(comes(&rig, DELAY, true));
    }
    waits(&rig);
    let (mut client, id) = comes(&rig, DELAY, true);
    client.port.drop_will(id);
    drop(client);
    rig.abandon();
    let rig = again(dir.path(), START + 10 * DELAY);
    assert_eq!((rig.broker.wills(), rig.bodies(&witness(&rig)).len()), (0, 0));
}

#[test]
fn its_number_is_not_given_to_another_after_a_restart() {
    let dir = tempdir().unwrap();
    let rig = again(dir.path(), START);
    witness(&rig);
    let (client, first) = comes(&rig, DELAY, false);
    drop(client);
    rig.abandon();
    let rig = again(dir.path(), START);
    let second = rig.client().port.leave_will(&"other".into(), will(DELAY), Millis(DELAY)).unwrap();
    assert!(second > first, "{second:?} after {first:?}");
    assert_eq!(rig.broker.wills(), 2);
}

/// The power goes at every moment of a will's way out, and again while the restart publishes it: its
/// publication and its removal are on disk together or not at all.
#[test]
fn it_goes_out_once_wherever_the_power_goes() {
    for (delay, crash) in [0, DELAY].into_iter().flat_map(|delay| (0..12).map(move |crash| (delay, crash))) {
        let disk = SimDisk::new(delay + crash);
        let rig = Rig::sim(&disk, Settings::default());
        witness(&rig);
        let (mut client, id) = comes(&rig, delay, false);
        client.send(&queue("other"), "before", SAFE, Some(1));
        client.settle_down(&rig);
        disk.crash_after(crash);
        client.port.let_will_go(id, Millis(2 * DELAY));
        pass(&rig, delay);
        drop(client);
        let mut disk = disk.reboot();
        rig.abandon();
        for crash in [crash, u64::MAX / 2] {
            disk.crash_after(crash);
            let Some(rig) = Rig::try_sim(&disk) else {
                disk = disk.reboot();
                continue;
            };
            pass(&rig, 2 * delay);
            rig.wait("the will or the crash", || {
                // What was refused is tried again.
                pass(&rig, 1_000);
                rig.broker.wills() == 0 || rig.broker.log().durable().failure().is_some()
            });
            disk = disk.reboot();
            rig.abandon();
        }
        let rig = Rig::sim(&disk, Settings::default());
        pass(&rig, 2 * delay);
        goes_out(&rig);
    }
}

#[test]
fn the_time_of_a_session_goes_on_over_restarts() {
    for left in [false, true] {
        let dir = tempdir().unwrap();
        let rig = again(dir.path(), START);
        let mut client = rig.client();
        let (cell, _) = client.port.open(Class::Session, &name(), true).unwrap();
        let value = |key, ms: u64| (Bytes::from_static(key), Bytes::copy_from_slice(&ms.to_be_bytes()));
        client.port.remember_now(&cell, [value(EXPIRY_KEY, DELAY)]);
        if left {
            client.port.remember_now(&cell, [value(LEFT_KEY, START)]);
        }
        drop((client, cell));
        rig.abandon();
        // Who was connected when the broker died left at the restart.
        let restart = START + DELAY / 2;
        let end = if left { START + DELAY } else { restart + DELAY };
        let exists = |rig: &Rig| rig.broker.queues().find(Class::Session, &name()).is_some();
        let rig = again(dir.path(), restart);
        assert!(exists(&rig));
        rig.abandon();
        let rig = again(dir.path(), end - 1);
        assert!(exists(&rig));
        pass(&rig, 1);
        rig.wait("the end of the session", || !exists(&rig));
    }
}

#[test]
fn a_log_that_is_full_takes_no_will_and_keeps_those_it_has() {
    let disk = SimDisk::new(1);
    disk.set_capacity(40 * SEGMENT);
    let rig = Rig::sim(&disk, Settings::default());
    rig.broker.keep();
    let cell = witness(&rig);
    // Larger than what fills the log, so that it finds no room where that finds none.
    let large = || Will { body: Bytes::from(vec![b'w'; 4_000]), ..will(0) };
    let (mut client, mut producer, mut consumer) = (rig.client(), rig.client(), rig.client());
    let id = client.port.leave_will(&name(), large(), Millis(0)).unwrap();
    client.port.exchange_will(&name(), false, Some(id));
    let filler = "x".repeat(1_000);
    while producer.port.may_read() {
        producer.send(&queue("filler"), &filler, SAFE, Some(1));
        producer.turn(&rig);
    }
    assert!(consumer.port.leave_will(&"other".into(), large(), Millis(0)).is_err());
    client.port.let_will_go(id, Millis(0));
    assert_eq!((rig.broker.wills(), rig.bodies(&cell).len()), (1, 0));
    assert_eq!(rig.broker.counters().totals().wills_put_off, 1);
    let held = consumer.consume(&rig.queue("filler"), 1, PLENTY);
    consumer.turn_until(&rig, "all of the filler", |consumer| consumer.deliveries.len() > 20);
    consumer.port.settle(&held, Tags::UpTo(u64::MAX), Outcome::Accept, PLENTY);
    rig.wait("room", || {
        rig.broker.keep();
        !rig.broker.log.is_full()
    });
    pass(&rig, 1_000);
    rig.wait("the will", || {
        pass(&rig, 1_000);
        rig.bodies(&cell).len() == 1
    });
    assert_eq!(rig.broker.wills(), 0);
}
