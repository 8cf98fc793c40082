//! Delays, expiry, poison, overflow.

use wharfmq_base::Millis;

use super::kit::{Bench, PLENTY, place, stored, volatile};
use crate::{
    Admission, Credit, DeadLetter, DeadReason, Entry, Order, Outcome, Overflow, QueuePolicy, Tags, limits,
};

fn no_dead_letters() -> QueuePolicy {
    QueuePolicy { dead_letter: DeadLetter::Drop, expired: DeadLetter::Drop, ..QueuePolicy::default() }
}

fn dead(bench: &mut Bench) -> Vec<(u64, DeadReason)> {
    bench.fx.dead.drain(..).map(|dead| (dead.entry.order.0, dead.reason)).collect()
}

fn expiring(order: u64, at: u64) -> Entry {
    Entry { expires: Millis(at), ..stored(order) }
}

#[test]
fn retries_wait_longer_each_time() {
    let policy = QueuePolicy { redelivery_backoff_permille: 2_000, ..QueuePolicy::default() };
    let mut bench = Bench::new(policy);
    let consumer = bench.attach(PLENTY);
    bench.enqueue([stored(1), stored(2)]);
    let mut now = 1_000;
    for (tag, pause) in [(1, 1_000), (3, 2_000), (4, 4_000)] {
        bench.queue.settle(consumer, Tags::One(tag), Outcome::Retry, bench.now, &mut bench.fx);
        bench.orders();
        assert_eq!(bench.queue.next_deadline(), Some(Millis(now + pause)));
        bench.pass_to(now + pause - 1);
        assert_eq!(bench.orders(), [vec![]]);
        now += pause;
        bench.pass_to(now);
        assert_eq!(bench.orders(), [vec![1]]);
    }
}

#[test]
fn the_pause_has_an_upper_bound() {
    let policy = QueuePolicy { redelivery_backoff_permille: u32::MAX, ..QueuePolicy::default() };
    let bench = Bench::new(policy);
    assert_eq!(bench.queue.redelivery_delay(1), Millis(1_000));
    assert_eq!(bench.queue.redelivery_delay(255), Millis(limits::REDELIVERY_DELAY_MAX_MS));
}

#[test]
fn poison_dies_at_the_last_delivery() {
    let mut bench = Bench::new(QueuePolicy { max_deliveries: 2, ..QueuePolicy::default() });
    let consumer = bench.attach(PLENTY);
    bench.enqueue([stored(1)]);
    let requeue = Outcome::Requeue { delay: Millis(0), count: true };
    bench.queue.settle(consumer, Tags::One(1), requeue, bench.now, &mut bench.fx);
    assert!(bench.fx.dead.is_empty());
    bench.queue.settle(consumer, Tags::One(2), requeue, bench.now, &mut bench.fx);
    assert_eq!(dead(&mut bench), [(1, DeadReason::MaxDeliveries)]);
    assert_eq!((bench.queue.stats().dying, bench.queue.stats().stored()), (1, 1));
    // Refused there: it comes back, once more to be delivered.
    assert!(bench.queue.exhumed(Order(1), Millis(5_000), bench.now, &mut bench.fx));
    bench.pass_to(5_000);
    assert_eq!(bench.orders(), [vec![1, 1, 1]]);
    bench.queue.settle(consumer, Tags::One(3), requeue, bench.now, &mut bench.fx);
    assert_eq!(dead(&mut bench), [(1, DeadReason::MaxDeliveries)]);
    bench.fx.clear();
    assert!(bench.queue.buried(Order(1), bench.now, &mut bench.fx));
    assert!(!bench.queue.buried(Order(1), bench.now, &mut bench.fx));
    assert!(bench.fx.settled.is_empty(), "the batch that moved it settles it");
    assert_eq!(bench.fx.released.len(), 1);
    assert_eq!((bench.queue.stats().dead_lettered, bench.queue.stats().exhumed), (1, 1));
    assert!(bench.queue.is_empty());
}

#[test]
fn rejected_or_dropped_by_policy() {
    let mut bench = Bench::new(QueuePolicy::default());
    let consumer = bench.attach(PLENTY);
    bench.enqueue([stored(1)]);
    bench.queue.settle(consumer, Tags::One(1), Outcome::Reject, bench.now, &mut bench.fx);
    assert_eq!(dead(&mut bench), [(1, DeadReason::Rejected)]);
    let mut bench = Bench::new(no_dead_letters());
    let consumer = bench.attach(PLENTY);
    bench.enqueue([stored(1), stored(2)]);
    bench.queue.settle(consumer, Tags::UpTo(2), Outcome::Reject, bench.now, &mut bench.fx);
    assert_eq!(bench.settled(), [1, 2], "ascending, although the last is taken first");
    assert_eq!(bench.queue.stats().dropped.poison, 2);
}

#[test]
fn expired_messages_are_not_delivered() {
    let mut bench = Bench::new(QueuePolicy::default());
    let lost = Entry { expires: Millis(2_000), ..volatile(2) };
    bench.enqueue([expiring(1, 2_000), lost, expiring(3, 2_001)]);
    bench.now = Millis(2_000);
    bench.attach(PLENTY);
    assert_eq!(bench.orders(), [vec![3]]);
    assert_eq!(dead(&mut bench), [(1, DeadReason::Expired)]);
    let stats = bench.queue.stats();
    assert_eq!((stats.expired, stats.dropped.expired, stats.dying), (2, 1, 1));
}

#[test]
fn a_sweep_finds_what_nobody_takes() {
    let mut bench = Bench::new(no_dead_letters());
    let entries = (1..=5_000).map(|n| if n % 3 == 0 { expiring(n, 2_000 + n) } else { stored(n) });
    bench.enqueue(entries);
    bench.pass_to(2_000);
    assert_eq!(bench.queue.stats().expired, 0);
    assert_eq!(bench.queue.next_deadline(), Some(Millis(2_003)));
    bench.pass_to(4_500);
    assert_eq!(bench.queue.stats().expired, 2_500 / 3);
    // The rest between two rounds is kept.
    assert_eq!(bench.queue.next_deadline(), Some(Millis(5_500)));
    bench.pass_to(8_000);
    assert_eq!(bench.queue.stats().expired, 5_000 / 3);
    assert_eq!(bench.queue.next_deadline(), None);
    bench.queue.check();
    assert!(bench.settled().is_sorted());
}

#[test]
fn a_dispatch_over_many_expired_goes_on_in_time() {
    let mut bench = Bench::new(no_dead_letters());
    bench.enqueue((1..=3_000).map(|n| expiring(n, 2_000)).chain([stored(3_001)]));
    bench.now = Millis(3_000);
    bench.attach(PLENTY);
    assert_eq!(bench.queue.stats().expired, limits::SCAN_BUDGET as u64);
    bench.pass_to(3_000);
    assert_eq!(bench.orders(), [vec![3_001]]);
}

#[test]
fn many_expired_wait_for_the_dead_letters() {
    let mut bench = Bench::new(QueuePolicy::default());
    let gone: Vec<_> = (1..=3_000).map(|n| Entry { message: None, ..expiring(n, 2_000) }).collect();
    bench.enqueue(gone);
    bench.pass_to(3_000);
    let mut moved = 0;
    for step in 0..100 {
        bench.pass_to(3_000 + step * 1_000);
        assert!(bench.queue.stats().dying <= limits::SCAN_BUDGET as u64 + limits::LOAD_ENTRIES as u64);
        bench.load();
        for (order, _) in dead(&mut bench) {
            assert!(bench.queue.buried(Order(order), bench.now, &mut bench.fx));
            moved += 1;
        }
        bench.queue.check();
    }
    assert_eq!(moved, 3_000);
}

#[test]
fn what_could_not_be_read_is_asked_for_again() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.enqueue([Entry { message: None, ..expiring(1, 2_000) }, Entry { message: None, ..stored(2) }]);
    bench.now = Millis(2_000);
    bench.attach(PLENTY);
    assert_eq!(bench.fx.load, [(Order(1), place(1)), (Order(2), place(2))]);
    bench.fx.load.clear();
    bench.queue.load_failed([Order(1), Order(2)].into_iter(), bench.now, &mut bench.fx);
    bench.queue.check();
    assert!(bench.fx.load.is_empty());
    assert_eq!(bench.queue.next_deadline(), Some(Millis(3_000)));
    bench.pass_to(3_000);
    assert_eq!(bench.load(), 2);
    assert_eq!(bench.orders(), [vec![2]]);
    assert_eq!(dead(&mut bench), [(1, DeadReason::Expired)]);
    assert_eq!(bench.queue.stats().expired, 1);
}

#[test]
fn the_oldest_makes_room() {
    let policy = QueuePolicy { max_messages: 3, overflow: Overflow::DropOldest, ..QueuePolicy::default() };
    let mut bench = Bench::new(policy);
    bench.enqueue((1..=5).map(stored));
    assert_eq!(bench.settled(), [1, 2]);
    assert_eq!((bench.queue.stats().dropped.overflow, bench.queue.stats().ready), (2, 3));
    let consumer = bench.attach(Credit { messages: 1, ..PLENTY });
    bench.enqueue([stored(6), stored(7)]);
    assert_eq!(bench.settled(), [4], "what is in flight neither goes nor counts");
    bench.queue.settle(consumer, Tags::One(1), Outcome::Retry, bench.now, &mut bench.fx);
    bench.enqueue([stored(8)]);
    assert_eq!(bench.settled(), [3, 5], "what is delayed does");
}

#[test]
fn the_oldest_goes_to_the_dead_letters() {
    let policy = QueuePolicy { max_messages: 2, overflow: Overflow::DeadLetter, ..QueuePolicy::default() };
    let mut bench = Bench::new(policy);
    bench.enqueue((1..=4).map(stored));
    assert_eq!(dead(&mut bench), [(1, DeadReason::Overflow), (2, DeadReason::Overflow)]);
    assert_eq!(bench.queue.admit(1, 0), Admission::Block, "until the dead letters are taken");
    bench.queue.buried(Order(1), bench.now, &mut bench.fx);
    assert_eq!(bench.queue.admit(1, 0), Admission::Accept);
}

#[test]
fn purge_leaves_what_is_in_flight() {
    let mut bench = Bench::new(QueuePolicy { priority: true, ..QueuePolicy::default() });
    let consumer = bench.attach(Credit { messages: 2, ..PLENTY });
    bench.enqueue((1..=8).map(|n| Entry { priority: (n % 3) as u8, ..stored(n) }));
    bench.queue.settle(consumer, Tags::One(1), Outcome::Retry, bench.now, &mut bench.fx);
    assert_eq!(bench.queue.purge(4, &mut bench.fx), 4);
    assert_eq!(bench.queue.purge(4, &mut bench.fx), 3);
    assert_eq!(bench.queue.purge(4, &mut bench.fx), 0);
    bench.queue.check();
    assert_eq!((bench.queue.stats().in_flight, bench.queue.len()), (1, 1));
    assert_eq!(bench.queue.stats().dropped.purged, 7);
}
