mod acks;
mod advisories;
mod basics;
mod composite;
mod crossing;
mod jms;
mod logins;
mod schedule;
mod selectors;
mod subscriptions;
mod temporary;
mod terms;
mod topology;
mod transactions;
mod wildcards;

use wharfmq_base::Millis;
use wharfmq_core::Settings;
use wharfmq_stomp::{Command, Decoded, Limits, Scan, Version, decode};

use super::{StompOptions, StompSession};
use crate::adapters::testing::{TestBroker, TestClient};
use crate::adapters::{Close, Closed, Session};

/// The wall clock at the start of a test.
const START: u64 = 1_000_000;

/// A broker, and the clients of a test.
struct Bench(TestBroker);

/// A client that keeps what it heard until the test asks for it.
struct Client<'a> {
    on: &'a TestBroker,
    inner: TestClient,
    version: Version,
    heard: Vec<u8>,
}

/// A frame as a test looks at it.
#[derive(Debug)]
struct Got {
    command: Command,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Got {
    fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Bench {
    fn new() -> Self {
        Self(TestBroker::new())
    }

    fn with(settings: Settings) -> Self {
        Self(TestBroker::with(settings))
    }

    fn client(&self, session: impl Session + 'static) -> Client<'_> {
        let inner = self.0.client(session);
        Client { on: &self.0, inner, version: Version::V1_0, heard: Vec::new() }
    }

    fn stomp(&self, version: Version) -> Client<'_> {
        let client = self.stomp_as(&format!("CONNECT\naccept-version:{version}\nhost:h\n\n\0"));
        Client { version, ..client }
    }

    fn stomp_as(&self, connect: &str) -> Client<'_> {
        let mut client = self.client(StompSession::new(StompOptions::default()));
        client.say(connect);
        let got = client.frames();
        assert_eq!(got[0].command, Command::Connected, "{got:?}");
        client.version = Version::V1_2;
        client
    }

    fn pass(&self, ms: u64) {
        self.0.advance(Millis(ms));
    }
}

impl Client<'_> {
    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let heard = self.inner.send(self.on, bytes.as_ref());
        self.heard.extend(heard);
        self.run();
    }

    /// Handles all that there is to do.
    fn run(&mut self) {
        loop {
            let now = self.on.now();
            let due = self.inner.session.deadline().is_some_and(|at| at <= now.mono);
            if due && self.inner.closed.is_none() {
                self.inner.port.now = now;
                self.inner.closed = self.inner.session.on_deadline(&mut self.inner.port).err();
            }
            let heard = self.inner.turn(self.on);
            if heard.is_empty() {
                return;
            }
            self.heard.extend(heard);
        }
    }

    fn take(&mut self) -> Vec<u8> {
        self.run();
        std::mem::take(&mut self.heard)
    }

    fn deadline(&self) -> Option<Millis> {
        self.inner.session.deadline()
    }

    fn closed(&self) -> Option<&Close> {
        self.inner.closed.as_ref()
    }

    fn hang_up(mut self) {
        self.inner.close(Closed::Lost);
    }

    /// The frames that have come, taken.
    fn frames(&mut self) -> Vec<Got> {
        parse(&self.take(), self.version)
    }

    /// Waits for `count` frames and takes them.
    fn await_frames(&mut self, count: usize) -> Vec<Got> {
        let mut bytes = self.take();
        let enough = |more: &[u8]| parse(&[&bytes[..], more].concat(), self.version).len() >= count;
        let more = self.inner.wait(self.on, enough);
        bytes.extend(more);
        parse(&bytes, self.version)
    }

    /// The bodies of the messages that have come.
    fn bodies(&mut self) -> Vec<String> {
        let got = self.frames();
        assert!(got.iter().all(|frame| frame.command == Command::Message), "{got:?}");
        got.iter().map(|frame| frame.text().to_owned()).collect()
    }

    fn subscribe(&mut self, id: &str, destination: &str, more: &str) {
        self.say(format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\n{more}\n\0"));
    }

    fn send(&mut self, destination: &str, more: &str, body: &str) {
        self.say(format!("SEND\ndestination:{destination}\n{more}\n{body}\0"));
    }

    /// What the one ERROR says, after which the connection is closed.
    fn error(&mut self) -> Got {
        let mut got = self.frames();
        assert!(self.inner.closed.is_some(), "{got:?}");
        let last = got.pop().unwrap();
        assert_eq!(last.command, Command::Error);
        last
    }
}

fn parse(mut bytes: &[u8], version: Version) -> Vec<Got> {
    let mut frames = Vec::new();
    loop {
        match decode(bytes, &mut Scan::default(), &Limits::DEFAULT, version).unwrap() {
            Decoded::Incomplete { .. } => {
                assert!(bytes.is_empty(), "half a frame: {:?}", String::from_utf8_lossy(bytes));
                return frames;
            }
            Decoded::HeartBeat(len) => bytes = &bytes[len..],
            Decoded::Frame(frame) => {
                let headers = frame.headers().map(|header| header.unwrap());
                let headers = headers.map(|h| (h.name.into_owned(), h.value.into_owned())).collect();
                frames.push(Got { command: frame.command(), headers, body: frame.body().to_vec() });
                bytes = &bytes[frame.consumed()..];
            }
        }
    }
}
