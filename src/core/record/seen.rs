//! The identities that a queue has seen, as a checkpoint keeps them: among the values remembered for the
//! queue, under keys that begin with [`SEEN_KEY`].

use bytestring::ByteString;
use wharfmq_base::Millis;

use super::wire::{Reader, put_bytes, put_signed};
use super::{CheckpointWriter, RecordError, State, VERSION};
use crate::QueueId;

/// What the keys of the pieces begin with; the number of the piece follows, four bytes, big-endian.
pub const SEEN_KEY: &[u8] = b"\xffdedup";

/// Bytes of a piece at which another is begun.
const PIECE_BYTES: usize = 64 << 10;

impl CheckpointWriter {
    /// Adds the identities that a queue has seen, each with the time until which it is remembered.
    pub fn seen(&mut self, queue: QueueId, seen: &[(ByteString, Millis)]) {
        let mut piece = Vec::new();
        let (mut number, mut last) = (0_u32, 0);
        for (id, until) in seen {
            if piece.is_empty() {
                piece.push(VERSION);
            }
            put_signed((until.0 as i64).wrapping_sub(last), &mut piece);
            put_bytes(id.as_bytes(), &mut piece);
            last = until.0 as i64;
            if piece.len() >= PIECE_BYTES {
                self.piece(queue, number, &piece);
                (number, last) = (number + 1, 0);
                piece.clear();
            }
        }
        if !piece.is_empty() {
            self.piece(queue, number, &piece);
        }
    }

    fn piece(&mut self, queue: QueueId, number: u32, piece: &[u8]) {
        let key = [SEEN_KEY, &number.to_be_bytes()].concat();
        self.state(&State { owner: queue, key: &key, value: Some(piece) });
    }
}

/// Reads one piece.
pub fn decode_seen(piece: &[u8]) -> Result<Vec<(ByteString, Millis)>, RecordError> {
    let mut reader = Reader::new(piece)?;
    let (mut seen, mut last) = (Vec::new(), 0_i64);
    while !reader.is_empty() {
        last = last.wrapping_add(reader.signed()?);
        seen.push((ByteString::from(reader.text()?), Millis(last as u64)));
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{CheckpointReader, NextIds, Section};

    #[test]
    fn identities_come_back_in_pieces() {
        let seen: Vec<_> =
            (0..10_000_u64).map(|n| (format!("order-{n}").into(), Millis(1_700_000_000_000 + n))).collect();
        let mut writer = CheckpointWriter::new(Vec::new(), NextIds::default());
        writer.seen(QueueId(7), &seen);
        writer.seen(QueueId(8), &[]);
        let body = writer.finish();
        let mut back = Vec::new();
        let mut pieces = 0_u32;
        for section in CheckpointReader::new(&body).unwrap() {
            let Section::State(state) = section.unwrap() else { continue };
            let value = state.value.unwrap();
            assert!(value.len() < PIECE_BYTES + 64);
            assert_eq!(state.key, [SEEN_KEY, &pieces.to_be_bytes()].concat());
            assert_eq!(state.owner, QueueId(7));
            back.extend(decode_seen(value).unwrap());
            pieces += 1;
        }
        assert!(pieces > 1);
        assert_eq!(back, seen);
    }

    #[test]
    fn damage_is_refused() {
        let mut writer = CheckpointWriter::new(Vec::new(), NextIds::default());
        writer.seen(QueueId(7), &[("a".into(), Millis(5)), ("bb".into(), Millis::NEVER)]);
        let body = writer.finish();
        let state = CheckpointReader::new(&body).unwrap().find_map(|section| match section.unwrap() {
            Section::State(state) => state.value,
            _ => None,
        });
        let piece = state.unwrap();
        assert_eq!(piece, b"\x01\x0a\x01a\x0b\x02bb");
        for cut in [0, 2, 3, piece.len() - 1] {
            assert!(decode_seen(&piece[..cut]).is_err(), "cut at {cut}");
        }
    }
}
