//! Wills: messages that clients leave behind for the case that they go without a word.
//!
//! A will is in the log before its client is let in. It goes out when its connection has ended without a goodbye
//! and its client has not come back in time; its publication and its removal are one batch. Each has a number of
//! its own, so that what becomes of one never meets the next of the same client. Whoever takes a will out of the
//! table decides what becomes of it: nobody else finds it there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_base::{Millis, RankedMutex, rank};
use wharfmq_core::record::{BROKER, Class};
use wharfmq_core::{Address, ConnId, Head, Item, Message, Outbox, Qos, QueueId, Span};

use super::flush::Flusher;
use super::open::{bytes_of, time_of};
use super::stage::{Stage, StagedState};
use super::will_record::{self as record, Named};
use super::{Broker, Cause, Now, Port, Refused, is_temporary};

/// Wills that a broker keeps.
const WILLS_MAX: usize = 1 << 20;
/// Bytes of all wills.
const WILLS_BYTES_MAX: u64 = 1 << 30;
/// Wills that are sent before the scheduler turns to something else.
const ROUND: usize = 256;
/// How long a will that was refused waits before it is tried again, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// Marks a frame that no client can be sent as it is.
const NO_PASS: u16 = u16::MAX;

/// A message for the case that its client goes without a word.
#[derive(Clone, Debug)]
pub struct Will {
    /// Where it is published.
    pub address: Address,
    /// How hard it is to lose.
    pub qos: Qos,
    /// Whether it is retained.
    pub retain: bool,
    /// Its headers.
    pub head: Head,
    /// Its body.
    pub body: Bytes,
    /// How long it lives from its publication on; [`Millis::NEVER`] for ever.
    pub life: Millis,
    /// How long it waits for its client to come back (MQTT 5, 3.1.3.2.2).
    pub delay: Millis,
}

/// A will's number. Never used twice at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WillId(pub u64);

/// All wills behind their lock.
#[derive(Debug)]
pub(super) struct Wills {
    table: RankedMutex<Table, { rank::ADDRESS }>,
    /// What wills are published by: no connection, as theirs has ended.
    outbox: Arc<Outbox>,
}

impl Default for Wills {
    fn default() -> Self {
        Self { table: RankedMutex::default(), outbox: Outbox::new(ConnId(0)) }
    }
}

/// A will as it is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) client: ByteString,
    pub(super) message: Arc<Message>,
    pub(super) delay: Millis,
    /// How long it waits for its client: the delay, or the session's life where that is shorter.
    pub(super) wait: Millis,
    pub(super) life: Millis,
    /// When it goes out; `None` while its client is connected.
    pub(super) due: Option<Millis>,
}

impl Kept {
    fn size(&self) -> u64 {
        u64::from(self.message.size()) + self.client.len() as u64
    }
}

#[derive(Debug, Default)]
struct Table {
    wills: HashMap<WillId, Kept, RandomState>,
    /// The will of each client's last connection.
    clients: HashMap<ByteString, WillId, RandomState>,
    due: BTreeSet<(Millis, WillId)>,
    bytes: u64,
}

impl Table {
    fn put(&mut self, id: WillId, kept: Kept) {
        self.bytes += kept.size();
        self.due.extend(kept.due.map(|due| (due, id)));
        self.wills.insert(id, kept);
    }

    fn take(&mut self, id: WillId) -> Option<Kept> {
        let kept = self.wills.remove(&id)?;
        self.bytes -= kept.size();
        if let Some(due) = kept.due {
            self.due.remove(&(due, id));
        }
        if self.clients.get(&kept.client) == Some(&id) {
            self.clients.remove(&kept.client);
        }
        Some(kept)
    }

    /// What becomes of a will whose connection has ended.
    fn let_go(&mut self, id: WillId, expiry: Millis, wall: Millis) -> LetGo {
        let Some(kept) = self.wills.get_mut(&id).filter(|kept| kept.due.is_none()) else {
            return LetGo::Gone;
        };
        kept.wait = kept.delay.min(expiry);
        if kept.wait == Millis(0) {
            return self.take(id).map_or(LetGo::Gone, LetGo::Now);
        }
        let due = wall.plus(kept.wait);
        kept.due = Some(due);
        self.due.insert((due, id));
        LetGo::At(due)
    }

    fn take_due(&mut self, wall: Millis, max: usize) -> Vec<(WillId, Kept)> {
        let due: Vec<WillId> =
            self.due.iter().take_while(|(at, _)| *at <= wall).take(max).map(|&(_, id)| id).collect();
        due.into_iter().filter_map(|id| Some((id, self.take(id)?))).collect()
    }
}

enum LetGo {
    Now(Kept),
    At(Millis),
    /// Somebody else has taken it.
    Gone,
}

impl Port {
    /// Keeps a will, for a connection whose session is to outlive it by `expiry`. [`Port::confirm`] afterwards
    /// tells when it is durable. [`Port::exchange_will`] makes it its client's.
    pub fn leave_will(&mut self, client: &ByteString, will: Will, expiry: Millis) -> Result<WillId, Refused> {
        let broker = &self.broker;
        let id = WillId(broker.ids.draw(1));
        let wait = will.delay.min(expiry);
        let (kept, value) = record::encode(id, client, will, wait, self.now.wall);
        let table = broker.wills.table.lock();
        if table.wills.len() >= WILLS_MAX || table.bytes + kept.size() > WILLS_BYTES_MAX {
            return Err(Refused::TooManyWills);
        }
        drop(table);
        let lsn = broker.write_states(&[(BROKER, record::will_key(id), Some(value))], false)?;
        broker.wills.table.lock().put(id, kept);
        self.has_appended(Some(lsn));
        Ok(id)
    }

    /// A client is there: decides what becomes of the will of its last connection, and makes `new` its will.
    /// `resumes`: it goes on with its session, so that a will that waits for it is forgotten; any other is
    /// published (MQTT 5, 3.1.4 and [MQTT-3.1.3-9]).
    pub fn exchange_will(&mut self, client: &ByteString, resumes: bool, new: Option<WillId>) {
        let mut table = self.broker.wills.table.lock();
        let earlier = table.clients.get(client).copied();
        let earlier = earlier.and_then(|id| Some((id, table.take(id)?)));
        if let Some(new) = new {
            table.clients.insert(client.clone(), new);
        }
        drop(table);
        match earlier {
            Some((id, kept)) if resumes && kept.wait > Millis(0) => {
                let lsn = self.broker.forget_will(id);
                self.has_appended(lsn);
            }
            Some((id, kept)) => self.broker.send_will(id, kept, self.now),
            None => {}
        }
    }

    /// The client has said goodbye: its will is forgotten.
    pub fn drop_will(&mut self, id: WillId) {
        let kept = self.broker.wills.table.lock().take(id);
        if kept.is_some() {
            let lsn = self.broker.forget_will(id);
            self.has_appended(lsn);
        }
    }

    /// The client has gone without a word, and its session outlives the connection by `expiry`: its will goes
    /// out now, or when it has waited for it.
    pub fn let_will_go(&mut self, id: WillId, expiry: Millis) {
        let let_go = self.broker.wills.table.lock().let_go(id, expiry, self.now.wall);
        match let_go {
            LetGo::Now(kept) => self.broker.send_will(id, kept, self.now),
            LetGo::At(due) => {
                self.broker.remember_due(&[(id, due)]);
                self.broker.threads.send_wills(due);
            }
            LetGo::Gone => {}
        }
    }
}

impl Broker {
    /// Wills that are kept, those of connected clients included.
    pub fn wills(&self) -> usize {
        self.wills.table.lock().wills.len()
    }

    /// A session is gone: a will that waits for its client to come back goes out.
    pub(super) fn on_session_end(&self, client: &ByteString) {
        let mut table = self.wills.table.lock();
        let waiting = table.clients.get(client).copied();
        let waiting = waiting.filter(|id| table.wills.get(id).is_some_and(|kept| kept.due.is_some()));
        let taken = waiting.and_then(|id| Some((id, table.take(id)?)));
        drop(table);
        if let Some((id, kept)) = taken {
            self.send_will(id, kept, self.now());
        }
    }

    /// Sends wills whose time has come. Answers when there is more to do: not before what else is due now.
    pub(super) fn send_due_wills(&self) -> Option<Millis> {
        let now = self.now();
        let due = self.wills.table.lock().take_due(now.wall, ROUND);
        for (id, kept) in due {
            self.send_will(id, kept, now);
        }
        self.wills.table.lock().due.first().map(|&(at, _)| at.max(now.wall))
    }

    /// Publishes a will that has been taken out of the table, and forgets it in the same batch. One that is
    /// refused is tried again, as nobody is left who could be told, unless it would be for ever.
    fn send_will(&self, id: WillId, kept: Kept, now: Now) {
        let route = match self.route(&kept.message.address) {
            Ok(route) => route,
            Err(refused) if refused.is_final() => return self.drop_will(id, &kept, &refused),
            Err(refused) => return self.put_off(id, kept, &refused.to_string(), now.wall),
        };
        let (item, raw) = item_of(&kept, now.wall);
        let mut stage = Stage::default();
        stage.push(&route, item);
        let keys = [Some(record::will_key(id)), kept.due.map(|_| record::due_key(id))];
        let forget = |key| StagedState { before: 0, owner: BROKER, key, value: None };
        stage.states.extend(keys.into_iter().flatten().map(forget));
        let own = self.queues.find(Class::Session, &kept.client).map(|cell| cell.id);
        let own: &[QueueId] = own.as_slice();
        let outbox = &self.wills.outbox;
        let by = Flusher { outbox, now, own, refuse_when_full: true, atomic: true };
        match self.flush(stage, raw, &by, &[]).refused.into_iter().next() {
            None => self.counters.wills_sent(1),
            Some((_, why)) => self.put_off(id, kept, &why, now.wall),
        }
    }

    /// No message can ever get to where this will is to go.
    fn drop_will(&self, id: WillId, kept: &Kept, why: &Refused) {
        let (client, to) = (&kept.client, &kept.message.address);
        tracing::debug!(%client, %to, %why, "a will is dropped");
        let cause = if matches!(why, Refused::System) { Cause::OwnTopic } else { Cause::TopicName };
        self.counters.causes.count(cause);
        self.forget_will(id);
    }

    fn put_off(&self, id: WillId, kept: Kept, why: &str, wall: Millis) {
        let (client, to) = (&kept.client, &kept.message.address);
        tracing::debug!(%client, %to, why, "a will is refused; it is tried again every second");
        self.counters.wills_put_off(1);
        let due = wall.plus(Millis(RETRY_MS));
        self.wills.table.lock().put(id, Kept { due: Some(due), ..kept });
        self.threads.send_wills(due);
    }

    fn forget_will(&self, id: WillId) -> Option<wharfmq_base::Lsn> {
        let keys = [record::will_key(id), record::due_key(id)];
        let known = keys.into_iter().filter(|key| self.states.get(BROKER, key).is_some());
        let changes: Vec<_> = known.map(|key| (BROKER, key, None)).collect();
        let written = self.write_states(&changes, true);
        written.inspect_err(|error| tracing::error!(%error, "a will could not be forgotten")).ok()
    }

    fn remember_due(&self, wills: &[(WillId, Millis)]) {
        let due = |&(id, due): &(WillId, Millis)| (BROKER, record::due_key(id), Some(bytes_of(due)));
        let changes: Vec<_> = wills.iter().map(due).collect();
        if let Err(error) = self.write_states(&changes, true) {
            tracing::error!(%error, "the time of a will could not be written");
        }
        let table = self.wills.table.lock();
        let mut gone: Vec<WillId> = wills.iter().map(|&(id, _)| id).collect();
        gone.retain(|id| !table.wills.contains_key(id));
        drop(table);
        for id in gone {
            // It was taken while its time was being written.
            self.forget_will(id);
        }
    }

    /// Takes up the wills of an earlier run. The connections of clients that it ended with are lost now.
    pub(super) fn recover_wills(&self, states: BTreeMap<Bytes, Bytes>, wall: Millis) {
        let mut table = self.wills.table.lock();
        let (mut due, mut lost) = (HashMap::<WillId, Millis, RandomState>::default(), Vec::new());
        let mut highest = 0;
        for (key, value) in &states {
            match record::named(key) {
                Some(Named::Due(id)) => due.extend(time_of(value).map(|at| (id, at))),
                Some(Named::Will(id)) => {
                    highest = highest.max(id.0);
                    match record::decode(value) {
                        Some(kept) => table.put(id, kept),
                        None => lost.push(key.clone()),
                    }
                }
                None => {}
            }
        }
        let mut begun = Vec::new();
        let mut ids: Vec<WillId> = table.wills.keys().copied().collect();
        // The last one of each client is the one that it may take back.
        ids.sort_unstable();
        for id in ids {
            let Some(mut kept) = table.take(id) else { continue };
            let at = due.remove(&id);
            if at.is_none() && kept.wait > Millis(0) {
                begun.push((id, wall.plus(kept.wait)));
            }
            kept.due = Some(at.unwrap_or_else(|| wall.plus(kept.wait)));
            table.clients.insert(kept.client.clone(), id);
            table.put(id, kept);
        }
        let first = table.due.first().map(|&(at, _)| at);
        drop(table);
        self.ids.skip_to(highest + 1);
        for (key, value) in states {
            self.states.set(BROKER, key, Some(value));
        }
        self.clear_away(lost, due.into_keys());
        self.remember_due(&begun);
        first.into_iter().for_each(|at| self.threads.send_wills(at));
    }

    /// Removes what recovery found of wills that are none: keys of what cannot be read, and times of wills
    /// that are gone.
    fn clear_away(&self, lost: Vec<Bytes>, times: impl Iterator<Item = WillId>) {
        if !lost.is_empty() {
            tracing::error!(wills = lost.len(), "stored wills cannot be read");
            self.counters.wills_lost(lost.len() as u64);
        }
        let keys = lost.into_iter().chain(times.map(record::due_key));
        let changes: Vec<_> = keys.map(|key| (BROKER, key, None)).collect();
        if let Err(error) = self.write_states(&changes, true) {
            tracing::error!(%error, "what is left of wills could not be removed");
        }
    }
}

/// A will as something to be published at `wall`: its life begins then.
fn item_of(kept: &Kept, wall: Millis) -> (Item, Bytes) {
    let message = &kept.message;
    let mut raw = BytesMut::with_capacity(message.head.bytes.len() + message.body.len());
    raw.extend_from_slice(&message.head.bytes);
    raw.extend_from_slice(&message.body);
    let (head, all) = (message.head.bytes.len() as u32, raw.len() as u32);
    let item = Item {
        frame: Span { start: 0, len: all },
        head: Span { start: 0, len: head },
        body: Span { start: head, len: all - head },
        address: 0,
        patch: NO_PASS,
        tag: message.head.tag,
        qos: message.qos,
        retain: message.retain && !is_temporary(&message.address.name),
        priority: message.priority,
        expires: if kept.life == Millis::NEVER { Millis::NEVER } else { wall.plus(kept.life) },
    };
    (item, raw.freeze())
}
