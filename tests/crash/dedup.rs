//! A producer that sends again, under the same identity, what was not confirmed before the crash.

use std::collections::{BTreeMap, BTreeSet};

use super::rounds::{Client, Taken, Verdict, consume, consumer, drain, killed, produce, send};
use super::{Random, body, parse, rounds};
use crate::support::stomp::{Frame, frame_bytes};
use crate::support::{Broker, Setup, Stomp};

/// One that nobody consumes from before the end, and one with a consumer.
const QUEUES: [&str; 2] = ["/queue/once.kept", "/queue/once.read"];
const SETTINGS: &str = "[[address]]\nmatch = \"queue://once.>\"\ndedup = \"5m\"\n";

#[test]
fn what_is_sent_again_comes_once() {
    let mut random = Random::new();
    let mut producers = [Producer::default(), Producer::default()];
    let mut books = [Books::default(), Books::default()];
    let mut broker = Setup::new().config(SETTINGS).start();
    for round in 0..rounds(4) {
        broker = under_load(broker, &mut random, &mut producers, &mut books[1]);
        if round == 2 {
            // What was seen goes into a checkpoint.
            broker = broker.stop().start();
        }
    }
    for ((queue, producer), book) in QUEUES.into_iter().zip(&mut producers).zip(&mut books) {
        producer.finish(&broker, queue);
        book.drained(&drain(broker.stomp(), queue));
        book.check(producer.next);
    }
}

fn under_load(
    broker: Broker,
    random: &mut Random,
    producers: &mut [Producer; 2],
    book: &mut Books,
) -> Broker {
    let mut taken = Vec::new();
    let mut clients: Vec<Client<'_>> = Vec::new();
    for (queue, producer) in QUEUES.into_iter().zip(producers) {
        let mut random = random.fork();
        clients.push(Box::new(move |address, progress| {
            producer.begin(&mut random);
            let confirmed = produce(address, progress, |n| Some(producer.message(queue, n, &mut random)));
            producer.end(&confirmed);
        }));
    }
    let (mut own, seen) = (random.fork(), &mut taken);
    clients.push(Box::new(move |address, progress| {
        *seen = consume(consumer(address, QUEUES[1]), progress, 2, &mut own, |_| Verdict::Ack);
    }));
    let broker = killed(broker, random, 400, clients);
    book.took(&taken);
    broker
}

/// It sends the numbers from 0 on, each until it is confirmed, and some of them without need.
#[derive(Default)]
struct Producer {
    next: u32,
    unconfirmed: BTreeSet<u32>,
    /// What the frames of this connection hold, in their order.
    frames: Vec<u32>,
    /// What is to be sent before anything new, the last first.
    again: Vec<u32>,
}

impl Producer {
    fn begin(&mut self, random: &mut Random) {
        self.frames.clear();
        self.again = self.unconfirmed.iter().rev().copied().collect();
        let confirmed =
            (0..self.next).rev().filter(|n| !self.unconfirmed.contains(n) && random.below(3) == 0);
        self.again.extend(confirmed.take(20));
    }

    fn message(&mut self, queue: &str, frame: u32, random: &mut Random) -> Vec<u8> {
        let number = self.again.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.frames.push(number);
        self.unconfirmed.extend((number + 1 == self.next).then_some(number));
        let identity = number.to_string();
        let text = body(&("s".to_owned(), number));
        let headers = [("persistent", "true"), ("_AMQ_DUPL_ID", &identity)];
        if number.is_multiple_of(5) {
            return transaction(queue, frame, &identity, &text);
        }
        let mut bytes = send(queue, frame, &headers, &text);
        if random.below(4) == 0 {
            // Without a receipt: the first one's answers for both.
            let headers = [("destination", queue), ("persistent", "true"), ("_AMQ_DUPL_ID", &identity)];
            bytes.extend(frame_bytes("SEND", &headers, text.as_bytes()));
        }
        bytes
    }

    fn end(&mut self, confirmed: &[u32]) {
        for frame in confirmed {
            self.unconfirmed.remove(&self.frames[*frame as usize]);
        }
    }

    /// Sends what is still unconfirmed.
    fn finish(&mut self, broker: &Broker, queue: &str) {
        let mut client = Stomp::connect(broker.stomp());
        for number in std::mem::take(&mut self.unconfirmed) {
            let more = [("_AMQ_DUPL_ID", number.to_string())];
            let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
            client.send_with(queue, &more, body(&("s".to_owned(), number)));
        }
        client.disconnect();
    }
}

/// The message in a transaction of its own, whose commit asks for the receipt.
fn transaction(queue: &str, frame: u32, identity: &str, text: &str) -> Vec<u8> {
    let name = frame.to_string();
    let transaction = ("transaction", name.as_str());
    let mut bytes = frame_bytes("BEGIN", &[transaction], b"");
    let headers = [("destination", queue), ("persistent", "true"), ("_AMQ_DUPL_ID", identity), transaction];
    bytes.extend(frame_bytes("SEND", &headers, text.as_bytes()));
    bytes.extend(frame_bytes("COMMIT", &[transaction, ("receipt", &name)], b""));
    bytes
}

#[derive(Default)]
struct Books {
    /// For each number the messages that came, by their id, and whether that one was in the journal for sure.
    came: BTreeMap<u32, BTreeMap<String, bool>>,
}

impl Books {
    /// What was seen until the crash. If it was seen once and not acknowledged for good, it may have been lost: a
    /// message may be seen before it is on disk.
    fn took(&mut self, taken: &[Taken]) {
        for one in taken {
            self.saw(&one.frame, one.is_acked());
        }
    }

    fn drained(&mut self, frames: &[Frame]) {
        frames.iter().for_each(|frame| self.saw(frame, true));
    }

    fn saw(&mut self, frame: &Frame, is_acked: bool) {
        let messages = self.came.entry(parse(frame.text()).1).or_default();
        let message = frame.header("message-id").to_owned();
        let is_known = messages.contains_key(&message);
        *messages.entry(message).or_default() |= is_acked || is_known;
    }

    fn check(&self, sent: u32) {
        for number in 0..sent {
            let messages = self.came.get(&number).unwrap_or_else(|| panic!("{number} never came"));
            let sure = messages.values().filter(|sure| **sure).count();
            assert!(sure <= 1, "{number} came {sure} times: {messages:?}");
        }
        println!("{sent} came once");
    }
}
