//! Deliveries that wait for their acknowledgement, in the order in which they were sent.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

/// One delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    /// The number by which the client knows the message.
    pub(super) sequence: u64,
    /// The part of its consumer that it came by.
    pub(super) part: u32,
    /// The delivery's number there.
    pub(super) tag: u64,
    /// The transaction that has acknowledged it; 0 for none.
    pub(super) staged: u32,
}

/// The unacknowledged deliveries of one consumer. Acknowledgements name ranges of them by their first
/// and last message.
#[derive(Debug, Default)]
pub(super) struct Flights {
    list: VecDeque<Flight>,
}

impl Flights {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn push(&mut self, flight: Flight) {
        self.list.push_back(flight);
    }

    /// The places from a first message to a last one, of those that no transaction has. Without a first
    /// one it begins in front. `None` where the last is not there.
    pub(super) fn range(&self, first: Option<u64>, last: u64) -> Option<(usize, usize)> {
        let open = |sequence: u64| {
            let is_it = move |flight: &Flight| flight.sequence == sequence && flight.staged == 0;
            self.list.iter().position(is_it)
        };
        let end = open(last)?;
        let start = match first {
            Some(first) => open(first).filter(|start| *start <= end).unwrap_or(end),
            None => 0,
        };
        Some((start, end))
    }

    /// Takes out what stands in a range and no transaction has.
    pub(super) fn take(&mut self, (start, end): (usize, usize)) -> SmallVec<[Flight; 1]> {
        // Most often it is one.
        let mut taken = SmallVec::with_capacity(end + 1 - start);
        if start == 0 {
            // The usual case: nothing has to move.
            let mut kept = Vec::new();
            for _ in 0..=end {
                match self.list.pop_front() {
                    Some(flight) if flight.staged == 0 => taken.push(flight),
                    Some(flight) => kept.push(flight),
                    None => break,
                }
            }
            kept.into_iter().rev().for_each(|flight| self.list.push_front(flight));
            return taken;
        }
        let mut at = 0;
        self.list.retain(|flight| {
            let is_taken = (start..=end).contains(&at) && flight.staged == 0;
            at += 1;
            if is_taken {
                taken.push(*flight);
            }
            !is_taken
        });
        taken
    }

    /// Marks what stands in a range as acknowledged by a transaction. Answers what that is.
    pub(super) fn stage(&mut self, (start, end): (usize, usize), transaction: u32) -> Vec<Flight> {
        let mut staged = Vec::new();
        for flight in self.list.range_mut(start..=end).filter(|flight| flight.staged == 0) {
            flight.staged = transaction;
            staged.push(*flight);
        }
        staged
    }

    /// The parts and the numbers of what a transaction has acknowledged.
    pub(super) fn staged(&self, transaction: u32) -> impl Iterator<Item = (u32, u64)> {
        let staged = self.list.iter().filter(move |flight| flight.staged == transaction);
        staged.map(|flight| (flight.part, flight.tag))
    }

    /// A transaction was carried out: takes out what it has acknowledged. Answers how much that was.
    pub(super) fn commit(&mut self, transaction: u32) -> usize {
        let before = self.list.len();
        self.list.retain(|flight| flight.staged != transaction);
        before - self.list.len()
    }

    /// A transaction was rolled back. Answers how many deliveries are the client's again.
    pub(super) fn roll_back(&mut self, transaction: u32) -> u32 {
        let mut count = 0;
        for flight in self.list.iter_mut().filter(|flight| flight.staged == transaction) {
            flight.staged = 0;
            count += 1;
        }
        count
    }

    /// The last delivery of each part up to a message, as the client has seen them: what was sent behind
    /// it was not looked at. Of a part that is not there, none was.
    pub(super) fn seen(&self, last: u64) -> HashMap<u32, u64, RandomState> {
        let end = self.list.iter().rposition(|flight| flight.sequence == last);
        let mut seen = HashMap::default();
        for flight in self.list.iter().take(end.map_or(0, |end| end + 1)) {
            let of_part = seen.entry(flight.part).or_insert(0);
            *of_part = flight.tag.max(*of_part);
        }
        seen
    }

    /// The first delivery of each part that is still open.
    pub(super) fn firsts(&self) -> HashMap<u32, u64, RandomState> {
        let mut firsts = HashMap::default();
        for flight in &self.list {
            firsts.entry(flight.part).or_insert(flight.tag);
        }
        firsts
    }
}

/// Runs of consecutive deliveries of one part.
pub(super) fn runs(flights: &[Flight]) -> impl Iterator<Item = (u32, u64, u64)> {
    flights
        .chunk_by(|a, b| a.part == b.part && a.tag + 1 == b.tag)
        .filter_map(|run| Some((run.first()?.part, run.first()?.tag, run.last()?.tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flights(sequences: impl IntoIterator<Item = u64>) -> Flights {
        let mut flights = Flights::default();
        for (n, sequence) in sequences.into_iter().enumerate() {
            flights.push(Flight { sequence, part: 1, tag: n as u64 + 1, staged: 0 });
        }
        flights
    }

    fn tags(flights: &[Flight]) -> Vec<u64> {
        flights.iter().map(|flight| flight.tag).collect()
    }

    #[test]
    fn ranges_are_places_and_not_numbers() {
        let mut flights = flights([50, 10, 30, 20]);
        assert_eq!(flights.range(Some(10), 20), Some((1, 3)));
        assert_eq!(flights.range(None, 30), Some((0, 2)));
        assert_eq!(flights.range(None, 99), None);
        let range = flights.range(Some(10), 30).unwrap();
        assert_eq!(tags(&flights.take(range)), [2, 3]);
        let range = flights.range(None, 20).unwrap();
        assert_eq!(tags(&flights.take(range)), [1, 4]);
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_transaction_holds_what_it_has_acknowledged() {
        let mut flights = flights([1, 2, 3, 4]);
        let range = flights.range(None, 2).unwrap();
        assert_eq!(tags(&flights.stage(range, 7)), [1, 2]);
        assert_eq!(flights.range(None, 1), None, "it is not there twice");
        let range = flights.range(None, 3).unwrap();
        assert_eq!(tags(&flights.take(range)), [3]);
        assert_eq!(flights.roll_back(7), 2);
        let range = flights.range(None, 2).unwrap();
        flights.stage(range, 8);
        flights.commit(8);
        assert_eq!((flights.len(), flights.firsts().get(&1)), (1, Some(&4)));
    }

    #[test]
    fn runs_end_where_a_part_or_a_number_changes() {
        let flight = |part, tag| Flight { sequence: 0, part, tag, staged: 0 };
        let list = [flight(1, 1), flight(1, 2), flight(1, 4), flight(2, 5)];
        assert_eq!(runs(&list).collect::<Vec<_>>(), [(1, 1, 2), (1, 4, 4), (2, 5, 5)]);
    }

    #[test]
    fn what_was_seen_of_a_part() {
        let flights = flights([5, 6, 7]);
        assert_eq!((flights.seen(6).get(&1), flights.seen(6).get(&2)), (Some(&2), None));
        assert!(flights.seen(9).is_empty());
    }
}
