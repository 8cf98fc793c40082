//! Text that reads as numbers and booleans.

use super::kit::{FALSE, Props, TRUE, UNKNOWN, text, truth};
use crate::{Typing, Value};

fn message() -> Props {
    Props(vec![
        ("seven", text("7")),
        ("point", text("7.0")),
        ("minus", text("-3")),
        ("exp", text("1e2")),
        ("word", text("red")),
        ("empty", text("")),
        ("yes", text("TRUE")),
        ("no", text("false")),
        ("int", Value::Int(7)),
        ("bool", Value::Bool(true)),
    ])
}

#[track_caller]
fn assert_truths(table: &[(&str, Option<bool>)]) {
    for (condition, expected) in table {
        assert_eq!(truth(condition, Typing::Loose, &message()), *expected, "{condition}");
    }
}

#[test]
fn text_meets_numbers() {
    assert_truths(&[
        ("seven = 7", TRUE),
        ("point = 7", TRUE),
        ("minus = -3", TRUE),
        ("exp = 100", TRUE),
        ("seven <> 7", FALSE),
        ("seven > 6", TRUE),
        ("seven BETWEEN 7 AND 8", TRUE),
        ("seven + 1 = 8", TRUE),
        ("-seven = -7", TRUE),
        ("seven / 2 = 3", TRUE),
        ("word = 7", UNKNOWN),
        ("word > 7", UNKNOWN),
        ("empty = 0", UNKNOWN),
        ("missing = 7", UNKNOWN),
        ("int = '7'", TRUE),
        ("int = '7.0'", TRUE),
        ("int > '6'", TRUE),
    ]);
}

#[test]
fn two_texts_are_equal_only_if_they_are_the_same_but_are_ordered_as_numbers() {
    assert_truths(&[
        ("seven = '7'", TRUE),
        ("seven = '7.0'", FALSE),
        ("seven = point", FALSE),
        ("seven >= point", TRUE),
        ("seven > minus", TRUE),
        ("word > 'a'", UNKNOWN),
    ]);
}

#[test]
fn text_meets_booleans() {
    assert_truths(&[
        ("yes", TRUE),
        ("no", FALSE),
        ("word", UNKNOWN),
        ("yes = TRUE", TRUE),
        ("no <> TRUE", TRUE),
        ("word = TRUE", UNKNOWN),
        ("yes = 'true'", FALSE),
        ("bool = 'TrUe'", TRUE),
        ("bool = yes", TRUE),
        ("bool = 1", UNKNOWN),
        ("(seven = 7) = yes", TRUE),
    ]);
}

#[test]
fn lists_compare_each_member() {
    assert_truths(&[
        ("seven IN (1, 7)", TRUE),
        ("point IN (1, 7)", TRUE),
        ("seven IN (1, 2)", FALSE),
        ("seven IN ('7.0')", FALSE),
        ("point IN ('7.0')", TRUE),
        ("word IN (1, 'red')", TRUE),
        ("word IN (1, 'blue')", UNKNOWN),
        ("word IN ('blue')", FALSE),
        ("int IN ('6', '7.0')", TRUE),
        ("int IN ('6', '8')", FALSE),
        ("int IN ('6', 'x')", UNKNOWN),
        ("bool IN ('true')", TRUE),
        ("bool IN ('false')", FALSE),
        ("bool IN ('false', 1)", UNKNOWN),
    ]);
}

#[test]
fn patterns_are_for_text_only() {
    assert_truths(&[("seven LIKE '_'", TRUE), ("int LIKE '7'", UNKNOWN), ("bool LIKE '%'", UNKNOWN)]);
}
