//! Tells every connection that the server stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Waker};

use parking_lot::Mutex;
use slab::Slab;

/// How far the stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It serves.
    Running,
    /// No new connections; the open ones come to their end in order.
    Draining,
    /// Everything ends at once.
    Stopped,
}

/// The phase, and who wants to hear of the next one. Reading it is one atomic load, as each connection
/// reads it in every round.
#[derive(Debug)]
pub struct Stop {
    phase: AtomicU8,
    watchers: Mutex<Slab<Waker>>,
}

impl Stop {
    /// In [`Phase::Running`].
    pub fn new() -> Arc<Self> {
        Arc::new(Self { phase: AtomicU8::new(0), watchers: Mutex::default() })
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// Goes on to [`Phase::Draining`], unless it is that far already.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Goes on to [`Phase::Stopped`].
    pub fn stop(&self) {
        self.advance(Phase::Stopped);
    }

    /// Waits until the phase is `phase` or later.
    pub async fn reached(self: &Arc<Self>, phase: Phase) {
        let mut watch = StopWatch::new(Arc::clone(self));
        std::future::poll_fn(|cx| {
            if watch.poll(cx) >= phase { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    fn advance(&self, to: Phase) {
        self.phase.fetch_max(to as u8, Ordering::AcqRel);
        let wakers: Vec<_> = self.watchers.lock().iter().map(|(_, waker)| waker.clone()).collect();
        for waker in wakers {
            waker.wake();
        }
    }
}

/// One task's eye on a [`Stop`]; always polled by the same task.
#[derive(Debug)]
pub struct StopWatch {
    stop: Arc<Stop>,
    key: Option<u32>,
}

impl StopWatch {
    /// Watches `stop` from the first poll on.
    pub const fn new(stop: Arc<Stop>) -> Self {
        Self { stop, key: None }
    }

    /// The phase; the task is woken at each change.
    pub fn poll(&mut self, cx: &Context<'_>) -> Phase {
        if self.key.is_none() {
            let key = self.stop.watchers.lock().insert(cx.waker().clone());
            self.key = u32::try_from(key).ok();
        }
        self.stop.phase()
    }

    /// What it watches.
    pub const fn stop(&self) -> &Arc<Stop> {
        &self.stop
    }
}

impl Drop for StopWatch {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = self.stop.watchers.lock().try_remove(key as usize);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn watchers_are_woken_and_forgotten() {
        let stop = Stop::new();
        let waiting = tokio::spawn({
            let stop = Arc::clone(&stop);
            async move { stop.reached(Phase::Draining).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(stop.watchers.lock().len(), 1);
        stop.drain();
        waiting.await.unwrap();
        assert_eq!(stop.watchers.lock().len(), 0);
        stop.stop();
        stop.drain();
        assert_eq!(stop.phase(), Phase::Stopped, "a phase is never left backwards");
        stop.reached(Phase::Draining).await;
    }
}
