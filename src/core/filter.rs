//! Selectors applied to messages: what the broker knows of one, and its publisher's headers.

use std::borrow::Cow;
use std::sync::Arc;

use wharfmq_base::Millis;

use crate::selector::{Properties, Selector, Value};
use crate::{Address, Chunk, Kind, Message, MessageId};

/// Reads one header of a head in its publisher's layout. The adapters know the layouts.
pub type HeadView = for<'a> fn(tag: crate::HeadTag, head: &'a [u8], name: &str) -> Value<'a>;

/// A selector and the means to read what it asks for.
#[derive(Clone, Debug)]
pub struct Filter {
    selector: Selector,
    view: HeadView,
    /// Whether it chooses what its selector does not.
    negated: bool,
    /// What has to choose a message as well.
    and: Option<Arc<Self>>,
}

impl Filter {
    /// A filter that reads headers through `view`.
    pub fn new(selector: Selector, view: HeadView) -> Arc<Self> {
        Arc::new(Self { selector, view, negated: false, and: None })
    }

    /// A filter that chooses what this one and another choose.
    pub fn and(self: &Arc<Self>, other: Option<&Arc<Self>>) -> Arc<Self> {
        match (other, &self.and) {
            (None, _) => Arc::clone(self),
            (Some(other), None) => Arc::new(Self { and: Some(Arc::clone(other)), ..(**self).clone() }),
            (Some(other), Some(and)) => {
                Arc::new(Self { and: Some(and.and(Some(other))), ..(**self).clone() })
            }
        }
    }

    /// The selector.
    pub const fn selector(&self) -> &Selector {
        &self.selector
    }

    /// A filter that chooses what this one's selector does not.
    pub fn negation(&self) -> Arc<Self> {
        Arc::new(Self { selector: self.selector.clone(), view: self.view, negated: !self.negated, and: None })
    }

    /// Whether it chooses exactly what its selector does.
    pub const fn is_single(&self) -> bool {
        !self.negated && self.and.is_none()
    }

    /// Whether a message is one of those it chooses. `deliveries` are those that failed.
    pub fn matches(&self, message: &Message, deliveries: u8) -> bool {
        self.matches_facts(&message.facts(deliveries))
    }

    /// Whether a message is one of those it chooses, by its parts.
    pub fn matches_facts(&self, facts: &Facts<'_>) -> bool {
        self.selector.matches(&self.seen(facts)) != self.negated
            && self.and.as_ref().is_none_or(|and| and.matches_facts(facts))
    }

    /// The message as its selector sees it.
    pub const fn seen<'a>(&self, facts: &'a Facts<'a>) -> Seen<'a> {
        Seen { facts, view: self.view }
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.selector == other.selector && self.negated == other.negated && self.and == other.and
    }
}

impl Eq for Filter {}

/// What can be asked of a message, wherever its parts are.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// See [`Message::id`].
    pub id: MessageId,
    /// See [`Message::address`].
    pub address: &'a Address,
    /// Whether it is persistent.
    pub persistent: bool,
    /// See [`Message::priority`].
    pub priority: u8,
    /// See [`Message::received`].
    pub received: u64,
    /// See [`Message::expires`]; 0 where it does not.
    pub expires: u64,
    /// Earlier deliveries that failed.
    pub deliveries: u8,
    /// The layout of its headers.
    pub tag: crate::HeadTag,
    /// Its headers.
    pub head: &'a [u8],
}

impl Message {
    /// What selectors can ask.
    pub fn facts(&self, deliveries: u8) -> Facts<'_> {
        let never = self.expires == Millis::NEVER;
        Facts {
            id: self.id,
            address: &self.address,
            persistent: self.qos.is_persistent(),
            priority: self.priority,
            received: self.received.0,
            expires: if never { 0 } else { self.expires.0 },
            deliveries,
            tag: self.head.tag,
            head: &self.head.bytes,
        }
    }
}

impl Chunk {
    /// What selectors can ask of one of the items, by its number.
    pub fn facts(&self, index: u32) -> Option<Facts<'_>> {
        let item = self.items.get(index as usize)?;
        Some(Facts {
            id: MessageId(self.first_id + u64::from(index)),
            address: self.addresses.get(usize::from(item.address))?,
            persistent: item.qos.is_persistent(),
            priority: item.priority,
            received: self.received.0,
            expires: if item.expires == Millis::NEVER { 0 } else { item.expires.0 },
            deliveries: 0,
            tag: item.tag,
            head: item.head.of(&self.raw),
        })
    }
}

/// A message as a selector sees it: the header fields of JMS by their names (JMS 1.1, 3.8.1.1), and
/// ActiveMQ's JMSDestination; everything else by its publisher's name for it.
#[derive(Debug)]
pub struct Seen<'a> {
    facts: &'a Facts<'a>,
    view: HeadView,
}

impl Properties for Seen<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        let facts = self.facts;
        if !name.starts_with("JMS") {
            return (self.view)(facts.tag, facts.head, name);
        }
        match name {
            "JMSPriority" => Value::Int(facts.priority.into()),
            "JMSDeliveryMode" => {
                Value::Text(Cow::Borrowed(if facts.persistent { "PERSISTENT" } else { "NON_PERSISTENT" }))
            }
            "JMSExpiration" => Value::Int(facts.expires as i64),
            "JMSDestination" => {
                let scheme = if facts.address.kind == Kind::Queue { "queue" } else { "topic" };
                Value::Text(Cow::Owned(format!("{scheme}://{}", facts.address.name)))
            }
            "JMSRedelivered" => Value::Bool(facts.deliveries > 0),
            "JMSXDeliveryCount" => Value::Int(i64::from(facts.deliveries) + 1),
            _ => match ((self.view)(facts.tag, facts.head, name), name) {
                // Where the publisher did not say it itself.
                (Value::Null, "JMSTimestamp") => Value::Int(facts.received as i64),
                (Value::Null, "JMSMessageID") => Value::Text(Cow::Owned(facts.id.to_string())),
                (value, _) => value,
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use bytes::Bytes;

    use super::*;
    use crate::{Head, HeadTag, Notes, Qos, Typing};

    /// A head of lines with a name, a colon and a value.
    pub(crate) fn lines<'a>(_: HeadTag, head: &'a [u8], name: &str) -> Value<'a> {
        let lines = std::str::from_utf8(head).unwrap().lines();
        let mut pairs = lines.filter_map(|line| line.split_once(':'));
        pairs.find(|(known, _)| *known == name).map_or(Value::Null, |(_, value)| Value::Text(value.into()))
    }

    pub(crate) fn filter(selector: &str) -> Arc<Filter> {
        Filter::new(Selector::parse(selector, Typing::Loose).unwrap(), lines)
    }

    pub(crate) fn message(head: &str) -> Message {
        Message {
            id: MessageId(7),
            address: Arc::new(Address::topic("t")),
            qos: Qos::AtLeastOnce,
            priority: 4,
            retain: false,
            received: Millis(1),
            expires: Millis::NEVER,
            head: Head { tag: HeadTag(1), bytes: Bytes::copy_from_slice(head.as_bytes()) },
            notes: Notes::default(),
            terms: None,
            body: Bytes::new(),
        }
    }
}
