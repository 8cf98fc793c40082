//! Patterns of `LIKE`.

use proptest::prelude::*;

use super::kit::{FALSE, TRUE, UNKNOWN, assert_truths};
use crate::selector::like::Like;

#[test]
fn wildcards() {
    for (pattern, yes, no) in [
        ("", &[""][..], &["a"][..]),
        ("red", &["red"], &["Red", "redd", "a red", ""]),
        ("A%", &["A", "Abc", "A%"], &["", "bA", "a"]),
        ("%A", &["A", "bA", "AA"], &["", "Ab"]),
        ("%A%", &["A", "bAb", "AA"], &["", "b", "a"]),
        ("%", &["", "a", "a\nb"], &[]),
        ("%%", &["", "a"], &[]),
        ("_", &["a", "ü", "∞", "🦀", "\n"], &["", "ab", "u\u{308}"]),
        ("___", &["abc", "äöü"], &["ab", "abcd"]),
        ("_%", &["a", "ab"], &[""]),
        ("%_", &["a", "ab", "ä"], &[""]),
        ("%__%", &["ab", "abc"], &["", "a", "ü"]),
        ("12%3", &["123", "12993", "1233"], &["1234", "12"]),
        ("l_se", &["lose"], &["loose", "lse"]),
        ("a%a", &["aa", "aba"], &["a", ""]),
        ("ab%ba", &["abba", "abxba"], &["aba"]),
        ("%ab%ab%", &["abab", "xabxabx"], &["ab", "aab"]),
        ("%a_c%", &["abc", "aabc", "xaacx", "aac"], &["ac", "abbc"]),
        ("%_b", &["ab", "bb", "üb"], &["b", "ba"]),
        ("a%b%c", &["abc", "aXbXc", "abbcc"], &["acb", "ab"]),
        ("%ü%", &["ü", "über"], &["u", "\u{c3}"]),
        ("a.c*", &["a.c*"], &["abcc", "abc"]),
    ] {
        let like = Like::compile(pattern, None).unwrap();
        for text in yes {
            assert!(like.matches(text), "{pattern} matches {text}");
        }
        for text in no {
            assert!(!like.matches(text), "{pattern} does not match {text}");
        }
    }
}

#[test]
fn escapes() {
    for (pattern, escape, yes, no) in [
        ("\\_%", '\\', &["_foo", "_"][..], &["bar", "\\_"][..]),
        ("100!%", '!', &["100%"], &["1000", "100!"]),
        ("!!%", '!', &["!", "!x"], &["x"]),
        ("%!_%", '!', &["a_b"], &["ab"]),
        ("!a", '!', &["a"], &["!a"]),
        ("%%50%%", '%', &["%50%"], &["50"]),
        ("__", '_', &["_"], &["a", "__"]),
        ("ü%x", 'ü', &["%x"], &["ü%x"]),
    ] {
        let like = Like::compile(pattern, Some(escape)).unwrap();
        for text in yes {
            assert!(like.matches(text), "{pattern} matches {text}");
        }
        for text in no {
            assert!(!like.matches(text), "{pattern} does not match {text}");
        }
    }
    assert!(Like::compile("a!", Some('!')).is_none());
    assert!(Like::compile("a!!", Some('!')).is_some());
}

#[test]
fn in_selectors() {
    assert_truths(&[
        ("colour LIKE 'r%'", TRUE),
        ("colour LIKE 'b%'", FALSE),
        ("colour NOT LIKE 'b%'", TRUE),
        ("name LIKE 'O''%'", TRUE),
        ("\"content-type\" LIKE 'text!/%' ESCAPE '!'", TRUE),
        ("weight LIKE '2%'", UNKNOWN),
        ("weight NOT LIKE '2%'", UNKNOWN),
        ("urgent LIKE '%'", UNKNOWN),
        ("missing LIKE '%'", UNKNOWN),
    ]);
}

#[test]
fn no_pattern_explodes() {
    let text = "a".repeat(60_000);
    for pattern in [format!("{}b", "%a".repeat(500)), format!("{}b", "%_a".repeat(300)), "%a%_a_%_b%".into()]
    {
        assert!(!Like::compile(&pattern, None).unwrap().matches(&text));
    }
}

/// The definition, with as many tries as it takes.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some(('%', pattern)), _) => (0..=text.len()).any(|skip| naive(pattern, &text[skip..])),
        (Some(('_', pattern)), Some((_, text))) => naive(pattern, text),
        (Some((wanted, pattern)), Some((c, text))) => wanted == c && naive(pattern, text),
        (Some(_), None) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matches_as_defined(pattern in "[abü%_]{0,8}", text in "[abü]{0,10}") {
        let expected = naive(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
        prop_assert_eq!(Like::compile(&pattern, None).unwrap().matches(&text), expected);
    }
}
