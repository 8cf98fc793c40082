//! How one queue behaves, resolved from the settings that match its name.

use bytestring::ByteString;
use wharfmq_base::Millis;

use crate::Address;
use crate::limits::NAME_BYTES_MAX;

/// What happens to a message that a full queue cannot take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Its producer waits.
    #[default]
    Block,
    /// It is refused in the protocol's words.
    Reject,
    /// The oldest message makes room and is counted.
    DropOldest,
    /// The oldest message goes to the dead-letter address.
    DeadLetter,
}

/// Where messages go that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetter {
    /// Nowhere: they are dropped and counted.
    Drop,
    /// To this queue.
    To(Address),
    /// To a queue named after the one that gives the message up: its name between these two.
    Around(ByteString, ByteString),
}

impl DeadLetter {
    /// The queue for what comes from a queue of this name; `None` where it is dropped.
    pub fn target(&self, from: &str) -> Option<Address> {
        match self {
            Self::Drop => None,
            Self::To(address) => Some(address.clone()),
            Self::Around(before, after) => {
                // A name near the limit is cut rather than made one that nobody can write.
                let room = NAME_BYTES_MAX.saturating_sub(before.len() + after.len());
                let from = &from[..from.floor_char_boundary(room)];
                Some(Address::queue(format!("{before}{from}{after}")))
            }
        }
    }
}

/// What a negative acknowledgement means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nack {
    /// A failed delivery: counted, delivered again after the pause, in the end to the dead letters.
    #[default]
    Retry,
    /// To the dead letters at once.
    DeadLetter,
    /// Dropped and counted.
    Discard,
}

/// What the groups of messages mean to a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Nothing.
    None,
    /// A group goes to one consumer until that is gone or the group is closed.
    #[default]
    Sticky,
    /// Of a group nothing is delivered while one of its messages is unsettled.
    Strict,
}

/// A queue's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePolicy {
    /// Whether messages outlive the process. Subscriptions of a connection do not.
    pub durable: bool,
    /// Whether the priority of messages decides before their age.
    pub priority: bool,
    /// Most messages, 0 for no limit.
    pub max_messages: u64,
    /// Most bytes, 0 for no limit.
    pub max_bytes: u64,
    /// What happens beyond.
    pub overflow: Overflow,
    /// Longest life of a message, [`Millis::NEVER`] for no limit.
    pub expiry: Millis,
    /// Deliveries after which a message counts as poison, 0 for no limit.
    pub max_deliveries: u8,
    /// Pause before a message is delivered again after it was refused.
    pub redelivery_delay: Millis,
    /// Factor by which the pause grows with each delivery, in thousandths.
    pub redelivery_backoff_permille: u32,
    /// Where poison goes.
    pub dead_letter: DeadLetter,
    /// Where expired persistent messages go.
    pub expired: DeadLetter,
    /// Bytes of messages kept in memory.
    pub resident_bytes: u64,
    /// Bytes of messages that live in memory only from which on the queue counts as full, 0 for no limit.
    pub max_volatile_bytes: u64,
    /// Bytes of stored messages from which on the queue counts as full, 0 for no limit.
    pub max_stored_bytes: u64,
    /// What a negative acknowledgement means.
    pub nack: Nack,
    /// How long a consumer may hold a message unsettled; 0 for as long as it is there.
    pub lock: Millis,
    /// What groups mean.
    pub groups: Grouping,
    /// For how long the identities of messages are remembered, so that duplicates are dropped; 0: not.
    pub dedup: Millis,
    /// The header that holds the identity.
    pub dedup_by: ByteString,
    /// Whether only one consumer at a time is served.
    pub single_active: bool,
    /// The header whose value a later message replaces earlier ones by, if any.
    pub last_value: Option<ByteString>,
    /// Whether nothing is delivered.
    pub paused: bool,
}

/// The header that holds a message's identity where no setting names one, as Artemis has it.
const DEDUP_HEADER: &str = "_AMQ_DUPL_ID";

impl Default for QueuePolicy {
    fn default() -> Self {
        let dlq = DeadLetter::To(Address::queue("ActiveMQ.DLQ"));
        Self {
            durable: true,
            priority: false,
            max_messages: 0,
            max_bytes: 0,
            overflow: Overflow::Block,
            expiry: Millis::NEVER,
            max_deliveries: 10,
            redelivery_delay: Millis(1_000),
            redelivery_backoff_permille: 1_000,
            dead_letter: dlq.clone(),
            expired: dlq,
            resident_bytes: crate::limits::RESIDENT_BYTES_PER_QUEUE,
            max_volatile_bytes: 0,
            max_stored_bytes: 0,
            nack: Nack::Retry,
            lock: Millis(0),
            groups: Grouping::Sticky,
            dedup: Millis(0),
            dedup_by: ByteString::from_static(DEDUP_HEADER),
            single_active: false,
            last_value: None,
            paused: false,
        }
    }
}

impl QueuePolicy {
    /// Whether a queue of this policy has limits of its own. Its shares of memory and disk bound any queue.
    pub const fn is_limited(&self) -> bool {
        self.max_messages != 0 || self.max_bytes != 0
    }

    /// Whether a queue of this policy tells messages apart by their headers.
    pub const fn tells_apart(&self) -> bool {
        self.drops_duplicates() || self.last_value.is_some()
    }

    /// Whether a queue of this policy drops what it has seen before.
    pub const fn drops_duplicates(&self) -> bool {
        self.dedup.0 != 0
    }
}
