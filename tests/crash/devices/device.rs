//! One device: it keeps what the standard asks a client to keep (MQTT 3.1.1, 4.1), and checks what it receives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::super::Random;
use super::{Phase, Plan, World};
use crate::support::mqtt::{Options, Packet, V311, packet, split_packet, string};

const WINDOW: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);
/// How long a connection may take to be made.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);

/// A message on its way to the broker.
struct Flight {
    number: u32,
    id: u16,
    /// Whether PUBREC has come.
    received: bool,
}

pub(super) struct Device {
    number: u32,
    world: Arc<World>,
    plan: watch::Receiver<Plan>,
    random: Random,
    /// The session, with its subscription, is there for certain.
    known: bool,
    next: u32,
    next_id: u16,
    flights: VecDeque<Flight>,
    /// Packet ids of QoS 2 that were received and not yet released, with the message.
    unreleased: BTreeMap<u16, u32>,
    /// QoS 1 messages that came, once or more often.
    least: BTreeSet<u32>,
    /// QoS 2 messages in the order in which they came.
    exact: Vec<u32>,
    settled: bool,
}

/// The QoS of a message.
fn qos(number: u32) -> u8 {
    if number.is_multiple_of(2) { 1 } else { 2 }
}

impl Device {
    pub(super) fn new(number: u32, world: Arc<World>) -> Self {
        Self {
            number,
            plan: world.plan.subscribe(),
            world,
            random: Random(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            known: false,
            next: 0,
            next_id: 0,
            flights: VecDeque::new(),
            unreleased: BTreeMap::new(),
            least: BTreeSet::new(),
            exact: Vec::new(),
            settled: false,
        }
    }

    /// Everything its neighbour published has come, in order and QoS 2 exactly once.
    pub(super) fn check(&self, total: u32) {
        let least: Vec<u32> = self.least.iter().copied().collect();
        assert_eq!(least, (0..total).filter(|n| qos(*n) == 1).collect::<Vec<_>>(), "{}", self.number);
        assert_eq!(self.exact, (0..total).filter(|n| qos(*n) == 2).collect::<Vec<_>>(), "{}", self.number);
        assert!(self.flights.is_empty());
    }

    /// Lives until the plan says that it is over.
    pub(super) async fn run(mut self) -> Self {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Ok(Ok(mut line)) = timeout(CONNECT_PATIENCE, self.connect()).await {
                pause = FIRST_PAUSE;
                self.world.connected.fetch_add(1, Ordering::Relaxed);
                let ended = self.talk(&mut line).await;
                self.world.connected.fetch_sub(1, Ordering::Relaxed);
                if ended.is_ok() {
                    return self;
                }
            }
            // Up to half longer, so that not all come at once.
            let more = self.random.below(u64::try_from(pause.as_micros() / 2).unwrap());
            let over = self.plan.wait_for(|plan| plan.phase == Phase::Over);
            let over = timeout(pause + Duration::from_micros(more), over).await.is_ok();
            assert!(!over, "{}: it is over, and there is no connection", self.number);
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Connects, takes up the session, sends again what was not confirmed.
    async fn connect(&mut self) -> io::Result<Line> {
        let address = *self.world.broker.lock().unwrap();
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = self.world.tls.connect("localhost".try_into().unwrap(), stream).await?;
        let mut line = Line { stream, input: Vec::new() };
        let options =
            Options { keep_alive: 600, ..Options::persistent(V311, &format!("device-{}", self.number)) };
        line.write(&options.encode()).await?;
        let connack = line.read().await?;
        assert_eq!((connack.kind, connack.body[1]), (2, 0), "{}: {connack:?}", self.number);
        assert!(!self.known || connack.body[0] == 1, "{}: its session is gone", self.number);
        let mut bytes = Vec::new();
        for flight in &self.flights {
            if flight.received {
                bytes.extend(packet(0x62, &flight.id.to_be_bytes()));
            } else {
                bytes.extend(self.publish(flight, true));
            }
        }
        self.world.again.fetch_add(u32::try_from(self.flights.len()).unwrap(), Ordering::Relaxed);
        if !self.known {
            let filter = string(&format!("ring/{}", self.number));
            bytes.extend(packet(0x82, &[&[0xFF, 0xFF], &filter[..], &[2]].concat()));
        }
        line.write(&bytes).await?;
        while !self.known {
            let packet = line.read().await?;
            self.take(&mut line, &packet).await?;
        }
        Ok(line)
    }

    /// Sends and receives until it is over; an error when the connection breaks.
    async fn talk(&mut self, line: &mut Line) -> io::Result<()> {
        loop {
            let plan = *self.plan.borrow_and_update();
            self.fill(line, plan).await?;
            self.settle(plan);
            if plan.phase == Phase::Over {
                line.write(&[0xE0, 0]).await?;
                return line.closed().await;
            }
            tokio::select! {
                packet = line.read() => {
                    let packet = packet?;
                    self.take(line, &packet).await?;
                }
                changed = self.plan.changed() => assert!(changed.is_ok()),
            }
        }
    }

    /// Publishes what the plan and the window allow.
    async fn fill(&mut self, line: &mut Line, plan: Plan) -> io::Result<()> {
        let mut bytes = Vec::new();
        while self.next < plan.messages && self.flights.len() < WINDOW {
            self.next_id = self.next_id % 60_000 + 1;
            let flight = Flight { number: self.next, id: self.next_id, received: false };
            bytes.extend(self.publish(&flight, false));
            self.flights.push_back(flight);
            self.next += 1;
        }
        line.write(&bytes).await
    }

    fn publish(&self, flight: &Flight, again: bool) -> Vec<u8> {
        let to = (self.number + 1) % self.world.devices;
        let mut body = string(&format!("ring/{to}"));
        body.extend(flight.id.to_be_bytes());
        body.extend(flight.number.to_string().bytes());
        packet(0x30 | u8::from(again) << 3 | qos(flight.number) << 1, &body)
    }

    /// Says once that nothing is left to do.
    fn settle(&mut self, plan: Plan) {
        let came = self.least.len() + self.exact.len();
        let done = plan.phase == Phase::Last
            && self.flights.is_empty()
            && self.unreleased.is_empty()
            && came == plan.messages as usize;
        if done && !self.settled {
            self.settled = true;
            self.world.settled.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn take(&mut self, line: &mut Line, came: &Packet) -> io::Result<()> {
        if came.kind == 3 {
            return self.receive(line, came).await;
        }
        let id = u16::from_be_bytes([came.body[0], came.body[1]]);
        match came.kind {
            4 => self.confirmed(id, 1),
            5 => {
                let flight = self.flights.iter_mut().find(|flight| flight.id == id).unwrap();
                flight.received = true;
                line.write(&packet(0x62, &id.to_be_bytes())).await?;
            }
            6 => {
                self.unreleased.remove(&id);
                line.write(&packet(0x70, &id.to_be_bytes())).await?;
            }
            7 => self.confirmed(id, 2),
            9 => {
                assert_eq!(came.body, [0xFF, 0xFF, 2]);
                self.known = true;
            }
            _ => panic!("{}: {came:?}", self.number),
        }
        Ok(())
    }

    fn confirmed(&mut self, id: u16, by: u8) {
        let at = self.flights.iter().position(|flight| flight.id == id && qos(flight.number) == by);
        let at = at.unwrap_or_else(|| panic!("{}: nothing of id {id} is under way", self.number));
        self.flights.remove(at);
        self.world.confirmed.fetch_add(1, Ordering::Relaxed);
    }

    async fn receive(&mut self, line: &mut Line, came: &Packet) -> io::Result<()> {
        let topic = string(&format!("ring/{}", self.number));
        let (start, rest) = came.body.split_at(topic.len());
        assert_eq!(start, topic);
        let id = u16::from_be_bytes([rest[0], rest[1]]);
        let message: u32 = std::str::from_utf8(&rest[2..]).unwrap().parse().unwrap();
        assert_eq!(came.flags >> 1 & 3, qos(message), "{}: QoS of {message}", self.number);
        if qos(message) == 1 {
            self.least.insert(message);
            return line.write(&packet(0x40, &id.to_be_bytes())).await;
        }
        match self.unreleased.insert(id, message) {
            None => {
                let last = self.exact.last().copied();
                assert!(last < Some(message), "{}: {message} came after {last:?}", self.number);
                self.exact.push(message);
            }
            Some(before) => {
                assert_eq!((before, came.flags & 8), (message, 8), "{}: id {id}", self.number);
            }
        }
        line.write(&packet(0x50, &id.to_be_bytes())).await
    }
}

/// A connection.
struct Line {
    stream: TlsStream<TcpStream>,
    input: Vec<u8>,
}

impl Line {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next packet. Given up, it loses nothing.
    async fn read(&mut self) -> io::Result<Packet> {
        loop {
            if let Some(packet) = split_packet(&mut self.input) {
                return Ok(packet);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits until the broker closes. A message of QoS 1 may come once more before that.
    async fn closed(&mut self) -> io::Result<()> {
        let all = async { while self.read().await.is_ok() {} };
        timeout(CONNECT_PATIENCE, all).await.map_err(io::Error::from)
    }
}
