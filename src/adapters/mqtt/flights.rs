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
    /// What messages had in an earlier connection.
    earlier: BTreeMap<MessageId, Earlier>,
    /// How many of those have not been sent in this connection.
    unsent: usize,
    /// Messages that the client has finished with before the queue delivered them again.
    finished: HashSet<MessageId, RandomState>,
}

#[derive(Clone, Copy, Debug)]
struct Earlier {
    id: PacketId,
    /// It is still to be sent in this connection. False where the client has said PUBREC.
    unsent: bool,
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
        let inner = self.inner();
        let unsent = !inner.by_id.contains_key(&id);
        inner.unsent += usize::from(unsent);
        inner.earlier.insert(message, Earlier { id, unsent });
    }

    /// The packet id that a message had in an earlier connection.
    pub(super) fn earlier(&self, message: MessageId) -> Option<PacketId> {
        Some(self.0.as_ref()?.earlier.get(&message)?.id)
    }

    /// Forgets what a message had in an earlier connection.
    pub(super) fn forget_earlier(&mut self, message: MessageId) {
        if let Some(inner) = &mut self.0
            && let Some(earlier) = inner.earlier.remove(&message)
        {
            inner.unsent -= usize::from(earlier.unsent);
        }
    }

    /// Packet ids that are taken by what is still to be sent: no place of the client's window is.
    pub(super) fn unsent(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.unsent)
    }

    /// The packet ids of what should have been sent again before `message` and is gone from the queue, as
    /// what has expired is.
    pub(super) fn take_gone_before(&mut self, message: MessageId) -> Vec<PacketId> {
        let Some(inner) = self.0.as_mut().filter(|inner| inner.unsent > 0) else { return Vec::new() };
        let older = inner.earlier.range(..message).filter(|(_, earlier)| earlier.unsent);
        let gone: Vec<_> = older.map(|(message, earlier)| (*message, earlier.id)).collect();
        gone.iter().for_each(|(message, _)| self.forget_earlier(*message));
        gone.into_iter().map(|(_, id)| id).collect()
    }

    /// The client is done with a packet id of an earlier connection before its message was sent again.
    pub(super) fn finish_earlier(&mut self, id: PacketId) -> bool {
        let Some(inner) = self.0.as_mut().filter(|inner| inner.unsent > 0) else { return false };
        let found = inner.earlier.iter().find(|(_, earlier)| earlier.id == id && earlier.unsent);
        let Some((&message, _)) = found else { return false };
        inner.finished.insert(message);
        self.forget_earlier(message);
        true
    }

    /// Whether the client has finished with a message that the queue delivers again.
    pub(super) fn take_finished(&mut self, message: MessageId) -> bool {
        let finished = self.0.as_mut().is_some_and(|inner| inner.finished.remove(&message));
        if finished {
            self.forget_earlier(message);
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
