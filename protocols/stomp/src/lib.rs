//! STOMP 1.0, 1.1 and 1.2: bytes to frames and back.
//!
//! Sans-IO: nothing here reads a socket, a clock or a configuration. [`decode`] looks at a borrowed slice
//! and answers with offsets into it; [`Encoder`] and the functions beside it append to a buffer;
//! [`negotiate`] and [`HeartBeats`] hold what the protocol itself remembers of a connection. What a
//! destination or an acknowledgement means is decided elsewhere.
//!
//! ```
//! use wharfmq_stomp::{Decoded, Limits, Scan, Version, decode};
//!
//! let input = b"SEND\ndestination:/queue/a\n\nhello\0";
//! let Decoded::Frame(frame) = decode(input, &mut Scan::default(), &Limits::DEFAULT, Version::V1_2)? else {
//!     panic!("the frame is complete");
//! };
//! assert_eq!(frame.get("destination")?.as_deref(), Some("/queue/a"));
//! assert_eq!(frame.body(), b"hello");
//! # Ok::<(), wharfmq_stomp::Error>(())
//! ```

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod codec;
mod error;
mod frame;
mod state;

pub use codec::{
    Connect, Encoder, FRAME_END, Header, HeaderRules, Headers, Limits, Message, Scan, Sent, Subscribe,
    decode, encode_abort, encode_ack, encode_begin, encode_commit, encode_connect, encode_connected,
    encode_disconnect, encode_error, encode_head, encode_nack, encode_receipt, encode_send, encode_subscribe,
    encode_unsubscribe, encode_version_refused, get, headers, reescape, strip,
};
pub use error::Error;
pub use frame::{Command, Decoded, Frame, Version};
pub use state::{AckMode, HeartBeat, HeartBeats, PEER_GRACE, SUPPORTED_VERSIONS, negotiate};
