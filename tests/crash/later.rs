//! Messages that are delivered later, and jobs that send again and again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::rounds::{Book, Client, Taken, Verdict, consume, consumer, killed, produce, send};
use super::{Id, Progress, Random, body, parse, rounds};
use crate::support::stomp::Frame;
use crate::support::{Broker, PATIENCE, Setup, Stomp};

const LATER: &str = "/queue/later";
/// Messages and jobs that are sent in one round: all are to be over soon after the last one.
const MESSAGES: u32 = 150;
const JOBS: u32 = 24;
const DELAY_MAX: u64 = 1_200;
const LATE_MAX: u64 = 2_000;

/// Milliseconds since 1970 by the clock that the broker goes by: it lags a little, and never runs backwards
/// between one process and another.
fn now() -> u64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    u64::try_from(now.tv_sec).unwrap() * 1_000 + u64::try_from(now.tv_nsec).unwrap() / 1_000_000
}

#[test]
fn a_delayed_message_comes_in_time() {
    let mut random = Random::new();
    let mut delays = Delays::default();
    let mut broker = Setup::new().start();
    for round in 0..rounds(4) {
        broker = delays.under_load(broker, round, &mut random);
    }
    delays.finish(broker.stomp());
    delays.book.check();
}

#[derive(Default)]
struct Delays {
    book: Book,
    /// The earliest moment at which each may come.
    due: BTreeMap<Id, u64>,
    /// When the consumers of the rounds were ready.
    ready: Vec<u64>,
    /// Each was seen before.
    came: BTreeMap<Id, u64>,
}

impl Delays {
    fn under_load(&mut self, broker: Broker, round: u64, random: &mut Random) -> Broker {
        let sender = format!("s{round}");
        let (mut confirmed, mut taken, mut arrivals, mut ready) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let (mut own, mut others) = (random.fork(), random.fork());
        let (due, name) = (&mut self.due, &sender);
        let clients: Vec<Client<'_>> = vec![
            Box::new(|address, progress| {
                confirmed = produce(address, progress, |n| {
                    let delay = own.below(DELAY_MAX);
                    let id = (name.clone(), n);
                    due.insert(id.clone(), now() + delay);
                    (n < MESSAGES).then(|| delayed(&id, delay, own.below(2) == 0))
                });
            }),
            Box::new(|address, progress| {
                let client = consumer(address, LATER);
                ready = now();
                taken = consume(client, progress, 0, &mut others, |_| {
                    arrivals.push(now());
                    Verdict::Ack
                });
            }),
        ];
        let broker = killed(broker, random, u64::from(MESSAGES) * 3 / 2, clients);
        self.book.confirmed(&sender, &confirmed);
        self.book.took(&taken);
        self.ready.push(ready);
        for (one, at) in taken.iter().map(Taken::id).zip(arrivals) {
            self.assert_in_time(one, at);
        }
        broker
    }

    /// Takes what is still to come.
    fn finish(&mut self, address: SocketAddr) {
        let mut client = consumer(address, LATER);
        self.ready.push(now());
        while !self.book.missing().is_empty() {
            let Some(frame) = client.receive_or_broken() else { break };
            let at = now();
            client.frame("ACK", &[("id", frame.header("ack"))], b"");
            self.assert_in_time(parse(frame.text()), at);
            self.book.drained(&[frame]);
        }
    }

    fn assert_in_time(&mut self, id: Id, at: u64) {
        let due = self.due[&id];
        assert!(at >= due, "{id:?} came {} ms early", due - at);
        if self.came.insert(id.clone(), at).is_none() {
            let expected = due.max(*self.ready.iter().rfind(|ready| **ready <= at).unwrap());
            assert!(at <= expected + LATE_MAX, "{id:?} came {} ms late", at - expected);
        }
    }
}

fn delayed(id: &Id, delay: u64, is_persistent: bool) -> Vec<u8> {
    let delay = delay.to_string();
    let mut headers = vec![("AMQ_SCHEDULED_DELAY", delay.as_str())];
    headers.extend(is_persistent.then_some(("persistent", "true")));
    send(LATER, id.1, &headers, &body(id))
}

/// What becomes of the messages that a job sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// They wait in a queue until the end.
    Kept,
    /// They are read while the broker is killed.
    Read,
    /// They wait in a queue and are not stored.
    Fleeting,
}

const KINDS: [Kind; 3] = [Kind::Kept, Kind::Read, Kind::Fleeting];

impl Kind {
    fn queue(self) -> &'static str {
        match self {
            Self::Kept => "/queue/job.kept",
            Self::Read => "/queue/job.read",
            Self::Fleeting => "/queue/job.fleeting",
        }
    }
}

#[test]
fn a_job_sends_as_often_as_it_says() {
    let mut random = Random::new();
    let mut jobs = Jobs::default();
    let mut broker = Setup::new().start();
    for round in 0..rounds(4) {
        broker = jobs.under_load(broker, round, &mut random);
    }
    let ready = now();
    jobs.finish(broker.stomp());
    jobs.check(ready);
}

struct Job {
    kind: Kind,
    sent: u64,
    delay: u64,
    period: u64,
    repeats: u64,
    confirmed: bool,
}

#[derive(Default)]
struct Jobs {
    jobs: BTreeMap<Id, Job>,
    /// The messages of each job: their `timestamp` and whether they were in the journal for sure, by their id.
    came: BTreeMap<Id, BTreeMap<String, (u64, bool)>>,
}

impl Jobs {
    fn under_load(&mut self, broker: Broker, round: u64, random: &mut Random) -> Broker {
        let sender = format!("s{round}");
        let (mut confirmed, mut taken) = (Vec::new(), Vec::new());
        let (mut own, mut others) = (random.fork(), random.fork());
        let (jobs, name) = (&mut self.jobs, &sender);
        let clients: Vec<Client<'_>> = vec![
            Box::new(|address, progress: &Progress| {
                confirmed = produce(address, progress, |n| {
                    let job = Job::new(KINDS[n as usize % 3], &mut own);
                    let id = (name.clone(), n);
                    let bytes = job.send(&id);
                    jobs.insert(id, job);
                    (n + 1 < JOBS).then_some(bytes)
                });
            }),
            Box::new(|address, progress: &Progress| {
                let client = consumer(address, Kind::Read.queue());
                taken = consume(client, progress, 2, &mut others, |_| Verdict::Ack);
            }),
        ];
        let broker = killed(broker, random, u64::from(JOBS) * 5 / 4, clients);
        for n in confirmed {
            self.jobs.get_mut(&(sender.clone(), n)).unwrap().confirmed = true;
        }
        taken.iter().for_each(|one| self.saw(&one.frame, one.is_acked()));
        broker
    }

    /// A message may be seen before it is on disk; one that was seen once may have been lost with the crash and
    /// sent anew.
    fn saw(&mut self, frame: &Frame, is_acked: bool) {
        let messages = self.came.entry(parse(frame.text())).or_default();
        let message = frame.header("message-id").to_owned();
        let is_known = messages.contains_key(&message);
        let at = frame.header("timestamp").parse().unwrap();
        messages.entry(message).or_insert((at, false)).1 |= is_acked || is_known;
    }

    /// Takes everything until all jobs are over.
    fn finish(&mut self, address: SocketAddr) {
        let mut clients: Vec<Stomp> = KINDS.iter().map(|kind| consumer(address, kind.queue())).collect();
        let deadline = Instant::now() + PATIENCE;
        let over = self.jobs.values().map(|job| job.due(job.repeats)).max().unwrap();
        loop {
            let mut is_quiet = true;
            for client in &mut clients {
                while let Some(frame) =
                    client.pop_held().or_else(|| client.next_within(Duration::from_millis(20)))
                {
                    is_quiet = false;
                    client.frame("ACK", &[("id", frame.header("ack"))], b"");
                    self.saw(&frame, true);
                }
            }
            let is_whole = self.jobs.iter().all(|(id, job)| self.is_over(id, job));
            if is_quiet && (now() > over + 100 && is_whole || Instant::now() > deadline) {
                return;
            }
        }
    }

    /// Whether nothing more can come of it; of those whose messages are lost with a crash that is told by the time.
    fn is_over(&self, id: &Id, job: &Job) -> bool {
        let came = self.came.get(id).map_or(0, BTreeMap::len) as u64;
        job.kind == Kind::Fleeting || came > job.repeats || came == 0 && !job.confirmed
    }

    fn check(&self, ready: u64) {
        let mut total = 0;
        for (id, job) in &self.jobs {
            let none = BTreeMap::new();
            let came = self.came.get(id).unwrap_or(&none);
            let sure = came.values().filter(|(_, sure)| *sure).count() as u64;
            let all = came.len() as u64;
            total += all;
            let wanted = job.repeats + 1;
            let what = format!("{:?} {id:?}, confirmed: {}: {all} of {wanted}", job.kind, job.confirmed);
            assert!(sure <= wanted, "too many: {what}, {came:?}");
            let least = match (job.confirmed, job.kind) {
                (true, Kind::Fleeting) => (0..wanted).filter(|k| job.due(*k) >= ready).count() as u64,
                (false, _) if sure == 0 || job.kind == Kind::Fleeting => 0,
                _ => wanted,
            };
            assert!(all >= least, "too few: {what}, {came:?}");
            if job.kind == Kind::Kept {
                let mut times: Vec<u64> = came.values().map(|(at, _)| *at).collect();
                times.sort_unstable();
                let early = times.iter().zip(0..).find(|(at, k)| **at < job.due(*k));
                assert_eq!(early, None, "early: {what}, {:?}", (job.sent, job.delay, job.period));
            }
        }
        println!("{} jobs, {total} messages", self.jobs.len());
    }
}

impl Job {
    fn new(kind: Kind, random: &mut Random) -> Self {
        Self {
            kind,
            sent: now(),
            delay: 1 + random.below(300),
            period: 20 + random.below(100),
            repeats: random.below(9),
            confirmed: false,
        }
    }

    /// The earliest moment of the message of that number.
    fn due(&self, number: u64) -> u64 {
        self.sent + self.delay + number * self.period
    }

    fn send(&self, id: &Id) -> Vec<u8> {
        let [delay, period, repeats] = [self.delay, self.period, self.repeats].map(|value| value.to_string());
        let headers = [
            ("persistent", if self.kind == Kind::Fleeting { "false" } else { "true" }),
            ("AMQ_SCHEDULED_DELAY", &delay),
            ("AMQ_SCHEDULED_PERIOD", &period),
            ("AMQ_SCHEDULED_REPEAT", &repeats),
        ];
        send(self.kind.queue(), id.1, &headers, &body(id))
    }
}
