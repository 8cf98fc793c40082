//! A long sorted run of entries.

use std::collections::VecDeque;

use crate::{Entry, Order};

/// Most entries of a block: 48 KiB, small enough to move within, large enough to be rare.
const BLOCK: usize = 1_024;

type Block = VecDeque<Entry>;

/// Entries sorted by their order, in a deque of blocks: a million cost no large copy when the lane
/// grows, and each costs little more than its own size.
///
/// No block is empty, except where it is the only one.
#[derive(Debug, Default)]
pub(super) struct Lane {
    blocks: VecDeque<Block>,
    len: usize,
    /// The last block that ran empty, for the next that is needed.
    spare: Option<Block>,
}

/// Place of an entry: block, index within it. Good until the lane changes.
type Place = (usize, usize);

impl Lane {
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn front(&self) -> Option<&Entry> {
        self.blocks.front()?.front()
    }

    pub(super) fn back(&self) -> Option<&Entry> {
        self.blocks.back()?.back()
    }

    /// Puts an entry into its place; at either end without a search.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.len += 1;
        if self.back().is_none_or(|last| last.order < entry.order) {
            self.push_back(entry);
        } else if self.front().is_some_and(|first| entry.order < first.order) {
            self.push_front(entry);
        } else {
            self.insert_between(entry);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Entry> {
        let block = self.blocks.front_mut()?;
        let entry = block.pop_front()?;
        self.len -= 1;
        if block.is_empty() && self.blocks.len() > 1 {
            self.spare = self.blocks.pop_front();
        }
        Some(entry)
    }

    pub(super) fn remove(&mut self, order: Order) -> Option<Entry> {
        let (block, index) = self.find(order)?;
        let entry = self.blocks[block].remove(index)?;
        self.len -= 1;
        self.tidy(block);
        Some(entry)
    }

    pub(super) fn get(&self, order: Order) -> Option<&Entry> {
        let (block, index) = self.find(order)?;
        self.blocks[block].get(index)
    }

    pub(super) fn get_mut(&mut self, order: Order) -> Option<&mut Entry> {
        let (block, index) = self.find(order)?;
        self.blocks[block].get_mut(index)
    }

    /// Entries from `from` on, ascending.
    pub(super) fn range(&self, from: Order) -> impl Iterator<Item = &Entry> {
        let (block, index) = self.search(from);
        let rest = self.blocks.iter().skip(block + 1).flat_map(|block| block.iter());
        self.blocks.get(block).into_iter().flat_map(move |block| block.range(index..)).chain(rest)
    }

    /// Walks the entries from `from` on, ascending, until `each` says false.
    pub(super) fn walk_mut(&mut self, from: Order, mut each: impl FnMut(&mut Entry) -> bool) {
        let (first, mut index) = self.search(from);
        for block in self.blocks.range_mut(first.min(self.blocks.len())..) {
            if !block.range_mut(index..).all(&mut each) {
                return;
            }
            index = 0;
        }
    }

    /// Takes out those of `budget` entries from `from` on that `pick` chooses, ascending. Answers where
    /// to go on, `None` at the end.
    pub(super) fn extract(
        &mut self,
        from: Order,
        budget: usize,
        mut pick: impl FnMut(&Entry) -> bool,
        into: &mut Vec<Entry>,
    ) -> Option<Order> {
        let chosen: Vec<Order> =
            self.range(from).take(budget).filter(|entry| pick(entry)).map(|entry| entry.order).collect();
        let next = self.range(from).nth(budget).map(|entry| entry.order);
        into.extend(chosen.into_iter().filter_map(|order| self.remove(order)));
        next
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self) {
        self.spare = None;
        if self.is_empty() {
            self.blocks = VecDeque::new();
        }
    }

    /// Bytes of memory it takes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let blocks = self.blocks.iter().chain(&self.spare).map(|block| block.capacity() * size_of::<Entry>());
        blocks.sum::<usize>() + self.blocks.capacity() * size_of::<Block>()
    }

    fn push_back(&mut self, entry: Entry) {
        match self.blocks.back_mut() {
            Some(block) if block.len() < BLOCK => block.push_back(entry),
            _ => {
                let mut block = self.new_block();
                block.push_back(entry);
                self.blocks.push_back(block);
            }
        }
    }

    fn push_front(&mut self, entry: Entry) {
        match self.blocks.front_mut() {
            Some(block) if block.len() < BLOCK => block.push_front(entry),
            _ => {
                let mut block = self.new_block();
                block.push_front(entry);
                self.blocks.push_front(block);
            }
        }
    }

    /// The first block grows as it is needed, all further ones are made in one piece.
    fn new_block(&mut self) -> Block {
        match self.spare.take() {
            Some(block) => block,
            None if self.blocks.is_empty() => Block::new(),
            None => Block::with_capacity(BLOCK),
        }
    }

    fn insert_between(&mut self, entry: Entry) {
        let (mut block, mut index) = self.search(entry.order);
        debug_assert!(self.blocks[block][index].order != entry.order, "an order is used once in a queue");
        if self.blocks[block].len() == BLOCK {
            let upper = self.blocks[block].split_off(BLOCK / 2);
            self.blocks.insert(block + 1, upper);
            if index > BLOCK / 2 {
                (block, index) = (block + 1, index - BLOCK / 2);
            }
        }
        self.blocks[block].insert(index, entry);
    }

    /// Where the first entry with this order or a later one stands; one past the last block where all
    /// are earlier.
    fn search(&self, order: Order) -> Place {
        let block = self.blocks.partition_point(|block| block.back().is_some_and(|last| last.order < order));
        let index =
            self.blocks.get(block).map_or(0, |block| block.partition_point(|entry| entry.order < order));
        (block, index)
    }

    fn find(&self, order: Order) -> Option<Place> {
        let (block, index) = self.search(order);
        (self.blocks.get(block)?.get(index)?.order == order).then_some((block, index))
    }

    /// Merges a block that has become small with a neighbour, so that holes do not cost memory.
    fn tidy(&mut self, at: usize) {
        let len = self.blocks[at].len();
        if len > BLOCK / 4 || self.blocks.len() == 1 {
            return;
        }
        if len == 0 {
            self.spare = self.blocks.remove(at);
            return;
        }
        let fits = |other: Option<&Block>| other.is_some_and(|other| other.len() + len <= BLOCK * 3 / 4);
        let lower = if fits(self.blocks.get(at + 1)) {
            at
        } else if at > 0 && fits(self.blocks.get(at - 1)) {
            at - 1
        } else {
            return;
        };
        if let Some(mut upper) = self.blocks.remove(lower + 1) {
            self.blocks[lower].append(&mut upper);
        }
    }

    /// Asserts what must always hold.
    pub(super) fn check(&self) {
        assert_eq!(self.len, self.blocks.iter().map(Block::len).sum::<usize>());
        assert!(self.blocks.len() == 1 || self.blocks.iter().all(|block| !block.is_empty()));
        assert!(self.blocks.iter().all(|block| block.len() <= BLOCK));
        assert!(self.blocks.iter().flatten().is_sorted_by(|a, b| a.order < b.order));
    }
}
