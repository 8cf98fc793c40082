//! `wharfmq send` and `wharfmq receive`: a client for people.

mod destination;
mod mqtt;
mod print;
mod stomp;
mod wire;

use std::io::{self, BufRead};
use std::time::{Duration, Instant};

use super::Failure;
use super::args::{ClientOptions, ReceiveOptions, SendOptions};
use crate::config::listener::{Protocol, Scheme};
use crate::config::url::{InUrl, Url};
use destination::{Destination, Kind};

/// How long a connection may take to open and to answer, where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many messages may wait for their confirmation.
const WINDOW: usize = 64;

/// A message as it arrived.
struct Received {
    /// In the canonical spelling.
    destination: String,
    body: Vec<u8>,
    /// What else the protocol says of it, for `--json`.
    extra: Vec<(&'static str, serde_json::Value)>,
    /// What the client needs to acknowledge it.
    ack: Ack,
}

enum Ack {
    None,
    Mqtt { id: u16, qos: u8 },
    Stomp(String),
}

/// A connection to a broker, for one destination.
trait Client {
    /// Sends a message. Waits for confirmations only while too many are open.
    fn send(&mut self, body: &[u8]) -> Result<(), String>;
    /// Begins to receive; at most `most` messages are wanted at a time, where the protocol can say so.
    fn subscribe(&mut self, most: Option<u64>) -> Result<(), String>;
    /// The next message, or nothing when the deadline passes first.
    fn receive(&mut self, deadline: Option<Instant>) -> Result<Option<Received>, String>;
    /// Tells the broker that the message has arrived.
    fn acknowledge(&mut self, ack: Ack) -> Result<(), String>;
    /// Waits for all confirmations, and takes leave.
    fn finish(&mut self) -> Result<(), String>;
}

/// Sends the body, or each line of standard input, and returns when the broker has confirmed all.
pub(super) fn send(options: &SendOptions) -> Result<(), Failure> {
    let target = Target::of(&options.client)?;
    if target.destination.has_wildcard() {
        return Err(Failure::Usage("a message goes to one destination: `*` and `>` only receive".into()));
    }
    if options.retain && target.protocol != Protocol::Mqtt {
        return Err(Failure::Usage("--retain is a matter of MQTT".into()));
    }
    let mut client = target.connect(options.timeout, options.retain)?;
    let sent = match &options.body {
        Some(body) => client.send(body.as_bytes()),
        None => send_lines(client.as_mut()),
    };
    sent.and_then(|()| client.finish()).map_err(Failure::Run)
}

fn send_lines(client: &mut dyn Client) -> Result<(), String> {
    for line in io::stdin().lock().split(b'\n') {
        let line = line.map_err(|error| format!("standard input: {error}"))?;
        client.send(line.strip_suffix(b"\r").unwrap_or(&line))?;
    }
    Ok(())
}

/// Prints what arrives until the count is reached or the time is over.
pub(super) fn receive(options: &ReceiveOptions) -> Result<(), Failure> {
    let target = Target::of(&options.client)?;
    let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
    let mut client = target.connect(PATIENCE, false)?;
    client.subscribe(options.count).map_err(Failure::Run)?;
    let mut received = 0;
    while options.count.is_none_or(|count| received < count) {
        let Some(message) = client.receive(deadline).map_err(Failure::Run)? else { break };
        match print::print(&message, options.json) {
            Ok(()) => {}
            // Whoever reads has read enough; this message was not seen and stays.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Failure::Run(format!("standard output: {error}"))),
        }
        client.acknowledge(message.ack).map_err(Failure::Run)?;
        received += 1;
    }
    client.finish().map_err(Failure::Run)?;
    match options.count {
        Some(count) if received < count => {
            Err(Failure::Run(format!("{received} of {count} messages came in time")))
        }
        _ => Ok(()),
    }
}

/// Where to connect, and for what.
struct Target {
    protocol: Protocol,
    host: String,
    port: u16,
    destination: Destination,
    qos: u8,
}

impl Target {
    fn of(options: &ClientOptions) -> Result<Self, Failure> {
        let destination = Destination::parse(&options.destination).map_err(Failure::Usage)?;
        let url = options.url.as_deref().unwrap_or(match destination.kind {
            Kind::Queue => "stomp://127.0.0.1:61613",
            Kind::Topic => "mqtt://127.0.0.1:1883",
        });
        let wrong = |what: String| Failure::Usage(format!("--url {url}: {what}"));
        let url = Url::parse(url).map_err(wrong)?;
        let scheme = Scheme::find(&url.scheme).map_err(wrong)?;
        if scheme.tls && scheme.protocol != Protocol::OpenWire {
            return Err(wrong("this client does not speak TLS yet".into()));
        }
        if !url.path.is_empty() || !url.options.is_empty() {
            return Err(wrong("nothing may follow the port".into()));
        }
        match scheme.protocol {
            Protocol::Mqtt if destination.kind == Kind::Queue => {
                return Err(wrong(
                    "MQTT knows topics only; a queue is reached with --url stomp://HOST:PORT".into(),
                ));
            }
            Protocol::Stomp if options.qos == 2 => return Err(wrong("STOMP has no QoS 2".into())),
            Protocol::Mqtt | Protocol::Stomp => {}
            Protocol::OpenWire => {
                return Err(wrong(format!(
                    "OpenWire is for JMS applications; --url stomp://{}:PORT reaches the same queues and topics",
                    InUrl(&url.host)
                )));
            }
            _ => return Err(wrong(format!("this client does not speak {} yet", scheme.name))),
        }
        let port = url.port.unwrap_or(scheme.port);
        Ok(Self { protocol: scheme.protocol, host: url.host, port, destination, qos: options.qos })
    }

    fn connect(self, patience: Duration, retain: bool) -> Result<Box<dyn Client>, Failure> {
        let wire = wire::Wire::connect(&self.host, self.port, patience).map_err(Failure::Run)?;
        let client: Result<Box<dyn Client>, String> = match self.protocol {
            Protocol::Mqtt => mqtt::Mqtt::connect(wire, self.destination, self.qos, retain)
                .map(|client| Box::new(client) as _),
            _ => stomp::Stomp::connect(wire, &self.host, self.destination, self.qos)
                .map(|client| Box::new(client) as _),
        };
        client.map_err(Failure::Run)
    }
}
