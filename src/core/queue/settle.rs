//! What consumers say of their deliveries.

use wharfmq_base::Millis;

use super::Queue;
use super::inflight::Tags;
use super::stats::Fate;
use crate::{ConsumerKey, DeadReason, Effects, Entry, Order};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Handled: the message is done with.
    Accept,
    /// Not handled: back into its place.
    Requeue {
        /// Not to be delivered before this time has passed; 0 for at once.
        delay: Millis,
        /// Whether it counts as a failed delivery.
        count: bool,
    },
    /// Failed: counted, and delivered again after the pause that the policy sets.
    Retry,
    /// Failed, and what that means is the policy's to say; see [`crate::Nack`].
    Nack,
    /// Refused for good: to the dead letters.
    Reject,
}

/// A delivery that a transaction has accepted and that is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Whose delivery it is.
    pub consumer: ConsumerKey,
    /// Its number there.
    pub tag: u64,
    /// The message, for the transaction's batch.
    pub order: Order,
    /// Whether the log knows the message, so that the batch has to name it.
    pub stored: bool,
}

/// A staged delivery whose consumer is gone.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) entry: Entry,
    /// Whether a rollback counts as a failed delivery.
    count: bool,
}

/// How an entry goes back.
#[derive(Clone, Copy)]
struct Return {
    /// The pause before the next delivery; `None` as the policy has it.
    delay: Option<Millis>,
    count: bool,
}

impl Queue {
    /// Settles deliveries; how many were found. Tags that are unknown or staged are passed over.
    pub fn settle(
        &mut self,
        key: ConsumerKey,
        tags: Tags,
        outcome: Outcome,
        now: Millis,
        fx: &mut Effects,
    ) -> usize {
        let start = fx.settled.len();
        let Some(consumer) = self.roster.get_mut(key) else { return 0 };
        let count_deliveries = consumer.count_deliveries;
        let found = if outcome == Outcome::Accept {
            let ledger = &mut self.ledger;
            consumer.in_flight.take(tags, |_, entry| ledger.finish(&entry, Fate::Acked, fx))
        } else {
            let scratch = &mut self.scratch;
            consumer.in_flight.take(tags, |_, entry| scratch.push(entry))
        };
        if found == 0 {
            return 0;
        }
        self.in_flight -= found;
        self.roster.refresh(key.slot);
        self.settle_scratch(outcome, count_deliveries, now, fx);
        self.conclude(start, now, fx);
        found
    }

    /// Takes a consumer away; everything it holds unsettled returns to its place. Deliveries up to the
    /// tag `handled` count as failed (0: none, [`u64::MAX`]: all), later ones were never handled and
    /// don't count. Staged deliveries wait for their transaction. False where it is unknown.
    pub fn detach(&mut self, key: ConsumerKey, handled: u64, now: Millis, fx: &mut Effects) -> bool {
        let Some(consumer) = self.roster.detach(key) else { return false };
        let start = fx.settled.len();
        let count_deliveries = consumer.count_deliveries;
        self.in_flight -= consumer.in_flight.len();
        // The latest first: each of the others then belongs in front of the one before.
        for (tag, staged, entry) in consumer.in_flight.into_all().rev() {
            if staged {
                self.orphans.insert(entry.order, Orphan { entry, count: count_deliveries });
            } else {
                let count = count_deliveries && tag <= handled;
                self.give_back(entry, Return { delay: Some(Millis(0)), count }, now, fx);
            }
        }
        self.conclude(start, now, fx);
        true
    }

    /// Accepts deliveries as part of a transaction: they stay in flight, marked, until
    /// [`Queue::commit_staged`] or [`Queue::unstage`]. How many were found; each is added to `into`.
    pub fn stage(&mut self, key: ConsumerKey, tags: Tags, into: &mut Vec<Staged>) -> usize {
        let Some(consumer) = self.roster.get_mut(key) else { return 0 };
        consumer.in_flight.stage(tags, |tag, entry| {
            into.push(Staged { consumer: key, tag, order: entry.order, stored: entry.at.is_stored() });
        })
    }

    /// The transaction is rolled back: the deliveries are open again; those whose consumer is gone
    /// return to their place, counted as failed. How many were found.
    pub fn unstage(&mut self, staged: &[Staged], now: Millis, fx: &mut Effects) -> usize {
        let start = fx.settled.len();
        let mut found = 0;
        for delivery in staged {
            if let Some(consumer) = self.roster.get_mut(delivery.consumer) {
                found += usize::from(consumer.in_flight.unstage(delivery.tag));
            } else if let Some(orphan) = self.orphans.remove(&delivery.order) {
                found += 1;
                let how = Return { delay: Some(Millis(0)), count: orphan.count };
                self.give_back(orphan.entry, how, now, fx);
            }
        }
        self.conclude(start, now, fx);
        found
    }

    /// The transaction is in the log, in a batch that names the stored ones of these: they are done
    /// with. How many were found.
    pub fn commit_staged(&mut self, staged: &[Staged], now: Millis, fx: &mut Effects) -> usize {
        let start = fx.settled.len();
        let mut found = 0;
        for delivery in staged {
            let entry = match self.roster.get_mut(delivery.consumer) {
                Some(consumer) => {
                    let entry = consumer.in_flight.take_staged(delivery.tag);
                    self.in_flight -= usize::from(entry.is_some());
                    self.roster.refresh(delivery.consumer.slot);
                    entry
                }
                None => self.orphans.remove(&delivery.order).map(|orphan| orphan.entry),
            };
            if let Some(entry) = entry {
                found += 1;
                self.ledger.finish(&entry, Fate::Committed, fx);
            }
        }
        self.conclude(start, now, fx);
        found
    }

    /// Applies `outcome` to the entries that were just taken from their consumer.
    fn settle_scratch(&mut self, outcome: Outcome, counts: bool, now: Millis, fx: &mut Effects) {
        let mut taken = std::mem::take(&mut self.scratch);
        // The latest first, as in `detach`.
        for entry in taken.drain(..).rev() {
            match outcome {
                Outcome::Accept => {}
                Outcome::Reject => self.die(entry, DeadReason::Rejected, fx),
                Outcome::Retry | Outcome::Nack => {
                    self.give_back(entry, Return { delay: None, count: counts }, now, fx)
                }
                Outcome::Requeue { delay, count } => {
                    let count = count && counts;
                    self.give_back(entry, Return { delay: Some(delay), count }, now, fx);
                }
            }
        }
        self.scratch = taken;
    }

    /// Puts an entry back into its place, or among the dead letters where it has failed too often.
    fn give_back(&mut self, mut entry: Entry, how: Return, now: Millis, fx: &mut Effects) {
        if how.count {
            entry.deliveries = entry.deliveries.saturating_add(1);
            if entry.at.is_stored() {
                fx.counted.push((entry.order, entry.deliveries));
            }
            let max = self.policy.max_deliveries;
            if max > 0 && entry.deliveries >= max {
                self.die(entry, DeadReason::MaxDeliveries, fx);
                return;
            }
        }
        let delay = how.delay.unwrap_or_else(|| self.redelivery_delay(entry.deliveries));
        if delay > Millis(0) {
            self.delayed.insert(now.plus(delay), entry);
        } else {
            self.ready.insert(entry);
        }
    }
}
