//! Deliveries that wait for their acknowledgement.

use std::collections::VecDeque;

/// The unacknowledged deliveries of one subscription. Their tags are dense, so that one is found by
/// subtraction; only ACK by message id, before 1.2, has to search.
#[derive(Debug, Default)]
pub(super) struct Flights {
    /// The tag of the front slot.
    base: u64,
    /// Message ids; `None` once acknowledged. The front one is open.
    slots: VecDeque<Option<u64>>,
    open: u32,
}

impl Flights {
    /// Number of unacknowledged deliveries.
    pub(super) const fn len(&self) -> u32 {
        self.open
    }

    /// Adds a delivery; tags ascend.
    pub(super) fn push(&mut self, tag: u64, message: u64) {
        if self.slots.is_empty() {
            self.base = tag;
        }
        // A tag that was left out counts as acknowledged.
        while self.base + (self.slots.len() as u64) < tag {
            self.slots.push_back(None);
        }
        self.slots.push_back(Some(message));
        self.open += 1;
    }

    /// The delivery of a message: the earliest, should there be several.
    pub(super) fn find(&self, message: u64) -> Option<u64> {
        let at = self.slots.iter().position(|slot| *slot == Some(message))?;
        Some(self.base + at as u64)
    }

    /// Whether a delivery is unacknowledged.
    pub(super) fn has(&self, tag: u64) -> bool {
        let at = tag.checked_sub(self.base).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.slots.get(at)).is_some_and(Option::is_some)
    }

    /// Takes one delivery out; how many that were.
    pub(super) fn take(&mut self, tag: u64) -> u32 {
        let at = tag.checked_sub(self.base).and_then(|at| usize::try_from(at).ok());
        let taken = at.and_then(|at| self.slots.get_mut(at)?.take()).map_or(0, |_| 1);
        self.open -= taken;
        self.pop_closed();
        taken
    }

    /// Takes all up to a tag; the first of them and how many.
    pub(super) fn take_up_to(&mut self, tag: u64) -> (u64, u32) {
        let (first, before) = (self.base, self.open);
        while self.base <= tag
            && let Some(slot) = self.slots.pop_front()
        {
            self.base += 1;
            self.open -= u32::from(slot.is_some());
        }
        let taken = before - self.open;
        self.pop_closed();
        (first, taken)
    }

    fn pop_closed(&mut self) {
        while self.slots.pop_front_if(|slot| slot.is_none()).is_some() {
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_and_cumulative() {
        let mut flights = Flights::default();
        for (tag, message) in [(1, 10), (2, 11), (4, 13), (5, 14), (6, 11)] {
            flights.push(tag, message);
        }
        assert_eq!((flights.len(), flights.find(11), flights.find(12)), (5, Some(2), None));
        assert_eq!((flights.take(3), flights.take(2), flights.take(2)), (0, 1, 0));
        assert_eq!(flights.find(11), Some(6));
        assert!(flights.has(4) && !flights.has(2) && !flights.has(7));
        assert_eq!(flights.take_up_to(4), (1, 2));
        assert_eq!(flights.take_up_to(4).1, 0);
        assert_eq!((flights.take(5), flights.take(u64::MAX), flights.take(0)), (1, 0, 0));
        assert_eq!(flights.take_up_to(u64::MAX), (6, 1));
        assert_eq!(flights.len(), 0);
        flights.push(9, 1);
        assert_eq!(flights.find(1), Some(9));
    }
}
