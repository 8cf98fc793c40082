//! What `[mqtt]` bounds, from the configuration file to the wire.

use std::time::Instant;

use crate::support::mqtt::{Options, V5, V311};
use crate::support::{Mqtt, Setup};

fn with(keys: &str) -> Setup {
    Setup::new().config(&format!("[mqtt]\n{keys}\n"))
}

#[test]
fn clients_of_mqtt_5_are_told_the_bounds() {
    let broker = with("receive_maximum = 7\ntopic_aliases = 0\nmax_keep_alive = \"30s\"").start();
    let options = Options { keep_alive: 60, properties: vec![0x19, 1], ..Options::new(V5, "c1") };
    let (_client, connack) = Mqtt::login(broker.mqtt(), &options);
    let mut expected = vec![0, 0, 0, 0x21, 0, 7, 0x27, 1, 0, 0, 0, 0x13, 0, 30, 0x1A, 0, 11];
    expected.extend(b"response/c1");
    expected[2] = u8::try_from(expected.len() - 3).unwrap();
    assert_eq!(connack, expected);
}

#[test]
fn more_than_the_receive_maximum_ends_the_connection() {
    let broker = with("receive_maximum = 7").start();
    let mut client = Mqtt::connect(broker.mqtt(), V5, "c");
    let publish = |client: &Mqtt, id: u16| client.publish_bytes("a", b"x", 2, false, id, &[]);
    let seven: Vec<u8> = (1..=7).flat_map(|id| publish(&client, id)).collect();
    client.write(&seven);
    (1..=7).for_each(|_| drop(client.expect(5)));
    let eighth = publish(&client, 8);
    client.write(&eighth);
    let last = client.closed().pop().unwrap();
    assert_eq!((last.kind, last.body[0]), (14, 0x93));
    assert!(String::from_utf8_lossy(&last.body).contains("more than 7 unanswered publications"));
}

#[test]
fn a_fast_publisher_is_slowed_down_and_loses_nothing() {
    let broker = with("max_publish_rate = 20").start();
    let mut reader = Mqtt::connect(broker.mqtt(), V311, "reader");
    reader.subscribe("fast", 0);
    let mut writer = Mqtt::connect(broker.mqtt(), V311, "writer");
    let start = Instant::now();
    for n in 0..50 {
        writer.send("fast", n.to_string().as_bytes(), 0, false);
    }
    for n in 0..50 {
        assert_eq!(reader.take().text(), n.to_string());
    }
    // Twenty at once, thirty more at twenty a second.
    assert!(start.elapsed().as_millis() >= 1_400, "{:?}", start.elapsed());
    writer.ping();
}

#[test]
fn a_session_keeps_so_many_messages_over_a_restart() {
    let broker = with("max_queued_messages = 3").start();
    let mut away = Mqtt::with(broker.mqtt(), &Options::persistent(V5, "away"));
    away.subscribe("a", 1);
    away.disconnect();
    let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
    for n in 0..5 {
        publisher.publish("a", n.to_string(), 1);
    }
    let broker = broker.kill().start();
    let mut away = Mqtt::with(broker.mqtt(), &Options::persistent(V5, "away"));
    for n in 0..3 {
        assert_eq!(away.take().text(), n.to_string());
    }
    away.nothing();
    // There is room again, and the limit holds after the restart as well.
    away.disconnect();
    let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
    for n in 5..10 {
        publisher.publish("a", n.to_string(), 2);
    }
    let mut away = Mqtt::with(broker.mqtt(), &Options::persistent(V5, "away"));
    for n in 5..8 {
        assert_eq!(away.take().text(), n.to_string());
    }
    away.nothing();
}

#[test]
fn clients_are_sent_to_another_server() {
    let broker = with("server_reference = \"b.example.com:8883\"").start();
    let client = Mqtt::connect(broker.mqtt(), V5, "c");
    broker.terminate();
    let last = client.closed().pop().unwrap();
    assert_eq!((last.kind, last.body[0]), (14, 0x9C));
    assert!(String::from_utf8_lossy(&last.body).contains("b.example.com:8883"));
}

#[test]
fn what_was_too_large_for_a_client_is_done_with_for_good() {
    let broker = Setup::new().start();
    // A session of an hour, one message in flight, packets of sixty bytes.
    let properties = vec![0x11, 0, 0, 0x0E, 0x10, 0x21, 0, 1, 0x27, 0, 0, 0, 60];
    let options = Options { properties, ..Options::persistent(V5, "small") };
    let mut small = Mqtt::with(broker.mqtt(), &options);
    small.subscribe("a", 2);
    let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
    for _ in 0..3 {
        publisher.publish("a", [b'x'; 100], 2);
    }
    publisher.publish("a", "fits", 2);
    assert_eq!(small.receive().text(), "fits");
    let broker = broker.kill().start();
    let mut small = Mqtt::with(broker.mqtt(), &options);
    let again = small.take();
    assert_eq!((again.text(), again.dup), ("fits", true));
    Mqtt::connect(broker.mqtt(), V311, "publisher").publish("a", "too", 2);
    assert_eq!(small.take().text(), "too");
    small.nothing();
}
