//! How a received message is printed.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::Received;

/// Prints a message to standard output and flushes, so that a reader sees it before it is acknowledged.
pub(super) fn print(message: &Received, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", to_json(message))?;
    } else {
        out.write_all(&message.body)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn to_json(message: &Received) -> Value {
    let mut object = Map::new();
    object.insert("destination".into(), message.destination.as_str().into());
    match std::str::from_utf8(&message.body) {
        Ok(text) => object.insert("body".into(), text.into()),
        Err(_) => object.insert("body_base64".into(), base64(&message.body).into()),
    };
    object.extend(message.extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Value::Object(object)
}

/// RFC 4648 section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit <= group.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::Ack;
    use super::*;

    #[test]
    fn base64_of_rfc_4648_section_10() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn json() {
        let mut message = Received {
            destination: "topic://a".into(),
            body: b"x\"y".to_vec(),
            extra: vec![("retain", true.into())],
            ack: Ack::None,
        };
        assert_eq!(
            to_json(&message).to_string(),
            r#"{"body":"x\"y","destination":"topic://a","retain":true}"#
        );
        message.body = vec![0xff];
        assert_eq!(to_json(&message)["body_base64"], "/w==");
    }
}
