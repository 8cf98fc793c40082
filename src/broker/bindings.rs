//! Which patterns each durable queue is bound to, for sessions that come back and for checkpoints.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use wharfmq_base::{RankedMutex, rank};
use wharfmq_core::{Pattern, QueueId};

use super::Binding;

/// The bindings of every queue.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    queues: RankedMutex<HashMap<QueueId, Vec<Binding>, RandomState>, { rank::ADDRESS }>,
}

impl Bindings {
    /// Adds a binding or replaces the one of the same pattern; true where there was one.
    pub(super) fn put(&self, queue: QueueId, binding: Binding) -> bool {
        let mut queues = self.queues.lock();
        let bindings = queues.entry(queue).or_default();
        match bindings.iter_mut().find(|known| known.pattern == binding.pattern) {
            Some(known) => {
                *known = binding;
                true
            }
            None => {
                bindings.push(binding);
                false
            }
        }
    }

    pub(super) fn remove(&self, queue: QueueId, pattern: &Pattern) -> bool {
        let mut queues = self.queues.lock();
        let Some(bindings) = queues.get_mut(&queue) else { return false };
        let before = bindings.len();
        bindings.retain(|binding| binding.pattern != *pattern);
        before != bindings.len()
    }

    pub(super) fn of(&self, queue: QueueId) -> Vec<Binding> {
        self.queues.lock().get(&queue).cloned().unwrap_or_default()
    }

    pub(super) fn forget(&self, queue: QueueId) -> Vec<Binding> {
        self.queues.lock().remove(&queue).unwrap_or_default()
    }
}
