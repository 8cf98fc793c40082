//! Ids and destinations read last, where the peer does not number them.

use bytes::Bytes;

use crate::cache::Object;

/// How many are kept. One message names two: its producer and its destination.
const KEPT: usize = 8;
/// Bytes of the longest kept.
const BYTES_MAX: usize = 256;

/// What was read last, by the bytes it was read from. In the loose encoding these end by themselves, so
/// input that begins with them means the same again: it needs no memory, and is not read once more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    entries: Vec<(Bytes, Object)>,
    next: usize,
}

impl Recent {
    /// What `input` begins with, and how long that is.
    pub(crate) fn find(&self, input: &[u8]) -> Option<(usize, &Object)> {
        let (bytes, object) = self.entries.iter().find(|(bytes, _)| input.starts_with(bytes))?;
        Some((bytes.len(), object))
    }

    /// Whether something that was read from so many bytes is kept.
    pub(crate) const fn keeps(len: usize) -> bool {
        len <= BYTES_MAX
    }

    /// Keeps an object that was read from `bytes`; both refer to no other memory.
    pub(crate) fn add(&mut self, bytes: Bytes, object: Object) {
        match self.entries.get_mut(self.next) {
            Some(entry) => *entry = (bytes, object),
            None => self.entries.push((bytes, object)),
        }
        self.next = (self.next + 1) % KEPT;
    }
}
