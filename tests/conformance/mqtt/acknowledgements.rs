//! Quality of service 0, 1 and 2 in both directions, on a connection that lasts (3.4 to 3.7, 4.3).

use super::bytes::{Connect, ack, number, subscribe, unsubscribe};
use super::{all, both, code, five, gets, nothing_before};
use crate::support::mqtt::packet;

#[test]
fn mqtt5_3_3_4_1_each_qos_has_its_answer() {
    all("answer", |scene| {
        let mut client = scene.client("c");
        for (qos, answer) in [(1, 4), (2, 5)] {
            let id = client.send(&scene.topic("t"), b"x", qos, false);
            let packet = client.expect(answer);
            assert_eq!((packet.flags, &packet.body[..2]), (0, &id.to_be_bytes()[..]));
        }
        // QoS 0 has none: the next packet is that of the ping.
        client.send(&scene.topic("t"), b"x", 0, false);
        client.write(&[0xC0, 0]);
        assert_eq!(client.next_within(crate::support::PATIENCE).unwrap().kind, 13);
    });
}

#[test]
fn mqtt5_3_3_1_2_qos_0_never_has_dup() {
    both("dup-0", |scene| {
        let bytes = scene.silent().publish_bytes("a", b"x", 0, false, 0, &[]);
        scene.is_refused("DUP with QoS 0", &[&[bytes[0] | 8][..], &bytes[1..]].concat(), 0x81);
    });
}

#[test]
fn mqtt5_3_3_1_3_dup_is_not_passed_on() {
    all("dup", |scene| {
        let topic = scene.topic("t");
        // At its own QoS, and at a lower one.
        for granted in [2, 1, 0] {
            let mut client = scene.client("c");
            client.subscribe(&topic, granted);
            let mut publisher = scene.client("p");
            for qos in [1, 2] {
                let mut bytes = publisher.publish_bytes(&topic, b"x", qos, true, 5, &[]);
                bytes[0] |= 0x08;
                publisher.write(&bytes);
                publisher.finish(5, qos);
                assert!(!gets(&mut client, "x").dup);
            }
            client.disconnect();
        }
        let mut late = scene.client("late");
        late.subscribe(&topic, 2);
        assert!(!gets(&mut late, "x").dup, "the retained message");
        late.send(&topic, b"", 0, true);
    });
}

#[test]
fn mqtt5_3_3_1_4_there_is_no_qos_3() {
    all("qos-3", |scene| {
        let bytes = scene.silent().publish_bytes("a", b"x", 2, false, 1, &[]);
        scene.is_refused("QoS 3", &[&[bytes[0] | 2][..], &bytes[1..]].concat(), 0x81);
    });
}

#[test]
fn mqtt5_4_3_1_1_and_4_3_2_2_and_4_3_3_2_a_first_delivery_has_no_dup() {
    all("first", |scene| {
        let topic = scene.topic("t");
        for options in [scene.clean("c"), scene.kept("c")] {
            let mut client = scene.with(&options);
            client.subscribe(&topic, 2);
            for qos in [0, 1, 2] {
                client.publish(&topic, "x", qos);
                let publish = gets(&mut client, "x");
                assert_eq!((publish.qos, publish.dup, publish.id != 0), (qos, false, qos > 0));
            }
            client.disconnect();
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_4_3_2_1_and_3_an_identifier_is_used_until_it_is_acknowledged() {
    both("unused", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        let mut publisher = scene.client("p");
        let mut open = Vec::new();
        for qos in [1, 2] {
            publisher.publish(&topic, "open", qos);
            open.push(client.receive());
        }
        // PUBREC alone does not free the identifier.
        client.acknowledge(5, open[1].id);
        assert_eq!(client.expect(6).body[..2], open[1].id.to_be_bytes());
        for n in 0..50 {
            publisher.publish(&topic, "more", n % 2 + 1);
            let more = gets(&mut client, "more");
            assert!(open.iter().all(|publish| publish.id != more.id));
        }
    });
}

#[test]
fn mqtt5_4_3_2_5_after_puback_the_same_identifier_is_a_new_message() {
    all("again-1", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 1);
        for dup in [0, 0x08] {
            let mut bytes = client.publish_bytes(&topic, b"same", 1, false, 3, &[]);
            bytes[0] |= dup;
            client.write(&bytes);
            client.finish(3, 1);
            gets(&mut client, "same");
        }
    });
}

#[test]
fn mqtt5_4_3_3_10_until_pubrel_the_same_identifier_is_the_same_message() {
    all("again-2", |scene| {
        let topic = scene.topic("t");
        let mut watcher = scene.client("w");
        watcher.subscribe(&topic, 2);
        let mut client = scene.client("c");
        for dup in [0, 0x08, 0, 0x08] {
            let mut bytes = client.publish_bytes(&topic, b"once", 2, false, 3, &[]);
            bytes[0] |= dup;
            client.write(&bytes);
            let pubrec = client.expect(5);
            assert_eq!((&pubrec.body[..2], code(&pubrec, 2)), (&[0, 3][..], 0));
        }
        gets(&mut watcher, "once");
        client.acknowledge(6, 3);
        assert_eq!(client.expect(7).body, [0, 3]);
        nothing_before(&mut watcher, &mut client, &topic);
    });
}

#[test]
fn mqtt5_4_3_3_11_and_12_after_pubcomp_the_same_identifier_is_a_new_message() {
    all("again-3", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        for _ in 0..3 {
            let bytes = client.publish_bytes(&topic, b"new", 2, false, 3, &[]);
            client.write(&bytes);
            client.finish(3, 2);
            gets(&mut client, "new");
        }
    });
}

#[test]
fn mqtt5_4_3_3_8_a_qos_2_message_is_delivered_once_it_is_owned() {
    both("owned", |scene| {
        let topic = scene.topic("t");
        let mut watcher = scene.client("w");
        watcher.subscribe(&topic, 2);
        let mut client = scene.client("c");
        let id = client.send(&topic, b"x", 2, false);
        assert_eq!(client.expect(5).body[..2], id.to_be_bytes());
        gets(&mut watcher, "x");
        client.acknowledge(6, id);
        client.expect(7);
    });
}

#[test]
fn mqtt5_4_3_3_4_pubrec_is_answered_with_pubrel() {
    all("pubrel", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        client.publish(&topic, "x", 2);
        let publish = client.receive();
        // As often as it comes.
        for _ in 0..3 {
            client.acknowledge(5, publish.id);
            let pubrel = client.expect(6);
            assert_eq!((pubrel.flags, pubrel.body), (2, publish.id.to_be_bytes().to_vec()));
        }
        client.acknowledge(7, publish.id);
        client.ping();
    });
}

#[test]
fn mqtt5_3_4_2_1_and_3_5_2_1_what_nobody_gets_is_acknowledged_with_0x10() {
    five("nobody", |scene| {
        let mut client = scene.client("c");
        for (qos, kind) in [(1, 4), (2, 5)] {
            client.send(&scene.topic("t"), b"x", qos, false);
            assert_eq!(code(&client.expect(kind), 2), 0x10);
        }
        client.subscribe(&scene.topic("t"), 0);
        for (qos, kind) in [(1, 4), (2, 5)] {
            client.send(&scene.topic("t"), b"x", qos, false);
            assert_eq!(code(&client.expect(kind), 2), 0);
        }
    });
}

#[test]
fn mqtt5_3_4_2_1_and_3_5_2_1_what_is_refused_has_its_reason() {
    five("refused", |scene| {
        let mut client = scene.client("c");
        for (qos, kind) in [(1, 4), (2, 5)] {
            client.send("$SYS/mine", b"x", qos, false);
            assert_eq!(code(&client.expect(kind), 2), 0x87);
        }
    });
}

#[test]
fn mqtt5_3_6_2_1_and_3_7_2_1_unknown_identifiers_are_told() {
    both("unknown", |scene| {
        let unknown = if scene.is_v5() { 0x92 } else { 0 };
        let mut client = scene.client("c");
        client.acknowledge(6, 77);
        let pubcomp = client.expect(7);
        assert_eq!((&pubcomp.body[..2], code(&pubcomp, 2)), (&[0, 77][..], unknown));
        client.acknowledge(5, 78);
        let pubrel = client.expect(6);
        assert_eq!((pubrel.flags, &pubrel.body[..2], code(&pubrel, 2)), (2, &[0, 78][..], unknown));
        // These are the end of a flow and have no answer.
        client.acknowledge(4, 79);
        client.acknowledge(7, 80);
        client.ping();
    });
}

#[test]
fn mqtt5_4_3_3_9_after_a_refusing_pubrec_the_identifier_is_free() {
    five("refusing", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        let bytes = client.publish_bytes("$SYS/mine", b"x", 2, false, 3, &[]);
        client.write(&bytes);
        assert_eq!(code(&client.expect(5), 2), 0x87);
        let bytes = client.publish_bytes(&topic, b"new", 2, false, 3, &[]);
        client.write(&bytes);
        client.finish(3, 2);
        gets(&mut client, "new");
    });
}

#[test]
fn mqtt5_3_4_2_1_reason_codes_of_acknowledgements_are_checked() {
    five("codes", |scene| {
        for first in [0x40, 0x50, 0x62, 0x70] {
            scene.is_refused("a code of another packet", &ack(first, 1, 0x81), 0x82);
            scene.is_refused("cut off", &packet(first, &[0]), 0x81);
            scene.is_refused("too long", &packet(first, &[0, 1, 0, 0, 0]), 0x81);
        }
    });
}

#[test]
fn mqtt5_3_1_2_29_without_problem_information_answers_are_bare() {
    five("bare", |scene| {
        let mut connect = Connect::new(scene.version, &scene.id("c"));
        connect.properties = number(0x17, &[0]);
        let mut client = scene.silent();
        client.write(&connect.bytes());
        client.expect(2);
        for (qos, kind) in [(1, 4), (2, 5)] {
            client.send("$SYS/mine", b"x", qos, false);
            assert_eq!(client.expect(kind).body.get(3).copied().unwrap_or(0), 0, "no properties");
        }
        client.acknowledge(6, 77);
        assert_eq!(client.expect(7).body.get(3).copied().unwrap_or(0), 0);
        client.acknowledge(5, 78);
        assert_eq!(client.expect(6).body.get(3).copied().unwrap_or(0), 0);
        client.write(&subscribe(scene.version, 9, &[], &[("$temp/not-mine", 0)]));
        assert_eq!(client.expect(9).body[2..], [0, 0x87]);
        client.write(&unsubscribe(scene.version, 9, &["never"]));
        assert_eq!(client.expect(11).body[2..], [0, 0x11]);
    });
}
