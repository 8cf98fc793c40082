//! How header text stands on the wire ("Value Encoding" in 1.1 and 1.2).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use memchr::memchr;

/// The escape sequences in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// None: 1.0, and CONNECT and CONNECTED in every version.
    None,
    /// `\n`, `\c` and `\\`.
    V1_1,
    /// Those and `\r`.
    V1_2,
}

/// The text behind `raw`, or none where it holds a sequence that is not defined.
pub(super) fn unescape(raw: &str, escapes: Escapes) -> Option<Cow<'_, str>> {
    if escapes == Escapes::None || memchr(b'\\', raw.as_bytes()).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut parts = raw.split('\\');
    text.push_str(parts.next()?);
    while let Some(part) = parts.next() {
        let mut chars = part.chars();
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('c') => text.push(':'),
            Some('r') if escapes == Escapes::V1_2 => text.push('\r'),
            // Two backslashes in a row: the part between them is empty, the one after them is literal.
            None => {
                text.push('\\');
                text.push_str(parts.next()?);
                continue;
            }
            Some(_) => return None,
        }
        text.push_str(chars.as_str());
    }
    Some(Cow::Owned(text))
}

/// Appends a header's value.
///
/// What cannot be said at all becomes a question mark, so that no value can end its line and pose as
/// another header: NUL always; LF and CR where there are no escapes. A raw CR is legal in 1.1.
pub(super) fn put_value(out: &mut BytesMut, value: &str, escapes: Escapes) {
    put(out, value, escapes, b':');
}

/// Appends a header's name: as [`put_value`], and without escapes a colon is a question mark too.
pub(super) fn put_name(out: &mut BytesMut, name: &str, escapes: Escapes) {
    put(out, name, escapes, b'?');
}

/// Appends `text`; `colon` stands for a colon where there are no escapes.
fn put(out: &mut BytesMut, text: &str, escapes: Escapes, colon: u8) {
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    out.reserve(bytes.len() + 8);
    for &byte in bytes {
        match (byte, escapes) {
            (0, _) | (b'\n' | b'\r', Escapes::None) => out.put_u8(b'?'),
            (b':', Escapes::None) => out.put_u8(colon),
            (_, Escapes::None) => out.put_u8(byte),
            (b'\n', _) => out.extend_from_slice(b"\\n"),
            (b':', _) => out.extend_from_slice(b"\\c"),
            (b'\\', _) => out.extend_from_slice(b"\\\\"),
            (b'\r', Escapes::V1_2) => out.extend_from_slice(b"\\r"),
            _ => out.put_u8(byte),
        }
    }
}

/// Whether no byte can be one that is written differently. Free of branches, so that the compiler makes
/// vector code of it; header text is too short for a call per searched byte to pay.
fn is_plain(bytes: &[u8]) -> bool {
    let suspect = |byte: u8| (byte <= b'\r') | (byte == b':') | (byte == b'\\');
    !bytes.iter().fold(false, |found, &byte| found | suspect(byte))
}
