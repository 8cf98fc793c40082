//! MessagePull: a consumer without prefetch asks for each message.

use std::sync::Arc;

use wharfmq_base::Millis;
use wharfmq_openwire::MessagePull;

use super::Open;
use super::consumers::Source;
use super::fault::Stop;
use crate::broker::Port;

/// Does not wait.
const AT_ONCE: i64 = -1;
/// Milliseconds for which a message is waited for that is there and has to be read from the disk first.
const READING: Millis = Millis(200);

impl Open {
    pub(super) fn on_pull(&mut self, pull: &MessagePull, port: &mut Port) -> Result<(), Stop> {
        // What was sent before is there for it.
        self.flush(port);
        let Some(id) = pull.consumer_id.as_deref() else { return Ok(()) };
        self.check_own(id.connection_id.as_ref())?;
        let Some(consumer) = self.consumers.by_id_mut(id) else { return Ok(()) };
        let tag = consumer.tag;
        consumer.grant(1, port);
        let now = port.now.mono;
        let until = match pull.timeout {
            AT_ONCE if consumer.may_come() => now.plus(READING),
            AT_ONCE => now,
            span @ 1.. => now.plus(Millis(span as u64)),
            _ => Millis::NEVER,
        };
        consumer.pulls.push_back(until);
        self.consumers.pulling += 1;
        self.send_pending(tag, port);
        if until <= now {
            // What there is has been given out by now, and waits among the events.
            port.refresh(true);
            let _sent = self.on_events(port);
            self.end_pulls(port);
        }
        Ok(())
    }

    /// When the first client that waits has waited long enough.
    pub(super) fn next_pull_end(&self) -> Millis {
        if self.consumers.pulling == 0 {
            return Millis::NEVER;
        }
        self.consumers
            .iter()
            .flat_map(|consumer| consumer.pulls.iter().copied())
            .min()
            .unwrap_or(Millis::NEVER)
    }

    /// Tells those that have waited long enough that there is nothing.
    pub(super) fn end_pulls(&mut self, port: &mut Port) {
        if self.consumers.pulling == 0 {
            return;
        }
        let now = port.now.mono;
        let mut ended = Vec::new();
        for consumer in self.consumers.iter_mut() {
            let before = consumer.pulls.len();
            consumer.pulls.retain(|until| *until > now);
            let over = before - consumer.pulls.len();
            if over > 0 {
                consumer.withdraw(over as u32, port);
                ended.extend(std::iter::repeat_n(Arc::clone(&consumer.id), over));
            }
        }
        self.consumers.pulling -= ended.len();
        for id in ended {
            self.send_nothing(id, port);
        }
    }
}

impl super::consumers::Consumer {
    /// Whether one of its queues has something that may come.
    fn may_come(&self) -> bool {
        self.parts.iter().any(|part| match &part.source {
            Source::Queue(consumer, _) => consumer.queue.lock().queue().stats().ready > 0,
            Source::Topics(_) => false,
        })
    }

    /// Takes room back that was given for a message that did not come.
    fn withdraw(&mut self, messages: u32, port: &Port) {
        self.room = self.room.saturating_sub(messages);
        if let Some(pool) = &self.pool {
            return pool.take_back(messages);
        }
        for part in &self.parts {
            if let Source::Queue(consumer, _) = &part.source {
                port.withdraw(consumer, messages);
            }
        }
    }
}
