//! Measures the journal: appenders that wait for each batch, and appenders with many outstanding.
//!
//! `cargo run --release -p wharfmq-store --example rates -- DIR [seconds]`, with DIR on the disk to measure.
#![allow(clippy::unwrap_used, reason = "a measurement that fails may just end")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wharfmq_base::{Location, Lsn};
use wharfmq_store::{Journal, JournalOptions, Log, RecoverError, Visitor};

const MESSAGE: [u8; 1024] = [b'x'; 1024];

#[derive(Default)]
struct Count(u64, u64);

impl Visitor for Count {
    fn checkpoint(&mut self, _body: &[u8], _upto: Lsn) -> Result<(), RecoverError> {
        Ok(())
    }

    fn index(&mut self, _at: Location, _entry: &[u8]) -> Result<(), RecoverError> {
        self.0 += 1;
        Ok(())
    }

    fn record(&mut self, _lsn: Lsn, _at: Location, _kind: u8, _payload: &[u8]) -> Result<(), RecoverError> {
        self.1 += 1;
        Ok(())
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().unwrap();
    let seconds = arguments.next().map_or(3, |seconds| seconds.parse().unwrap());
    for (threads, outstanding, batch) in [(1, 1, 1), (16, 1, 1), (1, 100, 1), (16, 100, 1), (4, 10, 30)] {
        run(Path::new(&dir), threads, outstanding, batch, Duration::from_secs(seconds));
    }
    recover(Path::new(&dir));
}

/// Appends `batch` messages at a time from each thread, with `outstanding` batches not yet durable.
fn run(dir: &Path, threads: u64, outstanding: usize, batch: usize, time: Duration) {
    let _ignored = std::fs::remove_dir_all(dir);
    let journal = Journal::open(JournalOptions::new(dir)).unwrap();
    let begun = Instant::now();
    journal.recover(&mut Count::default()).unwrap();
    let ready = begun.elapsed();
    let done = AtomicU64::new(0);
    let (begun, cpu) = (Instant::now(), processor_time());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| done.fetch_add(append(&journal, outstanding, batch, time), Ordering::Relaxed));
        }
    });
    let (took, cpu) = (begun.elapsed(), processor_time() - cpu);
    let (done, stats, median) = (done.into_inner() as f64, journal.stats(), journal.sync_median_us());
    println!(
        "{threads:2} threads x {outstanding:3} outstanding x {batch:2}: {:8.0}/s, {:6.0} syncs/s, {:5.1} a sync, \
         sync p50 {median} us, {:.2} us of processor each, {:3.0} % of 8 per (p50 + 0.1 ms); ready after {ready:?}",
        done / took.as_secs_f64(),
        stats.syncs as f64 / took.as_secs_f64(),
        done / stats.syncs as f64,
        cpu.as_micros() as f64 / done,
        100.0 * done / took.as_secs_f64() * (f64::from(median) + 100.0) / 8e6,
    );
    journal.close().unwrap();
}

fn append(journal: &Journal, outstanding: usize, batch: usize, time: Duration) -> u64 {
    let (begun, mut done, mut waiting) = (Instant::now(), 0, VecDeque::new());
    let mut next = journal.batch();
    while begun.elapsed() < time {
        (0..batch).for_each(|_| next.push(1, &[1; 24], 0, &[&MESSAGE]));
        match journal.append(&mut next) {
            Ok(placed) => {
                waiting.push_back(placed.lsn);
                done += batch as u64;
            }
            Err(error) => println!("{error}"),
        }
        // Freed segments come back as spares, as they do in a broker that is consumed from.
        if journal.stats().since_checkpoint > 256 << 20 {
            journal.checkpoint(b"", journal.stats().appended).unwrap();
        }
        if waiting.len() >= outstanding
            && let Some(lsn) = waiting.pop_front()
        {
            journal.durable().wait(lsn);
        }
    }
    if let Some(lsn) = waiting.back() {
        journal.durable().wait(*lsn);
    }
    done
}

/// Fills a journal with a million messages and starts on it.
fn recover(dir: &Path) {
    let _ignored = std::fs::remove_dir_all(dir);
    let journal = Journal::open(JournalOptions::new(dir)).unwrap();
    journal.recover(&mut Count::default()).unwrap();
    for _ in 0..10_000 {
        let mut batch = journal.batch();
        (0..100).for_each(|_| batch.push(1, &[1; 24], 1, &[&MESSAGE]));
        let placed = journal.append(&mut batch).unwrap();
        if placed.lsn.0.is_multiple_of(100) {
            journal.durable().wait(placed.lsn);
        }
    }
    let begun = Instant::now();
    journal.checkpoint(&vec![1; 100 << 20], journal.stats().appended).unwrap();
    println!("a checkpoint of 100 MiB took {:?}", begun.elapsed());
    journal.close().unwrap();
    drop(journal);
    let begun = Instant::now();
    let journal = Journal::open(JournalOptions::new(dir)).unwrap();
    let mut count = Count::default();
    journal.recover(&mut count).unwrap();
    println!("started on {} index entries and {} records in {:?}", count.0, count.1, begun.elapsed());
    journal.close().unwrap();
    let _ignored = std::fs::remove_dir_all(dir);
}

/// Processor time of this process so far, user and system.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    // The kernel counts in hundredths of a second.
    Duration::from_millis(fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}
