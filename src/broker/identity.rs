//! What tells messages from each other: the identity by which a queue drops duplicates, and the key by
//! which a later message replaces an earlier one.
//!
//! Both are headers that the queue's policy names, read through the broker's view of heads. A message has
//! one identity: what its publisher gave as such, else the header that the first queue of its route that
//! drops duplicates asks for. It is stored with the message, so that a restart knows it whatever the
//! policy says by then.

use std::collections::HashSet;
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{Location, Millis};
use wharfmq_core::record::Class;
use wharfmq_core::{
    Arrival, Entry, GroupId, Message, Novelty, Queue, QueueCell, QueueId, QueuePolicy, Value, limits,
};

use super::flush::{entry_of, order_of};
use super::undertaker::message_from;
use super::{Broker, Route};

impl Broker {
    /// Gives a message that is to be published the identity that its route asks for, and looks at the
    /// keys that it will have. Answers why it is refused.
    pub(super) fn identify(&self, route: &Route, message: &mut Arc<Message>) -> Result<(), String> {
        let policies = || route.queues.iter().map(|bound| &bound.queue.policy);
        for policy in policies() {
            if let Some(name) = &policy.last_value
                && let Some(key) = self.header(message, name)
            {
                check(&key, name, limits::LAST_VALUE_BYTES_MAX)?;
            }
        }
        if let Some(own) = message.terms.as_deref().filter(|terms| !terms.dedup.is_empty()) {
            return check(&own.dedup, "identity", limits::IDENTITY_BYTES_MAX);
        }
        for policy in policies().filter(|policy| policy.drops_duplicates()) {
            let Some(id) = self.header(message, &policy.dedup_by) else { continue };
            check(&id, &policy.dedup_by, limits::IDENTITY_BYTES_MAX)?;
            if let Some(message) = Arc::get_mut(message) {
                message.terms.get_or_insert_default().dedup = id;
            }
            return Ok(());
        }
        Ok(())
    }

    /// What a queue gets of a message that was published.
    pub(super) fn arrival(
        &self,
        cell: &QueueCell,
        message: &Arc<Message>,
        at: Location,
        flags: u8,
    ) -> Arrival {
        let policy = &cell.policy;
        let mut arrival = entry_of(message, order_of(message), at, flags, policy.expiry);
        if policy.drops_duplicates() {
            arrival = arrival.dedup(identity_of(message).cloned());
        }
        if policy.last_value.is_some() {
            arrival = arrival.key(self.key_of(message, policy));
        }
        if cell.class == Class::Shared && self.topology.shared_sticky {
            arrival = arrival.group(GroupId::of(&message.address.name));
        }
        arrival
    }

    /// The value by which a message replaces others in a queue of this policy.
    pub(super) fn key_of(&self, message: &Message, policy: &QueuePolicy) -> Option<ByteString> {
        self.header(message, policy.last_value.as_ref()?)
    }

    /// The keys of a queue's stored messages, read from the log; none where the queue asks for none.
    pub(super) fn keys_of(&self, cell: &QueueCell, entries: &[Entry]) -> Vec<Option<ByteString>> {
        let mut keys = Vec::new();
        if cell.policy.last_value.is_none() {
            return keys;
        }
        for some in entries.chunks(limits::LOAD_ENTRIES) {
            let places: Vec<Location> = some.iter().map(|entry| entry.at).collect();
            let mut payloads = Vec::with_capacity(places.len());
            if self.log.read(&places, &mut payloads).is_ok() {
                let messages = payloads.iter().map(message_from);
                keys.extend(messages.map(|message| self.key_of(&*message?, &cell.policy)));
            } else {
                // What cannot be read has no key, and its neighbours get a try of their own.
                let messages = some.iter().map(|entry| self.read_one(entry.at));
                keys.extend(messages.map(|message| self.key_of(&*message?, &cell.policy)));
            }
        }
        keys
    }

    fn header(&self, message: &Message, name: &str) -> Option<ByteString> {
        let text: ByteString = match (self.view)(message.head.tag, &message.head.bytes, name) {
            Value::Null => return None,
            Value::Text(text) => (&*text).into(),
            Value::Int(number) => number.to_string().into(),
            Value::Float(number) => number.to_string().into(),
            Value::Bool(value) => value.to_string().into(),
        };
        (!text.is_empty()).then_some(text)
    }
}

fn check(value: &str, what: &str, max: usize) -> Result<(), String> {
    if value.len() > max {
        return Err(format!("{what} has {} bytes; it may have {max}", value.len()));
    }
    Ok(())
}

fn identity_of(message: &Message) -> Option<&ByteString> {
    message.terms.as_deref().map(|terms| &terms.dedup).filter(|id| !id.is_empty())
}

/// How a message fares with what a queue has seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// It is the first, or has no identity.
    Yes,
    /// There was one before it: the queue need not take it, and its publisher is told that it did.
    Seen,
    /// There was one before it, of which nobody knows yet whether it will be taken.
    Unknown,
}

/// What one flush knows of the identities of its messages.
#[derive(Debug, Default)]
pub(super) struct Firsts {
    /// Those that this flush is the first with.
    own: HashSet<(QueueId, ByteString), RandomState>,
    /// Those of `own` that came again within the flush.
    repeated: Vec<(Arc<QueueCell>, ByteString)>,
    /// Whether a message was left out for one that came before this flush.
    pub(super) seen: bool,
}

impl Firsts {
    /// Asks a queue, whose lock is held, whether it has seen a message before.
    pub(super) fn ask(
        &mut self,
        cell: &Arc<QueueCell>,
        queue: &mut Queue,
        message: &Message,
        now: Millis,
    ) -> First {
        let Some(id) = identity_of(message) else { return First::Yes };
        match queue.try_first(id, now) {
            Novelty::New => {
                self.own.insert((cell.id, id.clone()));
                First::Yes
            }
            Novelty::Seen => {
                self.seen = true;
                First::Seen
            }
            // They share one batch and one confirmation.
            Novelty::Pending if self.own.contains(&(cell.id, id.clone())) => {
                self.repeated.push((Arc::clone(cell), id.clone()));
                First::Seen
            }
            Novelty::Pending => First::Unknown,
        }
    }

    /// A message that a queue was the first to see is not taken after all.
    pub(super) fn forget(&mut self, cell: &QueueCell, queue: &mut Queue, message: &Message) {
        if let Some(id) = identity_of(message)
            && self.own.remove(&(cell.id, id.clone()))
        {
            queue.forget_first(id);
        }
    }

    /// Everything was taken: what came twice within the flush is counted as what came later.
    pub(super) fn count_repeated(&mut self, now: Millis) {
        for (cell, id) in self.repeated.drain(..) {
            cell.lock().queue().try_first(&id, now);
        }
    }
}
