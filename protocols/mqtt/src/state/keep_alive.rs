//! Keep alive arithmetic (3.1.2.10). No clock: times are the caller's, in milliseconds.

/// The keep alive of a connection, in seconds; 0 turns it off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive(pub u16);

impl KeepAlive {
    /// How long a client may be silent, in milliseconds: one and a half times the interval (MQTT-3.1.2-22).
    /// `None` if it may be silent for ever.
    #[must_use]
    pub const fn silence_ms(self) -> Option<u64> {
        if self.0 == 0 { None } else { Some(self.0 as u64 * 1_500) }
    }

    /// When a client last heard at `heard_ms` has been silent too long.
    #[must_use]
    pub const fn deadline_ms(self, heard_ms: u64) -> Option<u64> {
        match self.silence_ms() {
            Some(silence) => Some(heard_ms.saturating_add(silence)),
            None => None,
        }
    }

    /// When a client that sent its last packet at `sent_ms` has to send PINGREQ.
    #[must_use]
    pub const fn ping_ms(self, sent_ms: u64) -> Option<u64> {
        if self.0 == 0 { None } else { Some(sent_ms.saturating_add(self.0 as u64 * 1_000)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_a_half_times() {
        assert_eq!(KeepAlive(10).deadline_ms(1_000), Some(16_000));
        assert_eq!(KeepAlive(u16::MAX).silence_ms(), Some(98_302_500));
        assert_eq!(KeepAlive(1).deadline_ms(u64::MAX), Some(u64::MAX));
        assert_eq!(KeepAlive(10).ping_ms(1_000), Some(11_000));
    }

    #[test]
    fn zero_is_off() {
        assert_eq!(KeepAlive(0).deadline_ms(5), None);
        assert_eq!(KeepAlive(0).ping_ms(5), None);
    }
}
