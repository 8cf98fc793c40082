//! What the broker says to peers that break the rules, in every version.

use std::io::Write;
use std::time::Duration;

use crate::hostile::{Bystanders, LOGIN_TIMEOUT, broker};
use crate::support::mqtt::{Options, Packet, V5, V31, V311, packet, string};
use crate::support::{Broker, Mqtt, Setup};

/// What the broker says before it closes.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Nothing: MQTT 3 has no words for it.
    Silence,
    /// DISCONNECT with one of these reasons.
    Disconnect(&'static [u8]),
}

#[track_caller]
fn assert_answer(packets: &[Packet], answer: Answer, case: &str) {
    match answer {
        Answer::Silence => assert!(packets.is_empty(), "{case}: {packets:02x?}"),
        Answer::Disconnect(reasons) => {
            let [last] = packets else { panic!("{case}: one DISCONNECT was due: {packets:02x?}") };
            assert_eq!(last.kind, 14, "{case}: {last:02x?}");
            let reason = last.body.first().copied().unwrap_or(0);
            assert!(reasons.contains(&reason), "{case}: reason {reason:#x}, not one of {reasons:02x?}");
        }
    }
}

/// Sends `bytes` on a connection that has logged in, with each version, and looks at the answer.
#[track_caller]
fn after_login(broker: &Broker, case: &str, bytes: impl Fn(u8) -> Vec<u8>, reasons: &'static [u8]) {
    for version in [V31, V311, V5] {
        // MQTT 3.1 lets the flags of most packets be.
        if version == V31 && case.starts_with("flags") {
            continue;
        }
        let mut client = Mqtt::connect(broker.mqtt(), version, &format!("bad-{version}"));
        let answer = if version == V5 { Answer::Disconnect(reasons) } else { Answer::Silence };
        client.write(&bytes(version));
        assert_answer(&client.closed(), answer, &format!("{case}, version {version}"));
    }
}

const MALFORMED: &[u8] = &[0x81];
const PROTOCOL: &[u8] = &[0x82];
const MALFORMED_OR_PROTOCOL: &[u8] = &[0x81, 0x82];
const TOPIC: &[u8] = &[0x90];
const TOO_LARGE: &[u8] = &[0x95];

#[test]
fn malformed_packets() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    after_login(&broker, "type 0", |_| vec![0x00, 0x00], MALFORMED_OR_PROTOCOL);
    after_login(&broker, "a length of five bytes", |_| vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], MALFORMED);
    after_login(&broker, "QoS 3", |_| packet(0x36, &[0, 1, b'a', 0, 1]), MALFORMED);
    after_login(
        &broker,
        "packet id 0",
        |v| with_properties(v, 0x32, &[0, 1, b'a', 0, 0]),
        MALFORMED_OR_PROTOCOL,
    );
    after_login(&broker, "flags of SUBSCRIBE", |v| subscribe(v, 0x80, b"a", 0), MALFORMED);
    after_login(
        &broker,
        "SUBSCRIBE without filter",
        |v| with_properties(v, 0x82, &[0, 1]),
        MALFORMED_OR_PROTOCOL,
    );
    after_login(&broker, "subscription QoS 3", |v| subscribe(v, 0x82, b"a", 3), MALFORMED_OR_PROTOCOL);
    after_login(&broker, "a topic longer than its packet", |_| packet(0x30, &[0, 9, b'a']), MALFORMED);
    after_login(&broker, "PUBACK of one byte", |_| packet(0x40, &[1]), MALFORMED);
    after_login(&broker, "PINGREQ with a body", |_| packet(0xC0, &[1]), MALFORMED_OR_PROTOCOL);
    bystanders.go_on();
}

#[test]
fn strings_that_are_no_text() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    after_login(&broker, "a topic not in UTF-8", |v| publish(v, &[b'a', 0xFF]), &[0x81, 0x90]);
    after_login(&broker, "a surrogate in a topic", |v| publish(v, &[0xED, 0xA0, 0x80]), &[0x81, 0x90]);
    after_login(&broker, "U+0000 in a topic", |v| publish(v, b"a\0b"), &[0x81, 0x90]);
    after_login(&broker, "a filter not in UTF-8", |v| subscribe(v, 0x82, &[b'a', 0xFF], 0), &[0x81, 0x8F]);
    bystanders.go_on();
}

#[test]
fn topics_to_publish_to() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    for topic in ["a/#", "+/b", "#", "a/b+"] {
        after_login(&broker, topic, |v| publish(v, topic.as_bytes()), TOPIC);
    }
    after_login(&broker, "no topic", |v| publish(v, b""), &[0x82, 0x90]);
    bystanders.go_on();
}

#[test]
fn filters_that_are_not_wildcards() {
    let broker = broker();
    for filter in ["a/#/b", "a#", "a+/b", "", "$share//a", "$share/g/", "$share/g"] {
        let mut client = Mqtt::connect(broker.mqtt(), V5, "filters");
        client.write(&subscribe(V5, 0x82, filter.as_bytes(), 0));
        let answer = client.next_within(Duration::from_secs(20));
        let answer = answer.unwrap_or_else(|| panic!("`{filter}`: closed without a word"));
        let reason = *answer.body.last().unwrap();
        assert!(matches!(answer.kind, 9 | 14), "`{filter}`: {answer:02x?}");
        let reason = if answer.kind == 14 { answer.body[0] } else { reason };
        assert!(matches!(reason, 0x81 | 0x82 | 0x8F | 0x9E), "`{filter}`: {answer:02x?}");
    }
}

#[test]
fn wrong_order() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    after_login(&broker, "CONNECT twice", |v| connect(v, "again"), PROTOCOL);
    after_login(&broker, "a packet of the server", |_| packet(0x20, &[0, 0]), MALFORMED_OR_PROTOCOL);
    after_login(&broker, "SUBACK from a client", |_| packet(0x90, &[0, 1, 0]), MALFORMED_OR_PROTOCOL);
    for first in [packet(0xC0, &[]), publish(V311, b"a"), subscribe(V311, 0x82, b"a", 0), packet(0xE0, &[])] {
        let mut client = Mqtt::open(broker.mqtt(), V311);
        client.write(&first);
        assert_answer(&client.closed(), Answer::Silence, "before CONNECT");
    }
    bystanders.go_on();
}

#[test]
fn connects_that_are_refused() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    // What asks for an unknown version may get the answer of 3.1.1 or that of 5, or none (3.1.4).
    let unknown = {
        let mut body = string("MQTT");
        body.extend([9, 2, 0, 10]);
        body.extend(string("x"));
        packet(0x10, &body)
    };
    let mut client = Mqtt::open(broker.mqtt(), V311);
    client.write(&unknown);
    let packets = client.closed();
    assert!(packets.iter().all(|p| p.kind == 2 && matches!(p.body[1], 0x01 | 0x84)), "{packets:02x?}");

    // An empty client id with a session that is to be kept (3.1.3.1).
    let kept = Options { clean: false, ..Options::new(V311, "") };
    let (client, answer) = Mqtt::login(broker.mqtt(), &kept);
    assert_eq!(answer, [0, 2]);
    client.closed();

    let mut wrong_name = string("MQTX");
    wrong_name.extend([4, 2, 0, 10]);
    wrong_name.extend(string("x"));
    let mut reserved_flag = string("MQTT");
    reserved_flag.extend([4, 3, 0, 10]);
    reserved_flag.extend(string("x"));
    let mut short = string("MQTT");
    short.extend([4, 2, 0]);
    for (case, body) in [("name", wrong_name), ("reserved flag", reserved_flag), ("short", short)] {
        let mut client = Mqtt::open(broker.mqtt(), V311);
        client.write(&packet(0x10, &body));
        let packets = client.closed();
        assert!(packets.iter().all(|p| p.kind == 2 && p.body[1] != 0), "{case}: {packets:02x?}");
    }
    bystanders.go_on();
}

#[test]
fn lengths_beyond_the_limit() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    after_login(&broker, "256 MiB", |_| vec![0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, b'a'], TOO_LARGE);
    // Before the login the bound is lower.
    let mut client = Mqtt::open(broker.mqtt(), V311);
    client.write(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, b'M', b'Q', b'T', b'T', 4]);
    client.closed();
    bystanders.go_on();
    broker.wait_log(&["mqtt", "connection closed"]);
}

#[test]
fn garbage() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for round in 0..200 {
        let bytes: Vec<u8> = (0..64)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed.to_le_bytes()[0]
            })
            .collect();
        let mut client = if round % 2 == 0 {
            Mqtt::open(broker.mqtt(), V5)
        } else {
            Mqtt::connect(broker.mqtt(), V5, "garbage")
        };
        // The broker may have closed already, or may still wait for the rest of a packet.
        let _ = client.stream.write_all(&bytes);
    }
    bystanders.go_on();
}

#[test]
fn bytes_that_trickle() {
    let broker = broker();
    let mut client = Mqtt::open(broker.mqtt(), V311);
    for byte in connect(V311, "trickle") {
        client.write(&[byte]);
    }
    assert_eq!(client.expect(2).body, [0, 0]);
    for byte in subscribe(V311, 0x82, b"a", 1) {
        client.write(&[byte]);
    }
    client.expect(9);
    for byte in client.publish_bytes("a", b"slowly", 1, false, 7, &[]) {
        client.write(&[byte]);
    }
    client.expect(4);
    assert_eq!(client.take().text(), "slowly");
}

#[test]
fn nobody_takes_for_ever_to_log_in() {
    let broker = Setup::new().memory().set(LOGIN_TIMEOUT).start();
    let bystanders = Bystanders::of(&broker);
    Mqtt::open(broker.mqtt(), V311).closed();
    let mut half = Mqtt::open(broker.mqtt(), V311);
    half.write(&connect(V311, "half")[..9]);
    half.closed();
    // A byte now and then does not buy time.
    let mut trickle = Mqtt::open(broker.mqtt(), V311);
    let long = connect(V311, &"a".repeat(10_000));
    let mut bytes = long.chunks(1);
    trickle.write(bytes.next().unwrap());
    while !trickle.is_closed_within(Duration::from_millis(20)) {
        let byte = bytes.next().expect("ten thousand bytes were not waited for");
        // Fails where the broker closes just now.
        let _ = trickle.stream.write_all(byte);
    }
    bystanders.go_on();
}

#[test]
fn a_client_that_falls_silent_is_dropped() {
    let broker = broker();
    for version in [V311, V5] {
        let mut options = Options { keep_alive: 1, ..Options::new(version, "silent") };
        options.will = Some(("gone".to_owned(), "silent".to_owned(), 1));
        let mut witness = Mqtt::connect(broker.mqtt(), V311, "witness");
        witness.subscribe("gone", 1);
        let client = Mqtt::with(broker.mqtt(), &options);
        let answer = if version == V5 { Answer::Disconnect(&[0x8D]) } else { Answer::Silence };
        assert_answer(&client.closed(), answer, "keep alive");
        assert_eq!(witness.take().text(), "silent");
    }
}

fn connect(version: u8, id: &str) -> Vec<u8> {
    let mut body = string(if version == V31 { "MQIsdp" } else { "MQTT" });
    body.extend([version, 2, 0, 60]);
    if version == V5 {
        body.push(0);
    }
    body.extend(string(id));
    packet(0x10, &body)
}

fn publish(version: u8, topic: &[u8]) -> Vec<u8> {
    let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
    body.extend(topic);
    with_properties(version, 0x30, &body)
}

fn subscribe(version: u8, first: u8, filter: &[u8], options: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    if version == V5 {
        body.push(0);
    }
    body.extend(u16::try_from(filter.len()).unwrap().to_be_bytes());
    body.extend(filter);
    body.push(options);
    packet(first, &body)
}

/// A packet that ends in an empty property block where the version has them.
fn with_properties(version: u8, first: u8, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    if version == V5 {
        body.push(0);
    }
    packet(first, &body)
}
