//! How late a broker sends what was to be sent at a certain time.
//!
//! Every message says in its body which one it is and when it is due, by the wall clock, which this program
//! and the broker read on one machine. What the broker takes to accept a message counts as lateness too.

use std::io::{Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::{Part, StompLater};
use crate::clock::seconds;
use crate::fault::{Doing, Fault, Result};
use crate::process::Probe;
use crate::report::{Latency, histogram, print_json};
use crate::stomp::{self, Ack, Stomp};
use crate::stream::{Dial, Stream};
use crate::wire::Seen;

/// Messages that one receipt confirms.
const BLOCK: u64 = 500;
/// Receipts that may be outstanding.
const WINDOW: u64 = 8;
const BUFFER: usize = 1 << 20;
/// A broker may read a clock of a coarser step.
const EARLY_MICROS: u64 = 10_000;

#[derive(Debug, Serialize)]
struct Late {
    mode: &'static str,
    messages: u64,
    /// From when a message was due until it arrived.
    late_us: Option<Latency>,
    /// Messages that came a second or more after they were due.
    over_a_second: u64,
    early: u64,
    lost: u64,
    doubled: u64,
    /// Messages that the broker took in a second.
    accepted_per_second: Option<f64>,
    rss_kib: Option<u64>,
}

pub(crate) fn run(mode: &StompLater, json: bool) -> Result<()> {
    let probe = Probe::new(&mode.broker.broker_pid, mode.broker.children);
    // Before the first is due, so that all are waited for.
    let consumer = if mode.part == Part::Fill { None } else { Some(Consumer::subscribe(mode)?) };
    let accepted = if mode.part == Part::Drain { None } else { Some(fill(mode)?) };
    let rss_kib = probe.rss_kib();
    let tally = match consumer {
        Some(consumer) => consumer.drain(mode)?,
        None => Tally::new(mode.count)?,
    };
    let waited = mode.part != Part::Fill;
    let report = Late {
        mode: "stomp-later",
        messages: tally.late.len(),
        late_us: Latency::of(&tally.late),
        over_a_second: tally.over_a_second,
        early: tally.early,
        lost: if waited { mode.count - tally.distinct } else { 0 },
        doubled: tally.doubled,
        accepted_per_second: accepted,
        rss_kib,
    };
    if json {
        print_json(&report);
    } else {
        println!("{}", report.line());
    }
    Ok(())
}

impl Late {
    fn line(&self) -> String {
        let mut line = format!("{}: {} messages", self.mode, self.messages);
        if let Some(rate) = self.accepted_per_second {
            line += &format!(", accepted {rate:.0}/s");
        }
        if let Some(Latency { p50, p99, p999, max, .. }) = self.late_us {
            let [p50, p99, p999, max] = [p50, p99, p999, max].map(|late| late / 1_000.0);
            line += &format!(", late by p50 {p50:.1} p99 {p99:.1} p99.9 {p999:.1} max {max:.1} ms");
        }
        if let Some(rss) = self.rss_kib {
            line += &format!(", {:.1} MiB", rss as f64 / 1024.0);
        }
        let faults = [
            ("over a second late", self.over_a_second),
            ("early", self.early),
            ("lost", self.lost),
            ("doubled", self.doubled),
        ];
        for (name, count) in faults.into_iter().filter(|(_, count)| *count > 0) {
            line += &format!(", {count} {name}");
        }
        line
    }
}

/// Sends all messages; how many were taken in a second.
fn fill(mode: &StompLater) -> Result<f64> {
    let mut stream = Dial::new(mode.broker.connect, mode.broker.tls.as_deref())?.open()?;
    stomp::connect(&mut stream, mode.broker.login())?;
    let started = wall();
    let first = started + Duration::from_nanos(seconds(mode.lead)).as_micros() as u64;
    let spread = Duration::from_nanos(seconds(mode.spread)).as_micros() as u64;
    let header = if mode.jobs { "AMQ_SCHEDULED_PERIOD" } else { "AMQ_SCHEDULED_DELAY" };
    let (mut block, mut input, mut scan) = (Vec::new(), Reader::default(), Stomp::new(Ack::Auto));
    let (mut confirmed, mut asked) = (Confirmed(0), 0);
    for nth in 0..mode.count {
        let due = (first + spread * nth / mode.count) / 1_000;
        let delay = due.saturating_sub(wall() / 1_000);
        let last = (nth + 1).is_multiple_of(BLOCK) || nth + 1 == mode.count;
        let receipt = if last { format!("receipt:{:010}\n", asked % 60_000) } else { String::new() };
        asked += u64::from(last);
        let body = format!("{nth} {due} {:-<size$}", "", size = mode.size);
        let frame = format!(
            "SEND\ndestination:{}\npersistent:true\n{header}:{delay}\n{receipt}content-length:{}\n\n{body}\0",
            mode.destination,
            body.len()
        );
        block.extend_from_slice(frame.as_bytes());
        if !last {
            continue;
        }
        stream.write_all(&block).doing(|| "send".to_owned())?;
        block.clear();
        while asked - confirmed.0 >= WINDOW || (nth + 1 == mode.count && confirmed.0 < asked) {
            input.read(&mut stream, &mut scan, &mut confirmed)?;
        }
    }
    Ok(mode.count as f64 * 1e6 / (wall() - started).max(1) as f64)
}

/// Receipts that came.
struct Confirmed(u64);

impl Seen for Confirmed {
    fn message(&mut self, _: &[u8]) {}

    fn settled(&mut self, _: u16) {
        self.0 += 1;
    }
}

struct Consumer {
    stream: Stream,
}

impl Consumer {
    fn subscribe(mode: &StompLater) -> Result<Self> {
        let mut stream = Dial::new(mode.broker.connect, mode.broker.tls.as_deref())?.open()?;
        stomp::connect(&mut stream, mode.broker.login())?;
        let frame = stomp::subscribe(&mode.destination, Ack::Auto, 10_000, None);
        stream.write_all(&frame).doing(|| "subscribe".to_owned())?;
        Ok(Self { stream })
    }

    /// Takes all messages, or gives up once none has come for too long.
    fn drain(mut self, mode: &StompLater) -> Result<Tally> {
        let patience = Duration::from_nanos(seconds(mode.lead + mode.spread + mode.patience));
        self.stream.socket().set_read_timeout(Some(patience)).doing(|| "set a time-out".to_owned())?;
        let (mut input, mut scan) = (Reader::default(), Stomp::new(Ack::Auto));
        let mut tally = Tally::new(mode.count)?;
        while tally.distinct < mode.count {
            match input.read(&mut self.stream, &mut scan, &mut tally) {
                Ok(()) => {}
                Err(Fault::Io(_, error)) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(fault) => return Err(fault),
            }
            let patience = Duration::from_nanos(seconds(mode.patience));
            self.stream.socket().set_read_timeout(Some(patience)).doing(|| "set a time-out".to_owned())?;
        }
        Ok(tally)
    }
}

/// What has arrived.
struct Tally {
    late: Histogram<u64>,
    seen: Vec<bool>,
    distinct: u64,
    doubled: u64,
    early: u64,
    over_a_second: u64,
}

impl Tally {
    fn new(count: u64) -> Result<Self> {
        Ok(Self {
            late: histogram()?,
            seen: vec![false; count as usize],
            distinct: 0,
            doubled: 0,
            early: 0,
            over_a_second: 0,
        })
    }
}

impl Seen for Tally {
    fn message(&mut self, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap_or_default();
        let mut numbers = text.split(' ').map_while(|word| word.parse::<u64>().ok());
        let (Some(nth), Some(due)) = (numbers.next(), numbers.next()) else { return };
        let Some(seen) = self.seen.get_mut(nth as usize) else { return };
        let doubled = std::mem::replace(seen, true);
        self.doubled += u64::from(doubled);
        self.distinct += u64::from(!doubled);
        let (now, due) = (wall(), due * 1_000);
        self.early += u64::from(now + EARLY_MICROS < due);
        self.over_a_second += u64::from(now >= due + 1_000_000);
        self.late.saturating_record((now.saturating_sub(due) * 1_000).max(1));
    }

    fn settled(&mut self, _: u16) {}
}

/// Bytes of a connection that are no whole frame yet.
#[derive(Default)]
struct Reader {
    input: Vec<u8>,
    filled: usize,
}

impl Reader {
    /// One read, and a look at what it completed.
    fn read(&mut self, stream: &mut Stream, scan: &mut Stomp, seen: &mut impl Seen) -> Result<()> {
        self.input.resize(BUFFER, 0);
        let free = self.input.get_mut(self.filled..).unwrap_or_default();
        if free.is_empty() {
            return Fault::broken("a frame is larger than the read buffer");
        }
        let bytes = stream.read(free).doing(|| "read".to_owned())?;
        if bytes == 0 {
            return Fault::broken("the broker closed a connection");
        }
        self.filled += bytes;
        let whole = self.input.get(..self.filled).unwrap_or_default();
        let taken = scan.scan(whole, &mut Vec::new(), seen)?;
        self.input.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        Ok(())
    }
}

/// Microseconds since 1970.
fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |span| span.as_micros() as u64)
}
