//! What messages ask for, and what policies do with it.

use wharfmq_base::Millis;

use super::kit::{Bench, PLENTY, place, stored, volatile};
use crate::{
    Admission, Arrival, Credit, CreditPool, DeadReason, Entry, Filter, GroupId, Grouping, Nack, Novelty,
    Order, Outcome, Overflow, QueuePolicy, Selector, Tags, Typing, Value,
};

fn of_group(order: u64, group: &str) -> Entry {
    Entry { group: GroupId::of(group), ..stored(order) }
}

fn last(order: u64, key: &str) -> Arrival {
    Arrival::from(stored(order)).key(Some(key.into()))
}

impl Bench {
    fn arrive(&mut self, arrivals: impl IntoIterator<Item = Arrival>) {
        self.queue.enqueue(arrivals.into_iter(), self.now, &mut self.fx);
    }
}

#[test]
fn a_group_keeps_its_consumer_until_it_is_closed() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.attach(PLENTY);
    bench.attach(PLENTY);
    bench.enqueue([of_group(1, "a"), of_group(2, "b"), of_group(3, "a"), of_group(4, "b")]);
    assert_eq!(bench.orders(), [vec![1, 3], vec![2, 4]]);
    bench.enqueue([Entry { closes_group: true, ..of_group(5, "a") }, stored(6), of_group(7, "a")]);
    let orders = bench.orders();
    assert!(orders[0].contains(&5), "the last of the group goes where the others went: {orders:?}");
    bench.enqueue([of_group(8, "b"), of_group(9, "b"), of_group(10, "b")]);
    assert_eq!(bench.orders()[1], [8, 9, 10]);
}

#[test]
fn the_first_of_a_group_is_marked_and_a_group_moves_on_when_its_consumer_leaves() {
    let mut bench = Bench::new(QueuePolicy::default());
    let first = bench.attach(Credit { messages: 1, ..PLENTY });
    bench.enqueue([of_group(1, "a"), of_group(2, "a")]);
    let marks = |bench: &mut Bench| -> Vec<Vec<(u64, bool)>> {
        let all = bench.deliveries();
        all.iter().map(|one| one.iter().map(|d| (d.message.id.0, d.first_of_group)).collect()).collect()
    };
    assert_eq!(marks(&mut bench), [vec![(1, true)]]);
    bench.attach(PLENTY);
    bench.enqueue([of_group(3, "b")]);
    assert_eq!(marks(&mut bench), [vec![], vec![(3, true)]], "the rest of the group waits for its consumer");
    bench.queue.detach(first, u64::MAX, bench.now, &mut bench.fx);
    assert_eq!(marks(&mut bench), [vec![], vec![(1, true), (2, false)]]);
}

#[test]
fn of_a_strict_group_one_is_in_flight() {
    let mut bench = Bench::new(QueuePolicy { groups: Grouping::Strict, ..QueuePolicy::default() });
    let key = bench.attach(PLENTY);
    bench.enqueue([of_group(1, "a"), of_group(2, "a"), of_group(3, "b"), stored(4)]);
    assert_eq!(bench.orders(), [vec![1, 3, 4]]);
    bench.queue.settle(key, Tags::One(1), Outcome::Retry, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![0; 0]], "the next waits while the first is to be delivered again");
    bench.pass_to(3_000);
    assert_eq!(bench.orders(), [vec![1]]);
    bench.queue.settle(key, Tags::One(4), Outcome::Accept, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![2]]);
}

#[test]
fn a_delivery_that_is_held_for_too_long_comes_back() {
    let mut bench = Bench::new(QueuePolicy { lock: Millis(2_000), ..QueuePolicy::default() });
    let slow = bench.attach(Credit { messages: 2, ..PLENTY });
    bench.enqueue([stored(1), stored(2)]);
    assert_eq!(bench.orders(), [vec![1, 2]]);
    assert_eq!(bench.queue.extend(slow, Tags::One(2), Millis(9_000)), 1);
    bench.attach(PLENTY);
    bench.pass_to(3_000);
    let all = bench.deliveries();
    assert_eq!((all[1].len(), all[1][0].message.id.0, all[1][0].deliveries), (1, 1, 1));
    assert_eq!(bench.queue.settle(slow, Tags::One(1), Outcome::Accept, bench.now, &mut bench.fx), 0);
    bench.pass_to(8_999);
    assert_eq!(bench.queue.stats().lock_expired, 2, "the second consumer held it too long as well");
    assert_eq!(bench.queue.settle(slow, Tags::One(2), Outcome::Accept, bench.now, &mut bench.fx), 1);
}

#[test]
fn a_lock_ends_with_its_delivery() {
    let mut bench = Bench::new(QueuePolicy { lock: Millis(2_000), ..QueuePolicy::default() });
    let key = bench.attach(PLENTY);
    bench.enqueue([stored(1), stored(2), stored(3)]);
    bench.queue.settle(key, Tags::One(1), Outcome::Accept, bench.now, &mut bench.fx);
    let mut staged = Vec::new();
    bench.queue.stage(key, Tags::One(2), &mut staged);
    bench.queue.detach(key, 0, bench.now, &mut bench.fx);
    assert_eq!(bench.queue.next_deadline(), None);
    bench.queue.unstage(&staged, bench.now, &mut bench.fx);
    let other = bench.attach(PLENTY);
    assert_eq!(bench.queue.next_deadline(), Some(Millis(3_000)));
    bench.queue.stage(other, Tags::One(1), &mut staged);
    bench.queue.unstage(&staged[1..], bench.now, &mut bench.fx);
    bench.pass_to(3_000);
    assert_eq!(bench.queue.stats().lock_expired, 2);
}

#[test]
fn a_later_message_takes_the_place_of_an_earlier_one() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.arrive([last(1, "a"), last(2, "b"), last(3, "a")]);
    bench.arrive([last(4, "b").due(Millis(5_000))]);
    assert_eq!(bench.settled(), [1, 2]);
    assert_eq!(bench.queue.stats().dropped.replaced, 2);
    bench.attach(Credit { messages: 1, ..PLENTY });
    assert_eq!(bench.orders(), [vec![3]]);
    bench.arrive([last(5, "a")]);
    assert_eq!(bench.queue.len(), 3, "what a consumer has stays");
}

#[test]
fn an_identity_is_new_once() {
    let mut bench = Bench::new(QueuePolicy { dedup: Millis(5_000), ..QueuePolicy::default() });
    let (id, now) = ("x".into(), bench.now);
    assert_eq!(bench.queue.try_first(&id, now), Novelty::New);
    assert_eq!(bench.queue.try_first(&id, now), Novelty::Pending);
    bench.queue.forget_first(&id);
    assert_eq!(bench.queue.try_first(&id, now), Novelty::New);
    bench.arrive([Arrival::from(stored(1)).dedup(Some(id.clone()))]);
    assert_eq!(bench.queue.try_first(&id, now), Novelty::Seen);
    assert_eq!(bench.queue.stats().duplicates, 1);
    let seen = bench.queue.first_seen_since(now);
    assert_eq!(seen, [(id.clone(), Millis(6_000))]);
    let mut after = Bench::new(QueuePolicy { dedup: Millis(5_000), ..QueuePolicy::default() });
    for (id, until) in seen {
        after.queue.restore_first(id, until);
    }
    assert_eq!(after.queue.try_first(&id, Millis(5_999)), Novelty::Seen);
    assert_eq!(after.queue.try_first(&id, Millis(6_000)), Novelty::New);
}

#[test]
fn what_is_due_later_waits_without_its_body() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.attach(PLENTY);
    bench.arrive([
        Arrival::from(stored(1)).due(Millis(1_500)),
        Arrival::from(stored(2)).due(Millis(60_000)),
        Arrival::from(volatile(3)).due(Millis(60_000)),
        Arrival::from(stored(4)).due(Millis(900)),
    ]);
    assert_eq!(bench.orders(), [vec![4]]);
    assert_eq!(bench.queue.next_deadline(), Some(Millis(1_500)));
    bench.pass_to(1_500);
    assert_eq!(bench.orders(), [vec![1]]);
    bench.pass_to(60_000);
    assert_eq!(bench.load(), 1);
    assert_eq!(bench.orders(), [vec![2, 3]]);
}

#[test]
fn a_paused_queue_takes_in_and_gives_nothing_out() {
    let mut bench = Bench::new(QueuePolicy { paused: true, ..QueuePolicy::default() });
    bench.attach(PLENTY);
    bench.enqueue([stored(1)]);
    assert_eq!(bench.orders(), [vec![0; 0]]);
    bench.queue.set_paused(false, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![1]]);
}

#[test]
fn one_active_consumer_at_a_time() {
    let mut bench = Bench::new(QueuePolicy { single_active: true, ..QueuePolicy::default() });
    let first = bench.attach(PLENTY);
    bench.attach(PLENTY);
    bench.enqueue([stored(1), stored(2)]);
    assert_eq!(bench.orders(), [vec![1, 2], vec![]]);
    bench.queue.detach(first, 0, bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![], vec![1, 2]]);
}

#[test]
fn what_a_nack_means_is_the_policys() {
    for (nack, delayed, dropped, dead) in
        [(Nack::Retry, 1, 0, 0), (Nack::DeadLetter, 0, 0, 1), (Nack::Discard, 0, 1, 0)]
    {
        let mut bench = Bench::new(QueuePolicy { nack, ..QueuePolicy::default() });
        let mut spec = bench.spec(PLENTY);
        spec.who = "clerk".into();
        let key = bench.attach_spec(spec);
        bench.enqueue([stored(1)]);
        bench.queue.settle(key, Tags::One(1), Outcome::Nack, bench.now, &mut bench.fx);
        let stats = bench.queue.stats();
        assert_eq!((stats.delayed, stats.dropped.poison, stats.dying), (delayed, dropped, dead), "{nack:?}");
        let by: Vec<_> = bench.fx.dead.iter().map(|dead| (dead.reason, dead.by.as_deref())).collect();
        assert!(by.iter().all(|by| *by == (DeadReason::Rejected, Some("clerk"))));
        assert_eq!(stats.imbalance(), 0);
    }
}

#[test]
fn shares_of_memory_and_disk_make_a_queue_full() {
    let policy =
        QueuePolicy { overflow: Overflow::Reject, max_volatile_bytes: 500, ..QueuePolicy::default() };
    let mut bench = Bench::new(policy);
    bench.enqueue((1..=10).map(stored));
    assert_eq!(bench.queue.admit(1, 1), Admission::Accept);
    bench.queue.unreserve(1, 1);
    bench.enqueue((11..=13).map(volatile));
    assert!(bench.queue.is_crowded());
    assert_eq!(bench.queue.admit(1, 1), Admission::Reject);
    let key = bench.attach(PLENTY);
    bench.queue.settle(key, Tags::UpTo(13), Outcome::Accept, bench.now, &mut bench.fx);
    assert!(!bench.queue.is_crowded());
}

#[test]
fn a_prepared_transaction_has_its_messages_back_after_a_restart() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.enqueue((1..=4).map(|order| Entry { message: None, ..stored(order) }));
    let claimed = bench.queue.claim_orders(&[Order(2), Order(3), Order(9)]);
    assert_eq!(claimed.iter().map(|staged| staged.order.0).collect::<Vec<_>>(), [2, 3]);
    bench.attach(PLENTY);
    bench.load();
    assert_eq!(bench.orders(), [vec![1, 4]]);
    assert_eq!(bench.queue.commit_staged(&claimed[..1], bench.now, &mut bench.fx), 1);
    assert_eq!(bench.queue.unstage(&claimed[1..], bench.now, &mut bench.fx), 1);
    bench.load();
    assert_eq!(bench.orders(), [vec![3]]);
    assert!(
        bench.queue.find(Order(2)).is_none()
            && bench.fx.released.iter().any(|gone| gone.segment == place(2).segment)
    );
}

#[test]
fn queues_share_a_pool_of_credit() {
    let pool = CreditPool::new(3);
    let mut benches = [Bench::new(QueuePolicy::default()), Bench::new(QueuePolicy::default())];
    let mut keys = Vec::new();
    for bench in &mut benches {
        let mut spec = bench.spec(PLENTY);
        spec.pool = Some(pool.clone());
        keys.push(bench.attach_spec(spec));
    }
    benches[0].enqueue((1..=2).map(stored));
    benches[1].enqueue((1..=9).map(stored));
    assert_eq!((benches[0].orders(), benches[1].orders()), (vec![vec![1, 2]], vec![vec![1]]));
    pool.put(2);
    for (bench, key) in benches.iter_mut().zip(keys) {
        bench.queue.grant(key, Credit::default(), bench.now, &mut bench.fx);
    }
    assert_eq!((benches[0].orders(), benches[1].orders()), (vec![vec![]], vec![vec![2, 3]]));
}

#[test]
fn choosy_consumers_take_turns() {
    let mut bench = Bench::new(QueuePolicy::default());
    for _ in 0..3 {
        bench.attach(PLENTY);
    }
    let mut got = vec![0; 3];
    for order in 1..=9 {
        bench.enqueue([of_group(order, &format!("group-{order}"))]);
        for (n, orders) in bench.orders().into_iter().enumerate() {
            got[n] += orders.len();
        }
    }
    assert_eq!(got, [3, 3, 3], "one message at a time goes round as well");
}

#[test]
fn what_was_read_while_the_queue_was_paused_is_found_afterwards() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.attach(PLENTY);
    let mut spec = bench.spec(PLENTY);
    let selector = Selector::parse("JMSPriority = 9", Typing::Strict).unwrap();
    spec.filter = Some(Filter::new(selector, |_, _, _| Value::Null));
    bench.attach_spec(spec);
    bench.enqueue([Entry { message: None, ..stored(1) }]);
    bench.queue.set_paused(true, bench.now, &mut bench.fx);
    bench.load();
    bench.queue.set_paused(false, bench.now, &mut bench.fx);
    bench.load();
    assert_eq!(bench.orders(), [vec![1], vec![]]);
}

#[test]
fn who_held_a_message_for_too_long_is_not_the_first_to_get_it_again() {
    let mut bench = Bench::new(QueuePolicy { lock: Millis(1_000), ..QueuePolicy::default() });
    bench.attach(PLENTY);
    bench.enqueue([stored(1)]);
    assert_eq!(bench.orders(), [vec![1]]);
    bench.attach(PLENTY);
    bench.pass_to(2_000);
    assert_eq!(bench.orders(), [vec![], vec![1]]);
}

#[test]
fn a_ring_stays_within_its_share() {
    let policy = QueuePolicy {
        overflow: Overflow::DropOldest,
        max_volatile_bytes: 3 * u64::from(stored(1).size),
        ..QueuePolicy::default()
    };
    let mut bench = Bench::new(policy);
    bench.enqueue((1..=5).map(volatile));
    let stats = bench.queue.stats();
    assert_eq!((stats.ready, stats.dropped.overflow, bench.queue.is_crowded()), (3, 2, false));
}
