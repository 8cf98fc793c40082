//! The settings that one pattern can make, and where a policy has its values from.

use bytestring::ByteString;
use wharfmq_base::Millis;

use super::pattern::Pattern;
use crate::{DeadLetter, Grouping, Nack, Overflow, QueuePolicy};

/// Declares the settings that a pattern can make, with their keys in the configuration. Those that
/// have a field of the same name in [`QueuePolicy`] are taken over by [`PartialPolicy::apply`].
macro_rules! settings {
    (
        policy { $( $(#[doc = $text:literal])+ $field:ident : $ty:ty, $variant:ident = $key:literal; )+ }
        topic { $( $(#[doc = $topic_text:literal])+ $topic:ident : $topic_ty:ty, $topic_variant:ident = $topic_key:literal; )+ }
    ) => {
        /// The settings of one pattern: those that are `Some` hold for what the pattern matches.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct PartialPolicy {
            $( $(#[doc = $text])+ pub $field: Option<$ty>, )+
            $( $(#[doc = $topic_text])+ pub $topic: Option<$topic_ty>, )+
        }

        /// A field of a policy that settings can set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum PolicyField {
            $( #[doc = concat!("[`PartialPolicy::", stringify!($field), "`]")] $variant, )+
            $( #[doc = concat!("[`PartialPolicy::", stringify!($topic), "`]")] $topic_variant, )+
        }

        impl PolicyField {
            /// All of them.
            pub const ALL: [Self; [$($key,)+ $($topic_key,)+].len()] =
                [$(Self::$variant,)+ $(Self::$topic_variant,)+];

            /// Its key in the configuration.
            pub const fn key(self) -> &'static str {
                match self {
                    $( Self::$variant => $key, )+
                    $( Self::$topic_variant => $topic_key, )+
                }
            }
        }

        impl PartialPolicy {
            /// Puts what is set into a policy; `put` is called with each field that was.
            pub(super) fn apply(
                &self,
                policy: &mut QueuePolicy,
                history: &mut HistoryPolicy,
                mut put: impl FnMut(PolicyField),
            ) {
                $( if assign(&mut policy.$field, &self.$field) { put(PolicyField::$variant); } )+
                $( if assign(&mut history.$topic, &self.$topic) { put(PolicyField::$topic_variant); } )+
            }
        }
    };
}

settings! {
    policy {
        /// See [`QueuePolicy::priority`].
        priority: bool, Priority = "priority";
        /// See [`QueuePolicy::max_messages`].
        max_messages: u64, MaxMessages = "max_messages";
        /// See [`QueuePolicy::max_bytes`].
        max_bytes: u64, MaxBytes = "max_bytes";
        /// See [`QueuePolicy::overflow`].
        overflow: Overflow, Overflow = "overflow";
        /// See [`QueuePolicy::expiry`].
        expiry: Millis, Expiry = "expiry";
        /// See [`QueuePolicy::max_deliveries`].
        max_deliveries: u8, MaxDeliveries = "max_deliveries";
        /// See [`QueuePolicy::redelivery_delay`].
        redelivery_delay: Millis, RedeliveryDelay = "redelivery_delay";
        /// See [`QueuePolicy::redelivery_backoff_permille`].
        redelivery_backoff_permille: u32, RedeliveryBackoff = "redelivery_backoff";
        /// See [`QueuePolicy::dead_letter`].
        dead_letter: DeadLetter, DeadLetter = "dead_letter";
        /// See [`QueuePolicy::expired`]. For queues it follows `dead_letter` where it is not set.
        expired: DeadLetter, Expired = "expired";
        /// See [`QueuePolicy::resident_bytes`].
        resident_bytes: u64, ResidentBytes = "resident_bytes";
        /// See [`QueuePolicy::nack`].
        nack: Nack, Nack = "nack";
        /// See [`QueuePolicy::lock`].
        lock: Millis, Lock = "lock_timeout";
        /// See [`QueuePolicy::groups`].
        groups: Grouping, Groups = "groups";
        /// See [`QueuePolicy::dedup`].
        dedup: Millis, Dedup = "dedup";
        /// See [`QueuePolicy::dedup_by`].
        dedup_by: ByteString, DedupBy = "dedup_by";
        /// See [`QueuePolicy::single_active`].
        single_active: bool, SingleActive = "single_active";
        /// See [`QueuePolicy::last_value`].
        last_value: Option<ByteString>, LastValue = "last_value";
        /// See [`QueuePolicy::paused`].
        paused: bool, Paused = "paused";
    }
    topic {
        /// See [`HistoryPolicy::history`].
        history: u64, History = "history";
        /// See [`HistoryPolicy::history_age`].
        history_age: Millis, HistoryAge = "history_age";
    }
}

/// What is kept of a topic for subscribers that come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// The last so many messages; 0 where only their age counts.
    pub history: u64,
    /// Those no older than this; 0 where only their number counts.
    pub history_age: Millis,
}

impl HistoryPolicy {
    /// Of a topic that keeps nothing.
    pub const NONE: Self = Self { history: 0, history_age: Millis(0) };

    /// Whether anything is kept.
    pub const fn is_some(&self) -> bool {
        self.history > 0 || self.history_age.0 > 0
    }
}

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyOrigin {
    /// Nothing sets it.
    Default,
    /// The settings of this pattern.
    Rule(Pattern),
    /// What the queue is for leaves no choice: sessions never dead-letter by count.
    Role,
    /// The queue takes dead letters: they neither expire nor move on.
    DeadLetterQueue,
}

/// One origin for each field.
pub(super) type Origins = [PolicyOrigin; PolicyField::ALL.len()];

fn assign<T: Clone>(to: &mut T, from: &Option<T>) -> bool {
    if let Some(value) = from {
        to.clone_from(value);
    }
    from.is_some()
}
