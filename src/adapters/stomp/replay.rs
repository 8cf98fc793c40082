//! Retroactive subscriptions: what is known of a topic's past, and then what comes.

use std::sync::Arc;
use std::vec::IntoIter;

use wharfmq_base::Millis;
use wharfmq_core::Filter;

use super::message::{Outgoing, Writer};
use super::subs::{Source, Sub, Subs};
use super::{OUT_HIGH, Open};
use crate::broker::{Past, Port};

/// What came longer ago than this, in milliseconds, before the past was read does not come again: nobody
/// takes so long to hand a message on.
const UNDER_WAY_MS: u64 = 10_000;

/// A subscription's view of the past.
pub(super) struct Replay {
    filter: Option<Arc<Filter>>,
    state: State,
    /// Numbers of messages of the past that may come once more, ascending.
    seen: Box<[u64]>,
    read_at: Millis,
}

enum State {
    Waiting,
    Sending(IntoIter<Past>),
    Over,
}

/// What is to be done with a message that has just been published.
pub(super) enum Live {
    /// The past is not over yet.
    Later,
    /// It was sent as part of the past.
    Known,
    New,
    /// It is new, and from here on nothing of the past can come again.
    NewForEver,
}

impl Replay {
    pub(super) fn new(filter: Option<Arc<Filter>>) -> Self {
        Self { filter, state: State::Waiting, seen: Box::default(), read_at: Millis(0) }
    }

    pub(super) fn on_live(&self, id: u64, received: Millis) -> Live {
        match self.state {
            State::Waiting | State::Sending(_) => Live::Later,
            State::Over if self.seen.binary_search(&id).is_ok() => Live::Known,
            State::Over if received.since(self.read_at).0 > UNDER_WAY_MS => Live::NewForEver,
            State::Over => Live::New,
        }
    }

    /// Takes over what was found.
    fn begin(&mut self, mut past: Vec<Past>, now: Millis) {
        if let Some(filter) = &self.filter {
            past.retain(|past| filter.matches(&past.message, 0));
        }
        let under_way = |past: &&Past| now.since(past.message.received).0 <= UNDER_WAY_MS;
        let mut seen: Vec<u64> = past.iter().filter(under_way).map(|past| past.message.id.0).collect();
        seen.sort_unstable();
        self.seen = seen.into();
        self.read_at = now;
        self.state = State::Sending(past.into_iter());
    }
}

impl Open {
    /// Sends what retroactive subscriptions have not been sent yet of the past, one subscription after
    /// the other. What does not fit follows once there is room for it.
    pub(super) fn replay_on(&mut self, port: &mut Port) {
        let Self { version, spelling, scratch, subs, replaying, limits, .. } = self;
        let own = port.temporary_prefix().cloned();
        let mut writer = Writer { version: *version, spelling, scratch, own, most: limits.frame };
        while let Some(tag) = replaying.front() {
            if !go_on(*tag, subs, &mut writer, port) {
                return;
            }
            replaying.pop_front();
        }
    }
}

/// Sends as much of one subscription's past as it takes; whether that was all.
fn go_on(tag: u32, subs: &mut Subs, writer: &mut Writer<'_>, port: &mut Port) -> bool {
    while let Some(sub) = subs.get_mut(tag) {
        if port.out.len() >= OUT_HIGH || (sub.acknowledges() && sub.flights.len() >= sub.prefetch) {
            return false;
        }
        let Some(Past { message, retained }) = next(sub, port) else { return true };
        if message.expires <= port.now.wall {
            continue;
        }
        sub.last += 1;
        let (last, group) = (sub.last, sub.group);
        let ack = sub.acknowledges().then_some(last);
        if ack.is_some() {
            sub.flights.push(last, message.id.0);
        }
        writer.write(sub, ack, &Outgoing { retained, ..Outgoing::of(&message, 0) }, port);
        if let Some(group) = group {
            subs.note_sent(group, tag, last);
        }
    }
    true
}

/// The next message of a subscription's past, which is read with the first.
fn next(sub: &mut Sub, port: &Port) -> Option<Past> {
    let (Some(replay), Source::Topics(patterns)) = (&mut sub.replay, &sub.source) else { return None };
    if matches!(replay.state, State::Waiting) {
        replay.begin(port.recent(patterns), port.now.wall);
    }
    let State::Sending(rest) = &mut replay.state else { return None };
    let past = rest.next();
    if past.is_none() {
        replay.state = State::Over;
    }
    past
}
