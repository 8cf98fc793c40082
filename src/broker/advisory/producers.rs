//! Producers that clients have announced.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use wharfmq_core::{Address, ConnId};

/// Producers of all connections together that are noted.
const PRODUCERS_MAX: usize = 1 << 20;

/// A producer: its connection, and the adapter's number for it there.
pub(super) type Key = (ConnId, u64);

/// The producers, and how many each destination has.
#[derive(Debug, Default)]
pub(super) struct Producers {
    all: BTreeMap<Key, Arc<Address>>,
    counts: HashMap<Arc<Address>, u64, RandomState>,
}

impl Producers {
    pub(super) fn add(&mut self, key: Key, to: &Arc<Address>) {
        if self.all.len() < PRODUCERS_MAX {
            self.remove(key);
            self.all.insert(key, Arc::clone(to));
            *self.counts.entry(Arc::clone(to)).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Arc<Address>> {
        let to = self.all.remove(&key)?;
        if let Some(count) = self.counts.get_mut(&to) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&to);
            }
        }
        Some(to)
    }

    pub(super) fn count(&self, to: &Address) -> u64 {
        self.counts.get(to).copied().unwrap_or_default()
    }

    /// The numbers of a connection's producers.
    pub(super) fn of(&self, conn: ConnId) -> Vec<u64> {
        self.all.range((conn, 0)..=(conn, u64::MAX)).map(|((_, number), _)| *number).collect()
    }

    /// Up to `max` of them.
    pub(super) fn some(&self, max: usize) -> Vec<(Key, Arc<Address>)> {
        self.all.iter().take(max).map(|(key, to)| (*key, Arc::clone(to))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_destination_knows_its_number() {
        let mut producers = Producers::default();
        let (a, b) = (Arc::new(Address::queue("a")), Arc::new(Address::topic("a")));
        producers.add((ConnId(1), 1), &a);
        producers.add((ConnId(1), 1), &b);
        producers.add((ConnId(1), 2), &b);
        producers.add((ConnId(2), 1), &a);
        assert_eq!((producers.count(&a), producers.count(&b)), (1, 2));
        assert_eq!(producers.of(ConnId(1)), [1, 2]);
        assert_eq!(producers.remove((ConnId(1), 1)), Some(b));
        assert_eq!(producers.remove((ConnId(1), 1)), None);
        assert_eq!(producers.some(9), [((ConnId(1), 2), Arc::new(Address::topic("a"))), ((ConnId(2), 1), a)]);
        assert_eq!(producers.counts.len(), 2);
    }
}
