//! MESSAGE: the broker's headers, then the publisher's as they came, then the body by reference.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::{Address, Chunk, Credit, Delivery, HeadTag, Message, Notes, Outcome, Qos, Run, Tags};
use wharfmq_stomp::{Command, Encoder, FRAME_END, Version, reescape};

use super::replay::Live;
use super::subs::{Source, Sub};
use super::{OUT_HIGH, Open};
use crate::adapters::convert::openwire::{self, MapForm};
use crate::adapters::convert::{self, OPENWIRE, STOMP, TEXT_LINE};
use crate::adapters::destination::{OWN_QUEUE, OWN_TOPIC, REMOTE_QUEUE, REMOTE_TOPIC, ToStomp};
use crate::broker::undertaker::note;
use crate::broker::{Cause, Port};

/// What every message-id begins with; the message's number follows.
pub(super) const ID_PREFIX: &str = "ID:wharfmq-";
/// Bytes that a consumer is given ahead of what has been sent.
pub(super) const WINDOW_BYTES: u32 = 1 << 20;
/// Bytes sent from which on a consumer that acknowledges is given as many again.
const GRANT_BYTES: u32 = WINDOW_BYTES / 4;
/// Bodies from this size on are sent by reference.
const CHAIN_BYTES: usize = 2_048;
const COMMAND_LINE: &str = "MESSAGE\n";

/// The last destination written, and the header line that names it.
pub(super) struct Spelling {
    address: Arc<Address>,
    line: BytesMut,
}

/// A message to be written.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) id: u64,
    pub(super) address: &'a Arc<Address>,
    pub(super) tag: HeadTag,
    pub(super) head: &'a [u8],
    pub(super) notes: &'a Notes,
    /// A part of `whole`.
    pub(super) body: &'a [u8],
    pub(super) whole: &'a Bytes,
    pub(super) received: Millis,
    pub(super) expires: Millis,
    pub(super) priority: u8,
    pub(super) qos: Qos,
    /// Earlier deliveries that failed.
    pub(super) deliveries: u8,
    /// See [`Delivery::first_of_group`].
    pub(super) first_of_group: bool,
    /// Whether it was sent to be delivered later.
    pub(super) was_delayed: bool,
    /// Whether it was kept as its topic's last value and comes because of that.
    pub(super) retained: bool,
}

/// What the connection lends to the writing of a MESSAGE.
pub(super) struct Writer<'a> {
    pub(super) version: Version,
    pub(super) spelling: &'a mut Option<Spelling>,
    pub(super) scratch: &'a mut BytesMut,
    /// What the names of the connection's own temporary destinations begin with, if it has any.
    pub(super) own: Option<ByteString>,
    /// Bytes that a converted body may have.
    pub(super) most: usize,
}

impl Open {
    /// Sends a queue's message.
    pub(super) fn send_delivery(&mut self, delivery: &Delivery, port: &mut Port) -> bool {
        let (tag, message) = (delivery.sub.0, &delivery.message);
        let Self { version, spelling, scratch, subs, limits, .. } = self;
        // The rest of a subscription that has ended; its queue has it back.
        let Some(sub) = subs.get_mut(tag) else { return true };
        sub.last = delivery.tag;
        let ack = sub.acknowledges().then_some(delivery.tag);
        if ack.is_some() {
            sub.flights.push(delivery.tag, message.id.0);
        }
        let (group, first_of_group) = (sub.group, delivery.first_of_group);
        let outgoing = Outgoing { first_of_group, ..Outgoing::of(message, delivery.deliveries) };
        let own = port.temporary_prefix().cloned();
        let most = limits.frame;
        Writer { version: *version, spelling, scratch, own, most }.write(sub, ack, &outgoing, port);
        subs.count(tag, message.size());
        if let Some(group) = group {
            subs.note_sent(group, tag, delivery.tag);
        }
        true
    }

    /// Sends messages that nothing stores, from the cursor on, one for each subscription that they match;
    /// false where the rest has to wait.
    pub(super) fn send_chunk(&mut self, chunk: &Chunk, run: &Run, port: &mut Port) -> bool {
        let Self { version, spelling, scratch, subs, cursor, limits, .. } = self;
        let own = port.temporary_prefix().cloned();
        let mut writer = Writer { version: *version, spelling, scratch, own, most: limits.frame };
        let items = chunk.items.get(run.start as usize..run.end as usize).unwrap_or_default();
        let every = run.subs.len().max(1);
        loop {
            let (Some(item), Some(tag)) = (items.get(*cursor / every), run.subs.get(*cursor % every)) else {
                return true;
            };
            if port.out.len() >= OUT_HIGH {
                return false;
            }
            let address = chunk.addresses.get(usize::from(item.address));
            let (Some(sub), Some(address)) = (subs.get_mut(tag.0), address) else {
                *cursor += 1;
                continue;
            };
            if sub.acknowledges() && sub.flights.len() >= sub.prefetch {
                return false;
            }
            let id = chunk.first_id + u64::from(run.start) + (*cursor / every) as u64;
            match sub.replay.as_ref().map(|replay| replay.on_live(id, chunk.received)) {
                None | Some(Live::New) => {}
                Some(Live::NewForEver) => sub.replay = None,
                Some(Live::Later) => return false,
                Some(Live::Known) => {
                    *cursor += 1;
                    continue;
                }
            }
            *cursor += 1;
            if item.expires <= port.now.wall {
                continue;
            }
            sub.last += 1;
            let ack = sub.acknowledges().then_some(sub.last);
            if ack.is_some() {
                sub.flights.push(sub.last, id);
            }
            let outgoing = Outgoing {
                id,
                address,
                tag: item.tag,
                head: item.head.of(&chunk.raw),
                notes: &NO_NOTES,
                body: item.body.of(&chunk.raw),
                whole: &chunk.raw,
                received: chunk.received,
                expires: item.expires,
                priority: item.priority,
                qos: item.qos,
                deliveries: 0,
                first_of_group: false,
                was_delayed: false,
                retained: false,
            };
            writer.write(sub, ack, &outgoing, port);
            if let Some(group) = sub.group {
                let last = sub.last;
                subs.note_sent(group, tag.0, last);
            }
        }
    }

    /// Lets queues give more for what has been sent; without acknowledgements that settles it as well.
    pub(super) fn settle_written(&mut self, port: &mut Port) {
        for tag in self.subs.take_touched() {
            let Some(sub) = self.subs.get_mut(tag) else { continue };
            let Source::Queue(consumer) = &sub.source else { continue };
            if !sub.acknowledges() {
                let credit = Credit { messages: sub.messages, bytes: sub.bytes };
                port.settle(consumer, Tags::UpTo(sub.last), Outcome::Accept, credit);
                sub.bytes = 0;
                if let Some(group) = sub.group {
                    let messages = std::mem::take(&mut sub.messages);
                    self.subs.give_back(group, messages);
                    continue;
                }
            } else if sub.bytes >= GRANT_BYTES {
                port.grant(consumer, Credit { messages: 0, bytes: sub.bytes });
                sub.bytes = 0;
            }
            sub.messages = 0;
        }
        self.subs.refill(port);
    }
}

static NO_NOTES: Notes = Notes(Bytes::new());

impl<'a> Outgoing<'a> {
    pub(super) fn of(message: &'a Message, deliveries: u8) -> Self {
        Self {
            id: message.id.0,
            address: &message.address,
            tag: message.head.tag,
            head: &message.head.bytes,
            notes: &message.notes,
            body: &message.body,
            whole: &message.body,
            received: message.received,
            expires: message.expires,
            priority: message.priority,
            qos: message.qos,
            deliveries,
            first_of_group: false,
            was_delayed: message.terms.as_ref().is_some_and(|terms| terms.due > Millis(0)),
            retained: false,
        }
    }
}

impl Writer<'_> {
    /// Writes one MESSAGE; `ack` is the delivery that the client is to acknowledge.
    pub(super) fn write(&mut self, sub: &Sub, ack: Option<u64>, outgoing: &Outgoing<'_>, port: &mut Port) {
        if outgoing.tag == OPENWIRE {
            self.write_converted(sub, ack, outgoing, port);
        } else {
            self.put(sub, ack, outgoing, port);
        }
    }

    /// Writes a MESSAGE whose body is not what is stored.
    #[cold]
    fn write_converted(&mut self, sub: &Sub, ack: Option<u64>, outgoing: &Outgoing<'_>, port: &mut Port) {
        let content = outgoing.whole.slice_ref(outgoing.body);
        let form = if sub.entries { MapForm::Entries } else { MapForm::Plain };
        match openwire::body_of(outgoing.head, &content, form, self.most) {
            Ok(body) => self.put(sub, ack, &Outgoing { body: &body, whole: &body, ..*outgoing }, port),
            Err(why) => {
                port.count(Cause::NotConverted);
                tracing::debug!(message = outgoing.id, %why, "the contents of a message are sent as they are");
                let raw = openwire::unconverted(outgoing.head, outgoing.notes, why);
                self.put(sub, ack, &Outgoing { head: &raw.head, notes: &raw.notes, ..*outgoing }, port);
            }
        }
    }

    fn put(&mut self, sub: &Sub, ack: Option<u64>, outgoing: &Outgoing<'_>, port: &mut Port) {
        let by_reference = outgoing.body.len() >= CHAIN_BYTES;
        port.traffic.sent(1, outgoing.body.len());
        port.out.with(|out| {
            out.extend_from_slice(&sub.start);
            self.put_own(sub, ack, outgoing, out);
            self.put_head(outgoing, out);
            put_length(outgoing, out);
            out.extend_from_slice(b"\n");
            if !by_reference {
                out.extend_from_slice(outgoing.body);
                out.extend_from_slice(FRAME_END);
            }
        });
        if by_reference {
            port.out.chain(outgoing.whole.slice_ref(outgoing.body));
            port.out.put(FRAME_END);
        }
    }

    /// The broker's own headers: the first of a repeated header counts, so they stand before all others.
    fn put_own(&mut self, sub: &Sub, ack: Option<u64>, outgoing: &Outgoing<'_>, out: &mut BytesMut) {
        let is_old = self.version == Version::V1_0;
        out.extend_from_slice(if is_old { b"message-id:ID:wharfmq-" } else { b"message-id:ID\\cwharfmq-" });
        put_number(out, outgoing.id);
        out.extend_from_slice(b"\n");
        self.put_destination(sub, outgoing, out);
        if let (Some(delivery), Version::V1_2) = (ack, self.version) {
            out.extend_from_slice(b"ack:");
            put_number(out, u64::from(sub.tag));
            out.extend_from_slice(b"-");
            put_number(out, delivery);
            out.extend_from_slice(b"\n");
        }
        if outgoing.deliveries > 0 {
            out.extend_from_slice(b"redelivered:true\n");
            put_line(out, b"JMSXDeliveryCount:", u64::from(outgoing.deliveries) + 1);
        }
        if outgoing.was_delayed {
            out.extend_from_slice(if is_old {
                b"scheduledJobId:ID:wharfmq-"
            } else {
                b"scheduledJobId:ID\\cwharfmq-"
            });
            put_number(out, outgoing.id);
            out.extend_from_slice(b"\n");
        }
        if outgoing.first_of_group {
            out.extend_from_slice(b"JMSXGroupFirstForConsumer:true\n");
        }
        let never = outgoing.expires == Millis::NEVER;
        put_line(out, b"expires:", if never { 0 } else { outgoing.expires.0 });
        put_line(out, b"priority:", u64::from(outgoing.priority));
        put_line(out, b"timestamp:", outgoing.received.0);
        if outgoing.qos.is_persistent() {
            out.extend_from_slice(b"persistent:true\n");
        }
        if outgoing.retained {
            out.extend_from_slice(b"ActiveMQ.Retained:true\n");
        }
    }

    /// The destination, unless it is what the subscription's frames begin with. What came to its queue by
    /// another way names that too.
    fn put_destination(&mut self, sub: &Sub, outgoing: &Outgoing<'_>, out: &mut BytesMut) {
        match &sub.from {
            None => out.extend_from_slice(self.spell(outgoing.address)),
            Some(from) if from == outgoing.address => {}
            Some(_) if outgoing.notes.get(note::ORIGINAL_DESTINATION).is_some() => {}
            Some(_) => {
                out.extend_from_slice(b"original-");
                out.extend_from_slice(self.spell(outgoing.address));
            }
        }
    }

    /// The publisher's headers, and what the broker noted.
    fn put_head(&mut self, outgoing: &Outgoing<'_>, out: &mut BytesMut) {
        let start = out.len();
        self.put_publishers(outgoing, out);
        if let Some(own) = &self.own {
            show_own_reply(own, start, out);
        }
    }

    fn put_publishers(&mut self, outgoing: &Outgoing<'_>, out: &mut BytesMut) {
        if self.version == Version::V1_2 {
            convert::write_stomp_headers(outgoing.tag, outgoing.head, outgoing.notes, out);
            return;
        }
        self.scratch.clear();
        convert::write_stomp_headers(outgoing.tag, outgoing.head, outgoing.notes, self.scratch);
        if memchr::memchr(b'\\', self.scratch).is_none() {
            out.extend_from_slice(self.scratch);
        } else {
            // What cannot be read ends there; it was checked when it came.
            let _ = reescape(self.scratch, Version::V1_2, self.version, out);
        }
    }

    /// The header line that names a destination; the last one is kept.
    pub(super) fn spell(&mut self, address: &Arc<Address>) -> &[u8] {
        let known = self.spelling.as_ref();
        if !known.is_some_and(|known| Arc::ptr_eq(&known.address, address) || known.address == *address) {
            let mut line = BytesMut::new();
            let text = ToStomp(address).to_string();
            let _ = Encoder::new(&mut line, Command::Message, self.version).header("destination", &text);
            bytes::Buf::advance(&mut line, COMMAND_LINE.len());
            *self.spelling = Some(Spelling { address: Arc::clone(address), line });
        }
        self.spelling.as_ref().map_or(&[], |known| &known.line)
    }
}

/// Has a `reply-to` behind `start` that is the reader's own temporary destination name it as the reader does.
fn show_own_reply(own: &str, start: usize, out: &mut BytesMut) {
    for (remote, ours) in [(REMOTE_QUEUE, OWN_QUEUE), (REMOTE_TOPIC, OWN_TOPIC)] {
        let line = format!("reply-to:{remote}{own}");
        let found = memchr::memmem::find(out.get(start..).unwrap_or_default(), line.as_bytes());
        // At the start of a line only: what stands within one is another header's text.
        let Some(at) = found.map(|at| start + at) else { continue };
        if at > start && out.get(at - 1) != Some(&b'\n') {
            continue;
        }
        let tail = out.split_off(at);
        out.extend_from_slice(b"reply-to:");
        out.extend_from_slice(ours.as_bytes());
        out.extend_from_slice(tail.get(line.len()..).unwrap_or_default());
        return;
    }
}

/// content-length, which a body of bytes has, and a text only where a NUL would end it early.
fn put_length(outgoing: &Outgoing<'_>, out: &mut BytesMut) {
    let is_text = match outgoing.tag {
        STOMP => outgoing.head.starts_with(TEXT_LINE),
        tag => convert::body_is_text(tag, outgoing.head, outgoing.body),
    };
    if !is_text || memchr::memchr(0, outgoing.body).is_some() {
        put_line(out, b"content-length:", outgoing.body.len() as u64);
    }
}

fn put_line(out: &mut BytesMut, name: &[u8], value: u64) {
    out.extend_from_slice(name);
    put_number(out, value);
    out.extend_from_slice(b"\n");
}

fn put_number(out: &mut BytesMut, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
