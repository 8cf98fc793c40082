//! One clock for senders and receivers, so that a latency is a difference of two readings of it.

use std::time::{Duration, Instant};

/// Nanoseconds since the program's start, on the monotonic clock. 0 means "never" in the tables of this program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> u64 {
        nanos(self.0.elapsed()).max(1)
    }
}

/// A span in nanoseconds, at most `u64::MAX` (584 years).
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A span in seconds as the command line gives it; negative and absurd ones are 0.
pub(crate) fn seconds(span: f64) -> u64 {
    Duration::try_from_secs_f64(span).map_or(0, nanos)
}
