//! Several clients on one broker, in process: any bytes in any pieces, any order of events, and a clock that
//! the input turns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharfmq::adapters::Closed;
use wharfmq::adapters::mqtt::{MqttOptions, MqttSession};
use wharfmq::adapters::testing::{TestBroker, TestClient};
use wharfmq_base::Millis;
use wharfmq_mqtt::{Limits, Packet, PacketId, PropertyId, Publish, Qos, Version, decode, decode_connect};

use super::script::{Script, Step, TOPICS};

/// How long anything may take that another thread of the broker does.
const PATIENCE: Duration = Duration::from_secs(10);
const CLIENTS: usize = 4;
const STEPS_MAX: usize = 300;
const MAX_PACKET: u32 = 8_192;
/// More than any steps can put into the output of one turn.
const OUTPUT_MAX: usize = 64 << 20;

/// Runs the script that the input is. What the broker says must be MQTT, in the right order and within what the
/// client asked for; and when everybody is gone, nothing of them may be left.
pub fn session(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(how) = script.byte() else { return };
    let options = Arc::new(MqttOptions {
        max_packet: MAX_PACKET,
        max_packet_before_login: 1_024,
        max_inflight: [1, 2, 10, 1_000][usize::from(how & 3)],
        max_subscriptions: 6,
        topic_aliases: 2,
        ..MqttOptions::default()
    });
    let broker = TestBroker::new();
    let mut world = World { clients: Default::default(), broker: &broker, options };
    for _ in 0..STEPS_MAX {
        let next = script.next(|who| world.version(who));
        let Some((who, step)) = next else { break };
        world.step(who, step);
        world.turn();
    }
    world.end();
    broker.stop();
}

struct World<'a> {
    clients: [Option<Client>; CLIENTS],
    broker: &'a TestBroker,
    options: Arc<MqttOptions>,
}

impl World<'_> {
    fn version(&self, who: usize) -> Version {
        self.clients[who].as_ref().and_then(|client| client.seen.version).unwrap_or(Version::V5)
    }

    fn step(&mut self, who: usize, step: Step) {
        let broker = self.broker;
        let client = self.clients[who].get_or_insert_with(|| Client::new(broker, &self.options));
        match step {
            Step::Send(bytes) => client.send(&bytes),
            Step::Split(at) => client.split = Some(at),
            Step::Pass(ms) => broker.advance(Millis(ms)),
            Step::Stall => client.stalled = !client.stalled,
            Step::Lose => {
                client.inner.close(Closed::Lost);
                self.clients[who] = None;
            }
            Step::Drain => {
                client.drained = true;
                client.inner.session.drain(&mut client.inner.port);
            }
        }
    }

    fn turn(&mut self) {
        for place in &mut self.clients {
            let Some(client) = place else { continue };
            if client.stalled {
                continue;
            }
            client.turn(self.broker);
            if let Some(close) = client.inner.closed.clone() {
                client.inner.close(Closed::Session(close));
                *place = None;
            }
        }
    }

    /// Everybody leaves and every session ends; then nobody may be left to take a message.
    fn end(mut self) {
        for client in self.clients.iter_mut().flatten() {
            client.stalled = false;
        }
        self.turn();
        for client in self.clients.iter_mut().flatten() {
            client.inner.close(Closed::Lost);
        }
        self.clients = Default::default();
        // Sessions, messages and wills that wait for a time.
        self.broker.advance(Millis(10_000_000));
        for id in ["one", "two", "three"] {
            let mut client = Client::new(self.broker, &self.options);
            let (len, [high, low]) = (id.len() as u8, 0_u16.to_be_bytes());
            let mut connect =
                vec![0x10, 13 + len, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 0, 0, high, low | len];
            connect.extend(id.as_bytes());
            client.send(&connect);
            client.turn(self.broker);
            assert!(client.seen.connected, "a client of id {id} is not let in at the end");
            self.probe(&mut client);
            client.send(&[0xE0, 0]);
            client.turn(self.broker);
            let close = client.inner.closed.clone().expect("it said goodbye");
            client.inner.close(Closed::Session(close));
        }
    }

    /// After the last of the kept sessions has ended, no topic has a subscriber.
    fn probe(&self, client: &mut Client) {
        if self.broker.sessions() > 0 {
            return;
        }
        for topic in TOPICS.iter().filter(|topic| !topic.starts_with("$SYS")) {
            let mut publish = vec![0x32, 5 + topic.len() as u8, 0, topic.len() as u8];
            publish.extend(topic.as_bytes());
            publish.extend([0, 1, 0]);
            // What a session that expires leaves goes right after it, on another thread.
            let end = Instant::now() + PATIENCE;
            while client.seen.last != [0x40, 3, 0, 1, 0x10] {
                assert!(Instant::now() < end, "somebody is left at {topic}: {:02x?}", client.seen.last);
                client.send(&publish);
                client.turn(self.broker);
            }
            client.seen.last.clear();
        }
    }
}

struct Client {
    inner: TestClient,
    seen: Seen,
    /// What is to arrive with the next write.
    later: Vec<u8>,
    split: Option<usize>,
    stalled: bool,
    drained: bool,
    /// Written and not yet decoded.
    sent: Vec<u8>,
    arriving: Vec<u8>,
}

/// What a client knows of its connection.
#[derive(Default)]
struct Seen {
    /// The version that was asked for, and the bounds for what comes.
    version: Option<Version>,
    receive_maximum: usize,
    max_packet: usize,
    connected: bool,
    /// Packet identifiers of publications that were not acknowledged.
    open: BTreeSet<PacketId>,
    /// Acknowledged since the last turn: what comes in it may be from before or after.
    acked: Vec<PacketId>,
    last: Vec<u8>,
}

impl Client {
    fn new(broker: &TestBroker, options: &Arc<MqttOptions>) -> Self {
        Self {
            inner: broker.client(MqttSession::new(Arc::clone(options))),
            seen: Seen { receive_maximum: 65_535, max_packet: usize::MAX, ..Seen::default() },
            later: Vec::new(),
            split: None,
            stalled: false,
            drained: false,
            sent: Vec::new(),
            arriving: Vec::new(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.later);
        let at = self.split.take().map_or(bytes.len(), |at| at.min(bytes.len()));
        all.extend(&bytes[..at]);
        self.later = bytes[at..].to_vec();
        self.sent.extend(&all);
        self.arriving.extend(&all);
        self.note_sent();
    }

    /// Reads what this client sends as the broker is to read it.
    fn note_sent(&mut self) {
        if self.seen.version.is_none() {
            match decode_connect(&self.sent, 1_024) {
                Ok(None) => return,
                Ok(Some(decoded)) => {
                    let properties = decoded.packet.properties;
                    let receive_maximum = properties.u16(PropertyId::ReceiveMaximum).unwrap_or(65_535);
                    let max_packet = properties.u32(PropertyId::MaximumPacketSize).unwrap_or(u32::MAX);
                    self.seen.version = Some(decoded.packet.version);
                    self.seen.receive_maximum = usize::from(receive_maximum);
                    self.seen.max_packet = max_packet as usize;
                    self.sent.drain(..decoded.len);
                }
                Err(error) => self.seen.version = Some(error.version.unwrap_or(Version::V311)),
            }
        }
        let Some(version) = self.seen.version else { return };
        while let Ok(Some(decoded)) = decode(&self.sent, version, Limits::from_client(MAX_PACKET)) {
            match decoded.packet {
                Packet::Puback(ack) | Packet::Pubcomp(ack) => self.seen.acked.push(ack.packet_id),
                Packet::Pubrec(ack) if ack.reason.is_error() => self.seen.acked.push(ack.packet_id),
                _ => {}
            }
            let len = decoded.len;
            self.sent.drain(..len);
        }
    }

    fn turn(&mut self, broker: &TestBroker) {
        let arriving = std::mem::take(&mut self.arriving);
        let out = self.inner.send(broker, &arriving);
        assert!(out.len() < OUTPUT_MAX, "{} bytes of output", out.len());
        let mut rest = &out[..];
        while !rest.is_empty() {
            let version = self.seen.version.expect("nothing is said before CONNECT");
            let decoded = decode(rest, version, Limits::from_server(u32::MAX))
                .unwrap_or_else(|error| panic!("what the broker says is no MQTT ({error}): {rest:02x?}"))
                .unwrap_or_else(|| panic!("half a packet: {rest:02x?}"));
            let (packet, behind) = rest.split_at(decoded.len);
            assert!(packet.len() <= self.seen.max_packet, "more than the client takes: {packet:02x?}");
            self.seen.note(&decoded.packet, packet);
            rest = behind;
        }
        if !self.inner.is_read() {
            // The broker does not know yet of all that was acknowledged.
            return;
        }
        for id in std::mem::take(&mut self.seen.acked) {
            self.seen.open.remove(&id);
        }
    }
}

impl Seen {
    fn note(&mut self, packet: &Packet<'_>, bytes: &[u8]) {
        let is_connack = matches!(packet, Packet::Connack(_));
        assert_eq!(is_connack, !self.connected, "CONNACK comes first, and once: {packet:?}");
        self.connected = true;
        if let Packet::Publish(publish) = packet {
            self.note_publish(publish);
        }
        self.last = bytes.to_vec();
    }

    fn note_publish(&mut self, publish: &Publish<'_>) {
        assert!(!publish.topic.is_empty() || publish.properties.u16(PropertyId::TopicAlias).is_some());
        let Some(id) = publish.packet_id else { return };
        assert_ne!(publish.qos, Qos::AtMostOnce);
        if !self.open.insert(id) {
            let acked = self.acked.iter().position(|acked| *acked == id);
            self.acked.remove(acked.unwrap_or_else(|| panic!("two messages of identifier {id:?}")));
        }
        let done = self.acked.iter().filter(|id| self.open.contains(id)).count();
        assert!(self.open.len() <= self.receive_maximum + done, "beyond Receive Maximum");
    }
}
