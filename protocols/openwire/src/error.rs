//! Why bytes were refused.

use std::fmt;

/// A violation of the wire format or of a limit. There is no way to find the next frame's meaning after
/// one, so all of them end the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The frame ends before what it announces.
    Truncated,
    /// The frame goes on after its command.
    Trailing(usize),
    /// A length or a count is below zero.
    Negative(&'static str),
    /// A frame, a table or a value is larger than its limit: what, and the limit.
    TooLarge(&'static str, u64),
    /// No structure has this type.
    UnknownType(u8),
    /// A structure of another type stands where only this one may.
    UnexpectedType {
        /// What may stand there.
        expected: &'static str,
        /// The type that does.
        found: u8,
    },
    /// Structures are nested deeper than any client nests them.
    TooDeep,
    /// The index of a cached object that was never sent, or that no table has.
    CacheIndex(i16),
    /// The first command is no WireFormatInfo of OpenWire.
    Magic,
    /// The peer's version is below 1.
    Version(i32),
    /// A property of WireFormatInfo cannot be read; its name, shortened.
    Property(Box<str>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the frame ends before what it announces"),
            Self::Trailing(bytes) => write!(f, "{bytes} bytes stand behind the command"),
            Self::Negative(what) => write!(f, "{what} is below zero"),
            Self::TooLarge(what, limit) => write!(f, "{what} exceeds {limit}"),
            Self::UnknownType(id) => write!(f, "there is no data type {id}"),
            Self::UnexpectedType { expected, found } => {
                write!(f, "a data type {found} stands where {expected} has to")
            }
            Self::TooDeep => f.write_str("data structures are nested too deep"),
            Self::CacheIndex(index) => write!(f, "nothing is cached at {index}"),
            Self::Magic => f.write_str("the connection does not begin with the WireFormatInfo of OpenWire"),
            Self::Version(version) => write!(f, "version {version} is not spoken here: 1 to 12 are"),
            Self::Property(name) => write!(f, "the property {name} of WireFormatInfo cannot be read"),
        }
    }
}

impl std::error::Error for Error {}
