//! The structures that tell what happens.

use std::sync::Arc;

use bytes::Bytes;
use wharfmq_base::Millis;
use wharfmq_core::Qos;
use wharfmq_openwire::{
    ConnectionId, ConnectionInfo, ConsumerId, ConsumerInfo, DestinationInfo, Message, ProducerId,
    ProducerInfo, RemoveInfo, Structure, read_head,
};

use super::OpenWireVoice;
use crate::adapters::convert::OPENWIRE;
use crate::adapters::convert::openwire::{self, Foreign};
use crate::adapters::openwire::names;
use crate::adapters::openwire::producers::id_of;
use crate::broker::{Client, Consuming, Event, Fate, Producing, Turn};

/// Operations of DestinationInfo.
const ADD: i8 = 0;
const REMOVE: i8 = 1;
/// What stands in RemoveInfo where nobody knows the last message that was delivered.
const UNKNOWN: i64 = -2;

impl OpenWireVoice {
    /// What happens, as a structure; `None` where the topic says it all.
    pub(super) fn payload(&self, event: &Event<'_>) -> Option<Structure> {
        Some(match event {
            Event::Client(client, Turn::Begins) => Structure::ConnectionInfo(Box::new(self.client(client))),
            Event::Client(client, Turn::Ends) => {
                let value = Some(self.connection(client.conn));
                removed(Structure::ConnectionId(Box::new(ConnectionId { value })))
            }
            Event::Destination(address, owner, turn) => {
                Structure::DestinationInfo(Box::new(DestinationInfo {
                    connection_id: owner
                        .map(|conn| Arc::new(ConnectionId { value: Some(self.connection(conn)) })),
                    destination: Some(Arc::new(names::destination_of(address))),
                    operation_type: if *turn == Turn::Begins { ADD } else { REMOVE },
                    ..DestinationInfo::default()
                }))
            }
            Event::Consumer(consuming, Turn::Begins) | Event::Slow(consuming) => {
                Structure::ConsumerInfo(Box::new(self.consuming(consuming)))
            }
            Event::Consumer(consuming, Turn::Ends) => {
                let id = self.consumer(consuming.conn, consuming.sub);
                removed(Structure::ConsumerId(Box::new((*id).clone())))
            }
            Event::Producer(producing, Turn::Begins) => Structure::ProducerInfo(Box::new(ProducerInfo {
                producer_id: Some(Arc::new(self.producer_id(producing))),
                destination: Some(Arc::new(names::destination_of(producing.to))),
                ..ProducerInfo::default()
            })),
            Event::Producer(producing, Turn::Ends) => {
                removed(Structure::ProducerId(Box::new(self.producer_id(producing))))
            }
            Event::Expired(fate) | Event::DeadLettered(fate) | Event::Discarded(fate) => {
                Structure::Message(Box::new(message(fate)))
            }
            Event::Full(_) => return None,
        })
    }

    /// A client as it has introduced itself, without its password.
    fn client(&self, client: &Client) -> ConnectionInfo {
        let known = self.options.roll.client(client.conn);
        let fresh = || ConnectionInfo {
            connection_id: Some(Arc::new(ConnectionId { value: Some(self.connection(client.conn)) })),
            client_id: Some((&*client.id).into()),
            client_master: true,
            ..ConnectionInfo::default()
        };
        ConnectionInfo {
            user_name: client.user.as_deref().map(Into::into),
            client_ip: Some(format!("{}://{}", client.listener, client.addr).into()),
            ..known.map_or_else(fresh, |known| (*known).clone())
        }
    }

    fn consuming(&self, consuming: &Consuming<'_>) -> ConsumerInfo {
        let destination = Some(Arc::new(names::destination_of(consuming.from)));
        if let Some(known) = self.options.roll.consumer(consuming.conn, consuming.sub) {
            return ConsumerInfo { destination, ..(*known).clone() };
        }
        let asked = consuming.asked.cloned().unwrap_or_default();
        ConsumerInfo {
            consumer_id: Some(self.consumer(consuming.conn, consuming.sub)),
            destination,
            selector: asked.filter.as_ref().map(|filter| (&**filter.selector().text()).into()),
            exclusive: asked.exclusive,
            priority: asked.priority,
            dispatch_async: true,
            ..ConsumerInfo::default()
        }
    }

    fn producer_id(&self, producing: &Producing<'_>) -> ProducerId {
        id_of(producing.number, self.connection(producing.conn))
    }
}

fn removed(object: Structure) -> Structure {
    Structure::RemoveInfo(Box::new(RemoveInfo {
        object_id: Some(Arc::new(object)),
        last_delivered_sequence_id: UNKNOWN,
        ..RemoveInfo::default()
    }))
}

/// A message without its content.
fn message(fate: &Fate<'_>) -> Message {
    let facts = &fate.message;
    // As it would be numbered for a consumer.
    let sequence = facts.id.0 + 1;
    let head = Bytes::copy_from_slice(facts.head);
    let mut message = match facts.tag {
        OPENWIRE => read_head(&head).unwrap_or_default(),
        tag => openwire::message(&Foreign {
            id: facts.id,
            tag,
            head: &head,
            body: &Bytes::new(),
            received: Millis(facts.received),
            qos: if facts.persistent { Qos::ExactlyOnce } else { Qos::AtMostOnce },
        }),
    };
    message.content = None;
    message.compressed = false;
    message.destination = Some(Arc::new(names::destination_of(facts.address)));
    message.persistent = facts.persistent;
    message.priority = facts.priority as i8;
    message.expiration = facts.expires as i64;
    message.broker_in_time = facts.received as i64;
    message.message_id.get_or_insert_default().broker_sequence_id = sequence as i64;
    message
}

/// JMSMessageID of a message.
pub(super) fn message_id(fate: &Fate<'_>) -> String {
    let message = message(fate);
    let Some(id) = &message.message_id else { return String::new() };
    if let Some(text) = &id.text_view {
        return text.to_string();
    }
    let producer = id.producer_id.as_deref().cloned().unwrap_or_default();
    let connection = producer.connection_id.unwrap_or_default();
    format!("{connection}:{}:{}:{}", producer.session_id, producer.value, id.producer_sequence_id)
}

/// A consumer's id as one text.
pub(super) fn consumer_text(id: &ConsumerId) -> String {
    let connection = id.connection_id.clone().unwrap_or_default();
    format!("{connection}:{}:{}", id.session_id, id.value)
}
