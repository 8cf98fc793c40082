//! What waits for one connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use wharfmq_base::{RankedMutex, rank};

use crate::{Chunk, Message, QueueCell, Run};

/// Identity of a connection, never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// An adapter's own number for one of its subscriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubTag(pub u32);

/// An adapter's own number for something it wants confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A consumer of one queue: its slot, and a generation against reuse of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerKey {
    /// Index within the queue.
    pub slot: u32,
    /// Distinguishes successive holders of the slot.
    pub generation: u32,
}

/// A message handed to a consumer.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The adapter's number for the subscription.
    pub sub: SubTag,
    /// The delivery's number with its consumer, dense from 1; settles name it.
    pub tag: u64,
    /// The message.
    pub message: Arc<Message>,
    /// Earlier deliveries that ended without an acknowledgement.
    pub deliveries: u8,
    /// The binding's word; see [`crate::Entry::flags`].
    pub flags: u8,
    /// Whether its group has just come to this consumer.
    pub first_of_group: bool,
}

/// Why a consumer or a connection came to its end from the broker's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Another connection took over its client id.
    TakenOver,
    /// The queue was deleted.
    Deleted,
    /// An operator closed the connection.
    Closed(String),
}

/// What the core tells a session.
#[derive(Debug)]
pub enum CoreEvent {
    /// A message of a queue.
    Deliver(Delivery),
    /// Messages that nothing stores.
    Chunk(Arc<Chunk>, Run),
    /// The consumer of this subscription is gone.
    Revoked(SubTag, Gone),
    /// A queue was made that a watch of this number waits for.
    Made(SubTag, Arc<QueueCell>),
    /// The session asked for is now its own.
    Claimed,
    /// A login was checked: the user's name, or why not, in words for the log.
    Authenticated(Result<Box<str>, &'static str>),
    /// Say goodbye and close.
    Kick(Gone),
}

impl CoreEvent {
    /// Bytes it counts for in the outbox.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Deliver(delivery) => delivery.message.size() as usize,
            Self::Chunk(chunk, run) => chunk.bytes_of(run),
            _ => 64,
        }
    }
}

impl Chunk {
    /// Bytes of the frames of a run.
    pub fn bytes_of(&self, run: &Run) -> usize {
        let items = self.items.get(run.start as usize..run.end as usize).unwrap_or_default();
        match (items.first(), items.last()) {
            (Some(first), Some(last)) => (last.frame.end() - first.frame.start) as usize,
            _ => 0,
        }
    }
}

/// The events that wait for one connection, and the waker of the task that takes them.
///
/// Everything pushed under one lock wakes the task at most once.
#[derive(Debug)]
pub struct Outbox {
    /// The connection it belongs to.
    pub conn: ConnId,
    inner: RankedMutex<Inner, { rank::OUTBOX }>,
    bytes: AtomicUsize,
    slow: AtomicBool,
    expelled: AtomicBool,
    dropped: AtomicU32,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<CoreEvent>,
    waker: Option<Waker>,
    /// Connections to wake when the outbox has drained.
    held_back: Vec<Waker>,
    woken: bool,
    closed: bool,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(conn: ConnId) -> Arc<Self> {
        Arc::new(Self {
            conn,
            inner: RankedMutex::new(Inner::default()),
            bytes: AtomicUsize::new(0),
            slow: AtomicBool::new(false),
            expelled: AtomicBool::new(false),
            dropped: AtomicU32::new(0),
        })
    }

    /// Adds one event.
    pub fn push(&self, event: CoreEvent) {
        self.push_all(std::iter::once(event));
    }

    /// Adds events; the task is woken once. After [`Outbox::close`] they are dropped.
    pub fn push_all(&self, events: impl Iterator<Item = CoreEvent>) {
        let waker = {
            let mut inner = self.inner.lock();
            if inner.closed {
                return;
            }
            let mut bytes = 0;
            inner.events.extend(events.inspect(|event| bytes += event.bytes()));
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            inner.woken = true;
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready when events were added or [`Outbox::wake`] was called since the last `Ready`.
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inner = self.inner.lock();
        if std::mem::take(&mut inner.woken) {
            return Poll::Ready(());
        }
        match &mut inner.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Wakes the connection's task without an event.
    pub fn wake(&self) {
        let waker = {
            let mut inner = self.inner.lock();
            inner.woken = true;
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves all events to the end of `into`. Their bytes count until [`Outbox::taken`].
    pub fn take(&self, into: &mut VecDeque<CoreEvent>) {
        let mut inner = self.inner.lock();
        if into.is_empty() {
            std::mem::swap(into, &mut inner.events);
        } else {
            into.append(&mut inner.events);
        }
    }

    /// Bytes pushed and not yet reported by [`Outbox::taken`].
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The session has turned events of `bytes` into output: whoever was held back may go on once
    /// half of [`crate::limits::OUTBOX_SOFT_BYTES`] is free.
    pub fn taken(&self, bytes: usize) {
        let left = self.bytes.fetch_sub(bytes, Ordering::Relaxed).saturating_sub(bytes);
        if left > crate::limits::OUTBOX_SOFT_BYTES / 2 {
            return;
        }
        self.slow.store(false, Ordering::Relaxed);
        let waiting = std::mem::take(&mut self.inner.lock().held_back);
        for waker in waiting {
            waker.wake();
        }
    }

    /// Whether publishers to this connection are to wait for it.
    pub fn holds_back(&self) -> bool {
        self.bytes() > crate::limits::OUTBOX_SOFT_BYTES && !self.slow.load(Ordering::Relaxed)
    }

    /// Registers a publisher to be woken when the outbox has drained. False where it has already.
    pub fn hold_back(&self, waker: &Waker) -> bool {
        let mut inner = self.inner.lock();
        if inner.closed || !self.holds_back() {
            return false;
        }
        if !inner.held_back.iter().any(|held| held.will_wake(waker)) {
            inner.held_back.push(waker.clone());
        }
        true
    }

    /// A publisher has waited in vain: from now until it drains this connection delays nobody.
    pub fn mark_slow(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }

    /// Whether the connection is marked slow.
    pub fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// Has the connection ended at once, also where it takes no events.
    pub fn expel(&self) {
        self.expelled.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether the connection is to end at once.
    pub fn is_expelled(&self) -> bool {
        self.expelled.load(Ordering::Relaxed)
    }

    /// Counts messages dropped because the connection was too slow.
    pub fn count_dropped(&self, messages: usize) {
        self.dropped.fetch_add(messages as u32, Ordering::Relaxed);
    }

    /// Messages dropped so far.
    pub fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed) as usize
    }

    /// The connection is gone: nothing is kept any more, and nobody waits for it.
    pub fn close(&self) {
        let (events, waiting) = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            (std::mem::take(&mut inner.events), std::mem::take(&mut inner.held_back))
        };
        self.bytes.store(0, Ordering::Relaxed);
        for waker in waiting {
            waker.wake();
        }
        drop(events);
    }
}
