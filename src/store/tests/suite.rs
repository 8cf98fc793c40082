//! One set of tests that every log passes, whatever it keeps its records in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use wharfmq_base::{Location, Lsn};
use wharfmq_store::sim::SimDisk;
use wharfmq_store::{
    AppendError, Journal, JournalOptions, Log, MemoryLog, ReadError, RecoverError, Recovered, Visitor,
};

/// Remembers what it was shown.
#[derive(Debug, Default)]
struct Seen {
    checkpoint: Option<(Vec<u8>, Lsn)>,
    index: Vec<(Location, Vec<u8>)>,
    records: Vec<(Lsn, Location, u8, Vec<u8>)>,
}

impl Visitor for Seen {
    fn checkpoint(&mut self, body: &[u8], upto: Lsn) -> Result<(), RecoverError> {
        self.checkpoint = Some((body.to_vec(), upto));
        Ok(())
    }

    fn index(&mut self, at: Location, entry: &[u8]) -> Result<(), RecoverError> {
        assert!(self.records.is_empty(), "index entries come before records");
        self.index.push((at, entry.to_vec()));
        Ok(())
    }

    fn record(&mut self, lsn: Lsn, at: Location, kind: u8, payload: &[u8]) -> Result<(), RecoverError> {
        self.records.push((lsn, at, kind, payload.to_vec()));
        Ok(())
    }
}

fn recovered(log: &dyn Log) -> (Seen, Recovered) {
    let mut seen = Seen::default();
    let recovered = log.recover(&mut seen).unwrap();
    (seen, recovered)
}

fn read_one(log: &dyn Log, at: Location) -> Result<Bytes, ReadError> {
    let mut out = Vec::new();
    log.read(&[at], &mut out)?;
    Ok(out.remove(0))
}

fn append(log: &dyn Log, payload: &[u8], holds: u32) -> (Lsn, Location) {
    let mut batch = log.batch();
    batch.push(1, payload.get(..4).unwrap_or(payload), holds, &[payload]);
    let placed = log.append(&mut batch).unwrap();
    assert!(batch.is_empty());
    (placed.lsn, placed.location(0))
}

fn options(dir: &tempfile::TempDir) -> JournalOptions {
    JournalOptions { segment_bytes: 64 << 10, disk_free_min: 0, ..JournalOptions::new(dir.path()) }
}

/// Runs `test` on each kind of log.
fn on_all(test: impl Fn(&dyn Log)) {
    let memory = MemoryLog::new();
    recovered(&memory);
    test(&memory);
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(options(&dir)).unwrap();
    recovered(&journal);
    test(&journal);
    drop(journal);
    let disk = Arc::new(SimDisk::new(1));
    let journal = Journal::open_on(disk, options(&dir)).unwrap();
    recovered(&journal);
    test(&journal);
}

#[test]
fn records_are_read_back_where_they_were_put() {
    on_all(|log| {
        let mut batch = log.batch();
        let big = vec![7; 100_000];
        batch.push(1, b"i0", 1, &[b"he", b"llo"]);
        batch.push(2, b"", 1, &[]);
        batch.push(3, b"i2", 1, &[&big]);
        batch.push(4, b"i3", 1, &[b"after"]);
        for n in 0..20_000_u32 {
            batch.push(5, b"", 1, &[&n.to_le_bytes()]);
        }
        assert_eq!(batch.len(), 20_004);
        let size = batch.bytes();
        let placed = log.append(&mut batch).unwrap();
        assert_eq!(placed.lsn, Lsn(1));
        assert!(batch.is_empty() && size > 300_000, "{size}");
        for _ in 0..2 {
            let places: Vec<_> = (0..20_004).map(|n| placed.location(n)).collect();
            assert!(places.is_sorted());
            let mut out = Vec::new();
            log.read(&places, &mut out).unwrap();
            assert_eq!((&out[0][..], &out[1][..], &out[3][..]), (&b"hello"[..], &b""[..], &b"after"[..]));
            assert_eq!(out[2], big);
            assert!((0..20_000_u32).all(|n| out[n as usize + 4][..] == n.to_le_bytes()));
            assert!(log.durable().wait(placed.lsn));
        }
        assert_eq!(placed.location(20_004), Location::NOWHERE);
    });
}

#[test]
fn what_is_not_there_is_missing() {
    on_all(|log| {
        let (_, at) = append(log, b"x", 1);
        for nowhere in [
            Location::NOWHERE,
            Location { segment: at.segment + 1, ..at },
            Location { frame: at.frame + (1 << 20), ..at },
            Location { record: 500, ..at },
        ] {
            assert!(matches!(read_one(log, nowhere), Err(ReadError::Missing(_))), "{nowhere:?}");
        }
    });
}

#[test]
fn order_of_appends_is_order_of_the_log() {
    on_all(|log| {
        let placed: Vec<_> = (0..1000_u32).map(|n| append(log, &n.to_le_bytes(), 1)).collect();
        assert!(placed.windows(2).all(|pair| pair[0] < pair[1] && pair[0].1 < pair[1].1));
        assert_eq!(placed[999].0, Lsn(1000));
        assert!(log.durable().wait(Lsn(1000)));
        assert_eq!(log.stats().appended, Lsn(1000));
    });
}

#[test]
fn too_large_is_said_and_nothing_is_lost() {
    on_all(|log| {
        let mut batch = log.batch();
        let huge = vec![0; 64 << 20];
        (0..6).for_each(|_| batch.push(1, b"", 0, &[&huge]));
        assert!(matches!(log.append(&mut batch), Err(AppendError::TooLarge(..))));
        batch.clear();
        let mut batch = log.batch();
        batch.push(1, &[0; 70_000], 0, &[]);
        batch.push(1, b"", 0, &[b"fits"]);
        assert!(matches!(log.append(&mut batch), Err(AppendError::TooLarge(..))), "an index entry too long");
        assert_eq!(append(log, b"x", 1).0, Lsn(1));
    });
}

#[test]
fn segments_go_when_nothing_holds_them() {
    on_all(|log| {
        let body = vec![3; 4000];
        let placed: Vec<_> = (0..400).map(|_| append(log, &body, 2).1).collect();
        let before = log.stats();
        assert!(before.segments > 3, "{before:?}");
        assert_eq!(before.live_bytes, 400 * 2 * 4000);
        placed.iter().for_each(|at| log.release(at.segment, 2, 2 * 4000));
        let last = log.stats().appended;
        log.checkpoint(b"", last).unwrap();
        let after = log.stats();
        assert!(after.segments <= 1, "{after:?}");
        assert_eq!(after.live_bytes, 0);
        assert!(matches!(read_one(log, placed[0]), Err(ReadError::Missing(_))));
        append(log, b"goes on", 1);
    });
}

#[test]
fn a_stuck_record_shows_and_can_be_moved() {
    on_all(|log| {
        let body = vec![3; 4000];
        let placed: Vec<_> = (0..400).map(|_| append(log, &body, 1).1).collect();
        assert!(log.durable().wait(Lsn(400)));
        let first = placed[0].segment;
        assert_eq!(log.sparse(), None, "all are full");
        let stuck = placed[3];
        assert_eq!(stuck.segment, first);
        let others = placed.iter().filter(|at| at.segment == first && **at != stuck);
        others.for_each(|at| log.release(at.segment, 1, 4000));
        assert_eq!(log.sparse(), Some(first));
        let mut entries = Vec::new();
        log.index(first, &mut |at, entry| entries.push((at, entry.to_vec()))).unwrap();
        assert!(entries.contains(&(stuck, vec![3; 4])));
        let copy = append(log, &read_one(log, stuck).unwrap(), 1);
        log.release(first, 1, 4000);
        log.checkpoint(b"", copy.0).unwrap();
        assert!(matches!(read_one(log, stuck), Err(ReadError::Missing(_))));
        assert_eq!(read_one(log, copy.1).unwrap(), body);
        assert_eq!(log.sparse(), None);
    });
}

#[test]
fn many_threads_append_at_once() {
    on_all(|log| {
        thread::scope(|scope| {
            for thread in 0..8_u32 {
                scope.spawn(move || {
                    for n in 0..100_u32 {
                        let payload = [thread.to_le_bytes(), n.to_le_bytes()].concat();
                        let (lsn, at) = append(log, &payload, 1);
                        assert_eq!(read_one(log, at).unwrap(), payload);
                        if n % 10 == 0 {
                            assert!(log.durable().wait(lsn));
                            assert_eq!(read_one(log, at).unwrap(), payload);
                        }
                    }
                });
            }
        });
        assert_eq!(log.stats().appended, Lsn(800));
    });
}

#[test]
fn a_closed_log_takes_nothing() {
    on_all(|log| {
        append(log, b"x", 1);
        log.close().unwrap();
        assert_eq!(log.durable().lsn(), Lsn(1));
        let mut batch = log.batch();
        batch.push(1, b"", 0, &[b"late"]);
        assert!(matches!(log.append(&mut batch), Err(AppendError::Failed(_))));
        assert_eq!(batch.len(), 1, "a refused batch is unchanged");
        assert!(log.checkpoint(b"", Lsn(1)).is_err());
    });
}

#[test]
fn a_journal_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..4_u8 {
        let journal = Journal::open(options(&dir)).unwrap();
        assert_eq!(journal.epoch().0, u64::from(round) + 1);
        let (seen, found) = recovered(&journal);
        assert_eq!(found, Recovered { last: Lsn(expected.len() as u64), cut: None });
        assert_eq!(seen.records, expected);
        for n in 0..50_u8 {
            let payload = vec![n ^ round; usize::from(n) * 100];
            let (lsn, at) = append(&journal, &payload, 1);
            expected.push((lsn, at, 1, payload));
        }
        journal.close().unwrap();
    }
}

#[test]
fn a_checkpoint_stands_for_what_lies_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(options(&dir)).unwrap();
    recovered(&journal);
    let body = vec![9; 3000];
    let placed: Vec<_> = (0..100).map(|_| append(&journal, &body, 1)).collect();
    journal.checkpoint(b"the first half", Lsn(50)).unwrap();
    journal.checkpoint(b"nearly all", Lsn(95)).unwrap();
    drop(journal);
    let journal = Journal::open(options(&dir)).unwrap();
    let (seen, found) = recovered(&journal);
    assert_eq!(found.last, Lsn(100));
    assert_eq!(seen.checkpoint, Some((b"nearly all".to_vec(), Lsn(95))));
    let all = seen.index.iter().map(|(at, _)| *at).chain(seen.records.iter().map(|record| record.1));
    assert!(all.eq(placed.iter().map(|placed| placed.1)));
    assert!(seen.index.len() > 60 && seen.records.len() < 40, "most is known by its index");
    assert!(seen.index.iter().all(|(_, entry)| entry[..] == [9; 4]));
}

#[test]
fn two_at_once_are_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Journal::open(options(&dir)).unwrap();
    assert!(matches!(Journal::open(options(&dir)), Err(RecoverError::Locked(_))));
}

#[test]
fn logs_can_be_shared() {
    fn shared(_: Arc<dyn Log>) {}
    shared(Arc::new(MemoryLog::new()));
}

#[test]
fn the_room_of_a_journal_includes_what_it_takes() {
    let disk = SimDisk::new(1);
    disk.set_capacity(1 << 20);
    let options = JournalOptions {
        segment_bytes: 64 << 10,
        disk_free_min: 256 << 10,
        ..JournalOptions::new("/simulated")
    };
    let log = Journal::open_on(Arc::new(disk), options).unwrap();
    let room = (1 << 20) - (256 << 10);
    assert_eq!(log.room().unwrap(), room);
    recovered(&log);
    append(&log, &[7; 10_000], 1);
    log.close().unwrap();
    assert_eq!(log.room().unwrap(), room);
}
