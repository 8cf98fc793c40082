//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that normally takes milliseconds: long enough for a machine that is shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long to look for something that must not come. Short: it can only miss a fault, never invent one.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// Asks again and again until `condition` holds, for at most [`PATIENCE`].
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}
