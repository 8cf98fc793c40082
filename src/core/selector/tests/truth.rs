//! The truth tables of the JMS specification, tables 3-4 to 3-6.

use super::kit::{FALSE, Props, TRUE, UNKNOWN, truth};
use crate::{Typing, Value};

const ALL: [Option<bool>; 3] = [TRUE, FALSE, UNKNOWN];

fn message(a: Option<bool>, b: Option<bool>) -> Props {
    Props(vec![("a", a.map_or(Value::Null, Value::Bool)), ("b", b.map_or(Value::Null, Value::Bool))])
}

#[test]
fn and() {
    for (a, b, expected) in [
        (TRUE, TRUE, TRUE),
        (TRUE, FALSE, FALSE),
        (TRUE, UNKNOWN, UNKNOWN),
        (FALSE, TRUE, FALSE),
        (FALSE, FALSE, FALSE),
        (FALSE, UNKNOWN, FALSE),
        (UNKNOWN, TRUE, UNKNOWN),
        (UNKNOWN, FALSE, FALSE),
        (UNKNOWN, UNKNOWN, UNKNOWN),
    ] {
        assert_eq!(truth("a AND b", Typing::Strict, &message(a, b)), expected, "{a:?} AND {b:?}");
    }
}

#[test]
fn or() {
    for (a, b, expected) in [
        (TRUE, TRUE, TRUE),
        (TRUE, FALSE, TRUE),
        (TRUE, UNKNOWN, TRUE),
        (FALSE, TRUE, TRUE),
        (FALSE, FALSE, FALSE),
        (FALSE, UNKNOWN, UNKNOWN),
        (UNKNOWN, TRUE, TRUE),
        (UNKNOWN, FALSE, UNKNOWN),
        (UNKNOWN, UNKNOWN, UNKNOWN),
    ] {
        assert_eq!(truth("a OR b", Typing::Strict, &message(a, b)), expected, "{a:?} OR {b:?}");
    }
}

#[test]
fn not() {
    for (a, expected) in [(TRUE, FALSE), (FALSE, TRUE), (UNKNOWN, UNKNOWN)] {
        assert_eq!(truth("NOT a", Typing::Strict, &message(a, None)), expected, "NOT {a:?}");
        assert_eq!(truth("NOT NOT a", Typing::Strict, &message(a, None)), a, "NOT NOT {a:?}");
    }
}

#[test]
fn the_laws_of_de_morgan_hold() {
    for a in ALL {
        for b in ALL {
            let message = message(a, b);
            let truth = |condition| truth(condition, Typing::Strict, &message);
            assert_eq!(truth("NOT (a AND b)"), truth("NOT a OR NOT b"));
            assert_eq!(truth("NOT (a OR b)"), truth("NOT a AND NOT b"));
        }
    }
}
