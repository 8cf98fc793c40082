//! Writing the fields of one command, in either encoding.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use smallvec::SmallVec;

use crate::cache::{Cacheable, Object, WriteCache};
use crate::codec::Format;
use crate::message::is_marshal_aware;
use crate::structure::Nested;
use crate::text::Text;

/// The longest string, in bytes, that a Java client reads in the tight encoding.
const TIGHT_TEXT_MAX: usize = 32_766;
const LOOSE_TEXT_MAX: usize = 65_535;

/// A command being written: bits and bytes apart, so that one pass writes either encoding.
pub struct Writer<'a> {
    bytes: &'a mut BytesMut,
    bits: SmallVec<[u8; 32]>,
    /// The last bits, and how many they are: less than 64.
    word: u64,
    word_bits: u32,
    pub(crate) format: Format,
    cache: Option<&'a mut WriteCache>,
}

impl<'a> Writer<'a> {
    /// The bytes of the command go to `bytes`.
    pub(crate) fn new(bytes: &'a mut BytesMut, format: Format, cache: Option<&'a mut WriteCache>) -> Self {
        Self { bytes, bits: SmallVec::new(), word: 0, word_bits: 0, format, cache }
    }

    /// The flags of the tight encoding, with the header that says how many they are.
    pub(crate) fn into_bits(mut self, out: &mut BytesMut) {
        let last = self.word.to_le_bytes();
        let used = self.word_bits.div_ceil(8) as usize;
        self.bits.extend_from_slice(last.get(..used).unwrap_or(&last));
        match self.bits.len() {
            len @ 0..64 => out.put_u8(len as u8),
            len @ 64..256 => out.put_slice(&[0xc0, len as u8]),
            len => {
                out.put_u8(0x80);
                out.put_u16(len as u16);
            }
        }
        out.put_slice(&self.bits);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        if !self.format.tight {
            return self.bytes.put_u8(flag.into());
        }
        self.word |= u64::from(flag) << self.word_bits;
        self.word_bits += 1;
        if self.word_bits == u64::BITS {
            self.bits.extend_from_slice(&self.word.to_le_bytes());
            (self.word, self.word_bits) = (0, 0);
        }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.put_slice(bytes);
    }

    pub(crate) fn long(&mut self, value: i64) {
        if !self.format.tight {
            return self.bytes.put_i64(value);
        }
        let (first, second) = match value {
            0 => (false, false),
            1..=0xffff => {
                self.bytes.put_u16(value as u16);
                (false, true)
            }
            0x1_0000..=0xffff_ffff => {
                self.bytes.put_u32(value as u32);
                (true, false)
            }
            _ => {
                self.bytes.put_i64(value);
                (true, true)
            }
        };
        self.flag(first);
        self.flag(second);
    }

    pub(crate) fn text(&mut self, text: Option<&Text>) {
        self.flag(text.is_some());
        let Some(text) = text else { return };
        if self.format.tight {
            self.flag(text.is_plain());
        }
        let max = if self.format.tight { TIGHT_TEXT_MAX } else { LOOSE_TEXT_MAX };
        let sent = crate::mutf8::prefix(text.wire(), max);
        self.bytes.put_u16(sent.len() as u16);
        self.bytes.put_slice(sent);
    }

    pub(crate) fn nested<T: Nested>(&mut self, value: Option<&T>) {
        self.flag(value.is_some());
        let Some(value) = value else { return };
        let type_id = value.type_id();
        self.bytes.put_u8(type_id);
        if self.format.tight && is_marshal_aware(type_id) {
            // It does not come in a frame of its own.
            self.flag(false);
        }
        value.write(self);
    }

    pub(crate) fn cached<T: Nested + Cacheable>(&mut self, value: Option<&Arc<T>>) {
        let Some(cache) = &mut self.cache else {
            return self.nested(value.map(|value| &**value));
        };
        if let Some(index) = cache.find_recent(value) {
            self.flag(false);
            return self.bytes.put_u16(index);
        }
        let Some(object) = T::to_object(value).ok().filter(Object::is_small) else {
            // Too large, or nothing that clients know to be cacheable: sent, and kept by nobody.
            return self.uncached(value);
        };
        if let Some(index) = cache.find(&object) {
            self.flag(false);
            return self.bytes.put_u16(index);
        }
        self.flag(true);
        if self.format.tight {
            // The number is given out behind those of what is nested, as Java's writer does it.
            let at = self.bytes.len();
            self.bytes.put_u16(0);
            self.nested(value.map(|value| &**value));
            let index = self.cache.as_mut().map_or(-1, |cache| cache.put(object));
            if let Some(place) = self.bytes.get_mut(at..at + 2) {
                place.copy_from_slice(&index.to_be_bytes());
            }
        } else {
            let index = self.cache.as_mut().map_or(-1, |cache| cache.put(object));
            self.bytes.put_i16(index);
            self.nested(value.map(|value| &**value));
        }
    }

    fn uncached<T: Nested>(&mut self, value: Option<&Arc<T>>) {
        self.flag(true);
        self.bytes.put_i16(-1);
        self.nested(value.map(|value| &**value));
    }
}
