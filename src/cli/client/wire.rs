//! A blocking connection with a buffer of what has arrived.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::config::url::InUrl;

/// The largest frame that a broker may send us: the largest it may be set to take.
pub(super) const FRAME_MAX: usize = 256 << 20;

pub(super) struct Wire {
    stream: TcpStream,
    /// What has arrived and was not yet taken.
    pub(super) input: BytesMut,
    chunk: Box<[u8]>,
    /// How long the broker may leave a question unanswered.
    pub(super) patience: Duration,
}

impl Wire {
    pub(super) fn connect(host: &str, port: u16, patience: Duration) -> Result<Self, String> {
        let name = format!("{}:{port}", InUrl(host));
        let addresses = (host, port).to_socket_addrs().map_err(|error| format!("{name}: {error}"))?;
        let mut last = format!("{name}: no such host");
        for address in addresses {
            match TcpStream::connect_timeout(&address, patience.max(Duration::from_millis(1))) {
                Ok(stream) => {
                    let prepared =
                        stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(patience)));
                    prepared.map_err(|error| format!("{name}: {error}"))?;
                    let chunk = vec![0; 64 << 10].into_boxed_slice();
                    return Ok(Self { stream, input: BytesMut::new(), chunk, patience });
                }
                Err(error) => last = format!("{name}: {error}"),
            }
        }
        Err(last)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(|error| format!("the connection broke: {error}"))
    }

    /// Waits for more bytes. False when the deadline passes first.
    pub(super) fn fill(&mut self, deadline: Option<Instant>) -> Result<bool, String> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
        let read = self.stream.set_read_timeout(left).and_then(|()| self.stream.read(&mut self.chunk));
        match read {
            Ok(0) => Err("the broker closed the connection".into()),
            Ok(read) => {
                self.input.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Ok(false)
            }
            Err(error) => Err(format!("the connection broke: {error}")),
        }
    }

    /// The deadline of a question asked now.
    pub(super) fn answer_by(&self) -> Instant {
        Instant::now() + self.patience
    }
}
