//! Selectors as trees of the test's own: their text, and what they say of a message by the plainest
//! reading of the specification.

use std::cmp::Ordering;
use std::fmt::Write;

use super::kit::Props;
use crate::{Properties, Typing, Value};

#[derive(Clone, Debug)]
pub(super) enum Expr {
    Name(&'static str),
    Literal(Value<'static>),
    Minus(Box<Self>),
    Plus(Box<Self>),
    Binary(char, Box<Self>, Box<Self>),
    // Conditions.
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Compare(&'static str, Box<Self>, Box<Self>),
    Between(Box<Self>, Box<Self>, Box<Self>, bool),
    Like(Box<Self>, String, bool),
    In(Box<Self>, Vec<Value<'static>>, bool),
    IsNull(Box<Self>, bool),
}

impl Expr {
    /// How strongly it binds.
    fn level(&self) -> u8 {
        match self {
            Self::Or(..) => 0,
            Self::And(..) => 1,
            Self::Not(_) => 2,
            Self::Compare(..) | Self::Between(..) | Self::Like(..) | Self::In(..) | Self::IsNull(..) => 3,
            Self::Binary('+' | '-', ..) => 4,
            Self::Binary(..) => 5,
            Self::Minus(_) | Self::Plus(_) => 6,
            Self::Name(_) | Self::Literal(_) => 7,
        }
    }

    /// Its text, with no more parentheses than needed.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.print(0, &mut out);
        out
    }

    fn print(&self, least: u8, out: &mut String) {
        if self.level() < least {
            out.push('(');
            self.print(0, out);
            out.push(')');
            return;
        }
        let not = |negated: &bool| if *negated { " NOT" } else { "" };
        match self {
            Self::Name(name) if name.contains('-') => write!(out, "\"{name}\"").unwrap(),
            Self::Name(name) => out.push_str(name),
            Self::Literal(value) => out.push_str(&literal(value)),
            Self::Minus(inner) => inner.print_behind("-", 6, out),
            Self::Plus(inner) => inner.print_behind("+", 6, out),
            Self::Not(inner) => inner.print_behind("NOT ", 2, out),
            Self::Or(left, right) => {
                left.print(0, out);
                right.print_behind(" OR ", 1, out);
            }
            Self::And(left, right) => {
                left.print(1, out);
                right.print_behind(" and ", 2, out);
            }
            Self::Binary(operator, left, right) => {
                left.print(self.level(), out);
                out.push(*operator);
                right.print(self.level() + 1, out);
            }
            Self::Compare(operator, left, right) => {
                left.print(4, out);
                right.print_behind(operator, 4, out);
            }
            Self::Between(value, low, high, negated) => {
                value.print(4, out);
                low.print_behind(&format!("{} BETWEEN ", not(negated)), 4, out);
                high.print_behind(" AND ", 4, out);
            }
            Self::Like(value, pattern, negated) => {
                value.print(4, out);
                write!(out, "{} LIKE '{pattern}'", not(negated)).unwrap();
            }
            Self::In(value, members, negated) => {
                value.print(4, out);
                let members: Vec<_> = members.iter().map(literal).collect();
                write!(out, "{} IN ({})", not(negated), members.join(", ")).unwrap();
            }
            Self::IsNull(value, negated) => {
                value.print(4, out);
                write!(out, " IS{} NULL", not(negated)).unwrap();
            }
        }
    }

    fn print_behind(&self, before: &str, least: u8, out: &mut String) {
        out.push_str(before);
        self.print(least, out);
    }

    /// Its value in a message; that of a condition is a boolean, or null where it is UNKNOWN.
    pub(super) fn value(&self, message: &Props, typing: Typing) -> Value<'static> {
        let value = |expr: &Self| expr.value(message, typing);
        let number = |expr: &Self| number(&value(expr), typing);
        let truth = |expr: &Self| expr.truth(message, typing);
        match self {
            Self::Name(name) => own(message.get(name)),
            Self::Literal(value) => value.clone(),
            Self::Minus(inner) => match number(inner) {
                Some(Value::Int(int)) => fit(-i128::from(int), -(int as f64)),
                Some(Value::Float(float)) => Value::Float(-float),
                _ => Value::Null,
            },
            Self::Plus(inner) => number(inner).unwrap_or(Value::Null),
            Self::Binary(operator, left, right) => match (number(left), number(right)) {
                (Some(left), Some(right)) => arithmetic(*operator, &left, &right),
                _ => Value::Null,
            },
            Self::Not(inner) => bool(truth(inner).map(|truth| !truth)),
            Self::And(left, right) => bool(and(truth(left), truth(right))),
            Self::Or(left, right) => bool(or(truth(left), truth(right))),
            Self::Compare(operator, left, right) => {
                bool(compare(operator, &value(left), &value(right), typing))
            }
            Self::Between(inner, low, high, negated) => {
                let above = compare(">=", &value(inner), &value(low), typing);
                let below = compare("<=", &value(inner), &value(high), typing);
                bool(and(above, below).map(|truth| truth != *negated))
            }
            Self::Like(inner, pattern, negated) => match value(inner) {
                Value::Text(text) => Value::Bool(like(pattern, &text) != *negated),
                _ => Value::Null,
            },
            Self::In(inner, members, negated) => {
                let value = value(inner);
                let equal = members.iter().map(|member| compare("=", &value, member, typing));
                bool(equal.fold(Some(false), or).map(|truth| truth != *negated))
            }
            Self::IsNull(inner, negated) => Value::Bool((value(inner) == Value::Null) != *negated),
        }
    }

    pub(super) fn truth(&self, message: &Props, typing: Typing) -> Option<bool> {
        boolean(&self.value(message, typing), typing)
    }
}

fn own(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(bool) => Value::Bool(bool),
        Value::Int(int) => Value::Int(int),
        Value::Float(float) => Value::Float(float),
        Value::Text(text) => Value::Text(text.into_owned().into()),
    }
}

fn literal(value: &Value<'_>) -> String {
    match value {
        Value::Null => unreachable!("there is no such literal"),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => format!("{float:?}"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

fn bool(truth: Option<bool>) -> Value<'static> {
    truth.map_or(Value::Null, Value::Bool)
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    and(left.map(|truth| !truth), right.map(|truth| !truth)).map(|truth| !truth)
}

fn boolean(value: &Value<'_>, typing: Typing) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::Text(text) if typing == Typing::Loose => text.to_lowercase().parse().ok(),
        _ => None,
    }
}

fn number(value: &Value<'_>, typing: Typing) -> Option<Value<'static>> {
    match value {
        Value::Int(int) => Some(Value::Int(*int)),
        Value::Float(float) => Some(Value::Float(*float)),
        Value::Text(text) if typing == Typing::Loose && !text.to_lowercase().contains(['n', 'i']) => {
            let float = text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float);
            text.parse().ok().map(Value::Int).or(float)
        }
        _ => None,
    }
}

fn compare(operator: &str, left: &Value<'_>, right: &Value<'_>, typing: Typing) -> Option<bool> {
    if matches!(operator, "=" | "<>" | "!=") {
        let equal = match (left, right) {
            (Value::Text(left), Value::Text(right)) => left == right,
            (Value::Bool(_), _) | (_, Value::Bool(_)) => boolean(left, typing)? == boolean(right, typing)?,
            _ => order(left, right, typing)? == Ordering::Equal,
        };
        return Some(equal == (operator == "="));
    }
    let order = order(left, right, typing)?;
    Some(match operator {
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        _ => unreachable!("{operator}"),
    })
}

fn order(left: &Value<'_>, right: &Value<'_>, typing: Typing) -> Option<Ordering> {
    match (number(left, typing)?, number(right, typing)?) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(&right),
        (Value::Int(left), Value::Float(right)) => mixed(left, right),
        (Value::Float(left), Value::Int(right)) => mixed(right, left).map(Ordering::reverse),
        _ => None,
    }
}

fn mixed(int: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // A cast to 128 bits saturates beyond all that 64 bits hold.
    let floor = float.floor() as i128;
    let order = i128::from(int).cmp(&floor);
    Some(if order == Ordering::Equal && float > float.floor() { Ordering::Less } else { order })
}

fn arithmetic(operator: char, left: &Value<'_>, right: &Value<'_>) -> Value<'static> {
    let float = |value: &Value<'_>| match value {
        Value::Int(int) => *int as f64,
        Value::Float(float) => *float,
        _ => unreachable!("not a number"),
    };
    let (a, b) = (float(left), float(right));
    let result = match operator {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        '/' => a / b,
        _ => a % b,
    };
    let (Value::Int(a), Value::Int(b)) = (left, right) else { return Value::Float(result) };
    let (a, b) = (i128::from(*a), i128::from(*b));
    match operator {
        '+' => fit(a + b, result),
        '-' => fit(a - b, result),
        '*' => fit(a * b, result),
        _ if b == 0 => Value::Null,
        '/' => fit(a / b, result),
        _ => fit(a % b, result),
    }
}

fn fit(exact: i128, float: f64) -> Value<'static> {
    i64::try_from(exact).map_or(Value::Float(float), Value::Int)
}

fn like(pattern: &str, text: &str) -> bool {
    let (mut pattern_chars, mut text_chars) = (pattern.chars(), text.chars());
    match pattern_chars.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = pattern_chars.as_str();
            like(rest, text) || text_chars.next().is_some() && like(pattern, text_chars.as_str())
        }
        Some(wanted) => {
            let c = text_chars.next();
            c.is_some_and(|c| wanted == '_' || wanted == c)
                && like(pattern_chars.as_str(), text_chars.as_str())
        }
    }
}
