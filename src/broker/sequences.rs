//! What producers sent last, so that what a client sends again after a lost connection is dropped.
//!
//! A client that lost its connection sends again whatever it has no answer to, with the numbers it had. The
//! highest number that was taken of each producer is part of the batch that holds the message, so that after
//! any crash both are there or neither is. What was refused below that number is remembered beside it: nobody
//! else would know that it never came about.
//!
//! Messages of transactions have no part in this. A client begins a transaction anew whose commit it has not
//! sent, and of a commit without an answer it tells its application that it was rolled back. Their numbers are
//! not those of the commits' order either: one that is dropped for a later one's sake would be lost.
//!
//! The broker remembers this under its own name: the key is `seq`, the user's name, a line feed and the
//! producer's name; the value is the time of the last change, the highest number, and the numbers that were
//! refused, eight bytes each.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{Millis, RankedMutex, rank};
use wharfmq_core::Token;
use wharfmq_core::record::{BROKER, CheckpointWriter, State};

use super::state::Change;
use super::{Broker, Cause, Port};

/// Producers that a broker remembers; the one that has been quiet for longest makes room.
pub(super) const PRODUCERS_MAX: usize = 100_000;
/// How long a producer is remembered that sends nothing, in milliseconds.
pub(super) const PRODUCER_LIFE_MS: u64 = 24 * 3_600_000;
/// Bytes of a producer's name.
const NAME_BYTES_MAX: usize = 1_024;
/// Refused numbers remembered of one producer, the latest: no client has more without an answer.
const REFUSED_MAX: usize = 1_024;
/// How often those are looked for that have been quiet for too long, in milliseconds.
const SWEEP_MS: u64 = 600_000;
/// Producers gathered under one hold of the table's lock.
const GATHER: usize = 4_096;

const KEY: &[u8] = b"seq";

/// A producer's numbers, as its connection found them.
#[derive(Clone, Debug)]
pub struct Producer {
    sequence: Arc<Sequence>,
    last: u64,
    refused: Box<[u64]>,
}

impl Producer {
    /// Whether the broker took the message of this number before the connection began.
    pub fn has_sent(&self, number: u64) -> bool {
        number <= self.last && !self.refused.contains(&number)
    }
}

/// What is known of one producer.
#[derive(Debug)]
pub(super) struct Sequence {
    name: ByteString,
    /// When it changed last, in milliseconds since 1970.
    touched: AtomicU64,
    /// It is in the table.
    listed: AtomicBool,
    sent: RankedMutex<Sent, { rank::ADDRESS }>,
}

/// Numbers of messages.
#[derive(Clone, Debug, Default)]
struct Sent {
    /// The highest that was taken.
    last: u64,
    /// The highest that the log knows of.
    stored: u64,
    /// Those that were refused, in the order of that.
    refused: Vec<u64>,
}

/// A publication's number, staged beside it.
#[derive(Debug)]
pub(super) struct StagedNumber {
    /// The publication.
    pub(super) index: u32,
    sequence: Arc<Sequence>,
    number: u64,
}

impl StagedNumber {
    pub(super) fn moved(self, to: impl FnOnce(u32) -> u32) -> Self {
        Self { index: to(self.index), ..self }
    }
}

/// What one flush adds to the numbers of its producers.
#[derive(Debug, Default)]
pub(super) struct Advances(Vec<Advance>);

#[derive(Debug)]
struct Advance {
    sequence: Arc<Sequence>,
    sent: Sent,
    /// Whether a message is stored by the batch.
    stores: bool,
}

/// All producers that are remembered.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    table: RankedMutex<BTreeMap<ByteString, Arc<Sequence>>, { rank::ADDRESS }>,
    /// When the table is swept next.
    sweep_at: AtomicU64,
}

impl Sent {
    fn refuse(&mut self, number: u64) {
        if self.refused.contains(&number) {
            return;
        }
        if self.refused.len() >= REFUSED_MAX {
            self.refused.remove(0);
        }
        self.refused.push(number);
    }

    fn take(&mut self, number: u64, stored: bool) {
        self.last = self.last.max(number);
        self.stored = self.stored.max(if stored { number } else { 0 });
        self.refused.retain(|refused| *refused != number);
    }

    /// What the log is to know.
    fn encode(&self, touched: Millis) -> Bytes {
        let mut out = BytesMut::with_capacity(16 + 8 * self.refused.len());
        out.put_u64(touched.0);
        out.put_u64(self.stored);
        self.refused
            .iter()
            .filter(|refused| **refused < self.stored)
            .for_each(|refused| out.put_u64(*refused));
        out.freeze()
    }

    fn decode(mut value: &[u8]) -> Option<(Millis, Self)> {
        let touched = Millis(value.try_get_u64().ok()?);
        let last = value.try_get_u64().ok()?;
        let (numbers, []) = value.as_chunks::<8>() else { return None };
        let refused = numbers.iter().map(|number| u64::from_be_bytes(*number)).collect();
        Some((touched, Self { last, stored: last, refused }))
    }
}

impl Sequence {
    fn new(name: ByteString, touched: Millis, sent: Sent) -> Arc<Self> {
        let touched = AtomicU64::new(touched.0);
        Arc::new(Self { name, touched, listed: AtomicBool::new(false), sent: RankedMutex::new(sent) })
    }

    fn key(&self) -> Bytes {
        [KEY, self.name.as_bytes()].concat().into()
    }

    fn touched(&self) -> Millis {
        Millis(self.touched.load(Ordering::Relaxed))
    }
}

impl Advances {
    /// What becomes of the producers if the batch is written. `refused` has the publications that were
    /// refused, ascending; `is_stored` says of a publication whether the batch stores it.
    pub(super) fn of(
        staged: &[StagedNumber],
        refused: &[(u32, String)],
        is_stored: impl Fn(u32) -> bool,
    ) -> Self {
        let mut all: Vec<Advance> = Vec::new();
        let mut places: HashMap<usize, usize, RandomState> = HashMap::default();
        for StagedNumber { index, sequence, number } in staged {
            let place = *places.entry(Arc::as_ptr(sequence).addr()).or_insert_with(|| {
                let sent = sequence.sent.lock().clone();
                all.push(Advance { sequence: Arc::clone(sequence), sent, stores: false });
                all.len() - 1
            });
            let Some(advance) = all.get_mut(place) else { continue };
            if refused.binary_search_by_key(index, |(of, _)| *of).is_ok() {
                advance.sent.refuse(*number);
                continue;
            }
            let stored = is_stored(*index);
            advance.sent.take(*number, stored);
            advance.stores |= stored;
        }
        Self(all)
    }

    /// The keys and values for the batch that stores the messages.
    pub(super) fn records(&self, now: Millis) -> impl Iterator<Item = (Bytes, Bytes)> {
        let stored = self.0.iter().filter(|advance| advance.stores);
        stored.map(move |advance| (advance.sequence.key(), advance.sent.encode(now)))
    }
}

impl Sequences {
    /// What was staged has been taken.
    pub(super) fn apply(&self, advances: Advances, now: Millis) {
        for Advance { sequence, sent, .. } in advances.0 {
            *sequence.sent.lock() = sent;
            sequence.touched.store(now.0, Ordering::Relaxed);
            if !sequence.listed.swap(true, Ordering::Relaxed) {
                self.list(sequence);
            }
        }
    }

    fn list(&self, sequence: Arc<Sequence>) {
        let mut table = self.table.lock();
        if table.len() >= PRODUCERS_MAX {
            // An eighth at a time: finding the quietest looks at all.
            let mut times: Vec<u64> = table.values().map(|known| known.touched().0).collect();
            let (quieter, &mut limit, _) = times.select_nth_unstable(PRODUCERS_MAX / 8);
            let mut ties = quieter.iter().filter(|time| **time == limit).count();
            drop_quiet(&mut table, |known| {
                let touched = known.touched().0;
                let tie = touched == limit && ties > 0;
                ties -= usize::from(tie);
                touched < limit || tie
            });
        }
        sequence.listed.store(true, Ordering::Relaxed);
        table.insert(sequence.name.clone(), sequence);
    }

    fn find(&self, name: &str) -> Option<Arc<Sequence>> {
        self.table.lock().get(name).cloned()
    }

    /// Takes the producers of one connection out.
    fn take_of(&self, connection: &str) -> Vec<Arc<Sequence>> {
        let mut table = self.table.lock();
        let from: (Bound<&str>, Bound<&str>) = (Bound::Excluded(connection), Bound::Unbounded);
        let of_it = table.range::<str, _>(from).take_while(|(name, _)| name.starts_with(connection));
        let names: Vec<ByteString> =
            of_it.filter(|(name, _)| is_of(name, connection)).map(|(name, _)| name.clone()).collect();
        names.iter().filter_map(|name| table.remove(name)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.table.lock().len()
    }
}

/// Whether a producer's name is a connection's and two numbers, those of its session and its own.
fn is_of(name: &str, connection: &str) -> bool {
    let numbers = name.strip_prefix(connection).and_then(|rest| rest.strip_prefix(':'));
    let numbers = numbers.and_then(|rest| rest.split_once(':'));
    numbers.is_some_and(|(session, own)| session.parse::<i64>().is_ok() && own.parse::<i64>().is_ok())
}

fn drop_quiet(table: &mut BTreeMap<ByteString, Arc<Sequence>>, mut is_quiet: impl FnMut(&Sequence) -> bool) {
    table.retain(|_, known| {
        let goes = is_quiet(known);
        if goes {
            known.listed.store(false, Ordering::Relaxed);
        }
        !goes
    });
}

impl Port {
    /// A producer by its name, which is its connection's name, the number of its session and its own, with
    /// colons between them. `None` where the name is too long to be remembered.
    pub fn producer(&self, name: &str) -> Option<Producer> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let name = self.of_user(name);
        let sequence = self.broker.sequences.find(&name);
        let sequence = sequence.unwrap_or_else(|| Sequence::new(name, self.now.wall, Sent::default()));
        let Sent { last, refused, .. } = sequence.sent.lock().clone();
        Some(Producer { sequence, last, refused: refused.into() })
    }

    /// The staged publication at `index`, the last one, is the producer's message of this number: once it is
    /// taken, [`Producer::has_sent`] says so to later connections. Where it is stored, the number is part of
    /// the same batch.
    pub fn number(&mut self, producer: &Producer, index: u32, number: u64) {
        let sequence = Arc::clone(&producer.sequence);
        self.stage_number(StagedNumber { index, sequence, number });
    }

    /// Drops a message that came before. `confirm` is answered once whatever the broker has taken so far is
    /// durable: the earlier one is among that.
    pub fn drop_repeated(&mut self, confirm: Option<Token>) {
        self.count(Cause::SentAgain);
        self.appended_until_now();
        if let Some(token) = confirm {
            self.confirm(token);
        }
    }

    /// A connection of this name will not send anything again, and nothing it has sent is staged: its producers
    /// are forgotten.
    pub fn forget_producers(&mut self, connection: &str) {
        let lsn = self.broker.forget_producers(&self.of_user(connection));
        self.has_appended(lsn);
    }

    /// A name as the table has it: nobody meets what another user's connections have sent.
    fn of_user(&self, name: &str) -> ByteString {
        let user = self.principal().map_or("", |principal| &principal.name);
        format!("{user}\n{name}").into()
    }
}

impl Broker {
    /// Producers whose numbers are remembered.
    pub fn known_producers(&self) -> usize {
        self.sequences.len()
    }

    fn forget_producers(&self, connection: &str) -> Option<wharfmq_base::Lsn> {
        let gone = self.sequences.take_of(connection);
        gone.iter().for_each(|sequence| sequence.listed.store(false, Ordering::Relaxed));
        let stored = gone.iter().filter(|sequence| sequence.sent.lock().stored > 0);
        let changes: Vec<Change> = stored.map(|sequence| (BROKER, sequence.key(), None)).collect();
        if changes.is_empty() {
            return None;
        }
        let written = self.write_states(&changes, true);
        written.inspect_err(|error| tracing::error!(%error, "producers could not be forgotten")).ok()
    }

    /// Forgets producers that have been quiet for too long. The log follows with its next checkpoint.
    pub(super) fn sweep_producers(&self) {
        let wall = self.now().wall;
        if wall.0 < self.sequences.sweep_at.load(Ordering::Relaxed) {
            return;
        }
        self.sequences.sweep_at.store(wall.0 + SWEEP_MS, Ordering::Relaxed);
        let mut table = self.sequences.table.lock();
        drop_quiet(&mut table, |known| known.touched().plus(Millis(PRODUCER_LIFE_MS)) <= wall);
    }

    /// Takes out of what the broker itself remembers what an earlier run knew of producers.
    pub(super) fn recover_producers(&self, states: &mut BTreeMap<Bytes, Bytes>, wall: Millis) {
        states.retain(|key, value| {
            let Some(name) = key.strip_prefix(KEY) else { return true };
            let name = std::str::from_utf8(name).ok();
            match name.zip(Sent::decode(value)) {
                Some((name, (touched, sent))) if touched.plus(Millis(PRODUCER_LIFE_MS)) > wall => {
                    self.sequences.list(Sequence::new(name.into(), touched.min(wall), sent));
                }
                Some(_) => {}
                None => tracing::error!("what was stored of a producer cannot be read"),
            }
            false
        });
    }

    pub(super) fn write_producers(&self, writer: &mut CheckpointWriter) {
        let mut behind: Option<ByteString> = None;
        loop {
            let from = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let table = self.sequences.table.lock();
            let page = table.range::<str, _>((from, Bound::Unbounded)).take(GATHER);
            let page: Vec<Arc<Sequence>> = page.map(|(_, sequence)| Arc::clone(sequence)).collect();
            drop(table);
            let Some(last) = page.last() else { return };
            behind = Some(last.name.clone());
            for sequence in page {
                let sent = sequence.sent.lock().clone();
                if sent.stored > 0 {
                    let (key, value) = (sequence.key(), sent.encode(sequence.touched()));
                    writer.state(&State { owner: BROKER, key: &key, value: Some(&value) });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quietest_make_room() {
        let sequences = Sequences::default();
        let name = |n: u64| ByteString::from(format!("ID:x:{n:06}:1:1"));
        let max = PRODUCERS_MAX as u64;
        // The time goes the other way than the names.
        for n in 0..max {
            sequences.list(Sequence::new(name(n), Millis(2 * max - n), Sent::default()));
        }
        assert_eq!(sequences.len(), PRODUCERS_MAX);
        let quiet = sequences.find(&name(max - 1)).unwrap();
        sequences.list(Sequence::new(name(max), Millis(3 * max), Sent::default()));
        assert_eq!(sequences.len(), PRODUCERS_MAX - PRODUCERS_MAX / 8 + 1);
        assert!(sequences.find(&name(max)).is_some() && sequences.find(&name(0)).is_some());
        assert!(sequences.find(&name(max - 1)).is_none());
        let own = StagedNumber { index: 0, sequence: quiet, number: 4 };
        sequences.apply(Advances::of(&[own], &[], |_| false), Millis(5 * max));
        let found = sequences.find(&name(max - 1)).unwrap();
        assert_eq!((found.sent.lock().last, found.touched()), (4, Millis(5 * max)), "it is listed again");
    }

    #[test]
    fn what_is_written_is_read() {
        let mut sent = Sent::default();
        for number in 1..=9 {
            if number % 3 == 0 { sent.refuse(number) } else { sent.take(number, number < 9) }
        }
        let (touched, read) = Sent::decode(&sent.encode(Millis(7))).unwrap();
        assert_eq!((touched, read.last, read.stored, read.refused), (Millis(7), 8, 8, vec![3, 6]));
        assert!(Sent::decode(&[0; 15]).is_none() && Sent::decode(&[0; 17]).is_none());
        (0..3 * REFUSED_MAX as u64).for_each(|number| sent.refuse(number));
        assert_eq!(sent.refused.len(), REFUSED_MAX);
    }

    #[test]
    fn flushes_of_many_producers_are_added_up() {
        let all: Vec<_> =
            (0..3).map(|n| Sequence::new(format!("ID:x:1:{n}").into(), Millis(0), Sent::default())).collect();
        let staged = (0..9).map(|index| {
            let sequence = Arc::clone(&all[index as usize % 3]);
            StagedNumber { index, sequence, number: u64::from(index) / 3 + 1 }
        });
        let staged: Vec<_> = staged.collect();
        let refused = [(4, String::new()), (9, String::new())];
        let advances = Advances::of(&staged, &refused, |index| index % 3 < 2);
        let records: Vec<_> =
            advances.records(Millis(1)).map(|(_, value)| Sent::decode(&value).unwrap().1).collect();
        let records: Vec<_> = records.into_iter().map(|sent| (sent.last, sent.refused)).collect();
        assert_eq!(records, [(3, vec![]), (3, vec![2])], "the third stores nothing");
        Sequences::default().apply(advances, Millis(1));
        assert_eq!(all.iter().map(|one| one.sent.lock().last).collect::<Vec<_>>(), [3, 3, 3]);
    }
}
