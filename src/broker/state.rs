//! What sessions asked to be remembered: small values by owner and key, kept in the log.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use bytes::Bytes;
use foldhash::fast::RandomState;
use wharfmq_base::{Lsn, RankedMutex, rank};
use wharfmq_core::record::{self, BROKER, kind};
use wharfmq_core::{QueueCell, QueueId};
use wharfmq_store::AppendError;

use super::{Broker, Port};

/// Values that one append holds at most.
const BATCH: usize = 4_096;
/// Most values one owner may have stored. What the broker itself remembers has limits of its own.
pub(super) const VALUES_PER_OWNER_MAX: usize = 200_000;

/// The values of every owner.
#[derive(Debug, Default)]
pub(super) struct States {
    owners: RankedMutex<HashMap<QueueId, BTreeMap<Bytes, Bytes>, RandomState>, { rank::ADDRESS }>,
}

impl States {
    pub(super) fn set(&self, owner: QueueId, key: Bytes, value: Option<Bytes>) {
        let mut owners = self.owners.lock();
        match value {
            Some(value) => {
                let values = owners.entry(owner).or_default();
                let has_room = owner == BROKER || values.len() < VALUES_PER_OWNER_MAX;
                if has_room || values.contains_key(&key) {
                    values.insert(key, value);
                }
            }
            None => {
                if let Some(values) = owners.get_mut(&owner) {
                    values.remove(&key);
                    if values.is_empty() {
                        owners.remove(&owner);
                    }
                }
            }
        }
    }

    pub(super) fn of(&self, owner: QueueId) -> Vec<(Bytes, Bytes)> {
        let owners = self.owners.lock();
        owners.get(&owner).into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// The value of one key.
    pub(super) fn get(&self, owner: QueueId, key: &[u8]) -> Option<Bytes> {
        self.owners.lock().get(&owner)?.get(key).cloned()
    }

    /// Up to `max` values, by their keys, from behind a key on.
    pub(super) fn page(&self, owner: QueueId, behind: Option<&Bytes>, max: usize) -> Vec<(Bytes, Bytes)> {
        let range = (behind.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let owners = self.owners.lock();
        let values = owners.get(&owner).into_iter().flat_map(|values| values.range::<Bytes, _>(range));
        values.take(max).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    pub(super) fn forget(&self, owner: QueueId) {
        self.owners.lock().remove(&owner);
    }

    pub(super) fn owners(&self) -> Vec<QueueId> {
        self.owners.lock().keys().copied().collect()
    }
}

/// A change of what is remembered: owner, key, and the value, or `None` to forget it.
pub(super) type Change = (QueueId, Bytes, Option<Bytes>);

impl Port {
    /// One value of those that [`Port::recall`] gives.
    pub fn recall_one(&self, owner: &QueueCell, key: &[u8]) -> Option<Bytes> {
        self.broker.states.get(owner.id, key)
    }

    /// Like [`Port::remember`], but at once: also where the connection is about to end, and nothing that is
    /// staged may still be carried out.
    pub fn remember_now(&mut self, owner: &QueueCell, values: impl IntoIterator<Item = (Bytes, Bytes)>) {
        let changes: Vec<Change> =
            values.into_iter().map(|(key, value)| (owner.id, key, Some(value))).collect();
        match self.broker.write_states(&changes, true) {
            Ok(lsn) => self.has_appended(Some(lsn)),
            Err(error) => tracing::error!(session = %owner.name, %error, "a session could not be written"),
        }
    }
}

impl Broker {
    /// Makes changes that are in the log. A queue that was deleted meanwhile remembers nothing: nobody would
    /// ever forget it.
    pub(super) fn set_states(&self, changes: impl Iterator<Item = Change>) {
        let mut last = BROKER;
        for (owner, key, value) in changes {
            if owner != last {
                self.forget_if_gone(last);
                last = owner;
            }
            self.states.set(owner, key, value);
        }
        self.forget_if_gone(last);
    }

    /// To be asked after a change, as who deletes a queue takes it away before its values.
    fn forget_if_gone(&self, owner: QueueId) {
        if owner != BROKER && self.queues.get(owner).is_none() {
            self.states.forget(owner);
        }
    }

    /// Writes changes of what is remembered, and makes them. `reserved`: also while the log is full, for what
    /// is small or frees space.
    pub(super) fn write_states(&self, changes: &[Change], reserved: bool) -> Result<Lsn, AppendError> {
        let mut last = self.log.stats().appended;
        let mut scratch = Vec::new();
        for some in changes.chunks(BATCH) {
            let mut batch = self.log.batch();
            if reserved {
                batch.reserved();
            }
            for (owner, key, value) in some {
                scratch.clear();
                record::State { owner: *owner, key, value: value.as_deref() }.encode(&mut scratch);
                batch.push(kind::STATE, &[], 0, &[&scratch]);
            }
            let gate = self.gate.read();
            last = self.log.append(&mut batch)?.lsn;
            self.set_states(some.iter().cloned());
            drop(gate);
        }
        Ok(last)
    }
}
