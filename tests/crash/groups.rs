//! Groups of messages over crashes.

use std::collections::{BTreeMap, BTreeSet};

use super::rounds::{Book, Client, Taken, Verdict, consume, consumer, drain, killed, produce, send};
use super::{Id, Progress, Random, body, parse, rounds};
use crate::support::{Broker, Setup};

const QUEUE: &str = "/queue/groups";
const GROUPS: usize = 4;

#[test]
fn strict_groups_keep_their_order() {
    kill_again_and_again("strict");
}

#[test]
fn sticky_groups_stay_with_one_consumer() {
    kill_again_and_again("sticky");
}

fn kill_again_and_again(mode: &str) {
    let mut random = Random::new();
    let mut groups = Groups::default();
    let settings = format!("[[address]]\nmatch = \"queue://groups\"\ngroups = \"{mode}\"\n");
    let mut broker = Setup::new().config(&settings).start();
    let consumers = if mode == "strict" { 1 } else { 2 };
    for _ in 0..rounds(4) {
        broker = under_load(broker, &mut random, &mut groups, consumers);
        if mode == "strict" {
            groups.assert_strict();
        }
        groups.assert_apart();
        groups.assert_order();
    }
    let drained = drain(broker.stomp(), QUEUE);
    assert_rises(drained.iter().map(|frame| parse(frame.text())));
    groups.book.drained(&drained);
    groups.book.check();
}

fn under_load(broker: Broker, random: &mut Random, groups: &mut Groups, consumers: usize) -> Broker {
    let mut seen: Vec<Vec<Taken>> = Vec::new();
    seen.resize_with(consumers, Vec::new);
    let mut frames: Vec<Id> = Vec::new();
    let mut confirmed = Vec::new();
    let mut clients: Vec<Client<'_>> = Vec::new();
    let (next, sent, answers) = (&mut groups.next, &mut frames, &mut confirmed);
    let mut own = random.fork();
    clients.push(Box::new(move |address, progress| {
        *answers = produce(address, progress, |n| {
            let group = usize::try_from(own.below(GROUPS as u64)).unwrap();
            let id = (format!("g{group}"), next[group]);
            next[group] += 1;
            sent.push(id.clone());
            Some(send(QUEUE, n, &[("persistent", "true"), ("JMSXGroupID", &id.0)], &body(&id)))
        });
    }));
    for seen in &mut seen {
        let mut own = random.fork();
        clients.push(Box::new(move |address, progress: &Progress| {
            // It holds fewer messages than there are groups, so that one group is always free.
            *seen = consume(consumer(address, QUEUE), progress, GROUPS - 1, &mut own, |_| Verdict::Ack);
        }));
    }
    let broker = killed(broker, random, 300, clients);
    for number in confirmed {
        let (group, n) = &frames[number as usize];
        groups.book.confirmed(group, &[*n]);
    }
    seen.iter().for_each(|taken| groups.book.took(taken));
    groups.said.extend(groups.seen.drain(..).flatten().filter(|one| one.said.is_some()).map(|one| one.id()));
    groups.seen = seen;
    broker
}

#[derive(Default)]
struct Groups {
    /// The next number of each group.
    next: [u32; GROUPS],
    book: Book,
    /// What the consumers of the last round saw.
    seen: Vec<Vec<Taken>>,
    /// What had been acknowledged before it, with or without success.
    said: BTreeSet<Id>,
}

impl Groups {
    /// While a consumer held one message of a group, it got no other.
    fn assert_strict(&self) {
        for taken in &self.seen {
            let mut last: BTreeMap<String, &Taken> = BTreeMap::new();
            for one in taken {
                let Some(before) = last.insert(one.id().0, one) else { continue };
                let is_over = before.said.is_some_and(|(_, said)| said < one.came);
                assert!(is_over, "{:?} came while {:?} was unsettled", one.id(), before.id());
            }
        }
    }

    /// No two consumers of one round had the same group.
    fn assert_apart(&self) {
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        for (number, taken) in self.seen.iter().enumerate() {
            for one in taken {
                let owner = *owners.entry(one.id().0).or_insert(number);
                assert_eq!(owner, number, "{:?} went to another consumer", one.id());
            }
        }
    }

    /// Each connection got every group in its order, and left out nothing but what had been acknowledged before.
    fn assert_order(&self) {
        for taken in &self.seen {
            assert_rises(taken.iter().map(Taken::id));
            let came: BTreeSet<Id> = taken.iter().map(Taken::id).collect();
            let last: BTreeMap<String, u32> = came.iter().cloned().collect();
            for (group, last) in last {
                let all = (0..last).map(|n| (group.clone(), n));
                let mut due = all.filter(|id| self.book.is_confirmed(id) && !self.said.contains(id));
                let skipped = due.find(|id| !came.contains(id));
                assert_eq!(skipped, None, "{group} {last} came before it");
            }
        }
    }
}

fn assert_rises(ids: impl Iterator<Item = Id>) {
    let mut last: BTreeMap<String, u32> = BTreeMap::new();
    for (group, n) in ids {
        let before = last.insert(group.clone(), n);
        assert!(before.is_none_or(|before| before < n), "{group}: {n} came after {before:?}");
    }
}
