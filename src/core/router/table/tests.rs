use super::super::route::merge_flags;
use super::*;
use crate::filter::testing::{filter, message};
use proptest::prelude::*;

type Names = Router<&'static str>;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(Kind::Topic, text).unwrap()
}

fn direct(outbox: &Arc<Outbox>, sub: u32) -> Direct {
    Direct { outbox: Arc::clone(outbox), sub: SubTag(sub), no_local: false, qos0_only: false, filter: None }
}

fn topic(name: &str) -> Arc<Address> {
    Arc::new(Address::topic(name))
}

fn reached<Q>(route: &Route<Q>) -> Vec<(u64, Vec<u32>)> {
    route
        .direct
        .iter()
        .map(|target| (target.outbox.conn.0, target.subs.iter().map(|sub| sub.sub.0).collect()))
        .collect()
}

#[test]
fn overlapping_filters_of_a_connection_are_one_target() {
    let router = Names::new();
    let (a, b) = (Outbox::new(ConnId(1)), Outbox::new(ConnId(2)));
    router.subscribe(&pattern("plant.>"), direct(&b, 7));
    router.subscribe(&pattern("plant.*.temp"), direct(&a, 2));
    router.subscribe(&pattern("plant.line1.temp"), direct(&a, 1));
    assert_eq!(reached(&router.route(&topic("plant.line1.temp"))), [(1, vec![1, 2]), (2, vec![7])]);
    assert_eq!(reached(&router.route(&topic("plant"))), [(2, vec![7])]);
    assert!(router.unsubscribe(&pattern("plant.*.temp"), ConnId(1), SubTag(2)));
    assert!(!router.unsubscribe(&pattern("plant.*.temp"), ConnId(1), SubTag(2)));
    assert_eq!(reached(&router.route(&topic("plant.line1.temp"))), [(1, vec![1]), (2, vec![7])]);
    assert_eq!(router.forget(ConnId(2), [&pattern("plant.>"), &pattern("never.there")]), 1);
    assert_eq!(reached(&router.route(&topic("plant.line1.temp"))), [(1, vec![1])]);
}

#[test]
fn subscribing_again_replaces_the_options() {
    let router = Names::new();
    let outbox = Outbox::new(ConnId(1));
    assert!(router.subscribe(&pattern("a"), direct(&outbox, 1)));
    assert!(!router.subscribe(&pattern("a"), Direct { no_local: true, ..direct(&outbox, 1) }));
    let route = router.route(&topic("a"));
    assert_eq!(reached(&route), [(1, vec![1])]);
    assert!(route.direct[0].subs[0].no_local);
}

#[test]
fn overlapping_bindings_of_a_queue_are_one() {
    let router = Names::new();
    router.bind(&pattern("a.*"), QueueId(5), "five", 1, true, None);
    router.bind(&pattern("a.b"), QueueId(5), "five", 0b100, false, None);
    router.bind(&pattern("a.>"), QueueId(3), "three", 2, true, None);
    let route = router.route(&topic("a.b"));
    let expected = [
        Bound { id: QueueId(3), queue: "three", flags: 2, own_flags: None, choices: None },
        Bound { id: QueueId(5), queue: "five", flags: 0b101, own_flags: Some(0b100), choices: None },
    ];
    assert_eq!(*route.queues, expected);
    assert!(router.unbind(&pattern("a.*"), QueueId(5)));
    assert_eq!(router.route(&topic("a.b")).queues[1].flags, 0b100);
    assert_eq!(router.unbind_all([&pattern("a.b"), &pattern("a.>")], QueueId(5)), 1);
    assert_eq!(router.route(&topic("a.b")).queues.len(), 1);
}

#[test]
fn filters_come_with_the_route() {
    let router = Names::new();
    let outbox = Outbox::new(ConnId(1));
    let (red, blue) = (filter("color = 'red'"), filter("color = 'blue'"));
    let choosy =
        |sub, filter: &Arc<Filter>| Direct { filter: Some(Arc::clone(filter)), ..direct(&outbox, sub) };
    router.subscribe(&pattern("a.*"), choosy(1, &red));
    router.subscribe(&pattern("a.>"), choosy(1, &red));
    router.subscribe(&pattern("a.b"), choosy(1, &blue));
    router.subscribe(&pattern("a.b"), direct(&outbox, 2));
    router.bind(&pattern("a.*"), QueueId(5), "five", 1, false, Some(Arc::clone(&red)));
    router.bind(&pattern("a.b"), QueueId(6), "six", 1, false, Some(Arc::clone(&red)));
    router.bind(&pattern("a.>"), QueueId(6), "six", 2, false, None);
    let route = router.route(&topic("a.b"));
    let subs = route.direct[0].subs.iter().map(|sub| (sub.sub.0, sub.filter.clone()));
    let mut subs: Vec<_> = subs.collect();
    subs.sort_by_key(|(tag, filter)| (*tag, filter.as_ref() == Some(&red)));
    assert_eq!(subs, [(1, Some(blue)), (1, Some(Arc::clone(&red))), (2, None)]);
    let taking =
        |head| route.queues.iter().map(|bound| bound.taking(false, &message(head))).collect::<Vec<_>>();
    assert_eq!(taking("color:red\n"), [Some(1), Some(2)]);
    assert_eq!(taking("color:blue\n"), [None, Some(2)]);
    router.bind(&pattern("a.*"), QueueId(5), "five", 1, false, None);
    assert_eq!(router.route(&topic("a.b")).queues[0].choices, None, "the filter was replaced by none");
    assert!(router.unsubscribe(&pattern("a.b"), ConnId(1), SubTag(1)));
    assert!(router.unbind(&pattern("a.b"), QueueId(6)));
    assert_eq!(router.route(&topic("a.b")).queues[1].choices, None);
}

#[test]
fn a_target_is_small() {
    assert!(size_of::<Target<Arc<()>>>() <= 24);
}

#[test]
fn queues_are_reached_by_their_names_only() {
    let router = Names::new();
    let address = Arc::new(Address::queue("orders"));
    assert!(router.route(&address).is_empty());
    assert_eq!(router.define_queue(&"orders".into(), QueueId(1), "q"), Ok(()));
    assert_eq!(router.define_queue(&"orders".into(), QueueId(2), "late"), Err((QueueId(1), "q")));
    assert_eq!(router.route(&address).queues[0].taking(true, &message("")), Some(2));
    router.bind(&pattern(">"), QueueId(9), "topics", 1, false, None);
    assert_eq!(router.route(&address).queues.len(), 1, "a topic binding takes nothing of a queue");
    assert!(!router.route(&topic("orders")).queues.iter().any(|bound| bound.id == QueueId(1)));
    assert_eq!(router.queues(|name| name.starts_with("or")), [("orders".into(), QueueId(1), "q")]);
    assert_eq!(router.queue("orders"), Some((QueueId(1), "q")));
    assert_eq!(router.undefine_queue("orders"), Some((QueueId(1), "q")));
    assert_eq!(router.undefine_queue("orders"), None);
    assert!(router.route(&address).is_empty());
    assert_eq!(router.queue_count(), 0);
}

#[test]
fn a_queue_whose_name_looks_like_a_pattern_is_found_and_forgotten() {
    let router = Names::new();
    let address = Arc::new(Address::queue("a.*"));
    assert!(router.route(&address).is_empty());
    assert_eq!(router.define_queue(&address.name, QueueId(1), "q"), Ok(()));
    assert_eq!(router.route(&address).queues.len(), 1);
}

#[test]
fn a_route_survives_changes_that_do_not_concern_it() {
    let router = Names::new();
    let outbox = Outbox::new(ConnId(1));
    router.subscribe(&pattern("a.>"), direct(&outbox, 1));
    let first = router.route(&topic("a.b"));
    router.subscribe(&pattern("b.>"), direct(&outbox, 2));
    assert!(first.generation() < router.generation());
    let again = router.route(&topic("a.b"));
    assert!(Arc::ptr_eq(&first, &again), "the change was elsewhere");
    assert_eq!(again.generation(), router.generation());
    router.subscribe(&pattern("a.*"), direct(&outbox, 3));
    let third = router.route(&topic("a.b"));
    assert!(!Arc::ptr_eq(&first, &third));
    assert_eq!(reached(&third), [(1, vec![1, 3])]);
    for n in 0..=CHANGES_MAX as u32 {
        router.subscribe(&pattern("c"), direct(&outbox, n));
    }
    let walked = router.route(&topic("a.b"));
    assert!(!Arc::ptr_eq(&third, &walked), "more changes than are remembered");
    assert_eq!(reached(&walked), reached(&third));
}

#[test]
fn the_cache_is_bounded_and_swept() {
    let router = Names::new();
    for n in 0..300_000 {
        router.route(&topic(&format!("device.{n}.status")));
    }
    assert!(router.cache.bytes() <= crate::limits::ROUTE_CACHE_BYTES);
    assert!(router.cache.bytes() > crate::limits::ROUTE_CACHE_BYTES / 8);
    router.bind(&pattern("x"), QueueId(1), "x", 0, false, None);
    let current = router.route(&topic("y"));
    router.sweep();
    assert!(Arc::ptr_eq(&current, &router.route(&topic("y"))));
    assert!(router.cache.bytes() < 1_000);
}

#[test]
fn a_removed_outbox_is_let_go_after_a_sweep() {
    let router = Names::new();
    let outbox = Outbox::new(ConnId(1));
    router.subscribe(&pattern("a"), direct(&outbox, 1));
    router.route(&topic("a"));
    router.unsubscribe(&pattern("a"), ConnId(1), SubTag(1));
    router.sweep();
    assert_eq!(Arc::strong_count(&outbox), 1);
}

#[derive(Clone, Debug)]
enum Op {
    Subscribe(usize, u64, u32),
    Unsubscribe(usize, u64, u32),
    Forget(u64),
    Bind(usize, u32, u8, bool),
    Unbind(usize, u32),
}

const PATTERNS: [&str; 8] = ["a.b", "a.*", "a.>", "*.b", ">", "b", "*", "a.*.c"];
const TOPICS: [&str; 6] = ["a", "b", "a.b", "b.b", "a.b.c", "$a.b"];

fn op() -> impl Strategy<Value = Op> {
    let (at, conn, sub, queue) = (0..PATTERNS.len(), 1u64..4, 1u32..3, 1u32..4);
    prop_oneof![
        (at.clone(), conn.clone(), sub.clone()).prop_map(|(at, conn, sub)| Op::Subscribe(at, conn, sub)),
        (at.clone(), conn.clone(), sub).prop_map(|(at, conn, sub)| Op::Unsubscribe(at, conn, sub)),
        conn.prop_map(Op::Forget),
        (at.clone(), queue.clone(), 0u8..16, any::<bool>())
            .prop_map(|(at, queue, f, own)| { Op::Bind(at, queue, if f & 3 == 3 { f - 1 } else { f }, own) }),
        (at, queue).prop_map(|(at, queue)| Op::Unbind(at, queue)),
    ]
}

#[derive(Default)]
struct Model {
    subs: std::collections::BTreeSet<(u64, u32, usize)>,
    bound: std::collections::BTreeMap<(u32, usize), (u8, bool)>,
}

impl Model {
    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Subscribe(at, conn, sub) => drop(self.subs.insert((conn, sub, at))),
            Op::Unsubscribe(at, conn, sub) => drop(self.subs.remove(&(conn, sub, at))),
            Op::Forget(conn) => self.subs.retain(|(of, ..)| *of != conn),
            Op::Bind(at, queue, flags, no_local) => drop(self.bound.insert((queue, at), (flags, no_local))),
            Op::Unbind(at, queue) => drop(self.bound.remove(&(queue, at))),
        }
    }

    fn direct(&self, name: &str) -> Vec<(u64, Vec<u32>)> {
        let mut reached = std::collections::BTreeMap::<u64, std::collections::BTreeSet<u32>>::new();
        for (conn, sub, at) in &self.subs {
            if pattern(PATTERNS[*at]).matches(name) {
                reached.entry(*conn).or_default().insert(*sub);
            }
        }
        reached.into_iter().map(|(conn, subs)| (conn, subs.into_iter().collect())).collect()
    }

    fn queues(&self, name: &str) -> Vec<(u32, u8, Option<u8>)> {
        let mut reached = std::collections::BTreeMap::<u32, (u8, Option<u8>)>::new();
        for ((queue, at), (flags, no_local)) in &self.bound {
            if pattern(PATTERNS[*at]).matches(name) {
                let (all, own) = reached.entry(*queue).or_default();
                *all = merge_flags(*all, *flags);
                if !no_local {
                    *own = Some(merge_flags(own.unwrap_or_default(), *flags));
                }
            }
        }
        reached.into_iter().map(|(queue, (all, own))| (queue, all, own)).collect()
    }
}

proptest! {
    #[test]
    fn routes_follow_every_change(ops in prop::collection::vec(op(), 1..60)) {
        let router = Router::<u32>::new();
        let outboxes: Vec<_> = (0..4).map(|conn| Outbox::new(ConnId(conn))).collect();
        let patterns = PATTERNS.map(pattern);
        let mut model = Model::default();
        for op in ops {
            match op {
                Op::Subscribe(at, conn, sub) => {
                    router.subscribe(&patterns[at], direct(&outboxes[conn as usize], sub));
                }
                Op::Unsubscribe(at, conn, sub) => {
                    router.unsubscribe(&patterns[at], ConnId(conn), SubTag(sub));
                }
                Op::Forget(conn) => drop(router.forget(ConnId(conn), &patterns)),
                Op::Bind(at, queue, flags, no_local) => {
                    router.bind(&patterns[at], QueueId(queue), queue, flags, no_local, None);
                }
                Op::Unbind(at, queue) => drop(router.unbind(&patterns[at], QueueId(queue))),
            }
            model.apply(&op);
            for name in TOPICS {
                let route = router.route(&topic(name));
                prop_assert_eq!(reached(&route), model.direct(name), "{} after {:?}", name, op);
                let queues: Vec<_> =
                    route.queues.iter().map(|bound| (bound.queue, bound.flags, bound.own_flags)).collect();
                prop_assert_eq!(queues, model.queues(name), "{} after {:?}", name, op);
            }
        }
    }
}
