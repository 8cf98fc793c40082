//! Which of a run's publications each of the connections gets that store nothing.

use smallvec::{SmallVec, smallvec};
use wharfmq_core::{Chosen, Chunk, ConnId, DirectTarget, Run, SubTag};

use super::stage::StagedRun;

/// Picks that are gathered before they are handed over.
const PICKS_MAX: usize = 64 * 1024;

/// Parts of a run, ascending. Consecutive publications for the same subscriptions are one part.
pub(super) type Parts = SmallVec<[Run; 1]>;

/// The parts of a run that one connection gets: all of it, unless some of its subscriptions are choosy.
pub(super) fn parts(chunk: &Chunk, run: &StagedRun, target: &DirectTarget, from: ConnId) -> Parts {
    if target.takes_all() {
        let subs = target.subs.iter().map(|sub| sub.sub).collect();
        return smallvec![Run { start: run.start, end: run.end, subs }];
    }
    let mut parts = Parts::new();
    for index in run.start..run.end {
        extend(&mut parts, index, target.taking(from, chunk, index));
    }
    parts
}

/// Calls `f` with what an index finds of a run, each connection's parts ascending.
pub(super) fn each_chosen(
    chunk: &Chunk,
    run: &StagedRun,
    chosen: &Chosen,
    from: ConnId,
    mut f: impl FnMut(&DirectTarget, Parts),
) {
    let mut picks = Vec::new();
    for index in run.start..run.end {
        pick(chunk, index, &run.route.direct, chosen, from, &mut picks);
        if picks.len() >= PICKS_MAX || index + 1 == run.end {
            picks.sort_unstable();
            // One subscription may stand there with several filters.
            picks.dedup();
            for picks in picks.chunk_by(|a, b| a.0 == b.0) {
                let target = picks.first().and_then(|pick| run.route.direct.get(pick.0 as usize));
                if let Some(target) = target {
                    f(target, gathered(picks));
                }
            }
            picks.clear();
        }
    }
}

/// The place of a target, the number of an item, and a subscription that takes it.
type Pick = (u32, u32, SubTag);

/// Adds the subscriptions that take an item.
fn pick(
    chunk: &Chunk,
    index: u32,
    targets: &[DirectTarget],
    chosen: &Chosen,
    from: ConnId,
    picks: &mut Vec<Pick>,
) {
    let Some(item) = chunk.items.get(index as usize) else { return };
    chosen.for_each(chunk, index, |at, nth| {
        let Some(target) = targets.get(at as usize) else { return };
        let Some(sub) = target.subs.get(nth as usize) else { return };
        if sub.takes(target.outbox.conn == from, item.qos) {
            picks.push((at, index, sub.sub));
        }
    });
}

/// The parts that one connection's picks make.
fn gathered(picks: &[Pick]) -> Parts {
    let mut parts = Parts::new();
    for picks in picks.chunk_by(|a, b| a.1 == b.1) {
        if let Some(&(_, index, _)) = picks.first() {
            extend(&mut parts, index, picks.iter().map(|&(_, _, sub)| sub).collect());
        }
    }
    parts
}

fn extend(parts: &mut Parts, index: u32, subs: SmallVec<[SubTag; 2]>) {
    match parts.last_mut() {
        _ if subs.is_empty() => {}
        Some(part) if part.end == index && part.subs == subs => part.end = index + 1,
        _ => parts.push(Run { start: index, end: index + 1, subs }),
    }
}
