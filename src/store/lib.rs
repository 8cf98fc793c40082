//! The log: one append-only sequence of batches that everything durable goes through.
//!
//! The store knows records only as a kind, an index entry and bytes; what they mean is the core's
//! affair. A [`Batch`] is atomic: after a crash all of it is there or none. [`Log::append`] is
//! *admission* (microseconds, order of calls is order of the log); [`DurableWatch`] is *durability*.

mod batch;
mod disk;
mod entries;
mod error;
mod frames;
pub mod journal;
mod memory;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod watch;

pub use batch::{Batch, DEFAULT_MAX_BATCH, Placed};
pub use disk::{Disk, File, RealDisk};
pub use error::{AppendError, ReadError, RecoverError};
pub use journal::{Journal, JournalOptions};
pub use memory::MemoryLog;
pub use watch::DurableWatch;

use bytes::Bytes;
use wharfmq_base::{Location, Lsn};

/// Who wrote a log last: a log that was taken over by a higher epoch refuses appends of a lower one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// One append-only, atomic, ordered log. All methods are synchronous; none waits for a disk but
/// those that say so.
pub trait Log: Send + Sync {
    /// An empty batch, with buffers that earlier batches left.
    fn batch(&self) -> Batch;

    /// Puts the whole batch at the end of the log. The batch is empty afterwards, or unchanged where
    /// it was refused. Does not wait for the disk. `Full` is never answered to a batch that is
    /// [`Batch::reserved`].
    fn append(&self, batch: &mut Batch) -> Result<Placed, AppendError>;

    /// What is on disk.
    fn durable(&self) -> &DurableWatch;

    /// Reads the payloads of stored records, in the order asked. Blocks on the disk; records not
    /// yet written are answered from memory. Neighbours in one frame cost one read.
    fn read(&self, at: &[Location], out: &mut Vec<Bytes>) -> Result<(), ReadError>;

    /// Counts `holds` references of together `bytes` in `segment` as gone. A segment without
    /// references is freed once a durable checkpoint lies behind its last batch.
    fn release(&self, segment: u32, holds: u32, bytes: u64);

    /// Counts references back in, while recovering: the opposite of [`Log::release`].
    fn hold(&self, segment: u32, holds: u32, bytes: u64);

    /// Stores a checkpoint: `body` stands for every batch up to and including `upto`. Blocks until
    /// it is on disk, then frees the segments that nothing needs any more.
    /// One that stands for less than the latest stored is not needed and is passed over.
    fn checkpoint(&self, body: &[u8], upto: Lsn) -> Result<(), AppendError>;

    /// Replays what is stored into `visitor` and makes the log ready to append. Called once, first.
    fn recover(&self, visitor: &mut dyn Visitor) -> Result<Recovered, RecoverError>;

    /// The epoch this log was opened with.
    fn epoch(&self) -> Epoch;

    /// A sealed segment that is mostly dead, for compaction; the emptiest first.
    fn sparse(&self) -> Option<u32>;

    /// The index of a sealed segment: every indexed record with its place. Blocks on the disk.
    fn index(&self, segment: u32, visitor: &mut dyn FnMut(Location, &[u8])) -> Result<(), ReadError>;

    /// Numbers for operators.
    fn stats(&self) -> LogStats;

    /// Whether a normal batch would probably be refused as `Full`: for those who wait for space.
    fn is_full(&self) -> bool {
        false
    }

    /// Waits until all appended batches are durable and closes the log. Appends fail afterwards.
    fn close(&self) -> Result<(), AppendError>;
}

/// Receives the content of a log at start, in this order: the checkpoint, the index entries of
/// segments that it covers wholly, and the records after them.
pub trait Visitor {
    /// The newest durable checkpoint, if there is one.
    fn checkpoint(&mut self, body: &[u8], upto: Lsn) -> Result<(), RecoverError>;

    /// An indexed record that the checkpoint covers, known by its index entry only.
    fn index(&mut self, at: Location, entry: &[u8]) -> Result<(), RecoverError>;

    /// A record read whole: in log order. Records at or below the checkpoint's `upto` appear too
    /// when their segment was not sealed; they come before all later ones.
    fn record(&mut self, lsn: Lsn, at: Location, kind: u8, payload: &[u8]) -> Result<(), RecoverError>;
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last batch of the log.
    pub last: Lsn,
    /// Bytes of a torn tail that were cut off and kept aside, and the file they are kept in.
    pub cut: Option<(u64, std::path::PathBuf)>,
}

/// Numbers for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Segments, the one being written included.
    pub segments: u32,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Bytes of records that something still refers to.
    pub live_bytes: u64,
    /// Bytes of segments that nothing refers to: the next checkpoint frees them.
    pub idle_bytes: u64,
    /// Bytes appended since the last checkpoint.
    pub since_checkpoint: u64,
    /// Completed syncs.
    pub syncs: u64,
    /// The last batch appended.
    pub appended: Lsn,
}
