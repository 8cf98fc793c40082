//! Random commands against the naive model.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use wharfmq_base::{Location, Millis};

use super::kit::{Bench, message, place};
use super::model::{Item, Member, Model, NEVER, Place, Said};
use crate::{
    Admission, ConsumeSpec, ConsumerKey, Credit, DeadLetter, Entry, GroupId, Order, Outcome, Overflow,
    QueuePolicy, Staged, Tags,
};

#[derive(Clone, Copy, Debug)]
pub(super) struct New {
    persistent: bool,
    paged: bool,
    priority: u8,
    ttl: Option<u64>,
    body: usize,
    /// Leaves an order out, for somebody who comes later.
    skip: bool,
}

/// Numbers that name something are taken modulo what there is.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Enqueue(Vec<New>),
    EnqueueSkipped(New),
    Unreserve(u64),
    Attach {
        credit: (u32, u32),
        priority: i8,
        exclusive: bool,
        counts: bool,
    },
    Detach(usize, u64),
    Grant(usize, u32, u32),
    Settle(usize, Meant, Outcome),
    Stage(usize, Meant),
    EndTransaction(bool),
    /// Of one consumer's staged deliveries.
    ResolveStaged(Outcome),
    Claim(Vec<u64>),
    Pass(u64),
    PageOut {
        durable: u64,
        budget: usize,
    },
    Load(bool),
    Bury(usize),
    Exhume(usize, u64),
    Purge(usize),
    Move(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Meant {
    One(u64),
    UpTo(u64),
    Range(u64, u64),
}

/// What a log would hold.
#[derive(Clone, Debug)]
pub(super) enum Record {
    Enqueued(Order),
    Counted(Order, u8),
    Settled(Order),
}

fn new_message() -> impl Strategy<Value = New> {
    let ttl = prop_oneof![3 => Just(None), 1 => (0..5_000u64).prop_map(Some)];
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (flags, 0..12u8, ttl, 0..400usize).prop_map(|((persistent, paged, skip), priority, ttl, body)| New {
        persistent,
        paged,
        priority,
        ttl,
        body,
        skip,
    })
}

fn meant() -> impl Strategy<Value = Meant> {
    prop_oneof![
        any::<u64>().prop_map(Meant::One),
        any::<u64>().prop_map(Meant::UpTo),
        any::<(u64, u64)>().prop_map(|(a, b)| Meant::Range(a, b)),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let delay = prop_oneof![Just(0), 1..2_000u64].prop_map(Millis);
    prop_oneof![
        5 => Just(Outcome::Accept),
        3 => (delay, any::<bool>()).prop_map(|(delay, count)| Outcome::Requeue { delay, count }),
        2 => Just(Outcome::Retry),
        1 => Just(Outcome::Reject),
    ]
}

fn attach() -> impl Strategy<Value = Command> {
    let credit = (0..30u32, prop_oneof![Just(0u32), 1..3_000u32, Just(1_000_000)]);
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.8));
    (credit, -1..2i8, flags).prop_map(|(credit, priority, (exclusive, counts))| Command::Attach {
        credit,
        priority,
        exclusive,
        counts,
    })
}

pub(super) fn command() -> impl Strategy<Value = Command> {
    let n = 0..1_000usize;
    prop_oneof![
        12 => vec(new_message(), 1..12).prop_map(Command::Enqueue),
        3 => new_message().prop_map(Command::EnqueueSkipped),
        1 => any::<u64>().prop_map(Command::Unreserve),
        4 => attach(),
        2 => (n.clone(), 0..30u64).prop_map(|(n, handled)| Command::Detach(n, handled)),
        8 => (n.clone(), 0..20u32, 0..3_000u32).prop_map(|(n, m, b)| Command::Grant(n, m, b)),
        14 => (n.clone(), meant(), outcome()).prop_map(|(n, tags, outcome)| Command::Settle(n, tags, outcome)),
        4 => (n.clone(), meant()).prop_map(|(n, tags)| Command::Stage(n, tags)),
        2 => any::<bool>().prop_map(Command::EndTransaction),
        2 => outcome().prop_map(Command::ResolveStaged),
        1 => vec(any::<u64>(), 1..4).prop_map(Command::Claim),
        6 => (0..1_500u64).prop_map(Command::Pass),
        8 => (any::<u64>(), 0..60usize).prop_map(|(durable, budget)| Command::PageOut { durable, budget }),
        6 => prop::bool::weighted(0.8).prop_map(Command::Load),
        4 => n.clone().prop_map(Command::Bury),
        2 => (n.clone(), 0..1_000u64).prop_map(|(n, delay)| Command::Exhume(n, delay)),
        1 => (0..8usize).prop_map(Command::Purge),
        2 => n.prop_map(Command::Move),
    ]
}

pub(super) fn policy() -> impl Strategy<Value = QueuePolicy> {
    let overflow = prop_oneof![
        Just(Overflow::Block),
        Just(Overflow::Reject),
        Just(Overflow::DropOldest),
        Just(Overflow::DeadLetter)
    ];
    let limits =
        (overflow, prop_oneof![2 => Just(0), 1 => 1..60u64], prop_oneof![3 => Just(0), 1 => 1..9_000u64]);
    let redelivery = (0..5u8, prop_oneof![Just(0), 1..2_000u64], prop_oneof![Just(1_000), Just(2_000)]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (limits, redelivery, flags, 0..6_000u64).prop_map(|(limits, redelivery, flags, resident_bytes)| {
        let letters = |drop| if drop { DeadLetter::Drop } else { QueuePolicy::default().dead_letter };
        QueuePolicy {
            priority: flags.0,
            overflow: limits.0,
            max_messages: limits.1,
            max_bytes: limits.2,
            max_deliveries: redelivery.0,
            redelivery_delay: Millis(redelivery.1),
            redelivery_backoff_permille: redelivery.2,
            dead_letter: letters(flags.1),
            expired: letters(flags.2),
            resident_bytes,
            ..QueuePolicy::default()
        }
    })
}

/// A queue and its model, side by side.
pub(super) struct Sim {
    pub(super) bench: Bench,
    pub(super) model: Model,
    keys: Vec<ConsumerKey>,
    staged: Vec<Staged>,
    /// Asked for and not answered.
    loads: Vec<Order>,
    next_order: u64,
    skipped: Vec<u64>,
    pub(super) log: Vec<Record>,
}

impl Sim {
    pub(super) fn new(policy: QueuePolicy) -> Self {
        Self {
            bench: Bench::new(policy.clone()),
            model: Model::new(policy),
            keys: Vec::new(),
            staged: Vec::new(),
            loads: Vec::new(),
            next_order: 1,
            skipped: Vec::new(),
            log: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, command: &Command) {
        match command {
            Command::Enqueue(..) | Command::EnqueueSkipped(_) | Command::Unreserve(_) => {
                self.take_in(command)
            }
            Command::Attach { .. } | Command::Detach(..) | Command::Grant(..) => self.consumers(command),
            Command::Settle(..) | Command::Stage(..) => self.settles(command),
            Command::EndTransaction(_) | Command::ResolveStaged(_) | Command::Claim(_) => {
                self.transactions(command);
            }
            _ => self.housekeeping(command),
        }
        self.compare();
    }

    fn now(&self) -> u64 {
        self.bench.now.0
    }

    fn take_in(&mut self, command: &Command) {
        let entries: Vec<Entry> = match command {
            Command::Enqueue(new) => new.iter().map(|new| self.entry(new, None)).collect(),
            Command::EnqueueSkipped(new) => {
                let Some(order) = self.skipped.pop() else { return };
                vec![self.entry(new, Some(order))]
            }
            Command::Unreserve(n) => {
                let messages = n % 3;
                if self.bench.queue.admit(messages, messages * 500) == Admission::Accept {
                    self.bench.queue.unreserve(messages, messages * 500);
                }
                return;
            }
            _ => return,
        };
        let bytes = entries.iter().map(|entry| u64::from(entry.size)).sum();
        let admission = self.bench.queue.admit(entries.len() as u64, bytes);
        assert_eq!(admission, self.model.admit(entries.len() as u64, bytes));
        if admission != Admission::Accept {
            return;
        }
        let stored = entries.iter().filter(|entry| entry.at.is_stored());
        self.log.extend(stored.map(|entry| Record::Enqueued(entry.order)));
        self.model.enqueue(entries.iter().map(item).collect(), self.now());
        self.bench.enqueue(entries);
    }

    fn entry(&mut self, new: &New, order: Option<u64>) -> Entry {
        let order = order.unwrap_or_else(|| {
            if new.skip {
                self.skipped.push(self.next_order);
                self.next_order += 1;
            }
            self.next_order += 1;
            self.next_order - 1
        });
        let message = message(order, new.body);
        Entry {
            order: Order(order),
            size: message.size(),
            message: (!(new.paged && new.persistent)).then_some(message),
            at: if new.persistent { place(order) } else { Location::NOWHERE },
            expires: new.ttl.map_or(Millis::NEVER, |ttl| Millis(self.now() + ttl)),
            deliveries: 0,
            priority: new.priority,
            flags: 0,
            closes_group: false,
            group: GroupId::NONE,
        }
    }

    fn consumers(&mut self, command: &Command) {
        let now = self.now();
        match *command {
            Command::Attach { credit: (messages, bytes), priority, exclusive, counts } => {
                let credit = Credit { messages, bytes };
                let spec = self.bench.spec(credit);
                let spec = ConsumeSpec { priority, exclusive, count_deliveries: counts, ..spec };
                let key = self.bench.attach_spec(spec);
                self.keys.push(key);
                let (messages, bytes) = (i64::from(messages), i64::from(bytes));
                let member =
                    Member { messages, bytes, priority, exclusive, counts, last_tag: 0, gone: false };
                self.model.attach(member, now);
            }
            Command::Detach(n, handled) if !self.keys.is_empty() => {
                let n = n % self.keys.len();
                assert_eq!(!self.model.members[n].gone, self.detach(n, handled));
            }
            Command::Grant(n, messages, bytes) if !self.keys.is_empty() => {
                let n = n % self.keys.len();
                let credit = Credit { messages, bytes };
                self.bench.queue.grant(self.keys[n], credit, self.bench.now, &mut self.bench.fx);
                self.model.grant(n, i64::from(messages), i64::from(bytes), now);
            }
            _ => {}
        }
    }

    fn detach(&mut self, n: usize, handled: u64) -> bool {
        let now = self.now();
        self.model.detach(n, handled, now);
        self.bench.queue.detach(self.keys[n], handled, self.bench.now, &mut self.bench.fx)
    }

    fn settles(&mut self, command: &Command) {
        let (now, Bench { queue, fx, now: time, .. }) = (self.bench.now.0, &mut self.bench);
        match *command {
            Command::Settle(n, meant, outcome) if !self.keys.is_empty() => {
                let n = n % self.keys.len();
                let (tags, bounds) = meant.tags(self.model.members[n].last_tag);
                let found = queue.settle(self.keys[n], tags, outcome, *time, fx);
                assert_eq!(found, self.model.settle(n, bounds, outcome, now));
            }
            Command::Stage(n, meant) if !self.keys.is_empty() => {
                let n = n % self.keys.len();
                let (tags, (first, last)) = meant.tags(self.model.members[n].last_tag);
                let start = self.staged.len();
                queue.stage(self.keys[n], tags, &mut self.staged);
                let mut orders: Vec<_> = self.staged[start..].iter().map(|staged| staged.order.0).collect();
                orders.sort_unstable();
                assert_eq!(orders, self.model.stage(n, first, last));
            }
            _ => {}
        }
    }

    fn transactions(&mut self, command: &Command) {
        let (now, Bench { queue, fx, now: time, .. }) = (self.bench.now.0, &mut self.bench);
        match command {
            &Command::EndTransaction(commit) => {
                let staged = std::mem::take(&mut self.staged);
                let orders: Vec<_> = staged.iter().map(|staged| staged.order.0).collect();
                self.model.end_transaction(&orders, commit, now);
                let found = if commit {
                    let named = staged.iter().filter(|staged| staged.stored);
                    self.log.extend(named.map(|staged| Record::Settled(staged.order)));
                    queue.commit_staged(&staged, *time, fx)
                } else {
                    queue.unstage(&staged, *time, fx)
                };
                assert_eq!(found, staged.len());
            }
            &Command::ResolveStaged(outcome) => {
                let Some(of) = self.staged.first().map(|staged| staged.consumer) else { return };
                let staged: Vec<_> = self.staged.extract_if(.., |staged| staged.consumer == of).collect();
                let orders: Vec<_> = staged.iter().map(|staged| staged.order.0).collect();
                self.model.resolve_staged(&orders, outcome, now);
                assert_eq!(queue.resolve_staged(&staged, outcome, *time, fx), staged.len());
            }
            Command::Claim(orders) => {
                let orders: BTreeSet<u64> = orders.iter().map(|order| order % self.next_order).collect();
                let expected = orders.iter().copied().filter(|&order| self.model.claim(order));
                let orders: Vec<Order> = orders.iter().copied().map(Order).collect();
                let claimed = queue.claim_orders(&orders);
                assert!(claimed.iter().map(|staged| staged.order.0).eq(expected));
                self.staged.extend(claimed);
            }
            _ => {}
        }
    }

    fn housekeeping(&mut self, command: &Command) {
        match *command {
            Command::Pass(span) => self.pass(span),
            Command::PageOut { durable, budget } => {
                self.page_out(place(durable % (self.next_order * 2)), budget)
            }
            Command::Load(works) => self.load(works),
            Command::Bury(n) => {
                let Some(order) = self.nth(n, |item| matches!(item.place, Place::Dying(_))) else { return };
                if self.bench.queue.find(Order(order)).is_some_and(|entry| entry.at.is_stored()) {
                    self.log.push(Record::Settled(Order(order)));
                }
                assert!(self.bench.queue.buried(Order(order), self.bench.now, &mut self.bench.fx));
                self.model.buried(order);
            }
            Command::Exhume(n, delay) => {
                if let Some(order) = self.nth(n, |item| matches!(item.place, Place::Dying(_))) {
                    self.exhume(order, delay);
                }
            }
            Command::Purge(budget) => {
                let purged = self.bench.queue.purge(budget, &mut self.bench.fx);
                assert_eq!(purged, self.model.purge(budget));
            }
            Command::Move(n) => {
                let Some(order) = self.nth(n, |item| item.stored) else { return };
                let Some(from) = self.bench.queue.find(Order(order)).map(|entry| entry.at) else { panic!() };
                let to = Location { segment: from.segment + 10, ..from };
                assert!(!self.bench.queue.moved(Order(order), to, from));
                assert!(self.bench.queue.moved(Order(order), from, to));
            }
            _ => {}
        }
    }

    fn pass(&mut self, span: u64) {
        self.bench.now = self.bench.now.plus(Millis(span));
        self.bench.queue.on_time(self.bench.now, &mut self.bench.fx);
        let queue = &self.bench.queue;
        // Of what has expired, all that no longer stands among the ready.
        let swept = |order| queue.ready.get(Order(order)).is_none();
        self.model.on_time(self.bench.now.0, swept);
    }

    fn page_out(&mut self, durable: Location, budget: usize) {
        let freed = self.bench.queue.page_out(durable, budget);
        let mut expected = 0;
        let queue = &self.bench.queue;
        for item in self.model.items.iter_mut().filter(|item| item.place == Place::Ready && !item.paged) {
            let entry = queue.find(Order(item.order)).unwrap();
            if entry.message.is_none() {
                assert!(item.stored && entry.at < durable);
                item.paged = true;
                expected += item.size;
            }
        }
        assert_eq!(freed, expected);
    }

    fn load(&mut self, works: bool) {
        let asked = std::mem::take(&mut self.loads);
        let orders: Vec<_> = asked.iter().map(|order| order.0).collect();
        let Bench { queue, fx, now, .. } = &mut self.bench;
        if works {
            queue.loaded(asked.iter().map(|&order| (order, message(order.0, 0))), *now, fx);
            self.model.loaded(&orders, now.0);
        } else {
            queue.load_failed(asked.into_iter(), *now, fx);
            self.model.load_failed(&orders, now.0);
        }
    }

    fn exhume(&mut self, order: u64, delay: u64) {
        let now = self.now();
        let retry_at = Millis(now + delay);
        assert!(self.bench.queue.exhumed(Order(order), retry_at, self.bench.now, &mut self.bench.fx));
        self.model.exhumed(order, retry_at.0, now);
    }

    fn nth(&self, n: usize, pick: fn(&Item) -> bool) -> Option<u64> {
        let orders: Vec<_> =
            self.model.items.iter().filter(|item| pick(item)).map(|item| item.order).collect();
        (!orders.is_empty()).then(|| orders[n % orders.len()])
    }

    /// Compares what the queue said and what it counts with the model.
    fn compare(&mut self) {
        let mut said = Said::default();
        for (n, deliveries) in self.bench.deliveries().into_iter().enumerate() {
            let all = deliveries.into_iter();
            said.delivered.extend(all.map(|d| (n, d.tag, d.message.id.0, d.deliveries)));
        }
        let fx = &mut self.bench.fx;
        assert!(fx.settled.is_sorted());
        said.settled = fx.settled.iter().map(|order| order.0).collect();
        said.released = fx.released.iter().map(|release| u64::from(release.holds)).sum();
        said.counted = fx.counted.iter().map(|&(order, deliveries)| (order.0, deliveries)).collect();
        said.dead = fx.dead.iter().map(|dead| (dead.entry.order.0, dead.reason)).collect();
        assert!(fx.dead.iter().all(|dead| dead.entry.message.is_some()));
        said.dead.sort_unstable_by_key(|dead| dead.0);
        let mut expected = std::mem::take(&mut self.model.said);
        expected.dead.sort_unstable_by_key(|dead| dead.0);
        expected.delivered.sort_unstable();
        assert_eq!(said, expected);
        for &(order, at) in &fx.load {
            // One that had to make room in the same command is asked for in vain.
            let entry = self.bench.queue.find(order);
            assert!(entry.is_none_or(|entry| entry.message.is_none() && entry.at == at));
        }
        self.loads.extend(fx.load.iter().map(|&(order, _)| order));
        self.log.extend(fx.counted.iter().map(|&(order, deliveries)| Record::Counted(order, deliveries)));
        self.log.extend(fx.settled.iter().map(|&order| Record::Settled(order)));
        fx.clear();
        assert_eq!(self.bench.queue.stats(), self.model.stats());
    }

    /// Brings everything that is left back among the ready and drains it: what one consumer gets, and
    /// which of it is stored.
    pub(super) fn drain(&mut self) -> Vec<(u64, bool)> {
        self.run(&Command::EndTransaction(false));
        for n in 0..self.keys.len() {
            self.detach(n, 0);
            self.compare();
        }
        for round in 0..20 {
            self.run(&Command::Load(true));
            while let Some(order) = self.nth(0, |item| matches!(item.place, Place::Dying(_))) {
                self.exhume(order, 1_000_000_000);
                self.compare();
            }
            self.run(&Command::Pass(if round < 18 { 100_000 } else { 1_000_000_000 }));
        }
        let stored = |order| self.model.items.iter().any(|item: &Item| item.order == order && item.stored);
        let stored: Vec<_> = (0..self.next_order).map(stored).collect();
        let spec = self.bench.spec(super::kit::PLENTY);
        self.bench.attach_spec(spec);
        let mut got = Vec::new();
        loop {
            got.append(&mut self.bench.orders().pop().unwrap());
            if self.bench.load() == 0 {
                return got.into_iter().map(|order| (order, stored[order as usize])).collect();
            }
        }
    }
}

impl Meant {
    /// Tags around those that exist.
    fn tags(self, last: u64) -> (Tags, (u64, u64)) {
        let near = |n: u64| n % (last + 2);
        match self {
            Self::One(n) => (Tags::One(near(n)), (near(n), near(n))),
            Self::UpTo(n) => (Tags::UpTo(near(n)), (0, near(n))),
            Self::Range(a, b) => (Tags::Range(near(a), near(b)), (near(a), near(b))),
        }
    }
}

fn item(entry: &Entry) -> Item {
    Item {
        order: entry.order.0,
        size: u64::from(entry.size),
        stored: entry.at.is_stored(),
        expires: entry.expires.0,
        priority: entry.priority,
        deliveries: entry.deliveries,
        paged: entry.message.is_none(),
        place: Place::Ready,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_the_model_does(policy in policy(), commands in vec(command(), 100..300)) {
        let mut sim = Sim::new(policy);
        commands.iter().for_each(|command| sim.run(command));
        let left: Vec<_> = sim.model.items.iter().filter(|item| item.expires == NEVER).map(|item| item.order).collect();
        let mut got: Vec<_> = sim.drain().into_iter().map(|(order, _)| order).collect();
        got.sort_unstable();
        got.retain(|order| left.contains(order));
        prop_assert!(sim.model.policy.max_deliveries > 0 || got == left);
    }
}
