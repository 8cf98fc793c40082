//! Sessions: clean start, session present, what is kept and for how long (3.1.2.4, 3.1.2.11.2, 4.1).

use super::bytes::{Connect, number};
use super::{all, both, each, five, gets, nothing_before};
use crate::support::mqtt::{V5, V31, V311, packet};

#[test]
fn mqtt5_3_1_2_4_a_clean_start_discards_the_session() {
    all("clean", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.with(&scene.kept("c"));
        client.subscribe(&topic, 1);
        client.disconnect();
        let mut publisher = scene.client("p");
        publisher.publish(&topic, "before", 1);
        let (mut client, connack) = scene.login(&scene.clean("c"));
        assert_eq!(connack[..2], [0, 0]);
        publisher.publish(&topic, "after", 1);
        client.ping();
        assert_eq!(client.pop_held(), None, "neither the message nor the subscription is left");
        client.disconnect();
        // And what was clean leaves nothing.
        let (client, connack) = scene.login(&scene.kept("c"));
        assert_eq!(connack[..2], [0, 0]);
        client.disconnect();
    });
}

#[test]
fn mqtt5_3_1_2_5_and_6_a_session_is_resumed_or_made() {
    all("resume", |scene| {
        let topic = scene.topic("t");
        let (mut client, connack) = scene.login(&scene.kept("c"));
        assert_eq!(connack[..2], [0, 0], "a new one");
        client.subscribe(&topic, 2);
        client.disconnect();
        let mut publisher = scene.client("p");
        for qos in [1, 2] {
            publisher.publish(&topic, format!("while away {qos}"), qos);
        }
        let (mut client, connack) = scene.login(&scene.kept("c"));
        let present = u8::from(scene.version != V31);
        assert_eq!(connack[..2], [present, 0]);
        gets(&mut client, "while away 1");
        gets(&mut client, "while away 2");
        publisher.publish(&topic, "now", 1);
        gets(&mut client, "now");
        client.disconnect();
    });
}

#[test]
fn mqtt5_3_1_2_23_the_session_is_stored_after_every_end() {
    both("stored", |scene| {
        let topic = scene.topic("t");
        for end in 0..3 {
            let mut client = scene.with(&scene.kept("c"));
            client.subscribe(&topic, 1);
            match end {
                0 => client.disconnect(),
                1 => drop(client),
                _ => {
                    client.write(&[0xF0]);
                    client.write(&[0x00, 0x00]);
                    client.closed();
                }
            }
            let (mut client, connack) = scene.login(&scene.kept("c"));
            assert_eq!(connack[..2], [1, 0], "end {end}");
            client.publish(&topic, "still subscribed", 1);
            gets(&mut client, "still subscribed");
            client.disconnect();
        }
    });
}

#[test]
fn mqtt3_3_1_2_5_messages_of_qos_1_and_2_are_stored_for_the_absent() {
    each(&[V31, V311], "absent", |scene| {
        let mut client = scene.with(&scene.kept("c"));
        client.subscribe(&scene.topic("#"), 2);
        client.disconnect();
        let mut publisher = scene.client("p");
        for n in 0..20 {
            publisher.publish(&scene.topic(&n.to_string()), n.to_string(), n % 2 + 1);
        }
        let mut client = scene.with(&scene.kept("c"));
        for n in 0..20 {
            let publish = gets(&mut client, &n.to_string());
            assert_eq!((publish.qos, publish.topic), (n % 2 + 1, scene.topic(&n.to_string())));
        }
    });
}

#[test]
fn mqtt3_3_1_2_7_retained_messages_outlive_the_session() {
    both("retained-stays", |scene| {
        let topic = scene.topic("t");
        let mut publisher = scene.client("p");
        let id = publisher.send(&topic, b"kept", 1, true);
        publisher.finish(id, 1);
        publisher.disconnect();
        let mut client = scene.client("c");
        client.subscribe(&topic, 1);
        assert!(gets(&mut client, "kept").retain);
    });
}

#[test]
fn mqtt5_3_2_2_3_session_present_says_what_is_there() {
    both("present", |scene| {
        let present = |clean: bool| {
            let mut options = scene.kept("c");
            options.clean = clean;
            let (client, connack) = scene.login(&options);
            client.disconnect();
            connack[..2].to_vec()
        };
        assert_eq!(present(false), [0, 0]);
        assert_eq!(present(false), [1, 0]);
        assert_eq!(present(true), [0, 0]);
        // In MQTT 5 a clean start begins a session that is kept, in MQTT 3 it is gone with its connection.
        assert_eq!(present(false), [u8::from(scene.is_v5()), 0]);
    });
}

#[test]
fn mqtt5_4_1_0_1_and_2_a_session_lasts_as_long_as_its_connection_and_its_expiry() {
    five("expiry", |scene| {
        let topic = scene.topic("t");
        let mut connect = Connect::new(V5, &scene.id("c"));
        (connect.flags, connect.properties) = (0, number(0x11, &[0, 0, 0, 1]));
        let mut client = scene.silent();
        client.write(&connect.bytes());
        assert_eq!(client.expect(2).body[..2], [0, 0]);
        client.subscribe(&topic, 1);
        // One and a half seconds pass for a client that says nothing.
        let pass = || {
            let mut timer = Connect::new(V5, &scene.id("timer"));
            timer.keep_alive = 1;
            let mut silent = scene.silent();
            silent.write(&timer.bytes());
            silent.closed();
        };
        pass();
        client.publish(&topic, "open", 1);
        gets(&mut client, "open");
        client.disconnect();
        pass();
        let (_client, connack) = scene.login(&scene.kept("c"));
        assert_eq!(connack[..2], [0, 0], "expired");
    });
}

#[test]
fn mqtt5_3_14_2_2_2_the_expiry_can_be_changed_on_leaving() {
    five("change", |scene| {
        let leave = |seconds: [u8; 4]| packet(0xE0, &[&[0, 5, 0x11][..], &seconds].concat());
        let mut client = scene.with(&scene.kept("c"));
        client.write(&leave([0, 0, 0, 0]));
        client.closed();
        let (mut client, connack) = scene.login(&scene.clean("c"));
        assert_eq!(connack[0], 0, "given up");
        // From 0 it cannot be raised.
        client.write(&leave([0, 0, 0, 9]));
        scene.ends(client, "raised from 0", 0x82);
    });
}

#[test]
fn mqtt5_4_5_0_1_a_message_is_added_to_every_matching_session() {
    both("every", |scene| {
        let filters = ["a/b", "a/+", "#", "+/b"];
        for filter in filters {
            let mut client = scene.with(&scene.kept(filter));
            client.subscribe(&scene.topic(filter), 1);
            client.disconnect();
        }
        let mut other = scene.with(&scene.kept("other"));
        other.subscribe(&scene.topic("a"), 1);
        let mut publisher = scene.client("p");
        publisher.publish(&scene.topic("a/b"), "for all", 1);
        for filter in filters {
            gets(&mut scene.with(&scene.kept(filter)), "for all");
        }
        nothing_before(&mut other, &mut publisher, &scene.topic("a"));
    });
}
