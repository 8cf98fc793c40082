//! Why something that a client sent, or was to be sent, came to nothing: one total for each cause.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Why a message was dropped or something was refused at the edge of the broker.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// Every cause.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in statistics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

causes! {
    /// A message is larger than its receiver takes: not sent to it.
    TooLargeForClient = "too-large-for-client";
    /// A message cannot be said in its receiver's protocol: not sent to it.
    CannotBeSaid = "cannot-be-said";
    /// The contents of a message cannot be converted to its receiver's protocol: sent to it as they are.
    NotConverted = "not-converted";
    /// A message expired between its queue and its receiver, or where nothing stores it.
    ExpiredOnTheWay = "expired-on-the-way";
    /// A subscription was full: not kept for it.
    SubscriptionFull = "subscription-full";
    /// A destination refused a message: it was full, or there was no room in the log.
    RefusedByDestination = "refused-by-destination";
    /// A payload is not what its publisher says: not taken.
    PayloadFormat = "payload-format";
    /// The name of a topic is too long, has too many levels or cannot be published to: not taken.
    TopicName = "topic-name";
    /// A publication to a topic of the broker's own: not taken.
    OwnTopic = "own-topic";
    /// A filter is too long, has too many levels or cannot be subscribed to: refused.
    TopicFilter = "topic-filter";
    /// A client has as many subscriptions as it may: another one refused.
    Subscriptions = "subscriptions";
    /// A client has more publications unanswered than it may: disconnected.
    ReceiveMaximum = "receive-maximum";
    /// A packet is larger than the broker takes: the client disconnected.
    PacketTooLarge = "packet-too-large";
    /// A client publishes faster than it may: its reading paused.
    PublishRate = "publish-rate";
    /// A message came before, and was sent again after a lost connection: dropped, and confirmed.
    SentAgain = "sent-again";
}

/// A total for each [`Cause`].
#[derive(Debug, Default)]
pub struct Causes([AtomicU64; Cause::ALL.len()]);

impl Causes {
    /// Counts one.
    pub fn count(&self, cause: Cause) {
        self.add(cause, 1);
    }

    /// Counts several.
    pub fn add(&self, cause: Cause, count: u64) {
        if let Some(total) = self.0.get(cause as usize) {
            total.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The total since the start.
    pub fn of(&self, cause: Cause) -> u64 {
        self.0.get(cause as usize).map_or(0, |total| total.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_total_and_a_name_of_its_own() {
        let causes = Causes::default();
        for (nth, &cause) in Cause::ALL.iter().enumerate() {
            (0..=nth).for_each(|_| causes.count(cause));
            assert_eq!(causes.of(cause), nth as u64 + 1);
            assert_eq!(Cause::ALL.iter().filter(|other| other.name() == cause.name()).count(), 1);
        }
    }
}
