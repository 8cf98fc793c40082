//! Other protocols, and noise.

use super::case::{ALL, Before, Corpus, End, FIVE};
use crate::support::mqtt::packet;

const OTHERS: [(&str, &[u8]); 16] = [
    ("HTTP GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("HTTP POST", b"POST /mqtt HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a TLS hello", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
    ("an SSL 2 hello", b"\x80\x2E\x01\x03\x01\x00\x15\x00\x00\x00\x10"),
    ("STOMP", b"CONNECT\naccept-version:1.2\nhost:/\n\n\0"),
    ("STOMP 1.1", b"STOMP\naccept-version:1.1\nhost:/\n\n\0"),
    ("AMQP 0-9-1", b"AMQP\x00\x00\x09\x01"),
    ("AMQP 1.0", b"AMQP\x00\x01\x00\x00"),
    ("SMB", b"\x00\x00\x00\x85\xFFSMBr\x00\x00\x00\x00\x18\x53\xC8"),
    ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
    ("Redis", b"*1\r\n$4\r\nPING\r\n"),
    ("PostgreSQL", b"\x00\x00\x00\x08\x04\xD2\x16\x2F"),
    ("OpenWire", b"\x00\x00\x00\x14\x01ActiveMQ\x00\x00\x00\x0C"),
    ("FTP", b"USER anonymous\r\n"),
    ("DNS", b"\x00\x1C\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00"),
];

pub(super) fn add(corpus: &mut Corpus) {
    for (name, bytes) in OTHERS {
        corpus.first(format!("{name} instead of CONNECT"), FIVE, |_| bytes.to_vec(), End::Closed);
        corpus.connected(format!("{name} after CONNECT"), FIVE, |_| bytes.to_vec(), End::Any);
    }
    before_connect(corpus);
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    for round in 0..40 {
        let mut bytes = noise.bytes(100);
        corpus.connected(format!("noise {round} after CONNECT"), ALL, |_| bytes.clone(), End::Any);
        corpus.add(
            format!("noise {round} in a kept session"),
            FIVE,
            Before::Persistent,
            |_| bytes.clone(),
            End::Any,
        );
        // Whatever begins with CONNECT may wait for the rest of it.
        bytes[0] = if bytes[0] >> 4 == 1 { 0 } else { bytes[0] };
        corpus.first(format!("noise {round} instead of CONNECT"), FIVE, |_| bytes.clone(), End::Closed);
        let framed = packet([0x30, 0x32, 0x34, 0x40, 0x62, 0x82, 0xA2, 0xE0, 0xF0, 0x10][round % 10], &bytes);
        corpus.connected(format!("a packet of noise {round}"), ALL, |_| framed.clone(), End::Any);
    }
}

fn before_connect(corpus: &mut Corpus) {
    for (name, bytes) in [
        ("PUBLISH", &[0x30, 4, 0, 1, b'a', 0][..]),
        ("SUBSCRIBE", &[0x82, 6, 0, 1, 0, 1, b'a', 0]),
        ("UNSUBSCRIBE", &[0xA2, 5, 0, 1, 0, 1, b'a']),
        ("PINGREQ", &[0xC0, 0]),
        ("PUBACK", &[0x40, 2, 0, 1]),
        ("PUBREL", &[0x62, 2, 0, 1]),
        ("DISCONNECT", &[0xE0, 0]),
        ("AUTH", &[0xF0, 2, 0x18, 0]),
        ("CONNACK", &[0x20, 2, 0, 0]),
        ("type 0", &[0, 0]),
        ("0xFF", &[0xFF; 16]),
    ] {
        corpus.first(format!("{name} before CONNECT"), ALL, |_| bytes.to_vec(), End::Closed);
    }
    for (name, bytes) in [
        ("a CONNECT of 256 MiB", &[0x10, 0xFF, 0xFF, 0xFF, 0x7F][..]),
        ("a CONNECT with a length of five bytes", &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
        ("an empty CONNECT", &[0x10, 0]),
        ("a CONNECT of a name alone", &[0x10, 6, 0, 4, b'M', b'Q', b'T', b'T']),
    ] {
        corpus.first(name, ALL, |_| bytes.to_vec(), End::Closed);
    }
}

/// Numbers that are the same in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let next = |_| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()[3]
        };
        (0..len).map(next).collect()
    }
}
