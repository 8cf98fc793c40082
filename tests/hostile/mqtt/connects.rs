//! CONNECT: names, levels, flags, and every place at which it can be cut.

use super::bytes::{Connect, connect, field};
use super::case::{ALL, Before, Corpus, End, FIVE, STRICT, V3};
use crate::support::mqtt::{V5, V31, V311, packet};

pub(super) fn add(corpus: &mut Corpus) {
    names(corpus);
    flags(corpus);
    cuts(corpus);
    client_ids(corpus);
    wills(corpus);
    properties(corpus);
    let twice = |version| connect(version).bytes();
    corpus.connected("CONNECT twice", ALL, twice, End::Violation(0x82));
    corpus.add("CONNECT twice, subscribed", ALL, Before::Subscribed, twice, End::Violation(0x82));
    corpus.add("CONNECT twice, inside an exchange", ALL, Before::Publishing, twice, End::Violation(0x82));
    corpus.add("CONNECT twice in a kept session", ALL, Before::Persistent, twice, End::Violation(0x82));
}

fn names(corpus: &mut Corpus) {
    for name in ["MQTX", "mqtt", "", "MQTTT", "MQIsd", "HTTP"] {
        let bytes = |version| Connect { name: name.into(), ..connect(version) }.bytes();
        corpus.first(format!("a protocol of name `{name}`"), &[V311, V5], bytes, End::Closed);
    }
    for (name, level, answer) in [
        (&b"MQTT"[..], 0, 1),
        (b"MQTT", 3, 1),
        (b"MQTT", 6, 0x84),
        (b"MQTT", 0x7F, 0x84),
        (b"MQTT", 0x84, 1),
        (b"MQTT", 0xFF, 1),
        (b"MQIsdp", 0, 1),
        (b"MQIsdp", 4, 1),
        (b"MQIsdp", 0x83, 1),
    ] {
        let bytes = |version| Connect { name: name.into(), level, ..connect(version) }.bytes();
        let shown = String::from_utf8_lossy(name);
        corpus.first(format!("{shown} of level {level:#x}"), &[V311], bytes, End::Connack(answer));
    }
    let long = |_| packet(0x10, &[&[0xFF, 0xFF][..], b"MQTT"].concat());
    corpus.first("a name longer than its packet", &[V5], long, End::Closed);
}

fn flags(corpus: &mut Corpus) {
    let flags = |flags| move |version| connect(version).flags(flags).bytes();
    corpus.first("CONNECT with the reserved flag", FIVE, flags(3), End::Connack(0x81));
    corpus.first("CONNECT with the reserved flag in 3.1.1", &[V311], flags(3), End::Closed);
    for (name, bits) in
        [("will QoS 1", 0x0A), ("will QoS 2", 0x12), ("will QoS 3", 0x1A), ("will retain", 0x22)]
    {
        corpus.first(format!("{name} without a will"), FIVE, flags(bits), End::Connack(0x81));
        corpus.first(format!("{name} without a will before MQTT 5"), V3, flags(bits), End::Closed);
    }
    let password = |version| connect(version).flags(0x42).payload(&[field("p-1"), field("p")]).bytes();
    corpus.first("password without user name before MQTT 5", V3, password, End::Closed);
    corpus.first("password without user name", FIVE, password, End::Connack(0));
    for (name, bits) in [("user name", 0x82), ("user name and password", 0xC2)] {
        corpus.first(format!("flagged and missing: {name}"), FIVE, flags(bits), End::Connack(0x81));
        corpus.first(format!("flagged and missing: {name}, 3.1.1"), &[V311], flags(bits), End::Closed);
    }
    for flags in [1, 2, 8, 15] {
        let bytes = move |version| {
            let mut bytes = connect(version).bytes();
            bytes[0] |= flags;
            bytes
        };
        corpus.first(format!("CONNECT with header flags {flags:#x}"), ALL, bytes, End::Closed);
    }
    let padded = |version| {
        let body = connect(version).body();
        [&[0x10, u8::try_from(body.len()).unwrap() | 0x80, 0], &body[..]].concat()
    };
    corpus.first("CONNECT with a padded length", FIVE, padded, End::Connack(0x81));
}

/// A CONNECT with all that one can have.
fn full(version: u8) -> Connect {
    let will_properties = if version == V5 { vec![5, 0x18, 0, 0, 0, 1] } else { Vec::new() };
    let parts = [field("cut"), will_properties, field("w"), field("bye"), field("user"), field("password")];
    let full = connect(version).flags(0xCE).payload(&parts);
    if version == V5 { full.properties(&[0x21, 0, 9]) } else { full }
}

fn cuts(corpus: &mut Corpus) {
    for version in [V311, V5] {
        let body = full(version).body();
        for end in 0..body.len() {
            let bytes = |_| packet(0x10, &body[..end]);
            // The version is known from its byte on, and with it the answer.
            let answer = if version == V5 && end > 6 { End::Connack(0x81) } else { End::Closed };
            corpus.first(format!("CONNECT of level {version} cut at byte {end}"), &[version], bytes, answer);
        }
        let trailing = |_| packet(0x10, &[&body[..], &[0]].concat());
        let answer = if version == V5 { End::Connack(0x81) } else { End::Closed };
        corpus.first("CONNECT with bytes behind its end", &[version], trailing, answer);
    }
    let half = |version| full(version).bytes()[..20].to_vec();
    corpus.first("half a CONNECT and a reset", ALL, half, End::Reset);
}

fn client_ids(corpus: &mut Corpus) {
    let id = |id: &str, flags| {
        let id = field(id);
        move |version| connect(version).flags(flags).payload(std::slice::from_ref(&id)).bytes()
    };
    corpus.first("no client id in MQTT 3.1", &[V31], id("", 2), End::Connack(2));
    corpus.first("no client id for a session to keep", &[V311], id("", 0), End::Connack(2));
    corpus.first("no client id", STRICT, id("", 2), End::Connack(0));
    let long = "x".repeat(1_025);
    corpus.first("a client id of 1,025 bytes", FIVE, id(&long, 2), End::Connack(0x85));
    corpus.first("a client id of 1,025 bytes before MQTT 5", V3, id(&long, 2), End::Connack(2));
    let long = "x".repeat(65_535);
    corpus.first("a client id of 64 KiB", ALL, id(&long, 2), End::Closed);
    let spaces = id(" / # + \u{1} ", 2);
    corpus.first("a client id of anything", ALL, spaces, End::Connack(0));
}

fn wills(corpus: &mut Corpus) {
    let will = |flags, topic: &'static [u8], properties: &'static [u8]| {
        move |version| {
            let properties = if version == V5 { super::bytes::block(properties) } else { Vec::new() };
            let parts = [field("will"), properties, field(topic), field("bye")];
            connect(version).flags(flags).payload(&parts).bytes()
        }
    };
    let mut both = |name: &str, bytes: &dyn Fn(u8) -> Vec<u8>, reason| {
        corpus.first(name, FIVE, bytes, End::Connack(reason));
        corpus.first(format!("{name}, before MQTT 5"), V3, bytes, End::Closed);
    };
    both("a will of QoS 3", &will(0x1E, b"w", b""), 0x81);
    both("a will for no topic", &will(0x06, b"", b""), 0x90);
    both("a will for a wildcard", &will(0x06, b"a/#", b""), 0x90);
    both("a will for a plus", &will(0x06, b"+", b""), 0x90);
    both("a will for a topic that is no text", &will(0x06, b"a\xFF", b""), 0x81);
    let mut five = |name, properties, reason| {
        corpus.first(name, FIVE, will(0x06, b"w", properties), End::Connack(reason));
    };
    five("a will with payload format 2", b"\x01\x02", 0x82);
    five("a will with an alias", b"\x23\x00\x01", 0x81);
    five("a will with two delays", b"\x18\0\0\0\x01\x18\0\0\0\x01", 0x82);
    five("a will with a wildcard to answer to", b"\x08\x00\x01#", 0x82);
    five("a will with half a property", b"\x18\0", 0x81);
}

fn properties(corpus: &mut Corpus) {
    for (name, properties, answer) in [
        ("Receive Maximum 0", &[0x21, 0, 0][..], 0x82),
        ("Maximum Packet Size 0", &[0x27, 0, 0, 0, 0], 0x82),
        ("Request Problem Information 2", &[0x17, 2], 0x82),
        ("Request Response Information 255", &[0x19, 255], 0x82),
        ("authentication data without a method", &[0x16, 0, 1, b'd'], 0x82),
        ("an authentication method that is not known", &[0x15, 0, 1, b'm'], 0x8C),
        ("an unknown property 0x7E", &[0x7E, 0], 0x81),
        ("an unknown property 0", &[0], 0x81),
        ("a property identifier of two bytes", &[0x91, 0, 0, 0, 0, 1], 0x81),
        ("half a property", &[0x11, 0, 0], 0x81),
        ("a property without its value", &[0x21], 0x81),
        ("a text longer than the properties", &[0x15, 0, 9, b'm'], 0x81),
        ("a user property without its value", &[0x26, 0, 1, b'k'], 0x81),
    ] {
        let bytes = |version| connect(version).properties(properties).bytes();
        corpus.first(format!("CONNECT with {name}"), FIVE, bytes, End::Connack(answer));
    }
    let id = field("x");
    for (name, block) in [
        ("longer than the packet", &[0x7F][..]),
        ("of five bytes", &[0xFF, 0xFF, 0xFF, 0xFF, 1]),
        ("padded", &[0x80, 0]),
    ] {
        let bytes = |version| {
            let plain = Connect { properties: None, ..connect(version) };
            plain.payload(&[block.to_vec(), id.clone()]).bytes()
        };
        corpus.first(format!("CONNECT with a property length {name}"), FIVE, bytes, End::Connack(0x81));
    }
}
