//! Messages of other protocols as OpenWire messages.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;
use wharfmq_base::Millis;
use wharfmq_core::{Address, HeadTag, Kind, MessageId, Qos};
use wharfmq_openwire::primitive::{MapWriter, Value};
use wharfmq_openwire::{Message, MessageId as WireId, MessageKind, ProducerId, Text, body};

use super::{MAP_JSON, STREAM_JSON, TRANSFORMATION, parse};
use crate::adapters::convert::{self, Field, MQTT3, MQTT5, correlation_text};
use crate::adapters::destination;

/// The connection that the producers of other protocols' messages seem to belong to.
const PRODUCER: &str = "ID:wharfmq";
/// What ActiveMQ calls the quality of service that a message of MQTT was published with.
const MQTT_QOS: &str = "ActiveMQ.MQTT.QoS";
/// Messages of one such producer. Clients keep a window of each producer's numbers to find what comes twice;
/// one that jumps ahead by millions costs them time.
const NUMBERS: u64 = 1_024;
/// Bytes of properties that a message gets at most; headers that don't fit are left out.
const PROPERTIES_BYTES_MAX: usize = 1 << 20;

/// A message that came by another protocol.
#[derive(Clone, Copy, Debug)]
pub struct Foreign<'a> {
    /// Its number.
    pub id: MessageId,
    /// The layout of its headers.
    pub tag: HeadTag,
    /// They.
    pub head: &'a [u8],
    /// Its body.
    pub body: &'a Bytes,
    /// When the broker took it.
    pub received: Millis,
    /// How hard it is to lose.
    pub qos: Qos,
}

/// The message as OpenWire has it: what its sender has said. What the broker says of it and of its delivery is
/// left to who delivers it.
pub fn message(foreign: &Foreign<'_>) -> Message {
    let mut built = Built::default();
    convert::fields(foreign.tag, foreign.head, |field| built.add(field));
    if matches!(foreign.tag, MQTT3 | MQTT5) {
        built.put(MQTT_QOS, &Value::Int(foreign.qos as i32));
    }
    let (kind, content) = built.content(foreign);
    let Built { message, properties, .. } = built;
    let id = foreign_id(foreign.id);
    Message {
        kind,
        content: Some(content),
        marshalled_properties: (!properties.is_empty()).then(|| properties.finish()),
        producer_id: id.producer_id.clone(),
        message_id: Some(id),
        timestamp: foreign.received.0 as i64,
        ..message
    }
}

/// The identity of a message that came by another protocol.
fn foreign_id(id: MessageId) -> WireId {
    static CONNECTION: LazyLock<Text> = LazyLock::new(|| Text::from(PRODUCER));
    let producer =
        ProducerId { connection_id: Some(CONNECTION.clone()), value: (id.0 / NUMBERS) as i64, session_id: 0 };
    WireId {
        text_view: Some(Text::from(id.to_string())),
        producer_id: Some(Arc::new(producer)),
        producer_sequence_id: (id.0 % NUMBERS) as i64,
        broker_sequence_id: 0,
    }
}

/// A message whose headers are being gathered. Of a repeated header the first counts.
#[derive(Default)]
struct Built {
    message: Message,
    properties: MapWriter,
    seen: HashSet<Box<str>, RandomState>,
    /// What `transformation` said.
    form: Option<MessageKind>,
}

impl Built {
    fn add(&mut self, field: Field<'_>) {
        let message = &mut self.message;
        match field {
            Field::ContentType(value) => self.put_text("content-type", value),
            Field::Correlation(data) => {
                first(&mut message.correlation_id, || correlation_text(data).as_ref().into())
            }
            Field::ReplyTopic(name) => self.reply(Kind::Topic, name),
            Field::ReplyQueue(name) => self.reply(Kind::Queue, name),
            Field::Property("type", value) => first(&mut message.jms_type, || value.into()),
            Field::Property("JMSXGroupID", value) => first(&mut message.group_id, || value.into()),
            Field::Property("JMSXGroupSeq", value) if message.group_sequence == 0 => match value.parse() {
                Ok(number) => message.group_sequence = number,
                Err(_) => self.put_text("JMSXGroupSeq", value),
            },
            Field::Property(TRANSFORMATION, value) if self.form.is_none() => {
                self.form = match value {
                    MAP_JSON => Some(MessageKind::Map),
                    STREAM_JSON => Some(MessageKind::Stream),
                    other => return self.put_text(TRANSFORMATION, other),
                };
            }
            Field::Property(name, value) => self.put_text(name, value),
        }
    }

    fn reply(&mut self, kind: Kind, name: &str) {
        if let (None, Ok(address)) = (&self.message.reply_to, Address::new(kind, name)) {
            self.message.reply_to = Some(Box::new(destination::openwire(&address)));
        }
    }

    fn put_text(&mut self, name: &str, value: &str) {
        let bytes = wharfmq_openwire::mutf8::encode(value);
        self.put(name, &Value::Text(wharfmq_openwire::primitive::RawText(&bytes)));
    }

    fn put(&mut self, name: &str, value: &Value<'_>) {
        let size = match value {
            Value::Text(text) => text.0.len(),
            _ => 0,
        };
        let fits = self.properties.size() + name.len() + size <= PROPERTIES_BYTES_MAX;
        if fits && self.seen.insert(name.into()) {
            self.properties.put(name, value);
        }
    }

    /// The type and the contents. A body that is not what `transformation` says is what it would be without.
    fn content(&mut self, foreign: &Foreign<'_>) -> (MessageKind, Bytes) {
        let parsed = match self.form {
            Some(MessageKind::Map) => parse::map(foreign.body).map(|map| (MessageKind::Map, map)),
            Some(MessageKind::Stream) => parse::stream(foreign.body).map(|row| (MessageKind::Stream, row)),
            _ => None,
        };
        if let Some(parsed) = parsed {
            return parsed;
        }
        match self.form {
            Some(MessageKind::Map) => self.put_text(TRANSFORMATION, MAP_JSON),
            Some(_) => self.put_text(TRANSFORMATION, STREAM_JSON),
            None => {}
        }
        match std::str::from_utf8(foreign.body) {
            Ok(text) if convert::body_is_text(foreign.tag, foreign.head, foreign.body) => {
                let mut out = BytesMut::new();
                body::write_text(text, &mut out);
                (MessageKind::Text, out.freeze())
            }
            _ => (MessageKind::Bytes, foreign.body.clone()),
        }
    }
}

fn first<T>(slot: &mut Option<T>, value: impl FnOnce() -> T) {
    if slot.is_none() {
        *slot = Some(value());
    }
}
