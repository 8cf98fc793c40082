//! The header `transformation`: ActiveMQ's word for maps as text, and ours for streams.
//!
//! A map is kept as the JSON text that its publisher sent and goes to who reads text as that text: `{"a":1}`,
//! or as ActiveMQ's own clients write it, `{"map":{"entry":[{"string":["a","b"]},{"string":"c","int":1}]}}`.
//! A map of a JMS client comes in the first form, or in the second where SUBSCRIBE asks for a transformation.

use serde_json::Value;

use super::fault::Stop;
use crate::adapters::convert::openwire::{MAP_JSON, STREAM_JSON};

/// ActiveMQ's word for JSON of whatever is sent.
const ANY_JSON: &str = "jms-json";

/// What a body stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Map,
    Stream,
}

/// What the `transformation` of a SEND makes of its body. What is no word of ActiveMQ's is a header like any
/// other.
pub(super) fn form(value: &str) -> Result<Option<Form>, Stop> {
    match value {
        MAP_JSON => Ok(Some(Form::Map)),
        STREAM_JSON => Ok(Some(Form::Stream)),
        _ if value.starts_with("jms-") => Err(refused(value)),
        _ => Ok(None),
    }
}

/// Whether the `transformation` of a SUBSCRIBE asks for maps in ActiveMQ's own form.
pub(super) fn wants_entries(value: &str) -> Result<bool, Stop> {
    match value {
        MAP_JSON | ANY_JSON => Ok(true),
        STREAM_JSON => Ok(false),
        _ if value.starts_with("jms-") => Err(refused(value)),
        _ => Ok(false),
    }
}

impl Form {
    /// Checks a body.
    pub(super) fn check(self, body: &[u8]) -> Result<(), Stop> {
        match self {
            Self::Map => check_map(body),
            Self::Stream => check_stream(body),
        }
    }
}

fn check_stream(body: &[u8]) -> Result<(), Stop> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(values)) if values.iter().all(is_scalar) => Ok(()),
        _ => Err(Stop::fault(
            "transformation:jms-stream-json needs a body that is a JSON array of texts, numbers, true, false or \
             null",
        )),
    }
}

fn refused(value: &str) -> Stop {
    let value: String = value.chars().take(64).filter(|sign| !sign.is_control()).collect();
    Stop::Fault(format!("transformation:{value} is not supported: use jms-map-json, a map as a JSON object"))
}

fn check_map(body: &[u8]) -> Result<(), Stop> {
    let Ok(Value::Object(map)) = serde_json::from_slice(body) else {
        return Err(Stop::fault("transformation:jms-map-json needs a body that is a JSON object"));
    };
    if is_entries(&map) || map.values().all(is_scalar) {
        return Ok(());
    }
    let why = "transformation:jms-map-json: each value is a text, a number, true, false or null";
    Err(Stop::fault(why))
}

/// Whether an object is ActiveMQ's way to write a map: a list of entries of two values each, by type.
fn is_entries(map: &serde_json::Map<String, Value>) -> bool {
    let (Some(Value::Object(map)), 1) = (map.get("map"), map.len()) else { return false };
    match (map.get("entry"), map.len()) {
        (Some(Value::Array(entries)), 1) => entries.iter().all(is_entry),
        (Some(entry), 1) => is_entry(entry),
        _ => false,
    }
}

fn is_entry(entry: &Value) -> bool {
    let Value::Object(typed) = entry else { return false };
    let values = typed.values().map(|value| match value {
        Value::Array(both) if both.len() == 2 && both.iter().all(is_scalar) => 2,
        value if is_scalar(value) => 1,
        _ => 3,
    });
    values.sum::<usize>() == 2
}

const fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_objects_of_scalars() {
        for body in [
            "{}",
            r#"{"a":"x","b":1.5,"c":true,"d":null}"#,
            r#"{"map":{"entry":[{"string":["name","Dejan"]},{"string":"age","int":30}]}}"#,
            r#"{"map":{"entry":{"string":["name","Dejan"]}}}"#,
            r#"{"map":1}"#,
        ] {
            assert!(check_map(body.as_bytes()).is_ok(), "{body}");
        }
        for body in [
            "",
            "[]",
            "1",
            "{",
            r#"{"a":[]}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"map":{"entry":[{"string":"name"}]}}"#,
            r#"{"map":{"entry":[{"string":["a","b","c"]}]}}"#,
            r#"{"map":{}}"#,
        ] {
            assert!(check_map(body.as_bytes()).is_err(), "{body}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(check_map(deep.as_bytes()).is_err(), "and nothing overflows");
    }

    #[test]
    fn only_maps_as_json() {
        assert_eq!(form("jms-map-json").unwrap(), Some(Form::Map));
        assert_eq!(form("gzip").unwrap(), None);
        for value in ["jms-map-xml", "jms-object-json", "jms-object-xml", "jms-json", "jms-xml"] {
            let Err(Stop::Fault(why)) = form(value) else { panic!("{value}") };
            assert!(why.contains("use jms-map-json"), "{why}");
        }
        assert!(wants_entries("jms-map-json").unwrap() && wants_entries("jms-json").unwrap());
        assert!(!wants_entries("jms-stream-json").unwrap() && !wants_entries("gzip").unwrap());
        assert!(wants_entries("jms-map-xml").is_err());
    }

    #[test]
    fn streams_are_arrays_of_scalars() {
        assert_eq!(form("jms-stream-json").unwrap(), Some(Form::Stream));
        for body in ["[]", r#"[1,"x",null,true]"#] {
            assert!(Form::Stream.check(body.as_bytes()).is_ok(), "{body}");
        }
        for body in ["", "{}", "1", "[[]]", "[{}]", "[1"] {
            assert!(Form::Stream.check(body.as_bytes()).is_err(), "{body}");
        }
    }
}
