//! Checkpoints: storing and loading them, and freeing what they make superfluous.

use std::io::{self, IoSlice};

use wharfmq_base::Lsn;

use super::Shared;
use super::header::{Name, VERSION, checkpoint_name, index_name, segment_name};
use super::space::{Numbers, SPARES_KEPT, recycle};
use super::tail::Spare;
use crate::disk::{Disk, read_whole, write_whole};
use crate::error::AppendError;
use crate::frames::{u32_at, u64_at};

const MAGIC: [u8; 8] = *b"WharfChk";
const SIZE: usize = 64;
/// How many are kept. The older one serves if the newer is damaged and nothing was freed since.
const KEPT: usize = 2;

/// What a checkpoint says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The body stands for all batches up to this one.
    pub(super) upto: Lsn,
    /// All batches up to this one were durable before the checkpoint was.
    pub(super) durable: Lsn,
    pub(super) epoch: u64,
    /// The active segment at that time: later ones have higher numbers, even if it is gone.
    pub(super) active: u32,
}

impl Head {
    pub(super) fn encode(&self, body: &[u8]) -> [u8; SIZE] {
        let mut head = [0; SIZE];
        head[..8].copy_from_slice(&MAGIC);
        head[8..12].copy_from_slice(&VERSION.to_le_bytes());
        head[12..16].copy_from_slice(&self.active.to_le_bytes());
        head[16..24].copy_from_slice(&self.upto.0.to_le_bytes());
        head[24..32].copy_from_slice(&self.durable.0.to_le_bytes());
        head[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        head[40..48].copy_from_slice(&(body.len() as u64).to_le_bytes());
        head[48..52].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        let crc = crc32fast::hash(&head[..60]);
        head[60..].copy_from_slice(&crc.to_le_bytes());
        head
    }

    /// `Ok(None)`: damaged. `Err`: written by a program of that later version.
    fn decode(file: &[u8]) -> Result<Option<Self>, u32> {
        let Some((head, body)) = file.split_at_checked(SIZE) else { return Ok(None) };
        if !head.starts_with(&MAGIC) || u32_at(head, 60) != crc32fast::hash(&head[..60]) {
            return Ok(None);
        }
        if u32_at(head, 8) != VERSION {
            return Err(u32_at(head, 8));
        }
        let intact = u64_at(head, 40) == body.len() as u64 && u32_at(head, 48) == crc32fast::hash(body);
        Ok(intact.then(|| Self {
            active: u32_at(head, 12),
            upto: Lsn(u64_at(head, 16)),
            durable: Lsn(u64_at(head, 24)),
            epoch: u64_at(head, 32),
        }))
    }
}

/// A checkpoint read whole.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) head: Head,
    file: Vec<u8>,
}

impl Stored {
    /// Reads checkpoint `number`; `Ok(None)` where it is damaged.
    pub(super) fn load(disk: &dyn Disk, number: u32) -> io::Result<Result<Option<Self>, u32>> {
        let file = read_whole(disk, &checkpoint_name(number))?;
        Ok(Head::decode(&file).map(|head| head.map(|head| Self { head, file })))
    }

    pub(super) fn body(&self) -> &[u8] {
        self.file.get(SIZE..).unwrap_or_default()
    }
}

impl Shared {
    /// Stores a checkpoint and frees what nothing needs after it. See [`crate::Log::checkpoint`].
    pub(super) fn store_checkpoint(&self, body: &[u8], upto: Lsn) -> Result<(), AppendError> {
        let (durable, active) = {
            let mut tail = self.tail.lock();
            if let Some(refusal) = &tail.refuse {
                return Err(refusal.clone());
            }
            tail.since_checkpoint = 0;
            (tail.appended, tail.active)
        };
        if !self.watch.wait(durable) {
            return Err(AppendError::Failed(self.watch.failure().unwrap_or_default()));
        }
        let say = |error: io::Error| AppendError::Failed(format!("storing a checkpoint: {error}"));
        self.store_indexes().map_err(say)?;
        let mut files = self.upkeep.files.lock();
        let upto = upto.min(durable);
        if upto < files.upto {
            // Another caller was faster with a later one, which may have freed what this one needs.
            return Ok(());
        }
        files.checkpoint += 1;
        let start = Head { upto, durable, epoch: self.epoch.0, active }.encode(body);
        let name = checkpoint_name(files.checkpoint);
        write_whole(self.disk.as_ref(), &name, &mut [IoSlice::new(&start), IoSlice::new(body)])
            .map_err(say)?;
        files.upto = upto;
        self.drop_checkpoints().map_err(say)?;
        self.free_segments(&mut files, upto).map_err(say)?;
        drop(files);
        self.upkeep.wake();
        Ok(())
    }

    fn drop_checkpoints(&self) -> io::Result<()> {
        let number = |name: &String| match Name::parse(name) {
            Name::Checkpoint(number) => Some(number),
            _ => None,
        };
        let mut numbers: Vec<u32> = self.disk.list()?.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.truncate(numbers.len().saturating_sub(KEPT));
        numbers.iter().try_for_each(|number| self.disk.remove(&checkpoint_name(*number)))
    }

    /// Frees the sealed segments that nothing holds, as of the checkpoint at `upto`: its body must
    /// already know that they are not held, or a start from it would miss them.
    fn free_segments(&self, files: &mut Numbers, upto: Lsn) -> io::Result<()> {
        let (freed, mut room) = {
            let mut tail = self.tail.lock();
            let active = tail.active;
            let freed: Vec<_> = tail
                .segments
                .extract_if(.., |number, segment| {
                    let settled = segment.last <= upto && segment.idle_since <= upto;
                    *number != active && segment.is_sealed() && segment.holds == 0 && settled
                })
                .collect();
            (freed, SPARES_KEPT.saturating_sub(tail.spares.len()))
        };
        if freed.is_empty() {
            return Ok(());
        }
        let mut spares = Vec::new();
        for (number, segment) in freed {
            let name = segment_name(number);
            self.reader.forget(number);
            if segment.capacity == self.options.segment_bytes && room > 0 {
                room -= 1;
                let name = recycle(self.disk.as_ref(), files, &name)?;
                spares.push(Spare { file: self.disk.open(&name, false)?, name });
            } else {
                self.disk.remove(&name)?;
            }
            // The index goes after its segment: without it a start would have to read the segment.
            remove_if_there(self.disk.as_ref(), &index_name(number))?;
        }
        // A spare may be written to only when it can no longer turn up as the segment that it was.
        self.disk.sync_names()?;
        self.tail.lock().spares.append(&mut spares);
        self.look_at_space();
        Ok(())
    }
}

pub(super) fn remove_if_there(disk: &dyn Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
