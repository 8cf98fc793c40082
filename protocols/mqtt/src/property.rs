//! Properties of MQTT 5 (section 2.2.2): validated once, then read lazily from the raw block.

mod id;
mod validate;
mod writer;

pub use id::{PropertyId, PropertyType};
pub use writer::PropertyWriter;

pub(crate) use id::Place;
pub(crate) use validate::read;

use crate::read::Reader;
use core::fmt;

/// The property block of a packet, without its length. Empty in MQTT 3.x.
///
/// Its content has been validated for the packet it came in, so reading it cannot fail.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    raw: &'a [u8],
}

/// The value of one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// One byte.
    Byte(u8),
    /// Two bytes, big endian.
    U16(u16),
    /// Four bytes, big endian.
    U32(u32),
    /// A variable byte integer, at most [`crate::MAX_VAR_INT`].
    VarInt(u32),
    /// A UTF-8 string.
    Text(&'a str),
    /// Binary data.
    Binary(&'a [u8]),
    /// A name and its value.
    Pair(&'a str, &'a str),
}

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Self = Self { raw: &[] };

    /// A block without its length that was taken from a decoded packet or written by a [`PropertyWriter`].
    /// Of other bytes, what cannot be read is passed over.
    pub const fn from_raw(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The block as it is on the wire, without its length.
    #[inline]
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// All properties in the order of the wire.
    #[inline]
    #[must_use]
    pub const fn iter(self) -> PropertyIter<'a> {
        PropertyIter { reader: Reader::new(self.raw) }
    }

    /// All properties with their bytes on the wire, identifier included: for passing some of them on.
    #[must_use]
    pub const fn raw_iter(self) -> RawPropertyIter<'a> {
        RawPropertyIter { reader: Reader::new(self.raw) }
    }

    /// The first property with this identifier.
    #[must_use]
    pub fn get(self, id: PropertyId) -> Option<Value<'a>> {
        self.iter().find_map(|(found, value)| (found == id).then_some(value))
    }

    /// The value of a one-byte property.
    #[must_use]
    pub fn byte(self, id: PropertyId) -> Option<u8> {
        if let Some(Value::Byte(value)) = self.get(id) { Some(value) } else { None }
    }

    /// The value of a property that is a flag.
    #[must_use]
    pub fn flag(self, id: PropertyId) -> Option<bool> {
        self.byte(id).map(|value| value != 0)
    }

    /// The value of a two-byte property.
    #[must_use]
    pub fn u16(self, id: PropertyId) -> Option<u16> {
        if let Some(Value::U16(value)) = self.get(id) { Some(value) } else { None }
    }

    /// The value of a four-byte property.
    #[must_use]
    pub fn u32(self, id: PropertyId) -> Option<u32> {
        if let Some(Value::U32(value)) = self.get(id) { Some(value) } else { None }
    }

    /// The value of a string property.
    #[must_use]
    pub fn text(self, id: PropertyId) -> Option<&'a str> {
        if let Some(Value::Text(value)) = self.get(id) { Some(value) } else { None }
    }

    /// The value of a binary property.
    #[must_use]
    pub fn binary(self, id: PropertyId) -> Option<&'a [u8]> {
        if let Some(Value::Binary(value)) = self.get(id) { Some(value) } else { None }
    }

    /// Subscription identifiers: at most one in SUBSCRIBE, any number in a PUBLISH from a server.
    pub fn subscription_ids(self) -> impl Iterator<Item = u32> + 'a {
        self.iter().filter_map(|property| match property {
            (PropertyId::SubscriptionIdentifier, Value::VarInt(id)) => Some(id),
            _ => None,
        })
    }

    /// User properties in the order they were sent.
    pub fn user_properties(self) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.iter().filter_map(|property| match property {
            (PropertyId::UserProperty, Value::Pair(name, value)) => Some((name, value)),
            _ => None,
        })
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = (PropertyId, Value<'a>);
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Iterator of [`Properties::iter`].
#[derive(Clone)]
pub struct PropertyIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for PropertyIter<'a> {
    type Item = (PropertyId, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        validate::property(&mut self.reader).ok()
    }
}

/// Iterator of [`Properties::raw_iter`].
#[derive(Clone)]
pub struct RawPropertyIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for RawPropertyIter<'a> {
    type Item = (PropertyId, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.reader.rest();
        let id = PropertyId::from_byte(self.reader.u8().ok()?)?;
        validate::skip(&mut self.reader, id.kind()).ok()?;
        let len = before.len() - self.reader.rest().len();
        before.get(..len).map(|raw| (id, raw))
    }
}
