//! Builds the connections of each mode and lets the engine run.

use crate::args::{Args, Broker, Mode, MqttPubsub, Pace, StompDrain, StompFill, StompQueue, Topics};
use crate::clock::{Clock, seconds};
use crate::engine::{Engine, Expected, Plan, Span};
use crate::fault::{Fault, Result};
use crate::flow::Flow;
use crate::ledger::Ledger;
use crate::link::Link;
use crate::mqtt::{Dialect, Mqtt};
use crate::process::Probe;
use crate::stamp::Stamp;
use crate::stomp::{self, Ack, Stomp};
use crate::stream::Dial;
use crate::wire::Wire;
use crate::{fsync, idle, later, others, relay};

/// No more connections than an ordinary machine has ports for.
const MAX_CLIENTS: usize = 20_000;

/// Read buffers of all links together.
const BUFFERS: usize = 64 << 20;

pub(crate) fn run(args: Args) -> Result<()> {
    let report = match args.mode {
        Mode::MqttPubsub(mode) => mqtt_pubsub(&mode)?,
        Mode::StompQueue(mode) => stomp_queue(&mode)?,
        Mode::StompFill(mode) => stomp_fill(&mode)?,
        Mode::StompDrain(mode) => stomp_drain(&mode)?,
        Mode::StompLater(mode) => return later::run(&mode, args.json),
        Mode::MqttIdle(mode) => return idle::run(&mode, args.json),
        Mode::Relay(mode) => return relay::run(mode.listen),
        Mode::Fsync(mode) => return fsync::run(&mode, args.json),
    };
    report.print(args.json);
    Ok(())
}

type Report = crate::report::Report;

fn mqtt_pubsub(mode: &MqttPubsub) -> Result<Report> {
    let cast = Cast::new(mode);
    let others = mode.others.div_ceil(others::EACH);
    let setup = Setup::new(
        &mode.broker,
        cast.publishers,
        cast.publishers + cast.subscribers + others,
        mode.pace.size,
    )?;
    let dialect = Dialect { v5: mode.v5, login: mode.broker.login() };
    // Held until the end of the run.
    let _others = others::subscribe(&setup.dial, dialect, setup.run, mode.others)?;
    let mut links = Vec::new();
    for at in 0..cast.subscribers {
        let mut stream = setup.dial.open()?;
        dialect.connect(&mut stream, &format!("load-{:08x}-s{at}", setup.run))?;
        dialect.subscribe(&mut stream, &cast.filter(setup.run, at), mode.qos)?;
        let mut link = Link::new(stream, Wire::Mqtt(Mqtt { v5: mode.v5 }), Vec::new(), setup.buffer)?;
        link.ledger = Some(if mode.topics == Topics::Shared { 0 } else { at });
        links.push(link);
    }
    let window = (mode.qos > 0).then_some(mode.pace.window);
    for at in 0..cast.publishers {
        let mut stream = setup.dial.open()?;
        dialect.connect(&mut stream, &format!("load-{:08x}-p{at}", setup.run))?;
        let mut link = Link::new(stream, Wire::Mqtt(Mqtt { v5: mode.v5 }), Vec::new(), setup.buffer)?;
        let payload = setup.payload(at, mode.pace.size);
        let template = dialect.publish(&cast.topic(setup.run, at), mode.spread, mode.qos, &payload);
        let rate = mode.pace.rate.map(|rate| rate / cast.publishers as f64);
        link.flow = Some(Flow::new(template, at, window, rate, setup.clock.now()));
        links.push(link);
    }
    let fan = if mode.topics == Topics::FanOut { cast.subscribers } else { 1 };
    let plan = setup.plan("mqtt-pubsub", &mode.pace, fan, false);
    Engine::new(plan, setup.clock, setup.probe, links, cast.ledgers(), cast.expected())?.run()
}

/// Who publishes to whom.
struct Cast<'a> {
    mode: &'a MqttPubsub,
    publishers: usize,
    subscribers: usize,
}

impl<'a> Cast<'a> {
    const fn new(mode: &'a MqttPubsub) -> Self {
        let (publishers, subscribers) = match mode.topics {
            Topics::OneToOne => (mode.clients, mode.clients),
            Topics::FanOut => (1, mode.clients),
            Topics::FanIn => (mode.clients, 1),
            Topics::Shared => (mode.clients, mode.members),
        };
        Self { mode, publishers, subscribers }
    }

    /// A topic, or what its varying digits are added to.
    fn topic(&self, run: u32, client: usize) -> String {
        let level = if self.mode.spread.is_some() { "/" } else { "" };
        match self.mode.topics {
            Topics::OneToOne => format!("load/{run:08x}/{client}{level}"),
            _ => format!("load/{run:08x}/all{level}"),
        }
    }

    fn filter(&self, run: u32, client: usize) -> String {
        let share = if self.mode.topics == Topics::Shared { "$share/load/" } else { "" };
        let wildcard = if self.mode.spread.is_some() { "+" } else { "" };
        format!("{share}{}{wildcard}", self.topic(run, client))
    }

    fn expected(&self) -> Expected {
        match self.mode.topics {
            Topics::OneToOne => (0..self.publishers).map(|at| (at, at)).collect(),
            Topics::FanOut => (0..self.subscribers).map(|at| (at, 0)).collect(),
            Topics::FanIn | Topics::Shared => (0..self.publishers).map(|at| (0, at)).collect(),
        }
    }

    fn ledgers(&self) -> Vec<Ledger> {
        let all = |_| Ledger::new(self.publishers);
        match self.mode.topics {
            Topics::OneToOne => (0..self.subscribers).map(|at| Ledger::only(self.publishers, at)).collect(),
            Topics::FanOut | Topics::FanIn => (0..self.subscribers).map(all).collect(),
            Topics::Shared => (0..1).map(all).collect(),
        }
    }
}

fn stomp_queue(mode: &StompQueue) -> Result<Report> {
    let setup = Setup::new(&mode.broker, mode.producers, mode.producers + mode.consumers, mode.pace.size)?;
    let destination = mode.destination.clone().unwrap_or_else(|| format!("/queue/load-{:08x}", setup.run));
    if mode.selectors && mode.consumers != mode.producers {
        return Fault::broken("--selectors needs as many consumers as producers");
    }
    let mut links = setup.consumers(mode.consumers, &destination, mode.ack, mode.prefetch, mode.selectors)?;
    let rate = mode.pace.rate.map(|rate| rate / mode.producers as f64);
    links.extend(setup.producers(
        &destination,
        !mode.non_persistent,
        mode.pace.size,
        mode.pace.window,
        rate,
        mode.selectors,
    )?);
    let mut plan = setup.plan("stomp-queue", &mode.pace, usize::from(mode.consumers > 0), true);
    if mode.consumers == 0 {
        plan.ahead = None;
    }
    let expected = if mode.consumers > 0 { setup.shared_queue() } else { Vec::new() };
    Engine::new(plan, setup.clock, setup.probe, links, vec![Ledger::new(mode.producers)], expected)?.run()
}

fn stomp_fill(mode: &StompFill) -> Result<Report> {
    let setup = Setup::new(&mode.broker, mode.producers, mode.producers, mode.size)?;
    let links = setup.producers(&mode.destination, true, mode.size, mode.window, None, false)?;
    let plan = Plan {
        span: Span::Count(share(mode.count, mode.producers)?),
        warmup: 0,
        ..setup.plan("stomp-fill", &BARE, 0, true)
    };
    Engine::new(plan, setup.clock, setup.probe, links, Vec::new(), Vec::new())?.run()
}

fn stomp_drain(mode: &StompDrain) -> Result<Report> {
    let setup = Setup::new(&mode.broker, mode.producers, mode.consumers, mode.size)?;
    let links = setup.consumers(mode.consumers, &mode.destination, mode.ack, mode.prefetch, false)?;
    let plan = Plan {
        run: None,
        size: mode.size.max(crate::stamp::LEN),
        stored: share(mode.count, mode.producers)?,
        span: Span::Count(0),
        warmup: 0,
        patience: seconds(mode.patience),
        ..setup.plan("stomp-drain", &BARE, 1, false)
    };
    let expected = setup.shared_queue();
    Engine::new(plan, setup.clock, setup.probe, links, vec![Ledger::new(mode.producers)], expected)?.run()
}

/// The pace of the modes that have no options for one.
const BARE: Pace = Pace {
    size: 0,
    seconds: 0.0,
    count: None,
    warmup: 0.0,
    window: 1,
    rate: None,
    ahead: None,
    patience: 10.0,
};

/// What all modes begin with.
struct Setup<'a> {
    broker: &'a Broker,
    dial: Dial,
    clock: Clock,
    probe: Probe,
    run: u32,
    producers: usize,
    buffer: usize,
}

impl<'a> Setup<'a> {
    fn new(broker: &'a Broker, producers: usize, clients: usize, size: usize) -> Result<Self> {
        if producers == 0 || clients > MAX_CLIENTS || size > 16 << 20 {
            return Fault::broken("at least one producer, at most 20,000 connections and 16 MiB a message");
        }
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            broker,
            dial: Dial::new(broker.connect, broker.tls.as_deref())?,
            clock: Clock::start(),
            probe: Probe::new(&broker.broker_pid, broker.children),
            run: since.as_millis() as u32 ^ std::process::id().rotate_left(16),
            producers,
            buffer: (BUFFERS / clients.max(1)).clamp(16 << 10, 256 << 10).max(2 * size + (4 << 10)),
        })
    }

    fn plan(&self, name: &str, pace: &Pace, fan: usize, count_confirmed: bool) -> Plan {
        Plan {
            mode: name.to_owned(),
            run: Some(self.run),
            producers: self.producers,
            size: pace.size.max(crate::stamp::LEN),
            fan: fan as u64,
            stored: 0,
            warmup: seconds(pace.warmup),
            span: match pace.count {
                Some(count) => Span::Count((count / self.producers as u64).max(1)),
                None => Span::Nanos(seconds(pace.seconds).max(1)),
            },
            patience: seconds(pace.patience),
            ahead: pace.ahead,
            count_confirmed,
            ticking: pace.rate.is_some(),
        }
    }

    fn payload(&self, producer: usize, size: usize) -> Vec<u8> {
        Stamp { run: self.run, producer: producer as u32, seq: 0, sent: 0 }.payload(size)
    }

    fn consumers(
        &self,
        count: usize,
        destination: &str,
        ack: Ack,
        prefetch: u32,
        lanes: bool,
    ) -> Result<Vec<Link>> {
        let link = |at| {
            let subscribe = stomp::subscribe(destination, ack, prefetch, lanes.then_some(at));
            let mut link = self.stomp(ack, subscribe)?;
            link.ledger = Some(0);
            Ok(link)
        };
        (0..count).map(link).collect()
    }

    fn producers(
        &self,
        destination: &str,
        persistent: bool,
        size: usize,
        window: u32,
        rate: Option<f64>,
        lanes: bool,
    ) -> Result<Vec<Link>> {
        let link = |at| {
            let mut link = self.stomp(Ack::Auto, Vec::new())?;
            let template = stomp::send(destination, persistent, lanes.then_some(at), &self.payload(at, size));
            link.flow = Some(Flow::new(template, at, Some(window), rate, self.clock.now()));
            Ok(link)
        };
        (0..self.producers).map(link).collect()
    }

    fn stomp(&self, ack: Ack, first: Vec<u8>) -> Result<Link> {
        let mut stream = self.dial.open()?;
        stomp::connect(&mut stream, self.broker.login())?;
        let mut link = Link::new(stream, Wire::Stomp(Box::new(Stomp::new(ack))), first, self.buffer)?;
        link.pump(0, 0)?;
        Ok(link)
    }

    /// All consumers of a queue share one account of all producers.
    fn shared_queue(&self) -> Expected {
        (0..self.producers).map(|producer| (0, producer)).collect()
    }
}

fn share(count: u64, producers: usize) -> Result<u64> {
    let producers = producers.max(1) as u64;
    if count == 0 || !count.is_multiple_of(producers) {
        return Fault::broken(format!("the count must be a multiple of the {producers} producers"));
    }
    Ok(count / producers)
}
