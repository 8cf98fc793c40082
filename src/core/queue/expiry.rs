//! Messages whose time is over.
//!
//! Those that come up for delivery are found there. The others are found by a sweep, which begins when
//! one may have expired, goes on in small steps, and rests between two rounds so that a deep queue costs
//! little.

use wharfmq_base::Millis;

use super::Queue;
use super::feeds::Spot;
use super::stats::Fate;
use crate::{DeadLetter, DeadReason, Effects, Entry, Order, limits};

/// Shortest rest between two rounds.
const REST_MS_MIN: u64 = 1_000;
/// A round over so many entries adds a millisecond of rest.
const ENTRIES_PER_REST_MS: u64 = 100;

/// Where the sweep stands.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Next lane and order to look at; `None` between rounds.
    cursor: Option<(usize, Order)>,
    /// The earliest expiry seen in this round.
    next_expiry: Millis,
    /// No step before.
    not_before: Millis,
    found: Vec<Entry>,
}

impl Queue {
    /// Time has passed: delays end, expired messages leave. Bounded work; what is left shows in
    /// [`Queue::next_deadline`].
    pub fn on_time(&mut self, now: Millis, fx: &mut Effects) {
        if self.load_retry_at > Millis(0) && self.load_retry_at <= now {
            self.load_retry_at = Millis(0);
            self.roster.wake_all();
        }
        let start = fx.settled.len();
        self.end_delays(now);
        self.end_locks(now, fx);
        self.sweep(now, fx);
        self.conclude(start, now, fx);
    }

    pub(super) fn sweep_deadline(&self) -> Option<Millis> {
        if self.sweep.cursor.is_some() {
            return Some(self.sweep.not_before);
        }
        let next = self.ready.next_expiry();
        (next != Millis::NEVER).then(|| next.max(self.sweep.not_before))
    }

    /// An entry of the queue, which stands nowhere now, has expired.
    pub(super) fn expire(&mut self, entry: Entry, fx: &mut Effects) {
        self.ledger.counts.expired += 1;
        if entry.at.is_stored() {
            self.die(entry, DeadReason::Expired, None, fx);
        } else {
            self.ledger.finish(&entry, Fate::Dropped(DeadReason::Expired), fx);
        }
    }

    /// The entry that stands at `spot` has expired.
    pub(super) fn expire_at(&mut self, spot: Spot, fx: &mut Effects) {
        if let Some(entry) = self.ready.remove_at(spot) {
            self.expire(entry, fx);
        }
    }

    /// Whether expired messages have to wait until the dead letters have caught up.
    pub(super) fn expiry_is_held_up(&self) -> bool {
        self.policy.expired != DeadLetter::Drop && self.dying.is_full()
    }

    /// More has expired than one command could look at: on_time is to go on at once.
    pub(super) fn hurry_sweep(&mut self, now: Millis) {
        self.sweep.not_before = self.sweep.not_before.min(now);
    }

    fn sweep(&mut self, now: Millis, fx: &mut Effects) {
        if self.sweep_deadline().is_none_or(|due| due > now) {
            return;
        }
        if self.expiry_is_held_up() {
            self.sweep.not_before = now.plus(Millis(REST_MS_MIN));
            return;
        }
        if self.sweep.cursor.is_none() {
            self.sweep.cursor = Some((0, Order(0)));
            self.sweep.next_expiry = Millis::NEVER;
            self.ready.forget_next_expiry();
        }
        self.sweep_step(now);
        let mut found = std::mem::take(&mut self.sweep.found);
        for entry in found.drain(..) {
            self.expire(entry, fx);
        }
        self.sweep.found = found;
    }

    fn sweep_step(&mut self, now: Millis) {
        let Some((lane, from)) = self.sweep.cursor else { return };
        // No more in one step than the dead letters can be asked to read.
        let budget =
            if self.policy.expired == DeadLetter::Drop { limits::SCAN_BUDGET } else { limits::LOAD_ENTRIES };
        let Sweep { next_expiry, found, .. } = &mut self.sweep;
        let next = self.ready.extract_expired((lane, from), budget, now, next_expiry, found);
        self.sweep.not_before = now;
        self.sweep.cursor = match next {
            Some(order) => Some((lane, order)),
            None if lane + 1 < self.ready.lanes.len() => Some((lane + 1, Order(0))),
            None => {
                let rest = REST_MS_MIN.max(self.ready.len() as u64 / ENTRIES_PER_REST_MS);
                self.sweep.not_before = now.plus(Millis(rest));
                self.ready.found_next_expiry(self.sweep.next_expiry);
                None
            }
        };
    }
}
