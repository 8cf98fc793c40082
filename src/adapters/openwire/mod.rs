//! OpenWire 1 to 12 over the broker: what the clients of ActiveMQ speak, those of JMS above all.

mod ack;
mod advisory;
mod browse;
mod connect;
mod consume;
mod consumers;
mod control;
mod deliver;
mod errand;
mod failover;
mod fault;
mod flights;
mod greet;
mod message;
mod names;
mod producers;
mod pull;
mod remove;
mod replay;
mod replies;
mod send;
#[cfg(test)]
mod tests;
mod tx;
mod xa;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::{CoreEvent, Gone};
use wharfmq_openwire::{
    ConnectionError, ConnectionId, Decoder, Encoder, ExceptionResponse, Nested, ProducerAck, Response,
    Structure, Text, TransactionInfo, frame_len,
};

use self::ack::Acks;
pub use self::advisory::{OpenWireVoice, Roll};
use self::connect::{Client, Proving};
use self::consumers::{Consumers, FLYING_MAX};
use self::fault::{Fault, RESOURCE, Stop};
use self::greet::KeepAlive;
use self::message::Known;
use self::producers::Producers;
use self::replies::{Replies, Reply};
use self::tx::Transactions;
use super::{Close, Closed, Progress, ROUND_BYTES, ROUND_FRAMES, Session};
use crate::broker::Port;

/// Output beyond which no more events are taken: the client reads slower than it is sent.
const OUT_HIGH: usize = 256 * 1024;
/// Bytes by which a head is longer than the same on the wire, about.
const HEAD_MORE: usize = 192;
/// Answers that may wait to be durable; beyond it reading pauses.
const REPLIES_MAX: usize = 65_536;
/// Bytes of all frames before the login. What comes then is refused and still has to be read, into the
/// object cache too.
const EARLY_MAX: usize = 256 << 10;
/// Steps after which a round of input ends, so that no client holds up others: deliveries, queues and
/// consumers that were looked at.
const EFFORT_MAX: usize = 1 << 20;

/// What the broker's configuration says of OpenWire.
#[derive(Clone, Debug)]
pub struct OpenWireOptions {
    /// The largest body of a frame accepted, in bytes.
    pub max_frame: usize,
    /// The largest body of a frame accepted before the login, in bytes.
    pub max_frame_before_login: usize,
    /// Milliseconds without a byte after which a client is taken for lost; it may ask for less.
    pub max_inactivity: i64,
    /// The broker's name in BrokerInfo and in advisories.
    pub broker_name: ByteString,
    /// The broker's identity, new with each start.
    pub broker_id: ByteString,
    /// What clients say of themselves, for a [`OpenWireVoice`] to tell others.
    pub roll: Arc<Roll>,
}

impl Default for OpenWireOptions {
    fn default() -> Self {
        Self {
            max_frame: 16 << 20,
            max_frame_before_login: 64 << 10,
            max_inactivity: 30_000,
            broker_name: ByteString::from_static("wharfmq"),
            broker_id: ByteString::from_static("ID:wharfmq"),
            roll: Arc::default(),
        }
    }
}

/// One OpenWire client.
pub struct OpenWireSession {
    options: Arc<OpenWireOptions>,
    /// `None` before the formats were agreed on, and after the end.
    open: Option<Box<Open>>,
}

/// The state of a client with which the format of frames is agreed on.
struct Open {
    options: Arc<OpenWireOptions>,
    decoder: Decoder,
    encoder: Encoder,
    keep_alive: KeepAlive,
    /// Who it is; `None` before ConnectionInfo.
    client: Option<Client>,
    /// ConnectionInfo has come; who it is from is being checked.
    proving: Option<Box<Proving>>,
    phase: Phase,
    producers: Producers,
    consumers: Consumers,
    transactions: Transactions,
    replies: Replies,
    acks: Acks,
    /// Steps of this round so far that a client can make many of with few bytes.
    effort: usize,
    /// Bytes of the frames before the login.
    early: usize,
    /// A step of a transaction that waits, for what was sent before it or for the disk.
    held: Option<Box<TransactionInfo>>,
    /// Heads and bodies of what is staged.
    raw: BytesMut,
    /// Messages of the front event, times subscriptions, that have been sent.
    cursor: usize,
    known: Known,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The broker is stopping: acknowledgements and transactions are still ended.
    Draining,
    /// The client has said that it leaves and waits for the answer.
    Leaving,
}

impl OpenWireSession {
    /// A session that waits for the client's WireFormatInfo.
    pub const fn new(options: Arc<OpenWireOptions>) -> Self {
        Self { options, open: None }
    }
}

impl Session for OpenWireSession {
    fn on_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        match &mut self.open {
            None => self.on_greeting(input, port),
            Some(open) => open.on_input(input, port),
        }
    }

    fn on_events(&mut self, port: &mut Port) -> Result<(), Close> {
        self.open.as_mut().map_or(Ok(()), |open| open.on_events(port))
    }

    fn on_confirms(&mut self, port: &mut Port) -> Result<(), Close> {
        self.open.as_mut().map_or(Ok(()), |open| open.on_confirms(port))
    }

    fn on_deadline(&mut self, port: &mut Port) -> Result<(), Close> {
        self.open.as_mut().map_or(Ok(()), |open| open.on_deadline(port))
    }

    fn deadline(&self) -> Option<Millis> {
        self.open.as_ref()?.deadline()
    }

    fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.client.is_some())
    }

    fn drain(&mut self, port: &mut Port) {
        if let Some(open) = self.open.as_mut().filter(|open| open.phase == Phase::Open) {
            open.phase = Phase::Draining;
            open.say_leaving(port);
        }
    }

    fn on_closed(&mut self, how: Closed, port: &mut Port) {
        if let Some(mut open) = self.open.take() {
            open.on_closed(&how, port);
        }
    }
}

impl Open {
    fn on_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        self.keep_alive.heard = port.now.mono;
        if self.phase == Phase::Leaving {
            input.clear();
            return Ok(Progress::NeedInput);
        }
        if self.replies.len() > REPLIES_MAX {
            return Ok(Progress::Wait);
        }
        let progress = self.on_frames(input, port);
        self.flush(port);
        progress
    }

    fn on_frames(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        let mut handled = 0;
        self.effort = 0;
        for _ in 0..ROUND_FRAMES {
            if self.proving.is_some() || !self.go_on(port)? {
                return Ok(Progress::Wait);
            }
            let max = match &self.client {
                Some(_) => self.options.max_frame,
                None => self.options.max_frame_before_login,
            };
            let Some(len) = frame_len(input, max).map_err(violation)? else {
                return Ok(Progress::NeedInput);
            };
            if input.len() < len {
                return Ok(Progress::NeedInput);
            }
            if self.client.is_none() {
                self.early += len;
                if self.early > EARLY_MAX {
                    return Err(Close::Refused("too much was sent before ConnectionInfo".into()));
                }
            }
            let body = input.split_to(len).freeze().slice(4..);
            if self.raw.capacity() == 0 && matches!(body.first(), Some(23..=29)) {
                self.raw.reserve(staged_bytes(body.len(), input.len()));
            }
            match self.on_frame(&body, port) {
                Ok(()) => port.traffic.heard(),
                Err(close) => return Err(close),
            }
            handled += len;
            if self.phase == Phase::Leaving || handled >= ROUND_BYTES || self.effort >= EFFORT_MAX {
                break;
            }
        }
        Ok(Progress::More)
    }

    /// Handles the body of one frame.
    fn on_frame(&mut self, body: &Bytes, port: &mut Port) -> Result<(), Close> {
        let (id, wants, done) = match body.first() {
            Some(&type_id @ 23..=29) => {
                let message = self.decoder.decode_as(type_id, body).map_err(violation)?;
                self.on_message(message, port)
            }
            Some(&type_id @ 22) => {
                let ack: wharfmq_openwire::MessageAck =
                    self.decoder.decode_as(type_id, body).map_err(violation)?;
                (ack.command_id, ack.response_required, self.on_ack(ack, port))
            }
            _ => {
                let command = self.decoder.decode(body).map_err(violation)?;
                self.on_command(command, port)?
            }
        };
        self.answer((id, wants, done), port)
    }

    /// Has a command answered, once it is durable where it has succeeded.
    fn answer(&mut self, (id, wants, done): Handled, port: &mut Port) -> Result<(), Close> {
        match done {
            Ok(None) => {}
            Ok(Some(reply)) => {
                let token = self.replies.push(reply);
                port.confirm(token);
            }
            Err(Stop::Close(close)) => return Err(close),
            // It is held, and carried out before anything else.
            Err(Stop::Later) => {}
            Err(Stop::Fault(fault)) => self.say_fault(&fault, wants.then_some(id), port),
        }
        Ok(())
    }

    /// Carries out the command that waits, if any. False where it has to wait on.
    fn go_on(&mut self, port: &mut Port) -> Result<bool, Close> {
        let Some(info) = self.held.take() else { return Ok(true) };
        let done = self.on_transaction(&info, port);
        if matches!(done, Err(Stop::Later)) {
            self.held = Some(info);
            return Ok(false);
        }
        self.answer((info.command_id, info.response_required, done), port)?;
        Ok(true)
    }

    /// Handles a command that is neither a message nor an acknowledgement: its number, whether its sender
    /// waits for an answer, and what came of it.
    fn on_command(&mut self, command: Structure, port: &mut Port) -> Result<Handled, Close> {
        macro_rules! handled {
            ($command:ident, $done:expr) => {
                ($command.command_id, $command.response_required, {
                    let wants = $command.response_required.then_some(Reply::Response($command.command_id));
                    $done.map(|()| wants)
                })
            };
        }
        Ok(match command {
            Structure::ConnectionInfo(info) => {
                (info.command_id, info.response_required, self.on_connection(&info, port))
            }
            Structure::SessionInfo(info) => handled!(info, self.check_client()),
            Structure::ProducerInfo(info) => handled!(info, self.on_producer(&info, port)),
            Structure::ConsumerInfo(info) => handled!(info, self.on_consumer(&info, port)),
            Structure::TransactionInfo(info) => {
                let done = self.on_transaction(&info, port);
                let (id, wants) = (info.command_id, info.response_required);
                self.held = matches!(done, Err(Stop::Later)).then_some(info);
                (id, wants, done)
            }
            Structure::DestinationInfo(info) => handled!(info, self.on_destination(&info, port)),
            Structure::RemoveSubscriptionInfo(info) => handled!(info, self.on_unsubscribe(&info, port)),
            Structure::RemoveInfo(info) => {
                (info.command_id, info.response_required, self.on_remove(&info, port))
            }
            Structure::MessagePull(pull) => handled!(pull, self.on_pull(&pull, port)),
            Structure::ConsumerControl(control) => {
                handled!(control, self.on_consumer_control(&control, port))
            }
            Structure::ConnectionControl(control) => handled!(control, self.on_connection_control(&control)),
            Structure::KeepAliveInfo(info) => {
                if info.response_required {
                    self.send(&wharfmq_openwire::KeepAliveInfo::default(), port);
                }
                (info.command_id, false, Ok(None))
            }
            Structure::ShutdownInfo(_) => return Err(Close::Clean),
            // Nothing that a broker obeys; clients do send them.
            Structure::ControlCommand(info) => handled!(info, Ok(())),
            Structure::FlushCommand(info) => handled!(info, Ok(())),
            Structure::ConnectionError(info) => handled!(info, Ok(())),
            // A failover client that comes back repeats what was unanswered, and for some of it the empty
            // response in which it keeps what to do with the answer.
            Structure::Response(info)
                if info.correlation_id == 0 && self.client.as_ref().is_some_and(|client| client.returns) =>
            {
                (info.command_id, false, Ok(None))
            }
            other => {
                return Err(Close::Violation(format!(
                    "a client does not send a command of type {}",
                    other.type_id()
                )));
            }
        })
    }

    /// Carries out what the round has gathered so far.
    fn flush(&mut self, port: &mut Port) {
        self.settle_acked(port);
        port.flush(std::mem::take(&mut self.raw).freeze());
    }

    fn on_events(&mut self, port: &mut Port) -> Result<(), Close> {
        let before = port.out.len();
        let mut taken = 0;
        while port.out.len() < OUT_HIGH
            && let Some(event) = port.events.pop_front()
        {
            let bytes = event.bytes();
            let done = match &event {
                CoreEvent::Kick(gone) => return Err(self.on_gone(gone, port)),
                _ if self.phase != Phase::Open => true,
                CoreEvent::Deliver(delivery) => self.send_delivery(delivery, port),
                CoreEvent::Chunk(chunk, run) => self.send_chunk(chunk, run, port),
                CoreEvent::Made(sub, queue) => {
                    self.on_made(*sub, queue, port);
                    true
                }
                CoreEvent::Authenticated(verdict) => {
                    self.on_verdict(verdict, port)?;
                    true
                }
                CoreEvent::Claimed => {
                    self.on_claimed(port)?;
                    self.consumers.called = false;
                    self.browse_on(port);
                    true
                }
                CoreEvent::Revoked(sub, _) => {
                    self.on_revoked(*sub, port);
                    true
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
        if !self.consumers.replaying.is_empty() {
            self.replay_on(port);
        }
        self.grant_sent(port);
        self.has_sent(before, port);
        if self.consumers.flying > FLYING_MAX {
            let why = format!("a connection may leave {FLYING_MAX} messages unacknowledged");
            self.say_fault(&Fault::new(RESOURCE, &why), None, port);
            return Err(Close::Refused(why));
        }
        Ok(())
    }

    /// Another connection with the same id has come, or an operator ends this one.
    fn on_gone(&mut self, gone: &Gone, port: &mut Port) -> Close {
        let why = match gone {
            Gone::TakenOver => "the client has connected again",
            Gone::Deleted => "what it consumed from was deleted",
            Gone::Closed(why) => why,
        };
        if self.phase == Phase::Open {
            self.say_leaving(port);
        }
        Close::Refused(why.to_owned())
    }

    fn on_confirms(&mut self, port: &mut Port) -> Result<(), Close> {
        let before = port.out.len();
        while let Some(confirm) = port.next_confirm() {
            let Some(reply) = self.replies.pop() else { continue };
            if let Some(result) = self.replies.outcome(&reply, confirm.result) {
                self.say(reply, result, port);
            }
        }
        self.has_sent(before, port);
        Ok(())
    }

    /// Says what has come of something.
    fn say(&mut self, reply: Reply, result: Result<(), String>, port: &mut Port) {
        let refused = |why| Fault::new(RESOURCE, why);
        match (reply, result) {
            (Reply::Transaction(ending), result) => self.transaction_ended(*ending, result, port),
            // After the last one the client closes the connection itself.
            (Reply::Response(id) | Reply::Last(id), Ok(())) => self.respond(id, port),
            (Reply::Response(id) | Reply::Last(id), Err(why)) => {
                self.say_fault(&refused(why), Some(id), port);
            }
            (Reply::Ack(producer, size), result) => {
                if let Err(why) = result {
                    self.say_fault(&refused(why), None, port);
                }
                // Whatever has come of it, it is on its way no more.
                self.send(&ProducerAck { producer_id: Some(producer), size, ..Default::default() }, port);
            }
            (Reply::Silent | Reply::Copy, Ok(())) => {}
            (Reply::Silent | Reply::Copy, Err(why)) => self.say_fault(&refused(why), None, port),
        }
    }

    fn respond(&mut self, id: i32, port: &mut Port) {
        port.traffic.answered();
        self.send(&Response { correlation_id: id, ..Default::default() }, port);
    }

    /// Appends a command to what is sent.
    fn send<T: Nested>(&mut self, command: &T, port: &mut Port) {
        port.out.with(|out| self.encoder.encode(command, out));
        self.keep_alive.sent = port.now.mono;
    }

    /// Tells the client of a failure: whoever waits for the command of this number, else its exception
    /// listener.
    fn say_fault(&mut self, fault: &Fault, id: Option<i32>, port: &mut Port) {
        tracing::debug!(addr = %port.peer().addr, class = fault.class, "{}", fault.message);
        let exception = Some(Box::new(fault.throwable()));
        match id {
            Some(correlation_id) => {
                self.send(&ExceptionResponse { correlation_id, exception, ..Default::default() }, port);
            }
            None => {
                let connection_id = self.client.as_ref().map(|client| Box::new((*client.id).clone()));
                self.send(&ConnectionError { exception, connection_id, ..Default::default() }, port);
            }
        }
    }

    /// Notes that something is on its way to the client, if it is.
    const fn has_sent(&mut self, before: usize, port: &Port) {
        if port.out.len() > before {
            self.keep_alive.sent = port.now.mono;
        }
    }
}

/// A command's number, whether an answer is waited for, and what is to be answered once it is durable.
type Handled = (i32, bool, Result<Option<Reply>, Stop>);

/// Room for what a round is likely to stage, its first message being as long as this: a head is written
/// out where the wire has numbers for ids.
fn staged_bytes(first: usize, waiting: usize) -> usize {
    let waiting = waiting.min(ROUND_BYTES);
    first + waiting + HEAD_MORE * (1 + waiting / first.max(HEAD_MORE))
}

fn violation(error: wharfmq_openwire::Error) -> Close {
    Close::Violation(error.to_string())
}

/// The characters of a text that may be missing.
fn text(text: Option<&Text>) -> std::borrow::Cow<'_, str> {
    text.map(Text::decode).unwrap_or_default()
}

/// The text of a connection id.
fn id_text(id: &ConnectionId) -> ByteString {
    ByteString::from(&*text(id.value.as_ref()))
}
