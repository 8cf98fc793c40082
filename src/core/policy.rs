//! How one queue behaves, resolved from the settings that match its name.

use wharfmq_base::Millis;

use crate::Address;

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
}

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
        }
    }
}

impl QueuePolicy {
    /// Whether a queue of this policy can be full.
    pub const fn is_limited(&self) -> bool {
        self.max_messages != 0 || self.max_bytes != 0
    }
}
