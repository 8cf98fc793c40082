//! The epoch: who opened the journal last.

use std::io::IoSlice;

use super::header::{Name, SEGMENT_HEAD, SegmentHeader};
use crate::Epoch;
use crate::disk::{Disk, read_full, read_whole, write_whole};
use crate::error::RecoverError;
use crate::frames::{u32_at, u64_at};

const FILE: &str = "epoch";
const MAGIC: [u8; 8] = *b"WharfEpo";
const SIZE: usize = 20;

/// Begins the next epoch, durably.
pub(super) fn begin(disk: &dyn Disk) -> Result<Epoch, RecoverError> {
    let before = read(disk).unwrap_or_else(|| newest_segment(disk));
    let epoch = Epoch(before.0 + 1);
    let mut file = [0; SIZE];
    file[..8].copy_from_slice(&MAGIC);
    file[8..16].copy_from_slice(&epoch.0.to_le_bytes());
    let crc = crc32fast::hash(&file[..16]);
    file[16..].copy_from_slice(&crc.to_le_bytes());
    let written = write_whole(disk, FILE, &mut [IoSlice::new(&file)]);
    written.map_err(|error| RecoverError::Io(disk.path(FILE), error))?;
    Ok(epoch)
}

/// The epoch that was begun last; `None` where the file is missing or damaged.
pub(super) fn read(disk: &dyn Disk) -> Option<Epoch> {
    let file = read_whole(disk, FILE).ok()?;
    let intact =
        file.len() == SIZE && file.starts_with(&MAGIC) && u32_at(&file, 16) == crc32fast::hash(&file[..16]);
    intact.then(|| Epoch(u64_at(&file, 8)))
}

/// The highest epoch that a segment was written in.
fn newest_segment(disk: &dyn Disk) -> Epoch {
    let epoch = |name: &String| {
        let Name::Segment(number) = Name::parse(name) else { return None };
        let mut head = [0; SEGMENT_HEAD as usize];
        let file = disk.open(name, false).ok()?;
        let read = read_full(file.as_ref(), &mut head, 0).ok()?;
        Some(SegmentHeader::decode(head.get(..read)?, number).ok()??.epoch)
    };
    Epoch(disk.list().unwrap_or_default().iter().filter_map(epoch).max().unwrap_or(0))
}
