//! What a batch of due jobs comes to: the messages that are sent, and the jobs that go on.

use std::sync::Arc;

use bytes::BytesMut;
use wharfmq_base::Millis;
use wharfmq_core::{Delivery, Item, Message, QueueCell, Span, Terms};

use super::schedule::{Job, route_through, stored};
use super::stage::{Extra, Stage};
use super::{Broker, Now, Refused, Route, is_temporary};

/// What a batch of jobs puts into one append.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) stage: Stage,
    pub(super) raw: BytesMut,
    /// For each publication of the stage the job it comes from.
    pub(super) of: Vec<usize>,
    /// Jobs that cannot be carried out now.
    pub(super) misfits: Vec<Misfit>,
    /// Messages that are sent.
    pub(super) sends: u64,
    /// The last route of a job that goes on.
    back: Option<Arc<Route>>,
}

/// A job that cannot be carried out.
pub(super) struct Misfit {
    /// Its place in the batch.
    pub(super) nth: usize,
    pub(super) why: String,
    pub(super) fate: Fate,
}

/// What becomes of a job that cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is tried again.
    Waits,
    /// It is a dead letter.
    Dies,
    /// Nothing: its destination was only to be there for a while.
    Ends,
}

impl Batch {
    pub(super) fn gather(broker: &Broker, jobs: &Arc<QueueCell>, deliveries: &[Delivery], now: Now) -> Self {
        let mut batch = Self::default();
        let size = |delivery: &Delivery| delivery.message.head.bytes.len() + delivery.message.body.len();
        batch.raw.reserve(deliveries.iter().map(size).sum());
        for (nth, delivery) in deliveries.iter().enumerate() {
            if let Err((why, fate)) = batch.add(broker, jobs, nth, &delivery.message, now.wall) {
                batch.misfits.push(Misfit { nth, why, fate });
            }
        }
        batch
    }

    /// Adds what becomes of one job. The error: why nothing, and what then.
    fn add(
        &mut self,
        broker: &Broker,
        jobs: &Arc<QueueCell>,
        nth: usize,
        message: &Message,
        now: Millis,
    ) -> Result<(), (String, Fate)> {
        let Some(job) = Job::of(&message.notes) else {
            return Err(("what is to become of it cannot be read".to_owned(), Fate::Dies));
        };
        let terms = message.terms.as_deref().cloned().unwrap_or_default();
        let firing = job.schedule.fire(terms.due, now);
        let item = self.item(message);
        if firing.sends {
            let route = broker.route(&message.address).map_err(|refused| {
                let gone = matches!(refused, Refused::Gone(_));
                (refused.to_string(), if gone { Fate::Ends } else { Fate::Waits })
            })?;
            let dedup = if job.schedule.is_repeating() {
                // Not duplicates of each other, whatever their headers say.
                format!("{}/{}", job.schedule.job, broker.ids.draw(1)).into()
            } else {
                terms.dedup.clone()
            };
            let own = Terms { group: job.group, due: Millis(0), dedup, ..terms.clone() };
            let expires = if job.life == Millis::NEVER { job.life } else { now.plus(job.life) };
            let retain = job.retain && !is_temporary(&message.address.name);
            let item = Item { qos: job.qos, retain, expires, ..item };
            self.push(&route, item, own.into(), nth);
            self.sends += 1;
        }
        for (due, schedule) in firing.then {
            let extra = Job { schedule, ..job }.extra(terms.clone(), due);
            let known = self.back.take().filter(|route| route.address == message.address);
            let route = known.unwrap_or_else(|| route_through(&message.address, jobs));
            self.push(&route, stored(item), extra, nth);
            self.back = Some(route);
        }
        Ok(())
    }

    pub(super) fn push(&mut self, route: &Arc<Route>, item: Item, extra: Extra, nth: usize) {
        let index = self.stage.push(route, item);
        self.stage.add(index, extra);
        self.of.push(nth);
    }

    /// Copies a message's bytes; the item that points to them.
    pub(super) fn item(&mut self, message: &Message) -> Item {
        let (head, body) = (&message.head.bytes, &message.body);
        let start = self.raw.len() as u32;
        self.raw.extend_from_slice(head);
        self.raw.extend_from_slice(body);
        let (head, body) = (head.len() as u32, body.len() as u32);
        Item {
            frame: Span { start, len: head + body },
            head: Span { start, len: head },
            body: Span { start: start + head, len: body },
            address: 0,
            patch: NO_PASS,
            tag: message.head.tag,
            qos: message.qos,
            retain: false,
            priority: message.priority,
            expires: Millis::NEVER,
        }
    }
}

/// Marks a frame that no client can be sent as it is.
const NO_PASS: u16 = u16::MAX;
