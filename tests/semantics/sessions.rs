//! MQTT sessions: take-over, queueing while away, QoS 2 over reconnects, wills, retained messages.

use crate::support::mqtt::{Options, V5, V311};
use crate::support::{Broker, Mqtt, Setup};

#[test]
fn a_second_connection_takes_a_client_id_over() {
    let broker = Broker::start();
    for version in [V311, V5] {
        let mut first = Mqtt::with(broker.mqtt(), &Options::persistent(version, "same"));
        first.subscribe("a/b", 1);
        let (mut second, connack) = Mqtt::login(broker.mqtt(), &Options::persistent(version, "same"));
        assert_eq!(connack[..2], [1, 0], "session present");
        let packets = first.closed();
        match version {
            V5 => assert_eq!((packets[0].kind, packets[0].body[0]), (14, 0x8E), "session taken over"),
            _ => assert!(packets.is_empty(), "{packets:?}"),
        }
        second.publish("a/b", "to the second", 1);
        assert_eq!(second.take().text(), "to the second");
        second.disconnect();
        // Leaves nothing for the next round.
        Mqtt::connect(broker.mqtt(), version, "same").disconnect();
    }
}

#[test]
fn a_persistent_session_gets_what_it_missed_in_order() {
    let broker = Broker::start();
    for version in [V311, V5] {
        let options = Options::persistent(version, "away");
        let (mut client, connack) = Mqtt::login(broker.mqtt(), &options);
        assert_eq!(connack[..2], [0, 0]);
        client.subscribe("log/#", 2);
        client.disconnect();
        let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
        for n in 0..300_u32 {
            publisher.publish("log/x", n.to_string(), u8::try_from(n % 2 + 1).unwrap());
        }
        let (mut client, connack) = Mqtt::login(broker.mqtt(), &options);
        assert_eq!(connack[..2], [1, 0], "session present");
        for n in 0..300_u32 {
            let publish = client.take();
            assert_eq!((publish.text(), u32::from(publish.qos)), (n.to_string().as_str(), n % 2 + 1));
        }
        client.nothing();
        client.disconnect();
        let (client, connack) = Mqtt::login(broker.mqtt(), &Options::new(version, "away"));
        assert_eq!(connack[..2], [0, 0], "a clean start ends the session");
        client.disconnect();
    }
}

#[test]
fn what_was_not_acknowledged_comes_again_as_duplicate() {
    let broker = Broker::start();
    let options = Options::persistent(V311, "again");
    let mut client = Mqtt::with(broker.mqtt(), &options);
    client.subscribe("a", 1);
    client.publish("a", "1", 1);
    let first = client.receive();
    assert!(!first.dup);
    drop(client);
    let mut client = Mqtt::with(broker.mqtt(), &options);
    let again = client.take();
    assert!(again.dup);
    assert_eq!((again.text(), again.id), ("1", first.id));
    client.nothing();
}

#[test]
fn qos_2_is_exactly_once_over_reconnects() {
    let broker = Broker::start();
    let mut reader = Mqtt::with(broker.mqtt(), &Options::persistent(V311, "reader"));
    reader.subscribe("once", 2);
    let options = Options::persistent(V311, "writer");
    let mut writer = Mqtt::with(broker.mqtt(), &options);
    let id = writer.send("once", b"1", 2, false);
    writer.expect(5);
    drop(writer);
    // The answer may have been lost: the packet is sent again, marked, before it is released.
    let mut writer = Mqtt::with(broker.mqtt(), &options);
    let mut again = writer.publish_bytes("once", b"1", 2, false, id, &[]);
    again[0] |= 8;
    writer.write(&again);
    writer.finish(id, 2);
    writer.acknowledge(6, id);
    writer.expect(7);
    assert_eq!(reader.take().text(), "1");
    reader.nothing();

    // The other direction: received, not released.
    writer.publish("once", "2", 2);
    let publish = reader.receive();
    reader.acknowledge(5, publish.id);
    reader.expect(6);
    drop(reader);
    let mut reader = Mqtt::with(broker.mqtt(), &Options::persistent(V311, "reader"));
    let released = reader.expect(6);
    assert_eq!(released.body[..2], publish.id.to_be_bytes());
    reader.acknowledge(7, publish.id);
    reader.nothing();
}

#[test]
fn wills_are_sent_when_a_client_is_lost_and_only_then() {
    let broker = Broker::start();
    let mut witness = Mqtt::connect(broker.mqtt(), V311, "witness");
    witness.subscribe("wills/+", 1);
    for (version, id) in [(V311, "old"), (V5, "new")] {
        let mut options = Options::new(version, id);
        options.will = Some((format!("wills/{id}"), "lost".to_owned(), 1));
        let client = Mqtt::with(broker.mqtt(), &options);
        client.disconnect();
        witness.nothing();
        drop(Mqtt::with(broker.mqtt(), &options));
        let will = witness.take();
        assert_eq!((will.topic.as_str(), will.text()), (format!("wills/{id}").as_str(), "lost"));
    }
}

#[test]
fn receive_maximum_is_kept() {
    let broker = Broker::start();
    let mut options = Options::new(V5, "narrow");
    options.properties = vec![0x21, 0, 3];
    let mut client = Mqtt::with(broker.mqtt(), &options);
    client.subscribe("n", 1);
    let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
    for n in 0..10 {
        publisher.publish("n", n.to_string(), 1);
    }
    let held: Vec<_> = (0..3).map(|_| client.receive()).collect();
    client.nothing();
    held.iter().for_each(|publish| client.settle(publish));
    for n in 3..10 {
        assert_eq!(client.take().text(), n.to_string());
    }
}

#[test]
fn dollar_topics_are_matched_by_no_leading_wildcard() {
    let broker = Broker::start();
    let mut client = Mqtt::connect(broker.mqtt(), V311, "c");
    client.subscribe("#", 0);
    client.subscribe("+/x", 0);
    client.subscribe("$own/#", 0);
    client.publish("$own/x", "own", 0);
    client.publish("a/x", "plain", 0);
    assert_eq!(client.receive().text(), "own");
    assert_eq!(client.receive().text(), "plain");
}

#[test]
fn a_session_can_be_given_up_on_leaving() {
    let broker = Broker::start();
    let options = Options::persistent(V5, "leaving");
    let mut client = Mqtt::with(broker.mqtt(), &options);
    client.subscribe("a", 1);
    // DISCONNECT with a session expiry of 0 (3.14.2.2.2).
    client.write(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0]);
    assert!(client.closed().is_empty());
    let (client, connack) = Mqtt::login(broker.mqtt(), &options);
    assert_eq!(connack[..2], [0, 0], "session present");
    client.disconnect();
    // A session without an expiry ends with its connection.
    Mqtt::connect(broker.mqtt(), V5, "leaving").disconnect();
    let (_client, connack) = Mqtt::login(broker.mqtt(), &options);
    assert_eq!(connack[..2], [0, 0], "session present");
}

#[test]
fn a_goodbye_counts_even_if_the_client_is_back_at_once() {
    let broker = Broker::start();
    let mut witness = Mqtt::connect(broker.mqtt(), V311, "witness");
    witness.subscribe("wills", 1);
    let mut options = Options::new(V311, "hasty");
    options.will = Some(("wills".to_owned(), "lost".to_owned(), 1));
    for _ in 0..100 {
        let mut client = Mqtt::with(broker.mqtt(), &options);
        client.write(&[0xE0, 0]);
    }
    witness.nothing();
}

#[test]
fn who_asks_for_a_longer_session_than_allowed_is_told() {
    let broker = Setup::new().set("mqtt.max_session_expiry=1h").start();
    let told = [0x11, 0, 0, 0x0E, 0x10];
    for (asked, expected) in [(3_600, false), (3_601, true), (u32::MAX, true)] {
        let properties = [&[0x11][..], &u32::to_be_bytes(asked)].concat();
        let options = Options { properties, ..Options::persistent(V5, "long") };
        let (client, connack) = Mqtt::login(broker.mqtt(), &options);
        assert_eq!(connack.windows(told.len()).any(|window| window == told), expected, "{connack:02x?}");
        client.disconnect();
    }
}

#[test]
fn a_client_that_does_not_read_loses_its_session_to_the_next() {
    const MESSAGES: u32 = 200;
    let broker = Broker::start();
    let options = Options { keep_alive: 0, ..Options::persistent(V5, "stuck") };
    let mut stuck = Mqtt::with(broker.mqtt(), &options);
    stuck.subscribe("much", 1);
    let mut from = Mqtt::connect(broker.mqtt(), V5, "from");
    let filler = "x".repeat(100_000);
    // More than sockets and buffers hold: the broker can no longer tell it anything.
    for n in 0..MESSAGES {
        from.publish("much", format!("{n} {filler}"), 1);
    }
    let (mut next, connack) = Mqtt::login(broker.mqtt(), &options);
    assert_eq!(connack[..2], [1, 0], "session present");
    let mut came = std::collections::BTreeSet::new();
    while came.len() < MESSAGES as usize {
        let publish = next.take();
        let (n, _) = publish.text().split_once(' ').unwrap();
        came.insert(n.parse::<u32>().unwrap());
    }
    stuck.closed();
    next.nothing();
    // The end of the other has not begun the session's time, nor ended it.
    next.disconnect();
    let (_client, connack) = Mqtt::login(broker.mqtt(), &options);
    assert_eq!(connack[..2], [1, 0], "session present");
}
