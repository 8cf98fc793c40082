//! Bytes to frames, frames to bytes.

mod decode;
mod encode;
mod escape;
mod header;
mod limits;
mod rewrite;
mod write;

pub(crate) use header::headers_of_text;

pub use decode::{Scan, decode};
pub use encode::{
    Connect, FRAME_END, Message, Sent, Subscribe, encode_abort, encode_ack, encode_begin, encode_commit,
    encode_connect, encode_connected, encode_disconnect, encode_error, encode_head, encode_nack,
    encode_receipt, encode_send, encode_subscribe, encode_unsubscribe, encode_version_refused,
};
pub use header::{Header, HeaderRules, Headers, get, headers};
pub use limits::Limits;
pub use rewrite::{reescape, strip};
pub use write::Encoder;
