//! The log in memory, for brokers that keep nothing and for tests.

use std::collections::BTreeMap;

use bytes::Bytes;
use wharfmq_base::{Location, Lsn, RankedMutex, rank};

use crate::batch::{Batch, DEFAULT_MAX_BATCH, Placed};
use crate::entries::{self, Entries};
use crate::error::{AppendError, ReadError, RecoverError};
use crate::frames::{FrameHeader, Frames, Record, Salt};
use crate::{DurableWatch, Epoch, Log, LogStats, Recovered, Visitor};

/// A segment is closed at this many bytes, so that one held record keeps few others in memory.
const SEGMENT_BYTES: u64 = 256 << 10;

/// A [`Log`] that forgets everything when the process ends. Everything is durable at once, a
/// segment goes as soon as nothing holds it, and batches without holds are not kept at all.
pub struct MemoryLog {
    watch: DurableWatch,
    tail: RankedMutex<Tail, { rank::LOG }>,
    salt: Salt,
}

#[derive(Default)]
struct Tail {
    closed: bool,
    appended: Lsn,
    active: u32,
    segments: BTreeMap<u32, Segment>,
    buffer: Option<Frames>,
    since_checkpoint: u64,
}

#[derive(Default)]
struct Segment {
    used: u64,
    holds: u64,
    live: u64,
    batches: BTreeMap<u32, Bytes>,
    index: Vec<u8>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> Self {
        let tail = Tail { active: 1, ..Tail::default() };
        Self { watch: DurableWatch::new(), tail: RankedMutex::new(tail), salt: Salt::new([0; 16]) }
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl Log for MemoryLog {
    fn batch(&self) -> Batch {
        Batch::with(self.tail.lock().buffer.take().unwrap_or_default(), DEFAULT_MAX_BATCH)
    }

    fn append(&self, batch: &mut Batch) -> Result<Placed, AppendError> {
        batch.frames.seal();
        let size = batch.frames.size();
        if batch.frames.is_short() || size > batch.limit {
            return Err(AppendError::TooLarge(size, batch.limit));
        }
        let placed = self.tail.lock().put(batch, &self.salt)?;
        self.watch.advance(placed.lsn);
        Ok(placed)
    }

    fn durable(&self) -> &DurableWatch {
        &self.watch
    }

    fn read(&self, at: &[Location], out: &mut Vec<Bytes>) -> Result<(), ReadError> {
        let tail = self.tail.lock();
        for at in at {
            let record = tail.segments.get(&at.segment).and_then(|segment| segment.record(*at));
            out.push(record.ok_or(ReadError::Missing(*at))?);
        }
        Ok(())
    }

    fn release(&self, segment: u32, holds: u32, bytes: u64) {
        self.tail.lock().release(segment, holds, bytes);
    }

    fn hold(&self, segment: u32, holds: u32, bytes: u64) {
        if let Some(segment) = self.tail.lock().segments.get_mut(&segment) {
            segment.holds += u64::from(holds);
            segment.live += bytes;
        }
    }

    fn checkpoint(&self, _body: &[u8], _upto: Lsn) -> Result<(), AppendError> {
        let mut tail = self.tail.lock();
        tail.since_checkpoint = 0;
        tail.is_open()
    }

    fn recover(&self, _visitor: &mut dyn Visitor) -> Result<Recovered, RecoverError> {
        Ok(Recovered::default())
    }

    fn epoch(&self) -> Epoch {
        Epoch(1)
    }

    fn sparse(&self) -> Option<u32> {
        let tail = self.tail.lock();
        let active = tail.active;
        let sparse = tail.segments.iter().filter(|(number, segment)| {
            **number != active && segment.holds > 0 && segment.live.saturating_mul(4) < segment.used
        });
        sparse.min_by_key(|(_, segment)| segment.live * 1024 / segment.used.max(1)).map(|(number, _)| *number)
    }

    fn index(&self, segment: u32, visitor: &mut dyn FnMut(Location, &[u8])) -> Result<(), ReadError> {
        let nowhere = Location { segment, ..Location::NOWHERE };
        let index = {
            let tail = self.tail.lock();
            let found = tail.segments.get(&segment).filter(|_| segment != tail.active);
            found.ok_or(ReadError::Missing(nowhere))?.index.clone()
        };
        Entries::of(segment, &index).for_each(|(at, entry)| visitor(at, entry));
        Ok(())
    }

    fn stats(&self) -> LogStats {
        let tail = self.tail.lock();
        LogStats {
            segments: tail.segments.len() as u32,
            bytes: tail.segments.values().map(|segment| segment.used).sum(),
            live_bytes: tail.segments.values().map(|segment| segment.live).sum(),
            // They go at once.
            idle_bytes: 0,
            since_checkpoint: tail.since_checkpoint,
            syncs: 0,
            appended: tail.appended,
        }
    }

    fn close(&self) -> Result<(), AppendError> {
        self.tail.lock().closed = true;
        Ok(())
    }
}

impl Tail {
    fn is_open(&self) -> Result<(), AppendError> {
        if self.closed { Err(AppendError::Failed("the log is closed".into())) } else { Ok(()) }
    }

    fn put(&mut self, batch: &mut Batch, salt: &Salt) -> Result<Placed, AppendError> {
        self.is_open()?;
        let size = batch.frames.size();
        if size == 0 {
            return Ok(Placed::new(self.appended, 0, 0, Vec::new()));
        }
        let used = self.segments.get(&self.active).map_or(0, |active| active.used);
        if used > 0 && used + size > SEGMENT_BYTES {
            self.segments.retain(|_, segment| segment.holds > 0);
            let next = self.active.checked_add(1);
            self.active = next.ok_or_else(|| AppendError::Failed("segment numbers are used up".into()))?;
        }
        let lsn = Lsn(self.appended.0 + 1);
        let mut frames = batch.take(self.buffer.take().unwrap_or_default());
        frames.stamp(lsn, self.appended, 1, salt);
        (self.appended, self.since_checkpoint) = (lsn, self.since_checkpoint + size);
        let places = std::mem::take(&mut frames.places);
        let segment = self.segments.entry(self.active).or_default();
        // A segment is at most one batch longer than its limit.
        let at = segment.used as u32;
        segment.used += size;
        if frames.holds > 0 {
            segment.holds += frames.holds;
            segment.live += frames.live;
            segment.batches.insert(at, Bytes::copy_from_slice(&frames.bytes));
            entries::append(&mut segment.index, &frames.index, at);
        }
        if frames.memory() <= SEGMENT_BYTES as usize {
            frames.clear();
            self.buffer = Some(frames);
        }
        Ok(Placed::new(lsn, self.active, at, places))
    }

    fn release(&mut self, number: u32, holds: u32, bytes: u64) {
        let Some(segment) = self.segments.get_mut(&number) else { return };
        segment.holds = segment.holds.saturating_sub(holds.into());
        segment.live = segment.live.saturating_sub(bytes);
        if segment.holds > 0 {
            return;
        }
        if number == self.active {
            segment.batches.clear();
            segment.index.clear();
        } else {
            self.segments.remove(&number);
        }
    }
}

impl Segment {
    fn record(&self, at: Location) -> Option<Bytes> {
        let (start, batch) = self.batches.range(..=at.frame).next_back()?;
        let frame = (at.frame - start) as usize;
        let header = FrameHeader::claimed(batch, frame)?;
        let record = Record::at(header.body(batch, frame)?, at.record.into())?;
        Some(batch.slice_ref(record.payload))
    }
}
