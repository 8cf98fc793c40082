//! Transactions that take a message from one queue and send to several others.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;

use super::rounds::{Client, consumer, drain, killed, produce, send};
use super::{Id, Progress, Random, body, parse, rounds};
use crate::support::stomp::{Frame, frame_bytes};
use crate::support::{Broker, Setup};

const FROM: &str = "/queue/from";
const TO: [&str; 3] = ["/queue/to.a", "/queue/to.b", "/queue/to.c"];

#[test]
fn transactions_over_several_queues_are_whole() {
    let mut random = Random::new();
    let mut books = Books::default();
    let mut broker = Setup::new().start();
    for round in 0..rounds(4) {
        broker = under_load(broker, round, &mut random, &mut books);
        if random.below(3) == 0 {
            books.drain_to(&broker);
        }
    }
    books.drain_to(&broker);
    books.left.extend(drain(broker.stomp(), FROM).iter().map(|frame| parse(frame.text())));
    books.check();
}

fn under_load(broker: Broker, round: u64, random: &mut Random, books: &mut Books) -> Broker {
    let sender = format!("s{round}");
    let mut confirmed = Vec::new();
    let mut committed = [Vec::new(), Vec::new()];
    let mut clients: Vec<Client<'_>> = Vec::new();
    let (name, sent) = (&sender, &mut confirmed);
    clients.push(Box::new(move |address, progress| {
        *sent = produce(address, progress, |n| {
            Some(send(FROM, n, &[("persistent", "true")], &body(&(name.clone(), n))))
        });
    }));
    for (number, committed) in committed.iter_mut().enumerate() {
        let attempt = format!("{round}.{number}");
        clients.push(Box::new(move |address, progress| {
            *committed = work(address, &attempt, progress);
        }));
    }
    let broker = killed(broker, random, 300, clients);
    books.confirmed.extend(confirmed.into_iter().map(|n| (sender.clone(), n)));
    books.committed.extend(committed.into_iter().flatten());
    broker
}

/// Answers each message in a transaction of its own; gives those whose commit was confirmed, with the attempt.
fn work(address: SocketAddr, attempt: &str, progress: &Progress) -> Vec<(Id, String)> {
    let mut client = consumer(address, FROM);
    progress.connected();
    let mut asked: BTreeMap<String, Id> = BTreeMap::new();
    let mut committed = Vec::new();
    while let Some(frame) = client.receive_or_broken() {
        if frame.command == "RECEIPT" {
            let id = asked.remove(frame.header("receipt-id")).unwrap();
            committed.push((id, attempt.to_owned()));
            progress.confirmed();
            continue;
        }
        assert_eq!(frame.command, "MESSAGE", "{frame:?}");
        let id = parse(frame.text());
        let name = format!("{attempt} {}", frame.text());
        let mut bytes = Vec::new();
        if id.1.is_multiple_of(4) {
            bytes.extend(transaction(&frame, &name, "aborted"));
            bytes.extend(frame_bytes("ABORT", &[("transaction", &name)], b""));
        }
        bytes.extend(transaction(&frame, &name, attempt));
        bytes.extend(frame_bytes("COMMIT", &[("transaction", &name), ("receipt", &name)], b""));
        asked.insert(name, id);
        // Where it fails, what was confirmed before may still be unread.
        let _ = client.stream.write_all(&bytes);
    }
    committed
}

/// A transaction without its end: the acknowledgement stands among the sends.
fn transaction(frame: &Frame, name: &str, attempt: &str) -> Vec<u8> {
    let mut bytes = frame_bytes("BEGIN", &[("transaction", name)], b"");
    for (number, to) in TO.into_iter().enumerate() {
        if number == 1 {
            bytes.extend(frame_bytes("ACK", &[("id", frame.header("ack")), ("transaction", name)], b""));
        }
        let headers =
            [("destination", to), ("persistent", "true"), ("transaction", name), ("attempt", attempt)];
        bytes.extend(frame_bytes("SEND", &headers, &frame.body));
    }
    bytes
}

#[derive(Default)]
struct Books {
    /// Sent to the first queue with success.
    confirmed: BTreeSet<Id>,
    /// Committed with success, and by which attempt.
    committed: BTreeMap<Id, String>,
    /// What came out of each of the others, and of which attempt it is.
    came: [BTreeMap<Id, Vec<String>>; 3],
    /// What was left in the first.
    left: BTreeSet<Id>,
}

impl Books {
    fn drain_to(&mut self, broker: &Broker) {
        for (queue, came) in TO.into_iter().zip(&mut self.came) {
            for frame in drain(broker.stomp(), queue) {
                came.entry(parse(frame.text())).or_default().push(frame.header("attempt").to_owned());
            }
        }
    }

    fn check(&self) {
        let [first, others @ ..] = &self.came;
        for other in others {
            for id in first.keys().chain(other.keys()) {
                assert_eq!(first.get(id), other.get(id), "{id:?} is not the same everywhere");
            }
        }
        for (id, attempts) in first {
            assert_eq!(attempts.len(), 1, "{id:?} was answered more than once: {attempts:?}");
            assert_ne!(attempts[0], "aborted", "{id:?}");
            assert!(!self.left.contains(id), "{id:?} was answered, and not taken");
        }
        for (id, attempt) in &self.committed {
            assert_eq!(first.get(id).map(|all| &all[0]), Some(attempt), "{id:?} was committed");
        }
        for id in &self.confirmed {
            assert!(first.contains_key(id) || self.left.contains(id), "{id:?} is lost");
        }
        println!(
            "{} confirmed, {} committed, {} answered, {} left",
            self.confirmed.len(),
            self.committed.len(),
            first.len(),
            self.left.len()
        );
    }
}
