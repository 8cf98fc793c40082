//! One hostile act: what has been before, the bytes, and how it must end.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::support::mqtt::{Mqtt, Options, Packet, V5, V31, V311};

/// How long an answer is waited for: one that does not come must not use up the time of all.
const PATIENCE: Duration = Duration::from_secs(3);

/// All versions.
pub(super) const ALL: &[u8] = &[V31, V311, V5];
/// Those with conformance clauses.
pub(super) const STRICT: &[u8] = &[V311, V5];
/// Those without properties.
pub(super) const V3: &[u8] = &[V31, V311];
/// MQTT 5.
pub(super) const FIVE: &[u8] = &[V5];

/// What is so before the bytes are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Before {
    /// A connection, and nothing said.
    Nothing,
    /// Logged in with a clean session.
    Connected,
    /// And subscribed to `hostile/own`, quality 1.
    Subscribed,
    /// A session that outlives the connection.
    Persistent,
    /// A QoS 2 publication of identifier 7 was sent and received, and not yet released.
    Publishing,
    /// A QoS 2 message of identifier 1 has come, and nothing was said to it.
    Receiving,
}

/// A packet of the broker: its type and its reason, which MQTT 3 leaves out but in SUBACK.
pub(super) type Answer = (u8, u8);

/// How it ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// CONNACK with this code, and the close where it is not 0.
    Connack(u8),
    /// MQTT 5: DISCONNECT with this reason. MQTT 3: nothing. Then the close.
    Violation(u8),
    /// These answers, and then as [`End::Violation`].
    After(Vec<Answer>, u8),
    /// Any answers to what was right, and then as [`End::Violation`].
    AtLast(u8),
    /// The close without a word.
    Closed,
    /// These answers and no others, and the connection serves on.
    GoesOn(Vec<Answer>),
    /// The broker says nothing and waits for more.
    Waits,
    /// The client resets the connection in the middle of it.
    Reset,
    /// Anything: these bytes are noise.
    Any,
}

/// One hostile act in one version.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) version: u8,
    before: Before,
    bytes: Vec<u8>,
    end: End,
}

/// All hostile acts.
#[derive(Default)]
pub(super) struct Corpus {
    pub(super) cases: Vec<Case>,
}

impl Corpus {
    /// Adds an act in each of the versions.
    pub(super) fn add(
        &mut self,
        name: impl Into<String>,
        versions: &[u8],
        before: Before,
        bytes: impl Fn(u8) -> Vec<u8>,
        end: End,
    ) {
        let name = name.into();
        for &version in versions {
            let (bytes, name, end) = (bytes(version), name.clone(), end.clone());
            self.cases.push(Case { name, version, before, bytes, end });
        }
    }

    /// Adds what a client does that has logged in and said nothing else.
    pub(super) fn connected(
        &mut self,
        name: impl Into<String>,
        versions: &[u8],
        bytes: impl Fn(u8) -> Vec<u8>,
        end: End,
    ) {
        self.add(name, versions, Before::Connected, bytes, end);
    }

    /// Adds the first that is said on a connection.
    pub(super) fn first(
        &mut self,
        name: impl Into<String>,
        versions: &[u8],
        bytes: impl Fn(u8) -> Vec<u8>,
        end: End,
    ) {
        self.add(name, versions, Before::Nothing, bytes, end);
    }
}

impl Case {
    /// Does it; says what was wrong about the end.
    pub(super) fn run(&self, broker: SocketAddr) -> Result<(), String> {
        let mut client = self.prepare(broker);
        // Fails where the broker has closed before it has read all.
        let _ = client.stream.write_all(&self.bytes);
        match &self.end {
            End::Connack(code) => self.connack(client, *code),
            End::Violation(reason) => self.violation(client, &[], *reason),
            End::After(answers, reason) => self.violation(client, answers, *reason),
            End::AtLast(reason) => {
                let came = closed(client)?;
                let last = came.last().is_some_and(|last| last.kind == 14 && self::reason(last) == *reason);
                if last { Ok(()) } else { Err(format!("at last came {:02x?}", came.last())) }
            }
            End::Closed => expect(&closed(client)?, &[]),
            End::GoesOn(answers) => self.goes_on(client, answers),
            End::Waits if client.is_closed_within(Duration::from_millis(1)) => {
                Err("it was closed".to_owned())
            }
            End::Waits | End::Any => Ok(()),
            End::Reset => {
                socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
                Ok(())
            }
        }
    }

    fn prepare(&self, broker: SocketAddr) -> Mqtt {
        let id = "hostile";
        let version = self.version;
        match self.before {
            Before::Nothing => return Mqtt::open(broker, version),
            Before::Persistent => {
                Mqtt::connect(broker, version, id).disconnect();
                return Mqtt::with(broker, &Options::persistent(version, id));
            }
            _ => {}
        }
        let mut client = Mqtt::connect(broker, version, id);
        match self.before {
            Before::Subscribed => client.subscribe("hostile/own", 1),
            Before::Publishing => {
                let bytes = client.publish_bytes("hostile/two", b"two", 2, false, 7, &[]);
                client.write(&bytes);
                client.expect(5);
            }
            Before::Receiving => {
                client.subscribe("hostile/own", 2);
                client.publish("hostile/own", "own", 2);
                let message = client.receive();
                assert_eq!((message.qos, message.id), (2, 1));
            }
            _ => {}
        }
        client
    }

    fn connack(&self, mut client: Mqtt, code: u8) -> Result<(), String> {
        let first = client.next_within(PATIENCE).ok_or("closed without CONNACK")?;
        if first.kind != 2 || first.body.get(1) != Some(&code) {
            return Err(format!("CONNACK of {code:#04x} was due: {first:02x?}"));
        }
        if code == 0 {
            return self.goes_on(client, &[]);
        }
        expect(&closed(client)?, &[])
    }

    fn violation(&self, client: Mqtt, answers: &[Answer], reason: u8) -> Result<(), String> {
        let mut due = self.due(answers);
        if self.version == V5 {
            due.push((14, Some(reason)));
        }
        expect(&closed(client)?, &due)
    }

    /// A first ping goes out behind the bytes and may be answered before what waits for the log; behind the
    /// answer to a second one nothing is left to come.
    fn goes_on(&self, mut client: Mqtt, answers: &[Answer]) -> Result<(), String> {
        let mut came = Vec::new();
        for count in [answers.len() + 1, answers.len() + 2] {
            let _ = client.stream.write_all(&[0xC0, 0]);
            while came.len() < count || came.last().is_none_or(|last: &Packet| last.kind != 13) {
                let packet = client.next_within(PATIENCE);
                came.push(packet.ok_or_else(|| format!("it does not go on; came: {came:02x?}"))?);
                if came.len() >= count && count == answers.len() + 1 {
                    break;
                }
            }
        }
        let mut due = self.due(answers);
        due.extend([(13, None), (13, None)]);
        due.sort_unstable();
        came.sort_by_key(|packet| (packet.kind, reason(packet)));
        expect(&came, &due)
    }

    /// Answers as this version says them.
    fn due(&self, answers: &[Answer]) -> Vec<(u8, Option<u8>)> {
        let says_why = |kind| self.version == V5 || kind == 9;
        answers.iter().map(|&(kind, reason)| (kind, says_why(kind).then_some(reason))).collect()
    }
}

/// What came until the broker closed.
fn closed(mut client: Mqtt) -> Result<Vec<Packet>, String> {
    let mut came = Vec::new();
    while let Some(packet) = client.next_within(PATIENCE) {
        came.push(packet);
    }
    if client.is_closed_within(Duration::from_millis(1)) {
        Ok(came)
    } else {
        Err(format!("it stays open; came: {came:02x?}"))
    }
}

fn expect(came: &[Packet], due: &[(u8, Option<u8>)]) -> Result<(), String> {
    let fits = |(packet, (kind, reason)): (&Packet, &(u8, Option<u8>))| {
        packet.kind == *kind && reason.is_none_or(|reason| self::reason(packet) == reason)
    };
    if came.len() == due.len() && came.iter().zip(due).all(fits) {
        return Ok(());
    }
    Err(format!("due were {due:02x?}, came {came:02x?}"))
}

/// The reason code that a packet carries; left out it means success.
fn reason(packet: &Packet) -> u8 {
    let at = match packet.kind {
        9 | 11 => return packet.body.last().copied().unwrap_or(0),
        4..=7 => 2,
        _ => 0,
    };
    packet.body.get(at).copied().unwrap_or(0)
}
