//! A protocol just for tests: frames of a four-byte length, a command byte and a body.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;
use wharfmq_base::Millis;
use wharfmq_core::{CoreEvent, Gone, SubTag};

use super::connection::Connection;
use super::link::Link;
use super::{Hub, Limits, Proto, Sessions};
use crate::adapters::testing::TestBroker;
use crate::adapters::{Close, Closed, Progress, ROUND_FRAMES, Session};
use crate::broker::{Broker, Now, Peer, Port};
use crate::runtime::{Clock, Stop};

pub(super) const LOGIN: u8 = b'L';
pub(super) const ECHO: u8 = b'E';
/// As many events as the body's four bytes say.
pub(super) const EVENTS: u8 = b'S';
pub(super) const PANIC: u8 = b'P';
pub(super) const VIOLATE: u8 = b'V';
pub(super) const QUIT: u8 = b'Q';
/// Asks for `on_deadline` so many milliseconds from now.
pub(super) const ALARM: u8 = b'A';
/// Asks for the time of the round in which it is read.
pub(super) const TIME: u8 = b'T';
/// What the session says when it is drained.
pub(super) const BYE: u8 = b'B';
pub(super) const RANG: u8 = b'R';
pub(super) const EVENT_BYTES: usize = 1_000;
/// Output over which the session leaves its events.
const EVENTS_OUT_MAX: usize = 128 * 1024;
const FRAME_MAX: usize = 32 << 20;

/// What sessions have done.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) closed: Mutex<Vec<Closed>>,
    pub(super) peers: Mutex<Vec<Peer>>,
    pub(super) most_out: AtomicU64,
    pub(super) protos: Mutex<Vec<Proto>>,
}

pub(super) struct TestSessions {
    pub(super) broker: Arc<Broker>,
    pub(super) seen: Arc<Seen>,
}

impl Sessions for TestSessions {
    fn port(&self, peer: Arc<Peer>, now: Now) -> Port {
        Port::new(Arc::clone(&self.broker), self.broker.next_conn(), peer, now)
    }

    fn session(&self, proto: Proto, peer: &Peer) -> Box<dyn Session> {
        self.seen.protos.lock().push(proto);
        self.seen.peers.lock().push(peer.clone());
        Box::new(TestSession { seen: Arc::clone(&self.seen), proto, open: false, alarm: None })
    }
}

struct TestSession {
    seen: Arc<Seen>,
    proto: Proto,
    open: bool,
    alarm: Option<Millis>,
}

impl TestSession {
    fn reply(port: &mut Port, command: u8, body: &[u8]) {
        port.out.put(&frame(command, body));
    }

    fn handle(&mut self, command: u8, body: BytesMut, port: &mut Port) -> Result<(), Close> {
        let number = || body.first_chunk().map_or(0, |n| u32::from_be_bytes(*n));
        match command {
            LOGIN => self.open = true,
            ECHO => {
                port.out.put(&frame_head(ECHO, body.len()));
                port.out.chain(body.freeze());
            }
            EVENTS => port.events.extend((0..number()).map(|n| CoreEvent::Revoked(SubTag(n), Gone::Deleted))),
            PANIC => panic!("as told"),
            VIOLATE => return Err(Close::Violation("as told".to_owned())),
            ALARM => self.alarm = Some(port.now.mono.plus(Millis(number().into()))),
            TIME => {
                let now = port.now.mono;
                Self::reply(port, TIME, &now.0.to_be_bytes());
            }
            QUIT => {
                Self::reply(port, QUIT, b"");
                return Err(Close::Clean);
            }
            _ => return Err(Close::Violation(format!("command {command}"))),
        }
        Ok(())
    }
}

impl Session for TestSession {
    fn on_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        // The greeting by which the protocol was told.
        if !self.open && input.first() != Some(&0) {
            let greeting = match self.proto {
                Proto::Mqtt => 1,
                Proto::OpenWire => "SIZE.ActiveMQ".len(),
                Proto::Stomp => "CONNECT\n".len(),
            };
            if input.len() < greeting {
                return Ok(Progress::NeedInput);
            }
            input.advance(greeting);
            self.open = true;
        }
        for _ in 0..ROUND_FRAMES {
            let Some(head) = input.first_chunk::<4>() else { return Ok(Progress::NeedInput) };
            let len = u32::from_be_bytes(*head) as usize;
            if len > FRAME_MAX {
                return Err(Close::Violation("too long".to_owned()));
            }
            if input.len() < 4 + len {
                return Ok(Progress::NeedInput);
            }
            input.advance(4);
            let mut frame = input.split_to(len);
            let command = frame.get_u8();
            self.handle(command, frame, port)?;
        }
        Ok(Progress::More)
    }

    fn on_events(&mut self, port: &mut Port) -> Result<(), Close> {
        while port.out.len() < EVENTS_OUT_MAX
            && let Some(CoreEvent::Revoked(SubTag(n), _)) = port.events.pop_front()
        {
            let mut body = [0; EVENT_BYTES];
            body[..4].copy_from_slice(&n.to_be_bytes());
            Self::reply(port, EVENTS, &body);
        }
        self.seen.most_out.fetch_max(port.out.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn on_confirms(&mut self, port: &mut Port) -> Result<(), Close> {
        while port.next_confirm().is_some() {}
        Ok(())
    }

    fn on_deadline(&mut self, port: &mut Port) -> Result<(), Close> {
        self.alarm = None;
        Self::reply(port, RANG, b"");
        Ok(())
    }

    fn deadline(&self) -> Option<Millis> {
        self.alarm
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn drain(&mut self, port: &mut Port) {
        Self::reply(port, BYE, b"");
    }

    fn on_closed(&mut self, how: Closed, _port: &mut Port) {
        self.seen.closed.lock().push(how);
    }
}

impl Link for DuplexStream {
    fn poll_readable(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_buffered(&self) -> bool {
        true
    }
}

/// A link that gives a few bytes at a time, each time after 50 milliseconds that pass at once.
pub(super) struct Tardy {
    pub(super) link: DuplexStream,
    pub(super) clock: Clock,
    /// When it gave the last ones.
    pub(super) read_at: Arc<Mutex<Millis>>,
}

impl AsyncRead for Tardy {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // The clock moves with the first poll.
        let _ = pin!(tokio::time::advance(Duration::from_millis(50))).poll(cx);
        let this = self.get_mut();
        let mut few = [0; 5];
        let mut part = ReadBuf::new(&mut few);
        ready!(Pin::new(&mut this.link).poll_read(cx, &mut part))?;
        buf.put_slice(part.filled());
        *this.read_at.lock() = this.clock.now().mono;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tardy {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.link).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_shutdown(cx)
    }
}

impl Link for Tardy {
    fn poll_readable(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_buffered(&self) -> bool {
        true
    }
}

/// A hub whose sessions are [`TestSession`]s.
pub(super) fn hub(limits: Limits) -> (Arc<Hub>, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let broker = Arc::clone(&TestBroker::new().broker);
    let sessions = Arc::new(TestSessions { broker, seen: Arc::clone(&seen) });
    (Hub::new(sessions, limits, Clock::of_runtime(Millis(1)), Stop::new()), seen)
}

pub(super) fn peer() -> Peer {
    Peer { addr: SocketAddr::from(([127, 0, 0, 1], 1)), listener: "test", certificate: None, anonymous: true }
}

/// A connection over a pipe of `bytes` each way, and its other end.
pub(super) fn piped(hub: &Arc<Hub>, bytes: usize, proto: Option<Proto>) -> (DuplexStream, JoinHandle<()>) {
    let (client, server) = tokio::io::duplex(bytes);
    let permit = hub.admit().unwrap();
    let now = hub.clock.now();
    (client, tokio::spawn(Connection::new(server, peer(), proto, permit, now)))
}

pub(super) fn frame_head(command: u8, body: usize) -> [u8; 5] {
    let mut head = [command; 5];
    head[..4].copy_from_slice(&(body as u32 + 1).to_be_bytes());
    head
}

pub(super) fn frame(command: u8, body: &[u8]) -> Vec<u8> {
    [&frame_head(command, body.len()), body].concat()
}

pub(super) async fn send(to: &mut (impl AsyncWriteExt + Unpin), command: u8, body: &[u8]) {
    to.write_all(&frame(command, body)).await.unwrap();
    to.flush().await.unwrap();
}

/// The next frame, `None` at the end of the stream.
pub(super) async fn receive(from: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, Vec<u8>)> {
    let len = from.read_u32().await.ok()?;
    let mut bytes = vec![0; len as usize];
    from.read_exact(&mut bytes).await.ok()?;
    let mut bytes = VecDeque::from(bytes);
    let command = bytes.pop_front()?;
    Some((command, bytes.into()))
}
