//! The ids that commands name things by.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::Error;
use crate::reader::Reader;
use crate::structure::{Nested, structures};
use crate::text::Text;
use crate::writer::Writer;

structures! {
    /// The identity of a message: its producer, and a number there.
    MessageId = 110 {
        text_view: Option<Text>, in 10..=12;
        producer_id: Option<Arc<ProducerId>>;
        producer_sequence_id: i64;
        broker_sequence_id: i64;
    }
    /// A transaction of one connection.
    LocalTransactionId = 111 {
        value: i64;
        connection_id: Option<Arc<ConnectionId>>;
    }
    /// A branch of a distributed transaction.
    XATransactionId = 112 {
        format_id: i32;
        global_transaction_id: Option<Bytes>;
        branch_qualifier: Option<Bytes>;
    }
    /// A connection, by an id that the client chose.
    ConnectionId = 120 {
        value: Option<Text>;
    }
    /// A session of a connection. Number -1 is there without being opened.
    SessionId = 121 {
        connection_id: Option<Text>;
        value: i64;
    }
    /// A consumer of a session.
    ConsumerId = 122 {
        connection_id: Option<Text>;
        session_id: i64;
        value: i64;
    }
    /// A producer of a session.
    ProducerId = 123 {
        connection_id: Option<Text>;
        value: i64;
        session_id: i64;
    }
    /// A broker.
    BrokerId = 124 {
        value: Option<Text>;
    }
}

/// A transaction of either kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransactionId {
    /// Of one connection.
    Local(LocalTransactionId),
    /// A branch of a distributed one.
    Xa(XATransactionId),
}

impl Nested for TransactionId {
    fn type_id(&self) -> u8 {
        match self {
            Self::Local(id) => id.type_id(),
            Self::Xa(id) => id.type_id(),
        }
    }

    fn read(type_id: u8, reader: &mut Reader<'_>) -> Result<Self, Error> {
        match type_id {
            111 => Nested::read(type_id, reader).map(Self::Local),
            112 => Nested::read(type_id, reader).map(Self::Xa),
            found => Err(Error::UnexpectedType { expected: "a transaction id", found }),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Local(id) => id.write(writer),
            Self::Xa(id) => id.write(writer),
        }
    }
}
