//! Typed values, and maps of them: properties, and the contents of Map and Stream messages.
//!
//! | code | value | bytes behind the code |
//! | --- | --- | --- |
//! | 0 | null | |
//! | 1 to 8 | boolean, byte, char, short, int, long, double, float | 1, 1, 2, 2, 4, 8, 8, 4 |
//! | 9, 13 | text | its length in 2 or 4 bytes, [`crate::mutf8`] |
//! | 10 | bytes | their number in 4 bytes, they |
//! | 11 | map | as [`Map`] |
//! | 12 | list | how many in 4 bytes, values |
//!
//! Reading borrows: nothing is allocated whatever a length says, and nothing is decoded that is not asked
//! for. Maps and lists come as their count, and the [`Reader`] then stands before their first entry.

mod map;
mod reader;
mod writer;

use std::borrow::Cow;

use crate::{Malformed, mutf8};

pub use map::{Entries, Entry, Map};
pub use reader::Reader;
pub use writer::{MapWriter, write_key, write_value};

/// How deep maps and lists may be nested.
pub const DEPTH_MAX: usize = 127;
/// UTF-16 units from which on a text has a length of four bytes.
pub const BIG_TEXT_UNITS: usize = 8_191;

mod code {
    pub(super) const NULL: u8 = 0;
    pub(super) const BOOL: u8 = 1;
    pub(super) const BYTE: u8 = 2;
    pub(super) const CHAR: u8 = 3;
    pub(super) const SHORT: u8 = 4;
    pub(super) const INT: u8 = 5;
    pub(super) const LONG: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const FLOAT: u8 = 8;
    pub(super) const TEXT: u8 = 9;
    pub(super) const BYTES: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const LIST: u8 = 12;
    pub(super) const BIG_TEXT: u8 = 13;
}

/// Text as it is written, in [`crate::mutf8`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawText<'a>(pub &'a [u8]);

impl<'a> RawText<'a> {
    /// The text itself.
    pub fn decode(self) -> Result<Cow<'a, str>, Malformed> {
        mutf8::decode(self.0)
    }

    /// Whether it is this text.
    pub fn is(self, text: &str) -> bool {
        self.0 == text.as_bytes()
            || !text.is_ascii() && self.decode().is_ok_and(|known| known == text)
            || text.contains('\0') && self.0 == &*mutf8::encode(text)
    }
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// None.
    Null,
    /// A truth.
    Bool(bool),
    /// 8 bits.
    Byte(i8),
    /// A UTF-16 unit.
    Char(u16),
    /// 16 bits.
    Short(i16),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// A number of double precision.
    Double(f64),
    /// A number of single precision.
    Float(f32),
    /// Text of either length.
    Text(RawText<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A map of so many entries, which follow.
    Map(u32),
    /// A list of so many values, which follow.
    List(u32),
}

#[cfg(test)]
mod tests;
