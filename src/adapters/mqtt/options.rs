//! Subscriptions and what was asked of them, in memory and in the log.

use bytes::Bytes;
use wharfmq_core::{Pattern, Qos};
use wharfmq_mqtt::{SubscriptionOptions, Version};

use super::publish::core_qos;
use super::queue::Source;
use crate::broker::{Consumer, is_system};

/// Set in a binding's flags where the retain flag is passed on as published.
pub(super) const RETAIN_AS_PUBLISHED: u8 = 0x04;

/// One subscription of a client.
pub(super) struct Subscription {
    /// The filter as the client wrote it, `$share` included.
    pub(super) filter: Box<str>,
    pub(super) pattern: Pattern,
    pub(super) qos: Qos,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    /// The subscription identifier, 0 for none.
    pub(super) id: u32,
    /// Of a shared subscription: the member's consumer.
    pub(super) shared: Option<Consumer>,
    /// Of a queue.
    pub(super) queue: Option<Box<Source>>,
}

impl Subscription {
    /// The flags of its binding.
    pub(super) const fn flags(&self) -> u8 {
        self.qos as u8 | if self.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 }
    }

    /// Whether its messages come by a consumer of its own.
    pub(super) const fn is_consumer(&self) -> bool {
        self.shared.is_some() || self.queue.is_some()
    }

    /// Whether it is of what the broker says of itself.
    pub(super) fn is_system(&self) -> bool {
        is_system(self.pattern.text())
    }

    /// Whether the queue of a session that outlives its connection collects what it matches. What the
    /// broker says of itself is for those who are there.
    pub(super) fn is_collected(&self) -> bool {
        self.qos.is_persistent() && !self.is_system()
    }

    /// What is remembered under the filter: options as in SUBSCRIBE, and the identifier.
    pub(super) fn remembered(options: SubscriptionOptions, id: u32) -> Bytes {
        let [a, b, c, d] = id.to_be_bytes();
        Bytes::copy_from_slice(&[options.bits(), a, b, c, d])
    }

    /// Reads what [`Subscription::remembered`] wrote.
    pub(super) fn recall(filter: &str, pattern: Pattern, value: &[u8]) -> Option<Self> {
        let (&options, id) = value.split_first()?;
        let options = SubscriptionOptions::from_bits(options, Version::V5).ok()?;
        let id = u32::from_be_bytes(id.try_into().ok()?);
        Some(Self::new(filter, pattern, options, id))
    }

    pub(super) fn new(filter: &str, pattern: Pattern, options: SubscriptionOptions, id: u32) -> Self {
        Self {
            filter: filter.into(),
            pattern,
            qos: core_qos(options.qos),
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            id,
            shared: None,
            queue: None,
        }
    }
}
