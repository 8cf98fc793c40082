//! Who gets what, and in which order.

use wharfmq_base::Millis;

use super::kit::{Bench, PLENTY, stored, volatile};
use crate::{Admission, ConsumeSpec, Credit, Order, Outcome, QueuePolicy, Release, Tags, limits};

fn requeue(count: bool) -> Outcome {
    Outcome::Requeue { delay: Millis(0), count }
}

#[test]
fn consumers_take_turns_message_by_message() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.attach(PLENTY);
    bench.attach(Credit { messages: 2, ..PLENTY });
    bench.attach(PLENTY);
    bench.enqueue((1..=9).map(stored));
    assert_eq!(bench.orders(), [vec![1, 4, 7, 9], vec![2, 5], vec![3, 6, 8]]);
}

#[test]
fn higher_priority_first_until_its_credit_is_spent() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.attach(PLENTY);
    let high = ConsumeSpec { priority: 5, ..bench.spec(Credit { messages: 2, ..PLENTY }) };
    bench.attach_spec(high);
    bench.enqueue((1..=4).map(stored));
    assert_eq!(bench.orders(), [vec![3, 4], vec![1, 2]]);
}

#[test]
fn credit_taken_back_is_not_used() {
    let mut bench = Bench::new(QueuePolicy::default());
    let one = Credit { messages: 1, ..PLENTY };
    let first = bench.attach(one);
    bench.attach(one);
    assert_eq!(bench.queue.withdraw(first, 5), 1);
    bench.enqueue((1..=2).map(stored));
    assert_eq!(bench.orders(), [vec![], vec![1]]);
    bench.queue.grant(first, one, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![2], vec![]]);
    assert_eq!(bench.queue.withdraw(first, 1), 0, "it is on its way");
}

#[test]
fn the_first_exclusive_consumer_gets_all() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.attach(PLENTY);
    let exclusive = ConsumeSpec { exclusive: true, ..bench.spec(Credit { messages: 2, ..PLENTY }) };
    let first = bench.attach_spec(exclusive);
    let exclusive = ConsumeSpec { exclusive: true, ..bench.spec(PLENTY) };
    let second = bench.attach_spec(exclusive);
    bench.enqueue((1..=4).map(stored));
    assert_eq!(bench.orders(), [vec![], vec![1, 2], vec![]]);
    assert!(bench.queue.detach(first, 0, bench.now, &mut bench.fx));
    assert_eq!(bench.orders(), [vec![], vec![], vec![1, 2, 3, 4]]);
    assert!(bench.queue.detach(second, 0, bench.now, &mut bench.fx));
    assert_eq!(bench.orders(), [vec![1, 2, 3, 4], vec![], vec![]]);
}

#[test]
fn byte_credit_may_be_overdrawn_once() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(Credit { messages: 10, bytes: 1 });
    bench.enqueue((1..=3).map(stored));
    assert_eq!(bench.orders(), [vec![1]]);
    let size = stored(1).size;
    bench.queue.grant(consumer, Credit { messages: 0, bytes: size - 1 }, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![]], "what was overdrawn has to be made good first");
    bench.queue.grant(consumer, Credit { messages: 0, bytes: 1 }, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![2]]);
}

#[test]
fn priorities_then_age() {
    let mut bench = Bench::new(QueuePolicy { priority: true, ..QueuePolicy::default() });
    let mut entries: Vec<_> = (1..=6).map(stored).collect();
    for (entry, priority) in entries.iter_mut().zip([0, 9, 4, 9, 200, 4]) {
        entry.priority = priority;
    }
    bench.enqueue(entries);
    bench.attach(PLENTY);
    assert_eq!(bench.orders(), [vec![2, 4, 5, 3, 6, 1]], "above 9 counts as 9");
}

#[test]
fn accept_settles_and_releases() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(PLENTY);
    bench.enqueue([stored(1), volatile(2), stored(3), stored(4)]);
    assert_eq!(bench.queue.settle(consumer, Tags::UpTo(3), Outcome::Accept, bench.now, &mut bench.fx), 3);
    assert_eq!(bench.settled(), [1, 3], "what is not stored needs no record");
    let bytes = u64::from(stored(1).size) * 2;
    assert_eq!(bench.fx.released, [Release { segment: 1, holds: 2, bytes }]);
    let again = bench.queue.settle(consumer, Tags::One(2), Outcome::Accept, bench.now, &mut bench.fx);
    assert_eq!(again, 0);
    let other = crate::ConsumerKey { generation: consumer.generation + 1, ..consumer };
    assert_eq!(bench.queue.settle(other, Tags::One(4), Outcome::Accept, bench.now, &mut bench.fx), 0);
    let stats = bench.queue.stats();
    assert_eq!((stats.acked, stats.in_flight, stats.dispatched), (3, 1, 4));
}

#[test]
fn settles_in_any_order_and_ranges() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(PLENTY);
    bench.enqueue((1..=300).map(stored));
    let mut settle = |tags| {
        let found = bench.queue.settle(consumer, tags, Outcome::Accept, bench.now, &mut bench.fx);
        bench.queue.check();
        found
    };
    // The front stays open, so that the holes behind it are squeezed out.
    for tag in (2..=299).rev() {
        assert_eq!(settle(Tags::One(tag)), 1);
        assert_eq!(settle(Tags::One(tag)), 0);
    }
    assert_eq!(settle(Tags::Range(2, 299)), 0);
    assert_eq!(settle(Tags::Range(5, 2)), 0);
    assert_eq!(settle(Tags::One(0)), 0);
    assert_eq!(settle(Tags::One(u64::MAX)), 0);
    assert_eq!(settle(Tags::Range(1, u64::MAX)), 2);
    assert!(bench.queue.is_empty());
}

#[test]
fn a_lost_consumer_returns_everything_to_its_place() {
    let mut bench = Bench::new(QueuePolicy::default());
    let lost = bench.attach(Credit { messages: 3, ..PLENTY });
    bench.attach(Credit { messages: 2, ..PLENTY });
    bench.enqueue((1..=8).map(stored));
    assert_eq!(bench.orders(), [vec![1, 3, 5], vec![2, 4]]);
    // The first two were handled, the third was not.
    assert!(bench.queue.detach(lost, 2, bench.now, &mut bench.fx));
    assert!(!bench.queue.detach(lost, 2, bench.now, &mut bench.fx));
    assert_eq!(bench.queue.stats().ready, 6);
    bench.fx.counted.sort_unstable();
    assert_eq!(bench.fx.counted, [(Order(1), 1), (Order(3), 1)]);
    bench.attach(PLENTY);
    let deliveries = bench.deliveries();
    let got: Vec<_> = deliveries[2].iter().map(|d| (d.message.id.0, d.deliveries, d.tag)).collect();
    assert_eq!(got, [(1, 1, 1), (3, 1, 2), (5, 0, 3), (6, 0, 4), (7, 0, 5), (8, 0, 6)]);
    assert_eq!(bench.queue.stats().redelivered, 2);
}

#[test]
fn deliveries_never_pushed_are_forgotten_with_their_consumer() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(PLENTY);
    bench.enqueue([stored(1)]);
    bench.queue.detach(consumer, 0, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![]]);
    assert_eq!(bench.queue.stats().ready, 1);
}

#[test]
fn requeue_keeps_the_order_of_the_queue() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(Credit { messages: 5, ..PLENTY });
    bench.enqueue((1..=10).map(stored));
    assert_eq!(bench.orders(), [vec![1, 2, 3, 4, 5]]);
    for tags in [Tags::One(4), Tags::One(2), Tags::Range(3, 5)] {
        bench.queue.settle(consumer, tags, requeue(false), bench.now, &mut bench.fx);
    }
    bench.queue.grant(consumer, PLENTY, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![2, 3, 4, 5, 6, 7, 8, 9, 10]]);
    assert!(bench.fx.counted.is_empty());
}

#[test]
fn sessions_do_not_count() {
    let mut bench = Bench::new(QueuePolicy { max_deliveries: 1, ..QueuePolicy::default() });
    let session = ConsumeSpec { count_deliveries: false, ..bench.spec(PLENTY) };
    let session = bench.attach_spec(session);
    bench.enqueue([stored(1)]);
    bench.queue.settle(session, Tags::One(1), requeue(true), bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![1, 1]]);
    bench.queue.detach(session, u64::MAX, bench.now, &mut bench.fx);
    assert!(bench.fx.is_empty());
}

#[test]
fn staged_deliveries_wait_for_their_transaction() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(PLENTY);
    bench.enqueue([stored(1), volatile(2), stored(3), stored(4)]);
    let mut first = Vec::new();
    assert_eq!(bench.queue.stage(consumer, Tags::UpTo(2), &mut first), 2);
    assert_eq!(first.iter().map(|s| (s.order.0, s.stored)).collect::<Vec<_>>(), [(1, true), (2, false)]);
    let mut second = Vec::new();
    assert_eq!(bench.queue.stage(consumer, Tags::UpTo(3), &mut second), 1);
    assert_eq!(bench.queue.settle(consumer, Tags::UpTo(3), Outcome::Accept, bench.now, &mut bench.fx), 0);
    // A rollback opens them again, a commit finishes them without a record of its own.
    assert_eq!(bench.queue.unstage(&second, bench.now, &mut bench.fx), 1);
    assert_eq!(bench.queue.commit_staged(&first, bench.now, &mut bench.fx), 2);
    assert_eq!(bench.queue.commit_staged(&first, bench.now, &mut bench.fx), 0);
    assert!(bench.fx.settled.is_empty());
    assert_eq!(bench.fx.released.iter().map(|release| release.holds).sum::<u32>(), 1);
    assert_eq!(bench.queue.settle(consumer, Tags::UpTo(9), Outcome::Accept, bench.now, &mut bench.fx), 2);
    assert_eq!(bench.settled(), [3, 4]);
}

#[test]
fn staged_deliveries_survive_their_consumer() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(PLENTY);
    bench.enqueue((1..=3).map(stored));
    let (mut kept, mut undone) = (Vec::new(), Vec::new());
    bench.queue.stage(consumer, Tags::One(1), &mut kept);
    bench.queue.stage(consumer, Tags::One(2), &mut undone);
    bench.queue.detach(consumer, 0, bench.now, &mut bench.fx);
    bench.queue.check();
    assert_eq!((bench.queue.stats().in_flight, bench.queue.stats().ready), (2, 1));
    assert!(bench.queue.find(Order(1)).is_some());
    assert_eq!(bench.queue.commit_staged(&kept, bench.now, &mut bench.fx), 1);
    assert_eq!(bench.queue.unstage(&undone, bench.now, &mut bench.fx), 1);
    bench.attach(PLENTY);
    assert_eq!(bench.orders(), [vec![], vec![2, 3]]);
    assert_eq!(bench.queue.stats().acked, 1);
}

#[test]
fn a_consumer_has_a_bound() {
    let mut bench = Bench::new(QueuePolicy::default());
    let endless = Credit { messages: u32::MAX, bytes: u32::MAX };
    let consumer = bench.attach(endless);
    let entry = volatile(0);
    let entry = |order| crate::Entry { order: Order(order), size: 1, ..entry.clone() };
    let most = limits::UNACKED_PER_CONSUMER_MAX as u64;
    bench.enqueue((1..=most + 1).map(entry));
    assert_eq!(bench.queue.stats().in_flight, most);
    bench.queue.settle(consumer, Tags::One(7), Outcome::Accept, bench.now, &mut bench.fx);
    assert_eq!((bench.queue.stats().ready, bench.queue.stats().in_flight), (0, most));
}

#[test]
fn limits_block_and_wake() {
    let mut bench = Bench::new(QueuePolicy { max_messages: 2, ..QueuePolicy::default() });
    assert_eq!(bench.queue.admit(1, 228), Admission::Accept);
    assert_eq!(bench.queue.admit(2, 456), Admission::Block);
    assert!(bench.queue.take_unblocked(), "there is still room for one");
    assert!(!bench.queue.take_unblocked());
    assert_eq!(bench.queue.admit(1, 228), Admission::Accept);
    bench.enqueue([stored(1)]);
    assert_eq!(bench.queue.admit(1, 228), Admission::Block, "one is stored, one reserved");
    assert!(!bench.queue.take_unblocked());
    bench.queue.unreserve(1, 228);
    assert!(bench.queue.take_unblocked());
    let mut large = Bench::new(QueuePolicy { max_bytes: 100, ..QueuePolicy::default() });
    assert_eq!(large.queue.admit(1, 1_000), Admission::Accept, "or it would block for ever");
    assert_eq!(large.queue.admit(1, 1), Admission::Block);
}
