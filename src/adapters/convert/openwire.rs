//! What other protocols have published, as messages of OpenWire.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq_base::Millis;
use wharfmq_core::HeadTag;
use wharfmq_openwire::{Message, MessageId, MessageKind, ProducerId, body};

use super::body_is_text;

/// The connection that messages of other protocols seem to come from.
const CONNECTION: &str = "ID:wharfmq";

/// A message of another protocol.
pub fn message_of(tag: HeadTag, head: &[u8], body: &Bytes, received: Millis, number: u64) -> Message {
    let is_text = body_is_text(tag, head, body);
    let content = match std::str::from_utf8(body) {
        Ok(text) if is_text => {
            let mut content = BytesMut::new();
            body::write_text(text, &mut content);
            content.freeze()
        }
        _ => body.clone(),
    };
    let producer = Arc::new(ProducerId { connection_id: Some(CONNECTION.into()), value: 1, session_id: 1 });
    Message {
        kind: if is_text { MessageKind::Text } else { MessageKind::Bytes },
        producer_id: Some(Arc::clone(&producer)),
        message_id: Some(MessageId {
            producer_id: Some(producer),
            producer_sequence_id: number as i64,
            ..MessageId::default()
        }),
        timestamp: received.0 as i64,
        content: Some(content),
        ..Message::default()
    }
}
