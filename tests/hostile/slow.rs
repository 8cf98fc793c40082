//! Readers that never read: they are given up, not waited for.

use crate::support::mqtt::{V5, V311};
use crate::support::{Mqtt, Setup, Stomp};

const MESSAGES: u32 = 1_500;
const BODY: usize = 64 * 1024;
/// What may be held for one that does not read, and then some; 96 MB are sent.
const ALLOWANCE: u64 = 64 << 20;

#[test]
fn a_topic_goes_on_past_an_mqtt_subscriber_that_never_reads() {
    let broker = Setup::new().memory().start();
    let mut stuck = Mqtt::connect(broker.mqtt(), V311, "stuck");
    stuck.subscribe("flood", 0);
    let mut healthy = Mqtt::connect(broker.mqtt(), V5, "healthy");
    healthy.subscribe("flood", 0);
    let before = broker.resident();
    let address = broker.mqtt();
    let publisher = std::thread::spawn(move || {
        let mut publisher = Mqtt::connect(address, V311, "publisher");
        for n in 0..MESSAGES {
            publisher.send("flood", &body(n), 0, false);
        }
        publisher.ping();
    });
    for n in 0..MESSAGES {
        assert_eq!(number(&healthy.receive().payload), n);
    }
    publisher.join().unwrap();
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < ALLOWANCE, "{grown} bytes");
    drop(stuck);
}

#[test]
fn a_queue_goes_on_past_a_stomp_consumer_that_never_reads() {
    let broker = Setup::new().start();
    let mut stuck = Stomp::connect(broker.stomp());
    stuck.subscribe_with("0", "/queue/flood", "client", &[("activemq.prefetchSize", "10")]);
    let mut producer = Stomp::connect(broker.stomp());
    for n in 0..200_u32 {
        producer.send("/queue/flood", body(n));
    }
    let mut healthy = Stomp::connect(broker.stomp());
    healthy.subscribe("0", "/queue/flood", "client-individual");
    // All but what lies with the one that never reads.
    for n in 10..200 {
        assert_eq!(number(&healthy.take().body), n);
    }
    healthy.nothing();
    drop(stuck);
    let mut rest: Vec<u32> = (0..10).map(|_| number(&healthy.take().body)).collect();
    rest.sort_unstable();
    assert_eq!(rest, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_persistent_session_that_never_reads_holds_nobody_up() {
    let broker = Setup::new().start();
    let mut stuck = Mqtt::connect(broker.mqtt(), V311, "stuck");
    stuck.subscribe("flood", 1);
    let mut healthy = Mqtt::connect(broker.mqtt(), V311, "healthy");
    healthy.subscribe("flood", 1);
    let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
    for n in 0..300_u32 {
        publisher.publish("flood", body(n), 1);
        assert_eq!(number(&healthy.take().payload), n);
    }
}

fn body(n: u32) -> Vec<u8> {
    let mut body = vec![b'x'; BODY];
    body[..4].copy_from_slice(&n.to_be_bytes());
    body
}

fn number(body: &[u8]) -> u32 {
    assert_eq!(body.len(), BODY);
    u32::from_be_bytes(body[..4].try_into().unwrap())
}
