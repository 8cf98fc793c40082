//! Numbers of messages: dense, ascending, never given out twice, not even by a restarted broker.

use std::sync::atomic::{AtomicU64, Ordering};

/// How far ahead a checkpoint reserves numbers. Messages that are not stored use numbers that no
/// record names, so a restarted broker begins behind the reservation.
pub(super) const RESERVED_AHEAD: u64 = 1 << 20;

/// Gives out message ids and orders.
#[derive(Debug)]
pub(super) struct Ids {
    next: AtomicU64,
    reserved: AtomicU64,
}

impl Ids {
    pub(super) const fn starting_at(next: u64) -> Self {
        Self { next: AtomicU64::new(next), reserved: AtomicU64::new(next) }
    }

    /// The first of `count` consecutive numbers.
    pub(super) fn draw(&self, count: u64) -> u64 {
        self.next.fetch_add(count, Ordering::Relaxed)
    }

    /// Whether the reservation of the last checkpoint is nearly used up.
    pub(super) fn is_low(&self) -> bool {
        self.next.load(Ordering::Relaxed) + RESERVED_AHEAD / 4 > self.reserved.load(Ordering::Relaxed)
    }

    /// The first number that a restart may use if this is what it finds.
    pub(super) fn reserve(&self) -> u64 {
        let end = self.next.load(Ordering::Relaxed) + RESERVED_AHEAD;
        self.reserved.store(end, Ordering::Relaxed);
        end
    }

    /// Nothing below `next` will be given out.
    pub(super) fn skip_to(&self, next: u64) {
        self.next.fetch_max(next, Ordering::Relaxed);
    }
}
