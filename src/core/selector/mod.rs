//! Message selectors: the conditional expressions of JMS, a subset of SQL-92.
//!
//! A selector is parsed once, into a small tree, and then asked of many messages; asking allocates
//! nothing. Its logic has three values: what cannot be said of a message, because a property is missing
//! or is of another type, is UNKNOWN, and a message is selected only where the whole is TRUE.
//!
//! Beyond JMS it understands
//!
//! - `!=` for `<>`, `%` for the remainder of a division, and numbers in the list of `IN`;
//! - names with `.` and `:` after their first character, as headers of STOMP have them, and any other
//!   name in double quotes, a quote in it doubled: `"content-type" = 'text/plain'`;
//! - any value on the left of `LIKE`, `IN`, `BETWEEN` and `IS NULL`, where JMS allows a name only.
//!
//! `NULL` stands only after `IS`. Integers that overflow go on as floating point, a division of integers
//! by zero is UNKNOWN, and so is every comparison with NaN.

mod error;
mod eval;
mod index;
mod key;
mod lexer;
mod like;
mod members;
mod number;
mod parser;
mod predicate;
mod program;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytestring::ByteString;

pub use self::error::SelectorError;
pub use self::index::SelectorIndex;
pub use self::value::{Properties, Typing, Value};

use self::eval::Reading;
use self::key::Key;
use self::program::Program;
use crate::limits::SELECTOR_BYTES_MAX;

/// A condition on a message's properties. Clones share one tree; two selectors are equal if their text
/// and typing are.
#[derive(Clone)]
pub struct Selector {
    program: Arc<Program>,
}

impl Selector {
    /// A selector from its text. White space around it does not belong to it; where there is nothing
    /// else, that is [`SelectorError::Empty`], and callers take it for "no selector".
    pub fn parse(text: &str, typing: Typing) -> Result<Self, SelectorError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(SelectorError::Empty);
        }
        if trimmed.len() > SELECTOR_BYTES_MAX {
            return Err(SelectorError::TooLong);
        }
        let (root, names) = parser::parse(text)?;
        let program = Program { text: ByteString::from(trimmed), typing, names, root };
        Ok(Self { program: Arc::new(program) })
    }

    /// Whether the message is selected: the condition is TRUE of it, not FALSE and not UNKNOWN.
    pub fn matches(&self, message: &(impl Properties + ?Sized)) -> bool {
        Reading { program: &self.program, message }.is_true()
    }

    /// Its text, trimmed and else as it was written.
    pub fn text(&self) -> &ByteString {
        &self.program.text
    }

    /// How it compares text with numbers and booleans.
    pub fn typing(&self) -> Typing {
        self.program.typing
    }

    /// The names it reads, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.program.names.iter().map(|name| &**name)
    }

    /// What a message must have to be selected, if the selector says so in one place.
    pub(crate) fn key(&self) -> Option<Key<'_>> {
        Key::of(&self.program)
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
            || self.typing() == other.typing() && self.text() == other.text()
    }
}

impl Eq for Selector {}

impl Hash for Selector {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
        self.typing().hash(state);
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Selector").field(self.text()).field(&self.typing()).finish()
    }
}
