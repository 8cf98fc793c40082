//! All an adapter can do.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use bytestring::ByteString;
use smallvec::SmallVec;
use wharfmq_base::{Lsn, Millis, Pressure};
use wharfmq_core::record::Class;
use wharfmq_core::{ConnId, CoreEvent, Item, Kind, Outbox, QueueCell, QueueId, Terms, Token, limits};

use super::flush::{Flushed, Flusher, Slow};
use super::names;
use super::sequences::StagedNumber;
use super::stage::{Extra, Stage, StagedState};
use super::temporary::Own;
use super::tx::Transactions;
use super::{Broker, Cause, Claim, Consumer, Route, Traffic, WriteBuf, is_temporary};
use crate::security::Principal;

/// Bytes of publications that one connection may have unconfirmed before its reading pauses.
const UNCONFIRMED_BYTES_MAX: usize = 4 << 20;
/// How long, in milliseconds, a publication that the log had no room for waits before it is tried again.
const RETRY_MS: u64 = 50;

/// The time, as the driver read it for this round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970, for everything that users see or that outlives the process.
    pub wall: Millis,
    /// Milliseconds since the process started, never set back: for time-outs.
    pub mono: Millis,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it connects from.
    pub addr: SocketAddr,
    /// The scheme of the listener it came through.
    pub listener: &'static str,
    /// Who its certificate says it is.
    pub certificate: Option<String>,
    /// Whether it may stay without saying who it is.
    pub anonymous: bool,
}

/// The answer to something that was to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The adapter's number for it.
    pub token: Token,
    /// Done and durable, or why not.
    pub result: Result<(), String>,
}

/// One connection's way into the broker.
#[derive(Debug)]
pub struct Port {
    /// Bytes for the client.
    pub out: WriteBuf,
    /// What the core has said and the session has not yet handled.
    pub events: VecDeque<CoreEvent>,
    /// The time of this round; the driver sets it once a round.
    pub now: Now,
    /// What the connection has moved in this round; see [`Port::add_up`].
    pub traffic: Traffic,
    pub(super) broker: Arc<Broker>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) consumers: Vec<Consumer>,
    pub(super) transactions: Transactions,
    /// `None` for the many that have none.
    pub(super) temporaries: Option<Box<Own>>,
    /// `None` for those that gave themselves no name.
    pub(super) names: Option<Box<names::Own>>,
    /// Patterns watched with [`Port::watch_queues`].
    pub(super) watches: usize,
    pub(super) peer: Arc<Peer>,
    /// Who has logged in; boxed, as the most part of a crowd is nobody.
    pub(super) principal: Option<Box<Principal>>,
    pub(super) own: SmallVec<[QueueId; 2]>,
    /// `None` while nothing is staged: most connections are idle.
    stage: Option<Box<Stage>>,
    parked: Option<Box<(Stage, Bytes)>>,
    /// When what is parked is tried again; [`Millis::NEVER`] where nothing is.
    retry_at: Millis,
    #[allow(clippy::box_collection, reason = "an idle connection pays for a pointer, not for a queue")]
    pending: Option<Box<VecDeque<Pending>>>,
    unconfirmed: usize,
    held_back: Option<Box<HeldBack>>,
    /// The last batch this connection caused: what it has confirmed later waits for it.
    appended: Lsn,
    failed: bool,
    /// Whether the client has introduced itself.
    pub(super) introduced: bool,
    /// Whether it has announced producers.
    pub(super) produces: bool,
    /// Whether it has published anything; who has not may come to consume however full the memory is.
    pub(super) publishes: bool,
}

#[derive(Debug)]
struct Pending {
    lsn: Lsn,
    token: Token,
    bytes: u32,
    refused: Option<String>,
}

#[derive(Debug)]
struct HeldBack {
    by: Vec<Slow>,
    until: Millis,
}

impl Port {
    /// The port of a new connection.
    pub fn new(broker: Arc<Broker>, conn: ConnId, peer: Arc<Peer>, now: Now) -> Self {
        Self {
            out: WriteBuf::default(),
            events: VecDeque::new(),
            now,
            traffic: Traffic::default(),
            broker,
            outbox: Outbox::new(conn),
            consumers: Vec::new(),
            transactions: Transactions::default(),
            temporaries: None,
            names: None,
            watches: 0,
            peer,
            principal: None,
            own: SmallVec::new(),
            stage: None,
            parked: None,
            retry_at: Millis::NEVER,
            pending: None,
            unconfirmed: 0,
            held_back: None,
            appended: Lsn::default(),
            failed: false,
            introduced: false,
            produces: false,
            publishes: false,
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The connection's identity.
    pub fn conn(&self) -> ConnId {
        self.outbox.conn
    }

    /// The broker, for what is not a connection's affair.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Stages a publication, whose spans point into the bytes that the next [`Port::flush`] is given.
    /// `confirm` is answered once it is durable, or at once where nothing stores it. Answers the
    /// publication's index within the stage.
    pub fn publish(&mut self, route: &Arc<Route>, mut item: Item, confirm: Option<Token>) -> u32 {
        self.publishes = true;
        self.traffic.published(item.body.len);
        // What is retained would outlive the connection, and a queue keeps no last message.
        item.retain = item.retain && route.address.kind == Kind::Topic && !is_temporary(&route.address.name);
        let stage = self.stage.get_or_insert_default();
        let index = stage.push(route, item);
        if let Some(token) = confirm {
            stage.tokens.push((index, token));
        }
        index
    }

    /// [`Port::publish`] of a publication that asks something of the queues that take it. What stores
    /// nothing takes no notice of it.
    pub fn publish_with(
        &mut self,
        route: &Arc<Route>,
        item: Item,
        terms: Terms,
        confirm: Option<Token>,
    ) -> u32 {
        self.publish_extra(route, item, terms.into(), confirm)
    }

    pub(super) fn publish_extra(
        &mut self,
        route: &Arc<Route>,
        item: Item,
        extra: Extra,
        confirm: Option<Token>,
    ) -> u32 {
        let index = self.publish(route, item, confirm);
        if let Some(stage) = &mut self.stage {
            stage.add(index, extra);
        }
        index
    }

    pub(super) fn stage_number(&mut self, number: StagedNumber) {
        if let Some(stage) = &mut self.stage {
            stage.numbers.push(number);
        }
    }

    /// What is staged, where there is something.
    pub(super) fn stage(&self) -> Option<&Stage> {
        self.stage.as_deref()
    }

    /// Stages a piece of the session's state, kept in the same atomic batch as the publication that is
    /// staged next. `None` forgets it. Read back with [`Port::recall`].
    pub fn remember(&mut self, owner: &QueueCell, key: Bytes, value: Option<Bytes>) {
        let stage = self.stage.get_or_insert_default();
        let before = stage.items.len() as u32;
        stage.states.push(StagedState { before, owner: owner.id, key, value });
    }

    /// Has `token` confirmed by the next flush, once everything this connection did before is durable.
    pub fn confirm(&mut self, token: Token) {
        let stage = self.stage.get_or_insert_default();
        let index = stage.items.len() as u32;
        stage.tokens.push((index, token));
    }

    /// Whether something is staged.
    pub fn is_staged(&self) -> bool {
        self.stage.as_ref().is_some_and(|stage| !stage.is_empty())
    }

    /// Carries out what is staged: one routing, one append, one lock per queue. `raw` holds the bytes
    /// that the staged spans point into.
    pub fn flush(&mut self, raw: Bytes) {
        let Some(stage) = self.stage.take() else { return };
        let mut stage = *stage;
        if stage.items.last().is_some_and(|item| item.frame.end() as usize > raw.len()) {
            // Nothing of it was confirmed. Without its bytes it would be something else.
            tracing::error!(publications = stage.items.len(), "staged without their bytes: not published");
            stage = stage.without_items();
        }
        match &mut self.parked {
            // What is parked goes first; only little can come behind it, as reading has paused.
            Some(parked) => {
                let (held, bytes) = &mut **parked;
                let mut joined = bytes::BytesMut::from(&bytes[..]);
                let mut rest = Stage { tokens: Vec::new(), states: stage.states, ..Stage::default() };
                for run in &stage.runs {
                    for item in stage.items.get(run.start as usize..run.end as usize).unwrap_or_default() {
                        rest.adopt(&run.route, *item, &raw, &mut joined);
                    }
                }
                rest.tokens = stage.tokens;
                rest.numbers = stage.numbers;
                rest.extras = stage.extras;
                *held = std::mem::take(held).followed_by(rest);
                *bytes = joined.freeze();
            }
            None => self.carry_out(stage, raw),
        }
    }

    fn carry_out(&mut self, stage: Stage, raw: Bytes) {
        let tokens = stage.tokens.clone();
        let bytes = (raw.len() / tokens.len().max(1)) as u32;
        let by = Flusher {
            outbox: &self.outbox,
            now: self.now,
            own: &self.own,
            refuse_when_full: !self.consumers.is_empty(),
            atomic: false,
        };
        let flushed = self.broker.flush(stage, raw, &by, &[]);
        self.settle_flush(flushed, tokens, bytes);
    }

    /// Books what became of a flush: confirmations, what is parked, who holds us back.
    pub(super) fn settle_flush(&mut self, flushed: Flushed, mut tokens: Vec<(u32, Token)>, bytes: u32) {
        if let Some(parked) = flushed.parked {
            tokens.truncate(tokens.len() - parked.0.tokens.len());
            self.retry_at = self.now.mono.plus(Millis(RETRY_MS));
            self.parked = Some(Box::new(parked));
        }
        self.has_appended(flushed.lsn);
        let lsn = self.appended;
        let mut refused = flushed.refused.into_iter().peekable();
        for (index, token) in tokens {
            while refused.next_if(|(of, _)| *of < index).is_some() {}
            let why = refused.next_if(|(of, _)| *of == index).map(|(_, why)| why);
            self.unconfirmed += bytes as usize;
            self.pending.get_or_insert_default().push_back(Pending { lsn, token, bytes, refused: why });
        }
        if !flushed.slow.is_empty() {
            let until = self.now.mono.plus(Millis(limits::SLOW_AFTER_MS));
            let held = self.held_back.get_or_insert_with(|| Box::new(HeldBack { by: Vec::new(), until }));
            held.by.extend(flushed.slow);
        }
    }

    /// Has the session offered its input once more at `at`, or sooner, on the monotonic clock: for one that
    /// has answered that it waits.
    pub fn call_at(&mut self, at: Millis) {
        self.retry_at = self.retry_at.min(at);
    }

    /// Counts something that was dropped or refused.
    pub fn count(&self, cause: Cause) {
        self.broker.counters.causes.count(cause);
    }

    /// Whether the driver may read from the socket: false while the client has to be held back.
    pub fn may_read(&self) -> bool {
        self.parked.is_none()
            && self.held_back.is_none()
            && self.unconfirmed <= UNCONFIRMED_BYTES_MAX
            && (!self.publishes
                || !self.consumers.is_empty()
                || self.broker.memory.pressure() < Pressure::Refuse)
    }

    /// Ready once something has come for this connection, something it waits for has become durable,
    /// or it no longer has to be held back.
    pub fn poll_wake(&mut self, cx: &Context<'_>) -> Poll<()> {
        if let Some(held) = &mut self.held_back {
            held.by.retain(|slow| slow.outbox.hold_back(cx.waker()));
            if held.by.is_empty() {
                self.held_back = None;
                return Poll::Ready(());
            }
        }
        if let Some(last) = self.pending.as_ref().and_then(|pending| pending.front()) {
            let watch = self.broker.log.durable();
            if last.lsn <= watch.lsn() {
                return Poll::Ready(());
            }
            watch.wake_at(last.lsn, cx.waker());
            if watch.failure().is_some() && !std::mem::replace(&mut self.failed, true) {
                return Poll::Ready(());
            }
        }
        self.outbox.poll_ready(cx)
    }

    /// When the port itself wants [`Port::refresh`], on the monotonic clock.
    pub fn deadline(&self) -> Option<Millis> {
        let held = self.held_back.as_ref().map(|held| held.until);
        let transactions = self.transactions.deadline(self.broker.tx_limits);
        let retry = (self.retry_at != Millis::NEVER).then_some(self.retry_at);
        [held, retry, transactions].into_iter().flatten().min()
    }

    /// Takes what has come into [`Port::events`] and retries what had to wait. To be called after
    /// [`Port::poll_wake`] was ready or [`Port::deadline`] has passed. `events` asks for new events.
    pub fn refresh(&mut self, events: bool) {
        if events {
            self.outbox.take(&mut self.events);
        }
        if self.held_back.as_ref().is_some_and(|held| held.until <= self.now.mono) {
            for Slow { outbox, sub, topic } in self.held_back.take().into_iter().flat_map(|held| held.by) {
                outbox.mark_slow();
                self.broker.tell_slow(outbox.conn, sub, &topic);
            }
        }
        self.abort_timed_out();
        self.retry_at = Millis::NEVER;
        if let Some(parked) = self.parked.take() {
            let (stage, raw) = *parked;
            self.carry_out(stage, raw);
        }
    }

    /// Has the session offered its events once more, after other connections had their turn: it finds
    /// [`CoreEvent::Claimed`] among them.
    pub fn call_again(&self) {
        self.outbox.push(CoreEvent::Claimed);
    }

    /// Has the session offered its events once more, after other connections had their turn, whether there
    /// is a new one or not.
    pub fn go_on(&self) {
        self.outbox.wake();
    }

    /// Reports events of `bytes` as turned into output, so that their publishers may go on.
    pub fn taken(&self, bytes: usize) {
        self.outbox.taken(bytes);
    }

    /// The next answer to something that was to be confirmed, in the order it was asked for.
    pub fn next_confirm(&mut self) -> Option<Confirm> {
        if !self.has_confirm() {
            return None;
        }
        let next = self.pending.as_mut()?.pop_front()?;
        self.unconfirmed -= next.bytes as usize;
        Some(Confirm { token: next.token, result: next.refused.map_or(Ok(()), Err) })
    }

    /// Whether [`Port::next_confirm`] has something.
    pub fn has_confirm(&self) -> bool {
        let first = self.pending.as_ref().and_then(|pending| pending.front());
        first.is_some_and(|first| first.lsn <= self.broker.log.durable().lsn())
    }

    /// Whether everything to be confirmed has been answered and nothing is parked.
    pub fn is_settled(&self) -> bool {
        self.pending.as_ref().is_none_or(|pending| pending.is_empty()) && self.parked.is_none()
    }

    /// Whether everything published has reached its queues: nothing is staged and nothing waits for room.
    pub fn is_flushed(&self) -> bool {
        self.stage.is_none() && self.parked.is_none()
    }

    /// Why the broker can confirm nothing any more, if so.
    pub fn failure(&self) -> Option<String> {
        self.broker.log.durable().failure()
    }

    /// Remembers a batch that this connection caused.
    pub(super) fn has_appended(&mut self, lsn: Option<Lsn>) {
        self.appended = self.appended.max(lsn.unwrap_or_default());
    }

    /// Makes `id` this connection's client id.
    pub fn claim(&mut self, id: &ByteString) -> Claim {
        self.broker.claims.claim(id, &self.outbox)
    }

    /// Takes a client id whose holder did not let go in time.
    pub fn claim_now(&mut self, id: &ByteString) {
        self.broker.claims.claim_now(id, &self.outbox);
    }

    /// Whether the client id is this connection's own.
    pub fn holds(&self, id: &ByteString) -> bool {
        self.broker.claims.holds(id, self.outbox.conn)
    }

    /// Whether another connection has taken this one's client id because it did not let go in time: it is to
    /// end at once.
    pub fn is_expelled(&self) -> bool {
        self.outbox.is_expelled()
    }

    /// The queue of this class and name, if there is one that is not another connection's own.
    pub fn find(&self, class: Class, name: &ByteString) -> Option<Arc<QueueCell>> {
        self.may_hold(class, name).ok()?;
        self.broker.queues.find(class, name)
    }

    /// Lets go of a client id, or of waiting for it. False where another connection holds it.
    pub fn release(&mut self, id: &ByteString) -> bool {
        self.broker.claims.release(id, self.outbox.conn)
    }

    /// Names the queue of the connection's own session, for subscriptions that don't want what the
    /// client publishes itself.
    pub fn set_own(&mut self, queue: Option<&QueueCell>) {
        self.own = queue.map(|cell| cell.id).into_iter().collect();
    }

    /// Adds a queue of the connection's own; see [`Port::set_own`].
    pub fn add_own(&mut self, queue: &QueueCell) {
        self.remove_own(queue);
        self.own.push(queue.id);
    }

    /// What the connection publishes may go to this queue again.
    pub fn remove_own(&mut self, queue: &QueueCell) {
        self.own.retain(|own| *own != queue.id);
    }

    /// Gives buffers back while there is nothing to do.
    pub fn idle(&mut self) {
        self.out.shrink();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        self.pending.take_if(|pending| pending.is_empty());
    }

    /// The connection is gone: consumers that the session left are cancelled, transactions aborted.
    pub fn close(&mut self) {
        self.abort_all();
        for consumer in std::mem::take(&mut self.consumers) {
            self.broker.detach(&consumer, u64::MAX, self.outbox.conn, self.now);
        }
        self.unwatch_all();
        self.forget_temporaries();
        self.outbox.close();
        self.take_leave();
        self.add_up();
        self.connection_ended();
        self.release_names();
    }
}
