//! How fast a client may publish: what comes faster waits in its socket.

use std::num::NonZeroU32;

use wharfmq_base::Millis;

use crate::adapters::{ROUND_BYTES, ROUND_FRAMES};

/// One publication, in the unit of the bucket: at R a second, a millisecond brings R of a thousand.
const ONE: u64 = 1_000;
/// The least pause, in milliseconds: a fast client is read from in strokes, not one packet at a time.
const PAUSE_MS: u64 = 10;
/// The packet type of PUBLISH.
const PUBLISH: u8 = 3;

/// A bucket that holds the publications of one second at most, full at the start.
pub(super) struct Rate {
    per_second: NonZeroU32,
    level: u64,
    filled: Millis,
}

/// What a client may do at the moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Bytes of the input that may be handled now.
    pub(super) bytes: usize,
    /// When more may be, where whole frames are left.
    pub(super) more_at: Option<Millis>,
}

impl Rate {
    pub(super) fn new(per_second: u32, now: Millis) -> Option<Box<Self>> {
        let per_second = NonZeroU32::new(per_second)?;
        Some(Box::new(Self { per_second, level: u64::from(per_second.get()) * ONE, filled: now }))
    }

    /// Spends what the whole frames at the start of `input` need, as far as it goes, and no more than one
    /// round handles.
    pub(super) fn spend(&mut self, input: &[u8], max_packet: u32, now: Millis) -> Allowance {
        let rate = u64::from(self.per_second.get());
        let gained = now.since(self.filled).0.saturating_mul(rate);
        self.level = self.level.saturating_add(gained).min(rate * ONE);
        self.filled = now;
        let mut bytes = 0;
        for _ in 0..ROUND_FRAMES {
            let rest = input.get(bytes..).unwrap_or_default();
            // What is malformed is judged where it is decoded.
            let Ok(Some(head)) = wharfmq_mqtt::frame(rest, max_packet) else { break };
            if bytes >= ROUND_BYTES || rest.len() < head.total_len as usize {
                break;
            }
            if head.packet_type() == PUBLISH {
                let Some(left) = self.level.checked_sub(ONE) else {
                    let pause = (ONE - self.level).div_ceil(rate).max(PAUSE_MS);
                    return Allowance { bytes, more_at: Some(now.plus(Millis(pause))) };
                };
                self.level = left;
            }
            bytes += head.total_len as usize;
        }
        Allowance { bytes: input.len(), more_at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 5] = [0x30, 3, 0, 1, b'a'];
    const PING: [u8; 2] = [0xC0, 0];

    #[test]
    fn a_second_of_publications_and_then_as_they_come() {
        let mut rate = Rate::new(2, Millis(0)).unwrap();
        let input = [&FRAME[..], &PING, &FRAME, &PING, &FRAME].concat();
        let pause = Allowance { bytes: 14, more_at: Some(Millis(500)) };
        assert_eq!(rate.spend(&input, 100, Millis(0)), pause);
        let still = Allowance { bytes: 0, more_at: Some(Millis(500)) };
        assert_eq!(rate.spend(&input[14..], 100, Millis(499)), still.with(Millis(509)));
        assert_eq!(rate.spend(&input[14..], 100, Millis(500)), Allowance { bytes: 5, more_at: None });
        // However long it is silent, it may then send what one second brings.
        let input = FRAME.repeat(3);
        assert_eq!(rate.spend(&input, 100, Millis(1_000_000)).bytes, 10);
    }

    #[test]
    fn what_is_incomplete_costs_nothing() {
        let mut rate = Rate::new(1, Millis(0)).unwrap();
        for _ in 0..3 {
            assert_eq!(rate.spend(&FRAME[..4], 100, Millis(0)), Allowance { bytes: 4, more_at: None });
        }
        assert_eq!(rate.spend(&FRAME, 100, Millis(0)), Allowance { bytes: 5, more_at: None });
        assert_eq!(rate.spend(&FRAME, 100, Millis(0)).bytes, 0);
    }

    impl Allowance {
        fn with(self, more_at: Millis) -> Self {
            Self { more_at: Some(more_at), ..self }
        }
    }
}
