//! Index files: what a sealed segment holds, without the payloads.

use std::io::{self, IoSlice};

use wharfmq_base::Lsn;

use super::header::{VERSION, index_name};
use super::tail::Segment;
use crate::disk::{Disk, read_whole, write_whole};
use crate::entries::Entries;
use crate::frames::{array_at, u32_at, u64_at};

const MAGIC: [u8; 8] = *b"WharfIdx";
const SIZE: usize = 72;

/// What an index says of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u32,
    pub(super) salt: [u8; 16],
    pub(super) first: Lsn,
    pub(super) last: Lsn,
    /// Where the last frame of the segment ends.
    pub(super) used: u64,
}

impl Head {
    pub(super) const fn of(number: u32, segment: &Segment) -> Self {
        let Segment { first, last, used, .. } = *segment;
        Self { number, salt: segment.salt.bytes, first, last, used }
    }

    pub(super) fn encode(&self, entries: &[u8]) -> [u8; SIZE] {
        let mut head = [0; SIZE];
        head[..8].copy_from_slice(&MAGIC);
        head[8..12].copy_from_slice(&VERSION.to_le_bytes());
        head[12..16].copy_from_slice(&self.number.to_le_bytes());
        head[16..32].copy_from_slice(&self.salt);
        head[32..40].copy_from_slice(&self.first.0.to_le_bytes());
        head[40..48].copy_from_slice(&self.last.0.to_le_bytes());
        head[48..56].copy_from_slice(&self.used.to_le_bytes());
        head[56..64].copy_from_slice(&(entries.len() as u64).to_le_bytes());
        head[64..68].copy_from_slice(&crc32fast::hash(entries).to_le_bytes());
        let crc = crc32fast::hash(&head[..68]);
        head[68..].copy_from_slice(&crc.to_le_bytes());
        head
    }

    fn decode(file: &[u8]) -> Option<(Self, &[u8])> {
        let (head, entries) = file.split_at_checked(SIZE)?;
        let intact = head.starts_with(&MAGIC)
            && u32_at(head, 8) == VERSION
            && u32_at(head, 68) == crc32fast::hash(&head[..68])
            && u64_at(head, 56) == entries.len() as u64
            && u32_at(head, 64) == crc32fast::hash(entries);
        let said = Self {
            number: u32_at(head, 12),
            salt: array_at(head, 16),
            first: Lsn(u64_at(head, 32)),
            last: Lsn(u64_at(head, 40)),
            used: u64_at(head, 48),
        };
        intact.then_some((said, entries))
    }
}

/// Writes an index file, durable on return.
pub(super) fn store(disk: &dyn Disk, head: &Head, entries: &[u8]) -> io::Result<()> {
    let start = head.encode(entries);
    write_whole(disk, &index_name(head.number), &mut [IoSlice::new(&start), IoSlice::new(entries)])
}

/// An index file read whole.
pub(super) struct Stored {
    pub(super) head: Head,
    file: Vec<u8>,
}

impl Stored {
    /// Reads the index of segment `number`; `None` where it is missing, damaged or of another segment.
    pub(super) fn load(disk: &dyn Disk, number: u32, salt: &[u8; 16]) -> Option<Self> {
        let file = read_whole(disk, &index_name(number)).ok()?;
        let (head, _) = Head::decode(&file)?;
        (head.number == number && head.salt == *salt).then_some(Self { head, file })
    }

    pub(super) fn entries(&self) -> Entries<'_> {
        Entries::of(self.head.number, self.file.get(SIZE..).unwrap_or_default())
    }
}
