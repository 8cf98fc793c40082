//! Builds a property block for the encoder.

use super::{Properties, PropertyId, PropertyType, Value, validate};
use crate::EncodeError;
use bytes::{BufMut, BytesMut};

/// Writes properties into a scratch buffer that the caller keeps between packets.
///
/// Values are checked for type, range and length; whether a property may stand in the packet it is meant for,
/// and only once, is up to the caller.
#[derive(Debug)]
pub struct PropertyWriter<'b> {
    out: &'b mut BytesMut,
}

impl<'b> PropertyWriter<'b> {
    /// Starts an empty block; what is in the scratch buffer is cleared.
    pub fn new(scratch: &'b mut BytesMut) -> Self {
        scratch.clear();
        Self { out: scratch }
    }

    /// Appends one property.
    ///
    /// # Errors
    /// [`EncodeError::PropertyValue`] for a value of the wrong type or out of range,
    /// [`EncodeError::FieldTooLong`]; nothing is written then.
    pub fn put(&mut self, id: PropertyId, value: Value<'_>) -> Result<&mut Self, EncodeError> {
        if !fits(id.kind(), value) || validate::check_value(id, value).is_err() {
            return Err(EncodeError::PropertyValue);
        }
        match value {
            Value::Byte(value) => self.out.put_slice(&[id as u8, value]),
            Value::U16(value) => {
                self.out.put_u8(id as u8);
                self.out.put_u16(value);
            }
            Value::U32(value) => {
                self.out.put_u8(id as u8);
                self.out.put_u32(value);
            }
            Value::VarInt(value) => {
                self.out.put_u8(id as u8);
                crate::encode::put_var_int(self.out, value);
            }
            Value::Text(text) => self.put_fields(id, &[text.as_bytes()])?,
            Value::Binary(data) => self.put_fields(id, &[data])?,
            Value::Pair(name, value) => self.put_fields(id, &[name.as_bytes(), value.as_bytes()])?,
        }
        Ok(self)
    }

    /// Appends a user property.
    ///
    /// # Errors
    /// [`EncodeError::FieldTooLong`].
    pub fn user(&mut self, name: &str, value: &str) -> Result<&mut Self, EncodeError> {
        self.put(PropertyId::UserProperty, Value::Pair(name, value))
    }

    /// Appends those properties of another block whose identifier `keep` accepts, byte for byte.
    pub fn copy(&mut self, from: Properties<'_>, mut keep: impl FnMut(PropertyId) -> bool) -> &mut Self {
        for (id, raw) in from.raw_iter() {
            if keep(id) {
                self.out.put_slice(raw);
            }
        }
        self
    }

    /// The block so far.
    #[must_use]
    pub fn finish(&self) -> Properties<'_> {
        Properties::from_raw(self.out)
    }

    fn put_fields(&mut self, id: PropertyId, fields: &[&[u8]]) -> Result<(), EncodeError> {
        if fields.iter().any(|field| field.len() > usize::from(u16::MAX)) {
            return Err(EncodeError::FieldTooLong);
        }
        self.out.put_u8(id as u8);
        for field in fields {
            self.out.put_u16(field.len() as u16);
            self.out.put_slice(field);
        }
        Ok(())
    }
}

const fn fits(kind: PropertyType, value: Value<'_>) -> bool {
    match (kind, value) {
        (PropertyType::Byte, Value::Byte(_))
        | (PropertyType::U16, Value::U16(_))
        | (PropertyType::U32, Value::U32(_))
        | (PropertyType::Text, Value::Text(_))
        | (PropertyType::Binary, Value::Binary(_))
        | (PropertyType::Pair, Value::Pair(..)) => true,
        (PropertyType::VarInt, Value::VarInt(value)) => value <= crate::MAX_VAR_INT,
        _ => false,
    }
}
