//! Appends one frame, header by header.

use bytes::{BufMut, BytesMut};

use super::escape::{put_name, put_value};
use super::header::HeaderRules;
use crate::frame::{Command, Version};

/// Writes one frame at the end of a buffer: [`Self::header`]s, then one of [`Self::end`],
/// [`Self::body`] and [`Self::head`]. Dropped before that it leaves half a frame behind.
///
/// Of a repeated header the first counts, so what the writer vouches for comes before
/// [`Self::raw`] lines from elsewhere.
#[derive(Debug)]
#[must_use = "a frame ends with end(), body() or head()"]
pub struct Encoder<'a> {
    out: &'a mut BytesMut,
    rules: HeaderRules,
}

impl<'a> Encoder<'a> {
    /// Appends the command line.
    pub fn new(out: &'a mut BytesMut, command: Command, version: Version) -> Self {
        out.extend_from_slice(command.as_str().as_bytes());
        out.extend_from_slice(b"\n");
        Self { out, rules: HeaderRules::of(version, command) }
    }

    /// Appends a header, escaped as the version and the command have it.
    ///
    /// A NUL can be written in no version, a line break not in 1.0, CONNECT and CONNECTED, nor a colon in
    /// a name there. Each becomes a question mark, as in a character set that lacks a character.
    pub fn header(self, name: &str, value: &str) -> Self {
        put_header(self.out, name, value, self.rules);
        self
    }

    /// Appends a header whose value is a number.
    pub fn number(self, name: &str, value: u64) -> Self {
        put_name(self.out, name, self.rules.escapes);
        self.out.put_u8(b':');
        put_number(self.out, value);
        self.out.put_u8(b'\n');
        self
    }

    /// [`Self::known`] if there is a value.
    pub(super) fn maybe(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.known(name, value),
            None => self,
        }
    }

    /// [`Self::header`] for a name of the protocol, which needs no look.
    pub(super) fn known(self, name: &'static str, value: &str) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.put_u8(b':');
        put_value(self.out, value, self.rules.escapes);
        self.out.put_u8(b'\n');
        self
    }

    /// Appends lines that are escaped already and end in LF, as [`strip`](crate::strip) and
    /// [`reescape`](crate::reescape) leave them. Nothing is checked.
    pub fn raw(self, lines: &[u8]) -> Self {
        self.out.extend_from_slice(lines);
        self
    }

    /// Ends a frame without a body.
    pub fn end(self) {
        self.out.extend_from_slice(b"\n\0");
    }

    /// Ends the frame with a body behind its content-length.
    pub fn body(self, body: &[u8]) {
        let Encoder { out, .. } = self.number("content-length", body.len() as u64);
        out.put_u8(b'\n');
        out.extend_from_slice(body);
        out.put_u8(0);
    }

    /// Ends the headers. The body and [`FRAME_END`](crate::FRAME_END) are the caller's to write.
    pub fn head(self) {
        self.out.put_u8(b'\n');
    }
}

pub(super) fn put_header(out: &mut BytesMut, name: &str, value: &str, rules: HeaderRules) {
    put_name(out, name, rules.escapes);
    out.put_u8(b':');
    put_value(out, value, rules.escapes);
    out.put_u8(b'\n');
}

fn put_number(out: &mut BytesMut, mut value: u64) {
    const DIGITS_MAX: usize = 20;
    let mut digits = [0; DIGITS_MAX];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(DIGITS_MAX - used..).unwrap_or_default());
}
