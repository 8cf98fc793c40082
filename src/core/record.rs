//! The records of the journal: what they hold and how they are laid out.
//!
//! Every payload begins with one version byte, [`VERSION`]. After it, numbers are *varints*: seven bits a
//! byte, the lowest first, the top bit set on all but the last, at most ten bytes and never longer than
//! needed. A *signed* varint is zigzag: 0, -1, 1, -2 … as 0, 1, 2, 3 …. A *text* or *bytes* is its length
//! as a varint and then its bytes; one at the very end of a record has no length. `order` stands for the
//! first order as eight bytes, little-endian, so that it is found without decoding.
//!
//! | kind | payload after the version |
//! | --- | --- |
//! | [`kind::MESSAGE`], [`kind::RELOCATE`] | `order`; flags u8 (0-1 quality of service, 2 retain, 3 topic, 4 expires, 5 terms); priority u8; id; received; expires if flagged; *terms* if flagged; address text; head tag u8; head length; notes length; number of queues, and for each its id as the signed difference to the one before and its flags u8; then the bytes of head, notes and body |
//! | [`kind::SETTLE`] | queue; until the end *runs* |
//! | [`kind::COUNTED`] | queue; until the end: order as the signed difference to the one before, count u8 |
//! | [`kind::DEFINE`] | queue; class u8; flags u8 (0 durable); name to the end |
//! | [`kind::UNDEFINE`] | queue |
//! | [`kind::BIND`] | queue; kind u8 (bit 0: 0 queue, 1 topic; 1 has a selector; 2 its typing is loose); flags u8; pattern text; selector text if there is one; options to the end |
//! | [`kind::UNBIND`] | queue; kind u8; pattern to the end |
//! | [`kind::STATE`] | owner, 0 for the broker itself; flags u8 (0 value, else gone); key bytes; value to the end |
//! | [`kind::PURGE`] | queue; order |
//!
//! A *run* is consecutive orders: the signed difference of the first to the end of the run before,
//! doubled, plus 1 where the run is longer than one; then its length less two, if so. Orders are below
//! [`ORDERS`].
//!
//! *Terms* are what the publication asks of its queues: flags u8 (0 group, 1 closes the group, 2 due, 3
//! identity), and as flagged the group, the time it is due, and the text of its identity. An index entry
//! has them too, without the identity.
//!
//! Decoding checks every length and never allocates by a number that was read.

mod change;
mod checkpoint;
mod message;
mod orders;
mod seen;
mod terms;
mod wire;

pub use change::{Bind, Class, Define, State, Unbind};
pub use checkpoint::{CheckpointReader, CheckpointWriter, NextIds, Section};
pub use message::{IndexEntry, MessagePrefix, QueueFlags, StoredMessage};
pub use orders::{Counted, CountedIter, Runs, Settle};
pub use seen::{SEEN_KEY, decode_seen};
pub use terms::StoredTerms;

use std::fmt;

use crate::{Order, QueueId};

/// Numbers of the kinds of records. Never used for anything else.
pub mod kind {
    /// A message, the queues that took it, its body.
    pub const MESSAGE: u8 = 1;
    /// A copy of a message that compaction made: it moves what is live and never revives anything.
    pub const RELOCATE: u8 = 2;
    /// Messages that left a queue for good.
    pub const SETTLE: u8 = 3;
    /// How often messages were delivered in vain.
    pub const COUNTED: u8 = 4;
    /// A queue that exists from now on.
    pub const DEFINE: u8 = 5;
    /// A queue that is gone with all it held.
    pub const UNDEFINE: u8 = 6;
    /// A binding that exists from now on, or its new options.
    pub const BIND: u8 = 7;
    /// A binding that is gone.
    pub const UNBIND: u8 = 8;
    /// A value that a session or the broker wants to remember under a key.
    pub const STATE: u8 = 9;
    /// A queue was emptied up to an order.
    pub const PURGE: u8 = 10;
}

/// The version written, and the only one understood.
pub const VERSION: u8 = 1;

/// All orders are below this.
pub const ORDERS: u64 = 1 << 62;

/// The queue that stands for the store of retained messages.
pub const RETAINED: QueueId = QueueId(0);

/// The owner of what the broker itself remembers; no queue has this number.
pub const BROKER: QueueId = QueueId(0);

/// Why bytes are no record: what was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError(pub &'static str);

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "damaged record: {}", self.0)
    }
}

impl std::error::Error for RecordError {}

/// One record, decoded without copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// [`kind::MESSAGE`]
    Message(StoredMessage<'a>),
    /// [`kind::RELOCATE`]
    Relocate(StoredMessage<'a>),
    /// [`kind::SETTLE`]
    Settle(Settle<'a>),
    /// [`kind::COUNTED`]
    Counted(Counted<'a>),
    /// [`kind::DEFINE`]
    Define(Define<'a>),
    /// [`kind::UNDEFINE`]
    Undefine(QueueId),
    /// [`kind::BIND`]
    Bind(Bind<'a>),
    /// [`kind::UNBIND`]
    Unbind(Unbind<'a>),
    /// [`kind::STATE`]
    State(State<'a>),
    /// [`kind::PURGE`]: the queue, and the last order that went.
    Purge(QueueId, Order),
}

impl<'a> Record<'a> {
    /// Reads the payload of a record of this kind.
    pub fn decode(kind: u8, payload: &'a [u8]) -> Result<Self, RecordError> {
        Ok(match kind {
            kind::MESSAGE => Self::Message(StoredMessage::decode(payload)?),
            kind::RELOCATE => Self::Relocate(StoredMessage::decode(payload)?),
            kind::SETTLE => Self::Settle(Settle::decode(payload)?),
            kind::COUNTED => Self::Counted(Counted::decode(payload)?),
            kind::DEFINE => Self::Define(Define::decode(payload)?),
            kind::UNDEFINE => Self::Undefine(change::decode_undefine(payload)?),
            kind::BIND => Self::Bind(Bind::decode(payload)?),
            kind::UNBIND => Self::Unbind(Unbind::decode(payload)?),
            kind::STATE => Self::State(State::decode(payload)?),
            kind::PURGE => {
                let (queue, order) = change::decode_purge(payload)?;
                Self::Purge(queue, order)
            }
            _ => return Err(RecordError("unknown kind")),
        })
    }
}

/// Appends the payload of an [`kind::UNDEFINE`].
pub fn encode_undefine(queue: QueueId, out: &mut Vec<u8>) {
    change::encode_undefine(queue, out);
}

/// Appends the payload of a [`kind::PURGE`].
pub fn encode_purge(queue: QueueId, up_to: Order, out: &mut Vec<u8>) {
    change::encode_purge(queue, up_to, out);
}

#[cfg(test)]
mod tests;
