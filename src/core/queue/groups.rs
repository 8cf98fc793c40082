//! Groups of messages: sticky ones go to one consumer, strict ones one message at a time.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use super::feeds::{END, Feed, START, Spot};
use super::ready::Ready;
use crate::{GroupId, Order, limits};

/// The groups of a strict queue of which something is unsettled.
#[derive(Debug, Default)]
pub(super) struct Strict {
    busy: HashMap<GroupId, Busy, RandomState>,
}

/// A group whose messages wait for one of them.
#[derive(Debug)]
struct Busy {
    /// The message that has to be done with first: delivered, waiting to be delivered again, or the next.
    order: Order,
    /// The others that consumers would have got.
    waiting: BTreeSet<Spot>,
}

impl Strict {
    pub(super) fn is_empty(&self) -> bool {
        self.busy.is_empty()
    }

    /// Whether an entry may be delivered now. Where it may not it waits here from now on.
    pub(super) fn admits(&mut self, group: GroupId, spot: Spot) -> bool {
        match self.busy.get_mut(&group) {
            Some(busy) if busy.order != spot.1 => {
                busy.waiting.insert(spot);
                false
            }
            _ => true,
        }
    }

    /// Forgets what has left the queue while it waited, where that is most of it.
    pub(super) fn prune(&mut self, group: GroupId, ready: &Ready) {
        if let Some(busy) = self.busy.get_mut(&group)
            && busy.waiting.len() > limits::SCAN_BUDGET + 2 * ready.len()
        {
            busy.waiting.retain(|spot| ready.at(*spot).is_some());
        }
    }

    /// An entry of a group is delivered.
    pub(super) fn begin(&mut self, group: GroupId, order: Order) {
        self.busy.entry(group).or_insert_with(|| Busy { order, waiting: BTreeSet::new() });
    }

    /// An entry is done with. Answers the next of its group that `stands` still finds waiting; the group is
    /// its from now on.
    pub(super) fn end(
        &mut self,
        group: GroupId,
        order: Order,
        stands: impl Fn(Spot) -> bool,
    ) -> Option<Spot> {
        let busy = self.busy.get_mut(&group).filter(|busy| busy.order == order)?;
        while let Some(spot) = busy.waiting.pop_first() {
            if stands(spot) {
                busy.order = spot.1;
                return Some(spot);
            }
        }
        self.busy.remove(&group);
        None
    }
}

impl Feed {
    /// Whether the consumer in `slot` may have an entry of a sticky group that was found at `spot`. Where
    /// another consumer has the group the entry is kept for that one, which is named.
    pub(super) fn admits(&mut self, slot: u32, group: GroupId, spot: Spot) -> Result<(), u32> {
        match self.owners.get(&group) {
            Some(&owner) if owner != slot => {
                self.forget(slot, spot);
                self.kept.insert((owner, spot));
                Err(owner)
            }
            _ => Ok(()),
        }
    }

    /// Forgets what has left the queue while it was kept, where that is most of it.
    pub(super) fn prune(&mut self, ready: &Ready) {
        if self.kept.len() > limits::SCAN_BUDGET + 2 * ready.len() {
            self.kept.retain(|(_, spot)| ready.at(*spot).is_some());
        }
    }

    /// A group was closed: what is kept of it for its consumer is for anybody. Looks at so many entries
    /// only as one hold of the queue's lock allows; what lies behind stays with the consumer.
    pub(super) fn let_go(&mut self, slot: u32, group: GroupId, ready: &Ready) {
        let kept = self.kept.range((slot, START)..=(slot, END)).take(limits::SCAN_BUDGET);
        let of_group = kept.filter(|(_, spot)| ready.at(*spot).is_some_and(|entry| entry.group == group));
        for of_slot in of_group.copied().collect::<Vec<_>>() {
            self.give_up(of_slot);
        }
    }

    /// The consumer in `slot` gets an entry of a group; true where the group is new to it.
    pub(super) fn assign(&mut self, slot: u32, group: GroupId, closes: bool) -> bool {
        if closes {
            let first = self.owners.remove(&group).is_none();
            return first;
        }
        if self.owners.len() >= limits::GROUPS_PER_QUEUE_MAX
            && !self.owners.contains_key(&group)
            && let Some(&other) = self.owners.keys().next()
        {
            self.owners.remove(&other);
        }
        self.owners.insert(group, slot).is_none()
    }
}
