//! What happens beside the writer: indexes are stored, spare segments prepared, free space watched.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use wharfmq_base::Lsn;

use super::Shared;
use super::header::spare_name;
use super::index;
use super::tail::{Index, Spare};
use crate::disk::{Disk, File, write_all};

/// Spares that are made ahead, and how many freed segments are kept as such.
const SPARES_MADE: usize = 1;
pub(super) const SPARES_KEPT: usize = 3;
/// How often the disk is looked at while it is low.
const LOW_POLL: Duration = Duration::from_millis(250);
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];

/// How the thread is told that there may be something to do.
#[derive(Default)]
pub(super) struct Upkeep {
    signal: Mutex<Signal>,
    woken: Condvar,
    /// Held while files other than the active segment are written or removed.
    pub(super) files: Mutex<Numbers>,
}

#[derive(Default)]
struct Signal {
    work: bool,
    stop: bool,
}

/// The numbers of the latest files, and what the latest checkpoint stands for.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) spare: u32,
    pub(super) checkpoint: u32,
    pub(super) upto: Lsn,
}

impl Upkeep {
    pub(super) fn wake(&self) {
        self.signal.lock().work = true;
        self.woken.notify_one();
    }

    pub(super) fn stop(&self) {
        self.signal.lock().stop = true;
        self.woken.notify_one();
    }

    /// Waits for work; false when there will be none any more.
    fn next(&self, poll: bool) -> bool {
        let mut signal = self.signal.lock();
        while !signal.work && !signal.stop {
            if poll {
                if self.woken.wait_for(&mut signal, LOW_POLL).timed_out() {
                    break;
                }
            } else {
                self.woken.wait(&mut signal);
            }
        }
        signal.work = false;
        !signal.stop
    }

    fn is_stopped(&self) -> bool {
        self.signal.lock().stop
    }
}

impl Shared {
    /// The thread's life.
    pub(super) fn keep_up(&self) {
        let mut poll = false;
        while self.upkeep.next(poll) {
            // An index that cannot be stored stays in memory; the next checkpoint tries again and reports.
            let _retried = self.store_indexes();
            self.look_at_space();
            poll = self.make_spares().is_err() || self.tail.lock().is_low(&self.options);
        }
    }

    /// Stores the indexes of all segments that are sealed.
    pub(super) fn store_indexes(&self) -> io::Result<()> {
        let _files = self.upkeep.files.lock();
        loop {
            let next = self.tail.lock().segments.iter().find_map(|(number, segment)| match &segment.index {
                Index::Memory(index) => Some((*number, index::Head::of(*number, segment), Arc::clone(index))),
                _ => None,
            });
            let Some((number, head, entries)) = next else { return Ok(()) };
            index::store(self.disk.as_ref(), &head, &entries)?;
            if let Some(segment) = self.tail.lock().segments.get_mut(&number) {
                segment.index = Index::Stored;
            }
        }
    }

    /// Notes what is free on the disk.
    pub(super) fn look_at_space(&self) {
        // A disk that cannot be asked is treated as full: that is noticed, and nothing is lost by it.
        let owed = self.tail.lock().owed();
        let free = self.disk.free().unwrap_or(0);
        let mut tail = self.tail.lock();
        // A file may have been made before or after the look: rather too little than too much.
        tail.free = free.saturating_sub(tail.owed().max(owed));
    }

    /// Prepares spares until there are enough.
    fn make_spares(&self) -> io::Result<()> {
        loop {
            let (spares, free) = {
                let tail = self.tail.lock();
                (tail.spares.len(), tail.free)
            };
            // The reserve is made even if the disk is low, as long as there is any room for it.
            let needed =
                if spares == 0 { 0 } else { self.options.low_mark() } + 2 * self.options.segment_bytes;
            if spares >= SPARES_MADE || free < needed {
                return Ok(());
            }
            let spare = self.make_spare()?;
            self.tail.lock().spares.push(spare);
            self.look_at_space();
        }
    }

    /// Allocates a spare and writes it full of zeros: syncing a block that was written before costs
    /// less, since the file system has nothing to note about it.
    fn make_spare(&self) -> io::Result<Spare> {
        let name = {
            let mut files = self.upkeep.files.lock();
            files.spare += 1;
            spare_name(files.spare)
        };
        let capacity = self.options.segment_bytes;
        let file = self.allocate(&name, capacity)?;
        let filled = self.fill(file.as_ref(), capacity).and_then(|()| self.disk.sync_names());
        if filled.is_err() {
            // Left behind, it is found at the next start.
            let _ignored = self.disk.remove(&name);
        }
        filled.map(|()| Spare { name, file })
    }

    fn fill(&self, file: &dyn File, capacity: u64) -> io::Result<()> {
        let mut at = 0;
        while at < capacity && !self.upkeep.is_stopped() {
            let len = (capacity - at).min(ZEROS.len() as u64);
            let zeros = ZEROS.get(..len as usize).unwrap_or_default();
            write_all(file, &mut [IoSlice::new(zeros)], at)?;
            at += len;
        }
        file.sync()
    }

    /// Makes a file of `capacity` bytes with its blocks allocated, or none.
    pub(super) fn allocate(&self, name: &str, capacity: u64) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(name, true)?;
        match file.allocate(capacity) {
            Ok(()) => Ok(file),
            Err(error) => {
                // Left behind, it is swept at the next start.
                let _ignored = self.disk.remove(name);
                Err(error)
            }
        }
    }

    /// A spare for a segment of `capacity` bytes for which there was no space.
    pub(super) fn last_spare(&self, capacity: u64) -> Option<Spare> {
        if capacity != self.options.segment_bytes {
            return None;
        }
        self.tail.lock().spares.pop()
    }
}

/// Turns the file of a freed segment into a spare, whose name it returns.
pub(super) fn recycle(disk: &dyn Disk, files: &mut Numbers, from: &str) -> io::Result<String> {
    files.spare += 1;
    let name = spare_name(files.spare);
    disk.rename(from, &name)?;
    Ok(name)
}
