//! From the log back to queues: the checkpoint, then every record after it.
//!
//! A message is live if the checkpoint names it or its record lies behind the checkpoint, and no later
//! record settles it. Orders are given out once, so it does not matter in which sequence a settle and a
//! copy of its message are met; only that a compaction's copy never makes a message live by itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{Location, Lsn, Millis};
use wharfmq_core::record::{
    Bind, CheckpointReader, Class, Define, IndexEntry, NextIds, Record, RecordError, SEEN_KEY, Section,
    State, StoredMessage, StoredTerms,
};
use wharfmq_core::{Arrival, Entry, Kept, Order, Pattern, QueueCell, QueueId, record};
use wharfmq_store::{RecoverError, Visitor};

use super::Broker;
use super::bindings::Kept as KeptBinding;

/// What is being gathered.
#[derive(Default)]
pub(super) struct Rebuild {
    upto: Lsn,
    next: NextIds,
    queues: BTreeMap<QueueId, Content>,
    retained: Content,
    topics: HashMap<Order, ByteString, RandomState>,
    /// When messages are due that were to be delivered later.
    due: HashMap<Order, Millis, RandomState>,
    /// The latest message that cleared each topic.
    cleared: HashMap<ByteString, Order, RandomState>,
}

/// What is known of one queue.
#[derive(Default)]
struct Content {
    define: Option<(Class, ByteString)>,
    bindings: Vec<KeptBinding>,
    states: BTreeMap<Bytes, Bytes>,
    /// Runs of the orders that the checkpoint names, ascending.
    live: Vec<(Order, Order)>,
    counts: HashMap<Order, u8, RandomState>,
    /// Messages that were in the queue, at every place where they were met.
    found: Vec<Entry>,
    /// Copies by compaction, which prove nothing.
    copies: Vec<Entry>,
    settled: HashSet<Order, RandomState>,
    purged: Order,
    /// Identities of messages, with the time until which they are remembered.
    seen: Vec<(ByteString, Millis)>,
    /// The same, with the time when their messages came.
    came: Vec<(ByteString, Millis)>,
}

impl Visitor for Rebuild {
    fn checkpoint(&mut self, body: &[u8], upto: Lsn) -> Result<(), RecoverError> {
        self.upto = upto;
        for section in CheckpointReader::new(body).map_err(meaning)? {
            match section.map_err(meaning)? {
                Section::Next(next) => self.next = next,
                Section::Define(define) => self.define(&define),
                Section::Bind(bind) => self.bind(&bind)?,
                Section::State(state) if state.key.starts_with(SEEN_KEY) => self.saw(&state)?,
                Section::State(state) => self.remember(&state),
                Section::Live(live) => {
                    let content = self.content(live.queue);
                    content.live.extend(live.runs());
                }
                Section::Counted(counted) => self.count(&counted),
            }
        }
        for content in self.queues.values_mut().chain([&mut self.retained]) {
            content.live.sort_unstable();
        }
        Ok(())
    }

    fn index(&mut self, at: Location, entry: &[u8]) -> Result<(), RecoverError> {
        let index = IndexEntry::decode(entry).map_err(meaning)?;
        for (queue, flags) in index.queues.iter() {
            let (size, expires, priority) = (index.size, index.expires, index.priority);
            let entry = entry_at(index.order, at, size, expires, priority, flags, index.terms);
            if !self.found_covered(queue, entry) {
                continue;
            }
            if queue == record::RETAINED
                && let Some((_, topic)) = index.address
            {
                self.topics.insert(index.order, topic.into());
            }
            self.note_due(index.order, index.terms);
        }
        Ok(())
    }

    fn record(&mut self, lsn: Lsn, at: Location, kind: u8, payload: &[u8]) -> Result<(), RecoverError> {
        let record = Record::decode(kind, payload).map_err(meaning)?;
        match (record, lsn > self.upto) {
            (Record::Message(stored), later) => self.message(&stored, at, later, true),
            (Record::Relocate(stored), later) => self.message(&stored, at, later, false),
            (_, false) => {}
            (Record::Settle(settle), true) => {
                let content = self.content(settle.queue);
                for (first, last) in settle.runs() {
                    content.settled.extend((first.0..=last.0).map(Order));
                }
            }
            (Record::Counted(counted), true) => self.count(&counted),
            (Record::Define(define), true) => self.define(&define),
            (Record::Undefine(queue), true) => {
                self.queues.remove(&queue);
                self.next.queue = self.next.queue.max(QueueId(queue.0 + 1));
            }
            (Record::Bind(bind), true) => self.bind(&bind)?,
            (Record::Unbind(unbind), true) => {
                let content = self.content(unbind.queue);
                let gone =
                    |pattern: &Pattern| pattern.kind() == unbind.kind && pattern.text() == unbind.pattern;
                content.bindings.retain(|binding| !gone(binding.pattern()));
            }
            (Record::State(state), true) => self.remember(&state),
            (Record::Purge(queue, upto), true) => {
                let content = self.content(queue);
                content.purged = content.purged.max(upto);
            }
        }
        Ok(())
    }
}

impl Rebuild {
    fn content(&mut self, queue: QueueId) -> &mut Content {
        if queue == record::RETAINED { &mut self.retained } else { self.queues.entry(queue).or_default() }
    }

    fn define(&mut self, define: &Define<'_>) {
        self.next.queue = self.next.queue.max(QueueId(define.queue.0 + 1));
        self.content(define.queue).define = Some((define.class, define.name.into()));
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Result<(), RecoverError> {
        let pattern = Pattern::parse(bind.kind, bind.pattern)
            .map_err(|error| RecoverError::Meaning(error.to_string()))?;
        let bindings = &mut self.content(bind.queue).bindings;
        bindings.retain(|known| *known.pattern() != pattern);
        bindings.push(KeptBinding::from_wire(pattern, bind));
        Ok(())
    }

    fn remember(&mut self, state: &State<'_>) {
        let states = &mut self.content(state.owner).states;
        match state.value {
            Some(value) => states.insert(Bytes::copy_from_slice(state.key), Bytes::copy_from_slice(value)),
            None => states.remove(state.key),
        };
    }

    /// A piece of what a queue has seen.
    fn saw(&mut self, state: &State<'_>) -> Result<(), RecoverError> {
        let seen = record::decode_seen(state.value.unwrap_or_default()).map_err(meaning)?;
        self.content(state.owner).seen.extend(seen);
        Ok(())
    }

    fn note_due(&mut self, order: Order, terms: Option<StoredTerms<'_>>) {
        if let Some(terms) = terms.filter(|terms| terms.due > Millis(0)) {
            self.due.insert(order, terms.due);
        }
    }

    fn count(&mut self, counted: &record::Counted<'_>) {
        let content = self.content(counted.queue);
        content.counts.extend(counted.iter());
    }

    /// A record that the checkpoint covers: live if the checkpoint says so.
    fn found_covered(&mut self, queue: QueueId, entry: Entry) -> bool {
        let content = self.content(queue);
        let live = content.is_named(entry.order);
        if live {
            content.found.push(entry);
        }
        live
    }

    fn message(&mut self, stored: &StoredMessage<'_>, at: Location, later: bool, original: bool) {
        let after = stored.order.0.max(stored.id.0) + 1;
        self.next.order = self.next.order.max(Order(after));
        for (queue, flags) in stored.queues.iter() {
            if queue == record::RETAINED && stored.body.is_empty() {
                let latest = self.cleared.entry(stored.name.into()).or_default();
                *latest = stored.order.max(*latest);
                continue;
            }
            let (size, expires, priority) = (stored.size(), stored.expires, stored.priority);
            let entry = entry_at(stored.order, at, size, expires, priority, flags, stored.terms);
            if !later {
                self.found_covered(queue, entry);
            } else {
                let content = self.content(queue);
                let proven = original || content.is_named(stored.order);
                if proven { &mut content.found } else { &mut content.copies }.push(entry);
                if original && let Some(terms) = stored.terms.filter(|terms| !terms.dedup.is_empty()) {
                    content.came.push((terms.dedup.into(), stored.received));
                }
            }
            self.note_due(stored.order, stored.terms);
            if queue == record::RETAINED {
                self.topics.insert(stored.order, stored.name.into());
            }
        }
    }

    /// Makes the queues of a broker that has none yet. Answers the number of messages.
    pub(super) fn build(mut self, broker: &Arc<Broker>) -> u64 {
        broker.ids.skip_to(self.next.order.0.max(self.next.message.0).max(1));
        let next_queue = self.next.queue.0.max(1);
        broker.queue_ids.store(next_queue, std::sync::atomic::Ordering::Relaxed);
        let wall = broker.now().wall;
        let mut messages = 0;
        let mut adrift = Vec::new();
        for (id, mut content) in std::mem::take(&mut self.queues) {
            let Some((class, name)) = content.define.take() else { continue };
            let bound = content.bindings.first().map(KeptBinding::pattern);
            let policy = broker.policy(class, &name, true, bound);
            let cell = QueueCell::new(id, class, name.clone(), policy);
            if broker.queues.find_or_insert(class, &name, || Arc::clone(&cell)).is_none() {
                continue;
            }
            if class == Class::Queue {
                let _ = broker.router.define_queue(&name, id, Arc::clone(&cell));
                broker.bind_virtual(&cell);
            }
            for binding in std::mem::take(&mut content.bindings) {
                broker.restore_binding(&cell, binding);
            }
            for (key, value) in std::mem::take(&mut content.states) {
                broker.states.set(id, key, Some(value));
            }
            content.restore_seen(&cell, wall);
            let mut entries = content.into_entries();
            self.limit_life(&mut entries, cell.policy.expiry, wall);
            if class == Class::Shared {
                broker.group_by_topic(&mut entries);
            }
            messages += entries.len() as u64;
            hold(broker, &entries);
            self.fill(broker, &cell, entries, wall);
            if broker.schedule_expiry(&cell, wall) {
                adrift.push(id);
            }
        }
        broker.note_left(&adrift, wall);
        broker.recover_producers(&mut self.retained.states, wall);
        broker.recover_wills(std::mem::take(&mut self.retained.states), wall);
        self.build_retained(broker);
        broker.recover_prepared();
        messages
    }

    /// What a queue bound the life of is known with the sender's own word only: the queue's begins anew.
    fn limit_life(&self, entries: &mut [Entry], limit: Millis, now: Millis) {
        if limit == Millis::NEVER {
            return;
        }
        for entry in entries {
            let due = self.due.get(&entry.order).copied().unwrap_or_default();
            entry.expires = entry.expires.min(now.max(due).plus(limit));
        }
    }

    /// Gives a queue its messages. What became due meanwhile is as any other.
    fn fill(&self, broker: &Broker, cell: &Arc<QueueCell>, entries: Vec<Entry>, wall: Millis) {
        if self.due.is_empty() && cell.policy.last_value.is_none() {
            let arrivals = entries.into_iter().map(Arrival::from);
            broker.run(cell, |queue, fx| queue.enqueue(arrivals, wall, fx));
            return;
        }
        let keys = broker.keys_of(cell, &entries);
        let keys = keys.into_iter().chain(std::iter::repeat(None));
        let arrivals = entries.into_iter().zip(keys).map(|(entry, key)| {
            let due = self.due.get(&entry.order).copied().unwrap_or_default();
            Arrival::from(entry).due(due).key(key)
        });
        broker.run(cell, |queue, fx| queue.enqueue(arrivals, wall, fx));
    }

    fn build_retained(mut self, broker: &Broker) {
        let mut entries = std::mem::take(&mut self.retained).into_entries();
        // A topic's latest record stands for all before it, whether it sets a value or clears it.
        for entry in &entries {
            if let Some(topic) = self.topics.get(&entry.order) {
                let latest = self.cleared.entry(topic.clone()).or_default();
                *latest = entry.order.max(*latest);
            }
        }
        let (topics, latest) = (&self.topics, &self.cleared);
        let is_latest = |order: &Order| topics.get(order).and_then(|topic| latest.get(topic)) == Some(order);
        entries.retain(|entry| is_latest(&entry.order));
        hold(broker, &entries);
        for entry in entries {
            let Some(topic) = self.topics.remove(&entry.order) else { continue };
            let Some(message) = broker.read_one(entry.at) else {
                broker.counters.lost_on_read(1);
                tracing::error!(%topic, segment = entry.at.segment, "a retained message cannot be read");
                broker.log.release(entry.at.segment, 1, u64::from(entry.size));
                continue;
            };
            let Entry { order, at, size, expires, .. } = entry;
            let kept = Kept { order, message: Some(message), at, size, expires };
            if let Some(gone) = broker.retained.store.lock().set(topic, kept) {
                broker.log.release(gone.at.segment, 1, u64::from(gone.size));
            }
        }
    }
}

impl Content {
    fn is_named(&self, order: Order) -> bool {
        let at = self.live.partition_point(|&(first, _)| first <= order);
        at.checked_sub(1).and_then(|at| self.live.get(at)).is_some_and(|&(_, last)| order <= last)
    }

    /// Has a queue remember what it had seen.
    fn restore_seen(&mut self, cell: &QueueCell, wall: Millis) {
        let window = cell.policy.dedup;
        let (seen, came) = (std::mem::take(&mut self.seen), std::mem::take(&mut self.came));
        if !cell.policy.drops_duplicates() {
            return;
        }
        let came = came.into_iter().map(|(id, received)| (id, received.plus(window)));
        let mut all: Vec<_> = seen.into_iter().chain(came).filter(|(_, until)| *until > wall).collect();
        all.sort_by_key(|(_, until)| *until);
        let mut locked = cell.lock();
        for (id, until) in all {
            locked.queue().restore_first(id, until);
        }
    }

    /// The live messages in their order, each at its latest place.
    fn into_entries(self) -> Vec<Entry> {
        let mut entries = self.found;
        let key = |entry: &Entry| (entry.order, entry.at);
        if !entries.is_sorted_by_key(key) {
            entries.sort_unstable_by_key(key);
        }
        entries.dedup_by(|later, kept| {
            let same = later.order == kept.order;
            if same {
                kept.at = later.at;
            }
            same
        });
        for copy in self.copies {
            if let Ok(at) = entries.binary_search_by_key(&copy.order, |entry| entry.order)
                && let Some(entry) = entries.get_mut(at)
            {
                entry.at = entry.at.max(copy.at);
            }
        }
        entries.retain(|entry| entry.order > self.purged && !self.settled.contains(&entry.order));
        for entry in &mut entries {
            entry.deliveries = self.counts.get(&entry.order).copied().unwrap_or(0);
        }
        entries
    }
}

/// Counts the references of entries into the log's segments.
fn hold(broker: &Broker, entries: &[Entry]) {
    for run in entries.chunk_by(|a, b| a.at.segment == b.at.segment) {
        let bytes = run.iter().map(|entry| u64::from(entry.size)).sum();
        broker.log.hold(run.first().map_or(0, |entry| entry.at.segment), run.len() as u32, bytes);
    }
}

fn entry_at(
    order: Order,
    at: Location,
    size: u32,
    expires: Millis,
    priority: u8,
    flags: u8,
    terms: Option<StoredTerms<'_>>,
) -> Entry {
    let StoredTerms { closes_group, group, .. } = terms.unwrap_or_default();
    Entry { order, message: None, at, size, expires, deliveries: 0, priority, flags, closes_group, group }
}

fn meaning(error: RecordError) -> RecoverError {
    RecoverError::Meaning(error.to_string())
}
