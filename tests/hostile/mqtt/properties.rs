//! Properties of MQTT 5 where they don't belong, and there twice.

use super::bytes::{ack, block, connect, publish, subscribe, unsubscribe};
use super::case::{Corpus, End, FIVE};
use crate::support::mqtt::{V5, packet};

/// Every property with a value that is good where it belongs.
const EVERY: [&[u8]; 27] = [
    &[0x01, 0],
    &[0x02, 0, 0, 0, 60],
    &[0x03, 0, 1, b'c'],
    &[0x08, 0, 1, b'r'],
    &[0x09, 0, 1, b'd'],
    &[0x0B, 1],
    &[0x11, 0, 0, 0, 0],
    &[0x12, 0, 1, b'a'],
    &[0x13, 0, 60],
    &[0x15, 0, 1, b'm'],
    &[0x16, 0, 1, b'd'],
    &[0x17, 1],
    &[0x18, 0, 0, 0, 1],
    &[0x19, 0],
    &[0x1A, 0, 1, b'i'],
    &[0x1C, 0, 1, b's'],
    &[0x1F, 0, 1, b'w'],
    &[0x21, 0, 10],
    &[0x22, 0, 10],
    &[0x23, 0, 1],
    &[0x24, 1],
    &[0x25, 1],
    &[0x26, 0, 1, b'k', 0, 1, b'v'],
    &[0x27, 0, 1, 0, 0],
    &[0x28, 1],
    &[0x29, 1],
    &[0x2A, 1],
];

/// A packet, how it is written with properties, and which may be in it.
struct Place {
    name: &'static str,
    write: fn(&[u8]) -> Vec<u8>,
    belong: &'static [u8],
}

const PLACES: [Place; 8] = [
    Place {
        name: "PUBLISH",
        write: |properties| publish(V5, 0x30, b"a", None, properties),
        belong: &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26],
    },
    Place { name: "PUBACK", write: |properties| acknowledged(0x40, properties), belong: &[0x1F, 0x26] },
    Place { name: "PUBREC", write: |properties| acknowledged(0x50, properties), belong: &[0x1F, 0x26] },
    Place { name: "PUBREL", write: |properties| acknowledged(0x62, properties), belong: &[0x1F, 0x26] },
    Place { name: "PUBCOMP", write: |properties| acknowledged(0x70, properties), belong: &[0x1F, 0x26] },
    Place {
        name: "SUBSCRIBE",
        write: |properties| subscribe(V5, properties, &[(b"a", 0)]),
        belong: &[0x0B, 0x26],
    },
    Place { name: "UNSUBSCRIBE", write: |properties| unsubscribe(V5, properties, &[b"a"]), belong: &[0x26] },
    Place {
        name: "DISCONNECT",
        write: |properties| packet(0xE0, &[&[0], &block(properties)[..]].concat()),
        belong: &[0x11, 0x1C, 0x1F, 0x26],
    },
];

pub(super) fn add(corpus: &mut Corpus) {
    misplaced(corpus);
    twice(corpus);
}

fn acknowledged(first: u8, properties: &[u8]) -> Vec<u8> {
    ack(first, 1, &[&[0], &block(properties)[..]].concat())
}

fn misplaced(corpus: &mut Corpus) {
    let belong = [0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27];
    for property in EVERY.iter().filter(|property| !belong.contains(&property[0])) {
        let bytes = |version| connect(version).properties(property).bytes();
        corpus.first(format!("property {:#04x} in CONNECT", property[0]), FIVE, bytes, End::Connack(0x81));
    }
    for place in &PLACES {
        for property in EVERY.iter().filter(|property| !place.belong.contains(&property[0])) {
            let name = format!("property {:#04x} in {}", property[0], place.name);
            corpus.connected(name, FIVE, |_| (place.write)(property), End::Violation(0x81));
        }
        for (name, bytes) in [("unknown", &[0x7F, 0][..]), ("cut", &[0x26, 0, 1, b'k', 0])] {
            let name = format!("a property that is {name} in {}", place.name);
            corpus.connected(name, FIVE, |_| (place.write)(bytes), End::Violation(0x81));
        }
    }
}

fn twice(corpus: &mut Corpus) {
    let of = |id: u8| EVERY.iter().find(|property| property[0] == id).unwrap();
    for id in [0x11, 0x17, 0x19, 0x21, 0x22, 0x27] {
        let bytes = |version| connect(version).properties(&of(id).repeat(2)).bytes();
        corpus.first(format!("property {id:#04x} twice in CONNECT"), FIVE, bytes, End::Connack(0x82));
    }
    for place in &PLACES {
        for &id in place.belong.iter().filter(|id| ![0x26, 0x0B].contains(id)) {
            let name = format!("property {id:#04x} twice in {}", place.name);
            corpus.connected(name, FIVE, |_| (place.write)(&of(id).repeat(2)), End::Violation(0x82));
        }
    }
}
