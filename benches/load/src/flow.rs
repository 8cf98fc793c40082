//! The sending side of one connection: what may be sent now, and what is not yet acknowledged.

use crate::template::{Block, Template, packet_id};

/// The widest window: ids have 16 bits, and an id must not come round while it is still out.
pub(crate) const MAX_WINDOW: u32 = 32_767;

/// A producer's counters and its prepared frames.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) block: Block,
    pub(crate) producer: usize,
    /// Messages staged so far; also the next sequence number.
    pub(crate) sent: u64,
    /// Where to stop.
    pub(crate) limit: u64,
    /// Acknowledgements outstanding.
    pub(crate) in_flight: u32,
    window: Option<u32>,
    pace: Option<Pace>,
    /// When the message with each id was sent, 0 for an id that is free. Empty without a window.
    out: Vec<u64>,
}

/// An open loop: messages fall due by the clock, however slow the broker is.
#[derive(Debug)]
struct Pace {
    per_tick: f64,
    /// The last tick taken, and how many of its messages are still to be sent.
    tick: u64,
    left: u64,
}

/// Messages that fall due together; also the resolution of an open loop, in nanoseconds.
pub(crate) const TICK: u64 = 1_000_000;

impl Flow {
    /// `window`: how many may be unacknowledged, `None` where nothing is acknowledged.
    /// `rate`: messages a second in an open loop that begins at `now`.
    pub(crate) fn new(
        template: Template,
        producer: usize,
        window: Option<u32>,
        rate: Option<f64>,
        now: u64,
    ) -> Self {
        let window = window.map(|window| window.clamp(1, MAX_WINDOW));
        Self {
            block: Block::new(template),
            producer,
            sent: 0,
            limit: u64::MAX,
            in_flight: 0,
            window,
            pace: rate.map(|rate| Pace { per_tick: rate * 1e-9 * TICK as f64, tick: now / TICK, left: 0 }),
            out: if window.is_some() { vec![0; 65_536] } else { Vec::new() },
        }
    }

    /// Stages what may go now, at most `allowed`; answers how many messages that is.
    pub(crate) fn stage(&mut self, allowed: u64, now: u64) -> usize {
        let window = self.window.map_or(u64::MAX, |window| u64::from(window - self.in_flight.min(window)));
        let free = allowed.min(window).min(self.limit.saturating_sub(self.sent));
        let free = free.min(self.block.capacity() as u64);
        let (count, stamp) = match &mut self.pace {
            Some(pace) => pace.take(free, now),
            None => (free, now),
        };
        if count == 0 {
            return 0;
        }
        self.block.stage(self.sent, count as usize, stamp);
        if self.window.is_some() {
            for seq in self.sent..self.sent + count {
                self.out[usize::from(packet_id(seq))] = stamp;
            }
            self.in_flight += count as u32;
        }
        self.sent += count;
        count as usize
    }

    /// Takes an acknowledgement; answers when its message was sent, `None` if none is out under that id.
    pub(crate) fn settle(&mut self, id: u16) -> Option<u64> {
        let sent = std::mem::take(self.out.get_mut(usize::from(id))?);
        if sent == 0 {
            return None;
        }
        self.in_flight -= 1;
        Some(sent)
    }
}

impl Pace {
    /// Up to `free` messages of the oldest tick that still has some, and the time that tick stood for: a message
    /// that could not go in time keeps the stamp of when it should have gone.
    fn take(&mut self, free: u64, now: u64) -> (u64, u64) {
        let last = now / TICK;
        while self.left == 0 && self.tick < last {
            let before = (self.tick as f64 * self.per_tick) as u64;
            self.tick += 1;
            self.left = (self.tick as f64 * self.per_tick) as u64 - before;
        }
        let count = self.left.min(free);
        self.left -= count;
        (count, (self.tick * TICK).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;
    use crate::template::IdAt;

    fn flow(window: Option<u32>, rate: Option<f64>) -> Flow {
        let frame = Stamp { run: 0, producer: 0, seq: 0, sent: 0 }.payload(64);
        Flow::new(Template { frame, payload_at: 0, id_at: IdAt::None, spread: None }, 0, window, rate, 0)
    }

    #[test]
    fn the_window_opens_with_each_acknowledgement() {
        let mut flow = flow(Some(3), None);
        assert_eq!(flow.stage(u64::MAX, 5), 3);
        assert_eq!(flow.settle(2), Some(5));
        assert_eq!(flow.settle(2), None);
        assert_eq!(flow.settle(9), None);
        flow.block.sent(flow.block.unsent().len());
        assert_eq!(flow.stage(u64::MAX, 6), 1);
        assert_eq!(flow.in_flight, 3);
    }

    #[test]
    fn stops_at_the_limit() {
        let mut flow = flow(None, None);
        flow.limit = 2;
        assert_eq!(flow.stage(u64::MAX, 1), 2);
        flow.block.sent(flow.block.unsent().len());
        assert_eq!(flow.stage(u64::MAX, 1), 0);
    }

    #[test]
    fn an_open_loop_keeps_the_time_a_message_was_due() {
        let mut flow = flow(None, Some(1500.0));
        let mut staged = Vec::new();
        for _ in 0..3 {
            staged.push(flow.stage(u64::MAX, 2 * TICK));
            let stamp = Stamp::read(flow.block.unsent()).map(|stamp| stamp.sent);
            if staged.last() != Some(&0) {
                assert_eq!(stamp, Some(staged.len() as u64 * TICK));
            }
            flow.block.sent(flow.block.unsent().len());
        }
        assert_eq!(staged, [1, 2, 0]);
    }
}
