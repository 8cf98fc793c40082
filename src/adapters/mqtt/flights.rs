//! Stored messages on their way to the client, by packet id.

use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;
use wharfmq_core::{MessageId, SubTag};
use wharfmq_mqtt::PacketId;

use super::share::FROM_SHARE;
use super::{ENDED_SUB, QUEUE_SUB};
use crate::broker::Handed;

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
    /// It has left its share: no other member will get it.
    pub(super) taken: bool,
}

/// How a message of the session's own queue came there through a share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    /// The share, and the delivery's number there.
    pub(super) sub: SubTag,
    pub(super) tag: u64,
    /// The subscription identifier, 0 for none.
    pub(super) id: u32,
}

impl Passed {
    /// It came in an earlier connection.
    pub(super) const EARLIER: Self = Self { sub: ENDED_SUB, tag: 0, id: 0 };
}

/// Whether the flags of a session's message say that it came through a share.
pub(super) const fn is_passed(flags: u8) -> bool {
    flags & FROM_SHARE != 0
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
    /// What came through a share, until the client has finished with it.
    passed: HashMap<MessageId, Passed, RandomState>,
    /// What is to become the session's own next, by share.
    passing: Vec<(SubTag, Vec<Handed>)>,
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

    /// Books a delivery as acknowledged, to be settled with the others of the round. What came through a
    /// share makes room for another from there.
    pub(super) fn ack(&mut self, flight: Flight) {
        let inner = self.inner();
        if flight.sub == QUEUE_SUB
            && let Some(Passed { sub, tag, .. }) = inner.passed.remove(&flight.message)
            && sub != ENDED_SUB
        {
            inner.acked.push((sub, tag, flight.size));
        }
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

    /// The client has left this subscription: what it still answers is of no account to anybody else.
    pub(super) fn end(&mut self, sub: SubTag) {
        let Some(inner) = &mut self.0 else { return };
        inner.by_id.values_mut().filter(|flight| flight.sub == sub).for_each(|flight| flight.sub = ENDED_SUB);
        inner
            .passed
            .values_mut()
            .filter(|passed| passed.sub == sub)
            .for_each(|passed| passed.sub = ENDED_SUB);
        inner.acked.retain(|(of, ..)| *of != sub);
        inner.passing.retain(|(of, _)| *of != sub);
    }

    /// Messages under way that have left their shares.
    pub(super) fn taken(&self) -> u64 {
        let flights = self.0.iter().flat_map(|inner| inner.by_id.values());
        flights.filter(|flight| flight.taken).count() as u64
    }

    /// Adds a delivery of a share that is to become the session's own.
    pub(super) fn pass_on(&mut self, sub: SubTag, handed: Handed) {
        let passing = &mut self.inner().passing;
        match passing.iter_mut().find(|(of, _)| *of == sub) {
            Some((_, list)) => list.push(handed),
            None => passing.push((sub, vec![handed])),
        }
    }

    /// Number of those.
    pub(super) fn passing_len(&self) -> usize {
        self.0.iter().flat_map(|inner| &inner.passing).map(|(_, list)| list.len()).sum()
    }

    pub(super) fn take_passing(&mut self) -> Vec<(SubTag, Vec<Handed>)> {
        self.0.as_mut().map(|inner| std::mem::take(&mut inner.passing)).unwrap_or_default()
    }

    /// Notes how a message of the session's own came there.
    pub(super) fn passed(&mut self, message: MessageId, passed: Passed) {
        self.inner().passed.insert(message, passed);
    }

    /// Keeps of what came through a share only what `is_there` says; answers the others.
    pub(super) fn retain_passed(&mut self, is_there: impl Fn(MessageId) -> bool) -> Vec<MessageId> {
        let Some(inner) = &mut self.0 else { return Vec::new() };
        inner.passed.extract_if(|message, _| !is_there(*message)).map(|(message, _)| message).collect()
    }

    pub(super) fn passed_of(&self, message: MessageId) -> Option<Passed> {
        self.0.as_ref()?.passed.get(&message).copied()
    }

    fn inner(&mut self) -> &mut Inner {
        self.0.get_or_insert_default()
    }
}
