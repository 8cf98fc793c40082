//! The last message of every topic that has one.

use std::sync::Arc;

use wharfmq_base::{Location, Millis, RankedMutex, rank};
use wharfmq_core::{Kept, Message, Order, Pattern, Retained as Store, limits};

use super::Broker;

/// Retained messages behind their lock.
#[derive(Debug)]
pub(super) struct Retained {
    pub(super) store: RankedMutex<Store, { rank::ADDRESS }>,
}

impl Default for Retained {
    fn default() -> Self {
        let store = Store::new(limits::RETAINED_TOPICS_MAX, limits::RETAINED_BYTES_MAX);
        Self { store: RankedMutex::new(store) }
    }
}

impl Broker {
    /// Makes `message`, whose record is at `at`, its topic's value; an empty one clears it. The record of
    /// either stands for all earlier values of the topic.
    pub(super) fn retain(&self, message: Arc<Message>, at: Location) {
        let topic = message.address.name.clone();
        let order = Order(message.id.0);
        let gone = if message.body.is_empty() {
            self.retained.store.lock().clear(&topic, order)
        } else {
            let (size, expires) = (message.size(), message.expires);
            let kept = Kept { order, message: Some(message), at, size, expires };
            self.retained.store.lock().set(topic, kept)
        };
        if let Some(gone) = gone.filter(|gone| gone.at.is_stored()) {
            self.log.release(gone.at.segment, 1, u64::from(gone.size));
        }
    }

    /// Whether there is room for a retained message.
    pub(super) fn admits_retained(&self, message: &Message) -> bool {
        let store = self.retained.store.lock();
        message.body.is_empty() || store.admits(&message.address.name, message.size()).is_ok()
    }

    /// The retained messages that match, without those whose time is over.
    pub(super) fn retained_matching(&self, pattern: &Pattern, wall: Millis) -> Vec<Arc<Message>> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let store = self.retained.store.lock();
            cursor = store.for_each_match(pattern, cursor, limits::SCAN_BUDGET, |_, kept| {
                if let Some(message) = kept.message.as_ref().filter(|_| kept.expires > wall) {
                    found.push(Arc::clone(message));
                }
            });
            if cursor.is_none() {
                return found;
            }
        }
    }
}
