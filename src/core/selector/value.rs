//! What a selector reads from a message, and how values compare.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::number::Number;

/// A value of a message as a selector sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is no such property, or it has no value.
    Null,
    /// A boolean.
    Bool(bool),
    /// An exact number.
    Int(i64),
    /// An approximate number.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
}

/// What a selector asks of a message.
pub trait Properties {
    /// The value of a property or header field, [`Value::Null`] if there is none. Must answer the same
    /// each time while a message is looked at.
    fn get(&self, name: &str) -> Value<'_>;
}

/// How text compares with numbers and booleans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Typing {
    /// As JMS has it: text equals only text, and `'1' = 1` is UNKNOWN.
    Strict,
    /// For messages whose properties are all text, as those of STOMP and MQTT: text that reads as a
    /// decimal number counts as that number where it meets a number, in arithmetic and where values are
    /// ordered, and `true` and `false` in any case count as booleans where they meet one. Two texts are
    /// equal only if they are the same.
    Loose,
}

impl Value<'_> {
    /// Whether two values are equal; `None` where they cannot be compared.
    pub(super) fn equals(&self, other: &Value<'_>, typing: Typing) -> Option<bool> {
        match (self, other) {
            (Value::Text(left), Value::Text(right)) => Some(left == right),
            (Value::Bool(_), _) | (_, Value::Bool(_)) => {
                Some(self.boolean(typing)? == other.boolean(typing)?)
            }
            _ => Some(self.order(other, typing)? == Ordering::Equal),
        }
    }

    /// The order of two numbers; `None` where one is none.
    pub(super) fn order(&self, other: &Value<'_>, typing: Typing) -> Option<Ordering> {
        self.number(typing)?.compare(other.number(typing)?)
    }

    /// This value as a number, if it is one.
    pub(super) fn number(&self, typing: Typing) -> Option<Number> {
        match self {
            Value::Int(int) => Some(Number::Int(*int)),
            Value::Float(float) => Some(Number::Float(*float)),
            Value::Text(text) if typing == Typing::Loose => Number::read(text),
            _ => None,
        }
    }

    /// This value as a boolean, if it is one.
    pub(super) fn boolean(&self, typing: Typing) -> Option<bool> {
        match self {
            Value::Bool(bool) => Some(*bool),
            Value::Text(text) if typing == Typing::Loose => read_boolean(text),
            _ => None,
        }
    }
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(int) => Self::Int(int),
            Number::Float(float) => Self::Float(float),
        }
    }
}

/// The boolean that a text reads as.
pub(super) fn read_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
