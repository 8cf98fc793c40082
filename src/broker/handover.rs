//! What one flush hands to connections that store nothing.

use std::sync::Arc;

use smallvec::SmallVec;
use wharfmq_core::{Chunk, CoreEvent, Outbox, Run, limits};

use super::Broker;
use super::flush::{Flushed, Slow};
use super::parts::Parts;

/// Connections that are gathered for at a time.
const GATHERED_MAX: usize = 16;

/// Gathers parts of a chunk by connection, so that publications to many destinations lock and wake their one
/// subscriber once, and what follows each other in the chunk is one run of it again.
pub(super) struct HandOver<'a> {
    broker: &'a Broker,
    chunk: &'a Arc<Chunk>,
    gathered: SmallVec<[(Arc<Outbox>, Parts); 1]>,
    /// There is nothing to gather: each connection comes once.
    at_once: bool,
}

impl<'a> HandOver<'a> {
    /// Of a chunk with so many runs.
    pub(super) fn new(broker: &'a Broker, chunk: &'a Arc<Chunk>, runs: usize) -> Self {
        Self { broker, chunk, gathered: SmallVec::new(), at_once: runs < 2 }
    }

    /// Adds what a connection gets; later parts of the chunk come later.
    pub(super) fn add(&mut self, outbox: &Arc<Outbox>, parts: Parts, done: &mut Flushed) {
        if self.at_once {
            return self.broker.hand_over(outbox, self.chunk, parts, done);
        }
        if let Some((_, known)) = self.gathered.iter_mut().find(|(known, _)| Arc::ptr_eq(known, outbox)) {
            parts.into_iter().for_each(|part| join(known, part));
            return;
        }
        if self.gathered.len() >= GATHERED_MAX {
            self.finish(done);
        }
        self.gathered.push((Arc::clone(outbox), parts));
    }

    /// Hands over what is gathered.
    pub(super) fn finish(&mut self, done: &mut Flushed) {
        for (outbox, parts) in self.gathered.drain(..) {
            self.broker.hand_over(&outbox, self.chunk, parts, done);
        }
    }
}

fn join(parts: &mut Parts, part: Run) {
    match parts.last_mut() {
        Some(last) if last.end == part.start && last.subs == part.subs => last.end = part.end,
        _ => parts.push(part),
    }
}

impl Broker {
    pub(super) fn hand_over(
        &self,
        outbox: &Arc<Outbox>,
        chunk: &Arc<Chunk>,
        parts: Parts,
        done: &mut Flushed,
    ) {
        if parts.is_empty() {
            return;
        }
        if outbox.bytes() > limits::OUTBOX_HARD_BYTES {
            let messages = parts.iter().map(|run| (run.end - run.start) as usize).sum();
            outbox.count_dropped(messages);
            self.counters.dropped_slow(messages as u64);
            self.tell_not_handed(outbox, chunk, &parts);
            return;
        }
        let of = parts.first().and_then(|run| Some((run.start, *run.subs.first()?)));
        outbox.push_all(parts.into_iter().map(|run| CoreEvent::Chunk(Arc::clone(chunk), run)));
        if outbox.holds_back() && !done.slow.iter().any(|slow| Arc::ptr_eq(&slow.outbox, outbox)) {
            let topic = of.and_then(|(item, _)| chunk.address_of(item));
            if let (Some((_, sub)), Some(topic)) = (of, topic) {
                done.slow.push(Slow { outbox: Arc::clone(outbox), sub, topic: Arc::clone(topic) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wharfmq_core::SubTag;

    use super::*;

    fn run(start: u32, end: u32, sub: u32) -> Run {
        Run { start, end, subs: std::iter::once(SubTag(sub)).collect() }
    }

    #[test]
    fn what_follows_each_other_is_one() {
        let mut parts = Parts::new();
        for part in [run(0, 2, 1), run(2, 3, 1), run(3, 4, 2), run(5, 6, 2), run(6, 9, 2)] {
            join(&mut parts, part);
        }
        let joined: Vec<_> = parts.iter().map(|run| (run.start, run.end, run.subs[0].0)).collect();
        assert_eq!(joined, [(0, 3, 1), (3, 4, 2), (5, 9, 2)]);
    }
}
