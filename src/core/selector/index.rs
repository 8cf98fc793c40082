//! Many selectors, asked of one message at once.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use slab::Slab;
use smallvec::SmallVec;

use super::key::{Key, Scalar, Term};
use super::{Properties, Selector, Typing};

type Map<K, V> = HashMap<K, V, RandomState>;

/// Places in [`SelectorIndex::groups`].
type Slots = SmallVec<[u32; 4]>;

/// Many selectors, asked of one message at once.
///
/// A selector that demands a value of a property, alone or with `AND`, is found by that value; only the
/// others are all evaluated. Equal selectors are evaluated once, however many ids have them.
#[derive(Debug)]
pub struct SelectorIndex<T> {
    groups: Slab<Group<T>>,
    slots: Map<Selector, u32>,
    /// By the name of the property that a key is about.
    names: Map<Box<str>, Values>,
    /// Those without a key.
    others: Vec<u32>,
    len: usize,
}

/// One selector, and all who have it.
#[derive(Debug)]
struct Group<T> {
    selector: Selector,
    /// Whether who was found by its key is selected.
    is_whole: bool,
    /// Where it is in `others`, if it is there.
    place: usize,
    ids: SmallVec<[T; 2]>,
}

/// Selectors by the values of one property.
#[derive(Debug, Default)]
struct Values {
    strict: Terms,
    loose: Terms,
}

#[derive(Debug, Default)]
struct Terms {
    texts: Map<Box<str>, Slots>,
    scalars: Map<Scalar, Slots>,
}

/// Capacity of a table below which it is not worth shrinking.
const KEEP: usize = 64;

impl<T: Copy + Eq> SelectorIndex<T> {
    /// An index without selectors.
    pub fn new() -> Self {
        Self { groups: Slab::new(), slots: Map::default(), names: Map::default(), others: Vec::new(), len: 0 }
    }

    /// Adds an id under a selector. One that is added twice is handed out twice.
    pub fn insert(&mut self, selector: &Selector, id: T) {
        self.len += 1;
        if let Some(slot) = self.slots.get(selector) {
            self.groups[*slot as usize].ids.push(id);
            return;
        }
        let key = selector.key();
        let group = Group {
            selector: selector.clone(),
            is_whole: key.as_ref().is_some_and(|key| key.is_whole),
            place: self.others.len(),
            ids: SmallVec::from_slice(&[id]),
        };
        let slot = self.groups.insert(group) as u32;
        self.slots.insert(selector.clone(), slot);
        match key {
            Some(key) => self.add_key(&key, slot),
            None => self.others.push(slot),
        }
    }

    /// Removes an id from under a selector, once; `false` if it is not there.
    pub fn remove(&mut self, selector: &Selector, id: T) -> bool {
        let Some(&slot) = self.slots.get(selector) else { return false };
        let ids = &mut self.groups[slot as usize].ids;
        let Some(at) = ids.iter().position(|other| *other == id) else { return false };
        ids.swap_remove(at);
        self.len -= 1;
        if ids.is_empty() {
            self.remove_group(selector, slot);
        } else if ids.spilled() && ids.len() < ids.capacity() / 8 {
            ids.shrink_to_fit();
        }
        true
    }

    /// Calls `f` with the id of every selector that matches the message, in no particular order.
    pub fn for_each_match(&self, message: &(impl Properties + ?Sized), mut f: impl FnMut(T)) {
        for (name, values) in &self.names {
            let value = message.get(name);
            for (terms, typing) in [(&values.strict, Typing::Strict), (&values.loose, Typing::Loose)] {
                if terms.is_empty() {
                    continue;
                }
                let found = Term::of(&value, typing).and_then(|term| terms.get(term));
                for slot in found.into_iter().flatten() {
                    let group = &self.groups[*slot as usize];
                    if group.is_whole || group.selector.matches(message) {
                        group.ids.iter().copied().for_each(&mut f);
                    }
                }
            }
        }
        for slot in &self.others {
            let group = &self.groups[*slot as usize];
            if group.selector.matches(message) {
                group.ids.iter().copied().for_each(&mut f);
            }
        }
    }

    /// Number of ids, each as often as it was added.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn add_key(&mut self, key: &Key<'_>, slot: u32) {
        if !self.names.contains_key(key.name) {
            self.names.insert(Box::from(key.name), Values::default());
        }
        if let Some(values) = self.names.get_mut(key.name) {
            let terms = values.terms_mut(key.typing());
            key.for_each_term(|term| terms.add(term, slot));
        }
    }

    fn remove_group(&mut self, selector: &Selector, slot: u32) {
        let group = self.groups.remove(slot as usize);
        self.slots.remove(selector);
        shrink(&mut self.slots);
        if self.groups.is_empty() {
            self.groups = Slab::new();
        }
        let Some(key) = selector.key() else {
            self.others.swap_remove(group.place);
            if let Some(moved) = self.others.get(group.place) {
                self.groups[*moved as usize].place = group.place;
            }
            if self.others.len() < self.others.capacity() / 8 {
                self.others.shrink_to(self.others.len() * 2);
            }
            return;
        };
        let Some(values) = self.names.get_mut(key.name) else { return };
        let terms = values.terms_mut(key.typing());
        key.for_each_term(|term| terms.remove(term, slot));
        if values.strict.is_empty() && values.loose.is_empty() {
            self.names.remove(key.name);
            shrink(&mut self.names);
        }
    }

    /// Numbers of names, terms and selectors without a key, to see that nothing is left behind.
    #[cfg(test)]
    pub(super) fn traces(&self) -> (usize, usize, usize) {
        let terms = |values: &Values| {
            [&values.strict, &values.loose].map(|terms| terms.texts.len() + terms.scalars.len())
        };
        let terms = self.names.values().flat_map(terms).sum();
        (self.names.len(), terms, self.others.len())
    }
}

impl<T: Copy + Eq> Default for SelectorIndex<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl Values {
    const fn terms_mut(&mut self, typing: Typing) -> &mut Terms {
        match typing {
            Typing::Strict => &mut self.strict,
            Typing::Loose => &mut self.loose,
        }
    }
}

impl Terms {
    fn get(&self, term: Term<'_>) -> Option<&Slots> {
        match term {
            Term::Text(text) => self.texts.get(text),
            Term::Scalar(scalar) => self.scalars.get(&scalar),
        }
    }

    fn add(&mut self, term: Term<'_>, slot: u32) {
        let slots = match term {
            Term::Text(text) => self.texts.entry(Box::from(text)).or_default(),
            Term::Scalar(scalar) => self.scalars.entry(scalar).or_default(),
        };
        // The terms of one key come in a row, so a second one of a kind meets its like at the end.
        if slots.last() != Some(&slot) {
            slots.push(slot);
        }
    }

    fn remove(&mut self, term: Term<'_>, slot: u32) {
        match term {
            Term::Text(text) => remove_slot(&mut self.texts, text, slot),
            Term::Scalar(scalar) => remove_slot(&mut self.scalars, &scalar, slot),
        }
    }

    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.scalars.is_empty()
    }
}

fn remove_slot<K, Q>(map: &mut Map<K, Slots>, term: &Q, slot: u32)
where
    K: std::borrow::Borrow<Q> + Eq + std::hash::Hash,
    Q: Eq + std::hash::Hash + ?Sized,
{
    let Some(slots) = map.get_mut(term) else { return };
    if let Some(at) = slots.iter().position(|other| *other == slot) {
        slots.swap_remove(at);
    }
    if slots.is_empty() {
        map.remove(term);
        shrink(map);
    }
}

fn shrink<K: Eq + std::hash::Hash, V>(map: &mut Map<K, V>) {
    if map.capacity() > KEEP && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}
