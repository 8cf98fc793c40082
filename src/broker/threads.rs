//! The threads behind the broker: what must not run on a connection's time.
//!
//! `scheduler` calls queues at their deadlines, deletes sessions that have expired, sends wills and publishes
//! statistics; `pager` reads paged-out messages back; `undertaker` moves dead letters; `keeper` writes
//! checkpoints, compacts and removes expired retained messages; `timekeeper` sends messages whose time has come.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use foldhash::fast::RandomState;
use parking_lot::{Condvar, Mutex};
use wharfmq_base::{Location, Millis, RankedMutex, rank};
use wharfmq_core::{Dead, Order, Outbox, QueueCell, QueueId};

use super::Broker;
use super::prepared::{Fetch, Xid};
use super::timekeeper::{self, Desk};
use super::undertaker::BATCH_MESSAGES;

/// How often the keeper looks whether there is something to do.
const KEEPER_PAUSE: Duration = Duration::from_millis(500);
/// Rounds of the keeper after which routes that are out of date are dropped.
const ROUNDS_PER_SWEEP: u32 = 20;
/// The longest the scheduler sleeps: a wall clock that was set forward is noticed after this.
const SCHEDULER_PAUSE_MS: u64 = 1_000;

/// Stands for the wills where queues are called. It comes after all queues of the same time: a session ends before
/// the will goes out that its end sets free.
const WILLS: QueueId = QueueId(u32::MAX);

/// Ways to give the threads work.
#[derive(Debug)]
pub(super) struct Threads {
    shared: Arc<Shared>,
    loads: Sender<Reading>,
    dead: Sender<Burial>,
    timekeeper: Arc<Desk>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

/// Messages to be read back for a queue.
pub(super) struct Load {
    pub(super) cell: Arc<QueueCell>,
    pub(super) wanted: Vec<(Order, Location)>,
}

/// What the pager reads.
enum Reading {
    Queue(Load),
    Prepared(Fetch),
}

/// Messages to be moved to the dead letters.
pub(super) struct Burial {
    pub(super) cell: Arc<QueueCell>,
    pub(super) dead: Vec<Dead>,
}

impl Burial {
    /// With what has come since from the same queue, up to a batch; and what has come from another.
    fn joined(mut self, inbox: &Receiver<Self>) -> (Self, Option<Self>) {
        while self.dead.len() < BATCH_MESSAGES
            && let Ok(next) = inbox.try_recv()
        {
            if !Arc::ptr_eq(&next.cell, &self.cell) {
                return (self, Some(next));
            }
            self.dead.extend(next.dead);
        }
        (self, None)
    }
}

/// Receiving ends, to be given to [`Threads::start`] once there is a broker.
pub(super) struct Inboxes {
    loads: Receiver<Reading>,
    dead: Receiver<Burial>,
}

#[derive(Debug, Default)]
struct Shared {
    agenda: Mutex<Agenda>,
    changed: Condvar,
    keeper: Condvar,
    expiries: RankedMutex<HashMap<QueueId, Millis, RandomState>, { rank::ADDRESS }>,
}

/// When to call which queue: one call at most for each, the earliest that was asked for.
#[derive(Debug, Default)]
struct Agenda {
    due: BTreeSet<(Millis, QueueId)>,
    calls: HashMap<QueueId, Millis, RandomState>,
    stopping: bool,
}

impl Threads {
    pub(super) fn new() -> (Self, Inboxes) {
        let (loads, load_inbox) = channel();
        let (dead, dead_inbox) = channel();
        let (shared, timekeeper, handles) = (Arc::default(), Arc::default(), Mutex::default());
        let threads = Self { shared, loads, dead, timekeeper, handles };
        (threads, Inboxes { loads: load_inbox, dead: dead_inbox })
    }

    /// Starts the threads. They end with the broker, or at [`Threads::stop`].
    pub(super) fn start(&self, broker: &Arc<Broker>, inboxes: Inboxes) -> std::io::Result<()> {
        let Inboxes { loads, dead } = inboxes;
        let shared = Arc::clone(&self.shared);
        let weak = Arc::downgrade(broker);
        let scheduler = weak.clone();
        self.spawn("scheduler", move || run_scheduler(&shared, &scheduler))?;
        let shared = Arc::clone(&self.shared);
        let keeper = weak.clone();
        self.spawn("keeper", move || run_keeper(&shared, &keeper))?;
        let shared = Arc::clone(&self.shared);
        let (timekeeper, desk) = (weak.clone(), Arc::clone(&self.timekeeper));
        self.spawn("timekeeper", move || {
            timekeeper::run(&desk, &timekeeper, || shared.agenda.lock().stopping);
        })?;
        let pager = weak.clone();
        self.spawn("pager", move || {
            while let (Ok(load), Some(broker)) = (loads.recv(), pager.upgrade()) {
                match load {
                    Reading::Queue(load) => broker.page_in(load),
                    Reading::Prepared(fetch) => broker.fetch_prepared(fetch),
                }
            }
        })?;
        self.spawn("undertaker", move || {
            let mut next = dead.recv().ok();
            while let (Some(burial), Some(broker)) = (next, weak.upgrade()) {
                let (burial, other) = burial.joined(&dead);
                broker.bury(burial);
                drop(broker);
                next = other.or_else(|| dead.recv().ok());
            }
        })
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        // A broker without its scheduler or keeper would look alive and do half its work.
        let body = move || {
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_err() {
                std::process::abort();
            }
        };
        self.handles.lock().push(Builder::new().name(name.into()).spawn(body)?);
        Ok(())
    }

    /// Has a queue called at a time of the wall clock.
    pub(super) fn schedule(&self, cell: &QueueCell, at: Millis) {
        self.shared.add(cell.id, at);
    }

    /// Has a queue deleted at a time of the wall clock; [`Millis::NEVER`] takes that back.
    pub(super) fn expire_queue(&self, cell: &QueueCell, at: Millis) {
        if at == Millis::NEVER {
            self.shared.expiries.lock().remove(&cell.id);
            return;
        }
        self.shared.expiries.lock().insert(cell.id, at);
        self.shared.add(cell.id, at);
    }

    /// Has due wills sent at a time of the wall clock.
    pub(super) fn send_wills(&self, at: Millis) {
        self.shared.add(WILLS, at);
    }

    /// A queue is gone.
    pub(super) fn forget(&self, cell: &QueueCell) {
        self.shared.expiries.lock().remove(&cell.id);
        self.shared.agenda.lock().forget(cell.id);
    }

    pub(super) fn load(&self, cell: &Arc<QueueCell>, wanted: Vec<(Order, Location)>) {
        // Fails only after the pager has ended, and then nothing is delivered any more.
        let _ = self.loads.send(Reading::Queue(Load { cell: Arc::clone(cell), wanted }));
    }

    /// Has the sends of a prepared transaction read, and a connection woken after that.
    pub(super) fn fetch(&self, cell: &Arc<QueueCell>, xid: &Xid, outbox: &Arc<Outbox>) {
        let (cell, xid, outbox) = (Arc::clone(cell), xid.clone(), Arc::clone(outbox));
        // Fails only after the pager has ended, and then the broker stops.
        let _ = self.loads.send(Reading::Prepared(Fetch { cell, xid, outbox }));
    }

    pub(super) fn bury(&self, cell: &Arc<QueueCell>, dead: Vec<Dead>) {
        // Fails only after the undertaker has ended; the messages stay in their queue's log.
        let _ = self.dead.send(Burial { cell: Arc::clone(cell), dead });
    }

    /// Where the timekeeper is told what to do.
    pub(super) fn timekeeper(&self) -> &Desk {
        &self.timekeeper
    }

    /// The clock was turned: deadlines may have come sooner than the scheduler expects.
    pub(super) fn clock_moved(&self) {
        let _agenda = self.shared.agenda.lock();
        self.shared.changed.notify_all();
    }

    /// Calls that are planned.
    #[cfg(test)]
    pub(super) fn appointments(&self) -> usize {
        self.shared.agenda.lock().due.len()
    }

    /// Ends the scheduler, the keeper and the timekeeper, and waits for them.
    pub(super) fn stop(&self) {
        self.shared.agenda.lock().stopping = true;
        self.shared.changed.notify_all();
        self.shared.keeper.notify_all();
        self.timekeeper.wake();
        let handles: Vec<_> = std::mem::take(&mut *self.handles.lock());
        let named = |handle: &JoinHandle<()>| {
            matches!(handle.thread().name(), Some("scheduler" | "keeper" | "timekeeper"))
        };
        for handle in handles.into_iter().filter(named) {
            // A panic in any of them aborts the process, so there is no result to look at.
            let _ = handle.join();
        }
    }
}

impl Shared {
    fn add(&self, queue: QueueId, at: Millis) {
        let mut agenda = self.agenda.lock();
        let first = agenda.due.first().is_none_or(|(earliest, _)| at < *earliest);
        agenda.plan(queue, at);
        drop(agenda);
        if first {
            self.changed.notify_one();
        }
    }
}

impl Agenda {
    fn plan(&mut self, queue: QueueId, at: Millis) {
        match self.calls.get(&queue) {
            Some(planned) if *planned <= at => return,
            Some(planned) => drop(self.due.remove(&(*planned, queue))),
            None => {}
        }
        self.calls.insert(queue, at);
        self.due.insert((at, queue));
    }

    fn forget(&mut self, queue: QueueId) {
        if let Some(planned) = self.calls.remove(&queue) {
            self.due.remove(&(planned, queue));
        }
    }
}

fn run_scheduler(shared: &Shared, broker: &Weak<Broker>) {
    let mut agenda = shared.agenda.lock();
    while !agenda.stopping {
        let Some(broker) = broker.upgrade() else { return };
        drop(agenda);
        let statistics = broker.on_statistics(broker.now());
        agenda = shared.agenda.lock();
        let wall = broker.now().wall;
        match agenda.due.first() {
            Some(&(at, queue)) if at <= wall => {
                agenda.forget(queue);
                drop(agenda);
                broker.on_time(shared, queue, wall);
                agenda = shared.agenda.lock();
            }
            next => {
                let pause = next.map_or(SCHEDULER_PAUSE_MS, |(at, _)| at.since(wall).0);
                drop(broker);
                let pause = pause.min(statistics.map_or(SCHEDULER_PAUSE_MS, |until| until.0));
                let pause = Duration::from_millis(pause.min(SCHEDULER_PAUSE_MS));
                if agenda.stopping {
                    return;
                }
                shared.changed.wait_for(&mut agenda, pause);
            }
        }
    }
}

fn run_keeper(shared: &Shared, broker: &Weak<Broker>) {
    let mut rounds: u32 = 0;
    let mut agenda = shared.agenda.lock();
    while !agenda.stopping {
        shared.keeper.wait_for(&mut agenda, KEEPER_PAUSE);
        let Some(broker) = broker.upgrade() else { return };
        if agenda.stopping {
            return;
        }
        drop(agenda);
        broker.keep();
        broker.sweep_retained();
        broker.sweep_producers();
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(ROUNDS_PER_SWEEP) {
            // They keep queues and outboxes alive that are gone.
            broker.router.sweep();
        }
        drop(broker);
        agenda = shared.agenda.lock();
    }
}

impl Broker {
    fn on_time(&self, shared: &Shared, id: QueueId, wall: Millis) {
        if id == WILLS {
            if let Some(next) = self.send_due_wills() {
                shared.add(id, next);
            }
            return;
        }
        let Some(cell) = self.queues.get(id) else { return };
        // The one call that was planned stands for all deadlines; what is still to come is planned anew.
        cell.armed.store(Millis::NEVER.0, Ordering::Relaxed);
        self.run(&cell, |queue, fx| queue.on_time(wall, fx));
        let mut expiries = shared.expiries.lock();
        let Some(expiry) = expiries.get(&id).copied() else { return };
        if expiry > wall {
            drop(expiries);
            shared.add(id, expiry);
        } else {
            expiries.remove(&id);
            // Under the table's lock, so that a client that comes back now finds the mark.
            cell.lock().delete();
            drop(expiries);
            self.statistics.expired();
            if let Err(error) = self.delete(&cell) {
                tracing::error!(queue = %cell.name, %error, "an expired session could not be deleted");
            }
        }
    }
}
