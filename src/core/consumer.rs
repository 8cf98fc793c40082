//! Who takes messages from a queue, and whose turn it is.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytestring::ByteString;
use slab::Slab;
use smallvec::SmallVec;
use wharfmq_base::Millis;

use crate::queue::InFlight;
use crate::{ConsumerKey, CoreEvent, Delivery, Entry, Filter, Outbox, SubTag, limits};

/// How much a consumer may be given. Both are spent by a delivery; at 0 of either dispatch stops.
///
/// A message larger than the bytes that are left still goes as long as some are left; the consumer then
/// stands below zero and has to be granted what is missing before it gets another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// Number of messages.
    pub messages: u32,
    /// Their bytes, by [`Entry::size`].
    pub bytes: u32,
}

/// What a consumer asks for.
#[derive(Clone, Debug)]
pub struct ConsumeSpec {
    /// The adapter's number for it, in every delivery.
    pub sub: SubTag,
    /// What it may be given at once; more comes with [`crate::Queue::grant`].
    pub credit: Credit,
    /// Consumers of a higher priority are served first as long as they have credit.
    pub priority: i8,
    /// One exclusive consumer of a queue gets everything while it is there: of the highest priority the
    /// first.
    pub exclusive: bool,
    /// Whether its failed deliveries count towards `max_deliveries`. False for MQTT sessions.
    pub count_deliveries: bool,
    /// Which messages it takes; `None` for all.
    pub filter: Option<Arc<Filter>>,
    /// How long it may hold a delivery unsettled; 0 for as long as the queue's policy says.
    pub lock: Millis,
    /// Credit that it shares with consumers of other queues, beside its own.
    pub pool: Option<Arc<CreditPool>>,
    /// Who it is, for the notes of dead letters.
    pub who: ByteString,
}

impl ConsumeSpec {
    /// A consumer with nothing special.
    pub const fn plain(sub: SubTag, credit: Credit) -> Self {
        Self {
            sub,
            credit,
            priority: 0,
            exclusive: false,
            count_deliveries: true,
            filter: None,
            lock: Millis(0),
            pool: None,
            who: ByteString::new(),
        }
    }
}

/// What a consumer asked for, for others to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Which messages it takes; `None` for all.
    pub filter: Option<Arc<Filter>>,
    /// [`ConsumeSpec::exclusive`].
    pub exclusive: bool,
    /// [`ConsumeSpec::priority`].
    pub priority: i8,
}

impl Asked {
    /// What is asked for with this.
    pub fn of(spec: &ConsumeSpec) -> Self {
        Self { filter: spec.filter.clone(), exclusive: spec.exclusive, priority: spec.priority }
    }
}

/// Messages that several consumers may be given together, such as those of one subscription to many
/// queues.
#[derive(Debug)]
pub struct CreditPool {
    messages: AtomicI64,
}

impl CreditPool {
    /// A pool of so many messages.
    pub fn new(messages: u32) -> Arc<Self> {
        Arc::new(Self { messages: AtomicI64::new(messages.into()) })
    }

    /// Adds to it. The queues that wait for it have to be granted something afterwards, if nothing else.
    pub fn put(&self, messages: u32) {
        self.messages.fetch_add(messages.into(), Ordering::Relaxed);
    }

    /// Takes back what nobody has drawn yet, up to so many messages.
    pub fn take_back(&self, messages: u32) {
        let _taken = self.messages.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left > 0).then_some(left - left.min(messages.into()))
        });
    }

    /// Takes one message's worth out; false where there is none.
    pub(crate) fn take(&self) -> bool {
        let take = |left: i64| (left > 0).then_some(left - 1);
        self.messages.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// Why a queue did not take a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachError {
    /// It has [`limits::CONSUMERS_PER_QUEUE_MAX`].
    TooManyConsumers,
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the queue has {} consumers, which is the limit", limits::CONSUMERS_PER_QUEUE_MAX)
    }
}

impl std::error::Error for AttachError {}

/// A consumer as its queue sees it.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) sub: SubTag,
    pub(crate) generation: u32,
    pub(crate) exclusive: bool,
    pub(crate) count_deliveries: bool,
    pub(crate) who: ByteString,
    pub(crate) in_flight: InFlight,
    /// How long it may hold a delivery; 0 without end.
    pub(crate) lock: Millis,
    /// Its number among the queue's feeds, where the queue has them.
    pub(crate) feed: u32,
    pub(crate) filter: Option<Arc<Filter>>,
    pool: Option<Arc<CreditPool>>,
    /// Nothing that waits is for it. It stands aside until something may be.
    starved: bool,
    /// When it was given something last, in turns of the roster.
    served: u64,
    priority: i8,
    /// Stands in the ring of its level. Holds exactly for the ready ones that are not exclusive.
    ringed: bool,
    messages: u64,
    bytes: i64,
    /// Deliveries that wait for [`Roster::push_deliveries`].
    pending: Vec<CoreEvent>,
}

impl Consumer {
    /// What others may know of it.
    pub(crate) fn asked(&self) -> Asked {
        Asked { filter: self.filter.clone(), exclusive: self.exclusive, priority: self.priority }
    }

    /// Whether it can be given a message.
    fn is_ready(&self) -> bool {
        self.messages > 0
            && self.bytes > 0
            && !self.starved
            && self.in_flight.len() < limits::UNACKED_PER_CONSUMER_MAX
    }

    /// Whether it takes only part of the messages or shares its credit.
    pub(crate) const fn is_choosy(&self) -> bool {
        self.filter.is_some() || self.pool.is_some()
    }

    fn grant(&mut self, credit: Credit) {
        self.messages = self.messages.saturating_add(u64::from(credit.messages));
        self.bytes = self.bytes.saturating_add(i64::from(credit.bytes));
    }

    #[inline]
    fn give(&mut self, entry: Entry, first_of_group: bool, now: Millis) -> Option<Lock> {
        debug_assert!(entry.message.is_some(), "what is paged out cannot be given to anybody");
        let message = entry.message.clone()?;
        self.messages -= 1;
        self.bytes = self.bytes.saturating_sub(i64::from(entry.size));
        let (deliveries, flags) = (entry.deliveries, entry.flags);
        let tag = self.in_flight.push(entry);
        let sub = self.sub;
        self.pending.push(CoreEvent::Deliver(Delivery {
            sub,
            tag,
            message,
            deliveries,
            flags,
            first_of_group,
        }));
        (self.lock != Millis(0)).then(|| Lock { until: now.plus(self.lock), tag })
    }
}

/// Until when a delivery may be held.
pub(crate) struct Lock {
    pub(crate) until: Millis,
    pub(crate) tag: u64,
}

/// The consumers of one queue.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    slab: Slab<Consumer>,
    generation: u32,
    /// Messages given out so far.
    turns: u64,
    /// Highest priority first.
    levels: Vec<Level>,
    /// The highest priority first, then in the order they came; only the first is served.
    exclusive: VecDeque<u32>,
    /// Those with pending deliveries.
    touched: Vec<u32>,
}

/// The consumers of one priority.
#[derive(Debug)]
struct Level {
    priority: i8,
    members: usize,
    /// Those that can be given a message, whose turn it is in front.
    ring: VecDeque<u32>,
}

impl Roster {
    pub(crate) fn attach(
        &mut self,
        outbox: Arc<Outbox>,
        spec: ConsumeSpec,
    ) -> Result<ConsumerKey, AttachError> {
        if self.slab.len() >= limits::CONSUMERS_PER_QUEUE_MAX {
            return Err(AttachError::TooManyConsumers);
        }
        self.generation = self.generation.wrapping_add(1);
        let mut consumer = Consumer {
            outbox,
            sub: spec.sub,
            generation: self.generation,
            exclusive: spec.exclusive,
            count_deliveries: spec.count_deliveries,
            who: spec.who,
            in_flight: InFlight::default(),
            lock: spec.lock,
            feed: 0,
            filter: spec.filter,
            pool: spec.pool,
            starved: false,
            served: 0,
            priority: spec.priority,
            ringed: false,
            messages: 0,
            bytes: 0,
            pending: Vec::new(),
        };
        consumer.grant(spec.credit);
        let slot = self.slab.insert(consumer) as u32;
        if spec.exclusive {
            let before =
                |other: &&u32| self.in_slot(**other).is_some_and(|other| other.priority >= spec.priority);
            let at = self.exclusive.iter().take_while(before).count();
            self.exclusive.insert(at, slot);
        } else {
            self.join_level(spec.priority);
        }
        self.refresh(slot);
        Ok(ConsumerKey { slot, generation: self.generation })
    }

    /// Takes a consumer out, with what it holds.
    pub(crate) fn detach(&mut self, key: ConsumerKey) -> Option<Consumer> {
        self.get(key)?;
        let consumer = self.slab.remove(key.slot as usize);
        self.touched.retain(|&slot| slot != key.slot);
        if consumer.exclusive {
            self.exclusive.retain(|&slot| slot != key.slot);
        } else {
            self.leave_level(&consumer, key.slot);
        }
        Some(consumer)
    }

    pub(crate) fn grant(&mut self, key: ConsumerKey, credit: Credit) -> bool {
        let Some(consumer) = self.get_mut(key) else { return false };
        consumer.grant(credit);
        consumer.starved = false;
        self.refresh(key.slot);
        true
    }

    pub(crate) fn withdraw(&mut self, key: ConsumerKey, messages: u32) -> u32 {
        let Some(consumer) = self.get_mut(key) else { return 0 };
        let taken = consumer.messages.min(messages.into());
        consumer.messages -= taken;
        if consumer.messages == 0 && std::mem::take(&mut consumer.ringed) {
            // It has no turn any more.
            let priority = consumer.priority;
            if let Some(level) = self.levels.iter_mut().find(|level| level.priority == priority) {
                level.ring.retain(|&other| other != key.slot);
            }
        }
        taken as u32
    }

    /// Whose turn it is.
    pub(crate) fn next(&self) -> Option<u32> {
        if let Some(&slot) = self.exclusive.front() {
            return self.slab.get(slot as usize).filter(|consumer| consumer.is_ready()).map(|_| slot);
        }
        self.levels.iter().find_map(|level| level.ring.front().copied())
    }

    /// Gives `entry` to the consumer that [`Roster::next`] named, and passes the turn on.
    #[inline]
    pub(crate) fn give(
        &mut self,
        slot: u32,
        entry: Entry,
        first_of_group: bool,
        now: Millis,
    ) -> Option<Lock> {
        let consumer = self.slab.get_mut(slot as usize)?;
        self.turns += 1;
        consumer.served = self.turns;
        if consumer.pending.is_empty() {
            self.touched.push(slot);
        }
        let lock = consumer.give(entry, first_of_group, now);
        Self::pass_turn(&mut self.levels, consumer, slot);
        lock
    }

    /// The consumer that [`Roster::next`] named has had its turn.
    fn pass_turn(levels: &mut [Level], consumer: &mut Consumer, slot: u32) {
        if consumer.exclusive {
            return;
        }
        let (ready, priority) = (consumer.is_ready(), consumer.priority);
        consumer.ringed = ready;
        let Some(level) = levels.iter_mut().find(|level| level.priority == priority) else { return };
        debug_assert_eq!(level.ring.front(), Some(&slot), "only the first in the ring has its turn");
        if !ready {
            level.ring.pop_front();
        } else if level.ring.len() > 1 {
            level.ring.rotate_left(1);
        }
    }

    /// Puts a consumer behind all others of its priority.
    pub(crate) fn stand_back(&mut self, slot: u32) {
        let Some(consumer) = self.slab.get(slot as usize).filter(|consumer| consumer.ringed) else { return };
        let priority = consumer.priority;
        if let Some(level) = self.levels.iter_mut().find(|level| level.priority == priority) {
            level.ring.retain(|&other| other != slot);
            level.ring.push_back(slot);
        }
    }

    /// Takes a message's worth out of the pool of the consumer that [`Roster::next`] named; true where
    /// it has none.
    pub(crate) fn draw(&self, slot: u32) -> bool {
        let pool = self.slab.get(slot as usize).and_then(|consumer| consumer.pool.as_ref());
        pool.is_none_or(|pool| pool.take())
    }

    /// The consumer that [`Roster::next`] named finds nothing: it stands aside until it is woken.
    pub(crate) fn starve(&mut self, slot: u32) {
        if let Some(consumer) = self.slab.get_mut(slot as usize) {
            consumer.starved = true;
            Self::pass_turn(&mut self.levels, consumer, slot);
        }
    }

    /// Something may be there for a consumer that stood aside.
    pub(crate) fn wake(&mut self, slot: u32) {
        let Some(consumer) = self.slab.get_mut(slot as usize) else { return };
        if std::mem::take(&mut consumer.starved) {
            self.refresh(slot);
        }
    }

    /// Something may be there for some of these. Who has waited longest for a message is first.
    pub(crate) fn wake_those(&mut self, slots: impl Iterator<Item = u32>) {
        let served = |slot| self.in_slot(slot).filter(|consumer| consumer.starved).map(|of| of.served);
        let mut starved: SmallVec<[(u64, u32); 8]> =
            slots.filter_map(|slot| Some((served(slot)?, slot))).collect();
        starved.sort_unstable();
        starved.into_iter().for_each(|(_, slot)| self.wake(slot));
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&mut self) {
        let all: Vec<u32> = self.slab.iter().map(|(slot, _)| slot as u32).collect();
        self.wake_those(all.into_iter());
    }

    /// The consumer in this slot.
    pub(crate) fn in_slot(&self, slot: u32) -> Option<&Consumer> {
        self.slab.get(slot as usize)
    }

    /// The consumer in this slot.
    pub(crate) fn in_slot_mut(&mut self, slot: u32) -> Option<&mut Consumer> {
        self.slab.get_mut(slot as usize)
    }

    /// Whether some consumer takes only part of the messages or shares its credit.
    pub(crate) fn is_choosy(&self) -> bool {
        self.slab.iter().any(|(_, consumer)| consumer.is_choosy())
    }

    /// Hands the pending deliveries over: one push per consumer.
    pub(crate) fn push_deliveries(&mut self) {
        for slot in self.touched.drain(..) {
            let Some(consumer) = self.slab.get_mut(slot as usize) else { continue };
            consumer.outbox.push_all(consumer.pending.drain(..));
        }
    }

    /// Puts a consumer that has become ready back into its ring.
    pub(crate) fn refresh(&mut self, slot: u32) {
        let Some(consumer) = self.slab.get_mut(slot as usize) else { return };
        if consumer.exclusive || consumer.ringed || !consumer.is_ready() {
            return;
        }
        consumer.ringed = true;
        let priority = consumer.priority;
        if let Some(level) = self.levels.iter_mut().find(|level| level.priority == priority) {
            level.ring.push_back(slot);
        }
    }

    pub(crate) fn get(&self, key: ConsumerKey) -> Option<&Consumer> {
        self.slab.get(key.slot as usize).filter(|consumer| consumer.generation == key.generation)
    }

    pub(crate) fn get_mut(&mut self, key: ConsumerKey) -> Option<&mut Consumer> {
        self.slab.get_mut(key.slot as usize).filter(|consumer| consumer.generation == key.generation)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConsumerKey, &Consumer)> {
        self.slab.iter().map(|(slot, consumer)| {
            (ConsumerKey { slot: slot as u32, generation: consumer.generation }, consumer)
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Consumer> {
        self.slab.iter_mut().map(|(_, consumer)| consumer)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Gives spare capacity back.
    pub(crate) fn trim(&mut self) {
        self.touched.shrink_to_fit();
        for (_, consumer) in &mut self.slab {
            consumer.pending.shrink_to_fit();
            consumer.in_flight.trim();
        }
    }

    fn join_level(&mut self, priority: i8) {
        match self.levels.binary_search_by(|level| priority.cmp(&level.priority)) {
            Ok(at) => self.levels[at].members += 1,
            Err(at) => self.levels.insert(at, Level { priority, members: 1, ring: VecDeque::new() }),
        }
    }

    fn leave_level(&mut self, consumer: &Consumer, slot: u32) {
        let Some(at) = self.levels.iter().position(|level| level.priority == consumer.priority) else {
            return;
        };
        let level = &mut self.levels[at];
        level.members -= 1;
        if consumer.ringed {
            level.ring.retain(|&other| other != slot);
        }
        if level.members == 0 {
            self.levels.remove(at);
        }
    }

    /// Asserts what must always hold.
    pub(crate) fn check(&self) {
        assert!(self.levels.is_sorted_by(|a, b| a.priority > b.priority));
        let shared = self.slab.iter().filter(|(_, consumer)| !consumer.exclusive).count();
        assert_eq!(shared, self.levels.iter().map(|level| level.members).sum::<usize>());
        assert_eq!(self.slab.len() - shared, self.exclusive.len());
        let mut ringed = 0;
        for (slot, consumer) in &self.slab {
            consumer.in_flight.check();
            assert_eq!(consumer.ringed, consumer.is_ready() && !consumer.exclusive);
            ringed += usize::from(consumer.ringed);
            let touched = self.touched.iter().filter(|&&other| other as usize == slot).count();
            assert_eq!(touched, usize::from(!consumer.pending.is_empty()));
        }
        assert_eq!(ringed, self.levels.iter().map(|level| level.ring.len()).sum::<usize>());
    }
}
