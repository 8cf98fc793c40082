//! Records of what exists: queues, bindings and remembered values.

use super::RecordError;
use super::orders::begin;
use super::wire::{Reader, kind_number, kind_of, put_bytes, put_varint};
use crate::{Kind, Order, QueueId, Typing};

/// What kind of queue a definition makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// A queue that clients name.
    Queue = 0,
    /// A durable subscription.
    Durable = 1,
    /// An MQTT session.
    Session = 2,
    /// A subscription shared by several clients.
    Shared = 3,
    /// The store of retained messages.
    Retained = 4,
    /// A queue of one connection's own.
    Temporary = 5,
    /// The last messages of a topic.
    History = 6,
    /// Messages that are to be sent later.
    Schedule = 7,
    /// What a prepared transaction will send.
    Prepared = 8,
}

impl Class {
    const fn from_u8(n: u8) -> Option<Self> {
        Some(match n {
            0 => Self::Queue,
            1 => Self::Durable,
            2 => Self::Session,
            3 => Self::Shared,
            4 => Self::Retained,
            5 => Self::Temporary,
            6 => Self::History,
            7 => Self::Schedule,
            8 => Self::Prepared,
            _ => return None,
        })
    }
}

/// A queue that exists from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Define<'a> {
    /// Its number, never used before.
    pub queue: QueueId,
    /// What it is.
    pub class: Class,
    /// Whether its messages are stored.
    pub durable: bool,
    /// Its name, unique within the class.
    pub name: &'a str,
}

impl<'a> Define<'a> {
    /// Appends the payload of a [`super::kind::DEFINE`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(self.queue, out);
        out.extend_from_slice(&[self.class as u8, u8::from(self.durable)]);
        out.extend_from_slice(self.name.as_bytes());
    }

    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(payload)?;
        let queue = reader.queue()?;
        let class = Class::from_u8(reader.u8()?).ok_or(RecordError("class of a queue"))?;
        let durable = flag(&mut reader)?;
        Ok(Self { queue, class, durable, name: reader.text_to_end()? })
    }
}

/// Set in the byte of the kind where a selector follows: versions that know of none refuse the record
/// rather than take it for a binding of everything.
const SELECTOR: u8 = 2;
/// Set beside it where the selector compares loosely.
const LOOSE: u8 = 4;

/// A binding that exists from now on, or the new options of one that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The queue.
    pub queue: QueueId,
    /// What kind of destination the pattern matches.
    pub kind: Kind,
    /// The pattern's canonical text.
    pub pattern: &'a str,
    /// As [`crate::Router::bind`] takes them.
    pub flags: u8,
    /// The text of the selector, and how it compares; `None` where everything is taken.
    pub selector: Option<(&'a str, Typing)>,
    /// The binder's own.
    pub options: &'a [u8],
}

impl<'a> Bind<'a> {
    /// Appends the payload of a [`super::kind::BIND`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(self.queue, out);
        let chooses = match self.selector {
            None => 0,
            Some((_, Typing::Strict)) => SELECTOR,
            Some((_, Typing::Loose)) => SELECTOR | LOOSE,
        };
        out.extend_from_slice(&[kind_number(self.kind) | chooses, self.flags]);
        put_bytes(self.pattern.as_bytes(), out);
        if let Some((text, _)) = self.selector {
            put_bytes(text.as_bytes(), out);
        }
        out.extend_from_slice(self.options);
    }

    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(payload)?;
        let queue = reader.queue()?;
        let bits = reader.u8()?;
        let typing = match bits & (SELECTOR | LOOSE) {
            0 => None,
            SELECTOR => Some(Typing::Strict),
            LOOSE => return Err(RecordError("typing without a selector")),
            _ => Some(Typing::Loose),
        };
        let kind = kind_of(bits & !(SELECTOR | LOOSE))?;
        let flags = reader.u8()?;
        let pattern = reader.text()?;
        let selector = match typing {
            Some(typing) => Some((reader.text()?, typing)),
            None => None,
        };
        Ok(Self { queue, kind, pattern, flags, selector, options: reader.rest })
    }
}

/// A binding that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbind<'a> {
    /// The queue.
    pub queue: QueueId,
    /// What kind of destination the pattern matched.
    pub kind: Kind,
    /// The pattern's canonical text.
    pub pattern: &'a str,
}

impl<'a> Unbind<'a> {
    /// Appends the payload of an [`super::kind::UNBIND`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(self.queue, out);
        out.push(kind_number(self.kind));
        out.extend_from_slice(self.pattern.as_bytes());
    }

    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(payload)?;
        let queue = reader.queue()?;
        let kind = reader.kind()?;
        Ok(Self { queue, kind, pattern: reader.text_to_end()? })
    }
}

/// A value remembered under a key of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// The queue of the session it belongs to.
    pub owner: QueueId,
    /// The owner's name for it.
    pub key: &'a [u8],
    /// `None`: forgotten from now on.
    pub value: Option<&'a [u8]>,
}

impl<'a> State<'a> {
    /// Appends the payload of a [`super::kind::STATE`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(self.owner, out);
        out.push(u8::from(self.value.is_none()));
        put_bytes(self.key, out);
        out.extend_from_slice(self.value.unwrap_or_default());
    }

    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(payload)?;
        let owner = reader.queue()?;
        let gone = flag(&mut reader)?;
        let key = reader.bytes()?;
        if gone {
            reader.end()?;
            return Ok(Self { owner, key, value: None });
        }
        Ok(Self { owner, key, value: Some(reader.rest) })
    }
}

pub(super) fn encode_undefine(queue: QueueId, out: &mut Vec<u8>) {
    begin(queue, out);
}

pub(super) fn decode_undefine(payload: &[u8]) -> Result<QueueId, RecordError> {
    let mut reader = Reader::new(payload)?;
    let queue = reader.queue()?;
    reader.end()?;
    Ok(queue)
}

pub(super) fn encode_purge(queue: QueueId, up_to: Order, out: &mut Vec<u8>) {
    begin(queue, out);
    put_varint(up_to.0, out);
}

pub(super) fn decode_purge(payload: &[u8]) -> Result<(QueueId, Order), RecordError> {
    let mut reader = Reader::new(payload)?;
    let queue = reader.queue()?;
    let up_to = reader.order()?;
    reader.end()?;
    Ok((queue, up_to))
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, RecordError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(RecordError("flag")),
    }
}
