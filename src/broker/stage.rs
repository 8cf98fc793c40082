//! Publications on their way from a read of a socket to the queues.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use wharfmq_base::Millis;
use wharfmq_core::{Address, Item, Notes, QueueCell, Span, Terms, Token};

use super::Route;
use super::sequences::StagedNumber;

/// Most destinations one stage can name; a stage that has them is flushed early.
pub(super) const ADDRESSES_MAX: usize = u16::MAX as usize;

/// Publications of one round, in their order, as offsets into the bytes they came in.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) items: Vec<Item>,
    pub(super) runs: Vec<StagedRun>,
    pub(super) tokens: Vec<(u32, Token)>,
    pub(super) states: Vec<StagedState>,
    /// Numbers that producers gave some of the publications, ascending.
    pub(super) numbers: Vec<StagedNumber>,
    /// A queue that ends with the same batch. Only a stage that is carried out at once has one.
    pub(super) ends: Option<Arc<QueueCell>>,
    /// What few of the publications have, by their index, ascending.
    pub(super) extras: Vec<(u32, Box<Extra>)>,
}

/// What most publications do without.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// What it asks of the queues that take it.
    pub(super) terms: Terms,
    /// What the broker adds.
    pub(super) notes: Notes,
}

impl From<Terms> for Extra {
    fn from(terms: Terms) -> Self {
        Self { terms, notes: Notes::default() }
    }
}

/// Consecutive publications to one destination.
#[derive(Debug, Clone)]
pub(super) struct StagedRun {
    pub(super) route: Arc<Route>,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A piece of a session's state that goes into the same batch as the publications beside it.
#[derive(Debug)]
pub(super) struct StagedState {
    /// The publication that was staged next: where one waits, so does the state beside it.
    pub(super) before: u32,
    pub(super) owner: wharfmq_core::QueueId,
    pub(super) key: Bytes,
    pub(super) value: Option<Bytes>,
}

impl Stage {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.states.is_empty() && self.tokens.is_empty()
    }

    pub(super) fn push(&mut self, route: &Arc<Route>, mut item: Item) -> u32 {
        let index = self.items.len() as u32;
        match self.runs.last_mut() {
            Some(run) if Arc::ptr_eq(&run.route, route) => run.end = index + 1,
            _ => self.runs.push(StagedRun { route: Arc::clone(route), start: index, end: index + 1 }),
        }
        item.address = (self.runs.len() - 1).min(ADDRESSES_MAX) as u16;
        self.items.push(item);
        index
    }

    /// Adds what the publication at `index`, the last one, has beyond others.
    pub(super) fn add(&mut self, index: u32, extra: Extra) {
        if !extra.terms.is_empty() || !extra.notes.0.is_empty() {
            self.extras.push((index, Box::new(extra)));
        }
    }

    /// Lets the delays of all publications begin now; so far their terms say how long they are.
    pub(super) fn begin_delays(&mut self, now: Millis) {
        for (_, extra) in self.extras.iter_mut().filter(|(_, extra)| extra.terms.due > Millis(0)) {
            extra.begin_delay(now);
        }
    }

    /// What the publication at `index` has beyond others.
    pub(super) fn extra(&self, index: u32) -> Option<&Extra> {
        let at = self.extras.binary_search_by_key(&index, |(of, _)| *of).ok()?;
        self.extras.get(at).map(|(_, extra)| &**extra)
    }

    /// Where the last publication goes.
    pub(super) fn last_route(&self) -> Option<&Arc<Route>> {
        self.runs.last().map(|run| &run.route)
    }

    /// The destinations, as [`Item::address`] counts them.
    pub(super) fn addresses(&self) -> SmallVec<[Arc<Address>; 2]> {
        self.runs.iter().map(|run| Arc::clone(&run.route.address)).collect()
    }

    /// Copies the items' bytes out of `raw`, so that they no longer hold on to what lies between them.
    pub(super) fn compact(&mut self, raw: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(self.items.iter().map(|item| item.frame.len as usize).sum());
        for item in &mut self.items {
            append(item, raw, &mut out);
        }
        out.freeze()
    }

    /// Moves one publication, whose bytes are in `raw`, behind `bytes`.
    pub(super) fn adopt(
        &mut self,
        route: &Arc<Route>,
        mut item: Item,
        raw: &[u8],
        bytes: &mut BytesMut,
    ) -> u32 {
        append(&mut item, raw, bytes);
        self.push(route, item)
    }

    /// What is to be remembered, and nothing of what was to be published.
    pub(super) fn without_items(self) -> Self {
        let states = self.states.into_iter().map(|state| StagedState { before: 0, ..state }).collect();
        Self { states, ..Self::default() }
    }

    /// These publications and then those of `rest`, which was split off them.
    pub(super) fn followed_by(mut self, rest: Self) -> Self {
        let items = self.items.len() as u32;
        let runs = self.runs.len() as u16;
        self.items.extend(rest.items.into_iter().map(|item| Item { address: item.address + runs, ..item }));
        let moved = |run: StagedRun| StagedRun { start: run.start + items, end: run.end + items, ..run };
        self.runs.extend(rest.runs.into_iter().map(moved));
        self.tokens.extend(rest.tokens.into_iter().map(|(of, token)| (of + items, token)));
        let moved = |state: StagedState| StagedState { before: state.before + items, ..state };
        self.states.extend(rest.states.into_iter().map(moved));
        self.numbers.extend(rest.numbers.into_iter().map(|number| number.moved(|of| of + items)));
        self.extras.extend(rest.extras.into_iter().map(|(of, extra)| (of + items, extra)));
        self
    }

    /// Takes the publications from `item` on, with what belongs to them, into a stage of their own.
    pub(super) fn split_off(&mut self, item: u32) -> Self {
        let mut rest = Self { items: self.items.split_off(item as usize), ..Self::default() };
        let first = self.runs.partition_point(|run| run.end <= item);
        rest.runs = self.runs[first..].to_vec();
        self.runs.truncate(first);
        if let Some(run) = rest.runs.first_mut().filter(|run| run.start < item) {
            self.runs.push(StagedRun { end: item, ..run.clone() });
            run.start = item;
        }
        for run in &mut rest.runs {
            run.start -= item;
            run.end -= item;
        }
        for moved in &mut rest.items {
            moved.address = moved.address.saturating_sub(first as u16);
        }
        let tokens = self.tokens.partition_point(|(of, _)| *of < item);
        rest.tokens =
            self.tokens.split_off(tokens).into_iter().map(|(of, token)| (of - item, token)).collect();
        let states = self.states.partition_point(|state| state.before < item);
        let states = self.states.split_off(states).into_iter();
        rest.states = states.map(|state| StagedState { before: state.before - item, ..state }).collect();
        let numbers = self.numbers.partition_point(|number| number.index < item);
        let numbers = self.numbers.split_off(numbers).into_iter();
        rest.numbers = numbers.map(|number| number.moved(|of| of - item)).collect();
        let extras = self.extras.partition_point(|(of, _)| *of < item);
        rest.extras =
            self.extras.split_off(extras).into_iter().map(|(of, extra)| (of - item, extra)).collect();
        rest
    }
}

fn append(item: &mut Item, raw: &[u8], out: &mut BytesMut) {
    let start = out.len() as u32;
    out.extend_from_slice(item.frame.of(raw));
    let moved =
        |span: Span| Span { start: span.start.wrapping_sub(item.frame.start).wrapping_add(start), ..span };
    item.head = moved(item.head);
    item.body = moved(item.body);
    item.frame = moved(item.frame);
}

/// When a message received at `now` expires: the earlier of its own wish and the queue's limit.
pub(super) fn expiry(own: Millis, limit: Millis, now: Millis) -> Millis {
    if limit == Millis::NEVER { own } else { own.min(now.plus(limit)) }
}
