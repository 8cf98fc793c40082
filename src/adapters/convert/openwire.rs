//! Messages of OpenWire, as the other protocols see them, and theirs as it sees them.
//!
//! | OpenWire | others |
//! | --- | --- |
//! | Text | the text as UTF-8; null is an empty body |
//! | Bytes | the bytes |
//! | Map, Stream | JSON, `content-type` `application/json`, and `transformation` that says which of them |
//! | Object | its bytes, which nothing here looks into |
//! | Blob | the URL as text |
//! | JMSMessageID | property `JMSMessageID` |
//! | properties | as text, `null` by that name; see `json` for what is no scalar |
//!
//! Compressed contents are inflated. Contents that cannot be converted go out as they are, with
//! [`ERROR`] to say why. Towards OpenWire a body is Text or Bytes as [`super::body_is_text`] finds, or a Map or a
//! Stream where `transformation` says so, and headers become properties of text.

mod build;
mod json;
mod parse;
mod view;

use std::borrow::Cow;

use bytes::Bytes;
use wharfmq_core::Notes;
use wharfmq_openwire::primitive::{Entry, RawText, Value};
use wharfmq_openwire::{DestinationKind, HeadView, Malformed, MessageKind, body, mutf8};

use super::Field;
use crate::adapters::destination::{self, OpenWireName, ToStomp};
use wharfmq_core::Kind;

pub use build::{Foreign, message};
pub use json::MapForm;
pub(super) use view::header;

/// The header that says what a body stands for.
pub const TRANSFORMATION: &str = "transformation";
/// The [`TRANSFORMATION`] of a map.
pub const MAP_JSON: &str = "jms-map-json";
/// The [`TRANSFORMATION`] of a stream.
pub const STREAM_JSON: &str = "jms-stream-json";
/// The header that says why a body could not be converted.
pub const ERROR: &str = "transformation-error";

/// The header with the identity that JMS clients know a message by.
const MESSAGE_ID: &str = "JMSMessageID";
/// Bytes up to which contents are inflated, and JSON is written, whatever the largest frame is.
const CONTENT_BYTES_MAX: usize = 100 << 20;
/// Bytes of a property's JSON up to which it is shown.
const PROPERTY_BYTES_MAX: usize = 64 * 1024;
const JSON_TYPE: &str = "application/json";
const OBJECT_TYPE: &str = "application/x-java-serialized-object";

/// A message whose contents could not be converted, as one whose body is bytes.
#[derive(Clone, Debug)]
pub struct Unconverted {
    /// Its head, saying so.
    pub head: Bytes,
    /// What the broker notes of it, and why.
    pub notes: Notes,
}

/// The body that clients of other protocols get of a message whose contents are `content`: no more than
/// `most` bytes.
pub fn body_of(head: &[u8], content: &Bytes, form: MapForm, most: usize) -> Result<Bytes, Malformed> {
    let most = most.min(CONTENT_BYTES_MAX);
    let view = HeadView::read(head)?;
    let tail = view.tail()?;
    if view.kind == MessageKind::Blob {
        let url = tail.blob_url.unwrap_or_default();
        return text_body(RawText(url.wire()), url.wire());
    }
    let content = if tail.compressed && !content.is_empty() {
        body::inflated(view.kind, content, most)?
    } else {
        content.clone()
    };
    match view.kind {
        MessageKind::Text => match body::text(&content)? {
            Some(text) => text_body(text, &content),
            None => Ok(Bytes::new()),
        },
        MessageKind::Map => json::of_map(body::map(&content)?, form, most),
        MessageKind::Stream => json::of_stream(body::stream(&content), most),
        _ => Ok(content),
    }
}

/// Text as UTF-8: a part of `whole` where it is that already.
fn text_body(text: RawText<'_>, whole: &Bytes) -> Result<Bytes, Malformed> {
    Ok(match text.decode()? {
        Cow::Borrowed(text) => whole.slice_ref(text.as_bytes()),
        Cow::Owned(text) => text.into(),
    })
}

/// What stands for a message whose contents cannot be converted: the contents as they are.
pub fn unconverted(head: &[u8], notes: &Notes, why: Malformed) -> Unconverted {
    let mut head = head.to_vec();
    if let Some(kind) = head.first_mut() {
        *kind = MessageKind::Bytes as u8;
    }
    let why = why.to_string();
    let notes = Notes::new(notes.iter().chain([(ERROR, &*why)]));
    Unconverted { head: head.into(), notes }
}

/// Whether the converted body of a message is text.
pub(super) fn is_text(head: &[u8]) -> bool {
    let kind = head.first().and_then(|&code| MessageKind::of(code));
    !matches!(kind, Some(MessageKind::Bytes | MessageKind::Object))
}

/// Walks through what a head says.
pub(super) fn fields(head: &[u8], each: &mut impl FnMut(Field<'_>)) {
    let Ok(view) = HeadView::read(head) else { return };
    let (content_type, transformation) = match view.kind {
        MessageKind::Map => (Some(JSON_TYPE), Some(MAP_JSON)),
        MessageKind::Stream => (Some(JSON_TYPE), Some(STREAM_JSON)),
        MessageKind::Object => (Some(OBJECT_TYPE), None),
        _ => (None, None),
    };
    content_type.into_iter().for_each(|value| each(Field::ContentType(value)));
    transformation.into_iter().for_each(|value| each(Field::Property(TRANSFORMATION, value)));
    if let Some(id) = view.message_id {
        // Requests are answered by it, and `message-id` is the broker's own.
        each(Field::Property(MESSAGE_ID, &view::id_text(&id)));
    }
    if let Some(correlation) = view.correlation_id {
        each(Field::Correlation(lossy(correlation).as_bytes()));
    }
    if let Some((kind, name)) = view.reply_to {
        reply_field(kind, &lossy(name), each);
    }
    if let Some(jms_type) = view.jms_type {
        each(Field::Property("type", &lossy(jms_type)));
    }
    if let Some(group) = view.group_id {
        each(Field::Property("JMSXGroupID", &lossy(group)));
        if view.group_sequence != 0 {
            each(Field::Property("JMSXGroupSeq", &view.group_sequence.to_string()));
        }
    }
    for entry in view.properties().ok().flatten().into_iter().flatten() {
        let Ok(entry) = entry else { return };
        property_field(&entry, content_type.is_some(), each);
    }
}

fn property_field(entry: &Entry<'_>, has_type: bool, each: &mut impl FnMut(Field<'_>)) {
    let name = lossy(entry.key);
    let value = match &entry.value {
        Value::Map(_) | Value::List(_) => {
            let mut inner = entry.inner;
            json::of_nested(&entry.value, &mut inner, PROPERTY_BYTES_MAX).map(Cow::Owned)
        }
        Value::Text(text) => Ok(lossy(*text)),
        value => text_of(value),
    };
    let Ok(value) = value else { return };
    match &*name {
        "content-type" if !has_type => each(Field::ContentType(&value)),
        "content-type" | TRANSFORMATION if has_type => {}
        name if name.is_empty() || super::is_reserved(name) => {}
        name => each(Field::Property(name, &value)),
    }
}

/// Where answers are expected. What MQTT cannot publish to is a property, as of STOMP's clients.
fn reply_field(kind: DestinationKind, name: &str, each: &mut impl FnMut(Field<'_>)) {
    let Ok(address) = address_of(kind, name) else { return };
    match address.kind {
        _ if !destination::is_legal_in_mqtt(&address.name) || name.contains(',') => {
            each(Field::Property(super::REPLY_TO, &ToStomp(&address).to_string()));
        }
        Kind::Topic => each(Field::ReplyTopic(&address.name)),
        Kind::Queue => each(Field::ReplyQueue(&address.name)),
    }
}

fn address_of(kind: DestinationKind, name: &str) -> Result<wharfmq_core::Address, wharfmq_core::NameError> {
    let core = if kind.is_topic() { Kind::Topic } else { Kind::Queue };
    OpenWireName { kind: core, is_temporary: kind.is_temporary(), name }.address()
}

/// The text of a scalar.
fn text_of<'a>(value: &Value<'a>) -> Result<Cow<'a, str>, Malformed> {
    Ok(match *value {
        Value::Null | Value::Map(_) | Value::List(_) => Cow::Borrowed("null"),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Byte(number) => Cow::Owned(number.to_string()),
        Value::Short(number) => Cow::Owned(number.to_string()),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Long(number) => Cow::Owned(number.to_string()),
        Value::Float(number) => Cow::Owned(json::float_text(number.into(), format!("{number:?}"))),
        Value::Double(number) => Cow::Owned(json::float_text(number, format!("{number:?}"))),
        Value::Char(unit) => Cow::Owned(String::from_utf16_lossy(&[unit])),
        Value::Bytes(bytes) => Cow::Owned(json::bytes_text(bytes)),
        Value::Text(text) => text.decode()?,
    })
}

fn lossy(text: RawText<'_>) -> Cow<'_, str> {
    mutf8::decode_lossy(text.0)
}

#[cfg(test)]
mod tests;
