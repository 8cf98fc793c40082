//! Receive Maximum and the send quota (3.3.4, 4.9).

use super::bytes::{Connect, ack, find, number, of_connack, subscribe};
use super::{Scene, code, five, gets};
use crate::support::Mqtt;

/// A subscriber that takes `max` messages at a time, and what it subscribes to.
#[track_caller]
fn slow(scene: &Scene, max: u8) -> (Mqtt, String) {
    let mut connect = Connect::new(scene.version, &scene.id("c"));
    connect.properties = number(0x21, &[0, max]);
    let mut client = scene.silent();
    client.write(&connect.bytes());
    assert_eq!(client.expect(2).body[1], 0);
    let topic = scene.topic("t");
    client.subscribe(&topic, 2);
    (client, topic)
}

/// Asserts that no message is sent, though the broker is at work.
#[track_caller]
fn full(client: &mut Mqtt) {
    client.ping();
    assert_eq!(client.pop_held(), None);
}

#[test]
fn mqtt5_3_3_4_9_and_4_9_0_1_no_more_are_sent_than_the_client_takes() {
    five("maximum", |scene| {
        for max in [1, 2, 5] {
            let (mut client, topic) = slow(scene, max);
            let mut publisher = scene.client("p");
            for n in 0..2 * max {
                publisher.publish(&topic, n.to_string(), n % 2 + 1);
            }
            let mut open: Vec<_> = (0..max).map(|_| client.receive()).collect();
            full(&mut client);
            for n in max..2 * max {
                let first = open.remove(0);
                client.settle(&first);
                open.push(client.receive());
                assert_eq!(open.last().unwrap().text(), n.to_string());
                full(&mut client);
            }
            client.disconnect();
        }
    });
}

#[test]
fn mqtt5_4_9_0_2_a_quota_is_given_back_at_pubcomp_and_not_before() {
    five("quota", |scene| {
        let (mut client, topic) = slow(scene, 1);
        let mut publisher = scene.client("p");
        publisher.publish(&topic, "1", 2);
        publisher.publish(&topic, "2", 2);
        publisher.publish(&topic, "3", 1);
        let first = client.receive();
        client.acknowledge(5, first.id);
        client.expect(6);
        full(&mut client);
        client.acknowledge(7, first.id);
        let second = client.receive();
        // A refusing PUBREC ends the flow, and no PUBREL comes for it.
        client.write(&ack(0x50, second.id, 0x80));
        let third = client.receive();
        assert_eq!(third.text(), "3");
        full(&mut client);
        // What is not open gives nothing back.
        client.acknowledge(7, third.id.wrapping_add(9).max(1));
        publisher.publish(&topic, "4", 1);
        full(&mut client);
        client.write(&ack(0x40, third.id, 0x97));
        gets(&mut client, "4");
    });
}

#[test]
fn mqtt5_3_3_4_10_and_4_9_0_3_all_else_goes_on_while_the_quota_is_used_up() {
    five("else", |scene| {
        let (mut client, topic) = slow(scene, 1);
        let mut publisher = scene.client("p");
        for text in ["first", "second"] {
            publisher.publish(&topic, text, 1);
        }
        let first = client.receive();
        client.ping();
        client.write(&subscribe(scene.version, 50, &[], &[(&scene.topic("other"), 0)]));
        client.expect(9);
        client.publish(&scene.topic("elsewhere"), "mine", 2);
        client.settle(&first);
        gets(&mut client, "second");
    });
}

#[test]
fn mqtt5_3_3_4_9_retained_messages_and_sessions_keep_to_it_too() {
    five("kept", |scene| {
        let mut publisher = scene.client("p");
        for n in 0..3 {
            let id = publisher.send(&scene.topic(&format!("r/{n}")), b"r", 1, true);
            publisher.finish(id, 1);
        }
        let (mut client, _) = slow(scene, 2);
        client.subscribe(&scene.topic("r/+"), 1);
        let open = [client.receive(), client.receive()];
        full(&mut client);
        client.settle(&open[0]);
        client.receive();
        full(&mut client);
        drop(client);

        let mut kept = scene.with(&scene.kept("kept"));
        kept.subscribe(&scene.topic("k"), 1);
        kept.disconnect();
        for n in 0..4 {
            publisher.publish(&scene.topic("k"), n.to_string(), 1);
        }
        let mut connect = Connect::new(scene.version, &scene.id("kept"));
        (connect.flags, connect.properties) = (0, number(0x21, &[0, 2]));
        let mut kept = scene.silent();
        kept.write(&connect.bytes());
        kept.expect(2);
        let first = kept.receive();
        kept.receive();
        full(&mut kept);
        kept.settle(&first);
        assert_eq!(kept.receive().text(), "2");
        full(&mut kept);
        for n in 0..3 {
            publisher.send(&scene.topic(&format!("r/{n}")), b"", 0, true);
        }
    });
}

#[test]
fn mqtt5_3_3_4_7_a_client_that_sends_more_than_the_broker_takes_is_told() {
    five("exceeds", |scene| {
        let (mut client, connack) = scene.login(&scene.clean("c"));
        let max = find(of_connack(&connack), 0x21).map_or(65_535, |max| u16::from_be_bytes([max[0], max[1]]));
        // As many as it takes are answered, PUBREL or not.
        for id in 1..=max {
            let bytes = client.publish_bytes(&scene.topic("t"), b"x", 2, false, id, &[]);
            client.write(&bytes);
            assert!(code(&client.expect(5), 2) < 0x80);
        }
        let bytes = client.publish_bytes(&scene.topic("t"), b"x", 2, false, max + 1, &[]);
        client.write(&bytes);
        scene.ends(client, "one more", 0x93);
    });
}
