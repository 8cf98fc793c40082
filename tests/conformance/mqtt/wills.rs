//! Wills (3.1.2.5 to 3.1.2.7, 3.1.3.2, 3.14.4).

use super::bytes::{Connect, number, pair, split, text};
use super::{Scene, all, both, five, gets, nothing_before};
use crate::support::Mqtt;
use crate::support::mqtt::{V5, packet};

/// A client with a will, and a watcher of all topics of the scene.
#[track_caller]
fn start(scene: &Scene, flags: u8, properties: &[u8]) -> (Mqtt, Mqtt) {
    let mut watcher = scene.client("watcher");
    watcher.subscribe(&scene.topic("#"), 2);
    let connect =
        Connect::new(scene.version, &scene.id("c")).will(flags, properties, &scene.topic("will"), "w");
    let mut client = scene.silent();
    client.write(&connect.bytes());
    assert_eq!(client.expect(2).body[1], 0);
    (client, watcher)
}

/// Asserts that the will was not sent, nor is.
#[track_caller]
fn no_will(scene: &Scene, mut watcher: Mqtt) {
    let mut publisher = scene.client("p");
    nothing_before(&mut watcher, &mut publisher, &scene.topic("end"));
}

#[test]
fn mqtt5_3_1_2_7_and_8_the_will_is_published_when_the_connection_ends_without_a_goodbye() {
    all("lost", |scene| {
        for end in 0..3 {
            let (mut client, mut watcher) = start(scene, 0, &[]);
            match end {
                0 => drop(client),
                1 => {
                    client.write(&[0x36, 0]);
                    client.closed();
                }
                _ => {
                    // Another connection takes the client id over.
                    let newcomer = scene.client("c");
                    client.closed();
                    newcomer.disconnect();
                }
            }
            let will = gets(&mut watcher, "w");
            assert_eq!((will.topic, will.qos, will.retain), (scene.topic("will"), 0, false), "end {end}");
        }
    });
}

#[test]
fn mqtt5_3_1_2_10_the_will_is_gone_once_it_was_published() {
    both("once", |scene| {
        let (client, mut watcher) = start(scene, 0, &[]);
        drop(client);
        gets(&mut watcher, "w");
        // The same client without a will leaves no message behind.
        drop(scene.client("c"));
        no_will(scene, watcher);
    });
}

#[test]
fn mqtt5_3_14_4_3_a_goodbye_discards_the_will() {
    all("goodbye", |scene| {
        let (client, watcher) = start(scene, 0x20, &[]);
        client.disconnect();
        no_will(scene, watcher);
        let mut late = scene.client("late");
        late.subscribe(&scene.topic("will"), 0);
        late.ping();
        assert_eq!(late.pop_held(), None, "it was retained");
    });
}

#[test]
fn mqtt5_3_1_2_8_a_goodbye_with_will_publishes_it() {
    five("goodbye-with", |scene| {
        let (mut client, mut watcher) = start(scene, 0, &[]);
        client.write(&packet(0xE0, &[0x04]));
        client.closed();
        gets(&mut watcher, "w");
    });
}

#[test]
fn mqtt3_3_1_2_12_no_will_is_published_where_none_was_set() {
    all("none", |scene| {
        let mut watcher = scene.client("watcher");
        watcher.subscribe(&scene.topic("#"), 2);
        drop(scene.client("c"));
        no_will(scene, watcher);
    });
}

#[test]
fn mqtt5_3_1_2_12_a_will_has_its_qos() {
    both("qos", |scene| {
        for qos in [0, 1, 2] {
            let (client, mut watcher) = start(scene, qos << 3, &[]);
            drop(client);
            assert_eq!(gets(&mut watcher, "w").qos, qos);
        }
    });
}

#[test]
fn mqtt5_3_1_2_14_and_15_a_will_is_retained_if_it_says_so() {
    both("retain", |scene| {
        let topic = scene.topic("will");
        for retain in [false, true] {
            let (client, mut watcher) = start(scene, if retain { 0x20 } else { 0 }, &[]);
            drop(client);
            assert!(!gets(&mut watcher, "w").retain, "it matched an established subscription");
            let mut late = scene.client("late");
            late.subscribe(&topic, 1);
            late.ping();
            let held = late.pop_held().map(|packet| late.decode(&packet));
            assert_eq!(
                held.as_ref().map(|publish| (publish.text(), publish.retain)),
                retain.then_some(("w", true))
            );
        }
        scene.client("p").send(&topic, b"", 0, true);
    });
}

#[test]
fn mqtt5_3_1_3_10_properties_of_a_will_are_passed_on_in_order() {
    five("properties", |scene| {
        let properties = [
            number(0x01, &[1]),
            text(0x03, "text/plain"),
            text(0x08, "answer/here"),
            number(0x09, &[0, 2, 0xFF, 0]),
            pair("b", "1"),
            pair("a", "2"),
            pair("b", "3"),
        ];
        let (client, mut watcher) = start(scene, 0, &properties.concat());
        drop(client);
        let mut found = split(&gets(&mut watcher, "w").properties);
        let pairs: Vec<_> = found.iter().filter(|property| property[0] == 0x26).cloned().collect();
        assert_eq!(pairs, properties[4..]);
        found.sort();
        let mut expected = properties.to_vec();
        expected.sort();
        assert_eq!(found, expected);
    });
}

#[test]
fn mqtt5_3_1_3_9_a_client_that_is_back_in_time_has_no_will_sent() {
    five("delay-back", |scene| {
        let mut watcher = scene.client("watcher");
        watcher.subscribe(&scene.topic("#"), 1);
        let delay = number(0x18, &[0, 0, 0, 60]);
        let mut connect = Connect::new(V5, &scene.id("c")).will(0, &delay, &scene.topic("will"), "w");
        (connect.flags, connect.properties) = (0x04, number(0x11, &[0, 0, 0, 120]));
        let mut client = scene.silent();
        client.write(&connect.bytes());
        client.expect(2);
        drop(client);
        scene.with(&scene.kept("c")).disconnect();
        no_will(scene, watcher);
    });
}

#[test]
fn mqtt5_3_1_2_8_the_will_waits_for_its_delay_or_the_end_of_the_session() {
    five("delay", |scene| {
        // The delay is the longer one: the end of the session comes first.
        for (delay, expiry) in [(1, 60), (60, 1)] {
            let mut watcher = scene.client("watcher");
            watcher.subscribe(&scene.topic("#"), 1);
            let property = number(0x18, &[0, 0, 0, delay]);
            let mut connect = Connect::new(V5, &scene.id("c")).will(0, &property, &scene.topic("will"), "w");
            (connect.flags, connect.properties) = (0x06, number(0x11, &[0, 0, 0, expiry]));
            let mut client = scene.silent();
            client.write(&connect.bytes());
            client.expect(2);
            drop(client);
            watcher.publish(&scene.topic("t"), "before", 1);
            gets(&mut watcher, "before");
            gets(&mut watcher, "w");
        }
    });
}
