//! What each distinct selector has found among the waiting messages.
//!
//! A queue whose consumers all take everything gives them the first in line. As soon as one of them is
//! choosy (a selector, groups, credit shared with other queues) the queue keeps a *feed* for each distinct
//! selector: a cursor, before which every message was looked at once, and the messages found there
//! that match. Consumers of one selector share a feed. What comes after a feed's cursor has reached the
//! end is *offered*: asked of all selectors together, through an index. So no message is looked at twice
//! for one selector, and none waits behind others that nobody wants.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use slab::Slab;

use super::groups::Strict;
use crate::consumer::Roster;
use crate::{Entry, Filter, GroupId, Message, Order, Selector, SelectorIndex, limits};

/// Where an entry stands among the ready: its lane, the highest priority first, and its order there.
pub(super) type Spot = (u8, Order);

/// Before all entries.
pub(super) const START: Spot = (0, Order(0));
/// Behind all entries.
pub(super) const END: Spot = (u8::MAX, Order(u64::MAX));

/// The feed of the consumers that take everything.
pub(super) const EVERYTHING: u32 = 0;

/// One distinct selector.
#[derive(Debug)]
pub(super) struct Feed {
    /// `None` takes everything.
    pub(super) filter: Option<Arc<Filter>>,
    /// The slots of its consumers.
    pub(super) members: Vec<u32>,
    /// What was found and waits, as far as is known: it may have gone meanwhile.
    pub(super) found: BTreeSet<Spot>,
    /// Everything before was looked at.
    pub(super) cursor: Spot,
    /// The last order of the page-in that it waits for.
    pub(super) asked: Option<Order>,
    /// Which consumer has which group.
    pub(super) owners: HashMap<GroupId, u32, RandomState>,
    /// What was found and belongs to a group, with the slot of the consumer that has the group.
    pub(super) kept: BTreeSet<(u32, Spot)>,
}

/// The feeds of one queue, and what concerns them all.
#[derive(Debug)]
pub(super) struct Feeds {
    pub(super) feeds: Slab<Feed>,
    by_selector: HashMap<Selector, u32, RandomState>,
    index: SelectorIndex<u32>,
    /// Entries that came paged out, so that no selector could be asked.
    pub(super) unsorted: BTreeSet<Spot>,
    /// The last order of the page-in for those.
    pub(super) asked: Option<Order>,
    /// Messages read for a look at them; only within one command.
    pub(super) peeked: HashMap<Order, Arc<Message>, RandomState>,
    /// Entries that are being read to be delivered.
    pub(super) wanted: HashSet<Order, RandomState>,
    /// The budget of the last command was used up before all had been looked at.
    pub(super) unfinished: bool,
    /// Somebody waits until expired messages may go.
    pub(super) held_up: bool,
    /// The groups of which something is unsettled, where that holds the others back.
    pub(super) strict: Strict,
}

impl Feed {
    fn new(filter: Option<Arc<Filter>>) -> Self {
        Self {
            filter,
            members: Vec::new(),
            found: BTreeSet::new(),
            cursor: START,
            asked: None,
            owners: HashMap::default(),
            kept: BTreeSet::new(),
        }
    }

    /// The first that may be given to the consumer in this slot.
    pub(super) fn first_for(&self, slot: u32) -> Option<Spot> {
        let kept = self.kept.range((slot, START)..=(slot, END)).next().map(|&(_, spot)| spot);
        [kept, self.found.first().copied()].into_iter().flatten().min()
    }

    /// Forgets an entry that has left its place, or is about to.
    pub(super) fn forget(&mut self, slot: u32, spot: Spot) {
        self.found.remove(&spot);
        self.kept.remove(&(slot, spot));
    }

    /// Adds an entry that matches, and wakes the consumers where they had nothing. What lies behind the
    /// cursor is found in its turn.
    fn offer(&mut self, spot: Spot, roster: &mut Roster) {
        if spot >= self.cursor {
            return;
        }
        let crowded = self.cursor == END && self.found.len() >= limits::FOUND_AHEAD;
        if crowded && self.found.last().is_some_and(|last| *last < spot) {
            self.cursor = spot;
            return;
        }
        if self.found.is_empty() {
            self.wake(roster);
        }
        self.found.insert(spot);
        if self.found.len() >= 2 * limits::FOUND_AHEAD
            && let Some(&cut) = self.found.iter().nth(limits::FOUND_AHEAD)
        {
            drop(self.found.split_off(&cut));
            self.cursor = cut;
        }
    }

    /// Something may be there for its consumers.
    pub(super) fn wake(&self, roster: &mut Roster) {
        roster.wake_those(self.members.iter().copied());
    }

    /// A consumer is gone: what it had of groups may go to the others.
    fn release(&mut self, slot: u32) {
        self.members.retain(|&other| other != slot);
        self.owners.retain(|_, owner| *owner != slot);
        let kept: Vec<_> = self.kept.range((slot, START)..=(slot, END)).copied().collect();
        for of_slot in kept {
            self.give_up(of_slot);
        }
    }

    /// What was kept for one consumer is for all of them. Behind the cursor it is found again.
    pub(super) fn give_up(&mut self, of_slot: (u32, Spot)) {
        self.kept.remove(&of_slot);
        if of_slot.1 < self.cursor {
            self.found.insert(of_slot.1);
        }
    }
}

impl Feeds {
    pub(super) fn new() -> Self {
        let mut feeds = Slab::new();
        feeds.insert(Feed::new(None));
        Self {
            feeds,
            by_selector: HashMap::default(),
            index: SelectorIndex::default(),
            unsorted: BTreeSet::new(),
            asked: None,
            peeked: HashMap::default(),
            wanted: HashSet::default(),
            unfinished: false,
            held_up: false,
            strict: Strict::default(),
        }
    }

    /// Adds a consumer; the number of its feed.
    pub(super) fn join(&mut self, slot: u32, filter: Option<&Arc<Filter>>) -> u32 {
        let id = match filter {
            None => EVERYTHING,
            Some(filter) => self.feed_of(filter),
        };
        if let Some(feed) = self.feeds.get_mut(id as usize) {
            feed.members.push(slot);
        }
        id
    }

    /// Takes a consumer away. Wakes those who share its feed, as they may get what it had.
    pub(super) fn leave(&mut self, slot: u32, id: u32, roster: &mut Roster) {
        let Some(feed) = self.feeds.get_mut(id as usize) else { return };
        feed.release(slot);
        feed.wake(roster);
        if !feed.members.is_empty() {
            return;
        }
        if let Some(filter) = &feed.filter {
            self.index.remove(filter.selector(), id);
            self.by_selector.remove(filter.selector());
            self.feeds.remove(id as usize);
        } else {
            // It looks again from the beginning once somebody comes.
            *feed = Feed::new(None);
        }
    }

    /// Whether plain dispatch would do the same.
    pub(super) fn is_idle(&self) -> bool {
        let everything = self.feeds.get(EVERYTHING as usize);
        self.by_selector.is_empty()
            && self.strict.is_empty()
            && everything.is_none_or(|feed| feed.owners.is_empty() && feed.kept.is_empty())
    }

    /// An entry has come to wait at `spot`.
    pub(super) fn offer(&mut self, spot: Spot, entry: &Entry, roster: &mut Roster) {
        if let Some(feed) = self.feeds.get_mut(EVERYTHING as usize).filter(|feed| !feed.members.is_empty()) {
            feed.offer(spot, roster);
        }
        if self.by_selector.is_empty() {
            return;
        }
        let message = entry.message.as_ref().or_else(|| self.peeked.get(&spot.1)).cloned();
        match message {
            Some(message) => self.sort(spot, &message, entry.deliveries, roster),
            None => drop(self.unsorted.insert(spot)),
        }
    }

    /// Offers an entry to the feeds whose selectors match it.
    pub(super) fn sort(&mut self, spot: Spot, message: &Message, deliveries: u8, roster: &mut Roster) {
        let Self { feeds, index, by_selector, .. } = self;
        // All filters read headers in the same way, so any of them shows the message to the index.
        let some = by_selector.values().next().and_then(|id| feeds.get(*id as usize));
        let Some(filter) = some.and_then(|feed| feed.filter.clone()) else { return };
        let facts = message.facts(deliveries);
        index.for_each_match(&filter.seen(&facts), |id| {
            if let Some(feed) = feeds.get_mut(id as usize) {
                feed.offer(spot, roster);
            }
        });
    }

    /// Wakes everybody who waits for a page-in that ended with this order; whether anybody does.
    pub(super) fn answered(&mut self, order: Order, roster: &mut Roster) {
        self.wanted.remove(&order);
        if self.asked == Some(order) {
            self.asked = None;
        }
        for (_, feed) in self.feeds.iter_mut().filter(|(_, feed)| feed.asked == Some(order)) {
            feed.asked = None;
            feed.wake(roster);
        }
    }

    fn feed_of(&mut self, filter: &Arc<Filter>) -> u32 {
        if let Some(id) = self.by_selector.get(filter.selector()) {
            return *id;
        }
        let id = self.feeds.insert(Feed::new(Some(Arc::clone(filter)))) as u32;
        self.by_selector.insert(filter.selector().clone(), id);
        self.index.insert(filter.selector(), id);
        id
    }

    /// Asserts what must always hold.
    pub(super) fn check(&self, roster: &Roster) {
        assert!(self.peeked.is_empty());
        assert_eq!(self.by_selector.len() + 1, self.feeds.len());
        for (id, feed) in &self.feeds {
            assert!(id == EVERYTHING as usize || !feed.members.is_empty());
            assert!(feed.found.last().is_none_or(|last| *last < feed.cursor));
            for &slot in &feed.members {
                assert_eq!(roster.in_slot(slot).map(|consumer| consumer.feed), Some(id as u32));
            }
            assert!(feed.kept.iter().all(|(slot, _)| feed.members.contains(slot)));
            assert!(feed.owners.values().all(|slot| feed.members.contains(slot)));
        }
    }
}

#[cfg(test)]
impl super::Queue {
    pub(super) fn found_len(&self) -> usize {
        self.feeds
            .as_ref()
            .map_or(0, |feeds| feeds.feeds.iter().map(|(_, f)| f.found.len() + f.kept.len()).sum())
    }
}
