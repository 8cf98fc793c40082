//! Stored messages on their way to the client, by packet id.

use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;
use wharfmq_core::{MessageId, SubTag};
use wharfmq_mqtt::PacketId;

/// One delivery that the client has not finished with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// The session's queue, or a shared subscription.
    pub(super) sub: SubTag,
    /// The delivery's number with its consumer; 0 until the queue has delivered it in this connection.
    pub(super) tag: u64,
    pub(super) message: MessageId,
    pub(super) size: u32,
    /// The client has said PUBREC: only PUBREL may be sent from now on.
    pub(super) received: bool,
    /// Its packet id is remembered in the log.
    pub(super) kept: bool,
}

/// Deliveries in flight, and what earlier connections of the session left.
#[derive(Debug, Default)]
pub(super) struct Flights(Option<Box<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<PacketId, Flight, RandomState>,
    /// Acknowledged since the last settle.
    acked: Vec<(SubTag, u64, u32)>,
    /// Packet ids that messages had in an earlier connection.
    earlier: BTreeMap<MessageId, PacketId>,
    /// Messages that the client has finished with before the queue delivered them again.
    finished: HashSet<MessageId, RandomState>,
}

impl Flights {
    pub(super) fn insert(&mut self, id: PacketId, flight: Flight) {
        self.inner().by_id.insert(id, flight);
    }

    pub(super) fn get_mut(&mut self, id: PacketId) -> Option<&mut Flight> {
        self.0.as_mut()?.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: PacketId) -> Option<Flight> {
        self.0.as_mut()?.by_id.remove(&id)
    }

    /// Books a delivery as acknowledged, to be settled with the others of the round.
    pub(super) fn ack(&mut self, flight: Flight) {
        if flight.tag == 0 {
            self.inner().finished.insert(flight.message);
        } else {
            self.inner().acked.push((flight.sub, flight.tag, flight.size));
        }
    }

    /// What was acknowledged since the last call, ascending.
    pub(super) fn take_acked(&mut self) -> Vec<(SubTag, u64, u32)> {
        let Some(inner) = &mut self.0 else { return Vec::new() };
        let mut acked = std::mem::take(&mut inner.acked);
        acked.sort_unstable();
        acked
    }

    /// Notes that `message` had this packet id in an earlier connection.
    pub(super) fn recall(&mut self, message: MessageId, id: PacketId) {
        self.inner().earlier.insert(message, id);
    }

    /// The packet id that a message had in an earlier connection.
    pub(super) fn take_earlier(&mut self, message: MessageId) -> Option<PacketId> {
        self.0.as_mut()?.earlier.remove(&message)
    }

    /// Whether the client has finished with a message that the queue delivers again.
    pub(super) fn take_finished(&mut self, message: MessageId) -> bool {
        let Some(inner) = &mut self.0 else { return false };
        let finished = inner.finished.remove(&message);
        if finished {
            inner.earlier.remove(&message);
        }
        finished
    }

    /// The flights of one subscription, by packet id.
    pub(super) fn of(&self, sub: SubTag) -> Vec<(PacketId, Flight)> {
        let Some(inner) = &self.0 else { return Vec::new() };
        inner
            .by_id
            .iter()
            .filter(|(_, flight)| flight.sub == sub)
            .map(|(id, flight)| (*id, *flight))
            .collect()
    }

    fn inner(&mut self) -> &mut Inner {
        self.0.get_or_insert_default()
    }
}
