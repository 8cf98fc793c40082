//! Messages as they are stored: all but the content, in one encoding whatever their sender spoke.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::Format;
use crate::error::Error;
use crate::message::Message;
use crate::reader::Reader;
use crate::recent::Recent;
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
    HeadReader::default().read(head)
}

/// Reads heads, many of which name the same producers and destinations: these are read once.
#[derive(Debug, Default)]
pub struct HeadReader {
    recent: Recent,
}

impl HeadReader {
    /// Reads what [`write_head`] wrote. But for producers and destinations, what the message holds refers
    /// to `head`.
    pub fn read(&mut self, head: &Bytes) -> Result<Message, Error> {
        let type_id = *head.first().ok_or(Error::Truncated)?;
        let mut reader = Reader::new(head, HEAD, None, Some(&mut self.recent))?;
        let message = Message::read(type_id, &mut reader)?;
        reader.finish()?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Destination, DestinationKind, MessageId, ProducerId};

    fn head(producer: i64, queue: &str) -> Bytes {
        let id = ProducerId { connection_id: Some("ID:c".into()), value: producer, session_id: 1 };
        let message = Message {
            producer_id: Some(Arc::new(id.clone())),
            destination: Some(Arc::new(Destination::new(DestinationKind::Queue, queue))),
            message_id: Some(MessageId { producer_id: Some(Arc::new(id)), ..MessageId::default() }),
            ..Message::default()
        };
        let mut out = BytesMut::new();
        write_head(&message, &mut out);
        out.freeze()
    }

    #[test]
    fn what_is_named_again_is_one_object() {
        let mut reader = HeadReader::default();
        let first = reader.read(&head(1, "q")).unwrap();
        let second = reader.read(&head(1, "q")).unwrap();
        assert_eq!(first, second);
        let producers = [&first, &second].map(|message| message.producer_id.clone().unwrap());
        assert!(Arc::ptr_eq(&producers[0], &producers[1]));
        assert!(Arc::ptr_eq(&producers[0], &second.message_id.unwrap().producer_id.unwrap()));
    }

    #[test]
    fn many_names_and_long_ones_are_read_as_by_themselves() {
        let mut reader = HeadReader::default();
        let long = "q".repeat(1_000);
        for n in 0..40 {
            let head = head(n % 13, if n % 3 == 0 { &long } else { "q" });
            assert_eq!(reader.read(&head), read_head(&head));
        }
    }
}
