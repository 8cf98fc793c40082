//! A client without a socket, for tests and fuzz targets: bytes in, bytes out, on a real broker over a log in
//! memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use wharfmq_base::Millis;
use wharfmq_core::Settings;
use wharfmq_core::record::Class;
#[cfg(test)]
use wharfmq_store::sim::SimDisk;
#[cfg(test)]
use wharfmq_store::{Journal, JournalOptions};
use wharfmq_store::{Log, MemoryLog};

use super::{Close, Closed, Progress, Session, convert};
use crate::broker::{Broker, Now, Options, Peer, Port, SLICES_MAX, Topology, TxLimits};

/// How long a test waits for something that another thread of the broker does.
const PATIENCE: Duration = Duration::from_secs(10);

/// A broker whose clock the test turns.
pub struct TestBroker {
    /// The broker itself.
    pub broker: Arc<Broker>,
    wall: Arc<AtomicU64>,
}

impl Default for TestBroker {
    fn default() -> Self {
        Self::with(Settings::default())
    }
}

impl TestBroker {
    /// One with the settings that nobody has changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// One with these settings of destinations.
    pub fn with(settings: Settings) -> Self {
        let topology = Topology { virtual_topics: true, ..Topology::default() };
        Self::on(Arc::new(MemoryLog::new()), settings, topology)
    }

    /// A broker over what a disk holds. It is left behind, not stopped: as if the power had gone.
    #[cfg(test)]
    pub(crate) fn on_disk(disk: &SimDisk) -> Self {
        let options = JournalOptions { disk_free_min: 0, ..JournalOptions::new("/simulated") };
        let journal = Journal::open_on(Arc::new(disk.clone()), options).unwrap();
        Self::on(Arc::new(journal), Settings::default(), Topology::default())
    }

    /// One over any log.
    pub fn on(log: Arc<dyn Log>, settings: Settings, topology: Topology) -> Self {
        let wall = Arc::new(AtomicU64::new(1_000_000));
        let read = Arc::clone(&wall);
        let clock = Arc::new(move || now(read.load(Ordering::Relaxed)));
        let options = Options {
            log,
            settings,
            view: convert::header,
            topology,
            memory: 1 << 30,
            transactions: TxLimits::default(),
            clock,
        };
        let (broker, _, _) = Broker::open(options).unwrap();
        Self { broker, wall }
    }

    /// Turns the clock forward.
    pub fn advance(&self, by: Millis) {
        self.wall.fetch_add(by.0, Ordering::Relaxed);
        self.broker.clock_moved();
    }

    /// What the clock says.
    pub fn now(&self) -> Now {
        now(self.wall.load(Ordering::Relaxed))
    }

    /// A new connection.
    pub fn client(&self, session: impl Session + 'static) -> TestClient {
        let addr = ([127, 0, 0, 1], 1).into();
        self.client_of(Peer { addr, listener: "test", certificate: None, anonymous: true }, session)
    }

    /// A new connection of somebody.
    pub fn client_of(&self, peer: Peer, session: impl Session + 'static) -> TestClient {
        let port = Port::new(Arc::clone(&self.broker), self.broker.next_conn(), Arc::new(peer), self.now());
        TestClient { session: Box::new(session), port, input: BytesMut::new(), closed: None }
    }

    /// Sessions that are kept.
    pub fn sessions(&self) -> usize {
        self.broker.queues().all().iter().filter(|cell| cell.class == Class::Session).count()
    }

    /// Ends the broker's threads; dropped without, a broker leaves them to end by themselves.
    pub fn stop(&self) {
        self.broker.stop().unwrap();
    }
}

/// Whatever a test did, every message that came in is accounted for.
impl Drop for TestBroker {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            for cell in self.broker.queues().all() {
                assert_eq!(cell.lock().queue().stats().imbalance(), 0, "{}", cell.name);
            }
        }
    }
}

fn now(wall: u64) -> Now {
    Now { wall: Millis(wall), mono: Millis(wall - 1_000_000) }
}

/// One connection.
pub struct TestClient {
    /// The adapter's side of it.
    pub session: Box<dyn Session>,
    /// Its way into the broker.
    pub port: Port,
    input: BytesMut,
    /// Why the session has ended the connection, once it has.
    pub closed: Option<Close>,
}

impl TestClient {
    /// Whether all that was sent has been read.
    pub fn is_read(&self) -> bool {
        self.input.is_empty()
    }

    /// Adds to what the next turn reads.
    #[cfg(test)]
    pub(crate) fn send_more(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Sends bytes and answers what comes back at once.
    pub fn send(&mut self, on: &TestBroker, bytes: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(bytes);
        self.turn(on)
    }

    /// Lets the connection do what there is to do; answers what it wrote.
    pub fn turn(&mut self, on: &TestBroker) -> Vec<u8> {
        self.port.now = on.now();
        for _ in 0..64 {
            if self.closed.is_some() {
                break;
            }
            let woken = self.port.poll_wake(&Context::from_waker(Waker::noop())).is_ready();
            let due = self.port.deadline().is_some_and(|deadline| deadline <= self.port.now.mono);
            let result = self.round(woken || due);
            if let Err(close) = result {
                self.closed = Some(close);
            }
        }
        self.port.add_up();
        self.output()
    }

    fn round(&mut self, woken: bool) -> Result<(), Close> {
        if woken {
            self.port.refresh(true);
        }
        self.session.on_confirms(&mut self.port)?;
        self.session.on_events(&mut self.port)?;
        while self.port.may_read() && !self.input.is_empty() {
            if self.session.on_input(&mut self.input, &mut self.port)? != Progress::More {
                break;
            }
        }
        if self.session.deadline().is_some_and(|deadline| deadline <= self.port.now.mono) {
            self.session.on_deadline(&mut self.port)?;
        }
        Ok(())
    }

    fn output(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while !self.port.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.port.out.slices(&mut slices);
            let before = all.len();
            slices[..count].iter().for_each(|slice| all.extend_from_slice(slice));
            let written = all.len() - before;
            self.port.out.advance(written);
        }
        all
    }

    /// Turns until `enough` is satisfied with all that was written meanwhile.
    pub fn wait(&mut self, on: &TestBroker, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut all = self.turn(on);
        let start = Instant::now();
        while !enough(&all) {
            assert!(start.elapsed() < PATIENCE, "still only {:?}", String::from_utf8_lossy(&all));
            std::thread::yield_now();
            all.extend(self.turn(on));
        }
        all
    }

    /// Ends the connection.
    pub fn close(&mut self, how: Closed) {
        self.session.on_closed(how, &mut self.port);
        self.port.close();
    }
}
