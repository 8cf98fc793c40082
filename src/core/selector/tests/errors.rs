//! What is refused, and with which words.

use proptest::prelude::*;

use super::kit::Props;
use crate::limits::{
    SELECTOR_BYTES_MAX, SELECTOR_DEPTH_MAX, SELECTOR_LIST_MAX, SELECTOR_PATTERN_BYTES_MAX, SELECTOR_TERMS_MAX,
};
use crate::{Selector, SelectorError, Typing};

fn error(text: &str) -> SelectorError {
    match Selector::parse(text, Typing::Strict) {
        Ok(_) => panic!("{text} is a selector"),
        Err(error) => error,
    }
}

#[track_caller]
fn assert_errors(table: &[(&str, usize, &str)]) {
    for (text, at, words) in table {
        assert_eq!(error(text).to_string(), format!("selector, character {at}: {words}"), "{text}");
    }
}

#[test]
fn nothing_is_no_selector() {
    for text in ["", " ", "\t\r\n", "\u{a0}"] {
        assert_eq!(error(text), SelectorError::Empty);
    }
    assert_eq!(error(" ").to_string(), "the selector is empty");
}

#[test]
fn what_is_missing_is_named() {
    assert_errors(&[
        ("a =", 4, "expected a value, found the end"),
        ("= 1", 1, "expected a value, found `=`"),
        ("a == 1", 4, "expected a value, found `=`"),
        ("a = 1 AND", 10, "expected a value, found the end"),
        ("a = /* 1", 5, "this comment is not closed"),
        ("a AND OR b", 7, "expected a value, found `OR`"),
        ("a b", 3, "expected an operator or the end, found `b`"),
        ("a = 1)", 6, "expected an operator or the end, found `)`"),
        ("(a = 1", 7, "expected an operator or `)`, found the end"),
        ("()", 2, "expected a value, found `)`"),
        ("a = 1 = TRUE", 7, "expected AND, OR or the end of the condition, found `=`"),
        ("a < b < c", 7, "expected AND, OR or the end of the condition, found `<`"),
        ("a IS 1", 6, "expected NULL or NOT NULL, found `1`"),
        ("a IS NOT TRUE", 10, "expected NULL, found `TRUE`"),
        ("a NOT = 1", 7, "expected BETWEEN, LIKE or IN, found `=`"),
        ("a = NOT b", 5, "expected a value, found `NOT`"),
        ("a BETWEEN 1 OR 2", 13, "expected AND and the upper bound of BETWEEN, found `OR`"),
        ("a LIKE b", 8, "expected a pattern in single quotes, found `b`"),
        ("a LIKE 'b' ESCAPE c", 19, "expected a character in single quotes, found `c`"),
        ("a IN 'x'", 6, "expected `(` and a list, found `'x'`"),
        ("a IN ()", 7, "expected a text in single quotes or a number, found `)`"),
        ("a IN ('x',)", 11, "expected a text in single quotes or a number, found `)`"),
        ("a IN (-'x')", 8, "expected a text in single quotes or a number, found `'x'`"),
        ("a IN (TRUE)", 7, "expected a text in single quotes or a number, found `TRUE`"),
        ("a IN ('x' 'y')", 11, "expected `,` or `)`, found `'y'`"),
        ("a = NULL", 5, "expected a value (NULL follows IS or IS NOT), found `NULL`"),
        ("ESCAPE = 1", 1, "expected a value, found `ESCAPE`"),
    ]);
}

#[test]
fn places_are_characters_of_what_was_given() {
    assert_errors(&[
        ("  größe =", 10, "expected a value, found the end"),
        ("'∞∞∞' = = 1", 9, "expected a value, found `=`"),
        ("\n a = 1 ;", 9, "the character `;` has no meaning here"),
    ]);
}

#[test]
fn malformed_tokens() {
    assert_errors(&[
        ("a & b", 3, "the character `&` has no meaning here"),
        ("a = \u{0}", 5, "the character `\u{fffd}` has no meaning here"),
        ("a = 'b", 5, "this quote is not closed"),
        ("a = 'b''", 5, "this quote is not closed"),
        ("\"a = 1", 1, "this quote is not closed"),
        ("\"\" = 1", 1, "there is no name between the quotes"),
        ("a = 7x", 5, "`7x` is not a number"),
        ("a = 1.2.3", 5, "`1.2.3` is not a number"),
        ("a = 1e", 5, "`1e` is not a number"),
        ("a = 1e+", 5, "`1e+` is not a number"),
        ("a = 0x", 5, "`0x` is not a number"),
        ("a = 0xg", 5, "`0xg` is not a number"),
        ("a = 08", 5, "`08` is not a number"),
        ("a = 1_000", 5, "`1_000` is not a number"),
        ("a = 7é", 5, "`7é` is not a number"),
        ("a = 9223372036854775809L", 5, "the number is too large"),
        ("a = 0x8000000000000000", 5, "the number is too large"),
        ("a = 1e999", 5, "the number is too large"),
    ]);
}

#[test]
fn conditions_and_values_are_not_the_same() {
    let no_condition = "expected a condition, found a value, which must be compared with something";
    let no_value = "expected a value, found a condition";
    assert_errors(&[
        ("1 + 1", 1, no_condition),
        ("'a'", 1, no_condition),
        ("a = 1 AND 'b'", 11, no_condition),
        ("a + 1 OR b", 1, no_condition),
        ("NOT 5", 5, no_condition),
        ("-a", 1, no_condition),
        ("(a = 1) + 1 = 2", 1, no_value),
        ("1 + (a = 1) = 2", 5, no_value),
        ("a < (b = 1)", 5, no_value),
        ("-(a = 1) = 1", 2, no_value),
        ("(a = 1) LIKE 'x'", 1, no_value),
        ("(NOT a) IS NULL", 1, no_value),
    ]);
}

#[test]
fn escapes() {
    assert_errors(&[
        ("a LIKE 'b' ESCAPE ''", 19, "expected one character in quotes after ESCAPE"),
        ("a LIKE 'b' ESCAPE '!!'", 19, "expected one character in quotes after ESCAPE"),
        ("a LIKE 'b!' ESCAPE '!'", 8, "the pattern ends with its escape character"),
    ]);
}

#[test]
fn expressions_over_the_body_are_not_supported() {
    assert_errors(&[
        ("XPATH '//a'", 1, "XPATH is not supported"),
        ("a = 1 AND xquery '//a'", 11, "XQUERY is not supported"),
    ]);
    assert!(Selector::parse("xpath = 1 AND \"XQUERY\" = 2", Typing::Strict).is_ok(), "else these are names");
}

#[test]
fn errors_repeat_little_of_the_text() {
    let long = "x".repeat(10_000);
    for text in [format!("a {long}"), format!("a = 1{long}"), format!("a = 1 '{long}'")] {
        assert!(error(&text).to_string().len() < 120, "{}", error(&text));
    }
    assert_eq!(error("a 'b\n\u{1b}c'").to_string().matches(char::REPLACEMENT_CHARACTER).count(), 2);
}

#[test]
fn size_is_limited() {
    let fits = format!("a = '{}'", "x".repeat(SELECTOR_BYTES_MAX - 6));
    assert!(Selector::parse(&format!("  {fits}\n"), Typing::Strict).is_ok(), "white space does not count");
    assert_eq!(error(&(fits + "--")), SelectorError::TooLong);
    assert_eq!(error(&"x".repeat(1 << 20)).to_string(), "the selector is longer than 65536 bytes");
}

#[test]
fn depth_is_limited() {
    let most = SELECTOR_DEPTH_MAX;
    for (open, close) in
        [("(", ")"), ("NOT ", ""), ("NOT (", ")"), ("(NOT ", ")"), ("a = 1 OR b = 2 AND (", ")")]
    {
        let nested = |times: usize| format!("{}a{}", open.repeat(times), close.repeat(times));
        let levels = open.matches("NOT").count() + open.matches('(').count();
        assert!(Selector::parse(&nested(most / levels), Typing::Strict).is_ok(), "{open}");
        for times in [most / levels + 1, 5_000] {
            let error = error(&nested(times.min(60_000 / (open.len() + 1))));
            assert!(matches!(error, SelectorError::TooDeep { .. }), "{open} {error}");
        }
    }
    for sign in ["- ", "+", "-(", "1 + 2 * -("] {
        assert!(matches!(error(&format!("a = {}1", sign.repeat(6_000))), SelectorError::TooDeep { .. }));
    }
    let unclosed = "(".repeat(60_000);
    assert_eq!(
        error(&unclosed).to_string(),
        "selector, character 65: more than 64 parentheses, NOT or signs inside each other"
    );
}

#[test]
fn the_deepest_selectors_fit_the_stack_of_a_worker() {
    // A worker has 2 MiB. Without optimization frames are several times as large as in a release.
    let run = || {
        for (open, levels) in
            [("a OR b AND c = (", 1), ("a OR b AND NOT c = (", 2), ("a = 1 + 2 * -(NOT ", 3)]
        {
            let times = SELECTOR_DEPTH_MAX / levels;
            let text = format!("{}d = 1{}", open.repeat(times), ")".repeat(times));
            match Selector::parse(&text, Typing::Strict) {
                Ok(selector) => assert!(!selector.matches(&Props::default())),
                Err(error) => assert!(matches!(error, SelectorError::NotAValue { .. }), "{error}"),
            }
        }
    };
    std::thread::Builder::new().stack_size(1_400 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn long_chains_are_not_deep() {
    for (term, operator) in [("a = 1", " AND "), ("a = 1", " OR "), ("a", " AND "), ("(a = 1)", " OR ")] {
        let chain = vec![term; 1_000].join(operator);
        assert!(Selector::parse(&chain, Typing::Strict).is_ok(), "{operator}");
    }
    for operator in [" + ", " - ", " * ", " / ", " % "] {
        let chain = format!("a = {}", vec!["b"; 1_000].join(operator));
        assert!(Selector::parse(&chain, Typing::Strict).is_ok(), "{operator}");
    }
}

#[test]
fn what_is_looked_for_everywhere_costs_more_of_the_terms() {
    let like = |wild: &str| Selector::parse(&format!("a LIKE '%{wild}%'"), Typing::Strict).map(drop);
    assert!(like(&"_x".repeat(100)).is_ok());
    assert!(like(&"x".repeat(1_000)).is_ok(), "text is found quickly");
    assert_eq!(like(&"_x".repeat(200)), Err(SelectorError::TooManyTerms { at: 8 }));
}

#[test]
fn terms_are_limited() {
    let chain = |terms: usize| vec!["a"; terms].join(" OR ");
    assert!(Selector::parse(&chain(SELECTOR_TERMS_MAX / 2), Typing::Strict).is_ok());
    let error = error(&chain(SELECTOR_TERMS_MAX / 2 + 1));
    assert_eq!(error.to_string(), "selector, character 10241: more than 4096 names, literals and operators");
}

#[test]
fn lists_and_patterns_are_limited() {
    let list = |literals: usize| format!("a IN ({})", vec!["1"; literals].join(","));
    assert!(Selector::parse(&list(SELECTOR_LIST_MAX), Typing::Strict).is_ok());
    let long = error(&list(SELECTOR_LIST_MAX + 1));
    assert_eq!(long.to_string(), "selector, character 2055: more than 1024 literals in a list");

    let like = |bytes: usize| format!("a LIKE '{}'", "%".repeat(bytes));
    assert!(Selector::parse(&like(SELECTOR_PATTERN_BYTES_MAX), Typing::Strict).is_ok());
    let long = error(&like(SELECTOR_PATTERN_BYTES_MAX + 1));
    assert_eq!(long.to_string(), "selector, character 8: the pattern is longer than 1024 bytes");
}

/// Parts of selectors, to be put together without sense.
const PARTS: &[&str] = &[
    "a", "b.c", "\"d-e\"", "\"", "'", "'x'", "''", "1", "0x1F", "1e3", "7.", ".5", "08", "(", ")", ",", "=",
    "<>", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "NOT", "AND", "OR", "BETWEEN", "LIKE", "IN",
    "IS", "NULL", "TRUE", "ESCAPE", "XPATH", "\u{301}", "🦀", "\0", " ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,60}") {
        let _ = Selector::parse(&text, Typing::Strict).map_err(|error| error.to_string());
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Selector::parse(&String::from_utf8_lossy(&bytes), Typing::Loose);
    }

    #[test]
    fn no_parts_make_the_parser_panic(
        parts in prop::collection::vec(prop::sample::select(PARTS), 0..20),
        gap in prop::sample::select(&["", " "][..]),
    ) {
        let text = parts.join(gap);
        if let Err(error) = Selector::parse(&text, Typing::Strict) {
            prop_assert!(error.to_string().chars().count() < 140);
        }
    }
}
