//! Virtual topics: queues that get what is published to the topic they are named after.

use std::sync::Arc;

use wharfmq_core::record::Class;
use wharfmq_core::{Kind, Pattern, QueueCell};

use super::{Broker, Port};

/// The binding takes everything as it was sent.
const PERSISTENT: u8 = 2;

impl Port {
    /// Whether a queue of this name gets what is published to a virtual topic, and so is a queue even
    /// where it looks like a pattern.
    pub fn is_virtual_consumer(&self, queue: &str) -> bool {
        self.broker.topology.virtual_topics && topic_of(queue).is_some()
    }
}

impl Broker {
    /// Binds a queue to the virtual topic that it is named after, if any. The name says it all, so
    /// nothing of it is in the log.
    pub(super) fn bind_virtual(&self, queue: &Arc<QueueCell>) {
        if let Some(topic) = self.virtual_topic_of(queue) {
            self.router.bind(&topic, queue.id, Arc::clone(queue), PERSISTENT, false, None);
        }
    }

    /// Takes that binding away.
    pub(super) fn unbind_virtual(&self, queue: &QueueCell) {
        if let Some(topic) = self.virtual_topic_of(queue) {
            self.router.unbind(&topic, queue.id);
        }
    }

    fn virtual_topic_of(&self, queue: &QueueCell) -> Option<Pattern> {
        if !self.topology.virtual_topics || queue.class != Class::Queue {
            return None;
        }
        Pattern::parse(Kind::Topic, topic_of(&queue.name)?).ok()
    }
}

/// `VirtualTopic.REST` for `Consumer.NAME.VirtualTopic.REST`, where NAME is one level.
fn topic_of(queue: &str) -> Option<&str> {
    let (name, topic) = queue.strip_prefix("Consumer.")?.split_once('.')?;
    let rest = topic.strip_prefix("VirtualTopic.")?;
    // A wildcard there stands for the queues of all names.
    let is_name = !matches!(name, "" | "*" | ">");
    (is_name && !rest.is_empty()).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::topic_of;

    #[test]
    fn names_tell_the_topic() {
        assert_eq!(topic_of("Consumer.billing.VirtualTopic.orders"), Some("VirtualTopic.orders"));
        assert_eq!(topic_of("Consumer.a:b.VirtualTopic.orders.eu"), Some("VirtualTopic.orders.eu"));
        for other in [
            "orders",
            "Consumer.billing.orders",
            "Consumer.a.b.VirtualTopic.orders",
            "Consumer.billing.VirtualTopic",
            "Consumer.billing.VirtualTopic.",
            "Consumer..VirtualTopic.orders",
            "Consumer.*.VirtualTopic.orders",
            "consumer.billing.VirtualTopic.orders",
            "VirtualTopic.orders",
        ] {
            assert_eq!(topic_of(other), None, "{other}");
        }
    }
}
