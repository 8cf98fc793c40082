//! The subscriptions of one client, by tag and by filter.

use std::collections::HashMap;
use std::ops::Deref;

use wharfmq_core::SubTag;

use super::options::Subscription;

/// Subscriptions from which on an index is worth its memory.
const INDEXED_FROM: usize = 16;

/// Subscriptions by their tag, which is their place. Reads as a slice of places, of which some are free.
#[derive(Default)]
pub(super) struct Subscriptions {
    places: Vec<Option<Subscription>>,
    index: Option<Box<Index>>,
    /// How many have a subscription identifier.
    with_id: u32,
}

struct Index {
    by_filter: HashMap<Box<str>, u32>,
    free: Vec<u32>,
}

impl Deref for Subscriptions {
    type Target = [Option<Subscription>];

    fn deref(&self) -> &Self::Target {
        &self.places
    }
}

impl Subscriptions {
    /// The tag of the subscription to a filter.
    pub(super) fn find(&self, filter: &str) -> Option<SubTag> {
        let at = match &self.index {
            Some(index) => index.by_filter.get(filter).copied(),
            None => self.scan(|place| place.as_ref().is_some_and(|known| *known.filter == *filter)),
        };
        at.map(SubTag)
    }

    /// The tag that the next new subscription gets.
    pub(super) fn free(&self) -> SubTag {
        let free = match &self.index {
            Some(index) => index.free.last().copied(),
            None => self.scan(Option::is_none),
        };
        SubTag(free.unwrap_or(self.places.len() as u32))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        match &self.index {
            Some(index) => index.by_filter.len(),
            None => self.places.iter().flatten().count(),
        }
    }

    /// Whether any of them has a subscription identifier.
    pub(super) const fn have_ids(&self) -> bool {
        self.with_id > 0
    }

    /// Puts a subscription in the place of its tag: one that was taken, or [`Subscriptions::free`].
    pub(super) fn put(&mut self, tag: SubTag, sub: Subscription) {
        self.with_id += u32::from(sub.id != 0);
        if let Some(index) = &mut self.index {
            index.by_filter.insert(sub.filter.clone(), tag.0);
            if index.free.last() == Some(&tag.0) {
                index.free.pop();
            } else {
                index.free.retain(|free| *free != tag.0);
            }
        }
        if let Some(place) = self.places.get_mut(tag.0 as usize) {
            *place = Some(sub);
            return;
        }
        // Most clients have one subscription, and `push` alone would make room for four.
        self.places.reserve_exact(usize::from(self.places.len() < 2));
        self.places.push(Some(sub));
        if self.index.is_none() && self.places.len() > INDEXED_FROM {
            self.index = Some(Box::new(Index::of(&self.places)));
        }
    }

    /// Takes a subscription out; its place is free.
    pub(super) fn take(&mut self, tag: SubTag) -> Option<Subscription> {
        let sub = self.places.get_mut(tag.0 as usize)?.take()?;
        self.with_id -= u32::from(sub.id != 0);
        if let Some(index) = &mut self.index {
            index.by_filter.remove(&sub.filter);
            index.free.push(tag.0);
        }
        Some(sub)
    }

    /// All of them, with their tags; none is left.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (SubTag, Subscription)> + use<> {
        (self.index, self.with_id) = (None, 0);
        let places = std::mem::take(&mut self.places).into_iter().zip(0..);
        places.filter_map(|(place, at)| Some((SubTag(at), place?)))
    }

    fn scan(&self, is_it: impl FnMut(&Option<Subscription>) -> bool) -> Option<u32> {
        self.places.iter().position(is_it).map(|at| at as u32)
    }
}

impl Index {
    fn of(places: &[Option<Subscription>]) -> Self {
        let (mut by_filter, mut free) = (HashMap::new(), Vec::new());
        for (place, at) in places.iter().zip(0..) {
            match place {
                Some(sub) => drop(by_filter.insert(sub.filter.clone(), at)),
                None => free.push(at),
            }
        }
        Self { by_filter, free }
    }
}

#[cfg(test)]
mod tests {
    use wharfmq_core::{Kind, Pattern};
    use wharfmq_mqtt::{Qos, SubscriptionOptions};

    use super::*;

    fn sub(filter: &str) -> Subscription {
        let pattern = Pattern::parse(Kind::Topic, filter).unwrap();
        Subscription::new(filter, pattern, SubscriptionOptions::from_qos(Qos::AtMostOnce), 0)
    }

    fn add(subs: &mut Subscriptions, filter: &str) -> SubTag {
        let tag = subs.free();
        subs.put(tag, sub(filter));
        tag
    }

    #[test]
    fn few_and_many_are_found_and_their_places_used_again() {
        let mut subs = Subscriptions::default();
        for n in 0..40 {
            let tag = add(&mut subs, &format!("f{n}"));
            assert_eq!((tag, subs.count()), (SubTag(n), n as usize + 1));
            assert_eq!(subs.find(&format!("f{n}")), Some(tag));
            if n % 5 == 0 {
                assert!(subs.take(tag).is_some() && subs.take(tag).is_none());
                assert_eq!((subs.find(&format!("f{n}")), subs.free()), (None, tag));
                assert_eq!(add(&mut subs, &format!("f{n}")), tag);
            }
        }
        for tag in [SubTag(3), SubTag(30)] {
            subs.take(tag);
        }
        assert_eq!(subs.count(), 38);
        assert_eq!(
            [add(&mut subs, "x"), add(&mut subs, "y"), add(&mut subs, "z")].map(|tag| tag.0).iter().max(),
            Some(&40)
        );
        assert_eq!(subs.drain().count(), 41);
        assert_eq!((subs.count(), subs.free(), subs.find("x")), (0, SubTag(0), None));
    }

    #[test]
    fn identifiers_are_noticed() {
        let mut subs = Subscriptions::default();
        add(&mut subs, "a");
        assert!(!subs.have_ids());
        let tag = subs.free();
        subs.put(tag, Subscription { id: 7, ..sub("b") });
        assert!(subs.have_ids());
        subs.take(tag);
        assert!(!subs.have_ids());
    }

    #[test]
    fn a_taken_place_can_be_put_back_in_any_order() {
        let mut subs = Subscriptions::default();
        for n in 0..20 {
            add(&mut subs, &format!("f{n}"));
        }
        subs.take(SubTag(4));
        subs.take(SubTag(9));
        subs.put(SubTag(4), sub("f4"));
        assert_eq!((subs.free(), subs.count()), (SubTag(9), 19));
    }
}
