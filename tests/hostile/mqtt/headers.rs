//! The fixed header: types, flags and remaining lengths.

use super::bytes::{ack, publish, subscribe, unsubscribe};
use super::case::{ALL, Corpus, End, FIVE, STRICT, V3};
use crate::support::mqtt::V31;

const MALFORMED: u8 = 0x81;

pub(super) fn add(corpus: &mut Corpus) {
    flags(corpus);
    types(corpus);
    lengths(corpus);
    empty(corpus);
}

fn flags(corpus: &mut Corpus) {
    let violation = End::Violation(MALFORMED);
    for (name, kind, right) in [
        ("PUBACK", 0x40, 0),
        ("PUBREC", 0x50, 0),
        ("PUBREL", 0x60, 2),
        ("PUBCOMP", 0x70, 0),
        ("SUBSCRIBE", 0x80, 2),
        ("UNSUBSCRIBE", 0xA0, 2),
        ("PINGREQ", 0xC0, 0),
        ("DISCONNECT", 0xE0, 0),
    ] {
        for flags in [0, 1, 2, 3, 8, 15_u8].into_iter().filter(|flags| *flags != right) {
            let bytes = move |version| {
                let mut bytes = match kind {
                    0x80 => subscribe(version, &[], &[(b"a", 0)]),
                    0xA0 => unsubscribe(version, &[], &[b"a"]),
                    0xC0 | 0xE0 => vec![kind, 0],
                    _ => ack(kind, 1, &[]),
                };
                bytes[0] = kind | flags;
                bytes
            };
            corpus.connected(format!("{name} with flags {flags:#x}"), STRICT, bytes, violation.clone());
        }
    }
    corpus.connected("AUTH with flags", FIVE, |_| vec![0xF1, 0], violation);
    let unused = End::GoesOn(vec![(13, 0)]);
    corpus.connected("MQTT 3.1 PINGREQ with unused flags", &[V31], |_| vec![0xC1, 0], unused);
    let unused = End::GoesOn(vec![(9, 0)]);
    let dup = |version| {
        let mut bytes = subscribe(version, &[], &[(b"a", 0)]);
        bytes[0] |= 8;
        bytes
    };
    corpus.connected("MQTT 3.1 SUBSCRIBE with DUP", &[V31], dup, unused);
}

fn types(corpus: &mut Corpus) {
    corpus.connected("type 0", ALL, |_| vec![0, 0], End::Violation(MALFORMED));
    corpus.connected("type 0 with a body", ALL, |_| vec![0, 2, 0, 0], End::Violation(MALFORMED));
    corpus.connected("type 0 behind a PINGREQ", ALL, |_| vec![0xC0, 0, 0, 0], {
        End::After(vec![(13, 0)], MALFORMED)
    });
    corpus.connected("type 15 before MQTT 5", V3, |_| vec![0xF0, 0], End::Closed);
    corpus.connected("type 15 with a body before MQTT 5", V3, |_| vec![0xF0, 2, 0, 0], End::Closed);
}

fn lengths(corpus: &mut Corpus) {
    let five = End::Violation(MALFORMED);
    for (name, first) in [("PUBLISH", 0x30), ("PINGREQ", 0xC0), ("SUBSCRIBE", 0x82), ("DISCONNECT", 0xE0)] {
        let bytes = move |_| vec![first, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        corpus.connected(format!("{name} with a length of five bytes"), ALL, bytes, five.clone());
    }
    let zeros = |_| vec![0xC0, 0x80, 0x80, 0x80, 0x80, 0];
    corpus.connected("a length of five bytes that says 0", ALL, zeros, five.clone());
    for (name, length) in
        [("two", &[0x80, 0][..]), ("three", &[0x80, 0x80, 0]), ("four", &[0x80, 0x80, 0x80, 0])]
    {
        let bytes = move |_| [&[0xC0], length].concat();
        corpus.connected(format!("PINGREQ of length 0 in {name} bytes"), FIVE, bytes, five.clone());
        let goes_on = End::GoesOn(vec![(13, 0)]);
        corpus.connected(format!("PINGREQ of length 0 in {name} bytes before MQTT 5"), V3, bytes, goes_on);
    }
    let padded = |version| {
        let bytes = publish(version, 0x30, b"hostile/a", None, &[]);
        [&[0x30, bytes[1] | 0x80, 0], &bytes[2..]].concat()
    };
    corpus.connected("PUBLISH with a padded length", FIVE, padded, five);
    corpus.connected("PUBLISH with a padded length before MQTT 5", V3, padded, End::GoesOn(Vec::new()));
    for (name, length) in [("4 MiB", [0x80, 0x80, 0x80, 2]), ("256 MiB", [0xFF, 0xFF, 0xFF, 0x7F])] {
        let bytes = move |_| [&[0x30][..], &length, &[0, 1, b'a']].concat();
        corpus.connected(format!("a PUBLISH said to have {name}"), ALL, bytes, End::Violation(0x95));
        let bytes = move |_| [&[0x82][..], &length].concat();
        corpus.connected(format!("a SUBSCRIBE said to have {name}"), ALL, bytes, End::Violation(0x95));
    }
    for (name, bytes) in [
        ("one byte", &[0x30][..]),
        ("half a length", &[0x30, 0x80]),
        ("most of a length", &[0x30, 0xFF, 0xFF, 0x0F]),
        ("a header alone", &[0x30, 0x10]),
        ("a PUBLISH without its end", &[0x30, 0x10, 0, 1, b'a']),
    ] {
        corpus.connected(name, ALL, move |_| bytes.to_vec(), End::Waits);
    }
}

fn empty(corpus: &mut Corpus) {
    for (name, first) in [
        ("PUBLISH", 0x30),
        ("PUBLISH of QoS 1", 0x32),
        ("PUBLISH of QoS 2", 0x34),
        ("PUBACK", 0x40),
        ("PUBREC", 0x50),
        ("PUBREL", 0x62),
        ("PUBCOMP", 0x70),
        ("SUBSCRIBE", 0x82),
        ("UNSUBSCRIBE", 0xA2),
    ] {
        corpus.connected(format!("an empty {name}"), ALL, move |_| vec![first, 0], End::Violation(MALFORMED));
        let bytes = move |_| vec![first, 1, 0];
        corpus.connected(format!("a {name} of one byte"), ALL, bytes, End::Violation(MALFORMED));
    }
    let bytes = |_| vec![0xC0, 1, 0];
    corpus.connected("a PINGREQ with a body", ALL, bytes, End::Violation(MALFORMED));
    corpus.connected("a DISCONNECT with a body before MQTT 5", V3, |_| vec![0xE0, 1, 0], End::Closed);
}
