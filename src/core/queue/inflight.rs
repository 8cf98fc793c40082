//! What one consumer was given and has not settled.

use std::collections::VecDeque;

use crate::{Entry, Order};

/// Which deliveries of a consumer are meant. Tags that are unknown, settled or part of a transaction are
/// passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    /// This one.
    One(u64),
    /// All up to and with this one.
    UpTo(u64),
    /// All from the first to the second, both included.
    Range(u64, u64),
}

impl Tags {
    const fn bounds(self) -> (u64, u64) {
        match self {
            Self::One(tag) => (tag, tag),
            Self::UpTo(last) => (0, last),
            Self::Range(first, last) => (first, last),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits to be settled.
    Open,
    /// Settled by a transaction that is not committed.
    Staged,
    /// Settled; a hole until the front reaches it.
    Gone,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    tag: u64,
    state: State,
}

const _: () = assert!(size_of::<Slot>() <= 64, "one line of the cache");

impl Slot {
    /// Takes the entry, leaves a hole.
    fn take(&mut self) -> Entry {
        self.state = State::Gone;
        let message = self.entry.message.take();
        Entry { message, ..self.entry.clone() }
    }
}

/// Deliveries in the order of their tags.
///
/// Tags are dense, so a delivery is found by subtraction. Where settled ones outnumber the open ones
/// behind a front that stays open, the holes are squeezed out and the few are found by bisection.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    slots: VecDeque<Slot>,
    holes: usize,
    last_tag: u64,
}

/// Below so many slots holes are left alone.
const SQUEEZE_FROM: usize = 64;

impl InFlight {
    /// Adds a delivery; its tag.
    pub(crate) fn push(&mut self, entry: Entry) -> u64 {
        self.last_tag += 1;
        self.slots.push_back(Slot { entry, tag: self.last_tag, state: State::Open });
        self.last_tag
    }

    /// Those of `tags` that are open.
    pub(crate) fn open(&self, tags: Tags) -> impl Iterator<Item = u64> {
        let (first, last) = tags.bounds();
        let slots = self.slots.range(self.position(first)..).take_while(move |slot| slot.tag <= last);
        slots.filter(|slot| slot.state == State::Open).map(|slot| slot.tag)
    }

    /// Number of deliveries, open and staged.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.holes
    }

    /// Takes the open ones of `tags` out, in the order of their tags; how many.
    pub(crate) fn take(&mut self, tags: Tags, each: impl FnMut(u64, Entry)) -> usize {
        self.take_in(tags, State::Open, each)
    }

    /// Takes one staged delivery out.
    pub(crate) fn take_staged(&mut self, tag: u64) -> Option<Entry> {
        let mut found = None;
        self.take_in(Tags::One(tag), State::Staged, |_, entry| found = Some(entry));
        found
    }

    /// Takes everything out, oldest tag first; true where it is staged.
    pub(crate) fn into_all(self) -> impl DoubleEndedIterator<Item = (u64, bool, Entry)> {
        let live = self.slots.into_iter().filter(|slot| slot.state != State::Gone);
        live.map(|slot| (slot.tag, slot.state == State::Staged, slot.entry))
    }

    /// Marks the open ones of `tags` as part of a transaction; how many.
    pub(crate) fn stage(&mut self, tags: Tags, mut each: impl FnMut(u64, &Entry)) -> usize {
        let (first, last) = tags.bounds();
        let start = self.position(first);
        let mut found = 0;
        for slot in self.slots.range_mut(start..).take_while(|slot| slot.tag <= last) {
            if slot.state == State::Open {
                slot.state = State::Staged;
                found += 1;
                each(slot.tag, &slot.entry);
            }
        }
        found
    }

    /// Whether a delivery is staged; `None` where it is not there.
    pub(crate) fn is_staged(&self, tag: u64) -> Option<bool> {
        let slot = self.slots.get(self.position(tag))?;
        let is_there = slot.tag == tag && slot.state != State::Gone;
        is_there.then_some(slot.state == State::Staged)
    }

    /// Makes a staged delivery open again; whether it was found.
    pub(crate) fn unstage(&mut self, tag: u64) -> bool {
        let at = self.position(tag);
        match self.slots.get_mut(at) {
            Some(slot) if slot.tag == tag && slot.state == State::Staged => {
                slot.state = State::Open;
                true
            }
            _ => false,
        }
    }

    /// All that are not gone.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().filter(|slot| slot.state != State::Gone).map(|slot| &slot.entry)
    }

    pub(crate) fn get_mut(&mut self, order: Order) -> Option<&mut Entry> {
        let live = self.slots.iter_mut().filter(|slot| slot.state != State::Gone);
        live.map(|slot| &mut slot.entry).find(|entry| entry.order == order)
    }

    /// Counts one delivery of each behind the tag `handled`, up to `last`, that has none.
    pub(crate) fn mark_seen(&mut self, handled: u64, last: u64) {
        let seen = self.slots.iter_mut().take_while(|slot| slot.tag <= last);
        seen.skip_while(|slot| slot.tag <= handled)
            .for_each(|slot| slot.entry.deliveries = slot.entry.deliveries.max(1));
    }

    /// Gives spare capacity back.
    pub(crate) fn trim(&mut self) {
        self.slots.shrink_to_fit();
    }

    fn take_in(&mut self, tags: Tags, state: State, mut each: impl FnMut(u64, Entry)) -> usize {
        let (first, last) = tags.bounds();
        let start = self.position(first);
        let mut found = 0;
        // The usual case: what is settled stands in front and leaves no hole.
        if start == 0 {
            while let Some(slot) = self.slots.pop_front_if(|slot| slot.state == state && slot.tag <= last) {
                found += 1;
                each(slot.tag, slot.entry);
                self.pop_holes();
            }
        }
        for slot in self.slots.range_mut(start..).take_while(|slot| slot.tag <= last) {
            if slot.state == state {
                found += 1;
                self.holes += 1;
                each(slot.tag, slot.take());
            }
        }
        self.pop_holes();
        self.squeeze();
        found
    }

    /// Index of the first slot with this tag or a later one.
    fn position(&self, tag: u64) -> usize {
        let Some(front) = self.slots.front() else { return 0 };
        let Some(distance) = tag.checked_sub(front.tag) else { return 0 };
        let guess = usize::try_from(distance).unwrap_or(usize::MAX);
        if self.slots.get(guess).is_some_and(|slot| slot.tag == tag) {
            return guess;
        }
        self.slots.partition_point(|slot| slot.tag < tag)
    }

    fn pop_holes(&mut self) {
        while self.slots.pop_front_if(|slot| slot.state == State::Gone).is_some() {
            self.holes -= 1;
        }
    }

    fn squeeze(&mut self) {
        if self.slots.len() >= SQUEEZE_FROM && self.holes > self.slots.len() / 2 {
            self.slots.retain(|slot| slot.state != State::Gone);
            self.holes = 0;
        }
    }

    /// Asserts what must always hold.
    pub(crate) fn check(&self) {
        assert!(self.slots.iter().is_sorted_by(|a, b| a.tag < b.tag));
        assert_eq!(self.holes, self.slots.iter().filter(|slot| slot.state == State::Gone).count());
        assert!(self.slots.front().is_none_or(|slot| slot.state != State::Gone));
        assert!(self.slots.back().is_none_or(|slot| slot.tag <= self.last_tag));
    }
}
