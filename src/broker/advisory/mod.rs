//! What the broker tells of what happens in it: messages to the topics below `ActiveMQ.Advisory`.
//!
//! They are made only where somebody subscribes to the topic of their kind, which one atomic read tells, and
//! are never stored. Nothing is told of these topics themselves, nor of queues that no client named.
//! What a message of them looks like is the affair of a [`Voice`].

mod about;
mod listeners;
mod occasions;
mod producers;
mod replay;
mod tell;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{Millis, RankedMutex, rank};
use wharfmq_core::{
    ADVISORY_PREFIX, Address, Asked, ConnId, Facts, HeadTag, MessageId, Outbox, QueueId, SubTag,
};

pub use self::about::About;
use self::listeners::{Listener, Listeners};
use self::producers::Producers;

/// Whether a canonical name is one of the topics at which only the broker publishes.
pub fn is_advisory(name: &str) -> bool {
    name.starts_with(ADVISORY_PREFIX)
}

/// A client that has introduced itself.
#[derive(Debug)]
pub struct Client {
    /// Its connection.
    pub conn: ConnId,
    /// Its client id, or what stands for it.
    pub id: ByteString,
    /// The user it has logged in as.
    pub user: Option<Box<str>>,
    /// Where it connects from.
    pub addr: SocketAddr,
    /// The scheme of the listener it came through.
    pub listener: &'static str,
}

/// Whether something begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is there now.
    Begins,
    /// It is gone.
    Ends,
}

/// A consumer, whatever it consumes from.
#[derive(Clone, Copy, Debug)]
pub struct Consuming<'a> {
    /// Whose it is.
    pub conn: ConnId,
    /// The adapter's number for it.
    pub sub: SubTag,
    /// The queue or topic; the pattern where it has wildcards.
    pub from: &'a Address,
    /// What it asked for, where that is known.
    pub asked: Option<&'a Asked>,
    /// Consumers of it there are now.
    pub count: u64,
}

/// A producer that a client has announced.
#[derive(Clone, Copy, Debug)]
pub struct Producing<'a> {
    /// Whose it is.
    pub conn: ConnId,
    /// The adapter's number for it.
    pub number: u64,
    /// What it sends to.
    pub to: &'a Address,
    /// Announced producers of it there are now.
    pub count: u64,
}

/// What became of a message.
#[derive(Clone, Copy, Debug)]
pub struct Fate<'a> {
    /// The queue that it left, or the topic it was sent to.
    pub at: &'a Address,
    /// The message without its body.
    pub message: Facts<'a>,
    /// The consumer that did not get it, where it was meant for one.
    pub consumer: Option<(ConnId, SubTag)>,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A client has come or gone.
    Client(&'a Client, Turn),
    /// A destination is there or gone; a temporary one with its owner.
    Destination(&'a Address, Option<ConnId>, Turn),
    /// A consumer has come or gone.
    Consumer(Consuming<'a>, Turn),
    /// A producer has come or gone.
    Producer(Producing<'a>, Turn),
    /// A message's time was over.
    Expired(Fate<'a>),
    /// A message has gone to a dead-letter queue.
    DeadLettered(Fate<'a>),
    /// A message was dropped for lack of room, or as nobody read it in time.
    Discarded(Fate<'a>),
    /// A subscription reads more slowly than its topic is published to.
    Slow(Consuming<'a>),
    /// A queue takes no more for now.
    Full(&'a Address),
}

/// Something to be put into words.
#[derive(Debug)]
pub struct News<'a> {
    /// The topic it is published to.
    pub topic: &'a Address,
    /// What happens.
    pub event: &'a Event<'a>,
    /// The number of the message.
    pub id: MessageId,
    /// The time, by the wall clock.
    pub at: Millis,
}

/// How something was put into words: the layout of the headers, and how many of the bytes they are. The
/// rest is the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The layout of the headers.
    pub tag: HeadTag,
    /// Their length.
    pub head: usize,
}

/// Puts what the broker tells into the words of a protocol.
pub trait Voice: Send + Sync + fmt::Debug {
    /// Appends the headers of a message and then its body.
    fn say(&self, news: &News<'_>, out: &mut Vec<u8>) -> Said;

    /// Nothing more is told of a connection that had introduced itself.
    fn forget(&self, conn: ConnId);
}

/// What is told, to whom, and by whom.
#[derive(Debug)]
pub(super) struct Advisories {
    voice: OnceLock<Arc<dyn Voice>>,
    listeners: Listeners,
    /// Clients that have introduced themselves and are here.
    clients: RankedMutex<HashMap<ConnId, Arc<Client>, RandomState>, { rank::ADDRESS }>,
    /// Producers that were announced.
    producers: RankedMutex<Producers, { rank::ADDRESS }>,
    /// When a queue was last told to be full, on the monotonic clock.
    full: RankedMutex<HashMap<QueueId, Millis, RandomState>, { rank::ADDRESS }>,
    /// Whom it all comes from.
    outbox: Arc<Outbox>,
}

impl Default for Advisories {
    fn default() -> Self {
        Self {
            voice: OnceLock::new(),
            listeners: Listeners::default(),
            clients: RankedMutex::default(),
            producers: RankedMutex::default(),
            full: RankedMutex::default(),
            outbox: Outbox::new(ConnId(0)),
        }
    }
}

impl Advisories {
    /// Whether somebody listens to what is told about something.
    pub(super) fn hears(&self, about: About) -> bool {
        self.listeners.hears(about)
    }
}

impl super::Broker {
    /// Has what happens from now on told by `voice`. Only the first call counts.
    pub fn set_voice(&self, voice: Arc<dyn Voice>) {
        let _ = self.advisories.voice.set(voice);
    }
}
