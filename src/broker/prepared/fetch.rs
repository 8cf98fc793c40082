//! Reading what a prepared transaction sends, where memory no longer has it: not on a connection's time.

use std::sync::Arc;

use wharfmq_core::{Message, Order, Outbox, QueueCell};

use super::Xid;
use crate::broker::Broker;

/// Messages looked at under one hold of a queue's lock.
const BROWSE: usize = 256;

/// A prepared transaction that is to be read.
pub(in crate::broker) struct Fetch {
    pub(in crate::broker) cell: Arc<QueueCell>,
    pub(in crate::broker) xid: Xid,
    /// Who waits for it.
    pub(in crate::broker) outbox: Arc<Outbox>,
}

impl Broker {
    /// Reads, and wakes who waits. What cannot be read is missing, which the commit notices.
    pub(in crate::broker) fn fetch_prepared(&self, fetch: Fetch) {
        let Fetch { cell, xid, outbox } = fetch;
        if self.prepared.wants(&xid, &cell) {
            let messages = self.kept_messages(&cell);
            if let Some(Some(pledge)) = self.prepared.table.lock().get_mut(&xid)
                && Arc::ptr_eq(&pledge.cell, &cell)
            {
                pledge.fetched = Some(messages);
            }
        }
        outbox.wake();
    }

    /// Whether memory has everything that a queue holds.
    pub(super) fn is_resident(&self, cell: &Arc<QueueCell>) -> bool {
        let (mut some, mut from) = (Vec::new(), Order(0));
        loop {
            some.clear();
            cell.lock().queue().browse(from, BROWSE, &mut some);
            let Some(last) = some.last() else { return true };
            from = Order(last.order.0 + 1);
            if some.iter().any(|entry| entry.message.is_none()) {
                return false;
            }
        }
    }

    /// All messages of a queue that can be read, in their order.
    pub(super) fn kept_messages(&self, cell: &Arc<QueueCell>) -> Vec<Arc<Message>> {
        let (mut all, mut from) = (Vec::new(), Order(0));
        loop {
            let some = self.browse(cell, from, BROWSE);
            let Some((last, _)) = some.last() else { return all };
            from = Order(last.order.0 + 1);
            all.extend(some.into_iter().map(|(_, message)| message));
        }
    }
}
