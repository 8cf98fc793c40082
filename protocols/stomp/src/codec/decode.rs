//! Finds the frame at the front of a slice.

use memchr::{memchr, memchr2};

use super::limits::Limits;
use crate::error::Error;
use crate::frame::{Command, Decoded, Frame, Version};

/// What the front of `input` is: line ends, a frame, or the beginning of one.
///
/// Before the version is negotiated, pass [`Version::V1_0`]. `scan` keeps what is already known of an
/// unfinished frame, so that a frame that trickles in is searched once and not once per read: after
/// [`Decoded::Incomplete`], call again with the same bytes and more behind them. Otherwise remove
/// what was consumed; `scan` is fresh again then. It must not be used after an error.
///
/// The answer borrows `input`; nothing is copied or allocated except the text of an error.
///
/// # Errors
/// The frame is malformed or over a limit; found at the first byte that proves it, as a rule long
/// before the frame is complete.
pub fn decode<'a>(
    input: &'a [u8],
    scan: &mut Scan,
    limits: &Limits,
    version: Version,
) -> Result<Decoded<'a>, Error> {
    let command = match scan.command {
        Some(command) => command,
        None => {
            let blank = line_ends(input);
            if blank > 0 {
                return Ok(Decoded::HeartBeat(blank));
            }
            let Some(command) = scan.find_command(input, version)? else {
                return Ok(Decoded::Incomplete { missing: None });
            };
            command
        }
    };
    if scan.body_at == 0 && !scan.find_body(input, limits, version)? {
        return Ok(Decoded::Incomplete { missing: None });
    }
    let bodiless = version >= Version::V1_1 && !command.may_have_body();
    if bodiless && scan.length.is_some_and(|length| length > 0) {
        return Err(Error::BodyNotAllowed(command));
    }
    let Some(end) = scan.find_end(input, limits)? else {
        return Ok(Decoded::Incomplete { missing: scan.missing(input) });
    };
    if bodiless && !is_blank(input.get(scan.body_at..end).unwrap_or_default()) {
        return Err(Error::BodyNotAllowed(command));
    }
    let head = input.get(scan.head_at..scan.head_end).unwrap_or_default();
    let frame = Frame {
        input,
        head: str::from_utf8(head).map_err(|_| Error::NotUtf8)?,
        command,
        version,
        has_length: scan.length.is_some(),
        head_at: scan.head_at,
        body_at: scan.body_at,
        end: end + 1,
    };
    *scan = Scan::default();
    Ok(Decoded::Frame(frame))
}

/// Where the search for the end of an unfinished frame stands; see [`decode`].
#[derive(Clone, Debug, Default)]
pub struct Scan {
    command: Option<Command>,
    /// Whether a CR before the LF belongs to the line end.
    crlf: bool,
    /// Where the header lines begin.
    head_at: usize,
    /// Where they end: the start of the blank line.
    head_end: usize,
    /// Where the body begins; 0 until the blank line is found.
    body_at: usize,
    /// The start of the line that is being searched for its end.
    line_at: usize,
    /// Everything before it is searched.
    searched: usize,
    /// Header lines so far.
    lines: usize,
    length: Option<usize>,
}

impl Scan {
    /// Bytes at the front of the input that need no second look.
    pub const fn scanned(&self) -> usize {
        self.searched
    }

    /// Reads the command line, or none while it is unfinished.
    fn find_command(&mut self, input: &[u8], version: Version) -> Result<Option<Command>, Error> {
        const LINE_MAX: usize = Command::MAX_LEN + "\r\n".len();
        let window = input.get(..LINE_MAX).unwrap_or(input);
        let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
            let text = window.split(|&byte| byte == 0).next().unwrap_or_default();
            return match Command::parse(text) {
                Some(_) if text.len() < window.len() => Err(Error::NulInHeaders),
                _ if window.len() == LINE_MAX => Err(unknown(window)),
                _ => Ok(None),
            };
        };
        let line = window.get(..end).unwrap_or_default();
        let bare = line.strip_suffix(b"\r").unwrap_or(line);
        let command = Command::parse(bare).ok_or_else(|| unknown(line))?;
        // The sender of a handshake cannot know yet which line ends the other side allows.
        self.crlf = version >= Version::V1_2 || command.is_handshake();
        if bare.len() != line.len() && !self.crlf {
            return Err(Error::CarriageReturn);
        }
        self.command = Some(command);
        (self.head_at, self.line_at, self.searched) = (end + 1, end + 1, end + 1);
        Ok(Some(command))
    }

    /// Walks the header lines. True once the blank line is found and the frame's size is within limits.
    fn find_body(&mut self, input: &[u8], limits: &Limits, version: Version) -> Result<bool, Error> {
        loop {
            let rest = input.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr2(b'\n', 0, rest) else {
                self.searched = input.len();
                return self.check_head(input.len(), input.len(), limits).map(|()| false);
            };
            let end = self.searched + at;
            if input.get(end) == Some(&0) {
                return Err(Error::NulInHeaders);
            }
            let line = input.get(self.line_at..end).unwrap_or_default();
            let bare = match line.strip_suffix(b"\r") {
                Some(bare) if self.crlf => bare,
                Some([]) => return Err(Error::CarriageReturn),
                _ => line,
            };
            if bare.is_empty() {
                (self.head_end, self.body_at) = (self.line_at, end + 1);
                self.searched = self.body_at;
                return self.check_length(limits).map(|()| true);
            }
            self.lines += 1;
            self.check_head(end, end + 1, limits)?;
            if let Some(value) = content_length(bare, version) {
                let length = parse_length(value)?;
                if self.length.replace(length).is_some() {
                    return Err(Error::ContentLengthRepeated);
                }
            }
            (self.line_at, self.searched) = (end + 1, end + 1);
        }
    }

    /// Checks the limits of the headers: the current line reaches to `line_end`, the block to `head_end`.
    fn check_head(&self, line_end: usize, head_end: usize, limits: &Limits) -> Result<(), Error> {
        if line_end.saturating_sub(self.line_at) > limits.line {
            return Err(Error::TooLarge("bytes of a header line", limits.line));
        }
        if head_end.saturating_sub(self.head_at) > limits.head {
            return Err(Error::TooLarge("bytes of headers", limits.head));
        }
        if self.lines > limits.headers {
            return Err(Error::TooLarge("number of headers", limits.headers));
        }
        Ok(())
    }

    /// Refuses an announced body that cannot fit before any of it is waited for.
    fn check_length(&self, limits: &Limits) -> Result<(), Error> {
        let room = limits.frame.saturating_sub(self.body_at + 1);
        if self.body_at >= limits.frame || self.length.is_some_and(|length| length > room) {
            return Err(Error::TooLarge("bytes of the frame", limits.frame));
        }
        Ok(())
    }

    /// Where the NUL is that ends the frame, or none while it is not there.
    fn find_end(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, Error> {
        if let Some(length) = self.length {
            let end = self.body_at + length;
            return match input.get(end) {
                Some(0) => Ok(Some(end)),
                Some(_) => Err(Error::BodyNotTerminated(length)),
                None => Ok(None),
            };
        }
        let rest = input.get(self.searched..).unwrap_or_default();
        let found = memchr(0, rest).map(|at| self.searched + at);
        if found.map_or(input.len(), |end| end + 1) > limits.frame {
            return Err(Error::TooLarge("bytes of the frame", limits.frame));
        }
        self.searched = input.len();
        Ok(found)
    }

    /// How many bytes the frame lacks, where its length is known.
    fn missing(&self, input: &[u8]) -> Option<usize> {
        self.length.map(|length| (self.body_at + length + 1).saturating_sub(input.len()))
    }
}

/// The value of a content-length line, or none on any other.
fn content_length(line: &[u8], version: Version) -> Option<&[u8]> {
    let padded = version == Version::V1_0;
    let line = if padded { trim(line) } else { line };
    let rest = line.strip_prefix(b"content-length")?;
    let rest = if padded { trim(rest) } else { rest };
    rest.strip_prefix(b":").map(trim)
}

/// A plain decimal number. One too large for the machine is the largest there is, which no limit allows.
fn parse_length(value: &[u8]) -> Result<usize, Error> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Error::ContentLength);
    }
    let digit = |total: usize, byte: &u8| total.saturating_mul(10).saturating_add(usize::from(byte - b'0'));
    Ok(value.iter().fold(0, digit))
}

/// Without spaces and tabs around it.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// How many bytes of line ends the input begins with. CR LF counts in every version: between frames it
/// cannot be mistaken for anything else, and before CONNECT no version is agreed on.
fn line_ends(input: &[u8]) -> usize {
    let mut rest = input;
    while let [b'\n', tail @ ..] | [b'\r', b'\n', tail @ ..] = rest {
        rest = tail;
    }
    input.len() - rest.len()
}

/// Whether a body is nothing but line ends, which old clients put before the NUL of any frame.
fn is_blank(body: &[u8]) -> bool {
    body.iter().all(|byte| matches!(byte, b'\n' | b'\r'))
}

fn unknown(line: &[u8]) -> Error {
    Error::UnknownCommand(line.escape_ascii().to_string().into())
}
