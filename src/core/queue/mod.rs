//! One queue, as a pure state machine.
//!
//! A queue is a function of the commands it was given and of the time that came with them. Commands
//! answer at once and never fail for I/O; what is to be done outside is appended to [`Effects`], and
//! deliveries wait in the queue for [`Queue::push_deliveries`]. Point-to-point queues, durable
//! subscriptions and MQTT sessions are all queues of this kind; policy is what makes them differ.
//!
//! A message is in exactly one of these places: among the ready, in flight with a consumer, held for a
//! transaction whose consumer is gone, delayed, or dying. All of them keep it at its order, so that it
//! returns to where it stood.

mod admission;
mod check;
mod choose;
mod dead;
mod dedup;
mod delayed;
mod dispatch;
mod expiry;
mod feeds;
mod groups;
mod inflight;
mod keys;
mod lane;
mod locks;
mod paging;
mod ready;
mod settle;
mod snapshot;
mod stats;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use wharfmq_base::Millis;

pub use self::admission::Admission;
pub use self::dedup::Novelty;
pub use self::inflight::Tags;
pub use self::settle::{Outcome, Staged};
pub use self::stats::{Dropped, QueueStats};

pub(crate) use self::inflight::InFlight;

use self::dead::Dying;
use self::dedup::Dedup;
use self::delayed::Delayed;
use self::expiry::Sweep;
use self::feeds::Feeds;
use self::keys::Keys;
use self::locks::Locks;
use self::ready::Ready;
use self::settle::Orphan;
use self::stats::Ledger;
#[cfg(doc)]
use crate::Effects;
use crate::consumer::Roster;
use crate::{Entry, Grouping, Order, QueueId, QueuePolicy};

/// Pause before a message is asked for again that could not be read.
const LOAD_RETRY: Millis = Millis(1_000);

/// A queue. Its owner locks it, calls commands, calls [`Queue::push_deliveries`], unlocks it, and then
/// does what the effects say.
#[derive(Debug)]
pub struct Queue {
    id: QueueId,
    policy: Arc<QueuePolicy>,
    ready: Ready,
    roster: Roster,
    /// What the selectors of choosy consumers have found; `None` while all consumers take everything.
    feeds: Option<Box<Feeds>>,
    /// Nothing is given out.
    paused: bool,
    locks: Locks,
    dedup: Dedup,
    keys: Keys,
    /// Entries that the consumers hold.
    in_flight: usize,
    /// No entry in flight has a later order.
    in_flight_top: Order,
    /// Staged deliveries whose consumers are gone.
    orphans: BTreeMap<Order, Orphan>,
    delayed: Delayed,
    dying: Dying,
    ledger: Ledger,
    reserved_messages: u64,
    reserved_bytes: u64,
    /// A producer was told to wait.
    blocks: bool,
    /// The last order of the page-in that is under way for the ready.
    loading: Option<Order>,
    /// No page-in before; 0 where none has failed.
    load_retry_at: Millis,
    sweep: Sweep,
    /// Empty between commands.
    scratch: Vec<Entry>,
}

impl Queue {
    /// An empty queue.
    pub fn new(id: QueueId, policy: Arc<QueuePolicy>) -> Self {
        Self {
            id,
            ready: Ready::new(policy.priority),
            feeds: None,
            paused: policy.paused,
            locks: Locks::default(),
            dedup: Dedup::default(),
            keys: Keys::default(),
            ledger: Ledger::new(policy.groups == Grouping::Strict),
            policy,
            roster: Roster::default(),
            in_flight: 0,
            in_flight_top: Order(0),
            orphans: BTreeMap::new(),
            delayed: Delayed::default(),
            dying: Dying::default(),
            reserved_messages: 0,
            reserved_bytes: 0,
            blocks: false,
            loading: None,
            load_retry_at: Millis(0),
            sweep: Sweep::default(),
            scratch: Vec::new(),
        }
    }

    /// Its number in the log.
    pub const fn id(&self) -> QueueId {
        self.id
    }

    /// Its settings.
    pub const fn policy(&self) -> &Arc<QueuePolicy> {
        &self.policy
    }

    /// Changes its settings. Whether priorities are looked at changes only while nothing waits.
    pub fn set_policy(&mut self, policy: Arc<QueuePolicy>) {
        self.ledger.set_strict(policy.groups == Grouping::Strict);
        if self.ready.len() == 0 {
            self.ready = Ready::new(policy.priority);
        }
        self.policy = policy;
    }

    /// Messages in the queue, in whatever state.
    pub const fn len(&self) -> u64 {
        self.ledger.messages
    }

    /// Whether there is no message in it.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives spare capacity back. For a queue that has become idle.
    pub fn trim(&mut self) {
        self.ready.trim();
        self.roster.trim();
        self.scratch = Vec::new();
    }

    /// Messages that consumers hold, with those staged by consumers that are gone.
    fn in_flight(&self) -> usize {
        self.in_flight + self.orphans.len()
    }
}

/// Sorts what one command has appended.
fn sort_from(orders: &mut [Order], start: usize) {
    let appended = orders.get_mut(start..).unwrap_or_default();
    if !appended.is_sorted() {
        appended.sort_unstable();
    }
}
