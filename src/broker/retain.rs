//! The last message of every topic that has one.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use wharfmq_base::{Location, RankedMutex, rank};
use wharfmq_core::{Cursor, Kept, Message, Order, Pattern, Retained as Store, limits};

use super::sys::asks_for_system;
use super::{Broker, Port};

/// Steps of the sweep for what has expired, each under one hold of the lock, in one round of the keeper.
const SWEEP_STEPS: usize = 16;

/// Retained messages behind their lock.
#[derive(Debug)]
pub(super) struct Retained {
    pub(super) store: RankedMutex<Store, { rank::ADDRESS }>,
    /// Where the sweep goes on.
    swept: Mutex<Option<Cursor>>,
}

impl Default for Retained {
    fn default() -> Self {
        let store = Store::new(limits::RETAINED_TOPICS_MAX, limits::RETAINED_BYTES_MAX);
        Self { store: RankedMutex::new(store), swept: Mutex::new(None) }
    }
}

impl Port {
    /// Adds retained messages that match a pattern to `found`, from where `cursor` says; looks at about
    /// `max` topics. Answers where to go on, `None` when all was seen. What has expired is left out.
    pub fn retained(
        &self,
        pattern: &Pattern,
        cursor: Option<Cursor>,
        max: usize,
        found: &mut VecDeque<Arc<Message>>,
    ) -> Option<Cursor> {
        self.broker.retained_matching(pattern, cursor, max, self.now, found)
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
        self.let_go(gone.as_ref());
    }

    /// Whether there is room for a retained message.
    pub(super) fn admits_retained(&self, message: &Message) -> bool {
        let store = self.retained.store.lock();
        message.body.is_empty() || store.admits(&message.address.name, message.size()).is_ok()
    }

    pub(super) fn retained_matching(
        &self,
        pattern: &Pattern,
        cursor: Option<Cursor>,
        max: usize,
        now: super::Now,
        found: &mut VecDeque<Arc<Message>>,
    ) -> Option<Cursor> {
        let from_clients = !asks_for_system(pattern);
        if !from_clients && cursor.is_none() {
            self.refresh_statistics(now);
        }
        let store = if from_clients { &self.retained.store } else { &self.statistics.values };
        store.lock().for_each_match(pattern, cursor, max, |_, kept| {
            if let Some(message) = kept.message.as_ref().filter(|_| kept.expires > now.wall) {
                found.push_back(Arc::clone(message));
            }
        })
    }

    /// Removes some of the retained messages whose time is over. Their records need no word in the log:
    /// after a start they are found expired again, until a checkpoint leaves them out.
    pub(super) fn sweep_retained(&self) {
        let wall = self.now().wall;
        let mut swept = self.retained.swept.lock();
        let mut gone = Vec::new();
        for _ in 0..SWEEP_STEPS {
            let from = swept.take();
            *swept = self.retained.store.lock().expire(wall, from, limits::SCAN_BUDGET, &mut gone);
            if swept.is_none() {
                break;
            }
        }
        self.counters.retained_expired(gone.len() as u64);
        gone.iter().for_each(|kept| self.let_go(Some(kept)));
    }

    fn let_go(&self, gone: Option<&Kept>) {
        if let Some(gone) = gone.filter(|gone| gone.at.is_stored()) {
            self.log.release(gone.at.segment, 1, u64::from(gone.size));
        }
    }
}
