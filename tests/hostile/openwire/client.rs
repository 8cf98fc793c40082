//! An OpenWire client of a few lines, that can also misbehave.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use wharfmq_openwire::{
    ConnectionId, ConnectionInfo, ConsumerId, ConsumerInfo, Decoder, Destination, DestinationKind, Encoder,
    Format, LocalTransactionId, Message, MessageAck, MessageDispatch, MessageId, MessageKind, Nested,
    ProducerId, ProducerInfo, Proposal, SessionId, Structure, Text, TransactionId, TransactionInfo,
    frame_len, negotiate,
};

use crate::support::PATIENCE;

const FRAME_MAX: usize = 64 << 20;

pub(super) struct Client {
    pub(super) stream: TcpStream,
    buffer: BytesMut,
    encoder: Encoder,
    decoder: Decoder,
    pub(super) id: Text,
    number: i32,
    /// What was dispatched to it while it was prepared.
    pub(super) came: Vec<MessageDispatch>,
}

/// What a stock client proposes, but without an object cache, which raw bytes would disturb.
pub(super) fn proposal() -> Proposal {
    Proposal {
        version: 12,
        tight: true,
        stack_traces: true,
        inactivity: 30_000,
        inactivity_delay: 10_000,
        max_frame: i64::MAX,
        ..Proposal::default()
    }
}

impl Client {
    /// A connection on which nothing has been said.
    pub(super) fn open(broker: SocketAddr, id: &str) -> Self {
        let stream = TcpStream::connect(broker).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let first = Format::default();
        Self {
            stream,
            buffer: BytesMut::new(),
            encoder: Encoder::new(first),
            decoder: Decoder::new(first),
            id: id.into(),
            number: 0,
            came: Vec::new(),
        }
    }

    /// Agrees on a format by this proposal.
    pub(super) fn greet(&mut self, proposal: &Proposal) {
        self.send(&proposal.write());
        let Some(Structure::WireFormatInfo(info)) = self.next_within(PATIENCE) else {
            panic!("no WireFormatInfo")
        };
        let format = negotiate(proposal, &Proposal::read(&info).unwrap());
        (self.encoder, self.decoder) = (Encoder::new(format), Decoder::new(format));
        let answer = self.next_within(PATIENCE);
        assert!(matches!(answer, Some(Structure::BrokerInfo(_))), "{answer:?}");
    }

    pub(super) fn login(&mut self) {
        let info = ConnectionInfo { client_id: Some(self.id.clone()), ..self.connection_info() };
        self.ask(&info);
    }

    /// One that has logged in as a stock client does, with an object cache.
    pub(super) fn connect(broker: SocketAddr, id: &str) -> Self {
        let mut client = Self::open(broker, id);
        client.greet(&Proposal { cache: true, cache_size: 1_024, ..proposal() });
        client.login();
        client
    }

    /// Sends a command that is to succeed. What is dispatched meanwhile is kept.
    #[track_caller]
    pub(super) fn ask<T: Nested>(&mut self, command: &T) {
        self.send(command);
        loop {
            match self.next_within(PATIENCE) {
                Some(Structure::Response(_)) => return,
                Some(Structure::MessageDispatch(dispatch)) => self.came.push(*dispatch),
                other => panic!("no Response: {other:?}"),
            }
        }
    }

    /// The next message dispatched.
    #[track_caller]
    pub(super) fn take(&mut self) -> MessageDispatch {
        if !self.came.is_empty() {
            return self.came.remove(0);
        }
        match self.next_within(PATIENCE) {
            Some(Structure::MessageDispatch(dispatch)) => *dispatch,
            other => panic!("no MessageDispatch: {other:?}"),
        }
    }

    pub(super) fn send<T: Nested>(&mut self, command: &T) {
        let bytes = self.bytes(command);
        self.raw(&bytes);
    }

    /// A command as it is sent.
    pub(super) fn bytes<T: Nested>(&mut self, command: &T) -> Bytes {
        let mut out = BytesMut::new();
        self.encoder.encode(command, &mut out);
        out.freeze()
    }

    /// Fails where the broker has closed before it has read all; how it ends shows that.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The body of a frame.
    pub(super) fn body(&mut self, body: &[u8]) {
        let frame = [&(body.len() as u32).to_be_bytes()[..], body].concat();
        self.raw(&frame);
    }

    /// The next command; `None` where the connection is closed or nothing has come in time.
    pub(super) fn next_within(&mut self, patience: Duration) -> Option<Structure> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(len) =
                frame_len(&self.buffer, FRAME_MAX).unwrap().filter(|len| *len <= self.buffer.len())
            {
                let frame = self.buffer.split_to(len).freeze();
                return Some(self.decoder.decode(&frame.slice(4..)).unwrap());
            }
            if !self.fill(deadline) {
                return None;
            }
        }
    }

    /// Reads more; false at the end of the stream or of the time.
    fn fill(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left)).unwrap();
        let mut piece = [0; 16_384];
        match self.stream.read(&mut piece) {
            Ok(0) | Err(_) => false,
            Ok(len) => {
                self.buffer.extend_from_slice(&piece[..len]);
                true
            }
        }
    }

    /// Whether the broker has closed, or does so in this time.
    pub(super) fn is_closed_within(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        match self.stream.peek(&mut [0]) {
            Ok(len) => len == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    pub(super) fn number(&mut self) -> i32 {
        self.number += 1;
        self.number
    }

    pub(super) fn connection(&self) -> Arc<ConnectionId> {
        ConnectionId { value: Some(self.id.clone()) }.into()
    }

    pub(super) fn session(&self, value: i64) -> Arc<SessionId> {
        SessionId { connection_id: Some(self.id.clone()), value }.into()
    }

    pub(super) fn consumer(&self, value: i64) -> Arc<ConsumerId> {
        ConsumerId { connection_id: Some(self.id.clone()), session_id: 1, value }.into()
    }

    pub(super) fn producer(&self, value: i64) -> Arc<ProducerId> {
        ProducerId { connection_id: Some(self.id.clone()), session_id: 1, value }.into()
    }

    pub(super) fn transaction(&self, value: i64) -> Arc<TransactionId> {
        TransactionId::Local(LocalTransactionId { value, connection_id: Some(self.connection()) }).into()
    }

    pub(super) fn connection_info(&mut self) -> ConnectionInfo {
        ConnectionInfo {
            command_id: self.number(),
            response_required: true,
            connection_id: Some(self.connection()),
            ..Default::default()
        }
    }

    pub(super) fn producer_info(&mut self, value: i64) -> ProducerInfo {
        ProducerInfo {
            command_id: self.number(),
            response_required: true,
            producer_id: Some(self.producer(value)),
            ..Default::default()
        }
    }

    pub(super) fn consumer_info(&mut self, value: i64, from: &Destination) -> ConsumerInfo {
        ConsumerInfo {
            command_id: self.number(),
            response_required: true,
            consumer_id: Some(self.consumer(value)),
            destination: Some(from.clone().into()),
            prefetch_size: 10,
            ..Default::default()
        }
    }

    /// A message of the producer 1.
    pub(super) fn message(&mut self, to: &Destination) -> Message {
        let number = self.number();
        Message {
            kind: MessageKind::Bytes,
            command_id: number,
            response_required: true,
            producer_id: Some(self.producer(1)),
            destination: Some(to.clone().into()),
            message_id: Some(MessageId {
                producer_id: Some(self.producer(1)),
                producer_sequence_id: number.into(),
                ..Default::default()
            }),
            persistent: true,
            priority: 4,
            content: Some(Bytes::from_static(b"hello")),
            ..Default::default()
        }
    }

    pub(super) fn step(&mut self, transaction: i64, operation: i8) -> TransactionInfo {
        TransactionInfo {
            command_id: self.number(),
            response_required: true,
            connection_id: Some(self.connection()),
            transaction_id: Some(self.transaction(transaction)),
            operation,
        }
    }

    /// The acknowledgement of what was dispatched from one message to another.
    pub(super) fn ack(&mut self, kind: i8, first: &MessageDispatch, last: &MessageDispatch) -> MessageAck {
        let id = |dispatch: &MessageDispatch| {
            dispatch.message.as_ref().and_then(|message| message.message_id.clone())
        };
        MessageAck {
            command_id: self.number(),
            response_required: true,
            destination: last.destination.clone(),
            consumer_id: last.consumer_id.clone(),
            ack_type: kind,
            first_message_id: id(first),
            last_message_id: id(last),
            message_count: 1,
            ..Default::default()
        }
    }
}

pub(super) fn queue(name: &str) -> Destination {
    Destination::new(DestinationKind::Queue, name)
}

pub(super) fn topic(name: &str) -> Destination {
    Destination::new(DestinationKind::Topic, name)
}
