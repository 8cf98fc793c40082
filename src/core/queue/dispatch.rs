//! Giving messages to consumers.

use std::sync::Arc;

use wharfmq_base::Millis;

use super::{Queue, sort_from};
use crate::{
    Asked, AttachError, ConnId, ConsumeSpec, ConsumerKey, Credit, Effects, Entry, Outbox, SubTag, limits,
};

impl Queue {
    /// Adds a consumer, whose deliveries go to `outbox`.
    pub fn attach(
        &mut self,
        outbox: Arc<Outbox>,
        spec: ConsumeSpec,
        now: Millis,
        fx: &mut Effects,
    ) -> Result<ConsumerKey, AttachError> {
        let start = fx.settled.len();
        let mut spec = spec;
        spec.exclusive |= self.policy.single_active;
        if spec.lock == Millis(0) {
            spec.lock = self.policy.lock;
        }
        if spec.filter.is_some() || spec.pool.is_some() {
            self.begin_choosing();
        }
        let key = self.roster.attach(outbox, spec)?;
        if let Some(feeds) = &mut self.feeds
            && let Some(consumer) = self.roster.get_mut(key)
        {
            consumer.feed = feeds.join(key.slot, consumer.filter.as_ref());
        }
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

    /// Takes back what a consumer may still be given, up to so many messages. Answers how many that were:
    /// the others are on their way.
    pub fn withdraw(&mut self, consumer: ConsumerKey, messages: u32) -> u32 {
        self.roster.withdraw(consumer, messages)
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

    /// What each of the consumers asked for, and whose it is.
    pub fn consumers_asked(&self) -> impl Iterator<Item = (ConnId, SubTag, Asked)> {
        self.roster.iter().map(|(_, consumer)| (consumer.outbox.conn, consumer.sub, consumer.asked()))
    }

    /// Stops giving messages out, or begins again.
    pub fn set_paused(&mut self, paused: bool, now: Millis, fx: &mut Effects) {
        self.paused = paused;
        let start = fx.settled.len();
        self.conclude(start, now, fx);
    }

    /// Whether nothing is given out.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Ends a command that began when `start` messages were settled: gives out what can be given.
    pub(super) fn conclude(&mut self, start: usize, now: Millis, fx: &mut Effects) {
        self.dispatch(now, fx);
        sort_from(&mut fx.settled, start);
    }

    /// Gives out what can be given. Looks at no more than a bounded number of expired messages; where
    /// that is not enough, [`Queue::next_deadline`] asks to go on.
    pub(super) fn dispatch(&mut self, now: Millis, fx: &mut Effects) {
        if self.paused {
            if let Some(mut feeds) = self.feeds.take() {
                self.free_groups(&mut feeds);
                feeds.peeked.clear();
                self.feeds = Some(feeds);
            }
            return;
        }
        if self.feeds.is_some() {
            return self.dispatch_chosen(now, fx);
        }
        let mut budget = limits::SCAN_BUDGET;
        let mut wanted = false;
        while let Some(consumer) = self.roster.next() {
            wanted = true;
            let Some(entry) = self.next_ready(now, &mut budget, fx) else { break };
            self.give(consumer, entry, false, now);
        }
        if wanted {
            self.read_ahead(now, fx);
        }
    }

    /// Hands an entry to the consumer whose turn it is.
    #[inline]
    pub(super) fn give(&mut self, slot: u32, entry: Entry, first_of_group: bool, now: Millis) {
        self.ledger.counts.dispatched += 1;
        self.ledger.counts.redelivered += u64::from(entry.deliveries > 0);
        let top = if self.in_flight == 0 { entry.order } else { self.in_flight_top };
        self.in_flight_top = top.max(entry.order);
        self.in_flight += 1;
        if let Some(lock) = self.roster.give(slot, entry, first_of_group, now) {
            self.locks.insert(lock.until, slot, lock.tag);
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
