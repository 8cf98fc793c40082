//! The pivot between the headers of the protocols.
//!
//! Headers are kept as their publisher sent them, tagged with their layout, and are converted only when
//! they go out by another protocol. Every layout is read as the same few [`Field`]s:
//!
//! | field | STOMP header | MQTT 5 property |
//! | --- | --- | --- |
//! | text or bytes | no content-length, or `amq-msg-type:text`; else bytes | payload format indicator 1; else see [`body_is_text`] |
//! | content type | `content-type` | content type |
//! | correlation | `correlation-id`; what is no plain text as `hex:…` | correlation data |
//! | reply-to, a topic | `reply-to:/topic/a.b` | response topic `a/b` |
//! | reply-to, a queue | `reply-to:/queue/a.b` | response topic `$queue/a/b` |
//! | reply-to, other | `reply-to` | user property `reply-to` |
//! | property | any other header | user property |
//!
//! MQTT 3 has none of them; [`openwire`] says what OpenWire has. What the broker says for itself (destination, message-id, priority, expiry and
//! the like) is written by the adapter and never taken from a publisher's headers; see [`is_reserved`].

pub mod openwire;
mod view;

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use wharfmq_core::{HeadTag, Kind, Notes};
use wharfmq_mqtt::{Properties, PropertyId, Value};
use wharfmq_stomp::{Version, headers};

pub use self::view::header;
use super::destination::{self, StompName};
use crate::broker::is_temporary;
use crate::broker::undertaker::note;

/// Header lines as STOMP 1.2 escapes them, each ended by LF. A text begins with [`TEXT_LINE`].
pub const STOMP: HeadTag = HeadTag(1);
/// Nothing: MQTT 3 has no headers.
pub const MQTT3: HeadTag = HeadTag(2);
/// The properties of an MQTT 5 PUBLISH as they came, without their length.
pub const MQTT5: HeadTag = HeadTag(3);
/// An OpenWire message without its contents, as [`wharfmq_openwire::write_head`] writes it.
pub const OPENWIRE: HeadTag = HeadTag(4);

/// The first line of a [`STOMP`] head whose body is text; without it the body is bytes.
pub const TEXT_LINE: &[u8] = b"amq-msg-type:text\n";

/// Bytes up to which a property block is filled; properties that don't fit are left out.
const PROPERTIES_BYTES_MAX: usize = 128 * 1024;
/// Stands before the digits of a correlation that is no plain text.
const HEX_PREFIX: &str = "hex:";
const REPLY_TO: &str = "reply-to";

/// One thing that a message's headers say, in no protocol's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// The media type of the body.
    ContentType(&'a str),
    /// What a reply names to say which request it answers.
    Correlation(&'a [u8]),
    /// The topic that replies are expected at, by its canonical name.
    ReplyTopic(&'a str),
    /// The queue that replies are expected at, by its canonical name.
    ReplyQueue(&'a str),
    /// A name and a value of the application's.
    Property(&'a str, &'a str),
}

/// Whether a header of this name is the broker's own or holds for one hop only, so that no publisher can
/// set it: in [`STOMP`] heads and among the user properties of MQTT.
pub fn is_reserved(name: &str) -> bool {
    const LONGEST: usize = "JMSXGroupFirstForConsumer".len();
    name.len() <= LONGEST
        && matches!(
            name,
            "destination"
                | "receipt"
                | "receipt-id"
                | "transaction"
                | "content-length"
                | "message-id"
                | "subscription"
                | "redelivered"
                | "ack"
                | "JMSMessageID"
                | "JMSXDeliveryCount"
                | "JMSXGroupFirstForConsumer"
                | "JMSXUserID"
                | "ActiveMQ.Retain"
                | "ActiveMQ.Retained"
                | "persistent"
                | "priority"
                | "expires"
                | "timestamp"
                | "retain"
                | "browser"
                | "amq-msg-type"
        )
}

/// Whether a body is text: where its publisher said so and it is UTF-8. Of MQTT publishers that said
/// nothing it is text if it is UTF-8 without control characters other than TAB, LF and CR. Of an OpenWire message
/// the body is what [`openwire::body_of`] made of its contents.
pub fn body_is_text(tag: HeadTag, head: &[u8], body: &[u8]) -> bool {
    let said = match tag {
        STOMP => Some(head.starts_with(TEXT_LINE)),
        OPENWIRE => Some(openwire::is_text(head)),
        MQTT5 => {
            let indicator = PropertyId::PayloadFormatIndicator;
            Properties::from_raw(head).flag(indicator).filter(|&is_text| is_text)
        }
        _ => None,
    };
    match said {
        Some(is_text) => is_text && std::str::from_utf8(body).is_ok(),
        None => is_plain_text(body),
    }
}

/// Appends header lines for MESSAGE: what the broker notes first, as the first of a repeated header counts,
/// then the publisher's. Escaped as in STOMP 1.2.
pub fn write_stomp_headers(tag: HeadTag, head: &[u8], notes: &Notes, out: &mut BytesMut) {
    for (name, value) in notes.iter() {
        match destination_of(name, value) {
            Some(StompName { kind: Kind::Queue, name: queue }) => put_header(out, name, &["/queue/", queue]),
            Some(StompName { kind: Kind::Topic, name: topic }) => put_header(out, name, &["/topic/", topic]),
            None => put_header(out, name, &[value]),
        }
    }
    if tag == STOMP {
        out.extend_from_slice(head.strip_prefix(TEXT_LINE).unwrap_or(head));
        return;
    }
    fields(tag, head, |field| match field {
        Field::ContentType(value) => put_header(out, "content-type", &[value]),
        Field::Correlation(data) => put_header(out, "correlation-id", &[&correlation_text(data)]),
        Field::ReplyTopic(topic) if is_temporary(topic) => {
            put_header(out, REPLY_TO, &[destination::REMOTE_TOPIC, topic]);
        }
        Field::ReplyTopic(topic) => put_header(out, REPLY_TO, &["/topic/", topic]),
        Field::ReplyQueue(queue) if is_temporary(queue) => {
            put_header(out, REPLY_TO, &[destination::REMOTE_QUEUE, queue]);
        }
        Field::ReplyQueue(queue) => put_header(out, REPLY_TO, &["/queue/", queue]),
        Field::Property(name, value) => put_header(out, name, &[value]),
    });
}

/// Appends the properties of an MQTT 5 PUBLISH, of which `out` may hold some already: no message expiry,
/// topic alias or subscription identifier, which are the adapter's. `body_is_text` as [`body_is_text`] says;
/// of an MQTT publisher the indicator is passed on as it was.
pub fn write_mqtt5_properties(
    tag: HeadTag,
    head: &[u8],
    notes: &Notes,
    body_is_text: bool,
    out: &mut BytesMut,
) {
    let told = Properties::from_raw(head).byte(PropertyId::PayloadFormatIndicator);
    match tag {
        MQTT5 => told.into_iter().for_each(|byte| put_indicator(out, byte)),
        STOMP | OPENWIRE if body_is_text => put_indicator(out, 1),
        _ => {}
    }
    for (name, value) in notes.iter() {
        put_fields(out, PropertyId::UserProperty, &[&mqtt_text(name), &mqtt_text(value)]);
    }
    let mut once = Once::default();
    fields(tag, head, |field| match field {
        Field::ContentType(value) if once.first(PropertyId::ContentType) => {
            put_fields(out, PropertyId::ContentType, &[&mqtt_text(value)]);
        }
        Field::Correlation(data) if once.first(PropertyId::CorrelationData) => {
            put_fields(out, PropertyId::CorrelationData, &[data]);
        }
        Field::ReplyTopic(topic) if once.first(PropertyId::ResponseTopic) => {
            put_fields(out, PropertyId::ResponseTopic, &[destination::to_mqtt(topic).as_bytes()]);
        }
        Field::ReplyQueue(queue) if once.first(PropertyId::ResponseTopic) => {
            let topic = format!("{}{}", destination::MQTT_QUEUE, destination::to_mqtt(queue));
            put_fields(out, PropertyId::ResponseTopic, &[topic.as_bytes()]);
        }
        Field::Property(name, value) => {
            put_fields(out, PropertyId::UserProperty, &[&mqtt_text(name), &mqtt_text(value)]);
        }
        Field::ContentType(_) | Field::Correlation(_) | Field::ReplyTopic(_) | Field::ReplyQueue(_) => {}
    });
}

/// Walks through what a head says, in its order. Of a damaged head what stands before the damage.
pub fn fields(tag: HeadTag, head: &[u8], mut each: impl FnMut(Field<'_>)) {
    match tag {
        STOMP => {
            for header in headers(head, Version::V1_2) {
                let Ok(header) = header else { return };
                stomp_field(&header.name, &header.value, &mut each);
            }
        }
        MQTT5 => {
            for (id, value) in Properties::from_raw(head).iter() {
                mqtt_field(id, value, &mut each);
            }
        }
        OPENWIRE => openwire::fields(head, &mut each),
        _ => {}
    }
}

fn stomp_field(name: &str, value: &str, each: &mut impl FnMut(Field<'_>)) {
    match name {
        "content-type" => each(Field::ContentType(value)),
        "correlation-id" => match correlation_of_hex(value) {
            Some(data) => each(Field::Correlation(&data)),
            None => each(Field::Correlation(value.as_bytes())),
        },
        REPLY_TO => match reply_destination(value) {
            Some(StompName { kind: Kind::Topic, name }) => each(Field::ReplyTopic(name)),
            Some(StompName { kind: Kind::Queue, name }) => each(Field::ReplyQueue(name)),
            None => each(Field::Property(name, value)),
        },
        _ if is_reserved(name) => {}
        _ => each(Field::Property(name, value)),
    }
}

fn mqtt_field(id: PropertyId, value: Value<'_>, each: &mut impl FnMut(Field<'_>)) {
    match (id, value) {
        (PropertyId::ContentType, Value::Text(value)) => each(Field::ContentType(value)),
        (PropertyId::CorrelationData, Value::Binary(data)) => each(Field::Correlation(data)),
        // The swap of signs is its own inverse.
        (PropertyId::ResponseTopic, Value::Text(topic)) => {
            match topic.strip_prefix(destination::MQTT_QUEUE).filter(|queue| !queue.is_empty()) {
                Some(queue) => each(Field::ReplyQueue(&destination::to_mqtt(queue))),
                None => each(Field::ReplyTopic(&destination::to_mqtt(topic))),
            }
        }
        (PropertyId::UserProperty, Value::Pair(name, value)) if !name.is_empty() && !is_reserved(name) => {
            each(Field::Property(name, value));
        }
        _ => {}
    }
}

/// The destination in a `reply-to` that MQTT can publish to.
fn reply_destination(value: &str) -> Option<StompName<'_>> {
    let name = destination::stomp_name(value).ok()?;
    let address = name.address().ok()?;
    destination::is_legal_in_mqtt(&address.name).then_some(name)
}

/// A note that names a destination in canonical form.
fn destination_of<'a>(name: &str, value: &'a str) -> Option<StompName<'a>> {
    if name != note::ORIGINAL_DESTINATION {
        return None;
    }
    let (kind, name) = Kind::split(value)?;
    Some(StompName { kind, name })
}

fn correlation_text(data: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(data) {
        Ok(text) if says_itself(text) => Cow::Borrowed(text),
        _ => {
            let digits = data.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let digits = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16));
            Cow::Owned(HEX_PREFIX.chars().chain(digits).collect())
        }
    }
}

/// What [`correlation_text`] wrote in digits; `None` where the text stands for itself.
fn correlation_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(HEX_PREFIX)?.as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let data: Option<Vec<u8>> =
        pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    data.filter(|data| !std::str::from_utf8(data).is_ok_and(says_itself))
}

/// Whether a correlation goes through a header as it is.
fn says_itself(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(HEX_PREFIX) && !text.contains(char::is_control)
}

fn is_plain_text(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let is_odd = |&byte: &u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7f;
    !body.iter().any(is_odd)
        && (text.is_ascii() || !text.contains(|sign| ('\u{80}'..'\u{a0}').contains(&sign)))
}

/// Text as MQTT clients take it: some end the connection over control characters and over what is no
/// character (MQTT 5, 1.5.4), so each becomes a question mark.
fn mqtt_text(text: &str) -> Cow<'_, [u8]> {
    let is_odd = |sign: char| {
        sign.is_control() || ('\u{fdd0}'..='\u{fdef}').contains(&sign) || sign as u32 & 0xfffe == 0xfffe
    };
    if !text.contains(is_odd) {
        return Cow::Borrowed(text.as_bytes());
    }
    let clean: String = text.chars().map(|sign| if is_odd(sign) { '?' } else { sign }).collect();
    Cow::Owned(clean.into_bytes())
}

/// Properties that a PUBLISH may have once.
#[derive(Default)]
struct Once(u64);

impl Once {
    const fn first(&mut self, id: PropertyId) -> bool {
        let bit = 1 << id as u8;
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }
}

fn put_indicator(out: &mut BytesMut, byte: u8) {
    out.put_slice(&[PropertyId::PayloadFormatIndicator as u8, byte]);
}

/// Appends a property of length-prefixed parts, unless it cannot be said or there is no room left.
fn put_fields(out: &mut BytesMut, id: PropertyId, parts: &[&[u8]]) {
    let size: usize = 1 + parts.iter().map(|part| 2 + part.len()).sum::<usize>();
    if out.len() + size > PROPERTIES_BYTES_MAX || parts.iter().any(|p| p.len() > usize::from(u16::MAX)) {
        return;
    }
    out.put_u8(id as u8);
    for part in parts {
        out.put_u16(part.len() as u16);
        out.put_slice(part);
    }
}

/// Appends a header line, its value in pieces. A NUL can be said in no version.
pub(super) fn put_header(out: &mut BytesMut, name: &str, value: &[&str]) {
    put_escaped(out, name);
    out.put_u8(b':');
    for piece in value {
        put_escaped(out, piece);
    }
    out.put_u8(b'\n');
}

fn put_escaped(out: &mut BytesMut, text: &str) {
    let is_special = |byte: u8| matches!(byte, b'\n' | b'\r' | b':' | b'\\' | 0);
    let bytes = text.as_bytes();
    if !bytes.iter().any(|&byte| is_special(byte)) {
        return out.put_slice(bytes);
    }
    for &byte in bytes {
        match byte {
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b':' => out.put_slice(b"\\c"),
            b'\\' => out.put_slice(b"\\\\"),
            0 => out.put_u8(b'?'),
            _ => out.put_u8(byte),
        }
    }
}

#[cfg(test)]
mod tests;
