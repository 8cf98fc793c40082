//! Subscriptions to several sources: the queues that match a wildcard, the elements of a list.
//!
//! Each queue is a part with a number and deliveries of its own; all topics together are one. The parts
//! share the id, the credit and, for cumulative acknowledgements, the order in which they were sent to.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use wharfmq_core::{ConsumeSpec, Credit, CreditPool, Pattern, QueueCell, QueueId, SubTag};
use wharfmq_stomp::AckMode;

use super::Open;
use super::fault::Stop;
use super::subs::{Source, Sub, Subs};
use super::subscribe::{SUBSCRIPTIONS_MAX, queue_of};
use crate::adapters::Close;
use crate::broker::Port;

/// Of the credit that came back, the part that is collected before the queues are told of it.
const REFILL_SHARE: u32 = 16;

/// A subscription to several sources.
pub(super) struct Group {
    /// Its number among the subscriptions of the connection, which none of its parts has.
    pub(super) tag: u32,
    pub(super) key: ByteString,
    /// The id of SUBSCRIBE; none in 1.0 without one.
    id: Option<ByteString>,
    mode: AckMode,
    prefetch: u32,
    /// What it asks of each queue, but for the number.
    want: ConsumeSpec,
    pool: Arc<CreditPool>,
    /// The queues it consumes from, and the numbers of those parts.
    queues: HashSet<QueueId, RandomState>,
    parts: Vec<u32>,
    /// What waits for a cumulative acknowledgement, as it was sent: part and delivery.
    sent: VecDeque<(u32, u64)>,
    /// Credit that has come back and is not in the pool yet.
    returned: u32,
    /// The part that is told first of new credit.
    turn: usize,
}

/// What a subscription to several sources asks for.
pub(super) struct Several {
    pub(super) queues: Vec<Pattern>,
    pub(super) topics: SmallVec<[Pattern; 1]>,
}

impl Group {
    pub(super) fn new(
        tag: u32,
        key: ByteString,
        id: Option<ByteString>,
        mode: AckMode,
        want: ConsumeSpec,
        pool: Arc<CreditPool>,
        prefetch: u32,
    ) -> Self {
        Self {
            tag,
            key,
            id,
            mode,
            prefetch,
            want,
            pool,
            queues: HashSet::default(),
            parts: Vec::new(),
            sent: VecDeque::new(),
            returned: 0,
            turn: 0,
        }
    }
}

impl Open {
    /// Has a group that is already among the subscriptions consume from all queues that match.
    pub(super) fn join_all(&mut self, tag: u32, queues: &[Pattern], port: &mut Port) -> Result<(), Stop> {
        for pattern in queues {
            if pattern.is_exact() {
                let queue = queue_of(pattern.text(), port)?;
                self.join(tag, &queue, port)?;
                continue;
            }
            // In this order, so that none is missed that is made meanwhile.
            port.watch_queues(pattern, SubTag(tag))?;
            for queue in port.queues_matching(pattern) {
                self.join(tag, &queue, port)?;
            }
        }
        Ok(())
    }

    /// A queue was made that a group's pattern matches.
    pub(super) fn on_made(
        &mut self,
        tag: SubTag,
        queue: &Arc<QueueCell>,
        port: &mut Port,
    ) -> Result<(), Close> {
        match self.join(tag.0, queue, port) {
            Ok(()) => Ok(()),
            Err(Stop::Close(close)) => Err(close),
            Err(Stop::Later) => Ok(()),
            Err(Stop::Fault(why)) => {
                self.say_error("a subscription by wildcard cannot go on", None, &why, port);
                Err(Close::Refused(why))
            }
        }
    }

    /// Makes a queue part of a group, unless it is or the group has ended.
    fn join(&mut self, tag: u32, queue: &Arc<QueueCell>, port: &mut Port) -> Result<(), Stop> {
        let Some(group) = self.subs.group_mut(tag) else { return Ok(()) };
        if !group.queues.insert(queue.id) {
            return Ok(());
        }
        let (id, key, mode, prefetch) = (group.id.clone(), group.key.clone(), group.mode, group.prefetch);
        let want = group.want.clone();
        if self.subs.len() >= SUBSCRIPTIONS_MAX {
            self.leave_deleted(port);
        }
        let part = self.next_tag()?;
        let consumer = port.consume(queue, ConsumeSpec { sub: SubTag(part), ..want }).map_err(Stop::fault)?;
        let (start, from) = self.start_of_queue(id.as_deref(), queue, port);
        self.subs.insert(Sub {
            start,
            from: Some(from),
            group: Some(tag),
            prefetch,
            ..Sub::new(part, key, mode, Source::Queue(consumer))
        });
        if let Some(group) = self.subs.group_mut(tag) {
            group.parts.push(part);
        }
        Ok(())
    }

    /// Takes parts out of groups whose queues were deleted.
    fn leave_deleted(&mut self, port: &mut Port) {
        let is_deleted = |sub: &&Sub| {
            let Source::Queue(consumer) = &sub.source else { return false };
            sub.group.is_some() && consumer.queue.lock().is_deleted()
        };
        let gone: Vec<u32> = self.subs.iter().filter(is_deleted).map(|sub| sub.tag).collect();
        for tag in gone {
            let Some(sub) = self.subs.remove_part(tag) else { continue };
            sub.end(port);
            let Some(group) = sub.group.and_then(|group| self.subs.group_mut(group)) else { continue };
            group.parts.retain(|&part| part != tag);
            group.returned += sub.flights.len();
            if let Source::Queue(consumer) = &sub.source {
                group.queues.remove(&consumer.queue.id);
            }
        }
    }
}

impl Subs {
    /// Notes a message that was sent for a part of a group, where acknowledgements are cumulative.
    pub(super) fn note_sent(&mut self, group: u32, part: u32, delivery: u64) {
        if let Some(group) = self.group_mut(group).filter(|group| group.mode == AckMode::Client) {
            group.sent.push_back((part, delivery));
        }
    }

    /// What a cumulative acknowledgement of a delivery covers: the last of each part. `None` where the
    /// subscription has one source or is acknowledged one by one.
    pub(super) fn sent_until(&mut self, part: u32, delivery: u64) -> Option<SmallVec<[(u32, u64); 2]>> {
        let sub = self.get_mut(part)?;
        let is_open = sub.flights.has(delivery);
        let tag = sub.group?;
        let group = self.group_mut(tag).filter(|group| group.mode == AckMode::Client)?;
        let mut last: SmallVec<[(u32, u64); 2]> = SmallVec::new();
        if !is_open {
            return Some(last);
        }
        for &(of, sent) in &group.sent {
            match last.iter_mut().find(|(known, _)| *known == of) {
                Some(known) => known.1 = sent,
                None => last.push((of, sent)),
            }
            if (of, sent) == (part, delivery) {
                break;
            }
        }
        Some(last)
    }

    /// Forgets the order of what no longer waits for an acknowledgement.
    pub(super) fn forget_settled(&mut self) {
        for at in 0..self.groups.len() {
            while let Some(&(part, delivery)) = self.groups.get(at).and_then(|group| group.sent.front()) {
                if self.get_mut(part).is_some_and(|sub| sub.flights.has(delivery)) {
                    break;
                }
                if let Some(group) = self.groups.get_mut(at) {
                    group.sent.pop_front();
                }
            }
        }
    }

    /// Notes that a group may be given so many more messages. [`Subs::refill`] has its queues do it.
    pub(super) fn give_back(&mut self, group: u32, messages: u32) {
        if let Some(group) = self.group_mut(group) {
            group.returned = group.returned.saturating_add(messages);
        }
    }

    /// Lets the queues of groups give what has come back.
    pub(super) fn refill(&mut self, port: &Port) {
        let mut groups = std::mem::take(&mut self.groups);
        for group in groups.iter_mut().filter(|group| group.returned > group.prefetch / REFILL_SHARE) {
            group.pool.put(std::mem::take(&mut group.returned));
            // Another one first each time, so that none starves.
            group.turn = (group.turn + 1) % group.parts.len().max(1);
            let (before, after) = group.parts.split_at(group.turn.min(group.parts.len()));
            for &part in after.iter().chain(before) {
                if let Some(Source::Queue(consumer)) = self.get_mut(part).map(|sub| &sub.source) {
                    port.grant(consumer, Credit::default());
                }
            }
        }
        self.groups = groups;
    }
}
