//! STOMP 1.2 as a client speaks it.

use std::time::Instant;

use bytes::Buf;

use super::destination::{Destination, from_stomp};
use super::wire::{FRAME_MAX, Wire};
use super::{Ack, Client, Received, WINDOW};

/// Bytes that the command and headers of a frame may take.
const HEAD_MAX: usize = 1 << 20;

pub(super) struct Stomp {
    wire: Wire,
    destination: String,
    /// Whether messages survive a stop of the broker and are confirmed.
    persistent: bool,
    asked: u64,
    confirmed: u64,
    /// How much of the input is known to hold no end of a frame.
    searched: usize,
}

impl Stomp {
    pub(super) fn connect(wire: Wire, host: &str, destination: Destination, qos: u8) -> Result<Self, String> {
        let destination = destination.stomp();
        let mut client = Self { wire, destination, persistent: qos > 0, asked: 0, confirmed: 0, searched: 0 };
        // Values of CONNECT are not escaped (STOMP 1.2, "Value Encoding"); a host holds nothing to escape.
        client.write("CONNECT", &[("accept-version", "1.2"), ("host", host), ("heart-beat", "0,0")], b"")?;
        let frame = client.answer()?;
        match (frame.command.as_str(), frame.header("version")) {
            ("CONNECTED", Some("1.2")) => Ok(client),
            ("CONNECTED", version) => {
                Err(format!("the broker speaks STOMP {}, not 1.2", version.unwrap_or("1.0")))
            }
            _ => Err(unexpected(&frame)),
        }
    }

    fn write(&mut self, command: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(), String> {
        let mut out = Vec::with_capacity(256 + body.len());
        out.extend_from_slice(command.as_bytes());
        for (name, value) in headers {
            out.push(b'\n');
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            let escaped = if command == "CONNECT" { (*value).to_owned() } else { escape(value) };
            out.extend_from_slice(escaped.as_bytes());
        }
        out.extend_from_slice(b"\n\n");
        out.extend_from_slice(body);
        out.push(0);
        self.wire.write(&out)
    }

    /// The next frame, or nothing when the deadline passes first.
    fn frame(&mut self, deadline: Option<Instant>) -> Result<Option<Frame>, String> {
        loop {
            let input = &mut self.wire.input;
            while matches!(input.first(), Some(b'\n' | b'\r')) {
                input.advance(1);
            }
            match Frame::read(input, &mut self.searched)? {
                Some((frame, length)) => {
                    input.advance(length);
                    self.searched = 0;
                    return frame.into_result().map(Some);
                }
                None if input.len() > FRAME_MAX + HEAD_MAX => {
                    return Err("the broker sent too large a frame".into());
                }
                None if !self.wire.fill(deadline)? => return Ok(None),
                None => {}
            }
        }
    }

    fn answer(&mut self) -> Result<Frame, String> {
        let deadline = self.wire.answer_by();
        self.frame(Some(deadline))?.ok_or_else(|| format!("no answer within {:?}", self.wire.patience))
    }

    /// A new receipt's id.
    fn ask(&mut self) -> String {
        self.asked += 1;
        self.asked.to_string()
    }

    /// Waits until at most `most` receipts are open. Messages that come meanwhile stay unacknowledged.
    fn settle(&mut self, most: u64) -> Result<(), String> {
        while self.asked - self.confirmed > most {
            let frame = self.answer()?;
            match frame.command.as_str() {
                "RECEIPT" => self.confirmed += 1,
                "MESSAGE" => {}
                _ => return Err(unexpected(&frame)),
            }
        }
        Ok(())
    }
}

impl Client for Stomp {
    fn send(&mut self, body: &[u8]) -> Result<(), String> {
        let destination = self.destination.clone();
        let mut headers = vec![("destination", destination.as_str())];
        let length = body.len().to_string();
        // Without a length brokers with JMS clients take the body for text, which is what people type.
        if body.contains(&0) || std::str::from_utf8(body).is_err() {
            headers.push(("content-length", &length));
        }
        let receipt;
        if self.persistent {
            self.settle(WINDOW as u64 - 1)?;
            receipt = self.ask();
            headers.extend([("persistent", "true"), ("receipt", receipt.as_str())]);
        }
        self.write("SEND", &headers, body)
    }

    fn subscribe(&mut self, most: Option<u64>) -> Result<(), String> {
        let destination = self.destination.clone();
        // What is sent beyond what is wanted would be kept from others until we leave.
        let prefetch = most.unwrap_or(100).min(100).to_string();
        let headers = [
            ("id", "0"),
            ("destination", destination.as_str()),
            ("ack", "client-individual"),
            ("activemq.prefetchSize", prefetch.as_str()),
        ];
        self.write("SUBSCRIBE", &headers, b"")
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Result<Option<Received>, String> {
        loop {
            let Some(frame) = self.frame(deadline)? else { return Ok(None) };
            match frame.command.as_str() {
                "MESSAGE" => return Ok(Some(received(frame))),
                "RECEIPT" => self.confirmed += 1,
                _ => return Err(unexpected(&frame)),
            }
        }
    }

    fn acknowledge(&mut self, ack: Ack) -> Result<(), String> {
        match ack {
            Ack::Stomp(id) => self.write("ACK", &[("id", &id)], b""),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), String> {
        // Its receipt says that all before it was handled, acknowledgements too.
        let receipt = self.ask();
        self.write("DISCONNECT", &[("receipt", &receipt)], b"")?;
        self.settle(0)
    }
}

fn received(frame: Frame) -> Received {
    let mut extra = vec![("message_id", frame.header("message-id").unwrap_or_default().into())];
    if frame.header("redelivered") == Some("true") {
        extra.push(("redelivered", true.into()));
    }
    Received {
        destination: from_stomp(frame.header("destination").unwrap_or_default()),
        ack: frame.header("ack").map_or(Ack::None, |id| Ack::Stomp(id.to_owned())),
        extra,
        body: frame.body,
    }
}

fn unexpected(frame: &Frame) -> String {
    let command: String = frame.command.chars().take(32).collect();
    format!("the broker sent an unexpected {}", command.escape_debug())
}

#[derive(Debug, PartialEq, Eq)]
struct Frame {
    command: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Frame {
    /// A frame at the start of `input` and its length, if it is there whole. `searched` bytes of a body
    /// without a length are known not to end it.
    fn read(input: &[u8], searched: &mut usize) -> Result<Option<(Self, usize)>, String> {
        let Some(head) = head_length(input) else {
            let too_long = input.len() > HEAD_MAX || input.contains(&0);
            return if too_long { Err(broken("headers without an end")) } else { Ok(None) };
        };
        let (head, rest) = input.split_at(head);
        let text = std::str::from_utf8(head).map_err(|_| broken("headers that are not UTF-8"))?;
        let mut lines = text.lines();
        let command = lines.next().unwrap_or_default().to_owned();
        let raw = command == "CONNECTED";
        let headers: Vec<(String, String)> =
            lines.filter(|line| !line.is_empty()).map(|line| header(line, raw)).collect::<Result<_, _>>()?;
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .map(|(_, value)| value.parse::<usize>());
        let end = match length {
            Some(Ok(length)) if length <= FRAME_MAX => match rest.get(length) {
                Some(0) => length,
                Some(_) => return Err(broken("a body longer than its content-length")),
                None => return Ok(None),
            },
            Some(_) => return Err(broken("a content-length that is no length")),
            None => {
                let from = (*searched).min(rest.len());
                match memchr::memchr(0, rest.get(from..).unwrap_or_default()) {
                    Some(end) => from + end,
                    None => {
                        *searched = rest.len();
                        return Ok(None);
                    }
                }
            }
        };
        let body = rest.get(..end).unwrap_or_default().to_vec();
        Ok(Some((Self { command, headers, body }, head.len() + end + 1)))
    }

    /// The first header of that name, which is the one that counts.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    fn into_result(self) -> Result<Self, String> {
        if self.command != "ERROR" {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        let detail = body.lines().next().unwrap_or_default();
        Err(match self.header("message") {
            Some(message) if detail.is_empty() || detail == message => format!("the broker says: {message}"),
            Some(message) => format!("the broker says: {message}: {detail}"),
            None => format!("the broker says: {detail}"),
        })
    }
}

/// Where the body begins: behind the first empty line.
fn head_length(input: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for end in memchr::memchr_iter(b'\n', input.get(..HEAD_MAX.min(input.len()))?) {
        if matches!(input.get(line_start..end), Some(b"" | b"\r")) {
            return Some(end + 1);
        }
        line_start = end + 1;
    }
    None
}

fn header(line: &str, raw: bool) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| broken("a header without a colon"))?;
    if raw {
        return Ok((name.to_owned(), value.to_owned()));
    }
    let unescaped = unescape(name).zip(unescape(value));
    unescaped.ok_or_else(|| broken("an undefined escape in a header"))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            ':' => out.push_str("\\c"),
            other => out.push(other),
        }
    }
    out
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                'c' => ':',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out)
}

fn broken(what: &str) -> String {
    format!("the broker speaks no STOMP that can be read: {what}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(input: &[u8]) -> Result<Option<(Frame, usize)>, String> {
        Frame::read(input, &mut 0)
    }

    #[test]
    fn frames_at_every_split() {
        let whole: &[u8] = b"MESSAGE\r\ndestination:/queue/a\\cb\ncontent-length:3\n\nx\0y\0\nRECEIPT\n";
        let length = whole.len() - "\nRECEIPT\n".len();
        for cut in 0..length {
            assert_eq!(read(&whole[..cut]), Ok(None), "{cut}");
        }
        let (frame, taken) = read(whole).unwrap().unwrap();
        assert_eq!(taken, length);
        assert_eq!((frame.command.as_str(), frame.body.as_slice()), ("MESSAGE", b"x\0y".as_slice()));
        assert_eq!(frame.header("destination"), Some("/queue/a:b"));
    }

    #[test]
    fn a_body_without_length_is_searched_once() {
        let mut searched = 0;
        assert_eq!(Frame::read(b"M\n\nabc", &mut searched), Ok(None));
        assert_eq!(searched, 3);
        let (frame, taken) = Frame::read(b"M\n\nabcd\0", &mut searched).unwrap().unwrap();
        assert_eq!((frame.body.as_slice(), taken), (b"abcd".as_slice(), 8));
    }

    #[test]
    fn what_cannot_be_read() {
        for wrong in [
            b"M\nno colon\n\n\0".as_slice(),
            b"M\na:\\x\n\n\0",
            b"M\n\xff:a\n\n\0",
            b"M\ncontent-length:x\n\n\0",
            b"M\ncontent-length:1\n\nabc\0",
            b"M\ncontent-length:99999999999\n\n",
            b"\0",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn escapes_come_back(text in "\\PC*|[\\\\:\r\n]*") {
            prop_assert_eq!(unescape(&escape(&text)), Some(text));
        }

        #[test]
        fn reading_never_panics(input: Vec<u8>, searched: usize) {
            let _ = Frame::read(&input, &mut { searched });
        }
    }
}
