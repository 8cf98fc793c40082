//! PUBLISH to the client, from queues: its own session's and those it shares.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use wharfmq_base::Millis;
use wharfmq_core::{ConsumeSpec, Credit, Delivery, MessageId, Outcome, Qos, QueueCell, SubTag, Tags};
use wharfmq_mqtt::{Ack, AckKind, PacketId, Reason, encode};

use super::deliver::{Outgoing, WindowFull};
use super::flights::Flight;
use super::options::RETAIN_AS_PUBLISHED;
use super::publish::Reply;
use super::{Open, QUEUE_SUB};
use crate::broker::{Cause, Consumer, Port};

/// Bytes that a consumer is given ahead of the client's acknowledgements.
const CREDIT_BYTES: u32 = 4 << 20;
/// Key prefix of a packet id whose PUBREC has come: the value is the message's id.
pub(super) const RECEIVED_KEY: u8 = b'o';
/// Key prefix of a packet id that was in flight when its connection ended.
pub(super) const FLIGHT_KEY: u8 = b'p';

impl Open {
    /// What a consumer of this client asks for.
    pub(super) fn want(&self, sub: SubTag) -> ConsumeSpec {
        let credit = Credit { messages: u32::from(self.window), bytes: CREDIT_BYTES };
        ConsumeSpec { count_deliveries: false, ..ConsumeSpec::plain(sub, credit) }
    }

    /// Sends a queue's message; false where the client's window is full.
    pub(super) fn send_queued(&mut self, delivery: &Delivery, port: &mut Port) -> bool {
        let message = &delivery.message;
        let (sub, tag, size) = (delivery.sub, delivery.tag, message.size());
        let (received, kept, taken) = (false, false, false);
        let mut flight = Flight { sub, tag, message: message.id, size, received, kept, taken };
        let is_own = sub == QUEUE_SUB;
        if is_own && self.flights.take_finished(message.id) {
            self.finish(flight, port);
            return true;
        }
        // What another queue delivers may be the same message, but it is another delivery.
        let earlier = if is_own { self.flights.earlier(message.id) } else { None };
        // What the client was sent in an earlier connection is sent again, expired or not (MQTT-4.4.0-1).
        if message.expires <= port.now.wall && earlier.is_none() {
            self.expire(flight, port);
            return true;
        }
        if let Some(known) = earlier.and_then(|id| self.flights.get_mut(id)) {
            // PUBREC came in an earlier connection: PUBREL was sent at the start of this one.
            (known.tag, known.size) = (tag, size);
            self.flights.forget_earlier(message.id);
            return true;
        }
        let (limit, retain_as_published) = self.bounds(delivery);
        let qos = message.qos.min(limit);
        let for_good = self.is_exactly_once(sub, qos);
        if for_good && self.queue.is_some() {
            return self.pass_on_later(delivery);
        }
        let Ok(id) = self.id_of(delivery, earlier, qos, port) else { return false };
        let address = self.source_of(sub);
        let outgoing = Outgoing {
            address: address.as_ref().unwrap_or(&message.address),
            tag: message.head.tag,
            head: &message.head.bytes,
            notes: &message.notes,
            body: message.body.clone(),
            expires: message.expires,
            qos,
            retain: message.retain && retain_as_published,
            dup: id.is_some() && (earlier.is_some() || delivery.deliveries > 0),
            id,
            sub_ids: &self.sub_ids(delivery),
        };
        // A client that has seen QoS 2 under one packet id must never see it under another, not even after
        // a crash: the id is in the log before it is on the wire.
        let first_of_qos2 = qos == Qos::ExactlyOnce && is_own && earlier.is_none();
        flight.kept = first_of_qos2 || earlier.is_some();
        flight.taken = for_good;
        let sent = match id {
            Some(id) if first_of_qos2 => self.send_kept(&outgoing, id, message.id, port),
            Some(_) if for_good => self.send_for_good(&outgoing, delivery, port),
            // Nothing overtakes what waits for the log.
            _ if self.deferred.is_some() => self.send_later(&outgoing, port),
            _ => self.send_anew(&outgoing, port),
        };
        match (sent, id) {
            (true, Some(id)) => self.flights.insert(id, flight),
            (_, id) => self.give_up(flight, id, port),
        }
        true
    }

    /// A message has expired since it was delivered. A queue may have a place for such, the others have not.
    fn expire(&mut self, flight: Flight, port: &mut Port) {
        match self.source_of(flight.sub).and_then(|_| self.consumer(flight.sub)) {
            Some(consumer) => {
                let credit = Credit { messages: 1, bytes: flight.size };
                let back = Outcome::Requeue { delay: Millis(0), count: false };
                port.settle(&consumer, Tags::One(flight.tag), back, credit);
            }
            None => {
                port.count(Cause::ExpiredOnTheWay);
                self.finish(flight, port);
            }
        }
    }

    /// The packet id that a delivery has, or gets.
    fn id_of(
        &mut self,
        delivery: &Delivery,
        earlier: Option<PacketId>,
        qos: Qos,
        port: &mut Port,
    ) -> Result<Option<PacketId>, WindowFull> {
        let message = delivery.message.id;
        if earlier.is_some() {
            if self.is_window_full() {
                return Err(WindowFull);
            }
            self.flights.forget_earlier(message);
            return Ok(earlier);
        }
        if let (QUEUE_SUB, Some((queue, _))) = (delivery.sub, &self.queue)
            && !queue.policy.priority
        {
            // The queue keeps the order: what comes before this and was not delivered again has expired.
            for gone in self.flights.take_gone_before(message) {
                port.remember(queue, key(FLIGHT_KEY, gone), None);
                self.ids.release(gone);
            }
        }
        self.packet_id(qos)
    }

    /// Is done with a delivery that the client does not have to answer, or never saw.
    fn give_up(&mut self, flight: Flight, id: Option<PacketId>, port: &mut Port) {
        if let Some(id) = id {
            self.forget_id(id, flight, port);
        }
        self.release(id);
        self.finish(flight, port);
    }

    /// Sends a message once its packet id is in the log.
    fn send_kept(
        &mut self,
        outgoing: &Outgoing<'_>,
        id: PacketId,
        message: MessageId,
        port: &mut Port,
    ) -> bool {
        if let Some((queue, _)) = &self.queue {
            port.remember(queue, key(FLIGHT_KEY, id), Some(id_bytes(message)));
        }
        self.send_later(outgoing, port)
    }

    /// Takes a message out of its share and sends it to a client whose session ends with the connection.
    fn send_for_good(&mut self, outgoing: &Outgoing<'_>, delivery: &Delivery, port: &mut Port) -> bool {
        let Some(member) = self.share(delivery.sub).cloned() else { return false };
        port.take_out(&member, delivery.tag);
        if member.queue.is_durable() || self.deferred.is_some() {
            self.send_later(outgoing, port)
        } else {
            self.send_anew(outgoing, port)
        }
    }

    /// Sends a message once everything before it is durable.
    fn send_later(&mut self, outgoing: &Outgoing<'_>, port: &mut Port) -> bool {
        let out = std::mem::take(&mut port.out);
        let sent = self.write_anew(outgoing, false, port);
        let packet = std::mem::replace(&mut port.out, out).into_bytes();
        if sent {
            self.deferred.get_or_insert_default().push_back(packet);
            port.confirm(Reply::Deferred.token());
        }
        sent
    }

    /// The highest quality of service of a delivery, and whether its retain flag goes as published.
    fn bounds(&self, delivery: &Delivery) -> (Qos, bool) {
        match self.subs.get(delivery.sub.0 as usize) {
            Some(Some(sub)) => (sub.qos, sub.retain_as_published),
            _ => {
                let qos = Qos::from_u8(delivery.flags & 3).unwrap_or_default();
                (qos, delivery.flags & RETAIN_AS_PUBLISHED != 0)
            }
        }
    }

    fn sub_ids(&self, delivery: &Delivery) -> SmallVec<[u32; 2]> {
        let id = match self.passed_id(delivery) {
            None if delivery.sub == QUEUE_SUB && !self.subs.have_ids() => return SmallVec::new(),
            None if delivery.sub == QUEUE_SUB => {
                let matching = self.subs.iter().flatten().filter(|sub| {
                    let is_asked_for = sub.id != 0 && !sub.is_consumer();
                    is_asked_for && sub.pattern.matches_address(&delivery.message.address)
                });
                return matching.map(|sub| sub.id).collect();
            }
            None => self.subs.get(delivery.sub.0 as usize).and_then(Option::as_ref).map_or(0, |sub| sub.id),
            Some(id) => id,
        };
        std::iter::once(id).filter(|id| *id != 0).collect()
    }

    pub(super) fn on_puback(&mut self, ack: &Ack<'_>, port: &mut Port) {
        let id = ack.packet_id;
        if let Some(flight) = self.flights.remove(id) {
            self.forget_id(id, flight, port);
            if ack.reason.is_error() {
                self.reject(flight, port);
            } else {
                self.finish(flight, port);
            }
        } else {
            self.finish_unsent(id, port);
        }
        self.ids.release(id);
    }

    /// The client is done with a message of an earlier connection before it was sent again.
    fn finish_unsent(&mut self, id: PacketId, port: &mut Port) {
        if let (true, Some((queue, _))) = (self.flights.finish_earlier(id), &self.queue) {
            port.remember(queue, key(FLIGHT_KEY, id), None);
        }
    }

    /// The client is done with a delivery, or will never get it.
    pub(super) fn finish(&mut self, flight: Flight, port: &mut Port) {
        if flight.sub == QUEUE_SUB {
            self.forget_passed(flight.message, port);
        }
        self.flights.ack(flight);
    }

    /// The client is done with a packet id that the log knows.
    fn forget_id(&self, id: PacketId, flight: Flight, port: &mut Port) {
        if let (true, Some((queue, _))) = (flight.kept, &self.queue) {
            port.remember(queue, key(FLIGHT_KEY, id), None);
        }
    }

    pub(super) fn on_pubrec(&mut self, ack: &Ack<'_>, port: &mut Port) {
        let id = ack.packet_id;
        if !self.ids.is_used(id) {
            let reason = Reason::PACKET_IDENTIFIER_NOT_FOUND;
            self.send_refusal(
                AckKind::Pubrel,
                id,
                reason,
                "nothing was sent by this packet identifier",
                port,
            );
            return;
        }
        if ack.reason.is_error() {
            self.on_puback(ack, port);
            return;
        }
        let stored = self.flights.get_mut(id).map(|flight| {
            flight.received = true;
            (flight.sub, flight.message)
        });
        match (stored, &self.queue) {
            (Some((QUEUE_SUB, message)), Some((queue, _))) => {
                port.remember(queue, key(RECEIVED_KEY, id), Some(id_bytes(message)));
                port.confirm(Reply::Pubrel(id.get()).token());
            }
            _ => self.send_ack(AckKind::Pubrel, id, Reason::SUCCESS, port),
        }
    }

    pub(super) fn on_pubcomp(&mut self, id: PacketId, port: &mut Port) {
        if let Some(flight) = self.flights.remove(id) {
            if let (QUEUE_SUB, Some((queue, _))) = (flight.sub, &self.queue) {
                port.remember(queue, key(RECEIVED_KEY, id), None);
            }
            self.forget_id(id, flight, port);
            self.finish(flight, port);
        } else {
            self.finish_unsent(id, port);
        }
        self.ids.release(id);
    }

    /// Settles what the round has acknowledged: one command for each run of consecutive deliveries.
    pub(super) fn settle_acked(&mut self, port: &mut Port) {
        let acked = self.flights.take_acked();
        for run in acked.chunk_by(|a, b| a.0 == b.0 && a.1 + 1 == b.1) {
            let (Some(&(sub, first, _)), Some(&(_, last, _))) = (run.first(), run.last()) else { continue };
            let bytes: u64 = run.iter().map(|&(_, _, size)| u64::from(size)).sum();
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let credit = Credit { messages: run.len() as u32, bytes };
            if let Some(consumer) = self.consumer(sub) {
                port.settle(&consumer, Tags::Range(first, last), Outcome::Accept, credit);
            }
        }
    }

    fn consumer(&self, sub: SubTag) -> Option<Consumer> {
        if sub == QUEUE_SUB {
            return self.queue.as_ref()?.1.clone();
        }
        let sub = self.subs.get(sub.0 as usize)?.as_ref()?;
        sub.queue.as_ref().map(|source| &source.consumer).or(sub.shared.as_ref()).cloned()
    }

    /// Takes up what an earlier connection of the session left in flight.
    pub(super) fn resume(&mut self, queue: &Arc<QueueCell>, port: &mut Port) {
        for (key, value) in port.recall(queue) {
            let (kind, id) = match key.as_ref() {
                &[kind, high, low] => (kind, PacketId::new(u16::from_be_bytes([high, low]))),
                key => {
                    self.recall_passed(key, &value);
                    continue;
                }
            };
            let Some(id) = id else { continue };
            let message = <[u8; 8]>::try_from(&value[..]).map(|bytes| MessageId(u64::from_be_bytes(bytes)));
            match (kind, message) {
                (b'i', _) => {
                    self.inbound.insert(id);
                }
                (RECEIVED_KEY, Ok(message)) if self.ids.reserve(id) => {
                    let (sub, received, kept, taken) = (QUEUE_SUB, true, true, false);
                    let flight = Flight { sub, tag: 0, message, size: 0, received, kept, taken };
                    self.flights.insert(id, flight);
                    self.flights.recall(message, id);
                    let mut pubrel = BytesMut::new();
                    // Cannot fail: nothing in the packet has a length of its own.
                    let _ = encode::ack(&mut pubrel, self.version, AckKind::Pubrel, &Ack::success(id));
                    self.defer(pubrel.freeze(), port);
                }
                (FLIGHT_KEY, Ok(message)) if self.ids.reserve(id) => self.flights.recall(message, id),
                _ => {}
            }
        }
        self.forget_gone(queue, port);
    }

    /// Leaves the session's queue to whoever comes back, or ends it with the connection.
    pub(super) fn park(&mut self, port: &mut Port) {
        self.settle_acked(port);
        let Some((queue, consumer)) = self.queue.take() else { return };
        if !port.holds(&self.client_id) {
            // Another connection goes on with the session.
            if let Some(consumer) = consumer {
                port.cancel(&consumer, 0);
            }
            return;
        }
        if self.life.granted.0 == 0 {
            if let Some(consumer) = consumer {
                port.cancel(&consumer, 0);
            }
            if let Err(error) = port.delete(&queue) {
                tracing::error!(client = %self.client_id, %error, "a session could not be deleted");
            }
            return;
        }
        let flights = self.flights.of(QUEUE_SUB);
        // What the client was sent is finished with it, even if it expires meanwhile (4.3.3).
        let sent = flights.iter().map(|(_, flight)| flight.tag).max().unwrap_or(0);
        let flights = flights.into_iter();
        let flights = flights.filter(|(_, flight)| !flight.received && !flight.kept);
        let flights = flights.map(|(id, flight)| (key(FLIGHT_KEY, id), id_bytes(flight.message))).collect();
        port.flush(Bytes::new());
        if let Some(consumer) = consumer {
            port.cancel(&consumer, sent);
        }
        self.end_after(&queue, flights, port);
    }
}

fn id_bytes(message: MessageId) -> Bytes {
    Bytes::copy_from_slice(&message.0.to_be_bytes())
}

/// The key under which something about a packet id is remembered.
fn key(kind: u8, id: PacketId) -> Bytes {
    let [high, low] = id.get().to_be_bytes();
    Bytes::copy_from_slice(&[kind, high, low])
}
