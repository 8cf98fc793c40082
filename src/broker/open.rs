//! Starting and stopping a broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use wharfmq_base::{MemoryPool, Millis};
use wharfmq_core::{HeadView, QueueCell, QueueId, Registry, Router, Settings};
use wharfmq_store::{AppendError, Log, RecoverError, Recovered};

use super::recover::Rebuild;
use super::{
    Broker, Clock, Counters, Refused, Topology, TxLimits, advisory, bindings, claims, history, ids, logins,
    names, prepared, retain, sequences, shares, state, sys, temporary, threads, traffic, watchers, wills,
};

/// The key under which a session's life after its connection is remembered: milliseconds, eight bytes.
pub const EXPIRY_KEY: &[u8] = b"\xffexpiry";

/// The key under which the time is remembered at which a session's connection ended: milliseconds since 1970,
/// eight bytes. A session that has a connection, or no end, has none.
pub const LEFT_KEY: &[u8] = b"\xffleft";

/// What a broker is made of.
pub struct Options {
    /// The log, opened and not yet recovered.
    pub log: Arc<dyn Log>,
    /// Settings of destinations.
    pub settings: Settings,
    /// Reads headers of messages, whatever protocol they came by.
    pub view: HeadView,
    /// How destinations are tied to each other.
    pub topology: Topology,
    /// Bytes that messages may take in memory.
    pub memory: u64,
    /// How large transactions may become.
    pub transactions: TxLimits,
    /// The time.
    pub clock: Clock,
}

/// Why a broker did not start.
#[derive(Debug)]
pub enum StartError {
    /// The log could not be read.
    Recover(RecoverError),
    /// A thread could not be started.
    Thread(std::io::Error),
    /// A queue that the settings ask for could not be made, or one that they no longer ask for deleted.
    Queue(Refused),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recover(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "starting a thread: {error}"),
            Self::Queue(refused) => write!(f, "making the queues that the settings ask for: {refused}"),
        }
    }
}

impl std::error::Error for StartError {}

impl Broker {
    /// Recovers what the log holds and starts the broker's threads. Answers what recovery found and
    /// how many messages there are.
    pub fn open(options: Options) -> Result<(Arc<Self>, Recovered, u64), StartError> {
        let Options { log, settings, view, topology, memory, transactions, clock } = options;
        let (threads, inboxes) = threads::Threads::new();
        let mut rebuild = Rebuild::default();
        let recovered = log.recover(&mut rebuild).map_err(StartError::Recover)?;
        let started = clock().wall;
        let broker = Arc::new(Self {
            log,
            router: Router::new(),
            queues: Registry::default(),
            settings,
            view,
            topology,
            histories: history::Histories::default(),
            bindings: bindings::Bindings::default(),
            states: state::States::default(),
            retained: retain::Retained::default(),
            claims: claims::Claims::default(),
            names: names::Names::default(),
            advisories: advisory::Advisories::default(),
            temporaries: temporary::Temporaries::new(started),
            watchers: watchers::Watchers::default(),
            wills: wills::Wills::default(),
            prepared: prepared::Prepared::default(),
            branches: prepared::Branches::default(),
            sequences: sequences::Sequences::default(),
            shares: shares::Shares::default(),
            counters: Counters::default(),
            traffic: traffic::Totals::default(),
            statistics: sys::Statistics::default(),
            ids: ids::Ids::starting_at(1),
            queue_ids: AtomicU32::new(1),
            making: Mutex::new(()),
            conns: AtomicU64::new(0),
            gate: RwLock::new(()),
            clock,
            memory: MemoryPool::new(memory),
            tx_limits: transactions,
            logins: logins::Logins::default(),
            threads,
        });
        let messages = rebuild.build(&broker);
        broker.take_up_histories().map_err(StartError::Queue)?;
        broker.take_up_shares().map_err(StartError::Queue)?;
        broker.start_forwards().map_err(StartError::Queue)?;
        broker.threads.start(&broker, inboxes).map_err(StartError::Thread)?;
        Ok((broker, recovered, messages))
    }

    /// Stops the threads, writes a last checkpoint and closes the log. To be called when no connection
    /// is left.
    pub fn stop(&self) -> Result<(), AppendError> {
        self.threads.stop();
        self.checkpoint()?;
        self.log.close()
    }

    /// Has a session that recovery found deleted when its time is over. True where its connection had not ended
    /// before: its time begins now.
    pub(super) fn schedule_expiry(&self, cell: &QueueCell, wall: Millis) -> bool {
        let Some(expiry) = self.states.get(cell.id, EXPIRY_KEY).and_then(|value| time_of(&value)) else {
            return false;
        };
        if expiry == Millis::NEVER {
            return false;
        }
        let left = self.states.get(cell.id, LEFT_KEY).and_then(|value| time_of(&value));
        self.threads.expire_queue(cell, left.unwrap_or(wall).plus(expiry));
        left.is_none()
    }

    /// Remembers that the connections of sessions ended at `wall`: another crash does not begin their time anew.
    pub(super) fn note_left(&self, sessions: &[QueueId], wall: Millis) {
        let left = |&id: &QueueId| (id, Bytes::from_static(LEFT_KEY), Some(bytes_of(wall)));
        let changes: Vec<_> = sessions.iter().map(left).collect();
        if let Err(error) = self.write_states(&changes, true) {
            tracing::error!(%error, "the end of connections could not be written");
        }
    }
}

/// A time as it is remembered.
pub(super) fn bytes_of(time: Millis) -> Bytes {
    Bytes::copy_from_slice(&time.0.to_be_bytes())
}

/// Reads what [`bytes_of`] wrote.
pub(super) fn time_of(value: &[u8]) -> Option<Millis> {
    <[u8; 8]>::try_from(value).ok().map(u64::from_be_bytes).map(Millis)
}
