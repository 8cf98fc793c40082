//! Which patterns each durable queue is bound to, for sessions that come back and for checkpoints.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{RankedMutex, rank};
use wharfmq_core::{Filter, Pattern, QueueCell, QueueId, Typing, record};

use super::Broker;

/// A binding of a durable queue to a topic pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What it matches.
    pub pattern: Pattern,
    /// The binding's word for the consumer; low two bits: the highest quality of service.
    pub flags: u8,
    /// Whether what the queue's own client publishes is left out.
    pub no_local: bool,
    /// Which messages it takes; `None` for all. What it does not take is never stored for the queue.
    pub filter: Option<Arc<Filter>>,
    /// The session's own options, opaque to the broker.
    pub options: Bytes,
}

/// A binding as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    binding: Binding,
    /// The selector in the log's words while it has not been compiled, or where it cannot be.
    unread: Option<(ByteString, Typing)>,
}

/// The bindings of every queue.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    queues: RankedMutex<HashMap<QueueId, List, RandomState>, { rank::ADDRESS }>,
}

/// The bindings of one queue. A session may have ten thousand.
#[derive(Debug, Default)]
struct List {
    kept: Vec<Kept>,
    /// Places by pattern, where there are more than [`INDEXED_FROM`].
    #[allow(clippy::box_collection, reason = "most queues have few bindings and pay for a pointer")]
    places: Option<Box<HashMap<Pattern, usize, RandomState>>>,
}

/// Bindings of a queue from which on an index is worth its memory.
const INDEXED_FROM: usize = 16;

impl List {
    fn find(&self, pattern: &Pattern) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(pattern).copied(),
            None => self.kept.iter().position(|kept| kept.binding.pattern == *pattern),
        }
    }

    /// Adds a binding or replaces the one of the same pattern; true where there was one.
    fn put(&mut self, kept: Kept) -> bool {
        if let Some(known) = self.find(&kept.binding.pattern).and_then(|at| self.kept.get_mut(at)) {
            *known = kept;
            return true;
        }
        if let Some(places) = &mut self.places {
            places.insert(kept.binding.pattern.clone(), self.kept.len());
        }
        self.kept.push(kept);
        if self.places.is_none() && self.kept.len() > INDEXED_FROM {
            let places = self.kept.iter().map(|kept| kept.binding.pattern.clone()).zip(0..);
            self.places = Some(Box::new(places.collect()));
        }
        false
    }

    fn remove(&mut self, pattern: &Pattern) -> bool {
        let Some(at) = self.find(pattern) else { return false };
        self.kept.swap_remove(at);
        if let Some(places) = &mut self.places {
            places.remove(pattern);
            if let Some(moved) = self.kept.get(at) {
                places.insert(moved.binding.pattern.clone(), at);
            }
        }
        true
    }
}

impl Bindings {
    /// Adds a binding or replaces the one of the same pattern; true where there was one.
    pub(super) fn put(&self, queue: QueueId, binding: Binding) -> bool {
        self.keep(queue, Kept { binding, unread: None })
    }

    fn keep(&self, queue: QueueId, kept: Kept) -> bool {
        self.queues.lock().entry(queue).or_default().put(kept)
    }

    pub(super) fn remove(&self, queue: QueueId, pattern: &Pattern) -> bool {
        self.queues.lock().get_mut(&queue).is_some_and(|bindings| bindings.remove(pattern))
    }

    pub(super) fn of(&self, queue: QueueId) -> Vec<Binding> {
        self.kept(queue).into_iter().map(|kept| kept.binding).collect()
    }

    /// The bindings of a queue as the log is to have them.
    pub(super) fn kept(&self, queue: QueueId) -> Vec<Kept> {
        self.queues.lock().get(&queue).map(|bindings| bindings.kept.clone()).unwrap_or_default()
    }

    pub(super) fn forget(&self, queue: QueueId) -> Vec<Binding> {
        let gone = self.queues.lock().remove(&queue).unwrap_or_default();
        gone.kept.into_iter().map(|kept| kept.binding).collect()
    }
}

/// Set in a binding's flags in the log where the queue's own client is left out.
const NO_LOCAL: u8 = 0x80;

impl Binding {
    /// One that takes every message, with nothing special.
    pub const fn to(pattern: Pattern, flags: u8) -> Self {
        Self { pattern, flags, no_local: false, filter: None, options: Bytes::new() }
    }

    pub(super) fn record(&self, queue: QueueId) -> record::Bind<'_> {
        let flags = self.flags & !NO_LOCAL | if self.no_local { NO_LOCAL } else { 0 };
        let (kind, pattern) = (self.pattern.kind(), self.pattern.text());
        let selector = self.filter.as_ref().map(|filter| filter.selector());
        let selector = selector.map(|selector| (&**selector.text(), selector.typing()));
        record::Bind { queue, kind, pattern, flags, selector, options: &self.options }
    }
}

impl Kept {
    /// What the log says, its selector not yet compiled.
    pub(super) fn from_wire(pattern: Pattern, bind: &record::Bind<'_>) -> Self {
        let (flags, no_local) = (bind.flags & !NO_LOCAL, bind.flags & NO_LOCAL != 0);
        let options = Bytes::copy_from_slice(bind.options);
        Self {
            binding: Binding { pattern, flags, no_local, filter: None, options },
            unread: bind.selector.map(|(text, typing)| (text.into(), typing)),
        }
    }

    pub(super) const fn pattern(&self) -> &Pattern {
        &self.binding.pattern
    }

    pub(super) fn record(&self, queue: QueueId) -> record::Bind<'_> {
        let selector = self.unread.as_ref().map(|(text, typing)| (&**text, *typing));
        let bind = self.binding.record(queue);
        record::Bind { selector: selector.or(bind.selector), ..bind }
    }
}

impl Broker {
    /// Puts a binding of the log into force. One whose selector cannot be compiled takes nothing: the
    /// queue's client would be given what it did not ask for, and could not come back for it with that
    /// selector. The log keeps it as it was.
    pub(super) fn restore_binding(&self, queue: &Arc<QueueCell>, mut kept: Kept) {
        if let Some((text, typing)) = &kept.unread {
            match self.filter(text, *typing) {
                Ok(filter) => {
                    kept.binding.filter = Some(filter);
                    kept.unread = None;
                }
                Err(error) => tracing::error!(
                    queue = %queue.name,
                    selector = %text,
                    %error,
                    "a selector of the log cannot be read: its subscription takes no messages until its \
                     client subscribes with another"
                ),
            }
        }
        if kept.unread.is_none() {
            self.route_binding(queue, &kept.binding);
        }
        self.bindings.keep(queue.id, kept);
    }

    /// Makes the router take messages for a queue.
    pub(super) fn route_binding(&self, queue: &Arc<QueueCell>, binding: &Binding) {
        let Binding { pattern, flags, no_local, filter, .. } = binding;
        self.router.bind(pattern, queue.id, Arc::clone(queue), *flags, *no_local, filter.clone());
        self.note_bound(queue, pattern);
    }
}

#[cfg(test)]
mod tests {
    use wharfmq_core::Kind;

    use super::*;

    #[test]
    fn bindings_are_found_among_few_and_many() {
        let pattern = |n: u32| Pattern::parse(Kind::Topic, format!("t.{n}.*")).unwrap();
        let mut list = List::default();
        for n in 0..50 {
            let kept = Kept { binding: Binding::to(pattern(n), 1), unread: None };
            assert!(!list.put(kept.clone()) && list.put(kept));
        }
        for n in (0..50).step_by(3) {
            assert!(list.remove(&pattern(n)) && !list.remove(&pattern(n)));
        }
        for n in 0..50 {
            let found = list.find(&pattern(n)).and_then(|at| list.kept.get(at));
            assert_eq!(found.map(|kept| kept.pattern().clone()), (n % 3 != 0).then(|| pattern(n)));
        }
    }
}
