//! ACK and NACK: gathered over a round, settled in runs.

use std::borrow::Cow;

use smallvec::smallvec;
use wharfmq_base::Millis;
use wharfmq_core::{Credit, Outcome, Tags};
use wharfmq_stomp::{AckMode, Command, Error, Frame, Version};

use super::Open;
use super::fault::Stop;
use super::message::ID_PREFIX;
use super::subs::{LOCK_MS_MAX, LOCK_MS_MIN, Source};
use crate::broker::Port;

/// Longest pause, in milliseconds, that NACK can ask for.
const DELAY_MS_MAX: u64 = 30 * 24 * 3_600 * 1_000;

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
    delay: Option<Cow<'a, str>>,
    requeue: Option<Cow<'a, str>>,
    extend: Option<Cow<'a, str>>,
}

/// What a frame says of its deliveries.
enum Said {
    Settle(Outcome),
    /// To be held for so long from now.
    Extend(Millis),
}

impl Open {
    pub(super) fn on_settle(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        let asked = Asked::read(frame)?;
        let said = asked.said(frame.command())?;
        if let Some((sub, delivery)) = self.delivery(&asked)? {
            match (said, &asked.transaction) {
                (Said::Settle(outcome), None) => self.settle(sub, delivery, outcome),
                (Said::Settle(outcome), Some(name)) => self.settle_in(name, sub, delivery, outcome, port)?,
                (Said::Extend(span), _) => self.extend(sub, delivery, span, port),
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

    fn settle(&mut self, tag: u32, delivery: u64, outcome: Outcome) {
        match self.subs.sent_until(tag, delivery) {
            None => self.settle_one(tag, delivery, outcome),
            Some(parts) => {
                parts.iter().for_each(|&(part, last)| self.settle_one(part, last, outcome));
                self.subs.forget_settled();
            }
        }
    }

    fn settle_one(&mut self, tag: u32, delivery: u64, outcome: Outcome) {
        let Some(sub) = self.subs.get_mut(tag).filter(|sub| sub.acknowledges()) else { return };
        let (first, count) = match sub.mode {
            AckMode::Client => sub.flights.take_up_to(delivery),
            _ => (delivery, sub.flights.take(delivery)),
        };
        if count == 0 || !matches!(sub.source, Source::Queue(_)) {
            return;
        }
        self.acks.add(Run { sub: tag, first, last: delivery, count, outcome });
    }

    /// Lets the client hold deliveries for longer: those that an ACK of this one would cover.
    fn extend(&mut self, tag: u32, delivery: u64, span: Millis, port: &mut Port) {
        self.settle_acked(port);
        let parts = self.subs.sent_until(tag, delivery);
        for (part, last) in parts.unwrap_or_else(|| smallvec![(tag, delivery)]) {
            let Some(sub) = self.subs.get_mut(part).filter(|sub| sub.acknowledges()) else { continue };
            if let Source::Queue(consumer) = &sub.source {
                port.extend(consumer, sub.covered(last), span);
            }
        }
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
                "delay" => &mut asked.delay,
                "requeue" => &mut asked.requeue,
                "extend" => &mut asked.extend,
                _ => continue,
            };
            if slot.is_none() {
                *slot = Some(header.value);
            }
        }
        Ok(asked)
    }

    fn said(&self, command: Command) -> Result<Said, Stop> {
        match (command, &self.extend, &self.delay, &self.requeue) {
            (Command::Ack, None, None, None) => Ok(Said::Settle(Outcome::Accept)),
            (Command::Nack, None, None, None) => Ok(Said::Settle(Outcome::Nack)),
            (Command::Ack, Some(_), None, None) if self.transaction.is_some() => {
                Err(Stop::fault("extend is not part of a transaction: leave the header transaction out"))
            }
            (Command::Ack, Some(span), None, None) => {
                let span = millis("extend", span, LOCK_MS_MIN, LOCK_MS_MAX)?;
                Ok(Said::Extend(span))
            }
            (Command::Ack, ..) => Err(Stop::fault("delay and requeue are headers of NACK, not of ACK")),
            (_, Some(_), ..) => Err(Stop::fault("extend is a header of ACK, not of NACK")),
            (_, None, delay, requeue) => Ok(Said::Settle(refusal(delay.as_deref(), requeue.as_deref())?)),
        }
    }
}

/// What a NACK asks for that says more than no.
fn refusal(delay: Option<&str>, requeue: Option<&str>) -> Result<Outcome, Stop> {
    match (delay, requeue) {
        (Some(_), Some("false")) => {
            Err(Stop::fault("delay and requeue:false exclude each other: what is not requeued does not wait"))
        }
        (None, Some("false")) => Ok(Outcome::Reject),
        (None, Some("true")) => Ok(Outcome::Retry),
        (Some(delay), None | Some("true")) => {
            Ok(Outcome::Requeue { delay: millis("delay", delay, 0, DELAY_MS_MAX)?, count: true })
        }
        (None, None) => Ok(Outcome::Nack),
        (_, Some(_)) => Err(Stop::fault("requeue is neither true nor false")),
    }
}

/// A span of time in milliseconds within its bounds.
pub(super) fn millis(name: &str, value: &str, least: u64, most: u64) -> Result<Millis, Stop> {
    match value.trim().parse() {
        Ok(span) if (least..=most).contains(&span) => Ok(Millis(span)),
        _ => Err(Stop::Fault(format!("{name} is not a number of milliseconds from {least} to {most}"))),
    }
}
