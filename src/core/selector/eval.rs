//! What a selector says of one message.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::number::Arithmetic;
use super::program::{Comparison, Condition, Literal, Name, Operand, Program, Sign};
use super::{Properties, Typing, Value};

/// One message under one selector's eyes. `None` is UNKNOWN throughout.
pub(super) struct Reading<'a, P: ?Sized> {
    pub(super) program: &'a Program,
    pub(super) message: &'a P,
}

impl<'a, P: Properties + ?Sized> Reading<'a, P> {
    /// Whether the whole is TRUE.
    pub(super) fn is_true(&self) -> bool {
        match &self.program.root {
            // Whether it is FALSE or UNKNOWN makes no difference at the top: stop at either.
            Condition::All(terms) => terms.iter().all(|term| self.truth(term) == Some(true)),
            root => self.truth(root) == Some(true),
        }
    }

    fn truth(&self, condition: &'a Condition) -> Option<bool> {
        let typing = self.program.typing;
        match condition {
            Condition::Constant(bool) => Some(*bool),
            Condition::Property(name) => self.property(*name).boolean(typing),
            Condition::Not(inner) => self.truth(inner).map(|truth| !truth),
            Condition::All(terms) => self.join(terms, false),
            Condition::Any(terms) => self.join(terms, true),
            Condition::Compare(comparison, left, right) => {
                compare(*comparison, &self.value(left), &self.value(right), typing)
            }
            Condition::Between(operands) => self.between(operands),
            Condition::Like(operand, like) => match self.value(operand) {
                Value::Text(text) => Some(like.matches(&text)),
                _ => None,
            },
            Condition::In(operand, members) => members.contain(&self.value(operand), typing),
            Condition::IsNull(operand) => Some(matches!(self.value(operand), Value::Null)),
        }
    }

    /// `AND` and `OR`: the truth that decides, if a term has it; else UNKNOWN, if a term is; else the
    /// other.
    fn join(&self, terms: &'a [Condition], deciding: bool) -> Option<bool> {
        let mut result = Some(!deciding);
        for term in terms {
            match self.truth(term) {
                Some(truth) if truth == deciding => return Some(deciding),
                Some(_) => {}
                None => result = None,
            }
        }
        result
    }

    fn between(&self, [operand, low, high]: &'a [Operand; 3]) -> Option<bool> {
        let typing = self.program.typing;
        let value = self.value(operand);
        let above = value.order(&self.value(low), typing).map(Ordering::is_ge);
        let below = value.order(&self.value(high), typing).map(Ordering::is_le);
        match (above, below) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    fn value(&self, operand: &'a Operand) -> Value<'a> {
        match operand {
            Operand::Literal(literal) => literal.value(),
            Operand::Name(name) => self.property(*name),
            Operand::Signed(sign, operand) => self.signed(*sign, operand).unwrap_or(Value::Null),
            Operand::Chain(first, rest) => self.chain(first, rest).unwrap_or(Value::Null),
            Operand::Condition(condition) => self.truth(condition).map_or(Value::Null, Value::Bool),
        }
    }

    fn signed(&self, sign: Sign, operand: &'a Operand) -> Option<Value<'a>> {
        let number = self.value(operand).number(self.program.typing)?;
        Some(Value::from(if sign == Sign::Minus { number.negate() } else { number }))
    }

    fn chain(&self, first: &'a Operand, rest: &'a [(Arithmetic, Operand)]) -> Option<Value<'a>> {
        let typing = self.program.typing;
        let mut left = self.value(first).number(typing)?;
        for (operator, operand) in rest {
            left = left.apply(*operator, self.value(operand).number(typing)?)?;
        }
        Some(Value::from(left))
    }

    fn property(&self, name: Name) -> Value<'a> {
        self.message.get(&self.program.names[usize::from(name.0)])
    }
}

impl Literal {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(bool) => Value::Bool(*bool),
            Self::Number(number) => Value::from(*number),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }
}

fn compare(comparison: Comparison, left: &Value<'_>, right: &Value<'_>, typing: Typing) -> Option<bool> {
    match comparison {
        Comparison::Equal => left.equals(right, typing),
        Comparison::NotEqual => left.equals(right, typing).map(|equal| !equal),
        Comparison::Less => left.order(right, typing).map(Ordering::is_lt),
        Comparison::LessOrEqual => left.order(right, typing).map(Ordering::is_le),
        Comparison::Greater => left.order(right, typing).map(Ordering::is_gt),
        Comparison::GreaterOrEqual => left.order(right, typing).map(Ordering::is_ge),
    }
}
