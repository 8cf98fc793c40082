//! What sessions asked to be remembered: small values by owner and key, kept in the log.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use foldhash::fast::RandomState;
use wharfmq_base::{RankedMutex, rank};
use wharfmq_core::QueueId;

/// Most values one owner may have stored.
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
                if values.len() < VALUES_PER_OWNER_MAX || values.contains_key(&key) {
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

    pub(super) fn forget(&self, owner: QueueId) {
        self.owners.lock().remove(&owner);
    }

    pub(super) fn owners(&self) -> Vec<QueueId> {
        self.owners.lock().keys().copied().collect()
    }
}
