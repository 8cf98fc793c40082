//! Reading records back while the log is written.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use wharfmq_base::Location;

use super::Shared;
use super::header::segment_name;
use super::index::Stored;
use super::tail::Index;
use crate::disk::{File, read_full};
use crate::entries::Entries;
use crate::error::ReadError;
use crate::frames::{FRAME_HEAD, FrameHeader, Record, Salt};

/// Files kept open.
const OPEN_FILES: usize = 64;
/// Read at once where the next records lie near, in bytes, and beyond the last frame's beginning.
const WINDOW: u32 = 256 << 10;
const AHEAD: usize = 4 << 10;

/// The files that were read last.
#[derive(Default)]
pub(super) struct Reader {
    open: Mutex<VecDeque<(u32, Arc<dyn File>)>>,
}

impl Reader {
    /// Closes the file of a segment that is gone.
    pub(super) fn forget(&self, number: u32) {
        self.open.lock().retain(|(open, _)| *open != number);
    }

    fn find(&self, number: u32) -> Option<Arc<dyn File>> {
        self.open.lock().iter().find(|(open, _)| *open == number).map(|(_, file)| Arc::clone(file))
    }

    fn keep(&self, number: u32, file: Arc<dyn File>) {
        let mut open = self.open.lock();
        open.truncate(OPEN_FILES - 1);
        open.push_front((number, file));
    }
}

/// A piece of a segment in memory.
struct Window {
    segment: u32,
    start: u32,
    bytes: Vec<u8>,
}

impl Shared {
    /// See [`crate::Log::read`].
    pub(super) fn read_records(&self, at: &[Location], out: &mut Vec<Bytes>) -> Result<(), ReadError> {
        let mut rest = at;
        while let Some(first) = rest.first() {
            let frame = |at: &Location| (at.segment, at.frame) == (first.segment, first.frame);
            let one_frame = rest.iter().take_while(|at| frame(at)).count();
            let unwritten = {
                let tail = self.tail.lock();
                // A segment may be freed a moment before the writer lets go of its last batches.
                if !tail.segments.contains_key(&first.segment) {
                    return Err(ReadError::Missing(*first));
                }
                tail.unwritten_at(first.segment, first.frame)
            };
            if let Some(chunk) = unwritten {
                let start = (first.frame - chunk.at) as usize;
                let (now, later) = rest.split_at(one_frame);
                take_records(&chunk.frames.bytes, start, now, out)?;
                rest = later;
            } else {
                let near = |at: &Location| {
                    at.segment == first.segment && at.frame >= first.frame && at.frame - first.frame < WINDOW
                };
                let (now, later) = rest.split_at(rest.iter().take_while(|at| near(at)).count());
                self.read_stored(now, out)?;
                rest = later;
            }
        }
        Ok(())
    }

    /// Reads records that lie near each other in one segment.
    fn read_stored(&self, at: &[Location], out: &mut Vec<Bytes>) -> Result<(), ReadError> {
        let (Some(first), Some(last)) = (at.first(), at.iter().map(|at| at.frame).max()) else {
            return Ok(());
        };
        let (salt, used) = {
            let tail = self.tail.lock();
            let segment = tail.segments.get(&first.segment).ok_or(ReadError::Missing(*first))?;
            (segment.salt.clone(), segment.used)
        };
        if u64::from(last) >= used {
            return Err(ReadError::Missing(*first));
        }
        let done = out.len();
        let read = self.read_window(at, last, &salt, out);
        match read {
            // The segment may have been freed, and its file even used again, under the reader's hands.
            Err(_) if !self.tail.lock().segments.contains_key(&first.segment) => {
                out.truncate(done);
                Err(ReadError::Missing(*first))
            }
            read => read,
        }
    }

    fn read_window(
        &self,
        at: &[Location],
        last: u32,
        salt: &Salt,
        out: &mut Vec<Bytes>,
    ) -> Result<(), ReadError> {
        let Some(first) = at.first() else { return Ok(()) };
        let file = self.segment_file(first.segment)?;
        let bytes = vec![0; (last - first.frame) as usize + AHEAD];
        let mut window = Window { segment: first.segment, start: first.frame, bytes };
        let read = read_full(file.as_ref(), &mut window.bytes, first.frame.into())?;
        window.bytes.truncate(read);
        for records in at.chunk_by(|a, b| a.frame == b.frame) {
            self.verify(file.as_ref(), &mut window, records, salt)?;
            let start = records.first().map_or(0, |at| at.frame - window.start) as usize;
            take_records(&window.bytes, start, records, out)?;
        }
        Ok(())
    }

    /// Makes sure that the frame of `records` is in the window, and is what was written.
    fn verify(
        &self,
        file: &dyn File,
        window: &mut Window,
        records: &[Location],
        salt: &Salt,
    ) -> Result<(), ReadError> {
        let Some(first) = records.first() else { return Ok(()) };
        let start = (first.frame - window.start) as usize;
        let corrupt = || ReadError::Corrupt(self.disk.path(&segment_name(window.segment)), *first);
        let header = FrameHeader::decode(&window.bytes, start, salt).ok_or_else(corrupt)?;
        let end = start + FRAME_HEAD + header.len as usize;
        if let Some(missing) = end.checked_sub(window.bytes.len()).filter(|missing| *missing > 0) {
            // The header is verified, so its length is one that was written.
            let have = window.bytes.len();
            window.bytes.resize(have + missing, 0);
            let read = read_full(file, window.bytes.get_mut(have..).unwrap_or_default(), {
                u64::from(window.start) + have as u64
            })?;
            window.bytes.truncate(have + read);
        }
        match header.body(&window.bytes, start) {
            Some(body) if header.fits(body) => Ok(()),
            _ => Err(ReadError::Corrupt(self.disk.path(&segment_name(window.segment)), *first)),
        }
    }

    fn segment_file(&self, number: u32) -> io::Result<Arc<dyn File>> {
        if let Some(file) = self.reader.find(number) {
            return Ok(file);
        }
        let file = self.disk.open(&segment_name(number), false)?;
        self.reader.keep(number, Arc::clone(&file));
        Ok(file)
    }

    /// See [`crate::Log::index`].
    pub(super) fn read_index(
        &self,
        number: u32,
        visitor: &mut dyn FnMut(Location, &[u8]),
    ) -> Result<(), ReadError> {
        let nowhere = Location { segment: number, ..Location::NOWHERE };
        let (kept, salt) = {
            let tail = self.tail.lock();
            let segment = tail.segments.get(&number).filter(|segment| segment.is_sealed());
            let segment = segment.ok_or(ReadError::Missing(nowhere))?;
            let kept = match &segment.index {
                Index::Memory(index) => Some(Arc::clone(index)),
                Index::Growing | Index::Stored => None,
            };
            (kept, segment.salt.bytes)
        };
        if let Some(index) = kept {
            Entries::of(number, &index).for_each(|(at, entry)| visitor(at, entry));
            return Ok(());
        }
        if let Some(stored) = Stored::load(self.disk.as_ref(), number, &salt) {
            stored.entries().for_each(|(at, entry)| visitor(at, entry));
            return Ok(());
        }
        let index = self.rebuild_index(number)?;
        Entries::of(number, &index).for_each(|(at, entry)| visitor(at, entry));
        Ok(())
    }
}

/// Copies the payloads of `records`, all in the frame at `start` of `bytes`, out of it.
fn take_records(
    bytes: &[u8],
    start: usize,
    records: &[Location],
    out: &mut Vec<Bytes>,
) -> Result<(), ReadError> {
    let body = FrameHeader::claimed(bytes, start).and_then(|header| header.body(bytes, start));
    for at in records {
        // Copied, so that one kept payload does not keep its neighbours in memory.
        let record = body.and_then(|body| Record::at(body, at.record.into()));
        out.push(Bytes::copy_from_slice(record.ok_or(ReadError::Missing(*at))?.payload));
    }
    Ok(())
}
