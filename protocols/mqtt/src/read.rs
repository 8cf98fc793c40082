//! A cursor over the body of one packet; every read is checked.

use crate::{Error, PacketId};

#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    #[inline]
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    /// Demands that everything has been read.
    #[inline]
    pub(crate) const fn finish(self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::TrailingBytes) }
    }

    #[inline]
    pub(crate) const fn u8(&mut self) -> Result<u8, Error> {
        let Some((&byte, rest)) = self.rest.split_first() else { return Err(Error::Truncated) };
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub(crate) const fn u16(&mut self) -> Result<u16, Error> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { return Err(Error::Truncated) };
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    #[inline]
    pub(crate) const fn u32(&mut self) -> Result<u32, Error> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { return Err(Error::Truncated) };
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// A variable byte integer in its shortest form (MQTT-1.5.5-1).
    #[inline]
    pub(crate) fn var_int(&mut self) -> Result<u32, Error> {
        let first = self.u8()?;
        if first < 0x80 {
            return Ok(u32::from(first));
        }
        let mut value = u32::from(first & 0x7F);
        for shift in [7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return if byte == 0 { Err(Error::VarIntNotMinimal) } else { Ok(value) };
            }
        }
        Err(Error::VarIntTooLong)
    }

    #[inline]
    pub(crate) const fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let Some((part, rest)) = self.rest.split_at_checked(len) else { return Err(Error::Truncated) };
        self.rest = rest;
        Ok(part)
    }

    /// Binary data: two bytes of length and as many bytes (1.5.6).
    #[inline]
    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Error> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 string without U+0000 (1.5.4).
    pub(crate) fn text(&mut self) -> Result<&'a str, Error> {
        let bytes = self.binary()?;
        if bytes.contains(&0) {
            return Err(Error::NulInString);
        }
        str::from_utf8(bytes).map_err(|_| Error::InvalidUtf8)
    }

    /// A packet identifier (2.2.1).
    #[inline]
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, Error> {
        PacketId::new(self.u16()?).ok_or(Error::PacketIdZero)
    }
}
