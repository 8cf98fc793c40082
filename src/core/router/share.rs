//! Members of shared subscriptions, among whom is dealt out what nothing stores (MQTT 5, 4.8.2).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smallvec::SmallVec;

use crate::limits::OUTBOX_SOFT_BYTES;
use crate::{Chunk, Filter, Outbox, QueueId, Run, SubTag};

/// A connection that takes part in a shared subscription.
#[derive(Clone, Debug)]
pub struct Member {
    /// The subscription: the queue that keeps what must not be lost.
    pub share: QueueId,
    /// Where its messages go; names its connection too.
    pub outbox: Arc<Outbox>,
    /// The session's own number for it.
    pub sub: SubTag,
}

/// A member that a publication reaches, and which publications do; `None` for all.
pub(super) type Found = (Member, Option<Arc<Filter>>);

/// One shared subscription of a [`super::Route`], with those of its members who are connected.
#[derive(Debug)]
pub struct Share {
    members: Box<[Member]>,
    /// A publication that none of these chooses is not for it. Empty where it takes all.
    filters: SmallVec<[Arc<Filter>; 1]>,
    /// The member whose turn it is.
    turn: AtomicUsize,
}

/// Members of one deal.
type Dealt<'a> = SmallVec<[&'a Member; 8]>;

impl Share {
    /// Puts members that belong together into one share each.
    pub(super) fn among(mut found: Vec<Found>) -> Box<[Self]> {
        found.sort_by_key(|(member, _)| (member.share, member.outbox.conn, member.sub));
        found.chunk_by(|a, b| a.0.share == b.0.share).map(Self::of).collect()
    }

    fn of(found: &[Found]) -> Self {
        let mut members: Vec<Member> = found.iter().map(|(member, _)| member.clone()).collect();
        members.dedup_by_key(|member| (member.outbox.conn, member.sub));
        let mut filters: SmallVec<[Arc<Filter>; 1]> = SmallVec::new();
        if found.iter().all(|(_, filter)| filter.is_some()) {
            filters.extend(found.iter().filter_map(|(_, filter)| filter.clone()));
            filters.dedup();
        }
        Self { members: members.into(), filters, turn: AtomicUsize::new(0) }
    }

    /// Deals out those of a chunk's items that nothing stores, as runs of consecutive ones: as many to
    /// each member, whoever reads too slowly left out unless all do.
    pub fn deal(&self, chunk: &Chunk, items: Range<u32>, mut f: impl FnMut(&Member, Run)) {
        let mut start = items.start;
        for at in items.clone() {
            if !self.takes(chunk, at) {
                self.deal_run(start..at, &mut f);
                start = at + 1;
            }
        }
        self.deal_run(start..items.end, &mut f);
    }

    fn takes(&self, chunk: &Chunk, index: u32) -> bool {
        let Some(item) = chunk.items.get(index as usize) else { return false };
        let chosen =
            |filter: &Arc<Filter>| chunk.facts(index).is_some_and(|facts| filter.matches_facts(&facts));
        !item.qos.is_persistent() && (self.filters.is_empty() || self.filters.iter().any(chosen))
    }

    /// Roughly the bytes it takes.
    pub(super) const fn weight(&self) -> usize {
        size_of::<Self>() + self.members.len() * size_of::<Member>()
    }

    fn deal_run(&self, items: Range<u32>, f: &mut impl FnMut(&Member, Run)) {
        let count = items.len();
        if count == 0 {
            return;
        }
        let members = self.next(count);
        let each = count.div_ceil(members.len().max(1)) as u32;
        let mut start = items.start;
        for member in members {
            let end = (start + each).min(items.end);
            if start < end {
                f(member, Run { start, end, subs: std::iter::once(member.sub).collect() });
            }
            start = end;
        }
    }

    /// Up to `count` members whose turn it is.
    fn next(&self, count: usize) -> Dealt<'_> {
        let first = self.turn.load(Ordering::Relaxed);
        let mut seen = 0;
        let in_turn = (0..self.members.len()).filter_map(|nth| {
            seen = nth + 1;
            self.members.get((first + nth) % self.members.len())
        });
        let keeps_up = |member: &&Member| member.outbox.bytes() <= OUTBOX_SOFT_BYTES;
        let mut chosen: Dealt<'_> = in_turn.filter(keeps_up).take(count).collect();
        if chosen.is_empty() {
            chosen.extend(self.members.get(first % self.members.len().max(1)));
            seen = 1;
        }
        // Two publishers at once may give one member two turns.
        self.turn.store(first.wrapping_add(seen), Ordering::Relaxed);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wharfmq_base::Millis;

    use super::*;
    use crate::filter::testing::filter;
    use crate::{Address, ConnId, CoreEvent, Gone, HeadTag, Item, Qos, Span};

    fn share(connections: u64) -> Share {
        let member =
            |conn| Member { share: QueueId(7), outbox: Outbox::new(ConnId(conn)), sub: SubTag(conn as u32) };
        let mut shares =
            Share::among((1..=connections).map(|conn| (member(conn), None)).collect()).into_vec();
        assert_eq!(shares.len(), 1);
        shares.remove(0)
    }

    fn chunk(qualities: &[u8]) -> Chunk {
        let item = |&qos: &u8| Item {
            frame: Span::default(),
            head: Span::default(),
            body: Span::default(),
            address: 0,
            patch: 0,
            tag: HeadTag(1),
            qos: Qos::from_u8(qos).unwrap(),
            retain: false,
            priority: 4,
            expires: Millis::NEVER,
        };
        let addresses = [Arc::new(Address::topic("t"))].into_iter().collect();
        let items = qualities.iter().map(item).collect();
        Chunk { raw: Bytes::new(), items, addresses, received: Millis(1), first_id: 1 }
    }

    fn dealt(share: &Share, qualities: &[u8]) -> Vec<(u64, u32, u32)> {
        let mut dealt = Vec::new();
        let chunk = chunk(qualities);
        share.deal(&chunk, 0..qualities.len() as u32, |member, run| {
            dealt.push((member.outbox.conn.0, run.start, run.end));
        });
        dealt
    }

    #[test]
    fn members_take_turns() {
        let share = share(3);
        let who: Vec<_> = (0..6).map(|_| dealt(&share, &[0])[0].0).collect();
        assert_eq!(who, [1, 2, 3, 1, 2, 3]);
        assert_eq!(dealt(&share, &[0, 0]), [(1, 0, 1), (2, 1, 2)]);
        assert_eq!(dealt(&share, &[0; 7]), [(3, 0, 3), (1, 3, 6), (2, 6, 7)]);
    }

    #[test]
    fn what_is_stored_is_not_dealt() {
        let share = share(2);
        assert_eq!(dealt(&share, &[1, 0, 2, 2, 0, 0, 1]), [(1, 1, 2), (2, 4, 5), (1, 5, 6)]);
        assert_eq!(dealt(&share, &[1, 2]), []);
    }

    #[test]
    fn who_does_not_read_is_left_out() {
        let share = share(2);
        let slow = &share.members[0].outbox;
        let filler = OUTBOX_SOFT_BYTES / CoreEvent::Kick(Gone::TakenOver).bytes() + 1;
        slow.push_all((0..filler).map(|_| CoreEvent::Kick(Gone::TakenOver)));
        assert_eq!(dealt(&share, &[0, 0, 0]), [(2, 0, 3)]);
        share.members[1].outbox.push_all((0..filler).map(|_| CoreEvent::Kick(Gone::TakenOver)));
        assert_eq!(dealt(&share, &[0, 0]).len(), 1, "one of them holds the publisher back");
    }

    #[test]
    fn what_a_filter_leaves_out_is_nobodys() {
        let member = share(1).members[0].clone();
        let red = || Some(filter("color = 'red'"));
        let choosy = Share::among(vec![(member.clone(), red())]).into_vec().remove(0);
        assert_eq!(dealt(&choosy, &[0]), [], "the headers say nothing of a color");
        let all = Share::among(vec![(member.clone(), red()), (member, None)]).into_vec().remove(0);
        assert_eq!(dealt(&all, &[0]), [(1, 0, 1)], "once, though it is found twice");
    }

    #[test]
    fn shares_of_different_queues_stand_apart() {
        let member =
            |share, conn| Member { share: QueueId(share), outbox: Outbox::new(ConnId(conn)), sub: SubTag(0) };
        let shares =
            Share::among([member(2, 1), member(1, 1), member(2, 3)].map(|member| (member, None)).into());
        let sizes: Vec<_> = shares.iter().map(|share| share.members.len()).collect();
        assert_eq!(sizes, [1, 2]);
    }
}
