//! Retroactive consumers of topics: what is known of the past, and then what comes.

use std::vec::IntoIter;

use wharfmq_base::Millis;
use wharfmq_core::Filter;

use super::consumers::Consumer;
use super::message::Outgoing;
use super::{OUT_HIGH, Open};
use crate::broker::{Past, Port};

/// What came longer ago than this, in milliseconds, before the past was read does not come again: nobody
/// takes so long to hand a message on.
const UNDER_WAY_MS: u64 = 10_000;

/// A consumer's view of the past.
pub(super) struct Replay {
    /// The part of the consumer that topics reach.
    part: u32,
    /// What was not sent yet, the oldest first.
    rest: IntoIter<Past>,
    /// Numbers of messages of the past that may come once more, ascending.
    seen: Box<[u64]>,
    read_at: Millis,
}

impl Replay {
    pub(super) fn new(part: u32, mut past: Vec<Past>, filter: Option<&Filter>, now: Millis) -> Self {
        past.retain(|past| filter.is_none_or(|filter| filter.matches(&past.message, 0)));
        let under_way = |past: &&Past| now.since(past.message.received).0 <= UNDER_WAY_MS;
        let mut seen: Vec<u64> = past.iter().filter(under_way).map(|past| past.message.id.0).collect();
        seen.sort_unstable();
        Self { part, rest: past.into_iter(), seen: seen.into(), read_at: now }
    }

    fn is_over(&self) -> bool {
        self.rest.as_slice().is_empty()
    }
}

impl Consumer {
    /// Whether nothing of the past is to come before what is published now.
    pub(super) fn is_in_the_present(&self) -> bool {
        self.replay.as_ref().is_none_or(|replay| replay.is_over())
    }

    /// Whether a message that has just been published was sent as part of the past.
    pub(super) fn knows(&mut self, id: u64, received: Millis) -> bool {
        let Some(replay) = &self.replay else { return false };
        if received.since(replay.read_at).0 > UNDER_WAY_MS {
            self.replay = None;
            return false;
        }
        replay.seen.binary_search(&id).is_ok()
    }
}

impl Open {
    /// Goes on where output or a prefetch had no room for all of the past.
    pub(super) fn replay_on(&mut self, port: &mut Port) {
        let mut waiting = std::mem::take(&mut self.consumers.replaying);
        waiting.retain(|tag| {
            self.send_pending(*tag, port);
            self.consumers.get_mut(*tag).is_some_and(|consumer| !consumer.is_in_the_present())
        });
        self.consumers.replaying = waiting;
    }

    /// Sends as much of the past as a consumer takes; whether that was all.
    pub(super) fn replay(&mut self, tag: u32, port: &mut Port) -> bool {
        while let Some(consumer) = self.consumers.get_mut(tag) {
            let Some(replay) = consumer.replay.as_mut().filter(|replay| !replay.is_over()) else {
                return true;
            };
            if consumer.room == 0 || port.out.len() >= OUT_HIGH {
                return false;
            }
            let (part, next) = (replay.part, replay.rest.next());
            if let Some(Past { message, retained }) = next.filter(|past| past.message.expires > port.now.wall)
            {
                self.send_unstored(tag, part, &Outgoing { retained, ..Outgoing::of(&message) }, port);
            }
        }
        true
    }
}
