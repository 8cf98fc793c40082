//! Walking through the bytes of a segment that may end anywhere.

use std::ops::Range;

use wharfmq_base::{Location, Lsn};

use crate::frames::{ALIGN, FRAME_HEAD, FrameHeader, Record, Salt};

use super::header::SEGMENT_HEAD;

/// Where the intact batches of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The place behind the last whole batch.
    pub(super) at: usize,
    /// The number that the next batch would have.
    pub(super) next: Lsn,
}

/// Finds the next whole batch at `from`, with number `lsn`.
pub(super) fn batch(bytes: &[u8], from: usize, lsn: Lsn, salt: &Salt) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let header = FrameHeader::decode(bytes, at, salt)?;
        let body = header.body(bytes, at)?;
        if header.lsn != lsn || header.is_first() != (at == from) || !header.fits(body) {
            return None;
        }
        at += header.stride();
        if header.is_last() {
            return Some(from..at);
        }
    }
}

/// Calls `visit` with every whole batch from the start of the segment on, the first being `first`.
pub(super) fn batches<E>(
    bytes: &[u8],
    first: Lsn,
    salt: &Salt,
    mut visit: impl FnMut(Lsn, Range<usize>) -> Result<(), E>,
) -> Result<End, E> {
    let mut end = End { at: SEGMENT_HEAD as usize, next: first };
    while let Some(range) = batch(bytes, end.at, end.next, salt) {
        end.at = range.end;
        visit(end.next, range)?;
        end.next.0 += 1;
    }
    Ok(end)
}

/// Calls `visit` with every record of the frames in `range`, which are verified. False: there is
/// something else than records in one, at that place.
pub(super) fn records<E>(
    bytes: &[u8],
    range: Range<usize>,
    segment: u32,
    mut visit: impl FnMut(Location, Record<'_>) -> Result<(), E>,
) -> Result<bool, E> {
    let mut at = range.start;
    while at < range.end {
        let Some(header) = FrameHeader::claimed(bytes, at) else { return Ok(false) };
        let Some(body) = header.body(bytes, at) else { return Ok(false) };
        let mut place = 0;
        for _ in 0..header.count {
            let (Some(record), Ok(frame), Ok(offset)) =
                (Record::at(body, place), u32::try_from(at), u16::try_from(place))
            else {
                return Ok(false);
            };
            visit(Location { segment, frame, record: offset }, record)?;
            place = record.end();
        }
        at += header.stride();
    }
    Ok(true)
}

/// What lies behind the last whole batch of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remains {
    /// The end of the last bytes that look as if this segment's writer had left them.
    pub(super) end: usize,
    /// The highest batch that any of them says was durable when it was written.
    pub(super) durable: Lsn,
}

/// Looks for frames of this segment behind `end`. Their headers are verified with the segment's
/// salt, which no sender of messages knows, so that no payload can pose as one.
pub(super) fn remains(bytes: &[u8], end: End, salt: &Salt) -> Remains {
    let mut found = Remains { end: end.at, durable: Lsn(0) };
    if let Some(claimed) = FrameHeader::claimed(bytes, end.at).filter(|header| header.lsn == end.next) {
        found.end = (end.at + claimed.stride()).min(bytes.len());
    }
    let mut at = end.at;
    while at + FRAME_HEAD <= bytes.len() {
        if let Some(header) = FrameHeader::decode(bytes, at, salt) {
            found.durable = found.durable.max(header.durable);
            at = (at + header.stride()).min(bytes.len());
            found.end = found.end.max(at);
        } else {
            at += ALIGN;
        }
    }
    found
}
