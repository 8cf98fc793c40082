//! What is to be written to a socket: small pieces gathered, large ones chained by reference.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// From this size on a payload is chained instead of copied: below it a copy is cheaper than one more
/// slice for the kernel to walk.
const CHAIN_BYTES: usize = 2_048;
/// Size in which the tail grows; a tail that was sealed gives its allocation away.
const TAIL_BYTES: usize = 16 * 1024;
/// Slices handed to one `writev`.
pub const SLICES_MAX: usize = 64;

/// An output buffer for vectored writes. Holds no memory while it is empty and [`WriteBuf::shrink`] was
/// called.
#[derive(Debug, Default)]
pub struct WriteBuf {
    sealed: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl WriteBuf {
    /// Bytes to be written.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to be written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a copy of `bytes`.
    pub fn put(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        self.tail.extend_from_slice(bytes);
    }

    /// Appends `bytes`, by reference where that pays.
    pub fn chain(&mut self, bytes: Bytes) {
        if bytes.len() < CHAIN_BYTES {
            self.put(&bytes);
            return;
        }
        self.seal();
        self.len += bytes.len();
        self.sealed.push_back(bytes);
    }

    /// Lets `write` append to the tail.
    pub fn with<R>(&mut self, write: impl FnOnce(&mut BytesMut) -> R) -> R {
        if self.tail.capacity() == self.tail.len() {
            self.tail.reserve(TAIL_BYTES);
        }
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len += self.tail.len() - before;
        result
    }

    /// The slices to be written next, at most as many as fit `into`; answers how many.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let mut count = 0;
        for (slot, bytes) in into.iter_mut().zip(self.sealed.iter().map(|b| &b[..]).chain(tail)) {
            *slot = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    /// The first `written` bytes have been written.
    pub fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(front) = self.sealed.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.sealed.pop_front();
        }
        if written == self.tail.len() {
            self.tail.clear();
        } else {
            self.tail.advance(written);
        }
    }

    /// Everything in one piece.
    pub fn into_bytes(self) -> Bytes {
        if self.sealed.is_empty() {
            return self.tail.freeze();
        }
        let mut all = BytesMut::with_capacity(self.len);
        self.sealed.iter().for_each(|piece| all.extend_from_slice(piece));
        all.extend_from_slice(&self.tail);
        all.freeze()
    }

    /// Gives memory back; to be called when the connection has nothing to do.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.sealed.push_back(self.tail.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(buf: &WriteBuf) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let n = buf.slices(&mut slices);
        slices[..n].iter().flat_map(|s| s.to_vec()).collect()
    }

    #[test]
    fn order_and_partial_writes() {
        let mut buf = WriteBuf::default();
        let large = Bytes::from(vec![7; CHAIN_BYTES]);
        buf.put(b"head");
        buf.chain(large.clone());
        buf.chain(Bytes::from_static(b"small"));
        buf.with(|tail| tail.extend_from_slice(b"end"));
        let mut expected = b"head".to_vec();
        expected.extend_from_slice(&large);
        expected.extend_from_slice(b"smallend");
        assert_eq!(all(&buf), expected);
        assert_eq!(buf.len(), expected.len());
        while !buf.is_empty() {
            let step = buf.len().min(1_000);
            buf.advance(step);
            expected.drain(..step);
            assert_eq!(all(&buf), expected);
        }
        buf.shrink();
        assert_eq!(buf.len(), 0);
    }
}
