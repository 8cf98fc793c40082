//! SUBSCRIBE and UNSUBSCRIBE.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use smallvec::SmallVec;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{
    Address, ConsumeSpec, Credit, CreditPool, Filter, Kind, MessageId, Pattern, QueueCell, SubTag, Typing,
};
use wharfmq_stomp::{AckMode, Command, Encoder, Frame, Version};

use super::ack::millis;
use super::elements::{Elements, shown_as};
use super::fault::Stop;
use super::group::{Group, Several};
use super::message::{ID_PREFIX, WINDOW_BYTES};
use super::replay::Replay;
use super::subs::{LOCK_MS_MAX, LOCK_MS_MIN, Source, Sub};
use super::{Open, Phase, options, transformation};
use crate::broker::{Binding, Consumer, Port, Refused, is_temporary};

/// Subscriptions of one connection; of one to several queues each counts.
pub(super) const SUBSCRIPTIONS_MAX: usize = 10_000;
/// Messages given ahead of their acknowledgement where the client does not say, as ActiveMQ has them.
const QUEUE_PREFETCH: u32 = 1_000;
const DURABLE_PREFETCH: u32 = 100;
const TOPIC_PREFETCH: u32 = 32_767;
/// The binding's word for the highest quality of service.
const PERSISTENT: u8 = 2;

/// The headers of SUBSCRIBE and UNSUBSCRIBE.
#[derive(Default)]
pub(super) struct Asked<'a> {
    id: Option<Cow<'a, str>>,
    destination: Option<Cow<'a, str>>,
    ack: Option<Cow<'a, str>>,
    selector: Option<Cow<'a, str>>,
    browser: Option<Cow<'a, str>>,
    browse_from: Option<Cow<'a, str>>,
    prefetch: Option<Cow<'a, str>>,
    priority: Option<Cow<'a, str>>,
    exclusive: Option<Cow<'a, str>>,
    no_local: Option<Cow<'a, str>>,
    retroactive: Option<Cow<'a, str>>,
    lock: Option<Cow<'a, str>>,
    pub(super) name: Option<Cow<'a, str>>,
    transformation: Option<Cow<'a, str>>,
    /// What the selector chooses; `None` for everything.
    pub(super) filter: Option<Arc<Filter>>,
}

/// A subscription as its source is made.
pub(super) struct Begun {
    pub(super) tag: u32,
    pub(super) key: ByteString,
    pub(super) id: Option<ByteString>,
    pub(super) mode: AckMode,
}

impl Open {
    pub(super) fn on_subscribe(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        if self.phase != Phase::Open {
            return Ok(());
        }
        self.flush(port);
        let mut asked = Asked::read(frame)?;
        let destination = asked.destination.take().ok_or_else(|| Stop::fault("destination is missing"))?;
        let key = match asked.id.as_deref() {
            Some(id) => id,
            None if self.version == Version::V1_0 => &destination,
            None => return Err(Stop::fault("id is missing")),
        };
        let key = ByteString::from(key);
        let elements = Elements::read(&destination)?;
        asked.take_options(elements.options)?;
        if let Some(selector) = asked.selector.as_deref() {
            asked.filter = port.filter(selector, Typing::Loose).map_err(Stop::Fault)?;
        }
        let as_entries = asked.transformation.as_deref().map_or(Ok(false), transformation::wants_entries)?;
        if self.subs.tag_of(&key).is_some() {
            return Err(Stop::fault("a subscription of this id exists already"));
        }
        self.subs.show_maps(&key, as_entries);
        let mode = AckMode::parse(asked.ack.as_deref())?;
        let id = asked.id.as_deref().map(ByteString::from);
        let begun = Begun { tag: self.next_tag()?, key, id, mode };
        let wanted = patterns_of(&elements, port)?;
        if is_true(asked.browser.as_deref()) {
            return self.subscribe_browser(&asked, begun, &wanted, &destination, port);
        }
        if is_true(asked.no_local.as_deref()) && !wanted.queues.is_empty() {
            return Err(Stop::fault("activemq.noLocal is for topics: a queue does not know who sent"));
        }
        match (&wanted.queues[..], wanted.topics.len()) {
            ([queue], 0) if queue.is_exact() || port.is_virtual_consumer(queue.text()) => {
                self.subscribe_queue(&asked, begun, queue.text(), port)
            }
            ([], _) => self.subscribe_topics(&asked, begun, wanted.topics, port),
            _ => self.subscribe_several(&asked, begun, wanted, port),
        }
    }

    /// The number of one more subscription.
    pub(super) fn next_tag(&mut self) -> Result<u32, Stop> {
        if self.subs.len() >= SUBSCRIPTIONS_MAX {
            return Err(Stop::Fault(format!(
                "a connection may have {SUBSCRIPTIONS_MAX} subscriptions, each queue that a wildcard matches \
                 counted"
            )));
        }
        self.subs.next_tag().ok_or_else(|| Stop::fault("subscription numbers are used up"))
    }

    /// Consumes from one queue.
    fn subscribe_queue(
        &mut self,
        asked: &Asked<'_>,
        begun: Begun,
        name: &ByteString,
        port: &mut Port,
    ) -> Result<(), Stop> {
        if asked.name.is_some() {
            return Err(Stop::fault("a durable subscription is one to a topic, not to a queue"));
        }
        let prefetch = asked.prefetch(QUEUE_PREFETCH)?;
        let want = asked.want(SubTag(begun.tag), prefetch, self.who(port))?;
        let queue = queue_of(name, port)?;
        let (start, from) = self.start_of_queue(begun.id.as_deref(), &queue, port);
        let source = Source::Queue(consume(&queue, want, port)?);
        let sub = Sub::new(begun.tag, begun.key, begun.mode, source);
        self.subs.insert(Sub { start, from: Some(from), prefetch, ..sub });
        Ok(())
    }

    /// Subscribes to topics, durably to one.
    fn subscribe_topics(
        &mut self,
        asked: &Asked<'_>,
        begun: Begun,
        topics: SmallVec<[Pattern; 1]>,
        port: &mut Port,
    ) -> Result<(), Stop> {
        let Some(durable) = &asked.name else {
            let prefetch = asked.prefetch(TOPIC_PREFETCH)?;
            let (start, from) = self.start_of_topics(begun.id.as_deref(), &topics, port);
            let replay = self.replay(asked, begun.tag);
            let source = direct(asked, begun.tag, topics, port);
            let sub = Sub::new(begun.tag, begun.key, begun.mode, source);
            self.subs.insert(Sub { start, from, prefetch, replay, ..sub });
            return Ok(());
        };
        let [topic] = &topics[..] else {
            return Err(Stop::fault("a durable subscription is one to one topic, or to one pattern"));
        };
        if is_temporary(topic.text()) {
            return Err(Stop::fault(
                "a temporary topic ends with its connection: subscribe to it without a name",
            ));
        }
        let prefetch = asked.prefetch(DURABLE_PREFETCH)?;
        let want = asked.want(SubTag(begun.tag), prefetch, self.who(port))?;
        let binding = Binding {
            pattern: topic.clone(),
            flags: PERSISTENT,
            no_local: is_true(asked.no_local.as_deref()),
            filter: asked.filter.clone(),
            options: Bytes::new(),
        };
        let no_local = binding.no_local;
        let (queue, is_new) = self.open_durable(durable, binding, port)?;
        if is_new && is_true(asked.retroactive.as_deref()) {
            port.fill_with_past(&queue)?;
        }
        // Nothing is in there that the selector has not chosen.
        let consumer = consume(&queue, ConsumeSpec { filter: None, ..want }, port)?;
        if no_local {
            port.add_own(&queue);
        }
        let start = self.frame_start(begun.id.as_deref(), None);
        let sub = Sub::new(begun.tag, begun.key, begun.mode, Source::Queue(consumer));
        self.subs.insert(Sub { start, prefetch, durable: Some(queue.name.clone()), ..sub });
        Ok(())
    }

    /// Consumes from several queues at once, by wildcard or by name, and from topics beside them.
    fn subscribe_several(
        &mut self,
        asked: &Asked<'_>,
        begun: Begun,
        mut wanted: Several,
        port: &mut Port,
    ) -> Result<(), Stop> {
        if asked.name.is_some() {
            return Err(Stop::fault("a durable subscription is one to a topic, not to a queue"));
        }
        let Begun { tag, key, id, mode } = begun;
        let prefetch = asked.prefetch(QUEUE_PREFETCH)?;
        let pool = CreditPool::new(prefetch);
        let want = ConsumeSpec {
            pool: Some(Arc::clone(&pool)),
            ..asked.want(SubTag(tag), prefetch, self.who(port))?
        };
        self.subs.insert_group(Group::new(tag, key.clone(), id.clone(), mode, want, pool, prefetch));
        let topics = std::mem::take(&mut wanted.topics);
        if !topics.is_empty() {
            let part = self.next_tag()?;
            let (start, from) = self.start_of_topics(id.as_deref(), &topics, port);
            let replay = self.replay(asked, part);
            let source = direct(asked, part, topics, port);
            self.subs.insert(Sub {
                start,
                from,
                group: Some(tag),
                prefetch,
                replay,
                ..Sub::new(part, key, mode, source)
            });
        }
        self.join_all(tag, &wanted.queues, port)
    }

    /// What a subscription to topics will know of the past, if it asks.
    fn replay(&mut self, asked: &Asked<'_>, tag: u32) -> Option<Box<Replay>> {
        is_true(asked.retroactive.as_deref()).then(|| {
            self.replaying.push_back(tag);
            Box::new(Replay::new(asked.filter.clone()))
        })
    }

    /// The queue of a durable subscription. One under this name that takes other messages, by its topic,
    /// its selector or their sender, is replaced. Answers whether it is new.
    fn open_durable(
        &self,
        name: &str,
        binding: Binding,
        port: &mut Port,
    ) -> Result<(Arc<QueueCell>, bool), Stop> {
        let name = self.durable_name(name)?;
        let (queue, known) = port.open_durable(&name, binding.clone())?;
        if queue.lock().queue().consumers().next().is_some() {
            return Err(Stop::fault("the durable subscription is in use"));
        }
        if known && port.bindings(&queue).iter().any(|known| *known != binding) {
            port.delete(&queue)?;
            return Ok((port.open_durable(&name, binding)?.0, true));
        }
        Ok((queue, !known))
    }

    fn durable_name(&self, name: &str) -> Result<ByteString, Stop> {
        let missing = "a durable subscription needs a client-id in CONNECT";
        let client_id = self.client_id.as_ref().ok_or_else(|| Stop::fault(missing))?;
        Ok(ByteString::from(format!("{client_id}.{name}")))
    }

    /// Who consumes, for the notes of dead letters.
    fn who(&self, port: &Port) -> ByteString {
        format!("{}@{}", self.session, port.peer().addr).into()
    }

    /// How the frames of a queue's consumer begin, and the destination that they name.
    pub(super) fn start_of_queue(
        &self,
        id: Option<&str>,
        queue: &QueueCell,
        port: &Port,
    ) -> (Bytes, Arc<Address>) {
        let from = Arc::new(Address::queue(queue.name.clone()));
        (self.frame_start(id, Some(&shown_as(&from, port))), from)
    }

    /// The same for topics: only a temporary one goes by another name than all know it by.
    fn start_of_topics(
        &self,
        id: Option<&str>,
        topics: &[Pattern],
        port: &Port,
    ) -> (Bytes, Option<Arc<Address>>) {
        match topics {
            [topic] if is_temporary(topic.text()) => {
                let from = Arc::new(Address::topic(topic.text().clone()));
                (self.frame_start(id, Some(&shown_as(&from, port))), Some(from))
            }
            _ => (self.frame_start(id, None), None),
        }
    }

    /// The command line of MESSAGE, the header that names the subscription, and the one that names the
    /// destination where that is always the same.
    pub(super) fn frame_start(&self, id: Option<&str>, destination: Option<&str>) -> Bytes {
        let mut start = BytesMut::new();
        let mut frame = Encoder::new(&mut start, Command::Message, self.version);
        for (name, value) in [("subscription", id), ("destination", destination)] {
            if let Some(value) = value {
                frame = frame.header(name, value);
            }
        }
        drop(frame);
        start.freeze()
    }

    pub(super) fn on_unsubscribe(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        self.flush(port);
        let asked = Asked::read(frame)?;
        if let Some(name) = &asked.name {
            return self.end_durable(name, port);
        }
        let key = match (asked.id, asked.destination) {
            (Some(id), _) => id,
            (None, Some(destination)) if self.version == Version::V1_0 => destination,
            _ => return Err(Stop::fault("id is missing")),
        };
        if !self.subs.end(&key, port) {
            return Err(Stop::fault("there is no subscription of this id"));
        }
        Ok(())
    }

    /// Deletes a durable subscription with all that waits in it.
    fn end_durable(&mut self, name: &str, port: &mut Port) -> Result<(), Stop> {
        let name = self.durable_name(name)?;
        let key = self.subs.iter().find(|sub| sub.durable.as_ref() == Some(&name)).map(|sub| sub.key.clone());
        if let Some(key) = key {
            self.subs.end(&key, port);
        }
        let queue = port.find(Class::Durable, &name);
        let queue = queue.ok_or_else(|| Stop::fault("there is no durable subscription of this name"))?;
        if queue.lock().queue().consumers().next().is_some() {
            return Err(Stop::fault("the durable subscription is in use"));
        }
        Ok(port.delete(&queue)?)
    }
}

/// All that the elements of a destination ask for.
fn patterns_of(elements: &Elements<'_>, port: &mut Port) -> Result<Several, Stop> {
    let mut several = Several { queues: Vec::new(), topics: SmallVec::new() };
    for element in &elements.list {
        let pattern = element.to_receive(port)?;
        match pattern.kind() {
            Kind::Queue if !several.queues.contains(&pattern) => several.queues.push(pattern),
            Kind::Topic if !several.topics.contains(&pattern) => several.topics.push(pattern),
            Kind::Queue | Kind::Topic => {}
        }
    }
    Ok(several)
}

/// The queue of this name, made where there is none; a temporary one is there.
pub(super) fn queue_of(name: &ByteString, port: &mut Port) -> Result<Arc<QueueCell>, Stop> {
    if is_temporary(name) {
        let own = port.find(Class::Temporary, name);
        return own.ok_or_else(|| Stop::fault(Refused::Gone(name.clone())));
    }
    Ok(port.open(Class::Queue, name, true)?.0)
}

/// Has what topics get come without being stored.
fn direct(asked: &Asked<'_>, tag: u32, topics: SmallVec<[Pattern; 1]>, port: &Port) -> Source {
    let no_local = is_true(asked.no_local.as_deref());
    for pattern in &topics {
        port.subscribe(pattern, SubTag(tag), no_local, false, asked.filter.clone());
    }
    Source::Topics(topics)
}

fn consume(queue: &Arc<QueueCell>, want: ConsumeSpec, port: &mut Port) -> Result<Consumer, Stop> {
    port.consume(queue, want).map_err(Stop::fault)
}

fn is_true(value: Option<&str>) -> bool {
    value == Some("true")
}

impl<'a> Asked<'a> {
    fn read(frame: &Frame<'a>) -> Result<Self, wharfmq_stomp::Error> {
        let mut asked = Self::default();
        for header in frame.headers() {
            let header = header?;
            let slot = match &*header.name {
                "id" => &mut asked.id,
                "destination" => &mut asked.destination,
                "ack" => &mut asked.ack,
                "selector" => &mut asked.selector,
                "browser" => &mut asked.browser,
                "browse-from" => &mut asked.browse_from,
                "activemq.prefetchSize" => &mut asked.prefetch,
                "activemq.priority" => &mut asked.priority,
                "activemq.exclusive" => &mut asked.exclusive,
                "activemq.noLocal" => &mut asked.no_local,
                "activemq.retroactive" => &mut asked.retroactive,
                "transformation" => &mut asked.transformation,
                "lock" => &mut asked.lock,
                // The second is how ActiveMQ once spelled it; scripts still do.
                "activemq.subscriptionName" | "activemq.subcriptionName" => &mut asked.name,
                _ => continue,
            };
            if slot.is_none() {
                *slot = Some(header.value);
            }
        }
        Ok(asked)
    }

    /// Takes the options that stand in the destination, where no header says otherwise.
    fn take_options(&mut self, options: &'a str) -> Result<(), Stop> {
        options::read(options, |name, value| {
            let slot = match name {
                "selector" => &mut self.selector,
                "prefetchSize" => &mut self.prefetch,
                "priority" => &mut self.priority,
                "exclusive" => &mut self.exclusive,
                "noLocal" => &mut self.no_local,
                "retroactive" => &mut self.retroactive,
                "dispatchAsync" | "maximumPendingMessageLimit" => return Ok(()),
                _ => return Err(options::unknown(name)),
            };
            if slot.is_none() {
                *slot = Some(value);
            }
            Ok(())
        })
    }

    /// The message behind which a browser begins.
    pub(super) fn browse_from(&self) -> Result<Option<MessageId>, Stop> {
        let Some(text) = self.browse_from.as_deref() else { return Ok(None) };
        let number = text.strip_prefix(ID_PREFIX).and_then(|number| number.parse().ok());
        let id = number.ok_or_else(|| Stop::fault("browse-from is not the message-id of a message"))?;
        Ok(Some(MessageId(id)))
    }

    fn prefetch(&self, default: u32) -> Result<u32, Stop> {
        match self.prefetch.as_deref().map(str::parse) {
            None => Ok(default),
            Some(Ok(size @ 1..)) => Ok(size),
            Some(_) => Err(Stop::fault("activemq.prefetchSize is not a number above 0")),
        }
    }

    fn want(&self, sub: SubTag, prefetch: u32, who: ByteString) -> Result<ConsumeSpec, Stop> {
        let priority = match self.priority.as_deref().map(str::parse) {
            None => 0,
            Some(Ok(priority @ 0..)) => priority,
            Some(_) => return Err(Stop::fault("activemq.priority is not a number from 0 to 127")),
        };
        let lock = match self.lock.as_deref() {
            None => Millis(0),
            Some(span) => millis("lock", span, LOCK_MS_MIN, LOCK_MS_MAX)?,
        };
        let credit = Credit { messages: prefetch, bytes: WINDOW_BYTES };
        let exclusive = is_true(self.exclusive.as_deref());
        let filter = self.filter.clone();
        Ok(ConsumeSpec { priority, exclusive, filter, lock, who, ..ConsumeSpec::plain(sub, credit) })
    }
}
