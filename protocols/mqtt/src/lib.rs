//! MQTT 3.1, 3.1.1 and 5.0: bytes to packets and back, and the state that belongs to the protocol alone.
//!
//! Nothing here does input or output, reads a clock, or knows what a broker is. Decoding borrows from the bytes
//! that were read and allocates nothing:
//!
//! ```
//! use wharfmq_mqtt::{Limits, Packet, Version, decode};
//!
//! let input = [0x30, 0x07, 0x00, 0x03, b'a', b'/', b'b', b'h', b'i'];
//! let decoded = decode(&input, Version::V311, Limits::from_client(65_536))?.expect("complete");
//! assert_eq!(decoded.len, input.len());
//! let Packet::Publish(publish) = decoded.packet else { panic!("a PUBLISH") };
//! assert_eq!((publish.topic, publish.payload), ("a/b", &b"hi"[..]));
//! assert_eq!(publish.payload_range(), 7..9);
//! # Ok::<(), wharfmq_mqtt::Error>(())
//! ```

#![forbid(unsafe_code)]

mod decode;
pub mod encode;
mod error;
mod frame;
mod packet;
mod property;
mod read;
mod reason;
pub mod state;
pub mod topic;

pub use decode::{ConnectError, Decoded, Limits, Refusal, decode, decode_connect};
pub use error::{EncodeError, Error};
pub use frame::{FrameHead, MAX_VAR_INT, frame, offset_in, var_int_len};
pub use packet::{
    Ack, AckKind, Auth, Connack, Connect, Disconnect, FilterIter, Filters, Packet, PacketId, Peer, Publish,
    Qos, RetainHandling, Suback, Subscribe, Subscription, SubscriptionIter, SubscriptionOptions,
    Subscriptions, Unsuback, Unsubscribe, Version, Will,
};
pub use property::{
    Properties, PropertyId, PropertyIter, PropertyType, PropertyWriter, RawPropertyIter, Value,
};
pub use reason::{ConnectReturn, Reason};
