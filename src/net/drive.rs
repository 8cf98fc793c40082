//! The loop between a socket, a session and the broker.
//!
//! One round takes what the broker has to say, then what the client has sent, and writes whatever both
//! produced with one system call. Rounds go on until one finds nothing to do, or [`ROUNDS_MAX`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, BytesMut};
use tokio_util::io::poll_read_buf;
use wharfmq_base::Millis;

use super::connection::poll_write_out;
use super::ending::Ending;
use super::link::Link;
use super::sniff::{Sniffed, sniff};
use super::timer::Timer;
use super::{Hub, Limits, Proto};
use crate::adapters::{Close, Closed, Progress, ROUND_BYTES, Session};
use crate::broker::{Now, Peer, Port, WriteBuf};
use crate::runtime::Phase;

/// Output waiting for the client from which nothing is done that may produce more.
const OUT_HIGH: usize = 256 * 1024;
/// Output down to which a session is offered again what it left.
const OUT_LOW: usize = 64 * 1024;
/// Rounds in one poll, before other connections have their turn.
const ROUNDS_MAX: usize = 4;
/// Writes in one round.
const WRITES_MAX: usize = 16;
/// The smallest read buffer.
const READ_MIN: usize = 4 * 1024;
/// The largest that grows by itself; an incomplete frame makes it larger, as it arrives.
const READ_MAX: usize = 128 * 1024;

/// How often a connection that may not read looks whether it may again: not everything that holds it
/// back, such as a lack of memory, says when it is over.
const HELD_BACK_EVERY: Millis = Millis(100);

/// An open connection.
pub(super) struct Drive {
    port: Port,
    session: Box<dyn Session>,
    /// `None` until the first bytes have told it; the session is [`Nobody`] as long.
    proto: Option<Proto>,
    input: BytesMut,
    /// Space to read into; doubles while reads fill it.
    read_size: u32,
    progress: Progress,
    /// The broker has something that was not taken yet, because the client is slow.
    woken: bool,
    /// Events the session left are due to be offered again.
    offer: bool,
    /// Written bytes may wait in the link.
    unflushed: bool,
    drain: Option<Box<Drain>>,
    /// The client has ended its side; the connection ends then, or sooner when all is answered.
    eof_by: Millis,
    login_by: Millis,
    /// Bytes received, as far as it matters before the login.
    received: u32,
    timer: Timer,
}

/// The connection is coming to its end in order.
struct Drain {
    /// It ends then, settled or not.
    by: Millis,
    /// The client is taken to have nothing more to settle if it is silent until then.
    quiet_by: Millis,
}

impl Drive {
    pub(super) fn new(hub: &Hub, peer: Arc<Peer>, proto: Option<Proto>, since: Now) -> Self {
        tracing::debug!(addr = %peer.addr, listener = peer.listener, "connection opened");
        let session = proto.map_or_else(|| Box::new(Nobody) as _, |proto| hub.sessions.session(proto, &peer));
        Self {
            port: hub.sessions.port(peer, since),
            session,
            proto,
            input: BytesMut::new(),
            read_size: READ_MIN as u32,
            progress: Progress::NeedInput,
            woken: false,
            offer: false,
            unflushed: false,
            drain: None,
            eof_by: Millis::NEVER,
            login_by: since.mono.plus(hub.limits.login_timeout),
            received: 0,
            timer: Timer::new(),
        }
    }

    /// Goes on until nothing can be done, or everything is over.
    pub(super) fn poll<L: Link>(
        &mut self,
        link: &mut L,
        hub: &Hub,
        phase: Phase,
        cx: &mut Context<'_>,
    ) -> Poll<Ending> {
        self.port.now = hub.clock.now();
        let rounds = self.rounds(link, hub, phase, cx);
        self.port.add_up();
        match rounds {
            Ok(true) => cx.waker().wake_by_ref(),
            Ok(false) => self.rest(cx),
            Err(ending) => return Poll::Ready(ending),
        }
        Poll::Pending
    }

    pub(super) fn peer(&self) -> &Peer {
        self.port.peer()
    }

    pub(super) const fn proto(&self) -> Option<Proto> {
        self.proto
    }

    /// What is still to be sent.
    pub(super) fn take_output(&mut self) -> WriteBuf {
        std::mem::take(&mut self.port.out)
    }

    pub(super) fn session_closed(&mut self, how: Closed) {
        self.session.on_closed(how, &mut self.port);
    }

    pub(super) fn port_closed(&mut self) {
        self.port.close();
    }

    /// Whether there is more to do.
    fn rounds<L: Link>(
        &mut self,
        link: &mut L,
        hub: &Hub,
        phase: Phase,
        cx: &mut Context<'_>,
    ) -> Result<bool, Ending> {
        self.on_phase(phase, &hub.limits)?;
        self.on_time()?;
        for _ in 0..ROUNDS_MAX {
            let heard = self.hear_broker(cx)?;
            let read = self.hear_client(link, hub, cx)?;
            let wrote = self.write(link, cx)?;
            if !(heard || read || wrote) {
                self.check_end()?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn on_phase(&mut self, phase: Phase, limits: &Limits) -> Result<(), Ending> {
        match phase {
            Phase::Running => {}
            Phase::Draining if self.drain.is_some() => {}
            Phase::Draining if self.session.is_open() => {
                let now = self.port.now.mono;
                let (by, quiet_by) = (now.plus(limits.drain), now.plus(limits.drain_quiet));
                self.drain = Some(Box::new(Drain { by, quiet_by }));
                self.session.drain(&mut self.port);
            }
            Phase::Draining | Phase::Stopped => return Err(Ending::Shutdown),
        }
        Ok(())
    }

    fn on_time(&mut self) -> Result<(), Ending> {
        let now = self.port.now.mono;
        if self.port.deadline().is_some_and(|deadline| deadline <= now) {
            self.woken = true;
            self.retry();
        }
        if self.session.deadline().is_some_and(|deadline| deadline <= now) {
            self.session.on_deadline(&mut self.port)?;
            self.retry();
        }
        if self.login_by <= now && !self.session.is_open() {
            return Err(Close::TimedOut("no login within the time allowed").into());
        }
        Ok(())
    }

    /// Takes what the broker says. Answers whether it said anything.
    fn hear_broker(&mut self, cx: &Context<'_>) -> Result<bool, Ending> {
        let mut busy = false;
        if self.port.poll_wake(cx).is_ready() {
            busy = true;
            self.woken = true;
            self.retry();
            self.check_store()?;
            if self.port.is_expelled() {
                return Err(Close::Refused("another connection took over the client id".to_owned()).into());
            }
        }
        if self.woken {
            // The events of a client that does not read stay where their bytes are counted.
            let events = self.port.out.len() < OUT_HIGH;
            self.port.refresh(events);
            self.woken = !events;
            self.offer |= events;
        }
        if self.port.has_confirm() {
            busy = true;
            self.retry();
            self.session.on_confirms(&mut self.port)?;
        }
        if self.offer && self.port.out.len() < OUT_HIGH {
            busy = true;
            self.offer = false;
            self.session.on_events(&mut self.port)?;
        }
        Ok(busy)
    }

    /// Once the store has failed nothing will ever be confirmed: the client is told by the end.
    fn check_store(&mut self) -> Result<(), Ending> {
        let Some(why) = self.port.failure() else { return Ok(()) };
        if self.session.is_open() {
            self.session.drain(&mut self.port);
        }
        Err(Close::Refused(format!("the store has failed: {why}")).into())
    }

    /// Whatever the session waited for may have come.
    fn retry(&mut self) {
        if self.progress == Progress::Wait {
            self.progress = Progress::More;
        }
    }

    /// Reads from the socket, and lets the session handle it. Answers whether there was anything.
    fn hear_client<L: Link>(
        &mut self,
        link: &mut L,
        hub: &Hub,
        cx: &mut Context<'_>,
    ) -> Result<bool, Ending> {
        if self.port.out.len() >= OUT_HIGH || !self.port.may_read() {
            return Ok(false);
        }
        match self.progress {
            Progress::Wait => return Ok(false),
            Progress::More => {}
            Progress::NeedInput if self.eof_by != Millis::NEVER => return Ok(false),
            Progress::NeedInput => match self.poll_fill(link, cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Ready(Ok(0)) => {
                    self.eof_by = self.port.now.mono.plus(hub.limits.linger);
                    return Ok(true);
                }
                Poll::Ready(Ok(read)) => {
                    // What was sent while the rounds before took their time is not older than it is: a delay
                    // that begins with it would end too early.
                    self.port.now = hub.clock.now();
                    let is_first = self.received == 0;
                    self.count(read, &hub.limits);
                    if is_first {
                        self.check_plain()?;
                    }
                }
            },
        }
        self.handle_input(hub)?;
        Ok(true)
    }

    /// One read into a buffer that grows with what arrives, never by what a client claims.
    fn poll_fill<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        ready!(link.poll_readable(cx))?;
        let size = self.read_size as usize;
        if self.input.capacity() - self.input.len() < size / 2 {
            self.input.reserve(size);
        }
        let space = (self.input.capacity() - self.input.len()).min(READ_MAX);
        let read = ready!(poll_read_buf(Pin::new(link), cx, &mut (&mut self.input).limit(space)))?;
        if read == space {
            self.read_size = (size * 2).min(READ_MAX) as u32;
        } else if read < size / 4 {
            self.read_size = (size / 2).max(READ_MIN) as u32;
        }
        Poll::Ready(Ok(read))
    }

    fn count(&mut self, read: usize, limits: &Limits) {
        self.received = self.received.saturating_add(read as u32);
        self.port.traffic.bytes_in = self.port.traffic.bytes_in.wrapping_add(read as u32);
        if let Some(drain) = &mut self.drain {
            drain.quiet_by = self.port.now.mono.plus(limits.drain_quiet);
        }
    }

    /// A client of TLS on a listener without it would wait for an answer as its bytes wait for more.
    fn check_plain(&self) -> Result<(), Ending> {
        match self.proto {
            Some(proto) if sniff(&self.input) == Sniffed::Tls => Err(violation(&format!(
                "the client speaks TLS and this listener does not: one of {}s:// does",
                proto.name()
            ))),
            _ => Ok(()),
        }
    }

    fn handle_input(&mut self, hub: &Hub) -> Result<(), Ending> {
        if self.proto.is_none() {
            match sniff(&self.input) {
                Sniffed::NeedInput => return Ok(()),
                Sniffed::Proto(proto) => {
                    self.proto = Some(proto);
                    self.session = hub.sessions.session(proto, self.port.peer());
                }
                Sniffed::Tls => return Err(violation("TLS where none is configured")),
                Sniffed::Unknown => return Err(violation("the first bytes are of no protocol spoken here")),
            }
        }
        self.progress = self.session.on_input(&mut self.input, &mut self.port)?;
        self.offer = true;
        if self.progress != Progress::NeedInput {
            return Ok(());
        }
        if self.input.len() > hub.limits.frame_bytes.saturating_add(ROUND_BYTES) {
            return Err(violation("a frame over the limit"));
        }
        if self.received as usize > hub.limits.login_bytes && !self.session.is_open() {
            return Err(violation("too many bytes before the login"));
        }
        Ok(())
    }

    /// Writes what there is. Answers whether that lets something go on that had to wait.
    fn write<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let before = self.port.out.len();
        if before == 0 && !self.unflushed {
            return Ok(false);
        }
        for _ in 0..WRITES_MAX {
            if self.port.out.is_empty() {
                break;
            }
            match poll_write_out(link, &mut self.port.out, cx) {
                Poll::Ready(written) => written?,
                Poll::Pending => break,
            }
        }
        if link.is_buffered() {
            self.unflushed = match Pin::new(link).poll_flush(cx) {
                Poll::Ready(flushed) => flushed.map(|()| false)?,
                Poll::Pending => true,
            };
        }
        let left = self.port.out.len();
        self.port.traffic.bytes_out = self.port.traffic.bytes_out.wrapping_add((before - left) as u32);
        self.offer |= left < before && left < OUT_LOW;
        // Without this a socket that takes one slice at a time would not be asked again.
        Ok(left < before && (left > 0 || before >= OUT_HIGH || !self.port.events.is_empty()))
    }

    /// Whether an ending that waits for answers has come. Called only once there is nothing to do.
    fn check_end(&self) -> Result<(), Ending> {
        let now = self.port.now.mono;
        let settled = self.port.is_settled() && self.progress == Progress::NeedInput;
        if self.eof_by <= now || (self.eof_by != Millis::NEVER && settled) {
            return Err(Ending::EndOfStream);
        }
        let Some(drain) = &self.drain else { return Ok(()) };
        let quiet = drain.quiet_by <= now && settled && self.port.out.is_empty();
        if quiet || drain.by <= now { Err(Ending::Shutdown) } else { Ok(()) }
    }

    /// There is nothing to do: gives memory back, and sets the timer.
    fn rest(&mut self, cx: &mut Context<'_>) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.port.idle();
        let now = self.port.now.mono;
        let mut at = self.eof_by;
        if !self.session.is_open() {
            at = at.min(self.login_by);
        }
        if let Some(drain) = &self.drain {
            at = at.min(if drain.quiet_by > now { drain.quiet_by } else { drain.by });
        }
        if !self.port.may_read() {
            at = at.min(now.plus(HELD_BACK_EVERY));
        }
        let deadlines = [self.session.deadline(), self.port.deadline()];
        at = deadlines.into_iter().flatten().fold(at, Millis::min);
        self.timer.arm(at, now, cx);
    }
}

fn violation(how: &str) -> Ending {
    Close::Violation(how.to_owned()).into()
}

/// Stands in for the session while the protocol is not known.
struct Nobody;

impl Session for Nobody {
    fn on_input(&mut self, _input: &mut BytesMut, _port: &mut Port) -> Result<Progress, Close> {
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
        false
    }

    fn drain(&mut self, _port: &mut Port) {}

    fn on_closed(&mut self, _how: Closed, _port: &mut Port) {}
}
