//! Client identifiers (3.1.3.1).

use super::bytes::{Connect, find, of_connack};
use super::{all, both, code, each, five, gets};
use crate::support::mqtt::{Options, Packet, V5, V31, V311, packet, string};

const LEGAL: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[test]
fn mqtt5_3_1_3_2_the_client_id_tells_sessions_apart() {
    both("apart", |scene| {
        for part in ["a", "A", "a ", "\u{e4}", "a\u{308}"] {
            let mut client = scene.with(&scene.kept(part));
            client.subscribe(&scene.topic(part), 1);
            client.disconnect();
        }
        let mut publisher = scene.client("p");
        for part in ["a", "A", "a ", "\u{e4}", "a\u{308}"] {
            publisher.publish(&scene.topic(part), part, 1);
        }
        for part in ["a", "A", "a ", "\u{e4}", "a\u{308}"] {
            let (mut client, connack) = scene.login(&scene.kept(part));
            assert_eq!(connack[0], 1, "{part}");
            gets(&mut client, part);
            client.ping();
            assert_eq!(client.pop_held(), None);
            client.disconnect();
        }
    });
}

#[test]
fn mqtt5_3_1_3_3_and_4_the_client_id_is_there_and_is_text() {
    both("id-text", |scene| {
        for payload in [&[][..], &[0], &[0, 2, b'a'], &[0, 1, 0xFF], &[0, 1, 0]] {
            let connect = Connect { payload: payload.to_vec(), ..Connect::new(scene.version, "") };
            let mut client = scene.silent();
            client.write(&connect.bytes());
            let said: Vec<_> = client.closed().iter().map(|packet| code(packet, 1)).collect();
            assert_eq!(said, if scene.is_v5() { vec![0x81] } else { vec![] }, "{payload:x?}");
        }
    });
}

#[test]
fn mqtt5_3_1_3_5_client_ids_of_1_to_23_characters_are_taken() {
    all("lengths", |scene| {
        for id in LEGAL.as_bytes().chunks(23).chain((1..=23).map(|len| &LEGAL.as_bytes()[30..30 + len])) {
            let id = std::str::from_utf8(id).unwrap();
            scene.with(&Options::new(scene.version, id)).disconnect();
        }
    });
}

#[test]
fn mqtt5_3_1_3_5_longer_ones_and_other_characters_are_taken_too() {
    all("long", |scene| {
        for id in ["a b/c#+$", "\u{20ac}\u{1f980}", "\u{feff}", &"x".repeat(1_024)] {
            scene.with(&Options::new(scene.version, id)).disconnect();
        }
    });
}

#[test]
fn mqtt5_3_1_3_6_and_7_an_empty_client_id_is_assigned_one() {
    five("assigned", |scene| {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (mut client, connack) = scene.login(&Options::persistent(V5, ""));
            assert_eq!(connack[..2], [0, 0]);
            let Some(id) = find(of_connack(&connack), 0x12) else { panic!("none assigned: {connack:02x?}") };
            let id = String::from_utf8(id[2..].to_vec()).unwrap();
            assert!(!id.is_empty() && !seen.contains(&id));
            client.subscribe(&scene.topic(&id), 1);
            client.disconnect();
            // It is the client's from now on.
            let (client, connack) = scene.login(&Options::persistent(V5, &id));
            assert_eq!(connack[..2], [1, 0]);
            assert_eq!(find(of_connack(&connack), 0x12), None);
            client.disconnect();
            scene.with(&Options::new(V5, &id)).disconnect();
            seen.push(id);
        }
    });
}

#[test]
fn mqtt3_3_1_3_6_and_7_an_empty_client_id_needs_a_clean_session() {
    each(&[V311], "empty", |scene| {
        let mut first = scene.with(&Options::new(V311, ""));
        let mut second = scene.with(&Options::new(V311, ""));
        first.ping();
        second.ping();
        let (client, connack) = scene.login(&Options { clean: false, ..Options::new(V311, "") });
        assert_eq!(connack, [0, 2]);
        assert_eq!(client.closed(), []);
    });
}

#[test]
fn mqtt31_an_empty_client_id_is_refused() {
    each(&[V31], "empty", |scene| {
        let (client, connack) = scene.login(&Options::new(V31, ""));
        assert_eq!(connack, [0, 2]);
        assert_eq!(client.closed(), []);
    });
}

#[test]
fn mqtt5_3_1_3_8_a_client_id_that_is_refused_has_its_code() {
    all("too-long", |scene| {
        let (client, connack) = scene.login(&Options::new(scene.version, &"x".repeat(1_025)));
        assert_eq!(connack[..2], if scene.is_v5() { [0, 0x85] } else { [0, 2] });
        assert_eq!(client.closed(), []);
    });
}

#[test]
fn mqtt5_3_1_4_3_a_newcomer_takes_the_client_id_over() {
    all("take-over", |scene| {
        let first = scene.client("c");
        let mut second = scene.client("c");
        let packets = first.closed();
        let expected = Packet { kind: 14, flags: 0, body: vec![0x8E] };
        if scene.is_v5() {
            assert_eq!(packets.len(), 1);
            assert_eq!((packets[0].kind, packets[0].body[0]), (expected.kind, expected.body[0]));
        } else {
            assert_eq!(packets, []);
        }
        second.ping();
        // A client that has no session of that id is not meant.
        let mut other = scene.client("other");
        second.ping();
        other.ping();
    });
}

#[test]
fn mqtt31_name_and_level_are_those_of_its_time() {
    each(&[V31], "name", |scene| {
        let mut client = scene.silent();
        let body = [&string("MQIsdp")[..], &[3, 2, 0, 60], &string(&scene.id("c"))].concat();
        client.write(&packet(0x10, &body));
        assert_eq!(client.expect(2).body, [0, 0]);
        client.disconnect();
        let mut client = scene.silent();
        client.write(&packet(0x10, &[&string("MQIsdp")[..], &[4, 2, 0, 60], &string("x")].concat()));
        assert_eq!(client.closed(), [Packet { kind: 2, flags: 0, body: vec![0, 1] }]);
    });
}
