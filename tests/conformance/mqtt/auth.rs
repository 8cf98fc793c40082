//! Enhanced authentication (3.15, 4.12).

use super::bytes::{Connect, block, number, of_connack, split, text};
use super::{code, five};
use crate::support::mqtt::{V5, packet};

#[test]
fn mqtt5_4_12_0_1_an_unknown_method_is_refused() {
    five("method", |scene| {
        let mut connect = Connect::new(V5, &scene.id("c"));
        connect.properties = [text(0x15, "NO-SUCH-METHOD"), number(0x16, &[0, 1, 9])].concat();
        let mut client = scene.silent();
        client.write(&connect.bytes());
        let packets = client.closed();
        let [connack] = &packets[..] else { panic!("{packets:02x?}") };
        assert_eq!((connack.kind, code(connack, 0), code(connack, 1)), (2, 0, 0x8C));
    });
}

#[test]
fn mqtt5_4_12_0_6_without_a_method_there_is_no_auth() {
    five("none", |scene| {
        let (mut client, connack) = scene.login(&scene.clean("c"));
        let ids: Vec<u8> = split(of_connack(&connack)).iter().map(|property| property[0]).collect();
        assert!(!ids.contains(&0x15) && !ids.contains(&0x16), "{ids:x?}");
        client.ping();
        client.disconnect();
    });
}

#[test]
fn mqtt5_4_12_0_7_an_auth_without_a_method_in_connect_is_a_protocol_error() {
    five("auth", |scene| {
        let properties = block(&text(0x15, "ANY"));
        for reason in [0x18, 0x19] {
            scene.is_refused("AUTH", &packet(0xF0, &[&[reason][..], &properties].concat()), 0x82);
        }
    });
}

#[test]
fn mqtt5_3_15_1_1_and_3_15_2_1_a_malformed_auth_is_refused() {
    five("malformed", |scene| {
        for first in [0xF1, 0xF8] {
            scene.is_refused("flags", &[first, 0], 0x81);
        }
        scene.is_refused("a code that is not a client's", &packet(0xF0, &[0x00, 0]), 0x82);
        scene.is_refused("an unknown code", &packet(0xF0, &[0x17, 0]), 0x82);
        scene.is_refused("no method", &packet(0xF0, &[0x18, 0]), 0x82);
        let mut client = scene.silent();
        client.write(&packet(0xF0, &[0x18, 0]));
        assert_eq!(client.closed(), [], "before CONNECT");
    });
}

#[test]
fn mqtt5_3_1_2_11_10_data_without_a_method_is_a_protocol_error() {
    five("data", |scene| {
        let mut connect = Connect::new(V5, &scene.id("c"));
        connect.properties = number(0x16, &[0, 1, 9]);
        let mut client = scene.silent();
        client.write(&connect.bytes());
        let packets = client.closed();
        assert_eq!(packets.iter().map(|packet| code(packet, 1)).collect::<Vec<_>>(), [0x82]);
    });
}
