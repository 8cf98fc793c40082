//! Packets of the server, AUTH, and DISCONNECT.

use super::bytes::publish;
use super::case::{ALL, Before, Corpus, End, FIVE, STRICT};
use crate::support::mqtt::packet;

pub(super) fn add(corpus: &mut Corpus) {
    of_the_server(corpus);
    auth(corpus);
    reasons(corpus);
    after(corpus);
}

fn of_the_server(corpus: &mut Corpus) {
    for (name, bytes) in [
        ("CONNACK", &[0x20, 2, 0, 0][..]),
        ("CONNACK of MQTT 5", &[0x20, 3, 0, 0, 0]),
        ("SUBACK", &[0x90, 3, 0, 1, 0]),
        ("SUBACK of MQTT 5", &[0x90, 4, 0, 1, 0, 0]),
        ("UNSUBACK", &[0xB0, 2, 0, 1]),
        ("UNSUBACK of MQTT 5", &[0xB0, 4, 0, 1, 0, 0]),
        ("PINGRESP", &[0xD0, 0]),
        ("an empty CONNACK", &[0x20, 0]),
    ] {
        let bytes = |_| bytes.to_vec();
        corpus.connected(format!("{name} from a client"), ALL, bytes, End::Violation(0x82));
        let name = format!("{name} from a subscriber");
        corpus.add(name, STRICT, Before::Subscribed, bytes, End::Violation(0x82));
    }
}

fn auth(corpus: &mut Corpus) {
    let method = [0x15, 0, 1, b'm'];
    let of = |reason| move |_| packet(0xF0, &[&[reason, 4][..], &method].concat());
    corpus.connected("AUTH unasked", FIVE, of(0x18), End::Violation(0x82));
    corpus.connected("AUTH to authenticate again, unasked", FIVE, of(0x19), End::Violation(0x82));
    corpus.connected("AUTH of success from a client", FIVE, of(0), End::Violation(0x82));
    corpus.connected("AUTH of an unknown reason", FIVE, of(0x77), End::Violation(0x82));
    corpus.connected("an empty AUTH", FIVE, |_| vec![0xF0, 0], End::Violation(0x82));
    corpus.connected("AUTH without a method", FIVE, |_| vec![0xF0, 2, 0x18, 0], End::Violation(0x82));
    corpus.connected("AUTH without its properties", FIVE, |_| vec![0xF0, 1, 0x18], End::Violation(0x81));
}

fn reasons(corpus: &mut Corpus) {
    for code in
        [0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2]
    {
        let bytes = |_| vec![0xE0, 1, code];
        corpus.connected(
            format!("DISCONNECT of the server's {code:#04x}"),
            FIVE,
            bytes,
            End::Violation(0x82),
        );
    }
    for code in [0x01, 0x02, 0x10, 0x18, 0x84, 0x85, 0x88, 0x91, 0x92, 0xA3, 0xFF] {
        let bytes = |_| vec![0xE0, 1, code];
        corpus.connected(format!("DISCONNECT of no reason {code:#04x}"), FIVE, bytes, End::Violation(0x82));
    }
    for code in [0x00, 0x04, 0x80, 0x81, 0x82, 0x93, 0x99] {
        let bytes = |_| vec![0xE0, 1, code];
        corpus.connected(format!("DISCONNECT of {code:#04x}"), FIVE, bytes, End::Closed);
    }
    let raise = |_| packet(0xE0, &[0, 5, 0x11, 0, 0, 0, 60]);
    corpus.connected("a session raised from the dead", FIVE, raise, End::Violation(0x82));
    corpus.add("a session that is to stay longer", FIVE, Before::Persistent, raise, End::Closed);
    let long = |_| packet(0xE0, &[0, 9, 0x11, 0, 0, 0, 60]);
    corpus.connected("DISCONNECT with properties that are not there", FIVE, long, End::Violation(0x81));
    let behind = |_| packet(0xE0, &[0, 0, 0]);
    corpus.connected("DISCONNECT with a byte behind its end", FIVE, behind, End::Violation(0x81));
}

fn after(corpus: &mut Corpus) {
    let publish = |version| [vec![0xE0, 0], publish(version, 0x32, b"hostile/late", Some(9), &[])].concat();
    corpus.connected("PUBLISH after DISCONNECT", ALL, publish, End::Closed);
    corpus.connected("PINGREQ after DISCONNECT", ALL, |_| vec![0xE0, 0, 0xC0, 0], End::Closed);
    corpus.connected("noise after DISCONNECT", ALL, |_| vec![0xE0, 0, 0, 0, 0xFF, 0xFF, 0xFF], End::Closed);
    corpus.connected("DISCONNECT twice", ALL, |_| vec![0xE0, 0, 0xE0, 0], End::Closed);
    corpus.add("a reset inside an exchange", ALL, Before::Publishing, |_| vec![0x62, 2, 0], End::Reset);
    corpus.add("a reset with a message open", ALL, Before::Receiving, |_| vec![0x50], End::Reset);
}
