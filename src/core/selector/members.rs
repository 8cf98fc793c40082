//! The list of an `IN`.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::number::Number;
use super::{Typing, Value};

/// Texts and numbers, each sorted and each once.
#[derive(Debug)]
pub(super) struct Members {
    texts: Box<[Box<str>]>,
    numbers: Box<[Number]>,
}

impl Members {
    /// The members of a list; none of the numbers is NaN.
    pub(super) fn new(mut texts: Vec<Box<str>>, mut numbers: Vec<Number>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        numbers.sort_unstable_by(|left, right| ordered(*left, *right));
        numbers.dedup_by(|left, right| ordered(*left, *right) == Ordering::Equal);
        Self { texts: texts.into(), numbers: numbers.into() }
    }

    /// Whether the value equals one of them. As with `=` for each and `OR` between them, it is not
    /// known to be missing where it cannot be compared with all.
    pub(super) fn contain(&self, value: &Value<'_>, typing: Typing) -> Option<bool> {
        let (found, others) = match value {
            Value::Text(text) => (self.has_text(text), self.numbers.len()),
            Value::Int(int) => (self.has_number(Number::Int(*int)), self.texts.len()),
            Value::Float(float) if !float.is_nan() => {
                (self.has_number(Number::Float(*float)), self.texts.len())
            }
            Value::Bool(_) => (false, self.len()),
            Value::Float(_) | Value::Null => return None,
        };
        match (found, others, typing) {
            (true, ..) => Some(true),
            (false, 0, _) => Some(false),
            (false, _, Typing::Strict) => None,
            (false, _, Typing::Loose) => self.contain_loosely(value),
        }
    }

    /// Whether a value equals a member of another type.
    fn contain_loosely(&self, value: &Value<'_>) -> Option<bool> {
        if let Value::Text(text) = value {
            return Number::read(text).map(|number| self.has_number(number));
        }
        let mut result = Some(false);
        for member in self.values() {
            match value.equals(&member, Typing::Loose) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => result = None,
            }
        }
        result
    }

    /// All of them.
    pub(super) fn values(&self) -> impl Iterator<Item = Value<'_>> {
        let texts = self.texts.iter().map(|text| Value::Text(Cow::Borrowed(text)));
        texts.chain(self.numbers.iter().copied().map(Value::from))
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len() + self.numbers.len()
    }

    fn has_text(&self, text: &str) -> bool {
        self.texts.binary_search_by(|member| (**member).cmp(text)).is_ok()
    }

    fn has_number(&self, number: Number) -> bool {
        self.numbers.binary_search_by(|member| ordered(*member, number)).is_ok()
    }
}

/// The order of numbers of which none is NaN.
fn ordered(left: Number, right: Number) -> Ordering {
    left.compare(right).unwrap_or(Ordering::Equal)
}
