//! Durable subscriptions with selectors.

use std::net::SocketAddr;

use super::rounds::{Book, Client, Verdict, consume, drain_by, killed, produce, send};
use super::{Id, Random, body, parse, rounds};
use crate::support::stomp::Frame;
use crate::support::{Broker, Setup, Stomp};

const TOPIC: &str = "/topic/news";
const SENDERS: usize = 2;

/// A subscription: its name, its selector, and the same in words of the test.
struct Subscriber {
    name: &'static str,
    selector: &'static str,
    wants: fn(u32) -> bool,
}

const SUBSCRIBERS: [Subscriber; 2] = [
    Subscriber { name: "red", selector: "color = 'red'", wants: |n| color(n) == "red" },
    Subscriber {
        name: "large",
        selector: "size > 7 AND color <> 'blue' OR size = 0",
        wants: |n| n % 10 > 7 && color(n) != "blue" || n % 10 == 0,
    },
];

fn color(n: u32) -> &'static str {
    ["red", "green", "blue"][n as usize % 3]
}

#[test]
fn a_selector_outlives_crashes() {
    let mut random = Random::new();
    let mut books = [Book::default(), Book::default()];
    let mut broker = Setup::new().start();
    for subscriber in &SUBSCRIBERS {
        subscriber.connect(broker.stomp()).disconnect();
    }
    for round in 0..rounds(4) {
        broker = under_load(broker, round, &mut random, &mut books);
    }
    for (subscriber, book) in SUBSCRIBERS.iter().zip(&mut books) {
        let mut client = subscriber.connect(broker.stomp());
        let end = [("color", "red"), ("size", "0")];
        let drained = drain_by(&mut client, TOPIC, &end);
        drained.iter().for_each(|frame| subscriber.assert_wanted(frame));
        book.drained(&drained);
        book.check();
    }
}

fn under_load(broker: Broker, round: u64, random: &mut Random, books: &mut [Book; 2]) -> Broker {
    let names: [String; SENDERS] = std::array::from_fn(|number| format!("s{round}.{number}"));
    let mut confirmed = [const { Vec::new() }; SENDERS];
    let mut taken = [const { Vec::new() }; SUBSCRIBERS.len()];
    let mut clients: Vec<Client<'_>> = Vec::new();
    for (name, confirmed) in names.iter().zip(&mut confirmed) {
        clients.push(Box::new(move |address, progress| {
            *confirmed = produce(address, progress, |n| Some(publish(&(name.clone(), n), n)));
        }));
    }
    for (subscriber, taken) in SUBSCRIBERS.iter().zip(&mut taken) {
        if random.below(2) == 0 {
            // Away: the broker alone knows what it wants.
            continue;
        }
        let mut own = random.fork();
        clients.push(Box::new(move |address, progress| {
            let client = subscriber.connect(address);
            *taken = consume(client, progress, 0, &mut own, |_| Verdict::Ack);
        }));
    }
    let broker = killed(broker, random, 500, clients);
    for ((subscriber, book), taken) in SUBSCRIBERS.iter().zip(books).zip(taken) {
        for (name, confirmed) in names.iter().zip(&confirmed) {
            let wanted: Vec<u32> = confirmed.iter().copied().filter(|n| (subscriber.wants)(*n)).collect();
            book.confirmed(name, &wanted);
        }
        taken.iter().for_each(|one| subscriber.assert_wanted(&one.frame));
        book.took(&taken);
    }
    broker
}

fn publish(id: &Id, n: u32) -> Vec<u8> {
    let size = (n % 10).to_string();
    send(TOPIC, n, &[("persistent", "true"), ("color", color(n)), ("size", &size)], &body(id))
}

impl Subscriber {
    fn connect(&self, address: SocketAddr) -> Stomp {
        let headers = [("accept-version", "1.2"), ("host", "localhost"), ("client-id", self.name)];
        let (mut client, _) = Stomp::login(address, &headers);
        let more = [("activemq.subscriptionName", self.name), ("selector", self.selector)];
        client.subscribe_with("0", TOPIC, "client-individual", &more);
        client
    }

    fn assert_wanted(&self, frame: &Frame) {
        assert!((self.wants)(parse(frame.text()).1), "{} does not select {frame:?}", self.selector);
    }
}
