//! What a restart finds is what was there: random commands against a naive model.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{Credit, Outcome, PartialPolicy, QueueCell, Settings, Tags};

use super::kit::*;
use crate::broker::{Binding, Consumer};

/// Queues, subscriptions and topics are few, so that commands meet.
const NAMES: [&str; 3] = ["x", "y", "z"];
const PATTERNS: [&str; 3] = ["a.*", "a.b", "a.>"];
const TOPICS: [&str; 3] = ["a.b", "a.c", "d"];
/// No subscription matches these: a message that clears has no body by which the model could know it.
const RETAINING: [&str; 3] = ["r.b", "r.c", "s"];
const MAX_DELIVERIES: u8 = 3;

/// Whether it is a subscription, and what it is called.
type Name = (bool, &'static str);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    body: String,
    stored: bool,
    deliveries: u8,
}

/// What a queue should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shelf {
    messages: Vec<Kept>,
    bindings: BTreeMap<&'static str, u8>,
    states: BTreeMap<Bytes, Bytes>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    shelves: BTreeMap<Name, Shelf>,
    dead: Vec<String>,
    retained: BTreeMap<String, String>,
}

impl Model {
    fn publish(&mut self, to: Result<&'static str, &'static str>, body: &str, stored: bool) {
        let kept = Kept { body: body.into(), stored, deliveries: 0 };
        match to {
            Ok(queue) => self.shelves.entry((false, queue)).or_default().messages.push(kept),
            Err(topic) => {
                for shelf in self.shelves.values_mut() {
                    if shelf.bindings.keys().any(|bound| pattern(bound).matches(topic)) {
                        shelf.messages.push(kept.clone());
                    }
                }
            }
        }
    }

    fn settle(&mut self, from: Name, body: &str, outcome: Outcome) {
        let Some(shelf) = self.shelves.get_mut(&from) else { return };
        let at = shelf.messages.iter().position(|kept| kept.body == body).unwrap();
        let kept = &mut shelf.messages[at];
        let dies = match outcome {
            Outcome::Retry | Outcome::Nack => {
                kept.deliveries += 1;
                kept.deliveries >= MAX_DELIVERIES
            }
            Outcome::Requeue { .. } => false,
            Outcome::Accept | Outcome::Reject => true,
        };
        if dies {
            shelf.messages.remove(at);
            if outcome != Outcome::Accept {
                self.dead.push(body.into());
            }
        }
    }

    fn restart(&mut self) {
        for shelf in self.shelves.values_mut() {
            shelf.messages.retain(|kept| kept.stored);
        }
    }
}

struct World {
    dir: TempDir,
    rig: Option<Rig>,
    client: Option<Client>,
    consumers: BTreeMap<Name, Consumer>,
    model: Model,
    next: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Publish { to: usize, safe: bool, count: usize },
    Retain { topic: usize, clear: bool },
    Consume { name: usize, class: usize },
    Settle { take: usize, outcome: usize },
    Cancel { name: usize, class: usize },
    Transact { sends: usize, settles: usize, commit: bool },
    Bind { sub: usize, pattern: usize, flags: u8 },
    Unbind { sub: usize, pattern: usize },
    Delete { name: usize, class: usize },
    Remember { sub: usize, key: u8, value: Option<u8> },
    Checkpoint,
    Keep,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6usize, any::<bool>(), 1..8usize).prop_map(|(to, safe, count)| Step::Publish { to, safe, count }),
        2 => (0..3usize, any::<bool>()).prop_map(|(topic, clear)| Step::Retain { topic, clear }),
        2 => (0..3usize, 0..2usize).prop_map(|(name, class)| Step::Consume { name, class }),
        8 => (1..6usize, 0..8usize).prop_map(|(take, outcome)| Step::Settle { take, outcome }),
        1 => (0..3usize, 0..2usize).prop_map(|(name, class)| Step::Cancel { name, class }),
        2 => (0..4usize, 0..4usize, any::<bool>())
            .prop_map(|(sends, settles, commit)| Step::Transact { sends, settles, commit }),
        3 => (0..3usize, 0..3usize, 0..3u8).prop_map(|(sub, pattern, flags)| Step::Bind { sub, pattern, flags }),
        1 => (0..3usize, 0..3usize).prop_map(|(sub, pattern)| Step::Unbind { sub, pattern }),
        1 => (0..3usize, 0..2usize).prop_map(|(name, class)| Step::Delete { name, class }),
        2 => (0..3usize, 0..3u8, any::<Option<u8>>()).prop_map(|(sub, key, value)| Step::Remember { sub, key, value }),
        1 => Just(Step::Checkpoint),
        2 => Just(Step::Keep),
        1 => Just(Step::Restart),
    ]
}

const fn class_of(durable: bool) -> Class {
    if durable { Class::Durable } else { Class::Queue }
}

fn policy() -> Settings {
    let all = PartialPolicy {
        max_deliveries: Some(MAX_DELIVERIES),
        redelivery_delay: Some(Millis(0)),
        ..PartialPolicy::default()
    };
    settings([("queue://>", all.clone()), ("topic://>", all)])
}

impl World {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        let rig = Rig::journal(dir.path(), policy());
        let client = Some(rig.client());
        let model = Model::default();
        Self { dir, rig: Some(rig), client, consumers: BTreeMap::new(), model, next: 0 }
    }

    fn rig(&self) -> &Rig {
        self.rig.as_ref().unwrap()
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().unwrap()
    }

    fn body(&mut self) -> String {
        self.next += 1;
        // Now and then one that does not fit a frame with others.
        let filler = if self.next.is_multiple_of(50) { 9_000 } else { 150 };
        format!("{:05}{}", self.next, "-".repeat(filler))
    }

    fn open(&mut self, name: Name) -> Arc<QueueCell> {
        self.model.shelves.entry(name).or_default();
        self.client().port.open(class_of(name.0), &name.1.into(), true).unwrap().0
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Publish { to, safe, count } => self.publish(to, safe, count),
            Step::Retain { topic: at, clear } => self.retain(RETAINING[at], clear),
            Step::Consume { name, class } => self.consume((class == 1, NAMES[name])),
            Step::Settle { take, outcome } => self.settle(take, outcome),
            Step::Cancel { name, class } => self.cancel((class == 1, NAMES[name])),
            Step::Transact { sends, settles, commit } => self.transact(sends, settles, commit),
            Step::Bind { sub, pattern: at, flags } => {
                let cell = self.open((true, NAMES[sub]));
                let options = Bytes::from_static(b"options");
                let binding =
                    Binding { pattern: pattern(PATTERNS[at]), flags, no_local: false, filter: None, options };
                self.client().port.bind(&cell, binding).unwrap();
                let shelf = self.model.shelves.get_mut(&(true, NAMES[sub])).unwrap();
                shelf.bindings.insert(PATTERNS[at], flags);
            }
            Step::Unbind { sub, pattern: at } => {
                let cell = self.open((true, NAMES[sub]));
                self.client().port.unbind(&cell, &pattern(PATTERNS[at])).unwrap();
                let shelf = self.model.shelves.get_mut(&(true, NAMES[sub])).unwrap();
                shelf.bindings.remove(PATTERNS[at]);
            }
            Step::Delete { name, class } => self.delete((class == 1, NAMES[name])),
            Step::Remember { sub, key, value } => self.remember(NAMES[sub], key, value),
            Step::Checkpoint => self.rig().broker.checkpoint().unwrap(),
            Step::Keep => self.rig().broker.keep(),
            Step::Restart => self.restart(),
        }
    }

    fn publish(&mut self, to: usize, safe: bool, count: usize) {
        let dest = if to < 3 { Ok(NAMES[to]) } else { Err(TOPICS[to - 3]) };
        for _ in 0..count {
            let body = self.body();
            let address = dest.map_or_else(topic, queue);
            self.client().stage(&address, &body, if safe { SAFE } else { FAST }, None);
            self.model.publish(dest, &body, safe);
        }
        self.client().flush();
    }

    fn retain(&mut self, name: &'static str, clear: bool) {
        let body = if clear { String::new() } else { self.body() };
        self.client().send(&topic(name), &body, RETAIN, None);
        if clear {
            self.model.retained.remove(name);
        } else {
            self.model.retained.insert(name.into(), body);
        }
    }

    fn consume(&mut self, name: Name) {
        if self.consumers.contains_key(&name) {
            return;
        }
        let cell = self.open(name);
        let sub = u32::from(name.0) * 3 + NAMES.iter().position(|n| *n == name.1).unwrap() as u32;
        let consumer = self.client().consume(&cell, sub, PLENTY);
        self.consumers.insert(name, consumer);
    }

    /// Settles some of what was delivered, from the middle on, each for itself.
    fn settle(&mut self, take: usize, outcome: usize) {
        let outcome = match outcome {
            0..4 => Outcome::Accept,
            4 | 5 => Outcome::Retry,
            6 => Outcome::Requeue { delay: Millis(5), count: false },
            _ => Outcome::Reject,
        };
        for (name, tag, body) in self.take(take) {
            let consumer = self.consumers[&name].clone();
            let found = self.client().port.settle(&consumer, Tags::One(tag), outcome, Credit::default());
            assert_eq!(found, 1);
            self.model.settle(name, &body, outcome);
        }
    }

    /// Deliveries, out of the middle.
    fn take(&mut self, count: usize) -> Vec<(Name, u64, String)> {
        let rig = self.rig.as_ref().unwrap();
        let client = self.client.as_mut().unwrap();
        client.turn(rig);
        let at = client.deliveries.len() / 3;
        let deliveries: VecDeque<_> = client.deliveries.split_off(at);
        let mut taken = Vec::new();
        for delivery in deliveries {
            let name = self.consumers.iter().find(|(_, consumer)| consumer.sub == delivery.sub);
            match name {
                Some((name, _)) if taken.len() < count => {
                    taken.push((*name, delivery.tag, body_of(&delivery)))
                }
                Some(_) => client.deliveries.push_back(delivery),
                None => {}
            }
        }
        taken
    }

    fn cancel(&mut self, name: Name) {
        let Some(consumer) = self.consumers.remove(&name) else { return };
        self.client().port.cancel(&consumer, 0);
        let rig = self.rig.as_ref().unwrap();
        let client = self.client.as_mut().unwrap();
        client.turn(rig);
        client.deliveries.retain(|delivery| delivery.sub != consumer.sub);
    }

    fn transact(&mut self, sends: usize, settles: usize, commit: bool) {
        self.client().port.begin(&"tx".into()).unwrap();
        let bodies: Vec<String> = (0..sends).map(|_| self.body()).collect();
        for (n, body) in bodies.iter().enumerate() {
            self.client().send_in("tx", &queue(NAMES[n % 3]), body);
            self.model.shelves.entry((false, NAMES[n % 3])).or_default();
        }
        let taken = self.take(settles);
        for (name, tag, _) in &taken {
            let consumer = self.consumers[name].clone();
            assert_eq!(
                self.client().port.settle_in("tx", &consumer, Tags::One(*tag), Outcome::Accept),
                Ok(1)
            );
        }
        if !commit {
            self.client().port.abort("tx").unwrap();
            // They are in flight still and come back to nobody until the consumer is gone.
            return;
        }
        self.client().port.commit("tx", None).unwrap();
        for (n, body) in bodies.iter().enumerate() {
            self.model.publish(Ok(NAMES[n % 3]), body, true);
        }
        for (name, _, body) in taken {
            self.model.settle(name, &body, Outcome::Accept);
        }
    }

    fn delete(&mut self, name: Name) {
        self.cancel(name);
        let Some(cell) = self.client().port.find(class_of(name.0), &name.1.into()) else { return };
        // What is already dying dies elsewhere.
        self.rig().wait_for_burials();
        self.client().port.delete(&cell).unwrap();
        self.model.shelves.remove(&name);
    }

    fn remember(&mut self, sub: &'static str, key: u8, value: Option<u8>) {
        let cell = self.open((true, sub));
        let (key, value) = (Bytes::from(vec![key]), value.map(|value| Bytes::from(vec![value])));
        self.client().port.remember(&cell, key.clone(), value.clone());
        self.client().flush();
        let states = &mut self.model.shelves.get_mut(&(true, sub)).unwrap().states;
        match value {
            Some(value) => drop(states.insert(key, value)),
            None => drop(states.remove(&key)),
        }
    }

    fn restart(&mut self) {
        self.compare();
        let live = self.counts();
        self.consumers.clear();
        self.client = None;
        self.rig.take().unwrap().abandon();
        self.rig = Some(Rig::journal(self.dir.path(), policy()));
        self.client = Some(self.rig().client());
        self.model.restart();
        self.compare();
        let found = self.counts();
        assert!(found.iter().all(|(body, count)| *count <= live[body]), "more deliveries than there were");
        for ((_, name), shelf) in &mut self.model.shelves {
            for kept in &mut shelf.messages {
                kept.deliveries = found[&(*name, kept.body.clone())];
            }
        }
    }

    /// Delivery counts of what is in the queues, by queue and body.
    fn counts(&self) -> BTreeMap<(&'static str, String), u8> {
        let queues = self.model.shelves.keys().filter_map(|(durable, name)| {
            Some((*name, self.rig().broker.queues().find(class_of(*durable), &(*name).into())?))
        });
        let entries = queues.flat_map(|(name, cell)| {
            self.rig().entries(&cell).into_iter().map(move |(body, _, count)| ((name, body), count))
        });
        let mut counts = BTreeMap::new();
        for (key, count) in entries {
            let most = counts.entry(key).or_insert(0);
            *most = count.max(*most);
        }
        counts
    }

    fn compare(&self) {
        let rig = self.rig();
        rig.wait_for_burials();
        rig.check();
        for ((durable, name), shelf) in &self.model.shelves {
            let class = class_of(*durable);
            let cell = rig.broker.queues().find(class, &(*name).into());
            let Some(cell) = cell else { panic!("{class:?} {name} is gone") };
            let found: Vec<_> =
                rig.entries(&cell).into_iter().map(|(body, stored, _)| (body, stored)).collect();
            let expected: Vec<_> =
                shelf.messages.iter().map(|kept| (kept.body.clone(), kept.stored)).collect();
            assert_eq!(found, expected, "{class:?} {name}");
            let bindings = rig.broker.bindings.of(cell.id);
            let bindings: BTreeMap<_, _> =
                bindings.iter().map(|bound| (bound.pattern.text().to_string(), bound.flags)).collect();
            let expected: BTreeMap<_, _> =
                shelf.bindings.iter().map(|(bound, flags)| (bound.to_string(), *flags)).collect();
            assert_eq!(bindings, expected, "{name}");
            let states: BTreeMap<_, _> = rig.broker.states.of(cell.id).into_iter().collect();
            assert_eq!(states, shelf.states, "{name}");
        }
        let queues = rig.broker.queues().all();
        let named = queues.iter().filter(|cell| &*cell.name != "ActiveMQ.DLQ").count();
        assert_eq!(named, self.model.shelves.len());
        let mut dead = rig.bodies(&rig.queue("ActiveMQ.DLQ"));
        let mut expected = self.model.dead.clone();
        dead.sort();
        expected.sort();
        assert_eq!(dead, expected);
        assert_eq!(retained(rig, &pattern(">")), self.model.retained);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_changes_nothing(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.restart();
        world.restart();
    }
}
