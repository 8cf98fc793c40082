//! What a frame is: its version, command and parts.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::codec::{Headers, headers_of_text};
use crate::error::Error;

/// A version of the protocol. Ordered: later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// STOMP 1.0; what a connection speaks until it has negotiated.
    #[default]
    V1_0,
    /// STOMP 1.1.
    V1_1,
    /// STOMP 1.2.
    V1_2,
}

impl Version {
    /// As it stands in the headers `version` and `accept-version`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// The version of that name, or none.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "1.0" => Some(Self::V1_0),
            "1.1" => Some(Self::V1_1),
            "1.2" => Some(Self::V1_2),
            _ => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the slice given to [`decode`](crate::decode) begins with.
#[derive(Clone, Debug)]
pub enum Decoded<'a> {
    /// Not all of a frame is there. Nothing is consumed.
    Incomplete {
        /// How many bytes are missing, where content-length tells. It is the peer's claim, within
        /// [`Limits::frame`](crate::Limits::frame): a reason to wait, none to allocate.
        missing: Option<usize>,
    },
    /// This many bytes of line ends between frames: a heart-beat, or the newlines after a NUL.
    HeartBeat(usize),
    /// One whole frame.
    Frame(Frame<'a>),
}

/// A decoded frame: offsets into the slice it was decoded from.
///
/// The header block is known to be UTF-8 without NUL and within the limits. Each of its lines is
/// checked as [`Self::headers`] walks it, so a frame is well formed once that has come to its end.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    pub(crate) input: &'a [u8],
    pub(crate) head: &'a str,
    pub(crate) command: Command,
    pub(crate) version: Version,
    pub(crate) has_length: bool,
    pub(crate) head_at: usize,
    pub(crate) body_at: usize,
    pub(crate) end: usize,
}

impl<'a> Frame<'a> {
    /// The first line.
    pub const fn command(&self) -> Command {
        self.command
    }

    /// The version it was decoded by.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether it said how long its body is. ActiveMQ's mapping makes bytes of a body whose length is
    /// given and text of one that ends at the first NUL.
    pub const fn has_content_length(&self) -> bool {
        self.has_length
    }

    /// How many bytes of the input the frame took, its NUL included.
    pub const fn consumed(&self) -> usize {
        self.end
    }

    /// The whole frame within the input, its NUL included.
    pub const fn whole_range(&self) -> Range<usize> {
        0..self.end
    }

    /// The header lines within the input, each with its line end, without the blank line.
    pub const fn head_range(&self) -> Range<usize> {
        self.head_at..self.head_at + self.head.len()
    }

    /// The body within the input, without the NUL.
    pub const fn body_range(&self) -> Range<usize> {
        self.body_at..self.end - 1
    }

    /// The header lines as they came.
    pub const fn head(&self) -> &'a str {
        self.head
    }

    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.input.get(self.body_range()).unwrap_or_default()
    }

    /// The headers in their order, unescaped.
    pub fn headers(&self) -> Headers<'a> {
        headers_of_text(self.head, crate::HeaderRules::of(self.version, self.command))
    }

    /// The value of the first header of that name ("Repeated Header Entries").
    ///
    /// # Errors
    /// Where a line up to the one wanted is malformed.
    pub fn get(&self, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
        self.headers().find_value(name)
    }
}

macro_rules! commands {
    ($($name:ident $text:literal $client:literal $doc:literal,)*) => {
        /// The command of a frame, of either side. Case matters (1.2, "STOMP Frames").
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Command { $(#[doc = $doc] $name,)* }

        impl Command {
            /// The command on that line, or none.
            pub fn parse(line: &[u8]) -> Option<Self> {
                $(if line == $text.as_bytes() { return Some(Self::$name); })*
                None
            }

            /// As it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Whether a client sends it; the others are a server's.
            pub const fn is_client(self) -> bool {
                match self { $(Self::$name => $client,)* }
            }
        }
    };
}

commands! {
    Send "SEND" true "Sends a message to a destination.",
    Ack "ACK" true "Acknowledges deliveries.",
    Message "MESSAGE" false "Delivers a message.",
    Receipt "RECEIPT" false "Confirms a frame that asked for it.",
    Nack "NACK" true "Refuses deliveries; since 1.1.",
    Subscribe "SUBSCRIBE" true "Opens a subscription.",
    Unsubscribe "UNSUBSCRIBE" true "Closes a subscription.",
    Begin "BEGIN" true "Starts a transaction.",
    Commit "COMMIT" true "Ends a transaction and makes it count.",
    Abort "ABORT" true "Ends a transaction and forgets it.",
    Connect "CONNECT" true "Opens the session.",
    Stomp "STOMP" true "Opens the session; another name of CONNECT, since 1.1.",
    Disconnect "DISCONNECT" true "Announces the end of the session.",
    Connected "CONNECTED" false "Answers CONNECT.",
    Error "ERROR" false "Tells what went wrong; the connection closes after it.",
}

impl Command {
    /// The length of the longest command.
    pub(crate) const MAX_LEN: usize = "UNSUBSCRIBE".len();

    /// Whether it opens the session, so that its sender cannot know the version yet: its headers are
    /// never escaped (1.1 and 1.2, "Value Encoding").
    pub const fn is_handshake(self) -> bool {
        matches!(self, Self::Connect | Self::Stomp | Self::Connected)
    }

    /// Whether its frame may have a body (1.1 and 1.2, "STOMP Frames").
    pub const fn may_have_body(self) -> bool {
        matches!(self, Self::Send | Self::Message | Self::Error)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
