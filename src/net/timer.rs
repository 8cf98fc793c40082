//! One timer a connection, moved only when it has to ring earlier.

use std::pin::{Pin, pin};
use std::task::Context;
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep};
use wharfmq_base::Millis;

/// The clock may lag by a tick; ringing that much later spares a wake that would come too early.
const TICK: Millis = Millis(4);
/// Longer spans ring in between and are armed again.
const SPAN_MAX: Millis = Millis(24 * 3_600_000);

/// Costs nothing until it is first armed.
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it rings.
    armed: Millis,
}

impl Timer {
    pub(super) const fn new() -> Self {
        Self { sleep: None, armed: Millis::NEVER }
    }

    /// Wakes the task at `at` or earlier: a timer that rings before it is due costs one idle round,
    /// where moving it at each frame would cost a lock.
    pub(super) fn arm(&mut self, at: Millis, now: Millis, cx: &mut Context<'_>) {
        if at == Millis::NEVER {
            // Most connections that have logged in wait for nothing.
            (self.sleep, self.armed) = (None, at);
            return;
        }
        if self.sleep.as_ref().is_some_and(|sleep| sleep.is_elapsed()) {
            self.armed = Millis::NEVER;
        }
        if at >= self.armed {
            return;
        }
        self.armed = at;
        let span = at.since(now).min(SPAN_MAX).plus(TICK);
        let until = Instant::now() + Duration::from_millis(span.0);
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                sleep.as_mut().reset(until);
                sleep
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(until))),
        };
        // Without a budget: a task that has used up its own would have the sleep answer that it is pending
        // without anybody to wake, and it is not asked again before it is to be moved.
        if pin!(unconstrained(sleep.as_mut())).poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::task::coop::consume_budget;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_for_a_task_that_has_used_up_its_budget() {
        let mut timer = Timer::new();
        let mut armed = false;
        let rings = poll_fn(|cx| {
            if timer.sleep.as_ref().is_some_and(|sleep| sleep.is_elapsed()) {
                return Poll::Ready(());
            }
            while !armed && pin!(consume_budget()).poll(cx).is_ready() {}
            armed = true;
            timer.arm(Millis(500), Millis(0), cx);
            Poll::Pending
        });
        tokio::time::timeout(Duration::from_secs(5), rings).await.unwrap();
    }
}
