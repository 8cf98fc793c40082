//! How a will is remembered: under its own number, among what the broker itself remembers.
//!
//! The key of a will is `will` and its number, eight bytes with the highest first; that of the time at which it
//! is due, where its connection has ended, is `due` and the number. The value of a will is a version byte, the
//! delay, the wait, the life (eight bytes each), the length of the client id (two bytes), the client id, and the
//! message as a record of the journal.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::MessagePrefix;
use wharfmq_core::{Message, MessageId, Notes, Order};

use super::undertaker::message_from;
use super::wills::{Kept, Will, WillId};

const VERSION: u8 = 1;
const WILL: &[u8] = b"will";
const DUE: &[u8] = b"due";

/// What a key of the broker's own names.
pub(super) enum Named {
    Will(WillId),
    Due(WillId),
}

/// The key of a will.
pub(super) fn will_key(id: WillId) -> Bytes {
    key(WILL, id)
}

/// The key of the time at which a will is due.
pub(super) fn due_key(id: WillId) -> Bytes {
    key(DUE, id)
}

/// Reads a key.
pub(super) fn named(key: &[u8]) -> Option<Named> {
    let number = |rest: &[u8]| <[u8; 8]>::try_from(rest).ok().map(|bytes| WillId(u64::from_be_bytes(bytes)));
    match (key.strip_prefix(WILL), key.strip_prefix(DUE)) {
        (Some(rest), _) => number(rest).map(Named::Will),
        (_, Some(rest)) => number(rest).map(Named::Due),
        _ => None,
    }
}

/// A will as it is kept and remembered. `wait` is how long it waits for its client if nothing more is said.
pub(super) fn encode(
    id: WillId,
    client: &ByteString,
    will: Will,
    wait: Millis,
    now: Millis,
) -> (Kept, Bytes) {
    let Will { address, qos, retain, head, body, life, delay } = will;
    let mut message = Message {
        id: MessageId(id.0),
        address: Arc::new(address),
        qos,
        priority: 4,
        retain,
        received: now,
        expires: Millis::NEVER,
        head,
        notes: Notes::default(),
        terms: None,
        body,
    };
    let mut prefix = Vec::with_capacity(64);
    MessagePrefix::of(&message, Order(0), &[]).encode(&mut prefix);
    let fields = [delay, wait, life];
    let mut out = BytesMut::with_capacity(32 + client.len() + prefix.len() + message.size() as usize);
    out.put_u8(VERSION);
    fields.iter().for_each(|field| out.put_u64(field.0));
    // No adapter takes client ids that are longer.
    out.put_u16(u16::try_from(client.len()).unwrap_or(u16::MAX));
    out.put_slice(client.as_bytes());
    for part in [&prefix[..], &message.head.bytes, &message.body] {
        out.put_slice(part);
    }
    let value = out.freeze();
    // What is kept shares the bytes of what is remembered.
    let body_at = value.len() - message.body.len();
    message.head.bytes = value.slice(body_at - message.head.bytes.len()..body_at);
    message.body = value.slice(body_at..);
    (Kept { client: client.clone(), message: Arc::new(message), delay, wait, life, due: None }, value)
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(value: &Bytes) -> Option<Kept> {
    let mut rest = value.clone();
    if rest.try_get_u8().ok()? != VERSION {
        return None;
    }
    let mut field = || rest.try_get_u64().ok().map(Millis);
    let (delay, wait, life) = (field()?, field()?, field()?);
    let len = usize::from(rest.try_get_u16().ok()?);
    if rest.len() < len {
        return None;
    }
    let client = ByteString::try_from(rest.split_to(len)).ok()?;
    let message = message_from(&rest)?;
    Some(Kept { client, message, delay, wait, life, due: None })
}

fn key(prefix: &[u8], id: WillId) -> Bytes {
    [prefix, &id.0.to_be_bytes()].concat().into()
}

#[cfg(test)]
mod tests {
    use wharfmq_core::{Address, Head, HeadTag, Qos};

    use super::*;

    fn value() -> (Kept, Bytes) {
        let will = Will {
            address: Address::topic("w.x"),
            qos: Qos::ExactlyOnce,
            retain: true,
            head: Head { tag: HeadTag(3), bytes: Bytes::from_static(b"head") },
            body: Bytes::from_static(b"body"),
            life: Millis(7_000),
            delay: Millis(60_000),
        };
        encode(WillId(9), &"client".into(), will, Millis(5_000), Millis(1_000_000))
    }

    #[test]
    fn what_is_written_is_read() {
        let (kept, value) = value();
        let read = decode(&value).unwrap();
        assert_eq!(read.message, kept.message);
        let fields = |kept: &Kept| (kept.client.clone(), kept.delay, kept.wait, kept.life, kept.due);
        assert_eq!(fields(&read), fields(&kept));
        assert_eq!(fields(&read), ("client".into(), Millis(60_000), Millis(5_000), Millis(7_000), None));
    }

    #[test]
    fn what_is_damaged_is_no_will() {
        let (_, value) = value();
        // All behind the fixed part may be a body that is shorter.
        let parts = value.len() - "body".len();
        assert!((0..parts).all(|len| decode(&value.slice(..len)).is_none()));
        let mut other = value.to_vec();
        other[0] += 1;
        assert!(decode(&other.into()).is_none());
    }

    #[test]
    fn keys_say_what_they_are_of() {
        assert!(matches!(named(&will_key(WillId(9))), Some(Named::Will(WillId(9)))));
        assert!(matches!(named(&due_key(WillId(9))), Some(Named::Due(WillId(9)))));
        assert!(named(b"will").is_none() && named(b"else00000000").is_none() && named(b"").is_none());
    }
}
