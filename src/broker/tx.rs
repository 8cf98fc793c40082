//! Local transactions: sends and acknowledgements that happen together or not at all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::{Lease, Millis, write_duration};
use wharfmq_core::{Item, Outcome, Tags, Terms, Token};

use super::flush::{Flushed, Flusher};
use super::settle::SettledInTx;
use super::stage::{Extra, Stage};
use super::{Consumer, Port, Route, Xid, is_temporary};

/// Transactions one connection may have open.
pub const TRANSACTIONS_MAX: usize = 64;

/// How large one transaction may become, and how old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxLimits {
    /// Sends and acknowledgements.
    pub ops: usize,
    /// Bytes of the sends; a single send may be larger.
    pub bytes: usize,
    /// From its begin to its commit, in milliseconds; what is older is aborted.
    pub timeout: Millis,
}

impl Default for TxLimits {
    fn default() -> Self {
        Self { ops: 10_000, bytes: 16 << 20, timeout: Millis(600_000) }
    }
}

/// Why a transaction did not do what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxError {
    /// There is none of this name.
    Unknown,
    /// There is one of this name already.
    Exists,
    /// The connection has [`TRANSACTIONS_MAX`] open.
    TooMany,
    /// It would pass these limits.
    TooLarge(TxLimits),
    /// It was open for longer than this, and was aborted.
    TimedOut(Millis),
    /// A part of it had failed, so that all of it was rolled back; see [`Port::doom`].
    Doomed,
}

impl std::fmt::Display for TxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such transaction is open"),
            Self::Exists => f.write_str("a transaction of this name is open already"),
            Self::TooMany => write!(f, "a connection may have {TRANSACTIONS_MAX} transactions open"),
            Self::TooLarge(TxLimits { ops, bytes, .. }) => write!(
                f,
                "a transaction may have {ops} operations and {bytes} bytes: \
                 limits.max_transaction_messages and limits.max_transaction_bytes"
            ),
            Self::Doomed => f.write_str("a part of the transaction had failed: it was rolled back"),
            Self::TimedOut(timeout) => write!(
                f,
                "the transaction timed out after {} (limits.transaction_timeout) and was aborted",
                write_duration(*timeout)
            ),
        }
    }
}

impl std::error::Error for TxError {}

/// A connection's transactions. Most connections have none and pay for a pointer.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    known: Option<Box<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    open: HashMap<ByteString, Transaction>,
    /// Names of those that were aborted for their age, the latest at the end: whoever goes on with one
    /// is told.
    timed_out: VecDeque<ByteString>,
    ended: Vec<(Xid, Millis)>,
}

#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) stage: Stage,
    pub(super) raw: BytesMut,
    pub(super) settles: Vec<SettledInTx>,
    ops: usize,
    leases: Vec<Lease>,
    /// On the monotonic clock.
    begun: Millis,
    /// The branch that it is a part of, of another transaction.
    pub(super) branch: Option<Box<Xid>>,
    /// It can only be rolled back.
    pub(super) doomed: bool,
}

impl Transaction {
    /// Whether it has neither sends nor acknowledgements.
    pub(super) fn is_empty(&self) -> bool {
        self.stage.items.is_empty() && self.settles.is_empty()
    }

    /// This one, and then the other one.
    pub(super) fn followed_by(mut self, other: Self) -> Self {
        let first = self.stage.items.len() as u32;
        for run in &other.stage.runs {
            for item in other.stage.items.get(run.start as usize..run.end as usize).unwrap_or_default() {
                self.stage.adopt(&run.route, *item, &other.raw, &mut self.raw);
            }
        }
        let extras = other.stage.extras.into_iter();
        self.stage.extras.extend(extras.map(|(of, extra)| (of + first, extra)));
        self.settles.extend(other.settles);
        self.leases.extend(other.leases);
        self.doomed |= other.doomed;
        self
    }
}

impl Transactions {
    pub(super) fn get(&mut self, name: &str, limits: TxLimits) -> Result<&mut Transaction, TxError> {
        let Some(known) = &mut self.known else { return Err(TxError::Unknown) };
        let is_late = known.timed_out.iter().any(|late| late == name);
        let missing = if is_late { TxError::TimedOut(limits.timeout) } else { TxError::Unknown };
        known.open.get_mut(name).ok_or(missing)
    }

    /// Whether the connection has ever had one.
    pub(super) const fn is_used(&self) -> bool {
        self.known.is_some()
    }

    /// Whether there is one of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.known.as_ref().is_some_and(|known| known.open.contains_key(name))
    }

    /// Branches of which the connection has ended its part, with the times when that was begun.
    pub(super) fn ended(&mut self) -> &mut Vec<(Xid, Millis)> {
        &mut self.known.get_or_insert_default().ended
    }

    pub(super) fn take(&mut self, name: &str, limits: TxLimits) -> Result<Transaction, TxError> {
        self.get(name, limits)?;
        self.known.as_mut().and_then(|known| known.open.remove(name)).ok_or(TxError::Unknown)
    }

    /// When the first of them times out, on the monotonic clock.
    pub(super) fn deadline(&self, limits: TxLimits) -> Option<Millis> {
        let known = self.known.as_ref()?;
        let open = known.open.values().map(|transaction| transaction.begun);
        let first = open.chain(known.ended.iter().map(|(_, begun)| *begun)).min();
        first.map(|begun| begun.plus(limits.timeout))
    }
}

impl Known {
    /// Takes out what has been open for too long.
    fn take_timed_out(&mut self, limits: TxLimits, now: Millis) -> Vec<Transaction> {
        let late = |transaction: &Transaction| transaction.begun.plus(limits.timeout) <= now;
        let late = self.open.extract_if(|_, transaction| late(transaction));
        let mut taken = Vec::new();
        for (name, transaction) in late {
            self.timed_out.push_back(name);
            taken.push(transaction);
        }
        let excess = self.timed_out.len().saturating_sub(TRANSACTIONS_MAX);
        self.timed_out.drain(..excess);
        taken
    }
}

impl Port {
    /// Opens a transaction.
    pub fn begin(&mut self, name: &ByteString) -> Result<(), TxError> {
        let known = self.transactions.known.get_or_insert_default();
        if known.open.contains_key(name) {
            return Err(TxError::Exists);
        }
        if known.open.len() + known.ended.len() >= TRANSACTIONS_MAX {
            return Err(TxError::TooMany);
        }
        known.timed_out.retain(|late| late != name);
        let begun = self.now.mono;
        known.open.insert(name.clone(), Transaction { begun, ..Transaction::default() });
        Ok(())
    }

    /// Sends within a transaction: the item's bytes are copied out of `raw` and nothing is visible
    /// before the commit. `terms` is what it asks of the queues that take it; a delay begins with the
    /// commit.
    pub fn publish_in(
        &mut self,
        name: &str,
        route: &Arc<Route>,
        item: Item,
        terms: Option<Terms>,
        raw: &[u8],
    ) -> Result<(), TxError> {
        self.publish_extra_in(name, route, item, terms.map(Extra::from), raw)
    }

    pub(super) fn publish_extra_in(
        &mut self,
        name: &str,
        route: &Arc<Route>,
        mut item: Item,
        extra: Option<Extra>,
        raw: &[u8],
    ) -> Result<(), TxError> {
        item.retain = item.retain && !is_temporary(&route.address.name);
        let limits = self.broker.tx_limits;
        self.publishes = true;
        let lease = self.broker.memory.lease(u64::from(item.frame.len));
        let transaction = self.transactions.get(name, limits)?;
        let bytes = transaction.raw.len() + item.frame.len as usize;
        // One send larger than the limit is a message's affair, not the transaction's.
        let crowded = bytes > limits.bytes && transaction.ops > 0;
        if crowded || transaction.ops >= limits.ops {
            return Err(TxError::TooLarge(limits));
        }
        transaction.ops += 1;
        transaction.leases.push(lease);
        let index = transaction.stage.adopt(route, item, raw, &mut transaction.raw);
        if let Some(mut extra) = extra {
            extra.terms.due = extra.terms.due.since(self.now.wall);
            transaction.stage.add(index, extra);
        }
        Ok(())
    }

    /// Settles within a transaction: the deliveries stay in flight until the commit, and what is refused
    /// takes its outcome then. Answers how many of the tags were known.
    pub fn settle_in(
        &mut self,
        name: &str,
        consumer: &Consumer,
        tags: Tags,
        outcome: Outcome,
    ) -> Result<usize, TxError> {
        let limits = self.broker.tx_limits;
        let transaction = self.transactions.get(name, limits)?;
        if transaction.ops >= limits.ops {
            return Err(TxError::TooLarge(limits));
        }
        let cell = &consumer.queue;
        let mut staged = Vec::new();
        cell.lock().queue().stage(consumer.key, tags, &mut staged);
        let found = staged.len();
        transaction.ops += found;
        let is_same = |last: &&mut SettledInTx| {
            let of = last.staged.last().map(|staged| staged.consumer);
            last.outcome == outcome && of == Some(consumer.key) && Arc::ptr_eq(&last.cell, cell)
        };
        if let Some(last) = transaction.settles.last_mut().filter(is_same) {
            last.staged.append(&mut staged);
        } else if found > 0 {
            let cell = Arc::clone(cell);
            transaction.settles.push(SettledInTx { cell, staged, outcome, orders: Vec::new() });
        }
        Ok(found)
    }

    /// Something that belonged to a transaction has failed, and its client may not have been told: a commit
    /// rolls it back.
    pub fn doom(&mut self, name: &str) {
        if let Ok(transaction) = self.transactions.get(name, self.broker.tx_limits) {
            transaction.doomed = true;
        }
    }

    /// Carries a transaction out in one atomic batch; `confirm` is answered once it is durable, or with
    /// the reason why nothing of it happened. What the connection has staged or parked is not part of
    /// it and comes later: who wants it before waits until [`Port::is_flushed`].
    pub fn commit(&mut self, name: &str, confirm: Option<Token>) -> Result<(), TxError> {
        let transaction = self.transactions.take(name, self.broker.tx_limits)?;
        self.commit_taken(transaction, confirm)
    }

    pub(super) fn commit_taken(
        &mut self,
        transaction: Transaction,
        confirm: Option<Token>,
    ) -> Result<(), TxError> {
        let Transaction { stage, raw, mut settles, doomed, .. } = transaction;
        if doomed {
            self.broker.unstage(&settles, self.now);
            return Err(TxError::Doomed);
        }
        let flushed = self.carry_out_at_once(stage, raw.freeze(), &mut settles);
        if !flushed.refused.is_empty() {
            self.broker.unstage(&settles, self.now);
        }
        self.answer(flushed, confirm);
        Ok(())
    }

    /// Flushes sends and acknowledgements as one, and begins the delays of the sends; where one send is
    /// refused, all of it is, and the acknowledgements are the caller's to take back.
    pub(super) fn carry_out_at_once(
        &mut self,
        mut stage: Stage,
        raw: Bytes,
        settles: &mut [SettledInTx],
    ) -> Flushed {
        stage.begin_delays(self.now.wall);
        for settled in settles.iter_mut().filter(|settled| settled.is_accepted()) {
            settled.orders = settled.stored_orders();
        }
        let by = Flusher {
            outbox: &self.outbox,
            now: self.now,
            own: &self.own,
            refuse_when_full: true,
            atomic: true,
        };
        let mut flushed = self.broker.flush(stage, raw, &by, settles);
        // What one send was refused for, the whole was refused for.
        flushed.refused.truncate(1);
        for refused in &mut flushed.refused {
            refused.0 = 0;
        }
        if flushed.refused.is_empty() {
            let resolved = self.broker.resolve_refused(settles, self.now);
            self.has_appended(resolved);
        }
        flushed
    }

    /// Has what was carried out at once confirmed.
    pub(super) fn answer(&mut self, flushed: Flushed, confirm: Option<Token>) {
        self.settle_flush(flushed, confirm.into_iter().map(|token| (0, token)).collect(), 0);
    }

    /// Forgets a transaction: its sends never happened, its acknowledgements are taken back and the
    /// deliveries are still in flight. One that has timed out was forgotten before.
    pub fn abort(&mut self, name: &str) -> Result<(), TxError> {
        match self.transactions.take(name, self.broker.tx_limits) {
            Ok(transaction) => self.broker.unstage(&transaction.settles, self.now),
            Err(TxError::TimedOut(_)) => {
                let known = self.transactions.known.iter_mut();
                known.for_each(|known| known.timed_out.retain(|late| late != name));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Aborts the transactions that have been open for too long.
    pub(super) fn abort_timed_out(&mut self) {
        let Some(known) = &mut self.transactions.known else { return };
        let (limits, now) = (self.broker.tx_limits, self.now.mono);
        for transaction in known.take_timed_out(limits, now) {
            self.forget_part(transaction);
        }
        self.leave_ended(|begun| begun.plus(limits.timeout) <= now);
    }

    /// Forgets what a transaction was to do; where it is a part of a branch, the others' parts come to nothing too.
    fn forget_part(&self, transaction: Transaction) {
        self.broker.unstage(&transaction.settles, self.now);
        if let Some(xid) = transaction.branch {
            self.broker.leave_branch(&xid, self.conn(), self.now);
        }
    }

    pub(super) fn abort_all(&mut self) {
        self.leave_ended(|_| true);
        for transaction in
            self.transactions.known.take().into_iter().flat_map(|known| known.open.into_values())
        {
            self.forget_part(transaction);
        }
    }
}
