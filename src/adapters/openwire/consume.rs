//! ConsumerInfo: consumers of queues and topics, durable subscriptions, browsers.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use smallvec::SmallVec;
use wharfmq_core::record::Class;
use wharfmq_core::{ConsumeSpec, Credit, CreditPool, Filter, Kind, Pattern, QueueCell, SubTag, Typing};
use wharfmq_openwire::{ConsumerInfo, RemoveSubscriptionInfo};

use super::advisory::told;
use super::consumers::{CONSUMERS_MAX, Consumer, Part, Source};
use super::fault::{INVALID_DESTINATION, INVALID_SELECTOR, RESOURCE, Stop};
use super::replay::Replay;
use super::{Open, names, text};
use crate::broker::{Binding, Port, Refused, is_temporary};

/// Bytes that a consumer is given ahead of what has been sent.
const WINDOW_BYTES: u32 = 1 << 20;
/// Bytes sent from which on a consumer is given as many again.
const GRANT_BYTES: u32 = WINDOW_BYTES / 4;
/// Consumers that were not sent all of the past yet, which is kept for each of them meanwhile.
const REPLAYS_MAX: usize = 64;
/// What it costs to look for all queues that a pattern matches, in steps of a round.
pub(super) const WILDCARD_EFFORT: usize = 50_000;
/// The binding's word for the highest quality of service.
const PERSISTENT: u8 = 2;

impl Open {
    pub(super) fn on_consumer(&mut self, info: &ConsumerInfo, port: &mut Port) -> Result<(), Stop> {
        // What was sent before is there for it.
        self.flush(port);
        let id = info.consumer_id.as_ref().ok_or_else(|| Stop::jms("ConsumerInfo has no consumer id"))?;
        self.check_own(id.connection_id.as_ref())?;
        if self.consumers.of_id(id).is_some() {
            // ActiveMQ takes it as sent again.
            return Ok(());
        }
        let destination = info.destination.as_ref();
        let destination = destination.ok_or_else(|| Stop::fault(INVALID_DESTINATION, "no destination"))?;
        let filter = filter_of(info, port)?;
        let patterns = names::patterns(destination, port)?;
        let prefetch = u32::try_from(info.prefetch_size).unwrap_or(0);
        let mut consumer = self.consumer(info, prefetch, filter, port)?;
        if info.browser {
            return self.browse(consumer, &patterns, port);
        }
        if let Some(name) = &info.subscription_name {
            return self.consume_durable(consumer, &name.decode(), info, &patterns, port);
        }
        let is_queue = |pattern: &Pattern| pattern.kind() == Kind::Queue;
        let (queues, topics): (SmallVec<[Pattern; 1]>, SmallVec<[Pattern; 1]>) =
            patterns.into_iter().partition(is_queue);
        let exact = |pattern: &Pattern| pattern.is_exact() || port.is_virtual_consumer(pattern.text());
        if queues.len() > 1 || !queues.iter().all(exact) {
            let pool = CreditPool::new(prefetch);
            consumer.want.pool = Some(Arc::clone(&pool));
            // Nothing but the pool bounds the messages of one queue.
            consumer.want.credit.messages = u32::MAX;
            consumer.pool = Some(pool);
        }
        let tag = consumer.tag;
        self.consumers.insert(consumer);
        let joined = self.join_topics(tag, topics, info, port).and_then(|()| {
            self.replay_on(port);
            self.join_all(tag, &queues, port)
        });
        if joined.is_err() {
            self.end_consumers(vec![tag], Some(0), port);
        }
        joined
    }

    /// A consumer without a source.
    fn consumer(
        &mut self,
        info: &ConsumerInfo,
        prefetch: u32,
        filter: Option<Arc<Filter>>,
        port: &Port,
    ) -> Result<Consumer, Stop> {
        let tag = self.next_tag()?;
        let who = format!("{}@{}", self.client()?.client_id, port.peer().addr);
        let credit = Credit { messages: prefetch, bytes: WINDOW_BYTES };
        let want = ConsumeSpec {
            priority: info.priority,
            exclusive: info.exclusive,
            filter,
            who: ByteString::from(who),
            ..ConsumeSpec::plain(SubTag(tag), credit)
        };
        let id = info.consumer_id.as_ref().ok_or_else(|| Stop::jms("no consumer id"))?;
        Ok(Consumer {
            id: Arc::new(id.compact()),
            told: Arc::new(told(info, &self.client()?.client_id)),
            tag,
            prefetch,
            debt: 0,
            flights: Default::default(),
            parts: SmallVec::new(),
            want,
            pool: None,
            queues: Default::default(),
            durable: None,
            room: prefetch,
            pending: Default::default(),
            pending_max: u32::try_from(info.maximum_pending_message_limit).unwrap_or(0),
            weight: 0,
            replay: None,
            pulls: Default::default(),
            browser: None,
        })
    }

    pub(super) fn next_tag(&mut self) -> Result<u32, Stop> {
        if self.consumers.len() >= CONSUMERS_MAX {
            let why =
                format!("a connection may have {CONSUMERS_MAX} consumers, each queue of a wildcard counted");
            return Err(Stop::fault(RESOURCE, why));
        }
        self.consumers.next_tag().ok_or_else(|| Stop::fault(RESOURCE, "consumer numbers are used up"))
    }

    /// Has what topics get come without being stored.
    fn join_topics(
        &mut self,
        tag: u32,
        topics: SmallVec<[Pattern; 1]>,
        info: &ConsumerInfo,
        port: &Port,
    ) -> Result<(), Stop> {
        if topics.is_empty() {
            return Ok(());
        }
        let part = self.next_tag()?;
        if info.retroactive && self.consumers.replaying.len() >= REPLAYS_MAX {
            let why =
                format!("a connection may have {REPLAYS_MAX} consumers that wait for messages of the past");
            return Err(Stop::fault(RESOURCE, why));
        }
        let Some(consumer) = self.consumers.get_mut(tag) else { return Ok(()) };
        let (filter, told) = (consumer.want.filter.clone(), Arc::clone(&consumer.told));
        self.options.roll.add_consumer(port.conn(), SubTag(part), &told);
        for pattern in &topics {
            port.subscribe(pattern, SubTag(part), info.no_local, false, filter.clone());
        }
        self.consumers.weigh(tag, topics.len() - 1);
        if info.retroactive
            && let Some(consumer) = self.consumers.get_mut(tag)
        {
            let past = port.recent(&topics);
            self.effort += past.len();
            let replay = Replay::new(part, past, consumer.want.filter.as_deref(), port.now.wall);
            consumer.replay = Some(Box::new(replay));
            self.consumers.replaying.push(tag);
        }
        self.consumers.add_part(tag, Part { tag: part, source: Source::Topics(topics), last: 0, bytes: 0 });
        Ok(())
    }

    /// Has a consumer take from all queues that match.
    fn join_all(&mut self, tag: u32, queues: &[Pattern], port: &mut Port) -> Result<(), Stop> {
        for pattern in queues {
            if pattern.is_exact() || port.is_virtual_consumer(pattern.text()) {
                let queue = queue_of(pattern.text(), port)?;
                self.join(tag, &queue, port)?;
                continue;
            }
            self.effort += WILDCARD_EFFORT;
            // In this order, so that none is missed that is made meanwhile.
            port.watch_queues(pattern, SubTag(tag))?;
            for queue in port.queues_matching(pattern) {
                self.join(tag, &queue, port)?;
            }
        }
        Ok(())
    }

    /// A queue was made that a consumer's pattern matches.
    pub(super) fn on_made(&mut self, tag: SubTag, queue: &Arc<QueueCell>, port: &mut Port) {
        if let Err(Stop::Fault(fault)) = self.join(tag.0, queue, port) {
            self.say_fault(&fault, None, port);
        }
    }

    /// Makes a queue part of a consumer, unless it is or the consumer has ended.
    fn join(&mut self, tag: u32, queue: &Arc<QueueCell>, port: &mut Port) -> Result<(), Stop> {
        let Some(consumer) = self.consumers.get_mut(tag) else { return Ok(()) };
        if !consumer.queues.insert(queue.id) {
            return Ok(());
        }
        let (want, told) = (consumer.want.clone(), Arc::clone(&consumer.told));
        let part = self.next_tag()?;
        self.options.roll.add_consumer(port.conn(), SubTag(part), &told);
        let consumer = port.consume(queue, ConsumeSpec { sub: SubTag(part), ..want });
        let consumer = consumer.map_err(|error| Stop::fault(RESOURCE, error))?;
        let destination = names::destination_of(&wharfmq_core::Address::queue(queue.name.clone()));
        let source = Source::Queue(consumer, Arc::new(destination));
        self.consumers.add_part(tag, Part { tag: part, source, last: 0, bytes: 0 });
        Ok(())
    }

    fn consume_durable(
        &mut self,
        mut consumer: Consumer,
        name: &str,
        info: &ConsumerInfo,
        patterns: &[Pattern],
        port: &mut Port,
    ) -> Result<(), Stop> {
        let [topic] = patterns else {
            return Err(Stop::fault(INVALID_DESTINATION, "a durable subscription is one to one topic"));
        };
        if topic.kind() != Kind::Topic || is_temporary(topic.text()) {
            return Err(Stop::fault(
                INVALID_DESTINATION,
                "a durable subscription is one to a topic that lasts",
            ));
        }
        let binding = Binding {
            pattern: topic.clone(),
            flags: PERSISTENT,
            no_local: info.no_local,
            // Nothing is in there that the selector has not chosen.
            filter: consumer.want.filter.take(),
            options: Bytes::new(),
        };
        let (queue, is_new) = self.open_durable(name, binding, port)?;
        if is_new && info.retroactive {
            port.fill_with_past(&queue)?;
        }
        if info.no_local {
            port.add_own(&queue);
        }
        consumer.durable = Some(queue.name.clone());
        consumer.queues.insert(queue.id);
        let want = consumer.want.clone();
        let part = self.next_tag()?;
        self.options.roll.add_consumer(port.conn(), SubTag(part), &consumer.told);
        let held = port.consume(&queue, ConsumeSpec { sub: SubTag(part), ..want });
        let held = held.map_err(|error| Stop::fault(RESOURCE, error))?;
        // What it is called is the topic of each message.
        let destination = names::destination_of(&wharfmq_core::Address::topic(topic.text().clone()));
        let source = Source::Queue(held, Arc::new(destination));
        consumer.parts.push(Part { tag: part, source, last: 0, bytes: 0 });
        self.consumers.insert(consumer);
        Ok(())
    }

    /// The queue of a durable subscription. One under this name that takes other messages, by its topic,
    /// its selector or their sender, is replaced. Answers whether it is new.
    fn open_durable(
        &self,
        name: &str,
        binding: Binding,
        port: &mut Port,
    ) -> Result<(Arc<QueueCell>, bool), Stop> {
        let full = self.durable_name(name)?;
        let (queue, known) = port.open_durable(&full, binding.clone())?;
        if queue.lock().queue().consumers().next().is_some() {
            return Err(Stop::jms(self.in_use(name)));
        }
        if known && port.bindings(&queue).iter().any(|known| *known != binding) {
            port.delete(&queue)?;
            return Ok((port.open_durable(&full, binding)?.0, true));
        }
        Ok((queue, !known))
    }

    fn in_use(&self, name: &str) -> String {
        let client = self.client.as_ref().map(|client| &*client.client_id).unwrap_or_default();
        format!("Durable consumer is in use for client: {client} and subscriptionName: {name}")
    }

    fn durable_name(&self, name: &str) -> Result<ByteString, Stop> {
        let client_id = &self.client()?.client_id;
        if client_id.is_empty() {
            return Err(Stop::jms("a durable subscription needs a client id"));
        }
        Ok(ByteString::from(format!("{client_id}.{name}")))
    }

    /// Deletes a durable subscription with all that waits in it.
    pub(super) fn on_unsubscribe(
        &mut self,
        info: &RemoveSubscriptionInfo,
        port: &mut Port,
    ) -> Result<(), Stop> {
        self.check_connection(info.connection_id.as_ref())?;
        self.flush(port);
        let name = text(info.subscription_name.as_ref());
        let full = self.durable_name(&name)?;
        let Some(queue) = port.find(Class::Durable, &full) else {
            let why = format!("No durable subscription exists for: {name}");
            return Err(Stop::fault(INVALID_DESTINATION, why));
        };
        if queue.lock().queue().consumers().next().is_some() {
            return Err(Stop::jms("Durable consumer is in use"));
        }
        Ok(port.delete(&queue)?)
    }

    /// Lets queues give more for what has been sent, so that their bytes in flight stay bounded.
    pub(super) fn grant_sent(&mut self, port: &Port) {
        let mut touched = std::mem::take(&mut self.consumers.touched);
        for (tag, part) in touched.drain(..) {
            let Some(part) = self.consumers.get_mut(tag).and_then(|consumer| consumer.part_mut(part)) else {
                continue;
            };
            if part.bytes >= GRANT_BYTES
                && let Source::Queue(consumer, _) = &part.source
            {
                port.grant(consumer, Credit { messages: 0, bytes: std::mem::take(&mut part.bytes) });
            }
        }
        self.consumers.touched = touched;
    }
}

fn filter_of(info: &ConsumerInfo, port: &Port) -> Result<Option<Arc<Filter>>, Stop> {
    let Some(selector) = &info.selector else { return Ok(None) };
    port.filter(&selector.decode(), Typing::Strict).map_err(|error| Stop::fault(INVALID_SELECTOR, error))
}

/// The queue of this name, made where there is none; a temporary one is there.
pub(super) fn queue_of(name: &ByteString, port: &mut Port) -> Result<Arc<QueueCell>, Stop> {
    if is_temporary(name) {
        return port.find(Class::Temporary, name).ok_or_else(|| Refused::Gone(name.clone()).into());
    }
    Ok(port.open(Class::Queue, name, true)?.0)
}
