//! Frames (RFC 6455, 5): what a client sends is taken apart as it arrives, and no message is ever held.

use bytes::{Buf, BytesMut};
use smallvec::SmallVec;
use tokio::io::ReadBuf;

use super::utf8::Utf8;

/// Payload of a control frame (5.5).
const CONTROL_MAX: usize = 125;

const CONTINUATION: u8 = 0x0;
/// A message of text begins.
pub(super) const TEXT: u8 = 0x1;
/// A message of bytes begins.
pub(super) const BINARY: u8 = 0x2;
/// The connection is to be closed.
pub(super) const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
/// The answer to a ping.
pub(super) const PONG: u8 = 0xA;

/// Codes of a close frame (7.4.1).
pub(super) mod code {
    pub(in crate::net) const NORMAL: u16 = 1000;
    pub(in crate::net) const GOING_AWAY: u16 = 1001;
    pub(in crate::net) const PROTOCOL_ERROR: u16 = 1002;
    pub(in crate::net) const UNSUPPORTED: u16 = 1003;
    pub(in crate::net) const NOT_UTF8: u16 = 1007;
    pub(in crate::net) const POLICY: u16 = 1008;
    pub(in crate::net) const INTERNAL: u16 = 1011;
}

/// What a client did against the protocol, and the code it is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("WebSocket: {what}")]
pub(in crate::net) struct Fault {
    /// Of the close frame.
    pub(super) code: u16,
    what: &'static str,
}

const fn fault<T>(what: &'static str) -> Result<T, Fault> {
    Err(Fault { code: code::PROTOCOL_ERROR, what })
}

/// The control frames' payload.
pub(super) type Short = SmallVec<[u8; 16]>;

/// What a step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something; there may be more.
    More,
    /// Bytes are missing.
    NeedInput,
    /// There is no room for the payload.
    Full,
    /// A ping, to be answered with these bytes.
    Ping(Short),
    /// The client closes, with that code.
    Close(Option<u16>),
}

/// Takes the frames of a client apart.
pub(super) struct Decoder {
    /// Whether messages may be text.
    texts: bool,
    message: Option<Message>,
    /// Of the frame in progress.
    left: u64,
    is_last: bool,
    mask: [u8; 4],
}

enum Message {
    Binary,
    Text(Utf8),
}

impl Decoder {
    pub(super) const fn new(texts: bool) -> Self {
        Self { texts, message: None, left: 0, is_last: true, mask: [0; 4] }
    }

    /// Payload that the frame in progress still has.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// One frame's head, or a piece of its payload, from `raw` to `out`.
    pub(super) fn step(&mut self, raw: &mut BytesMut, out: &mut ReadBuf<'_>) -> Result<Step, Fault> {
        if self.left == 0 {
            return self.frame(raw);
        }
        let len = clip(self.left, raw.len().min(out.remaining()));
        if len == 0 {
            return Ok(if raw.is_empty() { Step::NeedInput } else { Step::Full });
        }
        let before = out.filled().len();
        out.put_slice(raw.get(..len).unwrap_or_default());
        raw.advance(len);
        match self.payload(out.filled_mut().get_mut(before..).unwrap_or_default()) {
            Ok(()) => Ok(Step::More),
            Err(fault) => {
                out.set_filled(before);
                Err(fault)
            }
        }
    }

    /// Unmasks payload of the frame in progress, and takes note of it.
    pub(super) fn payload(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        apply_mask(bytes, self.mask);
        self.mask.rotate_left(bytes.len() % 4);
        self.left = self.left.saturating_sub(bytes.len() as u64);
        if let Some(Message::Text(utf8)) = &mut self.message
            && !utf8.push(bytes)
        {
            return NOT_TEXT;
        }
        if self.left == 0 { self.end_frame() } else { Ok(()) }
    }

    fn frame(&mut self, raw: &mut BytesMut) -> Result<Step, Fault> {
        let Some(head) = Head::read(raw)? else { return Ok(Step::NeedInput) };
        if head.opcode & CLOSE != 0 {
            return control(&head, raw);
        }
        match (head.opcode, &self.message) {
            (CONTINUATION, None) => return fault("a continuation of nothing"),
            (CONTINUATION, Some(_)) => {}
            (_, Some(_)) => return fault("a message within a message"),
            (TEXT, None) if !self.texts => {
                return Err(Fault { code: code::UNSUPPORTED, what: "text, where the protocol is of bytes" });
            }
            (TEXT, None) => self.message = Some(Message::Text(Utf8::default())),
            (_, None) => self.message = Some(Message::Binary),
        }
        raw.advance(head.len);
        (self.left, self.is_last, self.mask) = (head.payload, head.is_last, head.mask);
        if self.left == 0 {
            self.end_frame()?;
        }
        Ok(Step::More)
    }

    fn end_frame(&mut self) -> Result<(), Fault> {
        if !self.is_last {
            return Ok(());
        }
        match self.message.take() {
            Some(Message::Text(utf8)) if !utf8.is_complete() => NOT_TEXT,
            _ => Ok(()),
        }
    }
}

const NOT_TEXT: Result<(), Fault> = Err(Fault { code: code::NOT_UTF8, what: "a text that is not UTF-8" });

/// A control frame: short, and handled whole.
fn control(head: &Head, raw: &mut BytesMut) -> Result<Step, Fault> {
    let len = clip(head.payload, CONTROL_MAX);
    if raw.len() < head.len + len {
        return Ok(Step::NeedInput);
    }
    raw.advance(head.len);
    let mut payload = raw.split_to(len);
    apply_mask(&mut payload, head.mask);
    match head.opcode {
        PING => Ok(Step::Ping(Short::from_slice(&payload))),
        CLOSE => Ok(Step::Close(close_code(&payload)?)),
        _ => Ok(Step::More),
    }
}

/// The code within a close frame (5.5.1, 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Fault> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { fault("a close frame with half a code") };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return fault("a close frame with a code that is none");
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Fault { code: code::NOT_UTF8, what: "a close frame whose reason is not UTF-8" });
    }
    Ok(Some(code))
}

/// The head of a frame (5.2).
struct Head {
    /// Its own length.
    len: usize,
    is_last: bool,
    opcode: u8,
    payload: u64,
    mask: [u8; 4],
}

impl Head {
    /// `None` where bytes are missing; what is wrong with those that are there is said before.
    fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (is_last, opcode, short) = (first & 0x80 != 0, first & 0x0F, second & 0x7F);
        if first & 0x70 != 0 {
            return fault("reserved bits, of an extension that was not agreed on");
        }
        if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
            return fault("an unknown opcode");
        }
        if second & 0x80 == 0 {
            return fault("a frame that is not masked");
        }
        if opcode & CLOSE != 0 && !is_last {
            return fault("a control frame in fragments");
        }
        if opcode & CLOSE != 0 && usize::from(short) > CONTROL_MAX {
            return fault("a control frame that is too long");
        }
        let Some((payload, rest)) = read_len(short, rest)? else { return Ok(None) };
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some(Self { len: bytes.len() - rest.len(), is_last, opcode, payload, mask: *mask }))
    }
}

/// The payload's length, which must be written as short as it can be, and what follows it.
fn read_len(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Fault> {
    let (len, least, rest) = match short {
        126 => {
            let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*len)), 126, rest)
        }
        127 => {
            let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*len), 1 << 16, rest)
        }
        len => (u64::from(len), 0, rest),
    };
    match len {
        _ if len < least => fault("a length that takes more bytes than it needs"),
        _ if len >> 63 != 0 => fault("a length over 63 bits"),
        _ => Ok(Some((len, rest))),
    }
}

/// Appends the head of a server's frame, which is whole and not masked.
pub(super) fn put_head(into: &mut Short, opcode: u8, len: usize) {
    into.push(0x80 | opcode);
    match len {
        0..126 => into.push(len as u8),
        126..0x1_0000 => {
            into.push(126);
            into.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            into.push(127);
            into.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// The lesser of both.
pub(super) fn clip(long: u64, most: usize) -> usize {
    usize::try_from(long).map_or(most, |len| len.min(most))
}
