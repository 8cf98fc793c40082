//! A queue as naive as can be: one list, searched from its beginning each time.

use std::collections::BTreeSet;

use wharfmq_base::Millis;

use crate::{Admission, DeadLetter, DeadReason, Dropped, Outcome, Overflow, QueuePolicy, QueueStats, limits};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Ready,
    Held { consumer: usize, tag: u64, staged: bool },
    Orphan { count: bool },
    Delayed(u64),
    Dying(DeadReason),
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) order: u64,
    pub(super) size: u64,
    pub(super) stored: bool,
    pub(super) expires: u64,
    pub(super) priority: u8,
    pub(super) deliveries: u8,
    pub(super) paged: bool,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) messages: i64,
    pub(super) bytes: i64,
    pub(super) priority: i8,
    pub(super) exclusive: bool,
    pub(super) counts: bool,
    pub(super) last_tag: u64,
    pub(super) gone: bool,
}

/// What the queue should have said.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// Consumer, tag, order, earlier deliveries.
    pub(super) delivered: Vec<(usize, u64, u64, u8)>,
    pub(super) settled: BTreeSet<u64>,
    pub(super) released: u64,
    pub(super) dead: Vec<(u64, DeadReason)>,
    pub(super) counted: BTreeSet<(u64, u8)>,
}

pub(super) struct Model {
    pub(super) policy: QueuePolicy,
    pub(super) items: Vec<Item>,
    pub(super) members: Vec<Member>,
    /// Whose turn it is, in front.
    ring: Vec<usize>,
    pub(super) stats: QueueStats,
    pub(super) said: Said,
}

impl Model {
    pub(super) fn new(policy: QueuePolicy) -> Self {
        let (items, members, ring) = (Vec::new(), Vec::new(), Vec::new());
        Self { policy, items, members, ring, stats: QueueStats::default(), said: Said::default() }
    }

    pub(super) fn admit(&self, messages: u64, bytes: u64) -> Admission {
        let total = self.items.len() as u64 + messages;
        let total_bytes = self.items.iter().map(|item| item.size).sum::<u64>() + bytes;
        let (most, most_bytes) = (self.policy.max_messages, self.policy.max_bytes);
        let over = |n| (most > 0 && total > n * most) || (most_bytes > 0 && total_bytes > n * most_bytes);
        match self.policy.overflow {
            Overflow::Reject if over(1) => Admission::Reject,
            Overflow::Block if over(1) && !self.items.is_empty() => Admission::Block,
            Overflow::DeadLetter if over(2) && !self.items.is_empty() => Admission::Block,
            _ => Admission::Accept,
        }
    }

    pub(super) fn enqueue(&mut self, items: Vec<Item>, now: u64) {
        self.stats.enqueued += items.len() as u64;
        self.items.extend(items);
        self.items.sort_by_key(|item| item.order);
        self.dispatch(now);
        while matches!(self.policy.overflow, Overflow::DropOldest | Overflow::DeadLetter) {
            let waits = |item: &&Item| matches!(item.place, Place::Ready | Place::Delayed(_));
            let waiting: Vec<&Item> = self.items.iter().filter(waits).collect();
            let bytes = waiting.iter().map(|item| item.size).sum::<u64>();
            let over = |n, max| max > 0 && n > max;
            if !over(waiting.len() as u64, self.policy.max_messages) && !over(bytes, self.policy.max_bytes) {
                break;
            }
            let (order, expires) = (waiting[0].order, waiting[0].expires);
            if expires <= now {
                self.expire(order);
            } else if self.policy.overflow == Overflow::DeadLetter {
                self.die(order, DeadReason::Overflow);
            } else {
                self.stats.dropped.overflow += 1;
                self.finish(order, true);
            }
        }
    }

    pub(super) fn attach(&mut self, member: Member, now: u64) {
        self.members.push(member);
        self.refresh();
        self.dispatch(now);
    }

    pub(super) fn grant(&mut self, n: usize, messages: i64, bytes: i64, now: u64) {
        if !self.members[n].gone {
            self.members[n].messages += messages;
            self.members[n].bytes += bytes;
            self.refresh();
            self.dispatch(now);
        }
    }

    pub(super) fn detach(&mut self, n: usize, handled: u64, now: u64) {
        if std::mem::replace(&mut self.members[n].gone, true) {
            return;
        }
        self.ring.retain(|&other| other != n);
        let count = self.members[n].counts;
        for (order, tag, staged) in self.held_by(n) {
            if !count && tag <= handled {
                self.item(order).expires = u64::MAX;
            }
            if staged {
                self.item(order).place = Place::Orphan { count };
            } else {
                self.give_back(order, Some(0), count && tag <= handled, now);
            }
        }
        self.dispatch(now);
    }

    pub(super) fn settle(
        &mut self,
        n: usize,
        (first, last): (u64, u64),
        outcome: Outcome,
        now: u64,
    ) -> usize {
        let counts = self.members[n].counts;
        let meant = self.open(n, first, last);
        for &(order, ..) in &meant {
            self.resolve(order, outcome, counts, now);
        }
        if !meant.is_empty() {
            self.dispatch(now);
        }
        meant.len()
    }

    pub(super) fn stage(&mut self, n: usize, first: u64, last: u64) -> Vec<u64> {
        let meant = self.open(n, first, last);
        for &(order, tag, _) in &meant {
            self.item(order).place = Place::Held { consumer: n, tag, staged: true };
        }
        meant.into_iter().map(|(order, ..)| order).collect()
    }

    fn resolve(&mut self, order: u64, outcome: Outcome, counts: bool, now: u64) {
        match outcome {
            Outcome::Accept => {
                self.stats.acked += 1;
                self.finish(order, true);
            }
            Outcome::Reject => {
                if counts {
                    self.count_failure(order);
                }
                self.die(order, DeadReason::Rejected);
            }
            Outcome::Retry | Outcome::Nack => self.give_back(order, None, counts, now),
            Outcome::Requeue { delay, count } => {
                self.give_back(order, Some(delay.0), count && counts, now);
            }
        }
    }

    /// A transaction is committed that refused these deliveries.
    pub(super) fn resolve_staged(&mut self, orders: &[u64], outcome: Outcome, now: u64) {
        for &order in orders {
            let counts = match self.item(order).place {
                Place::Held { consumer, .. } => self.members[consumer].counts,
                Place::Orphan { count } => count,
                _ => panic!("{order} is not staged"),
            };
            self.resolve(order, outcome, counts, now);
        }
        self.dispatch(now);
    }

    /// Waiting messages are given to a transaction whose consumer is gone.
    pub(super) fn claim(&mut self, order: u64) -> bool {
        let item = self.items.iter_mut().find(|item| item.order == order);
        let waits = |item: &&mut Item| matches!(item.place, Place::Ready | Place::Delayed(_));
        item.filter(waits).map(|item| item.place = Place::Orphan { count: true }).is_some()
    }

    pub(super) fn end_transaction(&mut self, orders: &[u64], commit: bool, now: u64) {
        for &order in orders {
            match self.item(order).place {
                _ if commit => {
                    self.stats.acked += 1;
                    self.finish(order, false);
                }
                Place::Orphan { count } => self.give_back(order, Some(0), count, now),
                Place::Held { consumer, tag, .. } => {
                    self.item(order).place = Place::Held { consumer, tag, staged: false };
                }
                _ => panic!("{order} is not staged"),
            }
        }
        self.dispatch(now);
    }

    /// `swept`: whether the sweep has found a message; the model has none of its own.
    pub(super) fn on_time(&mut self, now: u64, swept: impl Fn(u64) -> bool) {
        for item in &mut self.items {
            if matches!(item.place, Place::Delayed(at) if at <= now) {
                item.place = Place::Ready;
            }
        }
        let ready = self.items.iter().filter(|item| item.place == Place::Ready);
        let gone = ready.filter(|item| swept(item.order)).map(|item| (item.order, item.expires));
        for (order, expires) in gone.collect::<Vec<_>>() {
            if expires <= now {
                self.expire(order);
            }
        }
        self.dispatch(now);
    }

    pub(super) fn loaded(&mut self, orders: &[u64], now: u64) {
        for &order in orders {
            let Some(item) = self.items.iter_mut().find(|item| item.order == order) else { continue };
            match item.place {
                Place::Ready => item.paged = false,
                Place::Dying(reason) if item.paged => {
                    item.paged = false;
                    self.said.dead.push((order, reason));
                }
                _ => {}
            }
        }
        self.dispatch(now);
    }

    pub(super) fn load_failed(&mut self, orders: &[u64], now: u64) {
        for &order in orders {
            let item = self.items.iter().find(|item| item.order == order && item.paged);
            if let Some(Place::Dying(reason)) = item.map(|item| item.place) {
                self.revive(order, reason, now + 1_000, now);
            }
        }
        self.dispatch(now);
    }

    pub(super) fn buried(&mut self, order: u64) {
        self.stats.dead_lettered += 1;
        self.finish(order, false);
    }

    pub(super) fn exhumed(&mut self, order: u64, retry_at: u64, now: u64) {
        let Place::Dying(reason) = self.item(order).place else { panic!("{order} is not dying") };
        self.stats.exhumed += 1;
        self.revive(order, reason, retry_at, now);
        self.dispatch(now);
    }

    pub(super) fn purge(&mut self, budget: usize) -> usize {
        let mut waiting: Vec<_> = self.items.iter().filter(|item| item.place == Place::Ready).collect();
        waiting.sort_by_key(|item| (std::cmp::Reverse(self.lane(item)), item.order));
        waiting.extend(self.items.iter().filter(|item| matches!(item.place, Place::Delayed(_))));
        let orders: Vec<_> = waiting.iter().take(budget).map(|item| item.order).collect();
        for &order in &orders {
            self.stats.dropped.purged += 1;
            self.finish(order, true);
        }
        orders.len()
    }

    pub(super) fn stats(&self) -> QueueStats {
        let count =
            |pick: fn(&Place) -> bool| self.items.iter().filter(|item| pick(&item.place)).count() as u64;
        let bytes = |items: &mut dyn Iterator<Item = &Item>| items.map(|item| item.size).sum::<u64>();
        let resident = |item: &&Item| item.place == Place::Ready && !item.paged;
        QueueStats {
            ready: count(|place| *place == Place::Ready),
            in_flight: count(|place| matches!(place, Place::Held { .. } | Place::Orphan { .. })),
            delayed: count(|place| matches!(place, Place::Delayed(_))),
            dying: count(|place| matches!(place, Place::Dying(_))),
            bytes: bytes(&mut self.items.iter()),
            resident_bytes: bytes(&mut self.items.iter().filter(resident)),
            volatile_bytes: bytes(&mut self.items.iter().filter(|item| !item.stored)),
            consumers: self.members.iter().filter(|member| !member.gone).count() as u64,
            ..self.stats
        }
    }

    fn dispatch(&mut self, now: u64) {
        while let Some(n) = self.next_consumer() {
            let ready = self.items.iter().filter(|item| item.place == Place::Ready);
            let Some(head) = ready.max_by_key(|item| (self.lane(item), std::cmp::Reverse(item.order))) else {
                return;
            };
            let (order, size, deliveries) = (head.order, head.size, head.deliveries);
            if head.expires <= now {
                self.expire(order);
                continue;
            }
            if head.paged {
                return;
            }
            let member = &mut self.members[n];
            member.messages -= 1;
            member.bytes -= size as i64;
            member.last_tag += 1;
            let tag = member.last_tag;
            self.item(order).place = Place::Held { consumer: n, tag, staged: false };
            self.said.delivered.push((n, tag, order, deliveries));
            self.stats.dispatched += 1;
            self.stats.redelivered += u64::from(deliveries > 0);
            self.ring.retain(|&other| other != n);
            self.refresh();
        }
    }

    fn next_consumer(&self) -> Option<usize> {
        let exclusive =
            (0..self.members.len()).filter(|n| self.members[*n].exclusive && !self.members[*n].gone);
        match exclusive.min_by_key(|n| std::cmp::Reverse(self.members[*n].priority)) {
            Some(n) => self.is_ready(n).then_some(n),
            None => {
                let highest = self.ring.iter().map(|&n| self.members[n].priority).max()?;
                self.ring.iter().copied().find(|&n| self.members[n].priority == highest)
            }
        }
    }

    /// Whoever can take something and stands in no ring joins at its end.
    fn refresh(&mut self) {
        for n in 0..self.members.len() {
            let member = &self.members[n];
            if !member.gone && !member.exclusive && self.is_ready(n) && !self.ring.contains(&n) {
                self.ring.push(n);
            }
        }
    }

    fn is_ready(&self, n: usize) -> bool {
        self.members[n].messages > 0 && self.members[n].bytes > 0
    }

    fn lane(&self, item: &Item) -> u8 {
        if self.policy.priority { item.priority.min(9) } else { 0 }
    }

    fn count_failure(&mut self, order: u64) -> u8 {
        let item = self.item(order);
        item.deliveries += 1;
        let (deliveries, stored) = (item.deliveries, item.stored);
        if stored {
            self.said.counted.insert((order, deliveries));
        }
        deliveries
    }

    fn give_back(&mut self, order: u64, delay: Option<u64>, count: bool, now: u64) {
        let policy = self.policy.clone();
        if count {
            let deliveries = self.count_failure(order);
            if policy.max_deliveries > 0 && deliveries >= policy.max_deliveries {
                return self.die(order, DeadReason::MaxDeliveries);
            }
        }
        let item = self.item(order);
        let backoff = || {
            let factor = f64::from(policy.redelivery_backoff_permille) / 1_000.0;
            policy.redelivery_delay.0 as f64 * factor.powi(i32::from(item.deliveries.max(1)) - 1)
        };
        let delay = delay.unwrap_or_else(|| backoff() as u64);
        item.place = if delay > 0 { Place::Delayed(now + delay) } else { Place::Ready };
        item.paged |= item.stored && delay > limits::DELAY_RESIDENT_MS;
    }

    fn expire(&mut self, order: u64) {
        self.stats.expired += 1;
        if self.item(order).stored {
            self.die(order, DeadReason::Expired);
        } else {
            self.stats.dropped.expired += 1;
            self.finish(order, true);
        }
    }

    fn die(&mut self, order: u64, reason: DeadReason) {
        let expired = reason == DeadReason::Expired;
        let target = if expired { &self.policy.expired } else { &self.policy.dead_letter };
        if *target == DeadLetter::Drop {
            let Dropped { expired, poison, overflow, .. } = &mut self.stats.dropped;
            *match reason {
                DeadReason::Expired => expired,
                DeadReason::Overflow => overflow,
                DeadReason::MaxDeliveries | DeadReason::Rejected => poison,
            } += 1;
            return self.finish(order, true);
        }
        self.item(order).place = Place::Dying(reason);
        if !self.item(order).paged {
            self.said.dead.push((order, reason));
        }
    }

    fn revive(&mut self, order: u64, reason: DeadReason, visible_at: u64, now: u64) {
        self.stats.expired -= u64::from(reason == DeadReason::Expired);
        let place = if visible_at > now { Place::Delayed(visible_at) } else { Place::Ready };
        let item = self.item(order);
        item.place = place;
        item.paged |= item.stored && visible_at > now + limits::DELAY_RESIDENT_MS;
    }

    fn finish(&mut self, order: u64, record: bool) {
        let at = self.items.iter().position(|item| item.order == order).unwrap();
        if self.items.remove(at).stored {
            self.said.released += 1;
            if record {
                self.said.settled.insert(order);
            }
        }
    }

    fn open(&self, n: usize, first: u64, last: u64) -> Vec<(u64, u64, bool)> {
        let mut held = self.held_by(n);
        held.retain(|&(_, tag, staged)| !staged && first <= tag && tag <= last);
        held
    }

    fn held_by(&self, n: usize) -> Vec<(u64, u64, bool)> {
        let held = self.items.iter().filter_map(|item| match item.place {
            Place::Held { consumer, tag, staged } if consumer == n => Some((item.order, tag, staged)),
            _ => None,
        });
        held.collect()
    }

    fn item(&mut self, order: u64) -> &mut Item {
        self.items.iter_mut().find(|item| item.order == order).unwrap()
    }
}

/// What never expires, in the model's numbers.
pub(super) const NEVER: u64 = Millis::NEVER.0;
