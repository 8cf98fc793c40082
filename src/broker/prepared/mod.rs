//! Prepared transactions: what a transaction manager has been promised and not yet decided.
//!
//! Preparing writes one batch: the sends, as messages of an internal queue named after the transaction,
//! and a state of that queue, which holds the acknowledgements. Those stay in flight, given to nobody. A
//! commit is one batch too: the sends to their destinations, the acknowledgements, and the end of the
//! internal queue. So is a rollback: the end of the queue. What a restart finds is therefore exactly what
//! has been promised.

mod plan;
mod xid;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq_base::{Millis, RankedMutex, rank};
use wharfmq_core::record::Class;
use wharfmq_core::{
    Bound, DeadLetter, Grouping, Item, Message, Order, Qos, QueueCell, QueueId, QueuePolicy, Span, Token,
};

use self::plan::{Plan, Settled, Wish};
use super::flush::Flushed;
use super::settle::SettledInTx;
use super::stage::{Extra, Stage, StagedState};
use super::tx::Transaction;
use super::{Broker, Port, Refused, Route, TxError};

pub use self::xid::{Xid, XidError};

/// Prepared transactions that a broker keeps.
pub const PREPARED_MAX: usize = 10_000;
/// The key of the internal queue's state.
const PLAN_KEY: Bytes = Bytes::from_static(b"\xffplan");
/// Messages looked at under one hold of a queue's lock.
const BROWSE: usize = 256;
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
}

impl Prepared {
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
        let broker = Arc::clone(&self.broker);
        broker.prepared.reserve(xid)?;
        let made = broker.queue(Class::Prepared, &xid.queue_name(), true);
        let taken = made
            .map_err(XaError::from)
            .and_then(|(cell, _)| Ok((cell, self.transactions.take(name, limits)?)));
        let (cell, transaction) = taken.inspect_err(|_| broker.prepared.forget(xid))?;
        let Transaction { mut stage, raw, settles, .. } = transaction;
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
            broker.prepared.put(xid, Pledge { cell, sends, wishes, settles });
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
    /// or with the reason why nothing of it happened: it is still prepared then. Reads from the disk
    /// what is no longer in memory.
    pub fn commit_prepared(&mut self, xid: &Xid, confirm: Option<Token>) -> Result<(), XaError> {
        let broker = Arc::clone(&self.broker);
        let mut pledge = broker.prepared.take(xid)?;
        let (stage, raw) = match self.restage(&pledge) {
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
    fn restage(&self, pledge: &Pledge) -> Result<(Stage, Bytes), XaError> {
        let messages = self.broker.kept_messages(&pledge.cell);
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
                None => self.route(&message.address)?,
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
        Pledge { settles: settles.collect(), cell, sends: plan.sends, wishes: plan.wishes }
    }

    /// All messages of a queue that can be read, in their order.
    fn kept_messages(&self, cell: &Arc<QueueCell>) -> Vec<Arc<Message>> {
        let (mut all, mut from) = (Vec::new(), Order(0));
        loop {
            let some = self.browse(cell, from, BROWSE);
            let Some((last, _)) = some.last() else { return all };
            from = Order(last.order.0 + 1);
            all.extend(some.into_iter().map(|(_, message)| message));
        }
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
