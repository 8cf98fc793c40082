//! Messages, and what a queue keeps of one.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use wharfmq_base::{Location, Millis};

use crate::Address;

/// Identity of a message, unique in one broker for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ID:wharfmq-{}", self.0)
    }
}

/// Place of a message in the order of the queues, drawn when it is appended to the log. Queues sort by
/// it; a message that is moved (dead-lettered, retried) gets a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order(pub u64);

/// A queue's number in the log. Never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u32);

/// How hard a message is to lose: MQTT's quality of service, and for the others 0 for non-persistent
/// and 2 for persistent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Qos {
    /// Delivered at most once; never stored.
    #[default]
    AtMostOnce = 0,
    /// Delivered at least once.
    AtLeastOnce = 1,
    /// Delivered exactly once where the protocol can.
    ExactlyOnce = 2,
}

impl Qos {
    /// From its number; above 2 is `None`.
    pub const fn from_u8(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// Whether a durable queue stores such a message.
    pub const fn is_persistent(self) -> bool {
        !matches!(self, Self::AtMostOnce)
    }
}

/// Names the layout of a message's original headers. The adapters give out the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HeadTag(pub u8);

/// The headers of a message as they came, undecoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Their layout.
    pub tag: HeadTag,
    /// Their bytes.
    pub bytes: Bytes,
}

/// What the broker itself adds to a message, such as why it was dead-lettered: names and values, each
/// with a two-byte length before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(pub Bytes);

impl Notes {
    /// Encodes names and values; anything over 65,535 bytes is cut at a character's border.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut out = Vec::new();
        for (name, value) in pairs {
            for text in [name, value] {
                let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
                out.extend_from_slice(&(text.len() as u16).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
        Self(out.into())
    }

    /// The names and values; stops at the first that is damaged.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let name = take_text(&mut rest)?;
            Some((name, take_text(&mut rest)?))
        })
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(n, v)| (n == name).then_some(v))
    }
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (len, tail) = rest.split_first_chunk::<2>()?;
    let (text, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    *rest = tail;
    std::str::from_utf8(text).ok()
}

/// What a publication asks of the queues that take it, beyond the usual. Most ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The group it belongs to; see [`GroupId::of`].
    pub group: GroupId,
    /// Whether its group may go to another consumer afterwards.
    pub closes_group: bool,
    /// Not to be delivered before this time of the wall clock; 0 for at once.
    pub due: Millis,
    /// What tells it from others where duplicates are dropped; empty for nothing.
    pub dedup: ByteString,
}

impl Terms {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A group of messages, by a hash of its name. Two names that share a number are one group: they are
/// kept in order together, which is more than was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl GroupId {
    /// Belongs to no group.
    pub const NONE: Self = Self(0);

    /// The group of this name; an empty one is none. Stored, so it never changes (FNV-1a, 32 bits).
    pub fn of(name: &str) -> Self {
        if name.is_empty() {
            return Self::NONE;
        }
        let hash = name
            .bytes()
            .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Self(hash.max(1))
    }

    /// Whether it is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// A message that some queue keeps. Shared by all of them: one body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its identity.
    pub id: MessageId,
    /// What it was sent to.
    pub address: Arc<Address>,
    /// How hard it is to lose.
    pub qos: Qos,
    /// 0 to 9, 4 where the sender said nothing.
    pub priority: u8,
    /// MQTT's retain flag as published.
    pub retain: bool,
    /// When it came, by the wall clock.
    pub received: Millis,
    /// When it expires, by the wall clock; [`Millis::NEVER`] where it does not.
    pub expires: Millis,
    /// Its headers.
    pub head: Head,
    /// What the broker added.
    pub notes: Notes,
    /// What its publisher asked for; `None` for nothing.
    pub terms: Option<Box<Terms>>,
    /// Its body.
    pub body: Bytes,
}

impl Message {
    /// Bytes it counts for in limits and memory: headers, body and a flat share for its bookkeeping.
    pub fn size(&self) -> u32 {
        Self::size_of_parts(self.head.bytes.len(), self.notes.0.len(), self.body.len())
    }

    /// [`Message::size`] of a message with parts of these lengths.
    pub(crate) fn size_of_parts(head: usize, notes: usize, body: usize) -> u32 {
        u32::try_from(head + notes + body + 128).unwrap_or(u32::MAX)
    }
}

/// Everything one queue keeps of one message.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the queue.
    pub order: Order,
    /// The message; `None` while it is paged out.
    pub message: Option<Arc<Message>>,
    /// Where it is stored; [`Location::NOWHERE`] for what lives in memory only.
    pub at: Location,
    /// [`Message::size`].
    pub size: u32,
    /// [`Message::expires`].
    pub expires: Millis,
    /// Deliveries that ended without an acknowledgement.
    pub deliveries: u8,
    /// [`Message::priority`].
    pub priority: u8,
    /// The binding's word for the consumer, such as the quality of service; opaque to the queue.
    pub flags: u8,
    /// [`Terms::closes_group`].
    pub closes_group: bool,
    /// [`Terms::group`].
    pub group: GroupId,
}

/// An entry on its way into a queue.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What the queue will keep.
    pub entry: Entry,
    /// `None` for most: an arrival is moved about, and these would double it.
    pub(crate) extras: Option<Box<Extras>>,
}

/// What few entries come with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    pub(crate) due: Millis,
    pub(crate) key: Option<ByteString>,
    pub(crate) dedup: Option<ByteString>,
}

impl Arrival {
    /// It is not to be delivered before: [`Terms::due`].
    #[must_use]
    pub fn due(mut self, due: Millis) -> Self {
        if due > Millis(0) {
            self.extras.get_or_insert_default().due = due;
        }
        self
    }

    /// It is of this group, whatever its publisher said.
    #[must_use]
    pub const fn group(mut self, group: GroupId) -> Self {
        self.entry.group = group;
        self.entry.closes_group = false;
        self
    }

    /// The value by which a later message replaces it, where the queue keeps last values.
    #[must_use]
    pub fn key(mut self, key: Option<ByteString>) -> Self {
        if key.is_some() {
            self.extras.get_or_insert_default().key = key;
        }
        self
    }

    /// [`Terms::dedup`], where the queue was asked whether it has seen it.
    #[must_use]
    pub fn dedup(mut self, id: Option<ByteString>) -> Self {
        if id.is_some() {
            self.extras.get_or_insert_default().dedup = id;
        }
        self
    }
}

impl From<Entry> for Arrival {
    fn from(entry: Entry) -> Self {
        Self { entry, extras: None }
    }
}

const _: () = assert!(size_of::<Entry>() <= 48);
