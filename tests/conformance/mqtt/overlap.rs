//! A message that matches several subscriptions of one client (3.3.4, 3.8.3.1, 3.8.4).

use super::bytes::{find_all, number, subscribe};
use super::{Scene, all, five, gets, nothing_before};
use crate::support::Mqtt;

/// Subscribes with an identifier.
#[track_caller]
fn with_id(client: &mut Mqtt, scene: &Scene, filter: &str, options: u8, id: u8) {
    let properties = if id == 0 { Vec::new() } else { number(0x0B, &[id]) };
    client.write(&subscribe(scene.version, 1, &properties, &[(&scene.topic(filter), options)]));
    assert!(client.expect(9).body[3] <= 2);
}

#[test]
fn mqtt5_3_3_4_2_the_highest_qos_counts() {
    all("highest", |scene| {
        for options in [scene.clean("c"), scene.kept("c")] {
            let mut client = scene.with(&options);
            for (filter, qos) in [("a/b", 0), ("a/+", 2), ("a/#", 1), ("#", 0)] {
                client.subscribe(&scene.topic(filter), qos);
            }
            let mut publisher = scene.client("p");
            for (qos, topic, expected) in
                [(0, "a/b", 0), (1, "a/b", 1), (2, "a/b", 2), (2, "a/b/c", 1), (2, "a", 1), (2, "x", 0)]
            {
                publisher.publish(&scene.topic(topic), "x", qos);
                assert_eq!(gets(&mut client, "x").qos, expected, "{topic}");
                // One copy.
                nothing_before(&mut client, &mut publisher, &scene.topic(topic));
            }
            client.disconnect();
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_3_4_3_to_5_all_identifiers_are_sent() {
    five("identifiers", |scene| {
        for options in [scene.clean("c"), scene.kept("c")] {
            let mut client = scene.with(&options);
            for (filter, qos, id) in [("a/b", 0, 1), ("a/+", 2, 2), ("a/#", 1, 3), ("+/b", 1, 0), ("#", 0, 4)]
            {
                with_id(&mut client, scene, filter, qos, id);
            }
            for (topic, expected) in
                [("a/b", &[1, 2, 3, 4][..]), ("a/c", &[2, 3, 4]), ("x/b", &[4]), ("a", &[3, 4])]
            {
                for qos in [0, 1, 2] {
                    client.publish(&scene.topic(topic), "x", qos);
                    let publish = gets(&mut client, "x");
                    let mut ids: Vec<u8> =
                        find_all(&publish.properties, 0x0B).iter().map(|id| id[0]).collect();
                    ids.sort_unstable();
                    assert_eq!(ids, expected, "{topic}, QoS {qos}");
                    client.ping();
                    assert_eq!(client.pop_held(), None, "one copy");
                }
            }
            client.disconnect();
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_3_4_3_identifiers_come_with_retained_messages_and_over_reconnects() {
    five("kept-ids", |scene| {
        let mut client = scene.with(&scene.kept("c"));
        let id = client.send(&scene.topic("a/b"), b"retained", 1, true);
        client.finish(id, 1);
        with_id(&mut client, scene, "a/b", 1, 5);
        assert_eq!(find_all(&gets(&mut client, "retained").properties, 0x0B), [[5]]);
        client.disconnect();
        let mut publisher = scene.client("p");
        publisher.publish(&scene.topic("a/b"), "away", 1);
        let mut client = scene.with(&scene.kept("c"));
        assert_eq!(find_all(&gets(&mut client, "away").properties, 0x0B), [[5]]);
        publisher.send(&scene.topic("a/b"), b"", 0, true);
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_3_1_13_retain_as_published_of_overlapping_subscriptions() {
    five("retain", |scene| {
        for options in [scene.clean("c"), scene.kept("c")] {
            let mut client = scene.with(&options);
            // Not to be sent what is retained already.
            client.try_subscribe(&scene.topic("a/b"), 0x21);
            client.try_subscribe(&scene.topic("a/+"), 0x29);
            let mut publisher = scene.client("p");
            for qos in [0, 1] {
                let id = publisher.send(&scene.topic("a/b"), b"x", qos, true);
                publisher.finish(id, qos);
                assert!(gets(&mut client, "x").retain, "one of them asks for it, QoS {qos}");
            }
            client.disconnect();
        }
        let mut client = scene.client("c");
        client.send(&scene.topic("a/b"), b"", 0, true);
        client.disconnect();
    });
}

#[test]
fn mqtt5_3_8_3_3_no_local_keeps_back_what_the_client_itself_published() {
    five("no-local", |scene| {
        for options in [scene.clean("c"), scene.kept("c")] {
            let topic = scene.topic("a/b");
            let mut client = scene.with(&options);
            assert_eq!(client.try_subscribe(&topic, 0x06), 2);
            let mut other = scene.client("other");
            for qos in [0, 1, 2] {
                client.publish(&topic, "own", qos);
                other.publish(&topic, "another's", qos);
                gets(&mut client, "another's");
            }
            // Another subscription that is not so keeps nothing back.
            client.subscribe(&scene.topic("a/+"), 1);
            client.publish(&topic, "own", 1);
            gets(&mut client, "own");
            client.ping();
            assert_eq!(client.pop_held(), None);
            client.disconnect();
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_8_3_3_no_local_goes_by_the_client_id_over_reconnects() {
    five("no-local-id", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.with(&scene.kept("c"));
        assert_eq!(client.try_subscribe(&topic, 0x05), 1);
        client.disconnect();
        let mut client = scene.with(&scene.kept("c"));
        client.publish(&topic, "own", 1);
        let mut other = scene.client("other");
        nothing_before(&mut client, &mut other, &topic);
        scene.client("c").disconnect();
    });
}
