//! Temporary destinations: made by a connection for itself, and gone with it.
//!
//! The names that the broker gives them say whose they are: `$temp.CONNECTION.START.NAME`, where neither the
//! connection's number nor the time of the broker's start is ever used twice together. A client that chooses
//! the whole name gets `$temp.NAME`, as long as no other connection has it; such a name never begins with a
//! number for a level. Anybody may send to a temporary destination; only its own connection receives from it.

use std::collections::HashMap;
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{Millis, RankedMutex, rank};
use wharfmq_core::record::Class;
use wharfmq_core::{Address, ConnId, Kind, Pattern, QueuePolicy};

use super::{Broker, Port, Refused, Turn};

/// Temporary destinations that one connection may have.
pub const TEMPORARIES_MAX: usize = 1_000;

/// The first level of their names, and of no other queue's.
const LEVEL: &str = "$temp";
const PREFIX: &str = "$temp.";

/// Whether a canonical name, of a queue or a topic, is one that only a temporary destination has.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) || name == LEVEL
}

/// The canonical name of a temporary destination whose clients know it by `name`.
pub fn temporary_name(name: &str) -> ByteString {
    format!("{PREFIX}{name}").into()
}

/// What clients that choose whole names know a temporary destination by; `None` of any other name.
pub fn chosen_name(canonical: &str) -> Option<&str> {
    canonical.strip_prefix(PREFIX)
}

/// The temporary destinations of all connections.
#[derive(Debug)]
pub(super) struct Temporaries {
    started: Millis,
    owners: RankedMutex<HashMap<Arc<Address>, ConnId, RandomState>, { rank::ADDRESS }>,
}

/// The temporary destinations of one connection.
#[derive(Debug)]
pub(super) struct Own {
    prefix: ByteString,
    /// Those that the broker named, by the end of their names.
    known: HashMap<(Kind, ByteString), Arc<Address>, RandomState>,
    /// Those that the client named, by their canonical names.
    named: HashMap<(Kind, ByteString), Arc<Address>, RandomState>,
}

impl Temporaries {
    pub(super) fn new(started: Millis) -> Self {
        Self { started, owners: RankedMutex::default() }
    }

    /// False where another connection has it.
    fn claim(&self, address: &Arc<Address>, conn: ConnId) -> bool {
        *self.owners.lock().entry(Arc::clone(address)).or_insert(conn) == conn
    }

    fn forget(&self, address: &Address) {
        self.owners.lock().remove(address);
    }

    /// Whose a temporary destination is; `None` where there is none of this name.
    pub(super) fn owner(&self, address: &Address) -> Option<ConnId> {
        self.owners.lock().get(address).copied()
    }

    /// All of them, with their owners.
    pub(super) fn all(&self) -> Vec<(Arc<Address>, ConnId)> {
        self.owners.lock().iter().map(|(address, conn)| (Arc::clone(address), *conn)).collect()
    }
}

impl Own {
    fn len(&self) -> usize {
        self.known.len() + self.named.len()
    }

    fn all(self) -> impl Iterator<Item = Arc<Address>> {
        self.known.into_values().chain(self.named.into_values())
    }
}

impl Port {
    /// This connection's temporary destination of a name of its own choice, made where there is none: other
    /// connections know it by another name.
    pub fn temporary(&mut self, kind: Kind, name: &str) -> Result<Arc<Address>, Refused> {
        let key = (kind, ByteString::from(name));
        if let Some(address) = self.temporaries.as_ref().and_then(|own| own.known.get(&key)) {
            return Ok(Arc::clone(address));
        }
        // By itself too: behind the prefix nobody would see that it is empty.
        Address::new(kind, key.1.clone()).map_err(Refused::Name)?;
        let prefix = &self.may_have_another()?.prefix;
        let address = Address::new(kind, format!("{prefix}{name}")).map_err(Refused::Name)?;
        let address = self.make_temporary(address)?;
        if let Some(own) = &mut self.temporaries {
            own.known.insert(key, Arc::clone(&address));
        }
        Ok(address)
    }

    /// This connection's temporary destination of a name that all connections know it by, made where there
    /// is none: its canonical name is [`temporary_name`]. Refused where another connection has it.
    pub fn temporary_named(&mut self, kind: Kind, name: &str) -> Result<Arc<Address>, Refused> {
        Address::new(kind, name).map_err(Refused::Name)?;
        let address = Address::new(kind, temporary_name(name)).map_err(Refused::Name)?;
        let key = (kind, address.name.clone());
        if let Some(address) = self.temporaries.as_ref().and_then(|own| own.named.get(&key)) {
            return Ok(Arc::clone(address));
        }
        if name.split('.').next().is_some_and(|level| level.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(Refused::Reserved);
        }
        self.may_have_another()?;
        let address = self.make_temporary(address)?;
        if let Some(own) = &mut self.temporaries {
            own.named.insert(key, Arc::clone(&address));
        }
        Ok(address)
    }

    /// What this connection has, if it may have one more.
    fn may_have_another(&mut self) -> Result<&Own, Refused> {
        let (conn, started) = (self.conn().0, self.broker.temporaries.started.0);
        let own = self.temporaries.get_or_insert_with(|| {
            let prefix = format!("{PREFIX}{conn}.{started:x}.").into();
            Box::new(Own { prefix, known: HashMap::default(), named: HashMap::default() })
        });
        if own.len() < TEMPORARIES_MAX { Ok(own) } else { Err(Refused::TooManyTemporaries) }
    }

    fn make_temporary(&self, address: Address) -> Result<Arc<Address>, Refused> {
        let address = Arc::new(address);
        if !self.broker.temporaries.claim(&address, self.conn()) {
            return Err(Refused::Taken(address.name.clone()));
        }
        if address.kind == Kind::Queue {
            let made = self.broker.queue(Class::Temporary, &address.name, false);
            made.inspect_err(|_| self.broker.temporaries.forget(&address))?;
        }
        self.broker.tell_destination(&address, Some(self.conn()), Turn::Begins);
        Ok(address)
    }

    /// Deletes one of this connection's temporary destinations with all that waits in it.
    pub fn delete_temporary(&mut self, address: &Address) -> Result<(), Refused> {
        let conn = self.conn();
        match self.broker.temporaries.owner(address) {
            None => return Err(Refused::Gone(address.name.clone())),
            Some(owner) if owner != conn => return Err(Refused::Foreign),
            Some(_) => {}
        }
        if let Some(own) = &mut self.temporaries {
            let gone = |known: &Arc<Address>| **known == *address;
            own.known.retain(|_, known| !gone(known));
            own.named.retain(|_, known| !gone(known));
        }
        self.broker.forget_temporary(address, conn);
        Ok(())
    }

    /// What the names of this connection's temporary destinations begin with; `None` while it has none.
    pub fn temporary_prefix(&self) -> Option<&ByteString> {
        self.temporaries.as_ref().map(|own| &own.prefix)
    }

    /// A temporary destination, anybody's, as something to send to.
    pub fn reach_temporary(&self, address: &Address) -> Result<(), Refused> {
        match address.kind {
            Kind::Queue => self.broker.reach_queue(&address.name),
            Kind::Topic if self.broker.temporaries.owner(address).is_some() => Ok(()),
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
            let end = name.strip_prefix(&*own.prefix);
            end.is_some_and(|end| own.known.contains_key(&(kind, end.into())))
                || own.named.contains_key(&(kind, name.into()))
        })
    }

    /// Deletes this connection's temporary destinations with all that waits in them.
    pub(super) fn forget_temporaries(&mut self) {
        let Some(own) = self.temporaries.take() else { return };
        let conn = self.conn();
        for address in own.all() {
            self.broker.forget_temporary(&address, conn);
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

    fn forget_temporary(&self, address: &Address, owner: ConnId) {
        if address.kind == Kind::Queue {
            self.forget_temporary_queue(&address.name);
        }
        // Last: until now nobody else can have made one of its name.
        self.temporaries.forget(address);
        if let (Kind::Topic, Ok(pattern)) = (address.kind, Pattern::of(address)) {
            self.router.touch(&pattern);
        }
        self.tell_destination(address, Some(owner), Turn::Ends);
    }

    fn forget_temporary_queue(&self, name: &ByteString) {
        let Some(queue) = self.queues.find(Class::Temporary, name) else { return };
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
