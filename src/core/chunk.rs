//! What one read of one connection published to targets that store nothing.
//!
//! No message object is made: an [`Item`] is a handful of offsets into the bytes as they were read,
//! and all of a read go to a subscriber as one shared [`Chunk`].

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use wharfmq_base::Millis;

use crate::{Address, HeadTag, Qos, SubTag};

/// A range of bytes in a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Span {
    /// The bytes it names; empty where it lies outside.
    pub fn of(self, raw: &[u8]) -> &[u8] {
        let start = self.start as usize;
        raw.get(start..start + self.len as usize).unwrap_or_default()
    }

    /// The byte after the last.
    pub const fn end(self) -> u32 {
        self.start + self.len
    }

    /// The same bytes, shared.
    pub fn slice(self, raw: &Bytes) -> Bytes {
        let start = self.start as usize;
        let end = start + self.len as usize;
        if end <= raw.len() { raw.slice(start..end) } else { Bytes::new() }
    }
}

/// One publication within a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The frame as the publisher sent it.
    pub frame: Span,
    /// Its original headers.
    pub head: Span,
    /// Its body.
    pub body: Span,
    /// Which of the chunk's addresses it was sent to.
    pub address: u16,
    /// Offset within the frame of something the layout patches per subscriber, such as a packet id.
    pub patch: u16,
    /// The layout of the headers.
    pub tag: HeadTag,
    /// As published.
    pub qos: Qos,
    /// As published.
    pub retain: bool,
    /// 0 to 9.
    pub priority: u8,
    /// When it expires, by the wall clock.
    pub expires: Millis,
}

/// Publications of one read, in their order.
#[derive(Debug)]
pub struct Chunk {
    /// The bytes all spans point into.
    pub raw: Bytes,
    /// The publications.
    pub items: Vec<Item>,
    /// The destinations they were sent to.
    pub addresses: SmallVec<[Arc<Address>; 2]>,
    /// When they came, by the wall clock.
    pub received: Millis,
    /// Names the chunk's first message; the others follow.
    pub first_id: u64,
}

impl Chunk {
    /// What one of the items was sent to, by its number.
    pub fn address_of(&self, index: u32) -> Option<&Arc<Address>> {
        let item = self.items.get(index as usize)?;
        self.addresses.get(usize::from(item.address))
    }
}

/// Consecutive items of a chunk that go to the same subscriptions of one connection.
#[derive(Clone, Debug)]
pub struct Run {
    /// First item.
    pub start: u32,
    /// The item after the last.
    pub end: u32,
    /// The connection's subscriptions that they match.
    pub subs: SmallVec<[SubTag; 2]>,
}
