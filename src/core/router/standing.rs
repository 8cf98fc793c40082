//! Who subscribes where: for what is told about subscriptions, not for messages.

use bytestring::ByteString;

use super::pattern::Pattern;
use super::table::{Router, Target};
use crate::{ConnId, Kind, SubTag};

/// Who stands at a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscriber<Q> {
    /// A subscription that stores nothing.
    Direct(ConnId, SubTag),
    /// A queue that is bound.
    Queue(Q),
}

impl<Q: Clone> Router<Q> {
    /// Number of the subscriptions and bindings at this very pattern.
    pub fn count_at(&self, pattern: &Pattern) -> usize {
        let mut count = 0;
        self.with_trie(pattern.kind(), |trie| {
            if let Some(values) = trie.get(pattern) {
                values.for_each(|target| count += usize::from(target.is_subscription()));
            }
        });
        count
    }

    /// Up to `max` subscriptions and bindings at patterns that `keep` chooses by their text. Holds the lock
    /// for the whole table.
    pub fn standing(
        &self,
        kind: Kind,
        max: usize,
        mut keep: impl FnMut(&str) -> bool,
    ) -> Vec<(ByteString, Subscriber<Q>)> {
        let mut found = Vec::new();
        self.with_trie(kind, |trie| {
            trie.each(|text, target| {
                if target.is_subscription() && keep(text) {
                    found.extend(target.subscriber().map(|who| (ByteString::from(text), who)));
                }
                found.len() < max
            });
        });
        found
    }
}

impl<Q: Clone> Target<Q> {
    /// Who it stands for; `None` where that stands beside.
    fn subscriber(&self) -> Option<Subscriber<Q>> {
        match self {
            Self::Direct { outbox, sub, .. } => Some(Subscriber::Direct(outbox.conn, *sub)),
            Self::Member(_) => None,
            Self::Bound { queue, .. } => Some(Subscriber::Queue(queue.clone())),
            Self::Choosy(inner) => inner.0.subscriber(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::Direct;
    use crate::{Outbox, QueueId};

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(Kind::Topic, text).unwrap()
    }

    #[test]
    fn subscriptions_are_counted_and_shown() {
        let router = Router::new();
        let outbox = Outbox::new(ConnId(7));
        let direct = |sub, qos0_only| {
            let outbox = std::sync::Arc::clone(&outbox);
            Direct { outbox, sub: SubTag(sub), no_local: false, qos0_only, filter: None }
        };
        router.subscribe(&pattern("a.b"), direct(1, false));
        router.subscribe(&pattern("a.b"), direct(2, true));
        router.bind(&pattern("a.b"), QueueId(1), "session", 1, false, None);
        router.subscribe(&pattern("a.>"), direct(3, false));
        assert_eq!(["a.b", "a.>", "a.*", "x"].map(|text| router.count_at(&pattern(text))), [2, 1, 0, 0]);
        let mut all = router.standing(Kind::Topic, 9, |text| text.starts_with('a'));
        all.sort_by_key(|(text, who)| (text.clone(), format!("{who:?}")));
        let direct = |sub| Subscriber::Direct(ConnId(7), SubTag(sub));
        let queue = Subscriber::Queue("session");
        assert_eq!(all, [("a.>".into(), direct(3)), ("a.b".into(), direct(1)), ("a.b".into(), queue)]);
        assert_eq!(router.standing(Kind::Topic, 2, |_| true).len(), 2);
        assert!(router.standing(Kind::Topic, 9, |text| text == "a").is_empty());
    }
}
