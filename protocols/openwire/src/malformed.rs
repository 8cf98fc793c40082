//! What can be wrong with the contents of a message.

use std::fmt;

/// Why contents cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end before what they announce.
    Truncated,
    /// A length or a count is negative.
    Negative,
    /// A count is larger than what is left can hold.
    Count,
    /// Maps and lists are nested deeper than [`crate::primitive::DEPTH_MAX`].
    Depth,
    /// A type code that stands for nothing.
    Type(u8),
    /// Text that is no modified UTF-8.
    Text,
    /// A compressed stream that is damaged, or of another length than it says.
    Compression,
    /// What is compressed is larger than its reader takes.
    TooLarge,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("contents end early"),
            Self::Negative => f.write_str("a negative length"),
            Self::Count => f.write_str("a count larger than the contents"),
            Self::Depth => f.write_str("values nested too deep"),
            Self::Type(code) => write!(f, "type code {code} of a value"),
            Self::Text => f.write_str("text that is no modified UTF-8"),
            Self::Compression => f.write_str("damaged compressed contents"),
            Self::TooLarge => f.write_str("compressed contents that are too large"),
        }
    }
}

impl std::error::Error for Malformed {}
