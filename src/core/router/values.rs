//! What stands at one pattern: usually one subscription, sometimes a hundred thousand.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Something that is found again by a key.
pub(crate) trait Keyed {
    /// Unique among the values of one pattern.
    type Key: Ord + Copy + std::fmt::Debug;

    /// This value's key.
    fn key(&self) -> Self::Key;
}

/// Values of one pattern, ascending by key. Small while there is one, logarithmic when there are many.
#[derive(Debug)]
pub(crate) enum Values<V: Keyed> {
    One(V),
    Many(Box<Set<V>>),
}

#[derive(Debug)]
pub(crate) enum Set<V: Keyed> {
    Sorted(Vec<V>),
    Tree(BTreeMap<V::Key, V>),
}

/// Values up to which a sorted vector beats a tree.
const SORTED_MAX: usize = 64;

impl<V: Keyed> Values<V> {
    /// Calls `f` with every value.
    pub(crate) fn for_each<'a>(&'a self, mut f: impl FnMut(&'a V)) {
        match self {
            Self::One(value) => f(value),
            Self::Many(set) => match &**set {
                Set::Sorted(values) => values.iter().for_each(f),
                Set::Tree(values) => values.values().for_each(f),
            },
        }
    }

    /// Adds a value to what is at a pattern, and hands back the one it replaces.
    pub(crate) fn insert(this: &mut Option<Self>, value: V) -> Option<V> {
        match this {
            None => {
                *this = Some(Self::One(value));
                None
            }
            Some(Self::One(old)) if old.key() == value.key() => Some(std::mem::replace(old, value)),
            Some(Self::Many(set)) => set.insert(value),
            Some(Self::One(_)) => {
                let mut values = Vec::with_capacity(2);
                if let Some(Self::One(old)) = this.take() {
                    values.push(old);
                }
                let mut set = Box::new(Set::Sorted(values));
                set.insert(value);
                *this = Some(Self::Many(set));
                None
            }
        }
    }

    /// Moves the values with keys in `keys` to `out`.
    pub(crate) fn remove(this: &mut Option<Self>, keys: &RangeInclusive<V::Key>, out: &mut Vec<V>) {
        match this.take() {
            None => {}
            Some(Self::One(value)) if keys.contains(&value.key()) => out.push(value),
            Some(Self::Many(mut set)) => {
                set.remove(keys, out);
                *this = match *set {
                    Set::Sorted(mut values) if values.len() < 2 => values.pop().map(Self::One),
                    set => Some(Self::Many(Box::new(set))),
                };
            }
            keep => *this = keep,
        }
    }
}

impl<V: Keyed> Set<V> {
    fn insert(&mut self, value: V) -> Option<V> {
        match self {
            Self::Tree(values) => values.insert(value.key(), value),
            Self::Sorted(values) => match values.binary_search_by_key(&value.key(), V::key) {
                Ok(at) => Some(std::mem::replace(&mut values[at], value)),
                Err(at) if values.len() < SORTED_MAX => {
                    values.insert(at, value);
                    None
                }
                Err(_) => {
                    let values = std::mem::take(values).into_iter().chain([value]);
                    *self = Self::Tree(values.map(|value| (value.key(), value)).collect());
                    None
                }
            },
        }
    }

    fn remove(&mut self, keys: &RangeInclusive<V::Key>, out: &mut Vec<V>) {
        match self {
            Self::Sorted(values) => {
                let start = values.partition_point(|value| value.key() < *keys.start());
                let end = values.partition_point(|value| value.key() <= *keys.end());
                out.extend(values.drain(start..end.max(start)));
            }
            Self::Tree(values) => {
                if keys.is_empty() {
                    return;
                }
                while let Some((&key, _)) = values.range(keys.clone()).next() {
                    out.extend(values.remove(&key));
                }
                // Half the size at which the tree was made, so that one that comes and goes at the
                // border does not convert each time.
                if values.len() <= SORTED_MAX / 2 {
                    *self = Self::Sorted(std::mem::take(values).into_values().collect());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Pair(u8, u32);

    impl Keyed for Pair {
        type Key = u8;

        fn key(&self) -> u8 {
            self.0
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(ops in prop::collection::vec((any::<bool>(), any::<u8>(), 0u8..40), 1..400)) {
            let mut values = None;
            let mut model = BTreeMap::new();
            for (nth, (insert, key, width)) in ops.into_iter().enumerate() {
                if insert || nth < 150 {
                    let pair = Pair(key, nth as u32);
                    prop_assert_eq!(Values::insert(&mut values, pair.clone()), model.insert(key, pair));
                } else {
                    let keys = key..=key.saturating_add(width);
                    let mut out = Vec::new();
                    Values::remove(&mut values, &keys, &mut out);
                    let gone: Vec<Pair> = model.extract_if(keys, |_, _| true).map(|(_, pair)| pair).collect();
                    prop_assert_eq!(out, gone);
                }
                let mut seen = Vec::new();
                if let Some(values) = &values {
                    values.for_each(|value: &Pair| seen.push(value.clone()));
                }
                prop_assert_eq!(&seen, &model.values().cloned().collect::<Vec<_>>());
                prop_assert_eq!(values.is_none(), model.is_empty());
            }
        }
    }

    #[test]
    fn one_value_is_small() {
        assert!(size_of::<Option<Values<(u64, u8)>>>() <= 24);
    }

    impl Keyed for (u64, u8) {
        type Key = u64;

        fn key(&self) -> u64 {
            self.0
        }
    }
}
