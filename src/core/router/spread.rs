//! A hash map that grows in small steps.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

/// A hash map as many small ones, so that an insertion under a lock never moves all of a million
/// entries at once. Gives memory back as it empties.
#[derive(Debug)]
pub(super) struct Spread<K, V> {
    shards: Box<[HashMap<K, V, RandomState>]>,
    hasher: RandomState,
}

const SHARDS: usize = 64;

/// Capacity of a shard below which it is not worth shrinking.
const KEEP: usize = 64;

impl<K: Eq + Hash, V> Spread<K, V> {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashMap::default()).collect(), hasher: RandomState::default() }
    }

    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[self.shard(key)].get(key)
    }

    pub(super) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key);
        self.shards[shard].get_mut(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let shard = self.shard(&key);
        self.shards[shard].insert(key, value)
    }

    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key);
        let shard = &mut self.shards[shard];
        let gone = shard.remove_entry(key);
        if shard.capacity() > KEEP && shard.len() < shard.capacity() / 8 {
            shard.shrink_to(shard.len() * 2);
        }
        gone
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(HashMap::len).sum()
    }

    /// The maps behind hash the same key again with seeds of their own, so what meets in one shard is
    /// spread evenly within it.
    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        self.hasher.hash_one(key) as usize % SHARDS
    }
}
