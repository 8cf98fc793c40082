//! Whether a queue takes more.

use wharfmq_base::Millis;

use super::Queue;
use super::stats::Fate;
use crate::message::Extras;
use crate::{Arrival, DeadReason, Effects, Entry, Grouping, Order, Overflow, limits};

/// The answer to [`Queue::admit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There is room, and it is reserved.
    Accept,
    /// The producer has to wait; see [`Queue::take_unblocked`].
    Block,
    /// To be refused in the protocol's words.
    Reject,
}

impl Queue {
    /// Asks for room before messages are logged, and reserves it: [`Queue::enqueue`] spends the
    /// reservation, [`Queue::unreserve`] gives it back. A queue that makes room by itself does so at
    /// the enqueue. `bytes` is the sum of [`Entry::size`].
    ///
    /// An empty queue takes whatever it would otherwise have to block for ever.
    pub fn admit(&mut self, messages: u64, bytes: u64) -> Admission {
        let total_messages = self.ledger.messages + self.reserved_messages + messages;
        let total_bytes = self.ledger.bytes + self.reserved_bytes + bytes;
        let exceeds = self.exceeds(total_messages, total_bytes);
        let empty = self.ledger.messages + self.reserved_messages == 0;
        let admission = match self.policy.overflow {
            Overflow::Reject if exceeds => Admission::Reject,
            Overflow::Block | Overflow::DeadLetter if exceeds && !empty => Admission::Block,
            _ => Admission::Accept,
        };
        match admission {
            Admission::Accept => {
                self.reserved_messages += messages;
                self.reserved_bytes += bytes;
            }
            Admission::Block => self.blocks = true,
            Admission::Reject => {}
        }
        admission
    }

    /// Gives a reservation back: the messages were not logged.
    pub fn unreserve(&mut self, messages: u64, bytes: u64) {
        self.reserved_messages = self.reserved_messages.saturating_sub(messages);
        self.reserved_bytes = self.reserved_bytes.saturating_sub(bytes);
    }

    /// True once after [`Queue::admit`] has answered `Block` and there is room again: the producers that
    /// wait may ask anew.
    pub fn take_unblocked(&mut self) -> bool {
        let messages = self.ledger.messages + self.reserved_messages;
        let bytes = self.ledger.bytes + self.reserved_bytes;
        let room = messages == 0 || !self.exceeds(messages + 1, bytes + 1);
        let unblocked = self.blocks && room;
        self.blocks &= !room;
        unblocked
    }

    /// Whether so much would be more than a producer may fill.
    fn exceeds(&self, messages: u64, bytes: u64) -> bool {
        // Dead letters that nobody takes must not pile up without end.
        let factor = if self.policy.overflow == Overflow::DeadLetter { 2 } else { 1 };
        over(messages, self.policy.max_messages.saturating_mul(factor))
            || over(bytes, self.policy.max_bytes.saturating_mul(factor))
            || self.is_crowded()
    }

    /// Whether the queue holds more than its share of memory or of the disk. It is full then, whatever its
    /// own limits are.
    pub fn is_crowded(&self) -> bool {
        let stored = self.ledger.bytes - self.ledger.volatile;
        over(self.ledger.volatile, self.policy.max_volatile_bytes)
            || over(stored, self.policy.max_stored_bytes)
    }

    /// Takes messages in that were admitted, and gives them to consumers that wait. Each comes in its
    /// order among the others; the orders of one queue differ.
    ///
    /// In recovery there is no reservation, and entries may come without their messages, in ascending
    /// order where it has to be quick.
    pub fn enqueue(&mut self, arrivals: impl Iterator<Item = Arrival>, now: Millis, fx: &mut Effects) {
        let start = fx.settled.len();
        for Arrival { entry, extras } in arrivals {
            self.reserved_messages = self.reserved_messages.saturating_sub(1);
            self.reserved_bytes = self.reserved_bytes.saturating_sub(u64::from(entry.size));
            self.ledger.enter(&entry);
            if !entry.group.is_none() && self.policy.groups != Grouping::None {
                self.begin_choosing();
            }
            match extras {
                None => self.make_ready(entry),
                Some(extras) => self.enter_with(entry, *extras, now, fx),
            }
        }
        self.dispatch(now, fx);
        self.make_room(now, fx);
        super::sort_from(&mut fx.settled, start);
    }

    fn enter_with(&mut self, entry: Entry, extras: Extras, now: Millis, fx: &mut Effects) {
        if let Some(id) = extras.dedup {
            self.dedup.confirm(&id);
        }
        let order = entry.order;
        if extras.due > now {
            self.delay(entry, extras.due, now);
        } else {
            self.make_ready(entry);
        }
        if let Some(key) = extras.key {
            self.replace(key, order, fx);
        }
    }

    /// Drops everything that waits, up to `budget` messages; how many. What consumers hold stays.
    /// Call again until it answers 0.
    pub fn purge(&mut self, budget: usize, fx: &mut Effects) -> usize {
        let start = fx.settled.len();
        let mut purged = 0;
        while purged < budget {
            let oldest_delayed = self.delayed.oldest().map(|entry| entry.order);
            let next = self.ready.pop_front().or_else(|| self.delayed.remove(oldest_delayed?));
            let Some(entry) = next else { break };
            self.ledger.finish(&entry, Fate::Purged, fx);
            purged += 1;
        }
        super::sort_from(&mut fx.settled, start);
        purged
    }

    /// Lets the oldest of those that wait go where the policy says so.
    fn make_room(&mut self, now: Millis, fx: &mut Effects) {
        if !matches!(self.policy.overflow, Overflow::DropOldest | Overflow::DeadLetter) {
            return;
        }
        for _ in 0..limits::SCAN_BUDGET {
            let Some(entry) = self.take_overflow() else { break };
            if entry.expires <= now {
                self.expire(entry, fx);
            } else if self.policy.overflow == Overflow::DeadLetter {
                self.die(entry, DeadReason::Overflow, None, fx);
            } else {
                self.ledger.finish(&entry, Fate::Dropped(DeadReason::Overflow), fx);
            }
        }
    }

    /// The oldest of those that wait, where they are too many or the queue has more than its share. What
    /// consumers hold doesn't count, nor what is dying: both are bounded otherwise.
    fn take_overflow(&mut self) -> Option<Entry> {
        let waiting = (self.ready.len() + self.delayed.len()) as u64;
        let bytes = self.ready.bytes() + self.delayed.bytes();
        let is_full = over(waiting, self.policy.max_messages) || over(bytes, self.policy.max_bytes);
        if !is_full && !self.is_crowded() {
            return None;
        }
        let order = |entry: Option<&Entry>| entry.map_or(Order(u64::MAX), |entry| entry.order);
        let (ready, delayed) = (order(self.ready.oldest()), order(self.delayed.oldest()));
        if ready < delayed { self.ready.remove(ready) } else { self.delayed.remove(delayed) }
    }
}

/// Whether a limit is exceeded; 0 is none.
const fn over(value: u64, max: u64) -> bool {
    max > 0 && value > max
}
