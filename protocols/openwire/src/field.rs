//! How the values of fields are read and written.

use std::sync::Arc;

use bytes::Bytes;

use crate::cache::Cacheable;
use crate::error::Error;
use crate::ids::MessageId;
use crate::reader::Reader;
use crate::structure::Nested;
use crate::text::Text;
use crate::throwable::Throwable;
use crate::writer::Writer;

/// A value that a structure can have as a field.
pub(crate) trait Field: Sized {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error>;
    fn write(&self, writer: &mut Writer<'_>);
}

impl Field for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.flag()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.flag(*self);
    }
}

impl Field for i8 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array().map(Self::from_be_bytes)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.raw(&self.to_be_bytes());
    }
}

impl Field for i32 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array().map(Self::from_be_bytes)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.raw(&self.to_be_bytes());
    }
}

impl Field for i64 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.long()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.long(*self);
    }
}

impl Field for [u8; 8] {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.raw(self);
    }
}

impl Field for Option<Text> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.text()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.text(self.as_ref());
    }
}

impl Field for Option<Bytes> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if !reader.flag()? {
            return Ok(None);
        }
        let len = reader.length("the length of a byte sequence")?;
        reader.take(len).map(Some)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.flag(self.is_some());
        if let Some(bytes) = self {
            writer.raw(&(bytes.len() as u32).to_be_bytes());
            writer.raw(bytes);
        }
    }
}

impl<T: Nested> Field for Option<Box<T>> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(reader.nested()?.map(Box::new))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.nested(self.as_deref());
    }
}

impl Field for Option<MessageId> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.nested()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.nested(self.as_ref());
    }
}

impl Field for Option<Box<Throwable>> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Throwable::read(reader)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        Throwable::write(self.as_deref(), writer);
    }
}

/// What the object cache holds where there is one.
impl<T: Nested + Cacheable> Field for Option<Arc<T>> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.cached()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.cached(self.as_ref());
    }
}

impl<T: Nested> Field for Option<Vec<Option<Box<T>>>> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if !reader.flag()? {
            return Ok(None);
        }
        let count = i16::from_be_bytes(reader.array()?);
        let count = usize::try_from(count).map_err(|_| Error::Negative("the length of an array"))?;
        // Grown as elements come: the count alone reserves nothing.
        let mut elements = Vec::new();
        for _ in 0..count {
            reader.charge(0)?;
            elements.push(reader.nested()?.map(Box::new));
        }
        Ok(Some(elements))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.flag(self.is_some());
        let Some(elements) = self else { return };
        let sent = elements.get(..i16::MAX as usize).unwrap_or(elements);
        writer.raw(&(sent.len() as u16).to_be_bytes());
        for element in sent {
            writer.nested(element.as_deref());
        }
    }
}
