//! Topic filters: their grammar and what they match (4.7.1).

use super::bytes::{subscribe, unsubscribe};
use super::{all, both, gets};

#[test]
fn mqtt5_4_7_1_1_the_multi_level_wildcard_is_the_last_level_and_alone() {
    both("hash", |scene| {
        for filter in ["a#", "#/a", "a/#/b", "a/b#", "##", "#a"] {
            scene.is_refused(filter, &subscribe(scene.version, 1, &[], &[(filter, 0)]), 0x8F);
            scene.is_refused(filter, &unsubscribe(scene.version, 1, &[filter]), 0x8F);
        }
    });
}

#[test]
fn mqtt5_4_7_1_2_the_single_level_wildcard_fills_its_level() {
    both("plus", |scene| {
        for filter in ["a+", "+a", "a/+b", "a/b+/c", "++", "+#"] {
            scene.is_refused(filter, &subscribe(scene.version, 1, &[], &[(filter, 0)]), 0x8F);
        }
    });
}

#[test]
fn mqtt5_4_7_3_1_a_filter_is_not_empty() {
    both("empty", |scene| {
        scene.is_refused("SUBSCRIBE", &subscribe(scene.version, 1, &[], &[("", 0)]), 0x8F);
        scene.is_refused("UNSUBSCRIBE", &unsubscribe(scene.version, 1, &[""]), 0x8F);
    });
}

#[test]
fn mqtt5_4_7_1_1_and_2_wildcards_match_what_they_should() {
    all("match", |scene| {
        let topics = ["a", "a/", "/a", "a/b", "a//b", "a/b/c", "a/b/", "b/a", "/", "//", "ab"];
        let matches: [(&str, &[&str]); 12] = [
            ("#", &topics),
            ("a/#", &["a", "a/", "a/b", "a//b", "a/b/c", "a/b/"]),
            ("a/b/#", &["a/b", "a/b/c", "a/b/"]),
            ("+", &["a", "ab"]),
            ("a/+", &["a/", "a/b"]),
            ("+/+", &["a/", "/a", "a/b", "b/a", "/"]),
            ("/+", &["/a", "/"]),
            ("+/b/+", &["a/b/c", "a/b/"]),
            ("a/+/b", &["a//b"]),
            ("+/#", &topics),
            ("a", &["a"]),
            ("a/", &["a/"]),
        ];
        let mut publisher = scene.client("p");
        for (filter, expected) in matches {
            let mut client = scene.client("c");
            client.subscribe(&scene.topic(filter), 1);
            for topic in topics {
                publisher.publish(&scene.topic(topic), topic, 1);
            }
            for topic in expected {
                gets(&mut client, topic);
            }
            client.ping();
            assert_eq!(client.pop_held(), None, "{filter}");
            client.disconnect();
        }
    });
}
