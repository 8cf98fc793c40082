//! SUBSCRIBE and UNSUBSCRIBE.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{Credit, Kind, Pattern, QueueCell, SubTag};
use wharfmq_stomp::{AckMode, Command, Encoder, Frame, Version};

use super::ack::millis;
use super::browse::Browser;
use super::fault::Stop;
use super::flights::Flights;
use super::message::WINDOW_BYTES;
use super::subs::{LOCK_MS_MAX, LOCK_MS_MIN, Source, Sub};
use super::{Open, Phase};
use crate::adapters::destination::stomp_name;
use crate::broker::{Binding, Consumer, Port, Want};

/// Subscriptions of one connection.
const SUBSCRIPTIONS_MAX: usize = 10_000;
/// Messages given ahead of their acknowledgement where the client does not say, as ActiveMQ has them.
const QUEUE_PREFETCH: u32 = 1_000;
const DURABLE_PREFETCH: u32 = 100;
const TOPIC_PREFETCH: u32 = 32_767;
/// The binding's word for the highest quality of service.
const PERSISTENT: u8 = 2;

/// The headers of SUBSCRIBE and UNSUBSCRIBE.
#[derive(Default)]
struct Asked<'a> {
    id: Option<Cow<'a, str>>,
    destination: Option<Cow<'a, str>>,
    ack: Option<Cow<'a, str>>,
    selector: Option<Cow<'a, str>>,
    browser: Option<Cow<'a, str>>,
    prefetch: Option<Cow<'a, str>>,
    priority: Option<Cow<'a, str>>,
    exclusive: Option<Cow<'a, str>>,
    no_local: Option<Cow<'a, str>>,
    lock: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
}

impl Open {
    pub(super) fn on_subscribe(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        if self.phase != Phase::Open {
            return Ok(());
        }
        self.flush(port);
        let asked = Asked::read(frame)?;
        let destination =
            asked.destination.as_deref().ok_or_else(|| Stop::fault("destination is missing"))?;
        let key = match asked.id.as_deref() {
            Some(id) => id,
            None if self.version == Version::V1_0 => destination,
            None => return Err(Stop::fault("id is missing")),
        };
        if asked.selector.as_deref().is_some_and(|selector| !selector.trim().is_empty()) {
            return Err(Stop::fault("selector is not supported yet: subscribe without it"));
        }
        if self.subs.tag_of(key).is_some() {
            return Err(Stop::fault("a subscription of this id exists already"));
        }
        if self.subs.len() >= SUBSCRIPTIONS_MAX {
            return Err(Stop::Fault(format!("a connection may have {SUBSCRIPTIONS_MAX} subscriptions")));
        }
        let mode = AckMode::parse(asked.ack.as_deref())?;
        let tag = self.subs.next_tag().ok_or_else(|| Stop::fault("subscription numbers are used up"))?;
        let (source, prefetch, durable) = self.source(&asked, destination, SubTag(tag), port)?;
        let browses = matches!(source, Source::Browser(_));
        self.subs.insert(Sub {
            tag,
            key: key.into(),
            start: self.frame_start(asked.id.as_deref()),
            durable,
            mode,
            prefetch,
            source,
            flights: Flights::default(),
            last: 0,
            messages: 0,
            bytes: 0,
            debt: 0,
        });
        if browses {
            self.browse_on(port);
        }
        Ok(())
    }

    /// Where the messages are to come from, how many at once, and the queue of a durable subscription.
    fn source(
        &self,
        asked: &Asked<'_>,
        destination: &str,
        sub: SubTag,
        port: &mut Port,
    ) -> Result<(Source, u32, Option<ByteString>), Stop> {
        let name = stomp_name(destination).map_err(Stop::fault)?;
        let pattern = name.pattern().map_err(Stop::fault)?;
        let no_local = is_true(asked.no_local.as_deref());
        if name.kind == Kind::Topic {
            if is_true(asked.browser.as_deref()) {
                return Err(Stop::fault("only a queue can be browsed"));
            }
            let Some(durable) = &asked.name else {
                let prefetch = asked.prefetch(TOPIC_PREFETCH)?;
                port.subscribe(&pattern, sub, no_local, false);
                return Ok((Source::Topic(pattern), prefetch, None));
            };
            if no_local {
                return Err(Stop::fault("activemq.noLocal is not supported for durable subscriptions"));
            }
            let prefetch = asked.prefetch(DURABLE_PREFETCH)?;
            let queue = self.open_durable(durable, &pattern, port)?;
            let consumer = consume(&queue, asked.want(sub, prefetch, self.who(port))?, port)?;
            return Ok((Source::Queue(consumer), prefetch, Some(queue.name.clone())));
        }
        if asked.name.is_some() {
            return Err(Stop::fault("a durable subscription is one to a topic, not to a queue"));
        }
        if !pattern.is_exact() {
            return Err(Stop::fault("wildcards in the name of a queue are not supported: name one queue"));
        }
        let prefetch = asked.prefetch(QUEUE_PREFETCH)?;
        let want = asked.want(sub, prefetch, self.who(port))?;
        let (queue, _) = port.open(Class::Queue, &ByteString::from(name.name), true)?;
        if is_true(asked.browser.as_deref()) {
            return Ok((Source::Browser(Browser::new(queue, port.now.wall)), prefetch, None));
        }
        Ok((Source::Queue(consume(&queue, want, port)?), prefetch, None))
    }

    /// The queue of a durable subscription. One to another topic under this name is replaced.
    fn open_durable(&self, name: &str, pattern: &Pattern, port: &mut Port) -> Result<Arc<QueueCell>, Stop> {
        let name = self.durable_name(name)?;
        let (mut queue, known) = port.open(Class::Durable, &name, true)?;
        if queue.lock().queue().consumers().next().is_some() {
            return Err(Stop::fault("the durable subscription is in use"));
        }
        if known && port.bindings(&queue).iter().any(|binding| binding.pattern != *pattern) {
            port.delete(&queue)?;
            (queue, _) = port.open(Class::Durable, &name, true)?;
        }
        let binding =
            Binding { pattern: pattern.clone(), flags: PERSISTENT, no_local: false, options: Bytes::new() };
        port.bind(&queue, binding)?;
        Ok(queue)
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

    /// The command line of MESSAGE, and the header that names the subscription.
    fn frame_start(&self, id: Option<&str>) -> Bytes {
        let mut start = BytesMut::new();
        let frame = Encoder::new(&mut start, Command::Message, self.version);
        let _ = match id {
            Some(id) => frame.header("subscription", id),
            None => frame,
        };
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
        match self.subs.remove(&key) {
            Some(sub) => sub.end(port),
            None => return Err(Stop::fault("there is no subscription of this id")),
        }
        Ok(())
    }

    /// Deletes a durable subscription with all that waits in it.
    fn end_durable(&mut self, name: &str, port: &mut Port) -> Result<(), Stop> {
        let name = self.durable_name(name)?;
        let key = self.subs.iter().find(|sub| sub.durable.as_ref() == Some(&name)).map(|sub| sub.key.clone());
        if let Some(sub) = key.and_then(|key| self.subs.remove(&key)) {
            sub.end(port);
        }
        let queue = port.find(Class::Durable, &name);
        let queue = queue.ok_or_else(|| Stop::fault("there is no durable subscription of this name"))?;
        if queue.lock().queue().consumers().next().is_some() {
            return Err(Stop::fault("the durable subscription is in use"));
        }
        Ok(port.delete(&queue)?)
    }
}

fn consume(queue: &Arc<QueueCell>, want: Want, port: &mut Port) -> Result<Consumer, Stop> {
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
                "activemq.prefetchSize" => &mut asked.prefetch,
                "activemq.priority" => &mut asked.priority,
                "activemq.exclusive" => &mut asked.exclusive,
                "activemq.noLocal" => &mut asked.no_local,
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

    fn prefetch(&self, default: u32) -> Result<u32, Stop> {
        match self.prefetch.as_deref().map(str::parse) {
            None => Ok(default),
            Some(Ok(size @ 1..)) => Ok(size),
            Some(_) => Err(Stop::fault("activemq.prefetchSize is not a number above 0")),
        }
    }

    fn want(&self, sub: SubTag, prefetch: u32, who: ByteString) -> Result<Want, Stop> {
        let priority = match self.priority.as_deref().map(str::parse) {
            None => 0,
            Some(Ok(priority)) => priority,
            Some(Err(_)) => return Err(Stop::fault("activemq.priority is not a number from 0 to 127")),
        };
        let lock = match self.lock.as_deref() {
            None => Millis(0),
            Some(span) => millis("lock", span, LOCK_MS_MIN, LOCK_MS_MAX)?,
        };
        let credit = Credit { messages: prefetch, bytes: WINDOW_BYTES };
        let exclusive = is_true(self.exclusive.as_deref());
        Ok(Want { priority, exclusive, lock, who, ..Want::plain(sub, credit) })
    }
}
