//! A batch in the making.

use std::fmt;

use wharfmq_base::{Location, Lsn};

use crate::frames::Frames;

/// The largest batch that a log takes unless configured otherwise, in bytes.
pub const DEFAULT_MAX_BATCH: u64 = 320 << 20;

/// Records that go into the log together or not at all.
///
/// The records lie in one growing buffer in the form in which they are written. A batch that grows
/// beyond its limit stops copying and is refused by [`crate::Log::append`].
pub struct Batch {
    pub(crate) frames: Frames,
    pub(crate) reserved: bool,
    pub(crate) limit: u64,
}

impl Batch {
    pub(crate) const fn with(frames: Frames, limit: u64) -> Self {
        Self { frames, reserved: false, limit }
    }

    /// Adds a record: its kind, its index entry (empty: not indexed; at most 65,535 bytes), how many
    /// references hold it live (0: needed only until the next checkpoint) and its payload in parts,
    /// which are copied.
    pub fn push(&mut self, kind: u8, index: &[u8], holds: u32, payload: &[&[u8]]) {
        let bytes = payload.iter().map(|part| part.len() as u64).sum();
        self.push_held(kind, index, holds, bytes, payload);
    }

    /// Like [`Self::push`], where each reference counts for `bytes`, of which its release will speak,
    /// instead of the bytes of the payload.
    pub fn push_held(&mut self, kind: u8, index: &[u8], holds: u32, bytes: u64, payload: &[&[u8]]) {
        self.frames.push(kind, index, (holds, bytes), payload, self.limit);
    }

    /// Marks the batch as one that frees space (settles, dead-letter moves, compaction): it may
    /// draw on the reserve and is never refused as `Full`.
    pub const fn reserved(&mut self) {
        self.reserved = true;
    }

    /// Number of records.
    pub const fn len(&self) -> usize {
        self.frames.records
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.frames.size() == 0
    }

    /// Bytes that the batch will take in the log.
    pub fn bytes(&self) -> u64 {
        self.frames.size()
    }

    /// Takes all records out again.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.reserved = false;
    }

    /// The frames, sealed, with `empty` left in their place.
    pub(crate) fn take(&mut self, empty: Frames) -> Frames {
        self.reserved = false;
        std::mem::replace(&mut self.frames, empty)
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::with(Frames::default(), DEFAULT_MAX_BATCH)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, reserved, limit: _ } = self;
        f.debug_struct("Batch")
            .field("records", &frames.records)
            .field("bytes", &frames.size())
            .field("reserved", reserved)
            .finish_non_exhaustive()
    }
}

/// Where a batch was put.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// Its number.
    pub lsn: Lsn,
    first: Location,
    rest: Vec<(u32, u16)>,
}

impl Placed {
    pub(crate) const fn new(lsn: Lsn, segment: u32, at: u32, rest: Vec<(u32, u16)>) -> Self {
        Self { lsn, first: Location { segment, frame: at, record: 0 }, rest }
    }

    /// The place of the batch's `n`th record, counted from 0 in the order of the pushes;
    /// [`Location::NOWHERE`] beyond the last.
    pub fn location(&self, n: usize) -> Location {
        let Some(n) = n.checked_sub(1) else { return self.first };
        let Some(&(frame, record)) = self.rest.get(n) else { return Location::NOWHERE };
        Location { segment: self.first.segment, frame: self.first.frame + frame, record }
    }
}
