//! The send quota of flow control (4.9).

/// How many PUBLISH packets of QoS above 0 may be unacknowledged, and how many are.
///
/// One stands for what the peer has announced (sending), one for what was announced to it (receiving).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    limit: u16,
    used: u16,
}

impl Window {
    /// A window of `limit` packets: the Receive Maximum, 65,535 unless announced (3.1.2.11.3).
    #[must_use]
    pub const fn new(limit: u16) -> Self {
        Self { limit, used: 0 }
    }

    /// Takes one place; false if there is none: wait (sending, MQTT-4.9.0-2), or reason 0x93 (receiving).
    #[must_use]
    pub const fn take(&mut self) -> bool {
        let free = self.used < self.limit;
        if free {
            self.used += 1;
        }
        free
    }

    /// Gives one place back: on PUBACK, PUBCOMP, or a PUBREC that is a failure (MQTT-4.9.0-3). Never makes the
    /// window larger than it was.
    pub const fn release(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    /// Places left.
    #[must_use]
    pub const fn free(self) -> u16 {
        self.limit - self.used
    }

    /// Packets that are unacknowledged.
    #[must_use]
    pub const fn used(self) -> u16 {
        self.used
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mqtt_4_9_0_2_stops_at_the_limit() {
        let mut window = Window::new(2);
        assert!(window.take() && window.take());
        assert!(!window.take());
        window.release();
        assert_eq!((window.free(), window.used()), (1, 1));
        assert!(window.take());
    }

    #[test]
    fn releasing_too_often_does_not_widen_it() {
        let mut window = Window::new(1);
        window.release();
        assert!(window.take());
        assert!(!window.take());
    }
}
