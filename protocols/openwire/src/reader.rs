//! Reading the fields of one command, in either encoding.

use std::sync::Arc;

use bytes::Bytes;

use crate::cache::{Cacheable, ReadCache};
use crate::codec::Format;
use crate::error::Error;
use crate::message::is_marshal_aware;
use crate::recent::Recent;
use crate::structure::Nested;
use crate::text::Text;

/// Structures within structures; a client nests four of them.
const DEPTH_MAX: u32 = 16;
/// Bytes of memory that the parts of one command may take beside its frame: in the tight encoding an
/// element of an array can be a single bit. No flags of what was read within it need a longer boolean
/// stream than can be written.
const PARTS_BYTES_MAX: usize = 2 << 20;
/// What an allocation takes beside what it is for.
const ALLOCATION: usize = 16;

/// The body of a frame, behind its type byte.
///
/// The loose encoding has each flag as a byte in its place. The tight one has all of them as bits in
/// front, so one pass with two positions reads either.
pub struct Reader<'a> {
    body: &'a Bytes,
    at: usize,
    bits: &'a [u8],
    bit: usize,
    pub(crate) format: Format,
    cache: Option<&'a mut ReadCache>,
    recent: Option<&'a mut Recent>,
    depth: u32,
    /// What is left of [`PARTS_BYTES_MAX`].
    left: usize,
}

impl<'a> Reader<'a> {
    /// Begins behind the type byte of `body`.
    pub(crate) fn new(
        body: &'a Bytes,
        format: Format,
        cache: Option<&'a mut ReadCache>,
        recent: Option<&'a mut Recent>,
    ) -> Result<Self, Error> {
        let left = PARTS_BYTES_MAX;
        let mut reader = Self { body, at: 1, bits: &[], bit: 0, format, cache, recent, depth: 0, left };
        if format.tight {
            let len = match reader.byte()? {
                0xc0 => usize::from(reader.byte()?),
                0x80 => usize::from(u16::from_be_bytes(reader.array()?)),
                len if len < 64 => usize::from(len),
                _ => return Err(Error::TooLarge("the header of the boolean stream", 63)),
            };
            reader.bits = body.get(reader.at..reader.at + len).ok_or(Error::Truncated)?;
            reader.at += len;
        }
        Ok(reader)
    }

    /// Counts the memory that a part of the command is about to take.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Error> {
        let left = self.left.checked_sub(bytes + ALLOCATION);
        let limit = PARTS_BYTES_MAX as u64;
        self.left =
            left.ok_or(Error::TooLarge("what the parts of a command take in memory, in bytes,", limit))?;
        Ok(())
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.body.len() - self.at {
            0 => Ok(()),
            left => Err(Error::Trailing(left)),
        }
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        if !self.format.tight {
            return Ok(self.byte()? != 0);
        }
        let byte = self.bits.get(self.bit / 8).ok_or(Error::Truncated)?;
        let bit = byte >> (self.bit % 8) & 1;
        self.bit += 1;
        Ok(bit == 1)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        let byte = *self.body.get(self.at).ok_or(Error::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let array = *rest.first_chunk().ok_or(Error::Truncated)?;
        self.at += N;
        Ok(array)
    }

    /// So many bytes, without copying them.
    pub(crate) fn take(&mut self, len: usize) -> Result<Bytes, Error> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.body.len()).ok_or(Error::Truncated)?;
        let bytes = self.body.slice(self.at..end);
        self.at = end;
        Ok(bytes)
    }

    /// A length of 32 bits, which the frame has to have room for.
    pub(crate) fn length(&mut self, what: &'static str) -> Result<usize, Error> {
        let len = i32::from_be_bytes(self.array()?);
        usize::try_from(len).map_err(|_| Error::Negative(what))
    }

    pub(crate) fn long(&mut self) -> Result<i64, Error> {
        if !self.format.tight {
            return self.array().map(i64::from_be_bytes);
        }
        Ok(match (self.flag()?, self.flag()?) {
            (false, false) => 0,
            (false, true) => u16::from_be_bytes(self.array()?).into(),
            (true, false) => u32::from_be_bytes(self.array()?).into(),
            (true, true) => i64::from_be_bytes(self.array()?),
        })
    }

    pub(crate) fn text(&mut self) -> Result<Option<Text>, Error> {
        if !self.flag()? {
            return Ok(None);
        }
        let single = self.format.tight && self.flag()?;
        let len = u16::from_be_bytes(self.array()?);
        let text = Text::from_wire(self.take(len.into())?);
        if single && !text.is_plain() {
            // What is called ASCII and is not is taken as Java takes it: each byte is a character.
            let latin: String = text.wire().iter().map(|&byte| char::from(byte)).collect();
            return Ok(Some(latin.into()));
        }
        Ok(Some(text))
    }

    pub(crate) fn nested<T: Nested>(&mut self) -> Result<Option<T>, Error> {
        if !self.flag()? {
            return Ok(None);
        }
        let type_id = self.byte()?;
        if self.depth >= DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        self.charge(size_of::<T>())?;
        self.depth += 1;
        let found = if self.format.tight && is_marshal_aware(type_id) && self.flag()? {
            self.premarshalled(type_id)
        } else {
            T::read(type_id, self)
        };
        self.depth -= 1;
        found.map(Some)
    }

    /// A nested message in a frame of its own, with a boolean stream of its own. Allowed by the format,
    /// written by nobody known.
    fn premarshalled<T: Nested>(&mut self, type_id: u8) -> Result<T, Error> {
        let len = self.length("the length of a nested frame")?;
        let body = self.take(len)?;
        let mut inner = Reader::new(&body, self.format, self.cache.as_deref_mut(), None)?;
        inner.depth = self.depth;
        inner.left = self.left;
        if body.first() != Some(&type_id) {
            return Err(Error::UnexpectedType {
                expected: "the type announced",
                found: inner.body.first().copied().unwrap_or(0),
            });
        }
        let found = T::read(type_id, &mut inner)?;
        self.left = inner.left;
        inner.finish()?;
        Ok(found)
    }

    pub(crate) fn cached<T: Nested + Cacheable>(&mut self) -> Result<Option<Arc<T>>, Error> {
        if self.cache.is_none() {
            return self.uncached();
        }
        let is_new = self.flag()?;
        let index = i16::from_be_bytes(self.array()?);
        if !is_new {
            let known = self.cache.as_ref().map(|cache| cache.get(index)).transpose()?;
            return known.map_or(Ok(None), T::from_object);
        }
        // It is kept for longer than the frame that it came in.
        let value: Option<T> = self.nested()?;
        let value = value.map(|value| Arc::new(value.compacted()));
        if let Some(cache) = &mut self.cache {
            cache.put(index, T::to_object(value.as_ref())?)?;
        }
        Ok(value)
    }

    /// A value that could be cached, where there is no cache.
    fn uncached<T: Nested + Cacheable>(&mut self) -> Result<Option<Arc<T>>, Error> {
        let from = self.at;
        if let Some(recent) = &self.recent {
            let rest = self.body.get(from..).unwrap_or_default();
            if rest.first() == Some(&0) {
                self.at += 1;
                return Ok(None);
            }
            if let Some((len, object)) = recent.find(rest) {
                let known = T::from_object(object.clone())?;
                self.at += len;
                return Ok(known);
            }
        }
        let Some(value) = self.nested::<T>()? else { return Ok(None) };
        if self.recent.is_none() || !Recent::keeps(self.at - from) {
            return Ok(Some(Arc::new(value)));
        }
        let value = Arc::new(value.compacted());
        let object = T::to_object(Some(&value))?;
        if let (Some(recent), Some(bytes)) = (&mut self.recent, self.body.get(from..self.at)) {
            recent.add(Bytes::copy_from_slice(bytes), object);
        }
        Ok(Some(value))
    }
}
