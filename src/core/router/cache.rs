//! Routes that were looked up lately, shared by all connections.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use wharfmq_base::{RankedMutex, rank};

use super::route::Route;
use crate::Address;
use crate::limits::ROUTE_CACHE_BYTES;

type Routes<Q> = HashMap<Arc<Address>, Arc<Route<Q>>, RandomState>;

/// A cache by address, in shards, bounded in bytes.
///
/// Nothing here is ever wrong: a route carries the generation that it holds for, and whoever looks it up
/// compares.
#[derive(Debug)]
pub(super) struct Cache<Q> {
    shards: [RankedMutex<Shard<Q>, { rank::ROUTER }>; SHARDS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Shard<Q> {
    routes: Routes<Q>,
    bytes: usize,
}

const SHARDS: usize = 16;

impl<Q> Cache<Q> {
    pub(super) fn new() -> Self {
        let shard = |_| RankedMutex::new(Shard { routes: HashMap::default(), bytes: 0 });
        Self { shards: std::array::from_fn(shard), hasher: RandomState::default() }
    }

    /// The route last put for this address.
    pub(super) fn get(&self, address: &Address) -> Option<Arc<Route<Q>>> {
        self.shard(address).lock().routes.get(address).map(Arc::clone)
    }

    /// Puts a route, unless a newer one is there. A full shard starts anew, which costs each of its
    /// addresses one walk and needs no bookkeeping on the way.
    pub(super) fn put(&self, route: Arc<Route<Q>>) {
        let mut shard = self.shard(&route.address).lock();
        let weight = weight(&route);
        let mut dropped = Routes::<Q>::default();
        let mut replaced = None;
        if shard.routes.get(&*route.address).is_none_or(|old| old.generation() <= route.generation()) {
            if shard.bytes + weight > ROUTE_CACHE_BYTES / SHARDS {
                dropped = std::mem::take(&mut shard.routes);
                shard.bytes = 0;
            }
            replaced = shard.routes.insert(Arc::clone(&route.address), route);
            shard.bytes += weight;
            shard.bytes -= replaced.as_ref().map_or(0, |old| self::weight(old));
        }
        // What a route holds may be large: it is dropped when nobody waits.
        drop(shard);
        drop((dropped, replaced));
    }

    /// Drops every route that is not of this generation.
    pub(super) fn sweep(&self, generation: u64) {
        for shard in &self.shards {
            let mut guard = shard.lock();
            let Shard { routes, bytes } = &mut *guard;
            let stale: Vec<_> = routes.extract_if(|_, route| route.generation() < generation).collect();
            *bytes -= stale.iter().map(|(_, route)| weight(route)).sum::<usize>();
            routes.shrink_to_fit();
            drop(guard);
            drop(stale);
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().bytes).sum()
    }

    fn shard(&self, address: &Address) -> &RankedMutex<Shard<Q>, { rank::ROUTER }> {
        &self.shards[self.hasher.hash_one(address) as usize % SHARDS]
    }
}

/// Bytes that a cached route counts for, its name and its place in the map included.
fn weight<Q>(route: &Route<Q>) -> usize {
    route.weight() + 2 * size_of::<Address>() + route.address.name.len()
}
