//! Prepared transactions: what a transaction manager has been promised and not yet decided.
//!
//! Preparing writes one batch: the sends, as messages of an internal queue named after the transaction,
//! and a state of that queue, which holds the acknowledgements. Those stay in flight, given to nobody. A
//! commit is one batch too: the sends to their destinations, the acknowledgements, and the end of the
//! internal queue. So is a rollback: the end of the queue. What a restart finds is therefore exactly what
//! has been promised.

mod branch;
mod fetch;
mod plan;
mod xid;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq_base::{Millis, RankedMutex, rank};
use wharfmq_core::record::Class;
use wharfmq_core::{
    Bound, DeadLetter, Grouping, Item, Message, Qos, QueueCell, QueueId, QueuePolicy, Span, Token,
};

use self::plan::{Plan, Settled, Wish};
use super::flush::Flushed;
use super::settle::SettledInTx;
use super::stage::{Extra, Stage, StagedState};
use super::tx::Transaction;
use super::{Broker, Port, Refused, Route, TxError};

pub(super) use self::branch::Branches;
pub use self::branch::{Phases, Vote};
pub(super) use self::fetch::Fetch;
pub use self::xid::{Xid, XidError};

/// Prepared transactions that a broker keeps.
pub const PREPARED_MAX: usize = 10_000;
/// The key of the internal queue's state.
const PLAN_KEY: Bytes = Bytes::from_static(b"\xffplan");
/// Marks an item that no client can be sent as it is.
const NO_PASS: u16 = u16::MAX;

/// Why a prepared transaction did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XaError {
    /// The transaction that was to be prepared is none.
    Transaction(TxError),
    /// There is a prepared transaction of this xid.
    Exists,
    /// There is none.
    Unknown,
    /// Another connection is ending it just now.
    Busy,
    /// Another connection takes part in it and has not ended that.
    Open,
    /// It is to be committed in two phases and was not prepared.
    NotPrepared,
    /// It has been rolled back, as a part of it had failed or was lost.
    RolledBack,
    /// What it sends is being read from the disk: the connection is woken when that is over, and is to ask again.
    Loading,
    /// The broker has [`PREPARED_MAX`].
    TooMany,
    /// It cannot be done now, for this reason; what was prepared still is.
    Refused(String),
}

impl fmt::Display for XaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transaction(error) => error.fmt(f),
            Self::Exists => f.write_str("a transaction of this xid is prepared already"),
            Self::Unknown => f.write_str("no transaction of this xid is prepared"),
            Self::Busy => f.write_str("the transaction is being ended by another connection"),
            Self::Open => f.write_str("another connection has not ended its part of the transaction"),
            Self::NotPrepared => f.write_str("the transaction has not been prepared"),
            Self::RolledBack => {
                f.write_str("a part of the transaction failed or was lost: it was rolled back")
            }
            Self::Loading => f.write_str("the transaction is being read from the disk"),
            Self::TooMany => {
                write!(f, "the broker has {PREPARED_MAX} prepared transactions, which is the limit")
            }
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for XaError {}

impl From<TxError> for XaError {
    fn from(error: TxError) -> Self {
        Self::Transaction(error)
    }
}

impl From<Refused> for XaError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.to_string())
    }
}

/// All prepared transactions; `None` while one is being made or ended.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    table: RankedMutex<BTreeMap<Xid, Option<Pledge>>, { rank::ADDRESS }>,
}

/// A prepared transaction.
#[derive(Debug)]
struct Pledge {
    /// Keeps the sends.
    cell: Arc<QueueCell>,
    sends: u32,
    wishes: Vec<Wish>,
    settles: Vec<SettledInTx>,
    /// The sends, where they had to be read from the disk to be carried out.
    fetched: Option<Vec<Arc<Message>>>,
}

impl Prepared {
    fn knows(&self, xid: &Xid) -> bool {
        self.table.lock().contains_key(xid)
    }

    /// Whether one that this queue is for has not been read yet.
    fn wants(&self, xid: &Xid, cell: &Arc<QueueCell>) -> bool {
        let table = self.table.lock();
        let pledge = table.get(xid).and_then(Option::as_ref);
        pledge.is_some_and(|pledge| Arc::ptr_eq(&pledge.cell, cell) && pledge.fetched.is_none())
    }

    fn reserve(&self, xid: &Xid) -> Result<(), XaError> {
        let mut table = self.table.lock();
        if table.contains_key(xid) {
            return Err(XaError::Exists);
        }
        if table.len() >= PREPARED_MAX {
            return Err(XaError::TooMany);
        }
        table.insert(xid.clone(), None);
        Ok(())
    }

    fn put(&self, xid: &Xid, pledge: Pledge) {
        self.table.lock().insert(xid.clone(), Some(pledge));
    }

    fn take(&self, xid: &Xid) -> Result<Pledge, XaError> {
        let mut table = self.table.lock();
        table.get_mut(xid).ok_or(XaError::Unknown)?.take().ok_or(XaError::Busy)
    }

    fn forget(&self, xid: &Xid) {
        self.table.lock().remove(xid);
    }
}

impl Port {
    /// Prepares a transaction: from the confirmation on it waits for its end through any restart, and
    /// its name is free for another one. Where it is refused instead, it is rolled back.
    pub fn prepare(&mut self, name: &str, xid: &Xid, confirm: Option<Token>) -> Result<(), XaError> {
        let limits = self.broker.tx_limits;
        self.transactions.get(name, limits)?;
        self.broker.prepared.reserve(xid)?;
        let taken = self.transactions.take(name, limits);
        let transaction = taken.inspect_err(|_| self.broker.prepared.forget(xid))?;
        self.prepare_reserved(transaction, xid, confirm)
    }

    /// Prepares a transaction that is not in the table any more. Where it fails it is rolled back.
    fn prepare_taken(
        &mut self,
        transaction: Transaction,
        xid: &Xid,
        confirm: Option<Token>,
    ) -> Result<(), XaError> {
        if let Err(error) = self.broker.prepared.reserve(xid) {
            self.broker.unstage(&transaction.settles, self.now);
            return Err(error);
        }
        self.prepare_reserved(transaction, xid, confirm)
    }

    fn prepare_reserved(
        &mut self,
        transaction: Transaction,
        xid: &Xid,
        confirm: Option<Token>,
    ) -> Result<(), XaError> {
        let broker = Arc::clone(&self.broker);
        let Transaction { mut stage, raw, settles, .. } = transaction;
        let made = broker.queue(Class::Prepared, &xid.queue_name(), true);
        let (cell, _) = made.inspect_err(|_| {
            broker.unstage(&settles, self.now);
            broker.prepared.forget(xid);
        })?;
        let plan = Plan {
            sends: stage.items.len() as u32,
            wishes: redirect(&mut stage, &cell),
            settled: settles.iter().map(to_keep).filter(|settled| !settled.orders.is_empty()).collect(),
        };
        let value = Some(plan.encode());
        stage.states.push(StagedState { before: 0, owner: cell.id, key: PLAN_KEY, value });
        let flushed = self.carry_out_at_once(stage, raw.freeze(), &mut []);
        if flushed.refused.is_empty() {
            let Plan { sends, wishes, .. } = plan;
            broker.prepared.put(xid, Pledge { cell, sends, wishes, settles, fetched: None });
        } else {
            broker.unstage(&settles, self.now);
            // A log that takes nothing keeps the queue; without a state a restart takes it for nothing.
            let _ = broker.delete(&cell);
            broker.prepared.forget(xid);
        }
        self.answer(flushed, confirm);
        Ok(())
    }

    /// Carries a prepared transaction out in one atomic batch. `confirm` is answered once it is durable,
    /// or with the reason why nothing of it happened: it is still prepared then. What is no longer in memory
    /// has to be read first; see [`XaError::Loading`].
    pub fn commit_prepared(&mut self, xid: &Xid, confirm: Option<Token>) -> Result<(), XaError> {
        let broker = Arc::clone(&self.broker);
        let mut pledge = broker.prepared.take(xid)?;
        if pledge.fetched.is_none() && !broker.is_resident(&pledge.cell) {
            broker.threads.fetch(&pledge.cell, xid, &self.outbox);
            broker.prepared.put(xid, pledge);
            return Err(XaError::Loading);
        }
        let fetched = pledge.fetched.take();
        let (stage, raw) = match self.restage(&pledge, fetched) {
            Ok(staged) => staged,
            Err(error) => {
                broker.prepared.put(xid, pledge);
                return Err(error);
            }
        };
        let flushed = self.carry_out_at_once(stage, raw, &mut pledge.settles);
        if flushed.refused.is_empty() {
            broker.prepared.forget(xid);
        } else {
            broker.prepared.put(xid, pledge);
        }
        self.answer(flushed, confirm);
        Ok(())
    }

    /// Forgets a prepared transaction: its sends never happened, and what it acknowledged goes back,
    /// counted as failed where its consumer is gone.
    pub fn rollback_prepared(&mut self, xid: &Xid, confirm: Option<Token>) -> Result<(), XaError> {
        let broker = Arc::clone(&self.broker);
        let pledge = broker.prepared.take(xid)?;
        if let Err(refused) = broker.delete(&pledge.cell) {
            broker.prepared.put(xid, pledge);
            return Err(refused.into());
        }
        broker.unstage(&pledge.settles, self.now);
        broker.prepared.forget(xid);
        let lsn = Some(broker.log.stats().appended);
        self.answer(Flushed { lsn, ..Flushed::default() }, confirm);
        Ok(())
    }

    /// The prepared transactions, of whichever connection.
    pub fn prepared(&self) -> Vec<Xid> {
        self.broker.prepared()
    }

    /// The sends of a prepared transaction, on their way to their destinations.
    fn restage(
        &self,
        pledge: &Pledge,
        fetched: Option<Vec<Arc<Message>>>,
    ) -> Result<(Stage, Bytes), XaError> {
        let messages = fetched.unwrap_or_else(|| self.broker.kept_messages(&pledge.cell));
        if messages.len() != pledge.sends as usize {
            return Err(XaError::Refused("a message of the transaction cannot be read".into()));
        }
        let mut wishes = pledge.wishes.iter().peekable();
        let (mut stage, mut raw) = (Stage::default(), BytesMut::new());
        for (index, message) in messages.iter().enumerate() {
            let mut item = item_of(message, &mut raw);
            let wish = wishes.next_if(|wish| wish.index as usize == index);
            if let Some(wish) = wish {
                (item.qos, item.retain, item.expires) = (wish.qos, wish.retain, wish.expires);
            }
            let via = wish.and_then(|wish| self.broker.queues.get(wish.via));
            let route = match via {
                Some(cell) => Arc::new(Route::to_queue(Arc::clone(&message.address), bound(&cell))),
                None => match self.route(&message.address) {
                    Err(Refused::Gone(_)) => {
                        // Its temporary destination went with a connection, and the rest is not to wait for it.
                        self.broker.counters.dropped_temporary(1);
                        continue;
                    }
                    route => route?,
                },
            };
            let index = stage.push(&route, item);
            let mut terms = message.terms.as_deref().cloned().unwrap_or_default();
            // The delay alone: it begins with the commit.
            terms.due = terms.due.since(message.received);
            stage.add(index, Extra { terms, notes: message.notes.clone() });
        }
        stage.ends = Some(Arc::clone(&pledge.cell));
        Ok((stage, raw.freeze()))
    }
}

impl Broker {
    /// See [`Port::prepared`].
    pub fn prepared(&self) -> Vec<Xid> {
        let table = self.prepared.table.lock();
        table.iter().filter(|(_, pledge)| pledge.is_some()).map(|(xid, _)| xid.clone()).collect()
    }

    /// Finds what was prepared before a restart, and keeps from everybody what it has acknowledged. To
    /// be called while nobody consumes.
    pub(super) fn recover_prepared(&self) {
        for cell in self.queues.all().into_iter().filter(|cell| cell.class == Class::Prepared) {
            let state = self.states.of(cell.id).into_iter().find(|(key, _)| *key == PLAN_KEY);
            let Some((_, value)) = state else {
                // The batch that its queue was made for never came.
                if let Err(error) = self.delete(&cell) {
                    tracing::error!(queue = %cell.name, %error, "an unfinished transaction could not be deleted");
                }
                continue;
            };
            match Xid::of_queue(&cell.name).zip(Plan::decode(&value)) {
                Some((xid, plan)) => self.prepared.put(&xid, self.pledge(cell, plan)),
                None => tracing::error!(queue = %cell.name, "a prepared transaction cannot be read"),
            }
        }
    }

    fn pledge(&self, cell: Arc<QueueCell>, plan: Plan) -> Pledge {
        let settles = plan.settled.into_iter().filter_map(|Settled { queue, outcome, orders }| {
            let cell = self.queues.get(queue)?;
            let (staged, _) = self.run(&cell, |queue, _| queue.claim_orders(&orders));
            Some(SettledInTx { cell, staged, outcome, orders: Vec::new() })
        });
        let settles = settles.collect();
        Pledge { settles, cell, sends: plan.sends, wishes: plan.wishes, fetched: None }
    }
}

/// How a queue behaves that keeps the sends of a prepared transaction.
pub(super) fn policy() -> QueuePolicy {
    QueuePolicy {
        max_deliveries: 0,
        dead_letter: DeadLetter::Drop,
        expired: DeadLetter::Drop,
        groups: Grouping::None,
        ..QueuePolicy::default()
    }
}

/// Leads all sends into one queue, as messages that it stores and keeps. Answers what they were to be.
fn redirect(stage: &mut Stage, cell: &Arc<QueueCell>) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for run in &mut stage.runs {
        let via = run.route.queues.first().filter(|first| first.queue.class == Class::Schedule);
        let via = via.map_or(QueueId(0), |first| first.id);
        let items = stage.items.get_mut(run.start as usize..run.end as usize).unwrap_or_default();
        for (index, item) in (run.start..).zip(items) {
            let Item { qos, retain, expires, .. } = *item;
            if !qos.is_persistent() || retain || expires != Millis::NEVER || via != QueueId(0) {
                wishes.push(Wish { index, qos, retain, expires, via });
                (item.qos, item.retain, item.expires) = (qos.max(Qos::AtLeastOnce), false, Millis::NEVER);
            }
        }
        run.route = Arc::new(Route::to_queue(Arc::clone(&run.route.address), bound(cell)));
    }
    wishes
}

fn bound(cell: &Arc<QueueCell>) -> Bound<Arc<QueueCell>> {
    Bound { id: cell.id, queue: Arc::clone(cell), flags: 0, own_flags: Some(0), choices: None }
}

/// What the log is to keep of acknowledgements.
fn to_keep(settled: &SettledInTx) -> Settled {
    Settled { queue: settled.cell.id, outcome: settled.outcome, orders: settled.stored_orders() }
}

/// A message as something to be sent, its bytes behind those in `raw`.
fn item_of(message: &Message, raw: &mut BytesMut) -> Item {
    let start = raw.len() as u32;
    raw.extend_from_slice(&message.head.bytes);
    let body = raw.len() as u32;
    raw.extend_from_slice(&message.body);
    let span = |from: u32, to: usize| Span { start: from, len: to as u32 - from };
    Item {
        frame: span(start, raw.len()),
        head: span(start, body as usize),
        body: span(body, raw.len()),
        address: 0,
        patch: NO_PASS,
        tag: message.head.tag,
        qos: message.qos,
        retain: false,
        priority: message.priority,
        expires: message.expires,
    }
}
