//! A broker on any log, and clients without sessions.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{
    Address, ConsumeSpec, CoreEvent, Credit, Delivery, HeadTag, Item, Order, Outcome, PartialPolicy, Pattern,
    Qos, QueueCell, QueueStats, Settings, Span, SubTag, Tags, Terms, Token, Value,
};
use wharfmq_store::sim::SimDisk;
use wharfmq_store::{Journal, JournalOptions, Log, MemoryLog, RecoverError};

use crate::broker::{Broker, Consumer, Now, Options, Peer, Port, Route, Topology, TxLimits, XaError, Xid};

/// How long a test waits for what another thread of the broker does.
const PATIENCE: Duration = Duration::from_secs(20);
/// The smallest segments there are, so that a test makes many.
pub(super) const SEGMENT: u64 = 16 << 10;
pub(super) const PLENTY: Credit = Credit { messages: 1 << 20, bytes: u32::MAX };

/// A broker whose clock stands still unless the test turns it.
pub(super) struct Rig {
    pub(super) broker: Arc<Broker>,
    wall: Arc<AtomicU64>,
}

/// Whatever a test did, every message that came in is accounted for.
impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}

impl Rig {
    pub(super) fn on(log: Arc<dyn Log>, settings: Settings, memory: u64) -> Self {
        Self::on_at(log, settings, memory, 1_000_000)
    }

    fn on_at(log: Arc<dyn Log>, settings: Settings, memory: u64, wall: u64) -> Self {
        let topology = Topology { virtual_topics: true, ..Topology::default() };
        Self::tied(log, settings, topology, memory, wall)
    }

    pub(super) fn tied(
        log: Arc<dyn Log>,
        settings: Settings,
        topology: Topology,
        memory: u64,
        wall: u64,
    ) -> Self {
        let wall = Arc::new(AtomicU64::new(wall));
        let read = Arc::clone(&wall);
        let clock = Arc::new(move || at(read.load(Ordering::Relaxed)));
        let transactions = TxLimits::default();
        let (broker, _, _) =
            Broker::open(Options { log, settings, topology, memory, transactions, view, clock }).unwrap();
        Self { broker, wall }
    }

    pub(super) fn memory(settings: Settings) -> Self {
        Self::on(Arc::new(MemoryLog::new()), settings, 1 << 30)
    }

    pub(super) fn journal(dir: &Path, settings: Settings) -> Self {
        Self::journal_at(dir, settings, 1_000_000)
    }

    pub(super) fn journal_at(dir: &Path, settings: Settings, wall: u64) -> Self {
        let start = Instant::now();
        let journal = loop {
            match Journal::open(small(dir)) {
                // Whoever was the last to let go of the broker before is closing its files.
                Err(RecoverError::Locked(_)) if start.elapsed() < PATIENCE => std::thread::yield_now(),
                journal => break journal.unwrap(),
            }
        };
        Self::on_at(Arc::new(journal), settings, 1 << 30, wall)
    }

    pub(super) fn sim(disk: &SimDisk, settings: Settings) -> Self {
        let journal = Journal::open_on(Arc::new(disk.clone()), small(Path::new("/simulated"))).unwrap();
        Self::on(Arc::new(journal), settings, 1 << 30)
    }

    /// `None` where the disk fails while the broker starts.
    pub(super) fn try_sim(disk: &SimDisk) -> Option<Self> {
        let journal = Journal::open_on(Arc::new(disk.clone()), small(Path::new("/simulated"))).ok()?;
        let wall = Arc::new(AtomicU64::new(1_000_000));
        let read = Arc::clone(&wall);
        let clock = Arc::new(move || at(read.load(Ordering::Relaxed)));
        let options = Options {
            log: Arc::new(journal),
            settings: Settings::default(),
            topology: Topology::default(),
            memory: 1 << 30,
            transactions: TxLimits::default(),
            view,
            clock,
        };
        let (broker, _, _) = Broker::open(options).ok()?;
        Some(Self { broker, wall })
    }

    pub(super) fn now(&self) -> Now {
        at(self.wall.load(Ordering::Relaxed))
    }

    pub(super) fn advance(&self, by: u64) {
        self.wall.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn client(&self) -> Client {
        let peer =
            Peer { addr: ([127, 0, 0, 1], 1).into(), listener: "test", certificate: None, anonymous: true };
        let port = Port::new(Arc::clone(&self.broker), self.broker.next_conn(), Arc::new(peer), self.now());
        Client {
            port,
            raw: BytesMut::new(),
            deliveries: VecDeque::new(),
            chunked: Vec::new(),
            confirms: Vec::new(),
            wakes: Arc::default(),
        }
    }

    pub(super) fn queue(&self, name: &str) -> Arc<QueueCell> {
        self.broker.queue(Class::Queue, &name.into(), true).unwrap().0
    }

    /// The bodies of everything in a queue, in its order; what is dying is not shown.
    pub(super) fn bodies(&self, cell: &Arc<QueueCell>) -> Vec<String> {
        self.entries(cell).into_iter().map(|(body, _, _)| body).collect()
    }

    /// Body, whether it is stored, and delivery count of everything in a queue.
    pub(super) fn entries(&self, cell: &Arc<QueueCell>) -> Vec<(String, bool, u8)> {
        let (mut all, mut from) = (Vec::new(), Order(0));
        loop {
            let some = self.broker.browse(cell, from, 1_000);
            let Some((last, _)) = some.last() else { return all };
            from = Order(last.order.0 + 1);
            all.extend(some.into_iter().map(|(entry, message)| {
                let body = String::from_utf8(message.body.to_vec()).unwrap();
                (body, entry.at.is_stored(), entry.deliveries)
            }));
        }
    }

    pub(super) fn stats(&self, cell: &QueueCell) -> QueueStats {
        cell.lock().queue().stats()
    }

    /// What a new consumer of a queue is given, before it goes away again.
    pub(super) fn given(&self, name: &str) -> Vec<String> {
        let (mut client, cell) = (self.client(), self.queue(name));
        let _held = client.consume(&cell, 9, PLENTY);
        // What is paged out has to be read first.
        self.wait("deliveries", || self.stats(&cell).ready == 0);
        client.turn(self);
        let bodies = client.take_bodies();
        client.port.close();
        bodies
    }

    /// Waits until nothing is on its way to the dead letters.
    pub(super) fn wait_for_burials(&self) {
        self.wait("the dead letters", || {
            self.broker.queues().all().iter().all(|cell| self.stats(cell).dying == 0)
        });
    }

    pub(super) fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
            std::thread::yield_now();
        }
    }

    /// Every queue's invariants, and that nothing has vanished without being counted.
    pub(super) fn check(&self) {
        for cell in self.broker.queues().all() {
            let mut locked = cell.lock();
            locked.queue().check();
            let stats = locked.queue().stats();
            assert_eq!(stats.imbalance(), 0, "{}: {stats:?}", cell.name);
        }
    }

    /// Ends the broker without a checkpoint; what was appended is written. Waits until the log is free.
    pub(super) fn abandon(self) {
        self.broker.threads.stop();
        let weak = Arc::downgrade(&self.broker);
        drop(self);
        let start = Instant::now();
        while weak.strong_count() > 0 {
            assert!(start.elapsed() < PATIENCE, "somebody keeps the broker");
            std::thread::yield_now();
        }
    }
}

/// Heads of tests are `name=value`, several divided by `;`.
pub(super) fn view<'a>(_: HeadTag, head: &'a [u8], name: &str) -> Value<'a> {
    let text = std::str::from_utf8(head).unwrap();
    let found = text.split(';').find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.map_or(Value::Null, |value| Value::Text(value.into()))
}

fn small(dir: &Path) -> JournalOptions {
    JournalOptions { segment_bytes: SEGMENT, disk_free_min: 0, ..JournalOptions::new(dir) }
}

fn at(wall: u64) -> Now {
    Now { wall: Millis(wall), mono: Millis(wall - 1_000_000) }
}

/// How a message is sent.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) priority: u8,
    pub(super) expires: Millis,
}

pub(super) const SAFE: How =
    How { qos: Qos::ExactlyOnce, retain: false, priority: 4, expires: Millis::NEVER };
pub(super) const FAST: How = How { qos: Qos::AtMostOnce, ..SAFE };
pub(super) const RETAIN: How = How { retain: true, ..SAFE };

/// A connection that the test drives by hand.
pub(super) struct Client {
    pub(super) port: Port,
    raw: BytesMut,
    pub(super) deliveries: VecDeque<Delivery>,
    /// Bodies of what came without being stored.
    pub(super) chunked: Vec<String>,
    pub(super) confirms: Vec<(u64, Result<(), String>)>,
    pub(super) wakes: Arc<Wakes>,
}

/// Counts how often a task was woken.
#[derive(Default)]
pub(super) struct Wakes(pub(super) AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Client {
    /// Stages a message among bytes that belong to no message, as a read of a socket has them.
    pub(super) fn stage(&mut self, to: &Address, body: &str, how: How, token: Option<u64>) {
        let route = self.port.route(&Arc::new(to.clone())).unwrap();
        let item = self.item(body, how);
        self.port.publish(&route, item, token.map(Token));
    }

    /// Stages a message with a head of its own that asks for something.
    pub(super) fn stage_with(
        &mut self,
        to: &Address,
        (head, body): (&str, &str),
        how: How,
        terms: Terms,
        token: Option<u64>,
    ) {
        let route = self.port.route(&Arc::new(to.clone())).unwrap();
        let item = self.item_of(head, body, how);
        self.port.publish_with(&route, item, terms, token.map(Token));
    }

    pub(super) fn item(&mut self, body: &str, how: How) -> Item {
        self.item_of("head", body, how)
    }

    pub(super) fn item_of(&mut self, head: &str, body: &str, how: How) -> Item {
        self.raw.extend_from_slice(b"<other frames>");
        let start = self.raw.len() as u32;
        self.raw.extend_from_slice(head.as_bytes());
        self.raw.extend_from_slice(body.as_bytes());
        let (head, len) = (head.len() as u32, body.len() as u32);
        Item {
            frame: Span { start, len: head + len },
            head: Span { start, len: head },
            body: Span { start: start + head, len },
            address: 0,
            patch: 0,
            tag: HeadTag(1),
            qos: how.qos,
            retain: how.retain,
            priority: how.priority,
            expires: how.expires,
        }
    }

    pub(super) fn flush(&mut self) {
        let raw = self.take_raw();
        self.port.flush(raw);
    }

    /// The bytes of what was made since the last time.
    pub(super) fn take_raw(&mut self) -> Bytes {
        self.raw.split().freeze()
    }

    pub(super) fn send(&mut self, to: &Address, body: &str, how: How, token: Option<u64>) {
        self.stage(to, body, how, token);
        self.flush();
    }

    /// Sends within a transaction.
    pub(super) fn send_in(&mut self, tx: &str, to: &Address, body: &str) {
        self.send_in_with(tx, to, body, SAFE, None);
    }

    pub(super) fn send_in_as(&mut self, tx: &str, to: &Address, body: &str, how: How) {
        self.send_in_with(tx, to, body, how, None);
    }

    pub(super) fn send_in_with(
        &mut self,
        tx: &str,
        to: &Address,
        body: &str,
        how: How,
        terms: Option<Terms>,
    ) {
        let route = self.port.route(&Arc::new(to.clone())).unwrap();
        self.send_in_by(tx, &route, body, how, terms);
    }

    pub(super) fn send_in_by(
        &mut self,
        tx: &str,
        route: &Arc<Route>,
        body: &str,
        how: How,
        terms: Option<Terms>,
    ) {
        let item = self.item(body, how);
        let raw = self.raw.split().freeze();
        self.port.publish_in(tx, route, item, terms, &raw).unwrap();
    }

    /// Commits a prepared transaction, also where it has to be read first.
    pub(super) fn commit_prepared(
        &mut self,
        rig: &Rig,
        xid: &Xid,
        confirm: Option<Token>,
    ) -> Result<(), XaError> {
        let start = Instant::now();
        loop {
            match self.port.commit_prepared(xid, confirm) {
                Err(XaError::Loading) => assert!(start.elapsed() < PATIENCE, "waited in vain for the disk"),
                done => return done,
            }
            let before = self.wakes.0.load(Ordering::Relaxed);
            rig.wait("the pager", || {
                let woken = self.wakes.0.load(Ordering::Relaxed) > before;
                let waker = Waker::from(Arc::clone(&self.wakes));
                woken || self.port.outbox.poll_ready(&Context::from_waker(&waker)).is_ready()
            });
            self.port.refresh(true);
        }
    }

    pub(super) fn consume(&mut self, queue: &Arc<QueueCell>, sub: u32, credit: Credit) -> Consumer {
        let sub = SubTag(sub);
        let want = ConsumeSpec::plain(sub, credit);
        self.port.consume(queue, want).unwrap()
    }

    /// Does what a driver does until there is nothing left to do; true where there was something.
    pub(super) fn turn(&mut self, rig: &Rig) -> bool {
        let mut turned = false;
        while self.turn_once(rig) {
            turned = true;
        }
        turned
    }

    fn turn_once(&mut self, rig: &Rig) -> bool {
        self.port.now = rig.now();
        let waker = Waker::from(Arc::clone(&self.wakes));
        let due = self.port.deadline().is_some_and(|at| at <= self.port.now.mono);
        let woken = self.port.poll_wake(&Context::from_waker(&waker)).is_ready();
        if woken || due {
            self.port.refresh(true);
        }
        while let Some(event) = self.port.events.pop_front() {
            self.port.taken(event.bytes());
            match event {
                CoreEvent::Deliver(delivery) => self.deliveries.push_back(delivery),
                CoreEvent::Chunk(chunk, run) => {
                    for item in &chunk.items[run.start as usize..run.end as usize] {
                        self.chunked.push(String::from_utf8(item.body.of(&chunk.raw).to_vec()).unwrap());
                    }
                }
                _ => {}
            }
        }
        while let Some(confirm) = self.port.next_confirm() {
            self.confirms.push((confirm.token.0, confirm.result));
        }
        woken || due
    }

    pub(super) fn turn_until(&mut self, rig: &Rig, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        self.turn(rig);
        while !done(self) {
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what} {:?}", self.port.failure());
            std::thread::yield_now();
            self.turn(rig);
        }
    }

    /// Turns until everything asked for is confirmed or refused.
    pub(super) fn settle_down(&mut self, rig: &Rig) {
        self.turn_until(rig, "confirmations", |client| client.port.is_settled());
    }

    pub(super) fn accept(&mut self, consumer: &Consumer, tag: u64) -> usize {
        self.port.settle(consumer, Tags::One(tag), Outcome::Accept, Credit { messages: 1, bytes: 0 })
    }

    /// The bodies of what has been delivered, oldest first; forgets them.
    pub(super) fn take_bodies(&mut self) -> Vec<String> {
        self.deliveries.drain(..).map(|delivery| body_of(&delivery)).collect()
    }

    pub(super) fn confirmed(&self) -> Vec<u64> {
        self.confirms.iter().filter(|(_, result)| result.is_ok()).map(|(token, _)| *token).collect()
    }
}

pub(super) fn body_of(delivery: &Delivery) -> String {
    String::from_utf8(delivery.message.body.to_vec()).unwrap()
}

pub(super) fn queue(name: &str) -> Address {
    Address::queue(ByteString::from(name))
}

pub(super) fn topic(name: &str) -> Address {
    Address::topic(ByteString::from(name))
}

pub(super) fn pattern(text: &str) -> Pattern {
    Pattern::parse(wharfmq_core::Kind::Topic, text).unwrap()
}

/// Settings of single destinations, by their canonical names.
pub(super) fn settings<'a>(rules: impl IntoIterator<Item = (&'a str, PartialPolicy)>) -> Settings {
    Settings::new(rules.into_iter().map(|(name, set)| (Pattern::parse_canonical(name).unwrap(), set)))
}

/// The retained messages below `pattern`, by topic.
pub(super) fn retained(rig: &Rig, pattern: &Pattern) -> BTreeMap<String, String> {
    let mut found = VecDeque::new();
    let rest = rig.broker.retained_matching(pattern, None, usize::MAX, rig.now(), &mut found);
    assert!(rest.is_none());
    let body = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    found.iter().map(|message| (message.address.name.to_string(), body(&message.body))).collect()
}
