//! Which messages of a lane are in memory.
//!
//! The entries stay; only the bodies go and come. A lane has three parts: a head window in memory, for
//! the consumers; a middle whose stored messages are paged out, from the `gap` on; and a tail that
//! paging has not looked at, from `tail` on, all in memory. Paging out works at the border of middle
//! and tail, paging in at the border of head and middle.

use std::sync::Arc;

use wharfmq_base::Location;

#[cfg(doc)]
use super::Queue;
use super::ready::ReadyLane;
use crate::{Effects, Entry, Message, Order, limits};

/// What a lane knows about its parts.
#[derive(Debug)]
pub(super) struct Paging {
    /// Entries that are paged out.
    paged: usize,
    /// The first entry that is paged out; the last possible order where none is.
    gap: Order,
    /// Bytes in memory before the gap.
    head_bytes: u64,
    /// Paging out has looked at everything before.
    tail: Order,
    /// Bytes of the head when paging out last looked at it. It looks again when a window more has come.
    head_seen: u64,
}

const END: Order = Order(u64::MAX);

impl Default for Paging {
    fn default() -> Self {
        Self { paged: 0, gap: END, head_bytes: 0, tail: Order(0), head_seen: 0 }
    }
}

impl Paging {
    /// Whether consumers will soon reach what is paged out.
    pub(super) const fn runs_short(&self, window: u64) -> bool {
        self.paged > 0 && self.head_bytes <= window / 2
    }
}

impl ReadyLane {
    pub(super) fn insert(&mut self, entry: Entry) {
        let (order, size, resident) = (entry.order, u64::from(entry.size), entry.message.is_some());
        self.entries.insert(entry);
        if resident {
            if self.paging.paged == 0 {
                self.paging.tail = self.paging.tail.min(order);
            }
            if order < self.paging.gap {
                self.paging.head_bytes += size;
            }
            return;
        }
        self.paging.paged += 1;
        if order < self.paging.gap {
            self.paging.gap = order;
            // At the back, as in recovery, all that was counted stays before the gap.
            if self.entries.back().is_some_and(|last| last.order != order) {
                self.recount_head();
            }
        }
        if self.entries.back().is_some_and(|last| last.order == order) {
            self.paging.tail = Order(order.0 + 1);
        }
    }

    pub(super) fn remove(&mut self, order: Order) -> Option<Entry> {
        let entry = self.entries.remove(order)?;
        self.removed(&entry);
        Some(entry)
    }

    /// Counts out an entry that has been taken from `entries`.
    pub(super) fn removed(&mut self, entry: &Entry) {
        self.all_removed(std::slice::from_ref(entry));
    }

    /// Counts out entries that have been taken from `entries`.
    pub(super) fn all_removed(&mut self, entries: &[Entry]) {
        let gap = self.paging.gap;
        let mut gap_removed = false;
        for entry in entries {
            if entry.message.is_none() {
                self.paging.paged -= 1;
                gap_removed |= entry.order == gap;
            } else if entry.order < gap {
                self.paging.head_bytes -= u64::from(entry.size);
            }
        }
        if gap_removed {
            self.advance_gap();
        }
    }

    /// Moves the gap to the next entry that is paged out; what lies between joins the head.
    fn advance_gap(&mut self) {
        if self.paging.paged == 0 {
            let rest = self.entries.range(self.paging.gap);
            self.paging.head_bytes += rest.map(|entry| u64::from(entry.size)).sum::<u64>();
            self.paging.gap = END;
            return;
        }
        let gap = self.paging.gap;
        for entry in self.entries.range(gap) {
            if entry.message.is_none() {
                self.paging.gap = entry.order;
                return;
            }
            self.paging.head_bytes += u64::from(entry.size);
        }
    }

    fn recount_head(&mut self) {
        let head = self.entries.range(Order(0)).take_while(|entry| entry.message.is_some());
        self.paging.head_bytes = head.map(|entry| u64::from(entry.size)).sum();
    }

    /// A message has been read back; its size where somebody waited for it.
    pub(super) fn loaded(&mut self, order: Order, message: &Arc<Message>) -> Option<u64> {
        let entry = self.entries.get_mut(order)?;
        if entry.message.is_some() {
            return None;
        }
        entry.message = Some(Arc::clone(message));
        let size = u64::from(entry.size);
        self.paging.paged -= 1;
        if order == self.paging.gap {
            self.advance_gap();
        }
        Some(size)
    }

    /// Names the next paged entries, as many as one page-in takes; the last of them.
    pub(super) fn next_load(&self, bytes_max: u64, fx: &mut Effects) -> Option<Order> {
        let mut bytes = 0;
        let start = fx.load.len();
        let paged = self.entries.range(self.paging.gap).take(limits::SCAN_BUDGET);
        for entry in paged.filter(|entry| entry.message.is_none()) {
            bytes += u64::from(entry.size);
            let named = fx.load.len() - start;
            if named >= limits::LOAD_ENTRIES || (named > 0 && bytes > bytes_max) {
                break;
            }
            fx.load.push((entry.order, entry.at));
        }
        fx.load[start..].last().map(|&(order, _)| order)
    }

    /// Drops bodies behind the head window; see [`Queue::page_out`]. The bytes it freed.
    pub(super) fn page_out(
        &mut self,
        window: u64,
        excess: u64,
        durable: Location,
        budget: &mut usize,
    ) -> u64 {
        let mut freed = 0;
        if self.paging.head_bytes <= window * 2 {
            self.paging.head_seen = 0;
        } else if self.paging.head_bytes > self.paging.head_seen + window {
            freed += self.page_out_head(window, durable, budget);
            self.paging.head_seen = self.paging.head_bytes;
        }
        if freed < excess && (self.paging.paged > 0 || self.paging.head_seen > 0) {
            let from = self.paging.tail;
            let dropped = self.drop_bodies(from, END, excess - freed, durable, budget);
            self.paging.tail = dropped.stop;
            freed += dropped.bytes;
        }
        freed
    }

    /// Drops what lies between the head window and the gap. What it does not get to is left to the tail.
    fn page_out_head(&mut self, window: u64, durable: Location, budget: &mut usize) -> u64 {
        let gap = self.paging.gap;
        let mut from = self.end_of_window(window);
        if self.paging.paged == 0 {
            from = from.max(self.paging.tail);
        }
        let dropped = self.drop_bodies(from, gap, u64::MAX, durable, budget);
        if gap == END || dropped.stop < gap {
            self.paging.tail = dropped.stop;
        }
        dropped.bytes
    }

    /// The first entry behind the head window. The very first is within, however large it is.
    fn end_of_window(&self, window: u64) -> Order {
        let mut bytes = 0;
        for entry in self.entries.range(Order(0)) {
            if bytes > 0 && bytes + u64::from(entry.size) > window {
                return entry.order;
            }
            bytes += u64::from(entry.size);
        }
        END
    }

    /// Drops bodies of entries from `from` to before `until`.
    fn drop_bodies(
        &mut self,
        from: Order,
        until: Order,
        excess: u64,
        durable: Location,
        budget: &mut usize,
    ) -> Dropped {
        let mut dropped = Dropped { bytes: 0, stop: from };
        let (mut entries, mut first) = (0, END);
        self.entries.walk_mut(from, |entry| {
            let too_new = entry.at.is_stored() && entry.at >= durable;
            if entry.order >= until || *budget == 0 || dropped.bytes >= excess || too_new {
                dropped.stop = entry.order;
                return false;
            }
            *budget -= 1;
            dropped.stop = Order(entry.order.0 + 1);
            if entry.at.is_stored() && entry.message.take().is_some() {
                dropped.bytes += u64::from(entry.size);
                entries += 1;
                first = first.min(entry.order);
            }
            true
        });
        self.paging.paged += entries;
        if first < self.paging.gap {
            self.paging.gap = first;
            self.recount_head();
        }
        dropped
    }

    /// Asserts what must always hold.
    pub(super) fn check(&self) {
        let all = || self.entries.range(Order(0));
        assert_eq!(self.paging.paged, all().filter(|entry| entry.message.is_none()).count());
        let gap = all().find(|entry| entry.message.is_none()).map_or(END, |entry| entry.order);
        assert_eq!(self.paging.gap, gap);
        let head = all().take_while(|entry| entry.message.is_some());
        assert_eq!(self.paging.head_bytes, head.map(|entry| u64::from(entry.size)).sum::<u64>());
        assert!(all().all(|entry| entry.message.is_some() || entry.at.is_stored()));
    }
}

/// What a walk through a lane dropped, and where it stopped.
struct Dropped {
    bytes: u64,
    stop: Order,
}
