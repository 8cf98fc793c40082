//! Numbers and texts as bytes.

use super::{ORDERS, RecordError, VERSION};
use crate::{Kind, Order, QueueId};

/// Reads a record from its front; every method fails rather than read past the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins after the version byte.
    pub(super) fn new(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Self { rest: payload };
        match reader.u8()? {
            VERSION => Ok(reader),
            _ => Err(RecordError("version")),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, RecordError> {
        let (&byte, rest) = self.rest.split_first().ok_or(RecordError("cut short"))?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn u64_fixed(&mut self) -> Result<u64, RecordError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(RecordError("cut short"))?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    pub(super) fn varint(&mut self) -> Result<u64, RecordError> {
        let mut value = 0;
        for (nth, &byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if nth == 9 && bits > 1 || nth > 0 && byte == 0 {
                return Err(RecordError("varint"));
            }
            value |= bits << (7 * nth);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[nth + 1..];
                return Ok(value);
            }
        }
        Err(RecordError(if self.rest.len() < 10 { "cut short" } else { "varint" }))
    }

    pub(super) fn signed(&mut self) -> Result<i64, RecordError> {
        self.varint().map(unzigzag)
    }

    pub(super) fn u32(&mut self) -> Result<u32, RecordError> {
        u32::try_from(self.varint()?).map_err(|_| RecordError("number above 32 bits"))
    }

    pub(super) fn queue(&mut self) -> Result<QueueId, RecordError> {
        self.u32().map(QueueId)
    }

    pub(super) fn order(&mut self) -> Result<Order, RecordError> {
        checked(self.varint()?)
    }

    pub(super) fn order_fixed(&mut self) -> Result<Order, RecordError> {
        checked(self.u64_fixed()?)
    }

    pub(super) fn kind(&mut self) -> Result<Kind, RecordError> {
        kind_of(self.u8()?)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], RecordError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(RecordError("cut short"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, RecordError> {
        text(self.bytes()?)
    }

    pub(super) fn text_to_end(self) -> Result<&'a str, RecordError> {
        text(self.rest)
    }

    pub(super) fn end(self) -> Result<(), RecordError> {
        if self.rest.is_empty() { Ok(()) } else { Err(RecordError("bytes after the end")) }
    }
}

fn text(bytes: &[u8]) -> Result<&str, RecordError> {
    std::str::from_utf8(bytes).map_err(|_| RecordError("text is not UTF-8"))
}

/// An order, if it is one.
pub(super) const fn checked(order: u64) -> Result<Order, RecordError> {
    if order < ORDERS { Ok(Order(order)) } else { Err(RecordError("order out of range")) }
}

pub(super) const fn kind_of(number: u8) -> Result<Kind, RecordError> {
    match number {
        0 => Ok(Kind::Queue),
        1 => Ok(Kind::Topic),
        _ => Err(RecordError("kind of destination")),
    }
}

pub(super) const fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Queue => 0,
        Kind::Topic => 1,
    }
}

pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_signed(value: i64, out: &mut Vec<u8>) {
    put_varint(zigzag(value), out);
}

pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(super) const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(value in prop_oneof![any::<u64>(), 0u64..300], signed in any::<i64>()) {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            put_signed(signed, &mut out);
            let mut reader = Reader { rest: &out };
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn varints_have_one_form() {
        let read = |rest: &[u8]| Reader { rest }.varint();
        assert_eq!(read(&[0x7f]), Ok(127));
        assert!(read(&[0x80]).is_err());
        assert!(read(&[0x80, 0]).is_err(), "longer than needed");
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Ok(u64::MAX));
        assert!(read(&[0xff; 9].into_iter().chain([2]).collect::<Vec<_>>()).is_err());
        assert!(read(&[0x80; 20]).is_err());
    }
}
