//! Shared subscriptions: queues of topics whose members take turns.
//!
//! A share is durable from the first member on whose session outlives its connection, and exists as long as
//! somebody consumes from it or such a session is its member. That a session is one stands in the log with
//! the session, so both end together, and a start after a crash can bring shares and members into line.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use wharfmq_base::{Location, Lsn, Millis};
use wharfmq_core::record::{self, Class, kind};
use wharfmq_core::{
    ConsumeSpec, Entry, GroupId, Kind, Message, MessageId, NameError, Order, Outcome, Pattern, QueueCell,
    QueueId, Staged, Tags, limits,
};
use wharfmq_store::AppendError;

use super::flush::{entry_of, push_message};
use super::settle::EVERYWHERE;
use super::undertaker::message_from;
use super::{Binding, Broker, Consumer, Port, Refused};

/// Key prefix under which a session is remembered to be the member of a share; behind it the share's name.
const MEMBER_KEY: &[u8] = b"\xffshare:";
/// The quality of service of a share's binding: the members' own bounds come later.
const FLAGS: u8 = 2;

/// Which sessions are members of which shares.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Held while somebody joins or leaves. Taken before `Broker::making`.
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    of: HashMap<QueueId, HashSet<ByteString, RandomState>, RandomState>,
    /// Number of the sessions of each share.
    sessions: HashMap<ByteString, usize, RandomState>,
}

/// A delivery of a share that is handed over to a session.
#[derive(Debug)]
pub struct Handed {
    /// Its number with the member's consumer.
    pub tag: u64,
    /// The message.
    pub message: Arc<Message>,
    /// The session's word for it; see [`Entry::flags`].
    pub flags: u8,
}

impl Port {
    /// Takes part in the share of this name, `GROUP/PATTERN`, which is made where there is none: what
    /// nothing stores is dealt out, the rest consumed from its queue. `session`:
    /// the queue of a session that stays a member when its connection ends.
    pub fn join_share(
        &mut self,
        name: &ByteString,
        session: Option<&Arc<QueueCell>>,
        spec: ConsumeSpec,
    ) -> Result<Consumer, Refused> {
        let broker = Arc::clone(&self.broker);
        let mut members = broker.shares.members.lock();
        let share = broker.share(name, session.is_some())?;
        self.appended_until_now();
        // Who deletes a session looks for its memberships afterwards, and takes the lock for it.
        let gone = session.filter(|session| broker.queues.get(session.id).is_none());
        let consumer = match gone {
            Some(session) => Err(Refused::Gone(session.name.clone())),
            None => self.consume(&share, spec).map_err(Refused::TooManyConsumers),
        };
        let consumer = consumer.inspect_err(|_| broker.end_if_left(&members, &share))?;
        if broker.topology.shared_sticky {
            share.set_keeps_light(true);
        } else {
            self.join(&binding_of(name)?.pattern, &share, consumer.sub);
        }
        if let Some(session) = session
            && members.add(session.id, name)
        {
            self.remember(session, member_key(name), Some(Bytes::new()));
        }
        Ok(consumer)
    }

    /// Ends a consumer of a share; what it held goes to the others. `session` is a member no more; without
    /// it, it may come back.
    pub fn leave_share(&mut self, member: &Consumer, session: Option<&Arc<QueueCell>>) {
        let broker = Arc::clone(&self.broker);
        let mut members = broker.shares.members.lock();
        if let Ok(binding) = binding_of(&member.queue.name) {
            self.unsubscribe(&binding.pattern, member.sub);
        }
        self.cancel(member, 0);
        let name = &member.queue.name;
        if let Some(session) = session
            && members.remove(session.id, name)
        {
            self.remember(session, member_key(name), None);
        }
        broker.end_if_left(&members, &member.queue);
        self.appended_until_now();
    }

    /// Hands deliveries of a share over to the queue of its member's session, in one atomic batch: from now
    /// on they are that session's, whatever becomes of the connection. `note`: what the session is to
    /// remember of each, by the new number of the message. Answers those numbers; none where the log took
    /// nothing.
    pub fn hand_over(
        &mut self,
        from: &Consumer,
        handed: &[Handed],
        to: &Arc<QueueCell>,
        note: impl Fn(MessageId) -> Option<(Bytes, Bytes)>,
    ) -> Vec<MessageId> {
        let mut staged = Vec::with_capacity(handed.len());
        let mut locked = from.queue.lock();
        for handed in handed {
            locked.queue().stage(from.key, Tags::One(handed.tag), &mut staged);
        }
        drop(locked);
        let broker = Arc::clone(&self.broker);
        let moved = if staged.len() == handed.len() {
            broker.move_to_session(from, &staged, handed, to, note, self.now.wall)
        } else {
            Err(AppendError::Full)
        };
        match moved {
            Ok((first, lsn)) => {
                self.has_appended(Some(lsn));
                (first..first + handed.len() as u64).map(MessageId).collect()
            }
            Err(_) => {
                let wall = self.now.wall;
                broker.run(&from.queue, |queue, fx| queue.unstage(&staged, wall, fx));
                Vec::new()
            }
        }
    }

    /// Takes a delivery out of its queue because it goes to the client now, and never to another.
    pub fn take_out(&mut self, from: &Consumer, tag: u64) {
        self.settle(from, Tags::One(tag), Outcome::Accept, wharfmq_core::Credit::default());
    }

    /// Counts messages that a connection or session took with it.
    pub fn count_ended(&self, messages: u64) {
        self.broker.counters.dropped_ended(messages);
    }

    /// Counts a message that its client answered with an error.
    pub fn count_rejected(&self) {
        self.broker.counters.rejected(1);
    }
}

impl Broker {
    /// Finds or makes a share, durable where that is asked for.
    fn share(&self, name: &ByteString, durable: bool) -> Result<Arc<QueueCell>, Refused> {
        let cell = match self.queues.find(Class::Shared, name) {
            Some(cell) => cell,
            None => self.make(Class::Shared, name, durable, Some(binding_of(name)?))?.0,
        };
        if durable && !cell.is_durable() {
            let gate = self.gate.read();
            let define = record::Define { queue: cell.id, class: Class::Shared, durable, name };
            self.append_definition(&define, Some(&binding_of(name)?))?;
            cell.make_durable();
            drop(gate);
        }
        Ok(cell)
    }

    /// A session was deleted: it is no member any more.
    pub(super) fn leave_shares(&self, session: &QueueCell) {
        let mut members = self.shares.members.lock();
        for name in members.remove_all(session.id) {
            if let Some(share) = self.queues.find(Class::Shared, &name) {
                self.end_if_left(&members, &share);
            }
        }
    }

    /// Ends a share that has neither members nor consumers.
    fn end_if_left(&self, members: &Members, share: &Arc<QueueCell>) {
        if members.has_any(&share.name) || is_consumed(share) {
            return;
        }
        if let Err(error) = self.delete(share) {
            tracing::error!(share = %share.name, %error, "a shared subscription could not be deleted");
        }
    }

    /// Brings shares and members into line: a crash may have come between the two.
    pub(super) fn take_up_shares(&self) -> Result<(), Refused> {
        let mut members = self.shares.members.lock();
        let cells = self.queues.all();
        for session in cells.iter().filter(|cell| cell.class == Class::Session) {
            for (key, _) in self.states.of(session.id) {
                let name = key.strip_prefix(MEMBER_KEY).map(std::str::from_utf8);
                if let Some(Ok(name)) = name {
                    members.add(session.id, &name.into());
                }
            }
        }
        for share in cells.iter().filter(|cell| cell.class == Class::Shared) {
            self.end_if_left(&members, share);
        }
        for name in members.sessions.keys() {
            let share = self.share(name, true)?;
            if self.bindings.of(share.id).is_empty() {
                self.bind(&share, binding_of(name)?)?;
            }
        }
        drop(members);
        Ok(())
    }

    /// Gives a share's messages of the log their groups, where it sorts by topics.
    pub(super) fn group_by_topic(&self, entries: &mut [Entry]) {
        if !self.topology.shared_sticky {
            return;
        }
        for some in entries.chunks_mut(limits::LOAD_ENTRIES) {
            let places: Vec<Location> = some.iter().map(|entry| entry.at).collect();
            let mut payloads = Vec::with_capacity(places.len());
            let read = self.log.read(&places, &mut payloads).is_ok();
            for (nth, entry) in some.iter_mut().enumerate() {
                let payload = payloads.get(nth).filter(|_| read);
                let message = payload.map_or_else(|| self.read_one(entry.at), message_from);
                entry.group = message.map_or(GroupId::NONE, |message| GroupId::of(&message.address.name));
                entry.closes_group = false;
            }
        }
    }

    fn move_to_session(
        &self,
        from: &Consumer,
        staged: &[Staged],
        handed: &[Handed],
        to: &Arc<QueueCell>,
        note: impl Fn(MessageId) -> Option<(Bytes, Bytes)>,
        wall: Millis,
    ) -> Result<(u64, Lsn), AppendError> {
        let first = self.ids.draw(handed.len() as u64);
        let mut batch = self.log.batch();
        // What is on its way to a client has its place in the log already.
        batch.reserved();
        let (mut prefix, mut index) = (Vec::new(), Vec::new());
        let mut moves = Vec::with_capacity(handed.len());
        for (id, Handed { message, flags, .. }) in (first..).zip(handed) {
            // A number of its own: the session may have the same message by another subscription.
            let copy = Arc::new(Message { id: MessageId(id), ..(**message).clone() });
            let record = batch.len();
            push_message(&mut batch, &copy, Order(id), &[(to.id, *flags)], &mut prefix, &mut index);
            moves.push((copy, record, *flags));
        }
        let mut orders: Vec<Order> =
            staged.iter().filter(|staged| staged.stored).map(|staged| staged.order).collect();
        orders.sort_unstable();
        let mut scratch = Vec::new();
        if !orders.is_empty() {
            record::Settle::encode(from.queue.id, orders, &mut scratch);
            batch.push(kind::SETTLE, &[], 0, &[&scratch]);
        }
        let notes: Vec<_> = moves.iter().filter_map(|(copy, ..)| note(copy.id)).collect();
        for (key, value) in &notes {
            scratch.clear();
            record::State { owner: to.id, key, value: Some(value) }.encode(&mut scratch);
            batch.push(kind::STATE, &[], 0, &[&scratch]);
        }
        let gate = self.gate.read();
        let placed = self.log.append(&mut batch)?;
        self.set_states(notes.into_iter().map(|(key, value)| (to.id, key, Some(value))));
        let arrivals = moves.iter().map(|(copy, record, flags)| {
            entry_of(copy, Order(copy.id.0), placed.location(*record), *flags, Millis::NEVER)
        });
        self.run(to, |queue, fx| {
            queue.enqueue(arrivals, wall, fx);
            if queue.wants_page_out() {
                queue.page_out(EVERYWHERE, limits::SCAN_BUDGET);
            }
        });
        self.run(&from.queue, |queue, fx| {
            queue.commit_staged(staged, wall, fx);
        });
        drop(gate);
        Ok((first, placed.lsn))
    }
}

impl Members {
    /// Adds a session to a share; false where it was in it.
    fn add(&mut self, session: QueueId, name: &ByteString) -> bool {
        let added = self.of.entry(session).or_default().insert(name.clone());
        if added {
            *self.sessions.entry(name.clone()).or_default() += 1;
        }
        added
    }

    /// Takes a session out of a share; false where it was not in it.
    fn remove(&mut self, session: QueueId, name: &ByteString) -> bool {
        let Some(shares) = self.of.get_mut(&session) else { return false };
        if !shares.remove(name) {
            return false;
        }
        if shares.is_empty() {
            self.of.remove(&session);
        }
        self.count_out(name);
        true
    }

    /// Takes a session out of all its shares, which are answered.
    fn remove_all(&mut self, session: QueueId) -> HashSet<ByteString, RandomState> {
        let shares = self.of.remove(&session).unwrap_or_default();
        shares.iter().for_each(|name| self.count_out(name));
        shares
    }

    fn count_out(&mut self, name: &ByteString) {
        if let Some(count) = self.sessions.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.sessions.remove(name);
            }
        }
    }

    fn has_any(&self, name: &ByteString) -> bool {
        self.sessions.contains_key(name)
    }
}

/// Whether somebody consumes from a queue.
pub(super) fn is_consumed(cell: &QueueCell) -> bool {
    cell.lock().queue().consumers().next().is_some()
}

/// The topics of a share, as its name says.
fn binding_of(name: &ByteString) -> Result<Binding, Refused> {
    let topics = name.split_once('/').map_or(&**name, |(_, topics)| topics);
    let pattern = Pattern::parse(Kind::Topic, topics).map_err(|error: NameError| Refused::Name(error))?;
    Ok(Binding::to(pattern, FLAGS))
}

fn member_key(name: &ByteString) -> Bytes {
    [MEMBER_KEY, name.as_bytes()].concat().into()
}
