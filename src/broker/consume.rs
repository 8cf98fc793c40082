//! Subscriptions, consumers and acknowledgements: the receiving half of a [`Port`].

use std::sync::Arc;

use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{
    Asked, AttachError, ConnId, ConsumeSpec, ConsumerKey, CoreEvent, Credit, Direct, Effects, Entry, Filter,
    Member, Message, Order, Outcome, Pattern, Queue, QueueCell, SubTag, Tags,
};

use super::shares::is_consumed;
use super::{About, Broker, Now, Port, Turn};

/// A consumer of a queue, as its session holds it.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// The queue.
    pub queue: Arc<QueueCell>,
    /// Its key there.
    pub key: ConsumerKey,
    /// The session's own number for it.
    pub sub: SubTag,
}

/// How a delivery stands with its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the consumer's.
    Open,
    /// A transaction that is not over has acknowledged it.
    Staged,
    /// It is the consumer's no more.
    Gone,
}

impl Port {
    /// How a delivery of a consumer stands.
    pub fn standing(&self, consumer: &Consumer, tag: u64) -> Standing {
        match consumer.queue.lock().queue().is_staged(consumer.key, tag) {
            Some(true) => Standing::Staged,
            Some(false) => Standing::Open,
            None => Standing::Gone,
        }
    }

    /// Subscribes to a topic pattern without storing anything: what it matches comes as
    /// [`wharfmq_core::CoreEvent::Chunk`]. `filter`: which messages it takes, `None` for all.
    ///
    /// What [`Port::may_subscribe`] refuses is subscribed to nothing.
    pub fn subscribe(
        &self,
        pattern: &Pattern,
        sub: SubTag,
        no_local: bool,
        qos0_only: bool,
        filter: Option<Arc<Filter>>,
    ) {
        if self.may_subscribe(pattern).is_err() {
            return;
        }
        let chosen = filter.clone();
        let direct = Direct { outbox: Arc::clone(&self.outbox), sub, no_local, qos0_only, filter };
        if self.broker.router.subscribe(pattern, direct) && !qos0_only {
            self.tell_subscribed(pattern, sub, chosen.as_deref());
        }
    }

    /// Takes part in a shared subscription of a topic pattern: what nothing stores is dealt out among its members
    /// and comes as [`wharfmq_core::CoreEvent::Chunk`]; the rest they consume from its queue. Ended by
    /// [`Port::unsubscribe`].
    pub(super) fn join(&self, pattern: &Pattern, share: &QueueCell, sub: SubTag) {
        let member = Member { share: share.id, outbox: Arc::clone(&self.outbox), sub };
        self.broker.router.join(pattern, member);
    }

    /// Ends a subscription made by [`Port::subscribe`] or [`Port::join_share`].
    pub fn unsubscribe(&self, pattern: &Pattern, sub: SubTag) {
        if self.broker.router.end_subscription(pattern, self.outbox.conn, sub) {
            self.tell_unsubscribed(pattern, sub);
        }
    }

    /// Consumes from a queue.
    pub fn consume(&mut self, queue: &Arc<QueueCell>, spec: ConsumeSpec) -> Result<Consumer, AttachError> {
        let (sub, outbox) = (spec.sub, Arc::clone(&self.outbox));
        let wall = self.now.wall;
        let asked = self.broker.advisories.hears(About::Consumer).then(|| Asked::of(&spec));
        let (key, _) = self.broker.run(queue, |queue, fx| queue.attach(outbox, spec, wall, fx));
        let consumer = Consumer { queue: Arc::clone(queue), key: key?, sub };
        self.consumers.push(consumer.clone());
        self.broker.tell_consumer(queue, (self.conn(), sub), asked.as_ref(), Turn::Begins);
        Ok(consumer)
    }

    /// Lets a consumer be given more.
    pub fn grant(&self, consumer: &Consumer, credit: Credit) {
        let wall = self.now.wall;
        self.broker.run(&consumer.queue, |queue, fx| queue.grant(consumer.key, credit, wall, fx));
    }

    /// Settles deliveries, and grants new credit under the same lock. Answers how many of the tags
    /// were known. [`Port::confirm`] afterwards tells when the settle is durable.
    pub fn settle(&mut self, consumer: &Consumer, tags: Tags, outcome: Outcome, credit: Credit) -> usize {
        let wall = self.now.wall;
        let (found, lsn) = self.broker.run(&consumer.queue, |queue, fx| {
            let found = queue.settle(consumer.key, tags, outcome, wall, fx);
            if credit != Credit::default() {
                queue.grant(consumer.key, credit, wall, fx);
            }
            found
        });
        self.has_appended(lsn);
        found
    }

    /// Sends deliveries to the dead letters, which say `why` in the consumer's words.
    pub fn refuse(&mut self, consumer: &Consumer, tags: Tags, why: ByteString) {
        let wall = self.now.wall;
        let (_, lsn) = self.broker.run(&consumer.queue, |queue, fx| {
            fx.why = Some(why);
            queue.settle(consumer.key, tags, Outcome::Reject, wall, fx);
            fx.why = None;
        });
        self.has_appended(lsn);
    }

    /// Lets a consumer hold deliveries for so many milliseconds from now, instead of settling them. Answers
    /// how many of the tags were known.
    pub fn extend(&self, consumer: &Consumer, tags: Tags, for_ms: Millis) -> usize {
        let until = self.now.wall.plus(for_ms);
        let (found, _) = self.broker.run(&consumer.queue, |queue, _| queue.extend(consumer.key, tags, until));
        found
    }

    /// Stops a queue from giving messages out, or lets it go on. Until the broker stops: at the next start
    /// the settings decide.
    pub fn pause(&self, queue: &Arc<QueueCell>, paused: bool) {
        let wall = self.now.wall;
        self.broker.run(queue, |queue, fx| queue.set_paused(paused, wall, fx));
    }

    /// Ends a consumer. What it held goes back into its place; deliveries up to the tag `handled` may
    /// have been seen by the client and count as failed (0: none, [`u64::MAX`]: all).
    pub fn cancel(&mut self, consumer: &Consumer, handled: u64) {
        // From behind, as who has many ends the latest first.
        let is_it = |held: &Consumer| held.key == consumer.key && Arc::ptr_eq(&held.queue, &consumer.queue);
        if let Some(at) = self.consumers.iter().rposition(is_it) {
            self.consumers.remove(at);
        }
        self.broker.detach(consumer, handled, self.conn(), self.now);
    }

    /// [`Port::cancel`] where the client is lost. Deliveries up to the tag `seen` may have been seen by it and
    /// come again as redelivered; only those up to `handled` count as failed.
    pub fn cancel_lost(&mut self, consumer: &Consumer, handled: u64, seen: u64) {
        self.broker.run(&consumer.queue, |queue, _| queue.mark_seen(consumer.key, handled, seen));
        self.cancel(consumer, handled);
    }

    /// Takes back what a consumer may still be given, up to so many messages.
    pub fn withdraw(&self, consumer: &Consumer, messages: u32) {
        self.broker.run(&consumer.queue, |queue, _| queue.withdraw(consumer.key, messages));
    }

    /// Takes away what consumers that were cancelled have been given and the session has not looked at.
    pub fn discard_deliveries(&mut self, is_cancelled: impl Fn(SubTag) -> bool) {
        self.outbox.take(&mut self.events);
        let mut bytes = 0;
        self.events.retain(|event| {
            let is_over = matches!(event, CoreEvent::Deliver(delivery) if is_cancelled(delivery.sub));
            bytes += if is_over { event.bytes() } else { 0 };
            !is_over
        });
        if bytes > 0 {
            self.taken(bytes);
        }
    }

    /// Ends all consumers of a queue, whoever has them. What they held goes back into its place.
    pub fn expel(&self, queue: &Arc<QueueCell>) {
        let all: Vec<(ConsumerKey, ConnId, SubTag)> =
            queue.lock().queue().consumers().map(|(key, outbox, sub)| (key, outbox.conn, sub)).collect();
        let wall = self.now.wall;
        for (key, conn, sub) in all {
            if self.broker.run(queue, |queue, fx| queue.detach(key, 0, wall, fx)).0 {
                self.broker.tell_consumer(queue, (conn, sub), None, Turn::Ends);
            }
        }
    }

    /// Looks at up to `max` messages of a queue from a place on, without taking them. Paged-out bodies
    /// are read from disk, so this belongs to the blocking pool or to small queues.
    pub fn browse(&self, queue: &Arc<QueueCell>, from: Order, max: usize) -> Vec<(Entry, Arc<Message>)> {
        self.broker.browse(queue, from, max)
    }
}

impl Broker {
    pub(super) fn detach(&self, consumer: &Consumer, handled: u64, conn: ConnId, now: Now) {
        let detach = |queue: &mut Queue, fx: &mut Effects| queue.detach(consumer.key, handled, now.wall, fx);
        if self.run(&consumer.queue, detach).0 {
            self.tell_consumer(&consumer.queue, (conn, consumer.sub), None, Turn::Ends);
        }
        if self.topology.shared_sticky && consumer.queue.class == Class::Shared {
            consumer.queue.set_keeps_light(is_consumed(&consumer.queue));
        }
    }

    /// See [`Port::browse`].
    pub fn browse(&self, queue: &Arc<QueueCell>, from: Order, max: usize) -> Vec<(Entry, Arc<Message>)> {
        let mut entries = Vec::new();
        queue.lock().queue().browse(from, max, &mut entries);
        entries
            .into_iter()
            .filter_map(|entry| {
                let message = entry.message.clone();
                let message = message.or_else(|| self.read_moved(queue, entry.order, entry.at))?;
                Some((entry, message))
            })
            .collect()
    }
}
