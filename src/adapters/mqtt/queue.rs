//! `$queue/NAME`: the point-to-point queue NAME, to send to and to consume from.

use std::sync::Arc;

use bytestring::ByteString;
use wharfmq_core::record::Class;
use wharfmq_core::{Address, ConsumeSpec, Credit, Kind, Outcome, SubTag, Tags};
use wharfmq_mqtt::Reason;

use super::Open;
use super::flights::Flight;
use super::options::Subscription;
use crate::broker::{Consumer, Port, is_temporary};

/// A subscription's place among the consumers of a queue.
pub(super) struct Source {
    pub(super) consumer: Consumer,
    /// What its messages are said to come from, whatever they were sent to.
    pub(super) address: Arc<Address>,
}

impl Open {
    /// Consumes from the queue that a subscription names.
    pub(super) fn consume(
        &self,
        tag: SubTag,
        mut sub: Subscription,
        port: &mut Port,
    ) -> Result<Subscription, Reason> {
        let name = ByteString::from(&**sub.pattern.text());
        if !sub.pattern.is_exact() {
            return Err(Reason::TOPIC_FILTER_INVALID);
        }
        if is_temporary(&name) {
            return Err(Reason::NOT_AUTHORIZED);
        }
        let address = Address::new(Kind::Queue, name.clone()).map_err(|_| Reason::TOPIC_FILTER_INVALID)?;
        let (queue, _) = port.open(Class::Queue, &name, true).map_err(|_| Reason::QUOTA_EXCEEDED)?;
        let want = ConsumeSpec { count_deliveries: true, who: self.client_id.clone(), ..self.want(tag) };
        let consumer = port.consume(&queue, want).map_err(|_| Reason::QUOTA_EXCEEDED)?;
        sub.queue = Some(Box::new(Source { consumer, address: Arc::new(address) }));
        Ok(sub)
    }

    /// What the messages of a subscription to a queue are said to come from.
    pub(super) fn source_of(&self, sub: SubTag) -> Option<Arc<Address>> {
        let source = self.subs.get(sub.0 as usize)?.as_ref()?.queue.as_ref()?;
        Some(Arc::clone(&source.address))
    }

    /// Ends a consumer of a queue. What the client was sent without answering it counts as failed.
    pub(super) fn end_consumer(&self, tag: SubTag, source: &Source, port: &mut Port) {
        let sent = self.flights.of(tag).into_iter().map(|(_, flight)| flight.tag).max();
        port.cancel(&source.consumer, sent.unwrap_or(0));
    }

    /// A client has answered a message with an error. A queue takes that as a negative acknowledgement;
    /// everything else drops the message (MQTT-4.8.2-6).
    pub(super) fn reject(&mut self, flight: Flight, port: &mut Port) {
        let sub = self.subs.get(flight.sub.0 as usize).and_then(Option::as_ref);
        match sub.and_then(|sub| sub.queue.as_ref()).map(|source| source.consumer.clone()) {
            Some(consumer) => {
                let credit = Credit { messages: 1, bytes: flight.size };
                port.settle(&consumer, Tags::One(flight.tag), Outcome::Nack, credit);
            }
            None => {
                port.count_rejected();
                self.finish(flight, port);
            }
        }
    }
}
