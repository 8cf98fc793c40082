//! OpenWire, versions 1 to 12: bytes to commands and back.
//!
//! Sans-IO: nothing here reads a socket, a clock or a configuration. A [`Decoder`] turns the body of one
//! frame into a [`Structure`], an [`Encoder`] appends frames to a buffer; both follow the [`Format`] that
//! [`negotiate`] found out of what the two sides had proposed. What a destination or an acknowledgement
//! means is decided elsewhere.
//!
//! Names that come over the wire, those of exceptions above all, stay text: nothing is ever looked up by one.
//!
//! ```
//! use bytes::BytesMut;
//! use wharfmq_openwire::{Decoder, Encoder, Format, KeepAliveInfo, Structure, frame_len};
//!
//! let format = Format { version: 12, tight: true, ..Format::default() };
//! let mut out = BytesMut::new();
//! Encoder::new(format).encode(&KeepAliveInfo::default(), &mut out);
//! let len = frame_len(&out, 1 << 20)?.expect("the frame is complete");
//! let body = out.freeze().slice(4..len);
//! let back = Decoder::new(format).decode(&body)?;
//! assert_eq!(back, Structure::KeepAliveInfo(Box::default()));
//! # Ok::<(), wharfmq_openwire::Error>(())
//! ```

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod body;
mod cache;
mod codec;
mod commands;
mod destination;
mod error;
mod field;
mod head;
mod ids;
pub mod inflate;
mod malformed;
mod message;
pub mod mutf8;
mod negotiate;
pub mod primitive;
mod reader;
mod recent;
mod structure;
mod text;
mod throwable;
mod view;
mod writer;

pub use codec::{Decoder, Encoder, Format, frame_len};
pub use commands::*;
pub use destination::{Destination, DestinationKind};
pub use error::Error;
pub use head::{HeadReader, read_head, write_head};
pub use ids::*;
pub use malformed::Malformed;
pub use message::{Blob, Message, MessageKind};
pub use negotiate::{CACHE_SIZE_MIN, MAGIC, Proposal, VERSION_MAX, negotiate};
#[doc(hidden)]
pub use reader::Reader;
pub use structure::{Nested, Structure};
pub use text::Text;
pub use throwable::{StackFrame, Throwable};
pub use view::{HeadTail, HeadView, IdView};
#[doc(hidden)]
pub use writer::Writer;
