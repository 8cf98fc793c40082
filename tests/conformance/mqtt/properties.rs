//! Properties of PUBLISH on their way from publisher to subscriber (3.3.2.3).

use super::bytes::{block, find, find_all, number, pair, split, text, with_block};
use super::{Scene, five, gets};
use crate::support::Mqtt;
use crate::support::mqtt::{packet, string};

/// Publishes with these properties.
#[track_caller]
fn publish(client: &mut Mqtt, topic: &str, payload: &str, qos: u8, retain: bool, properties: &[u8]) {
    let id = u16::from(qos > 0) * 7_000;
    let bytes = client.publish_bytes(topic, payload.as_bytes(), qos, retain, id, properties);
    client.write(&bytes);
    client.finish(id, qos);
}

/// Asserts that each property comes out as it went in, on every way through the broker.
#[track_caller]
fn unaltered(scene: &Scene, properties: &[Vec<u8>]) {
    let topic = scene.topic("t");
    let mut live = scene.client("live");
    live.subscribe(&topic, 2);
    // QoS 2 publications reach it at QoS 0: written anew.
    let mut lower = scene.client("lower");
    lower.subscribe(&topic, 0);
    let mut kept = scene.with(&scene.kept("kept"));
    kept.subscribe(&topic, 2);
    kept.disconnect();
    let mut publisher = scene.client("p");
    for qos in [0, 1, 2] {
        publish(&mut publisher, &topic, "x", qos, qos == 2, &properties.concat());
    }
    let mut kept = scene.with(&scene.kept("kept"));
    let mut late = scene.client("late");
    late.subscribe(&topic, 2);
    for (client, count) in [(&mut live, 3), (&mut lower, 3), (&mut kept, 2), (&mut late, 1)] {
        for _ in 0..count {
            let found = split(&gets(client, "x").properties);
            let pairs = |all: &[Vec<u8>]| all.iter().filter(|p| p[0] == 0x26).cloned().collect::<Vec<_>>();
            assert_eq!(pairs(&found), pairs(properties), "the order of user properties");
            let sorted = |mut all: Vec<Vec<u8>>| {
                all.sort();
                all
            };
            assert_eq!(sorted(found), sorted(properties.to_vec()));
        }
    }
    publish(&mut publisher, &topic, "", 0, true, &[]);
    kept.disconnect();
    scene.client("kept").disconnect();
}

#[test]
fn mqtt5_3_3_2_4_the_payload_format_is_passed_on() {
    five("format", |scene| {
        for value in [0, 1] {
            unaltered(scene, &[number(0x01, &[value])]);
        }
    });
}

#[test]
fn mqtt5_3_3_2_15_and_16_response_topic_and_correlation_data_are_passed_on() {
    five("response", |scene| {
        unaltered(scene, &[text(0x08, "//answers/\u{e4}"), number(0x09, &[0, 3, 0, 0xFF, 0x80])]);
        unaltered(scene, &[number(0x09, &[0, 0])]);
    });
}

#[test]
fn mqtt5_3_3_2_17_and_18_user_properties_are_passed_on_in_order() {
    five("pairs", |scene| {
        unaltered(scene, &[pair("z", "1"), pair("a", "2"), pair("z", "3"), pair("", ""), pair("z", "1")]);
    });
}

#[test]
fn mqtt5_3_3_2_20_the_content_type_is_passed_on() {
    five("content", |scene| {
        unaltered(scene, &[text(0x03, "application/x-\u{20ac}")]);
        unaltered(scene, &[text(0x03, "")]);
    });
}

#[test]
fn mqtt5_3_3_2_13_14_and_19_texts_are_checked() {
    five("texts", |scene| {
        let publish = |property: &[u8]| packet(0x30, &[&string("a")[..], &block(property), b"x"].concat());
        scene.is_refused("response topic", &publish(&[0x08, 0, 1, 0xFF]), 0x81);
        scene.is_refused("content type", &publish(&[0x03, 0, 1, 0xFF]), 0x81);
        for topic in ["a/#", "+", ""] {
            scene.is_refused("a wildcard", &publish(&text(0x08, topic)), 0x82);
        }
    });
}

#[test]
fn mqtt5_2_2_2_2_properties_twice_misplaced_or_unknown() {
    five("wrong", |scene| {
        let version = scene.version;
        let publish =
            |properties: &[u8]| packet(0x30, &[&string("a")[..], &block(properties), b"x"].concat());
        for twice in [number(0x01, &[0]), number(0x02, &[0, 0, 0, 9]), text(0x03, "a"), text(0x08, "a")] {
            scene.is_refused("twice", &publish(&[&twice[..], &twice].concat()), 0x82);
        }
        for misplaced in
            [number(0x11, &[0, 0, 0, 1]), text(0x1F, "why"), text(0x12, "id"), number(0x24, &[1])]
        {
            scene.is_refused("misplaced", &publish(&misplaced), 0x81);
        }
        scene.is_refused("unknown", &publish(&[0x04, 0]), 0x81);
        scene.is_refused("a value out of range", &publish(&number(0x01, &[2])), 0x82);
        let id = with_block(version, 0xA2, &[0, 1], &[]);
        scene.is_refused(
            "UNSUBSCRIBE with an identifier",
            &packet(0xA2, &[&id[2..4], &[2, 0x0B, 1, 0, 1, b'a']].concat()),
            0x81,
        );
        scene.is_refused("an identifier of 0", &packet(0x82, &[0, 1, 2, 0x0B, 0, 0, 1, b'a', 0]), 0x82);
    });
}

#[test]
fn mqtt5_3_3_4_6_no_subscription_identifier_from_a_client() {
    five("sub-id", |scene| {
        let bytes = scene.silent().publish_bytes("a", b"x", 0, false, 0, &[0x0B, 1]);
        scene.is_refused("a subscription identifier", &bytes, 0x82);
    });
}

#[test]
fn mqtt5_3_8_2_1_2_identifiers_of_every_length_come_back() {
    five("ids", |scene| {
        let mut client = scene.client("c");
        let ids: [&[u8]; 5] = [&[1], &[0x7F], &[0x80, 0x01], &[0xFF, 0xFF, 0x7F], &[0xFF, 0xFF, 0xFF, 0x7F]];
        for (n, id) in ids.iter().enumerate() {
            let topic = scene.topic(&n.to_string());
            client.write(&super::bytes::subscribe(scene.version, 1, &number(0x0B, id), &[(&topic, 1)]));
            client.expect(9);
            for qos in [0, 1] {
                client.publish(&topic, "x", qos);
                assert_eq!(find_all(&gets(&mut client, "x").properties, 0x0B), [id.to_vec()]);
            }
        }
        // Subscribed again without one, it has none.
        client.subscribe(&scene.topic("0"), 1);
        client.publish(&scene.topic("0"), "x", 1);
        assert_eq!(find(&gets(&mut client, "x").properties, 0x0B), None);
    });
}
