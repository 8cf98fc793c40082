//! Property identifiers, their types and the packets they may be in (table 2-4).

/// The type of a property's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyType {
    /// One byte.
    Byte,
    /// Two bytes.
    U16,
    /// Four bytes.
    U32,
    /// Variable byte integer.
    VarInt,
    /// UTF-8 string.
    Text,
    /// Binary data.
    Binary,
    /// Two UTF-8 strings.
    Pair,
}

/// Where a property block stands; a set of these is a bit mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Place {
    Connect = 1,
    Connack = 2,
    /// PUBLISH from a client.
    PublishUp = 4,
    /// PUBLISH from a server.
    PublishDown = 8,
    Will = 16,
    /// PUBACK, PUBREC, PUBREL and PUBCOMP.
    Ack = 32,
    Subscribe = 64,
    Suback = 128,
    Unsubscribe = 256,
    Unsuback = 512,
    /// DISCONNECT from a client.
    DisconnectUp = 1024,
    /// DISCONNECT from a server.
    DisconnectDown = 2048,
    Auth = 4096,
}

const CONNECT: u16 = Place::Connect as u16;
const CONNACK: u16 = Place::Connack as u16;
const PUBLISH: u16 = Place::PublishUp as u16 | Place::PublishDown as u16;
const WILL: u16 = Place::Will as u16;
const SUBSCRIBE: u16 = Place::Subscribe as u16;
const DISCONNECT: u16 = Place::DisconnectUp as u16 | Place::DisconnectDown as u16;
const AUTH: u16 = Place::Auth as u16;
const REASON: u16 =
    CONNACK | Place::Ack as u16 | Place::Suback as u16 | Place::Unsuback as u16 | DISCONNECT | AUTH;
const ALL: u16 = 0x1FFF;

macro_rules! property_ids {
    ($($name:ident = $id:literal, $kind:ident, $places:expr;)*) => {
        /// A property of MQTT 5.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum PropertyId {
            $(#[doc = concat!("`", stringify!($id), "`, ", stringify!($kind), ".")] $name = $id,)*
        }

        impl PropertyId {
            /// All properties, in the order of their identifiers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The property with this identifier.
            #[inline]
            #[must_use]
            pub const fn from_byte(id: u8) -> Option<Self> {
                match id { $($id => Some(Self::$name),)* _ => None }
            }

            /// The type of its value.
            #[inline]
            #[must_use]
            pub const fn kind(self) -> PropertyType {
                match self { $(Self::$name => PropertyType::$kind,)* }
            }

            /// The places it may stand in, as bits of [`Place`].
            #[inline]
            pub(crate) const fn places(self) -> u16 {
                match self { $(Self::$name => $places,)* }
            }
        }
    };
}

property_ids! {
    PayloadFormatIndicator = 0x01, Byte, PUBLISH | WILL;
    MessageExpiryInterval = 0x02, U32, PUBLISH | WILL;
    ContentType = 0x03, Text, PUBLISH | WILL;
    ResponseTopic = 0x08, Text, PUBLISH | WILL;
    CorrelationData = 0x09, Binary, PUBLISH | WILL;
    SubscriptionIdentifier = 0x0B, VarInt, PUBLISH | SUBSCRIBE;
    SessionExpiryInterval = 0x11, U32, CONNECT | CONNACK | DISCONNECT;
    AssignedClientIdentifier = 0x12, Text, CONNACK;
    ServerKeepAlive = 0x13, U16, CONNACK;
    AuthenticationMethod = 0x15, Text, CONNECT | CONNACK | AUTH;
    AuthenticationData = 0x16, Binary, CONNECT | CONNACK | AUTH;
    RequestProblemInformation = 0x17, Byte, CONNECT;
    WillDelayInterval = 0x18, U32, WILL;
    RequestResponseInformation = 0x19, Byte, CONNECT;
    ResponseInformation = 0x1A, Text, CONNACK;
    ServerReference = 0x1C, Text, CONNACK | DISCONNECT;
    ReasonString = 0x1F, Text, REASON;
    ReceiveMaximum = 0x21, U16, CONNECT | CONNACK;
    TopicAliasMaximum = 0x22, U16, CONNECT | CONNACK;
    TopicAlias = 0x23, U16, PUBLISH;
    MaximumQos = 0x24, Byte, CONNACK;
    RetainAvailable = 0x25, Byte, CONNACK;
    UserProperty = 0x26, Pair, ALL;
    MaximumPacketSize = 0x27, U32, CONNECT | CONNACK;
    WildcardSubscriptionAvailable = 0x28, Byte, CONNACK;
    SubscriptionIdentifiersAvailable = 0x29, Byte, CONNACK;
    SharedSubscriptionAvailable = 0x2A, Byte, CONNACK;
}
