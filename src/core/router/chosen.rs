//! Many subscriptions with selectors, asked of one publication at once.

use std::sync::Arc;

use super::route::DirectTarget;
use crate::{Chunk, Filter, SelectorIndex};

/// Subscriptions with a filter from which on an index is worth making.
const INDEXED_MIN: usize = 16;
/// Roughly the bytes that the index takes for one of them.
const BYTES_EACH: usize = 256;

/// An index of the connections of a route that take nothing but what a selector chooses.
#[derive(Debug)]
pub struct Chosen {
    /// The places of a target and of its subscription.
    index: SelectorIndex<(u32, u32)>,
    /// One of the filters: they all read headers alike.
    filter: Arc<Filter>,
    subs: usize,
}

impl Chosen {
    /// The index of these targets, if there are enough with filters.
    pub(super) fn of(targets: &[DirectTarget]) -> Option<Box<Self>> {
        let covered = || targets.iter().zip(0..).filter(|(target, _)| Self::covers(target));
        let subs = covered().map(|(target, _)| target.subs.len()).sum();
        let filter = covered().find_map(|(target, _)| target.subs.first()?.filter.clone())?;
        if subs < INDEXED_MIN {
            return None;
        }
        let mut index = SelectorIndex::default();
        for (target, at) in covered() {
            for (sub, nth) in target.subs.iter().zip(0..) {
                if let Some(filter) = &sub.filter {
                    index.insert(filter.selector(), (at, nth));
                }
            }
        }
        Some(Box::new(Self { index, filter, subs }))
    }

    /// Whether a target is found by the index: all its subscriptions have filters.
    pub fn covers(target: &DirectTarget) -> bool {
        target.subs.iter().all(|sub| sub.filter.is_some())
    }

    /// Names the subscriptions whose filters choose an item of a chunk, by their target's place in
    /// [`super::Route::direct`] and their own in its subscriptions, in no particular order.
    pub fn for_each(&self, chunk: &Chunk, item: u32, mut f: impl FnMut(u32, u32)) {
        if let Some(facts) = chunk.facts(item) {
            self.index.for_each_match(&self.filter.seen(&facts), |(target, sub)| f(target, sub));
        }
    }

    /// Roughly the bytes it takes.
    pub(super) const fn weight(&self) -> usize {
        size_of::<Self>() + self.subs * BYTES_EACH
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use proptest::prelude::*;
    use wharfmq_base::Millis;

    use super::*;
    use crate::filter::testing::filter;
    use crate::{Address, ConnId, DirectSub, HeadTag, Item, Outbox, Qos, Span, SubTag};

    const SELECTORS: [&str; 6] =
        ["a = '1'", "a = '2' AND b = '1'", "b > 1", "a IS NULL", "a = '1' OR b = '2'", "JMSPriority = 4"];

    fn chunk(heads: &[(u8, u8)]) -> Chunk {
        let mut raw = Vec::new();
        let mut items = Vec::new();
        for (a, b) in heads {
            let start = raw.len() as u32;
            for (name, value) in [("a", a), ("b", b)] {
                if *value > 0 {
                    raw.extend(format!("{name}:{value}\n").bytes());
                }
            }
            let head = Span { start, len: raw.len() as u32 - start };
            items.push(Item {
                frame: head,
                head,
                body: Span::default(),
                address: 0,
                patch: 0,
                tag: HeadTag(1),
                qos: Qos::AtMostOnce,
                retain: false,
                priority: 4 + a % 2,
                expires: Millis::NEVER,
            });
        }
        let addresses = [Arc::new(Address::topic("t"))].into_iter().collect();
        Chunk { raw: Bytes::from(raw), items, addresses, received: Millis(1), first_id: 1 }
    }

    fn target(conn: usize, subs: &[Option<usize>]) -> DirectTarget {
        let sub = |(which, nth): (&Option<usize>, u32)| {
            let filter = which.map(|at| filter(SELECTORS[at]));
            DirectSub { sub: SubTag(nth / 2), no_local: false, qos0_only: false, filter }
        };
        let subs = subs.iter().zip(0..).map(sub).collect();
        DirectTarget { outbox: Outbox::new(ConnId(conn as u64)), subs }
    }

    proptest! {
        #[test]
        fn finds_what_the_filters_choose(
            targets in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.9, 0..SELECTORS.len()), 1..4), 1..40),
            heads in prop::collection::vec((0u8..4, 0u8..4), 1..20),
        ) {
            let chunk = chunk(&heads);
            let targets: Vec<_> = targets.iter().enumerate().map(|(conn, subs)| target(conn, subs)).collect();
            let covered: Vec<_> = targets.iter().filter(|target| Chosen::covers(target)).collect();
            let Some(chosen) = Chosen::of(&targets) else {
                prop_assert!(covered.iter().map(|target| target.subs.len()).sum::<usize>() < INDEXED_MIN);
                return Ok(());
            };
            for item in 0..heads.len() as u32 {
                let mut found = BTreeSet::new();
                chosen.for_each(&chunk, item, |at, nth| {
                    let target = &targets[at as usize];
                    found.insert((target.outbox.conn, target.subs[nth as usize].sub));
                });
                let mut expected = BTreeSet::new();
                for target in &covered {
                    let taking = target.taking(ConnId(999), &chunk, item);
                    expected.extend(taking.into_iter().map(|sub| (target.outbox.conn, sub)));
                }
                prop_assert_eq!(found, expected);
            }
        }
    }
}
