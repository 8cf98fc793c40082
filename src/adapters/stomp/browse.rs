//! Browsers: a look at a queue's messages without taking them.

use std::sync::Arc;

use bytes::BytesMut;
use wharfmq_base::Millis;
use wharfmq_core::{CoreEvent, Entry, Filter, Message, Order, QueueCell};

use super::message::{Outgoing, Writer};
use super::subs::{Source, Sub};
use super::{OUT_HIGH, Open};
use crate::broker::Port;

/// Messages looked at in one step.
const STEP: usize = 16;
/// Messages looked at before other connections have their turn: a selector may choose none of them.
const TURN: usize = 16 * STEP;

/// Where a browser stands.
#[derive(Clone)]
pub(super) struct Browser {
    queue: Arc<QueueCell>,
    /// Which messages it shows; `None` for all.
    filter: Option<Arc<Filter>>,
    next: Order,
    /// What came later than this is not shown, so that a busy queue has an end.
    until: Millis,
    ended: bool,
}

impl Browser {
    pub(super) const fn new(queue: Arc<QueueCell>, filter: Option<Arc<Filter>>, now: Millis) -> Self {
        Self { queue, filter, next: Order(0), until: now, ended: false }
    }

    fn shows(&self, entry: &Entry, message: &Message, now: Millis) -> bool {
        message.received <= self.until
            && entry.expires > now
            && self.filter.as_ref().is_none_or(|filter| filter.matches(message, entry.deliveries))
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
            let mut browser = browser.clone();
            show(sub, &mut browser, &mut writer, port);
            unfinished |= !browser.ended;
            sub.source = Source::Browser(browser);
        }
        if unfinished && port.out.len() >= OUT_HIGH {
            port.events.push_back(CoreEvent::Claimed);
        } else if unfinished {
            port.call_again();
        }
    }
}

/// Shows a browser's next messages, as many as there is room for and a turn allows.
fn show(sub: &Sub, browser: &mut Browser, writer: &mut Writer<'_>, port: &mut Port) {
    let mut seen = 0;
    while port.out.len() < OUT_HIGH && seen < TURN {
        let found = port.browse(&browser.queue, browser.next, STEP);
        browser.ended = found.last().is_none_or(|(_, message)| message.received > browser.until);
        seen += found.len();
        for (entry, message) in &found {
            browser.next = Order(entry.order.0 + 1);
            if browser.shows(entry, message, port.now.wall) {
                writer.write(sub, None, &Outgoing::of(message, entry.deliveries), port);
            }
        }
        if browser.ended {
            return port.out.with(|out| put_end(sub, out));
        }
    }
}

/// The MESSAGE that says there is no more, as ActiveMQ sends it.
fn put_end(sub: &Sub, out: &mut BytesMut) {
    out.extend_from_slice(&sub.start);
    out.extend_from_slice(b"message-id:0\n");
    out.extend_from_slice(b"browser:end\n\n\0");
}
