//! The subscriptions of a connection.

use std::collections::HashMap;

use bytes::Bytes;
use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_core::{Pattern, SubTag, Tags};
use wharfmq_stomp::AckMode;

use super::browse::Browser;
use super::flights::Flights;
use crate::broker::{Consumer, Port};

/// Bounds, in milliseconds, of the time for which a client may hold a delivery unsettled.
pub(super) const LOCK_MS_MIN: u64 = 1_000;
pub(super) const LOCK_MS_MAX: u64 = 30 * 24 * 3_600 * 1_000;

/// One subscription.
pub(super) struct Sub {
    /// Its number on this connection, never used twice.
    pub(super) tag: u32,
    /// Its id; in 1.0 without one its destination.
    pub(super) key: ByteString,
    /// How each of its MESSAGE frames begins: the command, and the header that names it.
    pub(super) start: Bytes,
    /// The queue of a durable subscription, by name.
    pub(super) durable: Option<ByteString>,
    pub(super) mode: AckMode,
    /// Messages that the client holds unacknowledged at most.
    pub(super) prefetch: u32,
    pub(super) source: Source,
    /// Unacknowledged deliveries; empty where the mode is auto.
    pub(super) flights: Flights,
    /// The tag of the last delivery that was sent.
    pub(super) last: u64,
    /// Sent since the last grant.
    pub(super) messages: u32,
    pub(super) bytes: u32,
    /// Acknowledgements that counted as room for more and were then taken back.
    pub(super) debt: u32,
}

/// Where a subscription's messages come from.
pub(super) enum Source {
    Queue(Consumer),
    /// Nothing is stored.
    Topic(Pattern),
    Browser(Browser),
}

/// All subscriptions, by number and by id.
#[derive(Default)]
pub(super) struct Subs {
    /// Ascending by tag.
    list: Vec<Sub>,
    by_key: HashMap<ByteString, u32, RandomState>,
    next: u32,
    /// Those that were sent something since the last grant.
    touched: Vec<u32>,
}

impl Sub {
    pub(super) fn acknowledges(&self) -> bool {
        self.mode != AckMode::Auto && !matches!(self.source, Source::Browser(_))
    }

    /// The deliveries that an acknowledgement of this one covers.
    pub(super) fn covered(&self, delivery: u64) -> Tags {
        if self.mode == AckMode::Client { Tags::UpTo(delivery) } else { Tags::One(delivery) }
    }

    /// Room for more messages after `acked` were acknowledged.
    pub(super) fn room(&mut self, acked: u32) -> u32 {
        let paid = self.debt.min(acked);
        self.debt -= paid;
        acked - paid
    }

    /// Gives back what the client has not acknowledged. What it was sent counts as a failed delivery,
    /// unless sending was all that was asked for.
    pub(super) fn end(&self, port: &mut Port) {
        match &self.source {
            Source::Queue(consumer) => {
                port.cancel(consumer, if self.acknowledges() { self.last } else { 0 });
            }
            Source::Topic(pattern) => port.unsubscribe(pattern, SubTag(self.tag)),
            Source::Browser(_) => {}
        }
    }
}

impl Subs {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The number of the next subscription; `None` once they are used up.
    pub(super) fn next_tag(&mut self) -> Option<u32> {
        let tag = self.next;
        self.next = tag.checked_add(1)?;
        Some(tag)
    }

    /// Adds a subscription whose number is the last that [`Subs::next_tag`] gave.
    pub(super) fn insert(&mut self, sub: Sub) {
        self.by_key.insert(sub.key.clone(), sub.tag);
        self.list.push(sub);
    }

    pub(super) fn get_mut(&mut self, tag: u32) -> Option<&mut Sub> {
        let at = self.list.binary_search_by_key(&tag, |sub| sub.tag).ok()?;
        self.list.get_mut(at)
    }

    pub(super) fn tag_of(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Sub> {
        let tag = self.by_key.remove(key)?;
        let at = self.list.binary_search_by_key(&tag, |sub| sub.tag).ok()?;
        Some(self.list.remove(at))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Sub> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sub> {
        self.list.iter_mut()
    }

    /// Books something that was sent.
    pub(super) fn count(&mut self, tag: u32, size: u32) {
        let Some(sub) = self.get_mut(tag) else { return };
        let first = sub.messages == 0;
        sub.messages += 1;
        sub.bytes = sub.bytes.saturating_add(size);
        if first {
            self.touched.push(tag);
        }
    }

    pub(super) fn take_touched(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.touched)
    }

    pub(super) fn drain(&mut self) -> Vec<Sub> {
        self.by_key.clear();
        std::mem::take(&mut self.list)
    }
}
