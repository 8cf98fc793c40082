//! Messages that are not to be delivered yet.

use std::collections::{BTreeMap, BTreeSet};

use wharfmq_base::Millis;

use super::Queue;
use crate::{Entry, Order, limits};

/// Entries by the time they become visible and by their order.
#[derive(Debug, Default)]
pub(super) struct Delayed {
    by_time: BTreeSet<(Millis, Order)>,
    by_order: BTreeMap<Order, (Millis, Entry)>,
    bytes: u64,
}

impl Delayed {
    pub(super) fn len(&self) -> usize {
        self.by_order.len()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn insert(&mut self, visible_at: Millis, entry: Entry) {
        self.bytes += u64::from(entry.size);
        self.by_time.insert((visible_at, entry.order));
        self.by_order.insert(entry.order, (visible_at, entry));
    }

    pub(super) fn remove(&mut self, order: Order) -> Option<Entry> {
        let (visible_at, entry) = self.by_order.remove(&order)?;
        self.by_time.remove(&(visible_at, order));
        self.bytes -= u64::from(entry.size);
        Some(entry)
    }

    /// The one that becomes visible first, where that is not after `now`.
    pub(super) fn pop_visible(&mut self, now: Millis) -> Option<Entry> {
        let &(visible_at, order) = self.by_time.first()?;
        if visible_at > now { None } else { self.remove(order) }
    }

    pub(super) fn next_visible(&self) -> Option<Millis> {
        self.by_time.first().map(|&(visible_at, _)| visible_at)
    }

    pub(super) fn oldest(&self) -> Option<&Entry> {
        self.by_order.first_key_value().map(|(_, (_, entry))| entry)
    }

    /// Entries from `from` on, ascending.
    pub(super) fn range(&self, from: Order) -> impl Iterator<Item = &Entry> {
        self.by_order.range(from..).map(|(_, (_, entry))| entry)
    }

    pub(super) fn get(&self, order: Order) -> Option<&Entry> {
        self.by_order.get(&order).map(|(_, entry)| entry)
    }

    pub(super) fn get_mut(&mut self, order: Order) -> Option<&mut Entry> {
        self.by_order.get_mut(&order).map(|(_, entry)| entry)
    }

    /// Asserts what must always hold.
    pub(super) fn check(&self) {
        assert_eq!(self.by_time.len(), self.by_order.len());
        assert_eq!(self.bytes, self.range(Order(0)).map(|entry| u64::from(entry.size)).sum::<u64>());
        for (order, (visible_at, entry)) in &self.by_order {
            assert_eq!(*order, entry.order);
            assert!(self.by_time.contains(&(*visible_at, *order)));
        }
    }
}

impl Queue {
    /// Moves what has become visible to its place among the ready; not more than one hold of the lock
    /// allows.
    pub(super) fn end_delays(&mut self, now: Millis) {
        for _ in 0..limits::SCAN_BUDGET {
            let Some(entry) = self.delayed.pop_visible(now) else { return };
            self.make_ready(entry);
        }
    }

    /// Keeps an entry from being delivered before `visible_at`. Where that is far away its body leaves
    /// memory: the log has it.
    pub(super) fn delay(&mut self, mut entry: Entry, visible_at: Millis, now: Millis) {
        if entry.at.is_stored() && visible_at.since(now).0 > limits::DELAY_RESIDENT_MS {
            entry.message = None;
        }
        self.delayed.insert(visible_at, entry);
    }

    /// The pause before the next delivery of something that failed so many times, by the policy.
    pub(super) fn redelivery_delay(&self, deliveries: u8) -> Millis {
        let factor = u64::from(self.policy.redelivery_backoff_permille);
        let mut delay = self.policy.redelivery_delay.0;
        for _ in 1..deliveries {
            let longer = delay.saturating_mul(factor) / 1_000;
            if longer == delay || delay >= limits::REDELIVERY_DELAY_MAX_MS {
                break;
            }
            delay = longer;
        }
        Millis(delay.min(limits::REDELIVERY_DELAY_MAX_MS))
    }
}
