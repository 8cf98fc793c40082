//! Modified UTF-8, Java's text in bytes: each UTF-16 unit for itself in one to three bytes.
//!
//! It differs from UTF-8 in two things: U+0000 is `C0 80`, and what lies beyond U+FFFF is a pair of
//! surrogates of three bytes each. Reading also takes plain UTF-8, which writers in other languages send.

use std::borrow::Cow;

use bytes::BufMut;

use crate::Malformed;

/// The text in `bytes`, borrowed where they are UTF-8 as they are. A surrogate without its other half
/// becomes U+FFFD, as Rust's text cannot hold it.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => {
            let (plain, rest) = bytes.split_at_checked(error.valid_up_to()).ok_or(Malformed::Text)?;
            let plain = std::str::from_utf8(plain).map_err(|_| Malformed::Text)?;
            let mut text = String::with_capacity(bytes.len());
            text.push_str(plain);
            match decode_rest(rest, &mut text) {
                Ok(()) => Ok(Cow::Owned(text)),
                Err(Broken(_)) => Err(Malformed::Text),
            }
        }
    }
}

/// The text in `bytes`, with U+FFFD for what is no modified UTF-8.
pub fn decode_lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = decode(bytes) {
        return text;
    }
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        match decode_rest(rest, &mut text) {
            Ok(()) => return Cow::Owned(text),
            Err(Broken(tail)) => rest = tail,
        }
    }
}

/// As much of modified UTF-8 as fits `max` bytes, whole units only.
pub fn prefix(bytes: &[u8], max: usize) -> &[u8] {
    if bytes.len() <= max {
        return bytes;
    }
    let back = (0..4.min(max)).find(|back| bytes.get(max - back).is_none_or(|byte| byte & 0xc0 != 0x80));
    bytes.get(..max - back.unwrap_or(0)).unwrap_or(bytes)
}

/// The modified UTF-8 of a text, borrowed where it is its UTF-8.
pub fn encode(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(differs) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(encoded_len(text));
    write(text, &mut out);
    Cow::Owned(out)
}

/// Appends the modified UTF-8 of a text, [`encoded_len`] bytes.
pub fn write(text: &str, out: &mut impl BufMut) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(differs) {
        let (plain, tail) = rest.split_at(at);
        out.put_slice(plain.as_bytes());
        let mut chars = tail.chars();
        match chars.next() {
            Some('\0') => out.put_slice(&[0xc0, 0x80]),
            Some(sign) => {
                for unit in sign.encode_utf16(&mut [0; 2]) {
                    out.put_slice(&three_bytes(*unit));
                }
            }
            None => {}
        }
        rest = chars.as_str();
    }
    out.put_slice(rest.as_bytes());
}

/// How many bytes the modified UTF-8 of a text has.
pub fn encoded_len(text: &str) -> usize {
    let more = |byte: u8| match byte {
        0 => 1,
        0xf0.. => 2,
        _ => 0,
    };
    text.len() + text.bytes().map(more).sum::<usize>()
}

/// How many UTF-16 units the text in `bytes` has, if they are modified UTF-8 or UTF-8.
pub fn units(bytes: &[u8]) -> usize {
    let of_byte = |byte: &u8| match byte {
        0x80..0xc0 => 0,
        0xf0.. => 2,
        _ => 1,
    };
    bytes.iter().map(of_byte).sum()
}

/// Whether a byte begins a character that is written otherwise than in UTF-8.
const fn differs(byte: u8) -> bool {
    byte == 0 || byte >= 0xf0
}

const fn three_bytes(unit: u16) -> [u8; 3] {
    [0xe0 | (unit >> 12) as u8, 0x80 | (unit >> 6) as u8 & 0x3f, 0x80 | unit as u8 & 0x3f]
}

/// What follows a byte that belongs to no character.
struct Broken<'a>(&'a [u8]);

/// Appends what the bytes say; at a byte of no character U+FFFD, and that is the end of it.
fn decode_rest<'a>(mut rest: &'a [u8], text: &mut String) -> Result<(), Broken<'a>> {
    // The first half of a pair whose second is to come.
    let mut high = None;
    while let Some((_, behind)) = rest.split_first() {
        let Some((sign, tail)) = next(rest) else {
            text.push(LONELY);
            return Err(Broken(behind));
        };
        rest = tail;
        if let (Some(high), Sign::Low(low)) = (high, &sign) {
            text.pop();
            text.extend(char::decode_utf16([high, *low]).map(|pair| pair.unwrap_or(LONELY)));
        } else {
            text.push(if let Sign::Char(sign) = sign { sign } else { LONELY });
        }
        high = if let Sign::High(unit) = sign { Some(unit) } else { None };
    }
    Ok(())
}

const LONELY: char = char::REPLACEMENT_CHARACTER;

enum Sign {
    Char(char),
    /// The first half of a pair.
    High(u16),
    /// The second half.
    Low(u16),
}

/// The first character, and what follows it.
fn next(bytes: &[u8]) -> Option<(Sign, &[u8])> {
    let bits = |byte: u8| (byte & 0xc0 == 0x80).then_some(u32::from(byte & 0x3f));
    let (value, rest) = match *bytes {
        [first @ ..0x80, ref rest @ ..] => (first.into(), rest),
        [first @ 0xc0..0xe0, second, ref rest @ ..] => (u32::from(first & 0x1f) << 6 | bits(second)?, rest),
        [first @ 0xe0..0xf0, second, third, ref rest @ ..] => {
            (u32::from(first & 0xf) << 12 | bits(second)? << 6 | bits(third)?, rest)
        }
        [first @ 0xf0..0xf8, second, third, fourth, ref rest @ ..] => {
            let value = u32::from(first & 7) << 18 | bits(second)? << 12 | bits(third)? << 6 | bits(fourth)?;
            (value, rest)
        }
        _ => return None,
    };
    let sign = match value {
        0xd800..0xdc00 => Sign::High(value as u16),
        0xdc00..0xe000 => Sign::Low(value as u16),
        _ => Sign::Char(char::from_u32(value)?),
    };
    Some((sign, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golden() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("hello", b"hello"),
            ("héllo € ", b"h\xc3\xa9llo \xe2\x82\xac "),
            ("\u{1f600} \0", b"\xed\xa0\xbd\xed\xb8\x80 \xc0\x80"),
            ("\u{10ffff}x", b"\xed\xaf\xbf\xed\xbf\xbfx"),
        ] {
            assert_eq!(encode(text), bytes, "{text:?}");
            assert_eq!(decode(bytes).unwrap(), text);
            assert_eq!(encoded_len(text), bytes.len());
            assert_eq!(units(bytes), text.encode_utf16().count());
        }
        assert!(matches!(decode("é€".as_bytes()), Ok(Cow::Borrowed(_))));
        assert!(matches!(encode("é€"), Cow::Borrowed(_)));
    }

    #[test]
    fn utf8_of_other_writers_is_read() {
        assert_eq!(decode("\u{1f600}\0".as_bytes()).unwrap(), "\u{1f600}\0");
        let mixed = [encode("\0\u{1f600}").as_ref(), "\u{1f601}".as_bytes()].concat();
        assert_eq!(decode(&mixed).unwrap(), "\0\u{1f600}\u{1f601}");
        assert_eq!(units(&mixed), 5);
    }

    #[test]
    fn halves_of_pairs_are_marked_and_what_is_no_text_is_refused() {
        for (bytes, text) in [
            (&b"a\xed\xa0\xbdb"[..], "a\u{fffd}b"),
            (b"\xed\xb8\x80", "\u{fffd}"),
            (b"\xed\xb8\x80\xed\xa0\xbd", "\u{fffd}\u{fffd}"),
            (b"\xed\xa0\xbd\xed\xa0\xbd\xed\xb8\x80", "\u{fffd}\u{1f600}"),
        ] {
            assert_eq!(decode(bytes).unwrap(), text);
        }
        for bytes in [
            &b"\x80"[..],
            b"\xc3",
            b"\xc3a",
            b"\xe2\x82",
            b"\xe2a\xac",
            b"\xf0\x9f\x98",
            b"\xf4\x90\x80\x80",
            b"\xff",
            b"\xf8\x80\x80\x80\x80",
        ] {
            assert_eq!(decode(bytes), Err(Malformed::Text), "{bytes:x?}");
            assert!(decode_lossy(bytes).contains(LONELY));
        }
        assert_eq!(
            decode_lossy(b"a\xff\xc0\x80\x80\xed\xa0\xbd\xed\xb8\x80"),
            "a\u{fffd}\0\u{fffd}\u{1f600}"
        );
    }

    #[test]
    fn a_prefix_ends_with_a_unit() {
        for (max, expected) in [(0, 0), (1, 1), (2, 1), (3, 3), (4, 3), (5, 3), (6, 6), (7, 6)] {
            assert_eq!(prefix("aé€xyz".as_bytes(), max).len(), if max == 7 { 7 } else { expected }, "{max}");
        }
        assert_eq!(prefix(b"abc", 3), b"abc");
    }

    proptest! {
        #[test]
        fn text_comes_back(text in "[\\x00a-zé€\u{1f600}\\PC]{0,40}") {
            let bytes = encode(&text);
            prop_assert_eq!(&*decode(&bytes).unwrap(), &*text);
            prop_assert_eq!(bytes.len(), encoded_len(&text));
            prop_assert_eq!(units(&bytes), text.encode_utf16().count());
            prop_assert!(!bytes.contains(&0) && bytes.iter().all(|byte| *byte < 0xf0));
        }

        #[test]
        fn anything_is_survived(bytes: Vec<u8>) {
            let strict = decode(&bytes);
            let lossy = decode_lossy(&bytes);
            prop_assert!(strict.is_err() || strict == Ok(lossy));
            for max in 0..bytes.len() {
                prop_assert!(prefix(&bytes, max).len() <= max);
            }
            let _ = units(&bytes);
        }

        #[test]
        fn every_unit_has_its_bytes(unit: u16) {
            let bytes = match unit {
                0 => vec![0xc0, 0x80],
                1..0x80 => vec![unit as u8],
                0x80..0x800 => vec![0xc0 | (unit >> 6) as u8, 0x80 | unit as u8 & 0x3f],
                _ => three_bytes(unit).to_vec(),
            };
            let expected = char::from_u32(unit.into()).unwrap_or(LONELY);
            prop_assert_eq!(decode(&bytes).unwrap(), expected.to_string());
        }
    }
}
