//! Browsers: a look at a queue's messages without taking them.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use wharfmq_base::Millis;
use wharfmq_core::{Address, CoreEvent, Entry, Filter, Kind, Message, Order, Pattern, QueueCell, QueueId};
use wharfmq_openwire::Destination;

use super::consume::{WILDCARD_EFFORT, queue_of};
use super::consumers::{CONSUMERS_MAX, Consumer};
use super::deliver::dispatch;
use super::fault::{INVALID_DESTINATION, RESOURCE, Stop};
use super::flights::Flight;
use super::message::Outgoing;
use super::{OUT_HIGH, Open, names};
use crate::broker::Port;

/// Messages looked at in one step.
const STEP: usize = 16;
/// Messages looked at before other connections have their turn, by all browsers of a connection: their
/// selectors may choose none of them.
const TURN: usize = 16 * STEP;

/// Where a browser stands.
pub(super) struct Browser {
    /// The queues that are still to be looked at, the next one last.
    queues: Vec<(Arc<QueueCell>, Arc<Destination>)>,
    /// Which messages it shows; `None` for all.
    filter: Option<Arc<Filter>>,
    next: Order,
    /// What came later than this is not shown, so that a busy queue has an end.
    until: Millis,
    ended: bool,
    shown: u64,
    /// Whether it is among those that have their turns.
    takes_turns: bool,
}

impl Browser {
    fn shows(&self, entry: &Entry, message: &Message, now: Millis) -> bool {
        message.received <= self.until
            && entry.expires > now
            && self.filter.as_ref().is_none_or(|filter| filter.matches(message, entry.deliveries))
    }
}

impl Open {
    pub(super) fn browse(
        &mut self,
        mut consumer: Consumer,
        patterns: &[Pattern],
        port: &mut Port,
    ) -> Result<(), Stop> {
        let mut queues: Vec<Arc<QueueCell>> = Vec::new();
        let mut known: HashSet<QueueId, RandomState> = HashSet::default();
        for pattern in patterns {
            if pattern.kind() == Kind::Topic {
                return Err(Stop::fault(INVALID_DESTINATION, "only a queue can be browsed"));
            }
            let exact = pattern.is_exact() || port.is_virtual_consumer(pattern.text());
            let found =
                if exact { vec![queue_of(pattern.text(), port)?] } else { port.queues_matching(pattern) };
            self.effort += if exact { 0 } else { WILDCARD_EFFORT };
            queues.extend(found.into_iter().filter(|queue| known.insert(queue.id)));
            if self.consumers.len() + queues.len() > CONSUMERS_MAX {
                let why =
                    format!("a connection may have {CONSUMERS_MAX} consumers, each queue browsed counted");
                return Err(Stop::fault(RESOURCE, why));
            }
        }
        consumer.weight = queues.len();
        let named = |queue: Arc<QueueCell>| {
            let destination = names::destination_of(&Address::queue(queue.name.clone()));
            (queue, Arc::new(destination))
        };
        consumer.browser = Some(Box::new(Browser {
            queues: queues.into_iter().rev().map(named).collect(),
            filter: consumer.want.filter.take(),
            next: Order(0),
            until: port.now.wall,
            ended: false,
            shown: 0,
            takes_turns: false,
        }));
        // A client that asks for each message gets the first ones unasked: it asks for nothing but the end.
        consumer.room = consumer.room.max(1);
        let tag = consumer.tag;
        self.consumers.insert(consumer);
        self.browse_more(tag, port);
        Ok(())
    }

    /// There is room for messages that a browser shows.
    pub(super) fn browse_more(&mut self, tag: u32, port: &mut Port) {
        let browser = self.consumers.get_mut(tag).and_then(|consumer| consumer.browser.as_mut());
        let Some(browser) = browser.filter(|browser| !browser.ended) else { return };
        if !std::mem::replace(&mut browser.takes_turns, true) {
            self.consumers.browsing.push_back(tag);
        }
        self.browse_on(port);
    }

    /// Shows what browsers have not shown yet and there is room for. What is too much for one turn follows in
    /// the next.
    pub(super) fn browse_on(&mut self, port: &mut Port) {
        let mut left = TURN;
        while left > 0
            && port.out.len() < OUT_HIGH
            && let Some(tag) = self.consumers.browsing.pop_front()
        {
            self.browse_turn(tag, &mut left, port);
        }
        if !self.consumers.browsing.is_empty() && !std::mem::replace(&mut self.consumers.called, true) {
            if port.out.len() >= OUT_HIGH {
                port.events.push_back(CoreEvent::Claimed);
            } else {
                port.call_again();
            }
        }
    }

    fn browse_turn(&mut self, tag: u32, left: &mut usize, port: &mut Port) {
        let Self { consumers, known, encoder, .. } = self;
        let Some(consumer) = consumers.get_mut(tag) else { return };
        let Some(mut browser) = consumer.browser.take() else { return };
        let before = consumer.flights.len();
        show(
            consumer,
            &mut browser,
            left,
            |destination, outgoing, id, port| {
                let sent_to = known.spell(outgoing.address);
                dispatch((encoder, known), id, destination, sent_to, outgoing, port);
            },
            port,
        );
        let shown = consumer.flights.len() - before;
        let ended = browser.ended.then(|| Arc::clone(&consumer.id));
        browser.takes_turns = !browser.ended && consumer.room > 0;
        let goes_on = browser.takes_turns;
        consumer.browser = Some(browser);
        consumers.flying += shown;
        if goes_on {
            consumers.browsing.push_back(tag);
        }
        if let Some(id) = ended {
            self.send_nothing(id, port);
        }
    }
}

/// Shows a browser's next messages, as many as there is room for and a turn allows.
fn show(
    consumer: &mut Consumer,
    browser: &mut Browser,
    left: &mut usize,
    mut send: impl FnMut(Arc<Destination>, &Outgoing<'_>, Arc<wharfmq_openwire::ConsumerId>, &mut Port),
    port: &mut Port,
) {
    while port.out.len() < OUT_HIGH && *left > 0 && consumer.room > 0 {
        let Some((queue, destination)) = browser.queues.last().cloned() else {
            browser.ended = true;
            return;
        };
        let most = STEP.min(consumer.room as usize);
        let found = port.browse(&queue, browser.next, most);
        *left = left.saturating_sub(found.len().max(1));
        let over = found.last().is_none_or(|(_, message)| message.received > browser.until);
        for (entry, message) in &found {
            browser.next = Order(entry.order.0 + 1);
            if !browser.shows(entry, message, port.now.wall) {
                continue;
            }
            browser.shown += 1;
            consumer.room -= 1;
            let sequence = message.id.0 + 1;
            consumer.flights.push(Flight { sequence, part: 0, tag: browser.shown, staged: 0 });
            send(
                Arc::clone(&destination),
                &Outgoing { deliveries: entry.deliveries, ..Outgoing::of(message) },
                Arc::clone(&consumer.id),
                port,
            );
        }
        if over {
            browser.queues.pop();
            browser.next = Order(0);
        }
    }
}
