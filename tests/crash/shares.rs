//! A shared subscription of three sessions that come and go: everything confirmed arrives, and what is to come once
//! comes once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;

use super::mqtt::{Once, publish};
use super::rounds::{Client, killed};
use super::{Id, Progress, Random, parse, rounds};
use crate::support::mqtt::{Options, Packet, V311, packet};
use crate::support::{Broker, Mqtt, PATIENCE, Setup};

const FILTER: &str = "$share/g/crash/#";
const END: &str = "end 0";

#[test]
fn members_of_a_share_come_and_go() {
    let mut random = Random::new();
    let mut members = ["a", "b", "c"].map(Member::new);
    let mut once = Once::new("once");
    let mut confirmed = Vec::new();
    let mut broker = Setup::new().start();
    for member in &members {
        let mut client = Mqtt::with(broker.mqtt(), &member.options());
        client.subscribe(FILTER, 2);
        client.disconnect();
    }
    for round in 0..rounds(6) {
        broker = under_load(broker, round, &mut random, &mut members, &mut once, &mut confirmed);
    }
    let (sender, count) = once.finish(broker.mqtt());
    // Each in turn, the others away: what was begun with a session is its own, the rest is the first one's.
    for member in &mut members {
        let mut client = Mqtt::connect(broker.mqtt(), V311, "last");
        client.publish("crash/2", END, 2);
        client.disconnect();
        member.drain(broker.mqtt());
    }
    let came: Vec<&(Id, u8)> = members.iter().flat_map(|member| &member.came).collect();
    let at_all: BTreeSet<&Id> = came.iter().map(|(id, _)| id).collect();
    let lost: Vec<&Id> = confirmed.iter().filter(|id| !at_all.contains(id)).collect();
    assert!(lost.is_empty(), "confirmed and lost, {}: {:?}", lost.len(), &lost[..lost.len().min(20)]);
    let mut times: BTreeMap<&Id, u32> = BTreeMap::new();
    came.iter().filter(|(_, qos)| *qos == 2).for_each(|(id, _)| *times.entry(id).or_default() += 1);
    for n in 0..count {
        let id = (sender.clone(), n);
        assert_eq!(times.get(&id), Some(&1), "{id:?} of QoS 2");
    }
    println!("{} of QoS 1 and {count} of QoS 2 confirmed, {} came", confirmed.len(), came.len());
}

fn under_load(
    broker: Broker,
    round: u64,
    random: &mut Random,
    members: &mut [Member; 3],
    once: &mut Once,
    confirmed: &mut Vec<Id>,
) -> Broker {
    let mqtt = broker.mqtt();
    let mut clients: Vec<Client<'_>> = Vec::new();
    clients.push(Box::new(move |_, progress| {
        confirmed.extend(publish(mqtt, format!("mqtt-{round}"), progress));
    }));
    clients.push(Box::new(move |_, progress| once.publish(mqtt, progress)));
    for member in members {
        let mut own = random.fork();
        if own.below(4) > 0 {
            clients.push(Box::new(move |_, progress| {
                progress.connected();
                // A stay of so many packets, and the next, until the broker is gone.
                while member.stay(mqtt, progress, own.below(400)) {}
            }));
        }
    }
    killed(broker, random, 3_000, clients)
}

/// A client that keeps the ids of QoS 2 over crashes, as the standard asks.
struct Member {
    name: &'static str,
    /// Received, not yet released.
    unreleased: BTreeSet<u16>,
    came: Vec<(Id, u8)>,
}

impl Member {
    fn new(name: &'static str) -> Self {
        Self { name, unreleased: BTreeSet::new(), came: Vec::new() }
    }

    fn options(&self) -> Options {
        Options::persistent(V311, self.name)
    }

    /// Takes so many packets and goes without a word; false where the broker is gone.
    fn stay(&mut self, address: SocketAddr, progress: &Progress, packets: u64) -> bool {
        let Some((mut client, connack)) = Mqtt::try_login(address, &self.options()) else { return false };
        assert_eq!(connack, [1, 0], "{}: session present", self.name);
        for _ in 0..packets {
            let Some(packet) = client.next_within(PATIENCE) else { return false };
            progress.confirmed();
            if !self.answer(&mut client, &packet) {
                return false;
            }
        }
        true
    }

    /// Takes everything there is, up to the end that was sent before.
    fn drain(&mut self, address: SocketAddr) {
        let (mut client, connack) = Mqtt::login(address, &self.options());
        assert_eq!(connack, [1, 0], "{}: session present", self.name);
        let end = parse(END);
        while !(self.came.iter().any(|(id, _)| *id == end) && self.unreleased.is_empty()) {
            let packet = client.next_within(PATIENCE);
            assert!(self.answer(&mut client, &packet.unwrap()), "the broker is gone");
        }
        // What it has answered is taken in before it leaves.
        client.ping();
        client.disconnect();
    }

    fn answer(&mut self, client: &mut Mqtt, packet: &Packet) -> bool {
        if packet.kind == 6 {
            self.unreleased.remove(&u16::from_be_bytes([packet.body[0], packet.body[1]]));
            return say(client, 7, &packet.body[..2]);
        }
        assert_eq!(packet.kind, 3, "{packet:?}");
        let publish = client.decode(packet);
        let id = parse(publish.text());
        if publish.qos == 1 {
            self.came.push((id, 1));
            return say(client, 4, &publish.id.to_be_bytes());
        }
        if self.unreleased.insert(publish.id) {
            self.came.push((id, 2));
        } else {
            assert!(publish.dup, "id {} is used again before it was released", publish.id);
        }
        say(client, 5, &publish.id.to_be_bytes())
    }
}

fn say(client: &mut Mqtt, kind: u8, id: &[u8]) -> bool {
    client.stream.write_all(&packet(kind << 4, id)).is_ok()
}
