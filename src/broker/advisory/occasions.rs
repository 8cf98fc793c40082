//! When something is told: every place of the broker that has something to tell calls here.

use std::sync::Arc;

use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{
    Address, Asked, Chunk, ConnId, Dead, DeadReason, Entry, Filter, Kind, Message, Outbox, Pattern,
    QueueCell, SubTag,
};

use super::replay::Newcomer;
use super::{About, Client, Consuming, Event, Fate, Listener, Producing, Turn, is_advisory};
use crate::broker::parts::Parts;
use crate::broker::{Broker, Now, Port, is_system, is_temporary};

/// How often, in milliseconds, a queue is told to be full.
const FULL_EVERY_MS: u64 = 1_000;
/// Queues of which is noted when they were told to be full.
const FULL_NOTED_MAX: usize = 1_024;

impl Port {
    /// The client is here, by its client id or what stands for it. What the connection has introduced ends
    /// with it.
    pub fn introduce(&mut self, id: &ByteString) {
        let client = Arc::new(Client {
            conn: self.conn(),
            id: id.clone(),
            user: self.principal().map(|principal| principal.name.as_str().into()),
            addr: self.peer().addr,
            listener: self.peer().listener,
        });
        self.introduced = true;
        let advisories = &self.broker.advisories;
        advisories.clients.lock().insert(client.conn, Arc::clone(&client));
        if advisories.hears(About::Connection) {
            self.broker.tell(&Event::Client(&client, Turn::Begins));
        }
    }

    /// Notes a producer that the client has announced for one destination. `number` tells it from the
    /// connection's others.
    pub fn add_producer(&mut self, number: u64, to: &Arc<Address>) {
        self.produces = true;
        self.broker.advisories.producers.lock().add((self.outbox.conn, number), to);
        self.broker.tell_producer(self.outbox.conn, number, to, Turn::Begins);
    }

    /// A producer is gone.
    pub fn remove_producer(&self, number: u64) {
        let gone = self.broker.advisories.producers.lock().remove((self.outbox.conn, number));
        if let Some(to) = gone {
            self.broker.tell_producer(self.outbox.conn, number, &to, Turn::Ends);
        }
    }

    /// The connection has ended, and everything else of it has.
    pub(in crate::broker) fn take_leave(&mut self) {
        let (conn, advisories) = (self.outbox.conn, &self.broker.advisories);
        if std::mem::take(&mut self.produces) {
            let numbers = advisories.producers.lock().of(conn);
            numbers.into_iter().for_each(|number| self.remove_producer(number));
        }
        if !std::mem::take(&mut self.introduced) {
            return;
        }
        let client = advisories.clients.lock().remove(&conn);
        if let Some(client) = client.filter(|_| advisories.hears(About::Connection)) {
            self.broker.tell(&Event::Client(&client, Turn::Ends));
        }
        if let Some(voice) = advisories.voice.get() {
            voice.forget(conn);
        }
    }

    /// A subscription that stores nothing is there, for the first time under this pattern.
    pub(in crate::broker) fn tell_subscribed(&self, pattern: &Pattern, sub: SubTag, filter: Option<&Filter>) {
        let outbox = &self.outbox;
        let listener = Listener::Direct(outbox.conn, sub);
        if self.broker.advisories.listeners.add(listener, pattern) {
            return self.broker.replay(&Newcomer { outbox, sub, pattern, filter });
        }
        self.broker.tell_subscriber(pattern, (outbox.conn, sub), Turn::Begins);
    }

    /// A subscription that stores nothing has ended.
    pub(in crate::broker) fn tell_unsubscribed(&self, pattern: &Pattern, sub: SubTag) {
        self.broker.advisories.listeners.remove(Listener::Direct(self.outbox.conn, sub), pattern);
        self.broker.tell_subscriber(pattern, (self.outbox.conn, sub), Turn::Ends);
    }
}

impl Broker {
    /// What matches a pattern is passed on.
    pub(in crate::broker) fn note_forward(&self, nth: usize, pattern: &Pattern) {
        self.advisories.listeners.add(Listener::Forward(nth), pattern);
    }

    /// A queue takes part in what matches a pattern.
    pub(in crate::broker) fn note_bound(&self, queue: &QueueCell, pattern: &Pattern) {
        self.advisories.listeners.add(Listener::Bound(queue.id), pattern);
    }

    /// It does no more.
    pub(in crate::broker) fn note_unbound(&self, queue: &QueueCell, pattern: &Pattern) {
        self.advisories.listeners.remove(Listener::Bound(queue.id), pattern);
    }

    /// A binding of a queue that may have consumers has come or gone.
    pub(in crate::broker) fn tell_binding(&self, queue: &QueueCell, pattern: &Pattern, turn: Turn) {
        let hears = |about| self.advisories.hears(about);
        if !(hears(About::Consumer) || hears(About::Topic)) || !is_subscription(queue) {
            return;
        }
        let consumers: Vec<_> = queue.lock().queue().consumers_asked().collect();
        for (conn, sub, _) in consumers {
            self.tell_subscriber(pattern, (conn, sub), turn);
        }
    }

    /// A subscription to topics has come or gone.
    fn tell_subscriber(&self, pattern: &Pattern, (conn, sub): (ConnId, SubTag), turn: Turn) {
        let name = pattern.text();
        if About::matched_by(pattern) != 0 || is_system(name) {
            return;
        }
        let from = Address::topic(name.clone());
        if self.advisories.hears(About::Consumer) {
            let count = self.consumers_of(&from);
            self.tell(&Event::Consumer(Consuming { conn, sub, from: &from, asked: None, count }, turn));
        }
        if self.advisories.hears(About::Topic) && pattern.is_exact() && !is_temporary(name) {
            let left = self.router.count_at(pattern);
            let is_turn = if turn == Turn::Begins { left == 1 } else { left == 0 };
            if is_turn {
                self.tell(&Event::Destination(&from, None, turn));
            }
        }
    }

    /// A consumer of a queue has come or gone.
    #[inline]
    pub(in crate::broker) fn tell_consumer(
        &self,
        queue: &QueueCell,
        who: (ConnId, SubTag),
        asked: Option<&Asked>,
        turn: Turn,
    ) {
        if self.advisories.hears(About::Consumer) {
            self.tell_consumer_of(queue, who, asked, turn);
        }
    }

    #[cold]
    fn tell_consumer_of(
        &self,
        queue: &QueueCell,
        (conn, sub): (ConnId, SubTag),
        asked: Option<&Asked>,
        turn: Turn,
    ) {
        if is_subscription(queue) {
            for binding in self.bindings.of(queue.id) {
                self.tell_subscriber(&binding.pattern, (conn, sub), turn);
            }
        } else if matches!(queue.class, Class::Queue | Class::Temporary) {
            let from = Address::queue(queue.name.clone());
            let count = self.consumers_of(&from);
            self.tell(&Event::Consumer(Consuming { conn, sub, from: &from, asked, count }, turn));
        }
    }

    /// A destination that clients name is there, or gone.
    pub(in crate::broker) fn tell_destination(&self, address: &Address, owner: Option<ConnId>, turn: Turn) {
        if self.advisories.hears(About::destinations(address)) {
            self.tell(&Event::Destination(address, owner, turn));
        }
    }

    fn tell_producer(&self, conn: ConnId, number: u64, to: &Address, turn: Turn) {
        if self.advisories.hears(About::Producer) && !is_advisory(&to.name) {
            let count = self.producers_of(to);
            self.tell(&Event::Producer(Producing { conn, number, to, count }, turn));
        }
    }

    /// Whether anybody wants to know what a queue drops.
    #[inline]
    pub(in crate::broker) fn watches_drops(&self) -> bool {
        self.advisories.listeners.hears_any(About::Expired.bit() | About::Discarded.bit())
    }

    /// A queue has dropped messages whose records are still there.
    #[cold]
    pub(in crate::broker) fn tell_dropped(&self, queue: &QueueCell, dropped: &[(Entry, DeadReason)]) {
        for (entry, reason) in dropped {
            let about = if *reason == DeadReason::Expired { About::Expired } else { About::Discarded };
            if self.advisories.hears(about)
                && let Some(message) = self.message_of(entry)
            {
                self.tell_fate(queue, &message, about);
            }
        }
    }

    /// Messages have left a queue for the dead letters, or were to.
    pub(in crate::broker) fn tell_buried(
        &self,
        queue: &QueueCell,
        dead: &Dead,
        message: &Message,
        moved: bool,
    ) {
        if dead.reason == DeadReason::Expired {
            self.tell_fate(queue, message, About::Expired);
        }
        if moved {
            self.tell_fate(queue, message, About::DeadLettered);
        } else if dead.reason != DeadReason::Expired {
            self.tell_fate(queue, message, About::Discarded);
        }
    }

    /// Whether anybody wants to know what becomes of dead letters.
    pub(in crate::broker) fn watches_burials(&self) -> bool {
        self.watches_drops() || self.advisories.hears(About::DeadLettered)
    }

    fn tell_fate(&self, queue: &QueueCell, message: &Message, about: About) {
        if !self.advisories.hears(about) || is_advisory(&message.address.name) {
            return;
        }
        let own;
        let at = match queue.class {
            Class::Queue | Class::Temporary => {
                own = Address::queue(queue.name.clone());
                &own
            }
            _ => &*message.address,
        };
        let fate = Fate { at, message: message.facts(0), consumer: None };
        self.tell(&match about {
            About::Expired => Event::Expired(fate),
            About::DeadLettered => Event::DeadLettered(fate),
            _ => Event::Discarded(fate),
        });
    }

    /// Messages were not handed to a connection that has too much waiting.
    pub(in crate::broker) fn tell_not_handed(&self, outbox: &Outbox, chunk: &Chunk, parts: &Parts) {
        if !self.advisories.hears(About::Discarded) {
            return;
        }
        for part in parts {
            for index in part.start..part.end {
                let Some(message) = chunk.facts(index).filter(|facts| !is_advisory(&facts.address.name))
                else {
                    continue;
                };
                let consumer = part.subs.first().map(|sub| (outbox.conn, *sub));
                self.tell(&Event::Discarded(Fate { at: message.address, message, consumer }));
            }
        }
    }

    /// A subscription has held its publishers back for too long.
    pub(in crate::broker) fn tell_slow(&self, conn: ConnId, sub: SubTag, from: &Address) {
        if self.advisories.hears(About::Slow) && !is_advisory(&from.name) {
            let count = self.consumers_of(from);
            self.tell(&Event::Slow(Consuming { conn, sub, from, asked: None, count }));
        }
    }

    /// A queue had no room for a message.
    #[inline]
    pub(in crate::broker) fn tell_full(&self, queue: &QueueCell, now: Now) {
        if self.advisories.hears(About::Full) {
            self.tell_full_of(queue, now);
        }
    }

    #[cold]
    fn tell_full_of(&self, queue: &QueueCell, now: Now) {
        let mut noted = self.advisories.full.lock();
        if noted.get(&queue.id).is_some_and(|last| now.mono < last.plus(Millis(FULL_EVERY_MS))) {
            return;
        }
        if noted.len() >= FULL_NOTED_MAX {
            noted.clear();
        }
        noted.insert(queue.id, now.mono);
        drop(noted);
        if matches!(queue.class, Class::Queue | Class::Temporary) {
            self.tell(&Event::Full(&Address::queue(queue.name.clone())));
            return;
        }
        for binding in
            self.bindings.of(queue.id).iter().filter(|binding| !is_advisory(binding.pattern.text()))
        {
            self.tell(&Event::Full(&Address::topic(binding.pattern.text().clone())));
        }
    }

    /// Consumers there are of a queue or a topic; of a pattern those that subscribe to this very pattern.
    pub(super) fn consumers_of(&self, from: &Address) -> u64 {
        if from.kind == Kind::Queue {
            let class = if is_temporary(&from.name) { Class::Temporary } else { Class::Queue };
            let queue = self.queues.find(class, &from.name);
            return queue.map_or(0, |queue| queue.lock().queue().stats().consumers);
        }
        match Pattern::of(from) {
            Ok(pattern) if !pattern.is_exact() => self.router.count_at(&pattern) as u64,
            _ => self.subscribers_of(from),
        }
    }

    fn subscribers_of(&self, topic: &Address) -> u64 {
        let route = self.router.route(&Arc::new(topic.clone()));
        let whole =
            |target: &wharfmq_core::DirectTarget| target.subs.iter().filter(|sub| !sub.qos0_only).count();
        let direct: usize = route.direct.iter().map(whole).sum();
        let bound = route.queues.iter().filter(|bound| is_subscription(&bound.queue));
        let bound: u64 = bound.map(|bound| bound.queue.lock().queue().stats().consumers).sum();
        direct as u64 + bound
    }

    pub(super) fn producers_of(&self, to: &Address) -> u64 {
        self.advisories.producers.lock().count(to)
    }
}

/// Whether a queue stands for a subscription to topics.
pub(super) fn is_subscription(queue: &QueueCell) -> bool {
    matches!(queue.class, Class::Session | Class::Durable | Class::Shared)
}
