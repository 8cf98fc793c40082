//! Destinations that pass on what is sent to them.

use std::collections::HashSet;
use std::sync::Arc;

use super::pattern::Pattern;
use super::table::{Found, Table};
use crate::{Address, Filter, limits};

/// Passes on what is sent to the destinations of a pattern.
#[derive(Clone, Debug)]
pub struct Forward {
    /// From where.
    pub from: Pattern,
    /// To where.
    pub to: Vec<Arc<Address>>,
    /// Which messages; `None` for all.
    pub filter: Option<Arc<Filter>>,
    /// Whether they stay where they were sent as well. What the filter does not choose stays in any case.
    pub keep: bool,
}

impl Forward {
    /// Whether it holds for a destination. It does not for where it leads itself.
    fn begins_at(&self, address: &Address) -> bool {
        self.from.matches_address(address) && !self.to.iter().any(|to| **to == *address)
    }
}

/// A destination on the way.
struct Step {
    address: Arc<Address>,
    /// Which messages come so far.
    filter: Option<Arc<Filter>>,
    /// The step before.
    from: usize,
    depth: usize,
}

impl<Q: Clone> Table<Q> {
    /// Finds whatever stands at a destination and at those that it is passed on to. Answers those.
    ///
    /// Nearer destinations come first, and none is visited again on a way that comes back to it, nor
    /// once everything has reached it. Where a way ends everything stays, whatever its forward says.
    pub(super) fn reach<'a>(
        &'a self,
        address: &Arc<Address>,
        found: &mut Found<'a, Q>,
    ) -> Box<[Arc<Address>]> {
        if self.forwards.is_empty() {
            self.find(address, None, found);
            return Box::default();
        }
        let mut steps = vec![Step { address: Arc::clone(address), filter: None, from: 0, depth: 0 }];
        let mut done: HashSet<Arc<Address>> = HashSet::new();
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            let (address, filter) = (Arc::clone(&step.address), step.filter.clone());
            if filter.is_some() || done.insert(Arc::clone(&address)) {
                let ends = !self.pass_on(at, &mut steps, &done);
                if let Some(filter) = self.kept(&address, filter, ends) {
                    self.find(&address, filter.as_ref(), found);
                }
            }
            at += 1;
        }
        steps.drain(1..).map(|step| step.address).collect()
    }

    /// What stays at a destination of that which a filter chooses; `None` for nothing.
    fn kept(
        &self,
        address: &Address,
        mut filter: Option<Arc<Filter>>,
        ends: bool,
    ) -> Option<Option<Arc<Filter>>> {
        if ends {
            return Some(filter);
        }
        for forward in self.forwards.iter().filter(|forward| !forward.keep && forward.begins_at(address)) {
            filter = Some(forward.filter.as_ref()?.negation().and(filter.as_ref()));
        }
        Some(filter)
    }

    /// Adds the steps that lead on from one. False where none does, or not everything could be added.
    fn pass_on(&self, at: usize, steps: &mut Vec<Step>, done: &HashSet<Arc<Address>>) -> bool {
        let Some(Step { address, filter, depth, .. }) = steps.get(at) else { return false };
        if *depth >= limits::FORWARD_DEPTH_MAX {
            return false;
        }
        let mut leads_on = false;
        let (address, filter, depth) = (Arc::clone(address), filter.clone(), depth + 1);
        for forward in self.forwards.iter().filter(|forward| forward.begins_at(&address)) {
            let filter = match &forward.filter {
                Some(own) => Some(own.and(filter.as_ref())),
                None => filter.clone(),
            };
            for to in &forward.to {
                if steps.len() > limits::FORWARD_STEPS_MAX {
                    return false;
                }
                if is_on_way(steps, at, to) {
                    continue;
                }
                leads_on = true;
                if !done.contains(to) {
                    steps.push(Step { address: Arc::clone(to), filter: filter.clone(), from: at, depth });
                }
            }
        }
        leads_on
    }
}

/// Whether a destination lies on the way to a step, or is it.
fn is_on_way(steps: &[Step], mut at: usize, address: &Address) -> bool {
    while let Some(step) = steps.get(at) {
        if *step.address == *address {
            return true;
        }
        if at == 0 {
            return false;
        }
        at = step.from;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::testing::{filter, message};
    use crate::{Bound, Kind, QueueId, Router};

    type Names = Router<&'static str>;

    fn address(text: &str) -> Arc<Address> {
        let (kind, name) = Kind::split(text).unwrap();
        Arc::new(Address { kind, name: name.into() })
    }

    fn forward(from: &str, to: &[&str]) -> Forward {
        let from = Pattern::parse_canonical(from).unwrap();
        Forward { from, to: to.iter().map(|name| address(name)).collect(), filter: None, keep: true }
    }

    /// A router in which each of these queues is known by its name.
    fn router(queues: &[&'static str], forwards: Vec<Forward>) -> Names {
        let router = Names::new();
        for (name, id) in queues.iter().zip(1..) {
            router.define_queue(&(*name).into(), QueueId(id), name).unwrap();
        }
        router.set_forwards(forwards);
        router
    }

    fn reached(router: &Names, to: &str) -> Vec<&'static str> {
        router.route(&address(to)).queues.iter().map(|bound| bound.queue).collect()
    }

    fn taking(router: &Names, to: &str, head: &str) -> Vec<&'static str> {
        let takes = |bound: &&Bound<_>| bound.taking(false, &message(head)).is_some();
        router.route(&address(to)).queues.iter().filter(takes).map(|bound| bound.queue).collect()
    }

    #[test]
    fn what_matches_is_passed_on_once() {
        let forwards = vec![
            forward("queue://orders.>", &["queue://audit", "topic://events"]),
            forward("queue://orders.eu", &["queue://audit"]),
        ];
        let router = router(&["orders.eu", "audit", "sub", "other"], forwards);
        router.bind(&Pattern::parse_canonical("topic://events").unwrap(), QueueId(3), "sub", 2, false, None);
        assert_eq!(reached(&router, "queue://orders.eu"), ["orders.eu", "audit", "sub"]);
        assert_eq!(reached(&router, "queue://other"), ["other"]);
        assert_eq!(reached(&router, "topic://orders.eu"), [""; 0]);
    }

    #[test]
    fn what_is_not_kept_goes_on_only() {
        let away = Forward { keep: false, ..forward("queue://a", &["queue://b"]) };
        let router = router(&["a", "b", "c"], vec![away, forward("queue://a", &["queue://c"])]);
        assert_eq!(reached(&router, "queue://a"), ["b", "c"]);
        router.set_forwards(Vec::new());
        assert_eq!(reached(&router, "queue://a"), ["a"], "the route that was cached is made anew");
    }

    #[test]
    fn nothing_vanishes_where_nothing_is_kept() {
        let away = |from, to: &[&str]| Forward { keep: false, ..forward(from, to) };
        let all = router(&["a", "all"], vec![away("queue://>", &["queue://all"])]);
        assert_eq!(reached(&all, "queue://a"), ["all"]);
        assert_eq!(reached(&all, "queue://all"), ["all"], "a forward does not begin where it leads");
        let circle = vec![away("queue://a", &["queue://b"]), away("queue://b", &["queue://a"])];
        let circle = router(&["a", "b"], circle);
        assert_eq!(reached(&circle, "queue://a"), ["b"], "a circle ends before it begins anew");
        assert_eq!(reached(&circle, "queue://b"), ["a"]);
        let both = vec![away("queue://a", &["queue://c", "queue://b"]), away("queue://b", &["queue://c"])];
        assert_eq!(reached(&router(&["a", "b", "c"], both), "queue://a"), ["c"]);
        let red = Forward { filter: Some(filter("color = 'red'")), ..away("queue://a", &["queue://b"]) };
        let red = router(&["a", "b"], vec![red]);
        assert_eq!(taking(&red, "queue://a", "color:red\n"), ["b"]);
        assert_eq!(taking(&red, "queue://a", "color:blue\n"), ["a"], "what is not chosen stays");
        assert_eq!(taking(&red, "queue://a", "size:1\n"), ["a"]);
    }

    #[test]
    fn circles_and_long_chains_end() {
        let circle = vec![
            forward("queue://a", &["queue://b"]),
            forward("queue://b", &["queue://c", "queue://a"]),
            forward("queue://c", &["queue://b"]),
        ];
        assert_eq!(reached(&router(&["a", "b", "c"], circle), "queue://a"), ["a", "b", "c"]);
        let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let chain = names
            .windows(2)
            .map(|pair| forward(&format!("queue://{}", pair[0]), &[&format!("queue://{}", pair[1])]));
        assert_eq!(
            reached(&router(&names, chain.collect()), "queue://0").len(),
            limits::FORWARD_DEPTH_MAX + 1
        );
        let to: Vec<String> = (0..100).map(|n| format!("queue://x{n}")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let filtered = Forward { filter: Some(filter("a = 'b'")), ..forward("queue://>", &to) };
        let router = router(&["x"], vec![filtered]);
        assert!(router.route(&address("queue://x")).via.len() <= limits::FORWARD_STEPS_MAX);
    }

    #[test]
    fn filters_add_up_along_a_way_and_widen_over_several() {
        let choosy = |from, to, text| Forward { filter: Some(filter(text)), ..forward(from, &[to]) };
        let forwards = vec![
            choosy("queue://a", "queue://b", "color = 'red'"),
            choosy("queue://b", "queue://c", "size = '1'"),
            choosy("queue://a", "queue://c", "color = 'blue'"),
        ];
        let router = router(&["a", "b", "c"], forwards);
        assert_eq!(taking(&router, "queue://a", "color:red\nsize:1\n"), ["a", "b", "c"]);
        assert_eq!(taking(&router, "queue://a", "color:red\nsize:2\n"), ["a", "b"]);
        assert_eq!(taking(&router, "queue://a", "color:blue\n"), ["a", "c"]);
        assert_eq!(taking(&router, "queue://a", "color:green\n"), ["a"]);
    }

    #[test]
    fn the_filter_of_a_subscription_behind_a_forward_counts_too() {
        let choosy =
            Forward { filter: Some(filter("color = 'red'")), ..forward("queue://a", &["topic://t"]) };
        let router = router(&["a"], vec![choosy]);
        let own = Some(filter("size = '1'"));
        router.bind(&Pattern::parse_canonical("topic://t").unwrap(), QueueId(9), "sub", 2, false, own);
        assert_eq!(taking(&router, "queue://a", "color:red\nsize:1\n"), ["a", "sub"]);
        assert_eq!(taking(&router, "queue://a", "color:red\nsize:2\n"), ["a"]);
        assert_eq!(taking(&router, "queue://a", "color:blue\nsize:1\n"), ["a"]);
    }

    #[test]
    fn a_change_behind_a_forward_makes_the_route_anew() {
        let router = router(&["a"], vec![forward("queue://a", &["queue://b"])]);
        let first = router.route(&address("queue://a"));
        router.define_queue(&"other".into(), QueueId(8), "other").unwrap();
        assert!(Arc::ptr_eq(&first, &router.route(&address("queue://a"))));
        router.define_queue(&"b".into(), QueueId(9), "b").unwrap();
        assert_eq!(reached(&router, "queue://a"), ["a", "b"]);
    }
}
