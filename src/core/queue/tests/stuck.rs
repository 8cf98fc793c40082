//! Choosy consumers never stand aside for longer than there is a reason to.

use wharfmq_base::Millis;

use super::kit::{Bench, PLENTY, message, stored, volatile};
use crate::{
    Credit, CreditPool, DeadLetter, Entry, Filter, GroupId, Grouping, Order, Outcome, QueuePolicy, Selector,
    Tags, Typing, Value, limits,
};

const GROUP: GroupId = GroupId(7);

fn grouped(order: u64) -> Entry {
    Entry { group: GROUP, ..stored(order) }
}

fn paged(order: u64) -> Entry {
    Entry { message: None, ..stored(order) }
}

const fn credit(messages: u32) -> Credit {
    Credit { messages, ..PLENTY }
}

impl Bench {
    fn choose(&mut self, selector: &str, credit: Credit) {
        let mut spec = self.spec(credit);
        let selector = Selector::parse(selector, Typing::Strict).unwrap();
        spec.filter = Some(Filter::new(selector, |_, _, _| Value::Null));
        self.attach_spec(spec);
    }

    fn loads(&mut self) -> Vec<Order> {
        self.fx.load.drain(..).map(|(order, _)| order).collect()
    }

    fn answer(&mut self, orders: &[Order]) {
        let messages = orders.iter().map(|&order| (order, message(order.0, 100)));
        self.queue.loaded(messages, self.now, &mut self.fx);
    }

    fn bury_all(&mut self) {
        let dead: Vec<_> = self.fx.dead.drain(..).map(|dead| dead.entry.order).collect();
        for order in dead {
            self.queue.buried(order, self.now, &mut self.fx);
        }
    }
}

#[test]
fn what_was_kept_for_the_owner_of_a_closed_group_goes_to_whoever_has_it_now() {
    let mut bench = Bench::new(QueuePolicy::default());
    let first = bench.attach(credit(2));
    bench.enqueue([grouped(1), Entry { group: GroupId(8), ..stored(2) }]);
    bench.attach(PLENTY);
    // More than is looked at when the group is closed lies before the last of it.
    bench.enqueue([Entry { closes_group: true, ..grouped(3) }]);
    bench.enqueue((4..1_200).map(|order| Entry { group: GroupId(8), ..stored(order) }));
    bench.enqueue([grouped(1_200)]);
    bench.pass_to(1_000);
    bench.queue.grant(first, credit(1), bench.now, &mut bench.fx);
    bench.enqueue([grouped(1_201)]);
    bench.queue.grant(first, credit(2_000), bench.now, &mut bench.fx);
    bench.pass_to(1_000);
    assert_eq!(bench.queue.stats().ready, 0);
}

#[test]
fn a_page_in_counts_as_answered_for_what_is_dying_too() {
    let mut bench = Bench::new(QueuePolicy { resident_bytes: 0, ..QueuePolicy::default() });
    bench.enqueue([paged(1), paged(2), Entry { expires: Millis(2_000), ..paged(3) }]);
    bench.choose("JMSPriority = 4", PLENTY);
    let asked = bench.loads();
    bench.now = Millis(3_000);
    bench.queue.on_time(bench.now, &mut bench.fx);
    let again = bench.loads();
    bench.answer(&asked);
    bench.answer(&again);
    bench.load();
    bench.bury_all();
    bench.enqueue([paged(9)]);
    bench.load();
    bench.load();
    assert_eq!(bench.queue.stats().ready, 0);
}

#[test]
fn a_strict_group_goes_on_when_its_next_has_expired() {
    let policy =
        QueuePolicy { groups: Grouping::Strict, expired: DeadLetter::Drop, ..QueuePolicy::default() };
    let mut bench = Bench::new(policy);
    let key = bench.attach(PLENTY);
    bench.enqueue([grouped(1), Entry { expires: Millis(1_500), ..grouped(2) }, grouped(3)]);
    assert_eq!(bench.orders(), [vec![1]]);
    bench.now = Millis(1_600);
    bench.queue.settle(key, Tags::One(1), Outcome::Accept, bench.now, &mut bench.fx);
    bench.pass_to(1_600);
    assert_eq!(bench.orders(), [vec![3]]);
}

#[test]
fn a_paused_queue_rests() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.enqueue((1..5_000).map(volatile));
    bench.choose("JMSPriority = 9", PLENTY);
    bench.queue.set_paused(true, bench.now, &mut bench.fx);
    assert_eq!(bench.queue.next_deadline(), None);
}

#[test]
fn the_rest_of_a_closed_group_wakes_the_others() {
    let mut bench = Bench::new(QueuePolicy::default());
    let first = bench.attach(credit(1));
    bench.enqueue([grouped(1)]);
    bench.attach(credit(10));
    bench.enqueue([Entry { closes_group: true, ..grouped(2) }, grouped(3), grouped(4)]);
    assert_eq!(bench.orders(), [vec![1], vec![]]);
    bench.queue.settle(first, Tags::One(1), Outcome::Accept, bench.now, &mut bench.fx);
    bench.queue.grant(first, credit(1), bench.now, &mut bench.fx);
    assert_eq!(bench.orders(), [vec![2], vec![3, 4]]);
}

#[test]
fn who_waits_for_the_dead_letters_goes_on_with_them() {
    let mut bench = Bench::new(QueuePolicy::default());
    bench.enqueue((1..=600).map(|order| Entry { expires: Millis(1_500), ..paged(order) }));
    bench.enqueue([paged(1_000)]);
    bench.now = Millis(2_000);
    let mut spec = bench.spec(PLENTY);
    spec.pool = Some(CreditPool::new(1_000));
    bench.attach_spec(spec);
    let mut got = Vec::new();
    for second in 3..20 {
        bench.load();
        bench.bury_all();
        bench.pass_to(second * 1_000);
        if second == 15 {
            bench.enqueue([stored(2_000)]);
        }
        got.extend(bench.orders().concat());
    }
    assert_eq!(got, [1_000, 2_000]);
}

#[test]
fn what_is_found_ahead_is_bounded_whatever_the_priorities() {
    let mut bench = Bench::new(QueuePolicy { priority: true, ..QueuePolicy::default() });
    bench.choose("JMSPriority >= 0", credit(1));
    bench.enqueue((1..=3_000).map(|order| Entry { priority: 0, ..volatile(order) }));
    bench.attach(PLENTY);
    for first in (10_000..20_000).step_by(200) {
        bench.enqueue((0..200).map(|nth| Entry { priority: 9, ..volatile(first + nth) }));
    }
    assert!(bench.queue.found_len() <= 2 * limits::FOUND_AHEAD);
}

#[test]
fn what_is_next_is_read_first() {
    let mut bench = Bench::new(QueuePolicy::default());
    let first = bench.attach(credit(1));
    bench.enqueue([grouped(500)]);
    let second = bench.attach(credit(1));
    bench.enqueue([stored(501)]);
    bench.queue.grant(second, credit(1), bench.now, &mut bench.fx);
    // Kept for the first consumer, and in memory: more than one page-in asks for.
    bench.enqueue((600..900).map(grouped));
    bench.enqueue([stored(901)]);
    bench.enqueue([paged(10)]);
    bench.orders();
    bench.queue.grant(first, credit(5), bench.now, &mut bench.fx);
    assert_eq!(bench.load(), 1);
    assert_eq!(bench.orders()[0].first(), Some(&10));
}
