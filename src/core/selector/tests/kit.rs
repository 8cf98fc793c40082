//! Messages to ask selectors of.

use std::borrow::Cow;

use crate::{Properties, Selector, Typing, Value};

/// A message that is nothing but properties.
#[derive(Clone, Debug, Default)]
pub(super) struct Props(pub(super) Vec<(&'static str, Value<'static>)>);

impl Properties for Props {
    fn get(&self, name: &str) -> Value<'_> {
        match self.0.iter().find(|(key, _)| *key == name) {
            Some((_, Value::Text(text))) => Value::Text(Cow::Borrowed(text)),
            Some((_, value)) => value.clone(),
            None => Value::Null,
        }
    }
}

pub(super) fn text(text: &'static str) -> Value<'static> {
    Value::Text(Cow::Borrowed(text))
}

/// A message with a property of each type.
pub(super) fn message() -> Props {
    Props(vec![
        ("colour", text("red")),
        ("name", text("O'Brien")),
        ("empty", text("")),
        ("seven", text("7")),
        ("weight", Value::Int(2500)),
        ("zero", Value::Int(0)),
        ("big", Value::Int(i64::MAX)),
        ("least", Value::Int(i64::MIN)),
        ("price", Value::Float(9.5)),
        ("nan", Value::Float(f64::NAN)),
        ("urgent", Value::Bool(true)),
        ("closed", Value::Bool(false)),
        ("JMSPriority", Value::Int(4)),
        ("$x_1", Value::Int(1)),
        ("größe", Value::Int(2)),
        ("app.version:minor", Value::Int(3)),
        ("content-type", text("text/plain")),
        ("a\"b", Value::Int(5)),
        ("NULL", Value::Int(6)),
    ])
}

/// What a condition says of a message: `None` is UNKNOWN.
#[track_caller]
pub(super) fn truth(condition: &str, typing: Typing, message: &Props) -> Option<bool> {
    let parse = |text: &str| match Selector::parse(text, typing) {
        Ok(selector) => selector,
        Err(error) => panic!("{text}: {error}"),
    };
    let (yes, no) = (parse(condition), parse(&format!("NOT ({condition})")));
    match (yes.matches(message), no.matches(message)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
        (true, true) => panic!("{condition} is both TRUE and FALSE"),
    }
}

/// Checks conditions on [`message`] under strict typing.
#[track_caller]
pub(super) fn assert_truths(table: &[(&str, Option<bool>)]) {
    for (condition, expected) in table {
        assert_eq!(truth(condition, Typing::Strict, &message()), *expected, "{condition}");
    }
}

pub(super) const TRUE: Option<bool> = Some(true);
pub(super) const FALSE: Option<bool> = Some(false);
pub(super) const UNKNOWN: Option<bool> = None;
