//! The first 24 bytes of every payload: who sent it, as which, and when.

/// Bytes a stamp takes; no payload is smaller.
pub(crate) const LEN: usize = 24;

const PRODUCER: usize = 4;
const SEQ: usize = 8;
const SENT: usize = 16;

/// What a payload says of itself. All integers are little-endian on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Tells the messages of one run from what an earlier one left behind.
    pub(crate) run: u32,
    pub(crate) producer: u32,
    /// Counts from 0 for every producer.
    pub(crate) seq: u64,
    /// Reading of the sender's `Clock`.
    pub(crate) sent: u64,
}

impl Stamp {
    /// The stamp at the head of `payload`; `None` when it is too short to hold one.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let (run, rest) = payload.split_first_chunk()?;
        let (producer, rest) = rest.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let (sent, _) = rest.split_first_chunk()?;
        Some(Self {
            run: u32::from_le_bytes(*run),
            producer: u32::from_le_bytes(*producer),
            seq: u64::from_le_bytes(*seq),
            sent: u64::from_le_bytes(*sent),
        })
    }

    /// A payload of `size` bytes (at least `LEN`) with this stamp and filler after it.
    pub(crate) fn payload(self, size: usize) -> Vec<u8> {
        let mut bytes = vec![b'x'; size.max(LEN)];
        bytes[..PRODUCER].copy_from_slice(&self.run.to_le_bytes());
        bytes[PRODUCER..SEQ].copy_from_slice(&self.producer.to_le_bytes());
        patch(&mut bytes, self.seq, self.sent);
        bytes
    }
}

/// Renews the two parts that differ between the messages of one producer.
pub(crate) fn patch(payload: &mut [u8], seq: u64, sent: u64) {
    payload[SEQ..SENT].copy_from_slice(&seq.to_le_bytes());
    payload[SENT..LEN].copy_from_slice(&sent.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_stamped() {
        let stamp = Stamp { run: 7, producer: 3, seq: 9, sent: 11 };
        let mut payload = stamp.payload(64);
        assert_eq!((payload.len(), Stamp::read(&payload)), (64, Some(stamp)));
        patch(&mut payload, 1 << 40, 5);
        assert_eq!(Stamp::read(&payload), Some(Stamp { seq: 1 << 40, sent: 5, ..stamp }));
    }

    #[test]
    fn a_short_payload_holds_none() {
        assert_eq!(Stamp::read(&[0; LEN - 1]), None);
        assert_eq!(Stamp { run: 0, producer: 0, seq: 0, sent: 0 }.payload(1).len(), LEN);
    }
}
