//! What is there already, told to who begins to listen.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use wharfmq_core::record::Class;
use wharfmq_core::{
    Address, Chunk, Filter, Item, Kind, MessageId, Outbox, Pattern, QueueCell, Run, SubTag, Subscriber,
    limits,
};

use super::occasions::is_subscription;
use super::tell::say;
use super::{About, Client, Consuming, Event, Producing, Turn, is_advisory};
use crate::broker::flush::Flushed;
use crate::broker::{Broker, is_system, is_temporary};

/// What one subscription is told of things that are there, of each kind and in all: it holds a worker meanwhile.
const EACH_MAX: usize = 20_000;
/// Messages and bytes that are handed over at once.
const CHUNK_MESSAGES: usize = 256;
const CHUNK_BYTES: usize = 64 * 1024;

/// Who begins to listen.
pub(super) struct Newcomer<'a> {
    pub(super) outbox: &'a Arc<Outbox>,
    pub(super) sub: SubTag,
    pub(super) pattern: &'a Pattern,
    pub(super) filter: Option<&'a Filter>,
}

/// Gathers what a newcomer is told.
struct Telling<'a> {
    broker: &'a Broker,
    to: &'a Newcomer<'a>,
    raw: Vec<u8>,
    items: Vec<Item>,
    topics: SmallVec<[Arc<Address>; 2]>,
    /// How many more it may be told.
    left: usize,
}

impl Broker {
    /// Tells a subscription that the router knows already what is there.
    pub(super) fn replay(&self, to: &Newcomer<'_>) {
        let bits = About::matched_by(to.pattern);
        let wants = |about: About| bits & about.bit() != 0;
        let mut telling = Telling {
            broker: self,
            to,
            raw: Vec::new(),
            items: Vec::new(),
            topics: smallvec![],
            left: EACH_MAX,
        };
        // First what clients depend on.
        if wants(About::TempQueue) || wants(About::TempTopic) {
            telling.temporaries();
        }
        if wants(About::Connection) {
            telling.clients();
        }
        if wants(About::Queue) {
            telling.queues();
        }
        if wants(About::Topic) {
            telling.topics();
        }
        if wants(About::Producer) {
            telling.producers();
        }
        if wants(About::Consumer) {
            telling.consumers();
            telling.subscribers();
        }
        telling.hand_over();
    }

    /// Queues that clients name and may know of.
    fn queues_told(&self) -> impl Iterator<Item = Arc<QueueCell>> {
        let told = |cell: &Arc<QueueCell>| matches!(cell.class, Class::Queue | Class::Temporary);
        self.queues.all().into_iter().filter(told).take(EACH_MAX)
    }
}

impl Telling<'_> {
    fn clients(&mut self) {
        let clients: Vec<Arc<Client>> = {
            let clients = self.broker.advisories.clients.lock();
            clients.values().take(EACH_MAX).map(Arc::clone).collect()
        };
        for client in clients {
            self.add(&Event::Client(&client, Turn::Begins));
        }
    }

    fn queues(&mut self) {
        for cell in self.broker.queues_told().filter(|cell| cell.class == Class::Queue) {
            self.add(&Event::Destination(&Address::queue(cell.name.clone()), None, Turn::Begins));
        }
    }

    fn topics(&mut self) {
        let told = |text: &str| {
            !is_told_elsewhere(text)
                && Pattern::parse(Kind::Topic, text).is_ok_and(|pattern| pattern.is_exact())
        };
        let mut topics = self.broker.router.standing(Kind::Topic, EACH_MAX, told);
        topics.sort_by(|(a, _), (b, _)| a.cmp(b));
        topics.dedup_by(|(a, _), (b, _)| a == b);
        for (name, _) in topics {
            self.add(&Event::Destination(&Address::topic(name), None, Turn::Begins));
        }
    }

    /// Whoever answers a request has to know that the place for the answer is there, so one that goes
    /// meanwhile must not be told to be there last.
    fn temporaries(&mut self) {
        let all = self.broker.temporaries.all();
        for (address, owner) in &all {
            self.add(&Event::Destination(address, Some(*owner), Turn::Begins));
        }
        self.hand_over();
        for (address, owner) in all {
            if self.broker.temporaries.owner(&address).is_none() {
                // Whatever the bounds are: it was told to be there.
                self.left += 1;
                self.add(&Event::Destination(&address, Some(owner), Turn::Ends));
            }
        }
    }

    fn producers(&mut self) {
        let producers = self.broker.advisories.producers.lock().some(EACH_MAX);
        for ((conn, number), to) in producers {
            let count = self.broker.producers_of(&to);
            self.add(&Event::Producer(Producing { conn, number, to: &to, count }, Turn::Begins));
        }
    }

    fn consumers(&mut self) {
        for cell in self.broker.queues_told() {
            let from = Address::queue(cell.name.clone());
            let asked: Vec<_> = cell.lock().queue().consumers_asked().take(EACH_MAX).collect();
            let count = asked.len() as u64;
            for (conn, sub, asked) in &asked {
                let (conn, sub, from) = (*conn, *sub, &from);
                let consuming = Consuming { conn, sub, from, asked: Some(asked), count };
                self.add(&Event::Consumer(consuming, Turn::Begins));
            }
        }
    }

    fn subscribers(&mut self) {
        let told = |text: &str| About::matched_by_text(text) == 0 && !is_system(text);
        let (mut from, mut count) = (Address::topic(""), 0);
        // What stands at one pattern comes together.
        for (text, who) in self.broker.router.standing(Kind::Topic, EACH_MAX, told) {
            if from.name != text {
                from = Address::topic(text);
                count = self.broker.consumers_of(&from);
            }
            let consumers = match who {
                Subscriber::Direct(conn, sub) => vec![(conn, sub)],
                Subscriber::Queue(cell) if is_subscription(&cell) => {
                    let mut locked = cell.lock();
                    let asked = locked.queue().consumers_asked().take(EACH_MAX);
                    asked.map(|(conn, sub, _)| (conn, sub)).collect()
                }
                Subscriber::Queue(_) => Vec::new(),
            };
            for (conn, sub) in consumers {
                let consuming = Consuming { conn, sub, from: &from, asked: None, count };
                self.add(&Event::Consumer(consuming, Turn::Begins));
            }
        }
    }

    /// Adds what the newcomer has asked for.
    fn add(&mut self, event: &Event<'_>) {
        let voice = self.broker.advisories.voice.get();
        let (Some(topic), Some(voice)) = (event.topic(), voice) else { return };
        if self.left == 0 || !self.to.pattern.matches(&topic.name) {
            return;
        }
        self.left -= 1;
        let (id, at) = (MessageId(self.broker.ids.draw(1)), self.broker.now().wall);
        let mut item = say(&**voice, event, &topic, id, at, &mut self.raw);
        if self.topics.last().is_none_or(|last| **last != topic) {
            self.topics.push(Arc::new(topic));
        }
        item.address = (self.topics.len() - 1) as u16;
        self.items.push(item);
        if self.items.len() >= CHUNK_MESSAGES || self.raw.len() >= CHUNK_BYTES {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        if self.items.is_empty() {
            return;
        }
        let items = std::mem::take(&mut self.items);
        let first_id = self.broker.ids.draw(items.len() as u64);
        let chunk = Arc::new(Chunk {
            raw: std::mem::take(&mut self.raw).into(),
            items,
            addresses: std::mem::take(&mut self.topics),
            received: self.broker.now().wall,
            first_id,
        });
        let takes = |index: &u32| {
            self.to
                .filter
                .is_none_or(|filter| chunk.facts(*index).is_some_and(|facts| filter.matches_facts(&facts)))
        };
        let run = |index| Run { start: index, end: index + 1, subs: smallvec![self.to.sub] };
        let parts = (0..chunk.items.len() as u32).filter(takes).map(run).collect();
        self.broker.hand_over(self.to.outbox, &chunk, parts, &mut Flushed::default());
    }
}

/// Whether a topic is none that clients make by subscribing to it.
fn is_told_elsewhere(name: &str) -> bool {
    is_advisory(name) || is_system(name) || is_temporary(name)
}

const _: () = assert!(CHUNK_MESSAGES < u16::MAX as usize && CHUNK_BYTES < limits::OUTBOX_SOFT_BYTES);
