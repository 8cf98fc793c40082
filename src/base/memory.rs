//! The pool that everything holding payload bytes draws on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How full the pool is, as steps for whoever wants to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Below 60 %: nothing to do.
    Calm,
    /// From 60 %: what can be paged out should be.
    Page,
    /// From 80 %: producers should wait.
    Block,
    /// From 95 %: non-persistent publishes are refused.
    Refuse,
}

/// A counter of bytes with a limit. Never blocks: it reports [`Pressure`] and the callers act.
#[derive(Debug)]
pub struct MemoryPool {
    used: AtomicU64,
    limit: u64,
}

impl MemoryPool {
    /// A pool of `limit` bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), limit: limit.max(1) })
    }

    /// Takes `bytes`, whatever the pressure; given back when the lease is dropped.
    pub fn lease(self: &Arc<Self>, bytes: u64) -> Lease {
        self.take(bytes);
        Lease { pool: Arc::clone(self), bytes }
    }

    /// Counts `bytes` as used; the caller gives them back with [`Self::give`].
    pub fn take(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts `bytes` as free again.
    pub fn give(&self, bytes: u64) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "more bytes given back than taken");
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// How full the pool is.
    pub fn pressure(&self) -> Pressure {
        match self.used().saturating_mul(100) / self.limit {
            0..60 => Pressure::Calm,
            60..80 => Pressure::Page,
            80..95 => Pressure::Block,
            _ => Pressure::Refuse,
        }
    }
}

/// A share of a [`MemoryPool`], returned when dropped.
#[derive(Debug)]
pub struct Lease {
    pool: Arc<MemoryPool>,
    bytes: u64,
}

impl Lease {
    /// Bytes held.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.give(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_come_back_and_pressure_follows() {
        let pool = MemoryPool::new(100);
        assert_eq!(pool.pressure(), Pressure::Calm);
        let a = pool.lease(60);
        assert_eq!(pool.pressure(), Pressure::Page);
        let b = pool.lease(35);
        assert_eq!(pool.pressure(), Pressure::Refuse);
        drop(a);
        assert_eq!(pool.used(), 35);
        drop(b);
        assert_eq!(pool.pressure(), Pressure::Calm);
    }
}
