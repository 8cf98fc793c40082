//! How long the latest syncs took.

use std::time::Duration;

use parking_lot::Mutex;

const KEPT: usize = 1024;

/// The durations of the latest syncs, in microseconds.
#[derive(Default)]
pub(super) struct SyncTimes {
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    times: Vec<u32>,
    next: usize,
}

impl SyncTimes {
    pub(super) fn note(&self, time: Duration) {
        let time = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        let mut ring = self.ring.lock();
        let next = ring.next;
        match ring.times.get_mut(next) {
            Some(place) => *place = time,
            None => ring.times.push(time),
        }
        ring.next = (next + 1) % KEPT;
    }

    pub(super) fn median_us(&self) -> u32 {
        let mut times = self.ring.lock().times.clone();
        let middle = times.len() / 2;
        if times.is_empty() { 0 } else { *times.select_nth_unstable(middle).1 }
    }
}
