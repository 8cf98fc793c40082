//! What is in memory, and how much of it.

use wharfmq_base::Location;

use super::kit::{Bench, PLENTY, place, stored, volatile};
use crate::queue::lane::Lane;
use crate::{Credit, Entry, Order, Outcome, QueuePolicy, Tags};

/// Everything is on the disk.
const DURABLE: Location = Location { segment: u32::MAX, frame: 0, record: 0 };

fn paged(order: u64) -> Entry {
    Entry { message: None, ..stored(order) }
}

/// Room for 40 messages in memory, 20 of them ahead of the consumers.
fn small() -> QueuePolicy {
    QueuePolicy { resident_bytes: 40 * u64::from(stored(1).size), ..QueuePolicy::default() }
}

fn resident(bench: &Bench) -> Vec<u64> {
    let entries = (1..10_000).map_while(|order| bench.queue.find(Order(order)));
    entries.filter(|entry| entry.message.is_some()).map(|entry| entry.order.0).collect()
}

#[test]
fn a_stored_message_takes_less_than_100_bytes() {
    const N: u64 = 1_000_000;
    let mut lane = Lane::default();
    (1..=N).for_each(|order| lane.insert(paged(order)));
    assert!(lane.memory() as u64 <= N * 60, "{} bytes", lane.memory());
    // Three of four go, here and there: blocks that became small are merged.
    (1..=N).filter(|order| order % 4 > 0).for_each(|order| drop(lane.remove(Order(order))));
    lane.check();
    assert!(lane.memory() as u64 <= N / 4 * 200, "{} bytes", lane.memory());
    while lane.pop_front().is_some() {}
    lane.trim();
    assert_eq!(lane.memory(), 0);
}

#[test]
fn a_lane_takes_entries_in_any_order() {
    let mut lane = Lane::default();
    // A step that is prime to the number visits each once.
    let orders: Vec<u64> = (0..5_000).map(|n| n * 1_777 % 5_000).collect();
    orders.iter().for_each(|&order| lane.insert(paged(order)));
    lane.check();
    let from: Vec<_> = lane.range(Order(4_990)).map(|entry| entry.order.0).collect();
    assert_eq!(from, (4_990..5_000).collect::<Vec<_>>());
    assert_eq!(lane.range(Order(5_000)).count(), 0);
    let mut taken = Vec::new();
    let next = lane.extract(Order(1_000), 1_000, |entry| entry.order.0 % 2 == 0, &mut taken);
    assert_eq!((next, taken.len()), (Some(Order(2_000)), 500));
    lane.check();
    assert!(lane.get(Order(1_000)).is_none() && lane.get(Order(1_001)).is_some());
    let rest: Vec<_> = std::iter::from_fn(|| lane.pop_front()).map(|entry| entry.order.0).collect();
    assert!(rest.len() == 4_500 && rest.is_sorted());
    lane.check();
}

#[test]
fn bodies_behind_the_window_go() {
    let mut bench = Bench::new(small());
    bench.enqueue((1..=40).map(stored));
    assert!(!bench.queue.wants_page_out());
    bench.enqueue((41..=100).map(|n| if n % 10 == 0 { volatile(n) } else { stored(n) }));
    assert!(bench.queue.wants_page_out());
    // Nothing that is not durable, and no more than the budget.
    assert_eq!(bench.queue.page_out(place(1), 1_000), 0);
    let size = u64::from(stored(1).size);
    assert_eq!(bench.queue.page_out(DURABLE, 30), 30 * size - size);
    bench.queue.check();
    bench.queue.page_out(place(61), 1_000);
    bench.queue.check();
    let expected: Vec<_> = (1..=20).chain([50, 60]).chain(61..=100).collect();
    assert_eq!(resident(&bench), expected);
    bench.queue.page_out(DURABLE, 1_000);
    assert!(!bench.queue.wants_page_out());
    assert_eq!(bench.queue.stats().resident_bytes, 40 * size);
    assert_eq!(bench.queue.page_out(DURABLE, 1_000), 0);
}

#[test]
fn messages_in_memory_only_do_not_make_it_look_twice() {
    let mut bench = Bench::new(small());
    bench.enqueue((1..=500).map(volatile));
    assert_eq!(bench.queue.page_out(DURABLE, 10_000), 0);
    bench.enqueue([stored(501)]);
    let size = u64::from(stored(1).size);
    assert_eq!(bench.queue.page_out(DURABLE, 1), size, "it goes on where it was");
    bench.queue.check();
}

#[test]
fn consumers_read_on_through_what_is_paged_out() {
    let mut bench = Bench::new(small());
    bench.enqueue((1..=300).map(|n| if n % 7 == 0 { volatile(n) } else { stored(n) }));
    bench.queue.page_out(DURABLE, 10_000);
    assert_eq!(resident(&bench).iter().filter(|&&n| n % 7 > 0).max(), Some(&20));
    let consumer = bench.attach(Credit { messages: 5, ..PLENTY });
    assert!(bench.fx.load.is_empty(), "the window is more than half full");
    bench.queue.grant(consumer, Credit { messages: 6, bytes: 0 }, bench.now, &mut bench.fx);
    assert_eq!(bench.fx.load.first(), Some(&(Order(22), place(22))), "21 is in memory only");
    let asked = bench.fx.load.len();
    bench.queue.grant(consumer, Credit { messages: 500, bytes: 0 }, bench.now, &mut bench.fx);
    assert_eq!(bench.fx.load.len(), asked, "one page-in at a time");
    let mut got = Vec::new();
    while !bench.fx.load.is_empty() {
        got.append(&mut bench.orders()[0]);
        bench.load();
        bench.queue.check();
    }
    got.append(&mut bench.orders()[0]);
    assert_eq!(got, (1..=300).collect::<Vec<_>>());
}

#[test]
fn what_a_lost_consumer_returns_is_paged_out_too() {
    let mut bench = Bench::new(small());
    let consumer = bench.attach(PLENTY);
    bench.enqueue((1..=200).map(stored));
    bench.queue.detach(consumer, 0, bench.now, &mut bench.fx);
    bench.enqueue((201..=300).map(paged));
    bench.queue.page_out(DURABLE, 50);
    bench.queue.check();
    while bench.queue.page_out(DURABLE, 50) > 0 {
        bench.queue.check();
    }
    assert!(!bench.queue.wants_page_out());
    assert_eq!(resident(&bench)[..20], (1..=20).collect::<Vec<_>>());
}

#[test]
fn moved_finds_a_message_wherever_it_is() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(Credit { messages: 4, ..PLENTY });
    bench.enqueue((1..=5).map(stored));
    bench.queue.settle(consumer, Tags::One(1), Outcome::Retry, bench.now, &mut bench.fx);
    bench.queue.settle(consumer, Tags::One(2), Outcome::Reject, bench.now, &mut bench.fx);
    let mut staged = Vec::new();
    bench.queue.stage(consumer, Tags::One(3), &mut staged);
    for order in 1..=5 {
        let (from, to) = (place(order), place(order + 1_000));
        assert!(!bench.queue.moved(Order(order), to, from));
        assert!(bench.queue.moved(Order(order), from, to));
        assert_eq!(bench.queue.find(Order(order)).map(|entry| entry.at), Some(to));
    }
    assert!(!bench.queue.moved(Order(6), place(6), place(7)));
    assert!(bench.queue.find(Order(6)).is_none());
}
