//! What must always hold of a queue.

use std::collections::BTreeSet;

use super::Queue;
use crate::{Entry, Order, limits};

impl Queue {
    /// Asserts all invariants. Looks at every entry: for tests and simulations.
    ///
    /// # Panics
    /// Where one does not hold.
    pub fn check(&self) {
        self.ready.check();
        self.roster.check();
        self.locks.check(&self.roster);
        self.delayed.check();
        self.dying.check();
        if let Some(feeds) = &self.feeds {
            feeds.check(&self.roster);
        }
        self.check_entries();
        self.check_counts();
        assert!(self.scratch.is_empty());
        assert!(self.roster.len() <= limits::CONSUMERS_PER_QUEUE_MAX);
    }

    fn check_entries(&self) {
        let mut orders = BTreeSet::new();
        let (mut bytes, mut volatile, mut grouped) = (0, 0, 0);
        for entry in self.everything() {
            assert!(orders.insert(entry.order), "{:?} stands in two places", entry.order);
            assert!(self.policy.durable || !entry.at.is_stored());
            assert!(entry.message.is_some() || entry.at.is_stored());
            bytes += u64::from(entry.size);
            volatile += if entry.at.is_stored() { 0 } else { u64::from(entry.size) };
            grouped += u64::from(!entry.group.is_none());
        }
        assert_eq!((self.ledger.volatile, self.ledger.grouped), (volatile, grouped));
        assert_eq!(self.ledger.messages, orders.len() as u64);
        assert_eq!(self.ledger.bytes, bytes);
        assert_eq!(self.in_flight, self.held().count());
        assert!(self.held().all(|entry| entry.order <= self.in_flight_top));
        assert!(self.held().all(|entry| entry.message.is_some()));
    }

    fn check_counts(&self) {
        let stats = self.stats();
        assert_eq!(stats.stored(), self.ledger.messages);
        assert_eq!(stats.imbalance(), 0);
    }

    /// Every entry, wherever it is.
    fn everything(&self) -> impl Iterator<Item = &Entry> {
        let lanes = self.ready.lanes.iter().flat_map(|lane| lane.entries.range(Order(0)));
        let orphans = self.orphans.values().map(|orphan| &orphan.entry);
        let (delayed, dying) = (self.delayed.range(Order(0)), self.dying.range(Order(0)));
        lanes.chain(self.held()).chain(orphans).chain(delayed).chain(dying)
    }
}
