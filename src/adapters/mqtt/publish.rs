//! PUBLISH from the client: staged as offsets, answered when durable.

use bytes::Bytes;
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::{Item, Qos, Span, Token};
use wharfmq_mqtt::state::InboundAliases;
use wharfmq_mqtt::{AckKind, PacketId, PropertyId, Publish, Reason};

use super::limits::Unwanted;
use super::{Close, Open};
use crate::adapters::convert::{MQTT3, MQTT5};
use crate::broker::{Confirm, Port};

/// Marks an item whose frame no other client can be sent as it is.
pub(super) const NO_PASS: u16 = u16::MAX;

/// What a token answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Puback(u16, bool),
    Pubrec(u16, bool),
    Pubcomp(u16),
    /// PUBREL towards the client, after its PUBREC was stored.
    Pubrel(u16),
    /// PUBACK or PUBREC for a publication that was not taken.
    Unwanted(u16, AckKind, Unwanted),
    Deferred,
    Nothing,
}

impl Reply {
    pub(super) const fn token(self) -> Token {
        let (kind, id, unmatched) = match self {
            Self::Puback(id, unmatched) => (0, id, unmatched),
            Self::Pubrec(id, unmatched) => (1, id, unmatched),
            Self::Pubcomp(id) => (2, id, false),
            Self::Pubrel(id) => (3, id, false),
            Self::Deferred => (4, 0, false),
            Self::Nothing => (5, 0, false),
            Self::Unwanted(id, AckKind::Pubrec, why) => {
                return Token(7 << 32 | (why as u64) << 16 | id as u64);
            }
            Self::Unwanted(id, _, why) => return Token(6 << 32 | (why as u64) << 16 | id as u64),
        };
        Token(kind << 32 | (unmatched as u64) << 16 | id as u64)
    }

    const fn from_token(token: Token) -> Self {
        let (id, unmatched) = (token.0 as u16, token.0 >> 16 & 1 == 1);
        match token.0 >> 32 {
            0 => Self::Puback(id, unmatched),
            1 => Self::Pubrec(id, unmatched),
            2 => Self::Pubcomp(id),
            3 => Self::Pubrel(id),
            4 => Self::Deferred,
            6 => Self::Unwanted(id, AckKind::Puback, Unwanted::from_u8((token.0 >> 16) as u8)),
            7 => Self::Unwanted(id, AckKind::Pubrec, Unwanted::from_u8((token.0 >> 16) as u8)),
            _ => Self::Nothing,
        }
    }
}

impl Open {
    /// Stages a publication whose frame of `len` bytes begins at `at` of what the next flush gets.
    pub(super) fn on_publish(
        &mut self,
        publish: &Publish<'_>,
        at: usize,
        len: usize,
        port: &mut Port,
    ) -> Result<(), Close> {
        let qos = core_qos(publish.qos);
        if let (Qos::ExactlyOnce, Some(id)) = (qos, publish.packet_id)
            && self.inbound.contains(id)
        {
            // Sent again because our PUBREC did not arrive: answered, not routed (4.3.3).
            port.confirm(Reply::Pubrec(id.get(), false).token());
            return Ok(());
        }
        if publish.packet_id.is_some() {
            self.await_answer(port)?;
        }
        let alias = publish.properties.u16(PropertyId::TopicAlias);
        let owned: ByteString;
        let topic = match alias {
            None => publish.topic,
            Some(alias) => {
                owned = self.resolve_alias(alias, publish.topic, port)?;
                &owned
            }
        };
        if topic.starts_with("$SYS/") {
            return self.turn_down(publish, Unwanted::OwnTopic, port);
        }
        if let Err(why) = self.options.check_topic(topic).and_then(|()| self.check_format(publish)) {
            return self.turn_down(publish, why, port);
        }
        let Ok(route) = self.routes.get(topic, port).cloned() else {
            return self.turn_down(publish, Unwanted::BadName, port);
        };
        let item = self.item(publish, at, len, alias.is_some(), port.now.wall);
        let unmatched = route.is_empty();
        let token = publish.packet_id.map(|id| match qos {
            Qos::ExactlyOnce => {
                self.inbound.insert(id);
                self.remember_inbound(id, true, port);
                Reply::Pubrec(id.get(), unmatched).token()
            }
            _ => Reply::Puback(id.get(), unmatched).token(),
        });
        port.publish(&route, item, token);
        Ok(())
    }

    /// What is staged of a publication whose frame of `len` bytes begins at `at`.
    #[inline]
    fn item(&self, publish: &Publish<'_>, at: usize, len: usize, has_alias: bool, now: Millis) -> Item {
        let span = |range: std::ops::Range<usize>| Span {
            start: (at + range.start) as u32,
            len: range.len() as u32,
        };
        let patch = match (has_alias, publish.packet_id_range()) {
            (true, _) => NO_PASS,
            (false, Some(range)) => u16::try_from(range.start).unwrap_or(NO_PASS),
            (false, None) => 0,
        };
        Item {
            frame: Span { start: at as u32, len: len as u32 },
            head: span(publish.properties_range()),
            body: span(publish.payload_range()),
            address: 0,
            patch,
            tag: if self.version.is_v5() { MQTT5 } else { MQTT3 },
            qos: core_qos(publish.qos),
            retain: publish.retain,
            priority: 4,
            expires: match publish.properties.u32(PropertyId::MessageExpiryInterval) {
                Some(seconds) => now.plus(Millis(u64::from(seconds) * 1_000)),
                None => Millis::NEVER,
            },
        }
    }

    fn resolve_alias(&mut self, alias: u16, topic: &str, port: &mut Port) -> Result<ByteString, Close> {
        // Only MQTT 5 has them.
        let most = self.options.topic_aliases;
        let aliases = self.aliases.get_or_insert_with(|| Box::new(InboundAliases::new(most)));
        let found = if topic.is_empty() {
            aliases.get(alias).cloned()
        } else {
            let topic = ByteString::from(topic);
            aliases.set(alias, topic.clone()).map(|()| topic)
        };
        found.map_err(|error| self.violation(error, port))
    }

    pub(super) fn on_pubrel(&mut self, id: PacketId, port: &mut Port) {
        if self.inbound.remove(id) {
            self.remember_inbound(id, false, port);
            port.confirm(Reply::Pubcomp(id.get()).token());
        } else {
            self.answered_one();
            let reason = Reason::PACKET_IDENTIFIER_NOT_FOUND;
            self.send_refusal(AckKind::Pubcomp, id, reason, "no PUBLISH of this packet identifier", port);
        }
    }

    pub(super) const fn reason_or_success(&self, reason: Reason) -> Reason {
        if self.version.is_v5() { reason } else { Reason::SUCCESS }
    }

    /// Keeps an inbound packet id of a session that outlives its connection, so that a publication
    /// that is sent again after a restart is not routed twice.
    fn remember_inbound(&self, id: PacketId, known: bool, port: &mut Port) {
        if let Some((queue, _)) = &self.queue {
            let [high, low] = id.get().to_be_bytes();
            port.remember(queue, Bytes::copy_from_slice(&[b'i', high, low]), known.then(Bytes::new));
        }
    }

    pub(super) fn on_confirm(&mut self, confirm: Confirm, port: &mut Port) -> Result<(), Close> {
        let refused = confirm.result.err();
        let reason = |unmatched: bool| match (&refused, unmatched) {
            (Some(_), _) => Reason::QUOTA_EXCEEDED,
            (None, true) => Reason::NO_MATCHING_SUBSCRIBERS,
            (None, false) => Reason::SUCCESS,
        };
        let (kind, id, reason) = match Reply::from_token(confirm.token) {
            Reply::Puback(id, unmatched) => (AckKind::Puback, id, reason(unmatched)),
            Reply::Pubrec(id, unmatched) => (AckKind::Pubrec, id, reason(unmatched)),
            Reply::Pubcomp(id) => (AckKind::Pubcomp, id, Reason::SUCCESS),
            Reply::Pubrel(id) => (AckKind::Pubrel, id, Reason::SUCCESS),
            Reply::Unwanted(id, kind, why) => {
                self.refuse_unwanted(kind, id, why, port);
                return Ok(());
            }
            Reply::Deferred => {
                self.send_deferred(port);
                return Ok(());
            }
            Reply::Nothing => return Ok(()),
        };
        if kind == AckKind::Puback || kind == AckKind::Pubcomp {
            self.answered_one();
        }
        let Some(id) = PacketId::new(id) else { return Ok(()) };
        match refused {
            Some(why) => self.refuse(kind, id, reason, why, port),
            None => {
                self.send_ack(kind, id, self.reason_or_success(reason), port);
                Ok(())
            }
        }
    }

    /// Answers what could not be carried out.
    #[cold]
    fn refuse(
        &mut self,
        kind: AckKind,
        id: PacketId,
        reason: Reason,
        why: String,
        port: &mut Port,
    ) -> Result<(), Close> {
        if reason.is_error() && kind == AckKind::Pubrec {
            self.answered_one();
            // Also in the log: the client may use the id for something else from now on.
            self.inbound.remove(id);
            self.remember_inbound(id, false, port);
        }
        if !self.version.is_v5() {
            // MQTT 3 has no word for it: the client learns by the close that nothing was taken.
            return Err(Close::Refused(why));
        }
        self.send_refusal(kind, id, reason, &why, port);
        Ok(())
    }

    #[cold]
    fn refuse_unwanted(&mut self, kind: AckKind, id: u16, why: Unwanted, port: &mut Port) {
        self.answered_one();
        if let Some(id) = PacketId::new(id) {
            self.send_refusal(kind, id, why.reason(), &why.text(&self.options), port);
        }
    }

    fn send_deferred(&mut self, port: &mut Port) {
        let next = self.deferred.as_mut().and_then(|deferred| deferred.pop_front());
        self.deferred.take_if(|deferred| deferred.is_empty());
        if let Some(packet) = next {
            port.out.chain(packet);
            self.answered = true;
        }
    }
}

/// The core's word for a quality of service.
pub(super) const fn core_qos(qos: wharfmq_mqtt::Qos) -> Qos {
    match qos {
        wharfmq_mqtt::Qos::AtMostOnce => Qos::AtMostOnce,
        wharfmq_mqtt::Qos::AtLeastOnce => Qos::AtLeastOnce,
        wharfmq_mqtt::Qos::ExactlyOnce => Qos::ExactlyOnce,
    }
}

/// MQTT's word for a quality of service.
pub(super) const fn mqtt_qos(qos: Qos) -> wharfmq_mqtt::Qos {
    match qos {
        Qos::AtMostOnce => wharfmq_mqtt::Qos::AtMostOnce,
        Qos::AtLeastOnce => wharfmq_mqtt::Qos::AtLeastOnce,
        Qos::ExactlyOnce => wharfmq_mqtt::Qos::ExactlyOnce,
    }
}
