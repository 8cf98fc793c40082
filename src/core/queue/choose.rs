//! Giving messages to consumers that are choosy; see [`super::feeds`].

use wharfmq_base::Millis;

use super::Queue;
use super::feeds::{END, Feeds, START, Spot};
use crate::{Effects, Entry, Grouping, Order, limits};

/// What there is for a consumer.
enum Found {
    /// This one, in memory and alive.
    At(Spot),
    /// Nothing, or nothing yet: a page-in or the dead letters have to catch up first.
    Nothing,
    /// The budget is used up.
    Unfinished,
}

impl Queue {
    /// Begins to keep feeds: from now on consumers may be choosy.
    pub(super) fn begin_choosing(&mut self) {
        if self.feeds.is_some() {
            return;
        }
        let mut feeds = Box::new(Feeds::new());
        let plain: Vec<u32> = self.roster.iter().map(|(key, _)| key.slot).collect();
        for slot in plain {
            feeds.join(slot, None);
        }
        self.feeds = Some(feeds);
    }

    /// Ends it where nothing asks for it any more.
    pub(super) fn stop_choosing(&mut self) {
        let idle = self.feeds.as_ref().is_some_and(|feeds| feeds.is_idle());
        if idle && self.ledger.grouped == 0 && !self.roster.is_choosy() {
            self.feeds = None;
            self.roster.wake_all();
        }
    }

    /// Puts an entry among the ready, and offers it to those it is for.
    #[inline]
    pub(super) fn make_ready(&mut self, entry: Entry) {
        if let Some(feeds) = &mut self.feeds {
            let spot = self.ready.spot_of(&entry);
            feeds.offer(spot, &entry, &mut self.roster);
        }
        self.ready.insert(entry);
    }

    /// As `dispatch`, where consumers are choosy.
    pub(super) fn dispatch_chosen(&mut self, now: Millis, fx: &mut Effects) {
        let Some(mut feeds) = self.feeds.take() else { return };
        feeds.unfinished = false;
        if feeds.held_up && !self.expiry_is_held_up() {
            feeds.held_up = false;
            self.roster.wake_all();
        }
        self.free_groups(&mut feeds);
        self.sort_paged(&mut feeds, now, fx);
        let mut budget = limits::SCAN_BUDGET;
        while let Some(slot) = self.roster.next() {
            match self.find_for(slot, &mut feeds, now, &mut budget, fx) {
                Found::At(spot) if self.roster.draw(slot) => {
                    self.give_chosen(slot, spot, &mut feeds, now);
                }
                Found::At(_) | Found::Nothing => self.roster.starve(slot),
                Found::Unfinished => {
                    feeds.unfinished = true;
                    // Whoever has much to look through does not keep the others waiting.
                    self.roster.stand_back(slot);
                    break;
                }
            }
        }
        feeds.peeked.clear();
        self.feeds = Some(feeds);
    }

    /// What is next for the consumer in this slot.
    fn find_for(
        &mut self,
        slot: u32,
        feeds: &mut Feeds,
        now: Millis,
        budget: &mut usize,
        fx: &mut Effects,
    ) -> Found {
        let Some(id) = self.roster.in_slot(slot).map(|consumer| consumer.feed) else { return Found::Nothing };
        loop {
            let Some(feed) = feeds.feeds.get_mut(id as usize) else { return Found::Nothing };
            let Some(spot) = feed.first_for(slot) else {
                if feed.cursor == END {
                    return Found::Nothing;
                }
                match self.look_on(id, feeds, now, budget, fx) {
                    Found::At(_) => continue,
                    other => return other,
                }
            };
            if *budget == 0 {
                return Found::Unfinished;
            }
            *budget -= 1;
            let Some(entry) = self.ready.at(spot) else {
                feed.forget(slot, spot);
                continue;
            };
            if entry.expires <= now {
                if self.expiry_is_held_up() {
                    feeds.held_up = true;
                    return Found::Nothing;
                }
                feed.forget(slot, spot);
                self.expire_at(spot, fx);
                continue;
            }
            let group = entry.group;
            if !group.is_none() {
                match self.policy.groups {
                    Grouping::None => {}
                    Grouping::Strict => {
                        if !feeds.strict.admits(group, spot) {
                            feed.forget(slot, spot);
                            feeds.strict.prune(group, &self.ready);
                            continue;
                        }
                    }
                    Grouping::Sticky => {
                        if let Err(owner) = feed.admits(slot, group, spot) {
                            feed.prune(&self.ready);
                            self.roster.wake(owner);
                            continue;
                        }
                    }
                }
            }
            if entry.message.is_some() {
                return Found::At(spot);
            }
            return self.ask_for(id, slot, spot, feeds, now, fx);
        }
    }

    /// Looks at the messages from a feed's cursor on until some match.
    fn look_on(
        &mut self,
        id: u32,
        feeds: &mut Feeds,
        now: Millis,
        budget: &mut usize,
        fx: &mut Effects,
    ) -> Found {
        let Feeds { feeds, peeked, .. } = feeds;
        let Some(feed) = feeds.get_mut(id as usize) else { return Found::Nothing };
        let mut install = Vec::new();
        let mut stop = None;
        for (spot, entry) in self.ready.from(feed.cursor) {
            if *budget == 0 || feed.found.len() >= limits::FOUND_AHEAD / 4 {
                stop = Some((spot, Found::Unfinished));
                break;
            }
            let matches = match &feed.filter {
                None => true,
                Some(filter) => {
                    *budget -= 1;
                    let Some(message) = entry.message.as_ref().or_else(|| peeked.get(&spot.1)) else {
                        stop = Some((spot, Found::Nothing));
                        break;
                    };
                    filter.matches(message, entry.deliveries)
                }
            };
            if matches {
                if entry.message.is_none() && peeked.contains_key(&spot.1) {
                    install.push(spot.1);
                }
                feed.found.insert(spot);
            }
        }
        let (cursor, found) = stop.unwrap_or((END, Found::Nothing));
        feed.cursor = cursor;
        let any = !feed.found.is_empty();
        for order in install {
            if let Some(message) = peeked.get(&order) {
                self.ready.loaded(order, message);
            }
        }
        match found {
            _ if any => Found::At(START),
            Found::Nothing if cursor != END => {
                self.ask_ahead(id, cursor, feeds, now, fx);
                Found::Nothing
            }
            other => other,
        }
    }

    /// Asks for the messages of the entries from `from` on, so that a selector can be asked about them.
    fn ask_ahead(
        &self,
        id: u32,
        from: Spot,
        feeds: &mut slab::Slab<super::feeds::Feed>,
        now: Millis,
        fx: &mut Effects,
    ) {
        let Some(feed) = feeds.get_mut(id as usize).filter(|feed| feed.asked.is_none()) else { return };
        if now >= self.load_retry_at {
            let paged = self.ready.from(from).take(limits::SCAN_BUDGET);
            feed.asked = ask(paged.map(|(_, entry)| entry), fx);
        }
    }

    /// Asks for the messages of what was found for a consumer.
    fn ask_for(
        &self,
        id: u32,
        slot: u32,
        first: Spot,
        feeds: &mut Feeds,
        now: Millis,
        fx: &mut Effects,
    ) -> Found {
        let Some(feed) = feeds.feeds.get_mut(id as usize).filter(|feed| feed.asked.is_none()) else {
            return Found::Nothing;
        };
        if now < self.load_retry_at {
            return Found::Nothing;
        }
        let kept = feed.kept.range((slot, START)..=(slot, END)).map(|(_, spot)| spot);
        let others = kept.chain(&feed.found).filter(|spot| **spot != first);
        let spots = std::iter::once(&first).chain(others).take(limits::LOAD_ENTRIES);
        let start = fx.load.len();
        feed.asked = ask(spots.filter_map(|spot| self.ready.at(*spot)), fx);
        feeds.wanted.extend(fx.load[start..].iter().map(|&(order, _)| order));
        Found::Nothing
    }

    /// Offers what came paged out and has been read, and asks for more of it.
    fn sort_paged(&mut self, feeds: &mut Feeds, now: Millis, fx: &mut Effects) {
        let next: Vec<Spot> = feeds.unsorted.iter().take(limits::LOAD_ENTRIES).copied().collect();
        for spot in next {
            let Some(entry) = self.ready.at(spot) else {
                feeds.unsorted.remove(&spot);
                continue;
            };
            // It may be back in memory because a consumer was about to get it.
            let message = entry.message.as_ref().or_else(|| feeds.peeked.get(&spot.1)).cloned();
            if let Some(message) = message {
                feeds.unsorted.remove(&spot);
                feeds.sort(spot, &message, entry.deliveries, &mut self.roster);
            }
        }
        if feeds.unsorted.is_empty() || feeds.asked.is_some() || now < self.load_retry_at {
            return;
        }
        let entries = feeds.unsorted.iter().take(limits::LOAD_ENTRIES);
        feeds.asked = ask(entries.filter_map(|spot| self.ready.at(*spot)), fx);
    }

    /// Gives what was found to the consumer whose turn it is.
    fn give_chosen(&mut self, slot: u32, spot: Spot, feeds: &mut Feeds, now: Millis) {
        let Some(entry) = self.ready.remove_at(spot) else { return };
        let id = self.roster.in_slot(slot).map_or(0, |consumer| consumer.feed);
        let Some(feed) = feeds.feeds.get_mut(id as usize) else { return };
        feed.forget(slot, spot);
        let mut first_of_group = false;
        if !entry.group.is_none() {
            match self.policy.groups {
                Grouping::None => {}
                Grouping::Strict => feeds.strict.begin(entry.group, entry.order),
                Grouping::Sticky => {
                    first_of_group = feed.assign(slot, entry.group, entry.closes_group);
                    if entry.closes_group {
                        feed.let_go(slot, entry.group, &self.ready);
                        feed.wake(&mut self.roster);
                    }
                }
            }
        }
        self.give(slot, entry, first_of_group, now);
    }

    /// Lets the next of each strict group go whose message is done with.
    pub(super) fn free_groups(&mut self, feeds: &mut Feeds) {
        for (group, order) in std::mem::take(&mut self.ledger.freed) {
            let next = feeds.strict.end(group, order, |spot| self.ready.at(spot).is_some());
            if let Some((spot, entry)) = next.and_then(|spot| Some((spot, self.ready.at(spot)?))) {
                feeds.offer(spot, entry, &mut self.roster);
            }
        }
    }
}

/// Asks for those entries that are paged out, as many as one page-in takes; the last of them.
fn ask<'a>(entries: impl Iterator<Item = &'a Entry>, fx: &mut Effects) -> Option<Order> {
    let (mut bytes, start) = (0, fx.load.len());
    for entry in entries.filter(|entry| entry.message.is_none()) {
        bytes += u64::from(entry.size);
        let named = fx.load.len() - start;
        if named >= limits::LOAD_ENTRIES || (named > 0 && bytes > limits::LOAD_BYTES) {
            break;
        }
        fx.load.push((entry.order, entry.at));
    }
    fx.load[start..].last().map(|&(order, _)| order)
}
