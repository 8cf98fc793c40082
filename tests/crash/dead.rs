//! Messages that fail until they are dead letters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::rounds::{Client, Taken, Verdict, consume, consumer, drain, killed, produce, send};
use super::{Id, Random, body, parse, rounds};
use crate::support::{Broker, PATIENCE, Setup};

/// One where a message that failed comes again at once, one where it waits.
const QUEUES: [&str; 2] = ["quick", "slow"];
const SETTINGS: &str = r#"
[[address]]
match = "queue://quick"
max_deliveries = 3
redelivery_delay = "0s"
dead_letter = "queue://DLQ.%n"

[[address]]
match = "queue://slow"
max_deliveries = 3
redelivery_delay = "20ms"
"#;
const DEAD: [&str; 2] = ["/queue/DLQ.quick", "/queue/ActiveMQ.DLQ"];

#[test]
fn a_dead_letter_is_in_one_place() {
    let mut random = Random::new();
    let mut books = [Books::default(), Books::default()];
    let mut broker = Setup::new().config(SETTINGS).start();
    for round in 0..rounds(4) {
        broker = under_load(broker, round, &mut random, &mut books);
        if random.below(3) == 0 {
            books.iter_mut().enumerate().for_each(|(number, book)| book.drain(&broker, number));
        }
    }
    for (number, book) in books.iter_mut().enumerate() {
        book.drain(&broker, number);
        book.check();
    }
}

fn under_load(broker: Broker, round: u64, random: &mut Random, books: &mut [Books; 2]) -> Broker {
    let sender = format!("s{round}");
    let mut confirmed = [Vec::new(), Vec::new()];
    let mut taken = [Vec::new(), Vec::new()];
    let mut clients: Vec<Client<'_>> = Vec::new();
    for ((queue, confirmed), taken) in QUEUES.iter().zip(&mut confirmed).zip(&mut taken) {
        let queue = format!("/queue/{queue}");
        let to = queue.clone();
        let name = &sender;
        clients.push(Box::new(move |address, progress| {
            *confirmed = produce(address, progress, |n| {
                Some(send(&to, n, &[("persistent", "true")], &body(&(name.clone(), n))))
            });
        }));
        let mut random = random.fork();
        clients.push(Box::new(move |address, progress| {
            let client = consumer(address, &queue);
            let mut moods = random.fork();
            *taken =
                consume(client, progress, 3, &mut random, |frame| verdict(parse(frame.text()).1, &mut moods));
        }));
    }
    let broker = killed(broker, random, 600, clients);
    for ((book, confirmed), taken) in books.iter_mut().zip(confirmed).zip(taken) {
        book.confirmed.extend(confirmed.into_iter().map(|n| (sender.clone(), n)));
        book.took(&taken);
    }
    broker
}

/// A third always fails, and some are refused; others succeed, now and then not at once.
fn verdict(n: u32, moods: &mut Random) -> Verdict {
    match n % 6 {
        0 | 3 => Verdict::Nack,
        5 => Verdict::Refuse,
        _ if moods.below(4) == 0 => Verdict::Nack,
        _ => Verdict::Ack,
    }
}

#[derive(Default)]
struct Books {
    confirmed: BTreeSet<Id>,
    /// Those with an ACK, and whether it was confirmed.
    acked: BTreeMap<Id, bool>,
    /// How often each was said to have failed, and whether it was refused.
    failed: BTreeMap<Id, (u32, bool)>,
    /// What was taken out, and whether as a dead letter.
    out: BTreeMap<Id, bool>,
    /// How often everything was taken out: what came back from a pause just then may have failed once more, with
    /// the end of the consumer.
    drains: u32,
}

impl Books {
    fn took(&mut self, taken: &[Taken]) {
        for one in taken {
            let id = one.id();
            assert!(!self.out.contains_key(&id), "{id:?} came after it had been taken out");
            assert_ne!(self.acked.get(&id), Some(&true), "{id:?} came after it was acknowledged");
        }
        for one in taken {
            let id = one.id();
            match one.said {
                Some((Verdict::Ack, _)) => *self.acked.entry(id).or_default() |= one.settled,
                Some((verdict, _)) => {
                    let failed = self.failed.entry(id).or_default();
                    failed.0 += 1;
                    failed.1 |= verdict == Verdict::Refuse;
                }
                None => (),
            }
        }
    }

    /// Takes everything out of the queue and its dead letters, until what must be in one of them has been found.
    /// What is just being moved is in neither for a moment.
    fn drain(&mut self, broker: &Broker, number: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.drains += 1;
            for frame in drain(broker.stomp(), &format!("/queue/{}", QUEUES[number])) {
                self.found(parse(frame.text()), false);
            }
            for frame in drain(broker.stomp(), DEAD[number]) {
                let id = parse(frame.text());
                assert_eq!(frame.header("dlq-queue"), QUEUES[number], "{frame:?}");
                let failed = self.failed.get(&id).copied().unwrap_or_default();
                assert!(
                    failed.0 + self.drains >= 3 || failed.1,
                    "{id:?} is dead after {} failures",
                    failed.0
                );
                self.found(id, true);
            }
            let missing = self.missing();
            if missing.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{}: lost: {missing:?}", QUEUES[number]);
        }
    }

    fn found(&mut self, id: Id, dead: bool) {
        assert_ne!(self.acked.get(&id), Some(&true), "{id:?} was acknowledged; dead: {dead}");
        let before = self.out.insert(id.clone(), dead);
        assert_eq!(
            before, None,
            "{id:?} was there twice, before and now as a dead letter: {before:?}, {dead}"
        );
    }

    fn missing(&self) -> Vec<&Id> {
        let is_found = |id: &Id| self.out.contains_key(id) || self.acked.contains_key(id);
        self.confirmed.iter().filter(|id| !is_found(id)).collect()
    }

    fn check(&self) {
        let dead = self.out.values().filter(|dead| **dead).count();
        println!("{} confirmed, {} acknowledged, {dead} dead", self.confirmed.len(), self.acked.len());
    }
}
