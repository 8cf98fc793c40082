//! The one loop: writes, reads, counts, and marks where the measured window begins and ends.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock::Clock;
use crate::fault::Result;
use crate::flow::Flow;
use crate::ledger::{Arrival, Ledger};
use crate::link::Link;
use crate::poll::{Poll, Ready};
use crate::process::{Probe, own_cpu_seconds};
use crate::report::{Latency, Report, histogram};
use crate::stamp::Stamp;
use crate::wire::Seen;

/// Without progress for this long, messages that `ahead` waits for are taken as lost.
const FORGIVE: u64 = 1_000_000_000;

/// What is to be done, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) mode: String,
    /// Tells our messages from others'; `None` counts any.
    pub(crate) run: Option<u32>,
    pub(crate) producers: usize,
    /// Bytes every payload must have.
    pub(crate) size: usize,
    /// Receivers each message goes to.
    pub(crate) fan: u64,
    /// Messages of every producer that are already in the broker.
    pub(crate) stored: u64,
    pub(crate) warmup: u64,
    pub(crate) span: Span,
    /// How long nothing may move before the rest is given up as lost.
    pub(crate) patience: u64,
    /// How many messages a producer may be ahead of its receivers.
    pub(crate) ahead: Option<u64>,
    /// `rate` counts confirmations, not deliveries.
    pub(crate) count_confirmed: bool,
    pub(crate) ticking: bool,
}

/// How long the measured window is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Span {
    Nanos(u64),
    /// Messages of every producer.
    Count(u64),
}

/// Who receives from whom, for the final account: ledger and producer.
pub(crate) type Expected = Vec<(usize, usize)>;

pub(crate) struct Engine {
    plan: Plan,
    clock: Clock,
    probe: Probe,
    poll: Poll,
    ready: Vec<Ready>,
    links: Vec<Link>,
    ledgers: Vec<Ledger>,
    expected: Expected,
    totals: Totals,
    moved_at: u64,
    moved_to: u64,
}

/// Counters that change with every message.
struct Totals {
    run: Option<u32>,
    size: usize,
    fresh: u64,
    settled: u64,
    /// Of every producer: by how much its receivers' highest numbers have moved, summed.
    passed: Vec<u64>,
    reordered: u64,
    foreign: u64,
    bad_acks: u64,
    measuring: bool,
    latency: Histogram<u64>,
    ack_latency: Histogram<u64>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: u64,
    fresh: u64,
    settled: u64,
    broker_cpu: Option<f64>,
    own_cpu: f64,
}

impl Engine {
    pub(crate) fn new(
        plan: Plan,
        clock: Clock,
        probe: Probe,
        links: Vec<Link>,
        ledgers: Vec<Ledger>,
        expected: Expected,
    ) -> Result<Self> {
        let mut poll = Poll::new()?;
        if plan.ticking {
            poll.tick(clock.now())?;
        }
        for (token, link) in links.iter().enumerate() {
            link.register(&poll, token)?;
        }
        let totals = Totals {
            run: plan.run,
            size: plan.size,
            fresh: 0,
            settled: 0,
            passed: vec![0; plan.producers],
            reordered: 0,
            foreign: 0,
            bad_acks: 0,
            measuring: false,
            latency: histogram()?,
            ack_latency: histogram()?,
        };
        let now = clock.now();
        Ok(Self {
            plan,
            clock,
            probe,
            poll,
            ready: Vec::new(),
            links,
            ledgers,
            expected,
            totals,
            moved_at: now,
            moved_to: 0,
        })
    }

    /// Warms up, measures, waits for the rest, and gives the account.
    pub(crate) fn run(mut self) -> Result<Report> {
        let warm = self.clock.now() + self.plan.warmup;
        while self.clock.now() < warm {
            self.turn()?;
        }
        let start = self.mark();
        self.totals.measuring = true;
        match self.plan.span {
            Span::Nanos(span) => {
                while self.clock.now() < start.at + span {
                    self.turn()?;
                }
            }
            Span::Count(count) => {
                self.limit(count);
                self.finish()?;
            }
        }
        let end = self.mark();
        self.totals.measuring = false;
        self.limit(0);
        self.finish()?;
        let report = self.report(start, end, self.mark());
        for link in self.links {
            // The account is closed: a broker that has already hung up changes nothing in it.
            let _ = link.farewell();
        }
        Ok(report)
    }

    /// Lets every producer send `more` messages and no further.
    fn limit(&mut self, more: u64) {
        for flow in self.links.iter_mut().filter_map(|link| link.flow.as_mut()) {
            flow.limit = flow.sent + more;
        }
        self.moved_at = self.clock.now();
    }

    /// Goes on until everything is through, or nothing has moved for as long as patience lasts.
    fn finish(&mut self) -> Result<()> {
        while !self.is_complete() && self.clock.now() < self.moved_at + self.plan.patience {
            self.turn()?;
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        let mut due = self.plan.stored * self.plan.producers as u64;
        for flow in self.links.iter().filter_map(|link| link.flow.as_ref()) {
            if flow.sent < flow.limit || flow.in_flight > 0 {
                return false;
            }
            due += flow.sent * self.plan.fan;
        }
        self.totals.fresh >= due
    }

    fn turn(&mut self) -> Result<()> {
        let now = self.clock.now();
        let more = self.pump(now)?;
        let wait = if more { Duration::ZERO } else { Duration::from_millis(5) };
        self.poll.wait(wait, &mut self.ready)?;
        let now = self.clock.now();
        for at in 0..self.ready.len() {
            let Ready { token, readable, writable } = self.ready[at];
            if readable {
                self.receive(token, now)?;
            }
            if readable || writable {
                self.send(token, now)?;
            }
        }
        let moved = self.totals.fresh + self.totals.settled;
        if moved != self.moved_to {
            (self.moved_to, self.moved_at) = (moved, now);
        }
        Ok(())
    }

    /// Lets all producers send; `true` if one of them could go on at once.
    fn pump(&mut self, now: u64) -> Result<bool> {
        let mut more = false;
        for token in 0..self.links.len() {
            if self.links[token].flow.is_some() {
                more |= self.send(token, now)?;
            }
        }
        Ok(more)
    }

    fn send(&mut self, token: usize, now: u64) -> Result<bool> {
        let allowed = self.links[token].flow.as_ref().map_or(0, |flow| self.allowed(flow, now));
        let link = &mut self.links[token];
        let more = link.pump(allowed, now)?;
        link.settle_interest(&self.poll, token)?;
        Ok(more)
    }

    fn allowed(&self, flow: &Flow, now: u64) -> u64 {
        let Some(ahead) = self.plan.ahead else { return u64::MAX };
        let passed = self.totals.passed[flow.producer] / self.plan.fan.max(1);
        let outstanding = flow.sent.saturating_sub(passed);
        if now > self.moved_at + FORGIVE { ahead } else { ahead.saturating_sub(outstanding) }
    }

    fn receive(&mut self, token: usize, now: u64) -> Result<()> {
        while self.receive_once(token, now)? {}
        Ok(())
    }

    fn receive_once(&mut self, token: usize, now: u64) -> Result<bool> {
        let link = &mut self.links[token];
        let again = link.read()?;
        let (ledgers, totals) = (&mut self.ledgers, &mut self.totals);
        let watch = link.scan(|flow, order, ledger| Watch {
            flow,
            order,
            ledger: ledger.and_then(|at| ledgers.get_mut(at)),
            totals,
            now,
            same: (0, 0),
        })?;
        watch.end();
        Ok(again)
    }

    fn mark(&self) -> Mark {
        Mark {
            at: self.clock.now(),
            fresh: self.totals.fresh,
            settled: self.totals.settled,
            broker_cpu: self.probe.cpu_seconds(),
            own_cpu: own_cpu_seconds(),
        }
    }

    fn report(&self, start: Mark, end: Mark, last: Mark) -> Report {
        let seconds = (end.at - start.at) as f64 / 1e9;
        let chosen = |mark: Mark| if self.plan.count_confirmed { mark.settled } else { mark.fresh };
        let messages = chosen(end) - chosen(start);
        let through = (chosen(last) - chosen(start)).max(1) as f64;
        let cpu = |to: Mark| Some(to.broker_cpu? - start.broker_cpu?);
        let sent = |producer| {
            let flow = self
                .links
                .iter()
                .filter_map(|link| link.flow.as_ref())
                .find(|flow| flow.producer == producer);
            self.plan.stored + flow.map_or(0, |flow| flow.sent)
        };
        Report {
            mode: self.plan.mode.clone(),
            messages,
            seconds,
            rate: messages as f64 / seconds,
            confirmed_rate: (end.settled - start.settled) as f64 / seconds,
            delivered_rate: (end.fresh - start.fresh) as f64 / seconds,
            cpu_us_per_message: cpu(last).map(|cpu| cpu * 1e6 / through),
            broker_cores: cpu(end).map(|cpu| cpu / seconds),
            load_cpu_us_per_message: (last.own_cpu - start.own_cpu) * 1e6 / through,
            rss_kib: self.probe.rss_kib(),
            latency_us: Latency::of(&self.totals.latency),
            ack_latency_us: Latency::of(&self.totals.ack_latency),
            lost: self.expected.iter().map(|&(at, of)| self.ledgers[at].missing(of, sent(of))).sum(),
            doubled: self.ledgers.iter().map(Ledger::doubled).sum(),
            reordered: self.totals.reordered,
            foreign: self.totals.foreign,
            unconfirmed: self
                .links
                .iter()
                .filter_map(|link| link.flow.as_ref())
                .map(|flow| u64::from(flow.in_flight))
                .sum(),
            bad_acks: self.totals.bad_acks,
        }
    }
}

/// Counts what one read of one link brought.
struct Watch<'a> {
    flow: Option<&'a mut Flow>,
    order: &'a mut Vec<u64>,
    ledger: Option<&'a mut Ledger>,
    totals: &'a mut Totals,
    now: u64,
    /// Messages sent at the same moment are recorded together: the moment and how many.
    same: (u64, u64),
}

impl Seen for Watch<'_> {
    fn message(&mut self, payload: &[u8]) {
        let (Some(stamp), Some(ledger)) = (Stamp::read(payload), self.ledger.as_deref_mut()) else {
            self.totals.foreign += 1;
            return;
        };
        let other_run = self.totals.run.is_some_and(|run| run != stamp.run);
        if other_run || payload.len() != self.totals.size {
            self.totals.foreign += 1;
            return;
        }
        match ledger.record(stamp.producer, stamp.seq) {
            Arrival::New { passed } => self.fresh(stamp, passed),
            Arrival::Double => {}
            Arrival::Foreign => self.totals.foreign += 1,
        }
    }

    fn settled(&mut self, id: u16) {
        match self.flow.as_mut().and_then(|flow| flow.settle(id)) {
            Some(sent) => {
                self.totals.settled += 1;
                if self.totals.measuring {
                    self.totals.ack_latency.saturating_record(self.now.saturating_sub(sent));
                }
            }
            None => self.totals.bad_acks += 1,
        }
    }
}

impl Watch<'_> {
    fn fresh(&mut self, stamp: Stamp, passed: u64) {
        let producer = stamp.producer as usize;
        self.totals.fresh += 1;
        self.totals.passed[producer] += passed;
        if producer >= self.order.len() {
            self.order.resize(producer + 1, 0);
        }
        self.totals.reordered += u64::from(stamp.seq < self.order[producer]);
        self.order[producer] = self.order[producer].max(stamp.seq);
        if stamp.sent != self.same.0 {
            self.flush_same();
            self.same = (stamp.sent, 0);
        }
        self.same.1 += 1;
    }

    fn flush_same(&mut self) {
        let (sent, count) = self.same;
        // Another process sent what carries no run of ours: its clock is not this one.
        if self.totals.measuring && count > 0 && self.totals.run.is_some() {
            self.totals.latency.saturating_record_n(self.now.saturating_sub(sent), count);
        }
    }

    fn end(mut self) {
        self.flush_same();
    }
}
