//! From a stage to the subscribers, the log and the queues: once per round, in batches.
//!
//! The order is: ask the queues (lock), append one batch that names what they admitted, enqueue
//! (lock). A replay of the log therefore never revives what was refused, and an acknowledgement can
//! never precede its message in the log.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::RandomState;
use smallvec::{SmallVec, smallvec};
use wharfmq_base::{Location, Lsn, Millis};
use wharfmq_core::record::{self, BROKER, Class, MessagePrefix, RETAINED, kind};
use wharfmq_core::{
    Address, Admission, Arrival, Bound, Chosen, Chunk, Entry, GroupId, Head, Item, Kind, Message, MessageId,
    Notes, Order, Outbox, Qos, QueueCell, QueueId, SubTag, limits,
};
use wharfmq_store::{AppendError, Batch};

use super::handover::HandOver;
use super::identity::{First, Firsts};
use super::parts::{each_chosen, parts};
use super::sequences::Advances;
use super::settle::{EVERYWHERE, SettledInTx};
use super::stage::{Extra, Stage, StagedRun, expiry};
use super::{Broker, Cause, Now, Refused};

/// Below this size the bytes of a round are copied, so that the read buffer can be used again at once
/// and a slow subscriber does not pin it.
const COPY_BYTES: usize = 16 * 1024;
/// A body that is less than this part of its chunk gets memory of its own when a queue keeps it.
const OWN_COPY_SHARE: usize = 8;

/// What became of a stage.
#[derive(Debug, Default)]
pub(super) struct Flushed {
    /// The batch that has to be durable before the stage's confirmations go out.
    pub(super) lsn: Option<Lsn>,
    /// Publications that were refused, and why; counted behind the last of them, what has none.
    pub(super) refused: Vec<(u32, String)>,
    /// The rest, from the first publication on that has to wait for room, and the bytes it points into.
    pub(super) parked: Option<(Stage, Bytes)>,
    /// Subscribers that hold their publishers back.
    pub(super) slow: Vec<Slow>,
}

/// A subscriber that holds its publishers back.
#[derive(Debug)]
pub(super) struct Slow {
    pub(super) outbox: Arc<Outbox>,
    /// One of its subscriptions, and what it is given of.
    pub(super) sub: SubTag,
    pub(super) topic: Arc<Address>,
}

/// Who flushes, and how it wants to be treated.
pub(super) struct Flusher<'a> {
    pub(super) outbox: &'a Arc<Outbox>,
    pub(super) now: Now,
    /// The queues of the connection's own, which may not want what it publishes itself.
    pub(super) own: &'a [QueueId],
    /// Whether a full queue is an answer rather than something to wait for.
    pub(super) refuse_when_full: bool,
    /// Whether one refusal is a refusal of everything, as in a transaction.
    pub(super) atomic: bool,
}

/// A message on its way into queues.
struct Routed {
    message: Arc<Message>,
    targets: SmallVec<[(u32, u8); 2]>,
    stored: bool,
    record: usize,
}

/// A queue that takes part in a flush, and which of the flush's messages it gets with which flags.
struct Slot {
    cell: Arc<QueueCell>,
    /// As it was when the flush began: a queue that becomes durable meanwhile keeps this in memory.
    durable: bool,
    gets: Vec<(u32, u8)>,
}

/// What one flush gathers before its one append.
#[derive(Default)]
struct Gathered {
    slots: Vec<Slot>,
    slot_of: HashMap<QueueId, u32, RandomState>,
    messages: Vec<Routed>,
    retained: Vec<(Arc<Message>, Option<usize>)>,
    /// Made by the first queue that drops duplicates.
    firsts: Option<Box<Firsts>>,
}

impl Broker {
    /// Carries out everything staged. `settles` are acknowledgements of a transaction, which go into
    /// the same batch.
    pub(super) fn flush(
        &self,
        mut stage: Stage,
        raw: Bytes,
        by: &Flusher<'_>,
        settles: &[SettledInTx],
    ) -> Flushed {
        let mut done = Flushed::default();
        let raw = if raw.len() < COPY_BYTES { stage.compact(&raw) } else { raw };
        let first_id = self.ids.draw(stage.items.len() as u64);
        let mut gathered = Gathered::default();
        if stage.runs.iter().any(|run| !run.route.is_storage_less())
            || stage.items.iter().any(|item| item.retain)
        {
            self.gather(&mut stage, &raw, first_id, by, &mut gathered, &mut done);
        }
        if !done.refused.is_empty() {
            self.counters.causes.add(Cause::RefusedByDestination, done.refused.len() as u64);
        }
        if by.atomic && !done.refused.is_empty() {
            gathered.unreserve_all();
            return done;
        }
        if gathered.firsts.as_ref().is_some_and(|firsts| firsts.seen) {
            // Whoever sent it again is told what the first one was told, and no earlier.
            done.lsn = Some(self.log.stats().appended);
        }
        if let Some(error) = self.store(&stage, &mut gathered, settles, (by, first_id), &mut done) {
            gathered.unreserve_all();
            match error {
                AppendError::Full if !by.refuse_when_full => {
                    let kept = std::mem::take(&mut stage);
                    let kept = match done.parked.take() {
                        Some((rest, _)) => kept.followed_by(rest),
                        None => kept,
                    };
                    done.parked = Some((kept, raw));
                }
                error => {
                    let reason = error.to_string();
                    self.counters.causes.add(Cause::RefusedByDestination, stage.items.len() as u64);
                    // With the confirmations that stand behind the last publication, or without any.
                    let items = 0..=stage.items.len() as u32;
                    done.refused = items.map(|item| (item, reason.clone())).collect();
                }
            }
            return done;
        }
        self.fan_out(stage, raw, first_id, by, &mut done);
        done
    }

    /// Makes messages of what queues keep, and asks them for room.
    fn gather(
        &self,
        stage: &mut Stage,
        raw: &Bytes,
        first_id: u64,
        by: &Flusher<'_>,
        gathered: &mut Gathered,
        done: &mut Flushed,
    ) {
        let runs = stage.runs.clone();
        for run in &runs {
            let slots: SmallVec<[u32; 4]> =
                run.route.queues.iter().map(|b| gathered.slot(&b.queue)).collect();
            let keeps_all = run.route.queues.iter().any(|b| b.queue.keeps(Qos::AtMostOnce));
            let told_apart = run.route.queues.iter().any(|b| b.queue.policy.tells_apart());
            for index in run.start..run.end {
                let Some(item) = stage.items.get(index as usize) else { return };
                let retain = item.retain && run.route.address.kind == Kind::Topic;
                let kept = keeps_all || item.qos.is_persistent() && !slots.is_empty();
                if !kept && !retain {
                    continue;
                }
                let extra = stage.extra(index);
                let id = first_id + u64::from(index);
                let mut message = make_message(run, item, extra, raw, id, by.now.wall);
                if told_apart && let Err(why) = self.identify(&run.route, &mut message) {
                    done.refused.push((index, why));
                    continue;
                }
                if retain && !self.admits_retained(&message) {
                    done.refused.push((index, "there are too many retained messages".to_owned()));
                    continue;
                }
                match self.admit(run, &slots, &message, gathered, by) {
                    Admitted::To(targets) => gathered.add(message, targets, retain),
                    Admitted::Refused(why) => done.refused.push((index, why)),
                    Admitted::Wait => {
                        done.parked = Some((stage.split_off(index), raw.clone()));
                        return;
                    }
                }
            }
        }
    }

    /// Asks every queue of a route for room for one message.
    fn admit(
        &self,
        run: &StagedRun,
        slots: &[u32],
        message: &Message,
        gathered: &mut Gathered,
        by: &Flusher<'_>,
    ) -> Admitted {
        let mut targets: SmallVec<[(u32, u8); 2]> = SmallVec::new();
        for (bound, &slot) in run.route.queues.iter().zip(slots) {
            if !bound.queue.keeps(message.qos) {
                continue;
            }
            let Some(flags) = bound.taking(by.own.contains(&bound.id), message) else { continue };
            if !bound.queue.may_refuse() && !bound.queue.policy.drops_duplicates() {
                targets.push((slot, flags));
                continue;
            }
            match ask(bound, message, gathered, by) {
                Asked::Take => targets.push((slot, flags)),
                // One full subscription does not keep the message from the others.
                Asked::Rejected
                    if run.route.address.kind == Kind::Topic || bound.queue.class != Class::Queue =>
                {
                    self.counters.causes.count(Cause::SubscriptionFull);
                    self.tell_full(&bound.queue, by.now);
                }
                Asked::Seen => {}
                denied => {
                    for &(slot, _) in &targets {
                        gathered.unreserve(slot, message);
                    }
                    self.tell_full(&bound.queue, by.now);
                    return match denied {
                        Asked::Unknown if by.atomic => Admitted::Refused(
                            "a message of the same identity is being sent just now: send it again".into(),
                        ),
                        Asked::Unknown | Asked::Wait => Admitted::Wait,
                        Asked::Gone => Admitted::Refused(Refused::Gone(bound.queue.name.clone()).to_string()),
                        _ => Admitted::Refused(format!("queue {} is full", bound.queue.name)),
                    };
                }
            }
        }
        Admitted::To(targets)
    }

    /// Appends the flush's batch and enqueues. Answers the error where the log took nothing.
    fn store(
        &self,
        stage: &Stage,
        gathered: &mut Gathered,
        settles: &[SettledInTx],
        (by, first_id): (&Flusher<'_>, u64),
        done: &mut Flushed,
    ) -> Option<AppendError> {
        let is_stored = |index: u32| gathered.stores(MessageId(first_id + u64::from(index)));
        let advances = Advances::of(&stage.numbers, &done.refused, is_stored);
        let durable = gathered.messages.iter().any(|routed| routed.stored)
            || !gathered.retained.is_empty()
            || !stage.states.is_empty()
            || stage.ends.is_some()
            || settles.iter().any(|settled| !settled.orders.is_empty());
        if !durable {
            self.enqueue(gathered, &|_| Location::NOWHERE, by.now);
            self.finish_settles(settles, by.now);
            self.sequences.apply(advances, by.now.wall);
            return None;
        }
        let mut batch = self.log.batch();
        if (gathered.messages.is_empty() && gathered.retained.is_empty()) || stage.ends.is_some() {
            // Acknowledgements and what sessions remember of them free space, so a full log takes them; and
            // what a queue has kept that ends.
            batch.reserved();
        }
        self.write_messages(gathered, &mut batch);
        let mut scratch = Vec::new();
        for state in &stage.states {
            scratch.clear();
            record::State { owner: state.owner, key: &state.key, value: state.value.as_deref() }
                .encode(&mut scratch);
            batch.push(kind::STATE, &[], 0, &[&scratch]);
        }
        for (key, value) in advances.records(by.now.wall) {
            scratch.clear();
            record::State { owner: BROKER, key: &key, value: Some(&value) }.encode(&mut scratch);
            batch.push(kind::STATE, &[], 0, &[&scratch]);
        }
        for settled in settles.iter().filter(|settled| !settled.orders.is_empty()) {
            scratch.clear();
            record::Settle::encode(settled.cell.id, settled.orders.iter().copied(), &mut scratch);
            batch.push(kind::SETTLE, &[], 0, &[&scratch]);
        }
        if let Some(queue) = &stage.ends {
            scratch.clear();
            record::encode_undefine(queue.id, &mut scratch);
            batch.push(kind::UNDEFINE, &[], 0, &[&scratch]);
        }
        let gate = self.gate.read();
        let placed = match self.log.append(&mut batch) {
            Ok(placed) => placed,
            Err(error) => return Some(error),
        };
        done.lsn = Some(placed.lsn);
        self.enqueue(gathered, &|record| placed.location(record), by.now);
        let states = stage.states.iter();
        self.set_states(states.map(|state| (state.owner, state.key.clone(), state.value.clone())));
        self.sequences.apply(advances, by.now.wall);
        self.finish_settles(settles, by.now);
        stage.ends.iter().for_each(|queue| self.forget_queue(queue));
        drop(gate);
        stage.ends.iter().for_each(|queue| self.empty(queue));
        None
    }

    fn write_messages(&self, gathered: &mut Gathered, batch: &mut Batch) {
        let mut prefix = Vec::with_capacity(128);
        let mut index = Vec::with_capacity(64);
        for routed in gathered.messages.iter_mut().filter(|routed| routed.stored) {
            let targets: SmallVec<[(QueueId, u8); 2]> = routed
                .targets
                .iter()
                .filter_map(|&(slot, flags)| gathered.slots.get(slot as usize).map(|slot| (slot, flags)))
                .filter(|(slot, _)| slot.durable)
                .map(|(slot, flags)| (slot.cell.id, flags))
                .collect();
            routed.record = batch.len();
            push_message(
                batch,
                &routed.message,
                order_of(&routed.message),
                &targets,
                &mut prefix,
                &mut index,
            );
        }
        for (message, place) in &mut gathered.retained {
            if message.body.is_empty() {
                // What clears a topic is read by a replay, and nothing holds it after a checkpoint.
                prefix.clear();
                MessagePrefix::of(message, order_of(message), &[(RETAINED, 0)]).encode(&mut prefix);
                batch.push(kind::MESSAGE, &[], 0, &[&prefix, &message.head.bytes, &message.notes.0]);
                continue;
            }
            *place = Some(batch.len());
            push_message(batch, message, order_of(message), &[(RETAINED, 0)], &mut prefix, &mut index);
        }
    }

    fn enqueue(&self, gathered: &mut Gathered, place: &dyn Fn(usize) -> Location, now: Now) {
        for Slot { cell, durable, gets } in gathered.slots.iter().filter(|slot| !slot.gets.is_empty()) {
            let entries = gets.iter().filter_map(|&(index, flags)| {
                let routed = gathered.messages.get(index as usize)?;
                let stored = routed.stored && *durable;
                let at = if stored { place(routed.record) } else { Location::NOWHERE };
                Some(self.arrival(cell, &routed.message, at, flags))
            });
            self.run(cell, |queue, fx| {
                queue.enqueue(entries, now.wall, fx);
                if queue.wants_page_out() {
                    queue.page_out(EVERYWHERE, limits::SCAN_BUDGET);
                }
            });
        }
        for (message, record) in gathered.retained.drain(..) {
            let at = record.map_or(Location::NOWHERE, place);
            self.retain(message, at);
        }
        if let Some(firsts) = &mut gathered.firsts {
            firsts.count_repeated(now.wall);
        }
    }

    /// Hands the items to the subscribers that store nothing: one shared chunk for all of them.
    pub(super) fn fan_out(
        &self,
        mut stage: Stage,
        raw: Bytes,
        first_id: u64,
        by: &Flusher<'_>,
        done: &mut Flushed,
    ) {
        self.look_for_late_subscribers(&mut stage);
        if stage.runs.iter().all(|run| run.route.is_queues_only()) {
            return;
        }
        let addresses = stage.addresses();
        let Stage { items, runs, .. } = stage;
        let chunk = Arc::new(Chunk { raw, items, addresses, received: by.now.wall, first_id });
        let from = by.outbox.conn;
        let mut hand = HandOver::new(self, &chunk, runs.len());
        for run in &runs {
            let chosen = run.route.chosen.as_deref();
            for target in &run.route.direct {
                if chosen.is_some() && Chosen::covers(target) {
                    continue;
                }
                hand.add(&target.outbox, parts(&chunk, run, target, from), done);
            }
            for share in &run.route.shares {
                share.deal(&chunk, run.start..run.end, |member, part| {
                    hand.add(&member.outbox, smallvec![part], done);
                });
            }
            if let Some(chosen) = chosen {
                each_chosen(&chunk, run, chosen, from, |target, parts| {
                    hand.add(&target.outbox, parts, done);
                });
            }
        }
        hand.finish(done);
    }
}

/// How a message fared with the queues of its route.
enum Admitted {
    To(SmallVec<[(u32, u8); 2]>),
    Refused(String),
    Wait,
}

/// What one queue says to one message.
enum Asked {
    Take,
    Seen,
    Unknown,
    Wait,
    Full,
    Rejected,
    Gone,
}

/// Asks a queue that does not take everything.
fn ask(bound: &Bound<Arc<QueueCell>>, message: &Message, gathered: &mut Gathered, by: &Flusher<'_>) -> Asked {
    let cell = &bound.queue;
    let mut locked = cell.lock();
    if locked.is_deleted() && cell.class == Class::Temporary {
        return Asked::Gone;
    }
    if cell.policy.drops_duplicates() {
        let firsts = gathered.firsts.get_or_insert_default();
        match firsts.ask(cell, locked.queue(), message, by.now.wall) {
            First::Yes => {}
            First::Seen => return Asked::Seen,
            First::Unknown => return Asked::Unknown,
        }
    }
    if !cell.may_refuse() {
        return Asked::Take;
    }
    let denied = match locked.queue().admit(1, u64::from(message.size())) {
        Admission::Accept => return Asked::Take,
        Admission::Block if !by.refuse_when_full => {
            locked.wait_for_room(by.outbox);
            Asked::Wait
        }
        Admission::Block => Asked::Full,
        Admission::Reject => Asked::Rejected,
    };
    if let Some(firsts) = &mut gathered.firsts {
        firsts.forget(cell, locked.queue(), message);
    }
    denied
}

impl Gathered {
    fn slot(&mut self, cell: &Arc<QueueCell>) -> u32 {
        *self.slot_of.entry(cell.id).or_insert_with(|| {
            self.slots.push(Slot { cell: Arc::clone(cell), durable: cell.is_durable(), gets: Vec::new() });
            (self.slots.len() - 1) as u32
        })
    }

    fn add(&mut self, message: Arc<Message>, targets: SmallVec<[(u32, u8); 2]>, retain: bool) {
        if retain {
            self.retained.push((Arc::clone(&message), None));
        }
        if targets.is_empty() {
            return;
        }
        let index = self.messages.len() as u32;
        let mut stored = false;
        for &(slot, flags) in &targets {
            if let Some(slot) = self.slots.get_mut(slot as usize) {
                slot.gets.push((index, flags));
                stored |= slot.durable;
            }
        }
        // What is to come much later has to outlive the process, whatever its publisher said.
        stored &= message.qos.is_persistent() || due_of(&message) > message.received;
        self.messages.push(Routed { message, targets, stored, record: 0 });
    }

    /// Whether the batch is to store the message of this identity.
    fn stores(&self, id: MessageId) -> bool {
        let routed = self.messages.binary_search_by_key(&id, |routed| routed.message.id);
        let routed = routed.ok().and_then(|at| self.messages.get(at));
        routed.is_some_and(|routed| routed.stored)
            || self.retained.binary_search_by_key(&id, |(message, _)| message.id).is_ok()
    }

    fn unreserve(&mut self, slot: u32, message: &Message) {
        let Some(Slot { cell, .. }) = self.slots.get(slot as usize) else { return };
        if cell.may_refuse() {
            cell.lock().queue().unreserve(1, u64::from(message.size()));
        }
        if let Some(firsts) = self.firsts.as_mut().filter(|_| cell.policy.drops_duplicates()) {
            firsts.forget(cell, cell.lock().queue(), message);
        }
    }

    /// Nothing of the flush was taken.
    fn unreserve_all(&mut self) {
        for routed in std::mem::take(&mut self.messages) {
            for &(slot, _) in &routed.targets {
                self.unreserve(slot, &routed.message);
            }
        }
    }
}

/// A message that comes from a client takes its place by its identity.
pub(super) const fn order_of(message: &Message) -> Order {
    Order(message.id.0)
}

/// Writes a message's record and its index entry.
pub(super) fn push_message(
    batch: &mut Batch,
    message: &Message,
    order: Order,
    targets: &[(QueueId, u8)],
    prefix: &mut Vec<u8>,
    index: &mut Vec<u8>,
) {
    prefix.clear();
    index.clear();
    let head = MessagePrefix::of(message, order, targets);
    head.encode(prefix);
    record::IndexEntry::encode(&head, message.size(), false, index);
    let parts: [&[u8]; 4] = [prefix, &message.head.bytes, &message.notes.0, &message.body];
    batch.push_held(kind::MESSAGE, index, targets.len() as u32, u64::from(message.size()), &parts);
}

/// What a queue keeps of a message.
pub(super) fn entry_of(
    message: &Arc<Message>,
    order: Order,
    at: Location,
    flags: u8,
    limit: Millis,
) -> Arrival {
    let (terms, due) = (message.terms.as_deref(), due_of(message));
    let entry = Entry {
        order,
        message: Some(Arc::clone(message)),
        at,
        size: message.size(),
        expires: expiry(message.expires, limit, message.received.max(due)),
        deliveries: 0,
        priority: message.priority,
        flags,
        closes_group: terms.is_some_and(|terms| terms.closes_group),
        group: terms.map_or(GroupId::NONE, |terms| terms.group),
    };
    Arrival::from(entry).due(due)
}

fn due_of(message: &Message) -> Millis {
    message.terms.as_deref().map_or(Millis(0), |terms| terms.due)
}

fn make_message(
    run: &StagedRun,
    item: &Item,
    extra: Option<&Extra>,
    raw: &Bytes,
    id: u64,
    now: Millis,
) -> Arc<Message> {
    let (head, body) = if item.frame.len as usize * OWN_COPY_SHARE < raw.len() {
        let mut own = Vec::with_capacity((item.head.len + item.body.len) as usize);
        own.extend_from_slice(item.head.of(raw));
        let split = own.len();
        own.extend_from_slice(item.body.of(raw));
        let own = Bytes::from(own);
        (own.slice(..split), own.slice(split..))
    } else {
        (item.head.slice(raw), item.body.slice(raw))
    };
    let terms = extra.map(|extra| &extra.terms).filter(|terms| !terms.is_empty());
    // A life begins where the message can first be delivered.
    let delay = terms.map_or(Millis(0), |terms| terms.due.since(now));
    Arc::new(Message {
        id: MessageId(id),
        address: Arc::<Address>::clone(&run.route.address),
        qos: item.qos,
        priority: item.priority,
        retain: item.retain,
        received: now,
        expires: expiry(item.expires.plus(delay), queue_limit(run), now.plus(delay)),
        head: Head { tag: item.tag, bytes: head },
        notes: extra.map_or_else(Notes::default, |extra| extra.notes.clone()),
        terms: terms.map(|terms| Box::new(terms.clone())),
        body,
    })
}

/// The longest life that a point-to-point queue grants its messages. Where others take them as well,
/// each bounds its own entry only.
fn queue_limit(run: &StagedRun) -> Millis {
    match &*run.route.queues {
        [bound] if run.route.address.kind == Kind::Queue => bound.queue.policy.expiry,
        _ => Millis::NEVER,
    }
}
