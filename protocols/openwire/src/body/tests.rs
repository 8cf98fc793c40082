#![allow(clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::inflate::{deflate, inflate};
use crate::primitive::{RawText, Value};

fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    digits.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Contents of the reference implementation, the same in all versions, and the same compressed.
const MAP: &str = "0000000b0002737409000673696562656e000262730a00000002080900016201010001630320ac000173\
    04000200016407401800000000000000036e756c000001660840a00000000262790201000169050000000300016c060000000000000004";
const STREAM: &str = "0101020103007804000205000000030600000000000000040840a00000074018000000000000\
    09000673696562656e0a00000002080900";
const BYTES: &str = "01010078000200000003000000000000000440a000004018000000000000000773696562c3a96e0809";
const PACKED_TEXTS: [(&str, &str); 3] = [
    ("789c63606060cd48cdc9c90700064e021a", "hello"),
    ("789c63606060000000040001", ""),
    ("789c63606010c938bc3227275fe151d31a85b70bf6beddd1a070a0010074a00b4f", "héllo € \u{1f600} \0"),
];
const PACKED_BYTES: &str = "00000029789c636464a86060626060606680001687050c0c0e12501e7b71666ad2e195791c9c0ca36014\
    8c82e10800c2370551";
const PACKED_MAP: &str = "789c2dca410e40301400d1f9bf54cb052c1da567299534119bb2701b07704884d9ce03\
    3ab46c1e5b728a6945636901751e8922c868860b29158a4c4de8f932ebbe80cc2e9c2f8f873e36d7ef4116fbabea068eda0bae";
const PACKED_STREAM: &str = "789c636464626466a8606160626560606066638000160e87050c0cec0e12102e27035b71666a526a1e1790c3c4\
    c1c900005e5f0482";
const MOST: usize = 1 << 20;

#[test]
fn golden_text() {
    for (content, expected) in [
        ("0000000568656c6c6f", Some("hello")),
        ("00000000", Some("")),
        ("", None),
        ("ffffffff", None),
        ("0000001468c3a96c6c6f20e282ac20eda0bdedb88020c080", Some("héllo € \u{1f600} \0")),
    ] {
        let content = unhex(content);
        let found = text(&content).unwrap().map(|text| text.decode().unwrap());
        assert_eq!(found.as_deref(), expected);
        if let Some(expected) = expected {
            let mut out = BytesMut::new();
            write_text(expected, &mut out);
            assert_eq!(out, content);
        }
    }
    assert_eq!(text(b"\0\0\0\x06hello"), Err(Malformed::Truncated));
    assert_eq!(text(b"\x7f\xff\xff\xffhello"), Err(Malformed::Truncated));
    assert_eq!(text(b"\x80\0\0\0hello"), Err(Malformed::Negative));
    assert_eq!(text(b"\0\0"), Err(Malformed::Truncated));
}

#[test]
fn golden_values() {
    let content = unhex(MAP);
    let found = map(&content).unwrap().unwrap();
    assert_eq!(found.len(), 11);
    for (name, value) in [
        ("st", Value::Text(RawText(b"sieben"))),
        ("bs", Value::Bytes(b"\x08\x09")),
        ("b", Value::Bool(true)),
        ("c", Value::Char(0x20ac)),
        ("s", Value::Short(2)),
        ("d", Value::Double(6.0)),
        ("nul", Value::Null),
        ("f", Value::Float(5.0)),
        ("by", Value::Byte(1)),
        ("i", Value::Int(3)),
        ("l", Value::Long(4)),
    ] {
        assert_eq!(found.get(name), Ok(Some(value)), "{name}");
    }
    assert_eq!(map(b""), Ok(None));

    let content = unhex(STREAM);
    let mut reader = stream(&content);
    let mut found = Vec::new();
    while !reader.is_empty() {
        found.push(reader.value().unwrap());
    }
    assert_eq!(
        found,
        [
            Value::Bool(true),
            Value::Byte(1),
            Value::Char(120),
            Value::Short(2),
            Value::Int(3),
            Value::Long(4),
            Value::Float(5.0),
            Value::Double(6.0),
            Value::Text(RawText(b"sieben")),
            Value::Bytes(b"\x08\x09"),
            Value::Null,
        ]
    );
}

#[test]
fn golden_compressed_contents() {
    for (content, expected) in PACKED_TEXTS {
        let content = inflated(MessageKind::Text, &unhex(content), MOST).unwrap();
        assert_eq!(text(&content).unwrap().unwrap().decode().unwrap(), expected);
    }
    assert_eq!(inflated(MessageKind::Bytes, &unhex(PACKED_BYTES), MOST).unwrap(), unhex(BYTES));
    assert_eq!(
        map(&inflated(MessageKind::Map, &unhex(PACKED_MAP), MOST).unwrap()).unwrap().unwrap().len(),
        11
    );
    assert_eq!(inflated(MessageKind::Stream, &unhex(PACKED_STREAM), MOST).unwrap(), unhex(STREAM));
}

#[test]
fn every_truncation_of_a_stream_is_an_error() {
    for (kind, content) in [
        (MessageKind::Bytes, PACKED_BYTES),
        (MessageKind::Map, PACKED_MAP),
        (MessageKind::Text, "789c63606060cd48cdc9c90700064e021a"),
    ] {
        let content = unhex(content);
        // Of bytes only those that count are read.
        let needed = if kind == MessageKind::Bytes { content.len() - 14 } else { content.len() };
        for len in 0..needed {
            assert!(inflated(kind, &content[..len], MOST).is_err(), "{kind:?} {len}");
        }
    }
}

#[test]
fn a_bomb_stops_at_the_bound() {
    let bomb = deflate(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000);
    assert_eq!(inflate(&bomb, MOST), Err(Malformed::TooLarge));
    assert_eq!(inflate(&bomb, 0), Err(Malformed::TooLarge));
    for len in [0, 1, 4_095, 4_096, 4_097, 8_192, 10_000, MOST] {
        let packed = deflate(&vec![7; len]);
        assert_eq!(inflate(&packed, len).unwrap().len(), len);
        if len > 0 {
            assert_eq!(inflate(&packed, len - 1), Err(Malformed::TooLarge), "{len}");
        }
    }
}

#[test]
fn the_length_of_compressed_bytes_is_held_to() {
    let packed = |len: u32| [&len.to_be_bytes(), &*deflate(b"12345")].concat();
    let read = |len: u32, most| inflated(MessageKind::Bytes, &packed(len), most);
    assert_eq!(read(5, 5).unwrap().as_ref(), b"12345");
    assert_eq!(read(5, 4), Err(Malformed::TooLarge));
    assert_eq!(read(4, MOST).unwrap().as_ref(), b"1234", "what lies behind them is none of them");
    assert_eq!(read(0, MOST).unwrap().as_ref(), b"");
    assert_eq!(read(6, MOST), Err(Malformed::Compression));
    assert_eq!(read(0x7fff_ffff, MOST), Err(Malformed::TooLarge));
    assert_eq!(read(0x7fff_ffff, usize::MAX), Err(Malformed::Compression));
    assert_eq!(read(0x8000_0000, MOST), Err(Malformed::Negative));
    assert_eq!(inflated(MessageKind::Bytes, b"\0\0\0", MOST), Err(Malformed::Truncated));
    assert_eq!(inflated(MessageKind::Text, b"no zlib stream", MOST), Err(Malformed::Compression));
    let mut broken = deflate(b"12345");
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(inflated(MessageKind::Text, &broken, MOST), Err(Malformed::Compression), "its checksum");
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(bytes: Vec<u8>, times in 1usize..400) {
        let bytes = bytes.repeat(times);
        let packed = deflate(&bytes);
        prop_assert_eq!(inflate(&packed, bytes.len()).unwrap(), &bytes);
        let len = (bytes.len() as u32).to_be_bytes();
        let packed = [&len, &*packed].concat();
        prop_assert_eq!(inflated(MessageKind::Bytes, &packed, MOST).unwrap(), bytes);
    }

    #[test]
    fn anything_is_survived(content: Vec<u8>, at in 0usize..100, byte: u8) {
        for kind in [MessageKind::Text, MessageKind::Bytes] {
            let _ = inflated(kind, &content, MOST);
            let mut packed = unhex(PACKED_MAP);
            if let Some(place) = packed.get_mut(at) {
                *place = byte;
            }
            let _ = inflated(kind, &packed, MOST);
        }
        let _ = (text(&content), map(&content));
    }
}
