//! MessageDispatch: messages for consumers.

use std::sync::Arc;

use wharfmq_core::{Chunk, Delivery, MessageId, Run, SubTag};
use wharfmq_openwire::{ConsumerId, Destination, MessageDispatch};

use super::consumers::{Pending, Source};
use super::flights::Flight;
use super::message::{Known, Outgoing};
use super::{OUT_HIGH, Open};
use crate::broker::{Cause, Port};

/// Bytes of what nothing stores that wait for acknowledgements; beyond it the connection waits.
const PENDING_BYTES_MAX: usize = 16 << 20;

static NO_NOTES: wharfmq_core::Notes = wharfmq_core::Notes(bytes::Bytes::new());

impl Open {
    /// Sends a queue's message.
    pub(super) fn send_delivery(&mut self, delivery: &Delivery, port: &mut Port) -> bool {
        let (part_tag, message) = (delivery.sub.0, &delivery.message);
        let Self { consumers, known, encoder, .. } = self;
        // The rest of a consumer that has ended; its queue has it back.
        let Some(consumer) = consumers.of_part_mut(part_tag) else { return true };
        let (tag, id, is_durable) = (consumer.tag, Arc::clone(&consumer.id), consumer.durable.is_some());
        let sequence = message.id.0 + 1;
        consumer.flights.push(Flight { sequence, part: part_tag, tag: delivery.tag, staged: 0 });
        consumers.pulling -= usize::from(consumer.pulls.pop_front().is_some());
        consumers.flying += 1;
        let Some(part) = consumers.of_part_mut(part_tag).and_then(|consumer| consumer.part_mut(part_tag))
        else {
            return true;
        };
        part.last = delivery.tag;
        part.bytes = part.bytes.saturating_add(message.size());
        let Source::Queue(_, queue) = &part.source else { return true };
        let sent_to = known.spell(&message.address);
        let destination = if is_durable { Arc::clone(&sent_to) } else { Arc::clone(queue) };
        consumers.touched.push((tag, part_tag));
        let outgoing = Outgoing {
            sequence,
            id: message.id,
            address: &message.address,
            tag: message.head.tag,
            head: message.head.bytes.clone(),
            notes: &message.notes,
            body: message.body.clone(),
            received: message.received,
            expires: message.expires,
            priority: message.priority,
            qos: message.qos,
            deliveries: delivery.deliveries,
            first_of_group: delivery.first_of_group,
            retained: false,
        };
        dispatch((encoder, known), id, destination, sent_to, &outgoing, port);
        true
    }

    /// Sends messages that nothing stores, from the cursor on, one for each consumer that they match;
    /// false where the rest has to wait.
    pub(super) fn send_chunk(&mut self, chunk: &Arc<Chunk>, run: &Run, port: &mut Port) -> bool {
        let count = run.end.saturating_sub(run.start) as usize;
        let every = run.subs.len().max(1);
        while self.cursor < count * every {
            let at = run.start + (self.cursor / every) as u32;
            let Some(&SubTag(part)) = run.subs.get(self.cursor % every) else { return true };
            if port.out.len() >= OUT_HIGH {
                return false;
            }
            let pending_bytes = self.consumers.pending_bytes;
            match self.consumers.of_part_mut(part) {
                None => {}
                Some(consumer)
                    if consumer.room > 0 && consumer.pending.is_empty() && consumer.is_in_the_present() =>
                {
                    let tag = consumer.tag;
                    self.send_item(tag, part, chunk, at, port);
                }
                Some(_) if pending_bytes < PENDING_BYTES_MAX => {
                    self.wait_for_room(part, chunk, at, port);
                }
                Some(_) => return false,
            }
            self.cursor += 1;
        }
        true
    }

    /// Has a message wait until its consumer has room. It keeps its whole chunk in memory, which the next one
    /// of the same chunk does as well.
    fn wait_for_room(&mut self, part: u32, chunk: &Arc<Chunk>, at: u32, port: &Port) {
        let Some(consumer) = self.consumers.of_part_mut(part) else { return };
        let is_kept = consumer.pending.back().is_some_and(|last| Arc::ptr_eq(&last.chunk, chunk));
        let bytes = size_of::<Pending>() + if is_kept { 0 } else { chunk.raw.len() };
        consumer.pending.push_back(Pending { chunk: Arc::clone(chunk), at, part, bytes });
        let is_too_many = consumer.pending_max > 0 && consumer.pending.len() > consumer.pending_max as usize;
        let tag = consumer.tag;
        self.consumers.pending_bytes += bytes;
        if is_too_many && self.consumers.next_pending(tag).is_some() {
            port.count(Cause::SubscriptionFull);
        }
    }

    /// Sends what waits for a consumer of topics, as far as it has room.
    pub(super) fn send_pending(&mut self, tag: u32, port: &mut Port) {
        if !self.replay(tag, port) {
            return;
        }
        while self.consumers.get_mut(tag).is_some_and(|consumer| consumer.room > 0) {
            let Some(first) = self.consumers.next_pending(tag) else { return };
            self.send_item(tag, first.part, &first.chunk, first.at, port);
        }
        // What waits in front of the connection may have room now.
        port.go_on();
    }

    fn send_item(&mut self, tag: u32, part_tag: u32, chunk: &Chunk, at: u32, port: &mut Port) {
        let (Some(item), Some(consumer)) = (chunk.items.get(at as usize), self.consumers.get_mut(tag)) else {
            return;
        };
        let Some(address) = chunk.addresses.get(usize::from(item.address)) else { return };
        let id = chunk.first_id + u64::from(at);
        if consumer.knows(id, chunk.received) {
            return;
        }
        if item.expires <= port.now.wall {
            return port.count(Cause::ExpiredOnTheWay);
        }
        let outgoing = Outgoing {
            sequence: id + 1,
            id: MessageId(id),
            address,
            tag: item.tag,
            head: item.head.slice(&chunk.raw),
            notes: &NO_NOTES,
            body: item.body.slice(&chunk.raw),
            received: chunk.received,
            expires: item.expires,
            priority: item.priority,
            qos: item.qos,
            deliveries: 0,
            first_of_group: false,
            retained: false,
        };
        self.send_unstored(tag, part_tag, &outgoing, port);
    }

    /// Sends a message that nothing stores for its consumer, which has room for it.
    pub(super) fn send_unstored(
        &mut self,
        tag: u32,
        part_tag: u32,
        outgoing: &Outgoing<'_>,
        port: &mut Port,
    ) {
        let Self { consumers, known, encoder, .. } = self;
        let Some(consumer) = consumers.get_mut(tag) else { return };
        consumer.room -= 1;
        let id = Arc::clone(&consumer.id);
        let pulled = consumer.pulls.pop_front().is_some();
        let Some(part) = consumer.part_mut(part_tag) else { return };
        part.last += 1;
        let flight = Flight { sequence: outgoing.sequence, part: part_tag, tag: part.last, staged: 0 };
        consumer.flights.push(flight);
        consumers.flying += 1;
        consumers.pulling -= usize::from(pulled);
        let destination = known.spell(outgoing.address);
        dispatch((encoder, known), id, Arc::clone(&destination), destination, outgoing, port);
    }

    /// Tells a client that there is no message: the end of a browse, or of the time it waits.
    pub(super) fn send_nothing(&mut self, id: Arc<ConsumerId>, port: &mut Port) {
        self.send(&MessageDispatch { consumer_id: Some(id), ..Default::default() }, port);
    }
}

/// Appends one MessageDispatch.
pub(super) fn dispatch(
    (encoder, known): (&mut wharfmq_openwire::Encoder, &mut Known),
    id: Arc<ConsumerId>,
    destination: Arc<Destination>,
    sent_to: Arc<Destination>,
    outgoing: &Outgoing<'_>,
    port: &mut Port,
) {
    port.traffic.sent(1, outgoing.body.len());
    let message = outgoing.message(known, Arc::clone(&destination), sent_to);
    let command = MessageDispatch {
        consumer_id: Some(id),
        destination: Some(destination),
        redelivery_counter: message.redelivery_counter,
        message: Some(Box::new(message)),
        ..Default::default()
    };
    port.out.with(|out| encoder.encode(&command, out));
}
