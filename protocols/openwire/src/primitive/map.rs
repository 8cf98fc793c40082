//! Maps of values by name.

use super::{RawText, Reader, Value};
use crate::Malformed;

/// A map as it is written: the number of its entries in four bytes, then keys and values in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map<'a> {
    len: u32,
    entries: Reader<'a>,
}

/// An entry of a [`Map`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<'a> {
    /// Its name.
    pub key: RawText<'a>,
    /// Its value.
    pub value: Value<'a>,
    /// Where the entries of a value begin that is a map or a list.
    pub inner: Reader<'a>,
    /// The bytes of the whole entry.
    pub raw: &'a [u8],
}

/// The entries of a [`Map`], up to the first that cannot be read.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    left: u32,
    rest: Reader<'a>,
}

impl<'a> Map<'a> {
    /// The map that begins here; `None` for one that is null, or no bytes at all.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut entries = Reader::new(bytes);
        let len = entries.map_count()?;
        Ok(len.map(|len| Self { len, entries }))
    }

    /// How many entries it says it has. There are bytes enough for them.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its entries in their order.
    pub const fn iter(&self) -> Entries<'a> {
        Entries { left: self.len, rest: self.entries }
    }

    /// Stands before the first key; for who reads nested maps on the way.
    pub const fn reader(&self) -> Reader<'a> {
        self.entries
    }

    /// The value of this name: of several the last, as in the map that Java makes of them.
    pub fn get(&self, name: &str) -> Result<Option<Value<'a>>, Malformed> {
        let mut found = None;
        for entry in *self {
            let entry = entry?;
            if entry.key.is(name) {
                found = Some(entry.value);
            }
        }
        Ok(found)
    }
}

impl<'a> IntoIterator for Map<'a> {
    type Item = Result<Entry<'a>, Malformed>;
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

impl<'a> Entries<'a> {
    fn read(&mut self) -> Result<Entry<'a>, Malformed> {
        let start = self.rest.rest();
        let key = self.rest.key()?;
        let value = self.rest.value()?;
        let inner = self.rest;
        self.rest.skip(&value)?;
        let len = start.len() - self.rest.rest().len();
        Ok(Entry { key, value, inner, raw: start.get(..len).unwrap_or_default() })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let entry = self.read();
        if entry.is_err() {
            self.left = 0;
        }
        Some(entry)
    }
}
