//! Looking through a whole queue, in the order of its messages and in small steps.

use wharfmq_base::Location;

use super::Queue;
use crate::{Entry, Order, limits};

impl Queue {
    /// The stored messages of the queue, in whatever state, with their delivery counts: about `budget`
    /// of them from `from` on, ascending, appended to `out`. Answers where to go on, `None` at the end.
    ///
    /// The queue may change between two calls. What was in it all the while is named; what came or went
    /// meanwhile may be or not, and the log tells.
    pub fn snapshot(&self, from: Order, budget: usize, out: &mut Vec<(Order, u8)>) -> Option<Order> {
        let (found, next) = self.scan(from, budget, true, |entry| entry.at.is_stored());
        out.extend(found.into_iter().map(|entry| (entry.order, entry.deliveries)));
        next
    }

    /// Copies of up to `max` messages from `from` on, ascending, appended to `out`: those that wait, are
    /// in flight or delayed; not those on their way to the dead letters. A message that is paged out is
    /// missing in its entry. Answers where to go on, `None` at the end.
    pub fn browse(&self, from: Order, max: usize, out: &mut Vec<Entry>) -> Option<Order> {
        let (found, next) = self.scan(from, max.min(limits::SCAN_BUDGET), false, |_| true);
        out.extend(found.into_iter().cloned());
        next
    }

    /// The message of this order, wherever in the queue it is.
    pub fn find(&self, order: Order) -> Option<&Entry> {
        let held = || self.held().find(|entry| entry.order == order);
        self.find_waiting(order).or_else(|| if order <= self.in_flight_top { held() } else { None })
    }

    /// The message of this order, unless a consumer has it.
    pub(super) fn find_waiting(&self, order: Order) -> Option<&Entry> {
        self.ready
            .get(order)
            .or_else(|| self.delayed.get(order))
            .or_else(|| self.dying.get(order))
            .or_else(|| self.orphans.get(&order).map(|orphan| &orphan.entry))
    }

    /// The log has moved a message. False where the queue does not have it at `from`: the copy is of no
    /// use to this queue. The caller accounts for the references.
    pub fn moved(&mut self, order: Order, from: Location, to: Location) -> bool {
        match self.find_mut(order) {
            Some(entry) if entry.at == from => {
                entry.at = to;
                true
            }
            _ => false,
        }
    }

    fn find_mut(&mut self, order: Order) -> Option<&mut Entry> {
        let Self { ready, delayed, dying, orphans, roster, in_flight_top, .. } = self;
        ready
            .get_mut(order)
            .or_else(|| delayed.get_mut(order))
            .or_else(|| dying.get_mut(order))
            .or_else(|| orphans.get_mut(&order).map(|orphan| &mut orphan.entry))
            .or_else(|| {
                let mut consumers = roster.iter_mut().take_while(|_| order <= *in_flight_top);
                consumers.find_map(|consumer| consumer.in_flight.get_mut(order))
            })
    }

    /// What consumers hold, in no order.
    pub(super) fn held(&self) -> impl Iterator<Item = &Entry> {
        self.roster.iter().flat_map(|(_, consumer)| consumer.in_flight.iter())
    }

    /// About `budget` entries from `from` on that `pick` chooses, ascending, and where to go on.
    fn scan(
        &self,
        from: Order,
        budget: usize,
        dying: bool,
        pick: impl Fn(&Entry) -> bool,
    ) -> (Vec<&Entry>, Option<Order>) {
        let mut scan = Scan { found: Vec::new(), budget: budget.max(1), pick, end: None };
        for lane in &self.ready.lanes {
            scan.add(lane.entries.range(from));
        }
        scan.add(self.delayed.range(from));
        scan.add(self.orphans.range(from..).map(|(_, orphan)| &orphan.entry));
        if dying {
            scan.add(self.dying.range(from));
        }
        if from <= self.in_flight_top {
            scan.add_unsorted(self.held().filter(|entry| entry.order >= from));
        }
        scan.finish()
    }
}

/// A merge of several sources, each looked at up to a budget.
struct Scan<'a, F> {
    found: Vec<&'a Entry>,
    budget: usize,
    pick: F,
    /// The first order that some source was not looked at for.
    end: Option<Order>,
}

impl<'a, F: Fn(&Entry) -> bool> Scan<'a, F> {
    fn add(&mut self, source: impl Iterator<Item = &'a Entry>) {
        for (looked, entry) in source.enumerate() {
            if self.is_past(entry.order) {
                return;
            }
            if looked == self.budget {
                self.end = Some(entry.order);
                return;
            }
            if (self.pick)(entry) {
                self.found.push(entry);
            }
        }
    }

    fn add_unsorted(&mut self, source: impl Iterator<Item = &'a Entry>) {
        for entry in source {
            if !self.is_past(entry.order) && (self.pick)(entry) {
                self.found.push(entry);
            }
        }
    }

    fn finish(mut self) -> (Vec<&'a Entry>, Option<Order>) {
        if let Some(end) = self.end {
            self.found.retain(|entry| entry.order < end);
        }
        if self.found.len() > self.budget {
            let (_, first_left, _) = self.found.select_nth_unstable_by_key(self.budget, |entry| entry.order);
            self.end = Some(first_left.order);
            self.found.truncate(self.budget);
        }
        self.found.sort_unstable_by_key(|entry| entry.order);
        (self.found, self.end)
    }

    fn is_past(&self, order: Order) -> bool {
        self.end.is_some_and(|end| order >= end)
    }
}
