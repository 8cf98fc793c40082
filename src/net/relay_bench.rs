//! What the loop itself costs a message: a session that only finds the frames and hands them back.
//!
//! `cargo test --release -p wharfmq --lib -- --ignored --nocapture net::relay_bench`

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::BytesMut;
use rustix::time::{ClockId, clock_gettime};
use wharfmq_base::Millis;

use super::{Hub, Limits, ListenerSpec, Proto, Server, Sessions, Spoken};
use crate::adapters::testing::TestBroker;
use crate::adapters::{Close, Closed, Progress, Session};
use crate::broker::{Broker, Now, Peer, Port};
use crate::runtime::{Clock, Stop};

const FRAME: usize = 64;
const FRAMES: usize = 20_000_000;
const WRITE: usize = 64 * 1024;

struct Relay(Arc<Broker>);

impl Sessions for Relay {
    fn port(&self, peer: Arc<Peer>, now: Now) -> Port {
        Port::new(Arc::clone(&self.0), self.0.next_conn(), peer, now)
    }

    fn session(&self, _proto: Proto, _peer: &Peer) -> Box<dyn Session> {
        Box::new(RelaySession { frames: 0 })
    }
}

struct RelaySession {
    frames: usize,
}

impl Session for RelaySession {
    fn on_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        let mut end = 0;
        while let Some(frame) = input.get(end..end + FRAME) {
            if frame.first() != Some(&b'f') {
                return Err(Close::Violation("not a frame".to_owned()));
            }
            end += FRAME;
            self.frames += 1;
        }
        port.out.chain(input.split_to(end).freeze());
        Ok(Progress::NeedInput)
    }

    fn on_events(&mut self, _port: &mut Port) -> Result<(), Close> {
        Ok(())
    }

    fn on_confirms(&mut self, _port: &mut Port) -> Result<(), Close> {
        Ok(())
    }

    fn on_deadline(&mut self, _port: &mut Port) -> Result<(), Close> {
        Ok(())
    }

    fn deadline(&self) -> Option<Millis> {
        None
    }

    fn is_open(&self) -> bool {
        true
    }

    fn drain(&mut self, _port: &mut Port) {}

    fn on_closed(&mut self, _how: Closed, _port: &mut Port) {}
}

fn cpu_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[test]
#[ignore = "a measurement"]
fn a_relay_of_small_frames() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let hub = Hub::new(
        Arc::new(Relay(Arc::clone(&TestBroker::new().broker))),
        Limits::default(),
        Clock::system(),
        Stop::new(),
    );
    let spec = ListenerSpec::new("stomp", Spoken::Only(Proto::Stomp), "127.0.0.1", 0);
    let server = runtime.block_on(async { Server::open(vec![spec], Arc::clone(&hub)).unwrap() });
    let bound = server.listeners()[0].bound();
    runtime.spawn(server.run());
    for _ in 0..3 {
        let mut client = TcpStream::connect(bound).unwrap();
        let mut writer = client.try_clone().unwrap();
        let began = std::time::Instant::now();
        let before = cpu_ns(ClockId::ProcessCPUTime);
        let writing = std::thread::spawn(move || {
            let block = [b'f'; WRITE];
            for _ in 0..FRAMES * FRAME / WRITE {
                writer.write_all(&block).unwrap();
            }
            cpu_ns(ClockId::ThreadCPUTime)
        });
        let mine = cpu_ns(ClockId::ThreadCPUTime);
        let mut block = vec![0; 1 << 20];
        let mut left = FRAMES * FRAME / WRITE * WRITE;
        while left > 0 {
            left -= client.read(&mut block).unwrap();
        }
        let clients = writing.join().unwrap() + cpu_ns(ClockId::ThreadCPUTime) - mine;
        let spent = cpu_ns(ClockId::ProcessCPUTime) - before - clients;
        let rate = FRAMES as f64 / began.elapsed().as_secs_f64() / 1e6;
        println!(
            "{:.1} ns of CPU a message in and out, {rate:.1} million a second",
            spent as f64 / FRAMES as f64
        );
    }
    hub.stop.stop();
}
