//! How destinations are tied to each other.

use wharfmq_core::record::Class;
use wharfmq_core::{Forward, Kind};

use super::{Broker, Refused};

/// What reaches a destination beyond what is sent to it.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Whether a queue named `Consumer.NAME.VirtualTopic.REST` gets what is published to the topic
    /// `VirtualTopic.REST`.
    pub virtual_topics: bool,
    /// What is passed on.
    pub forwards: Vec<Forward>,
    /// Whether a shared subscription gives all messages of a topic to one member as long as it is there.
    pub shared_sticky: bool,
}

impl Broker {
    /// Puts the forwards into force and makes the queues that they lead to.
    pub(super) fn start_forwards(&self) -> Result<(), Refused> {
        for to in self.topology.forwards.iter().flat_map(|forward| &forward.to) {
            match to.kind {
                Kind::Queue => drop(self.queue(Class::Queue, &to.name, true)?),
                Kind::Topic => self.keep_history(to)?,
            }
        }
        self.router.set_forwards(self.topology.forwards.clone());
        for (nth, forward) in (0..).zip(&self.topology.forwards) {
            self.note_forward(nth, &forward.from);
        }
        Ok(())
    }
}
