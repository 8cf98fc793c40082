//! The subscriptions of a connection.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use wharfmq_core::{Address, Pattern, SubTag, Tags};
use wharfmq_stomp::AckMode;

use super::browse::Browser;
use super::flights::Flights;
use super::group::Group;
use super::replay::Replay;
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
    /// What `start` names as the destination of all of them; `None` where each goes by its own.
    pub(super) from: Option<Arc<Address>>,
    /// The subscription to several sources that it is a part of.
    pub(super) group: Option<u32>,
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
    /// What a retroactive subscription knows of the past.
    pub(super) replay: Option<Box<Replay>>,
    /// Whether maps of OpenWire come in ActiveMQ's own form.
    pub(super) entries: bool,
}

/// Where a subscription's messages come from.
pub(super) enum Source {
    Queue(Consumer),
    /// Nothing is stored. What several of them match comes once.
    Topics(SmallVec<[Pattern; 1]>),
    Browser(Browser),
}

/// All subscriptions, by number and by id.
#[derive(Default)]
pub(super) struct Subs {
    /// Ascending by tag.
    list: Vec<Sub>,
    by_key: HashMap<ByteString, u32, RandomState>,
    /// Those that have more than one source; each has a number of its own, by which it is found.
    pub(super) groups: Vec<Group>,
    next: u32,
    /// Those that were sent something since the last grant.
    touched: Vec<u32>,
    /// The ids of those that asked for maps in ActiveMQ's own form.
    entries: HashSet<ByteString, RandomState>,
}

impl Sub {
    /// A subscription with nothing special, nothing of which was sent.
    pub(super) fn new(tag: u32, key: ByteString, mode: AckMode, source: Source) -> Self {
        Self {
            tag,
            key,
            start: Bytes::new(),
            from: None,
            group: None,
            durable: None,
            mode,
            prefetch: 0,
            source,
            flights: Flights::default(),
            last: 0,
            messages: 0,
            bytes: 0,
            debt: 0,
            replay: None,
            entries: false,
        }
    }

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
                port.remove_own(&consumer.queue);
            }
            Source::Topics(patterns) => {
                patterns.iter().for_each(|pattern| port.unsubscribe(pattern, SubTag(self.tag)));
            }
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

    /// Has a subscription that is to be made under this id get maps in ActiveMQ's own form, or in plain.
    pub(super) fn show_maps(&mut self, key: &ByteString, as_entries: bool) {
        if as_entries {
            self.entries.insert(key.clone());
        } else {
            self.entries.remove(key);
        }
    }

    /// Adds a subscription whose number is the last that [`Subs::next_tag`] gave.
    pub(super) fn insert(&mut self, mut sub: Sub) {
        sub.entries = self.entries.contains(&sub.key);
        if sub.group.is_none() {
            self.by_key.insert(sub.key.clone(), sub.tag);
        }
        self.list.push(sub);
    }

    /// Adds a subscription to several sources, so far to none of them.
    pub(super) fn insert_group(&mut self, group: Group) {
        self.by_key.insert(group.key.clone(), group.tag);
        self.groups.push(group);
    }

    pub(super) fn group_mut(&mut self, tag: u32) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.tag == tag)
    }

    pub(super) fn get_mut(&mut self, tag: u32) -> Option<&mut Sub> {
        let at = self.list.binary_search_by_key(&tag, |sub| sub.tag).ok()?;
        self.list.get_mut(at)
    }

    pub(super) fn tag_of(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// The subscription of this id, or the parts of one that has several sources.
    pub(super) fn of_key(&self, key: &str) -> impl Iterator<Item = &Sub> {
        let tag = self.tag_of(key);
        let single = tag.and_then(|tag| self.list.binary_search_by_key(&tag, |sub| sub.tag).ok());
        let single = single.and_then(|at| self.list.get(at));
        let parts = if single.is_none() && tag.is_some() { &self.list[..] } else { &[] };
        single.into_iter().chain(parts.iter().filter(move |sub| sub.group == tag))
    }

    /// Ends the subscription of this id. False where there is none.
    pub(super) fn end(&mut self, key: &str, port: &mut Port) -> bool {
        let Some(tag) = self.by_key.remove(key) else { return false };
        if let Ok(at) = self.list.binary_search_by_key(&tag, |sub| sub.tag) {
            self.list.remove(at).end(port);
            return true;
        }
        port.unwatch(SubTag(tag));
        self.groups.retain(|group| group.tag != tag);
        self.list.extract_if(.., |sub| sub.group == Some(tag)).for_each(|sub| sub.end(port));
        true
    }

    /// Takes a part out of a subscription to several sources.
    pub(super) fn remove_part(&mut self, tag: u32) -> Option<Sub> {
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
        self.groups.clear();
        std::mem::take(&mut self.list)
    }
}
