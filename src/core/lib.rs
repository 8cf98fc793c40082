//! WharfMQ's core: addresses, routes and queues, as pure state.
//!
//! Nothing here performs I/O, reads a clock or waits: time comes in as an argument, and what is to be
//! done comes out as [`Effects`]. Everything public is re-exported here.

mod address;
mod chunk;
mod consumer;
mod cron;
mod effect;
mod filter;
pub mod limits;
mod message;
mod outbox;
mod policy;
mod queue;
pub mod record;
mod registry;
mod retained;
mod router;
mod selector;

pub use address::{Address, Kind, NameError};
pub use chunk::{Chunk, Item, Run, Span};
pub use consumer::{Asked, AttachError, ConsumeSpec, Credit, CreditPool};
pub use cron::{Cron, CronError};
pub use effect::{Dead, DeadReason, Effects, Release};
pub use filter::{Facts, Filter, HeadView, Seen};
pub use message::{
    Arrival, Entry, GroupId, Head, HeadTag, Message, MessageId, Notes, Order, Qos, QueueId, Terms,
};
pub use outbox::{ConnId, ConsumerKey, CoreEvent, Delivery, Gone, Outbox, SubTag, Token};
pub use policy::{DeadLetter, Grouping, Nack, Overflow, QueuePolicy};
pub use queue::{Admission, Dropped, Novelty, Outcome, Queue, QueueStats, Staged, Tags};
pub use registry::{LockedQueue, QueueCell, Registry};
pub use retained::{Cursor, Kept, Retained, RetainedFull};
pub use router::{
    ADVISORY_PREFIX, Bound, Choice, Chosen, Direct, DirectSub, DirectTarget, Forward, HistoryPolicy, Member,
    PartialPolicy, Pattern, PolicyField, PolicyOrigin, QueueRole, Route, Router, Settings, Share,
    Specificity, Subscriber, merge_flags,
};
pub use selector::{Properties, Selector, SelectorError, SelectorIndex, Typing, Value};
