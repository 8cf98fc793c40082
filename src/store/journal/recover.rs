//! The start: what is on the disk becomes the state of the log.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use wharfmq_base::{Location, Lsn};

use super::checkpoint::{self, remove_if_there};
use super::header::{Name, SEGMENT_HEAD, SegmentHeader, checkpoint_name, cut_name, index_name, segment_name};
use super::scan::{self, End};
use super::tail::{Index, Segment, Spare};
use super::{Shared, index, space};
use crate::disk::{read_full, read_whole, write_whole};
use crate::entries;
use crate::error::{ReadError, RecoverError};
use crate::frames::{FrameHeader, Salt};
use crate::{Recovered, Visitor};

/// How many cut tails are kept aside.
const CUTS_KEPT: usize = 4;

/// A segment as it was found.
struct Found {
    header: SegmentHeader,
    salt: Salt,
    size: u64,
    index: Option<index::Stored>,
    /// The first batch of the segment after it, if there is one, and whether that is its neighbour.
    after: Option<(Lsn, bool)>,
}

impl Found {
    /// The last batch in it, where something tells without reading it.
    fn last(&self) -> Option<Lsn> {
        let stored = self.index.as_ref().map(|index| index.head.last);
        stored.or_else(|| self.after.map(|(first, _)| Lsn(first.0.saturating_sub(1))))
    }
}

/// What the whole start works on.
struct Recovery<'a> {
    shared: &'a Shared,
    visitor: &'a mut dyn Visitor,
    checkpoint: Option<checkpoint::Head>,
    /// A checkpoint that should be there but is damaged: named if its absence shows.
    damaged: Option<PathBuf>,
    recovered: Recovered,
}

impl Shared {
    /// See [`crate::Log::recover`].
    pub(super) fn replay(&self, visitor: &mut dyn Visitor) -> Result<Recovered, RecoverError> {
        let names = self.disk.list().map_err(|error| self.io("", error))?;
        let names: Vec<Name> = self.sweep(&names)?;
        let mut run = Recovery {
            shared: self,
            visitor,
            checkpoint: None,
            damaged: None,
            recovered: Recovered::default(),
        };
        run.load_checkpoint(&names)?;
        let found = run.find_segments(&names)?;
        run.enter(&found);
        let last = run.replay_all(&found)?;
        let Recovery { checkpoint, mut recovered, .. } = run;
        recovered.last = last;
        let mut tail = self.tail.lock();
        tail.appended = last;
        tail.active = tail.active.max(checkpoint.map_or(0, |checkpoint| checkpoint.active));
        tail.since_checkpoint = 0;
        for segment in tail.segments.values_mut().filter(|segment| segment.holds == 0) {
            segment.idle_since = last;
        }
        Ok(recovered)
    }

    /// Removes what an interrupted run left half done, and takes the spares over.
    fn sweep(&self, names: &[String]) -> Result<Vec<Name>, RecoverError> {
        let mut numbers = self.upkeep.files.lock();
        let mut kept = Vec::new();
        for name in names {
            let parsed = Name::parse(name);
            match parsed {
                Name::Unfinished => self.disk.remove(name).map_err(|error| self.io(name, error))?,
                Name::Spare(number) => {
                    numbers.spare = numbers.spare.max(number);
                    self.keep_spare(name).map_err(|error| self.io(name, error))?;
                }
                Name::Checkpoint(number) => {
                    numbers.checkpoint = numbers.checkpoint.max(number);
                    kept.push(parsed);
                }
                _ => kept.push(parsed),
            }
        }
        kept.sort_unstable();
        Ok(kept)
    }

    /// Keeps a file as a spare if it is of the right size and there are not enough; else removes it.
    fn keep_spare(&self, name: &str) -> io::Result<()> {
        let file = self.disk.open(name, false)?;
        let mut tail = self.tail.lock();
        if tail.spares.len() < space::SPARES_KEPT && file.size()? == self.options.segment_bytes {
            tail.spares.push(Spare { name: name.into(), file });
            return Ok(());
        }
        drop(tail);
        self.disk.remove(name)
    }

    /// Reads a whole segment and makes its index. For a segment that is complete.
    pub(super) fn rebuild_index(&self, number: u32) -> Result<Vec<u8>, ReadError> {
        let nowhere = Location { segment: number, ..Location::NOWHERE };
        let (first, last, salt) = {
            let tail = self.tail.lock();
            let segment = tail.segments.get(&number).ok_or(ReadError::Missing(nowhere))?;
            (segment.first, segment.last, segment.salt.clone())
        };
        let bytes = read_whole(self.disk.as_ref(), &segment_name(number))?;
        let mut entries = Vec::new();
        let end = scan::batches(&bytes, first, &salt, |_, range| {
            scan::records(&bytes, range, number, |at, record| {
                if !record.index.is_empty() {
                    entries::add(&mut entries, at.frame, at.record, record.index);
                }
                Ok::<(), ReadError>(())
            })
            .map(|_| ())
        })?;
        if end.next <= last {
            return Err(ReadError::Corrupt(self.disk.path(&segment_name(number)), nowhere));
        }
        Ok(entries)
    }

    pub(super) fn io(&self, name: &str, error: io::Error) -> RecoverError {
        RecoverError::Io(self.disk.path(name), error)
    }
}

impl Recovery<'_> {
    /// Finds the newest checkpoint that is whole.
    fn load_checkpoint(&mut self, names: &[Name]) -> Result<(), RecoverError> {
        let number = |name: &Name| if let Name::Checkpoint(number) = name { Some(*number) } else { None };
        for number in names.iter().rev().filter_map(number) {
            let name = checkpoint_name(number);
            let path = || self.shared.disk.path(&name);
            let stored = checkpoint::Stored::load(self.shared.disk.as_ref(), number);
            let stored = stored.map_err(|error| self.shared.io(&name, error))?;
            if let Some(stored) = stored.map_err(|version| RecoverError::Version(path(), version))? {
                self.checkpoint = Some(stored.head);
                self.shared.upkeep.files.lock().upto = stored.head.upto;
                return self.visitor.checkpoint(stored.body(), stored.head.upto);
            }
            if self.damaged.is_none() {
                self.damaged = Some(path());
            }
        }
        Ok(())
    }

    /// Reads the heads and indexes of all segments.
    fn find_segments(&mut self, names: &[Name]) -> Result<Vec<Found>, RecoverError> {
        let disk = self.shared.disk.as_ref();
        let number = |name: &Name| if let Name::Segment(number) = name { Some(*number) } else { None };
        let numbers: Vec<u32> = names.iter().filter_map(number).collect();
        let mut found: Vec<Found> = Vec::with_capacity(numbers.len());
        for (n, &number) in numbers.iter().enumerate() {
            let name = segment_name(number);
            let io = |error| self.shared.io(&name, error);
            let file = disk.open(&name, false).map_err(io)?;
            let mut head = [0; SEGMENT_HEAD as usize];
            let read = read_full(file.as_ref(), &mut head, 0).map_err(io)?;
            let header = SegmentHeader::decode(head.get(..read).unwrap_or_default(), number);
            let header = header.map_err(|version| RecoverError::Version(disk.path(&name), version))?;
            let Some(header) = header else {
                let before = found.last().map_or(Lsn(0), |before| before.header.first);
                let upto = self.checkpoint.map_or(Lsn(0), |checkpoint| checkpoint.upto);
                let bytes = read_whole(disk, &name).map_err(io)?;
                if n + 1 < numbers.len() || was_confirmed(&bytes, before.max(upto)) {
                    return Err(RecoverError::Corrupt(disk.path(&name), "its header".into()));
                }
                self.drop_unused(number, file.size().map_err(io)?).map_err(io)?;
                break;
            };
            if header.key != 0 {
                return Err(RecoverError::Meaning(format!("{name} is encrypted with key {}", header.key)));
            }
            if let Some(before) = found.last_mut() {
                before.after = Some((header.first, before.header.number + 1 == number));
            }
            let index = index::Stored::load(disk, number, &header.salt);
            let salt = Salt::new(header.salt);
            found.push(Found { salt, size: file.size().map_err(io)?, index, after: None, header });
        }
        for name in names {
            if let Name::Index(number) = name
                && !numbers.contains(number)
            {
                remove_if_there(disk, &index_name(*number)).map_err(|e| self.shared.io("", e))?;
            }
        }
        Ok(found)
    }

    /// Does away with the file of a segment that nothing was written to.
    fn drop_unused(&self, number: u32, size: u64) -> io::Result<()> {
        let (disk, name) = (self.shared.disk.as_ref(), segment_name(number));
        remove_if_there(disk, &index_name(number))?;
        if size != self.shared.options.segment_bytes {
            return disk.remove(&name);
        }
        let spare = space::recycle(disk, &mut self.shared.upkeep.files.lock(), &name)?;
        disk.sync_names()?;
        self.shared.keep_spare(&spare)
    }

    /// Makes the segments known to the log, so that references can be counted while they are visited.
    fn enter(&self, found: &[Found]) {
        let mut tail = self.shared.tail.lock();
        for found in found {
            let (number, first) = (found.header.number, found.header.first);
            let last = found.last().unwrap_or(first);
            let used = found.index.as_ref().map_or(found.size, |index| index.head.used);
            let index = Index::Stored;
            let segment = Segment::found(first, last, used, found.size, found.salt.clone(), index);
            tail.segments.insert(number, segment);
            tail.active = tail.active.max(number);
        }
    }

    /// Visits everything; returns the last batch.
    fn replay_all(&mut self, found: &[Found]) -> Result<Lsn, RecoverError> {
        let upto = self.checkpoint.map_or(Lsn(0), |checkpoint| checkpoint.upto);
        let mut next: Option<Lsn> = None;
        for found in found {
            let first = found.header.first;
            if found.last().is_some_and(|last| last <= upto) {
                self.visit_index(found)?;
                next = None;
                continue;
            }
            // Up to the checkpoint segments may have been freed; behind it all must be there.
            let follows = next.map_or(first.0 <= upto.0 + 1, |next| first == next);
            if !follows {
                return Err(self.gap(&segment_name(found.header.number)));
            }
            next = Some(self.visit_records(found)?);
        }
        let next = next.unwrap_or(Lsn(upto.0 + 1)).max(Lsn(upto.0 + 1));
        if self.checkpoint.is_some_and(|checkpoint| checkpoint.durable >= next) {
            return Err(self.gap(""));
        }
        Ok(Lsn(next.0 - 1))
    }

    fn gap(&self, name: &str) -> RecoverError {
        let path = self.damaged.clone().unwrap_or_else(|| self.shared.disk.path(name));
        RecoverError::Corrupt(path, "batches are missing".into())
    }

    /// Visits a segment that the checkpoint covers wholly.
    fn visit_index(&mut self, found: &Found) -> Result<(), RecoverError> {
        let number = found.header.number;
        if let Some(index) = &found.index {
            let mut entries = index.entries();
            return entries.try_for_each(|(at, entry)| self.visitor.index(at, entry));
        }
        let (end, index, _) = self.walk(found, |run, at, _, record| match record.index {
            [] => Ok(()),
            entry => run.visitor.index(at, entry),
        })?;
        if let Some((first, true)) = found.after
            && first != end.next
        {
            return Err(self.corrupt(found, end));
        }
        self.settle(number, end, found.size, index);
        Ok(())
    }

    /// Visits the records of a segment; returns the number of the batch after its last.
    fn visit_records(&mut self, found: &Found) -> Result<Lsn, RecoverError> {
        let number = found.header.number;
        let (end, index, bytes) = self
            .walk(found, |run, at, lsn, record| run.visitor.record(lsn, at, record.kind, record.payload))?;
        let mut size = found.size;
        match found.after {
            // The next segment was begun when all of this one was durable.
            Some((first, _)) if first != end.next => return Err(self.corrupt(found, end)),
            Some(_) => {}
            None => size = self.cut(found, end, &bytes)?,
        }
        if end.at == SEGMENT_HEAD as usize && found.after.is_none() {
            self.shared.tail.lock().segments.remove(&number);
            let dropped = self.drop_unused(number, found.size);
            dropped.map_err(|error| self.shared.io(&segment_name(number), error))?;
        } else {
            self.settle(number, end, size, index);
        }
        Ok(end.next)
    }

    /// Calls `visit` for every record of a segment. Returns its end, its index and its bytes.
    fn walk(
        &mut self,
        found: &Found,
        mut visit: impl FnMut(&mut Self, Location, Lsn, crate::frames::Record<'_>) -> Result<(), RecoverError>,
    ) -> Result<(End, Vec<u8>, Vec<u8>), RecoverError> {
        let number = found.header.number;
        let name = segment_name(number);
        let bytes =
            read_whole(self.shared.disk.as_ref(), &name).map_err(|error| self.shared.io(&name, error))?;
        let mut index = Vec::new();
        let end = scan::batches(&bytes, found.header.first, &found.salt, |lsn, range: Range<usize>| {
            let place = range.start;
            let whole = scan::records(&bytes, range, number, |at, record| {
                if !record.index.is_empty() {
                    entries::add(&mut index, at.frame, at.record, record.index);
                }
                visit(self, at, lsn, record)
            })?;
            // The checksums fit, so this is how it was written, by something else than this program.
            let nonsense = || RecoverError::Meaning(format!("{name}: no records at {place}"));
            if whole { Ok(()) } else { Err(nonsense()) }
        })?;
        Ok((end, index, bytes))
    }

    /// Cuts off what lies behind the last whole batch of the last segment; returns its new size.
    fn cut(&mut self, found: &Found, end: End, bytes: &[u8]) -> Result<u64, RecoverError> {
        let remains = scan::remains(bytes, end, &found.salt);
        let indexed = found.index.as_ref().map_or(Lsn(0), |index| index.head.last);
        let checkpoint = self.checkpoint.map_or(Lsn(0), |checkpoint| checkpoint.durable);
        if remains.durable.max(indexed).max(checkpoint) >= end.next {
            return Err(self.corrupt(found, end));
        }
        let torn = bytes.get(end.at..remains.end).unwrap_or_default();
        let (disk, name) = (self.shared.disk.as_ref(), segment_name(found.header.number));
        let io = |error| self.shared.io(&name, error);
        if !torn.is_empty() {
            let path = self.keep_aside(torn).map_err(io)?;
            self.recovered.cut = Some((torn.len() as u64, path));
        }
        let file = disk.open(&name, false).map_err(io)?;
        if end.at == SEGMENT_HEAD as usize || file.size().map_err(io)? == end.at as u64 {
            return Ok(found.size);
        }
        file.truncate(end.at as u64).and_then(|()| file.sync()).map_err(io)?;
        Ok(end.at as u64)
    }

    /// Stores cut bytes in a file of their own and removes the oldest such files.
    fn keep_aside(&self, torn: &[u8]) -> io::Result<PathBuf> {
        let disk = self.shared.disk.as_ref();
        let number =
            |name: &String| if let Name::Cut(number) = Name::parse(name) { Some(number) } else { None };
        let mut cuts: Vec<u32> = disk.list()?.iter().filter_map(number).collect();
        cuts.sort_unstable();
        let name = cut_name(cuts.last().map_or(1, |last| last.saturating_add(1)));
        write_whole(disk, &name, &mut [IoSlice::new(torn)])?;
        let surplus = (cuts.len() + 1).saturating_sub(CUTS_KEPT);
        cuts.iter().take(surplus).try_for_each(|number| disk.remove(&cut_name(*number)))?;
        Ok(disk.path(&name))
    }

    /// Notes what was learned about a segment by reading it.
    fn settle(&self, number: u32, end: End, size: u64, index: Vec<u8>) {
        if let Some(segment) = self.shared.tail.lock().segments.get_mut(&number) {
            segment.last = Lsn(end.next.0 - 1);
            segment.used = end.at as u64;
            segment.capacity = size;
            segment.index = Index::Memory(Arc::new(index));
        }
    }

    fn corrupt(&self, found: &Found, end: End) -> RecoverError {
        let path = self.shared.disk.path(&segment_name(found.header.number));
        RecoverError::Corrupt(path, format!("batch {} at offset {}", end.next.0, end.at))
    }
}

/// Whether a segment without a readable header holds batches that were confirmed. The header is
/// written with the first batch, so a batch that says that an earlier one of the segment was durable
/// says that of the header too. `floor`: batches up to here are of an earlier use of the file.
fn was_confirmed(bytes: &[u8], floor: Lsn) -> bool {
    let places = (SEGMENT_HEAD as usize..bytes.len()).step_by(8);
    let frames = places.filter_map(|at| FrameHeader::claimed(bytes, at)).filter(|frame| frame.lsn > floor);
    let mut first = Lsn(u64::MAX);
    frames.into_iter().any(|frame| {
        first = first.min(frame.lsn);
        frame.durable >= first
    })
}
