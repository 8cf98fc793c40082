//! What a selector costs a message: parsing, one evaluation, and a thousand selectors at once.

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wharfmq_core::{Properties, Selector, SelectorIndex, Typing, Value};

const THREE_TERMS: &str = "colour = 'red' AND weight > 2500 AND name LIKE 'A%'";

/// A message with its properties in a row, as decoded headers are.
struct Message(Vec<(&'static str, Value<'static>)>);

impl Properties for Message {
    fn get(&self, name: &str) -> Value<'_> {
        match self.0.iter().find(|(key, _)| *key == name) {
            Some((_, Value::Text(text))) => Value::Text(Cow::Borrowed(text)),
            Some((_, value)) => value.clone(),
            None => Value::Null,
        }
    }
}

fn message(weight: Value<'static>) -> Message {
    let text = |text| Value::Text(Cow::Borrowed(text));
    Message(vec![
        ("destination", text("/queue/orders")),
        ("colour", text("red")),
        ("customer", text("c500")),
        ("weight", weight),
        ("name", text("Anchor chain")),
    ])
}

fn parse(text: &str, typing: Typing) -> Selector {
    match Selector::parse(text, typing) {
        Ok(selector) => selector,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn one(c: &mut Criterion) {
    let mut group = c.benchmark_group("one selector");
    let (typed, textual) = (message(Value::Int(2501)), message(Value::Text(Cow::Borrowed("2501"))));
    let list = (0..1_000).map(|n| format!("'c{n}'")).collect::<Vec<_>>().join(",");
    for (name, text, typing, message) in [
        ("three terms, numbers", THREE_TERMS, Typing::Strict, &typed),
        ("three terms, all text", THREE_TERMS, Typing::Loose, &textual),
        ("one equality", "customer = 'c500'", Typing::Strict, &typed),
        ("a missing property", "missing = 1", Typing::Strict, &typed),
        ("a pattern within", "name LIKE '%chor ch%'", Typing::Strict, &typed),
        ("a pattern of pieces", "name LIKE 'A%_or%c%n'", Typing::Strict, &typed),
        ("a list of 1,000", &format!("customer IN ({list})"), Typing::Strict, &typed),
        ("arithmetic", "weight * 2 + 1 - weight % 7 BETWEEN 1 AND 10000", Typing::Strict, &typed),
    ] {
        let selector = parse(text, typing);
        assert_eq!(selector.matches(message), name != "a missing property", "{name}");
        group.bench_function(name, |b| b.iter(|| black_box(&selector).matches(black_box(message))));
    }
    group.bench_function("parse three terms", |b| b.iter(|| parse(black_box(THREE_TERMS), Typing::Strict)));
    group.finish();
}

fn many(c: &mut Criterion) {
    let mut group = c.benchmark_group("1,000 selectors");
    let message = message(Value::Int(2501));
    for (name, text) in [
        ("equality", "customer = '%'"),
        ("equality and another term", "customer = '%' AND weight > 2500"),
        ("no equality", "customer <> '%' AND weight < 2500"),
    ] {
        let selectors: Vec<_> =
            (0..1_000).map(|n| parse(&text.replace('%', &format!("c{n}")), Typing::Strict)).collect();
        let mut index = SelectorIndex::new();
        (0_u64..).zip(&selectors).for_each(|(id, selector)| index.insert(selector, id));
        let linear = || selectors.iter().filter(|selector| selector.matches(&message)).count() as u64;
        let indexed = || {
            let mut found = 0_u64;
            index.for_each_match(black_box(&message), |_| found += 1);
            found
        };
        assert_eq!(linear(), indexed());
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("{name}, index"), |b| b.iter(indexed));
        group.bench_function(format!("{name}, one by one"), |b| b.iter(linear));
    }
    group.finish();
}

criterion_group!(benches, one, many);
criterion_main!(benches);
