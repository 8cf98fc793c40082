//! SUBSCRIBE and UNSUBSCRIBE.

use super::bytes::{field, start, subscribe, unsubscribe};
use super::case::{ALL, Before, Corpus, End, FIVE, STRICT, V3};
use crate::support::mqtt::{V5, V311, packet};

pub(super) fn add(corpus: &mut Corpus) {
    shapes(corpus);
    options(corpus);
    filters(corpus);
    unsubscribes(corpus);
}

fn shapes(corpus: &mut Corpus) {
    let none = |version| subscribe(version, &[], &[]);
    corpus.connected("SUBSCRIBE to nothing", ALL, none, End::Violation(0x82));
    corpus.add("SUBSCRIBE to nothing, subscribed", ALL, Before::Subscribed, none, End::Violation(0x82));
    let zero = |version| {
        let mut bytes = subscribe(version, &[], &[(b"a", 0)]);
        bytes[2..4].fill(0);
        bytes
    };
    corpus.connected("SUBSCRIBE of identifier 0", ALL, zero, End::Violation(0x82));
    let cut = |version| packet(0x82, &[start(version, 1, &[]), field("a")].concat());
    corpus.connected("SUBSCRIBE without options", ALL, cut, End::Violation(0x81));
    let half =
        |version| packet(0x82, &[&start(version, 1, &[])[..], &field("a"), &[0], &field("b")].concat());
    corpus.connected("SUBSCRIBE without the options of the second", ALL, half, End::Violation(0x81));
    let long = |version| packet(0x82, &[&start(version, 1, &[])[..], &[0, 9, b'a', 0]].concat());
    corpus.connected("SUBSCRIBE with a filter longer than its packet", ALL, long, End::Violation(0x81));
    let bytes = |version| subscribe(version, &[], &[(b"a", 0)])[..6].to_vec();
    corpus.connected("half a SUBSCRIBE", ALL, bytes, End::Waits);
    corpus.add("half a SUBSCRIBE and a reset", ALL, Before::Persistent, bytes, End::Reset);
    for (name, properties, reason) in [
        ("subscription identifier 0", &[0x0B, 0][..], 0x82),
        ("two subscription identifiers", &[0x0B, 1, 0x0B, 2], 0x82),
        ("the same identifier twice", &[0x0B, 1, 0x0B, 1], 0x82),
        ("an identifier of five bytes", &[0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 1], 0x81),
        ("a padded identifier", &[0x0B, 0x81, 0], 0x81),
        ("an identifier without a value", &[0x0B], 0x81),
    ] {
        let bytes = |version| subscribe(version, properties, &[(b"a", 0)]);
        corpus.connected(format!("SUBSCRIBE with {name}"), FIVE, bytes, End::Violation(reason));
    }
    let largest = |version| subscribe(version, &[0x0B, 0xFF, 0xFF, 0xFF, 0x7F], &[(b"a", 0)]);
    corpus.connected("the largest subscription identifier", FIVE, largest, End::GoesOn(vec![(9, 0)]));
}

fn options(corpus: &mut Corpus) {
    for (name, bits, reason) in [
        ("QoS 3", 0x03, 0x82),
        ("QoS 3 and No Local", 0x07, 0x82),
        ("retain handling 3", 0x30, 0x82),
        ("reserved bit 6", 0x40, 0x81),
        ("reserved bit 7", 0x80, 0x81),
        ("all bits", 0xFF, 0x81),
    ] {
        let bytes = |version| subscribe(version, &[], &[(b"a", bits)]);
        corpus.connected(format!("a subscription with {name}"), FIVE, bytes, End::Violation(reason));
        let second = |version| subscribe(version, &[], &[(b"a", 1), (b"b", bits)]);
        corpus.connected(format!("a second subscription with {name}"), FIVE, second, End::Violation(reason));
    }
    for bits in [0x03, 0x04, 0x08, 0x10, 0x80] {
        let bytes = |version| subscribe(version, &[], &[(b"a", bits)]);
        corpus.connected(format!("options {bits:#04x} before MQTT 5"), V3, bytes, End::Closed);
    }
}

fn filters(corpus: &mut Corpus) {
    for filter in ["", "#/", "#/a", "a/#/b", "a#", "##", "+a", "a+", "a/+b/c", "++", "a/b#"] {
        let bytes = |version| subscribe(version, &[], &[(filter.as_bytes(), 0)]);
        corpus.connected(format!("SUBSCRIBE to `{filter}`"), ALL, bytes, End::Violation(0x8F));
        let bytes = |version| subscribe(version, &[], &[(b"fine", 1), (filter.as_bytes(), 0)]);
        corpus.connected(format!("SUBSCRIBE to `fine` and `{filter}`"), STRICT, bytes, End::Violation(0x8F));
    }
    for filter in [
        "$share/",
        "$share//",
        "$share//a",
        "$share/g",
        "$share/g/",
        "$share/+/a",
        "$share/#/a",
        "$share/g#/a",
    ] {
        let bytes = |version| subscribe(version, &[], &[(filter.as_bytes(), 0)]);
        corpus.connected(format!("SUBSCRIBE to `{filter}`"), FIVE, bytes, End::GoesOn(vec![(9, 0x8F)]));
    }
    let local = |version| subscribe(version, &[], &[(b"$share/g/a", 4)]);
    corpus.connected("No Local on a shared subscription", FIVE, local, End::Violation(0x82));
    let local = |version| subscribe(version, &[], &[(b"a", 4), (b"$share/g/a", 5)]);
    corpus.connected("No Local on a second, shared subscription", FIVE, local, End::Violation(0x82));
    let same: Vec<(&[u8], u8)> = vec![(b"hostile/same", 1); 1_000];
    let same = |version| subscribe(version, &[], &same);
    corpus.connected("the same filter a thousand times", &[V311, V5], same, End::GoesOn(vec![(9, 1)]));
}

fn unsubscribes(corpus: &mut Corpus) {
    let none = |version| unsubscribe(version, &[], &[]);
    corpus.connected("UNSUBSCRIBE from nothing", ALL, none, End::Violation(0x82));
    let zero = |version| {
        let mut bytes = unsubscribe(version, &[], &[b"a"]);
        bytes[2..4].fill(0);
        bytes
    };
    corpus.connected("UNSUBSCRIBE of identifier 0", ALL, zero, End::Violation(0x82));
    for filter in ["", "a#", "#/a", "+a"] {
        let bytes = |version| unsubscribe(version, &[], &[filter.as_bytes()]);
        corpus.connected(format!("UNSUBSCRIBE from `{filter}`"), ALL, bytes, End::Violation(0x8F));
    }
    let long = |version| packet(0xA2, &[&start(version, 1, &[])[..], &[0, 9, b'a']].concat());
    corpus.connected("UNSUBSCRIBE with a filter longer than its packet", ALL, long, End::Violation(0x81));
    let unknown = |version| unsubscribe(version, &[], &[b"never/subscribed"]);
    corpus.connected(
        "UNSUBSCRIBE from what nobody subscribed to",
        ALL,
        unknown,
        End::GoesOn(vec![(11, 0x11)]),
    );
    let share = |version| unsubscribe(version, &[], &[b"$share/g"]);
    corpus.connected("UNSUBSCRIBE from half a shared filter", FIVE, share, End::GoesOn(vec![(11, 0x11)]));
}
