//! The MQTT clients under which the broker is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;

use super::ledger::Kept;
use super::{Id, Progress, body, parse};
use crate::support::mqtt::{Options, Packet, Publish, V311, packet};
use crate::support::{Mqtt, PATIENCE};

const WINDOW: usize = 32;
const END: &str = "end 0";

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;

/// Publishes with QoS 1 until the connection breaks; gives what was confirmed.
pub(super) fn publish(address: SocketAddr, sender: String, progress: &Progress) -> Vec<Id> {
    let mut client = Mqtt::connect(address, V311, &sender);
    progress.connected();
    let mut confirmed: Vec<Id> = Vec::new();
    for sent in 0.. {
        // Packet ids go round; the number of a message is what its place in the order of answers says.
        let id = u16::try_from(sent % 60_000 + 1).unwrap();
        let text = body(&(sender.clone(), sent));
        let bytes = client.publish_bytes("crash/1", text.as_bytes(), 1, false, id, &[]);
        if client.stream.write_all(&bytes).is_err() {
            break;
        }
        if (sent as usize) < confirmed.len() + WINDOW {
            continue;
        }
        let Some(answer) = client.next_within(PATIENCE) else { break };
        note(&mut confirmed, &sender, &answer);
        progress.confirmed();
    }
    while let Some(answer) = client.next_within(PATIENCE) {
        note(&mut confirmed, &sender, &answer);
    }
    confirmed
}

/// Notes a PUBACK; they come in the order of the messages (MQTT 3.1.1, 4.6).
fn note(confirmed: &mut Vec<Id>, sender: &str, answer: &Packet) {
    let n = u32::try_from(confirmed.len()).unwrap();
    let id = u16::try_from(n % 60_000 + 1).unwrap();
    assert_eq!((answer.kind, &answer.body[..2]), (PUBACK, &id.to_be_bytes()[..]), "{sender}");
    confirmed.push((sender.to_owned(), n));
}

/// A publisher of QoS 2 that keeps its session over crashes, as the standard asks of a client.
pub(super) struct Once {
    name: String,
    next: u32,
    next_id: u16,
    /// Number, packet id and whether PUBREC has come, in the order of sending.
    flights: BTreeMap<u32, (u16, bool)>,
    known: bool,
}

impl Once {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), next: 0, next_id: 0, flights: BTreeMap::new(), known: false }
    }

    /// Publishes until the connection breaks.
    pub(super) fn publish(&mut self, address: SocketAddr, progress: &Progress) {
        self.run(address, progress, u32::MAX);
    }

    /// Brings what is under way to its end; gives how many messages were published in all.
    pub(super) fn finish(&mut self, address: SocketAddr) -> (String, u32) {
        self.run(address, &Progress::default(), 0);
        assert!(self.flights.is_empty(), "{}: unanswered: {:?}", self.name, self.flights);
        (self.name.clone(), self.next)
    }

    fn run(&mut self, address: SocketAddr, progress: &Progress, more: u32) {
        let mut client = self.resume(address);
        progress.connected();
        let last = self.next.saturating_add(more);
        loop {
            while self.next < last && self.flights.len() < WINDOW {
                self.next_id = self.next_id % 60_000 + 1;
                self.flights.insert(self.next, (self.next_id, false));
                self.next += 1;
                let n = self.next - 1;
                if !self.send(&mut client, n, false) {
                    return;
                }
            }
            if self.flights.is_empty() {
                return;
            }
            let Some(answer) = client.next_within(PATIENCE) else { return };
            if !self.answer(&mut client, &answer) {
                return;
            }
            progress.confirmed();
        }
    }

    /// Connects and sends again what was not answered, in its order (4.4).
    fn resume(&mut self, address: SocketAddr) -> Mqtt {
        let (mut client, connack) = Mqtt::login(address, &Options::persistent(V311, &self.name));
        assert_eq!(connack, [u8::from(self.known), 0], "{}: session present", self.name);
        self.known = true;
        let again: Vec<(u32, u16, bool)> =
            self.flights.iter().map(|(n, (id, rec))| (*n, *id, *rec)).collect();
        for (n, id, received) in again {
            if received {
                client.acknowledge(PUBREL, id);
            } else {
                self.send(&mut client, n, true);
            }
        }
        client
    }

    fn send(&self, client: &mut Mqtt, n: u32, again: bool) -> bool {
        let text = body(&(self.name.clone(), n));
        let mut bytes = client.publish_bytes("crash/2", text.as_bytes(), 2, false, self.flights[&n].0, &[]);
        bytes[0] |= u8::from(again) << 3;
        client.stream.write_all(&bytes).is_ok()
    }

    fn answer(&mut self, client: &mut Mqtt, answer: &Packet) -> bool {
        let id = u16::from_be_bytes([answer.body[0], answer.body[1]]);
        let flight = self.flights.iter_mut().find(|(_, (flight, _))| *flight == id);
        let Some((n, (_, received))) = flight else {
            panic!("{}: nothing of id {id} is under way", self.name)
        };
        match answer.kind {
            PUBREC => {
                *received = true;
                client.stream.write_all(&packet(PUBREL << 4 | 2, &id.to_be_bytes())).is_ok()
            }
            PUBCOMP => {
                let n = *n;
                self.flights.remove(&n);
                true
            }
            _ => panic!("{}: {answer:?}", self.name),
        }
    }
}

/// The reader of a persistent session, which keeps the ids of QoS 2 over crashes, as the standard asks.
#[derive(Default)]
pub(super) struct Keeper {
    /// Received, not yet released.
    unreleased: BTreeSet<u16>,
}

impl Keeper {
    const NAME: &str = "keeper";

    pub(super) fn subscribe(&mut self, address: SocketAddr) {
        let mut client = Mqtt::with(address, &Options::persistent(V311, Self::NAME));
        client.subscribe("crash/#", 2);
        client.disconnect();
    }

    /// Reads until the connection breaks.
    pub(super) fn read(&mut self, address: SocketAddr, progress: &Progress) -> Kept {
        self.run(address, progress, |_| false)
    }

    /// Reads until nothing is left.
    pub(super) fn drain(&mut self, address: SocketAddr) -> Kept {
        let mut client = Mqtt::connect(address, V311, "last");
        client.publish("crash/1", END, 1);
        client.disconnect();
        let end = parse(END);
        let mut kept = self.run(address, &Progress::default(), |text| text == END);
        kept.retain(|(id, _)| *id != end);
        kept
    }

    fn run(&mut self, address: SocketAddr, progress: &Progress, is_last: impl Fn(&str) -> bool) -> Kept {
        let (mut client, connack) = Mqtt::login(address, &Options::persistent(V311, Self::NAME));
        assert_eq!(connack, [1, 0], "session present");
        progress.connected();
        let mut kept = Kept::new();
        let mut last_seen = false;
        while !(last_seen && self.unreleased.is_empty()) {
            let Some(packet) = client.receive_or_broken() else { return kept };
            let done = match packet.kind {
                PUBLISH => {
                    let publish = client.decode(&packet);
                    last_seen |= is_last(publish.text());
                    self.take(&mut client, &publish, &mut kept)
                }
                PUBREL => {
                    self.unreleased.remove(&u16::from_be_bytes([packet.body[0], packet.body[1]]));
                    answer(&mut client, PUBCOMP, &packet.body[..2])
                }
                _ => panic!("{packet:?}"),
            };
            progress.confirmed();
            if !done {
                return kept;
            }
        }
        // Everything it has answered is taken in before it leaves.
        client.ping();
        client.disconnect();
        kept
    }

    fn take(&mut self, client: &mut Mqtt, publish: &Publish, kept: &mut Kept) -> bool {
        if publish.qos == 1 {
            kept.push((parse(publish.text()), 1));
            return answer(client, PUBACK, &publish.id.to_be_bytes());
        }
        if self.unreleased.insert(publish.id) {
            kept.push((parse(publish.text()), 2));
        } else {
            assert!(publish.dup, "id {} is used again before it was released", publish.id);
        }
        answer(client, PUBREC, &publish.id.to_be_bytes())
    }
}

fn answer(client: &mut Mqtt, kind: u8, id: &[u8]) -> bool {
    client.stream.write_all(&packet(kind << 4, id)).is_ok()
}

impl Mqtt {
    /// The next packet of any kind, held ones first; `None` when the connection is broken.
    fn receive_or_broken(&mut self) -> Option<Packet> {
        self.pop_held().or_else(|| self.next_within(PATIENCE))
    }
}
