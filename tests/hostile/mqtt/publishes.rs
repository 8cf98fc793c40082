//! PUBLISH: quality, identifiers, topics, aliases, sizes.

use super::bytes::{field, publish, subscribe};
use super::case::{ALL, Before, Corpus, End, FIVE, STRICT, V3};
use crate::support::mqtt::{V5, V31, packet};

pub(super) fn add(corpus: &mut Corpus) {
    quality(corpus);
    topics(corpus);
    aliases(corpus);
    values(corpus);
    sizes(corpus);
    limits(corpus);
}

fn quality(corpus: &mut Corpus) {
    for (name, first) in [("QoS 3", 0x36), ("QoS 3 with DUP", 0x3E), ("QoS 3 with retain", 0x37)] {
        let bytes = |version| publish(version, first, b"a", Some(1), &[]);
        corpus.connected(name, ALL, bytes, End::Violation(0x81));
        corpus.add(
            format!("{name}, inside an exchange"),
            ALL,
            Before::Publishing,
            bytes,
            End::Violation(0x81),
        );
    }
    let dup = |version| publish(version, 0x38, b"a", None, &[]);
    corpus.connected("DUP with QoS 0", STRICT, dup, End::Violation(0x81));
    corpus.connected("DUP with QoS 0 in MQTT 3.1", &[V31], dup, End::GoesOn(Vec::new()));
    for (name, first) in [("QoS 1", 0x32), ("QoS 2", 0x34), ("QoS 1 with DUP", 0x3A)] {
        let bytes = |version| publish(version, first, b"a", Some(0), &[]);
        corpus.connected(format!("{name} with identifier 0"), ALL, bytes, End::Violation(0x82));
        let bytes = |_| packet(first, &field("a"));
        corpus.connected(format!("{name} without identifier"), ALL, bytes, End::Violation(0x81));
        let bytes = |_| packet(first, &[&field("a")[..], &[0]].concat());
        corpus.connected(format!("{name} with half an identifier"), ALL, bytes, End::Violation(0x81));
    }
}

fn topics(corpus: &mut Corpus) {
    for topic in ["#", "+", "a/#", "a/+/b", "+/a", "a+", "a#b", "/#", "$share/g/#"] {
        for (quality, first) in [(0, 0x30), (1, 0x32)] {
            let id = (quality == 1).then_some(9);
            let bytes = |version| publish(version, first, topic.as_bytes(), id, &[]);
            corpus.connected(format!("QoS {quality} to `{topic}`"), ALL, bytes, End::Violation(0x90));
        }
    }
    let empty = |version| publish(version, 0x30, b"", None, &[]);
    corpus.connected("no topic and no alias", FIVE, empty, End::Violation(0x82));
    corpus.connected("no topic before MQTT 5", V3, empty, End::Closed);
    let long = |_| packet(0x30, &[0, 200, b'a']);
    corpus.connected("a topic longer than its packet", ALL, long, End::Violation(0x81));
    let longest = |_| packet(0x30, &[0xFF, 0xFF, b'a']);
    corpus.connected("a topic said to have 65,535 bytes", ALL, longest, End::Violation(0x81));
    let system = |version| publish(version, 0x32, b"$SYS/broker", Some(9), &[]);
    corpus.connected("QoS 1 into $SYS", ALL, system, End::GoesOn(vec![(4, 0x87)]));
    let system = |version| publish(version, 0x34, b"$SYS/broker", Some(9), &[]);
    corpus.connected("QoS 2 into $SYS", ALL, system, End::GoesOn(vec![(5, 0x87)]));
    let system = |version| publish(version, 0x31, b"$SYS/broker", None, &[]);
    corpus.connected("QoS 0 into $SYS", ALL, system, End::GoesOn(Vec::new()));
}

fn aliases(corpus: &mut Corpus) {
    let alias = |topic: &'static [u8], alias: u16| {
        move |_| {
            let [high, low] = alias.to_be_bytes();
            publish(V5, 0x30, topic, None, &[0x23, high, low])
        }
    };
    corpus.connected("alias 0", FIVE, alias(b"hostile/a", 0), End::Violation(0x94));
    corpus.connected("alias 0 and no topic", FIVE, alias(b"", 0), End::Violation(0x94));
    corpus.connected("an alias above the maximum", FIVE, alias(b"hostile/a", 65), End::Violation(0x94));
    corpus.connected("alias 65,535", FIVE, alias(b"hostile/a", 65_535), End::Violation(0x94));
    corpus.connected("an alias above the maximum and no topic", FIVE, alias(b"", 65), End::Violation(0x94));
    corpus.connected("an alias that was never set", FIVE, alias(b"", 1), End::Violation(0x82));
    let other = |_| [alias(b"hostile/a", 1)(5), alias(b"", 2)(5)].concat();
    corpus.connected("another alias than was set", FIVE, other, End::Violation(0x82));
    let wildcard = alias(b"a/#", 1);
    corpus.connected("an alias for a wildcard", FIVE, wildcard, End::Violation(0x90));
    let once = |_| [alias(b"hostile/a", 1)(5), alias(b"", 1)(5), alias(b"hostile/b", 1)(5)].concat();
    corpus.connected("an alias that is used and set anew", FIVE, once, End::GoesOn(Vec::new()));
}

fn values(corpus: &mut Corpus) {
    for (name, properties, reason) in [
        ("payload format 2", &[0x01, 2][..], 0x82),
        ("payload format 255", &[0x01, 255], 0x82),
        ("a subscription identifier", &[0x0B, 1], 0x82),
        ("subscription identifier 0", &[0x0B, 0], 0x82),
        ("a subscription identifier of five bytes", &[0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 1], 0x81),
        ("a padded subscription identifier", &[0x0B, 0x81, 0], 0x81),
        ("`#` to answer to", &[0x08, 0, 1, b'#'], 0x82),
        ("`a/+` to answer to", &[0x08, 0, 3, b'a', b'/', b'+'], 0x82),
        ("no topic to answer to", &[0x08, 0, 0], 0x82),
        ("an answer topic that is no text", &[0x08, 0, 1, 0xFF], 0x81),
        ("half an expiry", &[0x02, 0, 0], 0x81),
        ("a content type longer than the properties", &[0x03, 0, 9, b'c'], 0x81),
    ] {
        let bytes = |version| publish(version, 0x30, b"hostile/a", None, properties);
        corpus.connected(format!("PUBLISH with {name}"), FIVE, bytes, End::Violation(reason));
    }
    for (name, block) in [
        ("longer than the packet", &[0x7F][..]),
        ("of five bytes", &[0xFF, 0xFF, 0xFF, 0xFF, 1]),
        ("padded", &[0x80, 0]),
        ("cut", &[0x80]),
    ] {
        let bytes = |_| packet(0x30, &[&field("hostile/a")[..], block].concat());
        corpus.connected(format!("PUBLISH with a property length {name}"), FIVE, bytes, {
            End::Violation(0x81)
        });
    }
    let expired = |version| publish(version, 0x32, b"hostile/a", Some(9), &[2, 0, 0, 0, 0]);
    corpus.connected("a message that is dead on arrival", FIVE, expired, End::GoesOn(vec![(4, 0x10)]));
}

fn sizes(corpus: &mut Corpus) {
    let over = |_| [&[0x30][..], &[0x81, 0x80, 0x40], &vec![b'a'; 2_000]].concat();
    corpus.connected("a byte over the largest packet", ALL, over, End::Violation(0x95));
    let short = |version| {
        let mut bytes = publish(version, 0x32, b"hostile/a", Some(9), &[]);
        bytes[1] += 1;
        bytes
    };
    corpus.connected("a payload shorter than it was said", ALL, short, End::Waits);
    corpus.connected("a payload shorter than it was said, and a reset", ALL, short, End::Reset);
    let long = |version| {
        let mut bytes = publish(version, 0x30, b"hostile/a", None, &[]);
        bytes[1] -= 1;
        bytes.push(0);
        bytes.push(0);
        bytes
    };
    // The last byte of the payload begins a packet: `d`, a PUBREL of the wrong flags.
    corpus.connected("a payload longer than it was said", STRICT, long, End::Violation(0x81));
}

/// What [`super::corpus`] has limited for its broker.
fn limits(corpus: &mut Corpus) {
    let many =
        |version| (1..=11).flat_map(|id| publish(version, 0x34, b"hostile/two", Some(id), &[])).collect();
    corpus.connected("more at once than Receive Maximum", FIVE, many, End::AtLast(0x93));
    let mut text = |name: &str, first, end| {
        let id = (first != 0x30).then_some(9);
        let bytes = move |version| {
            let mut bytes = publish(version, first, b"hostile/a", id, &[0x01, 1]);
            *bytes.last_mut().unwrap() = 0xFF;
            bytes
        };
        corpus.connected(format!("{name} of a text that is none"), FIVE, bytes, end);
    };
    // Nobody could be told but by the end of the connection: it is dropped and counted.
    text("QoS 0", 0x30, End::GoesOn(Vec::new()));
    text("QoS 1", 0x32, End::GoesOn(vec![(4, 0x99)]));
    text("QoS 2", 0x34, End::GoesOn(vec![(5, 0x99)]));
    let deep = "a/".repeat(30);
    let bytes = |version| publish(version, 0x32, deep.as_bytes(), Some(9), &[]);
    corpus.connected("a topic of too many levels", FIVE, bytes, End::GoesOn(vec![(4, 0x90)]));
    let bytes = |version| subscribe(version, &[], &[(deep.as_bytes(), 0)]);
    corpus.connected("a filter of too many levels", FIVE, bytes, End::GoesOn(vec![(9, 0x8F)]));
    let long = "a".repeat(600);
    let bytes = |version| publish(version, 0x32, long.as_bytes(), Some(9), &[]);
    corpus.connected("a topic of too many bytes", FIVE, bytes, End::GoesOn(vec![(4, 0x90)]));
    let bytes = |version| subscribe(version, &[], &[(long.as_bytes(), 0)]);
    corpus.connected("a filter of too many bytes", FIVE, bytes, End::GoesOn(vec![(9, 0x8F)]));
}
