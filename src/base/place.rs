//! Names of places in the log.

/// Number of a batch in the log, dense and ascending; 0 lies before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// Where one record lies in the log: enough to read it back.
///
/// Locations of one log ascend with time, so `a < b` says that `a` was appended before `b`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The segment's number, from 1. 0: nowhere, the record is not stored.
    pub segment: u32,
    /// Offset in bytes of the record's frame within the segment.
    pub frame: u32,
    /// Offset in bytes of the record within its frame's payload.
    pub record: u16,
}

impl Location {
    /// Not stored.
    pub const NOWHERE: Self = Self { segment: 0, frame: 0, record: 0 };

    /// Whether the record is in the log at all.
    pub const fn is_stored(self) -> bool {
        self.segment != 0
    }
}
