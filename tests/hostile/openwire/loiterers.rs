//! Clients that connect and don't get to the end of their login.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use wharfmq_openwire::KeepAliveInfo;

use super::client::{Client, proposal};

/// Connections that are to be cut off while other things go on.
pub(super) struct Loiterers {
    silent: Vec<Client>,
    slow: Client,
}

impl Loiterers {
    /// Opens them: nothing said, a piece of a size, half a WireFormatInfo, no ConnectionInfo, half of one, and
    /// one that sends a byte now and then.
    pub(super) fn begin(broker: SocketAddr) -> Self {
        let open = |nth: usize| Client::open(broker, &format!("ID:loiterer-{nth}"));
        let mut silent: Vec<_> = (0..5).map(open).collect();
        silent[1].raw(&[0, 0]);
        silent[2].raw(&[0, 0, 1, 0, 1, b'A', b'c']);
        silent[3].greet(&proposal());
        silent[3].send(&KeepAliveInfo::default());
        silent[4].greet(&proposal());
        let info = silent[4].connection_info();
        let bytes = silent[4].bytes(&info);
        silent[4].raw(&bytes[..bytes.len() - 1]);
        let mut slow = open(5);
        slow.raw(&[0, 0, 0x23, 0, 1]);
        Self { silent, slow }
    }

    /// Sees that all have been cut off.
    pub(super) fn end(mut self) {
        for mut client in self.silent {
            while client.next_within(Duration::from_secs(20)).is_some() {}
            assert!(client.is_closed_within(Duration::from_millis(1)), "{}", client.id);
        }
        for _ in 0..9_000 {
            if self.slow.is_closed_within(Duration::from_millis(5)) {
                return;
            }
            // Fails where the broker closes just now.
            let _ = self.slow.stream.write_all(b"x");
        }
        panic!("a WireFormatInfo was waited for byte by byte");
    }
}
