//! Topic names: what a PUBLISH may name, and that nothing about a name is changed (3.3.2.1, 4.7).

use super::bytes::{number, with_block};
use super::{all, both, each, five, gets, nothing_before};
use crate::support::mqtt::{V31, V311, packet, string};

#[test]
fn mqtt5_3_3_2_1_the_topic_is_the_first_field_and_is_text() {
    both("first-field", |scene| {
        scene.is_refused("nothing", &packet(0x30, &[]), 0x81);
        scene.is_refused("half a length", &packet(0x30, &[0]), 0x81);
        scene.is_refused("longer than the packet", &packet(0x30, &[0, 9, b'a']), 0x81);
        scene.is_refused("no text", &with_block(scene.version, 0x30, &[0, 1, 0x80], &[]), 0x81);
    });
}

#[test]
fn mqtt5_3_3_2_2_and_4_7_0_1_a_topic_name_has_no_wildcards() {
    all("wildcards", |scene| {
        for topic in ["#", "+", "a/#", "+/a", "a+", "a#b", "$share/g/#"] {
            let bytes = scene.silent().publish_bytes(topic, b"x", 1, false, 1, &[]);
            scene.is_refused(topic, &bytes, 0x90);
        }
    });
}

#[test]
fn mqtt5_4_7_3_1_a_topic_name_is_not_empty() {
    both("empty", |scene| {
        let bytes = scene.silent().publish_bytes("", b"x", 0, false, 0, &[]);
        scene.is_refused("empty", &bytes, 0x82);
        if scene.is_v5() {
            // With an alias that was never set there is no topic either.
            let bytes = scene.silent().publish_bytes("", b"x", 0, false, 0, &number(0x23, &[0, 1]));
            scene.is_refused("an alias that stands for nothing", &bytes, 0x82);
        }
    });
}

#[test]
fn mqtt5_4_7_3_3_topics_of_any_length_are_passed_on() {
    all("long", |scene| {
        let mut client = scene.client("c");
        client.subscribe(&scene.topic("#"), 1);
        let prefix = scene.topic("");
        for len in [127, 128, 16_383, 65_535] {
            let topic = format!("{prefix}{}", "x".repeat(len - prefix.len()));
            client.publish(&topic, "x", 1);
            assert_eq!(gets(&mut client, "x").topic, topic);
        }
        // And as a filter.
        let topic = format!("{prefix}{}", "y".repeat(65_535 - prefix.len()));
        let mut other = scene.client("other");
        other.subscribe(&topic, 1);
        other.publish(&topic, "y", 1);
        assert_eq!(gets(&mut other, "y").topic, topic);
    });
}

#[test]
fn mqtt5_4_7_3_4_and_3_3_2_3_names_are_not_normalised() {
    all("verbatim", |scene| {
        let names = [
            "/",
            "//",
            "///",
            "a",
            "/a",
            "a/",
            "a//b",
            "a/b/",
            " ",
            " a",
            "a ",
            "a b",
            ".",
            "a.b",
            "..",
            "a/../b",
            "./a",
            "A",
            "\u{e4}",
            "a\u{308}",
            "\u{c4}",
            "*",
            ">",
            "a*b",
            "a>b",
            "\\",
            "%2F",
            "a,b",
            "a:b",
            "a;b",
            "\u{1}",
            "\t",
            "\r\n",
            "\u{7f}",
            "\u{feff}",
            "\u{fffe}",
            "\u{fdd0}",
            "\u{10ffff}",
            "\u{1f980}",
            "$",
            "$a",
            "!",
        ];
        let mut all = scene.client("all");
        all.subscribe(&scene.topic("#"), 1);
        let mut publisher = scene.client("p");
        for name in names {
            let topic = scene.topic(name);
            let mut one = scene.client("one");
            one.subscribe(&topic, 1);
            for other in names {
                publisher.send(&scene.topic(other), other.as_bytes(), 0, false);
            }
            publisher.publish(&topic, "end", 1);
            // Exactly its own name, once, and no other that looks like it.
            assert_eq!(gets(&mut one, name).topic, topic);
            assert_eq!(gets(&mut one, "end").topic, topic);
            for other in names {
                assert_eq!(gets(&mut all, other).topic, scene.topic(other));
            }
            gets(&mut all, "end");
        }
    });
}

#[test]
fn mqtt5_4_7_2_1_a_leading_wildcard_matches_no_topic_that_begins_with_a_dollar() {
    all("dollar", |scene| {
        let mut client = scene.client("c");
        for filter in ["#", "+/dollar/t", "+/#", "+/+/t"] {
            client.subscribe(filter, 1);
        }
        let mut named = scene.client("named");
        let topic = format!("$x{}/dollar/t", scene.version);
        let mut publisher = scene.client("p");
        for filter in [topic.clone(), format!("$x{}/#", scene.version), format!("$x{}/+/t", scene.version)] {
            named.subscribe(&filter, 1);
            publisher.publish(&topic, "dollar", 1);
            gets(&mut named, "dollar");
            named.write(&super::bytes::unsubscribe(scene.version, 99, &[&filter]));
            named.expect(11);
        }
        // Other scenes may send what `#` matches; this topic must not be among it.
        publisher.publish(&scene.topic("end"), "end", 1);
        loop {
            let publish = client.take();
            assert_ne!(publish.topic, topic);
            if publish.topic == scene.topic("end") {
                break;
            }
        }
    });
}

#[test]
fn mqtt5_4_7_2_1_retained_messages_below_a_dollar_neither() {
    all("dollar-kept", |scene| {
        let topic = format!("$kept{}/t", scene.version);
        let mut publisher = scene.client("p");
        let id = publisher.send(&topic, b"kept", 1, true);
        publisher.finish(id, 1);
        let mut client = scene.client("c");
        client.subscribe("+/t", 1);
        client.ping();
        assert_eq!(client.pop_held(), None);
        client.subscribe(&topic, 1);
        gets(&mut client, "kept");
        publisher.send(&topic, b"", 0, true);
    });
}

#[test]
fn mqtt5_3_3_2_7_an_alias_ends_with_its_connection() {
    five("alias-ends", |scene| {
        let topic = scene.topic("t");
        let mut watcher = scene.client("w");
        watcher.subscribe(&topic, 0);
        let alias = number(0x23, &[0, 1]);
        let mut client = scene.with(&scene.kept("c"));
        let sets = client.publish_bytes(&topic, b"sets", 0, false, 0, &alias);
        let uses = client.publish_bytes("", b"uses", 0, false, 0, &alias);
        client.write(&[sets, uses.clone()].concat());
        for text in ["sets", "uses"] {
            let publish = gets(&mut watcher, text);
            assert_eq!((publish.topic.as_str(), publish.properties.as_slice()), (topic.as_str(), &[][..]));
        }
        client.disconnect();
        let mut client = scene.with(&scene.kept("c"));
        client.write(&uses);
        scene.ends(client, "an alias of an earlier connection", 0x82);
    });
}

#[test]
fn mqtt5_3_3_2_8_and_9_aliases_beyond_the_bounds_are_refused() {
    five("alias-bounds", |scene| {
        let (client, connack) = scene.login(&scene.clean("c"));
        let max = super::bytes::find(super::bytes::of_connack(&connack), 0x22).unwrap();
        let max = u16::from_be_bytes([max[0], max[1]]);
        let publish =
            |alias: u16| client.publish_bytes("a", b"x", 0, false, 0, &number(0x23, &alias.to_be_bytes()));
        scene.is_refused("zero", &publish(0), 0x94);
        scene.is_refused("above the maximum", &publish(max + 1), 0x94);
        scene.is_refused("the largest there is", &publish(0xFFFF), 0x94);
    });
}

#[test]
fn mqtt5_3_3_2_12_every_alias_up_to_the_maximum_is_taken() {
    five("alias-all", |scene| {
        let (mut client, connack) = scene.login(&scene.clean("c"));
        let max = super::bytes::find(super::bytes::of_connack(&connack), 0x22).unwrap();
        client.subscribe(&scene.topic("#"), 0);
        let all = 1..=u16::from_be_bytes([max[0], max[1]]);
        // Set, used, set to another topic, used.
        for round in ["a", "b"] {
            for alias in all.clone() {
                let properties = number(0x23, &alias.to_be_bytes());
                let topic = scene.topic(&format!("{round}{alias}"));
                let bytes = client.publish_bytes(&topic, b"set", 0, false, 0, &properties);
                client.write(&bytes);
                assert_eq!(gets(&mut client, "set").topic, topic);
            }
            for alias in all.clone() {
                let properties = number(0x23, &alias.to_be_bytes());
                let bytes = client.publish_bytes("", b"used", 0, false, 0, &properties);
                client.write(&bytes);
                assert_eq!(gets(&mut client, "used").topic, scene.topic(&format!("{round}{alias}")));
            }
        }
    });
}

#[test]
fn mqtt5_3_1_2_26_and_27_no_alias_is_sent_that_the_client_did_not_allow() {
    five("alias-out", |scene| {
        for (properties, max) in [(vec![], 0), (number(0x22, &[0, 0]), 0), (number(0x22, &[0, 2]), 2)] {
            let mut connect = super::bytes::Connect::new(scene.version, &scene.id("c"));
            connect.properties = properties;
            let mut client = scene.silent();
            client.write(&connect.bytes());
            client.expect(2);
            client.subscribe(&scene.topic("#"), 1);
            let mut known = vec![None; 3];
            for n in 0..12 {
                let topic = scene.topic(&(n % 3).to_string());
                client.publish(&topic, "x", n % 2);
                let publish = client.take();
                let alias = super::bytes::find(&publish.properties, 0x23)
                    .map(|id| u16::from_be_bytes([id[0], id[1]]));
                assert!(alias.is_none_or(|alias| alias > 0 && alias <= max), "{alias:?} of {max}");
                let slot = &mut known[usize::from(alias.unwrap_or(0))];
                if !publish.topic.is_empty() {
                    *slot = Some(publish.topic);
                }
                assert_eq!(slot.as_ref(), Some(&topic));
            }
            client.disconnect();
        }
    });
}

#[test]
fn mqtt3_1_4_payloads_may_be_empty_or_any_bytes() {
    all("payload", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        let bytes: Vec<u8> = (0..=255).collect();
        for payload in [&b""[..], b"\0", &bytes] {
            for qos in [0, 1, 2] {
                client.publish(&topic, payload, qos);
                let publish = client.take();
                assert_eq!((publish.payload.as_slice(), publish.qos), (payload, qos));
            }
        }
        let refused = packet(0x30, &[&string("a/#")[..], &[0]].concat());
        client.write(&refused);
        scene.ends(client, "a wildcard", 0x90);
    });
}

#[test]
fn mqtt3_3_3_5_2_a_publication_that_is_not_allowed_is_acknowledged_and_dropped() {
    each(&[V31, V311], "denied", |scene| {
        let mut watcher = scene.client("w");
        watcher.subscribe("$SYS/mine", 2);
        watcher.subscribe(&scene.topic("t"), 1);
        let mut client = scene.client("c");
        for qos in [0, 1, 2] {
            client.publish("$SYS/mine", "x", qos);
        }
        nothing_before(&mut watcher, &mut client, &scene.topic("t"));
    });
}
