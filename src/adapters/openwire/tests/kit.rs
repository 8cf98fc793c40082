//! A client in process that says what it is told to.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq_openwire::{
    ConnectionId, ConnectionInfo, ConsumerId, ConsumerInfo, Decoder, Destination, DestinationKind, Encoder,
    Format, LocalTransactionId, Message, MessageAck, MessageDispatch, MessageId, MessageKind, MessagePull,
    Nested, ProducerId, ProducerInfo, Proposal, SessionId, Structure, Text, TransactionId, TransactionInfo,
    frame_len,
};

use crate::adapters::Closed;
use crate::adapters::openwire::{OpenWireOptions, OpenWireSession};
use crate::adapters::testing::{TestBroker, TestClient};

/// One client of a broker.
pub(super) struct Client<'a> {
    pub(super) inner: TestClient,
    broker: &'a TestBroker,
    encoder: Encoder,
    decoder: Decoder,
    id: Text,
    next: i32,
}

impl<'a> Client<'a> {
    /// One that has agreed on the tight encoding, with or without a cache, and not introduced itself.
    pub(super) fn greeted(broker: &'a TestBroker, id: &str, cached: bool) -> Self {
        let inner = broker.client(OpenWireSession::new(Arc::new(OpenWireOptions::default())));
        let first = Format::default();
        let mut client = Self {
            inner,
            broker,
            encoder: Encoder::new(first),
            decoder: Decoder::new(first),
            id: id.into(),
            next: 0,
        };
        let proposal =
            Proposal { version: 12, tight: true, cache: cached, cache_size: 1_024, ..Proposal::default() };
        let mut hello = BytesMut::new();
        client.encoder.encode(&proposal.write(), &mut hello);
        let format =
            Format { version: 12, tight: true, stack_traces: false, cache: if cached { 1_024 } else { 0 } };
        let bytes = client.inner.send(broker, &hello);
        let mut came = client.frames(&bytes, Some(format)).into_iter();
        assert!(matches!(came.next(), Some(Structure::WireFormatInfo(_))));
        assert!(matches!(came.next(), Some(Structure::BrokerInfo(_))));
        client.encoder = Encoder::new(format);
        client
    }

    /// One that has introduced itself.
    pub(super) fn new(broker: &'a TestBroker, id: &str) -> Self {
        let mut client = Self::greeted(broker, id, true);
        client.introduce();
        client
    }

    /// The same without an object cache.
    pub(super) fn uncached(broker: &'a TestBroker, id: &str) -> Self {
        let mut client = Self::greeted(broker, id, false);
        client.introduce();
        client
    }

    fn introduce(&mut self) {
        let info = ConnectionInfo {
            command_id: self.number(),
            response_required: true,
            connection_id: Some(self.connection().into()),
            client_id: Some(self.id.clone()),
            ..Default::default()
        };
        let came = self.send(&info);
        assert!(matches!(came[..], [Structure::Response(_)]), "{came:?}");
    }

    pub(super) fn number(&mut self) -> i32 {
        self.next += 1;
        self.next
    }

    pub(super) fn connection(&self) -> ConnectionId {
        ConnectionId { value: Some(self.id.clone()) }
    }

    pub(super) fn session(&self, value: i64) -> SessionId {
        SessionId { connection_id: Some(self.id.clone()), value }
    }

    pub(super) fn consumer(&self, value: i64) -> ConsumerId {
        ConsumerId { connection_id: Some(self.id.clone()), session_id: 1, value }
    }

    pub(super) fn producer(&self, value: i64) -> ProducerId {
        ProducerId { connection_id: Some(self.id.clone()), session_id: 1, value }
    }

    pub(super) fn transaction(&self, value: i64) -> TransactionId {
        TransactionId::Local(LocalTransactionId { value, connection_id: Some(self.connection().into()) })
    }

    /// Sends a command; answers what comes back at once.
    pub(super) fn send<T: Nested>(&mut self, command: &T) -> Vec<Structure> {
        let mut out = BytesMut::new();
        self.encoder.encode(command, &mut out);
        self.send_raw(&out)
    }

    /// Sends many commands at once.
    pub(super) fn send_all<T: Nested>(&mut self, commands: impl IntoIterator<Item = T>) -> Vec<Structure> {
        let mut out = BytesMut::new();
        commands.into_iter().for_each(|command| self.encoder.encode(&command, &mut out));
        let mut came = self.send_raw(&out);
        while !self.inner.is_read() && self.inner.closed.is_none() {
            came.extend(self.turn());
        }
        came
    }

    pub(super) fn send_raw(&mut self, bytes: &[u8]) -> Vec<Structure> {
        let bytes = self.inner.send(self.broker, bytes);
        self.frames(&bytes, None)
    }

    pub(super) fn turn(&mut self) -> Vec<Structure> {
        let bytes = self.inner.turn(self.broker);
        self.frames(&bytes, None)
    }

    /// What comes next, which another thread of the broker sees to.
    pub(super) fn wait(&mut self) -> Vec<Structure> {
        let bytes = self.inner.wait(self.broker, |bytes| !bytes.is_empty());
        self.frames(&bytes, None)
    }

    fn frames(&mut self, bytes: &[u8], mut then: Option<Format>) -> Vec<Structure> {
        let mut rest = Bytes::copy_from_slice(bytes);
        let mut all = Vec::new();
        while !rest.is_empty() {
            let len = frame_len(&rest, 64 << 20).unwrap().unwrap();
            let frame = rest.split_to(len);
            all.push(self.decoder.decode(&frame.slice(4..)).unwrap());
            if let Some(format) = then.take() {
                self.decoder = Decoder::new(format);
            }
        }
        all
    }

    pub(super) fn consume(&mut self, value: i64, destination: &Destination, prefetch: i32) -> Vec<Structure> {
        let info = ConsumerInfo {
            command_id: self.number(),
            response_required: true,
            consumer_id: Some(self.consumer(value).into()),
            destination: Some(destination.clone().into()),
            prefetch_size: prefetch,
            ..Default::default()
        };
        self.send(&info)
    }

    pub(super) fn produce(&mut self, value: i64) {
        let info = ProducerInfo {
            command_id: self.number(),
            response_required: true,
            producer_id: Some(self.producer(value).into()),
            ..Default::default()
        };
        let came = self.send(&info);
        assert!(matches!(came[..], [Structure::Response(_)]), "{came:?}");
    }

    /// A message of the producer 1.
    pub(super) fn message(&mut self, to: &Destination, content: &[u8]) -> Message {
        let number = self.number();
        let producer: Arc<ProducerId> = self.producer(1).into();
        Message {
            kind: MessageKind::Bytes,
            command_id: number,
            response_required: true,
            producer_id: Some(Arc::clone(&producer)),
            destination: Some(to.clone().into()),
            message_id: Some(MessageId {
                producer_id: Some(producer),
                producer_sequence_id: number.into(),
                ..Default::default()
            }),
            persistent: true,
            priority: 4,
            content: Some(Bytes::copy_from_slice(content)),
            ..Default::default()
        }
    }

    /// An acknowledgement of what was dispatched from one message to another.
    pub(super) fn ack(&self, kind: i8, first: &MessageDispatch, last: &MessageDispatch) -> MessageAck {
        let id = |dispatch: &MessageDispatch| {
            dispatch.message.as_ref().and_then(|message| message.message_id.clone())
        };
        MessageAck {
            destination: first.destination.clone(),
            consumer_id: first.consumer_id.clone(),
            ack_type: kind,
            first_message_id: id(first),
            last_message_id: id(last),
            message_count: 1,
            ..Default::default()
        }
    }

    pub(super) fn pull(&self, value: i64, from: &Destination, timeout: i64) -> MessagePull {
        MessagePull {
            consumer_id: Some(self.consumer(value).into()),
            destination: Some(from.clone().into()),
            timeout,
            ..Default::default()
        }
    }

    pub(super) fn step(&mut self, transaction: &TransactionId, operation: i8) -> TransactionInfo {
        TransactionInfo {
            command_id: self.number(),
            response_required: true,
            connection_id: Some(self.connection().into()),
            transaction_id: Some(transaction.clone().into()),
            operation,
        }
    }

    pub(super) fn close(mut self) {
        self.inner.close(Closed::Lost);
    }
}

pub(super) fn queue(name: &str) -> Destination {
    Destination::new(DestinationKind::Queue, name)
}

pub(super) fn topic(name: &str) -> Destination {
    Destination::new(DestinationKind::Topic, name)
}

/// The deliveries among what came.
pub(super) fn dispatched(came: &[Structure]) -> Vec<MessageDispatch> {
    let dispatch = |structure: &Structure| match structure {
        Structure::MessageDispatch(dispatch) => Some((**dispatch).clone()),
        _ => None,
    };
    came.iter().filter_map(dispatch).collect()
}

/// The classes of the exceptions among what came, waited for or not, with what they say.
pub(super) fn faults(came: &[Structure]) -> Vec<(String, String)> {
    let fault = |structure: &Structure| {
        let exception = match structure {
            Structure::ExceptionResponse(response) => response.exception.as_ref(),
            Structure::ConnectionError(error) => error.exception.as_ref(),
            _ => None,
        }?;
        let said =
            |text: &Option<Text>| text.as_ref().map(|text| text.decode().into_owned()).unwrap_or_default();
        Some((said(&exception.class), said(&exception.message)))
    };
    came.iter().filter_map(fault).collect()
}
