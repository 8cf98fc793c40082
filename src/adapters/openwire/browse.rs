//! Browsers: a look at a queue's messages without taking them.

use std::sync::Arc;

use wharfmq_base::Millis;
use wharfmq_core::{Address, CoreEvent, Entry, Filter, Kind, Message, Order, Pattern, QueueCell};
use wharfmq_openwire::Destination;

use super::consume::queue_of;
use super::consumers::Consumer;
use super::deliver::dispatch;
use super::fault::{INVALID_DESTINATION, Stop};
use super::flights::Flight;
use super::message::Outgoing;
use super::{OUT_HIGH, Open, names};
use crate::broker::Port;

/// Messages looked at in one step.
const STEP: usize = 16;
/// Messages looked at before other connections have their turn: a selector may choose none of them.
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
        for pattern in patterns {
            if pattern.kind() == Kind::Topic {
                return Err(Stop::fault(INVALID_DESTINATION, "only a queue can be browsed"));
            }
            let exact = pattern.is_exact() || port.is_virtual_consumer(pattern.text());
            let found =
                if exact { vec![queue_of(pattern.text(), port)?] } else { port.queues_matching(pattern) };
            for queue in found {
                if !queues.iter().any(|known| known.id == queue.id) {
                    queues.push(queue);
                }
            }
        }
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
        }));
        // A client that asks for each message gets the first ones unasked: it asks for nothing but the end.
        consumer.room = consumer.room.max(1);
        self.consumers.insert(consumer);
        self.browse_on(port);
        Ok(())
    }

    /// Shows what browsers have not shown yet. What does not fit follows once there is room for it.
    pub(super) fn browse_on(&mut self, port: &mut Port) {
        if self.consumers.browsers == 0 {
            return;
        }
        let Self { consumers, known, encoder, .. } = self;
        let mut ended = Vec::new();
        let mut unfinished = false;
        for consumer in consumers.iter_mut() {
            let Some(mut browser) = consumer.browser.take() else { continue };
            if !browser.ended {
                show(
                    consumer,
                    &mut browser,
                    |destination, outgoing, id, port| {
                        let sent_to = known.spell(outgoing.address);
                        dispatch((encoder, known), id, destination, sent_to, outgoing, port);
                    },
                    port,
                );
                if browser.ended {
                    ended.push(Arc::clone(&consumer.id));
                } else {
                    unfinished |= consumer.room > 0;
                }
            }
            consumer.browser = Some(browser);
        }
        for id in ended {
            self.send_nothing(id, port);
        }
        if unfinished && port.out.len() >= OUT_HIGH {
            port.events.push_back(CoreEvent::Claimed);
        } else if unfinished {
            port.call_again();
        }
    }
}

/// Shows a browser's next messages, as many as there is room for and a turn allows.
fn show(
    consumer: &mut Consumer,
    browser: &mut Browser,
    mut send: impl FnMut(Arc<Destination>, &Outgoing<'_>, Arc<wharfmq_openwire::ConsumerId>, &mut Port),
    port: &mut Port,
) {
    let mut seen = 0;
    while port.out.len() < OUT_HIGH && seen < TURN && consumer.room > 0 {
        let Some((queue, destination)) = browser.queues.last().cloned() else {
            browser.ended = true;
            return;
        };
        let most = STEP.min(consumer.room as usize);
        let found = port.browse(&queue, browser.next, most);
        seen += found.len().max(1);
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
