//! The journal: the log in files of one directory.
//!
//! This is the description of the format, version 1. All numbers are little-endian; all checksums
//! are CRC-32 as in zlib (polynomial 0x04c11db7, reflected). Bytes that are not named are zero.
//!
//! # Files
//!
//! | name | content |
//! | --- | --- |
//! | `lock` | empty; held with flock(2) by the process that uses the directory |
//! | `epoch` | how many times the journal was opened |
//! | `NNNNNNNNNN.segment` | batches; the number is decimal, counts from 1 and is never used twice |
//! | `NNNNNNNNNN.index` | what the segment of that number holds, once it is complete |
//! | `NNNNNNNNNN.checkpoint` | a checkpoint; the two with the highest numbers are kept |
//! | `NNNNNNNNNN.spare` | an allocated file that will become a segment; its content means nothing |
//! | `NNNNNNNNNN.cut` | bytes that a start cut off the end of the log; the latest four are kept |
//! | `*.tmp` | the beginning of one of the above; removed at the next start |
//!
//! A file other than a segment or spare is written as `.tmp`, synced, renamed, and the directory
//! synced: it is there whole or not at all. A segment is a spare or a new file that was allocated to
//! its full length, given its name, and the directory synced, before anything is written to it.
//!
//! # Segments
//!
//! A segment is [`JournalOptions::segment_bytes`] long, or as long as its only batch needs. The
//! last one of a run is cut to what is used. Its first 4,096 bytes hold its header twice, at 0 and
//! at 2,048, of which one intact copy is enough:
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `WharfSeg` |
//! | 8 | 4 | version of the format |
//! | 12 | 4 | number of the segment; another one than the name's: a spare's former header |
//! | 16 | 8 | epoch of the writer |
//! | 24 | 8 | number of the first batch |
//! | 32 | 4 | number of the key that frames are encrypted with; 0: they are not |
//! | 40 | 16 | salt: random, so that no frame of another segment is ever taken for one of this |
//! | 60 | 4 | checksum of bytes 0 to 59 |
//!
//! Behind it frames follow each other without gaps, each beginning at a multiple of 8. Behind the
//! last there are zeros, or what an earlier use of the file has left.
//!
//! The header is written together with the first frames of the segment, and only when everything
//! before it in the log is durable. So the number of the first batch says that all smaller ones were.
//!
//! # Frames
//!
//! A batch is one or more frames, all in one segment. A frame's payload is records of together at
//! most 64 KiB, or one longer record.
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | `wFr1` |
//! | 4 | 4 | checksum of the segment's salt followed by bytes 8 to 39 |
//! | 8 | 4 | checksum of the payload |
//! | 12 | 4 | length of the payload |
//! | 16 | 8 | number of the batch (its Lsn); dense, counted from 1 |
//! | 24 | 8 | the last batch that was durable when this one was appended |
//! | 32 | 4 | the low half of the writer's epoch |
//! | 36 | 2 | number of records |
//! | 38 | 2 | flags: 1 the first frame of its batch, 2 the last one |
//! | 40 | | payload, then zeros up to a multiple of 8 |
//!
//! The payload's checksum is computed by the appender before it takes the lock of the log; the
//! header's, which includes it, under the lock. A frame can be verified alone. The salt is in the
//! header's checksum, and no sender of messages knows it, so that no payload can pose as a frame.
//!
//! A record is its kind (1 byte), the length of its index entry (2), the length of its payload (4),
//! the index entry and the payload. A [`Location`] is a segment's number, the offset of a frame in
//! it and the offset of a record in the frame's payload.
//!
//! # Indexes
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `WharfIdx` |
//! | 8 | 4 | version |
//! | 12 | 4 | number of the segment |
//! | 16 | 16 | salt of the segment |
//! | 32 | 8 | its first batch |
//! | 40 | 8 | its last batch |
//! | 48 | 8 | where its last frame ends |
//! | 56 | 8 | length of the entries |
//! | 64 | 4 | checksum of the entries |
//! | 68 | 4 | checksum of bytes 0 to 67 |
//! | 72 | | entries: frame (4), record (2), length (2), index entry |
//!
//! Only records with an index entry appear. An index is stored when its segment is complete and
//! durable, and before any checkpoint that covers the segment. One that is missing or damaged is
//! made again by reading the segment.
//!
//! # Checkpoints
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `WharfChk` |
//! | 8 | 4 | version |
//! | 12 | 4 | number of the active segment at that time |
//! | 16 | 8 | the last batch that the body stands for |
//! | 24 | 8 | the last batch that was durable before the checkpoint was |
//! | 32 | 8 | epoch |
//! | 40 | 8 | length of the body |
//! | 48 | 4 | checksum of the body |
//! | 60 | 4 | checksum of bytes 0 to 59 |
//! | 64 | | the body |
//!
//! A complete segment is freed after a checkpoint if nothing holds it, and if the checkpoint stands
//! for its last batch and for the last batch that had been appended when it lost its last hold:
//! otherwise a start from the checkpoint would look for what the segment held.
//!
//! # The epoch
//!
//! `WharfEpo`, the epoch (8 bytes), the checksum of these 16 bytes (4). Each open adds one. A writer
//! that finds a higher one than its own when it begins a segment has been replaced and stops.
//!
//! # Start
//!
//! 1. The newest intact checkpoint is taken. A damaged newer one is passed over only as long as all
//!    batches behind the older one are there; else the start stops and names it.
//! 2. Segments whose last batch it covers are known by their indexes.
//! 3. All others are read frame by frame. A batch counts if its frames are intact, consecutive,
//!    flagged as first and last, and numbered next.
//! 4. Where no such batch follows, the segment ends. That must be right before the next segment's
//!    first batch. In the last segment it may be a torn write or rot: if any later frame of the
//!    segment, its index or the checkpoint says that the missing batch was durable, it is rot, and
//!    the start stops and names the file. Otherwise nobody was promised it: what is left of it is
//!    kept aside, and the segment is cut.
//! 5. Writing goes on in a new segment.
//!
//! Rot in the very last batch of the log cannot be told from a torn write, since nothing behind it
//! bears witness; a checkpoint at a clean end makes up for that.
//!
//! # Threads and failures
//!
//! One thread writes: it takes all that waits, writes it with one call, syncs once, and moves the
//! durable watermark. Batches that arrive meanwhile are the next group. A failed write or sync is
//! final, since what a second sync says after a failed one is worth nothing. Another thread stores
//! indexes and prepares spares, which are written full of zeros: syncing a block that was written
//! before is cheaper. One spare is the reserve: when the disk is low, only reserved batches get it.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};

use bytes::Bytes;
use parking_lot::Mutex;
use wharfmq_base::{Location, Lsn, RankedMutex, rank};

mod checkpoint;
mod epoch;
#[cfg(test)]
mod golden;
mod header;
mod index;
mod reader;
mod recover;
mod scan;
mod space;
mod tail;
mod times;
mod writer;

use self::header::SEGMENT_HEAD;
use self::reader::Reader;
use self::space::Upkeep;
use self::tail::{Chunk, Tail};
use self::times::SyncTimes;
use self::writer::Writer;
use crate::batch::{Batch, DEFAULT_MAX_BATCH, Placed};
use crate::disk::{Disk, RealDisk};
use crate::error::{AppendError, ReadError, RecoverError};
use crate::{DurableWatch, Epoch, Log, LogStats, Recovered, Visitor};

/// How a journal is kept.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// The directory, which the journal has for itself. Made if it is missing.
    pub dir: PathBuf,
    /// Size of a segment in bytes; a larger batch gets a segment of its own.
    pub segment_bytes: u64,
    /// Bytes on the disk that normal batches leave free. Two segments at least are left in any case.
    pub disk_free_min: u64,
    /// The largest batch in bytes.
    pub max_batch: u64,
    /// Bytes that may wait to be written before normal batches are refused as `Full`.
    pub max_unwritten: u64,
}

impl JournalOptions {
    /// The defaults, for a journal in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            disk_free_min: 1 << 30,
            max_batch: DEFAULT_MAX_BATCH,
            max_unwritten: 256 << 20,
        }
    }

    /// Sizes that the format can hold: offsets within a segment are 32 bits wide.
    fn bounded(mut self) -> Self {
        self.segment_bytes = self.segment_bytes.clamp(16 << 10, 1 << 30).next_multiple_of(4096);
        self.max_batch = self.max_batch.clamp(4 << 10, 2 << 30);
        self
    }

    /// With less than this free on the disk, normal batches are refused.
    fn low_mark(&self) -> u64 {
        self.disk_free_min.max(2 * self.segment_bytes)
    }
}

/// The log in files. See the module for the format.
pub struct Journal {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads of a journal share.
struct Shared {
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    epoch: Epoch,
    tail: RankedMutex<Tail, { rank::LOG }>,
    watch: DurableWatch,
    syncs: AtomicU64,
    sync_times: SyncTimes,
    upkeep: Upkeep,
    reader: Reader,
    writer: OnceLock<Thread>,
}

impl Journal {
    /// Takes the directory over: locks it and begins a new epoch. [`Log::recover`] comes next.
    pub fn open(options: JournalOptions) -> Result<Self, RecoverError> {
        let dir = options.dir.clone();
        let disk = RealDisk::open(&dir).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => RecoverError::Locked(dir),
            _ => RecoverError::Io(dir, error),
        })?;
        Self::open_on(Arc::new(disk), options)
    }

    /// Like [`Self::open`], on a disk that is open and locked.
    pub fn open_on(disk: Arc<dyn Disk>, options: JournalOptions) -> Result<Self, RecoverError> {
        let epoch = epoch::begin(disk.as_ref())?;
        let shared = Shared {
            disk,
            options: options.bounded(),
            epoch,
            tail: RankedMutex::new(Tail::new()),
            watch: DurableWatch::new(),
            syncs: AtomicU64::new(0),
            sync_times: SyncTimes::default(),
            upkeep: Upkeep::default(),
            reader: Reader::default(),
            writer: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared), threads: Mutex::default() })
    }

    /// Bytes that the journal has or could have on its disk: what it takes now and what is free, without
    /// what is to stay free.
    pub fn room(&self) -> io::Result<u64> {
        let disk = &self.shared.disk;
        // Whatever cannot be opened is none of the journal's files.
        let sizes = disk.list()?.into_iter().filter_map(|name| disk.open(&name, false).ok()?.size().ok());
        let bytes = sizes.fold(disk.free()?, u64::saturating_add);
        Ok(bytes.saturating_sub(self.shared.options.low_mark()))
    }

    /// The median duration of the latest syncs, in microseconds; 0 before the first.
    pub fn sync_median_us(&self) -> u32 {
        self.shared.sync_times.median_us()
    }

    fn start(&self) -> io::Result<()> {
        let mut threads = self.threads.lock();
        let writer = Writer::new(Arc::clone(&self.shared));
        let writer = std::thread::Builder::new().name("journal".into()).spawn(move || writer.run())?;
        let _only_once = self.shared.writer.set(writer.thread().clone());
        threads.push(writer);
        let shared = Arc::clone(&self.shared);
        let upkeep = std::thread::Builder::new().name("journal-upkeep".into());
        threads.push(upkeep.spawn(move || shared.keep_up())?);
        self.shared.upkeep.wake();
        Ok(())
    }
}

impl Log for Journal {
    fn batch(&self) -> Batch {
        Batch::with(self.shared.tail.lock().take_buffer(), self.shared.options.max_batch)
    }

    fn append(&self, batch: &mut Batch) -> Result<Placed, AppendError> {
        self.shared.append(batch)
    }

    fn durable(&self) -> &DurableWatch {
        &self.shared.watch
    }

    fn read(&self, at: &[Location], out: &mut Vec<Bytes>) -> Result<(), ReadError> {
        self.shared.read_records(at, out)
    }

    fn release(&self, segment: u32, holds: u32, bytes: u64) {
        self.shared.tail.lock().release(segment, holds, bytes);
    }

    fn hold(&self, segment: u32, holds: u32, bytes: u64) {
        self.shared.tail.lock().hold(segment, holds, bytes);
    }

    fn checkpoint(&self, body: &[u8], upto: Lsn) -> Result<(), AppendError> {
        self.shared.store_checkpoint(body, upto)
    }

    fn recover(&self, visitor: &mut dyn Visitor) -> Result<Recovered, RecoverError> {
        if self.shared.writer.get().is_some() {
            return Err(RecoverError::Meaning("it was recovered already".into()));
        }
        let recovered = self.shared.replay(visitor)?;
        self.shared.look_at_space();
        self.shared.watch.advance(recovered.last);
        self.shared.tail.lock().refuse = None;
        self.start().map_err(|error| self.shared.io("", error))?;
        Ok(recovered)
    }

    fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    fn sparse(&self) -> Option<u32> {
        let tail = self.shared.tail.lock();
        let sparse = tail.segments.iter().filter(|(_, segment)| {
            let used = segment.used - u64::from(SEGMENT_HEAD);
            segment.is_sealed() && segment.holds > 0 && segment.live.saturating_mul(4) < used
        });
        sparse.min_by_key(|(_, segment)| segment.live * 1024 / segment.used).map(|(number, _)| *number)
    }

    fn index(&self, segment: u32, visitor: &mut dyn FnMut(Location, &[u8])) -> Result<(), ReadError> {
        self.shared.read_index(segment, visitor)
    }

    fn stats(&self) -> LogStats {
        let tail = self.shared.tail.lock();
        let idle = tail.segments.values().filter(|segment| segment.is_sealed() && segment.holds == 0);
        LogStats {
            segments: tail.segments.len() as u32,
            bytes: tail.segments.values().map(|segment| segment.capacity).sum(),
            live_bytes: tail.segments.values().map(|segment| segment.live).sum(),
            idle_bytes: idle.map(|segment| segment.capacity).sum(),
            since_checkpoint: tail.since_checkpoint,
            syncs: self.shared.syncs.load(Ordering::Relaxed),
            appended: tail.appended,
        }
    }

    fn is_full(&self) -> bool {
        self.shared.tail.lock().is_full(&self.shared.options)
    }

    fn close(&self) -> Result<(), AppendError> {
        let threads = std::mem::take(&mut *self.threads.lock());
        {
            let mut tail = self.shared.tail.lock();
            tail.closing = true;
            tail.refuse.get_or_insert_with(|| AppendError::Failed("the log is closed".into()));
        }
        if let Some(writer) = self.shared.writer.get() {
            writer.unpark();
        }
        self.shared.upkeep.stop();
        for thread in threads {
            // A panic of the writer has ended the process; one of the upkeep has cost a spare.
            let _panicked = thread.join();
        }
        match self.shared.watch.failure() {
            Some(why) => Err(AppendError::Failed(why)),
            // An index that is not stored is made again at the next start.
            None => {
                let _retried = self.shared.store_indexes();
                Ok(())
            }
        }
    }
}

impl Shared {
    fn append(&self, batch: &mut Batch) -> Result<Placed, AppendError> {
        batch.frames.seal();
        let size = batch.frames.size();
        if batch.frames.is_short() || size > self.options.max_batch {
            return Err(AppendError::TooLarge(size, self.options.max_batch));
        }
        let durable = self.watch.lsn();
        let mut tail = self.tail.lock();
        if size == 0 {
            return Ok(Placed::new(tail.appended, 0, 0, Vec::new()));
        }
        let admitted = tail.admit(size, batch.reserved, &self.options);
        if !batch.reserved {
            tail.refused = admitted == Err(AppendError::Full);
        }
        admitted?;
        let placed = tail.put(batch, durable, self.epoch.0 as u32);
        let asleep = std::mem::take(&mut tail.idle);
        drop(tail);
        if let (true, Some(writer)) = (asleep, self.writer.get()) {
            writer.unpark();
        }
        Ok(placed)
    }

    /// Takes everything that waits to be written; sleeps while there is nothing. `None`: closed.
    fn take_pending(&self) -> Option<Arc<Vec<Arc<Chunk>>>> {
        loop {
            {
                let mut tail = self.tail.lock();
                if !tail.pending.is_empty() {
                    let group = Arc::new(std::mem::take(&mut tail.pending));
                    tail.writing = Some(Arc::clone(&group));
                    return Some(group);
                }
                if tail.closing {
                    return None;
                }
                tail.idle = true;
            }
            std::thread::park();
        }
    }

    /// Forgets a group that is on the disk now, but for its buffers.
    fn written(&self, group: Arc<Vec<Arc<Chunk>>>) {
        let size: u64 = group.iter().map(|chunk| chunk.frames.size()).sum();
        {
            let mut tail = self.tail.lock();
            tail.writing = None;
            tail.unwritten -= size;
        }
        // A reader that still looks at a chunk keeps it; its buffer is then not used again.
        let chunks = Arc::into_inner(group).unwrap_or_default();
        let buffers: Vec<_> = chunks.into_iter().filter_map(Arc::into_inner).collect();
        let mut tail = self.tail.lock();
        buffers.into_iter().for_each(|chunk| tail.give_buffer(chunk.frames));
    }

    /// Ends the log: nothing is taken or confirmed any more.
    fn fail(&self, error: AppendError) {
        let why = error.to_string();
        self.tail.lock().refuse = Some(error);
        self.watch.fail(&why);
    }

    /// Whether someone has begun a later epoch.
    fn is_fenced(&self) -> bool {
        epoch::read(self.disk.as_ref()).is_some_and(|found| found > self.epoch)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // A panic that holds a lock ends the process, so none is taken on the way out of one.
        if !std::thread::panicking() {
            let _failed = self.close();
        }
    }
}
