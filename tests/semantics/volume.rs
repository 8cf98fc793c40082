//! Large messages and many of them.

use std::net::SocketAddr;
use std::thread;

use crate::support::mqtt::V311;
use crate::support::stomp::frame_bytes;
use crate::support::{Broker, Mqtt, Setup, Stomp};

#[test]
fn a_message_of_ten_megabytes() {
    let broker = Broker::start();
    let mut body: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    body[5_000_000] = 0;
    let mut stomp = Stomp::connect(broker.stomp());
    let mut mqtt = Mqtt::connect(broker.mqtt(), V311, "m");
    mqtt.subscribe("large", 1);
    stomp.subscribe("0", "/topic/large", "auto");
    stomp.send("/topic/large", &body);
    assert!(mqtt.take().payload == body, "STOMP to MQTT");
    assert!(stomp.receive().body == body, "STOMP to STOMP");
    mqtt.publish("large", &body, 1);
    assert!(mqtt.take().payload == body, "MQTT to MQTT");
    assert!(stomp.receive().body == body, "MQTT to STOMP");

    stomp.send("/queue/large", &body);
    let broker = broker.stop().start();
    let mut stomp = Stomp::connect(broker.stomp());
    stomp.subscribe("0", "/queue/large", "client-individual");
    assert!(stomp.take().body == body, "over a restart");
}

const MANY: u32 = 100_000;

#[test]
fn a_hundred_thousand_messages_through_a_queue_in_order() {
    let broker = Broker::start();
    let producer = produce(broker.stomp());
    let mut consumer = Stomp::connect(broker.stomp());
    consumer.subscribe("0", "/queue/many", "client");
    for n in 0..MANY {
        let frame = consumer.receive();
        assert_eq!(frame.text().parse::<u32>().unwrap(), n);
        if n % 100 == 99 {
            consumer.frame("ACK", &[("id", frame.header("ack"))], b"");
        }
    }
    producer.join().unwrap();
    consumer.nothing();
}

#[test]
fn a_hundred_thousand_messages_wait_in_order() {
    let broker = Broker::start();
    produce(broker.stomp()).join().unwrap();
    let mut consumer = Stomp::connect(broker.stomp());
    consumer.subscribe("0", "/queue/many", "client");
    for n in 0..MANY / 2 {
        let frame = consumer.receive();
        assert_eq!(frame.text().parse::<u32>().unwrap(), n);
        if n % 100 == 99 {
            consumer.frame("ACK", &[("id", frame.header("ack"))], b"");
        }
    }
    consumer.disconnect();
    let broker = broker.stop().start();
    let mut consumer = Stomp::connect(broker.stomp());
    consumer.subscribe("0", "/queue/many", "auto");
    for n in MANY / 2..MANY {
        assert_eq!(consumer.receive().text().parse::<u32>().unwrap(), n);
    }
    consumer.nothing();
}

#[test]
fn a_hundred_thousand_messages_by_mqtt_in_order() {
    let broker = Setup::new().memory().start();
    let mut reader = Mqtt::connect(broker.mqtt(), V311, "reader");
    reader.subscribe("many", 1);
    let address = broker.mqtt();
    let writer = thread::spawn(move || {
        let mut writer = Mqtt::connect(address, V311, "writer");
        for batch in 0..MANY / 1000 {
            for n in 0..1000 {
                writer.send("many", (batch * 1000 + n).to_string().as_bytes(), 1, false);
            }
            (0..1000).for_each(|_| drop(writer.expect(4)));
        }
    });
    for n in 0..MANY {
        assert_eq!(reader.take().text().parse::<u32>().unwrap(), n);
    }
    writer.join().unwrap();
}

/// Sends them all, persistent, and waits until the last is confirmed.
fn produce(address: SocketAddr) -> thread::JoinHandle<()> {
    let mut producer = Stomp::connect(address);
    thread::spawn(move || {
        let headers = [("destination", "/queue/many"), ("persistent", "true")];
        for batch in 0..MANY / 1000 {
            let frames = (0..1000).map(|n| (batch * 1000 + n).to_string());
            let bytes: Vec<u8> = frames.flat_map(|n| frame_bytes("SEND", &headers, n.as_bytes())).collect();
            producer.write(&bytes);
        }
        producer.disconnect();
    })
}
