//! Values to bytes.

use bytes::{BufMut, Bytes, BytesMut};

use super::{BIG_TEXT_UNITS, Entry, RawText, Value, code};
use crate::mutf8;

/// Writes a [`super::Map`].
#[derive(Debug)]
pub struct MapWriter {
    count: u32,
    out: BytesMut,
}

impl Default for MapWriter {
    fn default() -> Self {
        let mut out = BytesMut::new();
        out.put_u32(0);
        Self { count: 0, out }
    }
}

impl MapWriter {
    /// Whether nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes so far.
    pub fn size(&self) -> usize {
        self.out.len()
    }

    /// Appends an entry; false, and nothing, where its key is too long to be written. A map or a list is
    /// appended without its entries, so it has to be empty.
    pub fn put(&mut self, key: &str, value: &Value<'_>) -> bool {
        if matches!(value, Value::Map(1..) | Value::List(1..)) || !write_key(key, &mut self.out) {
            return false;
        }
        write_value(value, &mut self.out);
        self.count += 1;
        true
    }

    /// Appends an entry of text.
    pub fn put_text(&mut self, key: &str, text: &str) -> bool {
        self.put(key, &Value::Text(RawText(&mutf8::encode(text))))
    }

    /// Appends an entry of another map as it is.
    pub fn copy(&mut self, entry: &Entry<'_>) {
        self.out.put_slice(entry.raw);
        self.count += 1;
    }

    /// The map.
    pub fn finish(mut self) -> Bytes {
        if let Some(count) = self.out.first_chunk_mut() {
            *count = self.count.to_be_bytes();
        }
        self.out.freeze()
    }
}

/// Appends a key; false, and nothing, where it is too long.
pub fn write_key(key: &str, out: &mut BytesMut) -> bool {
    let Ok(len) = u16::try_from(mutf8::encoded_len(key)) else { return false };
    out.put_u16(len);
    mutf8::write(key, out);
    true
}

/// Appends a value; of a map or a list its count only, the entries are to follow.
pub fn write_value(value: &Value<'_>, out: &mut BytesMut) {
    match *value {
        Value::Null => out.put_u8(code::NULL),
        Value::Bool(truth) => out.put_slice(&[code::BOOL, truth.into()]),
        Value::Byte(value) => put(code::BYTE, &value.to_be_bytes(), out),
        Value::Char(value) => put(code::CHAR, &value.to_be_bytes(), out),
        Value::Short(value) => put(code::SHORT, &value.to_be_bytes(), out),
        Value::Int(value) => put(code::INT, &value.to_be_bytes(), out),
        Value::Long(value) => put(code::LONG, &value.to_be_bytes(), out),
        Value::Double(value) => put(code::DOUBLE, &value.to_be_bytes(), out),
        Value::Float(value) => put(code::FLOAT, &value.to_be_bytes(), out),
        Value::Text(RawText(text)) => write_text(text, out),
        Value::Bytes(bytes) => {
            out.put_u8(code::BYTES);
            out.put_u32(bytes.len() as u32);
            out.put_slice(bytes);
        }
        Value::Map(count) => put(code::MAP, &count.to_be_bytes(), out),
        Value::List(count) => put(code::LIST, &count.to_be_bytes(), out),
    }
}

/// Long text has the longer length, by the rule of Java's writer.
fn write_text(text: &[u8], out: &mut BytesMut) {
    match u16::try_from(text.len()) {
        Ok(len) if mutf8::units(text) < BIG_TEXT_UNITS => {
            out.put_u8(code::TEXT);
            out.put_u16(len);
        }
        _ => {
            out.put_u8(code::BIG_TEXT);
            out.put_u32(text.len() as u32);
        }
    }
    out.put_slice(text);
}

fn put(code: u8, bytes: &[u8], out: &mut BytesMut) {
    out.put_u8(code);
    out.put_slice(bytes);
}
