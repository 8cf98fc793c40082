//! Header lines: splitting, unescaping, looking up.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::escape::{Escapes, unescape};
use crate::error::Error;
use crate::frame::{Command, Version};

/// Walks a raw header block, such as [`Frame::head`](crate::Frame::head), in its order.
///
/// The block need not come from [`decode`](crate::decode): it is checked for UTF-8 here, and the first
/// item is the error if it is not.
pub fn headers(block: &[u8], rules: impl Into<HeaderRules>) -> Headers<'_> {
    match str::from_utf8(block) {
        Ok(text) => headers_of_text(text, rules.into()),
        Err(_) => Headers { failed: Some(Error::NotUtf8), ..headers_of_text("", rules.into()) },
    }
}

/// The value of the first header called `name` in a raw block ("Repeated Header Entries").
///
/// # Errors
/// Where a line up to the one wanted is malformed.
pub fn get<'a>(
    block: &'a [u8],
    rules: impl Into<HeaderRules>,
    name: &str,
) -> Result<Option<Cow<'a, str>>, Error> {
    headers(block, rules).find_value(name)
}

/// How the header lines of a frame are written: what is escaped, trimmed, and how a line may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRules {
    pub(super) escapes: Escapes,
    /// Whether a CR before the LF belongs to the line end.
    crlf: bool,
    /// Whether spaces around names and values do not count.
    trim: bool,
}

impl HeaderRules {
    /// The rules for that command in that version.
    ///
    /// CONNECT comes before a version is agreed on. Read it by [`Version::V1_0`] first; if 1.1 or
    /// later comes of it, read it again by that version, which keeps the spaces of a passcode.
    pub const fn of(version: Version, command: Command) -> Self {
        let handshake = command.is_handshake();
        let escapes = match version {
            _ if handshake => Escapes::None,
            Version::V1_0 => Escapes::None,
            Version::V1_1 => Escapes::V1_1,
            Version::V1_2 => Escapes::V1_2,
        };
        let crlf = handshake || matches!(version, Version::V1_2);
        Self { escapes, crlf, trim: matches!(version, Version::V1_0) }
    }
}

/// The rules of all frames of that version but CONNECT, STOMP and CONNECTED.
impl From<Version> for HeaderRules {
    fn from(version: Version) -> Self {
        Self::of(version, Command::Send)
    }
}

/// One header, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// What stands before the first colon.
    pub name: Cow<'a, str>,
    /// What stands behind it; may be empty.
    pub value: Cow<'a, str>,
    /// The line as it came, escapes included, without its line end.
    pub line: &'a str,
}

/// Iterates over the headers of a block. After an error it ends.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a str,
    rules: HeaderRules,
    /// Whether the block has no backslash and no CR, so that its lines need no closer look.
    plain: bool,
    line: u32,
    failed: Option<Error>,
}

impl<'a> Headers<'a> {
    /// The value of the first header of that name among those not yet passed.
    pub(crate) fn find_value(mut self, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
        self.find(|header| header.as_ref().map_or(true, |header| header.name == name))
            .transpose()
            .map(|header| header.map(|header| header.value))
    }

    fn split(&self, line: &'a str) -> Result<Header<'a>, Error> {
        let colon = memchr(b':', line.as_bytes());
        let (name, value) =
            colon.and_then(|at| line.split_at_checked(at)).ok_or(Error::NoColon(self.line))?;
        let value = value.strip_prefix(':').unwrap_or_default();
        let (name, value) = if self.rules.trim { (trim(name), trim(value)) } else { (name, value) };
        if name.is_empty() {
            return Err(Error::EmptyName(self.line));
        }
        if self.plain {
            return Ok(Header { name: Cow::Borrowed(name), value: Cow::Borrowed(value), line });
        }
        let undefined = Error::Escape(self.line);
        match (unescape(name, self.rules.escapes), unescape(value, self.rules.escapes)) {
            (Some(name), Some(value)) => Ok(Header { name, value, line }),
            _ => Err(undefined),
        }
    }

    /// Takes the CR of the line end off. One elsewhere is data in 1.0 and 1.1 and nothing legal in 1.2.
    fn without_cr(&self, line: &'a str) -> Result<&'a str, Error> {
        if self.plain || !self.rules.crlf {
            return Ok(line);
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        if memchr(b'\r', line.as_bytes()).is_some() { Err(Error::CarriageReturn) } else { Ok(line) }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<Header<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return self.failed.take().map(Err);
        }
        let end = memchr(b'\n', self.rest.as_bytes()).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        self.line += 1;
        let header = self.without_cr(line).and_then(|line| self.split(line));
        if header.is_err() {
            self.rest = "";
        }
        Some(header)
    }
}

impl std::iter::FusedIterator for Headers<'_> {}

pub(crate) fn headers_of_text(text: &str, rules: HeaderRules) -> Headers<'_> {
    let plain = memchr2(b'\\', b'\r', text.as_bytes()).is_none();
    Headers { rest: text, rules, plain, line: 0, failed: None }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
