//! The packets of MQTT, borrowing from the bytes they were decoded from.

mod connect;
mod publish;
mod subscribe;

pub use connect::{Connack, Connect, Will};
pub use publish::Publish;
pub use subscribe::{
    FilterIter, Filters, RetainHandling, Suback, Subscribe, Subscription, SubscriptionIter,
    SubscriptionOptions, Subscriptions, Unsuback, Unsubscribe,
};

use crate::{Properties, Reason};
use core::num::NonZeroU16;

/// A packet identifier: never zero (2.2.1).
pub type PacketId = NonZeroU16;

/// Protocol versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// MQTT 3.1, protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1, level 4.
    V311,
    /// MQTT 5.0, level 5.
    V5,
}

impl Version {
    /// The protocol level of CONNECT.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// The protocol name of CONNECT.
    #[must_use]
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            Self::V311 | Self::V5 => "MQTT",
        }
    }

    /// Whether it is MQTT 5.0.
    #[inline]
    #[must_use]
    pub const fn is_v5(self) -> bool {
        matches!(self, Self::V5)
    }
}

/// Which end of the connection sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The end that sent CONNECT.
    Client,
    /// The broker.
    Server,
}

/// Quality of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

impl Qos {
    /// From the two bits that carry it; `None` for 3 and above.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// Any packet but CONNECT, which has a function of its own: it comes once, and tells the version of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Type 2, from the server.
    Connack(Connack<'a>),
    /// Type 3.
    Publish(Publish<'a>),
    /// Type 4.
    Puback(Ack<'a>),
    /// Type 5.
    Pubrec(Ack<'a>),
    /// Type 6.
    Pubrel(Ack<'a>),
    /// Type 7.
    Pubcomp(Ack<'a>),
    /// Type 8, from the client.
    Subscribe(Subscribe<'a>),
    /// Type 9, from the server.
    Suback(Suback<'a>),
    /// Type 10, from the client.
    Unsubscribe(Unsubscribe<'a>),
    /// Type 11, from the server.
    Unsuback(Unsuback<'a>),
    /// Type 12, from the client.
    Pingreq,
    /// Type 13, from the server.
    Pingresp,
    /// Type 14; from the server in MQTT 5 only.
    Disconnect(Disconnect<'a>),
    /// Type 15, MQTT 5 only.
    Auth(Auth<'a>),
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Of the PUBLISH this is about.
    pub packet_id: PacketId,
    /// Always success in MQTT 3.x.
    pub reason: Reason,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
}

impl Ack<'_> {
    /// A plain success.
    #[must_use]
    pub const fn success(packet_id: PacketId) -> Self {
        Self { packet_id, reason: Reason::SUCCESS, properties: Properties::EMPTY }
    }
}

/// Which of the four acknowledgements of a PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AckKind {
    /// Answers QoS 1.
    Puback = 4,
    /// First answer to QoS 2.
    Pubrec = 5,
    /// Answers PUBREC.
    Pubrel = 6,
    /// Answers PUBREL.
    Pubcomp = 7,
}

/// DISCONNECT (3.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Always success (normal disconnection) in MQTT 3.x.
    pub reason: Reason,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
}

/// AUTH (3.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, continue authentication or re-authenticate.
    pub reason: Reason,
    /// With an authentication method, unless the packet is the two-byte form of success.
    pub properties: Properties<'a>,
}
