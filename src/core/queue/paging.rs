//! Bodies of waiting messages leave memory and come back.

use std::sync::Arc;

use wharfmq_base::{Location, Millis};

use super::ready::Ready;
use super::{LOAD_RETRY, Queue};
use crate::{Effects, Message, Order, limits};

impl Ready {
    pub(super) fn loaded(&mut self, order: Order, message: &Arc<Message>) {
        let size = self.lanes.iter_mut().find_map(|lane| lane.loaded(order, message));
        self.resident_changed(size.unwrap_or(0), 0);
    }

    /// Whether consumers will soon reach what is paged out.
    fn runs_short(&self, window: u64) -> bool {
        let lane = self.first().map(|at| &self.lanes[at].paging);
        lane.is_some_and(|paging| paging.runs_short(window))
    }
}

impl Queue {
    /// Messages that [`Effects::load`] asked for have been read. Every order asked for is answered, here
    /// or by [`Queue::load_failed`]; those that have left the queue meanwhile are passed over.
    pub fn loaded(
        &mut self,
        messages: impl Iterator<Item = (Order, Arc<Message>)>,
        now: Millis,
        fx: &mut Effects,
    ) {
        let start = fx.settled.len();
        for (order, message) in messages {
            if self.loading == Some(order) {
                self.loading = None;
            }
            if self.dying.loaded(order, &message, fx) {
                if let Some(feeds) = &mut self.feeds {
                    feeds.answered(order, &mut self.roster);
                }
                continue;
            }
            match &mut self.feeds {
                Some(feeds) => {
                    if feeds.wanted.contains(&order) {
                        self.ready.loaded(order, &message);
                    }
                    feeds.peeked.insert(order, message);
                    feeds.answered(order, &mut self.roster);
                }
                None => self.ready.loaded(order, &message),
            }
        }
        self.conclude(start, now, fx);
    }

    /// Messages that [`Effects::load`] asked for could not be read. They are asked for again, a second
    /// later at the earliest.
    pub fn load_failed(&mut self, orders: impl Iterator<Item = Order>, now: Millis, fx: &mut Effects) {
        let start = fx.settled.len();
        self.load_retry_at = now.plus(LOAD_RETRY);
        for order in orders {
            if self.loading == Some(order) {
                self.loading = None;
            }
            if let Some(feeds) = &mut self.feeds {
                feeds.answered(order, &mut self.roster);
            }
            if let Some(dead) = self.dying.take_unloaded(order) {
                self.revive(dead, now.plus(LOAD_RETRY), now);
            }
        }
        self.conclude(start, now, fx);
    }

    /// Whether [`Queue::page_out`] has something to do.
    pub fn wants_page_out(&self) -> bool {
        self.ready.resident() > self.policy.resident_bytes
    }

    /// Bytes of the waiting messages that are in memory.
    pub const fn resident_bytes(&self) -> u64 {
        self.ready.resident()
    }

    /// Drops the bodies of waiting stored messages beyond [`crate::QueuePolicy::resident_bytes`], except
    /// those that the consumers get next and those at or behind `durable`, which may not be on the disk
    /// yet. Looks at no more than `budget` entries; goes on there the next time. The bytes it freed.
    pub fn page_out(&mut self, durable: Location, mut budget: usize) -> u64 {
        let (window, resident) = (self.window(), self.ready.resident());
        let mut freed = 0;
        // The last in line first.
        for lane in self.ready.lanes.iter_mut().rev() {
            let excess = (resident - freed).saturating_sub(self.policy.resident_bytes);
            if excess == 0 || budget == 0 {
                break;
            }
            freed += lane.page_out(window, excess, durable, &mut budget);
        }
        self.ready.resident_changed(0, freed);
        freed
    }

    /// Asks for the next paged messages where consumers will soon want them.
    pub(super) fn read_ahead(&mut self, now: Millis, fx: &mut Effects) {
        if self.loading.is_some() || now < self.load_retry_at || !self.ready.runs_short(self.window()) {
            return;
        }
        if let Some(at) = self.ready.first() {
            self.loading = self.ready.lanes[at].next_load(limits::LOAD_BYTES.min(self.window()), fx);
        }
    }

    /// Bytes of a lane that are kept in memory ahead of the consumers.
    fn window(&self) -> u64 {
        self.policy.resident_bytes / 2 / self.ready.lanes.len() as u64
    }
}
