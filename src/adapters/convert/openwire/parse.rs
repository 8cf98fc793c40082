//! Maps and streams from JSON, in the forms that [`super::json`] writes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use serde_json::Value as Json;
use wharfmq_openwire::mutf8;
use wharfmq_openwire::primitive::{MapWriter, RawText, Value, write_value};

type Object = serde_json::Map<String, Json>;

/// The contents of a Map message; `None` where the text is no object of scalars, nor a map in ActiveMQ's form.
pub(super) fn map(text: &[u8]) -> Option<Bytes> {
    let Ok(Json::Object(object)) = serde_json::from_slice(text) else { return None };
    entries(&object).or_else(|| {
        let mut map = MapWriter::default();
        for (key, json) in &object {
            with_scalar(json, |value| map.put(key, value)).filter(|put| *put)?;
        }
        Some(map.finish())
    })
}

/// The contents of a Stream message; `None` where the text is no array of scalars.
pub(super) fn stream(text: &[u8]) -> Option<Bytes> {
    let Ok(Json::Array(values)) = serde_json::from_slice(text) else { return None };
    let mut out = BytesMut::new();
    for json in &values {
        with_scalar(json, |value| write_value(value, &mut out))?;
    }
    Some(out.freeze())
}

/// Calls `each` with a scalar as the smallest type of JMS that holds it, from 32 bits on.
fn with_scalar<T>(json: &Json, each: impl FnOnce(&Value<'_>) -> T) -> Option<T> {
    Some(match json {
        Json::Null => each(&Value::Null),
        Json::Bool(truth) => each(&Value::Bool(*truth)),
        Json::String(text) => each(&Value::Text(RawText(&mutf8::encode(text)))),
        Json::Number(number) => match number.as_i64() {
            Some(number) => match i32::try_from(number) {
                Ok(number) => each(&Value::Int(number)),
                Err(_) => each(&Value::Long(number)),
            },
            None => each(&Value::Double(number.as_f64()?)),
        },
        Json::Array(_) | Json::Object(_) => return None,
    })
}

/// The map in ActiveMQ's form.
fn entries(object: &Object) -> Option<Bytes> {
    let map = only(object, "map")?.as_object()?;
    let list = match only(map, "entry")? {
        Json::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut map = MapWriter::default();
    for entry in list {
        entry_to(&mut map, entry.as_object()?)?;
    }
    Some(map.finish())
}

/// The value of an object that has no other.
fn only<'a>(object: &'a Object, name: &str) -> Option<&'a Json> {
    object.get(name).filter(|_| object.len() == 1)
}

fn entry_to(map: &mut MapWriter, entry: &Object) -> Option<()> {
    let first = entry.get("string")?;
    let put = match (first, entry.len()) {
        (Json::Array(both), 1) => {
            let [key, value] = both.as_slice() else { return None };
            map.put_text(&scalar_text(key)?, &scalar_text(value)?)
        }
        (key, 2) => {
            let (name, json) = entry.iter().find(|(name, _)| *name != "string")?;
            with_typed(name, json, |value| map.put(&scalar_text(key).unwrap_or_default(), value))?
        }
        _ => return None,
    };
    put.then_some(())
}

/// Calls `each` with a value of a type that XStream has a name for.
fn with_typed<T>(name: &str, json: &Json, each: impl FnOnce(&Value<'_>) -> T) -> Option<T> {
    let text = scalar_text(json)?;
    let value = match name {
        "null" => Value::Null,
        "boolean" => Value::Bool(text.parse().ok()?),
        "byte" => Value::Byte(text.parse().ok()?),
        "short" => Value::Short(text.parse().ok()?),
        "int" => Value::Int(text.parse().ok()?),
        "long" => Value::Long(text.parse().ok()?),
        "double" => Value::Double(text.parse().ok()?),
        "float" => Value::Float(text.parse().ok()?),
        "char" => {
            let mut units = text.encode_utf16();
            let unit = units.next().unwrap_or(0);
            if units.next().is_some() {
                return None;
            }
            Value::Char(unit)
        }
        "byte-array" => return Some(each(&Value::Bytes(&STANDARD.decode(text).ok()?))),
        _ => return None,
    };
    Some(each(&value))
}

/// A scalar as text: what looks like a number comes as one, whatever it was.
fn scalar_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null => Some(String::new()),
        Json::Array(_) | Json::Object(_) => None,
    }
}
