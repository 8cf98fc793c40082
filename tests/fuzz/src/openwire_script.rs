//! Input bytes as what JMS clients do.

use std::sync::Arc;

use bytes::Bytes;
use wharfmq_openwire::{
    ConnectionId, ConnectionInfo, ConsumerControl, ConsumerId, ConsumerInfo, Destination, DestinationInfo,
    DestinationKind, KeepAliveInfo, LocalTransactionId, Message, MessageAck, MessageDispatch, MessageId,
    MessageKind, MessagePull, ProducerId, ProducerInfo, RemoveInfo, RemoveSubscriptionInfo, SessionId,
    Structure, Text, TransactionId, TransactionInfo, XATransactionId,
};

const NAMES: [&str; 8] = ["a", "a.b", "a.*", ">", "a,topic://b", "one:1", "ActiveMQ.Advisory.>", ""];
const SELECTORS: [&str; 4] = ["x = 1", "JMSPriority > 3", "x LIKE '%_%'", "x ="];
const CLIENTS: [&str; 2] = ["one", "two"];

/// What a client does next, or what happens to it.
pub(crate) enum Step {
    /// This command is sent.
    Send(Box<Structure>),
    /// These bytes are the body of a frame.
    Raw(Vec<u8>),
    /// Milliseconds pass.
    Pass(u64),
    /// The client's connection gets no attention until the same step comes again.
    Stall,
    /// The connection is lost.
    Lose,
    /// The broker says that it stops.
    Drain,
}

/// The steps that are left in an input.
pub(crate) struct Script<'a> {
    rest: &'a [u8],
    number: i32,
}

impl<'a> Script<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Self {
        Self { rest, number: 0 }
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// Which client, and what it does. `came`: what was dispatched to a client.
    pub(crate) fn next<'b>(
        &mut self,
        came: impl Fn(usize) -> &'b [MessageDispatch],
    ) -> Option<(usize, Step)> {
        let first = self.byte()?;
        let who = usize::from(first & 1);
        // The ids of the other one, now and then.
        let whose = if first & 0x80 == 0 { who } else { 1 - who };
        self.number += 1;
        let id = Ids { name: CLIENTS[whose].into(), number: self.number, wants: first & 0x40 != 0 };
        let step = match first >> 1 & 31 {
            0 => Step::Raw(self.bytes()),
            1 | 2 => id.connection(),
            3 | 4 => self.producer(&id)?,
            5..=7 => self.consumer(&id)?,
            8..=12 => self.message(&id)?,
            13..=17 => self.ack(&id, came(who))?,
            18..=20 => self.transaction(&id)?,
            21 | 22 => self.pull(&id)?,
            23 => self.remove(&id)?,
            24 => self.destination_info(&id)?,
            25 => self.control(&id)?,
            26 => Step::Pass(u64::from(self.byte()?).pow(2) * 10),
            27 => self.unsubscribe(&id)?,
            28 => Step::Stall,
            29 if first & 0x80 != 0 => Step::Drain,
            29 => Step::Lose,
            30 => Step::send(Structure::KeepAliveInfo(Box::new(KeepAliveInfo {
                response_required: id.wants,
                ..Default::default()
            }))),
            _ => self.remove_connection(&id),
        };
        Some((who, step))
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = usize::from(self.byte().unwrap_or(0)).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        bytes.to_vec()
    }

    fn destination(&mut self) -> Option<Arc<Destination>> {
        use DestinationKind::{Queue, TempQueue, TempTopic, Topic};
        let how = self.byte()?;
        let kind = [Queue, Topic, TempQueue, TempTopic][usize::from(how >> 3 & 3)];
        Some(Destination::new(kind, NAMES[usize::from(how & 7)]).into())
    }

    fn producer(&mut self, id: &Ids) -> Option<Step> {
        let how = self.byte()?;
        let destination = if how & 1 == 0 { None } else { Some(self.destination()?) };
        Some(Step::send(Structure::ProducerInfo(Box::new(ProducerInfo {
            command_id: id.number,
            response_required: id.wants,
            producer_id: Some(id.producer(how >> 4)),
            destination,
            window_size: i32::from(how & 2) * 100,
            ..Default::default()
        }))))
    }

    fn consumer(&mut self, id: &Ids) -> Option<Step> {
        let (how, more) = (self.byte()?, self.byte()?);
        Some(Step::send(Structure::ConsumerInfo(Box::new(ConsumerInfo {
            command_id: id.number,
            response_required: id.wants,
            consumer_id: Some(id.consumer(how >> 6)),
            destination: Some(self.destination()?),
            prefetch_size: PREFETCH[usize::from(how & 7)],
            browser: more & 3 == 1,
            exclusive: more & 4 != 0,
            no_local: more & 8 != 0,
            retroactive: more & 16 != 0,
            subscription_name: (more & 3 == 2).then(|| "durable".into()),
            selector: (how & 8 != 0).then(|| SELECTORS[usize::from(how >> 4 & 3)].into()),
            priority: (more >> 5) as i8,
            ..Default::default()
        }))))
    }

    fn message(&mut self, id: &Ids) -> Option<Step> {
        let (how, more) = (self.byte()?, self.byte()?);
        let producer = id.producer(how >> 6);
        let properties: Option<Bytes> = match how >> 4 & 3 {
            0 => None,
            1 => Some(Bytes::from_static(b"\0\0\0\x01\0\x01x\x05\0\0\0\x01")),
            2 => Some(delayed(more)),
            _ => Some(self.bytes().into()),
        };
        Some(Step::send(Structure::Message(Box::new(Message {
            kind: MessageKind::of(23 + how % 7).unwrap_or_default(),
            command_id: id.number,
            response_required: id.wants,
            producer_id: Some(Arc::clone(&producer)),
            destination: Some(self.destination()?),
            transaction_id: (more & 1 != 0).then(|| id.transaction(more >> 1 & 3)),
            message_id: (how & 8 == 0).then(|| MessageId {
                producer_id: Some(producer),
                producer_sequence_id: id.number.into(),
                ..Default::default()
            }),
            persistent: more & 8 != 0,
            expiration: if more & 16 != 0 { 1_000_500 } else { 0 },
            priority: (more >> 5) as i8 - 1,
            group_id: (more & 24 == 24).then(|| "g".into()),
            group_sequence: if more & 32 != 0 { -1 } else { 1 },
            compressed: more & 0xc0 == 0xc0,
            content: Some(self.bytes().into()),
            marshalled_properties: properties,
            ..Default::default()
        }))))
    }

    fn ack(&mut self, id: &Ids, came: &[MessageDispatch]) -> Option<Step> {
        let (how, which) = (self.byte()?, self.byte()?);
        let pick = |at: u8| came.len().checked_sub(1 + usize::from(at)).and_then(|at| came.get(at));
        let (first, last) = (pick(which >> 4), pick(which & 15));
        let message_id = |dispatch: Option<&MessageDispatch>| dispatch?.message.as_ref()?.message_id.clone();
        Some(Step::send(Structure::MessageAck(Box::new(MessageAck {
            command_id: id.number,
            response_required: id.wants,
            destination: last.and_then(|dispatch| dispatch.destination.clone()),
            transaction_id: (how & 8 != 0).then(|| id.transaction(how >> 4 & 3)),
            consumer_id: last.map_or_else(|| Some(id.consumer(0)), |dispatch| dispatch.consumer_id.clone()),
            ack_type: (how & 7) as i8,
            first_message_id: if how & 0x40 != 0 { None } else { message_id(first) },
            last_message_id: message_id(last),
            message_count: i32::from(how >> 6),
            ..Default::default()
        }))))
    }

    fn transaction(&mut self, id: &Ids) -> Option<Step> {
        let how = self.byte()?;
        Some(Step::send(Structure::TransactionInfo(Box::new(TransactionInfo {
            command_id: id.number,
            response_required: id.wants,
            connection_id: Some(id.connection_id()),
            transaction_id: Some(id.transaction(how >> 3 & 3)),
            operation: (how & 7) as i8,
        }))))
    }

    fn pull(&mut self, id: &Ids) -> Option<Step> {
        let how = self.byte()?;
        Some(Step::send(Structure::MessagePull(Box::new(MessagePull {
            command_id: id.number,
            response_required: id.wants,
            consumer_id: Some(id.consumer(how >> 6)),
            timeout: [-1, 0, 1, 1_000][usize::from(how & 3)],
            ..Default::default()
        }))))
    }

    fn remove(&mut self, id: &Ids) -> Option<Step> {
        let how = self.byte()?;
        let object = match how & 3 {
            0 | 1 => Structure::ConsumerId(Box::new((*id.consumer(how >> 6)).clone())),
            2 => Structure::ProducerId(Box::new((*id.producer(how >> 6)).clone())),
            _ => Structure::SessionId(Box::new(SessionId { connection_id: Some(id.name.clone()), value: 1 })),
        };
        Some(id.remove(object, [-2, -1, 0, 3][usize::from(how >> 2 & 3)]))
    }

    fn remove_connection(&mut self, id: &Ids) -> Step {
        id.remove(Structure::ConnectionId(Box::new((*id.connection_id()).clone())), -2)
    }

    fn destination_info(&mut self, id: &Ids) -> Option<Step> {
        let how = self.byte()?;
        Some(Step::send(Structure::DestinationInfo(Box::new(DestinationInfo {
            command_id: id.number,
            response_required: id.wants,
            connection_id: Some(id.connection_id()),
            destination: Some(self.destination()?),
            operation_type: (how & 3) as i8,
            ..Default::default()
        }))))
    }

    fn control(&mut self, id: &Ids) -> Option<Step> {
        let how = self.byte()?;
        Some(Step::send(Structure::ConsumerControl(Box::new(ConsumerControl {
            command_id: id.number,
            response_required: id.wants,
            consumer_id: Some(Box::new((*id.consumer(how >> 6)).clone())),
            prefetch: PREFETCH[usize::from(how & 7)],
            close: how & 8 != 0,
            ..Default::default()
        }))))
    }

    fn unsubscribe(&mut self, id: &Ids) -> Option<Step> {
        let name = if self.byte()? & 1 == 0 { "durable" } else { "none" };
        Some(Step::send(Structure::RemoveSubscriptionInfo(Box::new(RemoveSubscriptionInfo {
            command_id: id.number,
            response_required: id.wants,
            connection_id: Some(id.connection_id()),
            subscription_name: Some(name.into()),
            client_id: Some(id.name.clone()),
        }))))
    }
}

const PREFETCH: [i32; 8] = [0, 1, 2, 10, 1_000, -1, i32::MAX, i32::MIN];

/// Properties that ask the broker for something.
fn delayed(how: u8) -> Bytes {
    let mut map = vec![0, 0, 0, 1, 0, 19];
    map.extend(b"AMQ_SCHEDULED_DELAY");
    match how & 3 {
        0 => map.extend([6, 0, 0, 0, 0, 0, 0, 0, how]),
        1 => map.extend([6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, how]),
        2 => map.extend([9, 0, 1, b'x']),
        _ => map.extend([1, how]),
    }
    map.into()
}

impl Step {
    fn send(command: Structure) -> Self {
        Self::Send(Box::new(command))
    }
}

/// How one client names what it has.
struct Ids {
    name: Text,
    number: i32,
    wants: bool,
}

impl Ids {
    fn connection_id(&self) -> Arc<ConnectionId> {
        ConnectionId { value: Some(self.name.clone()) }.into()
    }

    fn producer(&self, value: u8) -> Arc<ProducerId> {
        ProducerId { connection_id: Some(self.name.clone()), value: value.into(), session_id: 1 }.into()
    }

    fn consumer(&self, value: u8) -> Arc<ConsumerId> {
        ConsumerId { connection_id: Some(self.name.clone()), session_id: 1, value: value.into() }.into()
    }

    fn transaction(&self, value: u8) -> Arc<TransactionId> {
        if value == 3 {
            let part = Some(Bytes::from_static(b"branch"));
            let id =
                XATransactionId { format_id: 1, global_transaction_id: part.clone(), branch_qualifier: part };
            return TransactionId::Xa(id).into();
        }
        let id = LocalTransactionId { value: value.into(), connection_id: Some(self.connection_id()) };
        TransactionId::Local(id).into()
    }

    fn connection(&self) -> Step {
        Step::send(Structure::ConnectionInfo(Box::new(ConnectionInfo {
            command_id: self.number,
            response_required: self.wants,
            connection_id: Some(self.connection_id()),
            client_id: Some(self.name.clone()),
            manageable: true,
            ..Default::default()
        })))
    }

    fn remove(&self, object: Structure, last: i64) -> Step {
        Step::send(Structure::RemoveInfo(Box::new(RemoveInfo {
            command_id: self.number,
            response_required: self.wants,
            object_id: Some(object.into()),
            last_delivered_sequence_id: last,
        })))
    }
}
