//! Messages as they are stored: all but the content, in one encoding whatever their sender spoke.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{Decoder, Format};
use crate::error::Error;
use crate::message::Message;
use crate::structure::Nested;
use crate::writer::Writer;

/// How heads are written: loose, as no flag then depends on what stands elsewhere, and with all fields
/// there are. Stored, so it never changes.
const HEAD: Format = Format { version: 12, tight: false, stack_traces: false, cache: 0 };

/// Appends a message as a head: its type byte, then its fields. The caller has taken the content out.
pub fn write_head(message: &Message, out: &mut BytesMut) {
    out.put_u8(message.type_id());
    message.write(&mut Writer::new(out, HEAD, None));
}

/// Reads what [`write_head`] wrote. What the message holds refers to `head`.
pub fn read_head(head: &Bytes) -> Result<Message, Error> {
    let type_id = *head.first().ok_or(Error::Truncated)?;
    Decoder::new(HEAD).decode_as(type_id, head)
}
