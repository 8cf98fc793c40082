//! Properties over arbitrary headers, bodies and bytes.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use wharfmq_stomp::{
    Command, Decoded, Encoder, Limits, Scan, Version, decode, encode_connected, headers, reescape, strip,
};

use crate::common::*;

/// Text thick with what the wire gives a meaning to.
fn text(min: usize) -> impl Strategy<Value = String> {
    let char = prop_oneof![
        Just('\n'),
        Just('\r'),
        Just(':'),
        Just('\\'),
        Just('c'),
        Just('n'),
        Just('r'),
        Just(' '),
        Just('é'),
        any::<char>().prop_filter("no version can say NUL", |&c| c != '\0'),
    ];
    vec(char, min..12).prop_map(String::from_iter)
}

fn header_list() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((text(1), text(0)), 0..6)
        .prop_map(|list| list.into_iter().filter(|(name, _)| name != "content-length").collect())
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(V10), Just(V11), Just(V12)]
}

/// What comes back of a text that version cannot say: line breaks are question marks in 1.0, and
/// the spaces around it are lost.
fn sayable(text: &str, version: Version, colon: char) -> String {
    match version {
        V10 => {
            text.replace(['\n', '\r'], "?").replace(':', &colon.to_string()).trim_matches([' ', '\t']).into()
        }
        _ => text.into(),
    }
}

fn write(list: &[(String, String)], version: Version, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    list.iter()
        .fold(Encoder::new(&mut out, Command::Send, version), |frame, (name, value)| {
            frame.header(name, value)
        })
        .body(body);
    out
}

proptest! {
    #[test]
    fn round_trip(list in header_list(), body in vec(any::<u8>(), 0..40), version in version()) {
        let expected: Vec<_> = list
            .iter()
            .map(|(name, value)| (sayable(name, version, '?'), sayable(value, version, ':')))
            .collect();
        prop_assume!(expected.iter().all(|(name, _)| !name.is_empty() && name != "content-length"));
        let out = write(&list, version, &body);
        let frame = frame(&out, version);
        prop_assert_eq!(frame.consumed(), out.len());
        prop_assert_eq!(frame.body(), &body[..]);
        let mut found = pairs(&frame).unwrap();
        prop_assert_eq!(found.pop(), Some(("content-length".to_owned(), body.len().to_string())));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn round_trip_through_another_version(list in header_list()) {
        // 1.1 and 1.2 can say the same things, so what passes from one to the other comes back whole.
        let out = write(&list, V12, b"");
        let (mut other, mut back) = (BytesMut::new(), BytesMut::new());
        let head = frame(&out, V12).head().as_bytes();
        reescape(head, V12, V11, &mut other).unwrap();
        reescape(&other, V11, V12, &mut back).unwrap();
        prop_assert_eq!(&back[..], head);
    }

    #[test]
    fn no_value_adds_a_header(name in text(1), value in text(0), version in version()) {
        let mut out = BytesMut::new();
        Encoder::new(&mut out, Command::Receipt, version).header(&name, &value).end();
        prop_assert_eq!(frame(&out, version).headers().count(), 1);
        out.clear();
        encode_connected(&mut out, version, &value, &name, None);
        prop_assert_eq!(frame(&out, version).headers().count(), 3);
    }

    #[test]
    fn prefixes_are_incomplete(list in header_list(), body in vec(any::<u8>(), 0..20), version in version()) {
        let out = write(&list, version, &body);
        let mut scan = Scan::default();
        for end in 0..out.len() {
            let decoded = decode(&out[..end], &mut scan, &Limits::DEFAULT, version);
            let waits = matches!(decoded, Ok(Decoded::Incomplete { .. }));
            prop_assert!(waits);
        }
        let decoded = decode(&out, &mut scan, &Limits::DEFAULT, version);
        prop_assert!(matches!(decoded, Ok(Decoded::Frame(frame)) if frame.consumed() == out.len()));
    }

    #[test]
    fn strip_keeps_exactly_the_others(list in header_list(), pick in any::<prop::sample::Index>()) {
        prop_assume!(!list.is_empty());
        let out = write(&list, V12, b"");
        let name = list[pick.index(list.len())].0.as_str();
        let mut kept = BytesMut::new();
        strip(frame(&out, V12).head().as_bytes(), V12, &[name, "content-length"], &mut kept).unwrap();
        let found: Vec<_> = headers(&kept, V12).map(|h| h.map(|h| h.name.into_owned()).unwrap()).collect();
        let expected: Vec<_> = list.iter().map(|(name, _)| name.clone()).filter(|other| other != name).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn garbage_never_panics(bytes in vec(any::<u8>(), 0..200), version in version()) {
        survives(&bytes, version);
    }

    #[test]
    fn near_frames_never_panic(
        parts in vec(prop::sample::select(vec![
            "SEND", "CONNECT", "ACK", "\n", "\r\n", "\r", "\0", ":", "\\", "\\c", "\\x", "a", "é", " ",
            "content-length:", "content-length:3", "-", "1", "4294967296",
        ]), 0..20),
        version in version(),
    ) {
        survives(parts.concat().as_bytes(), version);
    }

    #[test]
    fn pieces_find_what_the_whole_finds(
        parts in vec(prop::sample::select(vec!["SEND\n", "\n", "\0", "a:b\n", "content-length:2\n", "\r\n", "xx"]), 0..12),
        cut in any::<prop::sample::Index>(),
        version in version(),
    ) {
        let input = parts.concat().into_bytes();
        let mut scan = Scan::default();
        let cut = cut.index(input.len() + 1);
        let first = decode(&input[..cut], &mut scan, &Limits::DEFAULT, version);
        prop_assume!(matches!(first, Ok(Decoded::Incomplete { .. })));
        let resumed = decode(&input, &mut scan, &Limits::DEFAULT, version);
        prop_assert_eq!(format!("{resumed:?}"), format!("{:?}", try_decode(&input, version)));
    }
}

fn survives(mut bytes: &[u8], version: Version) {
    let limits = Limits { frame: 100, head: 50, headers: 4, line: 30 };
    let _ = headers(bytes, version).count();
    loop {
        let used = match decode(bytes, &mut Scan::default(), &limits, version) {
            Ok(Decoded::Frame(frame)) => {
                let _ = frame.headers().count();
                let _ = frame.get("a");
                assert!(frame.body_range().end < frame.consumed() && frame.consumed() <= limits.frame);
                frame.consumed()
            }
            Ok(Decoded::HeartBeat(used)) => used,
            Ok(Decoded::Incomplete { .. }) | Err(_) => return,
        };
        assert!(used > 0);
        bytes = &bytes[used..];
    }
}
