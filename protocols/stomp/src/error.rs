//! Why bytes were refused, in words for the ERROR frame and the log.

use std::fmt;

use crate::frame::Command;

/// A violation of the protocol or of a limit. All of them end the connection.
///
/// The text never repeats the value of a header: it may be a password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The first line is none of the commands; the text is an excerpt of it, escaped.
    UnknownCommand(Box<str>),
    /// A line ends in CR LF, or has a CR in its middle, where the version does not allow it.
    CarriageReturn,
    /// A NUL stands before the blank line that ends the headers.
    NulInHeaders,
    /// The headers are not UTF-8.
    NotUtf8,
    /// A header line, counted from 1, has no colon.
    NoColon(u32),
    /// A header line, counted from 1, has nothing before its colon.
    EmptyName(u32),
    /// An escape sequence that the version does not define, in a header line counted from 1.
    Escape(u32),
    /// The value of content-length is not a plain decimal number.
    ContentLength,
    /// The frame has more than one content-length.
    ContentLengthRepeated,
    /// The frame has a body and its command allows none.
    BodyNotAllowed(Command),
    /// The octet after a body of the announced length, in bytes, is not NUL.
    BodyNotTerminated(usize),
    /// The command line or the headers exceed a limit: what, and the limit.
    TooLarge(&'static str, usize),
    /// None of the versions the client accepts is spoken here.
    Version,
    /// The value of heart-beat is not two numbers with a comma between.
    HeartBeat,
    /// The value of ack is not auto, client or client-individual.
    AckMode,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand(line) => write!(f, "unknown command '{line}'"),
            Self::CarriageReturn => f.write_str("carriage return where this version of STOMP allows none"),
            Self::NulInHeaders => f.write_str("NUL before the blank line that ends the headers"),
            Self::NotUtf8 => f.write_str("headers are not valid UTF-8"),
            Self::NoColon(line) => write!(f, "header line {line} has no colon"),
            Self::EmptyName(line) => write!(f, "header line {line} has an empty name"),
            Self::Escape(line) => write!(f, "header line {line} has an undefined escape sequence"),
            Self::ContentLength => f.write_str("content-length is not a decimal number"),
            Self::ContentLengthRepeated => f.write_str("content-length appears more than once"),
            Self::BodyNotAllowed(command) => write!(f, "{command} frames have no body"),
            Self::BodyNotTerminated(length) => {
                write!(f, "no NUL after the {length} bytes of body that content-length announces")
            }
            Self::TooLarge(what, limit) => write!(f, "{what} over the limit of {limit}"),
            Self::Version => write!(f, "Supported protocol versions are {}", crate::SUPPORTED_VERSIONS),
            Self::HeartBeat => {
                f.write_str("heart-beat is not two numbers of milliseconds separated by a comma")
            }
            Self::AckMode => f.write_str("ack is not auto, client or client-individual"),
        }
    }
}

impl std::error::Error for Error {}
