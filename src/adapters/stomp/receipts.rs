//! Receipts that wait until what they confirm is durable.

use bytes::{Buf, BytesMut};
use wharfmq_core::Token;

/// What a token answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nobody asked: only a refusal is told.
    Silent,
    Receipt,
    /// The receipt of DISCONNECT, after which the connection ends.
    Last,
}

/// The ids of receipts in the order of their tokens, which carry their lengths: one buffer for all.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    ids: BytesMut,
}

/// The token of what is confirmed to nobody.
pub(super) const SILENT: Token = Token(0);
const RECEIPT: u64 = 1 << 32;
const LAST: u64 = 2 << 32;

impl Receipts {
    /// Keeps an id until its token comes back. Tokens have to come back in their order.
    pub(super) fn push(&mut self, id: &str) -> Token {
        self.ids.extend_from_slice(id.as_bytes());
        Token(RECEIPT | id.len() as u64)
    }

    /// The same for the receipt of DISCONNECT.
    pub(super) fn push_last(&mut self, id: &str) -> Token {
        self.ids.extend_from_slice(id.as_bytes());
        Token(LAST | id.len() as u64)
    }

    /// What a token stands for, and the id where there is one. [`Receipts::pop`] then forgets it.
    pub(super) fn front(&self, token: Token) -> (Reply, Option<&str>) {
        let reply = match token.0 >> 32 {
            0 => return (Reply::Silent, None),
            1 => Reply::Receipt,
            _ => Reply::Last,
        };
        let id = self.ids.get(..token.0 as u32 as usize).unwrap_or_default();
        (reply, Some(std::str::from_utf8(id).unwrap_or_default()))
    }

    /// Forgets the id that belongs to a token.
    pub(super) fn pop(&mut self, token: Token) {
        let len = (token.0 as u32 as usize).min(self.ids.len());
        self.ids.advance(len);
        if self.ids.is_empty() {
            self.ids = BytesMut::new();
        }
    }

    /// Bytes that are kept.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
