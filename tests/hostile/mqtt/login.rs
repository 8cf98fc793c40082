//! Clients that connect and don't get to the end of their CONNECT.

use std::io::Write;
use std::time::Duration;

use super::bytes::{connect, field};
use crate::support::mqtt::{V5, V311};
use crate::support::{Broker, Mqtt};

/// Connections that are to be cut off while other things go on.
pub(super) struct Loiterers {
    silent: Vec<Mqtt>,
    slow: Mqtt,
}

impl Loiterers {
    /// Opens them: nothing said, a piece of the fixed header, half a CONNECT, all but its last byte, and one
    /// that sends a byte now and then.
    pub(super) fn begin(broker: &Broker) -> Self {
        let whole = connect(V5).bytes();
        let starts = [&[][..], &[0x10], &[0x10, 0x80], &whole[..10], &whole[..whole.len() - 1]];
        let silent = starts.map(|start| {
            let mut client = Mqtt::open(broker.mqtt(), V5);
            client.write(start);
            client
        });
        let mut slow = Mqtt::open(broker.mqtt(), V311);
        slow.write(&[0x10]);
        Self { silent: silent.into(), slow }
    }

    /// Sees that all have been cut off without a word.
    pub(super) fn end(mut self) {
        for client in self.silent {
            assert_eq!(client.closed(), []);
        }
        let long = connect(V311).payload(&[field("x".repeat(9_000))]).bytes();
        for byte in long[1..].chunks(1) {
            if self.slow.is_closed_within(Duration::from_millis(5)) {
                return;
            }
            // Fails where the broker closes just now.
            let _ = self.slow.stream.write_all(byte);
        }
        panic!("a CONNECT was waited for byte by byte");
    }
}
