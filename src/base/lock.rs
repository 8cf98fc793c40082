//! A mutex that knows its place in the lock order.
//!
//! Every lock of the data path has a rank. A thread may only take a lock of a higher rank than all it
//! holds; debug builds assert it at each `lock`, so that a deadlock is found by the first test that
//! walks the path and not by two threads that meet once a month.

use std::ops::{Deref, DerefMut};

use parking_lot::{Mutex, MutexGuard};

/// The order in which locks are taken, lowest first.
pub mod rank {
    /// The routing table.
    pub const ROUTER: u8 = 10;
    /// The table of destinations and sessions.
    pub const ADDRESS: u8 = 20;
    /// One queue.
    pub const QUEUE: u8 = 30;
    /// What waits for one connection.
    pub const OUTBOX: u8 = 40;
    /// The tail of the log.
    pub const LOG: u8 = 50;
}

/// A mutex of rank `RANK`; see [`rank`].
#[derive(Debug, Default)]
pub struct RankedMutex<T, const RANK: u8> {
    inner: Mutex<T>,
}

impl<T, const RANK: u8> RankedMutex<T, RANK> {
    /// A new, free mutex.
    pub const fn new(value: T) -> Self {
        Self { inner: Mutex::new(value) }
    }

    /// Waits for the lock. Panics in debug builds where the thread holds a lock of this or a higher rank.
    pub fn lock(&self) -> RankedGuard<'_, T, RANK> {
        held::enter(RANK);
        RankedGuard { guard: self.inner.lock() }
    }

    /// The value, without locking: nobody else can hold the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// The value, out of its lock.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

/// Holds a [`RankedMutex`] until dropped. Cannot leave its thread.
///
/// A panic while one is held aborts the process: what the lock guards may be half changed.
#[derive(Debug)]
pub struct RankedGuard<'a, T, const RANK: u8> {
    guard: MutexGuard<'a, T>,
}

impl<T, const RANK: u8> Deref for RankedGuard<'_, T, RANK> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T, const RANK: u8> DerefMut for RankedGuard<'_, T, RANK> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T, const RANK: u8> Drop for RankedGuard<'_, T, RANK> {
    fn drop(&mut self) {
        held::leave(RANK);
        if std::thread::panicking() && !cfg!(test) {
            std::process::abort();
        }
    }
}

#[cfg(debug_assertions)]
mod held {
    use std::cell::RefCell;

    thread_local! {
        static RANKS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn enter(rank: u8) {
        RANKS.with_borrow_mut(|ranks| {
            if let Some(&top) = ranks.last() {
                assert!(top < rank, "lock order: rank {rank} asked for while rank {top} is held");
            }
            ranks.push(rank);
        });
    }

    pub(super) fn leave(rank: u8) {
        RANKS.with_borrow_mut(|ranks| {
            if let Some(at) = ranks.iter().rposition(|&held| held == rank) {
                ranks.remove(at);
            }
        });
    }
}

#[cfg(not(debug_assertions))]
mod held {
    pub(super) const fn enter(_rank: u8) {}
    pub(super) const fn leave(_rank: u8) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascending_ranks_pass() {
        let low = RankedMutex::<_, 1>::new(1);
        let high = RankedMutex::<_, 2>::new(2);
        let a = low.lock();
        let b = high.lock();
        assert_eq!(*a + *b, 3);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "lock order")]
    fn descending_ranks_panic() {
        let low = RankedMutex::<_, 1>::new(());
        let high = RankedMutex::<_, 2>::new(());
        let _b = high.lock();
        let _a = low.lock();
    }

    #[test]
    fn guards_may_be_dropped_in_any_order() {
        let low = RankedMutex::<_, 1>::new(());
        let high = RankedMutex::<_, 2>::new(());
        let a = low.lock();
        let b = high.lock();
        drop(a);
        drop(b);
        drop(low.lock());
    }
}
