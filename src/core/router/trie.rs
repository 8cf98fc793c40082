//! From a name to everything whose pattern matches it.

use std::ops::RangeInclusive;

use slab::Slab;
use smallvec::{SmallVec, smallvec};

use super::pattern::{Pattern, is_hidden};
use super::spread::Spread;
use super::values::{Keyed, Values};
use crate::limits::NAME_LEVELS_MAX;

/// Values under patterns of one kind.
///
/// Patterns without a wildcard, which are nearly all where each device has its own, stand in a hash
/// map and cost a look-up one probe. The others stand in a tree of levels, so that a look-up costs what
/// the name's levels and the wildcards on its way cost, however many patterns there are.
#[derive(Debug)]
pub(crate) struct Trie<V: Keyed> {
    exact: Spread<Box<str>, Option<Values<V>>>,
    nodes: Slab<Node<V>>,
    /// Literal children: (node, level) to node.
    edges: Spread<(u32, u32), u32>,
    levels: Levels,
}

/// A point in the tree of wildcard patterns. Node 0 is the root and is never removed.
#[derive(Debug)]
struct Node<V: Keyed> {
    parent: u32,
    /// The interned level that leads here from the parent; [`STAR`] for `*`.
    level: u32,
    /// Child for `*`, or [`NONE`].
    star: u32,
    /// Children, the star included.
    children: u32,
    /// Values of the pattern that ends here.
    here: Option<Values<V>>,
    /// Values of the pattern that ends below with `>`.
    rest: Option<Values<V>>,
}

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;
const STAR: u32 = u32::MAX - 1;

impl<V: Keyed> Trie<V> {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node::new(NONE, NONE));
        Self { exact: Spread::new(), nodes, edges: Spread::new(), levels: Levels::new() }
    }

    /// Calls `f` with every value whose pattern matches `name`; values of one pattern ascend by key.
    pub(crate) fn for_each_match<'a>(&'a self, name: &str, mut f: impl FnMut(&'a V)) {
        if let Some(Some(values)) = self.exact.get(name) {
            values.for_each(&mut f);
        }
        if self.has_no_wildcard() {
            return;
        }
        // One level more than any pattern has tells a name that is too deep from one that has ended.
        let levels: SmallVec<[u32; 16]> =
            name.split('.').take(NAME_LEVELS_MAX + 1).map(|level| self.levels.find(level)).collect();
        let hidden = is_hidden(name);
        let mut open: SmallVec<[(u32, u32); 16]> = smallvec![(ROOT, 0)];
        while let Some((at, depth)) = open.pop() {
            let Some(node) = self.nodes.get(at as usize) else { continue };
            let wild = !(hidden && depth == 0);
            if wild && let Some(values) = &node.rest {
                values.for_each(&mut f);
            }
            let Some(&level) = levels.get(depth as usize) else {
                if let Some(values) = &node.here {
                    values.for_each(&mut f);
                }
                continue;
            };
            if wild && node.star != NONE {
                open.push((node.star, depth + 1));
            }
            if let Some(&child) = self.edges.get(&(at, level)) {
                open.push((child, depth + 1));
            }
        }
    }

    /// Puts a value under a pattern, and hands back the one it replaces.
    pub(crate) fn insert(&mut self, pattern: &Pattern, value: V) -> Option<V> {
        if pattern.is_exact() {
            if let Some(values) = self.exact.get_mut(&**pattern.text()) {
                return Values::insert(values, value);
            }
            self.exact.insert((&**pattern.text()).into(), Some(Values::One(value)));
            return None;
        }
        let mut at = ROOT;
        for level in pattern.text().split('.') {
            if level == ">" {
                return self
                    .nodes
                    .get_mut(at as usize)
                    .and_then(|node| Values::insert(&mut node.rest, value));
            }
            at = match self.child(at, level) {
                Some(child) => child,
                None => self.grow(at, level),
            };
        }
        self.nodes.get_mut(at as usize).and_then(|node| Values::insert(&mut node.here, value))
    }

    /// Moves the values under this very pattern with keys in `keys` to `out`.
    pub(crate) fn remove(&mut self, pattern: &Pattern, keys: &RangeInclusive<V::Key>, out: &mut Vec<V>) {
        if pattern.is_exact() {
            let Some(values) = self.exact.get_mut(&**pattern.text()) else { return };
            Values::remove(values, keys, out);
            if values.is_none() {
                self.exact.remove(&**pattern.text());
            }
            return;
        }
        let mut at = ROOT;
        let mut rest = false;
        for level in pattern.text().split('.') {
            rest = level == ">";
            if !rest {
                let Some(child) = self.child(at, level) else { return };
                at = child;
            }
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            Values::remove(if rest { &mut node.rest } else { &mut node.here }, keys, out);
        }
        self.prune(at);
    }

    /// The values under this very pattern.
    pub(crate) fn get(&self, pattern: &Pattern) -> Option<&Values<V>> {
        if pattern.is_exact() {
            return self.exact.get(&**pattern.text())?.as_ref();
        }
        let mut at = ROOT;
        for level in pattern.text().split('.') {
            if level == ">" {
                return self.nodes.get(at as usize)?.rest.as_ref();
            }
            at = self.child(at, level)?;
        }
        self.nodes.get(at as usize)?.here.as_ref()
    }

    /// Calls `f` with the text of every pattern and each of its values, in no order, until it answers
    /// false.
    pub(crate) fn each<'a>(&'a self, mut f: impl FnMut(&str, &'a V) -> bool) {
        let mut goes_on = true;
        let mut show = |text: &str, values: Option<&'a Values<V>>| {
            if let Some(values) = values {
                values.for_each(|value| goes_on = goes_on && f(text, value));
            }
            goes_on
        };
        for (text, values) in self.exact.iter() {
            if !show(text, values.as_ref()) {
                return;
            }
        }
        for (at, node) in &self.nodes {
            if node.here.is_none() && node.rest.is_none() {
                continue;
            }
            let mut text = self.path(at as u32);
            if !show(&text, node.here.as_ref()) {
                return;
            }
            text.push_str(if at as u32 == ROOT { ">" } else { ".>" });
            if !show(&text, node.rest.as_ref()) {
                return;
            }
        }
    }

    /// The levels that lead to a node.
    fn path(&self, mut at: u32) -> String {
        let mut levels: Vec<&str> = Vec::new();
        while at != ROOT {
            let Some(node) = self.nodes.get(at as usize) else { break };
            levels.push(if node.level == STAR { "*" } else { self.levels.text(node.level) });
            at = node.parent;
        }
        levels.reverse();
        levels.join(".")
    }

    /// Whether it holds nothing.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.exact.len() == 0 && self.nodes.len() == 1 && self.edges.len() == 0 && self.levels.is_empty()
    }

    fn has_no_wildcard(&self) -> bool {
        self.nodes.len() == 1 && self.nodes.get(ROOT as usize).is_none_or(|root| root.rest.is_none())
    }

    fn child(&self, at: u32, level: &str) -> Option<u32> {
        if level == "*" {
            let star = self.nodes.get(at as usize)?.star;
            return (star != NONE).then_some(star);
        }
        self.edges.get(&(at, self.levels.find(level))).copied()
    }

    fn grow(&mut self, at: u32, level: &str) -> u32 {
        let interned = if level == "*" { STAR } else { self.levels.hold(level) };
        let child = self.nodes.insert(Node::new(at, interned)) as u32;
        if interned != STAR {
            self.edges.insert((at, interned), child);
        }
        if let Some(parent) = self.nodes.get_mut(at as usize) {
            parent.children += 1;
            if interned == STAR {
                parent.star = child;
            }
        }
        child
    }

    /// Removes `at` and those above it while nothing stands there.
    fn prune(&mut self, mut at: u32) {
        while at != ROOT && self.nodes.get(at as usize).is_some_and(Node::is_bare) {
            let Node { parent, level, .. } = self.nodes.remove(at as usize);
            if let Some(above) = self.nodes.get_mut(parent as usize) {
                above.children -= 1;
                if level == STAR {
                    above.star = NONE;
                }
            }
            if level != STAR {
                self.edges.remove(&(parent, level));
                self.levels.release(level);
            }
            at = parent;
        }
        if self.nodes.len() == 1 {
            self.nodes.shrink_to_fit();
        }
    }
}

impl<V: Keyed> Node<V> {
    const fn new(parent: u32, level: u32) -> Self {
        Self { parent, level, star: NONE, children: 0, here: None, rest: None }
    }

    const fn is_bare(&self) -> bool {
        self.children == 0 && self.here.is_none() && self.rest.is_none()
    }
}

/// Level texts, each stored once however many patterns use it.
#[derive(Debug)]
struct Levels {
    ids: Spread<Box<str>, u32>,
    /// By id: the text and how many edges use it.
    texts: Slab<(Box<str>, u32)>,
}

impl Levels {
    fn new() -> Self {
        Self { ids: Spread::new(), texts: Slab::new() }
    }

    fn find(&self, level: &str) -> u32 {
        self.ids.get(level).copied().unwrap_or(NONE)
    }

    fn text(&self, id: u32) -> &str {
        self.texts.get(id as usize).map_or("", |(text, _)| text)
    }

    fn hold(&mut self, level: &str) -> u32 {
        if let Some(&id) = self.ids.get(level) {
            if let Some((_, uses)) = self.texts.get_mut(id as usize) {
                *uses += 1;
            }
            return id;
        }
        let id = self.texts.insert((level.into(), 1)) as u32;
        self.ids.insert(level.into(), id);
        id
    }

    fn release(&mut self, id: u32) {
        let Some((_, uses)) = self.texts.get_mut(id as usize) else { return };
        *uses -= 1;
        if *uses == 0 {
            let (text, _) = self.texts.remove(id as usize);
            self.ids.remove(&text);
            if self.texts.is_empty() {
                self.texts = Slab::new();
            }
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.ids.len() == 0 && self.texts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use proptest::prelude::*;

    impl Keyed for u32 {
        type Key = Self;

        fn key(&self) -> Self {
            *self
        }
    }

    fn level() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["a", "b", "", "*", ">", "$x", "a*", "+", "ActiveMQ.Advisory"])
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(level(), 1..6)
            .prop_map(|levels| levels.join("."))
            .prop_filter("", |t| !t.is_empty())
    }

    fn found(trie: &Trie<u32>, name: &str) -> Vec<u32> {
        let mut found = Vec::new();
        trie.for_each_match(name, |&value| found.push(value));
        found.sort_unstable();
        found
    }

    proptest! {
        #[test]
        fn finds_what_the_patterns_match(
            patterns in prop::collection::vec(text(), 1..40),
            names in prop::collection::vec(text(), 1..20),
            gone in prop::collection::vec(any::<bool>(), 40),
        ) {
            let mut trie = Trie::new();
            let mut all: Vec<(Pattern, u32)> =
                patterns.iter().zip(0..).map(|(text, n)| (Pattern::parse(Kind::Topic, &**text).unwrap(), n)).collect();
            for (pattern, n) in &all {
                prop_assert_eq!(trie.insert(pattern, *n), None);
            }
            for round in 0..2 {
                for name in &names {
                    let expected: Vec<u32> =
                        all.iter().filter(|(pattern, _)| pattern.matches(name)).map(|(_, n)| *n).collect();
                    prop_assert_eq!(found(&trie, name), expected, "{} in round {}", name, round);
                }
                let mut shown = Vec::new();
                trie.each(|text, n| {
                    shown.push((text.to_owned(), *n));
                    true
                });
                shown.sort();
                let mut known: Vec<_> = all.iter().map(|(pattern, n)| (pattern.text().to_string(), *n)).collect();
                known.sort();
                prop_assert_eq!(shown, known);
                for (pattern, n) in &all {
                    let mut is_there = false;
                    trie.get(pattern).unwrap().for_each(|value| is_there |= value == n);
                    prop_assert!(is_there);
                }
                let mut out = Vec::new();
                all.retain(|(pattern, n)| {
                    let keep = !gone[*n as usize];
                    if !keep {
                        trie.remove(pattern, &(*n..=*n), &mut out);
                    }
                    keep
                });
            }
            for (pattern, _) in &all {
                trie.remove(pattern, &(0..=u32::MAX), &mut Vec::new());
            }
            prop_assert!(trie.is_empty());
        }
    }

    #[test]
    fn what_the_broker_says_is_not_among_everything() {
        let mut trie = Trie::new();
        for (text, n) in [(">", 1), ("*.>", 2), ("ActiveMQ.>", 3), ("ActiveMQ.Advisory.*", 4), ("*.*.*", 5)] {
            trie.insert(&Pattern::parse(Kind::Topic, text).unwrap(), n);
        }
        assert_eq!(found(&trie, "ActiveMQ.Advisory.Queue"), [3, 4]);
        assert_eq!(found(&trie, "ActiveMQ.Other.Queue"), [1, 2, 3, 5]);
        assert_eq!(found(&trie, "$SYS.a.b"), []);
    }

    #[test]
    fn the_deepest_pattern_does_not_match_a_deeper_name() {
        let mut trie = Trie::new();
        let stars = Pattern::parse(Kind::Topic, vec!["*"; NAME_LEVELS_MAX].join(".")).unwrap();
        trie.insert(&stars, 1);
        assert_eq!(found(&trie, &vec!["x"; NAME_LEVELS_MAX].join(".")), [1]);
        assert_eq!(found(&trie, &vec!["x"; NAME_LEVELS_MAX + 1].join(".")), []);
        assert_eq!(found(&trie, &vec!["x"; 10_000].join(".")), []);
    }
}
