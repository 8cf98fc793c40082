//! As much STOMP 1.2 as a load needs: frames written once, and a scan that copies nothing.

use std::io::{Read, Write};

use memchr::memmem;

use crate::fault::{Doing, Fault, Result};
use crate::template::{DIGITS, IdAt, Template, packet_id};
use crate::wire::Seen;

/// How a consumer acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Ack {
    Auto,
    /// One ACK for all that one read brought.
    Client,
    /// One ACK for every message, written together.
    #[default]
    ClientIndividual,
}

/// CONNECT, waiting for CONNECTED.
pub(crate) fn connect(stream: &mut (impl Read + Write), login: Option<(&str, &str)>) -> Result<()> {
    let login =
        login.map_or(String::new(), |(user, password)| format!("login:{user}\npasscode:{password}\n"));
    let frame = format!("CONNECT\naccept-version:1.2\nhost:/\nheart-beat:0,0\n{login}\n\0");
    stream.write_all(frame.as_bytes()).doing(|| "write while connecting".to_owned())?;
    let mut answer = Vec::new();
    // A byte at a time: what follows the frame stays in the socket.
    while answer.last() != Some(&0) && answer.len() < 1 << 16 {
        let mut byte = [0];
        stream.read_exact(&mut byte).doing(|| "wait for CONNECTED".to_owned())?;
        answer.push(byte[0]);
    }
    if answer.trim_ascii_start().starts_with(b"CONNECTED") { Ok(()) } else { refused(&answer) }
}

/// SUBSCRIBE; the two headers for the prefetch are those of RabbitMQ and of ActiveMQ.
///
/// `lane`: only what the producer of this number has sent.
pub(crate) fn subscribe(destination: &str, ack: Ack, prefetch: u32, lane: Option<usize>) -> Vec<u8> {
    let selector = lane.map_or(String::new(), |lane| format!("selector:lane = 'producer-{lane}'\n"));
    let ack = match ack {
        Ack::Auto => "auto",
        Ack::Client => "client",
        Ack::ClientIndividual => "client-individual",
    };
    format!(
        "SUBSCRIBE\nid:0\ndestination:{destination}\nack:{ack}\n{selector}\
         prefetch-count:{prefetch}\nactivemq.prefetchSize:{prefetch}\n\n\0"
    )
    .into_bytes()
}

/// The last frame of a connection: its receipt says that all before it was taken.
pub(crate) const DISCONNECT: &[u8] = b"DISCONNECT\nreceipt:bye\n\n\0";

/// How that receipt ends.
pub(crate) const DISCONNECTED: &[u8] = b"receipt-id:bye\n\n\0";

/// SEND that asks for a receipt. `lane`: the producer's number, for the selectors of [`subscribe`].
pub(crate) fn send(destination: &str, persistent: bool, lane: Option<usize>, payload: &[u8]) -> Template {
    let lane = lane.map_or(String::new(), |lane| format!("lane:producer-{lane}\n"));
    let head = "SEND\nreceipt:";
    // A message is not persistent unless it says so; some brokers take the word "false" for more than that.
    let persistent = if persistent { "persistent:true\n" } else { "" };
    let mut frame = format!(
        "{head}{:0DIGITS$}\ndestination:{destination}\n{persistent}{lane}content-length:{}\n\n",
        0,
        payload.len()
    )
    .into_bytes();
    let payload_at = frame.len();
    frame.extend(payload);
    frame.push(0);
    Template { frame, payload_at, id_at: IdAt::Decimal(head.len()), spread: None }
}

/// The reading side of a connection.
#[derive(Debug)]
pub(crate) struct Stomp {
    ack: Ack,
    header_end: memmem::Finder<'static>,
    /// The id of the last message that a cumulative ACK is to cover; empty for none.
    pending: Vec<u8>,
}

/// One frame, cut into its parts.
struct Frame<'a> {
    head: &'a [u8],
    body: &'a [u8],
    len: usize,
}

impl Stomp {
    pub(crate) fn new(ack: Ack) -> Self {
        Self { ack, header_end: memmem::Finder::new(b"\n\n"), pending: Vec::new() }
    }

    pub(crate) fn scan(&mut self, input: &[u8], reply: &mut Vec<u8>, seen: &mut impl Seen) -> Result<usize> {
        let mut at = 0;
        loop {
            at += input[at..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            let Some(frame) = self.split_frame(&input[at..])? else { break };
            match frame.head.first() {
                Some(b'M') => {
                    seen.message(frame.body);
                    self.acknowledge(frame.head, reply)?;
                }
                Some(b'R') => seen.settled(receipt(frame.head)?),
                _ => return refused(&input[at..at + frame.len]),
            }
            at += frame.len;
        }
        if !self.pending.is_empty() {
            put_ack(&self.pending, reply);
            self.pending.clear();
        }
        Ok(at)
    }

    fn split_frame<'a>(&self, input: &'a [u8]) -> Result<Option<Frame<'a>>> {
        let Some(end) = self.header_end.find(input) else { return Ok(None) };
        let (head, rest) = (&input[..end + 1], &input[end + 2..]);
        let body_len = match header(head, b"content-length:") {
            Some(digits) => Some(number(digits)? as usize),
            None => memchr::memchr(0, rest),
        };
        let Some(body_len) = body_len.filter(|len| rest.len() > *len) else { return Ok(None) };
        if rest[body_len] != 0 {
            return Fault::broken("a frame does not end where its content-length says");
        }
        Ok(Some(Frame { head, body: &rest[..body_len], len: end + 2 + body_len + 1 }))
    }

    fn acknowledge(&mut self, head: &[u8], reply: &mut Vec<u8>) -> Result<()> {
        if self.ack == Ack::Auto {
            return Ok(());
        }
        let Some(id) = header(head, b"ack:") else { return Fault::broken("a MESSAGE without an ack header") };
        if self.ack == Ack::Client {
            self.pending.clear();
            self.pending.extend_from_slice(id);
        } else {
            put_ack(id, reply);
        }
        Ok(())
    }
}

fn put_ack(id: &[u8], reply: &mut Vec<u8>) {
    reply.extend_from_slice(b"ACK\nid:");
    reply.extend_from_slice(id);
    reply.extend_from_slice(b"\n\n\0");
}

fn receipt(head: &[u8]) -> Result<u16> {
    match header(head, b"receipt-id:") {
        Some(digits) => Ok(packet_id(number(digits)?)),
        None => Fault::broken("a RECEIPT without a receipt-id"),
    }
}

/// The value of the first header that begins with `name` (which includes the colon).
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = head;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        if let Some(value) = rest[..end].strip_prefix(name) {
            return Some(value);
        }
        rest = &rest[end + 1..];
    }
    None
}

fn number(digits: &[u8]) -> Result<u64> {
    let text = std::str::from_utf8(digits).ok().and_then(|text| text.trim().parse().ok());
    text.ok_or_else(|| Fault::Broken(format!("not a number: {}", String::from_utf8_lossy(digits))))
}

fn refused<T>(frame: &[u8]) -> Result<T> {
    let text = String::from_utf8_lossy(&frame[..frame.len().min(600)]);
    Fault::broken(format!("the broker says: {}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::Noted;

    const TWO: &[u8] = b"\nMESSAGE\nack:a\\c1\nmessage-id:9\ncontent-length:3\n\nx\0z\0\n\
                         MESSAGE\nack:b2\nmessage-id:10\n\ny\0\nRECEIPT\nreceipt-id:0000000041\n\n\0\n";

    fn scan(ack: Ack, input: &[u8]) -> (usize, Vec<u8>, Noted) {
        let (mut reply, mut noted) = (Vec::new(), Noted::default());
        let taken = Stomp::new(ack).scan(input, &mut reply, &mut noted).unwrap();
        (taken, reply, noted)
    }

    #[test]
    fn finds_messages_and_receipts() {
        let (taken, reply, noted) = scan(Ack::ClientIndividual, TWO);
        assert_eq!(taken, TWO.len());
        assert_eq!(noted, Noted { messages: vec![b"x\0z".to_vec(), b"y".to_vec()], settled: vec![42] });
        assert_eq!(reply, b"ACK\nid:a\\c1\n\n\0ACK\nid:b2\n\n\0");
    }

    #[test]
    fn one_cumulative_ack_covers_a_read() {
        assert_eq!(scan(Ack::Client, TWO).1, b"ACK\nid:b2\n\n\0");
        assert_eq!(scan(Ack::Auto, TWO).1, b"");
    }

    #[test]
    fn any_cut_gives_the_same() {
        for cut in 0..TWO.len() {
            let (taken, _, mut noted) = scan(Ack::Auto, &TWO[..cut]);
            let (rest, _, after) = scan(Ack::Auto, &TWO[taken..]);
            noted.messages.extend(after.messages);
            noted.settled.extend(after.settled);
            assert_eq!((taken + rest, noted.messages.len(), noted.settled), (TWO.len(), 2, vec![42]));
        }
    }

    #[test]
    fn an_error_ends_the_run_with_its_words() {
        let error =
            Stomp::new(Ack::Auto).scan(b"ERROR\nmessage:no\n\nbody\0", &mut vec![], &mut Noted::default());
        assert!(error.unwrap_err().to_string().contains("message:no"));
    }

    #[test]
    fn the_template_holds_its_receipt_and_payload() {
        let template = send("/queue/a", true, None, &[1; 30]);
        assert_eq!(template.id_at, IdAt::Decimal(13));
        assert_eq!(&template.frame[13..24], b"0000000000\n");
        assert_eq!(&template.frame[template.payload_at..], [[1; 30].as_slice(), &[0]].concat());
    }
}
