//! Deliveries that may be held for so long only.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;
use wharfmq_base::Millis;

use super::Queue;
use super::inflight::Tags;
use super::settle::Return;
use crate::consumer::Roster;
use crate::{ConsumerKey, Effects, limits};

/// The ends of all locks, by the consumer's slot and the delivery's tag. A delivery that is settled,
/// staged or given back takes its lock along.
#[derive(Debug, Default)]
pub(super) struct Locks {
    until: HashMap<(u32, u64), Millis, RandomState>,
    ends: BTreeSet<(Millis, u32, u64)>,
}

impl Locks {
    /// Gives a delivery a lock, instead of the one it may have.
    pub(super) fn insert(&mut self, until: Millis, slot: u32, tag: u64) {
        self.remove(slot, tag);
        self.until.insert((slot, tag), until);
        self.ends.insert((until, slot, tag));
    }

    fn remove(&mut self, slot: u32, tag: u64) {
        if let Some(until) = self.until.remove(&(slot, tag)) {
            self.ends.remove(&(until, slot, tag));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn next_end(&self) -> Option<Millis> {
        self.ends.first().map(|&(until, ..)| until)
    }

    /// Asserts what must always hold.
    pub(super) fn check(&self, roster: &Roster) {
        assert_eq!(self.until.len(), self.ends.len());
        for &(until, slot, tag) in &self.ends {
            assert_eq!(self.until.get(&(slot, tag)), Some(&until));
            let mut open = roster.in_slot(slot).into_iter().flat_map(|of| of.in_flight.open(Tags::One(tag)));
            assert_eq!(open.next(), Some(tag), "a lock is that of a delivery that is open");
        }
    }

    fn pop_ended(&mut self, now: Millis) -> Option<(u32, u64)> {
        let &(until, slot, tag) = self.ends.first()?;
        if until > now {
            return None;
        }
        self.remove(slot, tag);
        Some((slot, tag))
    }
}

impl Queue {
    /// Has deliveries held until `until` instead of what was said before; how many were found. They then
    /// have a lock, whether they had one before or not.
    pub fn extend(&mut self, key: ConsumerKey, tags: Tags, until: Millis) -> usize {
        let Some(consumer) = self.roster.get(key) else { return 0 };
        let open = consumer.in_flight.open(tags);
        open.map(|tag| self.locks.insert(until, key.slot, tag)).count()
    }

    /// Takes back what was held for too long: a failed delivery, ready at once. Not more than one hold of
    /// the queue's lock allows.
    pub(super) fn end_locks(&mut self, now: Millis, fx: &mut Effects) {
        for _ in 0..limits::SCAN_BUDGET {
            let Some((slot, tag)) = self.locks.pop_ended(now) else { return };
            let Some(consumer) = self.roster.in_slot_mut(slot) else { continue };
            let (count, by) = (consumer.count_deliveries, consumer.who.clone());
            let mut ended = None;
            consumer.in_flight.take(Tags::One(tag), |_, entry| ended = Some(entry));
            let Some(entry) = ended else { continue };
            self.in_flight -= 1;
            self.ledger.counts.lock_expired += 1;
            self.roster.refresh(slot);
            // Whoever is stuck with one message should not be the first to get it again.
            self.roster.stand_back(slot);
            self.give_back(entry, Return { delay: Some(Millis(0)), count, by: Some(by) }, now, fx);
        }
    }

    /// Forgets the locks of deliveries that are about to end.
    pub(super) fn forget_locks(&mut self, key: ConsumerKey, tags: Tags) {
        if self.locks.is_empty() {
            return;
        }
        let Some(consumer) = self.roster.get(key) else { return };
        for tag in consumer.in_flight.open(tags) {
            self.locks.remove(key.slot, tag);
        }
    }
}
