//! What is sent again after a lost connection: taken once, whatever was lost with the connection or the power.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tempfile::tempdir;
use wharfmq_core::{Credit, Outcome, Overflow, PartialPolicy, Settings, Tags, Token};
use wharfmq_store::sim::SimDisk;

use super::kit::*;
use crate::broker::{Cause, Consumer, Producer};

const NAME: &str = "ID:host-1-2-0:1:1:1";

/// Stages a producer's message of this number.
fn stage(client: &mut Client, by: &Producer, to: &str, number: u64, how: How, token: Option<u64>) {
    let route = client.port.route(&queue(to).into()).unwrap();
    let item = client.item(&format!("{number:04}"), how);
    let index = client.port.publish(&route, item, token.map(Token));
    client.port.number(by, index, number);
}

fn producer(client: &Client) -> Producer {
    client.port.producer(NAME).unwrap()
}

/// Of the first numbers those that a new connection finds taken.
fn sent(rig: &Rig) -> Vec<u64> {
    let found = producer(&rig.client());
    (0..10).filter(|number| found.has_sent(*number) && *number > 0).collect()
}

#[test]
fn a_later_connection_finds_what_was_taken() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    let own = producer(&client);
    assert_eq!(rig.broker.known_producers(), 0, "it has sent nothing");
    for number in 1..4 {
        stage(&mut client, &own, "in", number, SAFE, None);
    }
    assert!(sent(&rig).is_empty(), "they are only staged");
    client.flush();
    assert_eq!(sent(&rig), [1, 2, 3]);
    assert!(!own.has_sent(3), "what one connection sends is never sent again on it");
    stage(&mut client, &own, "in", 5, FAST, None);
    client.flush();
    assert_eq!(sent(&rig), [1, 2, 3, 4, 5]);
    assert_eq!(rig.broker.known_producers(), 1);
}

#[test]
fn what_is_repeated_is_confirmed_and_counted() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let own = producer(&client);
    stage(&mut client, &own, "in", 1, SAFE, None);
    client.flush();
    client.port.close();
    let mut client = rig.client();
    assert!(producer(&client).has_sent(1));
    client.port.drop_repeated(Some(Token(7)));
    client.flush();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [7]);
    assert_eq!(rig.broker.counters().causes.of(Cause::SentAgain), 1);
    assert_eq!(rig.bodies(&rig.queue("in")), ["0001"]);
}

#[test]
fn restarts_know_what_is_stored() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let own = producer(&client);
    for (number, how) in [(1, SAFE), (2, SAFE), (3, FAST)] {
        stage(&mut client, &own, "in", number, how, None);
        client.flush();
    }
    let mut other = rig.client();
    let fast = other.port.producer("ID:host-1-2-0:2:1:1").unwrap();
    stage(&mut other, &fast, "in", 1, FAST, None);
    other.flush();
    assert_eq!(rig.broker.known_producers(), 2);
    drop((client, other, own, fast));
    rig.abandon();
    for checkpoint in [true, true, false] {
        let rig = Rig::journal(dir.path(), Settings::default());
        assert_eq!(sent(&rig), [1, 2], "what only memory had is gone, and so is its number");
        assert_eq!(rig.broker.known_producers(), 1);
        if checkpoint {
            rig.broker.checkpoint().unwrap();
        }
        rig.abandon();
    }
}

#[test]
fn what_was_refused_may_come_again() {
    let one =
        PartialPolicy { max_messages: Some(1), overflow: Some(Overflow::Reject), ..PartialPolicy::default() };
    let settings = || settings([("queue://in", one.clone())]);
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), settings());
    let mut client = rig.client();
    let own = producer(&client);
    for number in 1..4 {
        stage(&mut client, &own, "in", number, SAFE, Some(number));
    }
    client.flush();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [1]);
    let held = client.consume(&rig.queue("in"), 1, PLENTY);
    assert_eq!(client.accept(&held, 1), 1);
    stage(&mut client, &own, "in", 4, SAFE, None);
    client.flush();
    assert_eq!(sent(&rig), [1, 4], "two were refused");
    rig.broker.checkpoint().unwrap();
    drop((client, held, own));
    rig.abandon();
    let rig = Rig::journal(dir.path(), settings());
    assert_eq!(sent(&rig), [1, 4]);
    let mut client = rig.client();
    let own = producer(&client);
    let held = client.consume(&rig.queue("in"), 1, PLENTY);
    client.turn_until(&rig, "a delivery", |client| !client.deliveries.is_empty());
    client.accept(&held, 1);
    stage(&mut client, &own, "in", 2, SAFE, None);
    client.flush();
    assert_eq!(sent(&rig), [1, 2, 4]);
    drop((client, held, own));
    rig.abandon();
    assert_eq!(sent(&Rig::journal(dir.path(), settings())), [1, 2, 4]);
}

#[test]
fn what_waits_for_room_has_not_been_taken() {
    let one =
        PartialPolicy { max_messages: Some(2), overflow: Some(Overflow::Block), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://in", one)]));
    let mut client = rig.client();
    let own = producer(&client);
    for number in 1..4 {
        stage(&mut client, &own, "in", number, SAFE, None);
    }
    client.flush();
    stage(&mut client, &own, "in", 4, SAFE, None);
    client.flush();
    assert_eq!(sent(&rig), [1, 2]);
    let mut consumer = rig.client();
    let held = consumer.consume(&rig.queue("in"), 1, Credit { messages: 1, bytes: 1 << 20 });
    assert_eq!(consumer.accept(&held, 1), 1);
    client.turn(&rig);
    assert_eq!(sent(&rig), [1, 2, 3]);
    client.port.close();
    assert_eq!(sent(&rig), [1, 2, 3], "the last one went with its connection");
}

#[test]
fn a_goodbye_forgets_the_producers_of_a_connection() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let names = ["ID:a:1:1:1", "ID:a:1:-1:2", "ID:a:11:1:1", "ID:a:1:1:1:1", "ID:a:1:x"];
    for name in names {
        let own = client.port.producer(name).unwrap();
        stage(&mut client, &own, "in", 1, SAFE, None);
    }
    client.flush();
    client.port.forget_producers("ID:a:1");
    client.settle_down(&rig);
    drop(client);
    rig.abandon();
    for _ in 0..2 {
        let rig = Rig::journal(dir.path(), Settings::default());
        let client = rig.client();
        let known = |name: &&str| client.port.producer(name).unwrap().has_sent(1);
        let left: Vec<&str> = names.into_iter().filter(known).collect();
        assert_eq!(left, ["ID:a:11:1:1", "ID:a:1:1:1:1", "ID:a:1:x"]);
        rig.broker.checkpoint().unwrap();
        drop(client);
        rig.abandon();
    }
}

#[test]
fn who_is_quiet_is_forgotten() {
    let dir = tempdir().unwrap();
    let hour = 3_600_000;
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let own = producer(&client);
    stage(&mut client, &own, "in", 1, SAFE, None);
    client.flush();
    rig.advance(23 * hour);
    rig.broker.sweep_producers();
    assert_eq!(sent(&rig), [1]);
    client.port.now = rig.now();
    stage(&mut client, &own, "in", 2, SAFE, None);
    client.flush();
    drop((client, own));
    rig.abandon();
    let rig = Rig::journal_at(dir.path(), Settings::default(), 46 * hour);
    assert_eq!(sent(&rig), [1, 2], "its time began anew with the last message");
    rig.advance(2 * hour);
    rig.broker.sweep_producers();
    assert_eq!((sent(&rig), rig.broker.known_producers()), (vec![], 0));
    rig.abandon();
    let rig = Rig::journal_at(dir.path(), Settings::default(), 48 * hour);
    assert_eq!((sent(&rig), rig.broker.known_producers()), (vec![], 0));
    rig.abandon();
}

/// A producer and a consumer that live through crashes.
struct World {
    /// The highest number that was ever sent, by producer.
    numbers: [u64; 2],
    /// Messages without an answer, by token: they are sent again.
    open: BTreeMap<u64, (usize, u64)>,
    /// Those that were confirmed.
    taken: BTreeSet<String>,
    /// Those whose acknowledgement was confirmed.
    gone: BTreeSet<String>,
    token: u64,
}

struct Clients {
    producer: Client,
    own: [Producer; 2],
    consumer: Client,
    held: Consumer,
}

fn body(who: usize, number: u64) -> String {
    format!("{who}.{number:05}{}", "-".repeat(300))
}

impl World {
    fn connect(&mut self, rig: &Rig) -> Clients {
        let mut producer = rig.client();
        let own = ["ID:x:1:1:1", "ID:x:1:1:2"].map(|name| producer.port.producer(name).unwrap());
        let (mut consumer, cell) = (rig.client(), rig.queue("in"));
        let held = consumer.consume(&cell, 1, PLENTY);
        for (token, (who, number)) in std::mem::take(&mut self.open) {
            if own[who].has_sent(number) {
                producer.port.drop_repeated(Some(Token(token)));
                self.open.insert(token, (who, number));
            } else {
                self.send_one(&mut producer, &own, (who, number), token);
            }
        }
        producer.flush();
        Clients { producer, own, consumer, held }
    }

    fn send_one(&mut self, client: &mut Client, own: &[Producer; 2], of: (usize, u64), token: u64) {
        let route = client.port.route(&queue("in").into()).unwrap();
        let item = client.item(&body(of.0, of.1), SAFE);
        let index = client.port.publish(&route, item, Some(Token(token)));
        client.port.number(&own[of.0], index, of.1);
        self.open.insert(token, of);
    }

    fn step(&mut self, rig: &Rig, clients: &mut Clients, (what, n): (u8, u8)) {
        match what % 6 {
            0..3 => {
                for _ in 0..=n % 5 {
                    let who = usize::from(n / 8) % 2;
                    self.numbers[who] += 1;
                    self.token += 1;
                    let of = (who, self.numbers[who]);
                    self.send_one(&mut clients.producer, &clients.own, of, self.token);
                }
                clients.producer.flush();
            }
            3 => self.settle(rig, clients, usize::from(n % 5)),
            4 => drop(rig.broker.checkpoint()),
            _ => rig.broker.keep(),
        }
        self.hear(rig, &mut clients.producer);
    }

    fn settle(&mut self, rig: &Rig, clients: &mut Clients, count: usize) {
        let Clients { consumer, held, .. } = clients;
        consumer.turn(rig);
        let some: Vec<_> = consumer.deliveries.drain(..count.min(consumer.deliveries.len())).collect();
        let Some(last) = some.last() else { return };
        consumer.port.settle(held, Tags::UpTo(last.tag), Outcome::Accept, Credit::default());
        consumer.port.confirm(Token(1));
        consumer.flush();
        consumer.turn_until(rig, "the end of it", |consumer| {
            consumer.port.is_settled() || consumer.port.failure().is_some()
        });
        if consumer.confirms.pop().is_some_and(|(_, result)| result.is_ok()) {
            self.gone.extend(some.iter().map(body_of));
        }
    }

    fn hear(&mut self, rig: &Rig, producer: &mut Client) {
        producer.turn(rig);
        for token in producer.confirmed() {
            if let Some((who, number)) = self.open.remove(&token) {
                self.taken.insert(body(who, number));
            }
        }
        producer.confirms.clear();
    }

    fn check(&self, rig: &Rig) {
        let there = rig.bodies(&rig.queue("in"));
        let set: BTreeSet<String> = there.iter().cloned().collect();
        assert_eq!(set.len(), there.len(), "something is there twice");
        assert!(set.is_disjoint(&self.gone), "something came again that was consumed");
        let all = |who: usize| (1..=self.numbers[who]).map(move |number| body(who, number));
        let sent: BTreeSet<String> = all(0).chain(all(1)).collect();
        assert_eq!(self.taken, sent, "every one was confirmed in the end");
        rig.check();
    }
}

fn run(seed: u64, lives: &[Vec<(u8, u8)>], crashes: &[u64]) {
    let mut disk = SimDisk::new(seed);
    let (numbers, token) = ([0; 2], 0);
    let (open, taken, gone) = Default::default();
    let mut world = World { numbers, open, taken, gone, token };
    let rig = Rig::sim(&disk, Settings::default());
    rig.queue("in");
    rig.broker.checkpoint().unwrap();
    rig.abandon();
    for (steps, crash) in lives.iter().zip(crashes) {
        let rig = Rig::sim(&disk, Settings::default());
        rig.queue("in");
        disk.crash_after(*crash);
        let mut clients = world.connect(&rig);
        for one in steps {
            world.step(&rig, &mut clients, *one);
        }
        drop(clients);
        disk = disk.reboot();
        rig.abandon();
    }
    let rig = Rig::sim(&disk, Settings::default());
    let Clients { mut producer, consumer, .. } = world.connect(&rig);
    producer.settle_down(&rig);
    world.hear(&rig, &mut producer);
    world.check(&rig);
    drop((producer, consumer));
    rig.abandon();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_taken_once(
        seed in any::<u64>(),
        lives in prop::collection::vec(prop::collection::vec(any::<(u8, u8)>(), 1..40), 3),
        crashes in prop::collection::vec(0u64..120, 3),
    ) {
        run(seed, &lives, &crashes);
    }
}
