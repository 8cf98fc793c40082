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
    queues: RankedMutex<HashMap<QueueId, Vec<Kept>, RandomState>, { rank::ADDRESS }>,
}

impl Bindings {
    /// Adds a binding or replaces the one of the same pattern; true where there was one.
    pub(super) fn put(&self, queue: QueueId, binding: Binding) -> bool {
        self.keep(queue, Kept { binding, unread: None })
    }

    fn keep(&self, queue: QueueId, kept: Kept) -> bool {
        let mut queues = self.queues.lock();
        let bindings = queues.entry(queue).or_default();
        match bindings.iter_mut().find(|known| known.binding.pattern == kept.binding.pattern) {
            Some(known) => {
                *known = kept;
                true
            }
            None => {
                bindings.push(kept);
                false
            }
        }
    }

    pub(super) fn remove(&self, queue: QueueId, pattern: &Pattern) -> bool {
        let mut queues = self.queues.lock();
        let Some(bindings) = queues.get_mut(&queue) else { return false };
        let before = bindings.len();
        bindings.retain(|kept| kept.binding.pattern != *pattern);
        before != bindings.len()
    }

    pub(super) fn of(&self, queue: QueueId) -> Vec<Binding> {
        self.kept(queue).into_iter().map(|kept| kept.binding).collect()
    }

    /// The bindings of a queue as the log is to have them.
    pub(super) fn kept(&self, queue: QueueId) -> Vec<Kept> {
        self.queues.lock().get(&queue).cloned().unwrap_or_default()
    }

    pub(super) fn forget(&self, queue: QueueId) -> Vec<Binding> {
        let gone = self.queues.lock().remove(&queue).unwrap_or_default();
        gone.into_iter().map(|kept| kept.binding).collect()
    }
}

/// Set in a binding's flags in the log where the queue's own client is left out.
const NO_LOCAL: u8 = 0x80;

impl Binding {
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
    }
}
