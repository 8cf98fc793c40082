//! The object cache: ids and destinations are sent once and named by a number afterwards.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::destination::Destination;
use crate::error::Error;
use crate::ids::{BrokerId, ConnectionId, ConsumerId, ProducerId, SessionId, TransactionId};
use crate::structure::Structure;

/// Bytes of text that a peer's table may make us keep.
const READ_BYTES_MAX: usize = 4 << 20;
/// Bytes of an object that the writer numbers; what is larger is sent whole each time.
const WRITE_BYTES_MAX: usize = 2_048;
/// Numbers that the writer keeps free at the begin of a command, so that none is given out twice within it.
const FREE_MIN: usize = 100;

/// Numbers that the writer tries first. A dispatch needs four: the consumer, its destination, the producer
/// and null.
const RECENT: usize = 6;

/// Something cached. Null is cached as well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    Null,
    Destination(Arc<Destination>),
    Transaction(Arc<TransactionId>),
    Connection(Arc<ConnectionId>),
    Session(Arc<SessionId>),
    Consumer(Arc<ConsumerId>),
    Producer(Arc<ProducerId>),
    Broker(Arc<BrokerId>),
}

/// What a cached field can hold.
pub(crate) trait Cacheable: Sized {
    /// Whether an object is this one. It may say no of one that is, where nothing depends on speed.
    fn is(&self, object: &Object) -> bool;
    fn to_object(value: Option<&Arc<Self>>) -> Result<Object, Error>;
    fn from_object(object: Object) -> Result<Option<Arc<Self>>, Error>;
    /// A copy that keeps nothing else in memory.
    fn compacted(&self) -> Self;
}

/// What the peer has numbered.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadCache {
    size: usize,
    slots: Vec<Option<Object>>,
    bytes: usize,
}

impl ReadCache {
    pub(crate) fn new(size: u16) -> Self {
        Self { size: size.into(), ..Self::default() }
    }

    pub(crate) fn get(&self, index: i16) -> Result<Object, Error> {
        let slot = usize::try_from(index).ok().and_then(|index| self.slots.get(index)?.as_ref());
        slot.cloned().ok_or(Error::CacheIndex(index))
    }

    pub(crate) fn put(&mut self, index: i16, object: Object) -> Result<(), Error> {
        if index == -1 {
            return Ok(());
        }
        let place = usize::try_from(index).ok().filter(|place| *place < self.size);
        let place = place.ok_or(Error::CacheIndex(index))?;
        if self.slots.len() <= place {
            self.slots.resize(place + 1, None);
        }
        self.bytes += object.bytes();
        if let Some(slot) = self.slots.get_mut(place) {
            self.bytes -= slot.replace(object).map_or(0, |before| before.bytes());
        }
        if self.bytes > READ_BYTES_MAX {
            return Err(Error::TooLarge("what is cached for the peer, in bytes,", READ_BYTES_MAX as u64));
        }
        Ok(())
    }
}

/// What we have numbered for the peer.
///
/// Numbers are given out in a ring, and the oldest are taken back before a command that might need them:
/// what Java's writer does, so that its captures can be written again byte for byte.
#[derive(Debug)]
pub(crate) struct WriteCache {
    known: HashMap<Object, u16, RandomState>,
    slots: Vec<Option<Object>>,
    size: usize,
    next: usize,
    oldest: usize,
    /// Where those were found that were written last: most commands name what the one before has named.
    recent: [u16; RECENT],
    recent_next: usize,
}

impl WriteCache {
    pub(crate) fn new(size: u16) -> Self {
        Self {
            known: HashMap::default(),
            slots: Vec::new(),
            size: size.into(),
            next: 0,
            oldest: 0,
            recent: [0; RECENT],
            recent_next: 0,
        }
    }

    /// Makes room for the objects of one command.
    pub(crate) fn sweep(&mut self) {
        while self.known.len() > self.size.saturating_sub(FREE_MIN) {
            if let Some(object) = self.slots.get_mut(self.oldest).and_then(Option::take) {
                self.known.remove(&object);
            }
            self.oldest = (self.oldest + 1) % self.size.max(1);
        }
    }

    /// The number of a value that was written lately, found without hashing it.
    pub(crate) fn find_recent<T: Cacheable>(&self, value: Option<&Arc<T>>) -> Option<u16> {
        let is_it = |index: &u16| match (self.slots.get(usize::from(*index)), value) {
            (Some(Some(object)), Some(value)) => value.is(object),
            (Some(Some(object)), None) => matches!(object, Object::Null),
            _ => false,
        };
        self.recent.iter().copied().find(is_it)
    }

    pub(crate) fn find(&mut self, object: &Object) -> Option<u16> {
        let found = self.known.get(object).copied();
        if let Some(index) = found {
            self.remember(index);
        }
        found
    }

    fn remember(&mut self, index: u16) {
        if let Some(place) = self.recent.get_mut(self.recent_next) {
            *place = index;
        }
        self.recent_next = (self.recent_next + 1) % RECENT;
    }

    /// Numbers an object; -1 where the table is full.
    pub(crate) fn put(&mut self, object: Object) -> i16 {
        if self.known.len() >= self.size {
            return -1;
        }
        let index = self.next;
        self.next = (index + 1) % self.size;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, None);
        }
        // What it comes from is a message among many that lie in one piece of memory.
        let object = object.compact();
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(object.clone());
        }
        self.known.insert(object, index as u16);
        self.remember(index as u16);
        index as i16
    }
}

impl Object {
    /// Whether it is small enough to be kept for the peer.
    pub(crate) fn is_small(&self) -> bool {
        self.bytes() <= WRITE_BYTES_MAX
    }

    /// A copy that keeps nothing else in memory.
    fn compact(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            Self::Destination(destination) => Self::Destination(Arc::new(destination.compact())),
            Self::Transaction(id) => Self::Transaction(Arc::new(id.compact())),
            Self::Connection(id) => Self::Connection(Arc::new(id.compact())),
            Self::Session(id) => Self::Session(Arc::new(id.compact())),
            Self::Consumer(id) => Self::Consumer(Arc::new(id.compact())),
            Self::Producer(id) => Self::Producer(Arc::new(id.compact())),
            Self::Broker(id) => Self::Broker(Arc::new(id.compact())),
        }
    }

    /// What it keeps in memory, roughly.
    fn bytes(&self) -> usize {
        let text = |text: &Option<crate::Text>| text.as_ref().map_or(0, |text| text.wire().len());
        64 + match self {
            Self::Null => 0,
            Self::Destination(destination) => text(&destination.physical_name),
            Self::Transaction(id) => match &**id {
                TransactionId::Local(id) => id.connection_id.as_ref().map_or(0, |id| text(&id.value)),
                TransactionId::Xa(id) => [&id.global_transaction_id, &id.branch_qualifier]
                    .into_iter()
                    .flatten()
                    .map(|part| part.len())
                    .sum(),
            },
            Self::Connection(id) => text(&id.value),
            Self::Session(id) => text(&id.connection_id),
            Self::Consumer(id) => text(&id.connection_id),
            Self::Producer(id) => text(&id.connection_id),
            Self::Broker(id) => text(&id.value),
        }
    }

    fn unexpected<T>(&self, expected: &'static str) -> Result<T, Error> {
        let found = match self {
            Self::Null => 0,
            Self::Destination(destination) => destination.kind as u8,
            Self::Transaction(id) => match **id {
                TransactionId::Local(_) => 111,
                TransactionId::Xa(_) => 112,
            },
            Self::Connection(_) => 120,
            Self::Session(_) => 121,
            Self::Consumer(_) => 122,
            Self::Producer(_) => 123,
            Self::Broker(_) => 124,
        };
        Err(Error::UnexpectedType { expected, found })
    }
}

macro_rules! cacheable {
    ($($type:ident as $variant:ident ($($text:ident),*);)*) => {$(
        impl Cacheable for $type {
            fn is(&self, object: &Object) -> bool {
                matches!(object, Object::$variant(known) if **known == *self)
            }

            fn to_object(value: Option<&Arc<Self>>) -> Result<Object, Error> {
                Ok(value.map_or(Object::Null, |value| Object::$variant(Arc::clone(value))))
            }

            fn from_object(object: Object) -> Result<Option<Arc<Self>>, Error> {
                match object {
                    Object::Null => Ok(None),
                    Object::$variant(value) => Ok(Some(value)),
                    other => other.unexpected(stringify!($type)),
                }
            }

            fn compacted(&self) -> Self {
                self.compact()
            }
        }

        impl $type {
            /// A copy that keeps nothing else in memory: what was read refers to its frame.
            #[must_use]
            pub fn compact(&self) -> Self {
                let mut copy = self.clone();
                $(copy.$text = self.$text.as_ref().map(|text| text.compact());)*
                copy
            }
        }
    )*};
}

cacheable! {
    Destination as Destination (physical_name);
    ConnectionId as Connection (value);
    SessionId as Session (connection_id);
    ConsumerId as Consumer (connection_id);
    ProducerId as Producer (connection_id);
    BrokerId as Broker (value);
}

impl Cacheable for TransactionId {
    fn is(&self, object: &Object) -> bool {
        matches!(object, Object::Transaction(known) if **known == *self)
    }

    fn to_object(value: Option<&Arc<Self>>) -> Result<Object, Error> {
        Ok(value.map_or(Object::Null, |value| Object::Transaction(Arc::clone(value))))
    }

    fn from_object(object: Object) -> Result<Option<Arc<Self>>, Error> {
        match object {
            Object::Null => Ok(None),
            Object::Transaction(value) => Ok(Some(value)),
            other => other.unexpected("a TransactionId"),
        }
    }

    fn compacted(&self) -> Self {
        self.compact()
    }
}

impl TransactionId {
    /// A copy that keeps nothing else in memory: what was read refers to its frame.
    #[must_use]
    pub fn compact(&self) -> Self {
        let copy =
            |bytes: &Option<bytes::Bytes>| bytes.as_ref().map(|bytes| bytes::Bytes::copy_from_slice(bytes));
        match self {
            Self::Local(id) => Self::Local(crate::LocalTransactionId {
                connection_id: id.connection_id.as_ref().map(|id| Arc::new(id.compact())),
                ..*id
            }),
            Self::Xa(id) => Self::Xa(crate::XATransactionId {
                global_transaction_id: copy(&id.global_transaction_id),
                branch_qualifier: copy(&id.branch_qualifier),
                ..*id
            }),
        }
    }
}

/// The object of a RemoveInfo: any id.
impl Cacheable for Structure {
    fn is(&self, _object: &Object) -> bool {
        false
    }

    fn to_object(value: Option<&Arc<Self>>) -> Result<Object, Error> {
        let Some(value) = value else { return Ok(Object::Null) };
        Ok(match &**value {
            Self::ConnectionId(id) => Object::Connection(Arc::new((**id).clone())),
            Self::SessionId(id) => Object::Session(Arc::new((**id).clone())),
            Self::ConsumerId(id) => Object::Consumer(Arc::new((**id).clone())),
            Self::ProducerId(id) => Object::Producer(Arc::new((**id).clone())),
            Self::BrokerId(id) => Object::Broker(Arc::new((**id).clone())),
            Self::Destination(destination) => Object::Destination(Arc::new((**destination).clone())),
            other => {
                return Err(Error::UnexpectedType {
                    expected: "an id",
                    found: crate::Nested::type_id(other),
                });
            }
        })
    }

    fn from_object(object: Object) -> Result<Option<Arc<Self>>, Error> {
        Ok(Some(Arc::new(match object {
            Object::Null => return Ok(None),
            Object::Connection(id) => Self::ConnectionId(Box::new((*id).clone())),
            Object::Session(id) => Self::SessionId(Box::new((*id).clone())),
            Object::Consumer(id) => Self::ConsumerId(Box::new((*id).clone())),
            Object::Producer(id) => Self::ProducerId(Box::new((*id).clone())),
            Object::Broker(id) => Self::BrokerId(Box::new((*id).clone())),
            Object::Destination(destination) => Self::Destination(Box::new((*destination).clone())),
            Object::Transaction(_) => return object.unexpected("an id"),
        })))
    }

    fn compacted(&self) -> Self {
        match self {
            Self::ConnectionId(id) => Self::ConnectionId(Box::new(id.compact())),
            Self::SessionId(id) => Self::SessionId(Box::new(id.compact())),
            Self::ConsumerId(id) => Self::ConsumerId(Box::new(id.compact())),
            Self::ProducerId(id) => Self::ProducerId(Box::new(id.compact())),
            Self::BrokerId(id) => Self::BrokerId(Box::new(id.compact())),
            Self::Destination(destination) => Self::Destination(Box::new(destination.compact())),
            // Nothing else is kept.
            other => other.clone(),
        }
    }
}
