//! Why a text is no selector.

use std::fmt;

use crate::limits::{
    SELECTOR_BYTES_MAX, SELECTOR_DEPTH_MAX, SELECTOR_LIST_MAX, SELECTOR_PATTERN_BYTES_MAX, SELECTOR_TERMS_MAX,
};

/// Why a text is no selector. `at` is the place in it, in characters from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorError {
    /// There is nothing but white space.
    Empty,
    /// It has more than [`SELECTOR_BYTES_MAX`] bytes.
    TooLong,
    /// More than [`SELECTOR_DEPTH_MAX`] parentheses, `NOT` or signs stand inside each other.
    TooDeep {
        /// The first that is too many.
        at: usize,
    },
    /// It has more than [`SELECTOR_TERMS_MAX`] names, literals and operators.
    TooManyTerms {
        /// The first that is too many.
        at: usize,
    },
    /// The list of an `IN` has more than [`SELECTOR_LIST_MAX`] literals.
    ListTooLong {
        /// The first that is too many.
        at: usize,
    },
    /// The pattern of a `LIKE` has more than [`SELECTOR_PATTERN_BYTES_MAX`] bytes.
    PatternTooLong {
        /// Where the pattern is.
        at: usize,
    },
    /// Something else should be there.
    Unexpected {
        /// Where it is.
        at: usize,
        /// What should be there.
        expected: &'static str,
        /// What is there: the beginning of it, or nothing at the end.
        found: String,
    },
    /// A character that no selector has outside quotes.
    Character {
        /// Where it is.
        at: usize,
        /// The character.
        found: char,
    },
    /// A quote that is opened and not closed.
    Unclosed {
        /// Where it is opened.
        at: usize,
    },
    /// A comment that is opened and not closed.
    Comment {
        /// Where it is opened.
        at: usize,
    },
    /// Quotes with no name between them.
    NoName {
        /// Where they are.
        at: usize,
    },
    /// It begins like a number and is none.
    Number {
        /// Where it is.
        at: usize,
        /// The beginning of it.
        found: String,
    },
    /// A number that 64 bits do not hold.
    NumberTooLarge {
        /// Where it is.
        at: usize,
    },
    /// What follows `ESCAPE` is not one character.
    Escape {
        /// Where it is.
        at: usize,
    },
    /// A pattern ends with its escape character.
    EscapeLast {
        /// Where the pattern is.
        at: usize,
    },
    /// A value stands where a condition should: at the top, or beside `AND`, `OR` or `NOT`.
    NotACondition {
        /// Where it begins.
        at: usize,
    },
    /// A condition stands where a value should.
    NotAValue {
        /// Where it begins.
        at: usize,
    },
    /// Something that other brokers know.
    NotSupported {
        /// Where it is.
        at: usize,
        /// Its name.
        what: &'static str,
    },
}

/// Characters of a selector that an error repeats.
const ECHO_MAX: usize = 32;

impl SelectorError {
    /// Something else should be at this byte of the text.
    pub(super) fn unexpected(text: &str, start: usize, end: usize, expected: &'static str) -> Self {
        Self::Unexpected { at: character(text, start), expected, found: echo(&text[start..end]) }
    }

    /// What begins at this byte like a number, and is none.
    pub(super) fn number(text: &str, start: usize, end: usize) -> Self {
        Self::Number { at: character(text, start), found: echo(&text[start..end]) }
    }
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.place() {
            write!(f, "selector, character {at}: ")?;
        }
        match self {
            Self::Empty => f.write_str("the selector is empty"),
            Self::TooLong => write!(f, "the selector is longer than {SELECTOR_BYTES_MAX} bytes"),
            Self::TooDeep { .. } => {
                write!(f, "more than {SELECTOR_DEPTH_MAX} parentheses, NOT or signs inside each other")
            }
            Self::TooManyTerms { .. } => {
                write!(f, "more than {SELECTOR_TERMS_MAX} names, literals and operators")
            }
            Self::ListTooLong { .. } => write!(f, "more than {SELECTOR_LIST_MAX} literals in a list"),
            Self::PatternTooLong { .. } => {
                write!(f, "the pattern is longer than {SELECTOR_PATTERN_BYTES_MAX} bytes")
            }
            Self::Unexpected { expected, found, .. } if found.is_empty() => {
                write!(f, "expected {expected}, found the end")
            }
            Self::Unexpected { expected, found, .. } => write!(f, "expected {expected}, found `{found}`"),
            Self::Character { found, .. } => {
                write!(f, "the character `{}` has no meaning here", printable(*found))
            }
            Self::Unclosed { .. } => f.write_str("this quote is not closed"),
            Self::Comment { .. } => f.write_str("this comment is not closed"),
            Self::NoName { .. } => f.write_str("there is no name between the quotes"),
            Self::Number { found, .. } => write!(f, "`{found}` is not a number"),
            Self::NumberTooLarge { .. } => f.write_str("the number is too large"),
            Self::Escape { .. } => f.write_str("expected one character in quotes after ESCAPE"),
            Self::EscapeLast { .. } => f.write_str("the pattern ends with its escape character"),
            Self::NotACondition { .. } => {
                f.write_str("expected a condition, found a value, which must be compared with something")
            }
            Self::NotAValue { .. } => f.write_str("expected a value, found a condition"),
            Self::NotSupported { what, .. } => write!(f, "{what} is not supported"),
        }
    }
}

impl std::error::Error for SelectorError {}

impl SelectorError {
    /// The place it names.
    const fn place(&self) -> Option<usize> {
        match self {
            Self::Empty | Self::TooLong => None,
            Self::TooDeep { at }
            | Self::TooManyTerms { at }
            | Self::ListTooLong { at }
            | Self::PatternTooLong { at }
            | Self::Unexpected { at, .. }
            | Self::Character { at, .. }
            | Self::Unclosed { at }
            | Self::Comment { at }
            | Self::NoName { at }
            | Self::Number { at, .. }
            | Self::NumberTooLarge { at }
            | Self::Escape { at }
            | Self::EscapeLast { at }
            | Self::NotACondition { at }
            | Self::NotAValue { at }
            | Self::NotSupported { at, .. } => Some(*at),
        }
    }
}

/// The place of a byte in a text, in characters from 1.
pub(super) fn character(text: &str, byte: usize) -> usize {
    text[..byte].chars().count() + 1
}

/// The beginning of what a client wrote, fit for one line of a log.
fn echo(text: &str) -> String {
    text.chars().take(ECHO_MAX).map(printable).collect()
}

fn printable(c: char) -> char {
    if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }
}
