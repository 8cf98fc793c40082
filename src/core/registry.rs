//! The table of queues, and the lock around each: the only file of the core that locks queues.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{Millis, RankedGuard, RankedMutex, rank};

use crate::record::Class;
use crate::{Outbox, Qos, Queue, QueueId, QueuePolicy, limits};

/// One queue behind its lock.
#[derive(Debug)]
pub struct QueueCell {
    /// Its number in the log.
    pub id: QueueId,
    /// What it is for.
    pub class: Class,
    /// Its name, unique within its class.
    pub name: ByteString,
    /// Its settings.
    pub policy: Arc<QueuePolicy>,
    /// The wall-clock time, in milliseconds, for which the scheduler is armed.
    pub armed: AtomicU64,
    /// The queue holds more than its share of memory or of the disk.
    crowded: AtomicBool,
    /// The log knows the queue.
    durable: AtomicBool,
    /// A shared subscription keeps what nothing stores too.
    keeps_light: AtomicBool,
    inner: RankedMutex<Inner, { rank::QUEUE }>,
}

#[derive(Debug)]
struct Inner {
    queue: Queue,
    /// Publishers that found the queue full.
    waiting: Vec<Arc<Outbox>>,
    deleted: bool,
}

/// A queue, locked. Deliveries are pushed to the consumers before the lock is released, so that what
/// one consumer gets is in the order in which the queue gave it out.
#[derive(Debug)]
pub struct LockedQueue<'a> {
    inner: RankedGuard<'a, Inner, { rank::QUEUE }>,
}

impl QueueCell {
    /// An empty queue.
    pub fn new(id: QueueId, class: Class, name: ByteString, policy: Arc<QueuePolicy>) -> Arc<Self> {
        let inner = Inner { queue: Queue::new(id, Arc::clone(&policy)), waiting: Vec::new(), deleted: false };
        Arc::new(Self {
            id,
            class,
            name,
            durable: AtomicBool::new(policy.durable),
            keeps_light: AtomicBool::new(false),
            policy,
            armed: AtomicU64::new(Millis::NEVER.0),
            crowded: AtomicBool::new(false),
            inner: RankedMutex::new(inner),
        })
    }

    /// Waits for the queue's lock.
    pub fn lock(&self) -> LockedQueue<'_> {
        LockedQueue { inner: self.inner.lock() }
    }

    /// Whether the queue may have to refuse a message: it has limits, or holds more than its share. Others
    /// need not be asked for room.
    pub fn may_refuse(&self) -> bool {
        self.policy.is_limited() || self.crowded.load(Ordering::Relaxed)
    }

    /// Notes whether the queue holds more than its share: what was found while it was locked.
    pub fn set_crowded(&self, crowded: bool) {
        if self.crowded.load(Ordering::Relaxed) != crowded {
            self.crowded.store(crowded, Ordering::Relaxed);
        }
    }

    /// Whether messages in the queue outlive the process.
    pub fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire)
    }

    /// Makes the queue durable for what comes from now on; the log knows it already. What is in it stays
    /// in memory only.
    pub fn make_durable(&self) {
        let policy = QueuePolicy { durable: true, ..(*self.policy).clone() };
        self.lock().queue().set_policy(Arc::new(policy));
        self.durable.store(true, Ordering::Release);
    }

    /// Notes whether a shared subscription has somebody who takes what nothing stores from its queue.
    pub fn set_keeps_light(&self, keeps: bool) {
        self.keeps_light.store(keeps, Ordering::Relaxed);
    }

    /// Whether the queue keeps messages published at `qos`. What waits for an MQTT client id or for
    /// members of a share is published at least once; the rest goes to a connection or nowhere, unless the
    /// share sorts by topics.
    pub fn keeps(&self, qos: Qos) -> bool {
        match self.class {
            Class::Session => qos.is_persistent(),
            Class::Shared => qos.is_persistent() || self.keeps_light.load(Ordering::Relaxed),
            _ => true,
        }
    }

    /// Whether the queue's deadline moved to before the time the scheduler is armed for; if so the
    /// caller arms it.
    pub fn rearm(&self, deadline: Option<Millis>) -> Option<Millis> {
        let deadline = deadline?;
        (self.armed.fetch_min(deadline.0, Ordering::Relaxed) > deadline.0).then_some(deadline)
    }
}

impl LockedQueue<'_> {
    /// The queue.
    pub fn queue(&mut self) -> &mut Queue {
        &mut self.inner.queue
    }

    /// Remembers a publisher that found the queue full, to be woken when there is room.
    pub fn wait_for_room(&mut self, outbox: &Arc<Outbox>) {
        if !self.inner.waiting.iter().any(|waiting| waiting.conn == outbox.conn) {
            self.inner.waiting.push(Arc::clone(outbox));
        }
    }

    /// The publishers to wake, if any wait and there may be room again.
    pub fn take_waiting(&mut self) -> Vec<Arc<Outbox>> {
        if self.inner.waiting.is_empty() { Vec::new() } else { std::mem::take(&mut self.inner.waiting) }
    }

    /// Marks the queue as deleted: what still holds its cell finds it so.
    pub fn delete(&mut self) {
        self.inner.deleted = true;
    }

    /// Whether the queue was deleted.
    pub fn is_deleted(&self) -> bool {
        self.inner.deleted
    }
}

impl Drop for LockedQueue<'_> {
    fn drop(&mut self) {
        self.inner.queue.push_deliveries();
    }
}

/// All queues, by class and name and by number.
#[derive(Debug, Default)]
pub struct Registry {
    tables: RankedMutex<Tables, { rank::ADDRESS }>,
}

#[derive(Debug, Default)]
struct Tables {
    by_name: HashMap<(Class, ByteString), Arc<QueueCell>, RandomState>,
    by_id: HashMap<QueueId, Arc<QueueCell>, RandomState>,
}

impl Registry {
    /// The queue of this name.
    pub fn find(&self, class: Class, name: &ByteString) -> Option<Arc<QueueCell>> {
        self.tables.lock().by_name.get(&(class, name.clone())).cloned()
    }

    /// The queue of this number.
    pub fn get(&self, id: QueueId) -> Option<Arc<QueueCell>> {
        self.tables.lock().by_id.get(&id).cloned()
    }

    /// The queue of this name, made by `make` where there is none; and whether it was made. `None`
    /// where there are [`limits::QUEUES_MAX`] already. `make` runs under the table's lock.
    pub fn find_or_insert(
        &self,
        class: Class,
        name: &ByteString,
        make: impl FnOnce() -> Arc<QueueCell>,
    ) -> Option<(Arc<QueueCell>, bool)> {
        let mut tables = self.tables.lock();
        if let Some(cell) = tables.by_name.get(&(class, name.clone())) {
            return Some((Arc::clone(cell), false));
        }
        if tables.by_id.len() >= limits::QUEUES_MAX {
            return None;
        }
        let cell = make();
        tables.by_name.insert((class, name.clone()), Arc::clone(&cell));
        tables.by_id.insert(cell.id, Arc::clone(&cell));
        Some((cell, true))
    }

    /// Takes a queue out of the tables. Marks it deleted; its messages are the caller's affair.
    pub fn remove(&self, cell: &QueueCell) {
        let mut tables = self.tables.lock();
        tables.by_name.remove(&(cell.class, cell.name.clone()));
        tables.by_id.remove(&cell.id);
    }

    /// All queues, by number.
    pub fn all(&self) -> Vec<Arc<QueueCell>> {
        let mut cells: Vec<_> = self.tables.lock().by_id.values().cloned().collect();
        cells.sort_unstable_by_key(|cell| cell.id);
        cells
    }

    /// Number of queues.
    pub fn len(&self) -> usize {
        self.tables.lock().by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
