//! How records lie in frames, and frames in a buffer. The layout is documented in [`crate::journal`].

use crc32fast::Hasher;
use wharfmq_base::Lsn;

use crate::entries;

/// Bytes of a frame's header.
pub(crate) const FRAME_HEAD: usize = 40;
/// A frame's payload grows to this at most, unless it is one larger record.
pub(crate) const FRAME_BODY: usize = 64 * 1024;
/// Bytes of a record before its index entry.
pub(crate) const RECORD_HEAD: usize = 7;
/// Frames begin at multiples of this.
pub(crate) const ALIGN: usize = 8;
/// The first bytes of every frame.
pub(crate) const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"wFr1");

const FLAG_FIRST: u16 = 1;
const FLAG_LAST: u16 = 2;

/// The frames of one batch in one buffer; their headers are filled in by [`Frames::stamp`].
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pub(crate) bytes: Vec<u8>,
    heads: Vec<Head>,
    /// Where each record but the first lies; the first is always at (0, 0).
    pub(crate) places: Vec<(u32, u16)>,
    /// Index entries as they stand in an index file, with frame offsets from the buffer's start.
    pub(crate) index: Vec<u8>,
    pub(crate) records: usize,
    pub(crate) holds: u64,
    pub(crate) live: u64,
    /// Bytes of records that were not copied because the batch is beyond any limit.
    excess: u64,
    open: bool,
}

/// What is known of a frame before it has its place in the log.
#[derive(Debug)]
struct Head {
    start: usize,
    len: usize,
    count: u16,
    body_crc: u32,
}

impl Frames {
    /// Adds a record with so many references that count for so many bytes each; beyond `limit` bytes
    /// records are only counted.
    pub(crate) fn push(
        &mut self,
        kind: u8,
        index: &[u8],
        (holds, held): (u32, u64),
        payload: &[&[u8]],
        limit: u64,
    ) {
        let body: usize = payload.iter().map(|part| part.len()).sum();
        let size = RECORD_HEAD + index.len() + body;
        let fits = self.size() + (FRAME_HEAD + size + ALIGN) as u64 <= limit;
        let (Ok(index_len), Ok(body_len), true) = (u16::try_from(index.len()), u32::try_from(body), fits)
        else {
            self.excess = self.excess.saturating_add(size as u64);
            return;
        };
        let (frame, record) = self.place(size);
        if self.records > 0 {
            self.places.push((frame, record));
        }
        self.records += 1;
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&index_len.to_le_bytes());
        self.bytes.extend_from_slice(&body_len.to_le_bytes());
        self.bytes.extend_from_slice(index);
        for part in payload {
            self.bytes.extend_from_slice(part);
        }
        if !index.is_empty() {
            entries::add(&mut self.index, frame, record, index);
        }
        self.holds += u64::from(holds);
        self.live += u64::from(holds) * held;
    }

    /// The place of the next record, of `size` bytes, in a frame that has room for it.
    fn place(&mut self, size: usize) -> (u32, u16) {
        if let (true, Some(head)) = (self.open, self.heads.last_mut()) {
            let used = self.bytes.len() - head.start - FRAME_HEAD;
            if let (true, Ok(record)) = (used + size <= FRAME_BODY, u16::try_from(used)) {
                head.count += 1;
                return (head.start as u32, record);
            }
        }
        self.seal();
        let start = self.bytes.len();
        self.bytes.resize(start + FRAME_HEAD, 0);
        self.heads.push(Head { start, len: 0, count: 1, body_crc: 0 });
        self.open = true;
        (start as u32, 0)
    }

    /// Ends the open frame: pads it and computes the checksum of its payload, the costly part, which
    /// is why it happens outside any lock.
    pub(crate) fn seal(&mut self) {
        let (true, Some(head)) = (self.open, self.heads.last_mut()) else { return };
        let body = self.bytes.get(head.start + FRAME_HEAD..).unwrap_or_default();
        head.len = body.len();
        head.body_crc = crc32fast::hash(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        self.open = false;
    }

    /// Fills in the headers of a sealed buffer.
    pub(crate) fn stamp(&mut self, lsn: Lsn, durable: Lsn, epoch: u32, salt: &Salt) {
        let last = self.heads.len().saturating_sub(1);
        for (n, head) in self.heads.iter().enumerate() {
            let flags = if n == 0 { FLAG_FIRST } else { 0 } | if n == last { FLAG_LAST } else { 0 };
            let Head { len, count, body_crc, .. } = *head;
            let header = FrameHeader { body_crc, len: len as u32, lsn, durable, epoch, count, flags };
            if let Some(place) = self.bytes.get_mut(head.start..head.start + FRAME_HEAD) {
                place.copy_from_slice(&header.encode(salt));
            }
        }
    }

    /// Bytes in the log, or beyond the limit the bytes that were asked for.
    pub(crate) fn size(&self) -> u64 {
        self.bytes.len().next_multiple_of(ALIGN) as u64 + self.excess
    }

    /// Whether records are missing because there was no room for them.
    pub(crate) const fn is_short(&self) -> bool {
        self.excess > 0
    }

    /// Makes it empty and keeps its memory.
    pub(crate) fn clear(&mut self) {
        let Self { bytes, heads, places, index, records, holds, live, excess, open } = self;
        bytes.clear();
        heads.clear();
        places.clear();
        index.clear();
        (*records, *holds, *live, *excess, *open) = (0, 0, 0, 0, false);
    }

    /// Bytes of memory that it keeps.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity() + self.index.capacity() + self.heads.capacity() * size_of::<Head>()
    }
}

/// A segment's salt, ready to begin checksums with.
#[derive(Clone, Debug)]
pub(crate) struct Salt {
    pub(crate) bytes: [u8; 16],
    begun: Hasher,
}

impl Salt {
    pub(crate) fn new(bytes: [u8; 16]) -> Self {
        let mut begun = Hasher::new();
        begun.update(&bytes);
        Self { bytes, begun }
    }

    fn checksum(&self, of: &[u8]) -> u32 {
        let mut hasher = self.begun.clone();
        hasher.update(of);
        hasher.finalize()
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) body_crc: u32,
    pub(crate) len: u32,
    pub(crate) lsn: Lsn,
    pub(crate) durable: Lsn,
    pub(crate) epoch: u32,
    pub(crate) count: u16,
    flags: u16,
}

impl FrameHeader {
    fn encode(&self, salt: &Salt) -> [u8; FRAME_HEAD] {
        let mut out = [0; FRAME_HEAD];
        out[..4].copy_from_slice(&FRAME_MAGIC.to_le_bytes());
        out[8..12].copy_from_slice(&self.body_crc.to_le_bytes());
        out[12..16].copy_from_slice(&self.len.to_le_bytes());
        out[16..24].copy_from_slice(&self.lsn.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.durable.0.to_le_bytes());
        out[32..36].copy_from_slice(&self.epoch.to_le_bytes());
        out[36..38].copy_from_slice(&self.count.to_le_bytes());
        out[38..40].copy_from_slice(&self.flags.to_le_bytes());
        let crc = salt.checksum(&out[8..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the header at `at`; `None` where none of a segment with this salt stands.
    pub(crate) fn decode(bytes: &[u8], at: usize, salt: &Salt) -> Option<Self> {
        let head = bytes.get(at..at.checked_add(FRAME_HEAD)?)?;
        (u32_at(head, 0) == FRAME_MAGIC && u32_at(head, 4) == salt.checksum(&head[8..]))
            .then(|| Self::fields(head))
    }

    /// Reads what claims to be a header without believing it.
    pub(crate) fn claimed(bytes: &[u8], at: usize) -> Option<Self> {
        let head = bytes.get(at..at.checked_add(FRAME_HEAD)?)?;
        (u32_at(head, 0) == FRAME_MAGIC).then(|| Self::fields(head))
    }

    fn fields(head: &[u8]) -> Self {
        Self {
            body_crc: u32_at(head, 8),
            len: u32_at(head, 12),
            lsn: Lsn(u64_at(head, 16)),
            durable: Lsn(u64_at(head, 24)),
            epoch: u32_at(head, 32),
            count: u16_at(head, 36),
            flags: u16_at(head, 38),
        }
    }

    pub(crate) const fn is_first(&self) -> bool {
        self.flags & FLAG_FIRST != 0
    }

    pub(crate) const fn is_last(&self) -> bool {
        self.flags & FLAG_LAST != 0
    }

    /// The frame's payload, where `at` is the place of its header; `None` if it is not all there.
    pub(crate) fn body<'a>(&self, bytes: &'a [u8], at: usize) -> Option<&'a [u8]> {
        let start = at.checked_add(FRAME_HEAD)?;
        bytes.get(start..start.checked_add(self.len as usize)?)
    }

    /// Whether `body` is what was written.
    pub(crate) fn fits(&self, body: &[u8]) -> bool {
        crc32fast::hash(body) == self.body_crc
    }

    /// Bytes from this header to the next frame's.
    pub(crate) const fn stride(&self) -> usize {
        (FRAME_HEAD + self.len as usize).next_multiple_of(ALIGN)
    }
}

/// One record in a frame's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) kind: u8,
    pub(crate) index: &'a [u8],
    pub(crate) payload: &'a [u8],
    /// Where the payload begins in the frame's payload.
    pub(crate) start: usize,
}

impl<'a> Record<'a> {
    /// The record at `at` of a frame's payload.
    pub(crate) fn at(body: &'a [u8], at: usize) -> Option<Self> {
        let head = body.get(at..at.checked_add(RECORD_HEAD)?)?;
        let (index, payload) = (usize::from(u16_at(head, 1)), u32_at(head, 3) as usize);
        let start = at + RECORD_HEAD + index;
        Some(Self {
            kind: *head.first()?,
            index: body.get(at + RECORD_HEAD..start)?,
            payload: body.get(start..start.checked_add(payload)?)?,
            start,
        })
    }

    /// Where the next record begins.
    pub(crate) const fn end(&self) -> usize {
        self.start + self.payload.len()
    }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// `N` bytes from `at`; zeros where there are fewer.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
