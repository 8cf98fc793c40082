//! The consumer of the queue of jobs: sends what is due, and puts back what goes on.
//!
//! Jobs go in batches. One append holds the messages of a batch, the jobs that go on and the removal of
//! those that were due, so that a crash leaves either what was before or what comes after. A job whose
//! destination refuses its message stays as it is for a moment, and the others of its batch go without it.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::Mutex;
use wharfmq_base::{Lsn, Millis};
use wharfmq_core::{
    ConnId, ConsumeSpec, ConsumerKey, CoreEvent, Credit, Delivery, Effects, Outbox, Outcome, Queue,
    QueueCell, SubTag, Tags,
};

use super::firing::{Batch, Fate, Misfit};
use super::flush::Flusher;
use super::manage::Command;
use super::settle::SettledInTx;
use super::{Broker, Now};

/// Jobs of one batch.
const BATCH: usize = 256;
/// Jobs and their bytes that are taken out of their queue at a time.
const CREDIT: Credit = Credit { messages: 4 * BATCH as u32, bytes: 4 << 20 };
/// Batches on their way to the disk: there is no use in being further ahead of it.
const AHEAD: usize = 4;
/// Commands that may wait.
const COMMANDS_MAX: usize = 1_000;
/// How long a job whose message was refused waits, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// The longest pause: a broker that is gone is noticed after this.
const PAUSE: Duration = Duration::from_secs(1);
/// What no connection has.
const CONN: ConnId = ConnId(0);

/// Where due jobs arrive, and commands.
#[derive(Debug)]
pub(super) struct Desk {
    outbox: Arc<Outbox>,
    commands: Mutex<VecDeque<Command>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { outbox: Outbox::new(CONN), commands: Mutex::default() }
    }
}

impl Desk {
    /// Adds a command; false where there are too many.
    pub(super) fn put(&self, command: Command) -> bool {
        let mut commands = self.commands.lock();
        if commands.len() >= COMMANDS_MAX {
            return false;
        }
        commands.push_back(command);
        drop(commands);
        self.wake();
        true
    }

    /// There is a queue of jobs from now on, or an end to everything.
    pub(super) fn wake(&self) {
        self.outbox.wake();
    }

    fn take(&self) -> Option<Command> {
        self.commands.lock().pop_front()
    }
}

/// Runs until the broker is gone or `stopping` says so.
pub(super) fn run(desk: &Desk, broker: &Weak<Broker>, stopping: impl Fn() -> bool) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut keeper =
        Timekeeper { desk, jobs: None, due: VecDeque::new(), appended: VecDeque::new(), refusing: false };
    loop {
        let woken = desk.outbox.poll_ready(&Context::from_waker(&waker)).is_ready();
        let Some(broker) = broker.upgrade() else { return };
        if stopping() {
            return;
        }
        if woken || keeper.jobs.is_none() {
            keeper.turn(&broker, &stopping);
        }
        drop(broker);
        if !woken {
            std::thread::park_timeout(PAUSE);
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

struct Timekeeper<'a> {
    desk: &'a Desk,
    /// The queue of jobs, once there is one.
    jobs: Option<Jobs>,
    due: VecDeque<CoreEvent>,
    /// The last few batches.
    appended: VecDeque<Lsn>,
    /// The last batch had to leave something out.
    refusing: bool,
}

/// The queue of jobs and its one consumer.
struct Jobs {
    cell: Arc<QueueCell>,
    key: ConsumerKey,
}

impl Timekeeper<'_> {
    /// Handles all that has come.
    fn turn(&mut self, broker: &Broker, stopping: &impl Fn() -> bool) {
        let jobs = self.jobs.take().or_else(|| Jobs::attach(broker, &self.desk.outbox));
        let Some(jobs) = jobs else {
            // There is nothing to look at or to take back.
            self.desk.commands.lock().clear();
            return;
        };
        loop {
            // One at a time: whoever commands without end does not keep the jobs from being sent.
            let command = self.desk.take();
            if let Some(command) = &command {
                self.obey(broker, &jobs, command);
            }
            self.desk.outbox.take(&mut self.due);
            if stopping() || !self.is_near_the_disk(broker) {
                break;
            }
            if self.due.is_empty() {
                if command.is_some() {
                    continue;
                }
                break;
            }
            let batch = self.next_batch();
            let credit = credit_of(&batch);
            self.handle(broker, &jobs, batch);
            jobs.grant(broker, credit);
        }
        self.jobs = Some(jobs);
    }

    /// Waits for the disk; false where the log has failed and takes nothing more: the broker stops because
    /// of that.
    fn is_near_the_disk(&mut self, broker: &Broker) -> bool {
        if self.appended.len() < AHEAD {
            return true;
        }
        self.appended.pop_front().is_none_or(|lsn| broker.log.durable().wait(lsn))
    }

    fn obey(&mut self, broker: &Broker, jobs: &Jobs, command: &Command) {
        match command {
            Command::Show(which, to) => broker.show(&jobs.cell, *which, to, &self.flusher(broker.now())),
            Command::Cancel(which, end) => {
                broker.cancel(&jobs.cell, *which, *end, &self.flusher(broker.now()));
                // What was due meanwhile is here, or was looked at.
                self.desk.outbox.take(&mut self.due);
                let mut cancelled = Vec::new();
                for event in std::mem::take(&mut self.due) {
                    match event {
                        CoreEvent::Deliver(delivery) if which.mean_before(*end, &delivery.message) => {
                            cancelled.push(delivery)
                        }
                        other => self.due.push_back(other),
                    }
                }
                let bytes: usize = cancelled.iter().map(|delivery| delivery.message.size() as usize).sum();
                jobs.accept(broker, &cancelled);
                self.desk.outbox.taken(bytes);
                jobs.grant(broker, credit_of(&cancelled));
            }
        }
    }

    fn flusher(&self, now: Now) -> Flusher<'_> {
        Flusher { outbox: &self.desk.outbox, now, own: &[], refuse_when_full: true, atomic: true }
    }

    fn next_batch(&mut self) -> Vec<Delivery> {
        let outbox = &self.desk.outbox;
        let events = self.due.drain(..BATCH.min(self.due.len()));
        let events = events.inspect(|event| outbox.taken(event.bytes()));
        let delivery = |event| if let CoreEvent::Deliver(delivery) = event { Some(delivery) } else { None };
        events.filter_map(delivery).collect()
    }

    /// Sends a batch, without those that are refused.
    fn handle(&mut self, broker: &Broker, jobs: &Jobs, mut batch: Vec<Delivery>) {
        let mut left_out = false;
        while !batch.is_empty() {
            let misfits = self.send(broker, jobs, &batch);
            if misfits.is_empty() {
                break;
            }
            left_out = true;
            if !self.refusing
                && let Some(misfit) = misfits.first()
                && let Some(delivery) = batch.get(misfit.nth)
            {
                let (to, why) = (&delivery.message.address, &misfit.why);
                tracing::warn!(%to, %why, "a scheduled message is refused; it is tried again every second");
                self.refusing = true;
            }
            jobs.give_back(broker, &batch, &misfits);
            let mut nth = 0..;
            batch.retain(|_| nth.next().is_some_and(|nth| misfits.iter().all(|misfit| misfit.nth != nth)));
        }
        self.refusing = left_out;
    }

    /// Sends a batch, or nothing of it where some of it are refused; which.
    fn send(&mut self, broker: &Broker, jobs: &Jobs, deliveries: &[Delivery]) -> Vec<Misfit> {
        let now = broker.now();
        let batch = Batch::gather(broker, &jobs.cell, deliveries, now);
        if !batch.misfits.is_empty() {
            return batch.misfits;
        }
        let settled = jobs.stage(deliveries);
        let by = self.flusher(now);
        let flushed = broker.flush(batch.stage, batch.raw.freeze(), &by, std::slice::from_ref(&settled));
        if flushed.refused.is_empty() {
            self.appended.extend(flushed.lsn);
            broker.counters.scheduled_sent(batch.sends);
            return Vec::new();
        }
        jobs.run(broker, |queue, _, fx| {
            queue.unstage(&settled.staged, now.wall, fx);
        });
        let mut misfits: Vec<Misfit> = flushed
            .refused
            .into_iter()
            .filter_map(|(item, why)| {
                Some(Misfit { nth: *batch.of.get(item as usize)?, why, fate: Fate::Waits })
            })
            .collect();
        misfits.dedup_by_key(|misfit| misfit.nth);
        if misfits.is_empty() {
            // The log took nothing, and nothing was to be sent that it could have been asked about.
            let all = 0..deliveries.len();
            misfits = all.map(|nth| Misfit { nth, why: String::new(), fate: Fate::Waits }).collect();
        }
        misfits
    }
}

impl Jobs {
    fn attach(broker: &Broker, outbox: &Arc<Outbox>) -> Option<Self> {
        let cell = broker.find_jobs()?;
        let spec = ConsumeSpec::plain(SubTag(0), CREDIT);
        let wall = broker.now().wall;
        let (key, _) = broker.run(&cell, |queue, fx| queue.attach(Arc::clone(outbox), spec, wall, fx));
        key.ok().map(|key| Self { cell, key })
    }

    fn run(&self, broker: &Broker, command: impl FnOnce(&mut Queue, ConsumerKey, &mut Effects)) {
        broker.run(&self.cell, |queue, fx| command(queue, self.key, fx));
    }

    /// Marks jobs as settled by what is appended next.
    fn stage(&self, deliveries: &[Delivery]) -> SettledInTx {
        let mut staged = Vec::with_capacity(deliveries.len());
        let mut locked = self.cell.lock();
        for delivery in deliveries {
            locked.queue().stage(self.key, Tags::One(delivery.tag), &mut staged);
        }
        drop(locked);
        let (cell, outcome) = (Arc::clone(&self.cell), Outcome::Accept);
        let mut settled = SettledInTx { cell, staged, outcome, orders: Vec::new() };
        settled.orders = settled.stored_orders();
        settled
    }

    /// Lets a job that cannot be carried out meet its fate.
    fn give_back(&self, broker: &Broker, deliveries: &[Delivery], misfits: &[Misfit]) {
        broker.counters.scheduled_refused(misfits.len() as u64);
        let wall = broker.now().wall;
        self.run(broker, |queue, key, fx| {
            for misfit in misfits {
                let Some(delivery) = deliveries.get(misfit.nth) else { continue };
                let outcome = match misfit.fate {
                    Fate::Waits => Outcome::Requeue { delay: Millis(RETRY_MS), count: false },
                    Fate::Dies => Outcome::Reject,
                    Fate::Ends => Outcome::Accept,
                };
                queue.settle(key, Tags::One(delivery.tag), outcome, wall, fx);
            }
        });
    }

    /// Takes jobs out of their queue that nothing is to become of.
    fn accept(&self, broker: &Broker, deliveries: &[Delivery]) {
        let wall = broker.now().wall;
        self.run(broker, |queue, key, fx| {
            for delivery in deliveries {
                queue.settle(key, Tags::One(delivery.tag), Outcome::Accept, wall, fx);
            }
        });
    }

    fn grant(&self, broker: &Broker, credit: Credit) {
        let wall = broker.now().wall;
        self.run(broker, |queue, key, fx| queue.grant(key, credit, wall, fx));
    }
}

/// What jobs have spent of their consumer's credit.
fn credit_of(deliveries: &[Delivery]) -> Credit {
    let bytes = deliveries.iter().map(|delivery| delivery.message.size()).fold(0, u32::saturating_add);
    Credit { messages: deliveries.len() as u32, bytes }
}
