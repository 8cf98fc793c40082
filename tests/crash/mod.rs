//! The process killed under load, again and again, on the same data. The checker stands outside: it knows only
//! what clients were told.
//!
//! The tests here mix everything; those of the modules take one promise each and kill less often.
//!
//! `WHARFMQ_CRASH_ROUNDS` sets how often the broker is killed, `WHARFMQ_CRASH_SEED` when.

mod damage;
mod dead;
mod dedup;
mod devices;
mod groups;
mod jms;
mod later;
mod ledger;
mod mqtt;
mod rounds;
mod selector;
mod shares;
mod stomp;
mod together;
mod wills;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::ledger::Ledger;
use self::mqtt::{Keeper, Once};
use crate::support::mqtt::{Options, V311};
use crate::support::{Broker, Mqtt, PATIENCE, Setup};

/// What one message is: who sent it and as which of its messages.
type Id = (String, u32);

/// What the killer waits for.
#[derive(Default)]
struct Progress {
    /// Clients that are connected.
    connected: AtomicU64,
    /// Confirmations that all clients have seen.
    confirmed: AtomicU64,
}

impl Progress {
    fn connected(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    fn confirmed(&self) {
        self.confirmed.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until that many clients are connected and have seen that many confirmations; gives what is
    /// wrong if it takes too long.
    fn wait(&self, broker: &mut Broker, clients: u64, confirmed: u64) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = (self.connected.load(Ordering::Relaxed), self.confirmed.load(Ordering::Relaxed));
            if seen.0 >= clients && seen.1 >= confirmed {
                return None;
            }
            if Instant::now() > deadline || !broker.is_running() {
                return Some(format!("the load stands still: {} connected, {} confirmed", seen.0, seen.1));
            }
            thread::park_timeout(Duration::from_micros(200));
        }
    }
}

fn body((sender, n): &Id) -> String {
    format!("{sender} {n}")
}

fn parse(text: &str) -> Id {
    let (sender, n) = text.split_once(' ').unwrap_or_else(|| panic!("nobody sent `{text}`"));
    (sender.to_owned(), n.parse().unwrap())
}

/// Enough to hit different moments from run to run.
struct Random(u64);

impl Random {
    /// Of the seed that is set, else of one that is printed.
    fn new() -> Self {
        let seed = number("WHARFMQ_CRASH_SEED").unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            u64::from(now.subsec_nanos())
        });
        println!("WHARFMQ_CRASH_SEED={seed}");
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// One of its own for a client, so that what it does hangs on no other.
    fn fork(&mut self) -> Self {
        self.below(1);
        Self(self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// How often to kill where nothing is set.
fn rounds(default: u64) -> u64 {
    number("WHARFMQ_CRASH_ROUNDS").unwrap_or(default)
}

#[test]
fn killed_under_load() {
    kill_again_and_again(Reader::Away);
}

#[test]
fn killed_while_a_session_is_read() {
    kill_again_and_again(Reader::There);
}

/// Whether the reader of the persistent session is connected when the broker is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Away,
    There,
}

fn kill_again_and_again(reader: Reader) {
    let rounds = rounds(10);
    let mut random = Random::new();
    let mut ledger = Ledger::default();
    let mut once: Vec<Once> = (0..2).map(|n| Once::new(&format!("once-{n}"))).collect();
    let mut keeper = Keeper::default();
    let mut broker = Setup::new().start();
    keeper.subscribe(broker.mqtt());
    for round in 0..rounds {
        broker = under_load(broker, round, reader, &mut random, &mut ledger, &mut once, &mut keeper);
        if random.below(3) == 0 {
            // Now and then nothing is left behind, so that both an old and an empty log are killed.
            drain(&broker, &mut ledger, &mut once, &mut keeper);
        }
    }
    let broker = broker.stop().start();
    drain(&broker, &mut ledger, &mut once, &mut keeper);
    ledger.check();
    println!("{rounds} rounds, {ledger}");
}

#[test]
fn a_message_of_qos_2_keeps_its_packet_id() {
    let broker = Setup::new().start();
    let options = Options::persistent(V311, "exact");
    let mut client = Mqtt::with(broker.mqtt(), &options);
    client.subscribe("a", 2);
    // Packet ids that are not the first ones, so that starting over from 1 shows.
    for n in 0..3 {
        client.publish("a", n.to_string(), 2);
        client.take();
    }
    client.publish("a", "exact", 2);
    let publish = client.receive();
    let broker = broker.kill().start();
    let mut client = Mqtt::with(broker.mqtt(), &options);
    let again = client.take();
    assert_eq!((again.text(), again.id, again.dup), ("exact", publish.id, true));
    client.nothing();
}

/// Lets all clients loose, kills the broker at some moment, notes what they were told, starts it again.
#[allow(
    clippy::too_many_arguments,
    reason = "the state of the run, split so that threads can borrow its parts"
)]
fn under_load(
    mut broker: Broker,
    round: u64,
    reader: Reader,
    random: &mut Random,
    ledger: &mut Ledger,
    once: &mut [Once],
    keeper: &mut Keeper,
) -> Broker {
    let (mqtt, stomp) = (broker.mqtt(), broker.stomp());
    let progress = Progress::default();
    let consume = random.below(4) > 0;
    let aim = 1 + random.below(4_000);
    let pause = Duration::from_micros(random.below(3_000));
    let setup = thread::scope(|scope| {
        let mut senders = Vec::new();
        for n in 0..2 {
            let progress = &progress;
            senders.push(scope.spawn(move || stomp::produce(stomp, format!("stomp-{round}-{n}"), progress)));
            senders.push(scope.spawn(move || mqtt::publish(mqtt, format!("mqtt-{round}-{n}"), progress)));
        }
        let transactions = scope.spawn(|| stomp::transact(stomp, format!("tx-{round}"), &progress));
        let consumer = consume.then(|| scope.spawn(|| stomp::consume(stomp, &progress)));
        let exact: Vec<_> =
            once.iter_mut().map(|once| scope.spawn(|| once.publish(mqtt, &progress))).collect();
        let reader = (reader == Reader::There).then(|| scope.spawn(|| keeper.read(mqtt, &progress)));

        let clients = 7 + u64::from(consume) + u64::from(reader.is_some());
        let late = progress.wait(&mut broker, clients, aim);
        thread::park_timeout(pause);
        // Before anything may fail: what the clients do ends only with the broker.
        let setup = broker.kill();
        assert_eq!(late, None);
        senders.into_iter().for_each(|sender| ledger.confirmed(sender.join().unwrap()));
        ledger.transactions(transactions.join().unwrap());
        exact.into_iter().for_each(|publisher| publisher.join().unwrap());
        if let Some(consumer) = consumer {
            ledger.broken(consumer.join().unwrap());
        }
        if let Some(reader) = reader {
            ledger.kept(reader.join().unwrap());
        }
        setup
    });
    setup.start()
}

/// Lets what was cut off come to its end, then takes everything out.
fn drain(broker: &Broker, ledger: &mut Ledger, once: &mut [Once], keeper: &mut Keeper) {
    for publisher in once {
        ledger.exact(publisher.finish(broker.mqtt()));
    }
    ledger.consumed(stomp::drain(broker.stomp()));
    ledger.kept(keeper.drain(broker.mqtt()));
}
