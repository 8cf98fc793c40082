//! The targets of one destination.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use crate::{Address, ConnId, Outbox, Qos, QueueId, SubTag};

/// What a publication to an address reaches. Shared by all who publish there; never changed but for the
/// generation it is known to hold for.
#[derive(Debug)]
pub struct Route<Q> {
    /// The destination.
    pub address: Arc<Address>,
    /// Connections that take it without storing it: one entry each, ascending by [`ConnId`].
    pub direct: Box<[DirectTarget]>,
    /// Queues that take it: one entry each, ascending by [`QueueId`].
    pub queues: Box<[Bound<Q>]>,
    generation: AtomicU64,
}

/// One connection of a [`Route`].
#[derive(Clone, Debug)]
pub struct DirectTarget {
    /// Where to put it.
    pub outbox: Arc<Outbox>,
    /// The connection's subscriptions that match, ascending by tag. Never empty.
    pub subs: SmallVec<[DirectSub; 2]>,
}

/// One subscription of a [`DirectTarget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectSub {
    /// The session's own number for it.
    pub sub: SubTag,
    /// What the connection publishes itself does not come back.
    pub no_local: bool,
    /// Takes QoS 0 only: what can be lost comes directly, the rest through a queue.
    pub qos0_only: bool,
}

/// One queue of a [`Route`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound<Q> {
    /// The queue's number.
    pub id: QueueId,
    /// The queue.
    pub queue: Q,
    /// The flags of all bindings that match, merged by [`merge_flags`].
    pub flags: u8,
    /// The same of those bindings that take what the queue's own client publishes; `None` where none does.
    pub own_flags: Option<u8>,
}

impl<Q> Route<Q> {
    pub(super) fn new(
        address: Arc<Address>,
        direct: Vec<DirectTarget>,
        queues: Vec<Bound<Q>>,
        generation: u64,
    ) -> Self {
        Self { address, direct: direct.into(), queues: queues.into(), generation: AtomicU64::new(generation) }
    }

    /// A route that leads into one queue whatever the destination: for what is to be sent on from there.
    /// It never goes stale.
    pub fn to_queue(address: Arc<Address>, queue: Bound<Q>) -> Self {
        Self::new(address, Vec::new(), vec![queue], u64::MAX)
    }

    /// The latest generation of the router that the route is known to hold for.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The route holds for this generation too.
    pub(super) fn restamp(&self, generation: u64) {
        self.generation.fetch_max(generation, Ordering::AcqRel);
    }

    /// Whether nothing is reached.
    pub fn is_empty(&self) -> bool {
        self.direct.is_empty() && self.queues.is_empty()
    }

    /// Whether nothing is stored for it, so that no message need be built.
    pub fn is_storage_less(&self) -> bool {
        self.queues.is_empty()
    }

    /// Roughly the bytes it takes, for the bounds of caches.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + self.direct.len() * size_of::<DirectTarget>()
            + self.queues.len() * size_of::<Bound<Q>>()
    }
}

impl DirectTarget {
    /// The subscriptions that take a publication of this quality, sent by this connection.
    pub fn taking(&self, from: ConnId, qos: Qos) -> SmallVec<[SubTag; 2]> {
        let own = self.outbox.conn == from;
        self.subs.iter().filter(|sub| sub.takes(own, qos)).map(|sub| sub.sub).collect()
    }
}

impl DirectSub {
    /// Whether it takes a publication; `own`: the subscriber sent it itself.
    pub fn takes(&self, own: bool, qos: Qos) -> bool {
        !(own && self.no_local || self.qos0_only && qos.is_persistent())
    }
}

impl<Q> Bound<Q> {
    /// The flags for a publication, `None` where the queue does not take it; `own`: the queue's own
    /// client sent it.
    pub fn taking(&self, own: bool) -> Option<u8> {
        if own { self.own_flags } else { Some(self.flags) }
    }
}

/// Flags of two bindings of one queue as one: the higher quality of service (low two bits), and the
/// other bits of both.
pub const fn merge_flags(a: u8, b: u8) -> u8 {
    let qos = if a & 3 > b & 3 { a & 3 } else { b & 3 };
    (a | b) & !3 | qos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_merge_to_the_highest_quality_and_all_other_bits() {
        assert_eq!(merge_flags(1, 2), 2);
        assert_eq!(merge_flags(0b101, 0b1010), 0b1110);
        assert_eq!(merge_flags(0, 0), 0);
    }

    #[test]
    fn options_decide_what_is_taken() {
        let outbox = Outbox::new(ConnId(1));
        let sub = |sub, no_local, qos0_only| DirectSub { sub: SubTag(sub), no_local, qos0_only };
        let target = DirectTarget {
            outbox,
            subs: [sub(1, false, false), sub(2, true, false), sub(3, false, true)].into_iter().collect(),
        };
        let taking = |from, qos| target.taking(ConnId(from), qos).iter().map(|sub| sub.0).collect::<Vec<_>>();
        assert_eq!(taking(9, Qos::AtMostOnce), [1, 2, 3]);
        assert_eq!(taking(1, Qos::AtMostOnce), [1, 3]);
        assert_eq!(taking(9, Qos::AtLeastOnce), [1, 2]);
        assert_eq!(taking(1, Qos::ExactlyOnce), [1]);
    }
}
