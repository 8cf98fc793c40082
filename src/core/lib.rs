//! WharfMQ's core: addresses, routes and queues, as pure state.
//!
//! Nothing here performs I/O, reads a clock or waits: time comes in as an argument, and what is to be
//! done comes out as [`Effects`]. Everything public is re-exported here.

mod address;
mod chunk;
mod consumer;
mod effect;
pub mod limits;
mod message;
mod outbox;
mod policy;
mod queue;
pub mod record;
mod registry;
mod retained;
mod router;

pub use address::{Address, Kind, NameError};
pub use chunk::{Chunk, Item, Run, Span};
pub use consumer::{AttachError, ConsumeSpec, Credit};
pub use effect::{Dead, DeadReason, Effects, Release};
pub use message::{Entry, Head, HeadTag, Message, MessageId, Notes, Order, Qos, QueueId};
pub use outbox::{ConnId, ConsumerKey, CoreEvent, Delivery, Gone, Outbox, SubTag, Token};
pub use policy::{DeadLetter, Overflow, QueuePolicy};
pub use queue::{Admission, Dropped, Outcome, Queue, QueueStats, Staged, Tags};
pub use registry::{LockedQueue, QueueCell, Registry};
pub use retained::{Cursor, Kept, Retained, RetainedFull};
pub use router::{
    Bound, Direct, DirectSub, DirectTarget, PartialPolicy, Pattern, PolicyField, PolicyOrigin, QueueRole,
    Route, Router, Settings, Specificity, merge_flags,
};
