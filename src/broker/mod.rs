//! Where core and store meet: everything an adapter can do, and the threads behind it.

mod advisory;
mod bindings;
mod causes;
mod checkpoint;
mod claims;
mod compact;
mod consume;
mod counters;
mod filters;
mod firing;
mod flush;
mod handover;
mod history;
mod identity;
mod ids;
mod load;
mod logins;
mod manage;
mod names;
mod open;
mod parts;
mod port;
mod prepared;
mod queues;
mod recover;
mod retain;
mod schedule;
mod sequences;
mod settle;
mod shares;
mod stage;
mod state;
mod sys;
mod temporary;
#[cfg(test)]
mod tests;
mod threads;
mod timekeeper;
mod topology;
mod traffic;
mod tx;
pub mod undertaker;
mod virtual_topics;
mod watchers;
mod will_record;
mod wills;
mod writebuf;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use wharfmq_base::MemoryPool;
use wharfmq_core::{ConnId, HeadView, QueueCell, Registry, Router, Settings};
use wharfmq_store::Log;

pub use advisory::{About, Client, Consuming, Event, Fate, News, Producing, Said, Turn, Voice, is_advisory};
pub use bindings::Binding;
pub use causes::{Cause, Causes};
pub use claims::Claim;
pub use consume::{Consumer, Standing};
pub use counters::{Counters, Totals};
pub use history::Past;
pub use logins::Login;
pub use manage::Jobs;
pub use open::{EXPIRY_KEY, LEFT_KEY, Options, StartError};
pub use port::{Confirm, Now, Peer, Port};
pub use prepared::{PREPARED_MAX, Phases, Vote, XaError, Xid, XidError};
pub use queues::Refused;
pub use schedule::{Later, Repeats, Schedule};
pub use sequences::Producer;
pub use shares::Handed;
pub use sys::{System, is_system};
pub use temporary::{TEMPORARIES_MAX, chosen_name, is_temporary, temporary_name};
pub use topology::Topology;
pub use traffic::{Moved, Traffic};
pub use tx::{TRANSACTIONS_MAX, TxError, TxLimits};
pub use wills::{Will, WillId};
pub use writebuf::{SLICES_MAX, WriteBuf};

/// What a publication to a destination reaches.
pub type Route = wharfmq_core::Route<Arc<QueueCell>>;

/// Reads the clocks; given in, so that tests can turn them.
pub type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// The broker: shared by all connections.
pub struct Broker {
    log: Arc<dyn Log>,
    router: Router<Arc<QueueCell>>,
    queues: Registry,
    settings: Settings,
    view: HeadView,
    topology: Topology,
    histories: history::Histories,
    bindings: bindings::Bindings,
    states: state::States,
    retained: retain::Retained,
    claims: claims::Claims,
    names: names::Names,
    advisories: advisory::Advisories,
    temporaries: temporary::Temporaries,
    watchers: watchers::Watchers,
    wills: wills::Wills,
    prepared: prepared::Prepared,
    branches: prepared::Branches,
    sequences: sequences::Sequences,
    shares: shares::Shares,
    counters: Counters,
    traffic: traffic::Totals,
    statistics: sys::Statistics,
    ids: ids::Ids,
    queue_ids: AtomicU32,
    /// Held while a queue is made or deleted, so that its definition in the log, its route and its place
    /// in the table change as one. Taken before `gate`.
    making: Mutex<()>,
    conns: AtomicU64,
    /// Held shared from an append until all it says is applied, and alone for an instant by a
    /// checkpoint: so that what a checkpoint stands for is exactly what has been applied.
    gate: RwLock<()>,
    clock: Clock,
    memory: Arc<MemoryPool>,
    tx_limits: TxLimits,
    logins: logins::Logins,
    threads: threads::Threads,
}

impl Broker {
    /// The identity of a new connection.
    pub fn next_conn(&self) -> ConnId {
        ConnId(self.conns.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The log everything durable goes through.
    pub fn log(&self) -> &Arc<dyn Log> {
        &self.log
    }

    /// The queues.
    pub fn queues(&self) -> &Registry {
        &self.queues
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// To be called where the clock does not move by itself, after it was turned.
    pub fn clock_moved(&self) {
        self.threads.clock_moved();
    }

    /// The time.
    pub fn now(&self) -> Now {
        (self.clock)()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("queues", &self.queues.len()).finish_non_exhaustive()
    }
}
