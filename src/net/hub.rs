//! What all connections share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio_util::task::TaskTracker;
use wharfmq_base::Millis;

use super::Proto;
use crate::adapters::Session;
use crate::broker::{Now, Peer, Port};
use crate::runtime::{Clock, LogLimit, Stop};

/// Makes both ends of a connection: its way into the broker and its protocol.
pub trait Sessions: Send + Sync {
    /// The port of a new connection.
    fn port(&self, peer: Arc<Peer>, now: Now) -> Port;

    /// The session of a connection that speaks `proto`.
    fn session(&self, proto: Proto, peer: &Peer) -> Box<dyn Session>;
}

/// What connections may take before they are cut off.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at one time, over all listeners.
    pub connections: usize,
    /// From the accept to the login, TLS handshake included.
    pub login_timeout: Millis,
    /// Bytes a client may send before its login is complete.
    pub login_bytes: usize,
    /// Bytes of one frame.
    pub frame_bytes: usize,
    /// From the beginning of a drain to the end of the last connection.
    pub drain: Millis,
    /// While draining, a client that has sent nothing for so long has nothing more to settle.
    pub drain_quiet: Millis,
    /// For the last bytes to reach a client that is being disconnected.
    pub linger: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            login_timeout: Millis(10_000),
            login_bytes: 256 * 1024,
            frame_bytes: 16 << 20,
            drain: Millis(10_000),
            drain_quiet: Millis(500),
            linger: Millis(2_000),
        }
    }
}

/// Shared by all listeners and connections.
pub struct Hub {
    /// Makes ports and sessions.
    pub sessions: Arc<dyn Sessions>,
    /// The bounds of every connection.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Tells when to end.
    pub stop: Arc<Stop>,
    /// The tasks of all connections.
    pub tasks: TaskTracker,
    /// Bounds the lines that clients can cause.
    pub lines: LogLimit,
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Hub {
    /// Without connections.
    pub fn new(sessions: Arc<dyn Sessions>, limits: Limits, clock: Clock, stop: Arc<Stop>) -> Arc<Self> {
        Arc::new(Self {
            sessions,
            limits,
            clock,
            stop,
            tasks: TaskTracker::new(),
            lines: LogLimit::default(),
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// A place for one more connection; `None` at the limit, and then it counts as refused.
    pub fn admit(self: &Arc<Self>) -> Option<Permit> {
        if self.open.fetch_add(1, Ordering::Relaxed) < self.limits.connections {
            self.accepted.fetch_add(1, Ordering::Relaxed);
            Some(Permit(Arc::clone(self)))
        } else {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.refused.fetch_add(1, Ordering::Relaxed);
            None
        }
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections closed at once since the start, because the limit was reached.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// A connection's place among [`Limits::connections`], given back when dropped; and its way to the hub.
pub struct Permit(Arc<Hub>);

impl Deref for Permit {
    type Target = Arc<Hub>;

    fn deref(&self) -> &Arc<Hub> {
        &self.0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
