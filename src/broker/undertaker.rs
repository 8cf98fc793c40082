//! Messages read back from the log, and messages that go to the dead letters.

use std::sync::Arc;

use bytes::Bytes;
use wharfmq_base::{Location, Millis};
use wharfmq_core::record::{self, Class, StoredMessage, kind};
use wharfmq_core::{Admission, Dead, DeadReason, Entry, Message, Notes, Order, Qos, QueueCell};

use super::Broker;
use super::flush::{entry_of, push_message};
use super::threads::{Burial, Load};

/// How long a message that its dead-letter queue had no room for stays in its own queue, in milliseconds.
const EXHUME_MS: u64 = 5_000;

/// Names of what the broker adds to a dead letter.
pub mod note {
    /// Where the message had been sent to: its canonical name.
    pub const ORIGINAL_DESTINATION: &str = "original-destination";
    /// Why it is here, in words.
    pub const CAUSE: &str = "dlqDeliveryFailureCause";
    /// Failed deliveries.
    pub const DELIVERIES: &str = "dlq-deliveries";
    /// The queue or subscription that gave it up.
    pub const QUEUE: &str = "dlq-queue";
}

impl Broker {
    /// Reads paged-out messages back for a queue that is about to deliver them.
    pub(super) fn page_in(&self, load: Load) {
        let Load { cell, wanted } = load;
        let places: Vec<Location> = wanted.iter().map(|&(_, at)| at).collect();
        let mut payloads = Vec::with_capacity(places.len());
        let wall = self.now().wall;
        if self.log.read(&places, &mut payloads).is_ok() {
            let messages = wanted.iter().zip(&payloads);
            let messages =
                messages.filter_map(|(&(order, _), payload)| Some((order, message_from(payload)?)));
            self.run(&cell, |queue, fx| queue.loaded(messages, wall, fx));
            return;
        }
        // One bad record must not keep its neighbours: each gets its own try.
        for (order, at) in wanted {
            match self.read_moved(&cell, order, at) {
                Some(message) => self.run(&cell, |queue, fx| {
                    queue.loaded(std::iter::once((order, message)), wall, fx);
                }),
                None => {
                    tracing::error!(queue = %cell.name, segment = at.segment, "a stored message cannot be read");
                    self.counters.lost_on_read(1);
                    self.run(&cell, |queue, fx| queue.load_failed(std::iter::once(order), wall, fx))
                }
            };
        }
    }

    /// The message of an entry, read from the log where it is paged out. Blocks on the disk then.
    pub(super) fn message_of(&self, entry: &Entry) -> Option<Arc<Message>> {
        entry.message.clone().or_else(|| self.read_one(entry.at))
    }

    /// Reads a message that compaction may have moved since somebody looked where it is.
    pub(super) fn read_moved(&self, cell: &QueueCell, order: Order, at: Location) -> Option<Arc<Message>> {
        self.read_one(at).or_else(|| {
            let now = cell.lock().queue().find(order).map(|entry| entry.at);
            self.read_one(now.filter(|now| *now != at)?)
        })
    }

    pub(super) fn read_one(&self, at: Location) -> Option<Arc<Message>> {
        let mut payload = Vec::with_capacity(1);
        self.log.read(&[at], &mut payload).ok()?;
        message_from(payload.first()?)
    }

    /// Moves messages to their dead-letter queue, each move in one atomic batch.
    pub(super) fn bury(&self, burial: Burial) {
        for dead in burial.dead {
            let wall = self.now().wall;
            let message = self.message_of(&dead.entry);
            if message.is_none() {
                self.counters.lost_on_read(1);
            }
            if !self.bury_one(&burial.cell, &dead, message, wall) {
                let (order, retry) = (dead.entry.order, wall.plus(Millis(EXHUME_MS)));
                self.counters.dead_refused(1);
                self.run(&burial.cell, |queue, fx| queue.exhumed(order, retry, wall, fx));
            }
        }
    }

    /// Writes the copy and the settle, puts the copy into its queue and takes the original out of its
    /// own. False: not now.
    fn bury_one(
        &self,
        from: &Arc<QueueCell>,
        dead: &Dead,
        message: Option<Arc<Message>>,
        wall: Millis,
    ) -> bool {
        let target = match dead.reason {
            DeadReason::Expired => &from.policy.expired,
            _ => &from.policy.dead_letter,
        };
        let (Some(message), Some(address)) = (message, target.target(&from.name)) else {
            let gate = self.gate.read();
            self.settle_dead(from, &dead.entry);
            self.run(from, |queue, fx| queue.buried(dead.entry.order, wall, fx));
            drop(gate);
            return true;
        };
        let Ok((to, _)) = self.queue(Class::Queue, &address.name, true) else { return false };
        let copy = dead_letter(from, dead, &message, Arc::new(address));
        let admission = to.lock().queue().admit(1, u64::from(copy.size()));
        if !matches!(admission, Admission::Accept) {
            return false;
        }
        let order = Order(self.ids.draw(1));
        let mut batch = self.log.batch();
        batch.reserved();
        push_message(&mut batch, &copy, order, &[(to.id, 0)], &mut Vec::new(), &mut Vec::new());
        let mut payload = Vec::new();
        if dead.entry.at.is_stored() {
            record::Settle::encode(from.id, [dead.entry.order], &mut payload);
            batch.push(kind::SETTLE, &[], 0, &[&payload]);
        }
        // Until both queues know: a checkpoint in between would name the message in neither or in both.
        let gate = self.gate.read();
        let Ok(placed) = self.log.append(&mut batch) else {
            to.lock().queue().unreserve(1, u64::from(copy.size()));
            return false;
        };
        let entry = entry_of(&copy, order, placed.location(0), 0, Millis::NEVER);
        self.run(&to, |queue, fx| queue.enqueue(std::iter::once(entry), wall, fx));
        self.run(from, |queue, fx| queue.buried(dead.entry.order, wall, fx));
        drop(gate);
        self.counters.dead_lettered(1);
        true
    }

    fn settle_dead(&self, cell: &QueueCell, entry: &Entry) {
        if entry.at.is_stored() {
            let mut payload = Vec::new();
            record::Settle::encode(cell.id, [entry.order], &mut payload);
            // A log that has failed latches and stops the broker; there is nobody here to tell.
            let _ = self.append_one(kind::SETTLE, &payload);
        }
    }
}

fn message_from(payload: &Bytes) -> Option<Arc<Message>> {
    let stored = StoredMessage::decode(payload).ok()?;
    Some(Arc::new(stored.message(payload, Arc::new(stored.address()))))
}

fn dead_letter(
    from: &QueueCell,
    dead: &Dead,
    message: &Message,
    address: Arc<wharfmq_core::Address>,
) -> Arc<Message> {
    let deliveries = dead.entry.deliveries.to_string();
    let original = message.address.to_string();
    let cause = match dead.reason {
        DeadReason::MaxDeliveries => format!("delivered {deliveries} times without an acknowledgement"),
        DeadReason::Rejected => "refused by its consumer".to_owned(),
        DeadReason::Expired => "expired".to_owned(),
        DeadReason::Overflow => format!("{} was full", from.name),
    };
    let added = [
        (note::ORIGINAL_DESTINATION, &*original),
        (note::CAUSE, &cause),
        (note::DELIVERIES, &deliveries),
        (note::QUEUE, &from.name),
    ];
    let kept = message.notes.iter().filter(|(name, _)| added.iter().all(|(new, _)| new != name));
    Arc::new(Message {
        address,
        qos: if message.qos == Qos::AtMostOnce { Qos::ExactlyOnce } else { message.qos },
        retain: false,
        expires: Millis::NEVER,
        notes: Notes::new(kept.chain(added)),
        ..message.clone()
    })
}
