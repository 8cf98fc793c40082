//! Random commands with choosy consumers, against what must hold of every choice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use wharfmq_base::{Location, Millis};

use super::kit::{Bench, message, place};
use crate::{
    Arrival, ConsumerKey, Credit, CreditPool, DeadLetter, Entry, Filter, GroupId, Grouping, Head, HeadTag,
    Message, Order, Outcome, QueuePolicy, Selector, Tags, Typing, Value,
};

const COLOURS: [&str; 3] = ["red", "green", "blue"];

#[derive(Clone, Copy, Debug)]
struct New {
    colour: usize,
    group: u8,
    priority: u8,
    persistent: bool,
    paged: bool,
    due: u64,
}

#[derive(Clone, Debug)]
enum Command {
    Enqueue(Vec<New>),
    Attach { colour: Option<usize>, credit: u32, pooled: bool, exclusive: bool, lock: u64 },
    Detach(usize),
    Grant(usize, u32),
    Settle(usize, u64, Outcome),
    Extend(usize, u64, u64),
    Refill(u32),
    Pass(u64),
    PageOut(usize),
    Load(bool),
    Pause(bool),
}

/// Where a message is, as far as the test can tell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Waits,
    Delayed(u64),
    Held { consumer: usize, tag: u64, until: u64 },
}

struct Known {
    new: New,
    place: Place,
}

struct Member {
    key: ConsumerKey,
    colour: Option<usize>,
    credit: u32,
    pooled: bool,
    exclusive: bool,
    lock: u64,
    gone: bool,
}

struct Sim {
    bench: Bench,
    groups: Grouping,
    messages: BTreeMap<u64, Known>,
    members: Vec<Member>,
    pool: Arc<CreditPool>,
    pool_left: u32,
    /// Which consumer has which group, for each selector.
    owners: HashMap<(Option<usize>, u8), usize>,
    loads: Vec<Order>,
    next: u64,
    paused: bool,
    /// A page-in has failed and was not tried again yet.
    troubled: bool,
}

fn view<'a>(_: HeadTag, head: &'a [u8], name: &str) -> Value<'a> {
    match std::str::from_utf8(head) {
        Ok(colour) if name == "colour" => Value::Text(colour.into()),
        _ => Value::Null,
    }
}

fn painted(order: u64, colour: usize) -> Arc<Message> {
    let head = Head { tag: HeadTag(0), bytes: Bytes::from_static(COLOURS[colour].as_bytes()) };
    Arc::new(Message { head, ..(*message(order, 100)).clone() })
}

impl Sim {
    fn new(groups: Grouping, priority: bool, resident_bytes: u64) -> Self {
        let policy = QueuePolicy {
            groups,
            priority,
            resident_bytes,
            max_deliveries: 0,
            redelivery_delay: Millis(0),
            dead_letter: DeadLetter::Drop,
            ..QueuePolicy::default()
        };
        Self {
            bench: Bench::new(policy),
            groups,
            messages: BTreeMap::new(),
            members: Vec::new(),
            pool: CreditPool::new(5),
            pool_left: 5,
            owners: HashMap::new(),
            loads: Vec::new(),
            next: 1,
            paused: false,
            troubled: false,
        }
    }

    fn run(&mut self, command: &Command) {
        match command {
            Command::Enqueue(new) => self.enqueue(new),
            &Command::Attach { colour, credit, pooled, exclusive, lock } => {
                self.attach(colour, credit, pooled, exclusive, lock);
            }
            &Command::Detach(n) => self.detach(n),
            &Command::Grant(n, credit) => {
                let Some(member) = self.nth(n) else { return };
                self.members[member].credit += credit;
                self.grant(member, credit);
            }
            &Command::Settle(n, tag, outcome) => self.settle(n, tag, outcome),
            &Command::Extend(n, tag, by) => self.extend(n, tag, by),
            &Command::Refill(messages) => self.refill(messages),
            &Command::Pass(ms) => self.pass(ms),
            &Command::PageOut(budget) => {
                let end = place(self.next + 1);
                self.bench.queue.page_out(end, budget);
            }
            &Command::Load(works) => self.load(works),
            &Command::Pause(paused) => {
                self.paused = paused;
                self.bench.queue.set_paused(paused, self.bench.now, &mut self.bench.fx);
            }
        }
        self.look();
    }

    fn enqueue(&mut self, new: &[New]) {
        let mut arrivals = Vec::new();
        for &new in new {
            let order = self.next;
            self.next += 1;
            let now = self.bench.now.0;
            let due = if new.due == 0 { 0 } else { now + new.due };
            let paged = new.paged && new.persistent;
            let message = painted(order, new.colour);
            let entry = Entry {
                order: Order(order),
                size: message.size(),
                message: (!paged).then_some(message),
                at: if new.persistent { place(order) } else { Location::NOWHERE },
                expires: Millis::NEVER,
                deliveries: 0,
                priority: new.priority,
                flags: 0,
                closes_group: false,
                group: GroupId(new.group.into()),
            };
            let place = if due > now { Place::Delayed(due) } else { Place::Waits };
            self.messages.insert(order, Known { new, place });
            arrivals.push(Arrival::from(entry).due(Millis(due)));
        }
        self.bench.queue.enqueue(arrivals.into_iter(), self.bench.now, &mut self.bench.fx);
    }

    fn attach(&mut self, colour: Option<usize>, credit: u32, pooled: bool, exclusive: bool, lock: u64) {
        let mut spec = self.bench.spec(Credit { messages: credit, bytes: u32::MAX });
        if let Some(colour) = colour {
            let text = format!("colour = '{}'", COLOURS[colour]);
            spec.filter = Some(Filter::new(Selector::parse(&text, Typing::Strict).unwrap(), view));
        }
        spec.pool = pooled.then(|| Arc::clone(&self.pool));
        spec.exclusive = exclusive;
        spec.lock = Millis(lock);
        let key = self.bench.attach_spec(spec);
        self.members.push(Member { key, colour, credit, pooled, exclusive, lock, gone: false });
    }

    fn detach(&mut self, n: usize) {
        let Some(n) = self.nth(n) else { return };
        self.members[n].gone = true;
        let held = |known: &&mut Known| matches!(known.place, Place::Held { consumer, .. } if consumer == n);
        let mut back = 0;
        for known in self.messages.values_mut().filter(held) {
            known.place = Place::Waits;
            back += 1;
        }
        self.owners.retain(|_, owner| *owner != n);
        self.bench.queue.detach(self.members[n].key, u64::MAX, self.bench.now, &mut self.bench.fx);
        if self.members[n].pooled {
            self.refill(back);
        }
    }

    fn grant(&mut self, n: usize, messages: u32) {
        let credit = Credit { messages, bytes: 0 };
        self.bench.queue.grant(self.members[n].key, credit, self.bench.now, &mut self.bench.fx);
    }

    fn settle(&mut self, n: usize, tag: u64, outcome: Outcome) {
        let held: Vec<_> = self.held();
        let Some(&(order, consumer, tag)) = held.get((n + tag as usize) % held.len().max(1)) else { return };
        let key = self.members[consumer].key;
        let found = self.bench.queue.settle(key, Tags::One(tag), outcome, self.bench.now, &mut self.bench.fx);
        assert_eq!(found, 1);
        match outcome {
            Outcome::Requeue { delay, .. } if delay.0 > 0 => {
                self.place(order, Place::Delayed(self.bench.now.0 + delay.0));
            }
            Outcome::Requeue { .. } | Outcome::Retry | Outcome::Nack => self.place(order, Place::Waits),
            Outcome::Accept | Outcome::Reject => drop(self.messages.remove(&order)),
        }
        if self.members[consumer].pooled {
            self.refill(1);
        }
    }

    fn extend(&mut self, n: usize, tag: u64, by: u64) {
        let held: Vec<_> = self.held();
        let Some(&(order, consumer, tag)) = held.get((n + tag as usize) % held.len().max(1)) else { return };
        let until = self.bench.now.0 + by;
        let key = self.members[consumer].key;
        assert_eq!(self.bench.queue.extend(key, Tags::One(tag), Millis(until)), 1);
        self.place(order, Place::Held { consumer, tag, until });
    }

    fn refill(&mut self, messages: u32) {
        self.pool_left += messages;
        self.pool.put(messages);
        for n in 0..self.members.len() {
            if self.members[n].pooled && !self.members[n].gone {
                self.grant(n, 0);
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        let now = self.bench.now.0 + ms;
        for known in self.messages.values_mut() {
            match known.place {
                Place::Delayed(due) if due <= now => known.place = Place::Waits,
                Place::Held { consumer, until, .. } if until > 0 && until <= now => {
                    known.place = Place::Waits;
                    if self.members[consumer].pooled {
                        // Whoever shares its credit learns of the end from its client only.
                        self.pool_left += 1;
                        self.pool.put(1);
                    }
                }
                _ => {}
            }
        }
        if ms >= 1_000 {
            self.troubled = false;
        }
        self.bench.pass_to(now);
        self.refill(0);
    }

    fn load(&mut self, works: bool) {
        let asked = std::mem::take(&mut self.loads);
        if asked.is_empty() {
            return;
        }
        let (now, fx) = (self.bench.now, &mut self.bench.fx);
        if works {
            let known = asked.iter().filter_map(|order| Some((*order, self.messages.get(&order.0)?)));
            let found: Vec<_> =
                known.map(|(order, known)| (order, painted(order.0, known.new.colour))).collect();
            self.bench.queue.loaded(found.into_iter(), now, fx);
            // What has gone meanwhile was read as well.
            let gone = asked.iter().filter(|order| !self.messages.contains_key(&order.0));
            let gone: Vec<_> = gone.map(|order| (*order, painted(order.0, 0))).collect();
            self.bench.queue.loaded(gone.into_iter(), now, fx);
        } else {
            self.troubled = true;
            self.bench.queue.load_failed(asked.into_iter(), now, fx);
        }
    }

    /// Takes note of the deliveries, and checks what was chosen.
    fn look(&mut self) {
        for (n, deliveries) in self.bench.deliveries().into_iter().enumerate() {
            for delivery in deliveries {
                self.delivered(n, delivery.message.id.0, delivery.tag, delivery.first_of_group);
            }
        }
        self.loads.extend(self.bench.fx.load.drain(..).map(|(order, _)| order));
        self.bench.fx.clear();
        self.nothing_is_left_over();
    }

    fn delivered(&mut self, n: usize, order: u64, tag: u64, first: bool) {
        let member = &mut self.members[n];
        assert!(!member.gone && !self.paused);
        member.credit -= 1;
        if member.pooled {
            self.pool_left = self.pool_left.checked_sub(1).expect("more than the pool has");
        }
        let until = if member.lock == 0 { 0 } else { self.bench.now.0 + member.lock };
        let (colour, held) = (member.colour, Place::Held { consumer: n, tag, until });
        let known = &self.messages[&order];
        assert_eq!(known.place, Place::Waits, "{order} is not to be delivered");
        assert!(colour.is_none_or(|colour| colour == known.new.colour), "not one of those it wants");
        let new = known.new;
        let of_group = |known: &&Known| known.new.group == new.group;
        match self.groups {
            _ if new.group == 0 => assert!(!first),
            Grouping::None => assert!(!first),
            Grouping::Strict => {
                let busy = self.messages.values().filter(of_group);
                assert!(!busy.map(|known| known.place).any(|place| matches!(place, Place::Held { .. })));
            }
            Grouping::Sticky => {
                let owner = self.owners.get(&(colour, new.group)).copied();
                assert!(owner.is_none_or(|owner| owner == n), "the group is another consumer's");
                assert_eq!(first, owner.is_none());
                self.owners.insert((colour, new.group), n);
            }
        }
        self.place(order, held);
    }

    /// Who could be given something has been, unless a page-in is to be waited for.
    fn nothing_is_left_over(&self) {
        let deadline = self.bench.queue.next_deadline();
        if self.paused || self.troubled || !self.loads.is_empty() || deadline == Some(Millis(0)) {
            return;
        }
        let exclusive = self.members.iter().position(|member| member.exclusive && !member.gone);
        for (n, member) in self.members.iter().enumerate() {
            let has_turn = exclusive.is_none_or(|first| first == n);
            let has_credit = member.credit > 0 && (!member.pooled || self.pool_left > 0);
            if member.gone || !has_credit || !has_turn {
                continue;
            }
            let left = self.messages.iter().find(|(_, known)| self.could_have(n, known));
            assert!(left.is_none(), "consumer {n} was not given {:?}", left.map(|(order, _)| order));
        }
    }

    fn could_have(&self, n: usize, known: &Known) -> bool {
        let (colour, group) = (self.members[n].colour, known.new.group);
        let wanted = colour.is_none_or(|colour| colour == known.new.colour);
        if known.place != Place::Waits || !wanted {
            return false;
        }
        match self.groups {
            _ if group == 0 => true,
            Grouping::None => true,
            Grouping::Sticky => self.owners.get(&(colour, group)).is_none_or(|owner| *owner == n),
            // Which one is next in a group is known to the queue only: one that takes all takes it.
            Grouping::Strict => {
                let mut of_group = self.messages.values().filter(|other| other.new.group == group);
                colour.is_none() && of_group.all(|other| other.place == Place::Waits)
            }
        }
    }

    fn held(&self) -> Vec<(u64, usize, u64)> {
        let held = self.messages.iter().filter_map(|(order, known)| match known.place {
            Place::Held { consumer, tag, .. } => Some((*order, consumer, tag)),
            _ => None,
        });
        held.collect()
    }

    fn nth(&self, n: usize) -> Option<usize> {
        let there: Vec<_> = (0..self.members.len()).filter(|n| !self.members[*n].gone).collect();
        (!there.is_empty()).then(|| there[n % there.len()])
    }

    fn place(&mut self, order: u64, place: Place) {
        if let Some(known) = self.messages.get_mut(&order) {
            known.place = place;
        }
    }
}

fn new_message() -> impl Strategy<Value = New> {
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.1));
    let due = prop_oneof![6 => Just(0), 1 => 1..9_000u64];
    (0..3usize, 0..4u8, flags, 0..10u8, due).prop_map(|(colour, group, flags, priority, due)| {
        let (persistent, paged) = flags;
        New { colour, group, priority, persistent, paged, due }
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let delay = prop_oneof![Just(0), 1..2_000u64].prop_map(Millis);
    prop_oneof![
        5 => Just(Outcome::Accept),
        2 => delay.prop_map(|delay| Outcome::Requeue { delay, count: true }),
        2 => Just(Outcome::Nack),
        1 => Just(Outcome::Reject),
    ]
}

fn attach() -> impl Strategy<Value = Command> {
    let rare = prop::bool::weighted(0.08);
    let lock = prop_oneof![3 => Just(0), 1 => 100..3_000u64];
    let colour = prop::option::weighted(0.7, 0..3usize);
    (colour, 0..12u32, prop::bool::weighted(0.2), rare, lock).prop_map(
        |(colour, credit, pooled, exclusive, lock)| Command::Attach {
            colour,
            credit,
            pooled,
            exclusive,
            lock,
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let n = 0..1_000usize;
    prop_oneof![
        12 => vec(new_message(), 1..12).prop_map(Command::Enqueue),
        4 => attach(),
        2 => n.clone().prop_map(Command::Detach),
        8 => (n.clone(), 1..9u32).prop_map(|(n, credit)| Command::Grant(n, credit)),
        16 => (n.clone(), any::<u8>(), outcome()).prop_map(|(n, tag, outcome)| Command::Settle(n, tag.into(), outcome)),
        2 => (n, any::<u8>(), 1..5_000u64).prop_map(|(n, tag, by)| Command::Extend(n, tag.into(), by)),
        1 => (1..4u32).prop_map(Command::Refill),
        4 => (1..1_500u64).prop_map(Command::Pass),
        4 => (0..60usize).prop_map(Command::PageOut),
        8 => prop::bool::weighted(0.9).prop_map(Command::Load),
        1 => prop::bool::weighted(0.3).prop_map(Command::Pause),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_choice_is_right_and_nobody_is_left_out(
        groups in prop_oneof![Just(Grouping::Sticky), Just(Grouping::Strict), Just(Grouping::None)],
        priority in any::<bool>(),
        resident in 0..6_000u64,
        commands in vec(command(), 50..250),
    ) {
        let mut sim = Sim::new(groups, priority, resident);
        commands.iter().for_each(|command| sim.run(command));
    }
}
