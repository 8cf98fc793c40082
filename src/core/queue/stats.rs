//! What a queue counts.

use wharfmq_base::Millis;

use super::Queue;
use crate::{DeadReason, Effects, Entry, GroupId, Order};

/// A queue's numbers, exact and of one moment:
/// `enqueued == acked + dropped.total() + dead_lettered + stored()`.
///
/// Those that count events begin at 0 with the process; what was recovered counts as enqueued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Messages that consumers hold unsettled, with those of transactions that are not committed.
    pub in_flight: u64,
    /// Messages that are not to be delivered yet.
    pub delayed: u64,
    /// Messages on their way to the dead letters.
    pub dying: u64,
    /// Bytes of all these.
    pub bytes: u64,
    /// Bytes of those waiting messages that are in memory.
    pub resident_bytes: u64,
    /// Consumers.
    pub consumers: u64,
    /// Messages taken in.
    pub enqueued: u64,
    /// Deliveries made.
    pub dispatched: u64,
    /// Of these, deliveries of messages whose earlier delivery had failed.
    pub redelivered: u64,
    /// Messages accepted by consumers.
    pub acked: u64,
    /// Messages whose time was over, wherever they went.
    pub expired: u64,
    /// Messages that were dropped.
    pub dropped: Dropped,
    /// Messages that the dead-letter queue took.
    pub dead_lettered: u64,
    /// Times the dead-letter queue refused a message.
    pub exhumed: u64,
    /// Deliveries that were taken back because they were held for too long.
    pub lock_expired: u64,
    /// Messages that were not taken in because they had been seen before.
    pub duplicates: u64,
    /// Bytes of the messages that live in memory only.
    pub volatile_bytes: u64,
}

impl QueueStats {
    /// Messages in the queue, in whatever state.
    pub const fn stored(&self) -> u64 {
        self.ready + self.in_flight + self.delayed + self.dying
    }

    /// Messages that came in and are neither there nor accounted for; less than 0 where there are more
    /// than came in. Always 0.
    pub const fn imbalance(&self) -> i64 {
        let gone = self.acked + self.dropped.total() + self.dead_lettered;
        self.enqueued.wrapping_sub(gone + self.stored()) as i64
    }
}

/// Messages dropped, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Their time was over.
    pub expired: u64,
    /// They were refused or delivered too often, and no dead-letter queue is set.
    pub poison: u64,
    /// The queue was full.
    pub overflow: u64,
    /// An operator purged the queue.
    pub purged: u64,
    /// A later message of the same key took their place.
    pub replaced: u64,
}

impl Dropped {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.expired + self.poison + self.overflow + self.purged + self.replaced
    }
}

/// Why an entry left for good.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// Its consumer accepted it.
    Acked,
    /// A transaction accepted it, whose batch says so.
    Committed,
    /// It is in the dead-letter queue, and the batch that moved it says so.
    DeadLettered,
    Dropped(DeadReason),
    Purged,
    Replaced,
}

/// Totals of a queue, kept apart so that an entry can be counted out while its consumer is borrowed.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Only the fields that count events are kept up to date.
    pub(super) counts: QueueStats,
    /// Messages in whatever state.
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// Bytes of those that are not stored.
    pub(super) volatile: u64,
    /// Messages that belong to a group.
    pub(super) grouped: u64,
    /// Messages of groups that are done with, where something may wait for that.
    pub(super) freed: Vec<(GroupId, Order)>,
    strict: bool,
}

impl Ledger {
    /// An empty one; `strict`: whether groups wait for their messages.
    pub(super) fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    pub(super) const fn set_strict(&mut self, strict: bool) {
        self.strict = strict;
    }

    pub(super) fn enter(&mut self, entry: &Entry) {
        self.counts.enqueued += 1;
        self.messages += 1;
        self.bytes += u64::from(entry.size);
        if !entry.at.is_stored() {
            self.volatile += u64::from(entry.size);
        }
        self.grouped += u64::from(!entry.group.is_none());
    }

    /// Counts an entry out and names the records that are done with.
    pub(super) fn finish(&mut self, entry: &Entry, fate: Fate, fx: &mut Effects) {
        self.messages -= 1;
        self.bytes -= u64::from(entry.size);
        if !entry.group.is_none() {
            self.grouped -= 1;
            if self.strict {
                self.freed.push((entry.group, entry.order));
            }
        }
        let dropped = &mut self.counts.dropped;
        match fate {
            Fate::Acked | Fate::Committed => self.counts.acked += 1,
            Fate::DeadLettered => self.counts.dead_lettered += 1,
            Fate::Dropped(DeadReason::Expired) => dropped.expired += 1,
            Fate::Dropped(DeadReason::Overflow) => dropped.overflow += 1,
            Fate::Dropped(DeadReason::MaxDeliveries | DeadReason::Rejected) => dropped.poison += 1,
            Fate::Purged => dropped.purged += 1,
            Fate::Replaced => dropped.replaced += 1,
        }
        if let Fate::Dropped(reason) = fate
            && fx.watched
        {
            fx.dropped.push((entry.clone(), reason));
        }
        if !entry.at.is_stored() {
            self.volatile -= u64::from(entry.size);
            return;
        }
        if !matches!(fate, Fate::Committed | Fate::DeadLettered) {
            fx.settled.push(entry.order);
        }
        fx.release(entry.at, entry.size);
    }
}

impl Queue {
    /// Its numbers.
    pub fn stats(&self) -> QueueStats {
        QueueStats {
            ready: self.ready.len() as u64,
            in_flight: self.in_flight() as u64,
            delayed: self.delayed.len() as u64,
            dying: self.dying.len() as u64,
            bytes: self.ledger.bytes,
            resident_bytes: self.ready.resident(),
            consumers: self.roster.len() as u64,
            volatile_bytes: self.ledger.volatile,
            ..self.ledger.counts
        }
    }

    /// When [`Queue::on_time`] wants to be called next, by the clock that `now` is of everywhere.
    pub fn next_deadline(&self) -> Option<Millis> {
        let delayed = self.delayed.next_visible();
        let retry = (self.load_retry_at > Millis(0)).then_some(self.load_retry_at);
        let freed = !self.ledger.freed.is_empty();
        let goes_on = self.feeds.as_ref().is_some_and(|feeds| feeds.unfinished || freed);
        let unfinished = (goes_on && !self.paused).then_some(Millis(0));
        let ends = [delayed, self.sweep_deadline(), retry, self.locks.next_end(), unfinished];
        ends.into_iter().flatten().min()
    }
}
