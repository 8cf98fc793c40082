//! The one place that reads clocks.

use tokio::time::Instant;
use wharfmq_base::Millis;

use crate::broker::Now;

/// Where the time comes from. Copies of one clock agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Source);

#[derive(Clone, Copy, Debug)]
enum Source {
    System { started: u64 },
    Runtime { started: Instant, wall: Millis },
}

impl Clock {
    /// The machine's clocks; [`Now::mono`] counts from this call. They may lag by as much as a
    /// scheduler tick (4 ms): a round of a connection needs a cheap time more than an exact one.
    pub fn system() -> Self {
        Self(Source::System { started: raw::mono_ms() })
    }

    /// The clock of the tokio runtime, which tests and simulations can pause and advance. Its wall
    /// clock stands at `wall` now and moves with the monotonic one.
    pub fn of_runtime(wall: Millis) -> Self {
        Self(Source::Runtime { started: Instant::now(), wall })
    }

    /// The time now.
    pub fn now(&self) -> Now {
        match self.0 {
            Source::System { started } => {
                Now { wall: Millis(raw::wall_ms()), mono: Millis(raw::mono_ms().saturating_sub(started)) }
            }
            Source::Runtime { started, wall } => {
                let mono = Millis::from(started.elapsed());
                Now { wall: wall.plus(mono), mono }
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod raw {
    use rustix::time::{ClockId, clock_gettime};

    /// Milliseconds since 1970.
    pub(super) fn wall_ms() -> u64 {
        read(ClockId::RealtimeCoarse)
    }

    /// Milliseconds since some moment of the past.
    pub(super) fn mono_ms() -> u64 {
        read(ClockId::MonotonicCoarse)
    }

    fn read(clock: ClockId) -> u64 {
        let now = clock_gettime(clock);
        u64::try_from(now.tv_sec).unwrap_or(0) * 1_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
    }
}

#[cfg(not(target_os = "linux"))]
mod raw {
    use std::sync::LazyLock;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    use wharfmq_base::Millis;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    /// Milliseconds since 1970.
    pub(super) fn wall_ms() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |span| Millis::from(span).0)
    }

    /// Milliseconds since some moment of the past.
    pub(super) fn mono_ms() -> u64 {
        Millis::from(START.elapsed()).0
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_system_clock_is_close_to_the_exact_one() {
        let clock = Clock::system();
        let exact = Millis::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
        let now = clock.now();
        assert!(exact.since(now.wall).0 < 1_000 && now.wall.since(exact).0 < 1_000);
        assert!(now.mono.0 < 1_000);
        assert!(clock.now().mono >= now.mono);
    }

    #[tokio::test(start_paused = true)]
    async fn the_runtime_clock_follows_advance() {
        let clock = Clock::of_runtime(Millis(1_000));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), Now { wall: Millis(1_250), mono: Millis(250) });
    }
}
