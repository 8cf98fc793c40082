//! A blocking STOMP client of a few lines, written from the standard and not from the broker's codec, so that
//! one mistake cannot hide in both.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::wait::{PATIENCE, QUIET};

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) command: String,
    /// Unescaped, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    /// The first header of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header that must be there.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("no `{name}` in {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A connection; misused as easily as used.
pub(crate) struct Stomp {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
    held: VecDeque<Frame>,
    next_receipt: u64,
}

impl Stomp {
    /// Opens the socket and says nothing.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, input: Vec::new(), held: VecDeque::new(), next_receipt: 0 }
    }

    /// Connects with STOMP 1.2 and no heart-beats.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::login(address, &[("accept-version", "1.2"), ("host", "localhost")]).0
    }

    /// Connects with these headers; gives the client and CONNECTED.
    #[track_caller]
    pub(crate) fn login(address: SocketAddr, headers: &[(&str, &str)]) -> (Self, Frame) {
        let mut client = Self::open(address);
        client.frame("CONNECT", headers, b"");
        let answer = client.expect("CONNECTED");
        (client, answer)
    }

    #[track_caller]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a frame; header values are escaped, content-length is added where there is a body.
    #[track_caller]
    pub(crate) fn frame(&mut self, command: &str, headers: &[(&str, &str)], body: &[u8]) {
        self.write(&frame_bytes(command, headers, body));
    }

    /// Sends a frame and waits for its receipt.
    #[track_caller]
    pub(crate) fn confirmed(&mut self, command: &str, headers: &[(&str, &str)], body: &[u8]) {
        self.next_receipt += 1;
        let receipt = format!("r-{}", self.next_receipt);
        let mut headers = headers.to_vec();
        headers.push(("receipt", &receipt));
        self.frame(command, &headers, body);
        assert_eq!(self.expect("RECEIPT").header("receipt-id"), receipt);
    }

    /// Sends a persistent message and waits for its receipt.
    #[track_caller]
    pub(crate) fn send(&mut self, destination: &str, body: impl AsRef<[u8]>) {
        self.send_with(destination, &[], body);
    }

    /// Sends a persistent message with more headers and waits for its receipt.
    #[track_caller]
    pub(crate) fn send_with(&mut self, destination: &str, more: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let mut headers = vec![("destination", destination), ("persistent", "true")];
        headers.extend(more);
        self.confirmed("SEND", &headers, body.as_ref());
    }

    /// Subscribes and waits for the receipt.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, id: &str, destination: &str, ack: &str) {
        self.subscribe_with(id, destination, ack, &[]);
    }

    /// Subscribes with more headers and waits for the receipt.
    #[track_caller]
    pub(crate) fn subscribe_with(&mut self, id: &str, destination: &str, ack: &str, more: &[(&str, &str)]) {
        let mut headers = vec![("id", id), ("destination", destination), ("ack", ack)];
        headers.extend(more);
        self.confirmed("SUBSCRIBE", &headers, b"");
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Frame {
        self.expect("MESSAGE")
    }

    /// The next message, acknowledged with a receipt.
    #[track_caller]
    pub(crate) fn take(&mut self) -> Frame {
        let message = self.receive();
        self.ack(&message);
        message
    }

    /// Acknowledges and waits for the receipt.
    #[track_caller]
    pub(crate) fn ack(&mut self, message: &Frame) {
        self.confirmed("ACK", &[("id", message.header("ack"))], b"");
    }

    /// Refuses and waits for the receipt.
    #[track_caller]
    pub(crate) fn nack(&mut self, message: &Frame) {
        self.confirmed("NACK", &[("id", message.header("ack"))], b"");
    }

    /// Asserts that no message comes for a while.
    #[track_caller]
    pub(crate) fn nothing(&mut self) {
        let came = self.held.front().cloned().or_else(|| self.next_within(QUIET));
        assert_eq!(came, None, "something came");
    }

    /// Says goodbye, with everything before it confirmed.
    #[track_caller]
    pub(crate) fn disconnect(mut self) {
        self.confirmed("DISCONNECT", &[], b"");
    }

    /// The next frame of that command; messages that come before it are kept, anything else is an error.
    #[track_caller]
    pub(crate) fn expect(&mut self, command: &str) -> Frame {
        if let Some(at) = self.held.iter().position(|frame| frame.command == command) {
            return self.held.remove(at).unwrap();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.next_within(left.max(Duration::from_millis(1))) {
                Some(frame) if frame.command == command => return frame,
                Some(frame) if frame.command == "MESSAGE" => self.held.push_back(frame),
                Some(other) => panic!("waiting for {command}: {other:?}"),
                None => panic!("waiting for {command}: nothing came, or the connection was closed"),
            }
        }
    }

    /// The next frame; `None` when none comes in time or the connection ends.
    pub(crate) fn next_within(&mut self, patience: Duration) -> Option<Frame> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(frame) = self.parse() {
                return Some(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return None;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 65_536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.input.extend_from_slice(&chunk[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits until the broker closes; gives the frames that came before, held ones included.
    #[track_caller]
    pub(crate) fn closed(mut self) -> Vec<Frame> {
        let deadline = Instant::now() + PATIENCE;
        let mut frames: Vec<Frame> = self.held.drain(..).collect();
        let mut chunk = [0; 65_536];
        loop {
            while let Some(frame) = self.parse() {
                frames.push(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(left > Duration::ZERO, "the connection stays open; came: {frames:?}");
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut chunk) {
                Ok(0) => return frames,
                Ok(read) => self.input.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return frames,
                Err(error) => panic!("the connection stays open ({error}); came: {frames:?}"),
            }
        }
    }

    /// A frame that came while another was waited for.
    pub(crate) fn pop_held(&mut self) -> Option<Frame> {
        self.held.pop_front()
    }

    fn parse(&mut self) -> Option<Frame> {
        let beats = self.input.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.input.drain(..beats);
        let end = self.input.windows(2).position(|pair| pair == b"\n\n")?;
        let head = String::from_utf8(self.input[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let command = lines.next().unwrap().to_owned();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (unescape(name), unescape(value)))
            .collect();
        let start = end + 2;
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = match length {
            Some((_, length)) => length.parse().unwrap(),
            None => self.input[start..].iter().position(|byte| *byte == 0)?,
        };
        if self.input.len() <= start + length {
            return None;
        }
        let body = self.input[start..start + length].to_vec();
        assert_eq!(self.input[start + length], 0, "no NUL after the body");
        self.input.drain(..=start + length);
        Some(Frame { command, headers, body })
    }
}

/// A frame as bytes.
pub(crate) fn frame_bytes(command: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{command}\n").into_bytes();
    for (name, value) in headers {
        let value = if command == "CONNECT" { (*value).to_owned() } else { escape(value) };
        bytes.extend(format!("{name}:{value}\n").into_bytes());
    }
    if !body.is_empty() {
        bytes.extend(format!("content-length:{}\n", body.len()).into_bytes());
    }
    bytes.push(b'\n');
    bytes.extend(body);
    bytes.push(0);
    bytes
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\r', "\\r").replace('\n', "\\n").replace(':', "\\c")
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('c') => ':',
                Some('\\') => '\\',
                other => panic!("undefined escape {other:?} in {text}"),
            }),
            c => out.push(c),
        }
    }
    out
}
