//! Random selectors against the model.

use proptest::prelude::*;
use proptest::sample::select;

use super::kit::{Props, text, truth};
use super::model::Expr;
use crate::{Typing, Value};

const NAMES: &[&str] = &["a", "b", "c", "d-e"];
const TEXTS: &[&str] = &[
    "7", "7.0", "-3", "+3", "1e2", "true", "FALSE", "", "x", "xyx", "üx", "O'B", "inf", "NaN", "0x7", "1e999",
];
const INTS: &[i64] = &[0, 1, 2, -3, 3, 7, 100, (1 << 53) + 1, i64::MAX, i64::MIN];
const FLOATS: &[f64] = &[0.0, -0.0, 0.5, -3.0, 7.0, 7.25, 100.0, 9_007_199_254_740_992.0, 1e300];

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![1 => any::<bool>().prop_map(Value::Bool), 3 => member()]
}

/// What a list may hold: no boolean.
fn member() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        select(INTS).prop_map(Value::Int),
        select(FLOATS).prop_map(Value::Float),
        select(TEXTS).prop_map(text),
    ]
}

pub(super) fn message() -> impl Strategy<Value = Props> {
    let odd = select(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY][..]).prop_map(Value::Float);
    let property = prop_oneof![8 => value(), 1 => Just(Value::Null), 1 => odd];
    proptest::collection::vec(property, NAMES.len())
        .prop_map(|values| Props(NAMES.iter().copied().zip(values).collect()))
}

fn boxed(expr: impl Strategy<Value = Expr>) -> impl Strategy<Value = Box<Expr>> {
    expr.prop_map(Box::new)
}

fn operand() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![3 => select(NAMES).prop_map(Expr::Name), 2 => value().prop_map(Expr::Literal)];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            boxed(inner.clone()).prop_map(Expr::Minus),
            boxed(inner.clone()).prop_map(Expr::Plus),
            (select(&['+', '-', '*', '/', '%'][..]), boxed(inner.clone()), boxed(inner))
                .prop_map(|(operator, left, right)| Expr::Binary(operator, left, right)),
        ]
    })
    .boxed()
}

fn comparison() -> impl Strategy<Value = Expr> {
    let operator = select(&["=", "<>", "!=", "<", "<=", ">", ">="][..]);
    let operand = || boxed(operand());
    prop_oneof![
        4 => (operator, operand(), operand()).prop_map(|(op, left, right)| Expr::Compare(op, left, right)),
        1 => (operand(), operand(), operand(), any::<bool>()).prop_map(|(a, b, c, not)| Expr::Between(a, b, c, not)),
        1 => (operand(), "[x7ü%_]{0,4}", any::<bool>()).prop_map(|(a, pattern, not)| Expr::Like(a, pattern, not)),
        1 => (operand(), proptest::collection::vec(member(), 1..5), any::<bool>())
            .prop_map(|(a, members, not)| Expr::In(a, members, not)),
        1 => (operand(), any::<bool>()).prop_map(|(a, not)| Expr::IsNull(a, not)),
        1 => select(NAMES).prop_map(Expr::Name),
        1 => any::<bool>().prop_map(|bool| Expr::Literal(Value::Bool(bool))),
    ]
}

pub(super) fn condition() -> impl Strategy<Value = Expr> {
    comparison().prop_recursive(4, 24, 2, |inner| {
        let two = || (boxed(inner.clone()), boxed(inner.clone()));
        let equality = select(&["=", "<>"][..]);
        prop_oneof![
            2 => two().prop_map(|(left, right)| Expr::And(left, right)),
            2 => two().prop_map(|(left, right)| Expr::Or(left, right)),
            2 => boxed(inner.clone()).prop_map(Expr::Not),
            1 => (equality, boxed(inner.clone()), boxed(operand()))
                .prop_map(|(op, left, right)| Expr::Compare(op, left, right)),
        ]
    })
}

pub(super) fn typing() -> impl Strategy<Value = Typing> {
    select(&[Typing::Strict, Typing::Loose][..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_selector_says_what_the_model_says(
        condition in condition(),
        typing in typing(),
        messages in proptest::collection::vec(message(), 1..6),
    ) {
        let text = condition.text();
        for message in &messages {
            let expected = condition.truth(message, typing);
            prop_assert_eq!(truth(&text, typing, message), expected, "{} of {:?}", text, message);
        }
    }
}
