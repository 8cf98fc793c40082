//! Messages on their way to the dead letters.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;
use wharfmq_base::Millis;

use super::Queue;
use super::stats::Fate;
use crate::{Dead, DeadLetter, DeadReason, Effects, Entry, Message, Order, limits};

/// Entries that are given to nobody until their fate is known.
#[derive(Debug, Default)]
pub(super) struct Dying {
    by_order: BTreeMap<Order, Dead>,
    /// Bytes of those whose messages have to be read first.
    unloaded_bytes: u64,
    unloaded: usize,
}

impl Dying {
    pub(super) fn len(&self) -> usize {
        self.by_order.len()
    }

    /// Whether nothing that only expired should be added for now.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= limits::SCAN_BUDGET
            || self.unloaded >= limits::LOAD_ENTRIES
            || self.unloaded_bytes >= limits::LOAD_BYTES
    }

    fn insert(&mut self, dead: Dead, fx: &mut Effects) {
        if dead.entry.message.is_some() {
            fx.dead.push(dead.clone());
        } else {
            self.unloaded += 1;
            self.unloaded_bytes += u64::from(dead.entry.size);
            fx.load.push((dead.entry.order, dead.entry.at));
        }
        self.by_order.insert(dead.entry.order, dead);
    }

    fn remove(&mut self, order: Order) -> Option<Dead> {
        let dead = self.by_order.remove(&order)?;
        if dead.entry.message.is_none() {
            self.forget_unloaded(dead.entry.size);
        }
        Some(dead)
    }

    /// A message has been read; true where it is one of these.
    pub(super) fn loaded(&mut self, order: Order, message: &Arc<Message>, fx: &mut Effects) -> bool {
        let Some(dead) = self.by_order.get_mut(&order) else { return false };
        if dead.entry.message.is_none() {
            dead.entry.message = Some(Arc::clone(message));
            fx.dead.push(dead.clone());
            let size = dead.entry.size;
            self.forget_unloaded(size);
        }
        true
    }

    /// A message could not be read: takes its entry out.
    pub(super) fn take_unloaded(&mut self, order: Order) -> Option<Dead> {
        self.by_order.get(&order).filter(|dead| dead.entry.message.is_none())?;
        self.remove(order)
    }

    /// Entries from `from` on, ascending.
    pub(super) fn range(&self, from: Order) -> impl Iterator<Item = &Entry> {
        self.by_order.range(from..).map(|(_, dead)| &dead.entry)
    }

    pub(super) fn get(&self, order: Order) -> Option<&Entry> {
        self.by_order.get(&order).map(|dead| &dead.entry)
    }

    pub(super) fn get_mut(&mut self, order: Order) -> Option<&mut Entry> {
        self.by_order.get_mut(&order).map(|dead| &mut dead.entry)
    }

    fn forget_unloaded(&mut self, size: u32) {
        self.unloaded -= 1;
        self.unloaded_bytes -= u64::from(size);
    }

    /// Asserts what must always hold.
    pub(super) fn check(&self) {
        assert!(self.by_order.iter().all(|(order, dead)| *order == dead.entry.order));
        let unloaded = || self.by_order.values().filter(|dead| dead.entry.message.is_none());
        assert_eq!(self.unloaded, unloaded().count());
        assert_eq!(self.unloaded_bytes, unloaded().map(|dead| u64::from(dead.entry.size)).sum::<u64>());
    }
}

impl Queue {
    /// The dead-letter queue has taken the message, in a batch that also settles it here. False where
    /// this queue has no such message on its way.
    pub fn buried(&mut self, order: Order, now: Millis, fx: &mut Effects) -> bool {
        let start = fx.settled.len();
        let was_full = self.dying.is_full();
        let Some(dead) = self.dying.remove(order) else { return false };
        self.ledger.finish(&dead.entry, Fate::DeadLettered, fx);
        if was_full {
            // What had to wait for the dead letters goes on.
            self.roster.wake_all();
            self.hurry_sweep(now);
        }
        if was_full || !self.ledger.freed.is_empty() {
            self.conclude(start, now, fx);
        }
        true
    }

    /// The dead-letter queue has refused the message: it goes back into its place at `retry_at`. False
    /// where this queue has no such message on its way.
    pub fn exhumed(&mut self, order: Order, retry_at: Millis, now: Millis, fx: &mut Effects) -> bool {
        let Some(dead) = self.dying.remove(order) else { return false };
        let start = fx.settled.len();
        self.ledger.counts.exhumed += 1;
        self.revive(dead, retry_at, now);
        self.conclude(start, now, fx);
        true
    }

    /// Puts an entry back that was dying.
    pub(super) fn revive(&mut self, dead: Dead, visible_at: Millis, now: Millis) {
        if dead.reason == DeadReason::Expired {
            // It will expire anew.
            self.ledger.counts.expired -= 1;
        }
        if visible_at > now {
            self.delay(dead.entry, visible_at, now);
        } else {
            self.make_ready(dead.entry);
        }
    }

    /// Sends an entry, which stands nowhere now, to the dead letters, or drops it by the policy.
    /// `by`: the consumer that failed it or refused it.
    pub(super) fn die(&mut self, entry: Entry, reason: DeadReason, by: Option<ByteString>, fx: &mut Effects) {
        let target = match reason {
            DeadReason::Expired => &self.policy.expired,
            _ => &self.policy.dead_letter,
        };
        match target {
            DeadLetter::Drop => self.ledger.finish(&entry, Fate::Dropped(reason), fx),
            DeadLetter::To(_) | DeadLetter::Around(..) => {
                let why = fx.why.clone().filter(|_| reason == DeadReason::Rejected);
                self.dying.insert(Dead { entry, reason, by, why }, fx);
            }
        }
    }
}
