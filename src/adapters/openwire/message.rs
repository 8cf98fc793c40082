//! Messages on their way to a client.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use wharfmq_base::Millis;
use wharfmq_core::{self as kept, Address, HeadTag, Kind, MessageId, Notes, Qos};
use wharfmq_openwire::{Destination, HeadReader, Message};

use super::{advisory, names};
use crate::adapters::convert::OPENWIRE;
use crate::adapters::convert::openwire::{self, Foreign};
use crate::broker::undertaker::note;

/// In place of a producer's number of a message, where each time that it is sent is to have one of its own.
pub(super) const NUMBERED_LATER: i64 = 0;

/// What one message sent shares with the next.
#[derive(Default)]
pub(super) struct Known {
    heads: HeadReader,
    /// The last destination spelled.
    spelling: Option<(Arc<Address>, Arc<Destination>)>,
}

/// A message to be sent.
pub(super) struct Outgoing<'a> {
    /// The number by which the client will name it.
    pub(super) sequence: u64,
    /// The number by which the broker knows it.
    pub(super) id: MessageId,
    pub(super) address: &'a Arc<Address>,
    pub(super) tag: HeadTag,
    pub(super) head: Bytes,
    pub(super) notes: &'a Notes,
    pub(super) body: Bytes,
    pub(super) received: Millis,
    pub(super) expires: Millis,
    pub(super) priority: u8,
    pub(super) qos: Qos,
    pub(super) deliveries: u8,
    pub(super) first_of_group: bool,
    pub(super) retained: bool,
}

impl Known {
    /// The destination that an address is to a client; the last one is kept.
    pub(super) fn spell(&mut self, address: &Arc<Address>) -> Arc<Destination> {
        if let Some((known, destination)) = &self.spelling
            && (Arc::ptr_eq(known, address) || known == address)
        {
            return Arc::clone(destination);
        }
        let destination = Arc::new(names::destination_of(address));
        self.spelling = Some((Arc::clone(address), Arc::clone(&destination)));
        destination
    }
}

impl<'a> Outgoing<'a> {
    /// A message as it is kept.
    pub(super) fn of(message: &'a kept::Message) -> Self {
        Self {
            sequence: message.id.0 + 1,
            id: message.id,
            address: &message.address,
            tag: message.head.tag,
            head: message.head.bytes.clone(),
            notes: &message.notes,
            body: message.body.clone(),
            received: message.received,
            expires: message.expires,
            priority: message.priority,
            qos: message.qos,
            deliveries: 0,
            first_of_group: false,
            retained: false,
        }
    }

    /// The message, as one for `destination`.
    pub(super) fn message(
        &self,
        known: &mut Known,
        destination: Arc<Destination>,
        sent_to: Arc<Destination>,
    ) -> Message {
        let mut message = self.read(&mut known.heads);
        let id = message.message_id.get_or_insert_default();
        id.broker_sequence_id = self.sequence as i64;
        if id.producer_sequence_id == NUMBERED_LATER {
            id.producer_sequence_id = self.sequence as i64;
        }
        message.redelivery_counter = self.deliveries.into();
        let (expiration, persistent) = (message.expiration, message.persistent);
        message.persistent = self.qos.is_persistent();
        message.priority = self.priority as i8;
        message.expiration = if self.expires == Millis::NEVER { 0 } else { self.expires.0 as i64 };
        message.broker_in_time = self.received.0 as i64;
        message.jmsx_group_first_for_consumer = self.first_of_group;
        if message.original_destination.is_none() && sent_to != destination {
            message.original_destination = Some(sent_to);
        }
        message.destination = Some(destination);
        if !self.notes.0.is_empty() || self.retained {
            self.add_notes((expiration, persistent), &mut message);
        }
        message
    }

    fn read(&self, heads: &mut HeadReader) -> Message {
        if self.tag != OPENWIRE {
            return openwire::message(&Foreign {
                id: self.id,
                tag: self.tag,
                head: &self.head,
                body: &self.body,
                received: self.received,
                qos: self.qos,
            });
        }
        let mut message = heads.read(&self.head).unwrap_or_else(|error| {
            // It was written by this program, and its checksum is right.
            tracing::error!(%error, "the head of a stored message cannot be read");
            Message::default()
        });
        if advisory::is_told(&message) {
            advisory::bare(&mut message);
        } else if message.content.is_some() {
            message.content = Some(self.body.clone());
        }
        message
    }

    /// What the broker says of a message beside what its sender has said. `sent`: when it was to expire and
    /// whether it was persistent, which are no longer so of a dead letter.
    fn add_notes(&self, sent: (i64, bool), message: &mut Message) {
        let mut added: Vec<(&str, Added<'_>)> = Vec::new();
        for (name, value) in self.notes.iter() {
            match Kind::split(value).filter(|_| name == note::ORIGINAL_DESTINATION) {
                Some((kind, name)) => {
                    let address = Address { kind, name: name.into() };
                    message.original_destination = Some(Arc::new(names::destination_of(&address)));
                }
                None => added.push((name, Added::Text(value))),
            }
        }
        if self.retained {
            added.push(("ActiveMQ.Retained", Added::Text("true")));
        }
        if self.notes.get(note::CAUSE).is_some() && self.tag == OPENWIRE {
            let (expiration, persistent) = sent;
            if expiration > 0 && message.expiration == 0 {
                added.push(("originalExpiration", Added::Long(expiration)));
            }
            if !persistent && message.persistent {
                added.push(("originalDeliveryMode", Added::Text("NON_PERSISTENT")));
            }
        }
        if !added.is_empty() {
            message.marshalled_properties =
                Some(with_more(message.marshalled_properties.as_deref().unwrap_or_default(), &added));
        }
    }
}

/// A property that the broker adds.
enum Added<'a> {
    Text(&'a str),
    Long(i64),
}

/// A primitive map with more properties in it. Of a name that is there twice the later one counts.
fn with_more(properties: &[u8], added: &[(&str, Added<'_>)]) -> Bytes {
    let (count, rest) = match properties.split_first_chunk::<4>() {
        Some((count, rest)) => (i32::from_be_bytes(*count).max(0), rest),
        None => (0, properties),
    };
    let mut out = BytesMut::with_capacity(properties.len() + 64 * added.len() + 4);
    out.put_i32(count.saturating_add(added.len() as i32));
    out.put_slice(rest);
    for (name, value) in added {
        put_text(&mut out, name);
        match value {
            Added::Text(value) => {
                out.put_u8(TEXT);
                put_text(&mut out, value);
            }
            Added::Long(value) => {
                out.put_u8(LONG);
                out.put_i64(*value);
            }
        }
    }
    out.freeze()
}

/// The type of a text of up to 65,535 bytes among properties.
const TEXT: u8 = 9;
/// The type of a long.
const LONG: u8 = 6;

fn put_text(out: &mut BytesMut, text: &str) {
    let text = wharfmq_openwire::Text::from(text);
    let wire = text.wire();
    let wire = wire.get(..usize::from(u16::MAX)).unwrap_or(wire);
    out.put_u16(wire.len() as u16);
    out.put_slice(wire);
}
