//! CONNECT and CONNACK (3.1, 3.2).

use super::bytes::{Connect, number, of_connack, split, subscribe, text};
use super::{Scene, all, both, code, each, five, gets};
use crate::support::mqtt::{Packet, V5, V31, V311, packet, string};

/// What comes back for these bytes on a new connection, which has to end.
#[track_caller]
fn refusal(scene: &Scene, bytes: &[u8]) -> Vec<Packet> {
    let mut client = scene.silent();
    client.write(bytes);
    client.closed()
}

/// Asserts that a CONNECT of any version is refused: MQTT 5 may say so in a CONNACK, MQTT 3 may not.
#[track_caller]
fn malformed(scene: &Scene, case: &str, bytes: &[u8]) {
    let packets = refusal(scene, bytes);
    let said: Vec<_> = packets.iter().map(|packet| (packet.kind, code(packet, 0), code(packet, 1))).collect();
    let expected: &[(u8, u8, u8)] = if scene.is_v5() { &[(2, 0, 0x81)] } else { &[] };
    assert_eq!(said, expected, "{case}, version {}", scene.version);
}

#[test]
fn mqtt5_3_1_0_1_the_first_packet_is_connect() {
    both("first", |scene| {
        let publish = scene.silent().publish_bytes("a", b"x", 0, false, 0, &[]);
        for bytes in [publish, subscribe(scene.version, 1, &[], &[("a", 0)]), vec![0xC0, 0], vec![0xE0, 0]] {
            assert_eq!(refusal(scene, &bytes), []);
        }
    });
}

#[test]
fn mqtt5_3_1_0_2_a_second_connect_is_a_protocol_error() {
    all("second", |scene| {
        let mut watcher = scene.client("watcher");
        watcher.subscribe(&scene.topic("#"), 0);
        let connect = Connect::new(scene.version, &scene.id("c")).will(0, &[], &scene.topic("will"), "gone");
        let mut client = scene.silent();
        client.write(&[connect.bytes(), connect.bytes()].concat());
        let packets = client.closed();
        let kinds: Vec<_> = packets.iter().map(|packet| packet.kind).collect();
        assert_eq!(kinds, if scene.is_v5() { vec![2, 14] } else { vec![2] });
        assert_eq!(code(&packets[0], 1), 0);
        if let Some(goodbye) = packets.get(1) {
            assert_eq!(code(goodbye, 0), 0x82);
        }
        gets(&mut watcher, "gone");
    });
}

#[test]
fn mqtt5_3_1_2_1_a_wrong_protocol_name_is_not_served() {
    both("name", |scene| {
        for name in ["MQTX", "mqtt", "MQTTS", "", "MQ"] {
            let connect = Connect { name, ..Connect::new(scene.version, "x") };
            let packets = refusal(scene, &connect.bytes());
            assert!(packets.iter().all(|packet| packet.kind == 2 && code(packet, 1) != 0), "{packets:02x?}");
        }
    });
}

#[test]
fn mqtt5_3_1_2_2_an_unknown_version_gets_its_answer() {
    both("level", |scene| {
        // Below 5 in the words of 3.1.1, above in those of 5.
        for (level, code) in [(0, 0x01), (2, 0x01), (6, 0x84), (127, 0x84)] {
            let connect = Connect { level, ..Connect::new(V311, "x") };
            let packets = refusal(scene, &connect.bytes());
            let [connack] = &packets[..] else { panic!("{level}: {packets:02x?}") };
            assert_eq!((connack.kind, connack.flags, &connack.body[..2]), (2, 0, &[0, code][..]), "{level}");
            assert_eq!(connack.body.len() == 2, code == 0x01, "only MQTT 5 has properties");
        }
    });
}

#[test]
fn mqtt5_3_1_2_3_the_reserved_flag_is_checked() {
    both("reserved", |scene| {
        let connect = Connect { flags: 0x03, ..Connect::new(scene.version, "x") };
        malformed(scene, "reserved flag", &connect.bytes());
    });
}

#[test]
fn mqtt5_3_1_2_11_and_13_will_flags_need_a_will() {
    both("will-flags", |scene| {
        for flags in [0x0A, 0x12, 0x1A, 0x22] {
            let connect = Connect { flags, ..Connect::new(scene.version, "x") };
            malformed(scene, "flags without will", &connect.bytes());
        }
    });
}

#[test]
fn mqtt5_3_1_2_9_a_will_is_in_the_payload() {
    both("no-will", |scene| {
        let connect = Connect { flags: 0x06, ..Connect::new(scene.version, "x") };
        malformed(scene, "no will", &connect.bytes());
    });
}

#[test]
fn mqtt5_3_1_2_12_will_qos_is_not_3() {
    both("will-qos", |scene| {
        let connect = Connect::new(scene.version, "x").will(0x18, &[], "t", "m");
        malformed(scene, "will QoS 3", &connect.bytes());
    });
}

#[test]
fn mqtt5_3_1_2_16_to_19_flags_say_what_the_payload_has() {
    both("flags", |scene| {
        let with = |flags, tail: &[&str]| {
            let mut connect = Connect::new(scene.version, "x");
            connect.flags |= flags;
            connect.payload.extend(tail.iter().flat_map(|text| string(text)));
            connect.bytes()
        };
        malformed(scene, "a name without flag", &with(0, &["name"]));
        malformed(scene, "a password without flag", &with(0x80, &["name", "password"]));
        malformed(scene, "a flag without name", &with(0x80, &[]));
        malformed(scene, "a flag without password", &with(0xC0, &["name"]));
    });
}

#[test]
fn mqtt3_3_1_2_22_no_password_without_a_user_name() {
    each(&[V311], "password", |scene| {
        let mut connect = Connect::new(V311, "x");
        connect.flags |= 0x40;
        connect.payload.extend(string("password"));
        malformed(scene, "a password alone", &connect.bytes());
    });
}

#[test]
fn mqtt5_3_1_2_22_silence_ends_the_connection_after_one_and_a_half_intervals() {
    both("keep-alive", |scene| {
        let mut watcher = scene.client("watcher");
        watcher.subscribe(&scene.topic("will"), 0);
        let mut connect =
            Connect::new(scene.version, &scene.id("c")).will(0, &[], &scene.topic("will"), "lost");
        connect.keep_alive = 1;
        let mut client = scene.silent();
        client.write(&connect.bytes());
        client.expect(2);
        let started = std::time::Instant::now();
        scene.ends(client, "silence", 0x8D);
        let lived = started.elapsed().as_millis();
        assert!((1_300..4_000).contains(&lived), "closed after {lived} ms");
        gets(&mut watcher, "lost");
    });
}

#[test]
fn mqtt5_3_1_3_1_the_payload_has_its_parts_in_order() {
    both("parts", |scene| {
        let mut watcher = scene.client("watcher");
        watcher.subscribe(&scene.topic("#"), 2);
        let topic = scene.topic("will");
        let mut connect =
            Connect::new(scene.version, &scene.id("c")).will(0x10, &text(0x03, "type"), &topic, "w");
        connect.flags |= 0xC0;
        connect.payload.extend([string("name"), string("password")].concat());
        let mut client = scene.silent();
        client.write(&connect.bytes());
        assert_eq!(client.expect(2).body[..2], [0, 0]);
        drop(client);
        let will = gets(&mut watcher, "w");
        assert_eq!((will.topic, will.qos), (topic, 2));
        assert_eq!(will.properties, if scene.is_v5() { text(0x03, "type") } else { Vec::new() });
    });
}

#[test]
fn mqtt5_3_1_3_11_and_12_texts_of_connect_are_utf8() {
    both("texts", |scene| {
        let mut connect = Connect::new(scene.version, "x").will(0, &[], "t", "m");
        let at = connect.payload.len() - 4;
        connect.payload[at] = 0xFF;
        malformed(scene, "will topic", &connect.bytes());
        let mut connect = Connect::new(scene.version, "x");
        connect.flags |= 0x80;
        connect.payload.extend([0, 1, 0xFF]);
        malformed(scene, "user name", &connect.bytes());
    });
}

#[test]
fn mqtt5_3_1_4_1_a_connect_that_breaks_the_format_is_refused() {
    both("format", |scene| {
        let connect = Connect::new(scene.version, "x");
        let mut long = connect.clone();
        long.payload.push(0);
        malformed(scene, "a byte too many", &long.bytes());
        let mut short = connect.bytes();
        short.truncate(short.len() - 1);
        short[1] -= 1;
        malformed(scene, "a byte too few", &short);
        malformed(
            scene,
            "cut off in the name",
            &packet(0x10, &[&string("MQTT")[..], &[scene.version]].concat()),
        );
    });
}

#[test]
fn mqtt5_3_1_4_5_a_good_connect_is_acknowledged() {
    all("good", |scene| {
        let (client, connack) = scene.login(&scene.clean("c"));
        assert_eq!(connack[..2], [0, 0]);
        client.disconnect();
    });
}

#[test]
fn mqtt5_3_1_4_6_nothing_behind_a_refused_connect_is_processed() {
    all("behind", |scene| {
        let topic = scene.topic("t");
        let mut watcher = scene.client("watcher");
        watcher.subscribe(&topic, 1);
        let connect = Connect::new(scene.version, &"x".repeat(2_000));
        let mut client = scene.silent();
        let publish = client.publish_bytes(&topic, b"not to be seen", 0, false, 0, &[]);
        client.write(&[connect.bytes(), publish].concat());
        assert_eq!(client.closed().len(), 1);
        watcher.publish(&topic, "end", 1);
        gets(&mut watcher, "end");
    });
}

#[test]
fn mqtt5_3_2_0_1_and_2_connack_comes_first_and_once() {
    both("connack-first", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.with(&scene.kept("c"));
        client.subscribe(&topic, 1);
        client.disconnect();
        scene.client("p").publish(&topic, "waiting", 1);
        // All at once, and a message waits as well.
        let mut connect = Connect::new(scene.version, &scene.id("c"));
        connect.flags = 0;
        let mut client = scene.silent();
        client.write(
            &[connect.bytes(), vec![0xC0, 0], subscribe(scene.version, 9, &[], &[(&topic, 1)])].concat(),
        );
        let mut kinds = Vec::new();
        while !(kinds.contains(&3) && kinds.contains(&9) && kinds.contains(&13)) {
            kinds.push(client.next_within(crate::support::PATIENCE).unwrap().kind);
        }
        assert_eq!(kinds[0], 2, "{kinds:?}");
        client.write(&[0xE0, 0]);
        assert_eq!(
            kinds.iter().chain(client.closed().iter().map(|p| &p.kind)).filter(|k| **k == 2).count(),
            1
        );
    });
}

#[test]
fn mqtt5_3_2_2_1_reserved_bits_of_connack_are_zero() {
    all("connack-flags", |scene| {
        for options in [scene.clean("c"), scene.kept("c"), scene.kept("c")] {
            let (client, connack) = scene.login(&options);
            assert!(connack[0] <= 1, "{connack:02x?}");
            assert_eq!(connack.len() == 2, !scene.is_v5());
            client.disconnect();
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_2_2_6_to_8_a_refusal_has_its_code_and_no_session_and_is_the_end() {
    each(&[V31, V311, V5], "refusals", |scene| {
        // The session is there, and yet.
        let id = "x".repeat(2_000);
        let mut client = scene.silent();
        client.write(&Connect { flags: 0, ..Connect::new(scene.version, &id) }.bytes());
        let packets = client.closed();
        let [connack] = &packets[..] else { panic!("{packets:02x?}") };
        let expected: &[u8] = if scene.is_v5() { &[0, 0x85] } else { &[0, 2] };
        assert_eq!((connack.kind, &connack.body[..2]), (2, expected));
    });
}

#[test]
fn mqtt5_3_2_2_9_to_13_every_qos_and_retained_messages_are_supported() {
    five("supported", |scene| {
        let (mut client, connack) = scene.login(&scene.clean("c"));
        let ids: Vec<u8> = split(of_connack(&connack)).iter().map(|property| property[0]).collect();
        assert!(!ids.contains(&0x24), "a Maximum QoS: {ids:x?}");
        for (id, what) in [(0x25, "retain"), (0x28, "wildcards"), (0x29, "identifiers"), (0x2A, "shared")] {
            let said = split(of_connack(&connack)).into_iter().find(|property| property[0] == id);
            assert!(said.is_none_or(|property| property[1] == 1), "no {what}");
        }
        let filter = scene.topic("t");
        for qos in [0, 1, 2] {
            assert_eq!(client.try_subscribe(&filter, qos), qos);
        }
        let connect = Connect::new(V5, &scene.id("w")).will(0x30, &[], &scene.topic("will"), "m");
        let mut client = scene.silent();
        client.write(&connect.bytes());
        assert_eq!(client.expect(2).body[1], 0);
        client.disconnect();
    });
}

#[test]
fn mqtt5_3_2_2_22_the_keep_alive_of_connect_counts_where_none_is_said() {
    five("own-keep-alive", |scene| {
        let mut connect = Connect::new(V5, &scene.id("c"));
        connect.keep_alive = 0;
        let mut client = scene.silent();
        client.write(&connect.bytes());
        let connack = client.expect(2).body;
        assert!(split(of_connack(&connack)).iter().all(|property| property[0] != 0x13));
        client.ping();
    });
}

#[test]
fn mqtt5_3_1_2_28_no_response_information_where_none_is_asked_for() {
    five("response", |scene| {
        for properties in [vec![], number(0x19, &[0])] {
            let mut connect = Connect::new(V5, &scene.id("c"));
            connect.properties = properties;
            let mut client = scene.silent();
            client.write(&connect.bytes());
            let connack = client.expect(2).body;
            assert!(split(of_connack(&connack)).iter().all(|property| property[0] != 0x1A));
            client.disconnect();
        }
    });
}

#[test]
fn mqtt5_4_2_1_and_mqtt3_7_1_1_1_the_transport_is_an_ordered_stream() {
    all("stream", |scene| {
        // Byte by byte: the borders of what TCP delivers mean nothing.
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 0);
        for byte in client.publish_bytes(&topic, b"bytes", 0, false, 0, &[]) {
            client.write(&[byte]);
        }
        gets(&mut client, "bytes");
    });
}
