//! RemoveInfo: the end of consumers, producers, sessions and of the connection.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use wharfmq_openwire::{RemoveInfo, Structure};

use super::fault::Stop;
use super::replies::Reply;
use super::{Open, Phase};
use crate::adapters::Closed;
use crate::broker::Port;

/// A client says so where none of a consumer's messages was delivered.
const NONE_DELIVERED: i64 = -1;

impl Open {
    pub(super) fn on_remove(&mut self, info: &RemoveInfo, port: &mut Port) -> Result<Option<Reply>, Stop> {
        let reply = info.response_required.then_some(Reply::Response(info.command_id));
        let Some(object) = info.object_id.as_deref() else { return Ok(reply) };
        self.check_client()?;
        // What was sent before comes first.
        self.flush(port);
        let version = self.decoder.format().version;
        let last = if version < 5 { None } else { seen(info.last_delivered_sequence_id) };
        match object {
            Structure::ConsumerId(id) => {
                self.check_own(id.connection_id.as_ref())?;
                if let Some(tag) = self.consumers.of_id(id) {
                    self.end_consumers(vec![tag], last, port);
                }
            }
            Structure::ProducerId(id) => {
                self.check_own(id.connection_id.as_ref())?;
                self.producers.remove(id, port);
            }
            Structure::SessionId(id) => {
                self.check_own(id.connection_id.as_ref())?;
                self.effort += self.consumers.len() + self.producers.len();
                self.end_consumers(self.consumers.of_session(id.value), last, port);
                self.producers.remove_session(id.value, port);
            }
            Structure::ConnectionId(id) => {
                self.check_own(id.value.as_ref())?;
                self.end_consumers(self.consumers.tags(), last, port);
                self.client()?.end(port);
                self.phase = Phase::Leaving;
                return Ok(Some(Reply::Last(info.command_id)).filter(|_| info.response_required));
            }
            _ => return Err(Stop::jms("RemoveInfo names nothing that can be removed")),
        }
        Ok(reply)
    }

    /// Ends consumers: the latest first, so that each queue has its messages back in their order.
    pub(super) fn end_consumers(&mut self, tags: Vec<u32>, last: Option<u64>, port: &mut Port) {
        let mut parts: HashSet<u32, RandomState> = HashSet::default();
        for tag in tags.into_iter().rev() {
            let Some(consumer) = self.consumers.remove(tag) else { continue };
            self.effort += consumer.flights.len() + 16 * consumer.parts.len();
            consumer.end(last, port);
            parts.extend(consumer.parts.iter().map(|part| part.tag));
            for part in &consumer.parts {
                self.options.roll.remove_consumer(port.conn(), wharfmq_core::SubTag(part.tag));
            }
        }
        self.effort += port.events.len();
        // Once for all of them: it looks at each event.
        port.discard_deliveries(|sub| parts.contains(&sub.0));
    }

    /// A consumer's queue was deleted: the client is told, as ActiveMQ tells it.
    pub(super) fn on_revoked(&mut self, sub: wharfmq_core::SubTag, port: &mut Port) {
        let Some(tag) = self.consumers.of_part_mut(sub.0).map(|consumer| consumer.tag) else { return };
        let id = self.consumers.get_mut(tag).map(|consumer| Box::new((*consumer.id).clone()));
        self.end_consumers(vec![tag], Some(0), port);
        let control =
            wharfmq_openwire::ConsumerControl { consumer_id: id, close: true, ..Default::default() };
        self.send(&control, port);
    }

    pub(super) fn on_closed(&mut self, _how: &Closed, port: &mut Port) {
        self.flush(port);
        self.end_consumers(self.consumers.tags(), None, port);
    }
}

/// The last message that the client has seen; `None` where it does not know.
const fn seen(last: i64) -> Option<u64> {
    match last {
        NONE_DELIVERED => Some(0),
        1.. => Some(last as u64),
        _ => None,
    }
}
