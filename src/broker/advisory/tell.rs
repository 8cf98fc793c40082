//! Publishing what is told.

use std::sync::Arc;

use wharfmq_base::Millis;
use wharfmq_core::{Address, HeadTag, Item, MessageId, Qos, Span};

use super::{Event, News, Voice};
use crate::broker::Broker;
use crate::broker::flush::Flusher;
use crate::broker::stage::Stage;

/// Tells that nobody can use a frame as it is.
const NO_PATCH: u16 = u16::MAX;
/// The priority that ActiveMQ gives what it tells.
const PRIORITY: u8 = 0;

impl Broker {
    /// Publishes what happens. To be called without any lock, and only where [`super::Advisories::hears`]
    /// says so.
    #[cold]
    pub(in crate::broker) fn tell(&self, event: &Event<'_>) {
        let Some(voice) = self.advisories.voice.get() else { return };
        let Some(topic) = event.topic().map(Arc::new) else { return };
        let route = self.router.route(&topic);
        if route.is_empty() && route.shares.is_empty() {
            return;
        }
        let now = self.now();
        let mut raw = Vec::new();
        let item = say(&**voice, event, &topic, MessageId(self.ids.draw(1)), now.wall, &mut raw);
        let mut stage = Stage::default();
        stage.push(&route, item);
        let outbox = &self.advisories.outbox;
        let by = Flusher { outbox, now, own: &[], refuse_when_full: true, atomic: false };
        // Who is too slow for it is not waited for, and what is full goes without.
        let _ = self.flush(stage, raw.into(), &by, &[]);
    }
}

/// Appends a message that says what happens; the item that points to it.
pub(super) fn say(
    voice: &dyn Voice,
    event: &Event<'_>,
    topic: &Address,
    id: MessageId,
    at: Millis,
    raw: &mut Vec<u8>,
) -> Item {
    let start = raw.len();
    let said = voice.say(&News { topic, event, id, at }, raw);
    let (len, head) = (raw.len() - start, said.head.min(raw.len() - start));
    item(start as u32, len as u32, head as u32, said.tag)
}

fn item(start: u32, len: u32, head: u32, tag: HeadTag) -> Item {
    Item {
        frame: Span { start, len },
        head: Span { start, len: head },
        body: Span { start: start + head, len: len - head },
        address: 0,
        patch: NO_PATCH,
        tag,
        qos: Qos::AtMostOnce,
        retain: false,
        priority: PRIORITY,
        expires: Millis::NEVER,
    }
}
