//! Temporary destinations: made by a connection for itself, and gone with it.
//!
//! Their names say whose they are: `$temp.CONNECTION.START.NAME`, where neither the connection's number
//! nor the time of the broker's start is ever used twice together. Anybody may send to one; only its own
//! connection receives from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{Millis, RankedMutex, rank};
use wharfmq_core::record::Class;
use wharfmq_core::{Address, Kind, Pattern, QueuePolicy};

use super::{Broker, Port, Refused};

/// Temporary destinations that one connection may have.
pub const TEMPORARIES_MAX: usize = 1_000;

/// The first level of their names, and of no other queue's.
const LEVEL: &str = "$temp";
const PREFIX: &str = "$temp.";

/// Whether a canonical name, of a queue or a topic, is one that only a temporary destination has.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) || name == LEVEL
}

/// What all connections' temporary destinations have in common.
#[derive(Debug)]
pub(super) struct Temporaries {
    started: Millis,
    /// The topics; the queues are among all queues.
    topics: RankedMutex<HashSet<ByteString, RandomState>, { rank::ADDRESS }>,
}

/// The temporary destinations of one connection.
#[derive(Debug)]
pub(super) struct Own {
    prefix: ByteString,
    known: HashMap<(Kind, ByteString), Arc<Address>, RandomState>,
}

impl Temporaries {
    pub(super) fn new(started: Millis) -> Self {
        Self { started, topics: RankedMutex::default() }
    }
}

impl Port {
    /// This connection's temporary destination of a name of its own choice, made where there is none.
    pub fn temporary(&mut self, kind: Kind, name: &str) -> Result<Arc<Address>, Refused> {
        let key = (kind, ByteString::from(name));
        let prefix = match &self.temporaries {
            Some(own) => match own.known.get(&key) {
                Some(address) => return Ok(Arc::clone(address)),
                None if own.known.len() >= TEMPORARIES_MAX => return Err(Refused::TooManyTemporaries),
                None => own.prefix.clone(),
            },
            None => format!("{PREFIX}{}.{:x}.", self.conn().0, self.broker.temporaries.started.0).into(),
        };
        // By itself too: behind the prefix nobody would see that it is empty.
        Address::new(kind, key.1.clone()).map_err(Refused::Name)?;
        let address = Address::new(kind, format!("{prefix}{name}")).map_err(Refused::Name)?;
        let address = Arc::new(address);
        match kind {
            Kind::Queue => {
                self.broker.queue(Class::Temporary, &address.name, false)?;
            }
            Kind::Topic => {
                self.broker.temporaries.topics.lock().insert(address.name.clone());
            }
        }
        let own = self.temporaries.get_or_insert_with(|| Box::new(Own { prefix, known: HashMap::default() }));
        own.known.insert(key, Arc::clone(&address));
        Ok(address)
    }

    /// What the names of this connection's temporary destinations begin with; `None` while it has none.
    pub fn temporary_prefix(&self) -> Option<&ByteString> {
        self.temporaries.as_ref().map(|own| &own.prefix)
    }

    /// A temporary destination, anybody's, as something to send to.
    pub fn reach_temporary(&self, address: &Address) -> Result<(), Refused> {
        match address.kind {
            Kind::Queue => self.broker.reach_queue(&address.name),
            Kind::Topic if self.broker.temporaries.topics.lock().contains(&address.name) => Ok(()),
            Kind::Topic => Err(Refused::Gone(address.name.clone())),
        }
    }

    /// Whether this connection may subscribe to a pattern: to everything but what temporary topics of
    /// others have.
    pub fn may_subscribe(&self, pattern: &Pattern) -> Result<(), Refused> {
        if !is_temporary(pattern.text()) || self.owns(pattern.kind(), pattern.text()) {
            return Ok(());
        }
        Err(Refused::Foreign)
    }

    /// Whether this connection may consume from a queue, browse it or delete it.
    pub(super) fn may_hold(&self, class: Class, name: &str) -> Result<(), Refused> {
        if class != Class::Temporary || self.owns(Kind::Queue, name) { Ok(()) } else { Err(Refused::Foreign) }
    }

    fn owns(&self, kind: Kind, name: &str) -> bool {
        self.temporaries.as_ref().is_some_and(|own| {
            let name = name.strip_prefix(&*own.prefix);
            name.is_some_and(|name| own.known.contains_key(&(kind, name.into())))
        })
    }

    /// Deletes this connection's temporary destinations with all that waits in them.
    pub(super) fn forget_temporaries(&mut self) {
        let Some(own) = self.temporaries.take() else { return };
        for address in own.known.into_values() {
            self.broker.forget_temporary(&address);
        }
    }
}

impl Broker {
    /// Makes a queue that is sent to, unless it is there or only its connection could make it.
    pub(super) fn reach_queue(&self, name: &ByteString) -> Result<(), Refused> {
        if !is_temporary(name) {
            return self.queue(Class::Queue, name, true).map(drop);
        }
        let known = self.queues.find(Class::Temporary, name);
        known.map(drop).ok_or_else(|| Refused::Gone(name.clone()))
    }

    fn forget_temporary(&self, address: &Address) {
        if address.kind == Kind::Topic {
            self.temporaries.topics.lock().remove(&address.name);
            if let Ok(pattern) = Pattern::of(address) {
                self.router.touch(&pattern);
            }
            return;
        }
        let Some(queue) = self.queues.find(Class::Temporary, &address.name) else { return };
        let left = queue.lock().queue().stats().stored();
        self.counters.dropped_temporary(left);
        // It is not in the log, so nothing can fail.
        let _ = self.delete(&queue);
    }
}

/// The settings of a temporary queue: without storage, and always asked for room, so that what comes for
/// one that is gone is refused.
pub(super) fn policy(resolved: &QueuePolicy) -> QueuePolicy {
    let max_messages = if resolved.max_messages == 0 { u64::MAX } else { resolved.max_messages };
    QueuePolicy { durable: false, max_messages, ..resolved.clone() }
}
