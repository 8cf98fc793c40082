//! Who wants to hear of queues that are made: subscriptions to queues by wildcard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wharfmq_base::{RankedMutex, rank};
use wharfmq_core::record::Class;
use wharfmq_core::{ConnId, CoreEvent, Outbox, Pattern, QueueCell, SubTag};

use super::{Broker, Port, Refused};

/// Patterns that all connections together may watch; each is looked at when a queue is made.
const WATCHES_MAX: usize = 100_000;
/// Patterns that one connection may watch.
const WATCHES_PER_CONNECTION_MAX: usize = 1_000;

/// The patterns that are watched.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    list: RankedMutex<Vec<Watcher>, { rank::ADDRESS }>,
    /// The list's length, so that nobody locks it in vain.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Watcher {
    pattern: Pattern,
    outbox: Arc<Outbox>,
    sub: SubTag,
}

impl Watchers {
    fn add(&self, watcher: Watcher) -> Result<(), Refused> {
        let mut list = self.list.lock();
        if list.len() >= WATCHES_MAX {
            return Err(Refused::TooManyWatches);
        }
        list.push(watcher);
        self.count.store(list.len(), Ordering::SeqCst);
        Ok(())
    }

    /// Takes out what `gone` chooses; how many those were.
    fn remove(&self, gone: impl Fn(&Watcher) -> bool) -> usize {
        let mut list = self.list.lock();
        let before = list.len();
        list.retain(|watcher| !gone(watcher));
        self.count.store(list.len(), Ordering::SeqCst);
        before - list.len()
    }

    /// Tells of a queue that whoever lists the queues from now on finds.
    pub(super) fn made(&self, queue: &Arc<QueueCell>) {
        if queue.class != Class::Queue || self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let waiting: Vec<_> = {
            let list = self.list.lock();
            let matching = list.iter().filter(|watcher| watcher.pattern.matches(&queue.name));
            matching.map(|watcher| (Arc::clone(&watcher.outbox), watcher.sub)).collect()
        };
        for (outbox, sub) in waiting {
            outbox.push(CoreEvent::Made(sub, Arc::clone(queue)));
        }
    }
}

impl Port {
    /// The queues that clients name and whose names match.
    pub fn queues_matching(&self, pattern: &Pattern) -> Vec<Arc<QueueCell>> {
        self.broker.queues_matching(pattern)
    }

    /// From now on a queue whose name matches comes as [`CoreEvent::Made`] when it is made. Whoever
    /// watches first and lists then misses none, and may meet one twice.
    pub fn watch_queues(&mut self, pattern: &Pattern, sub: SubTag) -> Result<(), Refused> {
        if self.watches >= WATCHES_PER_CONNECTION_MAX {
            return Err(Refused::TooManyWatches);
        }
        let (pattern, outbox) = (pattern.clone(), Arc::clone(&self.outbox));
        self.broker.watchers.add(Watcher { pattern, outbox, sub })?;
        self.watches += 1;
        Ok(())
    }

    /// Ends all watches of this number.
    pub fn unwatch(&mut self, sub: SubTag) {
        let conn = self.conn();
        self.unwatch_those(|watcher| watcher.sub == sub && is_of(watcher, conn));
    }

    pub(super) fn unwatch_all(&mut self) {
        let conn = self.conn();
        self.unwatch_those(|watcher| is_of(watcher, conn));
    }

    fn unwatch_those(&mut self, gone: impl Fn(&Watcher) -> bool) {
        if self.watches > 0 {
            self.watches -= self.broker.watchers.remove(gone);
        }
    }
}

fn is_of(watcher: &Watcher, conn: ConnId) -> bool {
    watcher.outbox.conn == conn
}

impl Broker {
    fn queues_matching(&self, pattern: &Pattern) -> Vec<Arc<QueueCell>> {
        let named = self.router.queues(|name| pattern.matches(name));
        let cells = named.into_iter().map(|(_, _, cell)| cell);
        let mut cells: Vec<_> = cells.filter(|cell| cell.class == Class::Queue).collect();
        cells.sort_unstable_by_key(|cell| cell.id);
        cells
    }
}
