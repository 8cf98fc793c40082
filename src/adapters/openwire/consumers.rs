//! The consumers of a connection.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use wharfmq_base::Millis;
use wharfmq_core::{Chunk, ConsumeSpec, Credit, CreditPool, Pattern, QueueId, SubTag};
use wharfmq_openwire::{ConsumerId, ConsumerInfo, Destination};

use super::browse::Browser;
use super::flights::Flights;
use super::replay::Replay;
use crate::broker::{self, Port};

/// Consumers of one connection. Of one of several queues each counts, as do patterns of topics and queues
/// that are browsed.
pub(super) const CONSUMERS_MAX: usize = 20_000;
/// Deliveries that a connection may leave unacknowledged.
pub(super) const FLYING_MAX: usize = 1 << 22;

/// One consumer.
pub(super) struct Consumer {
    pub(super) id: Arc<ConsumerId>,
    /// What others may know of it.
    pub(super) told: Arc<ConsumerInfo>,
    /// Its number among the subscriptions of the connection; its parts have others.
    pub(super) tag: u32,
    /// Messages that the client holds unacknowledged at most; 0 where it asks for each.
    pub(super) prefetch: u32,
    /// Room for messages that was given before the acknowledgements that are to pay for it.
    pub(super) debt: u32,
    pub(super) flights: Flights,
    pub(super) parts: SmallVec<[Part; 1]>,
    /// What it asks of each queue, but for the number.
    pub(super) want: ConsumeSpec,
    /// The credit that several queues share.
    pub(super) pool: Option<Arc<CreditPool>>,
    /// Queues that are parts already.
    pub(super) queues: HashSet<QueueId, RandomState>,
    /// The queue of a durable subscription, by name.
    pub(super) durable: Option<ByteString>,
    /// Of what nothing stores: how many more the client has room for, and what waits for that.
    pub(super) room: u32,
    pub(super) pending: VecDeque<Pending>,
    /// How many may wait: beyond it the oldest is dropped. 0 where nothing but memory is the limit.
    pub(super) pending_max: u32,
    /// What a retroactive consumer knows of the past, until nothing of that can come again.
    pub(super) replay: Option<Box<Replay>>,
    /// What counts beside its parts: patterns of topics, and queues that are to be browsed.
    pub(super) weight: usize,
    /// Until when a client that asked for a message waits, on the monotonic clock.
    pub(super) pulls: VecDeque<Millis>,
    pub(super) browser: Option<Box<Browser>>,
}

/// One source of a consumer.
pub(super) struct Part {
    pub(super) tag: u32,
    pub(super) source: Source,
    /// The last delivery that was sent.
    pub(super) last: u64,
    /// Bytes sent since the last grant.
    pub(super) bytes: u32,
}

/// A message that nothing stores and that its consumer has no room for yet.
pub(super) struct Pending {
    pub(super) chunk: Arc<Chunk>,
    pub(super) at: u32,
    pub(super) part: u32,
    /// What it keeps in memory, with its chunk where it is the first to do so.
    pub(super) bytes: usize,
}

pub(super) enum Source {
    /// A queue, and what the client calls it.
    Queue(broker::Consumer, Arc<Destination>),
    /// Nothing is stored. What several of them match comes once.
    Topics(SmallVec<[Pattern; 1]>),
}

/// All consumers of a connection, by number and by id.
#[derive(Default)]
pub(super) struct Consumers {
    list: HashMap<u32, Consumer, RandomState>,
    /// The consumers of parts.
    of_part: HashMap<u32, u32, RandomState>,
    by_id: HashMap<(i64, i64), u32, RandomState>,
    next: u32,
    /// Those that were sent something since the last grant.
    pub(super) touched: Vec<(u32, u32)>,
    /// Browsers that have something to show and room for it.
    pub(super) browsing: VecDeque<u32>,
    /// Whether they are to be called again already.
    pub(super) called: bool,
    /// Those that were not sent all of the past, by their numbers.
    pub(super) replaying: Vec<u32>,
    pub(super) pulling: usize,
    /// Deliveries that wait for acknowledgement, all consumers together.
    pub(super) flying: usize,
    /// What all that is pending keeps in memory.
    pub(super) pending_bytes: usize,
    weight: usize,
}

impl Consumer {
    pub(super) fn part_mut(&mut self, tag: u32) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.tag == tag)
    }

    /// Room for more messages after so many were acknowledged; none for a client that asks for each.
    pub(super) const fn paid(&mut self, acknowledged: u32) -> u32 {
        if self.prefetch == 0 {
            return 0;
        }
        let paid = if self.debt < acknowledged { self.debt } else { acknowledged };
        self.debt -= paid;
        acknowledged - paid
    }

    /// Lets its sources give so many messages more.
    pub(super) fn grant(&mut self, messages: u32, port: &Port) {
        if messages == 0 {
            return;
        }
        self.room = self.room.saturating_add(messages);
        if self.pool.is_some() {
            return self.grant_pool(messages, port);
        }
        for part in &self.parts {
            if let Source::Queue(consumer, _) = &part.source {
                port.grant(consumer, Credit { messages, bytes: 0 });
            }
        }
    }

    /// Adds to what several queues may give together, and has each of them look.
    pub(super) fn grant_pool(&self, messages: u32, port: &Port) {
        if let Some(pool) = &self.pool {
            pool.put(messages);
        }
        for part in &self.parts {
            if let Source::Queue(consumer, _) = &part.source {
                port.grant(consumer, Credit::default());
            }
        }
    }

    /// Ends it. Deliveries up to the message of the number `last` were seen by the client; `None` where
    /// nobody knows.
    pub(super) fn end(&self, last: Option<u64>, port: &mut Port) {
        let known = match last {
            Some(last) => self.flights.seen(last),
            None => self.flights.firsts(),
        };
        for part in &self.parts {
            match &part.source {
                Source::Queue(consumer, _) => {
                    let known = known.get(&part.tag).copied();
                    match last {
                        Some(_) => port.cancel(consumer, known.unwrap_or(0)),
                        None => {
                            // What was acknowledged last shows how far the client has come; what lies
                            // behind it may have been seen and need not have been.
                            port.cancel_lost(consumer, known.unwrap_or(part.last), part.last);
                        }
                    }
                    port.remove_own(&consumer.queue);
                }
                Source::Topics(patterns) => {
                    patterns.iter().for_each(|pattern| port.unsubscribe(pattern, SubTag(part.tag)));
                }
            }
        }
        port.unwatch(SubTag(self.tag));
    }
}

impl Consumers {
    /// How many there are, each part counted.
    pub(super) fn len(&self) -> usize {
        self.list.len().max(self.of_part.len()) + self.weight
    }

    /// A number that was never given out before; `None` once they are used up.
    pub(super) fn next_tag(&mut self) -> Option<u32> {
        self.next = self.next.checked_add(1)?;
        Some(self.next)
    }

    pub(super) fn insert(&mut self, consumer: Consumer) {
        for part in &consumer.parts {
            self.of_part.insert(part.tag, consumer.tag);
        }
        self.weight += consumer.weight;
        self.by_id.insert(key(&consumer.id), consumer.tag);
        self.list.insert(consumer.tag, consumer);
    }

    pub(super) fn add_part(&mut self, tag: u32, part: Part) {
        self.of_part.insert(part.tag, tag);
        if let Some(consumer) = self.list.get_mut(&tag) {
            consumer.parts.push(part);
        }
    }

    /// Counts something more of a consumer.
    pub(super) fn weigh(&mut self, tag: u32, more: usize) {
        if let Some(consumer) = self.list.get_mut(&tag) {
            consumer.weight += more;
            self.weight += more;
        }
    }

    pub(super) fn get_mut(&mut self, tag: u32) -> Option<&mut Consumer> {
        self.list.get_mut(&tag)
    }

    /// Takes the first of what waits for a consumer's room.
    pub(super) fn next_pending(&mut self, tag: u32) -> Option<Pending> {
        let consumer = self.list.get_mut(&tag)?;
        let mut first = consumer.pending.pop_front()?;
        if let Some(next) = consumer.pending.front_mut().filter(|next| Arc::ptr_eq(&next.chunk, &first.chunk))
        {
            // It is the one that keeps their chunk now.
            let kept = first.bytes - size_of::<Pending>();
            first.bytes -= kept;
            next.bytes += kept;
        }
        self.pending_bytes -= first.bytes;
        Some(first)
    }

    /// The consumer that a part belongs to.
    pub(super) fn of_part_mut(&mut self, part: u32) -> Option<&mut Consumer> {
        self.list.get_mut(self.of_part.get(&part)?)
    }

    pub(super) fn of_id(&self, id: &ConsumerId) -> Option<u32> {
        self.by_id.get(&key(id)).copied()
    }

    pub(super) fn by_id_mut(&mut self, id: &ConsumerId) -> Option<&mut Consumer> {
        self.list.get_mut(self.by_id.get(&key(id))?)
    }

    pub(super) fn remove(&mut self, tag: u32) -> Option<Consumer> {
        let consumer = self.list.remove(&tag)?;
        for part in &consumer.parts {
            self.of_part.remove(&part.tag);
        }
        self.weight -= consumer.weight;
        self.pulling -= consumer.pulls.len();
        self.flying -= consumer.flights.len();
        self.pending_bytes -= consumer.pending.iter().map(|pending| pending.bytes).sum::<usize>();
        self.by_id.remove(&key(&consumer.id));
        Some(consumer)
    }

    /// The numbers of all consumers of a session, in the order in which they were made.
    pub(super) fn of_session(&self, session: i64) -> Vec<u32> {
        let mut found: Vec<u32> =
            self.list.values().filter(|consumer| consumer.id.session_id == session).map(|c| c.tag).collect();
        found.sort_unstable();
        found
    }

    pub(super) fn tags(&self) -> Vec<u32> {
        let mut tags: Vec<u32> = self.list.keys().copied().collect();
        tags.sort_unstable();
        tags
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.list.values()
    }
}

const fn key(id: &ConsumerId) -> (i64, i64) {
    (id.session_id, id.value)
}
