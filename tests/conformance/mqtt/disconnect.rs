//! PINGREQ, DISCONNECT and the end of connections (3.12, 3.14, 4.13).

use super::bytes::{Connect, number};
use super::{all, both, code, each, five};
use crate::support::mqtt::{V5, V31, V311, packet};
use crate::support::{Mqtt, Setup};

#[test]
fn mqtt5_3_12_4_1_pingreq_is_answered() {
    all("ping", |scene| {
        let mut client = scene.client("c");
        client.write(&[0xC0, 0, 0xC0, 0, 0xC0, 0]);
        for _ in 0..3 {
            let pingresp = client.expect(13);
            assert_eq!((pingresp.flags, pingresp.body), (0, vec![]));
        }
        client.write(&packet(0xC0, &[0]));
        scene.ends(client, "PINGREQ with a body", 0x81);
    });
}

#[test]
fn mqtt5_3_14_0_1_no_disconnect_before_connack() {
    five("before", |scene| {
        let mut unknown = Connect::new(V5, "x");
        unknown.properties = number(0x04, &[0]);
        let mut reserved = Connect::new(V5, "x");
        reserved.flags |= 1;
        for bytes in
            [unknown.bytes(), reserved.bytes(), Connect::new(V5, &"x".repeat(2_000)).bytes(), vec![0xE0, 0]]
        {
            let mut client = scene.silent();
            client.write(&bytes);
            assert!(client.closed().iter().all(|packet| packet.kind == 2));
        }
    });
}

#[test]
fn mqtt5_3_14_1_1_reserved_bits_of_disconnect_are_checked() {
    both("bits", |scene| {
        for first in [0xE1, 0xE2, 0xE8] {
            scene.is_refused(&format!("{first:#x}"), &[first, 0], 0x81);
        }
    });
}

#[test]
fn mqtt5_3_14_2_1_disconnects_of_a_client_are_checked() {
    five("codes", |scene| {
        for reason in [0x01, 0x8B, 0x8E, 0xFF] {
            scene.is_refused("a code that is not a client's", &packet(0xE0, &[reason]), 0x82);
        }
        for body in [&[][..], &[0], &[0, 0], &[0x04], &[0x80], &[0x81], &[0x93, 0]] {
            let mut client = scene.client("c");
            client.write(&packet(0xE0, body));
            assert_eq!(client.closed(), [], "{body:x?}");
        }
        scene.is_refused("cut off", &packet(0xE0, &[0, 5, 0x11]), 0x81);
        scene.is_refused("a property of another packet", &packet(0xE0, &[0, 2, 0x01, 1]), 0x81);
    });
}

#[test]
fn mqtt3_3_14_disconnect_has_no_body() {
    each(&[V31, V311], "body", |scene| {
        scene.is_refused("a reason", &packet(0xE0, &[0]), 0);
    });
}

#[test]
fn mqtt5_3_14_4_1_and_2_after_disconnect_nothing_is_processed_and_the_connection_ends() {
    all("after", |scene| {
        let topic = scene.topic("t");
        let mut watcher = scene.client("w");
        watcher.subscribe(&topic, 1);
        let mut client = scene.client("c");
        let behind = client.publish_bytes(&topic, b"behind", 0, false, 0, &[]);
        client.write(&[&[0xE0, 0][..], &behind, &[0xC0, 0]].concat());
        assert_eq!(client.closed(), []);
        watcher.publish(&topic, "end", 1);
        assert_eq!(watcher.take().text(), "end");
    });
}

#[test]
fn mqtt5_3_14_2_2_the_brokers_goodbye_has_a_code_and_no_session_expiry() {
    // The whole broker stops: one of its own.
    let broker = Setup::new().start();
    let clients: Vec<(u8, Mqtt)> = [V31, V311, V5]
        .map(|version| (version, Mqtt::connect(broker.mqtt(), version, &format!("c{version}"))))
        .into();
    broker.terminate();
    for (version, client) in clients {
        let packets = client.closed();
        if version != V5 {
            assert_eq!(packets, []);
            continue;
        }
        let [goodbye] = &packets[..] else { panic!("{packets:02x?}") };
        assert_eq!((goodbye.kind, code(goodbye, 0)), (14, 0x8B));
        assert!(goodbye.body.len() < 3 || goodbye.body[2..].iter().all(|byte| *byte != 0x11));
    }
}

#[test]
fn mqtt5_4_13_1_1_and_4_13_2_1_an_error_ends_its_connection_and_no_other() {
    all("others", |scene| {
        let mut other = scene.client("other");
        let faults: [(&[u8], u8); 6] = [
            (&[0x36, 5, 0, 1, b'a', 0, 1], 0x81),
            (&[0x31, 1, 0], 0x81),
            (&[0x40, 1, 0], 0x81),
            (&[0x10, 0], 0x82),
            (&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], 0x81),
            (&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 0x95),
        ];
        for (bytes, reason) in faults {
            scene.is_refused(&format!("{bytes:02x?}"), bytes, reason);
            other.ping();
        }
    });
}
