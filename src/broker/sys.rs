//! The topics below `$SYS`: what the broker says of itself, by the names that Mosquitto gave them.
//!
//! The values are no messages of the log: they live in a store of their own, which is made anew at each
//! interval while somebody subscribes, and once for whoever comes first. Otherwise only the averages are
//! kept up.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use bytestring::ByteString;
use parking_lot::Mutex;
use wharfmq_base::{Location, Millis, RankedMutex, rank};
use wharfmq_core::record::Class;
use wharfmq_core::{
    Address, ConnId, Head, HeadTag, Item, Kept, Message, MessageId, Notes, Order, Outbox, Pattern, Qos,
    Retained, Span,
};

use super::flush::{Flushed, Flusher};
use super::load::Averages;
use super::stage::Stage;
use super::{Broker, Cause, Now, Port};

/// The first level of the names.
const LEVEL: &str = "$SYS";
/// What all names begin with.
const PREFIX: &str = "$SYS.broker.";
/// Queues up to which they are counted for whoever subscribes first, on that client's time.
const QUICK_QUEUES: usize = 1_000;
/// Headers of no layout: there are none.
const NO_HEAD: HeadTag = HeadTag(0);
/// Tells that nobody can use a frame as it is.
const NO_PATCH: u16 = u16::MAX;

/// What the broker says of itself, and how often.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// How often the values are made anew.
    pub interval: Millis,
    /// The program and its version.
    pub version: &'static str,
    /// Bytes that the process has in memory, and the most it ever had.
    pub memory: fn() -> (u64, u64),
}

/// Whether a canonical name lies below `$SYS`, where only the broker publishes.
pub fn is_system(name: &str) -> bool {
    name.strip_prefix(LEVEL).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The values, and what they are made of.
#[derive(Debug)]
pub(super) struct Statistics {
    system: OnceLock<System>,
    began: OnceLock<Millis>,
    pub(super) values: RankedMutex<Retained, { rank::ADDRESS }>,
    state: Mutex<State>,
    clients: Clients,
    /// Whom the values come from.
    outbox: Arc<Outbox>,
}

/// Clients that have a client id.
#[derive(Debug, Default)]
struct Clients {
    here: AtomicUsize,
    came: AtomicU64,
    expired: AtomicU64,
    /// Connections of any kind that have ended.
    ended: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    due: Millis,
    sampled: Millis,
    averages: Averages,
    census: Option<Census>,
    most_clients: usize,
    /// The values are not those of the last interval.
    stale: bool,
    addresses: Vec<Arc<Address>>,
}

/// What only a walk over all queues tells.
#[derive(Clone, Copy, Debug, Default)]
struct Census {
    sessions: usize,
    messages: u64,
    bytes: u64,
    shared: usize,
    shared_queues: usize,
    queues: usize,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            system: OnceLock::new(),
            began: OnceLock::new(),
            values: RankedMutex::new(Retained::new(usize::MAX, u64::MAX)),
            state: Mutex::new(State { stale: true, ..State::default() }),
            clients: Clients::default(),
            outbox: Outbox::new(ConnId(0)),
        }
    }
}

impl Statistics {
    /// A client's session has expired.
    pub(super) fn expired(&self) {
        self.clients.expired.fetch_add(1, Ordering::Relaxed);
    }
}

impl Port {
    /// A client is here, by its client id.
    pub fn client_came(&self) {
        let clients = &self.broker.statistics.clients;
        clients.here.fetch_add(1, Ordering::Relaxed);
        clients.came.fetch_add(1, Ordering::Relaxed);
    }

    /// A client that [`Port::client_came`] told of is gone.
    pub fn client_went(&self) {
        self.broker.statistics.clients.here.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn connection_ended(&self) {
        self.broker.statistics.clients.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Broker {
    /// Has the broker publish what it says of itself from now on. Only the first call counts.
    pub fn publish_statistics(&self, system: System) {
        let now = self.now();
        let mut state = self.statistics.state.lock();
        if system.interval == Millis(0) || self.statistics.system.set(system).is_err() {
            return;
        }
        let _ = self.statistics.began.set(now.mono);
        (state.sampled, state.due) = (now.mono, now.mono.plus(system.interval));
        // So that the names are known; what they say is made anew for the first who asks.
        let _ = self.renew(&system, &mut state, now);
        state.stale = true;
        drop(state);
        self.clock_moved();
    }

    /// Takes a sample if it is time, and publishes what has changed where somebody listens. Answers how
    /// long it is until the next time.
    pub(super) fn on_statistics(&self, now: Now) -> Option<Millis> {
        let system = self.statistics.system.get()?;
        let mut state = self.statistics.state.lock();
        if state.due <= now.mono {
            let totals = self.sample();
            let took = now.mono.since(state.sampled);
            state.averages.add(&totals, took.0);
            (state.sampled, state.due) = (now.mono, now.mono.plus(system.interval));
            state.stale = true;
            if self.somebody_listens(&state) {
                state.census = Some(self.census());
                let changed = self.renew(system, &mut state, now);
                self.publish_changed(&changed, now);
            }
        }
        Some(state.due.since(now.mono))
    }

    /// Makes the values anew for a subscription to `pattern`, if it is the first in an interval to ask.
    pub(super) fn refresh_statistics(&self, now: Now) {
        let Some(system) = self.statistics.system.get() else { return };
        let mut state = self.statistics.state.lock();
        if !state.stale {
            return;
        }
        if self.queues.len() <= QUICK_QUEUES {
            state.census = Some(self.census());
        }
        let _ = self.renew(system, &mut state, now);
    }

    /// One look at the routes of the values: all are known once they have been made.
    fn somebody_listens(&self, state: &State) -> bool {
        state.addresses.iter().any(|address| !self.router.route(address).direct.is_empty())
    }

    fn sample(&self) -> super::load::Sample {
        let moved = self.traffic.moved();
        [
            moved.packets_in,
            moved.packets_out,
            self.dropped(),
            moved.messages_in,
            moved.messages_out,
            moved.bytes_in,
            moved.bytes_out,
            self.conns.load(Ordering::Relaxed),
            self.statistics.clients.came.load(Ordering::Relaxed),
        ]
    }

    /// Messages that did not reach whom they were for.
    fn dropped(&self) -> u64 {
        let totals = self.counters.totals();
        let causes = [Cause::TooLargeForClient, Cause::CannotBeSaid, Cause::SubscriptionFull];
        let causes: u64 = causes.iter().map(|&cause| self.counters.causes.of(cause)).sum();
        causes
            + totals.dropped_slow
            + totals.dropped_temporary
            + totals.dropped_ended
            + totals.rejected
            + totals.lost_on_read
    }

    fn census(&self) -> Census {
        let mut census = Census::default();
        for cell in self.queues.all() {
            let mut locked = cell.lock();
            let stats = locked.queue().stats();
            census.queues += 1;
            census.messages += stats.stored();
            census.bytes += stats.bytes;
            match cell.class {
                Class::Session => census.sessions += usize::from(stats.consumers == 0),
                Class::Shared => {
                    census.shared_queues += 1;
                    census.shared += stats.consumers as usize;
                }
                _ => {}
            }
        }
        census
    }

    /// Makes all values; answers those that have changed.
    fn renew(&self, system: &System, state: &mut State, now: Now) -> Vec<Arc<Message>> {
        state.stale = false;
        let values = self.statistics_now(system, state, now);
        let mut store = self.statistics.values.lock();
        let mut changed = Vec::new();
        for (name, value) in values {
            let known = store.get(&name).and_then(|kept| kept.message.as_ref());
            if known.is_some_and(|known| known.body == value) {
                continue;
            }
            let address = known.map(|known| Arc::clone(&known.address));
            let address = address.unwrap_or_else(|| {
                let address = Arc::new(Address::topic(name.clone()));
                state.addresses.push(Arc::clone(&address));
                address
            });
            let message = Arc::new(message(address, value, self.ids.draw(1), now.wall));
            let kept = Kept {
                order: Order(message.id.0),
                size: message.size(),
                expires: Millis::NEVER,
                at: Location::NOWHERE,
                message: Some(Arc::clone(&message)),
            };
            store.set(name, kept);
            changed.push(message);
        }
        changed
    }

    /// Hands values to those who are connected: nothing of them is ever stored.
    fn publish_changed(&self, changed: &[Arc<Message>], now: Now) {
        let (mut stage, mut raw) = (Stage::default(), Vec::new());
        for message in changed {
            let route = self.router.route(&message.address);
            if route.direct.is_empty() {
                continue;
            }
            let body = Span { start: raw.len() as u32, len: message.body.len() as u32 };
            raw.extend_from_slice(&message.body);
            stage.push(&route, item(body));
        }
        let by = Flusher {
            outbox: &self.statistics.outbox,
            now,
            own: &[],
            refuse_when_full: false,
            atomic: false,
        };
        let first_id = self.ids.draw(stage.items.len() as u64);
        // Who is too slow for them is not waited for.
        self.fan_out(stage, raw.into(), first_id, &by, &mut Flushed::default());
    }

    fn statistics_now(&self, system: &System, state: &mut State, now: Now) -> Vec<(ByteString, Bytes)> {
        let mut values = Values::default();
        let began = self.statistics.began.get().copied().unwrap_or_default();
        values.put("version", system.version);
        values.put("uptime", format_args!("{} seconds", now.mono.since(began).0 / 1_000));
        self.say_clients(state, &mut values);
        self.say_messages(&state.census.unwrap_or_default(), &mut values);
        let (current, maximum) = (system.memory)();
        values.put("heap.current", current);
        values.put("heap.maximum", maximum.max(current));
        state.averages.each(|what, span, mean| {
            values.put(&format!("load.{}.{span}", what.replace('/', ".")), format_args!("{mean:.2}"));
        });
        values.0
    }

    fn say_clients(&self, state: &mut State, values: &mut Values) {
        let clients = &self.statistics.clients;
        let here = clients.here.load(Ordering::Relaxed);
        let away = state.census.unwrap_or_default().sessions;
        state.most_clients = state.most_clients.max(here + away);
        values.put("clients.total", here + away);
        values.put("clients.maximum", state.most_clients);
        for name in ["clients.connected", "clients.active"] {
            values.put(name, here);
        }
        for name in ["clients.disconnected", "clients.inactive"] {
            values.put(name, away);
        }
        values.put("clients.expired", clients.expired.load(Ordering::Relaxed));
        let ended = clients.ended.load(Ordering::Relaxed);
        values.put("wharfmq.connections", self.conns.load(Ordering::Relaxed).saturating_sub(ended));
    }

    fn say_messages(&self, census: &Census, values: &mut Values) {
        let moved = self.traffic.moved();
        for name in ["messages.stored", "store.messages.count"] {
            values.put(name, census.messages);
        }
        values.put("store.messages.bytes", census.bytes);
        values.put("messages.received", moved.packets_in);
        values.put("messages.sent", moved.packets_out);
        values.put("publish.messages.received", moved.messages_in);
        values.put("publish.messages.sent", moved.messages_out);
        values.put("publish.messages.dropped", self.dropped());
        values.put("publish.bytes.received", moved.bodies_in);
        values.put("publish.bytes.sent", moved.bodies_out);
        values.put("bytes.received", moved.bytes_in);
        values.put("bytes.sent", moved.bytes_out);
        values.put("retained messages.count", self.retained.store.lock().len());
        let subscriptions = self.router.subscription_count().saturating_sub(census.shared_queues);
        values.put("subscriptions.count", subscriptions);
        values.put("shared_subscriptions.count", census.shared);
        let totals = self.counters.totals();
        values.put("wharfmq.queues", census.queues);
        values.put("wharfmq.dead_lettered", totals.dead_lettered);
        values.put("wharfmq.scheduled_sent", totals.scheduled_sent);
        values.put("wharfmq.retained_expired", totals.retained_expired);
        values.put("wharfmq.wills_sent", totals.wills_sent);
        for &cause in Cause::ALL {
            values.put(&format!("wharfmq.refused.{}", cause.name()), self.counters.causes.of(cause));
        }
    }
}

/// Names and values as they are gathered.
#[derive(Default)]
struct Values(Vec<(ByteString, Bytes)>);

impl Values {
    fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{value}");
        self.0.push((format!("{PREFIX}{name}").into(), text.into()));
    }
}

fn message(address: Arc<Address>, body: Bytes, id: u64, wall: Millis) -> Message {
    Message {
        id: MessageId(id),
        address,
        qos: Qos::ExactlyOnce,
        priority: 4,
        retain: true,
        received: wall,
        expires: Millis::NEVER,
        head: Head { tag: NO_HEAD, bytes: Bytes::new() },
        notes: Notes::default(),
        terms: None,
        body,
    }
}

fn item(body: Span) -> Item {
    Item {
        frame: body,
        head: Span::default(),
        body,
        address: 0,
        patch: NO_PATCH,
        tag: NO_HEAD,
        qos: Qos::ExactlyOnce,
        retain: true,
        priority: 4,
        expires: Millis::NEVER,
    }
}

/// Whether a pattern is one of what the broker says of itself.
pub(super) fn asks_for_system(pattern: &Pattern) -> bool {
    is_system(pattern.text())
}
