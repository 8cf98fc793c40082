//! A bound on log lines that strangers can cause.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Millis;

const WINDOW_MS: u64 = 1_000;

/// Lets the first `LINES` lines of each second pass and counts the others.
#[derive(Debug, Default)]
pub struct LogLimit<const LINES: u64 = 10> {
    /// The window's number in the upper half, lines passed in it in the lower.
    window: AtomicU64,
    suppressed: AtomicU64,
}

impl<const LINES: u64> LogLimit<LINES> {
    /// Whether a line may be written at the monotonic time `mono`: then how many were left out before it.
    pub fn pass(&self, mono: Millis) -> Option<u64> {
        let window = (mono.0 / WINDOW_MS) << 32;
        let step = |seen: u64| {
            if seen >> 32 != window >> 32 {
                return Some(window | 1);
            }
            (seen & 0xffff_ffff < LINES).then_some(seen + 1)
        };
        match self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(_) => Some(self.suppressed.swap(0, Ordering::Relaxed)),
            Err(_) => {
                self.suppressed.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_the_next_second_is_free() {
        let limit = LogLimit::<10>::default();
        let passed = (0..100).filter(|_| limit.pass(Millis(5_500)).is_some()).count();
        assert_eq!(passed, 10);
        assert_eq!(limit.pass(Millis(6_000)), Some(90));
        assert_eq!(limit.pass(Millis(6_001)), Some(0));
    }

    #[test]
    fn the_first_second_counts_too() {
        let limit = LogLimit::<10>::default();
        assert_eq!((0..100).filter(|_| limit.pass(Millis(0)).is_some()).count(), 10);
    }
}
