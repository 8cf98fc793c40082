//! Giving messages to consumers.

use std::sync::Arc;

use wharfmq_base::Millis;

use super::{Queue, sort_from};
use crate::{AttachError, ConsumeSpec, ConsumerKey, Credit, Effects, Entry, Outbox, SubTag, limits};

impl Queue {
    /// Adds a consumer.
    pub fn attach(
        &mut self,
        spec: ConsumeSpec,
        now: Millis,
        fx: &mut Effects,
    ) -> Result<ConsumerKey, AttachError> {
        let start = fx.settled.len();
        let key = self.roster.attach(spec)?;
        self.conclude(start, now, fx);
        Ok(key)
    }

    /// Adds to what a consumer may be given. Unknown consumers are passed over.
    pub fn grant(&mut self, consumer: ConsumerKey, credit: Credit, now: Millis, fx: &mut Effects) {
        let start = fx.settled.len();
        if self.roster.grant(consumer, credit) {
            self.conclude(start, now, fx);
        }
    }

    /// Hands the deliveries made so far to the outboxes: one push, and so at most one wake, for each
    /// consumer. To be called before the queue's lock is released.
    pub fn push_deliveries(&mut self) {
        self.roster.push_deliveries();
    }

    /// Its consumers.
    pub fn consumers(&self) -> impl Iterator<Item = (ConsumerKey, &Arc<Outbox>, SubTag)> {
        self.roster.iter().map(|(key, consumer)| (key, &consumer.outbox, consumer.sub))
    }

    /// Ends a command that began when `start` messages were settled: gives out what can be given.
    pub(super) fn conclude(&mut self, start: usize, now: Millis, fx: &mut Effects) {
        self.dispatch(now, fx);
        sort_from(&mut fx.settled, start);
    }

    /// Gives out what can be given. Looks at no more than a bounded number of expired messages; where
    /// that is not enough, [`Queue::next_deadline`] asks to go on.
    pub(super) fn dispatch(&mut self, now: Millis, fx: &mut Effects) {
        let mut budget = limits::SCAN_BUDGET;
        let mut wanted = false;
        while let Some(consumer) = self.roster.next() {
            wanted = true;
            let Some(entry) = self.next_ready(now, &mut budget, fx) else { break };
            self.ledger.counts.dispatched += 1;
            self.ledger.counts.redelivered += u64::from(entry.deliveries > 0);
            let top = if self.in_flight == 0 { entry.order } else { self.in_flight_top };
            self.in_flight_top = top.max(entry.order);
            self.in_flight += 1;
            self.roster.give(consumer, entry);
        }
        if wanted {
            self.read_ahead(now, fx);
        }
    }

    /// The next message for a consumer. None where there is none, or where it has to be read first.
    fn next_ready(&mut self, now: Millis, budget: &mut usize, fx: &mut Effects) -> Option<Entry> {
        loop {
            let next = self.ready.front()?;
            if next.expires > now {
                next.message.as_ref()?;
                return self.ready.pop_front();
            }
            if self.expiry_is_held_up() {
                return None;
            }
            if *budget == 0 {
                self.hurry_sweep(now);
                return None;
            }
            *budget -= 1;
            let expired = self.ready.pop_front()?;
            self.expire(expired, fx);
        }
    }
}
