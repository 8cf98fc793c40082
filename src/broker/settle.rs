//! Acknowledgements, and what a queue wants done after a command.

use std::cell::RefCell;
use std::sync::Arc;

use wharfmq_base::{Location, Lsn};
use wharfmq_core::record::{self, kind};
use wharfmq_core::{Effects, LockedQueue, Order, Outcome, Queue, QueueCell, Staged, limits};

use super::{Broker, Now};

thread_local! {
    /// Reused by every command of the thread, so that the plain path allocates nothing.
    static EFFECTS: RefCell<Effects> = RefCell::default();
}

/// Acknowledgements of one consumer inside a transaction.
#[derive(Debug)]
pub(super) struct SettledInTx {
    pub(super) cell: Arc<QueueCell>,
    pub(super) staged: Vec<Staged>,
    pub(super) outcome: Outcome,
    /// Those of the accepted that are stored, ascending; named when the transaction is carried out.
    pub(super) orders: Vec<Order>,
}

impl SettledInTx {
    /// The stored ones of them, ascending.
    pub(super) fn stored_orders(&self) -> Vec<Order> {
        let stored = self.staged.iter().filter(|staged| staged.stored);
        let mut orders: Vec<Order> = stored.map(|staged| staged.order).collect();
        orders.sort_unstable();
        orders
    }

    /// Whether the batch of the transaction settles them. What was refused takes its outcome afterwards.
    pub(super) fn is_accepted(&self) -> bool {
        self.outcome == Outcome::Accept
    }
}

impl Broker {
    /// Runs one command on a queue and does what it asks for. What it settled goes to the log while
    /// the queue is locked; the answer is the command's and the batch that holds the settles.
    pub(super) fn run<R>(
        &self,
        cell: &Arc<QueueCell>,
        command: impl FnOnce(&mut Queue, &mut Effects) -> R,
    ) -> (R, Option<Lsn>) {
        let mut fx = EFFECTS.take();
        fx.watched = self.watches_drops();
        let mut locked = cell.lock();
        let before = locked.queue().resident_bytes();
        let result = command(locked.queue(), &mut fx);
        if locked.is_deleted() {
            // Nobody will ever take what came late, or came back from a consumer.
            while locked.queue().purge(limits::SCAN_BUDGET, &mut fx) > 0 {}
        }
        self.account(before, locked.queue().resident_bytes());
        let lsn = self.log_settles(cell, &fx);
        cell.set_crowded(locked.queue().is_crowded());
        let deadline = cell.rearm(locked.queue().next_deadline());
        let waiting = if locked.queue().take_unblocked() { locked.take_waiting() } else { Vec::new() };
        drop::<LockedQueue<'_>>(locked);
        for outbox in waiting {
            outbox.wake();
        }
        if let Some(deadline) = deadline {
            self.threads.schedule(cell, deadline);
        }
        if !fx.is_empty() {
            self.carry_out(cell, &mut fx);
        }
        fx.clear();
        EFFECTS.set(fx);
        (result, lsn)
    }

    /// Keeps the pool's account of what waits in memory.
    pub(super) fn account(&self, before: u64, after: u64) {
        if after > before {
            self.memory.take(after - before);
        } else if before > after {
            self.memory.give(before - after);
        }
    }

    fn log_settles(&self, cell: &QueueCell, fx: &Effects) -> Option<Lsn> {
        if fx.settled.is_empty() && fx.counted.is_empty() {
            return None;
        }
        let mut batch = self.log.batch();
        batch.reserved();
        let mut scratch = Vec::with_capacity(64);
        if !fx.settled.is_empty() {
            record::Settle::encode(cell.id, fx.settled.iter().copied(), &mut scratch);
            batch.push(kind::SETTLE, &[], 0, &[&scratch]);
        }
        if !fx.counted.is_empty() {
            scratch.clear();
            record::Counted::encode(cell.id, fx.counted.iter().copied(), &mut scratch);
            batch.push(kind::COUNTED, &[], 0, &[&scratch]);
        }
        // A log that has failed latches; the broker stops because of that, not because of this settle,
        // which must never be confirmed.
        Some(self.log.append(&mut batch).map_or(NEVER, |placed| placed.lsn))
    }

    fn carry_out(&self, cell: &Arc<QueueCell>, fx: &mut Effects) {
        if !fx.dropped.is_empty() {
            // First: the records are read.
            self.tell_dropped(cell, &fx.dropped);
        }
        for release in &fx.released {
            self.log.release(release.segment, release.holds, release.bytes);
        }
        if !fx.load.is_empty() {
            self.threads.load(cell, std::mem::take(&mut fx.load));
        }
        if !fx.dead.is_empty() {
            self.threads.bury(cell, std::mem::take(&mut fx.dead));
        }
    }

    /// Removes what a committed transaction acknowledged; its batch already says so.
    pub(super) fn finish_settles(&self, settles: &[SettledInTx], now: Now) {
        for settled in settles.iter().filter(|settled| settled.is_accepted()) {
            self.run(&settled.cell, |queue, fx| {
                queue.commit_staged(&settled.staged, now.wall, fx);
            });
        }
    }

    /// Gives what a committed transaction refused its outcome. Answers the last batch that this wrote.
    pub(super) fn resolve_refused(&self, settles: &[SettledInTx], now: Now) -> Option<Lsn> {
        let refused = settles.iter().filter(|settled| !settled.is_accepted());
        let resolved = refused.map(|settled| {
            let resolve = |queue: &mut Queue, fx: &mut Effects| {
                queue.resolve_staged(&settled.staged, settled.outcome, now.wall, fx)
            };
            self.run(&settled.cell, resolve).1
        });
        resolved.max().flatten()
    }

    /// Takes the acknowledgements of a transaction back: it never happened.
    pub(super) fn unstage(&self, settles: &[SettledInTx], now: Now) {
        for settled in settles {
            self.run(&settled.cell, |queue, fx| queue.unstage(&settled.staged, now.wall, fx));
        }
    }
}

/// A batch that will never be durable.
pub(super) const NEVER: Lsn = Lsn(u64::MAX);

/// Records that are not yet on disk are read from memory, so any stored body may be dropped.
pub(super) const EVERYWHERE: Location = Location { segment: u32::MAX, frame: u32::MAX, record: u16::MAX };
