//! MessagePull: a consumer without prefetch asks for each message.

use std::sync::Arc;

use wharfmq_base::Millis;
use wharfmq_openwire::MessagePull;

use super::Open;
use super::consumers::{Consumer, Source};
use super::fault::{RESOURCE, Stop};
use crate::broker::Port;

/// Messages that the consumers of a connection may have asked for and not been sent. A client asks for one
/// at a time.
const PULLS_MAX: usize = 20_000;
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
        let is_full = self.consumers.pulling >= PULLS_MAX;
        let Some(consumer) = self.consumers.by_id_mut(id) else { return Ok(()) };
        if is_full {
            let why = format!("a connection may wait for {PULLS_MAX} messages that it has asked for");
            return Err(Stop::fault(RESOURCE, why));
        }
        let tag = consumer.tag;
        self.effort += 16 * consumer.parts.len();
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
            self.on_events(port).map_err(Stop::Close)?;
            self.end_pulls_of(tag, port);
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
        let is_over = |consumer: &&Consumer| consumer.pulls.iter().any(|until| *until <= now);
        let over: Vec<u32> = self.consumers.iter().filter(is_over).map(|consumer| consumer.tag).collect();
        for tag in over {
            self.end_pulls_of(tag, port);
        }
    }

    /// The same of one consumer.
    fn end_pulls_of(&mut self, tag: u32, port: &mut Port) {
        let Some(consumer) = self.consumers.get_mut(tag) else { return };
        let before = consumer.pulls.len();
        let now = port.now.mono;
        consumer.pulls.retain(|until| *until > now);
        let over = before - consumer.pulls.len();
        if over == 0 {
            return;
        }
        consumer.withdraw(over as u32, port);
        let id = Arc::clone(&consumer.id);
        self.consumers.pulling -= over;
        for _ in 0..over {
            self.send_nothing(Arc::clone(&id), port);
        }
    }
}

impl Consumer {
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
