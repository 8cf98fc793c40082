//! What the broker tells, as ActiveMQ's clients know it: messages whose payload is a structure of OpenWire.
//!
//! The payload stands in the head, and as JSON in the body, which is what clients of other protocols get of
//! it. OpenWire clients get messages without a body; see [`bare`].

mod json;
mod payload;
mod roll;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq_core::{ConnId, SubTag};
use wharfmq_openwire::primitive::{MapWriter, Value};
use wharfmq_openwire::{ConsumerId, Message, MessageId, MessageKind, ProducerId, body, write_head};

pub use self::roll::Roll;
pub(super) use self::roll::told;
use super::{OpenWireOptions, names};
use crate::adapters::convert::OPENWIRE;
use crate::broker::{Event, News, Said, Voice};

/// The type that all of it has.
const ADVISORY: &str = "Advisory";

/// Tells what the broker has to tell in the words of OpenWire.
#[derive(Debug)]
pub struct OpenWireVoice {
    options: Arc<OpenWireOptions>,
    /// Whom all of it comes from.
    producer: Arc<ProducerId>,
}

impl OpenWireVoice {
    /// A voice for the broker whose clients are served with these options.
    pub fn new(options: Arc<OpenWireOptions>) -> Self {
        let connection_id = Some(format!("{}-0:1", options.broker_id).into());
        Self { options, producer: Arc::new(ProducerId { connection_id, value: 0, session_id: 0 }) }
    }

    /// The text by which clients know a connection, whatever it speaks.
    fn connection(&self, conn: ConnId) -> wharfmq_openwire::Text {
        self.options.roll.connection(conn).unwrap_or_else(|| self.made_up(conn))
    }

    fn made_up(&self, conn: ConnId) -> wharfmq_openwire::Text {
        format!("{}-{}:1", self.options.broker_id, conn.0).into()
    }

    fn consumer(&self, conn: ConnId, sub: SubTag) -> Arc<ConsumerId> {
        if let Some(id) = self.options.roll.consumer(conn, sub).and_then(|info| info.consumer_id.clone()) {
            return id;
        }
        let connection_id = Some(self.connection(conn));
        Arc::new(ConsumerId { connection_id, session_id: -1, value: sub.0.into() })
    }

    fn properties(&self, event: &Event<'_>) -> Bytes {
        let mut map = MapWriter::default();
        let int = |count: u64| Value::Int(count.min(i32::MAX as u64) as i32);
        map.put_text("originBrokerId", &self.options.broker_id);
        map.put_text("originBrokerName", &self.options.broker_name);
        map.put_text("originBrokerURL", "");
        match event {
            Event::Client(..) | Event::Destination(..) | Event::DeadLettered(_) => {}
            Event::Consumer(consuming, _) => {
                map.put("consumerCount", &int(consuming.count));
            }
            Event::Producer(producing, _) => {
                map.put("producerCount", &int(producing.count));
            }
            Event::Expired(fate) => {
                map.put_text("orignalMessageId", &payload::message_id(fate));
            }
            Event::Discarded(fate) => {
                map.put_text("orignalMessageId", &payload::message_id(fate));
                map.put_text("orignalDestination", &names::qualified(fate.at));
                map.put("discardedCount", &Value::Int(1));
                if let Some((conn, sub)) = fate.consumer {
                    map.put_text("consumerId", &payload::consumer_text(&self.consumer(conn, sub)));
                }
            }
            Event::Slow(consuming) => {
                let id = self.consumer(consuming.conn, consuming.sub);
                map.put_text("consumerId", &payload::consumer_text(&id));
            }
            Event::Full(address) => {
                map.put_text("usageName", &names::qualified(address));
                map.put("usageCount", &Value::Long(0));
            }
        }
        map.finish()
    }
}

impl Voice for OpenWireVoice {
    fn say(&self, news: &News<'_>, out: &mut Vec<u8>) -> Said {
        let payload = self.payload(news.event);
        let (mut head, mut text) = (BytesMut::new(), BytesMut::new());
        if let Some(payload) = &payload {
            body::write_text(&json::text(payload), &mut text);
        }
        let message = Message {
            kind: if payload.is_some() { MessageKind::Text } else { MessageKind::Plain },
            producer_id: Some(Arc::clone(&self.producer)),
            destination: Some(Arc::new(names::destination_of(news.topic))),
            message_id: Some(MessageId {
                producer_id: Some(Arc::clone(&self.producer)),
                producer_sequence_id: news.id.0 as i64,
                ..MessageId::default()
            }),
            jms_type: Some(ADVISORY.into()),
            marshalled_properties: Some(self.properties(news.event)),
            content: payload.is_some().then(Bytes::new),
            data_structure: payload.map(Box::new),
            broker_in_time: news.at.0 as i64,
            ..Message::default()
        };
        write_head(&message, &mut head);
        out.extend_from_slice(&head);
        out.extend_from_slice(&text);
        Said { tag: OPENWIRE, head: head.len() }
    }

    fn forget(&self, conn: ConnId) {
        self.options.roll.forget(conn);
    }
}

/// Takes the body out of what the broker tells: the payload says it all.
pub(super) fn bare(message: &mut Message) {
    message.kind = MessageKind::Plain;
    message.content = None;
}

/// Whether a message is one of the broker's own: nobody else can send one with a payload.
pub(super) const fn is_told(message: &Message) -> bool {
    message.data_structure.is_some()
}

#[cfg(test)]
mod tests;
