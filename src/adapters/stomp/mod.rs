//! STOMP 1.0, 1.1 and 1.2 over the broker, with the headers that ActiveMQ's clients use.

mod ack;
mod browse;
mod composite;
mod connect;
mod elements;
mod errand;
mod fault;
mod flights;
mod group;
mod manage;
mod message;
mod options;
mod receipts;
mod replay;
mod send;
mod subs;
mod subscribe;
mod terms;
#[cfg(test)]
mod tests;
mod transformation;
mod tx;

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::{CoreEvent, Gone};
use wharfmq_stomp::{
    Command, Decoded, Frame, HeartBeat, HeartBeats, Limits, Scan, Version, decode, encode_error,
    encode_receipt,
};

use self::ack::Acks;
use self::connect::Proving;
use self::fault::Stop;
use self::message::Spelling;
use self::receipts::{Receipts, Reply};
use self::subs::Subs;
use self::tx::TxAck;
use super::routes::Routes;
use super::{Close, Closed, Progress, ROUND_BYTES, ROUND_FRAMES, Session};
use crate::broker::Port;

/// Output beyond which no more events are taken: the client reads slower than it is sent.
const OUT_HIGH: usize = 256 * 1024;
/// Bytes of receipt ids that may wait for their answer; beyond it reading pauses.
const RECEIPT_BYTES_MAX: usize = 1 << 20;

/// What the broker's configuration says of STOMP.
#[derive(Clone, Copy, Debug)]
pub struct StompOptions {
    /// The largest frame accepted, in bytes.
    pub max_frame: usize,
    /// The largest frame accepted before CONNECT, in bytes.
    pub max_frame_before_login: usize,
    /// The heart-beats that the broker offers and wants.
    pub heart_beat: HeartBeat,
}

impl Default for StompOptions {
    fn default() -> Self {
        Self {
            max_frame: Limits::DEFAULT.frame,
            max_frame_before_login: Limits::BEFORE_LOGIN.frame,
            heart_beat: HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 },
        }
    }
}

/// One STOMP client.
pub struct StompSession {
    options: StompOptions,
    scan: Scan,
    /// `None` before CONNECT and after the end.
    open: Option<Box<Open>>,
    /// CONNECT has come; who it is from is being checked.
    proving: Option<Box<Proving>>,
}

/// The state of a connected client.
struct Open {
    version: Version,
    limits: Limits,
    /// For durable subscriptions; none where CONNECT named none.
    client_id: Option<ByteString>,
    /// The client id, or what stands for it in CONNECTED.
    session: ByteString,
    beats: HeartBeats,
    /// When something was last heard and last sent, on the monotonic clock.
    heard: Millis,
    sent: Millis,
    phase: Phase,
    routes: Routes,
    subs: Subs,
    receipts: Receipts,
    acks: Acks,
    tx_acks: Vec<TxAck>,
    /// Heads and bodies of what is staged.
    raw: BytesMut,
    /// Messages of the front event, times subscriptions, that have been sent.
    cursor: usize,
    spelling: Option<Spelling>,
    scratch: BytesMut,
    /// Subscriptions that have not been sent all of the past, by their numbers.
    replaying: VecDeque<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The broker is stopping: acknowledgements and transactions are still ended.
    Draining,
    /// DISCONNECT has come and waits for its receipt.
    Leaving,
}

impl StompSession {
    /// A session that waits for CONNECT.
    pub fn new(options: StompOptions) -> Self {
        Self { options, scan: Scan::default(), open: None, proving: None }
    }
}

impl Session for StompSession {
    fn on_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        match &mut self.open {
            None if self.proving.is_some() => Ok(Progress::Wait),
            None => self.on_handshake(input, port),
            Some(open) => open.on_input(&mut self.scan, input, port),
        }
    }

    fn on_events(&mut self, port: &mut Port) -> Result<(), Close> {
        match &mut self.open {
            Some(open) => open.on_events(port),
            None => self.on_verdict(port),
        }
    }

    fn on_confirms(&mut self, port: &mut Port) -> Result<(), Close> {
        match &mut self.open {
            Some(open) => open.on_confirms(port),
            None => {
                while port.next_confirm().is_some() {}
                Ok(())
            }
        }
    }

    fn on_deadline(&mut self, port: &mut Port) -> Result<(), Close> {
        self.open.as_mut().map_or(Ok(()), |open| open.on_deadline(port))
    }

    fn deadline(&self) -> Option<Millis> {
        self.open.as_ref()?.deadline()
    }

    fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn drain(&mut self, port: &mut Port) {
        if let Some(open) = self.open.as_mut().filter(|open| open.phase == Phase::Open) {
            open.phase = Phase::Draining;
            let detail =
                "Acknowledgements and COMMIT are still taken for a moment; then the connection closes.";
            open.say_error("broker is shutting down", None, detail, port);
        }
    }

    fn on_closed(&mut self, _how: Closed, port: &mut Port) {
        if let Some(mut open) = self.open.take() {
            open.on_closed(port);
        }
    }
}

impl Open {
    fn deadline(&self) -> Option<Millis> {
        let at = [self.beats.send_at(self.sent.0), self.beats.dead_at(self.heard.0)];
        at.into_iter().flatten().min().map(Millis)
    }

    fn on_deadline(&mut self, port: &mut Port) -> Result<(), Close> {
        let now = port.now.mono;
        if self.beats.dead_at(self.heard.0).is_some_and(|at| at <= now.0) {
            if port.may_read() {
                self.say_error("heart-beat missed", None, "Nothing was received for too long.", port);
                return Err(Close::TimedOut("heart-beat"));
            }
            // It is the broker that does not listen just now.
            self.heard = now;
        }
        if self.beats.send_at(self.sent.0).is_some_and(|at| at <= now.0) {
            if port.out.is_empty() {
                port.out.put(b"\n");
            }
            self.sent = now;
        }
        Ok(())
    }

    fn on_input(
        &mut self,
        scan: &mut Scan,
        input: &mut BytesMut,
        port: &mut Port,
    ) -> Result<Progress, Close> {
        self.heard = port.now.mono;
        if self.phase == Phase::Leaving {
            input.clear();
            return Ok(Progress::NeedInput);
        }
        if self.receipts.len() > RECEIPT_BYTES_MAX {
            return Ok(Progress::Wait);
        }
        let (consumed, progress) = self.on_frames(scan, input, port);
        input.advance(consumed);
        self.flush(port);
        progress
    }

    /// Handles whole frames; how many bytes they had, and how it ended.
    fn on_frames(
        &mut self,
        scan: &mut Scan,
        input: &[u8],
        port: &mut Port,
    ) -> (usize, Result<Progress, Close>) {
        let mut at = 0;
        for _ in 0..ROUND_FRAMES {
            let rest = input.get(at..).unwrap_or_default();
            let frame = match decode(rest, scan, &self.limits, self.version) {
                Ok(Decoded::Incomplete { .. }) => return (at, Ok(Progress::NeedInput)),
                Ok(Decoded::HeartBeat(len)) => {
                    at += len;
                    continue;
                }
                Ok(Decoded::Frame(frame)) => frame,
                Err(error) => return (input.len(), Err(self.fail(&error.to_string(), None, port))),
            };
            let (len, command) = (frame.consumed(), frame.command());
            match self.on_frame(&frame, rest.len(), port) {
                Ok(()) => {
                    at += len;
                    port.traffic.heard();
                }
                Err(Stop::Later) => return (at, Ok(Progress::More)),
                Err(Stop::Close(close)) => return (at + len, Err(close)),
                Err(Stop::Fault(why)) => {
                    return (at + len, Err(self.fail(&format!("{command}: {why}"), Some(&frame), port)));
                }
            }
            if self.phase == Phase::Leaving || at >= ROUND_BYTES {
                break;
            }
        }
        (at, Ok(Progress::More))
    }

    fn on_frame(&mut self, frame: &Frame<'_>, waiting: usize, port: &mut Port) -> Result<(), Stop> {
        match frame.command() {
            Command::Send => return self.on_send(frame, waiting, port),
            Command::Commit => return self.on_commit(frame, port),
            Command::Disconnect => return self.on_disconnect(frame, port),
            Command::Ack | Command::Nack => return self.on_settle(frame, port),
            Command::Subscribe => self.on_subscribe(frame, port)?,
            Command::Unsubscribe => self.on_unsubscribe(frame, port)?,
            Command::Begin => self.on_begin(frame, port)?,
            Command::Abort => self.on_abort(frame, port)?,
            Command::Connect | Command::Stomp => return Err(Stop::fault("the session is open already")),
            Command::Connected | Command::Message | Command::Receipt | Command::Error => {
                return Err(Stop::fault("only a server sends this frame"));
            }
        }
        let receipt = frame.get("receipt")?;
        self.promise_receipt(receipt.as_deref(), port);
        Ok(())
    }

    /// Answers a frame that asked for it once all before it is durable.
    fn promise_receipt(&mut self, receipt: Option<&str>, port: &mut Port) {
        if let Some(id) = receipt {
            port.confirm(self.receipts.push(id));
        }
    }

    fn on_disconnect(&mut self, frame: &Frame<'_>, port: &mut Port) -> Result<(), Stop> {
        let Some(receipt) = frame.get("receipt")? else { return Err(Stop::Close(Close::Clean)) };
        port.confirm(self.receipts.push_last(&receipt));
        self.phase = Phase::Leaving;
        Ok(())
    }

    /// Carries out what the round has gathered so far.
    fn flush(&mut self, port: &mut Port) {
        self.settle_acked(port);
        port.flush(std::mem::take(&mut self.raw).freeze());
    }

    fn on_events(&mut self, port: &mut Port) -> Result<(), Close> {
        if self.phase != Phase::Open {
            return Ok(());
        }
        let (before, mut taken) = (port.out.len(), 0);
        if !self.replaying.is_empty() {
            self.replay_on(port);
        }
        while port.out.len() < OUT_HIGH
            && let Some(event) = port.events.pop_front()
        {
            let bytes = event.bytes();
            let done = match &event {
                CoreEvent::Deliver(delivery) => self.send_delivery(delivery, port),
                CoreEvent::Chunk(chunk, run) => self.send_chunk(chunk, run, port),
                CoreEvent::Kick(gone) => return Err(self.on_gone("the connection was ended", gone, port)),
                CoreEvent::Revoked(sub, gone) if self.subs.get_mut(sub.0).is_some() => {
                    return Err(self.on_gone("a subscription was ended", gone, port));
                }
                CoreEvent::Revoked(..) => true,
                CoreEvent::Made(sub, queue) => {
                    self.on_made(*sub, queue, port)?;
                    true
                }
                CoreEvent::Authenticated(_) => true,
                // No client id is waited for here: a browser has more to look at.
                CoreEvent::Claimed => {
                    self.browse_on(port);
                    continue;
                }
            };
            if !done {
                port.events.push_front(event);
                break;
            }
            self.cursor = 0;
            taken += bytes;
        }
        if taken > 0 {
            // Once for all: it takes a lock.
            port.taken(taken);
        }
        self.settle_written(port);
        self.has_sent(before, port);
        Ok(())
    }

    fn on_gone(&mut self, what: &str, gone: &Gone, port: &mut Port) -> Close {
        let why = match gone {
            Gone::TakenOver => "another connection took over the client id",
            Gone::Deleted => "the queue was deleted",
            Gone::Closed(why) => why,
        };
        self.say_error(what, None, why, port);
        Close::Refused(format!("{what}: {why}"))
    }

    fn on_confirms(&mut self, port: &mut Port) -> Result<(), Close> {
        let before = port.out.len();
        while let Some(confirm) = port.next_confirm() {
            let (reply, id) = self.receipts.front(confirm.token);
            if let Err(why) = confirm.result {
                let id = id.map(str::to_owned);
                self.say_error("the frame was refused", id.as_deref(), &why, port);
                return Err(Close::Refused(why));
            }
            if let Some(id) = id {
                port.traffic.answered();
                port.out.with(|out| encode_receipt(out, self.version, id));
                self.receipts.pop(confirm.token);
            }
            if reply == Reply::Last {
                return Err(Close::Clean);
            }
        }
        self.has_sent(before, port);
        Ok(())
    }

    /// Notes that something is on its way to the client, if it is.
    const fn has_sent(&mut self, before: usize, port: &Port) {
        if port.out.len() > before {
            self.sent = port.now.mono;
        }
    }

    /// Says what is wrong with a frame. What came before it has its effect.
    fn fail(&mut self, why: &str, frame: Option<&Frame<'_>>, port: &mut Port) -> Close {
        self.flush(port);
        let receipt = frame.and_then(|frame| frame.get("receipt").ok().flatten());
        let detail = "Nothing of this frame took effect. The connection closes.";
        self.say_error(why, receipt.as_deref(), detail, port);
        Close::Violation(why.to_owned())
    }

    fn say_error(&mut self, message: &str, receipt: Option<&str>, detail: &str, port: &mut Port) {
        port.out.with(|out| encode_error(out, self.version, message, receipt, detail));
        self.sent = port.now.mono;
    }

    fn on_closed(&mut self, port: &mut Port) {
        self.settle_acked(port);
        for sub in self.subs.drain() {
            sub.end(port);
        }
    }
}
