//! Crashes at every kind of moment: what was confirmed is there afterwards, in order and whole.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use wharfmq_base::{Location, Lsn};
use wharfmq_store::sim::SimDisk;
use wharfmq_store::{
    AppendError, Journal, JournalOptions, Log, Placed, ReadError, RecoverError, Recovered, Visitor,
};

const SEND: u8 = 1;
const SETTLE: u8 = 2;
const MOVE: u8 = 3;

/// What one batch did, to know what must be there after a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Effect {
    sent: Vec<u32>,
    settled: Vec<u32>,
}

/// A small broker: messages have a number, and their payload follows from it.
#[derive(Debug, Default)]
struct Broker {
    live: BTreeMap<u32, Location>,
    settled: BTreeSet<u32>,
    next: u32,
    /// What the batches did, from the first on.
    history: Vec<Effect>,
}

fn payload(message: u32) -> Vec<u8> {
    // Mostly small; some fill several frames' worth.
    let len = if message.is_multiple_of(17) { 70_000 } else { (message * 7919) % 900 };
    (0..len).map(|n| (n ^ message) as u8).collect()
}

fn sized(message: u32) -> u64 {
    payload(message).len() as u64
}

fn number(entry: &[u8]) -> u32 {
    u32::from_le_bytes(entry.try_into().unwrap())
}

impl Broker {
    fn put(&mut self, placed: &Placed, effect: Effect) {
        assert_eq!(placed.lsn.0 as usize, self.history.len() + 1, "numbers of batches are dense");
        self.history.push(effect);
    }

    fn send(&mut self, log: &dyn Log, count: u32) -> Result<Lsn, AppendError> {
        let mut batch = log.batch();
        let sent: Vec<u32> = (self.next..self.next + count).collect();
        for message in &sent {
            let body = payload(*message);
            let (a, b) = body.split_at(body.len() / 2);
            batch.push(SEND, &message.to_le_bytes(), 1, &[&message.to_le_bytes(), a, b]);
        }
        let placed = log.append(&mut batch)?;
        self.next += count;
        self.live.extend(sent.iter().enumerate().map(|(n, message)| (*message, placed.location(n))));
        self.put(&placed, Effect { sent, settled: Vec::new() });
        Ok(placed.lsn)
    }

    fn settle(&mut self, log: &dyn Log, messages: &[u32]) -> Result<Lsn, AppendError> {
        let mut batch = log.batch();
        batch.reserved();
        let numbers: Vec<u8> = messages.iter().flat_map(|message| message.to_le_bytes()).collect();
        batch.push(SETTLE, b"", 0, &[&numbers]);
        let placed = log.append(&mut batch)?;
        for message in messages {
            self.settled.insert(*message);
            let at = self.live.remove(message).unwrap();
            log.release(at.segment, 1, sized(*message) + 4);
        }
        self.put(&placed, Effect { sent: Vec::new(), settled: messages.to_vec() });
        Ok(placed.lsn)
    }

    /// Moves what lives in a nearly empty segment to the end of the log.
    fn compact(&mut self, log: &dyn Log) -> Result<(), AppendError> {
        let Some(segment) = log.sparse() else { return Ok(()) };
        let mut held = Vec::new();
        let index = log.index(segment, &mut |at, entry| {
            if self.live.get(&number(entry)) == Some(&at) {
                held.push((number(entry), at));
            }
        });
        if index.is_err() {
            return Ok(());
        }
        let (mut bodies, places) = (Vec::new(), held.iter().map(|(_, at)| *at).collect::<Vec<_>>());
        if log.read(&places, &mut bodies).is_err() {
            return Ok(());
        }
        let mut batch = log.batch();
        batch.reserved();
        for ((message, _), body) in held.iter().zip(&bodies) {
            batch.push(MOVE, &message.to_le_bytes(), 1, &[body]);
        }
        let placed = log.append(&mut batch)?;
        for (n, (message, at)) in held.iter().enumerate() {
            log.release(at.segment, 1, sized(*message) + 4);
            self.live.insert(*message, placed.location(n));
        }
        self.put(&placed, Effect::default());
        Ok(())
    }

    fn body(&self) -> Vec<u8> {
        self.settled.iter().flat_map(|message| message.to_le_bytes()).collect()
    }

    /// The state that the first `last` batches lead to.
    fn expected(&self, last: Lsn) -> BTreeSet<u32> {
        let mut live = BTreeSet::new();
        for effect in &self.history[..last.0 as usize] {
            live.extend(&effect.sent);
            effect.settled.iter().for_each(|message| assert!(live.remove(message)));
        }
        live
    }

    /// Goes on from what a start has found.
    fn adopt(&mut self, found: Found, recovered: &Recovered) {
        assert_eq!(found.live.keys().copied().collect::<BTreeSet<_>>(), self.expected(recovered.last));
        self.history.truncate(recovered.last.0 as usize);
        (self.live, self.settled) = (found.live, found.settled);
    }

    fn check_payloads(&self, log: &dyn Log) {
        let (mut out, at) = (Vec::new(), self.live.values().copied().collect::<Vec<_>>());
        log.read(&at, &mut out).unwrap();
        for (message, read) in self.live.keys().zip(&out) {
            assert_eq!(read[..4], message.to_le_bytes());
            assert_eq!(read[4..], payload(*message));
        }
    }
}

/// What a start finds.
#[derive(Debug, Default)]
struct Found {
    live: BTreeMap<u32, Location>,
    settled: BTreeSet<u32>,
}

impl Found {
    fn place(&mut self, message: u32, at: Location) {
        if !self.settled.contains(&message) {
            self.live.insert(message, at);
        }
    }
}

impl Visitor for Found {
    fn checkpoint(&mut self, body: &[u8], _upto: Lsn) -> Result<(), RecoverError> {
        self.settled = body.chunks(4).map(number).collect();
        Ok(())
    }

    fn index(&mut self, at: Location, entry: &[u8]) -> Result<(), RecoverError> {
        self.place(number(entry), at);
        Ok(())
    }

    fn record(&mut self, _lsn: Lsn, at: Location, kind: u8, payload: &[u8]) -> Result<(), RecoverError> {
        match kind {
            SETTLE => payload.chunks(4).map(number).for_each(|message| {
                self.settled.insert(message);
                self.live.remove(&message);
            }),
            _ => self.place(number(&payload[..4]), at),
        }
        Ok(())
    }
}

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: 32 << 10, disk_free_min: 0, ..JournalOptions::new("/simulated") }
}

/// Starts on what a crash has left and compares it with what must be there.
fn start(disk: &SimDisk, broker: &mut Broker, durable: Lsn) -> Option<Journal> {
    let journal = match Journal::open_on(Arc::new(disk.clone()), options()) {
        Ok(journal) => journal,
        Err(RecoverError::Io(..)) => return None,
        Err(error) => panic!("{error}"),
    };
    let mut found = Found::default();
    let recovered = match journal.recover(&mut found) {
        Ok(recovered) => recovered,
        Err(RecoverError::Io(..)) => return None,
        Err(error) => panic!("{error}"),
    };
    assert!(recovered.last >= durable, "batch {} was confirmed, {} is the last", durable.0, recovered.last.0);
    assert!(recovered.last.0 as usize <= broker.history.len(), "batches that nobody wrote");
    broker.adopt(found, &recovered);
    for (message, at) in &broker.live {
        journal.hold(at.segment, 1, sized(*message) + 4);
    }
    Some(journal)
}

/// One producer; others run beside it.
fn produce(log: &dyn Log, broker: &Mutex<Broker>, seed: u64, steps: u32) {
    let mut random = seed;
    for _ in 0..steps {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let choice = random >> 40;
        let done = step(log, &mut broker.lock(), choice);
        match done {
            Ok(Some(lsn)) if choice.is_multiple_of(3) => {
                log.durable().wait(lsn);
            }
            Ok(_) => {}
            // Full is what a disk without power may look like until the writer has noticed.
            Err(_) => return,
        }
        if choice.is_multiple_of(23) {
            let (body, upto) = {
                let broker = broker.lock();
                (broker.body(), Lsn(broker.history.len() as u64))
            };
            let _may_fail = log.checkpoint(&body, upto);
        }
    }
}

fn step(log: &dyn Log, broker: &mut Broker, choice: u64) -> Result<Option<Lsn>, AppendError> {
    match choice % 10 {
        0..5 => broker.send(log, 1 + (choice >> 8) as u32 % 6).map(Some),
        5..9 => {
            // All but every fiftieth, which stay as long as they can.
            let old = broker.live.keys().filter(|message| **message % 50 != 0);
            let old: Vec<u32> = old.take((choice >> 8) as usize % 12).copied().collect();
            if old.is_empty() { Ok(None) } else { broker.settle(log, &old).map(Some) }
        }
        _ => broker.compact(log).map(|()| None),
    }
}

/// Lives one life after another on the same disk, each ended by a fault.
fn lives(seed: u64, faults: &[(u64, bool)]) {
    let mut disk = SimDisk::new(seed);
    let broker = Mutex::new(Broker::default());
    let mut durable = Lsn(0);
    for (after, crash) in faults {
        disk = disk.reboot();
        if *crash {
            disk.crash_after(*after)
        } else {
            disk.fail_after(*after)
        }
        let Some(journal) = start(&disk, &mut broker.lock(), durable) else { continue };
        std::thread::scope(|scope| {
            for producer in 0..3 {
                let (journal, broker) = (&journal, &broker);
                scope.spawn(move || produce(journal, broker, seed ^ (after << 8) ^ producer, 120));
            }
        });
        durable = journal.durable().lsn();
        drop(journal);
    }
    disk = disk.reboot();
    let journal = start(&disk, &mut broker.lock(), durable).unwrap();
    let broker = &mut broker.lock();
    broker.check_payloads(&journal);
    drain(&journal, broker);
}

/// Settles all but one message: nothing else may keep segments.
fn drain(journal: &Journal, broker: &mut Broker) {
    broker.send(journal, 1).unwrap();
    let all: Vec<u32> = broker.live.keys().skip(1).copied().collect();
    if !all.is_empty() {
        broker.settle(journal, &all).unwrap();
    }
    for _ in 0..4 {
        // Fills the active segment, so that it is sealed in its turn.
        broker.send(journal, 18).unwrap();
        let lsn = Lsn(broker.history.len() as u64);
        assert!(journal.durable().wait(lsn));
        broker.compact(journal).unwrap();
        journal.checkpoint(&broker.body(), Lsn(broker.history.len() as u64)).unwrap();
        let all: Vec<u32> = broker.live.keys().skip(1).copied().collect();
        broker.settle(journal, &all).unwrap();
    }
    journal.checkpoint(&broker.body(), Lsn(broker.history.len() as u64)).unwrap();
    journal.checkpoint(&broker.body(), Lsn(broker.history.len() as u64)).unwrap();
    broker.check_payloads(journal);
    let stats = journal.stats();
    assert!(stats.segments <= 4, "one message keeps {} segments", stats.segments);
}

/// Few cases for every day; as many as `PROPTEST_CASES` says when asked.
fn configuration() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        default
    } else {
        ProptestConfig { cases: 24, ..default }
    }
}

proptest! {
    #![proptest_config(configuration())]

    #[test]
    fn nothing_confirmed_is_lost(
        seed in any::<u64>(),
        faults in proptest::collection::vec((0..400_u64, prop::bool::weighted(0.8)), 1..6),
    ) {
        lives(seed, &faults);
    }
}

#[test]
fn every_early_operation_may_be_the_last() {
    for after in 0..40 {
        lives(after, &[(after, true), (40 - after, true)]);
    }
}

#[test]
fn a_freed_segment_is_missing_not_corrupt() {
    let disk = SimDisk::new(5);
    let journal = Journal::open_on(Arc::new(disk), options()).unwrap();
    let mut broker = Broker::default();
    journal.recover(&mut Found::default()).unwrap();
    let mut old = Vec::new();
    for _ in 0..300 {
        broker.send(&journal, 4).unwrap();
        let all: Vec<u32> = broker.live.keys().copied().collect();
        old.extend(broker.live.values().copied());
        broker.settle(&journal, &all).unwrap();
        if old.len() % 100 == 0 {
            journal.checkpoint(&broker.body(), Lsn(broker.history.len() as u64)).unwrap();
        }
    }
    let kept = old.iter().filter(|at| match journal.read(&[**at], &mut Vec::new()) {
        Ok(()) => true,
        Err(ReadError::Missing(_)) => false,
        Err(error) => panic!("{error}"),
    });
    assert!(kept.count() < 400);
}
