//! Which messages have arrived: finds the lost and the doubled by sequence number.

use std::collections::BTreeMap;

/// What an arrival turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Never seen before; `passed` is by how many the highest number seen has moved, 0 for one that came late.
    New { passed: u64 },
    /// Seen before.
    Double,
    /// From a producer whose messages do not belong here.
    Foreign,
}

/// The account of one receiver, or of several that share a queue.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    producers: Vec<Account>,
    only: Option<u32>,
    doubled: u64,
}

/// One producer's numbers: all below `next` have arrived, except those in `gaps` (start to end, end excluded).
#[derive(Debug, Default)]
struct Account {
    next: u64,
    gaps: BTreeMap<u64, u64>,
}

impl Ledger {
    pub(crate) fn new(producers: usize) -> Self {
        Self { producers: (0..producers).map(|_| Account::default()).collect(), only: None, doubled: 0 }
    }

    /// Of a receiver that must get what one of the producers sends and nothing else.
    pub(crate) fn only(producers: usize, producer: usize) -> Self {
        Self { only: Some(producer as u32), ..Self::new(producers) }
    }

    pub(crate) fn record(&mut self, producer: u32, seq: u64) -> Arrival {
        if self.only.is_some_and(|only| only != producer) {
            return Arrival::Foreign;
        }
        let Some(account) = self.producers.get_mut(producer as usize) else { return Arrival::Foreign };
        if seq >= account.next {
            if seq > account.next {
                account.gaps.insert(account.next, seq);
            }
            let passed = seq + 1 - account.next;
            account.next = seq + 1;
            return Arrival::New { passed };
        }
        if account.fill(seq) {
            return Arrival::New { passed: 0 };
        }
        self.doubled += 1;
        Arrival::Double
    }

    /// How many of the first `sent` messages of `producer` have not arrived.
    pub(crate) fn missing(&self, producer: usize, sent: u64) -> u64 {
        self.producers.get(producer).map_or(sent, |account| {
            let holes: u64 = account.gaps.iter().map(|(start, end)| end - start).sum();
            holes + sent.saturating_sub(account.next)
        })
    }

    pub(crate) const fn doubled(&self) -> u64 {
        self.doubled
    }
}

impl Account {
    /// Takes `seq` out of the gap it lies in; `false` when it lies in none.
    fn fill(&mut self, seq: u64) -> bool {
        let Some((&start, &end)) = self.gaps.range(..=seq).next_back() else { return false };
        if seq >= end {
            return false;
        }
        self.gaps.remove(&start);
        if start < seq {
            self.gaps.insert(start, seq);
        }
        if seq + 1 < end {
            self.gaps.insert(seq + 1, end);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tells_new_late_and_double_apart() {
        let mut ledger = Ledger::new(1);
        assert_eq!(ledger.record(0, 0), Arrival::New { passed: 1 });
        assert_eq!(ledger.record(0, 4), Arrival::New { passed: 4 });
        assert_eq!(ledger.missing(0, 6), 4);
        assert_eq!(ledger.record(0, 2), Arrival::New { passed: 0 });
        assert_eq!(ledger.record(0, 2), Arrival::Double);
        assert_eq!(ledger.record(1, 0), Arrival::Foreign);
        assert_eq!((ledger.missing(0, 6), ledger.doubled()), (3, 1));
    }

    #[test]
    fn what_was_routed_to_the_wrong_receiver_is_foreign() {
        let mut ledger = Ledger::only(2, 1);
        assert_eq!(ledger.record(0, 0), Arrival::Foreign);
        assert_eq!(ledger.record(1, 0), Arrival::New { passed: 1 });
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(arrivals in prop::collection::vec(0u64..40, 0..120)) {
            let (mut ledger, mut set, mut doubled) = (Ledger::new(1), HashSet::new(), 0);
            for seq in arrivals {
                let new = set.insert(seq);
                doubled += u64::from(!new);
                prop_assert_eq!(ledger.record(0, seq) != Arrival::Double, new);
            }
            prop_assert_eq!(ledger.missing(0, 40), 40 - set.len() as u64);
            prop_assert_eq!(ledger.doubled(), doubled);
        }
    }
}
