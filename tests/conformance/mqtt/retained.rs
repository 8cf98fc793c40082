//! The RETAIN flag and the options about it (3.3.1.3, 3.8.3.1).

use super::bytes::subscribe;
use super::{Scene, all, both, each, five, gets};
use crate::support::Mqtt;
use crate::support::mqtt::{Publish, V31, V311};

#[track_caller]
fn retain(client: &mut Mqtt, topic: &str, payload: &str, qos: u8) {
    let id = client.send(topic, payload.as_bytes(), qos, true);
    client.finish(id, qos);
}

/// What a new subscription with these options gets at once.
#[track_caller]
fn offered(scene: &Scene, filter: &str, options: u8) -> Vec<Publish> {
    let mut client = scene.client("reader");
    let granted = client.try_subscribe(filter, options);
    assert!(granted <= 2, "{granted:#x}");
    let found = held(&mut client);
    client.disconnect();
    found
}

/// All messages that have come when the broker answers a ping.
#[track_caller]
fn held(client: &mut Mqtt) -> Vec<Publish> {
    client.ping();
    let mut found = Vec::new();
    while let Some(packet) = client.pop_held() {
        found.push(client.decode(&packet));
    }
    found
}

fn texts(publishes: &[Publish]) -> Vec<&str> {
    publishes.iter().map(Publish::text).collect()
}

#[test]
fn mqtt5_3_3_1_5_a_retained_message_replaces_the_one_before() {
    all("replace", |scene| {
        let topic = scene.topic("t");
        let mut publisher = scene.client("p");
        for qos in [0, 1, 2, 0] {
            let text = format!("of {qos}");
            retain(&mut publisher, &topic, &text, qos);
            publisher.ping();
            let found = offered(scene, &topic, 2);
            assert_eq!(texts(&found), [text.as_str()]);
            assert_eq!((found[0].qos, found[0].retain, found[0].dup), (qos, true, false));
        }
    });
}

#[test]
fn mqtt5_3_3_1_6_an_empty_payload_is_delivered_and_removes() {
    all("clear", |scene| {
        let topic = scene.topic("t");
        let mut publisher = scene.client("p");
        retain(&mut publisher, &topic, "kept", 1);
        retain(&mut publisher, &scene.topic("other"), "stays", 1);
        let mut watcher = scene.client("w");
        watcher.subscribe(&topic, 1);
        assert!(gets(&mut watcher, "kept").retain);
        retain(&mut publisher, &topic, "", 1);
        assert!(!gets(&mut watcher, "").retain, "it matched an established subscription");
        assert_eq!(texts(&offered(scene, &scene.topic("+"), 1)), ["stays"]);
    });
}

#[test]
fn mqtt5_3_3_1_7_an_empty_payload_is_not_retained() {
    both("empty", |scene| {
        let mut publisher = scene.client("p");
        for qos in [0, 1, 2] {
            retain(&mut publisher, &scene.topic("t"), "", qos);
        }
        publisher.ping();
        assert_eq!(offered(scene, &scene.topic("#"), 2), []);
    });
}

#[test]
fn mqtt5_3_3_1_8_what_is_not_retained_leaves_the_retained_alone() {
    both("alone", |scene| {
        let topic = scene.topic("t");
        let mut publisher = scene.client("p");
        publisher.publish(&topic, "not kept", 1);
        assert_eq!(offered(scene, &topic, 1), []);
        retain(&mut publisher, &topic, "kept", 1);
        publisher.publish(&topic, "passing", 1);
        publisher.publish(&topic, "", 1);
        assert_eq!(texts(&offered(scene, &topic, 1)), ["kept"]);
    });
}

#[test]
fn mqtt3_3_3_1_7_a_retained_message_of_qos_0_discards_the_one_before() {
    each(&[V31, V311], "discard", |scene| {
        let topic = scene.topic("t");
        let mut publisher = scene.client("p");
        retain(&mut publisher, &topic, "of QoS 2", 2);
        retain(&mut publisher, &topic, "of QoS 0", 0);
        publisher.ping();
        assert_eq!(texts(&offered(scene, &topic, 2)), ["of QoS 0"]);
    });
}

#[test]
fn mqtt5_3_3_1_9_retain_handling_0_sends_each_time() {
    all("handling-0", |scene| {
        let mut publisher = scene.client("p");
        for tail in ["a", "b"] {
            retain(&mut publisher, &scene.topic(tail), tail, 1);
        }
        let mut client = scene.client("c");
        for _ in 0..3 {
            client.subscribe(&scene.topic("+"), 1);
            let mut found = [client.take(), client.take()];
            found.sort_by(|a, b| a.topic.cmp(&b.topic));
            assert_eq!(texts(&found), ["a", "b"]);
            assert!(found.iter().all(|publish| publish.retain));
        }
        assert_eq!(held(&mut client), []);
    });
}

#[test]
fn mqtt5_3_3_1_10_retain_handling_1_sends_to_new_subscriptions() {
    five("handling-1", |scene| {
        let topic = scene.topic("t");
        retain(&mut scene.client("p"), &topic, "kept", 1);
        let mut client = scene.client("c");
        assert_eq!(client.try_subscribe(&topic, 0x11), 1);
        gets(&mut client, "kept");
        assert_eq!(client.try_subscribe(&topic, 0x11), 1);
        assert_eq!(held(&mut client), []);
        // Also with another QoS: the filter is what makes a subscription new.
        assert_eq!(client.try_subscribe(&topic, 0x10), 0);
        assert_eq!(held(&mut client), []);
    });
}

#[test]
fn mqtt5_3_3_1_11_retain_handling_2_sends_nothing() {
    five("handling-2", |scene| {
        let topic = scene.topic("t");
        retain(&mut scene.client("p"), &topic, "kept", 1);
        assert_eq!(offered(scene, &topic, 0x21), []);
        assert_eq!(texts(&offered(scene, &topic, 0x01)), ["kept"]);
    });
}

#[test]
fn mqtt5_3_3_1_12_without_retain_as_published_the_flag_is_cleared() {
    all("cleared", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        let mut publisher = scene.client("p");
        for qos in [0, 1, 2] {
            retain(&mut publisher, &topic, "x", qos);
            assert!(!gets(&mut client, "x").retain);
        }
    });
}

#[test]
fn mqtt5_3_3_1_13_with_retain_as_published_the_flag_is_passed_on() {
    five("as-published", |scene| {
        let topic = scene.topic("t");
        // Straight to the connection, and through a session that is kept.
        for options in [scene.clean("c"), scene.kept("c")] {
            let mut client = scene.with(&options);
            assert_eq!(client.try_subscribe(&topic, 0x2A), 2);
            let mut publisher = scene.client("p");
            for qos in [0, 1, 2] {
                retain(&mut publisher, &topic, "r", qos);
                assert!(gets(&mut client, "r").retain, "QoS {qos}");
                publisher.publish(&topic, "n", qos);
                assert!(!gets(&mut client, "n").retain, "QoS {qos}");
            }
            client.disconnect();
        }
    });
}

#[test]
fn mqtt5_3_8_3_1_retained_messages_have_the_flag_whatever_the_option() {
    five("option", |scene| {
        let topic = scene.topic("t");
        retain(&mut scene.client("p"), &topic, "kept", 1);
        for options in [0x01, 0x09] {
            let found = offered(scene, &topic, options);
            assert!(found.len() == 1 && found[0].retain);
        }
    });
}

#[test]
fn mqtt5_3_3_1_9_each_filter_of_a_subscribe_has_its_own_handling() {
    five("each", |scene| {
        let mut publisher = scene.client("p");
        for tail in ["a", "b"] {
            retain(&mut publisher, &scene.topic(tail), tail, 1);
        }
        let mut client = scene.client("c");
        let (a, b) = (scene.topic("a"), scene.topic("b"));
        client.write(&subscribe(scene.version, 1, &[], &[(&a, 0x21), (&b, 0x01)]));
        client.expect(9);
        assert_eq!(texts(&held(&mut client)), ["b"]);
    });
}
