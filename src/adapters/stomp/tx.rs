//! BEGIN, COMMIT and ABORT.

use bytestring::ByteString;
use wharfmq_core::{Credit, Outcome};
use wharfmq_stomp::{AckMode, Frame};

use super::fault::Stop;
use super::receipts::SILENT;
use super::subs::Source;
use super::{Open, Phase};
use crate::broker::{Port, TxError};

/// An acknowledgement in a transaction that is not over.
pub(super) struct TxAck {
    transaction: ByteString,
    sub: u32,
    delivery: u64,
    /// Deliveries it covers.
    count: u32,
}

impl Open {
    pub(super) fn on_begin(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        let name = name_of(frame)?;
        port.begin(&name)?;
        // One of this name may have timed out before.
        self.take_back(&name);
        Ok(())
    }

    pub(super) fn on_commit(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        let name = name_of(frame)?;
        // What was sent before takes effect before; where it has to wait, this waits too.
        self.flush(port);
        if !port.may_read() {
            return Err(Stop::Later);
        }
        let token = match frame.get("receipt")? {
            Some(id) => self.receipts.push(&id),
            None => SILENT,
        };
        port.commit(&name, Some(token))?;
        for ack in self.tx_acks.extract_if(.., |ack| ack.transaction == name) {
            let Some(sub) = self.subs.get_mut(ack.sub) else { continue };
            let taken = match sub.mode {
                AckMode::Client => sub.flights.take_up_to(ack.delivery).1,
                _ => sub.flights.take(ack.delivery),
            };
            // Deliveries whose lock had ended were not there to be settled, but make room all the same.
            let room = taken.saturating_sub(ack.count);
            if room == 0 {
                continue;
            }
            if let Source::Queue(consumer) = &sub.source {
                port.grant(consumer, Credit { messages: room, bytes: 0 });
            }
            if let Some(group) = sub.group {
                self.subs.give_back(group, room);
            }
        }
        self.subs.forget_settled();
        self.subs.refill(port);
        Ok(())
    }

    pub(super) fn on_abort(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        self.abort(&name_of(frame)?, port)
    }

    /// Forgets a transaction. While the broker stops it may have been forgotten already.
    pub(super) fn abort(&mut self, name: &ByteString, port: &mut Port) -> Result<(), Stop> {
        match port.abort(name) {
            Err(TxError::Unknown) if self.phase == Phase::Draining => return Ok(()),
            done => done?,
        }
        self.take_back(name);
        Ok(())
    }

    /// Takes the acknowledgements of a transaction back that did not come about.
    fn take_back(&mut self, name: &ByteString) {
        for ack in self.tx_acks.extract_if(.., |ack| ack.transaction == *name) {
            if let Some(sub) = self.subs.get_mut(ack.sub) {
                sub.debt += ack.count;
            }
        }
    }

    /// Settles within a transaction. It makes room for more messages at once, as a transaction may
    /// be larger than the prefetch.
    pub(super) fn settle_in(
        &mut self,
        name: &str,
        tag: u32,
        delivery: u64,
        outcome: Outcome,
        port: &mut Port,
    ) -> Result<(), Stop> {
        self.settle_acked(port);
        match self.subs.sent_until(tag, delivery) {
            None => self.settle_one_in(name, tag, delivery, outcome, port)?,
            Some(parts) => {
                for (part, last) in parts {
                    self.settle_one_in(name, part, last, outcome, port)?;
                }
            }
        }
        self.subs.refill(port);
        Ok(())
    }

    fn settle_one_in(
        &mut self,
        name: &str,
        tag: u32,
        delivery: u64,
        outcome: Outcome,
        port: &mut Port,
    ) -> Result<(), Stop> {
        let Some(sub) = self.subs.get_mut(tag).filter(|sub| sub.acknowledges()) else { return Ok(()) };
        let Source::Queue(consumer) = &sub.source else {
            // Nothing is stored that a rollback could bring back.
            if sub.mode == AckMode::Client {
                sub.flights.take_up_to(delivery);
            } else {
                sub.flights.take(delivery);
            }
            return Ok(());
        };
        let consumer = consumer.clone();
        let count = port.settle_in(name, &consumer, sub.covered(delivery), outcome)? as u32;
        let (room, group) = (sub.room(count), sub.group);
        port.grant(&consumer, Credit { messages: room, bytes: 0 });
        if let Some(group) = group {
            self.subs.give_back(group, room);
        }
        self.tx_acks.push(TxAck { transaction: name.into(), sub: tag, delivery, count });
        Ok(())
    }
}

fn name_of(frame: &Frame<'_>) -> Result<ByteString, Stop> {
    match frame.get("transaction")? {
        Some(name) => Ok(ByteString::from(&*name)),
        None => Err(Stop::fault("transaction is missing")),
    }
}
