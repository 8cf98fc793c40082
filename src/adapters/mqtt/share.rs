//! Shared subscriptions: queues whose members take turns (4.8.2).

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use wharfmq_core::{Delivery, MessageId, Order, Qos, QueueCell, SubTag};

use super::flights::{Passed, is_passed};
use super::options::{RETAIN_AS_PUBLISHED, Subscription};
use super::{Open, QUEUE_SUB};
use crate::broker::{Consumer, Handed, Port};
use wharfmq_mqtt::Reason;

/// Set in the flags of a session's message that came to it through a share.
pub(super) const FROM_SHARE: u8 = 0x08;
/// Key prefix of the subscription identifier of such a message: behind it the message's id.
const PASSED_KEY: u8 = b'g';

impl Open {
    /// Joins a share, as a member for good if the session outlives its connection.
    pub(super) fn join(
        &self,
        group: &str,
        tag: SubTag,
        mut sub: Subscription,
        port: &mut Port,
    ) -> Result<Subscription, Reason> {
        let name = ByteString::from(format!("{group}/{}", sub.pattern.text()));
        let session = self.queue.as_ref().map(|(queue, _)| queue);
        let joined = port.join_share(&name, session, self.want(tag));
        sub.shared = Some(joined.map_err(|_| Reason::QUOTA_EXCEEDED)?);
        Ok(sub)
    }

    /// Whether a delivery is one that nobody else may get once this client is sent it (MQTT-4.8.2-4,
    /// MQTT-4.8.2-5).
    pub(super) fn is_exactly_once(&self, sub: SubTag, qos: Qos) -> bool {
        qos == Qos::ExactlyOnce && self.share(sub).is_some()
    }

    /// The client's place in a share.
    pub(super) fn share(&self, sub: SubTag) -> Option<&Consumer> {
        self.subs.get(sub.0 as usize)?.as_ref()?.shared.as_ref()
    }

    /// Notes a delivery that is to be the session's own before it is sent; false where the client's window
    /// is full.
    pub(super) fn pass_on_later(&mut self, delivery: &Delivery) -> bool {
        if self.places_used() + self.flights.passing_len() >= usize::from(self.window) {
            return false;
        }
        let Some(Some(sub)) = self.subs.get(delivery.sub.0 as usize) else { return true };
        let retain = if sub.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
        let flags = Qos::ExactlyOnce as u8 | retain | FROM_SHARE;
        let handed = Handed { tag: delivery.tag, message: Arc::clone(&delivery.message), flags };
        self.flights.pass_on(delivery.sub, handed);
        true
    }

    /// Makes what was noted the session's own, in one batch for each share; it comes back as the session's
    /// deliveries.
    pub(super) fn pass_on(&mut self, port: &mut Port) {
        let passing = self.flights.take_passing();
        if passing.is_empty() {
            return;
        }
        let Some((session, _)) = self.queue.clone() else { return };
        for (sub, handed) in passing {
            let Some(Some(member)) = self.subs.get(sub.0 as usize) else { continue };
            let (Some(consumer), id) = (&member.shared, member.id) else { continue };
            let note = |message: MessageId| {
                let value = Bytes::copy_from_slice(&id.to_be_bytes());
                (id != 0).then(|| (passed_key(message), value))
            };
            let numbers = port.hand_over(consumer, &handed, &session, note);
            for (message, handed) in numbers.into_iter().zip(handed) {
                self.flights.passed(message, Passed { sub, tag: handed.tag, id });
            }
        }
    }

    /// Takes up the subscription identifier of a message that came through a share in an earlier connection.
    pub(super) fn recall_passed(&mut self, key: &[u8], value: &[u8]) {
        let Some((&PASSED_KEY, message)) = key.split_first() else { return };
        if let (Ok(message), Ok(id)) = (<[u8; 8]>::try_from(message), <[u8; 4]>::try_from(value)) {
            let (message, id) = (MessageId(u64::from_be_bytes(message)), u32::from_be_bytes(id));
            self.flights.passed(message, Passed { id, ..Passed::EARLIER });
        }
    }

    /// Forgets the subscription identifiers of messages that have expired before the client came back.
    pub(super) fn forget_gone(&mut self, session: &Arc<QueueCell>, port: &mut Port) {
        let mut locked = session.lock();
        let queue = locked.queue();
        let gone = self.flights.retain_passed(|message| queue.find(Order(message.0)).is_some());
        drop(locked);
        for message in gone {
            port.remember(session, passed_key(message), None);
        }
    }

    /// Forgets the subscription identifier of a message that the client has finished with.
    pub(super) fn forget_passed(&self, message: MessageId, port: &mut Port) {
        if let (Some(passed), Some((session, _))) = (self.flights.passed_of(message), &self.queue)
            && passed.id != 0
        {
            port.remember(session, passed_key(message), None);
        }
    }

    /// The client goes away: what it has of its shares without having finished goes to nobody else.
    pub(super) fn count_unfinished(&self, port: &Port) {
        let unfinished = self.flights.taken();
        if unfinished > 0 {
            port.count_ended(unfinished);
        }
    }

    /// The subscription identifier for a message that came through a share, 0 for none; `None` for others.
    pub(super) fn passed_id(&self, delivery: &Delivery) -> Option<u32> {
        if delivery.sub != QUEUE_SUB || !is_passed(delivery.flags) {
            return None;
        }
        Some(self.flights.passed_of(delivery.message.id).map_or(0, |passed| passed.id))
    }
}

fn passed_key(message: MessageId) -> Bytes {
    let mut key = [PASSED_KEY; 9];
    key[1..].copy_from_slice(&message.0.to_be_bytes());
    Bytes::copy_from_slice(&key)
}
