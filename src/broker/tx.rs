//! Local transactions: sends and acknowledgements that happen together or not at all.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use bytestring::ByteString;
use wharfmq_base::Lease;
use wharfmq_core::{Item, Order, Tags, Token};

use super::flush::Flusher;
use super::settle::SettledInTx;
use super::stage::Stage;
use super::{Consumer, Port, Route, is_temporary};

/// Transactions one connection may have open.
pub const TRANSACTIONS_MAX: usize = 64;

/// How large one transaction may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxLimits {
    /// Sends and acknowledgements.
    pub ops: usize,
    /// Bytes of the sends; a single send may be larger.
    pub bytes: usize,
}

impl Default for TxLimits {
    fn default() -> Self {
        Self { ops: 10_000, bytes: 16 << 20 }
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
}

impl std::fmt::Display for TxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such transaction is open"),
            Self::Exists => f.write_str("a transaction of this name is open already"),
            Self::TooMany => write!(f, "a connection may have {TRANSACTIONS_MAX} transactions open"),
            Self::TooLarge(TxLimits { ops, bytes }) => write!(
                f,
                "a transaction may have {ops} operations and {bytes} bytes: \
                 limits.max_transaction_messages and limits.max_transaction_bytes"
            ),
        }
    }
}

impl std::error::Error for TxError {}

/// A connection's open transactions.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    #[allow(clippy::box_collection, reason = "most connections have none and pay for a pointer")]
    open: Option<Box<HashMap<ByteString, Transaction>>>,
}

#[derive(Debug, Default)]
struct Transaction {
    stage: Stage,
    raw: BytesMut,
    settles: Vec<SettledInTx>,
    ops: usize,
    leases: Vec<Lease>,
}

impl Transactions {
    fn get(&mut self, name: &str) -> Result<&mut Transaction, TxError> {
        self.open.as_mut().and_then(|open| open.get_mut(name)).ok_or(TxError::Unknown)
    }

    fn take(&mut self, name: &str) -> Result<Transaction, TxError> {
        self.open.as_mut().and_then(|open| open.remove(name)).ok_or(TxError::Unknown)
    }
}

impl Port {
    /// Opens a transaction.
    pub fn begin(&mut self, name: &ByteString) -> Result<(), TxError> {
        let open = self.transactions.open.get_or_insert_default();
        if open.contains_key(name) {
            return Err(TxError::Exists);
        }
        if open.len() >= TRANSACTIONS_MAX {
            return Err(TxError::TooMany);
        }
        open.insert(name.clone(), Transaction::default());
        Ok(())
    }

    /// Sends within a transaction: the item's bytes are copied out of `raw` and nothing is visible
    /// before the commit.
    pub fn publish_in(
        &mut self,
        name: &str,
        route: &Arc<Route>,
        mut item: Item,
        raw: &[u8],
    ) -> Result<(), TxError> {
        item.retain = item.retain && !is_temporary(&route.address.name);
        let limits = self.broker.tx_limits;
        self.publishes = true;
        let lease = self.broker.memory.lease(u64::from(item.frame.len));
        let transaction = self.transactions.get(name)?;
        let bytes = transaction.raw.len() + item.frame.len as usize;
        // One send larger than the limit is a message's affair, not the transaction's.
        let crowded = bytes > limits.bytes && transaction.ops > 0;
        if crowded || transaction.ops >= limits.ops {
            return Err(TxError::TooLarge(limits));
        }
        transaction.ops += 1;
        transaction.leases.push(lease);
        transaction.stage.adopt(route, item, raw, &mut transaction.raw);
        Ok(())
    }

    /// Acknowledges within a transaction: the deliveries stay in flight until the commit. Answers how
    /// many of the tags were known.
    pub fn settle_in(&mut self, name: &str, consumer: &Consumer, tags: Tags) -> Result<usize, TxError> {
        let limits = self.broker.tx_limits;
        let transaction = self.transactions.get(name)?;
        if transaction.ops >= limits.ops {
            return Err(TxError::TooLarge(limits));
        }
        let mut staged = Vec::new();
        consumer.queue.lock().queue().stage(consumer.key, tags, &mut staged);
        let found = staged.len();
        transaction.ops += found;
        transaction.settles.push(SettledInTx {
            cell: Arc::clone(&consumer.queue),
            staged,
            orders: Vec::new(),
        });
        Ok(found)
    }

    /// Carries a transaction out in one atomic batch; `confirm` is answered once it is durable, or with
    /// the reason why nothing of it happened.
    pub fn commit(&mut self, name: &str, confirm: Option<Token>) -> Result<(), TxError> {
        let mut transaction = self.transactions.take(name)?;
        for settled in &mut transaction.settles {
            let mut orders: Vec<Order> =
                settled.staged.iter().filter(|staged| staged.stored).map(|staged| staged.order).collect();
            orders.sort_unstable();
            settled.orders = orders;
        }
        let raw = transaction.raw.freeze();
        let by =
            Flusher { outbox: &self.outbox, now: self.now, own: None, refuse_when_full: true, atomic: true };
        let mut flushed = self.broker.flush(transaction.stage, raw, &by, &transaction.settles);
        // What one send was refused for, the whole transaction was refused for.
        flushed.refused.truncate(1);
        for refused in &mut flushed.refused {
            refused.0 = 0;
        }
        if !flushed.refused.is_empty() {
            self.unstage(&transaction.settles);
        }
        let tokens = confirm.into_iter().map(|token| (0, token)).collect();
        self.settle_flush(flushed, tokens, 0);
        Ok(())
    }

    /// Forgets a transaction: its sends never happened, its acknowledgements are taken back and the
    /// deliveries are still in flight.
    pub fn abort(&mut self, name: &str) -> Result<(), TxError> {
        let transaction = self.transactions.take(name)?;
        self.unstage(&transaction.settles);
        Ok(())
    }

    pub(super) fn abort_all(&mut self) {
        for transaction in self.transactions.open.take().into_iter().flat_map(|open| open.into_values()) {
            self.unstage(&transaction.settles);
        }
    }

    fn unstage(&self, settles: &[SettledInTx]) {
        let wall = self.now.wall;
        for settled in settles {
            self.broker.run(&settled.cell, |queue, fx| queue.unstage(&settled.staged, wall, fx));
        }
    }
}
