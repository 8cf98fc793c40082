//! Rot, torn tails, full disks, failing disks and second owners.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharfmq_base::{Location, Lsn};
use wharfmq_store::sim::SimDisk;
use wharfmq_store::{
    AppendError, Disk, Journal, JournalOptions, Log, ReadError, RecoverError, Recovered, Visitor,
};

const SEGMENT: u64 = 16 << 10;

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    upto: Lsn,
    index: Vec<Vec<u8>>,
    records: Vec<Vec<u8>>,
}

impl Visitor for Seen {
    fn checkpoint(&mut self, _body: &[u8], upto: Lsn) -> Result<(), RecoverError> {
        self.upto = upto;
        Ok(())
    }

    fn index(&mut self, _at: Location, entry: &[u8]) -> Result<(), RecoverError> {
        self.index.push(entry.into());
        Ok(())
    }

    fn record(&mut self, _lsn: Lsn, _at: Location, _kind: u8, payload: &[u8]) -> Result<(), RecoverError> {
        self.records.push(payload.into());
        Ok(())
    }
}

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: SEGMENT, disk_free_min: 0, ..JournalOptions::new("/simulated") }
}

fn open(disk: &SimDisk) -> Result<(Journal, Seen, Recovered), RecoverError> {
    let journal = Journal::open_on(Arc::new(disk.clone()), options())?;
    let mut seen = Seen::default();
    let recovered = journal.recover(&mut seen)?;
    Ok((journal, seen, recovered))
}

fn append(journal: &Journal, payload: &[u8], reserved: bool) -> Result<(Lsn, Location), AppendError> {
    let mut batch = journal.batch();
    batch.push(1, payload.get(..1).unwrap_or_default(), 1, &[payload]);
    if reserved {
        batch.reserved();
    }
    let placed = journal.append(&mut batch)?;
    Ok((placed.lsn, placed.location(0)))
}

/// A journal of `count` batches, each durable before the next is appended, and where each lies.
fn filled(count: u8, size: usize) -> (SimDisk, Vec<Location>) {
    let disk = SimDisk::new(1);
    let (journal, ..) = open(&disk).unwrap();
    let put = |n| {
        let (lsn, at) = append(&journal, &vec![n; size], false).unwrap();
        assert!(journal.durable().wait(lsn));
        at
    };
    let places = (1..=count).map(put).collect();
    drop(journal);
    // The index of the last segment is stored at a clean end only; here it must not help.
    let last = disk.list().unwrap().into_iter().rfind(|name| name.ends_with(".index")).unwrap();
    disk.remove(&last).unwrap();
    (disk, places)
}

fn expected(count: u8, size: usize) -> Vec<Vec<u8>> {
    (1..=count).map(|n| vec![n; size]).collect()
}

#[test]
fn any_damage_in_the_middle_stops_the_start() {
    let (disk, places) = filled(5, 100);
    for at in places[0].frame..places[4].frame {
        // Padding between frames carries nothing.
        assert!(disk.damage("0000000001.segment", at as usize, 0x10));
        match open(&disk) {
            Err(RecoverError::Corrupt(path, _)) => assert!(path.ends_with("0000000001.segment")),
            Err(error) => panic!("{error}"),
            Ok((journal, seen, _)) => {
                assert_eq!(seen.records, expected(5, 100), "damage at {at} went unseen");
                assert!(places.iter().any(|place| place.frame > at && place.frame - at <= 7), "{at}");
                drop(journal);
            }
        }
        disk.damage("0000000001.segment", at as usize, 0x10);
    }
}

#[test]
fn any_damage_in_the_tail_cuts_it_and_keeps_it_aside() {
    for offset in 0..40 + 7 + 1 + 100 {
        let (disk, places) = filled(3, 100);
        disk.damage("0000000001.segment", (places[2].frame + offset) as usize, 0x10);
        let (journal, seen, recovered) = open(&disk).unwrap();
        assert_eq!(seen.records, expected(2, 100));
        assert_eq!(recovered.last, Lsn(2));
        // Without its first bytes nothing tells a frame from what a disk leaves behind.
        if offset >= 4 && !(16..24).contains(&offset) {
            let (bytes, path) = recovered.cut.unwrap();
            let kept = disk.content(path.file_name().unwrap().to_str().unwrap()).unwrap();
            assert_eq!(kept.len() as u64, bytes);
        }
        let again = append(&journal, &[3; 100], false).unwrap();
        assert!(journal.durable().wait(again.0));
        drop(journal);
        let (_, seen, recovered) = open(&disk).unwrap();
        assert_eq!(seen.records, expected(3, 100));
        assert_eq!(recovered.cut, None);
    }
}

#[test]
fn damage_in_an_earlier_segment_stops_the_start_even_at_its_end() {
    let (disk, places) = filled(8, 5000);
    let last_of_first = places.iter().rfind(|at| at.segment == 1).unwrap();
    disk.damage("0000000001.segment", last_of_first.frame as usize + 60, 1);
    assert!(
        matches!(open(&disk), Err(RecoverError::Corrupt(path, _)) if path.ends_with("0000000001.segment"))
    );
}

#[test]
fn a_lost_segment_stops_the_start() {
    let (disk, _) = filled(10, 5000);
    disk.remove("0000000002.segment").unwrap();
    assert!(matches!(open(&disk), Err(RecoverError::Corrupt(..))));
}

#[test]
fn a_lost_or_damaged_index_is_made_again() {
    let (disk, places) = filled(10, 5000);
    let (journal, ..) = open(&disk).unwrap();
    places.iter().for_each(|at| journal.hold(at.segment, 1, 5000));
    journal.checkpoint(b"x", Lsn(10)).unwrap();
    drop(journal);
    disk.remove("0000000001.index").unwrap();
    assert!(disk.damage("0000000002.index", 80, 1));
    let (journal, seen, _) = open(&disk).unwrap();
    assert_eq!(seen.index, (1..=10).map(|n| vec![n]).collect::<Vec<_>>());
    let mut entries = 0;
    journal.index(1, &mut |_, _| entries += 1).unwrap();
    assert!(entries > 0);
}

#[test]
fn rot_is_found_when_a_record_is_read() {
    let (disk, places) = filled(10, 5000);
    let (journal, ..) = open(&disk).unwrap();
    disk.damage("0000000001.segment", places[0].frame as usize + 1000, 1);
    let mut out = Vec::new();
    assert!(matches!(journal.read(&places[..1], &mut out), Err(ReadError::Corrupt(..))));
    journal.read(&places[1..], &mut out).unwrap();
    assert_eq!(out.len(), 9);
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before_or_stops_the_start() {
    let (disk, places) = filled(10, 5000);
    let (journal, ..) = open(&disk).unwrap();
    places.iter().for_each(|at| journal.hold(at.segment, 1, 5000));
    journal.checkpoint(b"older", Lsn(4)).unwrap();
    journal.checkpoint(b"newer", Lsn(8)).unwrap();
    drop(journal);
    disk.damage("0000000002.checkpoint", 66, 1);
    let (journal, seen, _) = open(&disk).unwrap();
    assert_eq!(seen.upto, Lsn(4));
    places.iter().filter(|at| at.segment > 3).for_each(|at| journal.hold(at.segment, 1, 5000));
    let lsn = append(&journal, b"so that the rest is settled", false).unwrap().0;
    journal.checkpoint(b"frees the first three segments", lsn).unwrap();
    drop(journal);
    disk.damage("0000000003.checkpoint", 66, 1);
    let error = open(&disk).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, RecoverError::Corrupt(path, _) if path.ends_with("0000000003.checkpoint")),
        "{error}"
    );
}

#[test]
fn a_full_disk_refuses_and_the_reserve_still_serves() {
    let disk = SimDisk::new(2);
    disk.set_capacity(16 * SEGMENT);
    // Wide margins: what is free is looked at beside the appends, some segments late at worst.
    let wide = JournalOptions { disk_free_min: 6 * SEGMENT, ..options() };
    let journal = Journal::open_on(Arc::new(disk.clone()), wide).unwrap();
    journal.recover(&mut Seen::default()).unwrap();
    let mut places = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match append(&journal, &[1; 3000], false) {
            Ok((lsn, at)) => {
                assert!(journal.durable().wait(lsn));
                places.push(at);
            }
            // The reserve is prepared beside; until it is there the log may not be full for good.
            Err(error) => {
                assert_eq!(error, AppendError::Full);
                if journal.is_full() && disk.list().unwrap().iter().any(|name| name.ends_with(".spare")) {
                    break;
                }
            }
        }
        assert!(Instant::now() < deadline);
    }
    assert!(journal.is_full());
    let (lsn, _) = append(&journal, &[2; 3000], true).unwrap();
    assert!(journal.durable().wait(lsn));
    // The segment begun for that may not be the reserve yet, and then it still takes a few.
    while let Ok((lsn, at)) = append(&journal, &[1; 3000], false) {
        assert!(journal.durable().wait(lsn));
        places.push(at);
        assert!(Instant::now() < deadline);
    }
    assert!(journal.is_full());
    places.iter().for_each(|at| journal.release(at.segment, 1, 3000));
    let (lsn, _) = append(&journal, &[2; 10], true).unwrap();
    journal.checkpoint(b"", lsn).unwrap();
    assert!(!journal.is_full());
    let (lsn, _) = append(&journal, &[1; 3000], false).unwrap();
    assert!(journal.durable().wait(lsn));
}

#[test]
fn a_failed_write_ends_the_log_for_good() {
    let disk = SimDisk::new(3);
    let (journal, ..) = open(&disk).unwrap();
    let (lsn, _) = append(&journal, b"first", false).unwrap();
    assert!(journal.durable().wait(lsn));
    let mut last = lsn;
    disk.fail_after(0);
    for _ in 0..3 {
        match append(&journal, b"second", false) {
            Ok((lsn, _)) => last = lsn,
            Err(error) => assert!(matches!(error, AppendError::Failed(_))),
        }
    }
    // The error may have hit a spare instead; then the log goes on and another one ends it.
    while journal.durable().wait(last) {
        disk.fail_after(0);
        last = append(&journal, b"third", false).map_or(Lsn(u64::MAX), |placed| placed.0);
    }
    assert!(journal.durable().failure().is_some());
    assert!(matches!(append(&journal, b"late", true), Err(AppendError::Failed(_))));
    assert!(matches!(journal.close(), Err(AppendError::Failed(_))));
}

#[test]
fn a_later_owner_fences_the_earlier() {
    let disk = SimDisk::new(4);
    let (journal, ..) = open(&disk).unwrap();
    let (lsn, _) = append(&journal, &[1; 9000], false).unwrap();
    assert!(journal.durable().wait(lsn));
    let (later, seen, _) = open(&disk).unwrap();
    assert_eq!(seen.records.len(), 1);
    assert!(later.epoch() > journal.epoch());
    // The next batch needs a new segment, which is where the earlier owner looks.
    let (lsn, _) = append(&journal, &[2; 9000], false).unwrap();
    assert!(!journal.durable().wait(lsn));
    assert_eq!(append(&journal, b"x", true), Err(AppendError::Fenced));
    let (lsn, _) = append(&later, b"mine", false).unwrap();
    assert!(later.durable().wait(lsn));
}

#[test]
fn a_batch_larger_than_a_segment_gets_its_own() {
    let disk = SimDisk::new(6);
    let (journal, ..) = open(&disk).unwrap();
    let mut batch = journal.batch();
    (0..50).for_each(|n| batch.push(1, b"", 1, &[&[n; 3000]]));
    let placed = journal.append(&mut batch).unwrap();
    let (small, at) = append(&journal, b"small", false).unwrap();
    assert!(journal.durable().wait(small));
    assert!(at > placed.location(49));
    drop(journal);
    let (_, seen, _) = open(&disk).unwrap();
    assert_eq!(seen.records.len(), 51);
}

#[test]
fn a_later_version_is_named() {
    let (disk, _) = filled(2, 10);
    let mut head = disk.content("0000000001.segment").unwrap();
    head[8] = 9;
    let crc = crc32fast::hash(&head[..60]);
    disk.damage("0000000001.segment", 8, 9 ^ 1);
    let before = disk.content("0000000001.segment").unwrap();
    for (n, byte) in crc.to_le_bytes().iter().enumerate() {
        disk.damage("0000000001.segment", 60 + n, byte ^ before[60 + n]);
    }
    assert!(matches!(open(&disk), Err(RecoverError::Version(_, 9))));
}

#[test]
fn an_overtaken_checkpoint_is_passed_over() {
    let (disk, _) = filled(10, 5000);
    let (journal, ..) = open(&disk).unwrap();
    let lsn = append(&journal, b"x", false).unwrap().0;
    journal.checkpoint(b"later, frees all before", lsn).unwrap();
    journal.checkpoint(b"earlier", Lsn(3)).unwrap();
    drop(journal);
    let (_, seen, recovered) = open(&disk).unwrap();
    assert_eq!((seen.upto, recovered.last), (lsn, lsn));
}
