//! Last values: a later message takes the place of an earlier one of the same key.

use std::collections::{HashMap, HashSet};

use bytestring::ByteString;
use foldhash::fast::RandomState;

use super::Queue;
use super::stats::Fate;
use crate::{Effects, Order};

/// The latest message of each key. One that has left the queue meanwhile is not there any more when it
/// is looked for.
#[derive(Debug, Default)]
pub(super) struct Keys {
    latest: HashMap<ByteString, Order, RandomState>,
}

/// Keys beyond the number of messages at which those without a message are dropped.
const SPARE: usize = 1_024;

impl Queue {
    /// Makes the message of this order the latest of its key. The one before goes, unless a consumer
    /// has it; whichever of the two is older does.
    pub(super) fn replace(&mut self, key: ByteString, order: Order, fx: &mut Effects) {
        let latest = self.keys.latest.entry(key).or_insert(order);
        let earlier = (*latest).min(order);
        *latest = (*latest).max(order);
        if earlier != *latest {
            let gone = self.ready.remove(earlier).or_else(|| self.delayed.remove(earlier));
            if let Some(entry) = gone {
                self.ledger.finish(&entry, Fate::Replaced, fx);
            }
        }
        if self.keys.latest.len() > 2 * self.ledger.messages as usize + SPARE {
            self.forget_keys();
        }
    }

    fn forget_keys(&mut self) {
        let mut latest = std::mem::take(&mut self.keys.latest);
        let held: HashSet<Order, RandomState> = self.held().map(|entry| entry.order).collect();
        latest.retain(|_, order| held.contains(order) || self.find_waiting(*order).is_some());
        self.keys.latest = latest;
    }
}
