//! Browsers: a look at a queue's messages without taking them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq_base::Millis;
use wharfmq_core::{CoreEvent, Entry, Filter, Message, MessageId, Order, QueueCell};

use super::fault::Stop;
use super::group::Several;
use super::message::{Outgoing, Writer};
use super::subs::{Source, Sub};
use super::subscribe::{Asked, Begun, queue_of};
use super::{OUT_HIGH, Open};
use crate::adapters::convert;
use crate::broker::Port;

/// Messages looked at in one step.
const STEP: usize = 16;
/// Messages looked at before other connections have their turn: a selector may choose none of them.
const TURN: usize = 16 * STEP;

/// Where a browser stands.
#[derive(Clone)]
pub(super) struct Browser {
    /// The queue that is being looked at; `None` at the end.
    queue: Option<Arc<QueueCell>>,
    /// Queues to look at afterwards, the last of them first.
    later: Vec<Arc<QueueCell>>,
    /// The header that names several queues, for the frame that ends it.
    named: Bytes,
    /// Which messages it shows; `None` for all.
    filter: Option<Arc<Filter>>,
    /// Nothing is shown until the message of this id has been met.
    behind: Option<MessageId>,
    next: Order,
    /// What came later than this is not shown, so that a busy queue has an end.
    until: Millis,
    ended: bool,
}

impl Browser {
    fn new(mut queues: Vec<Arc<QueueCell>>, filter: Option<Arc<Filter>>, now: Millis) -> Self {
        queues.reverse();
        Self {
            queue: queues.pop(),
            later: queues,
            named: Bytes::new(),
            filter,
            behind: None,
            next: Order(0),
            until: now,
            ended: false,
        }
    }

    /// Begins behind the message of this id. One that came to its queue in the usual way stands in the
    /// place of its number; what was moved there is met on the way.
    fn starting_behind(mut self, id: MessageId) -> Self {
        let place = Order(id.0);
        let is_there = |queue: &Arc<QueueCell>| queue.lock().queue().find(place).is_some();
        if self.queue.as_ref().is_some_and(is_there) {
            self.next = Order(id.0.saturating_add(1));
        } else {
            self.behind = Some(id);
        }
        self
    }

    /// There is nothing more in the queue. False where the browser ends with it.
    fn turn_page(&mut self) -> bool {
        if let Some(id) = self.behind.take() {
            // The message has gone: what came after it is still of interest.
            self.next = Order(id.0.saturating_add(1));
            return self.queue.is_some();
        }
        (self.queue, self.next) = (self.later.pop(), Order(0));
        self.queue.is_some()
    }

    fn shows(&self, entry: &Entry, message: &Message, now: Millis) -> bool {
        message.received <= self.until
            && entry.expires > now
            && self.filter.as_ref().is_none_or(|filter| filter.matches(message, entry.deliveries))
    }
}

impl Open {
    /// Looks at queues: at one, at those of a list, at those that match a pattern now.
    pub(super) fn subscribe_browser(
        &mut self,
        asked: &Asked<'_>,
        begun: Begun,
        wanted: &Several,
        destination: &str,
        port: &mut Port,
    ) -> Result<(), Stop> {
        if !wanted.topics.is_empty() {
            return Err(Stop::fault("only a queue can be browsed"));
        }
        if asked.name.is_some() {
            return Err(Stop::fault("a durable subscription is one to a topic, not to a queue"));
        }
        let queues = queues_of(wanted, port)?;
        let behind = asked.browse_from()?;
        if behind.is_some() && queues.len() != 1 {
            return Err(Stop::fault("browse-from is for a browser of one queue"));
        }
        let sub = match &queues[..] {
            [queue] => {
                let (start, from) = self.start_of_queue(begun.id.as_deref(), queue, port);
                let browser = Browser::new(queues, asked.filter.clone(), port.now.wall);
                let browser = behind.into_iter().fold(browser, Browser::starting_behind);
                let sub = Sub::new(begun.tag, begun.key, begun.mode, Source::Browser(browser));
                Sub { start, from: Some(from), ..sub }
            }
            _ => {
                let mut line = BytesMut::new();
                convert::put_header(&mut line, "destination", &[destination]);
                let browser = Browser::new(queues, asked.filter.clone(), port.now.wall);
                let browser = Browser { named: line.freeze(), ..browser };
                let start = self.frame_start(begun.id.as_deref(), None);
                let sub = Sub::new(begun.tag, begun.key, begun.mode, Source::Browser(browser));
                Sub { start, ..sub }
            }
        };
        self.subs.insert(sub);
        self.browse_on(port);
        Ok(())
    }

    /// Sends what browsers have not shown yet. What does not fit follows once there is room for it.
    pub(super) fn browse_on(&mut self, port: &mut Port) {
        let Self { version, spelling, scratch, subs, limits, .. } = self;
        let own = port.temporary_prefix().cloned();
        let mut writer = Writer { version: *version, spelling, scratch, own, most: limits.frame };
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
        let found = browser.queue.as_ref().map(|queue| port.browse(queue, browser.next, STEP));
        let found = found.unwrap_or_default();
        let all = found.last().is_none_or(|(_, message)| message.received > browser.until);
        seen += found.len().max(1);
        for (entry, message) in &found {
            browser.next = Order(entry.order.0 + 1);
            if browser.behind.is_some() {
                browser.behind.take_if(|id| *id == message.id);
            } else if browser.shows(entry, message, port.now.wall) {
                writer.write(sub, None, &Outgoing::of(message, entry.deliveries), port);
            }
        }
        if all && !browser.turn_page() {
            browser.ended = true;
            return port.out.with(|out| put_end(sub, browser, out));
        }
    }
}

/// The queues that are named or that match, each once.
fn queues_of(wanted: &Several, port: &mut Port) -> Result<Vec<Arc<QueueCell>>, Stop> {
    let mut queues: Vec<Arc<QueueCell>> = Vec::new();
    for pattern in &wanted.queues {
        let named = pattern.is_exact() || port.is_virtual_consumer(pattern.text());
        let of_pattern =
            if named { vec![queue_of(pattern.text(), port)?] } else { port.queues_matching(pattern) };
        for queue in of_pattern {
            if !queues.iter().any(|known| known.id == queue.id) {
                queues.push(queue);
            }
        }
    }
    Ok(queues)
}

/// The MESSAGE that says there is no more, as ActiveMQ sends it.
fn put_end(sub: &Sub, browser: &Browser, out: &mut BytesMut) {
    out.extend_from_slice(&sub.start);
    out.extend_from_slice(&browser.named);
    out.extend_from_slice(b"message-id:0\n");
    out.extend_from_slice(b"browser:end\n\n\0");
}
