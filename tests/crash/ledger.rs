//! What clients were told, and what must follow from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Id;

/// What one consumer connection saw.
#[derive(Default)]
pub(super) struct Consumed {
    /// In the order in which they came.
    pub(super) delivered: Vec<Id>,
    /// Those whose acknowledgement the broker has confirmed.
    pub(super) acked: Vec<Id>,
}

/// What the session's reader saw on one connection: a message and its quality of service.
pub(super) type Kept = Vec<(Id, u8)>;

/// A transaction: its messages, and whether its commit was confirmed.
pub(super) type Transaction = (Vec<Id>, bool);

#[derive(Default)]
pub(super) struct Ledger {
    confirmed: BTreeSet<Id>,
    exact: BTreeMap<String, u32>,
    transactions: Vec<Transaction>,
    acked: BTreeSet<Id>,
    /// Seen once, on a connection that the crash broke, and not acknowledged for good. What no producer was told
    /// to be safe may be seen and still be lost with the crash.
    fleeting: BTreeSet<Id>,
    delivered: BTreeMap<Id, u32>,
}

impl Ledger {
    /// Messages that their sender was told are safe.
    pub(super) fn confirmed(&mut self, ids: Vec<Id>) {
        self.confirmed.extend(ids);
    }

    pub(super) fn transactions(&mut self, transactions: Vec<Transaction>) {
        self.transactions.extend(transactions);
    }

    /// A publisher of QoS 2 has brought so many messages to their end, numbered from 0.
    pub(super) fn exact(&mut self, (sender, sent): (String, u32)) {
        self.exact.insert(sender, sent);
    }

    /// A connection that consumed from the queue until the crash broke it.
    pub(super) fn broken(&mut self, consumed: Consumed) {
        self.fleeting.extend(consumed.delivered.iter().cloned());
        for id in &consumed.acked {
            self.fleeting.remove(id);
        }
        self.consumed(consumed);
    }

    /// A connection that consumed from the queue.
    pub(super) fn consumed(&mut self, consumed: Consumed) {
        assert_order(&consumed.delivered);
        for id in consumed.delivered {
            assert!(!self.acked.contains(&id), "{id:?} came back after its acknowledgement was confirmed");
            *self.delivered.entry(id).or_default() += 1;
        }
        self.acked.extend(consumed.acked);
    }

    /// A connection of the persistent session.
    pub(super) fn kept(&mut self, kept: Kept) {
        let mut exact = Vec::new();
        for (id, qos) in kept {
            *self.delivered.entry(id.clone()).or_default() += 1;
            if qos == 2 {
                exact.push(id);
            }
        }
        assert_order(&exact);
    }

    /// Everything has been drained: nothing confirmed may be missing, nothing exact may be there twice, and no
    /// transaction in part.
    pub(super) fn check(&self) {
        let missing: Vec<&Id> = self.confirmed.iter().filter(|id| !self.delivered.contains_key(id)).collect();
        assert!(missing.is_empty(), "confirmed and lost, {} of them: {:?}", missing.len(), first(&missing));
        for (sender, sent) in &self.exact {
            let wrong: Vec<(u32, u32)> = (0..*sent)
                .map(|n| (n, self.delivered.get(&(sender.clone(), n)).copied().unwrap_or(0)))
                .filter(|(_, times)| *times != 1)
                .collect();
            assert!(
                wrong.is_empty(),
                "{sender} of {sent}, not exactly once (number, times): {:?}",
                first(&wrong)
            );
        }
        for (ids, committed) in &self.transactions {
            let there = ids.iter().filter(|id| self.delivered.contains_key(id)).count();
            let is_lost = ids.iter().all(|id| match self.delivered.get(id) {
                None => true,
                Some(times) => *times == 1 && self.fleeting.contains(id),
            });
            let whole = there == ids.len() || (is_lost && !committed);
            assert!(whole, "{there} of the {} messages of a transaction: {ids:?}", ids.len());
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact: u32 = self.exact.values().sum();
        write!(
            f,
            "{} confirmed, {exact} exactly once, {} transactions, {} acknowledged for good, {} delivered",
            self.confirmed.len(),
            self.transactions.len(),
            self.acked.len(),
            self.delivered.values().sum::<u32>()
        )
    }
}

/// On one connection the messages of one sender come in the order in which they were sent.
fn assert_order(delivered: &[Id]) {
    let mut last: BTreeMap<&str, u32> = BTreeMap::new();
    for (sender, n) in delivered {
        let before = last.insert(sender, *n);
        assert!(before.is_none_or(|before| before < *n), "{sender}: {n} came after {before:?}");
    }
}

fn first<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(20)]
}
