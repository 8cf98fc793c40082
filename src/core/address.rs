//! Destinations: what messages are sent to.

use std::fmt;

use bytestring::ByteString;

use crate::limits::{NAME_BYTES_MAX, NAME_LEVELS_MAX};

/// What kind of destination a name stands for. `queue://x` and `topic://x` are two destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Each message goes to one of the consumers.
    Queue,
    /// Each message goes to every subscription.
    Topic,
}

impl Kind {
    /// What stands before `://` in a canonical name.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Topic => "topic",
        }
    }

    /// Splits `queue://NAME` or `topic://NAME`; anything else is `None`.
    pub fn split(text: &str) -> Option<(Self, &str)> {
        let (scheme, name) = text.split_once("://")?;
        match scheme {
            "queue" => Some((Self::Queue, name)),
            "topic" => Some((Self::Topic, name)),
            _ => None,
        }
    }
}

/// A destination in canonical form: levels split by `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Queue or topic.
    pub kind: Kind,
    /// The canonical name.
    pub name: ByteString,
}

impl Address {
    /// A destination that messages can be sent to: within the limits and without a wildcard level.
    pub fn new(kind: Kind, name: impl Into<ByteString>) -> Result<Self, NameError> {
        let name = name.into();
        check_size(&name)?;
        if name.split('.').any(is_wildcard) {
            return Err(NameError::Wildcard);
        }
        Ok(Self { kind, name })
    }

    /// A queue, unchecked: for names of the broker's own.
    pub fn queue(name: impl Into<ByteString>) -> Self {
        Self { kind: Kind::Queue, name: name.into() }
    }

    /// A topic, unchecked: for names of the broker's own.
    pub fn topic(name: impl Into<ByteString>) -> Self {
        Self { kind: Kind::Topic, name: name.into() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.kind.scheme(), self.name)
    }
}

/// Why a name or a pattern is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has no character.
    Empty,
    /// It has more than [`NAME_BYTES_MAX`] bytes.
    TooLong,
    /// It has more than [`NAME_LEVELS_MAX`] levels.
    TooDeep,
    /// A name to send to has a wildcard in it.
    Wildcard,
    /// Neither `queue://NAME` nor `topic://NAME`.
    Scheme,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the destination's name is empty"),
            Self::TooLong => write!(f, "the destination's name is longer than {NAME_BYTES_MAX} bytes"),
            Self::TooDeep => write!(f, "the destination's name has more than {NAME_LEVELS_MAX} levels"),
            Self::Wildcard => {
                f.write_str("a wildcard is not allowed in the name of a destination to send to")
            }
            Self::Scheme => f.write_str("a destination is written queue://NAME or topic://NAME"),
        }
    }
}

impl std::error::Error for NameError {}

/// Whether a whole level is a wildcard: `*` or `>`.
pub(crate) fn is_wildcard(level: &str) -> bool {
    matches!(level, "*" | ">")
}

/// Checks a name or pattern against the limits.
pub(crate) fn check_size(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    if name.bytes().filter(|&byte| byte == b'.').count() >= NAME_LEVELS_MAX {
        return Err(NameError::TooDeep);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(Address::new(Kind::Topic, "plant.line1"), Ok(Address::topic("plant.line1")));
        assert_eq!(Address::new(Kind::Topic, ""), Err(NameError::Empty));
        assert_eq!(Address::new(Kind::Queue, "a.*.b"), Err(NameError::Wildcard));
        assert_eq!(Address::new(Kind::Queue, "a.>"), Err(NameError::Wildcard));
        assert!(Address::new(Kind::Queue, "a->b.c*").is_ok(), "only whole levels are wildcards");
        assert!(Address::new(Kind::Queue, "..+/#").is_ok(), "empty levels and MQTT's signs are literal");
        let deepest = vec!["x"; NAME_LEVELS_MAX].join(".");
        assert!(Address::new(Kind::Topic, deepest.clone()).is_ok());
        assert_eq!(Address::new(Kind::Topic, deepest + ".x"), Err(NameError::TooDeep));
        assert!(Address::new(Kind::Topic, "x".repeat(NAME_BYTES_MAX)).is_ok());
        assert_eq!(Address::new(Kind::Topic, "x".repeat(NAME_BYTES_MAX + 1)), Err(NameError::TooLong));
    }

    #[test]
    fn canonical_text_goes_both_ways() {
        let address = Address::queue("orders://x");
        assert_eq!(Kind::split(&address.to_string()), Some((Kind::Queue, "orders://x")));
        assert_eq!(Kind::split("orders"), None);
        assert_eq!(Kind::split("temp-queue://x"), None);
    }
}
