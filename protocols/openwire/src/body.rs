//! The contents of messages by their type.
//!
//! | type | contents |
//! | --- | --- |
//! | Text | the length of the text in four bytes, [`crate::mutf8`] |
//! | Bytes | the bytes |
//! | Map | a [`Map`] |
//! | Stream | values of [`crate::primitive`], one after the other |
//! | Object | a stream of Java's serialisation: bytes that nothing here looks into |
//! | Blob, and the message of no type | none |

use bytes::{BufMut, Bytes, BytesMut};

use crate::primitive::{Map, RawText, Reader};
use crate::{Malformed, MessageKind, inflate, mutf8};

/// The contents of a message that were compressed, no more than `most` bytes of them.
pub fn inflated(kind: MessageKind, content: &[u8], most: usize) -> Result<Bytes, Malformed> {
    match kind {
        MessageKind::Bytes => inflate::inflate_bytes(content, most),
        _ => inflate::inflate(content, most),
    }
}

/// The text in the contents of a Text message; `None` where it is null.
pub fn text(content: &[u8]) -> Result<Option<RawText<'_>>, Malformed> {
    if content.is_empty() {
        return Ok(None);
    }
    Ok(Reader::new(content).counted()?.map(RawText))
}

/// The contents of a Text message.
pub fn write_text(text: &str, out: &mut BytesMut) {
    let len = mutf8::encoded_len(text);
    out.reserve(4 + len);
    out.put_u32(len as u32);
    mutf8::write(text, out);
}

/// The values in the contents of a Map message; `None` where there are none.
pub fn map(content: &[u8]) -> Result<Option<Map<'_>>, Malformed> {
    Map::read(content)
}

/// The values in the contents of a Stream message: until nothing is left.
pub const fn stream(content: &[u8]) -> Reader<'_> {
    Reader::new(content)
}

#[cfg(test)]
mod tests;
