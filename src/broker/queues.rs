//! Queues, their bindings and their settings: made on first use, written to the log.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::{self, Class, kind};
use wharfmq_core::{
    Address, AttachError, Grouping, Kind, NameError, Pattern, QueueCell, QueueId, QueuePolicy, QueueRole,
    limits,
};
use wharfmq_store::AppendError;

use super::{
    Binding, Broker, Port, Route, TEMPORARIES_MAX, Turn, is_advisory, is_system, is_temporary, prepared,
    schedule, temporary,
};

/// Why a destination cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The broker has as many queues as it may.
    TooManyQueues,
    /// A name below `$temp.`, which only a temporary destination has.
    Reserved,
    /// A name below `$SYS` or `ActiveMQ.Advisory`, where only the broker publishes.
    System,
    /// A temporary destination whose connection has ended, or that never was.
    Gone(ByteString),
    /// Only the connection that made a temporary destination may consume from it.
    Foreign,
    /// Another connection has a temporary destination of this name.
    Taken(ByteString),
    /// The connection has [`super::TEMPORARIES_MAX`].
    TooManyTemporaries,
    /// The connection, or the broker, watches for as many patterns of queues as it may.
    TooManyWatches,
    /// The name of a temporary destination is none.
    Name(NameError),
    /// The broker has as many jobs as it may.
    TooManyJobs,
    /// The broker keeps as many wills as it may.
    TooManyWills,
    /// The queue has as many consumers as it may.
    TooManyConsumers(AttachError),
    /// The scheduler has been told more than it has done yet.
    Busy,
    /// The log did not take the definition.
    Log(AppendError),
}

impl Refused {
    /// Whether it will be so whenever it is tried again: of a name.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::Reserved | Self::System | Self::Gone(_) | Self::Name(_))
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooManyQueues => {
                write!(f, "the broker has {} queues, which is the limit", limits::QUEUES_MAX)
            }
            Self::Reserved => f.write_str("names below $temp. are those of temporary destinations"),
            Self::System => f.write_str("below $SYS and ActiveMQ.Advisory only the broker publishes"),
            Self::Gone(name) => write!(f, "temporary destination {name} is gone: it does not exist"),
            Self::Foreign => {
                f.write_str("only the connection that made a temporary destination may receive from it")
            }
            Self::Taken(name) => {
                write!(f, "another connection has the temporary destination {name}")
            }
            Self::TooManyTemporaries => {
                write!(f, "a connection may have {TEMPORARIES_MAX} temporary destinations")
            }
            Self::TooManyWatches => f.write_str("too many subscriptions to queues by wildcard"),
            Self::Name(error) => error.fmt(f),
            Self::TooManyJobs => {
                write!(f, "{} messages wait for their time, which is the limit", limits::JOBS_MAX)
            }
            Self::TooManyWills => f.write_str("the broker keeps as many wills as it may"),
            Self::TooManyConsumers(error) => error.fmt(f),
            Self::Busy => f.write_str("the scheduler is busy: try again later"),
            Self::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl From<AppendError> for Refused {
    fn from(error: AppendError) -> Self {
        Self::Log(error)
    }
}

impl Port {
    /// What a publication to `address` reaches. Queues are made on first use. Sessions keep the route
    /// while [`Port::generation`] is the route's.
    pub fn route(&self, address: &Arc<Address>) -> Result<Arc<Route>, Refused> {
        self.broker.route(address)
    }

    /// The router's generation: routes of a lower one are stale.
    pub fn generation(&self) -> u64 {
        self.broker.router.generation()
    }

    /// The queue of this class and name, made where there is none; and whether it was there.
    pub fn open(
        &mut self,
        class: Class,
        name: &ByteString,
        durable: bool,
    ) -> Result<(Arc<QueueCell>, bool), Refused> {
        self.may_hold(class, name)?;
        let opened = self.broker.queue(class, name, durable)?;
        self.appended_until_now();
        Ok(opened)
    }

    /// The queue of a durable subscription, made with its binding where there is none; and whether it
    /// was there, with whatever bindings. Its settings are those of the topics it is bound to.
    pub fn open_durable(
        &mut self,
        name: &ByteString,
        binding: Binding,
    ) -> Result<(Arc<QueueCell>, bool), Refused> {
        let opened = match self.broker.queues.find(Class::Durable, name) {
            Some(cell) => (cell, true),
            None => self.broker.make(Class::Durable, name, true, Some(binding))?,
        };
        self.appended_until_now();
        Ok(opened)
    }

    /// What was just appended on this connection's behalf lies at or before the log's end.
    pub(super) fn appended_until_now(&mut self) {
        self.has_appended(Some(self.broker.log.stats().appended));
    }

    /// Binds a queue to a topic pattern, or changes the binding; true where there was one.
    pub fn bind(&mut self, queue: &Arc<QueueCell>, binding: Binding) -> Result<bool, Refused> {
        self.may_subscribe(&binding.pattern)?;
        let pattern = binding.pattern.clone();
        let known = self.broker.bind(queue, binding)?;
        if !known {
            self.broker.tell_binding(queue, &pattern, Turn::Begins);
        }
        if self.broker.queues.get(queue.id).is_none() {
            // Deleted meanwhile, as by whoever took the session over: nobody else would take this back.
            self.broker.forget_bindings(queue);
        }
        self.appended_until_now();
        Ok(known)
    }

    /// Takes a binding away. False where there was none.
    pub fn unbind(&mut self, queue: &Arc<QueueCell>, pattern: &Pattern) -> Result<bool, Refused> {
        let known = self.broker.unbind(queue, pattern)?;
        if known {
            self.broker.tell_binding(queue, pattern, Turn::Ends);
        }
        self.appended_until_now();
        Ok(known)
    }

    /// The bindings of a queue.
    pub fn bindings(&self, queue: &QueueCell) -> Vec<Binding> {
        self.broker.bindings.of(queue.id)
    }

    /// What a session asked to be remembered.
    pub fn recall(&self, owner: &QueueCell) -> Vec<(Bytes, Bytes)> {
        self.broker.states.of(owner.id)
    }

    /// Deletes a queue with all it holds.
    pub fn delete(&mut self, queue: &Arc<QueueCell>) -> Result<(), Refused> {
        self.broker.delete(queue)?;
        self.appended_until_now();
        Ok(())
    }

    /// Has a queue deleted at a time of the wall clock, or never.
    pub fn expire_queue(&self, queue: &Arc<QueueCell>, at: Millis) {
        self.broker.threads.expire_queue(queue, at);
    }
}

impl Broker {
    pub(super) fn route(&self, address: &Arc<Address>) -> Result<Arc<Route>, Refused> {
        match address.kind {
            Kind::Queue => self.reach_queue(&address.name)?,
            Kind::Topic if is_system(&address.name) || is_advisory(&address.name) => {
                return Err(Refused::System);
            }
            Kind::Topic => self.keep_history(address)?,
        }
        Ok(self.router.route(address))
    }

    /// See [`Port::open`].
    pub fn queue(
        &self,
        class: Class,
        name: &ByteString,
        durable: bool,
    ) -> Result<(Arc<QueueCell>, bool), Refused> {
        match self.queues.find(class, name) {
            Some(cell) => Ok((cell, true)),
            None => self.make(class, name, durable, None),
        }
    }

    /// Makes a queue where there is none of this name. A binding that comes with it is there as soon as
    /// the queue is.
    pub(super) fn make(
        &self,
        class: Class,
        name: &ByteString,
        durable: bool,
        binding: Option<Binding>,
    ) -> Result<(Arc<QueueCell>, bool), Refused> {
        let making = self.making.lock();
        if let Some(cell) = self.queues.find(class, name) {
            return Ok((cell, true));
        }
        if self.queues.len() >= limits::QUEUES_MAX {
            return Err(Refused::TooManyQueues);
        }
        if class == Class::Queue && is_temporary(name) {
            return Err(Refused::Reserved);
        }
        let policy = self.policy(class, name, durable, binding.as_ref().map(|binding| &binding.pattern));
        let id = QueueId(self.queue_ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let gate = self.gate.read();
        if durable {
            self.append_definition(&record::Define { queue: id, class, durable, name }, binding.as_ref())?;
        }
        let cell = QueueCell::new(id, class, name.clone(), policy);
        if matches!(class, Class::Queue | Class::Temporary) {
            // First of all, so that whoever finds the queue finds a route to it too. `making` sees to it
            // that there is no other of this name.
            let _ = self.router.define_queue(name, id, Arc::clone(&cell));
            self.bind_virtual(&cell);
        }
        if let Some(binding) = binding {
            self.route_binding(&cell, &binding);
            self.bindings.put(id, binding);
        }
        let made = self.queues.find_or_insert(class, name, || cell);
        drop(gate);
        drop(making);
        let (cell, _) = made.ok_or(Refused::TooManyQueues)?;
        self.watchers.made(&cell);
        if class == Class::Queue {
            self.tell_destination(&Address::queue(name.clone()), None, Turn::Begins);
        }
        Ok((cell, false))
    }

    /// The settings of a queue; `bound` is the pattern of topics that a durable subscription is bound to.
    pub(super) fn policy(
        &self,
        class: Class,
        name: &ByteString,
        durable: bool,
        bound: Option<&Pattern>,
    ) -> Arc<QueuePolicy> {
        let (role, address) = match class {
            Class::Prepared => return Arc::new(prepared::policy()),
            Class::Schedule => return Arc::new(schedule::policy()),
            Class::Session => (QueueRole::Session, Address::topic(name.clone())),
            Class::Durable => {
                let topic = bound.map_or(name, Pattern::text);
                (QueueRole::Durable, Address::topic(topic.clone()))
            }
            Class::Shared => {
                // Named GROUP/TOPICS.
                let topics = name.split_once('/').map_or(&**name, |(_, topics)| topics);
                (QueueRole::Durable, Address::topic(topics))
            }
            Class::History => (QueueRole::History, Address::topic(name.clone())),
            Class::Queue | Class::Retained | Class::Temporary => {
                (QueueRole::Queue, Address::queue(name.clone()))
            }
        };
        let policy = self.settings.resolve(role, &address);
        if class == Class::Temporary {
            Arc::new(temporary::policy(&policy))
        } else if class == Class::Shared && self.topology.shared_sticky {
            Arc::new(QueuePolicy { durable, groups: Grouping::Sticky, ..(*policy).clone() })
        } else if policy.durable == durable {
            policy
        } else {
            Arc::new(QueuePolicy { durable, ..(*policy).clone() })
        }
    }

    pub(super) fn bind(&self, queue: &Arc<QueueCell>, binding: Binding) -> Result<bool, Refused> {
        let gate = self.gate.read();
        if queue.is_durable() {
            let mut payload = Vec::new();
            binding.record(queue.id).encode(&mut payload);
            self.append_one(kind::BIND, &payload)?;
        }
        self.route_binding(queue, &binding);
        let known = self.bindings.put(queue.id, binding);
        drop(gate);
        Ok(known)
    }

    fn unbind(&self, queue: &Arc<QueueCell>, pattern: &Pattern) -> Result<bool, Refused> {
        let gate = self.gate.read();
        if queue.is_durable() {
            let mut payload = Vec::new();
            let (queue, kind) = (queue.id, pattern.kind());
            record::Unbind { queue, kind, pattern: pattern.text() }.encode(&mut payload);
            self.append_one(kind::UNBIND, &payload)?;
        }
        self.router.unbind(pattern, queue.id);
        self.note_unbound(queue, pattern);
        let known = self.bindings.remove(queue.id, pattern);
        drop(gate);
        Ok(known)
    }

    pub(super) fn delete(&self, queue: &Arc<QueueCell>) -> Result<(), Refused> {
        let making = self.making.lock();
        if self.queues.get(queue.id).is_none() {
            // Somebody else was quicker, and the name may be another queue's by now.
            return Ok(());
        }
        let gate = self.gate.read();
        if queue.is_durable() {
            let mut payload = Vec::new();
            record::encode_undefine(queue.id, &mut payload);
            self.append_one(kind::UNDEFINE, &payload)?;
        }
        self.forget_queue(queue);
        drop(gate);
        drop(making);
        self.empty(queue);
        if queue.class == Class::Queue {
            self.tell_destination(&Address::queue(queue.name.clone()), None, Turn::Ends);
        }
        if queue.class == Class::Session {
            self.on_session_end(&queue.name);
            self.leave_shares(queue);
        }
        Ok(())
    }

    /// Takes a queue out of all tables; the log knows.
    pub(super) fn forget_queue(&self, queue: &QueueCell) {
        // First, so that whoever binds it now sees that it is gone.
        self.queues.remove(queue);
        self.forget_bindings(queue);
        if matches!(queue.class, Class::Queue | Class::Temporary) {
            self.router.undefine_queue(&queue.name);
            self.unbind_virtual(queue);
        }
        if queue.class == Class::History {
            self.histories.forget(&queue.name);
        }
        self.states.forget(queue.id);
        self.threads.forget(queue);
    }

    fn forget_bindings(&self, queue: &QueueCell) {
        for binding in self.bindings.forget(queue.id) {
            self.router.unbind(&binding.pattern, queue.id);
            self.note_unbound(queue, &binding.pattern);
        }
    }

    /// Gives up everything a deleted queue held, a little under each hold of its lock.
    pub(super) fn empty(&self, queue: &Arc<QueueCell>) {
        loop {
            let mut fx = wharfmq_core::Effects::default();
            let mut locked = queue.lock();
            locked.delete();
            let before = locked.queue().resident_bytes();
            let purged = locked.queue().purge(limits::SCAN_BUDGET, &mut fx);
            if matches!(queue.class, Class::Session | Class::Shared) {
                self.counters.dropped_ended(purged as u64);
            }
            let after = locked.queue().resident_bytes();
            drop(locked);
            self.account(before, after);
            for release in &fx.released {
                self.log.release(release.segment, release.holds, release.bytes);
            }
            if purged == 0 {
                return;
            }
        }
    }

    /// Writes a queue's definition, and in the same batch a binding that comes with it.
    pub(super) fn append_definition(
        &self,
        define: &record::Define<'_>,
        binding: Option<&Binding>,
    ) -> Result<(), AppendError> {
        let mut batch = self.log.batch();
        batch.reserved();
        let mut payload = Vec::new();
        define.encode(&mut payload);
        batch.push(kind::DEFINE, &[], 0, &[&payload]);
        if let Some(binding) = binding {
            payload.clear();
            binding.record(define.queue).encode(&mut payload);
            batch.push(kind::BIND, &[], 0, &[&payload]);
        }
        self.log.append(&mut batch).map(drop)
    }

    pub(super) fn append_one(&self, kind: u8, payload: &[u8]) -> Result<wharfmq_base::Lsn, AppendError> {
        let mut batch = self.log.batch();
        batch.reserved();
        batch.push(kind, &[], 0, &[payload]);
        self.log.append(&mut batch).map(|placed| placed.lsn)
    }
}
