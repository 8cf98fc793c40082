//! What is sent again after a reconnect, and that nothing is at any other time (4.4).

use super::bytes::ack;
use super::{Scene, all, both, code, five, gets, nothing_before};
use crate::support::Mqtt;

/// A client whose session subscribes, connected.
#[track_caller]
fn subscribed(scene: &Scene) -> (Mqtt, String) {
    let topic = scene.topic("t");
    let mut client = scene.with(&scene.kept("c"));
    client.subscribe(&topic, 2);
    (client, topic)
}

#[test]
fn mqtt5_3_3_1_1_and_4_4_0_1_what_was_not_acknowledged_comes_again() {
    all("again", |scene| {
        let (mut client, topic) = subscribed(scene);
        let mut publisher = scene.client("p");
        for (text, qos) in [("1", 1), ("2", 2), ("3", 1), ("4", 2)] {
            publisher.publish(&topic, text, qos);
        }
        let sent: Vec<_> = (0..4).map(|_| client.receive()).collect();
        client.settle(&sent[2]);
        client.ping();
        // More than once, until it is acknowledged.
        for _ in 0..2 {
            drop(client);
            client = scene.with(&scene.kept("c"));
            for expected in [&sent[0], &sent[1], &sent[3]] {
                let again = client.receive();
                assert_eq!((again.text(), again.id, again.qos), (expected.text(), expected.id, expected.qos));
                assert!(again.dup);
            }
        }
        for publish in [&sent[0], &sent[1], &sent[3]] {
            client.settle(publish);
        }
        nothing_before(&mut client, &mut publisher, &topic);
        client.disconnect();
        let mut client = scene.with(&scene.kept("c"));
        nothing_before(&mut client, &mut publisher, &topic);
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_4_4_0_1_and_4_3_3_5_and_6_after_pubrec_only_pubrel_comes_again() {
    all("pubrel", |scene| {
        let (mut client, topic) = subscribed(scene);
        let mut publisher = scene.client("p");
        publisher.publish(&topic, "once", 2);
        let publish = client.receive();
        client.acknowledge(5, publish.id);
        client.expect(6);
        for _ in 0..2 {
            drop(client);
            client = scene.with(&scene.kept("c"));
            let pubrel = client.expect(6);
            assert_eq!((pubrel.flags, pubrel.body), (2, publish.id.to_be_bytes().to_vec()));
        }
        client.acknowledge(7, publish.id);
        nothing_before(&mut client, &mut publisher, &topic);
        client.disconnect();
        let mut client = scene.with(&scene.kept("c"));
        nothing_before(&mut client, &mut publisher, &topic);
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_4_4_0_1_nothing_comes_again_on_a_connection_that_lasts() {
    both("lasts", |scene| {
        let (mut client, topic) = subscribed(scene);
        let mut publisher = scene.client("p");
        publisher.publish(&topic, "1", 1);
        publisher.publish(&topic, "2", 2);
        client.receive();
        let second = client.receive();
        client.acknowledge(5, second.id);
        client.expect(6);
        client.nothing();
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_4_4_0_1_the_brokers_side_of_a_flow_is_resumed_too() {
    all("receiver", |scene| {
        let topic = scene.topic("t");
        let mut watcher = scene.client("w");
        watcher.subscribe(&topic, 2);
        let mut client = scene.with(&scene.kept("c"));
        let id = client.send(&topic, b"once", 2, false);
        client.expect(5);
        gets(&mut watcher, "once");
        drop(client);
        // PUBREC was lost: PUBLISH again, then PUBREL, which is lost as well.
        let mut client = scene.with(&scene.kept("c"));
        let mut bytes = client.publish_bytes(&topic, b"once", 2, false, id, &[]);
        bytes[0] |= 0x08;
        client.write(&bytes);
        assert_eq!(client.expect(5).body[..2], id.to_be_bytes());
        drop(client);
        let mut client = scene.with(&scene.kept("c"));
        for unknown in [0, 0x92] {
            client.acknowledge(6, id);
            let pubcomp = client.expect(7);
            assert_eq!(pubcomp.body[..2], id.to_be_bytes());
            assert_eq!(code(&pubcomp, 2), if scene.is_v5() { unknown } else { 0 });
        }
        nothing_before(&mut watcher, &mut client, &topic);
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_4_4_0_2_what_the_client_refused_does_not_come_again() {
    five("refused", |scene| {
        let (mut client, topic) = subscribed(scene);
        let mut publisher = scene.client("p");
        for (text, qos, first) in [("1", 1, 0x40), ("2", 2, 0x50)] {
            publisher.publish(&topic, text, qos);
            let publish = client.receive();
            client.write(&ack(first, publish.id, 0x83));
        }
        client.ping();
        drop(client);
        let mut client = scene.with(&scene.kept("c"));
        nothing_before(&mut client, &mut publisher, &topic);
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_1_2_4_a_clean_start_has_nothing_sent_again() {
    all("clean", |scene| {
        let (mut client, topic) = subscribed(scene);
        let mut publisher = scene.client("p");
        publisher.publish(&topic, "1", 1);
        publisher.publish(&topic, "2", 2);
        client.receive();
        let second = client.receive();
        client.acknowledge(5, second.id);
        client.expect(6);
        drop(client);
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        nothing_before(&mut client, &mut publisher, &topic);
    });
}
