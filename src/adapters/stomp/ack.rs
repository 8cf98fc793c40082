//! ACK and NACK: gathered over a round, settled in runs.

use std::borrow::Cow;

use wharfmq_core::{Credit, Outcome, Tags};
use wharfmq_stomp::{AckMode, Command, Error, Frame, Version};

use super::Open;
use super::fault::Stop;
use super::message::ID_PREFIX;
use super::subs::Source;
use crate::broker::Port;

/// Acknowledgements of a round, in their order.
#[derive(Default)]
pub(super) struct Acks(Vec<Run>);

/// Consecutive deliveries of one subscription with one outcome.
struct Run {
    sub: u32,
    first: u64,
    last: u64,
    count: u32,
    outcome: Outcome,
}

/// The headers of ACK and NACK.
#[derive(Default)]
struct Asked<'a> {
    id: Option<Cow<'a, str>>,
    message_id: Option<Cow<'a, str>>,
    subscription: Option<Cow<'a, str>>,
    transaction: Option<Cow<'a, str>>,
    receipt: Option<Cow<'a, str>>,
}

impl Open {
    pub(super) fn on_settle(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        let asked = Asked::read(frame)?;
        let accepts = frame.command() == Command::Ack;
        if let Some((sub, delivery)) = self.delivery(&asked)? {
            match &asked.transaction {
                None => self.settle(sub, delivery, accepts),
                Some(name) if accepts => self.settle_in(name, sub, delivery, port)?,
                Some(_) => return Err(Stop::fault("NACK within a transaction is not supported")),
            }
        }
        self.promise_receipt(asked.receipt.as_deref(), port);
        Ok(())
    }

    /// The subscription and the delivery that are meant. None where nothing waits for it any more: its
    /// subscription has ended, or it was acknowledged before.
    fn delivery(&mut self, asked: &Asked<'_>) -> Result<Option<(u32, u64)>, Stop> {
        if self.version == Version::V1_2 {
            let id = asked.id.as_deref().ok_or_else(|| Stop::fault("id is missing"))?;
            let parts =
                id.split_once('-').and_then(|(sub, tag)| Some((sub.parse().ok()?, tag.parse().ok()?)));
            let Some((sub, delivery)) = parts else { return Err(Stop::fault("id names no delivery")) };
            return match self.subs.get_mut(sub) {
                Some(known) if delivery > known.last => Err(Stop::fault("id names no delivery")),
                known => Ok(known.map(|_| (sub, delivery))),
            };
        }
        let id = asked.message_id.as_deref().ok_or_else(|| Stop::fault("message-id is missing"))?;
        let number = id.strip_prefix(ID_PREFIX).and_then(|number| number.parse().ok());
        let message: u64 = number.ok_or_else(|| Stop::fault("message-id names no message of this broker"))?;
        match &asked.subscription {
            Some(key) => {
                let mut parts = self.subs.of_key(key);
                Ok(parts.find_map(|sub| Some((sub.tag, sub.flights.find(message)?))))
            }
            None if self.version == Version::V1_0 => {
                Ok(self.subs.iter().find_map(|sub| Some((sub.tag, sub.flights.find(message)?))))
            }
            None => Err(Stop::fault("subscription is missing")),
        }
    }

    fn settle(&mut self, tag: u32, delivery: u64, accepts: bool) {
        match self.subs.sent_until(tag, delivery) {
            None => self.settle_one(tag, delivery, accepts),
            Some(parts) => {
                parts.iter().for_each(|&(part, last)| self.settle_one(part, last, accepts));
                self.subs.forget_settled();
            }
        }
    }

    fn settle_one(&mut self, tag: u32, delivery: u64, accepts: bool) {
        let Some(sub) = self.subs.get_mut(tag).filter(|sub| sub.acknowledges()) else { return };
        let (first, count) = match sub.mode {
            AckMode::Client => sub.flights.take_up_to(delivery),
            _ => (delivery, sub.flights.take(delivery)),
        };
        if count == 0 || !matches!(sub.source, Source::Queue(_)) {
            return;
        }
        let outcome = if accepts { Outcome::Accept } else { Outcome::Retry };
        self.acks.add(Run { sub: tag, first, last: delivery, count, outcome });
    }

    /// Settles what was acknowledged since the last call.
    pub(super) fn settle_acked(&mut self, port: &mut Port) {
        for run in self.acks.0.drain(..) {
            let Some(sub) = self.subs.get_mut(run.sub) else { continue };
            let credit = Credit { messages: sub.room(run.count), bytes: 0 };
            if let Source::Queue(consumer) = &sub.source {
                port.settle(consumer, Tags::Range(run.first, run.last), run.outcome, credit);
            }
            if let Some(group) = sub.group {
                self.subs.give_back(group, credit.messages);
            }
        }
        self.subs.refill(port);
    }
}

impl Acks {
    fn add(&mut self, run: Run) {
        match self.0.last_mut() {
            Some(last)
                if last.sub == run.sub && last.outcome == run.outcome && last.last + 1 == run.first =>
            {
                last.last = run.last;
                last.count += run.count;
            }
            _ => self.0.push(run),
        }
    }
}

impl<'a> Asked<'a> {
    fn read(frame: &Frame<'a>) -> Result<Self, Error> {
        let mut asked = Self::default();
        for header in frame.headers() {
            let header = header?;
            let slot = match &*header.name {
                "id" => &mut asked.id,
                "message-id" => &mut asked.message_id,
                "subscription" => &mut asked.subscription,
                "transaction" => &mut asked.transaction,
                "receipt" => &mut asked.receipt,
                _ => continue,
            };
            if slot.is_none() {
                *slot = Some(header.value);
            }
        }
        Ok(asked)
    }
}
