//! Modified UTF-8, as Java writes strings.

use std::borrow::Cow;

/// The characters of modified UTF-8. Plain UTF-8 is taken as well; what is neither becomes U+FFFD.
pub(crate) fn decode_lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let (unit, len) = match (first, tail) {
            (..0x80, _) => (u32::from(first), 1),
            (0xc0..0xe0, [b, ..]) => (u32::from(first & 0x1f) << 6 | u32::from(b & 0x3f), 2),
            (0xe0..0xf0, [b, c, ..]) => {
                (u32::from(first & 0xf) << 12 | u32::from(b & 0x3f) << 6 | u32::from(c & 0x3f), 3)
            }
            _ => (0xfffd, 1),
        };
        units.push(unit as u16);
        rest = rest.get(len..).unwrap_or_default();
    }
    Cow::Owned(String::from_utf16_lossy(&units))
}

/// Text in modified UTF-8.
pub(crate) fn encode(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|byte| byte == 0 || byte >= 0xf0) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    for unit in text.encode_utf16() {
        match unit {
            1..0x80 => out.push(unit as u8),
            0 | 0x80..0x800 => out.extend([0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]),
            _ => out.extend([
                0xe0 | (unit >> 12) as u8,
                0x80 | (unit >> 6 & 0x3f) as u8,
                0x80 | (unit & 0x3f) as u8,
            ]),
        }
    }
    Cow::Owned(out)
}

/// As much of modified UTF-8 as fits `max` bytes, whole characters only.
pub(crate) fn prefix(bytes: &[u8], max: usize) -> &[u8] {
    let Some(cut) = bytes.get(..max) else { return bytes };
    if bytes.len() == max {
        return bytes;
    }
    let back = (0..4.min(max)).find(|back| bytes.get(max - back).is_none_or(|byte| byte & 0xc0 != 0x80));
    cut.get(..max - back.unwrap_or(0)).unwrap_or(cut)
}
