//! Wills of clients that are connected when the broker is killed, and of those that it waits for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Random, rounds};
use crate::support::mqtt::{Options, V5, V311};
use crate::support::{Broker, Mqtt, Setup};

const TOPIC: &str = "wills";
/// Goodbye, with the will.
const WITH_WILL: [u8; 3] = [0xE0, 1, 4];
const HOUR: u32 = 3_600;

fn keeper() -> Options {
    Options::persistent(V311, "witness")
}

/// A broker, and somebody who will hear of everything.
fn start() -> Broker {
    let broker = Setup::new().start();
    let mut client = Mqtt::with(broker.mqtt(), &keeper());
    client.subscribe(TOPIC, 1);
    client.disconnect();
    broker
}

/// A client of MQTT 5 with a session of an hour.
fn mortal(id: &str, text: &str, delay: u32) -> Options {
    let mut options = Options::persistent(V5, id);
    options.will = Some((TOPIC.to_owned(), text.to_owned(), 1));
    options.will_properties = [&[0x18][..], &delay.to_be_bytes()].concat();
    options
}

/// Waits until everything that was done so far is on disk.
fn settle(address: SocketAddr) {
    let mut client = Mqtt::with(address, &Options::persistent(V311, "settler"));
    client.subscribe("settled", 1);
    client.publish("settled", "x", 1);
    client.take();
    client.disconnect();
}

#[test]
fn the_will_of_a_connected_client_is_published_after_the_restart() {
    let broker = start();
    let mut fleeting = Options::new(V311, "fleeting");
    fleeting.will = Some((TOPIC.to_owned(), "fleeting".to_owned(), 1));
    let _fleeting = Mqtt::with(broker.mqtt(), &fleeting);
    let _kept = Mqtt::with(broker.mqtt(), &mortal("kept", "kept", 0));
    let _patient = Mqtt::with(broker.mqtt(), &mortal("patient", "patient", HOUR));
    let said = Mqtt::with(broker.mqtt(), &mortal("polite", "polite", 0));
    said.disconnect();
    settle(broker.mqtt());
    let mut broker = broker.kill().start();
    for _ in 0..2 {
        // Who comes back within the delay takes the will back.
        let (client, connack) = Mqtt::login(broker.mqtt(), &mortal("patient", "patient", HOUR));
        assert_eq!(connack[..2], [1, 0], "session present");
        client.disconnect();
        settle(broker.mqtt());
        broker = broker.kill().start();
    }
    let mut witness = Mqtt::with(broker.mqtt(), &keeper());
    let mut came = [witness.take(), witness.take()].map(|publish| publish.text().to_owned());
    came.sort();
    assert_eq!(came, ["fleeting", "kept"]);
    witness.nothing();
}

#[test]
fn a_stop_publishes_wills_and_keeps_those_that_wait() {
    let broker = start();
    let mut fleeting = Options::new(V311, "fleeting");
    fleeting.will = Some((TOPIC.to_owned(), "fleeting".to_owned(), 1));
    let _fleeting = Mqtt::with(broker.mqtt(), &fleeting);
    let _late = Mqtt::with(broker.mqtt(), &mortal("late", "late", 2));
    let broker = broker.stop().start();
    let mut witness = Mqtt::with(broker.mqtt(), &keeper());
    assert_eq!([witness.take(), witness.take()].map(|publish| publish.payload), [&b"fleeting"[..], b"late"]);
    witness.nothing();
}

#[test]
fn a_delay_goes_on_over_kills() {
    const DELAY: u32 = 3;
    let mut broker = start();
    let mut client = Mqtt::with(broker.mqtt(), &mortal("late", "late", DELAY));
    let lost = Instant::now();
    client.write(&WITH_WILL);
    client.closed();
    settle(broker.mqtt());
    for _ in 0..3 {
        broker = broker.kill().start();
    }
    let mut witness = Mqtt::with(broker.mqtt(), &keeper());
    assert_eq!(witness.take().text(), "late");
    let passed = lost.elapsed();
    // The clock of the broker is coarse by some milliseconds.
    assert!(passed >= Duration::from_millis(u64::from(DELAY) * 1_000 - 20), "after {passed:?} only");
    witness.disconnect();
    settle(broker.mqtt());
    let broker = broker.kill().start();
    Mqtt::with(broker.mqtt(), &keeper()).nothing();
}

/// A will that waits longer than its session lives tells when the session ends.
#[test]
fn a_session_ends_at_its_time_over_kills() {
    const EXPIRY: u8 = 3;
    for is_there in [false, true] {
        let broker = start();
        let options = Options { properties: vec![0x11, 0, 0, 0, EXPIRY], ..mortal("brief", "over", HOUR) };
        let mut client = Mqtt::with(broker.mqtt(), &options);
        let mut since = Instant::now();
        if !is_there {
            client.write(&WITH_WILL);
            client.closed();
        }
        settle(broker.mqtt());
        let setup = broker.kill();
        if is_there {
            // The connection was lost at the restart.
            since = Instant::now();
        }
        let broker = setup.start().kill().start();
        let mut witness = Mqtt::with(broker.mqtt(), &keeper());
        assert_eq!(witness.take().text(), "over");
        let passed = since.elapsed();
        assert!(passed >= Duration::from_millis(u64::from(EXPIRY) * 1_000 - 20), "after {passed:?} only");
        let (_client, connack) = Mqtt::login(broker.mqtt(), &options);
        assert_eq!(connack[..2], [0, 0], "session present");
    }
}

/// What a client of one round does, and whether its will is to be published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Says goodbye.
    Polite,
    /// Is there when the broker is killed.
    Killed,
    /// Goes without a word.
    Lost,
    /// Goes without a word and comes back in time, to say goodbye.
    Back,
}

#[test]
fn every_will_goes_out_once_however_often_the_broker_is_killed() {
    const CLIENTS: u64 = 24;
    let mut random = Random::new();
    let mut broker = start();
    let mut due = BTreeMap::new();
    for round in 0..rounds(3) {
        let mut held = Vec::new();
        for n in 0..CLIENTS {
            let name = format!("{round}-{n}");
            let end = [End::Polite, End::Killed, End::Lost, End::Back][random.below(4) as usize];
            let delay = if end == End::Back { HOUR } else { random.below(2) as u32 };
            let client = act(broker.mqtt(), &mortal(&name, &name, delay), end);
            held.extend(client);
            if matches!(end, End::Killed | End::Lost) {
                due.insert(name, end);
            }
        }
        settle(broker.mqtt());
        broker = broker.kill().start();
        // Also killed while it publishes what the kill before has left.
        std::thread::park_timeout(Duration::from_micros(random.below(20_000)));
        broker = broker.kill().start();
    }
    let mut witness = Mqtt::with(broker.mqtt(), &keeper());
    let mut came = BTreeMap::<String, u32>::new();
    for _ in 0..due.len() {
        *came.entry(witness.take().text().to_owned()).or_default() += 1;
    }
    witness.nothing();
    let expected: BTreeMap<String, u32> = due.into_keys().map(|name| (name, 1)).collect();
    assert_eq!(came, expected);
}

fn act(address: SocketAddr, options: &Options, end: End) -> Option<Mqtt> {
    let client = Mqtt::with(address, options);
    match end {
        End::Killed => return Some(client),
        End::Polite => client.disconnect(),
        End::Lost => drop(client),
        End::Back => {
            drop(client);
            let (again, connack) = Mqtt::login(address, options);
            assert_eq!(connack[..2], [1, 0], "session present");
            again.disconnect();
        }
    }
    None
}
