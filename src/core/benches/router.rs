//! Looking up who gets a message, among few and among a million subscriptions.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use wharfmq_core::{Address, ConnId, Direct, Kind, Outbox, Pattern, Router, SubTag};

/// Connections that share the subscriptions.
const CONNECTIONS: u64 = 1_000;

/// Subscriptions of every kind: most to one topic each, and of every ten one with `*` and one with `>`.
fn pattern(n: u64) -> Pattern {
    let (plant, line) = (n / 100, n % 100);
    let text = match n % 10 {
        8 => format!("plant.{plant}.*.line{line}"),
        9 => format!("plant.{plant}.{line}.>"),
        _ => format!("plant.{plant}.{line}.temp"),
    };
    Pattern::parse(Kind::Topic, text).unwrap()
}

fn direct(outboxes: &[Arc<Outbox>], n: u64) -> Direct {
    let outbox = Arc::clone(&outboxes[(n % CONNECTIONS) as usize]);
    Direct { outbox, sub: SubTag((n / CONNECTIONS) as u32), no_local: false, qos0_only: false, filter: None }
}

fn filled(subscriptions: u64) -> (Router<()>, Vec<Arc<Outbox>>) {
    let outboxes: Vec<_> = (0..CONNECTIONS).map(|n| Outbox::new(ConnId(n))).collect();
    let router = Router::new();
    for n in 0..subscriptions {
        router.subscribe(&pattern(n), direct(&outboxes, n));
    }
    (router, outboxes)
}

/// A topic of the `n`th plant that a few subscriptions match.
fn topic(n: u64) -> Arc<Address> {
    Arc::new(Address::topic(format!("plant.{}.{}.temp", n / 100, n % 100)))
}

fn lookups(c: &mut Criterion) {
    let mut group = c.benchmark_group("router");
    for subscriptions in [10_000, 1_000_000] {
        let (router, outboxes) = filled(subscriptions);
        let addresses: Vec<_> = (0..subscriptions).step_by(7).map(topic).collect();
        let mut next = addresses.iter().cycle();
        let touched = Pattern::parse(Kind::Topic, "plant.>").unwrap();
        group.bench_function(BenchmarkId::new("look up anew", subscriptions), |b| {
            b.iter(|| {
                // Concerns every topic here, so nothing that is cached holds.
                router.touch(&touched);
                black_box(router.route(next.next().unwrap()))
            });
        });
        let one = topic(5);
        let elsewhere = Pattern::parse(Kind::Topic, "elsewhere.x").unwrap();
        group.bench_function(BenchmarkId::new("cached, after another's change", subscriptions), |b| {
            b.iter(|| {
                router.touch(&elsewhere);
                black_box(router.route(&one))
            });
        });
        let mut n = subscriptions;
        group.bench_function(BenchmarkId::new("subscribe and unsubscribe", subscriptions), |b| {
            b.iter(|| {
                let (pattern, direct) = (pattern(n), direct(&outboxes, n));
                let (conn, sub) = (direct.outbox.conn, direct.sub);
                router.subscribe(&pattern, direct);
                router.unsubscribe(&pattern, conn, sub);
                n += 1;
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lookups);
criterion_main!(benches);
