//! What a publication asks of its queues, in records and in index entries.

use bytestring::ByteString;
use wharfmq_base::Millis;

use super::RecordError;
use super::wire::{Reader, put_bytes, put_varint};
use crate::{GroupId, Terms};

const GROUP: u8 = 1;
const CLOSES_GROUP: u8 = 1 << 1;
const DUE: u8 = 1 << 2;
const DEDUP: u8 = 1 << 3;

/// [`Terms`] as they were stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredTerms<'a> {
    /// See [`Terms::group`].
    pub group: GroupId,
    /// See [`Terms::closes_group`].
    pub closes_group: bool,
    /// See [`Terms::due`].
    pub due: Millis,
    /// See [`Terms::dedup`]; empty in an index entry.
    pub dedup: &'a str,
}

impl<'a> StoredTerms<'a> {
    /// Of terms as a record keeps them; `None` for none and for empty ones.
    pub(super) fn of(terms: Option<&'a Terms>) -> Option<Self> {
        let Terms { group, closes_group, due, dedup } = terms?;
        Self { group: *group, closes_group: *closes_group, due: *due, dedup }.some()
    }

    /// As an index entry keeps them.
    pub(super) fn indexed(self) -> Option<Self> {
        Self { dedup: "", ..self }.some()
    }

    fn some(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }

    /// Appends a byte that says what follows, and that.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let group = if self.group.is_none() { 0 } else { GROUP };
        let closes = if self.closes_group { CLOSES_GROUP } else { 0 };
        let due = if self.due == Millis(0) { 0 } else { DUE };
        let dedup = if self.dedup.is_empty() { 0 } else { DEDUP };
        out.push(group | closes | due | dedup);
        if group != 0 {
            put_varint(u64::from(self.group.0), out);
        }
        if due != 0 {
            put_varint(self.due.0, out);
        }
        if dedup != 0 {
            put_bytes(self.dedup.as_bytes(), out);
        }
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, RecordError> {
        let flags = reader.u8()?;
        if flags & !(GROUP | CLOSES_GROUP | DUE | DEDUP) != 0 {
            return Err(RecordError("flags of terms"));
        }
        Ok(Self {
            group: if flags & GROUP != 0 { GroupId(reader.u32()?) } else { GroupId::NONE },
            closes_group: flags & CLOSES_GROUP != 0,
            due: if flags & DUE != 0 { Millis(reader.varint()?) } else { Millis(0) },
            dedup: if flags & DEDUP != 0 { reader.text()? } else { "" },
        })
    }

    /// The terms.
    pub fn terms(&self) -> Terms {
        let Self { group, closes_group, due, dedup } = *self;
        Terms { group, closes_group, due, dedup: ByteString::from(dedup) }
    }
}
