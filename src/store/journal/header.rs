//! The header of a segment, and the names of files.

use std::hash::{BuildHasher, RandomState};

use wharfmq_base::Lsn;

use crate::frames::{Salt, array_at, u32_at, u64_at};

/// Version of the format that this program writes.
pub(crate) const VERSION: u32 = 1;
/// Where the first frame of a segment begins.
pub(crate) const SEGMENT_HEAD: u32 = 4096;
/// Where the second copy of the header stands: in another sector.
const SECOND_COPY: usize = 2048;
const MAGIC: [u8; 8] = *b"WharfSeg";
const SIZE: usize = 64;

/// What a segment says of itself.
#[derive(Clone, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u32,
    pub(crate) epoch: u64,
    pub(crate) first: Lsn,
    pub(crate) key: u32,
    pub(crate) salt: [u8; 16],
}

impl SegmentHeader {
    /// The whole head of a segment: two copies in 4,096 bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut one = [0; SIZE];
        one[..8].copy_from_slice(&MAGIC);
        one[8..12].copy_from_slice(&VERSION.to_le_bytes());
        one[12..16].copy_from_slice(&self.number.to_le_bytes());
        one[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        one[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        one[32..36].copy_from_slice(&self.key.to_le_bytes());
        one[40..56].copy_from_slice(&self.salt);
        let crc = crc32fast::hash(&one[..60]);
        one[60..].copy_from_slice(&crc.to_le_bytes());
        let mut head = vec![0; SEGMENT_HEAD as usize];
        head[..SIZE].copy_from_slice(&one);
        head[SECOND_COPY..SECOND_COPY + SIZE].copy_from_slice(&one);
        head
    }

    /// Reads the head of segment `number`. `Ok(None)`: it was never written, or only in part.
    /// `Err`: it was, by a program of that later version.
    pub(crate) fn decode(head: &[u8], number: u32) -> Result<Option<Self>, u32> {
        let copies = [head.get(..SIZE), head.get(SECOND_COPY..SECOND_COPY + SIZE)];
        for copy in copies.into_iter().flatten() {
            let intact = copy.starts_with(&MAGIC) && u32_at(copy, 60) == crc32fast::hash(&copy[..60]);
            if !intact || u32_at(copy, 12) != number {
                continue;
            }
            if u32_at(copy, 8) != VERSION {
                return Err(u32_at(copy, 8));
            }
            return Ok(Some(Self {
                number,
                epoch: u64_at(copy, 16),
                first: Lsn(u64_at(copy, 24)),
                key: u32_at(copy, 32),
                salt: array_at(copy, 40),
            }));
        }
        Ok(None)
    }
}

/// Sixteen bytes that no earlier segment had. They separate the segments' checksums; they are no secret.
pub(crate) fn fresh_salt() -> Salt {
    // The standard library seeds every `RandomState` from the operating system.
    let half = |n: u8| RandomState::new().hash_one(n).to_le_bytes();
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&half(0));
    salt[8..].copy_from_slice(&half(1));
    Salt::new(salt)
}

/// What a file in the journal's directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Segment(u32),
    Index(u32),
    Spare(u32),
    Checkpoint(u32),
    Cut(u32),
    Unfinished,
    Other,
}

impl Name {
    pub(crate) fn parse(name: &str) -> Self {
        let Some((stem, kind)) = name.rsplit_once('.') else { return Self::Other };
        if kind == "tmp" {
            return Self::Unfinished;
        }
        let digits = stem.len() == 10 && stem.bytes().all(|digit| digit.is_ascii_digit());
        let Some(number) = digits.then(|| stem.parse().ok()).flatten() else { return Self::Other };
        match kind {
            "segment" => Self::Segment(number),
            "index" => Self::Index(number),
            "spare" => Self::Spare(number),
            "checkpoint" => Self::Checkpoint(number),
            "cut" => Self::Cut(number),
            _ => Self::Other,
        }
    }
}

pub(crate) fn segment_name(number: u32) -> String {
    format!("{number:010}.segment")
}

pub(crate) fn index_name(number: u32) -> String {
    format!("{number:010}.index")
}

pub(crate) fn spare_name(number: u32) -> String {
    format!("{number:010}.spare")
}

pub(crate) fn checkpoint_name(number: u32) -> String {
    format!("{number:010}.checkpoint")
}

pub(crate) fn cut_name(number: u32) -> String {
    format!("{number:010}.cut")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        assert_eq!(Name::parse(&segment_name(7)), Name::Segment(7));
        assert_eq!(Name::parse(&index_name(u32::MAX)), Name::Index(u32::MAX));
        assert_eq!(Name::parse(&spare_name(1)), Name::Spare(1));
        assert_eq!(Name::parse(&checkpoint_name(2)), Name::Checkpoint(2));
        assert_eq!(Name::parse(&cut_name(3)), Name::Cut(3));
        assert_eq!(Name::parse("0000000001.index.tmp"), Name::Unfinished);
        for other in ["lock", "epoch", "1.segment", "+000000001.segment", "9999999999.segment"] {
            assert_eq!(Name::parse(other), Name::Other, "{other}");
        }
    }

    #[test]
    fn either_copy_of_a_header_will_do() {
        let header = SegmentHeader { number: 3, epoch: 2, first: Lsn(9), key: 0, salt: [7; 16] };
        for damaged in [0, SECOND_COPY] {
            let mut head = header.encode();
            head[damaged + 20] ^= 1;
            assert_eq!(SegmentHeader::decode(&head, 3).unwrap().unwrap().first, Lsn(9));
        }
        assert!(SegmentHeader::decode(&header.encode(), 4).unwrap().is_none(), "of another segment");
        assert!(SegmentHeader::decode(&[], 3).unwrap().is_none());
        let mut later = header.encode();
        later[8] = 2;
        let crc = crc32fast::hash(&later[..60]);
        later[60..64].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&later, 3).unwrap_err(), 2);
    }
}
