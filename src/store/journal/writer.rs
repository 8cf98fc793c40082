//! The one thread that writes: it takes everything that is pending, writes it, syncs once, and says so.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Shared;
use super::header::{SegmentHeader, segment_name};
use super::tail::{Chunk, Index, Spare};
use crate::disk::{File, write_all};
use crate::entries;
use crate::error::AppendError;

/// Bytes written between two syncs at most, so that a long queue of batches makes progress in steps.
const GROUP_BYTES: usize = 16 << 20;

pub(super) struct Writer {
    shared: Arc<Shared>,
    segment: u32,
    file: Option<Arc<dyn File>>,
    /// The head of the segment, until it is written together with the first batch.
    head: Vec<u8>,
    index: Vec<u8>,
    used: u64,
}

impl Writer {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, segment: 0, file: None, head: Vec::new(), index: Vec::new(), used: 0 }
    }

    /// Writes until the log is closed or fails.
    pub(super) fn run(mut self) {
        let _abort = AbortOnPanic;
        while let Some(group) = self.shared.take_pending() {
            if let Err(error) = self.commit(&group) {
                self.shared.fail(error);
                return;
            }
            self.shared.written(group);
        }
        self.finish();
    }

    fn commit(&mut self, group: &[Arc<Chunk>]) -> Result<(), AppendError> {
        let mut rest = group;
        while let Some(first) = rest.first() {
            if first.segment != self.segment {
                self.roll(first.segment)?;
            }
            let mut bytes = 0;
            let fits = |chunk: &&Arc<Chunk>| {
                bytes += chunk.frames.bytes.len();
                chunk.segment == first.segment && (bytes <= GROUP_BYTES || chunk.lsn == first.lsn)
            };
            let (run, later) = rest.split_at(rest.iter().take_while(fits).count());
            self.write(run).map_err(|error| self.describe("writing", &error))?;
            if let Some(last) = run.last() {
                self.shared.watch.advance(last.lsn);
            }
            run.iter().for_each(|chunk| entries::append(&mut self.index, &chunk.frames.index, chunk.at));
            rest = later;
        }
        Ok(())
    }

    fn write(&mut self, run: &[Arc<Chunk>]) -> io::Result<()> {
        let (Some(file), Some(first)) = (&self.file, run.first()) else { return Ok(()) };
        let mut at = u64::from(first.at);
        let mut parts = Vec::with_capacity(run.len() + 1);
        if !self.head.is_empty() {
            at = 0;
            parts.push(IoSlice::new(&self.head));
        }
        parts.extend(run.iter().map(|chunk| IoSlice::new(&chunk.frames.bytes)));
        let end = at + parts.iter().map(|part| part.len() as u64).sum::<u64>();
        write_all(file.as_ref(), &mut parts, at)?;
        let begun = Instant::now();
        file.sync()?;
        self.shared.sync_times.note(begun.elapsed());
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        self.head.clear();
        self.used = end;
        Ok(())
    }

    /// Ends the segment, all of which is durable now, and opens the next one.
    fn roll(&mut self, number: u32) -> Result<(), AppendError> {
        self.seal();
        if self.shared.is_fenced() {
            return Err(AppendError::Fenced);
        }
        let (header, capacity, spare) = {
            let mut tail = self.shared.tail.lock();
            let segment = tail.segments.get_mut(&number);
            let segment =
                segment.ok_or_else(|| AppendError::Failed(format!("segment {number} is unknown")))?;
            let (first, salt) = (segment.first, segment.salt.bytes);
            let header = SegmentHeader { number, epoch: self.shared.epoch.0, first, key: 0, salt };
            (header, segment.capacity, segment.spare.take())
        };
        self.segment = number;
        self.head = header.encode();
        let file = self.create(&segment_name(number), capacity, spare);
        self.file = Some(file.map_err(|error| self.describe("creating", &error))?);
        self.shared.upkeep.wake();
        Ok(())
    }

    /// Makes the file of a segment out of a spare or of new space.
    fn create(&self, name: &str, capacity: u64, spare: Option<Spare>) -> io::Result<Arc<dyn File>> {
        let disk = &self.shared.disk;
        let spare = match spare {
            Some(spare) => spare,
            None => {
                let made = self.shared.allocate(name, capacity);
                self.shared.tail.lock().promised -= capacity;
                match made {
                    Ok(file) => {
                        disk.sync_names()?;
                        return Ok(file);
                    }
                    Err(error) => self.shared.last_spare(capacity).ok_or(error)?,
                }
            }
        };
        disk.rename(&spare.name, name)?;
        disk.sync_names()?;
        Ok(spare.file)
    }

    /// Hands the complete index of the segment over, to be stored.
    fn seal(&mut self) {
        let index = std::mem::take(&mut self.index);
        if let Some(segment) = self.shared.tail.lock().segments.get_mut(&self.segment) {
            segment.index = Index::Memory(Arc::new(index));
        }
    }

    /// Ends the last segment. What is allocated beyond its end is given back, which saves the next
    /// start from looking at it; if that fails nothing is lost.
    fn finish(&mut self) {
        if let (Some(file), true) = (&self.file, self.head.is_empty())
            && file.truncate(self.used).and_then(|()| file.sync()).is_ok()
        {
            let mut tail = self.shared.tail.lock();
            if let Some(segment) = tail.segments.get_mut(&self.segment) {
                segment.capacity = self.used;
            }
            drop(tail);
            self.seal();
        }
    }

    fn describe(&self, doing: &str, error: &io::Error) -> AppendError {
        let path = self.shared.disk.path(&segment_name(self.segment));
        AppendError::Failed(format!("{doing} {}: {error}", path.display()))
    }
}

/// Half written state must never be confirmed by anyone, so a panic of the writer ends the process.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}
