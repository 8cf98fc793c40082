//! MessageAck: ranges of a consumer's deliveries, in the order in which they were sent.

use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::{Credit, Outcome, Tags};
use wharfmq_openwire::{MessageAck, MessageId, Throwable};

use super::consumers::{Consumer, Part, Source};
use super::fault::Stop;
use super::flights::{Flight, runs};
use super::replies::Reply;
use super::{Open, text};
use crate::broker::Port;

/// What an acknowledgement says, by its number.
const DELIVERED: i8 = 0;
const POISON: i8 = 1;
const REDELIVERED: i8 = 3;
const INDIVIDUAL: i8 = 4;
const EXPIRED: i8 = 6;
/// All that there are.
const TYPES: std::ops::RangeInclusive<i8> = DELIVERED..=EXPIRED;

/// A message that its client takes for expired is looked at again after so many milliseconds: by then it
/// is so by the broker's clock as well, or the client's is wrong.
const EXPIRY_PAUSE: Millis = Millis(1_000);

/// Bytes of what a client says of a message that it refuses; more is cut off.
const CAUSE_MAX: usize = 4_096;

impl Open {
    pub(super) fn on_ack(&mut self, ack: MessageAck, port: &mut Port) -> Result<Option<Reply>, Stop> {
        let reply = ack.response_required.then_some(Reply::Response(ack.command_id));
        let id = ack.consumer_id.as_ref().ok_or_else(|| Stop::jms("MessageAck has no consumer id"))?;
        self.check_own(id.connection_id.as_ref())?;
        if !TYPES.contains(&ack.ack_type) {
            return Err(Stop::jms(format!("there are no acknowledgements of type {}", ack.ack_type)));
        }
        let transaction = match &ack.transaction_id {
            // A message is never poison in a transaction only.
            Some(transaction) if ack.ack_type != POISON => Some(self.transactions.number_of(transaction)?),
            _ => None,
        };
        let Some(consumer) = self.consumers.by_id_mut(id) else {
            // It has just ended, or was another connection's: what it held is in its queue again.
            return Ok(reply);
        };
        let tag = consumer.tag;
        match ack.ack_type {
            DELIVERED => {
                self.settle_acked(port);
                let Some(consumer) = self.consumers.get_mut(tag) else { return Ok(reply) };
                let count = u32::try_from(ack.message_count).unwrap_or(0).min(consumer.flights.len() as u32);
                // A client that asks for each message needs no room made for it.
                if consumer.prefetch > 0 {
                    consumer.debt = consumer.debt.saturating_add(count);
                    consumer.grant(count, port);
                    self.browse_more(tag, port);
                }
            }
            REDELIVERED => {}
            _ => {
                let Some(range) = self.range_of(&ack, tag)? else {
                    self.unmatched(tag, transaction, port);
                    return Ok(reply);
                };
                self.end_deliveries(tag, range, &ack, transaction, port)?;
            }
        }
        let waits = |consumer: &mut Consumer| !consumer.pending.is_empty() || !consumer.is_in_the_present();
        if self.consumers.get_mut(tag).is_some_and(waits) {
            self.send_pending(tag, port);
        }
        Ok(reply)
    }

    /// The places of what an acknowledgement names; `None` where its last message is not there.
    fn range_of(&mut self, ack: &MessageAck, tag: u32) -> Result<Option<(usize, usize)>, Stop> {
        let Some(consumer) = self.consumers.get_mut(tag) else { return Ok(None) };
        let last = ack.last_message_id.as_ref();
        let first = if ack.ack_type == INDIVIDUAL { last } else { ack.first_message_id.as_ref() };
        let last = last.map(sequence).ok_or_else(|| Stop::jms("MessageAck has no last message id"))?;
        let range = consumer.flights.range(first.map(sequence), last);
        self.effort += match range {
            Some((0, end)) => end + 1,
            _ => consumer.flights.len(),
        };
        if consumer.pool.is_some() {
            self.effort += 16 * consumer.parts.len();
        }
        Ok(range)
    }

    /// A transaction acknowledges what this connection was not sent. A client that has come back does that: it
    /// handles once more what it has in memory, and either its earlier commit did come about or the queue is
    /// about to send the message again. Its transaction would do everything a second time.
    fn unmatched(&mut self, tag: u32, transaction: Option<u32>, port: &mut Port) {
        let returns = self.client.as_ref().is_some_and(|client| client.returns);
        let Some(transaction) = transaction.filter(|_| returns) else { return };
        let is_stored = |part: &Part| matches!(part.source, Source::Queue(..));
        let consumer = self.consumers.get_mut(tag).filter(|consumer| consumer.browser.is_none());
        if consumer.is_some_and(|consumer| consumer.parts.iter().any(is_stored)) {
            let name = self.transactions.touch(transaction, tag);
            port.doom(&name);
        }
    }

    /// The client is done with deliveries, or is once a transaction is carried out.
    fn end_deliveries(
        &mut self,
        tag: u32,
        range: (usize, usize),
        ack: &MessageAck,
        transaction: Option<u32>,
        port: &mut Port,
    ) -> Result<(), Stop> {
        let Some(consumer) = self.consumers.get_mut(tag) else { return Ok(()) };
        if consumer.browser.is_some() {
            let shown = consumer.flights.take(range).len();
            consumer.room = consumer.room.saturating_add(shown as u32);
            self.consumers.flying -= shown;
            port.go_on();
            self.browse_more(tag, port);
        } else if let Some(transaction) = transaction {
            let staged = consumer.flights.stage(range, transaction);
            self.settle_in(tag, transaction, &staged, outcome(ack.ack_type), port)?;
        } else {
            let taken = consumer.flights.take(range);
            let room = consumer.paid(taken.len() as u32);
            match ack.poison_cause.as_deref().filter(|_| ack.ack_type == POISON) {
                Some(cause) => {
                    consumer.grant(room, port);
                    self.refuse(tag, &taken, cause, port);
                }
                None => {
                    consumer.room = consumer.room.saturating_add(room);
                    self.acks.add(tag, &taken, room, outcome(ack.ack_type));
                }
            }
            self.consumers.flying -= taken.len();
        }
        Ok(())
    }

    /// Sends deliveries to the dead letters, with what their client says of them.
    fn refuse(&mut self, tag: u32, taken: &[Flight], cause: &Throwable, port: &mut Port) {
        self.settle_acked(port);
        let mut why = text(cause.class.as_ref()).into_owned();
        if let Some(message) = &cause.message {
            why.push_str(": ");
            why.push_str(&message.decode());
        }
        why.truncate(why.floor_char_boundary(CAUSE_MAX));
        let why = ByteString::from(why);
        let Some(consumer) = self.consumers.get_mut(tag) else { return };
        for (part, first, last) in runs(taken) {
            if let Some(Source::Queue(held, _)) = consumer.part_mut(part).map(|part| &part.source) {
                port.refuse(&held.clone(), Tags::Range(first, last), why.clone());
            }
        }
    }

    /// Settles what was acknowledged since the last call.
    pub(super) fn settle_acked(&mut self, port: &mut Port) {
        if self.acks.runs.is_empty() {
            return;
        }
        let mut acks = std::mem::take(&mut self.acks);
        for run in acks.runs.drain(..) {
            let Some(consumer) = self.consumers.get_mut(run.consumer) else { continue };
            let held = consumer.part_mut(run.part).map(|part| &part.source);
            let Some(Source::Queue(held, _)) = held else { continue };
            let held = held.clone();
            // The room goes with the settling, under one hold of the queue's lock.
            let messages = if consumer.pool.is_some() { 0 } else { run.room };
            port.settle(&held, Tags::Range(run.first, run.last), run.outcome, Credit { messages, bytes: 0 });
            if consumer.pool.is_some() {
                consumer.grant_pool(run.room, port);
            }
        }
        self.acks = acks;
    }

    /// Settles within a transaction. It makes room for more messages at once, as a transaction may be
    /// larger than the prefetch.
    fn settle_in(
        &mut self,
        tag: u32,
        transaction: u32,
        staged: &[Flight],
        outcome: Outcome,
        port: &mut Port,
    ) -> Result<(), Stop> {
        self.settle_acked(port);
        let name = self.transactions.touch(transaction, tag);
        let Some(consumer) = self.consumers.get_mut(tag) else { return Ok(()) };
        for (part, first, last) in runs(staged) {
            if let Some(Source::Queue(held, _)) = consumer.part_mut(part).map(|part| &part.source) {
                let held = held.clone();
                let settled = port.settle_in(&name, &held, Tags::Range(first, last), outcome);
                // Acknowledgements are not answered as a rule: the commit is where the client is told.
                settled.inspect_err(|_| port.doom(&name))?;
            }
        }
        let room = consumer.paid(staged.len() as u32);
        consumer.grant(room, port);
        Ok(())
    }
}

/// Acknowledgements of a round, in their order.
#[derive(Default)]
pub(super) struct Acks {
    runs: Vec<Run>,
}

/// Consecutive deliveries of one part of a consumer with one outcome.
struct Run {
    consumer: u32,
    part: u32,
    first: u64,
    last: u64,
    room: u32,
    outcome: Outcome,
}

impl Acks {
    /// Adds deliveries that were taken out of a consumer's, and the room that they make.
    fn add(&mut self, consumer: u32, taken: &[Flight], mut room: u32, outcome: Outcome) {
        for (part, first, last) in runs(taken) {
            let more = room.min((last - first + 1) as u32);
            room -= more;
            match self.runs.last_mut() {
                Some(run)
                    if run.consumer == consumer
                        && run.part == part
                        && run.outcome == outcome
                        && run.last + 1 == first =>
                {
                    run.last = last;
                    run.room += more;
                }
                _ => self.runs.push(Run { consumer, part, first, last, room: more, outcome }),
            }
        }
    }
}

const fn outcome(kind: i8) -> Outcome {
    match kind {
        POISON => Outcome::Reject,
        EXPIRED => Outcome::Requeue { delay: EXPIRY_PAUSE, count: false },
        _ => Outcome::Accept,
    }
}

/// The number that the broker has given a message.
const fn sequence(id: &MessageId) -> u64 {
    id.broker_sequence_id as u64
}
