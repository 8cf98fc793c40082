//! Maps and streams of OpenWire as JSON, for clients that have no such messages.
//!
//! A map is an object and a stream an array. Bytes are text in base64, a number that JSON cannot say is its
//! name in Java (`NaN`, `Infinity`), and nothing says how many bits a number had. [`MapForm::Entries`] does:
//! it is how ActiveMQ writes maps, and both forms are read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use wharfmq_openwire::Malformed;
use wharfmq_openwire::primitive::{DEPTH_MAX, Map, Reader, Value};

use super::text_of;

/// How a map is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapForm {
    /// `{"name":"x","age":30}`
    #[default]
    Plain,
    /// `{"map":{"entry":[{"string":["name","x"]},{"string":"age","int":30}]}}`
    Entries,
}

/// A map as JSON of no more than `most` bytes.
pub(super) fn of_map(map: Option<Map<'_>>, form: MapForm, most: usize) -> Result<Bytes, Malformed> {
    let mut out = Out { bytes: Vec::new(), most };
    match (form, map) {
        (MapForm::Plain, None) => out.put(b"{}")?,
        (MapForm::Plain, Some(map)) => object(&mut map.reader(), map.len(), 1, &mut out)?,
        (MapForm::Entries, map) => {
            out.put(b"{\"map\":{\"entry\":[")?;
            for (nth, entry) in map.iter().flat_map(|map| map.iter()).enumerate() {
                let mut entry = entry?;
                out.put(if nth == 0 { b"" } else { b"," })?;
                entry_of(&entry.key.decode()?, &entry.value, &mut entry.inner, &mut out)?;
            }
            out.put(b"]}}")?;
        }
    }
    Ok(out.bytes.into())
}

/// A stream as JSON of no more than `most` bytes.
pub(super) fn of_stream(mut values: Reader<'_>, most: usize) -> Result<Bytes, Malformed> {
    let mut out = Out { bytes: Vec::new(), most };
    out.put(b"[")?;
    let mut nth = 0_usize;
    while !values.is_empty() {
        out.put(if nth == 0 { b"" } else { b"," })?;
        nth += 1;
        value(&mut values, 1, &mut out)?;
    }
    out.put(b"]")?;
    Ok(out.bytes.into())
}

/// A value that has others within as JSON; `inner` stands before those.
pub(super) fn of_nested(
    nested: &Value<'_>,
    inner: &mut Reader<'_>,
    most: usize,
) -> Result<String, Malformed> {
    let mut out = Out { bytes: Vec::new(), most };
    put_value(nested, inner, 1, &mut out)?;
    String::from_utf8(out.bytes).map_err(|_| Malformed::Text)
}

struct Out {
    bytes: Vec<u8>,
    most: usize,
}

impl Out {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(Malformed::TooLarge);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn put_text(&mut self, text: &str) -> Result<(), Malformed> {
        // What needs an escape takes at most six times its bytes.
        if self.bytes.len() + text.len() + 2 > self.most {
            return Err(Malformed::TooLarge);
        }
        serde_json::to_writer(&mut self.bytes, text).map_err(|_| Malformed::Text)?;
        if self.bytes.len() > self.most { Err(Malformed::TooLarge) } else { Ok(()) }
    }

    fn put_number(&mut self, number: f64, text: &str) -> Result<(), Malformed> {
        if number.is_finite() { self.put(text.as_bytes()) } else { self.put_text(text) }
    }
}

fn object(reader: &mut Reader<'_>, len: usize, depth: usize, out: &mut Out) -> Result<(), Malformed> {
    out.put(b"{")?;
    for nth in 0..len {
        out.put(if nth == 0 { b"" } else { b"," })?;
        let key = reader.key()?;
        out.put_text(&key.decode()?)?;
        out.put(b":")?;
        value(reader, depth, out)?;
    }
    out.put(b"}")
}

fn value(reader: &mut Reader<'_>, depth: usize, out: &mut Out) -> Result<(), Malformed> {
    let read = reader.value()?;
    put_value(&read, reader, depth, out)
}

fn put_value(
    read: &Value<'_>,
    reader: &mut Reader<'_>,
    depth: usize,
    out: &mut Out,
) -> Result<(), Malformed> {
    match *read {
        Value::Map(_) | Value::List(_) if depth > DEPTH_MAX => Err(Malformed::Depth),
        Value::Map(len) => object(reader, len as usize, depth + 1, out),
        Value::List(len) => {
            out.put(b"[")?;
            for nth in 0..len {
                out.put(if nth == 0 { b"" } else { b"," })?;
                value(reader, depth + 1, out)?;
            }
            out.put(b"]")
        }
        Value::Float(number) => out.put_number(number.into(), &text_of(read)?),
        Value::Double(number) => out.put_number(number, &text_of(read)?),
        Value::Char(_) | Value::Text(_) => out.put_text(&text_of(read)?),
        Value::Bytes(bytes) => {
            if bytes.len() > out.most {
                return Err(Malformed::TooLarge);
            }
            out.put_text(&STANDARD.encode(bytes))
        }
        _ => out.put(text_of(read)?.as_bytes()),
    }
}

/// An entry of [`MapForm::Entries`].
fn entry_of(key: &str, read: &Value<'_>, inner: &mut Reader<'_>, out: &mut Out) -> Result<(), Malformed> {
    let name = match read {
        Value::Text(text) => {
            out.put(b"{\"string\":[")?;
            out.put_text(key)?;
            out.put(b",")?;
            out.put_text(&text.decode()?)?;
            return out.put(b"]}");
        }
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Byte(_) => "byte",
        Value::Char(_) => "char",
        Value::Short(_) => "short",
        Value::Int(_) => "int",
        Value::Long(_) => "long",
        Value::Double(_) => "double",
        Value::Float(_) => "float",
        Value::Bytes(_) => "byte-array",
        Value::Map(_) => "map",
        Value::List(_) => "list",
    };
    out.put(b"{\"string\":")?;
    out.put_text(key)?;
    out.put(b",")?;
    out.put_text(name)?;
    out.put(b":")?;
    match read {
        Value::Null => out.put(b"\"\"")?,
        _ => put_value(read, inner, 2, out)?,
    }
    out.put(b"}")
}

/// The text of a number of floating point, which tells it from a whole one.
pub(super) fn float_text(number: f64, shortest: String) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        shortest
    }
}

/// The text of bytes, for who can say text only.
pub(super) fn bytes_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
