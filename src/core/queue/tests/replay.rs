//! A snapshot and the log behind it give the same queue again.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::kit::{Bench, PLENTY, stored};
use super::random::{Command, Record, Sim, command, policy};
use crate::{Entry, Order, QueuePolicy};

/// What recovery knows: orders and delivery counts, from a snapshot and the records since it began.
fn recover(snapshot: &[(Order, u8)], records: &[Record]) -> BTreeMap<Order, u8> {
    let mut live: BTreeMap<_, _> = snapshot.iter().copied().collect();
    for record in records {
        match *record {
            Record::Enqueued(order) => drop(live.entry(order).or_insert(0)),
            Record::Settled(order) => drop(live.remove(&order)),
            Record::Counted(order, deliveries) => {
                live.entry(order).and_modify(|count| *count = deliveries);
            }
        }
    }
    live
}

/// All of it in one go.
fn snapshot(sim: &Sim) -> Vec<(Order, u8)> {
    let mut all = Vec::new();
    assert_eq!(sim.bench.queue.snapshot(Order(0), usize::MAX, &mut all), None);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn snapshot_and_replay_equal_live(
        policy in policy(),
        before in vec(command(), 1..120),
        between in vec((command(), 1..10usize), 1..60),
    ) {
        let mut sim = Sim::new(QueuePolicy { priority: false, ..policy });
        before.iter().for_each(|command| sim.run(command));
        sim.log.clear();
        // The snapshot is taken while the queue goes on.
        let (mut taken, mut from) = (Vec::new(), Some(Order(0)));
        for (command, budget) in &between {
            if let Some(order) = from {
                let start = taken.len();
                from = sim.bench.queue.snapshot(order, *budget, &mut taken);
                prop_assert!(taken.len() - start <= *budget);
            }
            sim.run(command);
        }
        if let Some(order) = from {
            sim.bench.queue.snapshot(order, usize::MAX, &mut taken);
        }
        prop_assert!(taken.is_sorted_by(|a, b| a.0 < b.0), "each once and ascending");
        let recovered = recover(&taken, &sim.log);
        let live = snapshot(&sim);
        prop_assert_eq!(&recovered.into_iter().collect::<Vec<_>>(), &live);

        let mut again = Bench::new(QueuePolicy::default());
        again.enqueue(live.iter().map(|&(order, deliveries)| Entry { deliveries, ..stored(order.0) }));
        again.attach(PLENTY);
        let drained: Vec<_> = sim.drain().into_iter().filter(|got| got.1).map(|got| got.0).collect();
        let recovered: Vec<_> = again.orders()[0].iter().copied().filter(|o| drained.contains(o)).collect();
        prop_assert_eq!(recovered, drained);
    }

    #[test]
    fn browsing_sees_what_is_there(commands in vec(command(), 1..100), step in 1..20usize) {
        let mut sim = Sim::new(QueuePolicy::default());
        commands.iter().filter(|command| !matches!(command, Command::Bury(_))).for_each(|c| sim.run(c));
        let (mut seen, mut from) = (Vec::new(), Some(Order(0)));
        while let Some(order) = from {
            from = sim.bench.queue.browse(order, step, &mut seen);
        }
        let stats = sim.bench.queue.stats();
        prop_assert_eq!(seen.len() as u64, stats.stored() - stats.dying);
        prop_assert!(seen.is_sorted_by(|a, b| a.order < b.order));
    }
}
