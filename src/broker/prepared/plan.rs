//! What the log keeps of a prepared transaction beside its sends.
//!
//! Layout: version u8; number of sends u32; number of wishes u32, and for each its index u32, its quality
//! of service u8, its retain flag u8, its expiry u64 and its queue u32; until the end settles: outcome u8, delay u64,
//! length u32 and the payload of a settle record. Numbers are big-endian.

use bytes::Bytes;
use wharfmq_base::Millis;
use wharfmq_core::record::{self, Record, kind};
use wharfmq_core::{Order, Outcome, Qos, QueueId};

const VERSION: u8 = 1;
/// Acknowledgements that one transaction can have.
const ORDERS_MAX: u64 = 1 << 24;

/// What one of the sends is to be when it is carried out. Until then it is stored as a message that
/// neither is lost nor expires nor is retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Which of the sends, counted from 0.
    pub(super) index: u32,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) expires: Millis,
    /// The queue of the broker's own that it goes into first; 0 where it goes to its destination.
    pub(super) via: QueueId,
}

/// Stored messages of one queue, and what is to become of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) queue: QueueId,
    pub(super) outcome: Outcome,
    pub(super) orders: Vec<Order>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) sends: u32,
    /// Of those sends that wish for something else than they are stored as, ascending.
    pub(super) wishes: Vec<Wish>,
    pub(super) settled: Vec<Settled>,
}

impl Plan {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.sends.to_be_bytes());
        out.extend_from_slice(&(self.wishes.len() as u32).to_be_bytes());
        for wish in &self.wishes {
            out.extend_from_slice(&wish.index.to_be_bytes());
            out.extend_from_slice(&[wish.qos as u8, u8::from(wish.retain)]);
            out.extend_from_slice(&wish.expires.0.to_be_bytes());
            out.extend_from_slice(&wish.via.0.to_be_bytes());
        }
        let mut payload = Vec::new();
        for settled in &self.settled {
            payload.clear();
            record::Settle::encode(settled.queue, settled.orders.iter().copied(), &mut payload);
            let (outcome, delay) = number_of(settled.outcome);
            out.push(outcome);
            out.extend_from_slice(&delay.0.to_be_bytes());
            out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
            out.extend_from_slice(&payload);
        }
        out.into()
    }

    /// `None` where the bytes are damaged.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes;
        if take(rest)? != [VERSION] {
            return None;
        }
        let mut plan = Self { sends: u32::from_be_bytes(take(rest)?), ..Self::default() };
        for _ in 0..u32::from_be_bytes(take(rest)?) {
            let index = u32::from_be_bytes(take(rest)?);
            let [qos, retain] = take(rest)?;
            let expires = Millis(u64::from_be_bytes(take(rest)?));
            let via = QueueId(u32::from_be_bytes(take(rest)?));
            plan.wishes.push(Wish { index, qos: Qos::from_u8(qos)?, retain: retain != 0, expires, via });
        }
        while !rest.is_empty() {
            let [outcome] = take(rest)?;
            let outcome = outcome_of(outcome, Millis(u64::from_be_bytes(take(rest)?)))?;
            let len = u32::from_be_bytes(take(rest)?) as usize;
            let (payload, after) = rest.split_at_checked(len)?;
            *rest = after;
            let Ok(Record::Settle(settle)) = Record::decode(kind::SETTLE, payload) else { return None };
            let count = settle.runs().map(|(first, last)| last.0 - first.0 + 1);
            if count.fold(0, u64::saturating_add) > ORDERS_MAX {
                return None;
            }
            let orders = settle.runs().flat_map(|(first, last)| (first.0..=last.0).map(Order)).collect();
            plan.settled.push(Settled { queue: settle.queue, outcome, orders });
        }
        Some(plan)
    }
}

/// An outcome's number. Never used for anything else.
const fn number_of(outcome: Outcome) -> (u8, Millis) {
    match outcome {
        Outcome::Accept => (0, Millis(0)),
        Outcome::Nack => (1, Millis(0)),
        Outcome::Reject => (2, Millis(0)),
        Outcome::Retry => (3, Millis(0)),
        Outcome::Requeue { delay, count: false } => (4, delay),
        Outcome::Requeue { delay, count: true } => (5, delay),
    }
}

const fn outcome_of(number: u8, delay: Millis) -> Option<Outcome> {
    Some(match number {
        0 => Outcome::Accept,
        1 => Outcome::Nack,
        2 => Outcome::Reject,
        3 => Outcome::Retry,
        4 => Outcome::Requeue { delay, count: false },
        5 => Outcome::Requeue { delay, count: true },
        _ => return None,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Plan::decode(&Plan::default().encode()), Some(Plan::default()));
        let delay = Millis(5);
        let outcomes = [
            Outcome::Accept,
            Outcome::Nack,
            Outcome::Reject,
            Outcome::Retry,
            Outcome::Requeue { delay, count: true },
            Outcome::Requeue { delay, count: false },
        ];
        let settled = outcomes.map(|outcome| Settled {
            queue: QueueId(7),
            outcome,
            orders: [1, 2, 3, 900, 1 << 40].map(Order).into(),
        });
        let wish = Wish { index: 2, qos: Qos::AtMostOnce, retain: true, expires: Millis(9), via: QueueId(3) };
        let plan = Plan { sends: 3, wishes: vec![wish], settled: settled.into() };
        let bytes = plan.encode();
        assert_eq!(Plan::decode(&bytes), Some(plan));
        for len in 0..bytes.len() {
            // Cut between two settles it is whole, only shorter.
            let cut = Plan::decode(&bytes[..len]);
            assert!(cut.is_none_or(|cut| cut.settled.len() < outcomes.len()));
        }
    }

    #[test]
    fn damage_is_noticed() {
        let endless = Settled { queue: QueueId(1), outcome: Outcome::Accept, orders: vec![Order(5)] };
        let good = Plan { settled: vec![endless], ..Plan::default() }.encode();
        let mut wrong = good.to_vec();
        wrong[9] = 6;
        assert_eq!(Plan::decode(&wrong), None, "no such outcome");
        wrong = good.to_vec();
        wrong[0] = 2;
        assert_eq!(Plan::decode(&wrong), None, "another version");
        assert_eq!(Plan::decode(&[1, 0, 0, 0, 0, 255, 255, 255, 255]), None, "wishes that are not there");
    }
}
