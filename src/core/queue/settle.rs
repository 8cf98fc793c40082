//! What consumers say of their deliveries.

use bytestring::ByteString;
use wharfmq_base::Millis;

use super::Queue;
use super::inflight::Tags;
use super::stats::Fate;
use crate::{ConsumerKey, DeadReason, Effects, Entry, Grouping, Nack, Order};

/// The consumer of what was acknowledged before a restart.
const NOBODY: ConsumerKey = ConsumerKey { slot: u32::MAX, generation: 0 };

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

/// A delivery that a transaction has accepted or refused and that is not committed.
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
    by: Option<ByteString>,
}

/// How an entry goes back.
#[derive(Clone)]
pub(super) struct Return {
    /// The pause before the next delivery; `None` as the policy has it.
    pub(super) delay: Option<Millis>,
    /// Whether it is a failed delivery.
    pub(super) count: bool,
    /// Who had it.
    pub(super) by: Option<ByteString>,
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
        self.forget_locks(key, tags);
        let Some(consumer) = self.roster.get_mut(key) else { return 0 };
        let mut returned = None;
        let found = if outcome == Outcome::Accept {
            let ledger = &mut self.ledger;
            consumer.in_flight.take(tags, |_, entry| ledger.finish(&entry, Fate::Acked, fx))
        } else {
            let (count, by) = (consumer.count_deliveries, Some(consumer.who.clone()));
            returned = Some(Return { delay: None, count, by });
            let scratch = &mut self.scratch;
            consumer.in_flight.take(tags, |_, entry| scratch.push(entry))
        };
        if found == 0 {
            return 0;
        }
        self.in_flight -= found;
        self.roster.refresh(key.slot);
        if let Some(how) = returned {
            self.settle_scratch(outcome, &how, now, fx);
        }
        self.conclude(start, now, fx);
        found
    }

    /// Takes a consumer away; everything it holds unsettled returns to its place. Deliveries up to the
    /// tag `handled` count as failed (0: none, [`u64::MAX`]: all), later ones were never handled and
    /// don't count. Of a consumer that does not count they no longer expire: its client goes on with what
    /// it has begun, when it is back (MQTT 5, 4.3.3). Staged deliveries wait for their transaction. False where it is unknown.
    pub fn detach(&mut self, key: ConsumerKey, handled: u64, now: Millis, fx: &mut Effects) -> bool {
        self.forget_locks(key, Tags::UpTo(u64::MAX));
        let Some(consumer) = self.roster.detach(key) else { return false };
        let start = fx.settled.len();
        if let Some(feeds) = &mut self.feeds {
            feeds.leave(key.slot, consumer.feed, &mut self.roster);
            self.roster.wake_all();
        }
        let (count_deliveries, by) = (consumer.count_deliveries, Some(consumer.who));
        self.in_flight -= consumer.in_flight.len();
        // The latest first: each of the others then belongs in front of the one before.
        for (tag, staged, mut entry) in consumer.in_flight.into_all().rev() {
            if !count_deliveries && tag <= handled {
                entry.expires = Millis::NEVER;
            }
            if staged {
                self.orphans.insert(entry.order, Orphan { entry, count: count_deliveries, by: by.clone() });
            } else {
                let count = count_deliveries && tag <= handled;
                self.give_back(entry, Return { delay: Some(Millis(0)), count, by: by.clone() }, now, fx);
            }
        }
        self.stop_choosing();
        self.conclude(start, now, fx);
        true
    }

    /// Notes that deliveries behind the tag `handled`, up to `last`, may have been seen by their consumer's
    /// client, which is lost: they come again as redelivered, yet nobody knows that they have failed. Those
    /// up to `handled` have, and are counted when the consumer is detached.
    pub fn mark_seen(&mut self, key: ConsumerKey, handled: u64, last: u64) {
        if let Some(consumer) = self.roster.get_mut(key) {
            consumer.in_flight.mark_seen(handled, last);
        }
    }

    /// Accepts deliveries as part of a transaction: they stay in flight, marked, until
    /// [`Queue::commit_staged`] or [`Queue::unstage`]. How many were found; each is added to `into`.
    pub fn stage(&mut self, key: ConsumerKey, tags: Tags, into: &mut Vec<Staged>) -> usize {
        self.forget_locks(key, tags);
        let Some(consumer) = self.roster.get_mut(key) else { return 0 };
        consumer.in_flight.stage(tags, |tag, entry| {
            into.push(Staged { consumer: key, tag, order: entry.order, stored: entry.at.is_stored() });
        })
    }

    /// Whether a transaction has accepted or refused a delivery; `None` where it is not in flight.
    pub fn is_staged(&self, key: ConsumerKey, tag: u64) -> Option<bool> {
        self.roster.get(key)?.in_flight.is_staged(tag)
    }

    /// The transaction is rolled back: the deliveries are open again; those whose consumer is gone
    /// return to their place, counted as failed. How many were found.
    pub fn unstage(&mut self, staged: &[Staged], now: Millis, fx: &mut Effects) -> usize {
        let start = fx.settled.len();
        let mut found = 0;
        for delivery in staged {
            if let Some(consumer) = self.roster.get_mut(delivery.consumer) {
                let unstaged = consumer.in_flight.unstage(delivery.tag);
                found += usize::from(unstaged);
                let lock = consumer.lock;
                if unstaged && lock > Millis(0) {
                    self.extend(delivery.consumer, Tags::One(delivery.tag), now.plus(lock));
                }
            } else if let Some(orphan) = self.orphans.remove(&delivery.order) {
                found += 1;
                let how = Return { delay: Some(Millis(0)), count: orphan.count, by: orphan.by };
                self.give_back(orphan.entry, how, now, fx);
            }
        }
        self.conclude(start, now, fx);
        found
    }

    /// Takes messages that a prepared transaction has acknowledged out of what waits, after a restart: they
    /// are its own again. Answers those that were found.
    pub fn claim_orders(&mut self, orders: &[Order]) -> Vec<Staged> {
        let mut claimed = Vec::new();
        for &order in orders {
            let Some(entry) = self.ready.remove(order).or_else(|| self.delayed.remove(order)) else {
                continue;
            };
            let stored = entry.at.is_stored();
            if !entry.group.is_none() && self.policy.groups == Grouping::Strict {
                self.begin_choosing();
                if let Some(feeds) = &mut self.feeds {
                    feeds.strict.begin(entry.group, order);
                }
            }
            self.orphans.insert(order, Orphan { entry, count: true, by: None });
            claimed.push(Staged { consumer: NOBODY, tag: 0, order, stored });
        }
        claimed
    }

    /// The transaction is in the log, in a batch that names the stored ones of these: they are done
    /// with. How many were found.
    pub fn commit_staged(&mut self, staged: &[Staged], now: Millis, fx: &mut Effects) -> usize {
        let start = fx.settled.len();
        let mut found = 0;
        for delivery in staged {
            if let Some((entry, _)) = self.take_staged(delivery) {
                found += 1;
                self.ledger.finish(&entry, Fate::Committed, fx);
            }
        }
        self.conclude(start, now, fx);
        found
    }

    /// The transaction is in the log, and these deliveries of one consumer were refused in it: they
    /// take their outcome now. How many were found.
    pub fn resolve_staged(
        &mut self,
        staged: &[Staged],
        outcome: Outcome,
        now: Millis,
        fx: &mut Effects,
    ) -> usize {
        let start = fx.settled.len();
        let (mut found, mut how) = (0, Return { delay: None, count: true, by: None });
        for delivery in staged {
            let Some((entry, its)) = self.take_staged(delivery) else { continue };
            found += 1;
            how = its;
            match outcome {
                Outcome::Accept => self.ledger.finish(&entry, Fate::Acked, fx),
                _ => self.scratch.push(entry),
            }
        }
        self.settle_scratch(outcome, &how, now, fx);
        self.conclude(start, now, fx);
        found
    }

    /// Takes a staged delivery from its consumer, or from the orphans; and how it would go back.
    fn take_staged(&mut self, delivery: &Staged) -> Option<(Entry, Return)> {
        let Some(consumer) = self.roster.get_mut(delivery.consumer) else {
            let Orphan { entry, count, by } = self.orphans.remove(&delivery.order)?;
            return Some((entry, Return { delay: None, count, by }));
        };
        let entry = consumer.in_flight.take_staged(delivery.tag)?;
        let how = Return { delay: None, count: consumer.count_deliveries, by: Some(consumer.who.clone()) };
        self.in_flight -= 1;
        self.roster.refresh(delivery.consumer.slot);
        Some((entry, how))
    }

    /// Applies `outcome` to the entries that were just taken from their consumer.
    fn settle_scratch(&mut self, outcome: Outcome, how: &Return, now: Millis, fx: &mut Effects) {
        let mut taken = std::mem::take(&mut self.scratch);
        // The latest first, as in `detach`.
        for entry in taken.drain(..).rev() {
            match outcome {
                Outcome::Accept => {}
                Outcome::Reject => self.refuse(entry, how, fx),
                Outcome::Nack if self.policy.nack == Nack::Discard => {
                    self.ledger.finish(&entry, Fate::Dropped(DeadReason::Rejected), fx);
                }
                Outcome::Nack if self.policy.nack == Nack::DeadLetter => self.refuse(entry, how, fx),
                Outcome::Retry | Outcome::Nack => self.give_back(entry, how.clone(), now, fx),
                Outcome::Requeue { delay, count } => {
                    let how = Return { delay: Some(delay), count: count && how.count, by: how.by.clone() };
                    self.give_back(entry, how, now, fx);
                }
            }
        }
        self.scratch = taken;
    }

    /// Sends an entry to the dead letters that its consumer has refused: a failed delivery as well.
    fn refuse(&mut self, mut entry: Entry, how: &Return, fx: &mut Effects) {
        if how.count {
            self.count_failure(&mut entry, fx);
        }
        self.die(entry, DeadReason::Rejected, how.by.clone(), fx);
    }

    fn count_failure(&self, entry: &mut Entry, fx: &mut Effects) {
        entry.deliveries = entry.deliveries.saturating_add(1);
        if entry.at.is_stored() {
            fx.counted.push((entry.order, entry.deliveries));
        }
    }

    /// Puts an entry back into its place, or among the dead letters where it has failed too often.
    pub(super) fn give_back(&mut self, mut entry: Entry, how: Return, now: Millis, fx: &mut Effects) {
        if how.count {
            self.count_failure(&mut entry, fx);
            let max = self.policy.max_deliveries;
            if max > 0 && entry.deliveries >= max {
                self.die(entry, DeadReason::MaxDeliveries, how.by, fx);
                return;
            }
        }
        let delay = how.delay.unwrap_or_else(|| self.redelivery_delay(entry.deliveries));
        if delay > Millis(0) {
            self.delay(entry, now.plus(delay), now);
        } else {
            self.make_ready(entry);
        }
    }
}
