//! The end of the log: what is behind its lock. Nothing here touches the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use wharfmq_base::Lsn;

use super::JournalOptions;
use super::header::{SEGMENT_HEAD, fresh_salt};
use crate::batch::Placed;
use crate::error::AppendError;
use crate::frames::{Frames, Salt};
use crate::{Batch, File};

/// Memory kept in empty buffers, in bytes, and the largest buffer that is kept.
const POOL_BYTES: usize = 4 << 20;
const POOL_LARGEST: usize = 1 << 20;
/// Segments are allocated in multiples of this.
const BLOCK: u64 = 4096;

pub(super) struct Tail {
    /// Why nothing is taken: not recovered yet, failed, fenced or closed.
    pub(super) refuse: Option<AppendError>,
    /// The latest normal batch was refused as `Full`.
    pub(super) refused: bool,
    /// The writer has nothing left to do but end.
    pub(super) closing: bool,
    /// The writer sleeps, and whoever appends must wake it.
    pub(super) idle: bool,
    pub(super) appended: Lsn,
    pub(super) active: u32,
    pub(super) segments: BTreeMap<u32, Segment>,
    /// What the writer has yet to take, and what it is writing.
    pub(super) pending: Vec<Arc<Chunk>>,
    pub(super) writing: Option<Arc<Vec<Arc<Chunk>>>>,
    pub(super) unwritten: u64,
    pub(super) since_checkpoint: u64,
    /// Allocated files that wait to become segments, and what is free on the disk besides.
    pub(super) spares: Vec<Spare>,
    pub(super) free: u64,
    /// Bytes of segments that were begun and whose files are yet to be made: not free any more.
    pub(super) promised: u64,
    pool: Vec<Frames>,
    pooled: usize,
}

/// A batch with its place.
pub(super) struct Chunk {
    pub(super) segment: u32,
    pub(super) at: u32,
    pub(super) lsn: Lsn,
    pub(super) frames: Frames,
}

/// An allocated file that is no segment yet.
pub(super) struct Spare {
    pub(super) name: String,
    pub(super) file: Arc<dyn File>,
}

pub(super) struct Segment {
    pub(super) first: Lsn,
    pub(super) last: Lsn,
    pub(super) used: u64,
    pub(super) capacity: u64,
    pub(super) salt: Salt,
    pub(super) holds: u64,
    pub(super) live: u64,
    /// The last batch appended when nothing held the segment any more.
    pub(super) idle_since: Lsn,
    pub(super) index: Index,
    /// The file it is to be written to, until the writer takes it.
    pub(super) spare: Option<Spare>,
    /// It is the reserve: while the disk is low only reserved batches go into it.
    pub(super) reserve: bool,
}

/// Where the index of a segment is.
pub(super) enum Index {
    /// The segment is still being written.
    Growing,
    /// Complete, to be stored.
    Memory(Arc<Vec<u8>>),
    /// In its file.
    Stored,
}

impl Segment {
    pub(super) const fn is_sealed(&self) -> bool {
        !matches!(self.index, Index::Growing)
    }
}

impl Tail {
    pub(super) fn new() -> Self {
        Self {
            refuse: Some(AppendError::Failed("the log is not recovered yet".into())),
            refused: false,
            closing: false,
            idle: false,
            appended: Lsn(0),
            active: 0,
            segments: BTreeMap::new(),
            pending: Vec::new(),
            writing: None,
            unwritten: 0,
            since_checkpoint: 0,
            spares: Vec::new(),
            free: 0,
            promised: 0,
            pool: Vec::new(),
            pooled: 0,
        }
    }

    /// Makes room for `size` bytes at the end, in a new segment where the active one is too full.
    pub(super) fn admit(
        &mut self,
        size: u64,
        reserved: bool,
        options: &JournalOptions,
    ) -> Result<(), AppendError> {
        if let Some(refusal) = &self.refuse {
            return Err(refusal.clone());
        }
        if !reserved && self.unwritten > 0 && self.unwritten + size > options.max_unwritten {
            return Err(AppendError::Full);
        }
        let low = self.is_low(options);
        match self.segments.get(&self.active) {
            Some(active) if !active.is_sealed() && active.used + size <= active.capacity => {
                if low && active.reserve && !reserved { Err(AppendError::Full) } else { Ok(()) }
            }
            _ => self.roll(size, reserved, options),
        }
    }

    /// Begins a segment that has room for `size` bytes.
    pub(super) fn roll(
        &mut self,
        size: u64,
        reserved: bool,
        options: &JournalOptions,
    ) -> Result<(), AppendError> {
        let low = self.is_low(options);
        let capacity = (u64::from(SEGMENT_HEAD) + size).next_multiple_of(BLOCK).max(options.segment_bytes);
        let number = self.active.checked_add(1);
        let number = number.ok_or_else(|| AppendError::Failed("segment numbers are used up".into()))?;
        let spare = if capacity == options.segment_bytes && !self.spares.is_empty() {
            // The last spare is the reserve.
            if low && !reserved && self.spares.len() == 1 {
                return Err(AppendError::Full);
            }
            self.spares.pop()
        } else {
            if !reserved && self.free < capacity.saturating_add(options.low_mark()) {
                return Err(AppendError::Full);
            }
            self.free = self.free.saturating_sub(capacity);
            self.promised += capacity;
            None
        };
        self.free = self.free.saturating_sub(index_bytes(capacity));
        let reserve = low && self.spares.is_empty();
        self.active = number;
        self.segments.insert(number, Segment::begun(self.appended, capacity, spare, reserve));
        Ok(())
    }

    /// Puts the admitted, sealed `batch` at the end.
    pub(super) fn put(&mut self, batch: &mut Batch, durable: Lsn, epoch: u32) -> Placed {
        let empty = self.take_buffer();
        let mut frames = batch.take(empty);
        let size = frames.size();
        let lsn = Lsn(self.appended.0 + 1);
        self.appended = lsn;
        self.unwritten += size;
        self.since_checkpoint += size;
        let segment = self.active;
        let mut at = 0;
        if let Some(active) = self.segments.get_mut(&segment) {
            // A segment is shorter than 4 GiB; see `JournalOptions::bounded`.
            at = active.used as u32;
            active.used += size;
            active.last = lsn;
            active.holds += frames.holds;
            active.live += frames.live;
            if active.holds == 0 {
                active.idle_since = lsn;
            }
            frames.stamp(lsn, durable, epoch, &active.salt);
        }
        let places = std::mem::take(&mut frames.places);
        self.pending.push(Arc::new(Chunk { segment, at, lsn, frames }));
        Placed::new(lsn, segment, at, places)
    }

    pub(super) fn release(&mut self, segment: u32, holds: u32, bytes: u64) {
        let appended = self.appended;
        if let Some(segment) = self.segments.get_mut(&segment) {
            debug_assert!(segment.holds >= u64::from(holds), "more holds released than held");
            segment.holds = segment.holds.saturating_sub(holds.into());
            segment.live = segment.live.saturating_sub(bytes);
            if segment.holds == 0 {
                segment.idle_since = appended;
            }
        }
    }

    pub(super) fn hold(&mut self, segment: u32, holds: u32, bytes: u64) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.holds += u64::from(holds);
            segment.live += bytes;
        }
    }

    /// The chunk with the frame at `at`, if it is not written yet.
    pub(super) fn unwritten_at(&self, segment: u32, at: u32) -> Option<Arc<Chunk>> {
        let find = |chunks: &[Arc<Chunk>]| {
            let after = chunks.partition_point(|chunk| (chunk.segment, chunk.at) <= (segment, at));
            let chunk = chunks.get(after.checked_sub(1)?)?;
            let inside = chunk.segment == segment && ((at - chunk.at) as usize) < chunk.frames.bytes.len();
            inside.then(|| Arc::clone(chunk))
        };
        self.writing.as_ref().and_then(|writing| find(writing)).or_else(|| find(&self.pending))
    }

    /// Whether the reason for which a normal batch was refused still stands.
    pub(super) fn is_full(&self, options: &JournalOptions) -> bool {
        let spare = self.spares.len() > if self.is_low(options) { 1 } else { 0 };
        let space = spare || self.free >= options.segment_bytes + options.low_mark();
        self.refused && (!space || self.unwritten > options.max_unwritten / 2)
    }

    /// Bytes that files still to be made will take: segments begun that have none yet, and the indexes
    /// of all that are not stored.
    pub(super) fn owed(&self) -> u64 {
        let unstored =
            self.segments.values().rev().take_while(|segment| !matches!(segment.index, Index::Stored));
        self.promised + unstored.map(|segment| index_bytes(segment.capacity)).sum::<u64>()
    }

    /// Whether normal batches may take no more of the disk.
    pub(super) fn is_low(&self, options: &JournalOptions) -> bool {
        self.free < options.low_mark()
    }

    /// An empty buffer, with memory where some is kept.
    pub(super) fn take_buffer(&mut self) -> Frames {
        let buffer = self.pool.pop().unwrap_or_default();
        self.pooled -= buffer.memory();
        buffer
    }

    /// Keeps the memory of `buffer` for a later batch, within limits.
    pub(super) fn give_buffer(&mut self, mut buffer: Frames) {
        let memory = buffer.memory();
        if memory <= POOL_LARGEST && self.pooled + memory <= POOL_BYTES {
            buffer.clear();
            self.pooled += memory;
            self.pool.push(buffer);
        }
    }
}

/// What the index of a segment of `capacity` bytes takes at most, where records are not tiny.
const fn index_bytes(capacity: u64) -> u64 {
    capacity / 8
}

impl Segment {
    fn begun(after: Lsn, capacity: u64, spare: Option<Spare>, reserve: bool) -> Self {
        Self {
            first: Lsn(after.0 + 1),
            last: after,
            used: u64::from(SEGMENT_HEAD),
            capacity,
            salt: fresh_salt(),
            holds: 0,
            live: 0,
            idle_since: after,
            index: Index::Growing,
            spare,
            reserve,
        }
    }

    /// A complete segment that was found at the start.
    pub(super) const fn found(
        first: Lsn,
        last: Lsn,
        used: u64,
        capacity: u64,
        salt: Salt,
        index: Index,
    ) -> Self {
        Self {
            first,
            last,
            used,
            capacity,
            salt,
            holds: 0,
            live: 0,
            idle_since: last,
            index,
            spare: None,
            reserve: false,
        }
    }
}
