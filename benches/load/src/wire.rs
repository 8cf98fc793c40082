//! What the two protocols have in common for a load: messages come in, acknowledgements come in.

use crate::fault::Result;
use crate::mqtt::Mqtt;
use crate::stomp::{self, Stomp};

/// Takes what a scan finds.
pub(crate) trait Seen {
    fn message(&mut self, payload: &[u8]);
    /// The message with this id (see `template::packet_id`) was acknowledged for good.
    fn settled(&mut self, id: u16);
}

/// A protocol's reading side.
#[derive(Debug)]
pub(crate) enum Wire {
    Mqtt(Mqtt),
    Stomp(Box<Stomp>),
}

impl Wire {
    /// Looks through the whole frames at the head of `input`, appends what must be answered to `reply`, and says
    /// how many bytes those frames take.
    pub(crate) fn scan(&mut self, input: &[u8], reply: &mut Vec<u8>, seen: &mut impl Seen) -> Result<usize> {
        match self {
            Self::Mqtt(mqtt) => mqtt.scan(input, reply, seen),
            Self::Stomp(stomp) => stomp.scan(input, reply, seen),
        }
    }

    /// What to say last, and the bytes by which the broker answers it, empty if it does not.
    pub(crate) const fn farewell(&self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Mqtt(_) => (&[0xe0, 0], &[]),
            Self::Stomp(_) => (stomp::DISCONNECT, stomp::DISCONNECTED),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Seen;

    /// Keeps everything that was seen.
    #[derive(Debug, Default, PartialEq, Eq)]
    pub(crate) struct Noted {
        pub(crate) messages: Vec<Vec<u8>>,
        pub(crate) settled: Vec<u16>,
    }

    impl Seen for Noted {
        fn message(&mut self, payload: &[u8]) {
            self.messages.push(payload.to_vec());
        }

        fn settled(&mut self, id: u16) {
            self.settled.push(id);
        }
    }
}
