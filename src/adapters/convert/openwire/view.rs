//! Single properties and headers of a head, as selectors ask for them.
//!
//! | name | what it is |
//! | --- | --- |
//! | `JMSCorrelationID`, `JMSType`, `JMSXGroupID`, `JMSXGroupSeq`, `JMSXUserID`, `JMSTimestamp` | as sent |
//! | `JMSReplyTo` | `queue://NAME`, `topic://NAME`, `temp-queue://NAME`, `temp-topic://NAME` |
//! | `JMSMessageID` | as its sender's JMS shows it |
//! | `correlation-id`, `type`, `reply-to` | the first three, where no property has that name |
//! | any other | the property of that name, of its type; bytes, maps and lists are none |

use std::borrow::Cow;

use wharfmq_core::Value;
use wharfmq_openwire::primitive::{RawText, Value as Property};
use wharfmq_openwire::{DestinationKind, HeadView, IdView};

use super::lossy;

/// The value of a header or a property.
pub(in crate::adapters::convert) fn header<'a>(head: &'a [u8], name: &str) -> Value<'a> {
    let Ok(view) = HeadView::read(head) else { return Value::Null };
    match name {
        "JMSCorrelationID" => text(view.correlation_id),
        "JMSType" => text(view.jms_type),
        "JMSReplyTo" => reply_to(&view),
        "JMSMessageID" => view.message_id.map_or(Value::Null, |id| Value::Text(id_text(&id))),
        "JMSTimestamp" => Value::Int(view.timestamp),
        "JMSXGroupID" => text(view.group_id),
        "JMSXGroupSeq" if view.group_id.is_some() => Value::Int(view.group_sequence.into()),
        "JMSXUserID" => match view.tail().ok().and_then(|tail| tail.user_id) {
            Some(user) => Value::Text(Cow::Owned(user.decode().into_owned())),
            None => Value::Null,
        },
        _ => match property(&view, name) {
            Some(Property::Null) | None => by_other_name(&view, name),
            Some(value) => value_of(&value),
        },
    }
}

fn property<'a>(view: &HeadView<'a>, name: &str) -> Option<Property<'a>> {
    view.properties().ok()??.get(name).ok()?
}

fn by_other_name<'a>(view: &HeadView<'a>, name: &str) -> Value<'a> {
    match name {
        "correlation-id" => text(view.correlation_id),
        "type" => text(view.jms_type),
        "reply-to" => reply_to(view),
        _ => Value::Null,
    }
}

fn value_of<'a>(value: &Property<'a>) -> Value<'a> {
    match *value {
        Property::Bool(truth) => Value::Bool(truth),
        Property::Byte(number) => Value::Int(number.into()),
        Property::Short(number) => Value::Int(number.into()),
        Property::Int(number) => Value::Int(number.into()),
        Property::Long(number) => Value::Int(number),
        Property::Float(number) => Value::Float(number.into()),
        Property::Double(number) => Value::Float(number),
        Property::Char(unit) => Value::Text(Cow::Owned(String::from_utf16_lossy(&[unit]))),
        Property::Text(value) => Value::Text(lossy(value)),
        Property::Null | Property::Bytes(_) | Property::Map(_) | Property::List(_) => Value::Null,
    }
}

fn text(text: Option<RawText<'_>>) -> Value<'_> {
    text.map_or(Value::Null, |text| Value::Text(lossy(text)))
}

fn reply_to<'a>(view: &HeadView<'a>) -> Value<'a> {
    let Some((kind, name)) = view.reply_to else { return Value::Null };
    let scheme = match kind {
        DestinationKind::Queue => "queue",
        DestinationKind::Topic => "topic",
        DestinationKind::TempQueue => "temp-queue",
        DestinationKind::TempTopic => "temp-topic",
    };
    Value::Text(Cow::Owned(format!("{scheme}://{}", lossy(name))))
}

/// What JMS shows of an identity: the text that stands for it, else its producer and number.
pub(super) fn id_text<'a>(id: &IdView<'a>) -> Cow<'a, str> {
    if let Some(text) = id.text {
        let text = lossy(text);
        return if text.starts_with("ID:") { text } else { Cow::Owned(format!("ID:{text}")) };
    }
    let connection = id.connection.map(lossy).unwrap_or_default();
    Cow::Owned(format!("{connection}:{}:{}:{}", id.session, id.producer, id.sequence))
}
