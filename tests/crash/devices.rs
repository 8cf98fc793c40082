//! A thousand devices over TLS, each with a session that is kept, while the broker is killed and started again.
//!
//! A ring: every device publishes to the next one, in turns with QoS 1 and QoS 2. As real ones do, they come back by
//! themselves, wait longer after each failure, and send again what was not confirmed, with DUP and the same packet
//! id.
//!
//! `WHARFMQ_CRASH_DEVICES` sets how many there are, `WHARFMQ_CRASH_ROUNDS` how often the broker is killed.

mod device;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use self::device::Device;
use super::{Random, number, rounds};
use crate::support::{Broker, Setup};

const DEVICES: u64 = 1_000;
/// How many messages of each device a round adds.
const MESSAGES: u32 = 6;
/// How long a thousand of anything may take.
const PATIENCE: Duration = Duration::from_secs(50);

/// What all devices know.
struct World {
    /// Where the broker was last.
    broker: Mutex<SocketAddr>,
    tls: TlsConnector,
    plan: watch::Sender<Plan>,
    devices: u32,
    connected: AtomicU32,
    /// Messages of all devices that were confirmed.
    confirmed: AtomicU32,
    /// Devices that have sent and received everything of the plan.
    settled: AtomicU32,
    /// What was sent again.
    again: AtomicU32,
}

#[derive(Clone, Copy)]
struct Plan {
    /// How many messages each device has published in all by the end of this round.
    messages: u32,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There will be more.
    Load,
    /// This is all there is.
    Last,
    /// To say goodbye.
    Over,
}

#[test]
fn a_thousand_devices_come_back_over_tls() {
    let devices = u32::try_from(number("WHARFMQ_CRASH_DEVICES").unwrap_or(DEVICES)).unwrap();
    let mut random = Random::new();
    room_for(u64::from(devices) + 200);
    let mut broker = Setup::new().dev_tls().listen("mqtts://127.0.0.1:0").start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = Arc::new(World::new(&broker, devices));
    let mut fleet = Fleet::start(&runtime, &world);
    let mut came_back = Vec::new();
    for round in 0..rounds(3) {
        came_back.push(fleet.wait_connected(&mut broker));
        broker = kill_under_load(broker, &mut fleet, &mut random);
        println!("round {round}: {} confirmed", world.confirmed.load(Ordering::Relaxed));
    }
    came_back.push(fleet.wait_connected(&mut broker));
    world.plan.send_modify(|plan| plan.phase = Phase::Last);
    fleet.wait(&mut broker, "everything has arrived", |world| {
        world.settled.load(Ordering::Relaxed) == world.devices
    });
    world.plan.send_modify(|plan| plan.phase = Phase::Over);
    let total = world.plan.borrow().messages;
    for device in fleet.join(&runtime) {
        device.check(total);
    }
    let again = world.again.load(Ordering::Relaxed);
    println!(
        "{devices} devices, {total} messages each, {again} sent again; all connected after {came_back:?}"
    );
}

/// Gives the devices more to do, kills the broker at some moment of it, starts it again.
fn kill_under_load(mut broker: Broker, fleet: &mut Fleet, random: &mut Random) -> Broker {
    let world = Arc::clone(&fleet.world);
    let before = world.confirmed.load(Ordering::Relaxed);
    world.plan.send_modify(|plan| plan.messages += MESSAGES);
    let share = 10 + random.below(80);
    let aim = before + u32::try_from(u64::from(world.devices * MESSAGES) * share / 100).unwrap();
    fleet.wait(&mut broker, "messages are confirmed", |world| world.confirmed.load(Ordering::Relaxed) >= aim);
    let broker = broker.kill().start();
    *world.broker.lock().unwrap() = broker.address("mqtts");
    broker
}

impl World {
    fn new(broker: &Broker, devices: u32) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = broker.setup().data_dir().join("dev-tls/ca.pem");
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        Self {
            broker: Mutex::new(broker.address("mqtts")),
            tls: TlsConnector::from(Arc::new(config)),
            plan: watch::Sender::new(Plan { messages: 0, phase: Phase::Load }),
            devices,
            connected: AtomicU32::new(0),
            confirmed: AtomicU32::new(0),
            settled: AtomicU32::new(0),
            again: AtomicU32::new(0),
        }
    }
}

/// All devices, as tasks.
struct Fleet {
    world: Arc<World>,
    tasks: Vec<JoinHandle<Device>>,
}

impl Fleet {
    fn start(runtime: &Runtime, world: &Arc<World>) -> Self {
        let start = |n| runtime.spawn(Device::new(n, Arc::clone(world)).run());
        Self { world: Arc::clone(world), tasks: (0..world.devices).map(start).collect() }
    }

    /// Waits until every device is connected; gives how long it took.
    fn wait_connected(&mut self, broker: &mut Broker) -> Duration {
        let begun = Instant::now();
        self.wait(broker, "all devices are connected", |world| {
            world.connected.load(Ordering::Relaxed) == world.devices
        });
        begun.elapsed()
    }

    #[track_caller]
    fn wait(&mut self, broker: &mut Broker, what: &str, condition: impl Fn(&World) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.world) {
            let gone = self.tasks.iter().any(JoinHandle::is_finished);
            assert!(!gone, "a device gave up, see above; waiting until {what}");
            let [connected, confirmed, settled] =
                [&self.world.connected, &self.world.confirmed, &self.world.settled]
                    .map(|n| n.load(Ordering::Relaxed));
            assert!(
                Instant::now() < deadline && broker.is_running(),
                "not within {PATIENCE:?}: {what}; {connected} connected, {confirmed} confirmed, {settled} settled"
            );
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    fn join(self, runtime: &Runtime) -> Vec<Device> {
        self.tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).collect()
    }
}

/// Sees to it that this process, and the broker which inherits that, may hold so many sockets.
fn room_for(files: u64) {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= files) {
        return;
    }
    let enough = now.maximum.is_none_or(|maximum| maximum >= files);
    assert!(enough, "{files} open files are needed, the limit is {:?}", now.maximum);
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: now.maximum }).unwrap();
}
