//! How much memory a broker takes for connections that do nothing.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::args::MqttIdle;
use crate::clock::{nanos, seconds};
use crate::fault::{Doing, Fault, Result};
use crate::mqtt::Dialect;
use crate::process::Probe;
use crate::report::print_json;
use crate::stream::{Dial, Stream};

/// Connections opened and closed before the first reading, so that what a broker allocates once is not counted.
const WARM: usize = 50;

#[derive(Debug, Serialize)]
struct Idle {
    mode: &'static str,
    connections: usize,
    rss_before_kib: u64,
    rss_after_kib: u64,
    bytes_per_connection: f64,
    connects_per_second: f64,
    /// Of the connections at the end, those the broker has closed.
    closed: usize,
}

pub(crate) fn run(mode: &MqttIdle, json: bool) -> Result<()> {
    let probe = Probe::new(&mode.broker.broker_pid, mode.broker.children);
    let rss = || {
        probe.rss_kib().ok_or_else(|| Fault::Broken("--broker-pid of a running broker is needed".to_owned()))
    };
    let settle = Duration::from_nanos(seconds(mode.settle));
    drop(connect(mode, "w", WARM)?);
    wait(settle);
    let before = rss()?;
    let started = Instant::now();
    let held = connect(mode, "c", mode.count)?;
    let took = nanos(started.elapsed()) as f64 / 1e9;
    wait(settle);
    let after = rss()?;
    let report = Idle {
        mode: "mqtt-idle",
        connections: held.len(),
        rss_before_kib: before,
        rss_after_kib: after,
        bytes_per_connection: (after as f64 - before as f64) * 1024.0 / held.len().max(1) as f64,
        connects_per_second: held.len() as f64 / took,
        closed: held.iter().filter(|stream| is_closed(stream)).count(),
    };
    if json {
        print_json(&report);
    } else {
        let Idle { connections, bytes_per_connection: each, connects_per_second: rate, closed, .. } = report;
        println!(
            "mqtt-idle: {each:.0} bytes for each of {connections} connections \
             ({before} to {after} KiB), {rate:.0} connects/s, {closed} closed"
        );
    }
    Ok(())
}

fn connect(mode: &MqttIdle, name: &str, count: usize) -> Result<Vec<Stream>> {
    let dialect = Dialect { v5: mode.v5, login: mode.broker.login() };
    let dial = Dial::new(mode.broker.connect, mode.broker.tls.as_deref())?;
    let id = std::process::id();
    let one = |at| {
        let mut stream = dial.open()?;
        dialect.connect(&mut stream, &format!("idle-{id}-{name}{at}"))?;
        dialect.subscribe(&mut stream, &format!("idle/{id}/{name}{at}"), 0)?;
        stream.socket().set_nonblocking(true).doing(|| "set non-blocking".to_owned())?;
        Ok(stream)
    };
    (0..count).map(one).collect()
}

fn is_closed(stream: &Stream) -> bool {
    !matches!(stream.socket().peek(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Lets time pass: here it is what the measurement consists of.
fn wait(span: Duration) {
    let end = Instant::now() + span;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}
