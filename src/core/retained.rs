//! The last value of each topic, for those who subscribe later.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use bytestring::ByteString;
use wharfmq_base::{Location, Millis};

use crate::address::is_wildcard;
use crate::{Message, Order, Pattern};

/// A topic's last value.
#[derive(Clone, Debug)]
pub struct Kept {
    /// When it came, in the order of the log.
    pub order: Order,
    /// The message; `None` while it is paged out.
    pub message: Option<Arc<Message>>,
    /// Where it is stored; [`Location::NOWHERE`] for what lives in memory only.
    pub at: Location,
    /// [`Message::size`].
    pub size: u32,
    /// [`Message::expires`]. What has expired is skipped by its readers and removed by [`Retained::expire`].
    pub expires: Millis,
}

impl Kept {
    /// 1 where it expires some day.
    const fn is_mortal(&self) -> usize {
        (self.expires.0 != Millis::NEVER.0) as usize
    }
}

/// Last values by topic.
#[derive(Debug)]
pub struct Retained {
    topics: BTreeMap<Name, Kept>,
    bytes: u64,
    /// Values that expire some day.
    mortal: usize,
    max_topics: usize,
    max_bytes: u64,
}

/// The store takes no more topics or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainedFull;

impl fmt::Display for RetainedFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are too many retained messages")
    }
}

impl std::error::Error for RetainedFull {}

impl Retained {
    /// An empty store with its limits; bytes are those of [`Kept::size`].
    pub const fn new(max_topics: usize, max_bytes: u64) -> Self {
        Self { topics: BTreeMap::new(), bytes: 0, mortal: 0, max_topics, max_bytes }
    }

    /// Whether a value of this size can be set now.
    pub fn admits(&self, topic: &ByteString, size: u32) -> Result<(), RetainedFull> {
        let old = self.get(topic);
        let topics = self.topics.len() + usize::from(old.is_none());
        let bytes = self.bytes - old.map_or(0, |old| u64::from(old.size)) + u64::from(size);
        if topics > self.max_topics || bytes > self.max_bytes { Err(RetainedFull) } else { Ok(()) }
    }

    /// Sets a topic's value and hands back the one that is no longer needed: the one before, or the new
    /// one where the topic has a later value already. Checks no limit: [`Retained::admits`] does, before
    /// the value goes to the log.
    pub fn set(&mut self, topic: ByteString, kept: Kept) -> Option<Kept> {
        match self.topics.entry(Name(topic)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                self.bytes += u64::from(kept.size);
                self.mortal += kept.is_mortal();
                entry.insert(kept);
                None
            }
            std::collections::btree_map::Entry::Occupied(entry) if entry.get().order > kept.order => {
                Some(kept)
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                self.bytes += u64::from(kept.size);
                self.mortal += kept.is_mortal();
                let old = entry.insert(kept);
                self.bytes -= u64::from(old.size);
                self.mortal -= old.is_mortal();
                Some(old)
            }
        }
    }

    /// Removes a topic's value, unless it is later than `up_to`.
    pub fn clear(&mut self, topic: &ByteString, up_to: Order) -> Option<Kept> {
        if self.get(topic)?.order > up_to {
            return None;
        }
        self.remove(&Name(topic.clone()))
    }

    fn remove(&mut self, name: &Name) -> Option<Kept> {
        let old = self.topics.remove(name)?;
        self.bytes -= u64::from(old.size);
        self.mortal -= old.is_mortal();
        Some(old)
    }

    /// Removes values whose time is over to `gone`, and looks at no more than `max` topics before it
    /// returns where to go on; `None` when all was seen, or nothing ever expires.
    pub fn expire(
        &mut self,
        wall: Millis,
        cursor: Option<Cursor>,
        max: usize,
        gone: &mut Vec<Kept>,
    ) -> Option<Cursor> {
        if self.mortal == 0 {
            return None;
        }
        let from = cursor.unwrap_or(Cursor::START);
        let (mut seen, mut last, mut over) = (0, None, Vec::new());
        for (name, kept) in self.topics.range((from.bound(), Bound::Unbounded)).take(max.max(1)) {
            seen += 1;
            last = Some(name);
            if kept.expires <= wall {
                over.push(name.clone());
            }
        }
        let next = last.filter(|_| seen >= max).map(|last| Cursor::after(last.0.clone()));
        gone.extend(over.iter().filter_map(|name| self.remove(name)));
        next
    }

    /// A topic's value.
    pub fn get(&self, topic: &ByteString) -> Option<&Kept> {
        self.topics.get(&Name(topic.clone()))
    }

    /// A topic's value, to be paged in or out or to follow its record's new place. Its size and order
    /// must stay.
    pub fn get_mut(&mut self, topic: &ByteString) -> Option<&mut Kept> {
        self.topics.get_mut(&Name(topic.clone()))
    }

    /// Number of topics with a value.
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether no topic has a value.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// The orders of all values that are stored.
    pub fn stored_orders(&self) -> impl Iterator<Item = Order> {
        self.topics.values().filter(|kept| kept.at.is_stored()).map(|kept| kept.order)
    }

    /// Bytes of all values.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Calls `f` with topics that match and their values, and looks at no more than about `max` topics
    /// before it returns where to go on; `None` when all was seen. Topics set or cleared between two
    /// steps are seen or not.
    ///
    /// Only what the literal levels before and between wildcards allow is looked at: `plant.*.temp` costs
    /// a few steps for each second level that exists, whatever lies beside and below.
    pub fn for_each_match(
        &self,
        pattern: &Pattern,
        cursor: Option<Cursor>,
        max: usize,
        mut f: impl FnMut(&ByteString, &Kept),
    ) -> Option<Cursor> {
        if pattern.is_exact() {
            if let Some(kept) = self.get(pattern.text()) {
                f(pattern.text(), kept);
            }
            return None;
        }
        let mut from = cursor.unwrap_or_else(|| Cursor::at(literal_prefix(pattern.text())));
        let mut left = max.max(1);
        while left > 0 {
            let start = std::mem::replace(&mut from, Cursor::START);
            let mut sought = None;
            let mut last = None;
            for (name, kept) in self.topics.range((start.bound(), Bound::Unbounded)) {
                if left == 0 {
                    break;
                }
                left -= 1;
                match advance(pattern.text(), &name.0) {
                    Step::Match => {
                        f(&name.0, kept);
                        last = Some(&name.0);
                    }
                    Step::Seek(to) => {
                        sought = Some(to);
                        break;
                    }
                    Step::Done => return None,
                }
            }
            from = match (sought, last) {
                (Some(cursor), _) => cursor,
                (None, Some(last)) if left == 0 => Cursor::after(last.clone()),
                (None, _) => return None,
            };
        }
        Some(from)
    }
}

/// Where a wildcard read goes on.
#[derive(Clone, Debug)]
pub struct Cursor {
    name: Name,
    inclusive: bool,
}

impl Cursor {
    const START: Self = Self { name: Name(ByteString::new()), inclusive: true };

    fn at(name: impl Into<ByteString>) -> Self {
        Self { name: Name(name.into()), inclusive: true }
    }

    const fn after(name: ByteString) -> Self {
        Self { name: Name(name), inclusive: false }
    }

    const fn bound(&self) -> Bound<&Name> {
        if self.inclusive { Bound::Included(&self.name) } else { Bound::Excluded(&self.name) }
    }
}

/// What to look at after a topic.
enum Step {
    /// It matches; the next one.
    Match,
    /// It does not, and nothing before this does.
    Seek(Cursor),
    /// Nothing matches any more.
    Done,
}

/// Compares a topic with a pattern that has a wildcard, level by level. Always leads onwards.
fn advance(pattern: &str, name: &str) -> Step {
    // The end of the last level that stood under `*`: what comes after that level's own topics may match.
    let mut star = None;
    let mut levels = name.split('.');
    let mut start = 0;
    for (nth, wanted) in pattern.split('.').enumerate() {
        if nth == 0 && matches!(wanted, "*" | ">") && name.starts_with('$') {
            return Step::Seek(Cursor::at("%"));
        }
        if wanted == ">" {
            return Step::Match;
        }
        let Some(level) = levels.next() else {
            return Step::Seek(Cursor::after(ByteString::from(name)));
        };
        let end = start + level.len();
        if wanted == "*" {
            star = Some(end);
        } else {
            match level.cmp(wanted) {
                Ordering::Equal => {}
                Ordering::Less => return Step::Seek(Cursor::at(join(&name[..start], wanted))),
                Ordering::Greater => return beyond(name, star),
            }
        }
        start = end + 1;
    }
    if levels.next().is_none() { Step::Match } else { beyond(name, star) }
}

/// The first name after all those that begin with the levels of `name` up to `end`.
fn beyond(name: &str, end: Option<usize>) -> Step {
    // U+0000 comes right after the end of a level, see [`Name`].
    end.map_or(Step::Done, |end| Step::Seek(Cursor::at(join(&name[..end], "\0"))))
}

fn join(a: &str, b: &str) -> String {
    let mut joined = String::with_capacity(a.len() + b.len());
    joined.push_str(a);
    joined.push_str(b);
    joined
}

/// The literal levels before a pattern's first wildcard: no name that matches comes before them.
fn literal_prefix(pattern: &str) -> &str {
    let mut end = 0;
    for level in pattern.split('.') {
        if is_wildcard(level) {
            break;
        }
        end += level.len() + 1;
    }
    &pattern[..end.saturating_sub(1)]
}

/// A name, ordered level by level: `a`, `a.b`, `a.c`, `a!`. So all below a level stand together, right
/// after it, which plain byte order does not give.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name(ByteString);

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        match a.iter().zip(b).find(|(a, b)| a != b) {
            Some((b'.', _)) => Ordering::Less,
            Some((_, b'.')) => Ordering::Greater,
            Some((a, b)) => a.cmp(b),
            None => a.len().cmp(&b.len()),
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use proptest::prelude::*;

    fn kept(order: u64, size: u32) -> Kept {
        Kept { order: Order(order), message: None, at: Location::NOWHERE, size, expires: Millis::NEVER }
    }

    fn store<'a>(topics: impl IntoIterator<Item = &'a str>) -> Retained {
        let mut store = Retained::new(usize::MAX, u64::MAX);
        for (topic, order) in topics.into_iter().zip(1..) {
            store.set(topic.into(), kept(order, 10));
        }
        store
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(Kind::Topic, text).unwrap()
    }

    /// What matches, and in how many steps of `max` topics.
    fn read(store: &Retained, pattern: &Pattern, max: usize) -> (Vec<String>, usize) {
        let (mut seen, mut cursor, mut steps) = (Vec::new(), None, 0);
        loop {
            steps += 1;
            cursor = store.for_each_match(pattern, cursor, max, |name, _| seen.push(name.to_string()));
            if cursor.is_none() {
                return (seen, steps);
            }
        }
    }

    #[test]
    fn the_later_value_stays() {
        let mut store = store([]);
        let topic = ByteString::from("a");
        assert!(store.set(topic.clone(), kept(5, 10)).is_none());
        assert_eq!(store.set(topic.clone(), kept(3, 99)).unwrap().order, Order(3), "an old one comes late");
        assert_eq!(store.set(topic.clone(), kept(7, 20)).unwrap().order, Order(5));
        assert_eq!((store.len(), store.bytes()), (1, 20));
        assert!(store.clear(&topic, Order(6)).is_none());
        assert_eq!(store.clear(&topic, Order(8)).unwrap().order, Order(7));
        assert!(store.clear(&topic, Order(8)).is_none());
        assert_eq!((store.len(), store.bytes()), (0, 0));
    }

    #[test]
    fn what_has_expired_is_removed_step_by_step() {
        let mut store = store([]);
        let until = |order: u64, expires| Kept { expires, ..kept(order, 10) };
        for n in 1..=10 {
            let expires = if n % 2 == 0 { Millis(n) } else { Millis::NEVER };
            store.set(format!("t.{n}").into(), until(n, expires));
        }
        let (mut gone, mut cursor, mut steps) = (Vec::new(), None, 0);
        loop {
            steps += 1;
            cursor = store.expire(Millis(8), cursor, 3, &mut gone);
            if cursor.is_none() {
                break;
            }
        }
        let mut orders: Vec<u64> = gone.iter().map(|kept| kept.order.0).collect();
        orders.sort_unstable();
        assert_eq!((orders, steps), (vec![2, 4, 6, 8], 4));
        assert_eq!((store.len(), store.bytes()), (6, 60));
        store.clear(&"t.10".into(), Order(99));
        assert!(store.expire(Millis::NEVER, None, 1, &mut gone).is_none(), "the others live for ever");
        assert_eq!(store.len(), 5);
    }

    #[test]
    fn limits_count_what_is_replaced() {
        let mut store = Retained::new(2, 30);
        let (a, b, c) = ("a".into(), "b".into(), "c".into());
        store.set(a, kept(1, 10));
        assert_eq!(store.admits(&b, 21), Err(RetainedFull));
        assert_eq!(store.admits(&b, 20), Ok(()));
        store.set(b.clone(), kept(2, 20));
        assert_eq!(store.admits(&c, 0), Err(RetainedFull));
        assert_eq!(store.admits(&b, 20), Ok(()));
        assert_eq!(store.admits(&b, 21), Err(RetainedFull));
    }

    #[test]
    fn reads_do_not_look_at_what_cannot_match() {
        let names: Vec<String> =
            (0..100).flat_map(|n| (0..100).map(move |m| format!("dev.{n}.{m}.x"))).collect();
        let store = store(names.iter().map(String::as_str).chain(["other.1", "dev.7"]));
        let steps = |text: &str| {
            let (seen, steps) = read(&store, &pattern(text), 1);
            (seen.len(), steps)
        };
        assert_eq!(steps("dev.7.>"), (101, 102), "one more to see the end");
        assert_eq!(steps("other.*"), (1, 2));
        let (seen, taken) = steps("dev.*.50.x");
        assert_eq!(seen, 100);
        assert!(taken < 400, "{taken} steps for a hundred second levels");
    }

    #[test]
    fn names_are_ordered_by_levels() {
        let mut names: Vec<Name> = ["a!", "a.b", "b", "a", "a.", "a.b.c", "a.b\0", "a-", "a.c", ""]
            .map(|name| Name(name.into()))
            .into();
        names.sort();
        let sorted: Vec<_> = names.iter().map(|name| &*name.0).collect();
        assert_eq!(sorted, ["", "a", "a.", "a.b", "a.b.c", "a.b\0", "a.c", "a!", "a-", "b"]);
    }

    fn text() -> impl Strategy<Value = String> {
        let level = prop::sample::select(vec!["a", "b", "a!", "", "*", ">", "$x", "$", "%", "é", "a\0"]);
        let text = prop::collection::vec(level, 1..5).prop_map(|levels| levels.join("."));
        text.prop_filter("not empty", |text| !text.is_empty())
    }

    proptest! {
        #[test]
        fn wildcard_reads_find_what_matches(
            topics in prop::collection::hash_set(text(), 0..60),
            pattern in text(),
            max in 1usize..20,
        ) {
            let store = store(topics.iter().map(String::as_str));
            let pattern = Pattern::parse(Kind::Topic, pattern).unwrap();
            let (mut seen, steps) = read(&store, &pattern, max);
            seen.sort();
            let mut expected: Vec<String> = topics.iter().filter(|topic| pattern.matches(topic)).cloned().collect();
            expected.sort();
            prop_assert_eq!(seen, expected);
            prop_assert!(steps <= topics.len() / max + 2);
        }
    }
}
