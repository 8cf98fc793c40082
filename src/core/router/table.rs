//! The routing table.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytestring::ByteString;
use wharfmq_base::{RankedMutex, rank};

use super::cache::Cache;
use super::forward::Forward;
use super::pattern::Pattern;
use super::route::{Bound, Choice, DirectSub, DirectTarget, Route};
use super::share::{self, Member, Share};
use super::spread::Spread;
use super::trie::Trie;
use super::values::Keyed;
use crate::{Address, ConnId, Filter, Kind, Outbox, Qos, QueueId, SubTag};

/// A subscription that takes what it matches without anything being stored.
#[derive(Clone, Debug)]
pub struct Direct {
    /// Where its messages go; names its connection too.
    pub outbox: Arc<Outbox>,
    /// The session's own number for it, unique within the connection and pattern.
    pub sub: SubTag,
    /// What the connection publishes itself does not come back (MQTT 5, 3.8.3.1).
    pub no_local: bool,
    /// Takes QoS 0 only: what can be lost comes directly, the rest through a queue.
    pub qos0_only: bool,
    /// Which messages it takes; `None` for all.
    pub filter: Option<Arc<Filter>>,
}

/// Subscriptions, bindings and queue names, and the routes made of them.
///
/// `Q` is the broker's handle of a queue, usually an `Arc`. Every method takes locks of rank
/// [`rank::ROUTER`] for a short time and gives them back before it returns: none may be called while a
/// lock of that or a higher rank is held.
#[derive(Debug)]
pub struct Router<Q> {
    generation: AtomicU64,
    table: RankedMutex<Table<Q>, { rank::ROUTER }>,
    cache: Cache<Q>,
}

#[derive(Debug)]
pub(super) struct Table<Q> {
    generation: u64,
    /// Patterns of the last changes, the newest at the end: the one of `generation`.
    changes: VecDeque<Pattern>,
    topics: Trie<Target<Q>>,
    queues: Trie<Target<Q>>,
    names: Spread<ByteString, (QueueId, Q)>,
    /// Targets that stand for a subscription of a client; see [`Router::subscription_count`].
    subscriptions: usize,
    pub(super) forwards: Vec<Forward>,
}

/// Changes that are remembered, so that a route need not be made anew for those that do not concern it.
const CHANGES_MAX: usize = 128;

/// What a queue that was addressed by its name is given: everything, as it was sent.
const EVERY_QOS: u8 = Qos::ExactlyOnce as u8;

#[derive(Debug)]
pub(super) enum Target<Q> {
    Direct {
        outbox: Arc<Outbox>,
        sub: SubTag,
        options: u8,
    },
    /// In a box, as it is rare.
    Member(Box<Member>),
    Bound {
        queue: Q,
        id: QueueId,
        flags: u8,
        no_local: bool,
    },
    /// In a box, as few have a filter and there may be a million targets.
    Choosy(Box<(Self, Arc<Filter>)>),
}

const NO_LOCAL: u8 = 1;
const QOS0_ONLY: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TargetKey {
    Direct(ConnId, SubTag),
    Bound(QueueId),
}

impl<Q> Keyed for Target<Q> {
    type Key = TargetKey;

    fn key(&self) -> TargetKey {
        match self {
            Self::Direct { outbox, sub, .. } => TargetKey::Direct(outbox.conn, *sub),
            Self::Member(member) => TargetKey::Direct(member.outbox.conn, member.sub),
            Self::Bound { id, .. } => TargetKey::Bound(*id),
            Self::Choosy(inner) => inner.0.key(),
        }
    }
}

impl<Q> Target<Q> {
    /// Whether it stands for a subscription by itself, rather than beside a queue's binding.
    pub(super) fn is_subscription(&self) -> bool {
        match self {
            Self::Direct { options, .. } => options & QOS0_ONLY == 0,
            // A member of a shared subscription stands beside the binding of its queue.
            Self::Member(_) => false,
            Self::Bound { .. } => true,
            Self::Choosy(inner) => inner.0.is_subscription(),
        }
    }

    fn choosing(self, filter: Option<Arc<Filter>>) -> Self {
        match filter {
            Some(filter) => Self::Choosy(Box::new((self, filter))),
            None => self,
        }
    }
}

impl<Q: Clone> Default for Router<Q> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Q: Clone> Router<Q> {
    /// An empty table.
    pub fn new() -> Self {
        let table = Table {
            generation: 0,
            changes: VecDeque::with_capacity(CHANGES_MAX),
            topics: Trie::new(),
            queues: Trie::new(),
            names: Spread::new(),
            subscriptions: 0,
            forwards: Vec::new(),
        };
        Self { generation: AtomicU64::new(0), table: RankedMutex::new(table), cache: Cache::new() }
    }

    /// Rises with every change: a cached route whose [`Route::generation`] is lower is to be looked up
    /// again. One atomic read.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What a publication to `address` reaches. A lookup in a cache where nothing that concerns the
    /// address has changed; the caller keeps the route while its generation is the router's, and bounds
    /// what it keeps by [`Route::weight`]. A queue that is not defined gives an empty route.
    pub fn route(&self, address: &Arc<Address>) -> Arc<Route<Q>> {
        let cached = self.cache.get(address);
        if let Some(route) = &cached
            && route.generation() == self.generation()
        {
            return Arc::clone(route);
        }
        let table = self.table.lock();
        if let Some(route) = cached
            && table.is_untouched_since(route.generation(), &route)
        {
            route.restamp(table.generation);
            return route;
        }
        let route = Arc::new(table.resolve(address));
        drop(table);
        self.cache.put(Arc::clone(&route));
        route
    }

    /// Passes what is sent to some destinations on to others, from now on and in place of earlier ones.
    pub fn set_forwards(&self, forwards: Vec<Forward>) {
        let mut table = self.table.lock();
        let before = std::mem::replace(&mut table.forwards, forwards);
        table.generation += 1;
        // Concerns every route: none is known to be untouched.
        table.changes.clear();
        self.generation.store(table.generation, Ordering::Release);
        drop(table);
        drop(before);
    }

    /// Adds a subscription that stores nothing, or replaces the one with the same connection, pattern
    /// and tag. True where it was not there before.
    pub fn subscribe(&self, pattern: &Pattern, direct: Direct) -> bool {
        let options = (u8::from(direct.no_local) * NO_LOCAL) | (u8::from(direct.qos0_only) * QOS0_ONLY);
        let target = Target::Direct { outbox: direct.outbox, sub: direct.sub, options };
        self.put(pattern, target.choosing(direct.filter))
    }

    /// Adds a member to a shared subscription, or replaces a subscription with the same connection, pattern and
    /// tag. [`Router::unsubscribe`] removes it. True where it was not there before.
    pub fn join(&self, pattern: &Pattern, member: Member) -> bool {
        self.put(pattern, Target::Member(Box::new(member)))
    }

    /// Removes one subscription. False where it was not there.
    pub fn unsubscribe(&self, pattern: &Pattern, conn: ConnId, sub: SubTag) -> bool {
        let key = TargetKey::Direct(conn, sub);
        self.remove(std::iter::once(pattern), &(key..=key)) > 0
    }

    /// Removes one subscription, as [`Router::unsubscribe`]. Whether it stood for one by itself, rather than
    /// beside a queue's binding.
    pub fn end_subscription(&self, pattern: &Pattern, conn: ConnId, sub: SubTag) -> bool {
        let key = TargetKey::Direct(conn, sub);
        self.take_out(std::iter::once(pattern), &(key..=key)).1 > 0
    }

    /// Removes all subscriptions that a connection has under these patterns, under one lock. Returns
    /// how many there were.
    pub fn forget<'a>(&self, conn: ConnId, patterns: impl IntoIterator<Item = &'a Pattern>) -> usize {
        let keys = TargetKey::Direct(conn, SubTag(0))..=TargetKey::Direct(conn, SubTag(u32::MAX));
        self.remove(patterns.into_iter(), &keys)
    }

    /// Binds a queue to a pattern, or replaces its binding there. `flags`: the highest quality of
    /// service in the low two bits, the rest is the binder's; see [`crate::merge_flags`]. `no_local`: what the
    /// queue's own client publishes is not for it. `filter`: which messages it takes. True where the
    /// binding was not there before.
    pub fn bind(
        &self,
        pattern: &Pattern,
        id: QueueId,
        queue: Q,
        flags: u8,
        no_local: bool,
        filter: Option<Arc<Filter>>,
    ) -> bool {
        self.put(pattern, Target::Bound { queue, id, flags, no_local }.choosing(filter))
    }

    /// Removes a binding. False where it was not there.
    pub fn unbind(&self, pattern: &Pattern, id: QueueId) -> bool {
        self.unbind_all(std::iter::once(pattern), id) > 0
    }

    /// Removes a queue's bindings to these patterns, under one lock. Returns how many there were.
    pub fn unbind_all<'a>(&self, patterns: impl IntoIterator<Item = &'a Pattern>, id: QueueId) -> usize {
        let key = TargetKey::Bound(id);
        self.remove(patterns.into_iter(), &(key..=key))
    }

    /// The queue of this name.
    pub fn queue(&self, name: &str) -> Option<(QueueId, Q)> {
        self.table.lock().names.get(name).cloned()
    }

    /// Names a queue, so that what is sent to `queue://name` reaches it. Of two that define one name at
    /// once the first wins, and the other gets its queue.
    pub fn define_queue(&self, name: &ByteString, id: QueueId, queue: Q) -> Result<(), (QueueId, Q)> {
        let mut table = self.table.lock();
        if let Some(first) = table.names.get(name) {
            return Err(first.clone());
        }
        table.names.insert(name.clone(), (id, queue));
        self.changed(&mut table, Pattern::exact(Kind::Queue, name.clone()));
        Ok(())
    }

    /// Removes a queue's name. Its bindings, if it has any, are removed by [`Router::unbind_all`].
    pub fn undefine_queue(&self, name: &str) -> Option<(QueueId, Q)> {
        let mut table = self.table.lock();
        let (name, gone) = table.names.remove(name)?;
        self.changed(&mut table, Pattern::exact(Kind::Queue, name));
        Some(gone)
    }

    /// Names and queues that `keep` chooses by their name. Holds the lock for the whole table: for
    /// administration and wildcard consumers, not for messages.
    pub fn queues(&self, mut keep: impl FnMut(&str) -> bool) -> Vec<(ByteString, QueueId, Q)> {
        let table = self.table.lock();
        let kept = table.names.iter().filter(|(name, _)| keep(name));
        kept.map(|(name, (id, queue))| (name.clone(), *id, queue.clone())).collect()
    }

    /// Number of named queues.
    pub fn queue_count(&self) -> usize {
        self.table.lock().names.len()
    }

    /// Subscriptions and bindings. One whose client takes what can be lost beside a queue counts once.
    pub fn subscription_count(&self) -> usize {
        self.table.lock().subscriptions
    }

    /// Whoever holds a route to what a pattern matches is to look it up again.
    pub fn touch(&self, pattern: &Pattern) {
        let mut table = self.table.lock();
        self.changed(&mut table, pattern.clone());
    }

    /// Drops cached routes that are out of date, and with them what they alone keep alive: outboxes of
    /// closed connections, deleted queues. To be called now and then.
    pub fn sweep(&self) {
        self.cache.sweep(self.generation());
    }

    /// Looks at all that stands at patterns of a kind, under the lock.
    pub(super) fn with_trie(&self, kind: Kind, look: impl FnOnce(&Trie<Target<Q>>)) {
        look(self.table.lock().trie(kind));
    }

    fn put(&self, pattern: &Pattern, target: Target<Q>) -> bool {
        let mut table = self.table.lock();
        table.subscriptions += usize::from(target.is_subscription());
        let replaced = table.trie_mut(pattern.kind()).insert(pattern, target);
        table.subscriptions -= usize::from(replaced.as_ref().is_some_and(Target::is_subscription));
        self.changed(&mut table, pattern.clone());
        drop(table);
        replaced.is_none()
    }

    fn remove<'a>(
        &self,
        patterns: impl Iterator<Item = &'a Pattern>,
        keys: &RangeInclusive<TargetKey>,
    ) -> usize {
        self.take_out(patterns, keys).0
    }

    /// How many were removed, and how many of them stood for subscriptions by themselves.
    fn take_out<'a>(
        &self,
        patterns: impl Iterator<Item = &'a Pattern>,
        keys: &RangeInclusive<TargetKey>,
    ) -> (usize, usize) {
        let mut gone = Vec::new();
        let mut table = self.table.lock();
        for pattern in patterns {
            let before = gone.len();
            table.trie_mut(pattern.kind()).remove(pattern, keys, &mut gone);
            if gone.len() > before {
                self.changed(&mut table, pattern.clone());
            }
        }
        let subscriptions = gone.iter().filter(|target| target.is_subscription()).count();
        table.subscriptions -= subscriptions;
        // The last reference to a queue or an outbox may be among them: it goes without the lock.
        drop(table);
        (gone.len(), subscriptions)
    }

    fn changed(&self, table: &mut Table<Q>, pattern: Pattern) {
        table.generation += 1;
        if table.changes.len() == CHANGES_MAX {
            table.changes.pop_front();
        }
        table.changes.push_back(pattern);
        self.generation.store(table.generation, Ordering::Release);
    }
}

impl<Q: Clone> Table<Q> {
    fn trie(&self, kind: Kind) -> &Trie<Target<Q>> {
        match kind {
            Kind::Queue => &self.queues,
            Kind::Topic => &self.topics,
        }
    }

    fn trie_mut(&mut self, kind: Kind) -> &mut Trie<Target<Q>> {
        match kind {
            Kind::Queue => &mut self.queues,
            Kind::Topic => &mut self.topics,
        }
    }

    fn is_untouched_since(&self, generation: u64, route: &Route<Q>) -> bool {
        let concerns = |pattern: &Pattern| {
            pattern.matches_address(&route.address)
                || route.via.iter().any(|address| pattern.matches_address(address))
        };
        let missed = self.generation.saturating_sub(generation);
        missed <= self.changes.len() as u64 && !self.changes.iter().rev().take(missed as usize).any(concerns)
    }

    fn resolve(&self, address: &Arc<Address>) -> Route<Q> {
        let mut found = Found { subs: Vec::new(), members: Vec::new(), queues: Vec::new() };
        let via = self.reach(address, &mut found);
        let Found { subs, members, queues } = found;
        let (direct, shares) = (merge_subs(subs), Share::among(members));
        Route::new(Arc::clone(address), direct, shares, merge_queues(queues), via, self.generation)
    }

    /// Whatever stands at one destination itself, as far as a filter chooses.
    pub(super) fn find<'a>(
        &'a self,
        address: &Address,
        filter: Option<&Arc<Filter>>,
        found: &mut Found<'a, Q>,
    ) {
        if address.kind == Kind::Queue
            && let Some((id, queue)) = self.names.get(&address.name)
        {
            found.queues.push(Bound {
                id: *id,
                queue: queue.clone(),
                flags: EVERY_QOS,
                own_flags: Some(EVERY_QOS),
                choices: choices(EVERY_QOS, false, filter),
            });
        }
        self.trie(address.kind).for_each_match(&address.name, |target| found.add(target, filter));
    }
}

/// What matches a name, before what belongs together is merged.
pub(super) struct Found<'a, Q> {
    subs: Vec<(&'a Arc<Outbox>, DirectSub)>,
    members: Vec<share::Found>,
    queues: Vec<Bound<Q>>,
}

impl<'a, Q: Clone> Found<'a, Q> {
    fn add(&mut self, target: &'a Target<Q>, filter: Option<&Arc<Filter>>) {
        match target {
            Target::Direct { outbox, sub, options } => {
                let no_local = options & NO_LOCAL != 0;
                let qos0_only = options & QOS0_ONLY != 0;
                let filter = filter.cloned();
                self.subs.push((outbox, DirectSub { sub: *sub, no_local, qos0_only, filter }));
            }
            Target::Member(member) => self.members.push(((**member).clone(), filter.cloned())),
            Target::Bound { queue, id, flags, no_local } => {
                let (flags, no_local) = (*flags, *no_local);
                let own_flags = (!no_local).then_some(flags);
                let choices = choices(flags, no_local, filter);
                self.queues.push(Bound { id: *id, queue: queue.clone(), flags, own_flags, choices });
            }
            Target::Choosy(inner) => self.add(&inner.0, Some(&inner.1.and(filter))),
        }
    }
}

fn choices(flags: u8, no_local: bool, filter: Option<&Arc<Filter>>) -> Option<Box<[Choice]>> {
    let filter = Some(Arc::clone(filter?));
    Some(Box::from([Choice { flags, no_local, filter }]))
}

/// One target for each connection, with all its subscriptions.
fn merge_subs(mut subs: Vec<(&Arc<Outbox>, DirectSub)>) -> Vec<DirectTarget> {
    subs.sort_by_key(|(outbox, sub)| (outbox.conn, sub.sub));
    let mut targets: Vec<DirectTarget> = Vec::with_capacity(subs.len());
    for (outbox, sub) in subs {
        match targets.last_mut() {
            Some(last) if last.outbox.conn == outbox.conn => match last.subs.last_mut() {
                // One tag under two patterns that match: what either takes is taken.
                Some(same) if same.sub == sub.sub && same.filter == sub.filter => {
                    same.no_local &= sub.no_local;
                    same.qos0_only &= sub.qos0_only;
                }
                _ => last.subs.push(sub),
            },
            _ => targets
                .push(DirectTarget { outbox: Arc::clone(outbox), subs: std::iter::once(sub).collect() }),
        }
    }
    targets
}

/// One entry for each queue, of all its bindings.
fn merge_queues<Q>(mut queues: Vec<Bound<Q>>) -> Vec<Bound<Q>> {
    queues.sort_by_key(|bound| bound.id);
    queues.dedup_by(|next, kept| {
        let same = next.id == kept.id;
        if same {
            kept.merge(next);
        }
        same
    });
    queues
}

#[cfg(test)]
mod tests;
