//! What can be wrong with bytes from the peer, and with values given to the encoder.

use crate::Reason;
use core::fmt;

macro_rules! errors {
    ($($name:ident = $reason:ident, $clause:literal, $text:literal;)*) => {
        /// Why bytes from the peer are not an MQTT packet. The connection cannot go on after any of these.
        ///
        /// Clause ids are those of MQTT 5.0 where it has the rule, else those of 3.1.1.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Error {
            $(#[doc = concat!($text, " (", $clause, ").")] $name,)*
        }

        impl Error {
            /// Every error there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason code for the CONNACK or DISCONNECT that tells an MQTT 5 peer.
            #[must_use]
            pub const fn reason(self) -> Reason {
                match self { $(Self::$name => Reason::$reason,)* }
            }

            /// The normative clause or the section that is violated.
            #[must_use]
            pub const fn clause(self) -> &'static str {
                match self { $(Self::$name => $clause,)* }
            }

            /// The same in words, for a log line or a reason string.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

errors! {
    PacketTooLarge = PACKET_TOO_LARGE, "MQTT-3.1.2-24", "packet is larger than the maximum packet size";
    RemainingLengthTooLong = MALFORMED_PACKET, "section 2.1.4", "remaining length has more than four bytes";
    VarIntTooLong = MALFORMED_PACKET, "section 1.5.5", "variable byte integer has more than four bytes";
    VarIntNotMinimal = MALFORMED_PACKET, "MQTT-1.5.5-1", "variable byte integer is longer than needed";
    ReservedPacketType = MALFORMED_PACKET, "section 2.1.2", "packet type is reserved in this version";
    FixedHeaderFlags = MALFORMED_PACKET, "MQTT-2.1.3-1", "reserved flags of the fixed header have wrong values";
    WrongDirection = PROTOCOL_ERROR, "section 2.1.2", "packet type may not be sent by this side";
    Truncated = MALFORMED_PACKET, "section 2.1.4", "a field runs past the end of the packet";
    TrailingBytes = MALFORMED_PACKET, "section 2.1.4", "packet has bytes after its last field";
    InvalidUtf8 = MALFORMED_PACKET, "MQTT-1.5.4-1", "string is not valid UTF-8";
    NulInString = MALFORMED_PACKET, "MQTT-1.5.4-2", "string contains U+0000";
    PacketIdZero = PROTOCOL_ERROR, "MQTT-2.2.1-3", "packet identifier is zero";
    FirstPacketNotConnect = PROTOCOL_ERROR, "MQTT-3.1.0-1", "first packet is not a CONNECT";
    SecondConnect = PROTOCOL_ERROR, "MQTT-3.1.0-2", "second CONNECT on one connection";
    ProtocolName = UNSUPPORTED_PROTOCOL_VERSION, "MQTT-3.1.2-1", "protocol name is neither MQTT nor MQIsdp";
    ProtocolLevel = UNSUPPORTED_PROTOCOL_VERSION, "MQTT-3.1.2-2", "protocol level is not supported";
    ConnectReservedFlag = MALFORMED_PACKET, "MQTT-3.1.2-3", "reserved flag of CONNECT is set";
    WillFlagsWithoutWill = MALFORMED_PACKET, "MQTT-3.1.2-11", "will QoS or will retain is set without the will flag";
    WillQos = MALFORMED_PACKET, "MQTT-3.1.2-12", "will QoS is 3";
    PasswordWithoutUserName = MALFORMED_PACKET, "MQTT-3.1.2-22 of 3.1.1", "password without user name";
    ClientIdRejected = CLIENT_IDENTIFIER_NOT_VALID, "MQTT-3.1.3-8 of 3.1.1", "client identifier is empty, which needs a clean session";
    PublishQos = MALFORMED_PACKET, "MQTT-3.3.1-4", "QoS is 3";
    DupOnQos0 = MALFORMED_PACKET, "MQTT-3.3.1-2", "DUP is set on a QoS 0 message";
    TopicEmpty = TOPIC_NAME_INVALID, "MQTT-4.7.3-1", "topic name is empty";
    TopicTooLong = TOPIC_NAME_INVALID, "MQTT-4.7.3-3", "topic name or filter is longer than 65,535 bytes";
    TopicWildcard = TOPIC_NAME_INVALID, "MQTT-3.3.2-2", "topic name contains a wildcard";
    TopicMissing = PROTOCOL_ERROR, "section 3.3.2.1", "topic name is empty and there is no topic alias";
    FilterEmpty = TOPIC_FILTER_INVALID, "MQTT-4.7.3-1", "topic filter is empty";
    FilterHash = TOPIC_FILTER_INVALID, "MQTT-4.7.1-1", "'#' in a topic filter is not the last level on its own";
    FilterPlus = TOPIC_FILTER_INVALID, "MQTT-4.7.1-2", "'+' in a topic filter does not fill its level";
    ShareName = TOPIC_FILTER_INVALID, "MQTT-4.8.2-1", "share name is empty or contains a wildcard";
    ShareFilter = TOPIC_FILTER_INVALID, "MQTT-4.8.2-2", "shared subscription has no topic filter";
    NoFilters = PROTOCOL_ERROR, "MQTT-3.8.3-2", "SUBSCRIBE or UNSUBSCRIBE without a topic filter";
    SubscriptionOptions = MALFORMED_PACKET, "MQTT-3.8.3-5", "reserved bits of the subscription options are set";
    SubscriptionQos = PROTOCOL_ERROR, "section 3.8.3.1", "requested QoS is 3";
    RetainHandling = PROTOCOL_ERROR, "section 3.8.3.1", "retain handling is 3";
    NoLocalOnShared = PROTOCOL_ERROR, "MQTT-3.8.3-4", "no local is set on a shared subscription";
    ConnackFlags = MALFORMED_PACKET, "MQTT-3.2.2-1", "reserved acknowledge flags of CONNACK are set";
    SessionPresentOnFailure = PROTOCOL_ERROR, "MQTT-3.2.2-6", "session present is set on a refused connection";
    ReasonCode = PROTOCOL_ERROR, "section 2.4", "reason code is not defined for this packet and this sender";
    NoReasonCodes = PROTOCOL_ERROR, "section 3.9.3", "SUBACK or UNSUBACK without a code";
    UnknownProperty = MALFORMED_PACKET, "section 2.2.2.2", "property identifier is unknown";
    MisplacedProperty = MALFORMED_PACKET, "section 2.2.2.2", "property does not belong to this packet";
    DuplicateProperty = PROTOCOL_ERROR, "section 2.2.2.2", "property is there twice";
    PropertyValue = PROTOCOL_ERROR, "section 2.2.2.2", "value of a property is out of its range";
    TopicAliasZero = TOPIC_ALIAS_INVALID, "MQTT-3.3.2-8", "topic alias is zero";
    TopicAliasTooLarge = TOPIC_ALIAS_INVALID, "MQTT-3.3.2-9", "topic alias is above the maximum";
    TopicAliasUnknown = PROTOCOL_ERROR, "section 3.3.4", "topic alias stands for no topic yet";
    ResponseTopicWildcard = PROTOCOL_ERROR, "MQTT-3.3.2-14", "response topic is empty or contains a wildcard";
    SubscriptionIdFromClient = PROTOCOL_ERROR, "MQTT-3.3.4-6", "subscription identifier in a PUBLISH from a client";
    SessionExpiryFromServer = PROTOCOL_ERROR, "MQTT-3.14.2-2", "session expiry interval in a DISCONNECT from a server";
    AuthDataWithoutMethod = PROTOCOL_ERROR, "section 3.1.2.11.10", "authentication data without authentication method";
    AuthMethodMissing = PROTOCOL_ERROR, "section 3.15.2.2.2", "AUTH without authentication method";
    PayloadFormat = PAYLOAD_FORMAT_INVALID, "section 3.3.2.3.2", "payload is declared to be UTF-8 and is not";
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.text(), self.clause())
    }
}

impl core::error::Error for Error {}

/// Why the encoder refuses a packet; nothing has been written then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// A string or binary field is longer than 65,535 bytes (MQTT-1.5.4).
    FieldTooLong,
    /// The packet or its property block is longer than a variable byte integer can say (268,435,455).
    PacketTooLong,
    /// A QoS above 0 without packet identifier, or QoS 0 with one.
    PacketId,
    /// The packet, or a part of it, does not exist in this protocol version.
    Version,
    /// A property with a value of the wrong type or out of its range.
    PropertyValue,
    /// SUBSCRIBE, UNSUBSCRIBE or their acknowledgements without an entry.
    Empty,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FieldTooLong => "a field is longer than 65,535 bytes",
            Self::PacketTooLong => "the packet is longer than 268,435,455 bytes",
            Self::PacketId => "packet identifier and QoS do not agree",
            Self::Version => "not possible in this protocol version",
            Self::PropertyValue => "property value of a wrong type or out of range",
            Self::Empty => "the packet needs at least one entry",
        })
    }
}

impl core::error::Error for EncodeError {}
