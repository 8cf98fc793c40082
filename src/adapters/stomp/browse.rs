//! Browsers: a look at a queue's messages without taking them.

use std::sync::Arc;

use bytes::BytesMut;
use wharfmq_base::Millis;
use wharfmq_core::{CoreEvent, Order, QueueCell};

use super::message::{Outgoing, Writer};
use super::subs::{Source, Sub};
use super::{OUT_HIGH, Open};
use crate::broker::Port;

/// Messages looked at in one step.
const STEP: usize = 16;

/// Where a browser stands.
pub(super) struct Browser {
    queue: Arc<QueueCell>,
    next: Order,
    /// What came later than this is not shown, so that a busy queue has an end.
    until: Millis,
    ended: bool,
}

impl Browser {
    pub(super) const fn new(queue: Arc<QueueCell>, now: Millis) -> Self {
        Self { queue, next: Order(0), until: now, ended: false }
    }
}

impl Open {
    /// Sends what browsers have not shown yet. What does not fit follows once there is room for it.
    pub(super) fn browse_on(&mut self, port: &mut Port) {
        let Self { version, spelling, scratch, subs, .. } = self;
        let own = port.temporary_prefix().cloned();
        let mut writer = Writer { version: *version, spelling, scratch, own };
        let mut unfinished = false;
        for sub in subs.iter_mut() {
            let Source::Browser(browser) = &mut sub.source else { continue };
            if browser.ended {
                continue;
            }
            let (queue, until, mut next) = (Arc::clone(&browser.queue), browser.until, browser.next);
            let ended = show(sub, &queue, until, &mut next, &mut writer, port);
            if let Source::Browser(browser) = &mut sub.source {
                (browser.next, browser.ended) = (next, ended);
            }
            unfinished |= !ended;
        }
        if unfinished {
            port.events.push_back(CoreEvent::Claimed);
        }
    }
}

/// Shows one browser's messages from `next` on; whether that was all.
fn show(
    sub: &Sub,
    queue: &Arc<QueueCell>,
    until: Millis,
    next: &mut Order,
    writer: &mut Writer<'_>,
    port: &mut Port,
) -> bool {
    while port.out.len() < OUT_HIGH {
        let found = port.browse(queue, *next, STEP);
        let fresh = found.last().is_none_or(|(_, message)| message.received > until);
        for (entry, message) in &found {
            *next = Order(entry.order.0 + 1);
            if message.received <= until && entry.expires > port.now.wall {
                writer.write(sub, None, &Outgoing::of(message, entry.deliveries), port);
            }
        }
        if fresh {
            port.out.with(|out| put_end(sub, out));
            return true;
        }
    }
    false
}

/// The MESSAGE that says there is no more, as ActiveMQ sends it.
fn put_end(sub: &Sub, out: &mut BytesMut) {
    out.extend_from_slice(&sub.start);
    out.extend_from_slice(b"message-id:0\n");
    out.extend_from_slice(b"browser:end\n\n\0");
}
