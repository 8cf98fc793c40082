//! Publications that are to be sent later, once or again and again.
//!
//! Such a publication is a *job*: a message in one internal durable queue, delayed until it is due. It
//! keeps its destination, its headers and its body; how it goes on is a note. The timekeeper consumes that
//! queue.

use std::fmt::Write as _;
use std::sync::Arc;

use bytestring::ByteString;
use smallvec::{SmallVec, smallvec};
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{
    Address, Bound, Cron, GroupId, Grouping, Item, MessageId, Notes, Qos, QueueCell, QueuePolicy, Terms,
    Token, limits,
};

use super::stage::Extra;
use super::{Broker, Port, Refused, Route, TxError};

/// The name of the queue of jobs within its class.
const QUEUE: ByteString = ByteString::from_static("schedule");
/// The note that says how a job goes on.
const NOTE: &str = "schedule";
/// The version of its text.
const VERSION: &str = "1";

/// When a publication is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its number, from [`Port::next_job`]: the same for all that it sends.
    pub job: MessageId,
    /// How long after now, or after each time of `cron`, it is sent first.
    pub delay: Millis,
    /// The time between two sends, and before the first where there is no delay.
    pub period: Millis,
    /// How often it is sent again after the first.
    pub repeats: Repeats,
    /// The times at which it is sent, or at which each series of sends begins where it repeats.
    pub cron: Option<Cron>,
}

/// How often something happens again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// So many times; [`limits::REPEATS_MAX`] at most.
    Times(u32),
    /// Without an end.
    Endless,
}

/// A job as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) schedule: Schedule,
    /// As published.
    pub(super) qos: Qos,
    /// As published.
    pub(super) retain: bool,
    /// How long each message lives; [`Millis::NEVER`] for ever.
    pub(super) life: Millis,
    /// As published; the job's own number stands in the job's terms.
    pub(super) group: GroupId,
}

/// What happens when a job is due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Firing {
    /// Whether the message is sent.
    pub(super) sends: bool,
    /// The jobs that go on from there, with their times.
    pub(super) then: SmallVec<[(Millis, Schedule); 2]>,
}

impl Schedule {
    /// When it is due first.
    pub(super) fn first(&self, now: Millis) -> Millis {
        let Some(cron) = &self.cron else { return now.plus(self.lead()) };
        let lead = if self.is_series() { Millis(0) } else { self.delay };
        cron.next(now).map_or(Millis::NEVER, |at| at.plus(lead))
    }

    /// What happens at `now`, a little or much after it was due.
    ///
    /// A series of a certain number is sent in full, however late. Of what has no end the times that were
    /// missed are made up for by one.
    pub(super) fn fire(&self, due: Millis, now: Millis) -> Firing {
        match &self.cron {
            Some(cron) if self.is_series() => {
                let series = Self { cron: None, ..self.clone() };
                let next = cron.next(now).map(|at| (at, self.clone()));
                let then = next.into_iter().chain([(due.plus(self.lead()), series)]).collect();
                Firing { sends: false, then }
            }
            Some(cron) => {
                let next = cron.next(now.since(self.delay)).map(|at| (at.plus(self.delay), self.clone()));
                Firing { sends: true, then: next.into_iter().collect() }
            }
            None => Firing { sends: true, then: self.again(due, now) },
        }
    }

    fn again(&self, due: Millis, now: Millis) -> SmallVec<[(Millis, Self); 2]> {
        match self.repeats {
            Repeats::Times(0) => SmallVec::new(),
            Repeats::Times(left) => {
                let next = Self { repeats: Repeats::Times(left - 1), ..self.clone() };
                smallvec![(due.plus(self.period), next)]
            }
            Repeats::Endless => {
                let period = self.period.0.max(1);
                let missed = now.since(due).0 / period;
                smallvec![(due.plus(Millis((missed + 1).saturating_mul(period))), self.clone())]
            }
        }
    }

    /// Whether each time of the cron entry begins a series.
    fn is_series(&self) -> bool {
        self.repeats != Repeats::Times(0)
    }

    /// Whether it sends more than one message.
    pub fn is_repeating(&self) -> bool {
        self.is_series() || self.cron.is_some()
    }

    /// The time before the first of a series.
    fn lead(&self) -> Millis {
        if self.delay > Millis(0) { self.delay } else { self.period }
    }
}

impl Job {
    /// Reads what [`Job::extra`] wrote.
    pub(super) fn of(notes: &Notes) -> Option<Self> {
        let mut words = notes.get(NOTE)?.splitn(9, ' ');
        if words.next()? != VERSION {
            return None;
        }
        let mut number = || words.next()?.parse::<u64>().ok();
        let (job, qos, group) = (MessageId(number()?), number()?, number()?);
        let (life, delay, period) = (Millis(number()?), Millis(number()?), Millis(number()?));
        let repeats = match words.next()? {
            "endless" => Repeats::Endless,
            times => Repeats::Times(times.parse().ok()?),
        };
        let cron = match words.next()? {
            "" => None,
            text => Some(Cron::parse(text).ok()?),
        };
        Some(Self {
            schedule: Schedule { job, delay, period, repeats, cron },
            qos: Qos::from_u8((qos & 3) as u8)?,
            retain: qos & RETAIN != 0,
            life,
            group: GroupId(u32::try_from(group).ok()?),
        })
    }

    /// What a job's message carries.
    pub(super) fn extra(&self, terms: Terms, due: Millis) -> Extra {
        let Schedule { job, delay, period, repeats, cron } = &self.schedule;
        let qos = self.qos as u64 | if self.retain { RETAIN } else { 0 };
        let (job, group, life) = (job.0, self.group.0, self.life.0);
        let mut note = format!("{VERSION} {job} {qos} {group} {life} {} {} ", delay.0, period.0);
        // Writing to a text does not fail.
        let _ = match repeats {
            Repeats::Endless => write!(note, "endless "),
            Repeats::Times(times) => write!(note, "{times} "),
        };
        note.push_str(cron.as_ref().map_or("", Cron::text));
        let terms = Terms { due, group: group_of(self.schedule.job), ..terms };
        Extra { terms, notes: Notes::new([(NOTE, &*note)]) }
    }
}

/// Set beside the quality of service where the message is to be retained.
const RETAIN: u64 = 4;

/// The group of a job's entries: by it they are found without reading their messages. The queue of jobs
/// makes nothing else of groups.
pub(super) const fn group_of(job: MessageId) -> GroupId {
    GroupId(job.0 as u32)
}

/// The settings of the queue of jobs. How many there may be is asked before one is taken: what a job goes
/// on with always has a place.
pub(super) fn policy() -> QueuePolicy {
    QueuePolicy { max_deliveries: 0, groups: Grouping::None, ..QueuePolicy::default() }
}

/// A publication that is to be sent later, for [`Port::schedule`].
#[derive(Debug)]
pub struct Later {
    route: Arc<Route>,
    item: Item,
    extra: Extra,
}

impl Port {
    /// A number for a job, never used before.
    pub fn next_job(&self) -> MessageId {
        MessageId(self.broker.ids.draw(1))
    }

    /// What is to be staged for a publication to `to` that is sent later. Its times count from now.
    pub fn later(
        &self,
        to: &Arc<Address>,
        item: Item,
        terms: Terms,
        schedule: Schedule,
    ) -> Result<Later, Refused> {
        let now = self.now.wall;
        let cell = self.broker.jobs()?;
        if cell.lock().queue().len() >= limits::JOBS_MAX {
            return Err(Refused::TooManyJobs);
        }
        let life = if item.expires == Millis::NEVER { Millis::NEVER } else { item.expires.since(now) };
        let due = schedule.first(now);
        let (qos, retain, group) = (item.qos, item.retain, terms.group);
        let extra = Job { schedule, qos, retain, life, group }.extra(terms, due);
        let item = stored(item);
        let known = self.stage().and_then(|stage| stage.last_route()).filter(|route| {
            route.address == *to && route.queues.first().is_some_and(|bound| bound.id == cell.id)
        });
        let route = known.map_or_else(|| route_through(to, &cell), Arc::clone);
        Ok(Later { route, item, extra })
    }

    /// Stages a publication that is sent later; see [`Port::publish`]. `confirm` is answered once it is
    /// durable that it will be sent.
    pub fn schedule(&mut self, later: Later, confirm: Option<Token>) -> u32 {
        let Later { route, item, extra } = later;
        self.publish_extra(&route, item, extra, confirm)
    }

    /// The same within a transaction, where its times count from the commit; see [`Port::publish_in`].
    pub fn schedule_in(&mut self, name: &str, later: Later, raw: &[u8]) -> Result<(), TxError> {
        let Later { route, item, extra } = later;
        self.publish_extra_in(name, &route, item, Some(extra), raw)
    }
}

impl Extra {
    /// Lets a delay begin, which the terms only say the length of; a job's times begin anew.
    pub(super) fn begin_delay(&mut self, now: Millis) {
        self.terms.due = match Job::of(&self.notes) {
            Some(job) => job.schedule.first(now),
            None => now.plus(self.terms.due),
        };
    }
}

/// A job's item: stored whatever its message is to be, and without an end.
pub(super) fn stored(item: Item) -> Item {
    Item { qos: Qos::ExactlyOnce, retain: false, expires: Millis::NEVER, ..item }
}

/// A route to the queue of jobs, for a destination that they keep.
pub(super) fn route_through(to: &Arc<Address>, jobs: &Arc<QueueCell>) -> Arc<Route> {
    let bound = Bound { id: jobs.id, queue: Arc::clone(jobs), flags: 0, own_flags: Some(0), choices: None };
    Arc::new(Route::to_queue(Arc::clone(to), bound))
}

impl Broker {
    /// The queue of jobs, made on first use.
    pub(super) fn jobs(&self) -> Result<Arc<QueueCell>, Refused> {
        let (cell, known) = self.queue(Class::Schedule, &QUEUE, true)?;
        if !known {
            self.threads.timekeeper().wake();
        }
        Ok(cell)
    }

    /// The queue of jobs, where there is one.
    pub(super) fn find_jobs(&self) -> Option<Arc<QueueCell>> {
        self.queues.find(Class::Schedule, &QUEUE)
    }
}
