//! Messages.

use std::sync::Arc;

use bytes::Bytes;

use crate::destination::Destination;
use crate::error::Error;
use crate::field::Field;
use crate::ids::{BrokerId, ConsumerId, MessageId, ProducerId, TransactionId};
use crate::reader::Reader;
use crate::structure::{Nested, Structure, versioned};
use crate::text::Text;
use crate::writer::Writer;

/// The types of messages, by their type bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageKind {
    /// Headers and properties only.
    #[default]
    Plain = 23,
    /// Bytes.
    Bytes = 24,
    /// Names and values.
    Map = 25,
    /// A serialised Java object, which stays bytes.
    Object = 26,
    /// Values in a row.
    Stream = 27,
    /// Text.
    Text = 28,
    /// A reference to something stored elsewhere.
    Blob = 29,
}

/// Where the content of a blob message is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields bear the names of the wire format")]
pub struct Blob {
    pub remote_blob_url: Option<Text>,
    pub mime_type: Option<Text>,
    pub deleted_by_broker: bool,
}

/// Whether a type announces with a bit that it comes in a frame of its own, in the tight encoding.
pub(crate) const fn is_marshal_aware(type_id: u8) -> bool {
    matches!(type_id, 1 | 23..=29)
}

macro_rules! message {
    ($($field:ident: $type:ty $(, in $since:literal..=$until:literal)?;)*) => {
        /// A message of any type.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the fields bear the names of the wire format")]
        pub struct Message {
            /// Its type.
            pub kind: MessageKind,
            $(pub $field: $type,)*
            /// What a blob message has more than others.
            pub blob: Option<Box<Blob>>,
        }

        impl Message {
            fn read_fields(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
                let version = reader.format.version;
                $(versioned!((version $(, $since, $until)?) {
                    self.$field = Field::read(reader)?;
                });)*
                Ok(())
            }

            fn write_fields(&self, writer: &mut Writer<'_>) {
                let version = writer.format.version;
                $(versioned!((version $(, $since, $until)?) {
                    Field::write(&self.$field, writer);
                });)*
            }
        }
    };
}

message! {
    command_id: i32;
    response_required: bool;
    producer_id: Option<Arc<ProducerId>>;
    destination: Option<Arc<Destination>>;
    transaction_id: Option<Arc<TransactionId>>;
    original_destination: Option<Arc<Destination>>;
    message_id: Option<MessageId>;
    original_transaction_id: Option<Arc<TransactionId>>;
    group_id: Option<Text>;
    group_sequence: i32;
    correlation_id: Option<Text>;
    persistent: bool;
    expiration: i64;
    priority: i8;
    reply_to: Option<Box<Destination>>;
    timestamp: i64;
    jms_type: Option<Text>;
    content: Option<Bytes>;
    marshalled_properties: Option<Bytes>;
    data_structure: Option<Box<Structure>>;
    target_consumer_id: Option<Arc<ConsumerId>>;
    compressed: bool;
    redelivery_counter: i32;
    broker_path: Option<Vec<Option<Box<BrokerId>>>>;
    arrival: i64;
    user_id: Option<Text>;
    received_by_df_bridge: bool;
    droppable: bool, in 2..=12;
    cluster: Option<Vec<Option<Box<BrokerId>>>>, in 3..=12;
    broker_in_time: i64, in 3..=12;
    broker_out_time: i64, in 3..=12;
    jmsx_group_first_for_consumer: bool, in 10..=12;
}

impl MessageKind {
    /// The type of this byte.
    pub const fn of(type_id: u8) -> Option<Self> {
        Some(match type_id {
            23 => Self::Plain,
            24 => Self::Bytes,
            25 => Self::Map,
            26 => Self::Object,
            27 => Self::Stream,
            28 => Self::Text,
            29 => Self::Blob,
            _ => return None,
        })
    }
}

impl Nested for Message {
    fn type_id(&self) -> u8 {
        self.kind as u8
    }

    fn read(type_id: u8, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let kind = MessageKind::of(type_id);
        let kind = kind.ok_or(Error::UnexpectedType { expected: "a message", found: type_id })?;
        let mut message = Self { kind, ..Self::default() };
        message.read_fields(reader)?;
        if kind == MessageKind::Blob {
            message.blob = Some(Box::new(Blob::read(reader)?));
        }
        Ok(message)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.write_fields(writer);
        if self.kind == MessageKind::Blob {
            match &self.blob {
                Some(blob) => blob.write(writer),
                None => Blob::default().write(writer),
            }
        }
    }
}

impl Blob {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if reader.format.version < 3 {
            return Ok(Self::default());
        }
        Ok(Self {
            remote_blob_url: Field::read(reader)?,
            mime_type: Field::read(reader)?,
            deleted_by_broker: Field::read(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        if writer.format.version < 3 {
            return;
        }
        self.remote_blob_url.write(writer);
        self.mime_type.write(writer);
        self.deleted_by_broker.write(writer);
    }
}
