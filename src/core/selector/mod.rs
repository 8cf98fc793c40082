//! Message selectors.

use std::borrow::Cow;
use std::fmt;

use bytestring::ByteString;

/// A value of a message as a selector sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
}

/// What a selector asks of a message.
pub trait Properties {
    /// The value of this name.
    fn get(&self, name: &str) -> Value<'_>;
}

/// How text compares with numbers and booleans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Typing {
    /// Text equals only text.
    Strict,
    /// Text that reads as a number or a boolean compares with those.
    Loose,
}

/// A compiled selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector(ByteString, Typing);

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorError {
    /// Nothing is there.
    Empty,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the selector is empty")
    }
}

impl std::error::Error for SelectorError {}

impl Selector {
    /// Reads a selector.
    pub fn parse(text: &str, typing: Typing) -> Result<Self, SelectorError> {
        Ok(Self(text.into(), typing))
    }

    /// Whether a message matches.
    pub fn matches(&self, message: &(impl Properties + ?Sized)) -> bool {
        let (name, value) = self.0.split_once('=').unwrap_or((&self.0, ""));
        matches!(message.get(name.trim()), Value::Text(text) if text == value.trim().trim_matches('\''))
    }

    /// Its text.
    pub const fn text(&self) -> &ByteString {
        &self.0
    }

    /// How it compares.
    pub const fn typing(&self) -> Typing {
        self.1
    }
}

/// Many selectors, asked of one message at once.
#[derive(Debug)]
pub struct SelectorIndex<T> {
    all: Vec<(Selector, T)>,
}

impl<T> Default for SelectorIndex<T> {
    fn default() -> Self {
        Self { all: Vec::new() }
    }
}

impl<T: Copy + Eq> SelectorIndex<T> {
    /// Adds a selector.
    pub fn insert(&mut self, selector: &Selector, id: T) {
        self.all.push((selector.clone(), id));
    }

    /// Takes one out.
    pub fn remove(&mut self, selector: &Selector, id: T) -> bool {
        let before = self.all.len();
        self.all.retain(|(known, other)| known != selector || *other != id);
        before != self.all.len()
    }

    /// Names those that match.
    pub fn for_each_match(&self, message: &(impl Properties + ?Sized), mut f: impl FnMut(T)) {
        self.all.iter().filter(|(selector, _)| selector.matches(message)).for_each(|(_, id)| f(*id));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
