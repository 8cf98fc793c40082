//! Chapters 1 and 2: data, headers, packet identifiers.

use std::collections::HashSet;

use super::bytes::{subscribe, unsubscribe, with_block};
use super::{all, both, code, five, gets};
use crate::support::mqtt::{V5, packet, string};

#[test]
fn mqtt5_1_5_4_1_ill_formed_utf8_ends_the_connection() {
    both("utf8", |scene| {
        let version = scene.version;
        for bytes in [&[0xFF][..], &[0xC0, 0x80], &[0xED, 0xA0, 0x80], &[0xF4, 0x90, 0x80, 0x80]] {
            let mut topic = vec![0, u8::try_from(bytes.len()).unwrap()];
            topic.extend(bytes);
            scene.is_refused("a topic", &with_block(version, 0x30, &topic, b"x"), 0x81);
            let filter = [&topic[..], &[0]].concat();
            scene.is_refused("a filter", &with_block(version, 0x82, &[0, 1], &filter), 0x81);
            scene.is_refused("a filter to end", &with_block(version, 0xA2, &[0, 1], &topic), 0x81);
        }
    });
}

#[test]
fn mqtt5_1_5_4_2_u0000_ends_the_connection() {
    both("nul", |scene| {
        let version = scene.version;
        scene.is_refused("a topic", &with_block(version, 0x30, &string("a\0"), b"x"), 0x81);
        scene.is_refused("a filter", &subscribe(version, 1, &[], &[("\0", 0)]), 0x81);
        scene.is_refused("a filter to end", &unsubscribe(version, 1, &["a\0b"]), 0x81);
    });
}

#[test]
fn mqtt5_1_5_4_3_a_byte_order_mark_is_passed_on() {
    all("bom", |scene| {
        let mut client = scene.client("c");
        client.subscribe(&scene.topic("#"), 0);
        for tail in ["\u{feff}a", "a\u{feff}", "a"] {
            client.publish(&scene.topic(tail), tail, 0);
            assert_eq!(gets(&mut client, tail).topic, scene.topic(tail));
        }
    });
}

#[test]
fn mqtt5_1_5_5_1_a_padded_length_is_malformed() {
    five("padded", |scene| {
        scene.is_refused("a remaining length", &[0xC0, 0x80, 0], 0x81);
        scene.is_refused("a property length", &packet(0x30, &[0, 1, b'a', 0x80, 0]), 0x81);
        scene.is_refused("five bytes", &[0x30, 0x80, 0x80, 0x80, 0x80, 1], 0x81);
    });
}

#[test]
fn mqtt5_1_5_5_1_lengths_are_written_with_the_fewest_bytes() {
    both("minimal", |scene| {
        let mut client = scene.client("c");
        // Written anew, as a retained message is.
        for size in [100_usize, 127, 128, 129, 16_383, 16_384, 16_390] {
            let topic = scene.topic(&size.to_string());
            let id = client.send(&topic, &vec![b'x'; size], 1, true);
            client.finish(id, 1);
            client.subscribe(&topic, 0);
            let packet = client.expect(3);
            let written = packet.body.len() + 1 + length_width(packet.body.len());
            assert_eq!(client.decode(&packet).payload.len(), size);
            let rest = usize::from(scene.version == V5) + 2 + topic.len() + size;
            assert_eq!(written, 1 + length_width(rest) + rest);
            client.send(&topic, b"", 0, true);
            assert_eq!(client.receive().payload, b"");
        }
    });
}

fn length_width(length: usize) -> usize {
    packet(0, &vec![0; length]).len() - 1 - length
}

#[test]
fn mqtt5_1_5_7_1_user_properties_are_text() {
    five("pairs", |scene| {
        let publish = |properties: &[u8]| {
            let block = [&[u8::try_from(properties.len()).unwrap()][..], properties].concat();
            packet(0x30, &[&string("a")[..], &block, b"x"].concat())
        };
        scene.is_refused("a name", &publish(&[0x26, 0, 1, 0xFF, 0, 1, b'v']), 0x81);
        scene.is_refused("a value", &publish(&[0x26, 0, 1, b'n', 0, 1, 0xFF]), 0x81);
        scene.is_refused("a value with U+0000", &publish(&[0x26, 0, 1, b'n', 0, 1, 0]), 0x81);
    });
}

#[test]
fn mqtt5_2_1_3_1_reserved_flags_are_malformed() {
    both("flags", |scene| {
        let version = scene.version;
        let id = [0, 1];
        for (first, body) in [(0x41, &id[..]), (0x50 | 2, &id), (0x60, &id), (0x68, &id), (0x71, &id)] {
            scene.is_refused(&format!("{first:#x}"), &packet(first, body), 0x81);
        }
        for first in [0x80, 0x81, 0x83, 0x8A] {
            let bytes = with_block(version, first, &id, &[&string("a")[..], &[0]].concat());
            scene.is_refused(&format!("{first:#x}"), &bytes, 0x81);
        }
        for first in [0xA0, 0xA3] {
            scene.is_refused(&format!("{first:#x}"), &with_block(version, first, &id, &string("a")), 0x81);
        }
        scene.is_refused("PINGREQ", &[0xC1, 0], 0x81);
        scene.is_refused("DISCONNECT", &[0xE2, 0], 0x81);
        if scene.is_v5() {
            scene.is_refused("AUTH", &packet(0xF1, &[0x18, 0]), 0x81);
        }
        let mut client = scene.silent();
        client.write(&[0x11, 0]);
        assert!(client.closed().iter().all(|packet| packet.kind == 2 && code(packet, 1) != 0));
    });
}

#[test]
fn mqtt3_2_2_2_2_packet_types_that_are_none_or_not_for_a_server() {
    all("types", |scene| {
        let own: &[(u8, &[u8])] =
            &[(0x00, &[]), (0x20, &[0, 0]), (0x90, &[0, 1, 0]), (0xB0, &[0, 1]), (0xD0, &[])];
        for (first, body) in own {
            let mut client = scene.client("offender");
            client.write(&packet(*first, body));
            let packets = client.closed();
            let goodbye: Vec<_> = packets.iter().map(|packet| packet.kind).collect();
            assert_eq!(goodbye, if scene.is_v5() { vec![14] } else { vec![] }, "{first:#x}");
            assert!(packets.iter().all(|packet| matches!(code(packet, 0), 0x81 | 0x82)), "{packets:02x?}");
        }
        if !scene.is_v5() {
            scene.is_refused("type 15", &[0xF0, 0], 0);
        }
    });
}

#[test]
fn mqtt5_2_2_1_2_qos_0_has_no_packet_identifier() {
    both("no-id", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        client.publish(&topic, "x", 0);
        let packet = client.expect(3);
        assert_eq!(packet.flags, 0);
        let between: &[u8] = if scene.is_v5() { &[0] } else { &[] };
        assert_eq!(packet.body, [&string(&topic)[..], between, b"x"].concat());
    });
}

#[test]
fn mqtt5_2_2_1_3_packet_identifier_zero_is_refused() {
    both("zero", |scene| {
        let version = scene.version;
        for first in [0x32, 0x34] {
            let head = [&string("a")[..], &[0, 0]].concat();
            scene.is_refused("PUBLISH", &with_block(version, first, &head, b"x"), 0x82);
        }
        scene.is_refused("SUBSCRIBE", &subscribe(version, 0, &[], &[("a", 0)]), 0x82);
        scene.is_refused("UNSUBSCRIBE", &unsubscribe(version, 0, &["a"]), 0x82);
    });
}

#[test]
fn mqtt5_2_2_1_4_the_broker_uses_every_identifier_once_at_a_time() {
    both("ids", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        let mut publisher = scene.client("p");
        for qos in [1, 2].repeat(100) {
            publisher.publish(&topic, "x", qos);
        }
        let mut used = HashSet::new();
        for _ in 0..200 {
            let publish = client.receive();
            assert!(publish.id != 0 && used.insert(publish.id), "{publish:?}");
        }
    });
}

#[test]
fn mqtt5_2_2_1_5_and_6_answers_have_the_identifier_of_what_they_answer() {
    both("answers", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        for id in [1_u16, 0x0100, 0x7FFF, 0xFFFF] {
            let expected = id.to_be_bytes();
            client.write(&subscribe(scene.version, id, &[], &[("elsewhere", 0)]));
            assert_eq!(client.expect(9).body[..2], expected);
            for qos in [1, 2] {
                let bytes = client.publish_bytes(&topic, b"x", qos, false, id, &[]);
                client.write(&bytes);
                client.finish(id, qos);
            }
            client.write(&unsubscribe(scene.version, id, &["elsewhere"]));
            assert_eq!(client.expect(11).body[..2], expected);
        }
    });
}

#[test]
fn mqtt5_2_2_2_1_no_properties_are_a_length_of_zero() {
    five("no-properties", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.write(&subscribe(V5, 7, &[], &[(&topic, 1)]));
        assert_eq!(client.expect(9).body, [0, 7, 0, 1]);
        client.write(&unsubscribe(V5, 8, &[&topic]));
        assert_eq!(client.expect(11).body, [0, 8, 0, 0]);
        client.subscribe(&topic, 1);
        client.publish(&topic, "x", 1);
        let publish = client.expect(3);
        let id_at = 2 + topic.len();
        assert_eq!(publish.body[id_at + 2..], [0, b'x']);
    });
}

#[test]
fn mqtt5_2_2_2_1_a_missing_property_length_is_malformed() {
    five("no-length", |scene| {
        scene.is_refused("PUBLISH", &packet(0x30, &string("a")), 0x81);
        scene.is_refused("SUBSCRIBE", &packet(0x82, &[0, 1]), 0x81);
        scene.is_refused("UNSUBSCRIBE", &packet(0xA2, &[0, 1]), 0x81);
    });
}
