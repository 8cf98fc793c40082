//! What is told about, and at which topics.

use wharfmq_core::{ADVISORY_PREFIX, Address, Kind, Pattern, limits};

use super::Event;
use crate::broker::{chosen_name, is_temporary};

/// A kind of what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum About {
    /// Clients that come and go.
    Connection,
    /// Queues that are made and deleted.
    Queue,
    /// Topics that somebody subscribes to, first and last.
    Topic,
    /// Temporary queues.
    TempQueue,
    /// Temporary topics.
    TempTopic,
    /// Consumers.
    Consumer,
    /// Producers.
    Producer,
    /// Messages whose time was over.
    Expired,
    /// Messages that went to a dead-letter queue.
    DeadLettered,
    /// Messages that were dropped.
    Discarded,
    /// Subscriptions that read too slowly.
    Slow,
    /// Queues that are full.
    Full,
}

impl About {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 12] = [
        Self::Connection,
        Self::Queue,
        Self::Topic,
        Self::TempQueue,
        Self::TempTopic,
        Self::Consumer,
        Self::Producer,
        Self::Expired,
        Self::DeadLettered,
        Self::Discarded,
        Self::Slow,
        Self::Full,
    ];

    /// The level that its topics have in common.
    const fn level(self) -> &'static str {
        match self {
            Self::Connection => "Connection",
            Self::Queue => "Queue",
            Self::Topic => "Topic",
            Self::TempQueue => "TempQueue",
            Self::TempTopic => "TempTopic",
            Self::Consumer => "Consumer",
            Self::Producer => "Producer",
            Self::Expired => "Expired",
            Self::DeadLettered => "MessageDLQd",
            Self::Discarded => "MessageDiscarded",
            Self::Slow => "SlowConsumer",
            Self::Full => "FULL",
        }
    }

    /// Its bit among all.
    pub(super) const fn bit(self) -> u32 {
        1 << self as u8
    }

    /// What is told about destinations of this kind.
    pub(super) fn destinations(address: &Address) -> Self {
        match (address.kind, is_temporary(&address.name)) {
            (Kind::Queue, false) => Self::Queue,
            (Kind::Topic, false) => Self::Topic,
            (Kind::Queue, true) => Self::TempQueue,
            (Kind::Topic, true) => Self::TempTopic,
        }
    }

    /// [`About::matched_by`] of a pattern's text.
    pub(super) fn matched_by_text(text: &str) -> u32 {
        if !text.starts_with("ActiveMQ.") {
            return 0;
        }
        Pattern::parse(Kind::Topic, text).map_or(0, |pattern| Self::matched_by(&pattern))
    }

    /// The bits of all whose topics a pattern can match.
    pub(super) fn matched_by(pattern: &Pattern) -> u32 {
        if pattern.kind() != Kind::Topic || !pattern.text().starts_with("ActiveMQ.") {
            return 0;
        }
        let may = |about: &&Self| {
            let mut wanted = pattern.text().split('.');
            for level in ["ActiveMQ", "Advisory", about.level()] {
                match wanted.next() {
                    Some(">") => return true,
                    Some(text) if text == "*" || text == level => {}
                    _ => return false,
                }
            }
            true
        };
        Self::ALL.iter().filter(may).fold(0, |bits, about| bits | about.bit())
    }
}

impl Event<'_> {
    /// What it is about.
    pub fn about(&self) -> About {
        match self {
            Self::Client(..) => About::Connection,
            Self::Destination(address, ..) => About::destinations(address),
            Self::Consumer(..) => About::Consumer,
            Self::Producer(..) => About::Producer,
            Self::Expired(_) => About::Expired,
            Self::DeadLettered(_) => About::DeadLettered,
            Self::Discarded(_) => About::Discarded,
            Self::Slow(_) => About::Slow,
            Self::Full(_) => About::Full,
        }
    }

    /// The destination that the topic is named after, if any.
    fn subject(&self) -> Option<&Address> {
        match self {
            Self::Client(..) | Self::Destination(..) => None,
            Self::Consumer(consuming, _) | Self::Slow(consuming) => Some(consuming.from),
            Self::Producer(producing, _) => Some(producing.to),
            Self::Expired(fate) | Self::DeadLettered(fate) | Self::Discarded(fate) => Some(fate.at),
            Self::Full(address) => Some(address),
        }
    }

    /// The topic that it is told at; `None` where that would have a name too long for any protocol. Temporary
    /// destinations go by the names that clients chose.
    pub(super) fn topic(&self) -> Option<Address> {
        let about = self.about();
        let Some(subject) = self.subject() else {
            return Some(Address::topic(format!("{ADVISORY_PREFIX}{}", about.level())));
        };
        let kind = match about {
            // These tell queue from topic only.
            About::Consumer | About::Producer | About::Expired => match subject.kind {
                Kind::Queue => "Queue",
                Kind::Topic => "Topic",
            },
            _ => About::destinations(subject).level(),
        };
        let name = chosen_name(&subject.name).unwrap_or(&subject.name);
        let topic = format!("{ADVISORY_PREFIX}{}.{kind}.{name}", about.level());
        (topic.len() <= limits::NAME_BYTES_MAX).then(|| Address::topic(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(text: &str) -> Vec<About> {
        let bits = About::matched_by(&Pattern::parse(Kind::Topic, text).unwrap());
        About::ALL.into_iter().filter(|about| bits & about.bit() != 0).collect()
    }

    #[test]
    fn bits_are_as_listed() {
        for (nth, about) in About::ALL.iter().enumerate() {
            assert_eq!(about.bit(), 1 << nth);
        }
    }

    #[test]
    fn patterns_tell_what_they_can_match() {
        assert_eq!(matched("ActiveMQ.Advisory.>"), About::ALL);
        assert_eq!(matched("ActiveMQ.>"), About::ALL);
        assert_eq!(matched("ActiveMQ.*.Queue"), [About::Queue]);
        assert_eq!(matched("ActiveMQ.Advisory.Consumer.Queue.>"), [About::Consumer]);
        assert_eq!(matched("ActiveMQ.Advisory.*.Queue.orders").len(), 12);
        for text in [">", "*.Advisory.Queue", "ActiveMQ.DLQ", "ActiveMQ", "ActiveMQ.Advisory", "$SYS.>"] {
            assert_eq!(matched(text), [], "{text}");
        }
        let queue = Pattern::parse(Kind::Queue, "ActiveMQ.>").unwrap();
        assert_eq!(About::matched_by(&queue), 0);
    }
}
