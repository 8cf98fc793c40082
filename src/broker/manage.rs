//! Looking at jobs, and taking them back.
//!
//! The timekeeper does it, between two batches: so nothing that was taken back before is sent after. Jobs
//! are looked through a few at a time, and their messages are read from disk where they have to be.

use std::sync::Arc;

use bytes::Bytes;
use wharfmq_base::Millis;
use wharfmq_core::{Address, Entry, Item, Message, MessageId, Notes, Order, Outcome, Qos, QueueCell, limits};

use super::firing::Batch;
use super::flush::Flusher;
use super::schedule::{Job, Repeats, group_of};
use super::settle::SettledInTx;
use super::stage::{Extra, Stage};
use super::undertaker::note;
use super::{Broker, Port, Refused};

/// Jobs that are shown in one batch.
const PAGE: usize = 256;
/// Bytes of jobs that are shown in one batch; one job may be larger.
const PAGE_BYTES: usize = 4 << 20;

/// Names of what is said of a job that is shown.
mod said {
    pub(super) const DELAY: &str = "AMQ_SCHEDULED_DELAY";
    pub(super) const PERIOD: &str = "AMQ_SCHEDULED_PERIOD";
    pub(super) const REPEAT: &str = "AMQ_SCHEDULED_REPEAT";
    pub(super) const CRON: &str = "AMQ_SCHEDULED_CRON";
    /// When it is due next: milliseconds since 1970.
    pub(super) const DUE: &str = "scheduledTime";
}

/// Which jobs are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// Those of one publication.
    Of(MessageId),
    /// Those that are due next at one of these times of the wall clock, both included.
    Due(Millis, Millis),
    /// All of them.
    All,
}

/// What the timekeeper is to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Of jobs whose numbers are below this one: those that were made before the command was given.
    Cancel(Jobs, MessageId),
    Show(Jobs, Arc<Address>),
}

impl Port {
    /// Takes jobs back: from now on they send nothing. Those that are made later are not meant. A crash of
    /// the next moment may bring them back.
    pub fn cancel_jobs(&self, jobs: Jobs) -> Result<(), Refused> {
        self.command(Command::Cancel(jobs, self.next_job()))
    }

    /// Sends a copy of each job's message to `to`, with its schedule and its destination in headers.
    pub fn show_jobs(&self, jobs: Jobs, to: &Arc<Address>) -> Result<(), Refused> {
        self.command(Command::Show(jobs, Arc::clone(to)))
    }

    fn command(&self, command: Command) -> Result<(), Refused> {
        if self.broker.threads.timekeeper().put(command) { Ok(()) } else { Err(Refused::Busy) }
    }
}

impl Jobs {
    /// Whether an entry may be meant; its message decides.
    fn may_mean(self, entry: &Entry) -> bool {
        match self {
            Self::Of(job) => entry.group == group_of(job),
            Self::Due(..) | Self::All => true,
        }
    }

    /// Whether a job is meant.
    fn mean(self, message: &Message) -> bool {
        let due = message.terms.as_deref().map_or(Millis(0), |terms| terms.due);
        match self {
            Self::Of(job) => Job::of(&message.notes).is_some_and(|found| found.schedule.job == job),
            Self::Due(first, last) => first <= due && due <= last,
            Self::All => true,
        }
    }

    /// Whether a job is meant and was made before the number `end` was drawn.
    pub(super) fn mean_before(self, end: MessageId, message: &Message) -> bool {
        self.mean(message) && Job::of(&message.notes).is_none_or(|job| job.schedule.job < end)
    }
}

impl Broker {
    /// Takes waiting jobs out of their queue.
    pub(super) fn cancel(&self, cell: &Arc<QueueCell>, jobs: Jobs, end: MessageId, by: &Flusher<'_>) {
        let mut from = Some(Order(0));
        while let Some(cursor) = from {
            let mut entries = Vec::new();
            from = cell.lock().queue().browse(cursor, limits::SCAN_BUDGET, &mut entries);
            let meant = |entry: &Entry| {
                // A number is drawn before the place in the queue.
                let surely = jobs == Jobs::All && entry.order.0 < end.0;
                let message = || self.read_entry(cell, entry);
                surely
                    || jobs.may_mean(entry)
                        && message().is_some_and(|message| jobs.mean_before(end, &message))
            };
            let orders: Vec<Order> =
                entries.iter().filter(|entry| meant(entry)).map(|entry| entry.order).collect();
            if orders.is_empty() {
                continue;
            }
            let (staged, _) = self.run(cell, |queue, _| queue.claim_orders(&orders));
            let cell = Arc::clone(cell);
            let mut settled = SettledInTx { cell, staged, outcome: Outcome::Accept, orders: Vec::new() };
            settled.orders = settled.stored_orders();
            let flushed = self.flush(Stage::default(), Bytes::new(), by, std::slice::from_ref(&settled));
            if !flushed.refused.is_empty() {
                self.run(&settled.cell, |queue, fx| queue.unstage(&settled.staged, by.now.wall, fx));
                return;
            }
        }
    }

    /// Sends copies of jobs to `to`.
    pub(super) fn show(&self, cell: &Arc<QueueCell>, jobs: Jobs, to: &Arc<Address>, by: &Flusher<'_>) {
        let mut from = Some(Order(0));
        while let Some(cursor) = from {
            let mut entries = Vec::new();
            from = cell.lock().queue().browse(cursor, PAGE, &mut entries);
            let Ok(route) = self.route(to) else { return };
            let mut batch = Batch::default();
            for entry in entries.iter().filter(|entry| jobs.may_mean(entry)) {
                if batch.raw.len() >= PAGE_BYTES {
                    from = Some(entry.order);
                    break;
                }
                let message = self.read_entry(cell, entry).filter(|message| jobs.mean(message));
                let Some(message) = message else { continue };
                let Some(job) = Job::of(&message.notes) else { continue };
                let item = Item { qos: Qos::AtMostOnce, ..batch.item(&message) };
                let extra = Extra { notes: told(&message, &job), ..Extra::default() };
                batch.push(&route, item, extra, 0);
            }
            if !batch.of.is_empty() {
                // Whoever asked has no room for the answer: there is nobody else to tell.
                let _ = self.flush(batch.stage, batch.raw.freeze(), by, &[]);
            }
        }
    }

    fn read_entry(&self, cell: &QueueCell, entry: &Entry) -> Option<Arc<Message>> {
        entry.message.clone().or_else(|| self.read_moved(cell, entry.order, entry.at))
    }
}

fn told(message: &Message, job: &Job) -> Notes {
    let schedule = &job.schedule;
    let due = message.terms.as_deref().map_or(0, |terms| terms.due.0);
    let repeats = match schedule.repeats {
        Repeats::Times(times) => times.to_string(),
        Repeats::Endless => "-1".to_owned(),
    };
    let (to, due) = (message.address.to_string(), due.to_string());
    let (delay, period) = (schedule.delay.0.to_string(), schedule.period.0.to_string());
    let always = [(note::ORIGINAL_DESTINATION, &*to), (said::DUE, &due), (said::REPEAT, &repeats)];
    let times = [(said::DELAY, &*delay), (said::PERIOD, &period)].into_iter().filter(|(_, ms)| *ms != "0");
    let cron = schedule.cron.iter().map(|cron| (said::CRON, cron.text()));
    Notes::new(always.into_iter().chain(times).chain(cron))
}
