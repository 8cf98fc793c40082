//! What a message must have to be selected, as something to find selectors by.

use super::members::Members;
use super::number::Number;
use super::program::{Comparison, Condition, Literal, Name, Operand, Program};
use super::{Typing, Value};
use crate::limits::SELECTOR_LIST_MAX;

/// A property, and the values of which a message must have one to be selected.
#[derive(Debug)]
pub(crate) struct Key<'a> {
    /// The property's name.
    pub(crate) name: &'a str,
    /// Whether a message is selected by having one of the values, and nothing else.
    pub(crate) is_whole: bool,
    typing: Typing,
    wanted: Wanted<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Wanted<'a> {
    One(&'a Literal),
    List(&'a Members),
}

/// What a value is found by: equal values have equal terms.
///
/// Under [`Typing::Loose`] the texts `7` and `7.0` have one term though they are not equal, since both
/// equal the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term<'a> {
    Text(&'a str),
    Scalar(Scalar),
}

/// A boolean or a number, in the one form that all its equals share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scalar {
    Bool(bool),
    Int(i64),
    /// The bits of a number that is not an integer of 64 bits.
    Float(u64),
}

impl<'a> Key<'a> {
    /// The best key of a selector: one that few values satisfy.
    pub(super) fn of(program: &'a Program) -> Option<Self> {
        let (conditions, is_alone) = match &program.root {
            Condition::All(terms) => (&**terms, false),
            root => (std::slice::from_ref(root), true),
        };
        let keys = conditions.iter().filter_map(equality);
        let (name, wanted) = keys.min_by_key(|(_, wanted)| wanted.breadth())?;
        let typing = program.typing;
        let mut key = Self { name: &program.names[usize::from(name.0)], is_whole: false, typing, wanted };
        key.is_whole = is_alone && key.values().all(|value| Term::is_exact(&value, typing));
        Some(key)
    }

    /// How the selector compares.
    pub(super) const fn typing(&self) -> Typing {
        self.typing
    }

    /// Hands out the terms of the values, some perhaps more than once.
    pub(super) fn for_each_term(&self, mut f: impl FnMut(Term<'_>)) {
        self.values().for_each(|value| {
            if let Some(term) = Term::of(&value, self.typing) {
                f(term);
            }
        });
    }

    fn values(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let (literal, list) = match self.wanted {
            Wanted::One(literal) => (Some(literal), None),
            Wanted::List(list) => (None, Some(list)),
        };
        literal.map(Literal::value).into_iter().chain(list.into_iter().flat_map(Members::values))
    }
}

impl Wanted<'_> {
    /// How many messages satisfy it, in comparison with others: a guess. Booleans have two values only,
    /// so each is likely to be in half of the messages.
    fn breadth(&self) -> usize {
        match self {
            Self::One(Literal::Bool(_)) => SELECTOR_LIST_MAX,
            Self::One(_) => 1,
            Self::List(members) => members.len(),
        }
    }
}

impl<'a> Term<'a> {
    /// What a value is found by; `None` for one that equals nothing.
    pub(super) fn of(value: &'a Value<'_>, typing: Typing) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Text(text) => match value.number(typing) {
                Some(number) => Self::Scalar(Scalar::of(number)?),
                None => {
                    value.boolean(typing).map_or(Self::Text(text), |bool| Self::Scalar(Scalar::Bool(bool)))
                }
            },
            Value::Bool(bool) => Self::Scalar(Scalar::Bool(*bool)),
            Value::Int(int) => Self::Scalar(Scalar::Int(*int)),
            Value::Float(float) => Self::Scalar(Scalar::of(Number::Float(*float))?),
        })
    }

    /// Whether all values that have this value's term are equal to it.
    fn is_exact(value: &Value<'_>, typing: Typing) -> bool {
        match value {
            Value::Text(_) => matches!(Term::of(value, typing), Some(Term::Text(_))),
            _ => true,
        }
    }
}

impl Scalar {
    fn of(number: Number) -> Option<Self> {
        match (number.integer(), number) {
            (Some(int), _) | (None, Number::Int(int)) => Some(Self::Int(int)),
            (None, Number::Float(float)) => (!float.is_nan()).then_some(Self::Float(float.to_bits())),
        }
    }
}

/// The name and the literals of a condition that asks for equality.
fn equality(condition: &Condition) -> Option<(Name, Wanted<'_>)> {
    match condition {
        Condition::Compare(Comparison::Equal, Operand::Name(name), Operand::Literal(literal))
        | Condition::Compare(Comparison::Equal, Operand::Literal(literal), Operand::Name(name)) => {
            Some((*name, Wanted::One(literal)))
        }
        Condition::In(Operand::Name(name), members) => Some((*name, Wanted::List(members))),
        _ => None,
    }
}
