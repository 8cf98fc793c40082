//! The messages that wait for a consumer.

use wharfmq_base::Millis;

use super::feeds::Spot;
use super::lane::Lane;
use super::window::Paging;
use crate::{Entry, Order};

/// Lanes of a queue that looks at priorities, one for each.
const PRIORITIES: u8 = 10;

/// One lane, or one per priority, the highest first.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) lanes: Box<[ReadyLane]>,
    /// Bit n: lane n holds something.
    filled: u16,
    len: usize,
    /// Bytes of all messages.
    bytes: u64,
    /// Bytes of the messages that are in memory.
    resident: u64,
    /// Entries that expire at all.
    expiring: usize,
    /// No entry expires earlier. Raised by the sweep only.
    next_expiry: Millis,
}

/// A lane and what of it is in memory.
#[derive(Debug, Default)]
pub(super) struct ReadyLane {
    pub(super) entries: Lane,
    pub(super) paging: Paging,
}

impl Ready {
    pub(super) fn new(priority: bool) -> Self {
        let lanes = if priority { PRIORITIES } else { 1 };
        Self {
            lanes: (0..lanes).map(|_| ReadyLane::default()).collect(),
            filled: 0,
            len: 0,
            bytes: 0,
            resident: 0,
            expiring: 0,
            next_expiry: Millis::NEVER,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn resident(&self) -> u64 {
        self.resident
    }

    /// Puts an entry into its place.
    pub(super) fn insert(&mut self, entry: Entry) {
        let at = self.lane_of(entry.priority);
        self.len += 1;
        self.bytes += u64::from(entry.size);
        self.filled |= 1 << at;
        if entry.expires != Millis::NEVER {
            self.expiring += 1;
            self.next_expiry = self.next_expiry.min(entry.expires);
        }
        if entry.message.is_some() {
            self.resident += u64::from(entry.size);
        }
        self.lanes[at].insert(entry);
    }

    /// Where an entry stands or would stand: its lane and its order.
    pub(super) const fn spot_of(&self, entry: &Entry) -> Spot {
        (self.lane_of(entry.priority) as u8, entry.order)
    }

    /// The entry at `spot`.
    pub(super) fn at(&self, (lane, order): Spot) -> Option<&Entry> {
        self.lanes.get(usize::from(lane))?.entries.get(order)
    }

    /// Takes out the entry at `spot`.
    pub(super) fn remove_at(&mut self, (lane, order): Spot) -> Option<Entry> {
        let at = usize::from(lane);
        let entry = self.lanes.get_mut(at)?.remove(order)?;
        self.forget(at, &entry);
        Some(entry)
    }

    /// The entries from `spot` on, in the order in which consumers get them.
    pub(super) fn from(&self, (lane, order): Spot) -> impl Iterator<Item = (Spot, &Entry)> {
        let lanes = self.lanes.iter().enumerate().skip(usize::from(lane));
        lanes.flat_map(move |(at, of)| {
            let from = if at == usize::from(lane) { order } else { Order(0) };
            of.entries.range(from).map(move |entry| ((at as u8, entry.order), entry))
        })
    }

    /// The next in line, without taking it.
    pub(super) fn front(&self) -> Option<&Entry> {
        self.lanes[self.first()?].entries.front()
    }

    /// The next in line.
    pub(super) fn pop_front(&mut self) -> Option<Entry> {
        let at = self.first()?;
        self.pop_lane(at)
    }

    /// The oldest, whatever its priority.
    pub(super) fn oldest(&self) -> Option<&Entry> {
        self.lanes.iter().filter_map(|lane| lane.entries.front()).min_by_key(|entry| entry.order)
    }

    pub(super) fn remove(&mut self, order: Order) -> Option<Entry> {
        let (at, entry) =
            self.lanes.iter_mut().enumerate().find_map(|(at, lane)| Some((at, lane.remove(order)?)))?;
        self.forget(at, &entry);
        Some(entry)
    }

    pub(super) fn get(&self, order: Order) -> Option<&Entry> {
        self.lanes.iter().find_map(|lane| lane.entries.get(order))
    }

    /// For changes of place only: what decides about order, memory and time must stay as it is.
    pub(super) fn get_mut(&mut self, order: Order) -> Option<&mut Entry> {
        self.lanes.iter_mut().find_map(|lane| lane.entries.get_mut(order))
    }

    /// Takes out those of `budget` entries of a lane from `from` on that have expired; collects when
    /// the others do. Answers where to go on, `None` at the end of the lane.
    pub(super) fn extract_expired(
        &mut self,
        (at, from): (usize, Order),
        budget: usize,
        now: Millis,
        next_expiry: &mut Millis,
        into: &mut Vec<Entry>,
    ) -> Option<Order> {
        let lane = &mut self.lanes[at];
        let start = into.len();
        let expired = |entry: &Entry| {
            let gone = entry.expires <= now;
            if !gone {
                *next_expiry = entry.expires.min(*next_expiry);
            }
            gone
        };
        let next = lane.entries.extract(from, budget, expired, into);
        lane.all_removed(&into[start..]);
        for entry in &into[start..] {
            self.forget(at, entry);
        }
        next
    }

    pub(super) const fn next_expiry(&self) -> Millis {
        self.next_expiry
    }

    /// A sweep begins: it finds the earliest expiry anew; what comes meanwhile is collected here.
    pub(super) const fn forget_next_expiry(&mut self) {
        self.next_expiry = Millis::NEVER;
    }

    /// A sweep has found that nothing of what it saw expires before `at`.
    pub(super) fn found_next_expiry(&mut self, at: Millis) {
        self.next_expiry = self.next_expiry.min(at);
    }

    /// Messages have come back into memory, or have left it.
    pub(super) const fn resident_changed(&mut self, came: u64, left: u64) {
        self.resident = self.resident + came - left;
    }

    /// The lane of the next in line.
    pub(super) const fn first(&self) -> Option<usize> {
        if self.filled == 0 { None } else { Some(self.filled.trailing_zeros() as usize) }
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self) {
        for lane in &mut self.lanes {
            lane.entries.trim();
        }
    }

    /// Whether priorities are looked at.
    pub(super) const fn by_priority(&self) -> bool {
        self.lanes.len() > 1
    }

    fn pop_lane(&mut self, at: usize) -> Option<Entry> {
        let lane = &mut self.lanes[at];
        let entry = lane.entries.pop_front()?;
        lane.removed(&entry);
        self.forget(at, &entry);
        Some(entry)
    }

    const fn lane_of(&self, priority: u8) -> usize {
        if self.by_priority() { (PRIORITIES - 1).saturating_sub(priority) as usize } else { 0 }
    }

    /// Counts an entry out that has left lane `at`.
    fn forget(&mut self, at: usize, entry: &Entry) {
        self.len -= 1;
        self.bytes -= u64::from(entry.size);
        if self.lanes[at].entries.is_empty() {
            self.filled &= !(1 << at);
        }
        if entry.message.is_some() {
            self.resident -= u64::from(entry.size);
        }
        if entry.expires != Millis::NEVER {
            self.expiring -= 1;
            if self.expiring == 0 {
                self.next_expiry = Millis::NEVER;
            }
        }
    }

    /// Asserts what must always hold.
    pub(super) fn check(&self) {
        let all = || self.lanes.iter().flat_map(|lane| lane.entries.range(Order(0)));
        assert_eq!(self.len, all().count());
        assert_eq!(self.bytes, all().map(|entry| u64::from(entry.size)).sum::<u64>());
        let resident = all().filter(|entry| entry.message.is_some());
        assert_eq!(self.resident, resident.map(|entry| u64::from(entry.size)).sum::<u64>());
        assert_eq!(self.expiring, all().filter(|entry| entry.expires != Millis::NEVER).count());
        for (at, lane) in self.lanes.iter().enumerate() {
            lane.entries.check();
            lane.check();
            assert_eq!(self.filled & (1 << at) == 0, lane.entries.is_empty());
            assert!(lane.entries.range(Order(0)).all(|entry| self.lane_of(entry.priority) == at));
        }
    }
}
