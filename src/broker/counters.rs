//! Why messages disappeared, and other totals of the process.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Causes;

/// Totals since the start.
#[derive(Debug, Default)]
pub struct Counters {
    dropped_slow: AtomicU64,
    dead_lettered: AtomicU64,
    dead_refused: AtomicU64,
    lost_on_read: AtomicU64,
    dropped_temporary: AtomicU64,
    dropped_ended: AtomicU64,
    rejected: AtomicU64,
    scheduled_sent: AtomicU64,
    scheduled_refused: AtomicU64,
    wills_sent: AtomicU64,
    wills_put_off: AtomicU64,
    wills_lost: AtomicU64,
    retained_expired: AtomicU64,
    /// What was dropped or refused at the edge, by cause.
    pub causes: Causes,
}

/// [`Counters`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Not stored and dropped because a subscriber was too slow.
    pub dropped_slow: u64,
    /// Moved to a dead-letter queue.
    pub dead_lettered: u64,
    /// Sent back by a dead-letter queue that was full.
    pub dead_refused: u64,
    /// Stored but no longer readable.
    pub lost_on_read: u64,
    /// Dropped with the temporary queue they were in.
    pub dropped_temporary: u64,
    /// Dropped with the session or the shared subscription they waited for, or with the connection that a
    /// shared subscription had begun to give them to.
    pub dropped_ended: u64,
    /// Answered with an error by the MQTT client they were sent to.
    pub rejected: u64,
    /// Sent because their time had come.
    pub scheduled_sent: u64,
    /// Times that a message whose time had come was refused by its destination.
    pub scheduled_refused: u64,
    /// Wills that were published.
    pub wills_sent: u64,
    /// Times that a will was refused by a queue that was full, or by the log: it is tried again.
    pub wills_put_off: u64,
    /// Wills that were stored but no longer readable.
    pub wills_lost: u64,
    /// Retained messages whose time was over.
    pub retained_expired: u64,
}

impl Counters {
    pub(super) fn dropped_slow(&self, messages: u64) {
        self.dropped_slow.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn dead_lettered(&self, messages: u64) {
        self.dead_lettered.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn dead_refused(&self, messages: u64) {
        self.dead_refused.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn lost_on_read(&self, messages: u64) {
        self.lost_on_read.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn dropped_temporary(&self, messages: u64) {
        self.dropped_temporary.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn dropped_ended(&self, messages: u64) {
        self.dropped_ended.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn rejected(&self, messages: u64) {
        self.rejected.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn scheduled_sent(&self, messages: u64) {
        self.scheduled_sent.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn scheduled_refused(&self, messages: u64) {
        self.scheduled_refused.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn wills_sent(&self, wills: u64) {
        self.wills_sent.fetch_add(wills, Ordering::Relaxed);
    }

    pub(super) fn wills_put_off(&self, wills: u64) {
        self.wills_put_off.fetch_add(wills, Ordering::Relaxed);
    }

    pub(super) fn wills_lost(&self, wills: u64) {
        self.wills_lost.fetch_add(wills, Ordering::Relaxed);
    }

    pub(super) fn retained_expired(&self, messages: u64) {
        self.retained_expired.fetch_add(messages, Ordering::Relaxed);
    }

    /// The totals now.
    pub fn totals(&self) -> Totals {
        Totals {
            dropped_slow: self.dropped_slow.load(Ordering::Relaxed),
            dead_lettered: self.dead_lettered.load(Ordering::Relaxed),
            dead_refused: self.dead_refused.load(Ordering::Relaxed),
            lost_on_read: self.lost_on_read.load(Ordering::Relaxed),
            dropped_temporary: self.dropped_temporary.load(Ordering::Relaxed),
            dropped_ended: self.dropped_ended.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            scheduled_sent: self.scheduled_sent.load(Ordering::Relaxed),
            scheduled_refused: self.scheduled_refused.load(Ordering::Relaxed),
            wills_sent: self.wills_sent.load(Ordering::Relaxed),
            wills_put_off: self.wills_put_off.load(Ordering::Relaxed),
            wills_lost: self.wills_lost.load(Ordering::Relaxed),
            retained_expired: self.retained_expired.load(Ordering::Relaxed),
        }
    }
}
