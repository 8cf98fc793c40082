//! Who listens to what is told.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};

use foldhash::fast::RandomState;
use wharfmq_base::{RankedMutex, rank};
use wharfmq_core::{ConnId, Pattern, QueueId, SubTag};

use super::About;

/// A subscription that matches topics of what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Listener {
    /// One that stores nothing.
    Direct(ConnId, SubTag),
    /// A queue that is bound.
    Bound(QueueId),
    /// A setting that passes it on.
    Forward(usize),
}

/// The subscriptions that match topics of what is told, and what they want to hear.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    /// The bits of what somebody listens to.
    heard: AtomicU32,
    all: RankedMutex<All, { rank::ADDRESS }>,
}

#[derive(Debug, Default)]
struct All {
    known: HashSet<(Listener, Pattern), RandomState>,
    counts: [usize; About::ALL.len()],
}

impl Listeners {
    /// Whether somebody listens to what is told about something.
    pub(super) fn hears(&self, about: About) -> bool {
        self.hears_any(about.bit())
    }

    /// Whether somebody listens to something of these bits.
    pub(super) fn hears_any(&self, bits: u32) -> bool {
        self.heard.load(Ordering::Relaxed) & bits != 0
    }

    /// Notes a subscription that the router knows already. Whether it may match something that is told.
    pub(super) fn add(&self, who: Listener, pattern: &Pattern) -> bool {
        let bits = About::matched_by(pattern);
        if bits == 0 {
            return false;
        }
        let mut all = self.all.lock();
        if all.known.insert((who, pattern.clone())) {
            all.count(bits, |count| count + 1);
            self.heard.store(all.heard(), Ordering::SeqCst);
        }
        true
    }

    /// Notes that a subscription has ended.
    pub(super) fn remove(&self, who: Listener, pattern: &Pattern) {
        let bits = About::matched_by(pattern);
        if bits == 0 {
            return;
        }
        let mut all = self.all.lock();
        if all.known.remove(&(who, pattern.clone())) {
            all.count(bits, |count| count.saturating_sub(1));
            self.heard.store(all.heard(), Ordering::SeqCst);
        }
    }
}

impl All {
    fn count(&mut self, bits: u32, change: impl Fn(usize) -> usize) {
        for (about, count) in About::ALL.iter().zip(&mut self.counts) {
            if bits & about.bit() != 0 {
                *count = change(*count);
            }
        }
    }

    fn heard(&self) -> u32 {
        let heard = About::ALL.iter().zip(&self.counts).filter(|(_, count)| **count > 0);
        heard.fold(0, |bits, (about, _)| bits | about.bit())
    }
}

#[cfg(test)]
mod tests {
    use wharfmq_core::Kind;

    use super::*;

    #[test]
    fn the_last_to_leave_ends_it() {
        let listeners = Listeners::default();
        let pattern = |text: &str| Pattern::parse(Kind::Topic, text).unwrap();
        let (one, other) = (Listener::Direct(ConnId(1), SubTag(1)), Listener::Bound(QueueId(1)));
        let (all, queues) = (pattern("ActiveMQ.Advisory.>"), pattern("ActiveMQ.Advisory.Queue"));
        assert!(listeners.add(one, &queues) && listeners.add(one, &queues) && listeners.add(other, &all));
        assert!(!listeners.add(one, &pattern(">")));
        assert!(listeners.hears(About::Queue) && listeners.hears(About::Full));
        listeners.remove(other, &all);
        listeners.remove(other, &all);
        assert!(listeners.hears(About::Queue) && !listeners.hears(About::Full));
        listeners.remove(one, &queues);
        assert!(!listeners.hears(About::Queue));
    }
}
