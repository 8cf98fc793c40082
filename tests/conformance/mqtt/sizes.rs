//! Maximum Packet Size of either side, to the byte (3.1.2.11.4, 3.2.2.3.6).

use super::bytes::{Connect, find, number, of_connack, pair, subscribe, unsubscribe};
use super::{Scene, five, gets};
use crate::support::mqtt::{V5, packet};
use crate::support::{Mqtt, PATIENCE};

/// A client that takes packets of this many bytes.
#[track_caller]
fn limited(scene: &Scene, part: &str, kept: bool, max: usize) -> Mqtt {
    let mut connect = Connect::new(V5, &scene.id(part));
    connect.properties = number(0x27, &u32::try_from(max).unwrap().to_be_bytes());
    if kept {
        connect.flags = 0;
        connect.properties.extend(number(0x11, &[0, 0, 1, 0]));
    }
    let mut client = scene.silent();
    client.write(&connect.bytes());
    assert_eq!(client.expect(2).body[1], 0);
    client
}

/// Payloads with which a PUBLISH has `max` bytes exactly, and one more.
fn payloads(scene: &Scene, topic: &str, qos: u8, max: usize) -> (Vec<u8>, Vec<u8>) {
    let empty = scene.silent().publish_bytes(topic, b"", qos, false, 1, &[]).len();
    // A remaining length of two bytes.
    let fits = vec![b'f'; max - empty - 1];
    let too_large = vec![b't'; max - empty];
    assert_eq!(scene.silent().publish_bytes(topic, &fits, qos, false, 1, &[]).len(), max);
    (fits, too_large)
}

#[test]
fn mqtt5_3_1_2_24_and_25_no_publish_exceeds_the_clients_maximum() {
    five("publish", |scene| {
        const MAX: usize = 300;
        let topic = scene.topic("t");
        // At the same QoS, at a lower one, and through a session's queue.
        for (kept, granted) in [(false, 2), (false, 0), (true, 2)] {
            let mut client = limited(scene, "c", kept, MAX);
            client.subscribe(&topic, granted);
            let mut publisher = scene.client("p");
            for qos in [0, 1, 2] {
                let (fits, too_large) = payloads(scene, &topic, granted.min(qos), MAX);
                publisher.publish(&topic, &too_large, qos);
                publisher.publish(&topic, &fits, qos);
                let publish = client.take();
                assert!(
                    publish.payload == fits,
                    "QoS {qos} at {granted}, kept {kept}: {}",
                    publish.payload.len()
                );
            }
            client.ping();
            client.disconnect();
        }
        // It is as if it had been sent: it does not come to the next connection either.
        let mut publisher = scene.client("p");
        let mut client = limited(scene, "c", true, MAX);
        publisher.publish(&topic, payloads(scene, &topic, 1, MAX).1, 1);
        client.ping();
        client.disconnect();
        let mut client = scene.with(&scene.kept("c"));
        super::nothing_before(&mut client, &mut publisher, &topic);
        client.disconnect();
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_1_2_25_a_message_too_large_uses_no_quota() {
    five("quota", |scene| {
        let topic = scene.topic("t");
        let mut connect = Connect::new(V5, &scene.id("c"));
        connect.properties = [number(0x27, &[0, 0, 1, 0]), number(0x21, &[0, 1])].concat();
        let mut client = scene.silent();
        client.write(&connect.bytes());
        client.expect(2);
        client.subscribe(&topic, 2);
        let mut publisher = scene.client("p");
        for qos in [1, 2, 1, 2] {
            publisher.publish(&topic, vec![b't'; 300], qos);
            publisher.publish(&topic, "fits", qos);
            gets(&mut client, "fits");
        }
    });
}

#[test]
fn mqtt5_3_1_2_24_retained_messages_keep_to_it() {
    five("retained", |scene| {
        const MAX: usize = 300;
        let topic = scene.topic("t");
        let mut publisher = scene.client("p");
        let (fits, too_large) = payloads(scene, &topic, 1, MAX);
        for (payload, comes) in [(fits, true), (too_large, false)] {
            let id = publisher.send(&topic, &payload, 1, true);
            publisher.finish(id, 1);
            let mut client = limited(scene, "c", false, MAX);
            client.subscribe(&topic, 1);
            client.ping();
            assert_eq!(client.pop_held().is_some(), comes);
            client.disconnect();
        }
        publisher.send(&topic, b"", 0, true);
    });
}

#[test]
fn mqtt5_3_1_2_24_properties_count() {
    five("properties", |scene| {
        let topic = scene.topic("t");
        let mut client = limited(scene, "c", false, 300);
        client.subscribe(&topic, 1);
        let mut publisher = scene.client("p");
        for (len, qos) in [(300, 0), (300, 1), (200, 0), (200, 1)] {
            let properties = pair("name", &"v".repeat(len));
            let bytes =
                publisher.publish_bytes(&topic, len.to_string().as_bytes(), qos, false, 3, &properties);
            publisher.write(&bytes);
            publisher.finish(3, qos);
        }
        gets(&mut client, "200");
        gets(&mut client, "200");
    });
}

#[test]
fn mqtt5_3_x_2_answers_are_within_the_clients_maximum() {
    five("answers", |scene| {
        const MAX: usize = 40;
        let mut client = limited(scene, "c", false, MAX);
        client.write(&subscribe(V5, 1, &[], &[("a", 0), ("$temp/not-mine", 0)]));
        client.write(&unsubscribe(V5, 2, &["a", "b"]));
        for (id, qos) in [(3, 1), (4, 2)] {
            let bytes = client.publish_bytes("$SYS/mine", b"x", qos, false, id, &[]);
            client.write(&bytes);
        }
        client.acknowledge(6, 50);
        client.acknowledge(5, 51);
        let mut packets: Vec<_> = (0..6).map(|_| client.next_within(PATIENCE).unwrap()).collect();
        client.write(&packet(0x10, &[]));
        packets.extend(client.closed());
        let mut kinds: Vec<u8> = packets.iter().map(|packet| packet.kind).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, [4, 5, 6, 7, 9, 11, 14]);
        assert!(packets.iter().all(|packet| packet.body.len() + 2 <= MAX), "{packets:02x?}");
    });
}

#[test]
fn mqtt5_3_2_2_19_and_20_connack_is_within_the_clients_maximum() {
    five("connack", |scene| {
        for max in [5_u8, 8, 12, 20, 30, 50] {
            let mut connect = Connect::new(V5, &scene.id("c"));
            connect.properties = number(0x27, &[0, 0, 0, max]);
            let mut client = scene.silent();
            client.write(&connect.bytes());
            // Where what has to be said does not fit, nothing is: the connection ends.
            if let Some(connack) = client.next_within(PATIENCE) {
                assert!(connack.body.len() + 2 <= usize::from(max), "{max}: {connack:02x?}");
            }
        }
    });
}

#[test]
fn mqtt5_3_2_2_15_a_packet_above_the_brokers_maximum_is_refused() {
    five("brokers", |scene| {
        let (client, connack) = scene.login(&scene.clean("c"));
        let max = find(of_connack(&connack), 0x27)
            .map_or(u32::MAX, |max| u32::from_be_bytes(max.try_into().unwrap()));
        assert_eq!(max, 16 << 20);
        client.disconnect();
        // The first bytes say how much is to come: remaining lengths of the maximum and one more.
        let length = |whole: u32| {
            let rest = whole - 5;
            let byte = |shift: u32| u8::try_from(rest >> shift & 0x7F).unwrap();
            [0x30, byte(0) | 0x80, byte(7) | 0x80, byte(14) | 0x80, byte(21)]
        };
        let mut client = scene.client("c");
        client.write(&length(max));
        assert!(!client.is_closed_within(crate::support::wait::QUIET), "the maximum itself is allowed");
        scene.is_refused("one byte more", &length(max + 1), 0x95);
    });
}
