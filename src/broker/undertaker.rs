//! Messages read back from the log, and messages that go to the dead letters.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use wharfmq_base::{Location, Millis};
use wharfmq_core::record::{self, Class, StoredMessage, kind};
use wharfmq_core::{
    Address, Admission, Dead, DeadLetter, DeadReason, Entry, Kind, Message, Notes, Order, Qos, QueueCell,
    QueuePolicy, Terms, limits,
};

use super::Broker;
use super::flush::{entry_of, push_message};
use super::settle::EVERYWHERE;
use super::threads::{Burial, Load};

/// Dead letters that are moved in one batch, and their bytes; one message may be larger.
pub(super) const BATCH_MESSAGES: usize = 256;
const BATCH_BYTES: u64 = 4 << 20;
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
    /// The consumer that failed it last or refused it, where one did.
    pub const CONSUMER: &str = "dlq-consumer";
    /// When, in milliseconds since 1970.
    pub const TIME: &str = "dlq-time";
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

    /// Moves messages to their dead-letter queues, in atomic batches.
    pub(super) fn bury(&self, burial: Burial) {
        let Burial { cell, dead } = burial;
        let mut rest = &dead[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(batch_len(&cell, rest));
            self.bury_some(&cell, now);
            rest = later;
        }
    }

    /// Moves dead letters that all go to one queue, as far as it takes them.
    fn bury_some(&self, from: &Arc<QueueCell>, dead: &[Dead]) {
        let wall = self.now().wall;
        let target = dead.first().and_then(|first| target_of(from, first.reason));
        let Some(address) = target.map(Arc::new) else { return self.give_up(from, dead, wall) };
        let (mut moves, mut unreadable) = (Vec::with_capacity(dead.len()), Vec::new());
        for dead in dead {
            match self.message_of(&dead.entry) {
                Some(message) => {
                    let copy = dead_letter(from, dead, &message, Arc::clone(&address), wall);
                    moves.push(Move { dead, copy, message });
                }
                None => unreadable.push(dead.clone()),
            }
        }
        self.counters.lost_on_read(unreadable.len() as u64);
        self.give_up(from, &unreadable, wall);
        let moved = self.move_all(from, &address, &moves, wall);
        if self.watches_burials() {
            for Move { dead, copy: _, message } in moves.iter().take(moved) {
                self.tell_buried(from, dead, message, true);
            }
        }
        self.exhume(from, moves.get(moved..).unwrap_or_default(), wall);
    }

    /// Writes the copies and the settles, puts the copies into their queue and takes the originals out
    /// of their own. Answers how many of them, from the first on.
    fn move_all(&self, from: &Arc<QueueCell>, address: &Address, moves: &[Move<'_>], wall: Millis) -> usize {
        let Ok((to, _)) = self.queue(Class::Queue, &address.name, true) else { return 0 };
        let moves = admitted(&to, moves);
        if moves.is_empty() {
            return 0;
        }
        let first = self.ids.draw(moves.len() as u64);
        let order = |nth: usize| Order(first + nth as u64);
        let mut batch = self.log.batch();
        batch.reserved();
        let (mut prefix, mut index) = (Vec::new(), Vec::new());
        for (nth, Move { copy, .. }) in moves.iter().enumerate() {
            push_message(&mut batch, copy, order(nth), &[(to.id, 0)], &mut prefix, &mut index);
        }
        if let Some(payload) = settle_of(from, moves.iter().map(|moved| moved.dead)) {
            batch.push(kind::SETTLE, &[], 0, &[&payload]);
        }
        // Until both queues know: a checkpoint in between would name the messages in neither or in both.
        let gate = self.gate.read();
        let Ok(placed) = self.log.append(&mut batch) else {
            let bytes = moves.iter().map(|moved| u64::from(moved.copy.size())).sum();
            to.lock().queue().unreserve(moves.len() as u64, bytes);
            return 0;
        };
        let arrivals = moves.iter().enumerate().map(|(nth, Move { copy, .. })| {
            entry_of(copy, order(nth), placed.location(nth), 0, Millis::NEVER)
                .key(self.key_of(copy, &to.policy))
        });
        self.run(&to, |queue, fx| {
            queue.enqueue(arrivals, wall, fx);
            if queue.wants_page_out() {
                queue.page_out(EVERYWHERE, limits::SCAN_BUDGET);
            }
        });
        self.take_out(from, moves.iter().map(|moved| moved.dead), wall);
        drop(gate);
        self.counters.dead_lettered(moves.len() as u64);
        moves.len()
    }

    /// Takes messages out of their queue that cannot be moved anywhere.
    fn give_up(&self, from: &Arc<QueueCell>, dead: &[Dead], wall: Millis) {
        if dead.is_empty() {
            return;
        }
        if self.watches_burials() {
            let readable = dead.iter().filter_map(|dead| Some((dead, self.message_of(&dead.entry)?)));
            readable.for_each(|(dead, message)| self.tell_buried(from, dead, &message, false));
        }
        let gate = self.gate.read();
        if let Some(payload) = settle_of(from, dead.iter()) {
            // A log that has failed latches and stops the broker; there is nobody here to tell.
            let _ = self.append_one(kind::SETTLE, &payload);
        }
        self.take_out(from, dead.iter(), wall);
        drop(gate);
    }

    fn take_out<'a>(&self, from: &Arc<QueueCell>, dead: impl Iterator<Item = &'a Dead>, wall: Millis) {
        self.run(from, |queue, fx| {
            for dead in dead {
                queue.buried(dead.entry.order, wall, fx);
            }
        });
    }

    /// Sends messages back into their places, as their dead-letter queue does not take them now.
    fn exhume(&self, from: &Arc<QueueCell>, moves: &[Move<'_>], wall: Millis) {
        if moves.is_empty() {
            return;
        }
        let retry = wall.plus(Millis(EXHUME_MS));
        self.counters.dead_refused(moves.len() as u64);
        self.run(from, |queue, fx| {
            for moved in moves {
                queue.exhumed(moved.dead.entry.order, retry, wall, fx);
            }
        });
    }
}

/// A dead letter and what is made of it.
struct Move<'a> {
    dead: &'a Dead,
    copy: Arc<Message>,
    message: Arc<Message>,
}

/// The queue for what is given up for this reason; `None` where it is dropped.
fn target_of(from: &QueueCell, reason: DeadReason) -> Option<Address> {
    let target = policy_of(from, reason).target(&from.name)?;
    // Not every name around which a queue's name is put is one that clients can use.
    if matches!(policy_of(from, reason), DeadLetter::Around(..))
        && Address::new(Kind::Queue, &*target.name).is_err()
    {
        return QueuePolicy::default().dead_letter.target(&from.name);
    }
    Some(target)
}

fn policy_of(from: &QueueCell, reason: DeadReason) -> &DeadLetter {
    match reason {
        DeadReason::Expired => &from.policy.expired,
        DeadReason::MaxDeliveries | DeadReason::Rejected | DeadReason::Overflow => &from.policy.dead_letter,
    }
}

/// How many of these, from the first on, are moved in one batch: they go to one queue, and are not too
/// many.
fn batch_len(from: &QueueCell, dead: &[Dead]) -> usize {
    let Some(first) = dead.first() else { return 0 };
    let mut bytes = 0;
    let fits = |dead: &&Dead| {
        bytes += u64::from(dead.entry.size);
        bytes <= BATCH_BYTES && policy_of(from, dead.reason) == policy_of(from, first.reason)
    };
    dead.iter().take(BATCH_MESSAGES).take_while(fits).count().max(1)
}

/// Those of the moves, from the first on, that the queue has room for. It is reserved.
fn admitted<'a, 'b>(to: &QueueCell, moves: &'a [Move<'b>]) -> &'a [Move<'b>] {
    let mut locked = to.lock();
    let has_room =
        |moved: &&Move<'_>| locked.queue().admit(1, u64::from(moved.copy.size())) == Admission::Accept;
    let count = moves.iter().take_while(has_room).count();
    moves.get(..count).unwrap_or_default()
}

/// The payload that settles those of a queue's messages that are stored; `None` where none is.
fn settle_of<'a>(cell: &QueueCell, dead: impl Iterator<Item = &'a Dead>) -> Option<Vec<u8>> {
    let stored = dead.map(|dead| &dead.entry).filter(|entry| entry.at.is_stored());
    let mut orders: Vec<Order> = stored.map(|entry| entry.order).collect();
    if orders.is_empty() {
        return None;
    }
    orders.sort_unstable();
    let mut payload = Vec::new();
    record::Settle::encode(cell.id, orders, &mut payload);
    Some(payload)
}

/// The message of a stored record.
pub(super) fn message_from(payload: &Bytes) -> Option<Arc<Message>> {
    let stored = StoredMessage::decode(payload).ok()?;
    Some(Arc::new(stored.message(payload, Arc::new(stored.address()))))
}

fn dead_letter(
    from: &QueueCell,
    dead: &Dead,
    message: &Message,
    address: Arc<Address>,
    wall: Millis,
) -> Arc<Message> {
    let deliveries = dead.entry.deliveries.to_string();
    let original = message.address.to_string();
    let cause = match dead.reason {
        DeadReason::MaxDeliveries => format!("delivered {deliveries} times without an acknowledgement"),
        DeadReason::Rejected => dead.why.as_deref().unwrap_or("refused by its consumer").to_owned(),
        DeadReason::Expired => "expired".to_owned(),
        DeadReason::Overflow => format!("{} was full", from.name),
    };
    let (time, by) = (wall.0.to_string(), dead.by.as_deref().unwrap_or_default());
    let added = [
        (note::ORIGINAL_DESTINATION, &*original),
        (note::CAUSE, &cause),
        (note::DELIVERIES, &deliveries),
        (note::QUEUE, &from.name),
        (note::TIME, &time),
        (note::CONSUMER, by),
    ];
    // What it is due for and what it was told from others by is done with; its group is a matter of order.
    let grouped = message.terms.as_deref().filter(|terms| !terms.group.is_none());
    let terms = grouped.map(|terms| Terms { due: Millis(0), dedup: ByteString::new(), ..terms.clone() });
    let kept = message.notes.iter().filter(|(name, _)| added.iter().all(|(new, _)| new != name));
    let added = added.into_iter().filter(|(_, value)| !value.is_empty());
    Arc::new(Message {
        address,
        qos: if message.qos == Qos::AtMostOnce { Qos::ExactlyOnce } else { message.qos },
        retain: false,
        expires: Millis::NEVER,
        notes: Notes::new(kept.chain(added)),
        terms: terms.map(Box::new),
        ..message.clone()
    })
}
