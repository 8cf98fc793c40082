//! The last messages of topics, for subscribers that come later.
//!
//! What a topic keeps is a queue of its own, bound to exactly that topic, from which nobody consumes and
//! in which the oldest makes room. It is made with the first publication.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;
use wharfmq_base::{Location, Lsn, Millis, RankedMutex, rank};
use wharfmq_core::record::Class;
use wharfmq_core::{Address, Admission, Message, Order, Pattern, QueueCell, limits, merge_flags};

use super::flush::{entry_of, push_message};
use super::stage::Stage;
use super::undertaker::message_from;
use super::{Binding, Broker, Port, Refused};

/// Messages of the past that go into a durable subscription in one batch.
const FILL_MESSAGES: usize = 1_024;

/// Takes everything, as it was sent.
const EVERYTHING: u8 = 2;

/// The queues that keep what has been published, by topic.
#[derive(Debug, Default)]
pub(super) struct Histories {
    topics: RankedMutex<BTreeMap<ByteString, Arc<QueueCell>>, { rank::ADDRESS }>,
}

impl Histories {
    fn is_known(&self, topic: &ByteString) -> bool {
        self.topics.lock().contains_key(topic)
    }

    fn add(&self, cell: Arc<QueueCell>) {
        self.topics.lock().insert(cell.name.clone(), cell);
    }

    pub(super) fn forget(&self, topic: &ByteString) {
        self.topics.lock().remove(topic);
    }

    fn matching(&self, pattern: &Pattern) -> Vec<Arc<QueueCell>> {
        let topics = self.topics.lock();
        if pattern.is_exact() {
            return topics.get(pattern.text()).cloned().into_iter().collect();
        }
        topics.iter().filter(|(topic, _)| pattern.matches(topic)).map(|(_, cell)| Arc::clone(cell)).collect()
    }
}

impl Port {
    /// What is known of the past of the topics that patterns match: their retained messages and their
    /// histories, the oldest first, each message once. Of much only the latest:
    /// [`limits::RECENT_MESSAGES_MAX`] and [`limits::RECENT_BYTES_MAX`].
    ///
    /// A subscription that was made before gets all that is not yet here; what is here may come to it
    /// again.
    pub fn recent<'a>(&self, patterns: impl IntoIterator<Item = &'a Pattern>) -> Vec<Past> {
        self.broker.recent(patterns, self.now.wall)
    }

    /// Puts what is known of the past into a durable subscription that has just been made, as far as it
    /// takes that. Of what is published at the same time it may get a message twice.
    pub fn fill_with_past(&mut self, queue: &Arc<QueueCell>) -> Result<(), Refused> {
        let lsn = self.broker.fill_with_past(queue, self.now.wall)?;
        self.has_appended(lsn);
        Ok(())
    }
}

/// A message of the past.
#[derive(Clone, Debug)]
pub struct Past {
    /// The message.
    pub message: Arc<Message>,
    /// Whether it is its topic's retained message.
    pub retained: bool,
}

impl Broker {
    /// Sees to it that what is published to a topic is kept, if it is to be.
    pub(super) fn keep_history(&self, topic: &Address) -> Result<(), Refused> {
        if !self.settings.keeps_history()
            || self.histories.is_known(&topic.name)
            || !self.settings.history(topic).is_some()
        {
            return Ok(());
        }
        let Ok(pattern) = Pattern::of(topic) else { return Ok(()) };
        let binding = Binding::to(pattern, EVERYTHING);
        let (cell, _) = self.make(Class::History, &topic.name, true, Some(binding))?;
        self.histories.add(cell);
        Ok(())
    }

    /// Takes up the histories that recovery found. Those that the settings no longer ask for are deleted.
    pub(super) fn take_up_histories(&self) -> Result<(), Refused> {
        for cell in self.queues.all().into_iter().filter(|cell| cell.class == Class::History) {
            if self.settings.history(&Address::topic(cell.name.clone())).is_some() {
                self.histories.add(cell);
            } else {
                self.delete(&cell)?;
            }
        }
        Ok(())
    }

    /// Between the routing of a publication and its place in its topic's history somebody may have
    /// subscribed and read the history: who has found nothing there gets it now.
    pub(super) fn look_for_late_subscribers(&self, stage: &mut Stage) {
        if !self.settings.keeps_history() {
            return;
        }
        for run in &mut stage.runs {
            if run.route.generation() < self.router.generation() {
                run.route = self.router.route(&run.route.address);
            }
        }
    }

    /// See [`Port::recent`].
    fn recent<'a>(&self, patterns: impl IntoIterator<Item = &'a Pattern>, wall: Millis) -> Vec<Past> {
        let mut recent = Recent::default();
        for pattern in patterns {
            for cell in self.histories.matching(pattern) {
                recent.add_history(&cell, wall);
            }
            self.add_retained(pattern, wall, &mut recent);
        }
        self.read_recent(recent, wall)
    }

    fn fill_with_past(&self, queue: &Arc<QueueCell>, wall: Millis) -> Result<Option<Lsn>, Refused> {
        let bindings = self.bindings.of(queue.id);
        let flags = bindings.iter().map(|binding| binding.flags).reduce(merge_flags).unwrap_or_default();
        let takes = |message: &Message| {
            let mut filters = bindings
                .iter()
                .filter(|binding| binding.pattern.matches_address(&message.address))
                .map(|binding| binding.filter.as_ref());
            filters.any(|filter| filter.is_none_or(|filter| filter.matches(message, 0)))
        };
        let past = self.recent(bindings.iter().map(|binding| &binding.pattern), wall);
        let past = past.into_iter().map(|past| past.message).filter(|message| takes(message)).collect();
        let mut lsn = None;
        let admitted = Self::admit_past(queue, past);
        let mut left = &admitted[..];
        while !left.is_empty() {
            let (some, later) = left.split_at(left.len().min(FILL_MESSAGES));
            let appended = self.append_past(queue, some, flags, wall);
            if appended.is_err() {
                let bytes = later.iter().map(|message| u64::from(message.size())).sum();
                queue.lock().queue().unreserve(later.len() as u64, bytes);
            }
            lsn = appended?.or(lsn);
            left = later;
        }
        Ok(lsn)
    }

    /// The latest of the messages, as many as a queue has room for, without those that it has already.
    fn admit_past(queue: &QueueCell, past: Vec<Arc<Message>>) -> Vec<Arc<Message>> {
        let mut admitted = Vec::with_capacity(past.len());
        for message in past.into_iter().rev() {
            let mut locked = queue.lock();
            if locked.queue().find(Order(message.id.0)).is_some() {
                continue;
            }
            if locked.queue().admit(1, u64::from(message.size())) != Admission::Accept {
                break;
            }
            admitted.push(message);
        }
        admitted.reverse();
        admitted
    }

    fn append_past(
        &self,
        queue: &Arc<QueueCell>,
        past: &[Arc<Message>],
        flags: u8,
        wall: Millis,
    ) -> Result<Option<Lsn>, Refused> {
        let first = self.ids.draw(past.len() as u64);
        let mut batch = self.log.batch();
        let (mut prefix, mut index) = (Vec::new(), Vec::new());
        let mut arrivals = Vec::with_capacity(past.len());
        for (message, order) in past.iter().zip((first..).map(Order)) {
            let stored = message.qos.is_persistent() && queue.policy.durable;
            arrivals.push((message, order, stored.then_some(batch.len())));
            if stored {
                push_message(&mut batch, message, order, &[(queue.id, flags)], &mut prefix, &mut index);
            }
        }
        let gate = self.gate.read();
        let placed = (!batch.is_empty()).then(|| self.log.append(&mut batch)).transpose();
        let placed = placed.inspect_err(|_| {
            let bytes = past.iter().map(|message| u64::from(message.size())).sum();
            queue.lock().queue().unreserve(past.len() as u64, bytes);
        })?;
        let place = |record| placed.as_ref().zip(record).map_or(Location::NOWHERE, |(p, r)| p.location(r));
        let arrivals = arrivals.into_iter().map(|(message, order, record)| {
            entry_of(message, order, place(record), flags, queue.policy.expiry)
        });
        self.run(queue, |queue, fx| queue.enqueue(arrivals, wall, fx));
        drop(gate);
        Ok(placed.map(|placed| placed.lsn))
    }

    fn add_retained(&self, pattern: &Pattern, wall: Millis, recent: &mut Recent) {
        let mut cursor = None;
        loop {
            let store = self.retained.store.lock();
            cursor = store.for_each_match(pattern, cursor, limits::SCAN_BUDGET, |_, kept| {
                if let Some(message) = kept.message.as_ref().filter(|_| kept.expires > wall) {
                    recent.add(kept.order, kept.size, Place::Retained(Arc::clone(message)));
                }
            });
            if cursor.is_none() {
                return;
            }
        }
    }

    /// Reads what is not in memory, many at a time.
    fn read_recent(&self, recent: Recent, wall: Millis) -> Vec<Past> {
        let mut messages = Vec::with_capacity(recent.places.len());
        let mut places: Vec<(Order, Place)> = recent.places.into_iter().map(|(o, (_, p))| (o, p)).collect();
        for some in places.chunks_mut(limits::LOAD_ENTRIES) {
            let there: Vec<Location> = some.iter().filter_map(|(_, place)| place.stored()).collect();
            let mut payloads = Vec::with_capacity(there.len());
            // Where one cannot be read each gets its own try.
            let together = self.log.read(&there, &mut payloads).is_ok();
            let mut payloads = payloads.iter();
            for (order, place) in some {
                let found = match place {
                    Place::Here(message) | Place::Retained(message) => Some(Arc::clone(message)),
                    Place::There(..) if together => payloads.next().and_then(message_from),
                    Place::There(cell, at) => self.read_moved(cell, *order, *at),
                };
                let retained = matches!(place, Place::Retained(_));
                let found = found.filter(|message| place.is_young_enough(message, wall));
                messages.extend(found.map(|message| Past { message, retained }));
            }
        }
        messages
    }
}

/// Places of messages, by their order; bounded.
#[derive(Default)]
struct Recent {
    places: BTreeMap<Order, (u32, Place)>,
    bytes: u64,
}

enum Place {
    Here(Arc<Message>),
    /// In memory, as its topic's retained message.
    Retained(Arc<Message>),
    /// In the log, for this history.
    There(Arc<QueueCell>, Location),
}

impl Place {
    const fn stored(&self) -> Option<Location> {
        match self {
            Self::Here(_) | Self::Retained(_) => None,
            Self::There(_, at) => Some(*at),
        }
    }

    /// After a restart the age of what is stored is known only once it is read.
    fn is_young_enough(&self, message: &Message, wall: Millis) -> bool {
        match self {
            Self::Here(_) | Self::Retained(_) => true,
            Self::There(cell, _) => message.received.plus(cell.policy.expiry) > wall,
        }
    }
}

impl Recent {
    fn add_history(&mut self, cell: &Arc<QueueCell>, wall: Millis) {
        let (mut from, mut entries) = (Some(Order(0)), Vec::new());
        while let Some(next) = from {
            from = cell.lock().queue().browse(next, limits::SCAN_BUDGET, &mut entries);
            for entry in entries.drain(..).filter(|entry| entry.expires > wall) {
                let place = match entry.message {
                    Some(message) => Place::Here(message),
                    None => Place::There(Arc::clone(cell), entry.at),
                };
                self.add(entry.order, entry.size, place);
            }
        }
    }

    fn add(&mut self, order: Order, size: u32, place: Place) {
        if let Some((before, _)) = self.places.insert(order, (size, place)) {
            self.bytes -= u64::from(before);
        }
        self.bytes += u64::from(size);
        while self.places.len() > 1
            && (self.places.len() > limits::RECENT_MESSAGES_MAX || self.bytes > limits::RECENT_BYTES_MAX)
        {
            let gone = self.places.pop_first();
            self.bytes -= gone.map_or(0, |(_, (size, _))| u64::from(size));
        }
    }
}
