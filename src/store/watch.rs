//! How far the log is on disk, and who waits for it.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::{Condvar, Mutex};
use wharfmq_base::Lsn;

/// The durable watermark. It only rises; after a failure it never moves again.
#[derive(Default)]
pub struct DurableWatch {
    lsn: AtomicU64,
    failure: OnceLock<String>,
    waiting: Mutex<Waiting>,
    blocked: Condvar,
}

#[derive(Default)]
struct Waiting {
    wakers: Vec<(Lsn, Waker)>,
    /// Kept between advances for its memory.
    due: Vec<Waker>,
}

impl DurableWatch {
    /// A watch at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The last batch that survives a crash.
    pub fn lsn(&self) -> Lsn {
        Lsn(self.lsn.load(Ordering::Acquire))
    }

    /// Why the log failed, if it has.
    pub fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    /// Wakes `waker` once when `lsn` is durable or the log fails; at once if either is so already.
    ///
    /// A repeated registration of the same waker right after its last one replaces nothing: the
    /// earlier `lsn` stands, since a woken connection looks at everything that is covered.
    pub fn wake_at(&self, lsn: Lsn, waker: &Waker) {
        if !self.is_over(lsn) {
            let mut waiting = self.waiting.lock();
            // Looked at again under the lock that every advance takes after it has moved the watermark.
            if !self.is_over(lsn) {
                match waiting.wakers.last() {
                    Some((earlier, last)) if *earlier <= lsn && last.will_wake(waker) => {}
                    _ => waiting.wakers.push((lsn, waker.clone())),
                }
                return;
            }
        }
        waker.wake_by_ref();
    }

    /// Blocks the thread until `lsn` is durable (true) or the log has failed (false).
    pub fn wait(&self, lsn: Lsn) -> bool {
        if !self.is_over(lsn) {
            let mut waiting = self.waiting.lock();
            while !self.is_over(lsn) {
                self.blocked.wait(&mut waiting);
            }
        }
        self.lsn() >= lsn
    }

    /// Everything up to `lsn` is durable now: wakes who waited for it, each once.
    pub(crate) fn advance(&self, lsn: Lsn) {
        self.lsn.fetch_max(lsn.0, Ordering::AcqRel);
        self.wake(|wanted| wanted <= lsn);
    }

    /// Nothing more will become durable: wakes all.
    pub(crate) fn fail(&self, why: &str) {
        let _first_reason_stands = self.failure.set(why.into());
        self.wake(|_| true);
    }

    fn is_over(&self, lsn: Lsn) -> bool {
        self.lsn() >= lsn || self.failure.get().is_some()
    }

    fn wake(&self, is_due: impl Fn(Lsn) -> bool) {
        let mut waiting = self.waiting.lock();
        let mut due = std::mem::take(&mut waiting.due);
        due.extend(waiting.wakers.extract_if(.., |(lsn, _)| is_due(*lsn)).map(|(_, waker)| waker));
        self.blocked.notify_all();
        drop(waiting);
        due.drain(..).for_each(Waker::wake);
        self.waiting.lock().due = due;
    }
}

impl fmt::Debug for DurableWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableWatch")
            .field("lsn", &self.lsn())
            .field("failure", &self.failure.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_once_and_only_when_due() {
        let watch = DurableWatch::new();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        watch.wake_at(Lsn(2), &waker);
        watch.advance(Lsn(1));
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        watch.advance(Lsn(2));
        watch.advance(Lsn(3));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        watch.wake_at(Lsn(3), &waker);
        assert_eq!(count.0.load(Ordering::Relaxed), 2, "what is durable wakes at once");
    }

    #[test]
    fn a_repeated_registration_is_one() {
        let watch = DurableWatch::new();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        (1..100).for_each(|lsn| watch.wake_at(Lsn(lsn), &waker));
        assert_eq!(watch.waiting.lock().wakers.len(), 1);
        watch.advance(Lsn(1));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn failure_wakes_everyone_and_stands() {
        let watch = Arc::new(DurableWatch::new());
        let count = Arc::new(Count::default());
        watch.wake_at(Lsn(9), &Waker::from(Arc::clone(&count)));
        let blocked = std::thread::spawn({
            let watch = Arc::clone(&watch);
            move || watch.wait(Lsn(9))
        });
        watch.fail("gone");
        watch.fail("again");
        assert!(!blocked.join().unwrap());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(watch.failure().as_deref(), Some("gone"));
        assert!(watch.wait(Lsn(0)), "what is durable stays so");
    }
}
