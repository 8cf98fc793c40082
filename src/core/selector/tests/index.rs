//! Many selectors at once.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::kit::{Props, text};
use super::random::{self, typing};
use crate::{Properties, Selector, SelectorIndex, Typing, Value};

fn selector(text: &str) -> Selector {
    Selector::parse(text, Typing::Strict).unwrap()
}

fn found(index: &SelectorIndex<u32>, message: &impl Properties) -> Vec<u32> {
    let mut found = Vec::new();
    index.for_each_match(message, |id| found.push(id));
    found.sort_unstable();
    found
}

/// Counts how often a property is read.
struct Counting(Props, Cell<u32>);

impl Properties for Counting {
    fn get(&self, name: &str) -> Value<'_> {
        self.1.set(self.1.get() + 1);
        self.0.get(name)
    }
}

#[test]
fn an_equality_is_found_without_asking_the_others() {
    let mut index = SelectorIndex::new();
    for n in 0..1_000 {
        index.insert(&selector(&format!("type = 't{n}' AND weight > 10")), n);
        index.insert(&selector(&format!("'u{n}' = type")), 1_000 + n);
    }
    let props = |kind| Props(vec![("type", text(kind)), ("weight", Value::Int(11))]);
    let message = Counting(props("t7"), Cell::new(0));
    assert_eq!(found(&index, &message), [7]);
    assert_eq!(message.1.get(), 3, "the property of the key, and the selector's two");
    let message = Counting(props("u7"), Cell::new(0));
    assert_eq!(found(&index, &message), [1_007]);
    assert_eq!(message.1.get(), 1, "the equality is all there is");
}

#[test]
fn a_list_is_found_by_each_member() {
    let mut index = SelectorIndex::new();
    index.insert(&selector("a IN ('x', 'y', 7) AND b = TRUE"), 1);
    index.insert(&selector("a IN (7.0, 8)"), 2);
    let message = |value| Props(vec![("a", value), ("b", Value::Bool(true))]);
    assert_eq!(found(&index, &message(text("x"))), [1]);
    assert_eq!(found(&index, &message(Value::Int(7))), [1, 2]);
    assert_eq!(found(&index, &message(Value::Float(8.0))), [2]);
    assert_eq!(found(&index, &message(text("7"))), [] as [u32; 0]);
    assert_eq!(index.traces(), (1, 4, 0));
}

#[test]
fn the_narrowest_equality_is_the_key() {
    for (text, name) in [
        ("a = TRUE AND b = 'x'", Some("b")),
        ("a IN (1, 2) AND b > 1 AND c = 1", Some("c")),
        ("(a = 1 AND b = 2) AND c = 3", Some("a")),
        ("a = 1 OR b = 2", None),
        ("NOT a = 1", None),
        ("a <> 1", None),
        ("a NOT IN (1)", None),
        ("a + 1 = 2", None),
        ("a = b", None),
    ] {
        assert_eq!(selector(text).key().map(|key| key.name), name, "{text}");
    }
}

#[test]
fn equal_selectors_are_evaluated_once() {
    let mut index = SelectorIndex::new();
    (0..1_000).for_each(|id| index.insert(&selector("weight > 10"), id));
    let message = Counting(Props(vec![("weight", Value::Int(11))]), Cell::new(0));
    assert_eq!(found(&index, &message).len(), 1_000);
    assert_eq!(message.1.get(), 1);
}

#[test]
fn loose_text_and_numbers_meet() {
    let mut index = SelectorIndex::new();
    for (id, condition) in
        [(1, "a = 7"), (2, "a = '7'"), (3, "a = '7.0'"), (4, "a = TRUE"), (5, "a = 'TRUE'")]
    {
        index.insert(&Selector::parse(condition, Typing::Loose).unwrap(), id);
    }
    let message = |value| Props(vec![("a", value)]);
    assert_eq!(found(&index, &message(text("7"))), [1, 2]);
    assert_eq!(found(&index, &message(text("7.0"))), [1, 3]);
    assert_eq!(found(&index, &message(text("7.00"))), [1]);
    assert_eq!(found(&index, &message(Value::Int(7))), [1, 2, 3]);
    assert_eq!(found(&index, &message(text("true"))), [4]);
    assert_eq!(found(&index, &message(Value::Bool(true))), [4, 5]);
}

#[test]
fn nothing_is_left_behind() {
    let mut index = SelectorIndex::new();
    let selectors: Vec<_> = (0..500)
        .flat_map(|n| [format!("a{n} = {n}"), format!("b IN ({n}, '{n}', 'x')"), format!("c > {n}")])
        .map(|text| selector(&text))
        .collect();
    for (id, selector) in (0..).zip(&selectors) {
        index.insert(selector, id);
        index.insert(selector, id);
    }
    assert_eq!(index.len(), 3_000);
    assert_eq!(index.traces(), (501, 500 + 1_001, 500));
    for (id, selector) in (0..).zip(&selectors) {
        assert!(!index.remove(selector, id + 1));
        assert!(index.remove(selector, id) && index.remove(selector, id));
        assert!(!index.remove(selector, id));
    }
    assert!(index.is_empty());
    assert_eq!(index.traces(), (0, 0, 0));
}

/// With the one that no list may hold at the end.
const LITERALS: &[&str] = &[
    "'7'", "'7.0'", "'+7'", "7", "7.0", "7.5", "-3", "'-3'", "'true'", "'False'", "'x'", "''", "'NaN'",
    "TRUE",
];

fn equality() -> impl Strategy<Value = String> {
    let name = || select(&["a", "b"][..]);
    let member = select(&LITERALS[..LITERALS.len() - 1]);
    prop_oneof![
        3 => (name(), select(LITERALS)).prop_map(|(name, literal)| format!("{name} = {literal}")),
        1 => (name(), select(LITERALS)).prop_map(|(name, literal)| format!("{literal} = {name}")),
        1 => (name(), vec(member, 1..4)).prop_map(|(name, list)| format!("{name} IN ({})", list.join(","))),
        1 => name().prop_map(|name| format!("{name} > 1")),
        1 => (name(), select(LITERALS)).prop_map(|(name, literal)| format!("{name} <> {literal}")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => equality(),
        2 => (equality(), equality()).prop_map(|(left, right)| format!("{left} AND {right}")),
        1 => (equality(), equality()).prop_map(|(left, right)| format!("{left} OR {right}")),
    ]
}

fn message() -> impl Strategy<Value = Props> {
    let texts = select(&["7", "7.0", "+7", "007", "-3", "7.5", "true", "FALSE", "x", "", "NaN"][..]);
    let value = || {
        prop_oneof![
            4 => texts.clone().prop_map(text),
            2 => select(&[7, -3, 0][..]).prop_map(Value::Int),
            2 => select(&[7.0, 7.5, -3.0, f64::NAN, f64::INFINITY][..]).prop_map(Value::Float),
            1 => any::<bool>().prop_map(Value::Bool),
            1 => Just(Value::Null),
        ]
    };
    (value(), value()).prop_map(|(a, b)| Props(vec![("a", a), ("b", b)]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_index_agrees_with_asking_one_by_one(
        pool in vec((condition(), typing()), 1..20),
        commands in vec((any::<bool>(), any::<prop::sample::Index>(), 0u32..4), 1..80),
        messages in vec(message(), 1..20),
    ) {
        let pool: Vec<_> = pool.iter().map(|(text, typing)| Selector::parse(text, *typing).unwrap()).collect();
        let mut index = SelectorIndex::new();
        let mut all: Vec<(Selector, u32)> = Vec::new();
        for (nth, (insert, which, id)) in commands.into_iter().enumerate() {
            let selector = which.get(&pool);
            if insert || nth < 30 {
                index.insert(selector, id);
                all.push((selector.clone(), id));
            } else {
                let at = all.iter().position(|held| (&held.0, held.1) == (selector, id));
                prop_assert_eq!(index.remove(selector, id), at.is_some());
                at.map(|at| all.swap_remove(at));
            }
            prop_assert_eq!(index.len(), all.len());
            let message = &messages[nth % messages.len()];
            let mut expected: Vec<_> =
                all.iter().filter(|(selector, _)| selector.matches(message)).map(|(_, id)| *id).collect();
            expected.sort_unstable();
            prop_assert_eq!(found(&index, message), expected);
        }
        all.iter().for_each(|(selector, id)| assert!(index.remove(selector, *id)));
        prop_assert_eq!(index.traces(), (0, 0, 0));
    }

    #[test]
    fn an_index_takes_any_selector(
        conditions in vec((random::condition(), typing()), 1..12),
        message in random::message(),
    ) {
        let mut index = SelectorIndex::new();
        let mut expected = Vec::new();
        for (id, (condition, typing)) in (0..).zip(&conditions) {
            let selector = Selector::parse(&condition.text(), *typing).unwrap();
            index.insert(&selector, id);
            expected.extend(selector.matches(&message).then_some(id));
        }
        prop_assert_eq!(found(&index, &message), expected);
    }
}
