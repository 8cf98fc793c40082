//! Reason codes of MQTT 5 (section 2.4) and the CONNACK return codes of MQTT 3.x (3.1.1 table 3.1).

use core::fmt;

/// A reason code of MQTT 5: one byte; 0x80 and above are failures.
///
/// A newtype and not an enumeration, since the byte goes from wire to wire and unknown values must be printable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reason(pub u8);

macro_rules! reasons {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        impl Reason {
            $(#[doc = concat!("`", stringify!($code), "` ", $text, ".")]
            pub const $name: Self = Self($code);)*

            /// Every reason code of the specification, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name the specification gives the code; `"unknown reason code"` for others.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* _ => "unknown reason code" }
            }
        }
    };
}

reasons! {
    SUCCESS = 0x00, "success";
    GRANTED_QOS_1 = 0x01, "granted QoS 1";
    GRANTED_QOS_2 = 0x02, "granted QoS 2";
    DISCONNECT_WITH_WILL = 0x04, "disconnect with will message";
    NO_MATCHING_SUBSCRIBERS = 0x10, "no matching subscribers";
    NO_SUBSCRIPTION_EXISTED = 0x11, "no subscription existed";
    CONTINUE_AUTHENTICATION = 0x18, "continue authentication";
    RE_AUTHENTICATE = 0x19, "re-authenticate";
    UNSPECIFIED_ERROR = 0x80, "unspecified error";
    MALFORMED_PACKET = 0x81, "malformed packet";
    PROTOCOL_ERROR = 0x82, "protocol error";
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83, "implementation specific error";
    UNSUPPORTED_PROTOCOL_VERSION = 0x84, "unsupported protocol version";
    CLIENT_IDENTIFIER_NOT_VALID = 0x85, "client identifier not valid";
    BAD_USER_NAME_OR_PASSWORD = 0x86, "bad user name or password";
    NOT_AUTHORIZED = 0x87, "not authorized";
    SERVER_UNAVAILABLE = 0x88, "server unavailable";
    SERVER_BUSY = 0x89, "server busy";
    BANNED = 0x8A, "banned";
    SERVER_SHUTTING_DOWN = 0x8B, "server shutting down";
    BAD_AUTHENTICATION_METHOD = 0x8C, "bad authentication method";
    KEEP_ALIVE_TIMEOUT = 0x8D, "keep alive timeout";
    SESSION_TAKEN_OVER = 0x8E, "session taken over";
    TOPIC_FILTER_INVALID = 0x8F, "topic filter invalid";
    TOPIC_NAME_INVALID = 0x90, "topic name invalid";
    PACKET_IDENTIFIER_IN_USE = 0x91, "packet identifier in use";
    PACKET_IDENTIFIER_NOT_FOUND = 0x92, "packet identifier not found";
    RECEIVE_MAXIMUM_EXCEEDED = 0x93, "receive maximum exceeded";
    TOPIC_ALIAS_INVALID = 0x94, "topic alias invalid";
    PACKET_TOO_LARGE = 0x95, "packet too large";
    MESSAGE_RATE_TOO_HIGH = 0x96, "message rate too high";
    QUOTA_EXCEEDED = 0x97, "quota exceeded";
    ADMINISTRATIVE_ACTION = 0x98, "administrative action";
    PAYLOAD_FORMAT_INVALID = 0x99, "payload format invalid";
    RETAIN_NOT_SUPPORTED = 0x9A, "retain not supported";
    QOS_NOT_SUPPORTED = 0x9B, "QoS not supported";
    USE_ANOTHER_SERVER = 0x9C, "use another server";
    SERVER_MOVED = 0x9D, "server moved";
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E, "shared subscriptions not supported";
    CONNECTION_RATE_EXCEEDED = 0x9F, "connection rate exceeded";
    MAXIMUM_CONNECT_TIME = 0xA0, "maximum connect time";
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1, "subscription identifiers not supported";
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2, "wildcard subscriptions not supported";
}

impl Reason {
    /// Whether the code stands for a failure (0x80 and above).
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The CONNACK return code of MQTT 3.x that says the same, for a refused CONNECT.
    ///
    /// What 3.x has no word for becomes "server unavailable" (0x03), which clients take as a reason to try again.
    #[must_use]
    pub const fn to_connack_v3(self) -> ConnectReturn {
        match self {
            Self(0..=0x7F) => ConnectReturn::Accepted,
            Self::UNSUPPORTED_PROTOCOL_VERSION => ConnectReturn::UnacceptableProtocolVersion,
            Self::CLIENT_IDENTIFIER_NOT_VALID => ConnectReturn::IdentifierRejected,
            Self::BAD_USER_NAME_OR_PASSWORD | Self::BAD_AUTHENTICATION_METHOD => {
                ConnectReturn::BadUserNameOrPassword
            }
            Self::NOT_AUTHORIZED | Self::BANNED => ConnectReturn::NotAuthorized,
            _ => ConnectReturn::ServerUnavailable,
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason(0x{:02X} {})", self.0, self.name())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), self.0)
    }
}

/// CONNACK return codes of MQTT 3.1 and 3.1.1 (3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ConnectReturn {
    /// 0x00
    Accepted = 0,
    /// 0x01
    UnacceptableProtocolVersion = 1,
    /// 0x02
    IdentifierRejected = 2,
    /// 0x03
    ServerUnavailable = 3,
    /// 0x04
    BadUserNameOrPassword = 4,
    /// 0x05
    NotAuthorized = 5,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ascending() {
        assert!(Reason::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Reason::ALL.len(), 43);
    }

    #[test]
    fn every_failure_maps_to_a_refusal_in_v3() {
        for reason in Reason::ALL {
            assert_eq!(reason.is_error(), reason.to_connack_v3() != ConnectReturn::Accepted, "{reason}");
        }
        assert_eq!(Reason::NOT_AUTHORIZED.to_connack_v3() as u8, 5);
    }
}
