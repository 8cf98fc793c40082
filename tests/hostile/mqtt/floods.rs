//! Much of what is allowed once.

use std::io::Write;
use std::thread;
use std::time::Duration;

use super::bytes::subscribe;
use super::corpus::Witness;
use crate::support::mqtt::{Options, V5, V311, packet};
use crate::support::{Broker, Mqtt, Setup, until};

const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Has `act` done while a client beside sends itself messages, whose worst pause is bounded.
fn beside(broker: &Broker, act: impl FnOnce() + Send) {
    let mut witness = Witness::of(broker);
    thread::scope(|scope| {
        let act = scope.spawn(act);
        while !act.is_finished() {
            witness.look();
        }
        if let Err(panic) = act.join() {
            std::panic::resume_unwind(panic);
        }
    });
    witness.look();
    assert!(witness.worst < PAUSE_MAX, "the client beside waited for {:?}", witness.worst);
}

#[test]
fn a_hundred_thousand_pings() {
    let broker = Setup::new().memory().start();
    beside(&broker, || {
        let mut client = Mqtt::connect(broker.mqtt(), V5, "pings");
        let mut writer = client.stream.try_clone().unwrap();
        let write = thread::spawn(move || writer.write_all(&[0xC0, 0].repeat(100_000)).unwrap());
        for _ in 0..100_000 {
            assert!(client.expect(13).body.is_empty());
        }
        write.join().unwrap();
    });
}

#[test]
fn a_subscriber_that_never_reads_is_sent_100_mb() {
    const PAYLOAD: usize = 100_000;
    let broker = Setup::new().memory().start();
    let mut stuck = Mqtt::connect(broker.mqtt(), V5, "stuck");
    stuck.subscribe("flood", 0);
    let before = broker.resident();
    beside(&broker, || {
        let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
        for _ in 0..100_000_000 / PAYLOAD {
            publisher.send("flood", &[b'x'; PAYLOAD], 0, false);
        }
        publisher.ping();
    });
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes");
    drop(stuck);
}

#[test]
fn a_subscriber_that_takes_one_and_never_acknowledges() {
    let broker = Setup::new().memory().start();
    let mut options = Options::new(V5, "one");
    options.properties = vec![0x21, 0, 1];
    let mut stuck = Mqtt::with(broker.mqtt(), &options);
    stuck.subscribe("one", 1);
    beside(&broker, || {
        let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
        for n in 0..2_000_u32 {
            publisher.publish("one", n.to_be_bytes(), 1);
        }
    });
    assert_eq!(stuck.receive().payload, 0_u32.to_be_bytes());
    stuck.nothing();
}

#[test]
fn a_thousand_connections_that_never_log_in() {
    let mut broker = Setup::new().memory().set("limits.login_timeout=500ms").start();
    let sockets = broker.sockets();
    beside(&broker, || {
        let all: Vec<_> = (0..1_000).map(|_| Mqtt::open(broker.mqtt(), V5)).collect();
        for client in all {
            assert_eq!(client.closed(), []);
        }
    });
    until("the connections are gone", || broker.sockets() == sockets);
    assert!(broker.is_running());
}

#[test]
fn a_subscribe_of_a_hundred_thousand_filters() {
    let broker = Setup::new().memory().start();
    let filters: Vec<_> = (0..100_000).map(|n| format!("many/{n}")).collect();
    let filters: Vec<_> = filters.iter().map(|filter| (filter.as_bytes(), 1)).collect();
    let mut client = Mqtt::connect(broker.mqtt(), V5, "many");
    client.write(&subscribe(V5, &[], &filters));
    let mut answer = client.expect(9).body;
    let codes = answer.split_off(answer.len() - filters.len());
    let (granted, refused) = codes.split_at(10_000);
    assert!(granted.iter().all(|code| *code == 1), "the first 10,000 are granted");
    assert!(refused.len() == 90_000 && refused.iter().all(|code| *code == 0x97), "the rest is refused");
    client.write(&packet(0xE0, &[]));
    client.closed();
}
