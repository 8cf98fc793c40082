//! Structures: what they have in common, and the table form in which they are written down.

use crate::error::Error;
use crate::reader::Reader;
use crate::writer::Writer;

/// A structure that can stand inside another one.
pub trait Nested: Sized {
    /// The byte that announces it.
    fn type_id(&self) -> u8;
    #[doc(hidden)]
    fn read(type_id: u8, reader: &mut Reader<'_>) -> Result<Self, Error>;
    #[doc(hidden)]
    fn write(&self, writer: &mut Writer<'_>);
}

/// Defines structures from their tables: the type byte, then the fields in the order of the wire, each
/// with the versions that have it where not all do.
macro_rules! structures {
    ($($(#[$doc:meta])* $name:ident = $id:literal {
        $($field:ident: $type:ty $(, in $since:literal..=$until:literal)?;)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the fields bear the names of the wire format")]
        pub struct $name { $(pub $field: $type,)* }

        impl $crate::structure::Nested for $name {
            fn type_id(&self) -> u8 {
                $id
            }

            #[allow(unused_variables, unused_mut, reason = "a structure may have no field for a version")]
            fn read(type_id: u8, reader: &mut $crate::reader::Reader<'_>) -> Result<Self, $crate::error::Error> {
                if type_id != $id {
                    return Err($crate::error::Error::UnexpectedType { expected: stringify!($name), found: type_id });
                }
                let version = reader.format.version;
                let mut read = Self::default();
                $($crate::structure::versioned!((version $(, $since, $until)?) {
                    read.$field = $crate::field::Field::read(reader)?;
                });)*
                Ok(read)
            }

            #[allow(unused_variables, reason = "a structure may have no field for a version")]
            fn write(&self, writer: &mut $crate::writer::Writer<'_>) {
                let version = writer.format.version;
                $($crate::structure::versioned!((version $(, $since, $until)?) {
                    $crate::field::Field::write(&self.$field, writer);
                });)*
            }
        }
    )*};
}

macro_rules! versioned {
    (($version:ident) $body:block) => {
        $body
    };
    (($version:ident, $since:literal, $until:literal) $body:block) => {
        if ($since..=$until).contains(&$version) $body
    };
}

pub(crate) use {structures, versioned};

fn boxed<T: Nested>(type_id: u8, reader: &mut Reader<'_>) -> Result<Box<T>, Error> {
    reader.charge(size_of::<T>())?;
    T::read(type_id, reader).map(Box::new)
}

/// Defines [`Structure`] with a variant for each type that has one structure of its own.
macro_rules! any_structure {
    ($($name:ident = $id:literal,)*) => {
        /// Any structure.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each variant is the structure of its name")]
        pub enum Structure {
            $($name(Box<crate::$name>),)*
            Message(Box<crate::Message>),
            Destination(Box<crate::Destination>),
        }

        impl Nested for Structure {
            fn type_id(&self) -> u8 {
                match self {
                    $(Self::$name(_) => $id,)*
                    Self::Message(message) => message.type_id(),
                    Self::Destination(destination) => destination.type_id(),
                }
            }

            fn read(type_id: u8, reader: &mut Reader<'_>) -> Result<Self, Error> {
                match type_id {
                    $($id => boxed(type_id, reader).map(Self::$name),)*
                    23..=29 => boxed(type_id, reader).map(Self::Message),
                    100..=103 => boxed(type_id, reader).map(Self::Destination),
                    other => Err(Error::UnknownType(other)),
                }
            }

            fn write(&self, writer: &mut Writer<'_>) {
                match self {
                    $(Self::$name(structure) => structure.write(writer),)*
                    Self::Message(message) => message.write(writer),
                    Self::Destination(destination) => destination.write(writer),
                }
            }
        }
    };
}

any_structure! {
    WireFormatInfo = 1,
    BrokerInfo = 2,
    ConnectionInfo = 3,
    SessionInfo = 4,
    ConsumerInfo = 5,
    ProducerInfo = 6,
    TransactionInfo = 7,
    DestinationInfo = 8,
    RemoveSubscriptionInfo = 9,
    KeepAliveInfo = 10,
    ShutdownInfo = 11,
    RemoveInfo = 12,
    ControlCommand = 14,
    FlushCommand = 15,
    ConnectionError = 16,
    ConsumerControl = 17,
    ConnectionControl = 18,
    ProducerAck = 19,
    MessagePull = 20,
    MessageDispatch = 21,
    MessageAck = 22,
    Response = 30,
    ExceptionResponse = 31,
    DataResponse = 32,
    DataArrayResponse = 33,
    IntegerResponse = 34,
    DiscoveryEvent = 40,
    JournalTopicAck = 50,
    JournalQueueAck = 52,
    JournalTrace = 53,
    JournalTransaction = 54,
    SubscriptionInfo = 55,
    PartialCommand = 60,
    LastPartialCommand = 61,
    ReplayCommand = 65,
    MessageDispatchNotification = 90,
    NetworkBridgeFilter = 91,
    BrokerSubscriptionInfo = 92,
    MessageId = 110,
    LocalTransactionId = 111,
    XATransactionId = 112,
    ConnectionId = 120,
    SessionId = 121,
    ConsumerId = 122,
    ProducerId = 123,
    BrokerId = 124,
}
