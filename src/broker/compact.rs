//! The keeper's work: checkpoints in time, and segments that are mostly dead copied forward.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use wharfmq_base::Location;
use wharfmq_core::record::{IndexEntry, MessagePrefix, StoredMessage, kind};
use wharfmq_core::{Order, QueueCell, QueueId, record};
use wharfmq_store::{AppendError, ReadError};

use super::Broker;

/// Bytes appended after which a checkpoint is due.
const CHECKPOINT_BYTES: u64 = 256 << 20;
/// Bytes that a checkpoint would free from which on it is due too; from the first on while the log is full.
const IDLE_BYTES: u64 = 128 << 20;
/// Bytes copied forward in one batch.
const COPY_BYTES: usize = 4 << 20;

/// A live record of a segment that is being emptied.
struct Straggler {
    at: Location,
    order: Order,
    size: u32,
    holders: SmallVec<[(QueueId, u8); 2]>,
}

impl Broker {
    /// One look at what there is to do.
    pub(super) fn keep(&self) {
        if self.log.durable().failure().is_some() {
            return;
        }
        let sparse = self.log.sparse();
        if let Some(segment) = sparse
            && let Err(error) = self.compact(segment)
        {
            tracing::warn!(segment, %error, "a segment could not be compacted");
        }
        let stats = self.log.stats();
        let idle = stats.idle_bytes >= IDLE_BYTES || (stats.idle_bytes > 0 && self.log.is_full());
        let due = idle || stats.since_checkpoint >= CHECKPOINT_BYTES || self.ids.is_low();
        if (due || sparse.is_some())
            && let Err(error) = self.checkpoint()
        {
            tracing::error!(%error, "no checkpoint could be written");
        }
    }

    /// Copies what is live in a segment to the end of the log, so that the segment can go.
    fn compact(&self, segment: u32) -> Result<(), CompactError> {
        let mut stragglers = Vec::new();
        self.log.index(segment, &mut |at, entry| {
            if let Ok(entry) = IndexEntry::decode(entry) {
                stragglers.extend(self.straggler(at, &entry));
            }
        })?;
        let mut rest = &stragglers[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |straggler: &&Straggler| {
                bytes += straggler.size as usize;
                bytes <= COPY_BYTES
            };
            let (now, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            self.copy_forward(now)?;
            rest = later;
        }
        Ok(())
    }

    fn straggler(&self, at: Location, entry: &IndexEntry<'_>) -> Option<Straggler> {
        let holders: SmallVec<_> =
            entry.queues.iter().filter(|&(queue, _)| self.holds(queue, entry, at)).collect();
        (!holders.is_empty()).then_some(Straggler { at, order: entry.order, size: entry.size, holders })
    }

    fn holds(&self, queue: QueueId, entry: &IndexEntry<'_>, at: Location) -> bool {
        if queue == record::RETAINED {
            let Some((_, topic)) = entry.address else { return false };
            return self.retained.store.lock().get(&topic.into()).is_some_and(|kept| kept.at == at);
        }
        let Some(cell) = self.queues.get(queue) else { return false };
        let mut locked = cell.lock();
        locked.queue().find(entry.order).is_some_and(|entry| entry.at == at)
    }

    fn copy_forward(&self, stragglers: &[Straggler]) -> Result<(), CompactError> {
        let places: Vec<Location> = stragglers.iter().map(|straggler| straggler.at).collect();
        let mut payloads: Vec<Bytes> = Vec::with_capacity(places.len());
        self.log.read(&places, &mut payloads)?;
        let mut batch = self.log.batch();
        batch.reserved();
        let (mut prefix, mut index) = (Vec::new(), Vec::new());
        for (straggler, payload) in stragglers.iter().zip(&payloads) {
            let stored =
                StoredMessage::decode(payload).map_err(|error| CompactError::Meaning(error.to_string()))?;
            let message = stored.message(payload, Arc::new(stored.address()));
            prefix.clear();
            index.clear();
            let head = MessagePrefix::of(&message, straggler.order, &straggler.holders);
            head.encode(&mut prefix);
            IndexEntry::encode(&head, message.size(), true, &mut index);
            let parts: [&[u8]; 4] = [&prefix, &message.head.bytes, &message.notes.0, &message.body];
            let holds = straggler.holders.len() as u32;
            batch.push_held(kind::RELOCATE, &index, holds, u64::from(message.size()), &parts);
        }
        let gate = self.gate.read();
        let placed = self.log.append(&mut batch)?;
        for (nth, straggler) in stragglers.iter().enumerate() {
            for &(queue, _) in &straggler.holders {
                self.moved(queue, straggler, &payloads, nth, placed.location(nth));
            }
        }
        drop(gate);
        Ok(())
    }

    /// Tells one holder where its record is now. Whichever of the two copies it no longer needs is
    /// released: the old one where it moved, the new one where it had let go meanwhile.
    fn moved(&self, queue: QueueId, straggler: &Straggler, payloads: &[Bytes], nth: usize, to: Location) {
        let size = u64::from(straggler.size);
        let moved = if queue == record::RETAINED {
            let stored = payloads.get(nth).and_then(|payload| StoredMessage::decode(payload).ok());
            let mut store = self.retained.store.lock();
            let kept = stored.and_then(|stored| store.get_mut(&stored.name.into()));
            kept.filter(|kept| kept.at == straggler.at).map(|kept| kept.at = to).is_some()
        } else {
            let cell: Option<Arc<QueueCell>> = self.queues.get(queue);
            cell.is_some_and(|cell| cell.lock().queue().moved(straggler.order, straggler.at, to))
        };
        let gone = if moved { straggler.at } else { to };
        self.log.release(gone.segment, 1, size);
    }
}

/// Why a segment could not be emptied.
#[derive(Debug)]
enum CompactError {
    Read(ReadError),
    Append(AppendError),
    Meaning(String),
}

impl From<ReadError> for CompactError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<AppendError> for CompactError {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

impl std::fmt::Display for CompactError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Append(error) => error.fmt(f),
            Self::Meaning(error) => f.write_str(error),
        }
    }
}
