//! Messages that were sent before.

use std::collections::{HashMap, VecDeque};

use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::Millis;

use super::Queue;
use crate::limits;

/// What [`Queue::try_first`] knows of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// It is new, and remembered from now on.
    New,
    /// It was seen, and the message that came with it is in the log.
    Seen,
    /// It was seen, and whether its message is taken is not known yet: ask again.
    Pending,
}

/// Identities that were seen within the queue's window.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    seen: HashMap<ByteString, Sight, RandomState>,
    /// By the end of their time. One that was forgotten before stays until then.
    by_time: VecDeque<(Millis, ByteString)>,
}

#[derive(Clone, Copy, Debug)]
struct Sight {
    until: Millis,
    taken: bool,
}

impl Dedup {
    /// Notes that the message of this identity is in the log.
    pub(super) fn confirm(&mut self, id: &ByteString) {
        if let Some(sight) = self.seen.get_mut(id) {
            sight.taken = true;
        }
    }

    fn remember(&mut self, id: ByteString, until: Millis, taken: bool) {
        self.seen.insert(id.clone(), Sight { until, taken });
        self.by_time.push_back((until, id));
    }

    /// Forgets what is out of its window, and the oldest where there is too much.
    fn expire(&mut self, now: Millis) {
        // What was taken back stays among the times, which are bounded by themselves.
        let mut surplus = self.by_time.len().saturating_sub(2 * limits::DEDUP_IDS_MAX);
        while let Some((until, id)) = self.by_time.pop_front_if(|(until, _)| {
            *until <= now || surplus > 0 || self.seen.len() >= limits::DEDUP_IDS_MAX
        }) {
            surplus = surplus.saturating_sub(1);
            if self.seen.get(&id).is_some_and(|sight| sight.until == until) {
                self.seen.remove(&id);
            }
        }
    }
}

impl Queue {
    /// Whether a message of this identity is the first within the window of the queue's policy. A new one
    /// is remembered; [`Queue::enqueue`] with it confirms it, [`Queue::forget_first`] takes it back.
    pub fn try_first(&mut self, id: &ByteString, now: Millis) -> Novelty {
        self.dedup.expire(now);
        match self.dedup.seen.get(id) {
            Some(Sight { taken: false, .. }) => Novelty::Pending,
            Some(_) => {
                self.ledger.counts.duplicates += 1;
                Novelty::Seen
            }
            None => {
                self.dedup.remember(id.clone(), now.plus(self.policy.dedup), false);
                Novelty::New
            }
        }
    }

    /// The message of this identity was not taken after all.
    pub fn forget_first(&mut self, id: &ByteString) {
        self.dedup.seen.remove(id);
        self.dedup.by_time.pop_back_if(|(_, last)| last == id);
    }

    /// The identities whose messages are in the log, and until when they are remembered.
    pub fn first_seen_since(&self, now: Millis) -> Vec<(ByteString, Millis)> {
        let seen = self.dedup.seen.iter().filter(|(_, sight)| sight.taken && sight.until > now);
        seen.map(|(id, sight)| (id.clone(), sight.until)).collect()
    }

    /// Remembers an identity that was seen before a restart.
    pub fn restore_first(&mut self, id: ByteString, until: Millis) {
        if self.dedup.seen.len() < limits::DEDUP_IDS_MAX {
            let at = self.dedup.by_time.partition_point(|(other, _)| *other <= until);
            self.dedup.seen.insert(id.clone(), Sight { until, taken: true });
            self.dedup.by_time.insert(at, (until, id));
        }
    }
}
