//! Messages made ahead of time: a block of equal frames in which only numbers are renewed before it is written.

use crate::stamp;

/// Decimal digits of an id written as text.
pub(crate) const DIGITS: usize = 10;

/// About how many bytes one `write` takes.
const BLOCK: usize = 64 * 1024;

/// Where a frame carries the number by which the broker acknowledges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdAt {
    None,
    /// A big-endian `u16` from 1 to 65,535.
    Packet(usize),
    /// The sequence number as `DIGITS` digits.
    Decimal(usize),
}

/// One whole frame with a stamped payload, and where its changing parts lie.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) frame: Vec<u8>,
    pub(crate) payload_at: usize,
    pub(crate) id_at: IdAt,
    /// The destination varies from message to message.
    pub(crate) spread: Option<Spread>,
}

/// Digits of a destination that count up and begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Where the `SPREAD_DIGITS` of them stand.
    pub(crate) at: usize,
    /// Destinations in all.
    pub(crate) among: u32,
}

/// Digits of a spread.
pub(crate) const SPREAD_DIGITS: usize = 4;

/// Copies of a template side by side, and the part of them that waits to be written.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    template: Template,
    from: usize,
    to: usize,
}

impl Block {
    pub(crate) fn new(template: Template) -> Self {
        let copies = (BLOCK / template.frame.len()).clamp(1, 4096);
        Self { bytes: template.frame.repeat(copies), template, from: 0, to: 0 }
    }

    /// Frames that fit into the block.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len() / self.template.frame.len()
    }

    /// Prepares `count` frames, at most `capacity`, numbered from `first`. Only when nothing is left unsent.
    pub(crate) fn stage(&mut self, first: u64, count: usize, sent: u64) {
        debug_assert!(self.unsent().is_empty(), "frames would be overwritten");
        let len = self.template.frame.len();
        for (frame, seq) in self.bytes.chunks_exact_mut(len).take(count).zip(first..) {
            stamp::patch(&mut frame[self.template.payload_at..], seq, sent);
            match self.template.id_at {
                IdAt::None => {}
                IdAt::Packet(at) => frame[at..at + 2].copy_from_slice(&packet_id(seq).to_be_bytes()),
                IdAt::Decimal(at) => write_decimal(&mut frame[at..at + DIGITS], seq),
            }
            if let Some(Spread { at, among }) = self.template.spread {
                write_decimal(&mut frame[at..at + SPREAD_DIGITS], seq % u64::from(among));
            }
        }
        (self.from, self.to) = (0, count.min(self.capacity()) * len);
    }

    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.from..self.to]
    }

    pub(crate) const fn sent(&mut self, bytes: usize) {
        self.from += bytes;
    }

    /// Whether a frame is half written, so that nothing else may go out before its rest.
    pub(crate) fn inside_frame(&self) -> bool {
        !self.from.is_multiple_of(self.template.frame.len())
    }
}

/// The id under which message `seq` is acknowledged where ids have 16 bits and 0 is none of them.
pub(crate) const fn packet_id(seq: u64) -> u16 {
    (seq % 65_535) as u16 + 1
}

fn write_decimal(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;

    #[test]
    fn numbers_every_frame_and_hands_out_what_was_staged() {
        let stamp = Stamp { run: 1, producer: 2, seq: 0, sent: 0 };
        let mut frame = b"0000000000".to_vec();
        frame.extend(stamp.payload(30));
        let mut block = Block::new(Template { frame, payload_at: 10, id_at: IdAt::Decimal(0), spread: None });
        assert_eq!(block.capacity(), BLOCK / 40);
        block.stage(41, 2, 9);
        assert_eq!(block.unsent().len(), 80);
        assert_eq!(&block.unsent()[40..50], b"0000000042");
        assert_eq!(Stamp::read(&block.unsent()[50..]), Some(Stamp { seq: 42, sent: 9, ..stamp }));
        block.sent(50);
        assert!(block.inside_frame());
        block.sent(30);
        assert!(block.unsent().is_empty() && !block.inside_frame());
    }

    #[test]
    fn destinations_take_turns() {
        let mut frame = b"a/0000".to_vec();
        frame.extend(Stamp { run: 1, producer: 2, seq: 0, sent: 0 }.payload(24));
        let spread = Some(Spread { at: 2, among: 3 });
        let mut block = Block::new(Template { frame, payload_at: 6, id_at: IdAt::None, spread });
        block.stage(10, 4, 9);
        let names: Vec<_> = block.unsent().chunks(30).map(|frame| &frame[..6]).collect();
        assert_eq!(names, [b"a/0001", b"a/0002", b"a/0000", b"a/0001"]);
    }

    #[test]
    fn packet_ids_skip_zero() {
        assert_eq!((packet_id(0), packet_id(65_534), packet_id(65_535)), (1, 65_535, 1));
    }
}
