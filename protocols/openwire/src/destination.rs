//! Destinations.

use crate::error::Error;
use crate::field::Field;
use crate::reader::Reader;
use crate::structure::Nested;
use crate::text::Text;
use crate::writer::Writer;

/// A destination by kind and name. Commas in a name stand between several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// What it is.
    pub kind: DestinationKind,
    /// Its name, without options.
    pub physical_name: Option<Text>,
}

/// The four types of destinations, by their type bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DestinationKind {
    /// A queue.
    Queue = 100,
    /// A topic.
    Topic = 101,
    /// A queue of one connection.
    TempQueue = 102,
    /// A topic of one connection.
    TempTopic = 103,
}

impl Destination {
    /// A destination of this name.
    pub fn new(kind: DestinationKind, name: impl Into<Text>) -> Self {
        Self { kind, physical_name: Some(name.into()) }
    }
}

impl DestinationKind {
    /// Whether messages are for all subscribers rather than for one consumer.
    pub const fn is_topic(self) -> bool {
        matches!(self, Self::Topic | Self::TempTopic)
    }

    /// Whether it ends with a connection.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::TempQueue | Self::TempTopic)
    }
}

impl Nested for Destination {
    fn type_id(&self) -> u8 {
        self.kind as u8
    }

    fn read(type_id: u8, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let kind = match type_id {
            100 => DestinationKind::Queue,
            101 => DestinationKind::Topic,
            102 => DestinationKind::TempQueue,
            103 => DestinationKind::TempTopic,
            found => return Err(Error::UnexpectedType { expected: "a destination", found }),
        };
        Ok(Self { kind, physical_name: Field::read(reader)? })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.physical_name.write(writer);
    }
}
