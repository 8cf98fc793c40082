//! Connections as such: draining, limits, the other protocol on a port.

use crate::support::mqtt::{V5, V311};
use crate::support::{Broker, Mqtt, Setup, Stomp};

#[test]
fn a_stop_tells_the_clients() {
    let broker = Broker::start();
    let new = Mqtt::connect(broker.mqtt(), V5, "new");
    let old = Mqtt::connect(broker.mqtt(), V311, "old");
    let stomp = Stomp::connect(broker.stomp());
    broker.terminate();
    let packets = new.closed();
    assert_eq!((packets[0].kind, packets[0].body[0]), (14, 0x8B), "server shutting down: {packets:?}");
    let packets = old.closed();
    assert!(packets.is_empty(), "{packets:?}");
    let frames = stomp.closed();
    assert!(frames.iter().all(|frame| frame.command == "ERROR"), "{frames:?}");
    broker.stop();
}

#[test]
fn what_was_confirmed_before_a_stop_is_there_after_it() {
    let broker = Broker::start();
    let mut producer = Stomp::connect(broker.stomp());
    for n in 0..500 {
        let receipt = n.to_string();
        let headers = [("destination", "/queue/a"), ("persistent", "true"), ("receipt", receipt.as_str())];
        producer.frame("SEND", &headers, receipt.as_bytes());
    }
    broker.terminate();
    let receipts = producer.closed().into_iter().filter(|frame| frame.command == "RECEIPT").count();
    let broker = broker.stop().start();
    let mut consumer = Stomp::connect(broker.stomp());
    consumer.subscribe("0", "/queue/a", "client-individual");
    for n in 0..receipts {
        assert_eq!(consumer.take().text(), n.to_string());
    }
}

#[test]
fn connections_above_the_limit_are_closed() {
    let broker = Setup::new().memory().set("limits.max_connections=2").start();
    let mut first = Mqtt::connect(broker.mqtt(), V311, "1");
    let second = Mqtt::connect(broker.mqtt(), V311, "2");
    Mqtt::open(broker.mqtt(), V311).closed();
    first.ping();
    second.disconnect();
    crate::support::until("a place is free", || {
        let mut client = Mqtt::open(broker.mqtt(), V311);
        client.write(b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01x");
        client.next_within(std::time::Duration::from_secs(1)).is_some()
    });
}

#[test]
fn a_port_of_one_protocol_does_not_speak_another() {
    let broker = Broker::start();
    let mut stomp = Stomp::open(broker.mqtt());
    stomp.write(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0");
    assert!(stomp.closed().is_empty());
    let mut mqtt = Mqtt::open(broker.stomp(), V311);
    mqtt.write(b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01x");
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut mqtt.stream, &mut answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"ERROR"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn one_port_tells_protocols_apart() {
    let broker = Setup::new().memory().listen("auto://127.0.0.1:0").start();
    let mut mqtt = Mqtt::connect(broker.address("auto"), V5, "m");
    mqtt.subscribe("a/b", 0);
    let mut stomp = Stomp::connect(broker.address("auto"));
    stomp.send("/topic/a.b", "over one port");
    assert_eq!(mqtt.receive().text(), "over one port");
}
