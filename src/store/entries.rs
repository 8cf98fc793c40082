//! Index entries in a row: frame u32, record u16, length u16, entry; little-endian.

use wharfmq_base::Location;

use crate::frames::{u16_at, u32_at};

/// Bytes of an entry's place and length, before the entry itself.
const HEAD: usize = 8;

/// Adds one entry.
pub(crate) fn add(index: &mut Vec<u8>, frame: u32, record: u16, entry: &[u8]) {
    index.reserve(HEAD + entry.len());
    index.extend_from_slice(&frame.to_le_bytes());
    index.extend_from_slice(&record.to_le_bytes());
    index.extend_from_slice(&(entry.len() as u16).to_le_bytes());
    index.extend_from_slice(entry);
}

/// Adds the entries `more`, whose frames are counted from `base`.
pub(crate) fn append(index: &mut Vec<u8>, more: &[u8], base: u32) {
    let mut at = index.len();
    index.extend_from_slice(more);
    while at < index.len() {
        let frame = u32_at(index, at) + base;
        if let Some(place) = index.get_mut(at..at + 4) {
            place.copy_from_slice(&frame.to_le_bytes());
        }
        at += HEAD + usize::from(u16_at(index, at + 6));
    }
}

/// Goes through the entries in the order of the log.
pub(crate) struct Entries<'a> {
    segment: u32,
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    pub(crate) const fn of(segment: u32, bytes: &'a [u8]) -> Self {
        Self { segment, bytes }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Location, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.bytes.split_at_checked(HEAD)?;
        let at = Location { segment: self.segment, frame: u32_at(head, 0), record: u16_at(head, 4) };
        let (entry, rest) = rest.split_at_checked(u16_at(head, 6).into())?;
        self.bytes = rest;
        Some((at, entry))
    }
}
