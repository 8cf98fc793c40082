//! Bounds of what a client publishes and subscribes to, and how a publication is turned down.

use wharfmq_core::limits::NAME_LEVELS_MAX;
use wharfmq_mqtt::{AckKind, PropertyId, Publish, Reason, Will};

use super::publish::Reply;
use super::{Close, MqttOptions, Open};
use crate::broker::{Cause, Port};

/// Why a publication is not taken, in a form that a token can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Unwanted {
    /// The topic has too many bytes.
    TooLong,
    /// The topic has too many levels.
    TooDeep,
    /// No destination has this name.
    BadName,
    /// The broker's own topic.
    OwnTopic,
    /// The payload is not the UTF-8 that it says it is.
    PayloadFormat,
}

impl Unwanted {
    pub(super) const fn from_u8(bits: u8) -> Self {
        match bits {
            0 => Self::TooLong,
            1 => Self::TooDeep,
            3 => Self::OwnTopic,
            4 => Self::PayloadFormat,
            _ => Self::BadName,
        }
    }

    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::TooLong | Self::TooDeep | Self::BadName => Reason::TOPIC_NAME_INVALID,
            Self::OwnTopic => Reason::NOT_AUTHORIZED,
            Self::PayloadFormat => Reason::PAYLOAD_FORMAT_INVALID,
        }
    }

    pub(super) const fn cause(self) -> Cause {
        match self {
            Self::TooLong | Self::TooDeep | Self::BadName => Cause::TopicName,
            Self::OwnTopic => Cause::OwnTopic,
            Self::PayloadFormat => Cause::PayloadFormat,
        }
    }

    /// What was wrong, and what would be right.
    pub(super) fn text(self, options: &MqttOptions) -> String {
        match self {
            Self::TooLong => format!("the topic has more than {} bytes", options.max_topic_length),
            Self::TooDeep => format!("the topic has more than {} levels", options.max_topic_levels),
            Self::BadName => format!(
                "no message can be published to this topic: it has more than {NAME_LEVELS_MAX} levels, or \
                 belongs to a connection that is gone"
            ),
            Self::OwnTopic => "topics that begin with $SYS/ are published to by the broker alone".into(),
            Self::PayloadFormat => {
                "the payload is not UTF-8, which the payload format indicator says it is".into()
            }
        }
    }
}

impl MqttOptions {
    /// Checks the length and the levels of a topic's name.
    #[inline]
    pub(super) fn check_topic(&self, topic: &str) -> Result<(), Unwanted> {
        // A name of so few bytes cannot have too many levels: most are not looked at.
        if topic.len() < self.max_topic_levels && topic.len() <= self.max_topic_length {
            return Ok(());
        }
        self.measure(topic)
    }

    /// Why a will could not be published.
    pub(super) fn check_will(&self, will: &Will<'_>) -> Option<Unwanted> {
        let says_text = will.properties.byte(PropertyId::PayloadFormatIndicator) == Some(1);
        if self.check_payload_format && says_text && std::str::from_utf8(will.payload).is_err() {
            return Some(Unwanted::PayloadFormat);
        }
        self.check_topic(will.topic).err()
    }

    #[cold]
    fn measure(&self, topic: &str) -> Result<(), Unwanted> {
        if topic.len() > self.max_topic_length {
            return Err(Unwanted::TooLong);
        }
        let levels = topic.bytes().filter(|&byte| byte == b'/').count() + 1;
        if levels > self.max_topic_levels { Err(Unwanted::TooDeep) } else { Ok(()) }
    }
}

impl Open {
    /// Counts a publication that is to be answered. More than the client was told it may have unanswered end
    /// its connection (MQTT 5, 3.3.4); MQTT 3 has no word for a limit, and reading pauses instead.
    #[inline]
    pub(super) fn await_answer(&mut self, port: &mut Port) -> Result<(), Close> {
        self.unanswered += 1;
        if self.unanswered > u32::from(self.options.receive_maximum) && self.version.is_v5() {
            return Err(self.too_many_unanswered(port));
        }
        Ok(())
    }

    #[cold]
    fn too_many_unanswered(&mut self, port: &mut Port) -> Close {
        port.count(Cause::ReceiveMaximum);
        let most = self.options.receive_maximum;
        let why = format!("more than {most} unanswered publications of QoS 1 and 2 (receive maximum)");
        self.say_goodbye(Reason::RECEIVE_MAXIMUM_EXCEEDED, &why, port);
        Close::Violation(why)
    }

    /// An answer gives a place back. Never below none: a resumed session may release what an earlier
    /// connection published, which was not counted in this one (4.9).
    #[inline]
    pub(super) const fn answered_one(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// Checks what the payload says of itself, where the broker is asked to.
    #[inline]
    pub(super) fn check_format(&self, publish: &Publish<'_>) -> Result<(), Unwanted> {
        if !publish.properties.is_empty() && self.options.check_payload_format {
            return publish.check_payload_format().map_err(|_| Unwanted::PayloadFormat);
        }
        Ok(())
    }

    /// Does not take a publication. The answer comes in its turn; a name that cannot be is answered by the
    /// end of the connection where no other answer can say so.
    pub(super) fn turn_down(
        &mut self,
        publish: &Publish<'_>,
        why: Unwanted,
        port: &mut Port,
    ) -> Result<(), Close> {
        port.count(why.cause());
        let ends = why.reason() == Reason::TOPIC_NAME_INVALID;
        if ends && (!self.version.is_v5() || publish.packet_id.is_none()) {
            let text = why.text(&self.options);
            self.say_goodbye(why.reason(), &text, port);
            return Err(Close::Violation(text));
        }
        if let Some(id) = publish.packet_id {
            let kind = match publish.qos {
                wharfmq_mqtt::Qos::ExactlyOnce => AckKind::Pubrec,
                _ => AckKind::Puback,
            };
            port.confirm(Reply::Unwanted(id.get(), kind, why).token());
        }
        Ok(())
    }

    /// Why a filter was refused, for the reason string of SUBACK.
    pub(super) fn why_not(&self, reason: Reason) -> String {
        let options = &self.options;
        match reason {
            Reason::TOPIC_FILTER_INVALID => format!(
                "a topic filter may have {} bytes and {} levels, and must be well-formed",
                options.max_topic_length, options.max_topic_levels
            ),
            Reason::QUOTA_EXCEEDED => {
                format!(
                    "a client may have {} subscriptions, if the broker has room",
                    options.max_subscriptions
                )
            }
            Reason::NOT_AUTHORIZED => "the destination belongs to another connection".into(),
            reason => reason.name().into(),
        }
    }
}
