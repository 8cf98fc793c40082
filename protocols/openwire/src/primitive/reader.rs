//! Values from bytes, one after the other.

use super::{DEPTH_MAX, RawText, Value, code};
use crate::Malformed;

/// Reads values from borrowed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// The fewest bytes that an entry of a map has: the length of its key, and a code.
const ENTRY_BYTES_MIN: usize = 3;

impl<'a> Reader<'a> {
    /// Reads from here on.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value. Of a map or a list its count only: its entries are next.
    pub fn value(&mut self) -> Result<Value<'a>, Malformed> {
        let [code] = self.array()?;
        Ok(match code {
            code::NULL => Value::Null,
            code::BOOL => Value::Bool(self.array::<1>()? != [0]),
            code::BYTE => Value::Byte(i8::from_be_bytes(self.array()?)),
            code::CHAR => Value::Char(u16::from_be_bytes(self.array()?)),
            code::SHORT => Value::Short(i16::from_be_bytes(self.array()?)),
            code::INT => Value::Int(i32::from_be_bytes(self.array()?)),
            code::LONG => Value::Long(i64::from_be_bytes(self.array()?)),
            code::DOUBLE => Value::Double(f64::from_be_bytes(self.array()?)),
            code::FLOAT => Value::Float(f32::from_be_bytes(self.array()?)),
            code::TEXT => Value::Text(self.key()?),
            code::BYTES => Value::Bytes(self.counted()?.ok_or(Malformed::Negative)?),
            code::BIG_TEXT => self.counted()?.map_or(Value::Null, |text| Value::Text(RawText(text))),
            code::MAP => self.map_count()?.map_or(Value::Null, Value::Map),
            code::LIST => Value::List(self.count(1)?.ok_or(Malformed::Negative)?),
            code => return Err(Malformed::Type(code)),
        })
    }

    /// A text with its length in two bytes, as the keys of maps are.
    pub fn key(&mut self) -> Result<RawText<'a>, Malformed> {
        let len = u16::from_be_bytes(self.array()?);
        self.take(len.into()).map(RawText)
    }

    /// Passes over what belongs to a value that has been read: the entries of a map or a list.
    pub fn skip(&mut self, value: &Value<'a>) -> Result<(), Malformed> {
        let Some(outer) = Level::of(value) else { return Ok(()) };
        let mut levels = [Level::DONE; DEPTH_MAX];
        let mut depth = 0_usize;
        let mut level = outer;
        loop {
            if level.left == 0 {
                let Some(above) = depth.checked_sub(1) else { return Ok(()) };
                depth = above;
                level = levels.get(depth).copied().unwrap_or(Level::DONE);
                continue;
            }
            level.left -= 1;
            if level.has_keys {
                self.key()?;
            }
            if let Some(inner) = Level::of(&self.value()?) {
                *levels.get_mut(depth).ok_or(Malformed::Depth)? = level;
                depth += 1;
                if depth == DEPTH_MAX {
                    return Err(Malformed::Depth);
                }
                level = inner;
            }
        }
    }

    /// A count of entries of a map; `None` for the map that is null.
    pub(super) fn map_count(&mut self) -> Result<Option<u32>, Malformed> {
        self.count(ENTRY_BYTES_MIN)
    }

    /// A count of what has at least `size` bytes each; `None` for -1.
    fn count(&mut self, size: usize) -> Result<Option<u32>, Malformed> {
        let count = i32::from_be_bytes(self.array()?);
        if count == -1 {
            return Ok(None);
        }
        let count = u32::try_from(count).map_err(|_| Malformed::Negative)?;
        if count as usize > self.rest.len() / size {
            return Err(Malformed::Count);
        }
        Ok(Some(count))
    }

    /// Bytes with their number in four bytes before them; `None` for -1.
    pub(crate) fn counted(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match i32::from_be_bytes(self.array()?) {
            -1 => Ok(None),
            len => self.take(usize::try_from(len).map_err(|_| Malformed::Negative)?).map(Some),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// A map or a list that is being passed over.
#[derive(Clone, Copy)]
struct Level {
    left: u32,
    has_keys: bool,
}

impl Level {
    const DONE: Self = Self { left: 0, has_keys: false };

    const fn of(value: &Value<'_>) -> Option<Self> {
        match *value {
            Value::Map(left) => Some(Self { left, has_keys: true }),
            Value::List(left) => Some(Self { left, has_keys: false }),
            _ => None,
        }
    }
}
