//! What a queue wants done after a command.

use bytestring::ByteString;
use wharfmq_base::Location;

use crate::{Entry, Order};

/// Why a message left its queue for the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadReason {
    /// Delivered too often.
    MaxDeliveries,
    /// Refused by its consumer.
    Rejected,
    /// Its time was over.
    Expired,
    /// The queue was full.
    Overflow,
}

/// A message on its way to the dead letters. It stays in its queue, given to nobody, until the queue is
/// told `buried` or `exhumed`.
#[derive(Clone, Debug)]
pub struct Dead {
    /// What the queue keeps of it.
    pub entry: Entry,
    /// Why.
    pub reason: DeadReason,
    /// The consumer that failed it or refused it, if one did.
    pub by: Option<ByteString>,
    /// What that consumer said of it, if it did.
    pub why: Option<ByteString>,
}

/// References to stored records that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The segment they pointed into.
    pub segment: u32,
    /// How many.
    pub holds: u32,
    /// Their bytes, as counted when they were appended.
    pub bytes: u64,
}

/// What one or several commands want done. Reused; the queue only appends.
#[derive(Debug, Default)]
pub struct Effects {
    /// Stored messages that are gone for good and whose settle must go to the log, ascending per command.
    pub settled: Vec<Order>,
    /// Delivery counts worth logging.
    pub counted: Vec<(Order, u8)>,
    /// References given up.
    pub released: Vec<Release>,
    /// Messages for the dead letters.
    pub dead: Vec<Dead>,
    /// Records to read back, for `loaded`.
    pub load: Vec<(Order, Location)>,
    /// What a consumer says of the messages that it refuses, while it does.
    pub why: Option<ByteString>,
    /// Whether somebody wants to know what is dropped.
    pub watched: bool,
    /// What was dropped meanwhile, and why.
    pub dropped: Vec<(Entry, DeadReason)>,
}

impl Effects {
    /// Forgets everything, keeps the buffers.
    pub fn clear(&mut self) {
        self.settled.clear();
        self.counted.clear();
        self.released.clear();
        self.dead.clear();
        self.load.clear();
        self.dropped.clear();
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.settled.is_empty()
            && self.counted.is_empty()
            && self.released.is_empty()
            && self.dead.is_empty()
            && self.load.is_empty()
            && self.dropped.is_empty()
    }

    /// Adds a reference given up, merged with the one before where they share a segment.
    pub fn release(&mut self, at: Location, bytes: u32) {
        if !at.is_stored() {
            return;
        }
        match self.released.last_mut() {
            Some(last) if last.segment == at.segment => {
                last.holds += 1;
                last.bytes += u64::from(bytes);
            }
            _ => self.released.push(Release { segment: at.segment, holds: 1, bytes: u64::from(bytes) }),
        }
    }
}
