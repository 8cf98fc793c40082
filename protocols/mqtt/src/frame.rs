//! The fixed header: how long a packet is, before the packet is there (section 2.1).

use crate::Error;
use core::ops::Range;

/// The largest remaining length and the largest variable byte integer (1.5.5).
pub const MAX_VAR_INT: u32 = 268_435_455;

/// Extent of a packet, from its fixed header alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Packet type and flags.
    pub first: u8,
    /// Bytes of the fixed header: 2 to 5.
    pub header_len: u8,
    /// Bytes of the whole packet, fixed header included.
    pub total_len: u32,
}

impl FrameHead {
    /// The packet type, 0 to 15.
    #[must_use]
    pub const fn packet_type(self) -> u8 {
        self.first >> 4
    }

    /// Whether the remaining length is written in as few bytes as possible, as MQTT 5 demands.
    pub(crate) const fn is_minimal(self) -> bool {
        self.header_len == 2
            || var_int_len(self.total_len - self.header_len as u32) + 1 == self.header_len as usize
    }
}

/// Reads the fixed header at the start of `input`; `Ok(None)` if it is not complete yet.
///
/// The whole packet (not the remaining length) is compared to `max_packet`, in bytes, so a peer that
/// claims more is refused before anything is buffered for it.
///
/// # Errors
/// [`Error::PacketTooLarge`] and [`Error::RemainingLengthTooLong`].
#[inline]
pub fn frame(input: &[u8], max_packet: u32) -> Result<Option<FrameHead>, Error> {
    let &[first, length, ref more @ ..] = input else { return Ok(None) };
    let (remaining, header_len) = if length < 0x80 {
        (u32::from(length), 2)
    } else {
        match long_length(length, more)? {
            Some(found) => found,
            None => return Ok(None),
        }
    };
    let total_len = remaining + u32::from(header_len);
    if total_len > max_packet {
        return Err(Error::PacketTooLarge);
    }
    Ok(Some(FrameHead { first, header_len, total_len }))
}

/// Where `part`, a slice of `base`, lies in it: for slicing a shared buffer by what was decoded from it.
///
/// A part that does not lie in `base` gives an empty range at 0.
#[inline]
#[must_use]
pub fn offset_in(base: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(base.as_ptr() as usize);
    match start.checked_add(part.len()) {
        Some(end) if end <= base.len() => start..end,
        _ => 0..0,
    }
}

/// Bytes of `value` as a variable byte integer: 1 to 4.
#[inline]
#[must_use]
pub const fn var_int_len(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// A remaining length of two to four bytes: its value and the length of the fixed header.
fn long_length(first: u8, more: &[u8]) -> Result<Option<(u32, u8)>, Error> {
    let mut value = u32::from(first & 0x7F);
    for (header_len, shift) in [(3, 7), (4, 14), (5, 21)] {
        let Some(&byte) = more.get(header_len as usize - 3) else { return Ok(None) };
        value |= u32::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(Some((value, header_len)));
        }
    }
    Err(Error::RemainingLengthTooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_counts_the_whole_packet_to_the_byte() {
        let input = [0x30, 0x80, 0x01];
        let head = FrameHead { first: 0x30, header_len: 3, total_len: 131 };
        assert_eq!(frame(&input, 131), Ok(Some(head)));
        assert_eq!(frame(&input, 130), Err(Error::PacketTooLarge));
    }

    #[test]
    fn incomplete_header_is_no_error() {
        for input in [&[][..], &[0x30], &[0x30, 0xFF], &[0x30, 0xFF, 0xFF], &[0x30, 0xFF, 0xFF, 0xFF]] {
            assert_eq!(frame(input, 10), Ok(None));
        }
    }

    #[test]
    fn largest_length_and_one_byte_too_many() {
        let largest = [0x30, 0xFF, 0xFF, 0xFF, 0x7F];
        let head = frame(&largest, u32::MAX).unwrap().unwrap();
        assert_eq!(head.total_len, MAX_VAR_INT + 5);
        assert_eq!(frame(&[0x30, 0xFF, 0xFF, 0xFF, 0x80], u32::MAX), Err(Error::RemainingLengthTooLong));
    }

    #[test]
    fn minimal_is_told_from_padded() {
        assert!(frame(&[0x30, 0x00], 10).unwrap().unwrap().is_minimal());
        assert!(!frame(&[0x30, 0x80, 0x00], 10).unwrap().unwrap().is_minimal());
        assert!(frame(&[0x30, 0x80, 0x01], 200).unwrap().unwrap().is_minimal());
        assert!(!frame(&[0x30, 0xFF, 0x80, 0x00], 200).unwrap().unwrap().is_minimal());
    }

    #[test]
    fn offset_of_a_part() {
        let base = [1, 2, 3, 4];
        assert_eq!(offset_in(&base, &base[1..3]), 1..3);
        assert_eq!(offset_in(&base, &base[4..]), 4..4);
        assert_eq!(offset_in(&base[1..], &base[..1]), 0..0);
    }
}
