//! Messages as records, and their entries in the index of a segment.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use wharfmq_base::Millis;

use super::terms::StoredTerms;
use super::wire::{Reader, put_bytes, put_signed, put_varint};
use super::{RETAINED, RecordError, VERSION};
use crate::{Address, Head, HeadTag, Kind, Message, MessageId, Notes, Order, Qos, QueueId, Terms};

const RETAIN: u8 = 1 << 2;
const TOPIC: u8 = 1 << 3;
const EXPIRES: u8 = 1 << 4;
const TERMS: u8 = 1 << 5;

/// A message as its parts, to be written: the encoded prefix is followed by the bytes of head, notes
/// and body, which are not copied here.
#[derive(Clone, Copy, Debug)]
pub struct MessagePrefix<'a> {
    /// Its place in the queues.
    pub order: Order,
    /// See [`Message::id`].
    pub id: MessageId,
    /// See [`Message::qos`].
    pub qos: Qos,
    /// See [`Message::retain`].
    pub retain: bool,
    /// See [`Message::priority`].
    pub priority: u8,
    /// See [`Message::received`].
    pub received: Millis,
    /// See [`Message::expires`].
    pub expires: Millis,
    /// See [`Message::terms`].
    pub terms: Option<&'a Terms>,
    /// See [`Message::address`].
    pub address: &'a Address,
    /// The layout of the headers.
    pub tag: HeadTag,
    /// Bytes of the headers.
    pub head_len: usize,
    /// Bytes of the notes.
    pub notes_len: usize,
    /// The queues that took it, with their flags; smallest when ascending.
    pub queues: &'a [(QueueId, u8)],
}

impl<'a> MessagePrefix<'a> {
    /// The prefix of a message.
    pub fn of(message: &'a Message, order: Order, queues: &'a [(QueueId, u8)]) -> Self {
        Self {
            order,
            id: message.id,
            qos: message.qos,
            retain: message.retain,
            priority: message.priority,
            received: message.received,
            expires: message.expires,
            terms: message.terms.as_deref(),
            address: &message.address,
            tag: message.head.tag,
            head_len: message.head.bytes.len(),
            notes_len: message.notes.0.len(),
            queues,
        }
    }

    /// Appends the first part of a [`super::kind::MESSAGE`] or [`super::kind::RELOCATE`]; head, notes
    /// and body must follow.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&self.order.0.to_le_bytes());
        let expires = if self.expires == Millis::NEVER { 0 } else { EXPIRES };
        let retain = if self.retain { RETAIN } else { 0 };
        let topic = if self.address.kind == Kind::Topic { TOPIC } else { 0 };
        let terms = StoredTerms::of(self.terms);
        let asks = if terms.is_some() { TERMS } else { 0 };
        out.push(self.qos as u8 | retain | topic | expires | asks);
        out.push(self.priority);
        put_varint(self.id.0, out);
        put_varint(self.received.0, out);
        if expires != 0 {
            put_varint(self.expires.0, out);
        }
        if let Some(terms) = terms {
            terms.encode(out);
        }
        put_bytes(self.address.name.as_bytes(), out);
        out.push(self.tag.0);
        put_varint(self.head_len as u64, out);
        put_varint(self.notes_len as u64, out);
        put_queues(self.queues, out);
    }
}

/// A message as it was stored. Its parts point into the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredMessage<'a> {
    /// Its place in the queues.
    pub order: Order,
    /// See [`Message::id`].
    pub id: MessageId,
    /// See [`Message::qos`].
    pub qos: Qos,
    /// See [`Message::retain`].
    pub retain: bool,
    /// See [`Message::priority`].
    pub priority: u8,
    /// See [`Message::received`].
    pub received: Millis,
    /// See [`Message::expires`].
    pub expires: Millis,
    /// See [`Message::terms`].
    pub terms: Option<StoredTerms<'a>>,
    /// The kind of its address.
    pub kind: Kind,
    /// The name of its address.
    pub name: &'a str,
    /// The queues that took it.
    pub queues: QueueFlags<'a>,
    /// The layout of the headers.
    pub tag: HeadTag,
    /// The headers.
    pub head: &'a [u8],
    /// What the broker added.
    pub notes: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> StoredMessage<'a> {
    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(payload)?;
        let order = reader.order_fixed()?;
        let flags = reader.u8()?;
        let priority = reader.u8()?;
        let qos = Qos::from_u8(flags & 3).ok_or(RecordError("quality of service"))?;
        if flags & !(3 | RETAIN | TOPIC | EXPIRES | TERMS) != 0 {
            return Err(RecordError("flags of a message"));
        }
        let id = MessageId(reader.varint()?);
        let received = Millis(reader.varint()?);
        let expires = if flags & EXPIRES != 0 { Millis(reader.varint()?) } else { Millis::NEVER };
        let terms = if flags & TERMS != 0 { Some(StoredTerms::read(&mut reader)?) } else { None };
        let name = reader.text()?;
        let tag = HeadTag(reader.u8()?);
        let head_len = reader.u32()? as usize;
        let notes_len = reader.u32()? as usize;
        let queues = QueueFlags::read(&mut reader)?;
        let head = reader.take(head_len)?;
        let notes = reader.take(notes_len)?;
        let kind = if flags & TOPIC != 0 { Kind::Topic } else { Kind::Queue };
        let (retain, body) = (flags & RETAIN != 0, reader.rest);
        Ok(Self {
            order,
            id,
            qos,
            retain,
            priority,
            received,
            expires,
            terms,
            kind,
            name,
            queues,
            tag,
            head,
            notes,
            body,
        })
    }

    /// Its address.
    pub fn address(&self) -> Address {
        Address { kind: self.kind, name: ByteString::from(self.name) }
    }

    /// The message. `payload` is what it was decoded from, and is shared by its parts. `address` may be
    /// one that other messages share; it is not compared.
    pub fn message(&self, payload: &Bytes, address: Arc<Address>) -> Message {
        // Empty parts must not keep the payload alive.
        let share = |part: &[u8]| if part.is_empty() { Bytes::new() } else { payload.slice_ref(part) };
        Message {
            id: self.id,
            address,
            qos: self.qos,
            priority: self.priority,
            retain: self.retain,
            received: self.received,
            expires: self.expires,
            head: Head { tag: self.tag, bytes: share(self.head) },
            notes: Notes(share(self.notes)),
            terms: self.terms.map(|terms| Box::new(terms.terms())),
            body: share(self.body),
        }
    }

    /// [`Message::size`] of the message.
    pub fn size(&self) -> u32 {
        Message::size_of_parts(self.head.len(), self.notes.len(), self.body.len())
    }
}

/// What the index of a segment keeps of a message: all that a queue's entry needs.
///
/// Layout: version u8; flags u8 (0-3 priority, 4 expires, 5 relocated, 6 topic, 7 terms); order; size;
/// expires if flagged; terms if flagged, without the identity; the queues as in a message; and the address text, only where the retained store is among
/// the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry<'a> {
    /// Its place in the queues.
    pub order: Order,
    /// [`Message::size`].
    pub size: u32,
    /// See [`Message::expires`].
    pub expires: Millis,
    /// See [`Message::terms`]; without the identity, `None` where nothing else is asked for.
    pub terms: Option<StoredTerms<'a>>,
    /// See [`Message::priority`]; 15 at most.
    pub priority: u8,
    /// Whether the record is a [`super::kind::RELOCATE`].
    pub relocated: bool,
    /// The queues that took it.
    pub queues: QueueFlags<'a>,
    /// Kind and name of its address, where [`RETAINED`] is among the queues.
    pub address: Option<(Kind, &'a str)>,
}

const INDEX_EXPIRES: u8 = 1 << 4;
const INDEX_RELOCATED: u8 = 1 << 5;
const INDEX_TOPIC: u8 = 1 << 6;
const INDEX_TERMS: u8 = 1 << 7;

impl<'a> IndexEntry<'a> {
    /// Appends the index entry of a message. `size` is [`Message::size`].
    pub fn encode(prefix: &MessagePrefix<'_>, size: u32, relocated: bool, out: &mut Vec<u8>) {
        let expires = prefix.expires != Millis::NEVER;
        let topic = prefix.address.kind == Kind::Topic;
        let terms = StoredTerms::of(prefix.terms).and_then(StoredTerms::indexed);
        out.push(VERSION);
        out.push(
            prefix.priority.min(15)
                | if expires { INDEX_EXPIRES } else { 0 }
                | if relocated { INDEX_RELOCATED } else { 0 }
                | if topic { INDEX_TOPIC } else { 0 }
                | if terms.is_some() { INDEX_TERMS } else { 0 },
        );
        put_varint(prefix.order.0, out);
        put_varint(u64::from(size), out);
        if expires {
            put_varint(prefix.expires.0, out);
        }
        if let Some(terms) = terms {
            terms.encode(out);
        }
        put_queues(prefix.queues, out);
        if prefix.queues.iter().any(|(queue, _)| *queue == RETAINED) {
            put_bytes(prefix.address.name.as_bytes(), out);
        }
    }

    /// Reads an index entry.
    pub fn decode(entry: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(entry)?;
        let flags = reader.u8()?;
        let order = reader.order()?;
        let size = reader.u32()?;
        let expires = if flags & INDEX_EXPIRES != 0 { Millis(reader.varint()?) } else { Millis::NEVER };
        let terms = if flags & INDEX_TERMS != 0 { Some(StoredTerms::read(&mut reader)?) } else { None };
        let queues = QueueFlags::read(&mut reader)?;
        let kind = if flags & INDEX_TOPIC != 0 { Kind::Topic } else { Kind::Queue };
        let retained = queues.iter().any(|(queue, _)| queue == RETAINED);
        let address = if retained { Some((kind, reader.text()?)) } else { None };
        reader.end()?;
        let relocated = flags & INDEX_RELOCATED != 0;
        Ok(Self { order, size, expires, terms, priority: flags & 15, relocated, queues, address })
    }
}

/// Queues and their flags, encoded but known to be sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFlags<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> QueueFlags<'a> {
    /// Number of queues.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The queues and their flags, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = (QueueId, u8)> + use<'a> {
        let (mut reader, mut last) = (Reader { rest: self.bytes }, 0);
        (0..self.count).map_while(move |_| next_queue(&mut reader, &mut last).ok())
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, RecordError> {
        let count = reader.u32()?;
        let start = reader.rest;
        let mut last = 0;
        for _ in 0..count {
            next_queue(reader, &mut last)?;
        }
        let len = start.len() - reader.rest.len();
        Ok(Self { count, bytes: &start[..len] })
    }
}

fn next_queue(reader: &mut Reader<'_>, last: &mut u32) -> Result<(QueueId, u8), RecordError> {
    let id = i64::from(*last).checked_add(reader.signed()?).and_then(|id| u32::try_from(id).ok());
    *last = id.ok_or(RecordError("queue out of range"))?;
    Ok((QueueId(*last), reader.u8()?))
}

fn put_queues(queues: &[(QueueId, u8)], out: &mut Vec<u8>) {
    put_varint(queues.len() as u64, out);
    let mut last = 0;
    for (queue, flags) in queues {
        put_signed(i64::from(queue.0) - i64::from(last), out);
        out.push(*flags);
        last = queue.0;
    }
}
