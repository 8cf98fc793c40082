//! The targets of one destination.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::chosen::Chosen;
use super::share::Share;
use crate::{Address, Chunk, ConnId, Facts, Filter, Message, Outbox, Qos, QueueId, SubTag};

/// What a publication to an address reaches. Shared by all who publish there; never changed but for the
/// generation it is known to hold for.
#[derive(Debug)]
pub struct Route<Q> {
    /// The destination.
    pub address: Arc<Address>,
    /// Connections that take it without storing it: one entry each, ascending by [`ConnId`].
    pub direct: Box<[DirectTarget]>,
    /// Shared subscriptions with members who are connected: what nothing stores is dealt out among them.
    pub shares: Box<[Share]>,
    /// Queues that take it: one entry each, ascending by [`QueueId`].
    pub queues: Box<[Bound<Q>]>,
    /// The index of those in [`Route::direct`] that have only filtered subscriptions, where they are many.
    pub chosen: Option<Box<Chosen>>,
    /// Destinations it leads to by forwards.
    pub(super) via: Box<[Arc<Address>]>,
    generation: AtomicU64,
}

/// One connection of a [`Route`].
#[derive(Clone, Debug)]
pub struct DirectTarget {
    /// Where to put it.
    pub outbox: Arc<Outbox>,
    /// The connection's subscriptions that match, ascending by tag. Never empty. One that stands under
    /// several patterns with several filters is there more than once.
    pub subs: SmallVec<[DirectSub; 2]>,
}

/// One subscription of a [`DirectTarget`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectSub {
    /// The session's own number for it.
    pub sub: SubTag,
    /// What the connection publishes itself does not come back.
    pub no_local: bool,
    /// Takes QoS 0 only: what can be lost comes directly, the rest through a queue.
    pub qos0_only: bool,
    /// Which messages it takes; `None` for all.
    pub filter: Option<Arc<Filter>>,
}

/// One queue of a [`Route`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound<Q> {
    /// The queue's number.
    pub id: QueueId,
    /// The queue.
    pub queue: Q,
    /// The flags of all bindings that match, merged by [`merge_flags`].
    pub flags: u8,
    /// The same of those bindings that take what the queue's own client publishes; `None` where none does.
    pub own_flags: Option<u8>,
    /// The bindings one by one, where one of them has a filter.
    pub choices: Option<Box<[Choice]>>,
}

/// One of the bindings of a queue that match, where they do not all take the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its flags.
    pub flags: u8,
    /// What the queue's own client publishes is not for it.
    pub no_local: bool,
    /// Which messages it takes; `None` for all.
    pub filter: Option<Arc<Filter>>,
}

impl<Q> Route<Q> {
    pub(super) fn new(
        address: Arc<Address>,
        direct: Vec<DirectTarget>,
        shares: Box<[Share]>,
        queues: Vec<Bound<Q>>,
        via: Box<[Arc<Address>]>,
        generation: u64,
    ) -> Self {
        let chosen = Chosen::of(&direct);
        let (direct, queues) = (direct.into(), queues.into());
        Self { address, direct, shares, queues, chosen, via, generation: AtomicU64::new(generation) }
    }

    /// A route that leads into one queue whatever the destination: for what is to be sent on from there.
    /// It never goes stale.
    pub fn to_queue(address: Arc<Address>, queue: Bound<Q>) -> Self {
        Self::new(address, Vec::new(), Box::default(), vec![queue], Box::default(), u64::MAX)
    }

    /// The latest generation of the router that the route is known to hold for.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The route holds for this generation too.
    pub(super) fn restamp(&self, generation: u64) {
        self.generation.fetch_max(generation, Ordering::AcqRel);
    }

    /// Whether nothing is reached.
    pub fn is_empty(&self) -> bool {
        self.direct.is_empty() && self.queues.is_empty()
    }

    /// Whether nobody takes what nothing stores.
    pub fn is_queues_only(&self) -> bool {
        self.direct.is_empty() && self.shares.is_empty()
    }

    /// Whether nothing is stored for it, so that no message need be built.
    pub fn is_storage_less(&self) -> bool {
        self.queues.is_empty()
    }

    /// Roughly the bytes it takes, for the bounds of caches.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + self.direct.len() * size_of::<DirectTarget>()
            + self.shares.iter().map(Share::weight).sum::<usize>()
            + self.queues.len() * size_of::<Bound<Q>>()
            + self.chosen.as_ref().map_or(0, |chosen| chosen.weight())
            + self.via.len() * size_of::<Address>()
    }
}

impl DirectTarget {
    /// The subscriptions that take a publication of this connection: an item of `chunk`, by its number.
    pub fn taking(&self, from: ConnId, chunk: &Chunk, index: u32) -> SmallVec<[SubTag; 2]> {
        let own = self.outbox.conn == from;
        let Some(item) = chunk.items.get(index as usize) else { return SmallVec::new() };
        let chosen =
            |filter: &Arc<Filter>| chunk.facts(index).is_some_and(|facts| filter.matches_facts(&facts));
        let taking =
            self.subs.iter().filter(|sub| sub.takes(own, item.qos) && sub.filter.as_ref().is_none_or(chosen));
        let mut tags: SmallVec<[SubTag; 2]> = taking.map(|sub| sub.sub).collect();
        tags.dedup();
        tags
    }

    /// Whether all its subscriptions take whatever comes.
    pub fn takes_all(&self) -> bool {
        self.subs.iter().all(|sub| !sub.no_local && !sub.qos0_only && sub.filter.is_none())
    }
}

impl DirectSub {
    /// Whether it takes a publication, its filter aside; `own`: the subscriber sent it itself.
    pub fn takes(&self, own: bool, qos: Qos) -> bool {
        !(own && self.no_local || self.qos0_only && qos.is_persistent())
    }
}

impl<Q> Bound<Q> {
    /// The flags for a publication, `None` where the queue does not take it; `own`: the queue's own
    /// client sent it.
    pub fn taking(&self, own: bool, message: &Message) -> Option<u8> {
        match &self.choices {
            None if own => self.own_flags,
            None => Some(self.flags),
            Some(choices) => {
                let facts = message.facts(0);
                let taking = choices.iter().filter(|choice| choice.takes(own, &facts));
                taking.map(|choice| choice.flags).reduce(merge_flags)
            }
        }
    }

    /// Makes one of two that stand for bindings of the same queue.
    pub(super) fn merge(&mut self, other: &mut Self) {
        if self.choices.is_some() || other.choices.is_some() {
            let choices = self.take_choices().into_iter().chain(other.take_choices());
            self.choices = Some(choices.collect());
        }
        self.flags = merge_flags(self.flags, other.flags);
        self.own_flags = match (self.own_flags, other.own_flags) {
            (Some(a), Some(b)) => Some(merge_flags(a, b)),
            (a, b) => a.or(b),
        };
    }

    /// Its bindings one by one. Where none has a filter, two that stand for them.
    fn take_choices(&mut self) -> Vec<Choice> {
        if let Some(choices) = self.choices.take() {
            return choices.into_vec();
        }
        let all = Choice { flags: self.flags, no_local: true, filter: None };
        let own = self.own_flags.map(|flags| Choice { flags, no_local: false, filter: None });
        std::iter::once(all).chain(own).collect()
    }
}

impl Choice {
    fn takes(&self, own: bool, facts: &Facts<'_>) -> bool {
        !(own && self.no_local) && self.filter.as_ref().is_none_or(|filter| filter.matches_facts(facts))
    }
}

/// Flags of two bindings of one queue as one: the higher quality of service (low two bits), and the
/// other bits of both.
pub const fn merge_flags(a: u8, b: u8) -> u8 {
    let qos = if a & 3 > b & 3 { a & 3 } else { b & 3 };
    (a | b) & !3 | qos
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wharfmq_base::Millis;

    use super::*;
    use crate::filter::testing::{filter, message};
    use crate::{HeadTag, Item, Span};

    #[test]
    fn flags_merge_to_the_highest_quality_and_all_other_bits() {
        assert_eq!(merge_flags(1, 2), 2);
        assert_eq!(merge_flags(0b101, 0b1010), 0b1110);
        assert_eq!(merge_flags(0, 0), 0);
    }

    fn options(sub: u32, no_local: bool, qos0_only: bool) -> DirectSub {
        DirectSub { sub: SubTag(sub), no_local, qos0_only, filter: None }
    }

    fn choosing(sub: u32, selector: &str) -> DirectSub {
        DirectSub { filter: Some(filter(selector)), ..options(sub, false, false) }
    }

    /// One item of each quality of service, of the color red.
    fn chunk() -> Chunk {
        let raw = Bytes::from_static(b"color:red\n");
        let head = Span { start: 0, len: raw.len() as u32 };
        let item = |qos| Item {
            frame: head,
            head,
            body: Span::default(),
            address: 0,
            patch: 0,
            tag: HeadTag(1),
            qos,
            retain: false,
            priority: 4,
            expires: Millis::NEVER,
        };
        let items = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce].map(item).into();
        let addresses = [Arc::new(Address::topic("t"))].into_iter().collect();
        Chunk { raw, items, addresses, received: Millis(1), first_id: 1 }
    }

    fn taking(subs: &[DirectSub], from: u64, index: u32) -> Vec<u32> {
        let target = DirectTarget { outbox: Outbox::new(ConnId(1)), subs: subs.iter().cloned().collect() };
        target.taking(ConnId(from), &chunk(), index).iter().map(|sub| sub.0).collect()
    }

    #[test]
    fn options_decide_what_is_taken() {
        let subs = [options(1, false, false), options(2, true, false), options(3, false, true)];
        assert_eq!(taking(&subs, 9, 0), [1, 2, 3]);
        assert_eq!(taking(&subs, 1, 0), [1, 3]);
        assert_eq!(taking(&subs, 9, 1), [1, 2]);
        assert_eq!(taking(&subs, 1, 2), [1]);
        assert!(taking(&subs, 1, 3).is_empty(), "there is no such item");
    }

    #[test]
    fn filters_decide_what_is_taken() {
        let subs = [
            choosing(1, "color = 'red'"),
            choosing(2, "color = 'blue'"),
            choosing(3, "color = 'blue'"),
            choosing(3, "color = 'red'"),
            choosing(4, "color = 'red'"),
            options(4, false, false),
            DirectSub { qos0_only: true, ..choosing(5, "color = 'red'") },
        ];
        assert_eq!(taking(&subs, 1, 0), [1, 3, 4, 5], "each subscription once");
        assert_eq!(taking(&subs, 1, 1), [1, 3, 4]);
    }

    fn bound(flags: u8, no_local: bool, selector: Option<&str>) -> Bound<()> {
        let own_flags = (!no_local).then_some(flags);
        let choices =
            selector.map(|selector| Box::from([Choice { flags, no_local, filter: Some(filter(selector)) }]));
        Bound { id: QueueId(1), queue: (), flags, own_flags, choices }
    }

    fn merged(parts: impl IntoIterator<Item = Bound<()>>) -> Bound<()> {
        let merge = |mut one: Bound<()>, mut other: Bound<()>| {
            one.merge(&mut other);
            one
        };
        parts.into_iter().reduce(merge).unwrap()
    }

    #[test]
    fn a_queue_takes_what_any_of_its_bindings_takes() {
        let (red, blue) = ("color = 'red'", "color = 'blue'");
        let flags = |bound: &Bound<()>, own| bound.taking(own, &message("color:red\n"));
        for turn in [false, true] {
            let both = |a: Bound<()>, b: Bound<()>| merged(if turn { [b, a] } else { [a, b] });
            let one = both(bound(1, false, Some(red)), bound(2, false, Some(blue)));
            assert_eq!((flags(&one, false), flags(&one, true)), (Some(1), Some(1)));
            let none = both(bound(1, false, Some(blue)), bound(2, false, Some(blue)));
            assert_eq!((flags(&none, false), flags(&none, true)), (None, None));
            let all = both(bound(0b101, true, Some(red)), bound(2, false, None));
            assert_eq!((flags(&all, false), flags(&all, true)), (Some(0b110), Some(2)));
            let open = both(bound(1, true, None), bound(2, false, None));
            let three = both(open, bound(0b100, false, Some(blue)));
            assert_eq!((flags(&three, false), flags(&three, true)), (Some(2), Some(2)));
            let three = both(three, bound(0b100, false, Some(red)));
            assert_eq!((flags(&three, false), flags(&three, true)), (Some(0b110), Some(0b110)));
        }
    }
}
