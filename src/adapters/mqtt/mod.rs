//! MQTT 3.1, 3.1.1 and 5.0 over the broker.

mod answers;
mod auth;
mod connack;
mod connect;
mod deliver;
mod flights;
mod limits;
mod options;
mod outbound_alias;
mod overlap;
mod parting;
mod publish;
mod queue;
mod queued;
mod rate;
mod retained;
mod session;
mod share;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod will;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::{CoreEvent, Gone, QueueCell, SubTag};
use wharfmq_mqtt::state::{IdSet, InboundAliases, KeepAlive, PacketIds};
use wharfmq_mqtt::{Disconnect, Limits, Packet, Reason, Version, decode, encode};

use self::auth::{Proof, Proving};
use self::connect::Arriving;
use self::flights::Flights;
use self::outbound_alias::Aliases;
use self::publish::Reply;
use self::rate::Rate;
use self::session::Life;
use self::subscriptions::Subscriptions;
use super::routes::Routes;
use super::{Close, Closed, Progress, ROUND_BYTES, ROUND_FRAMES, Session};
use crate::broker::{Cause, Consumer, Port, WillId};

/// Output beyond which no more events are taken: the client reads slower than it is sent.
const OUT_HIGH: usize = 256 * 1024;

/// What the broker's configuration says of MQTT.
#[derive(Clone, Debug)]
pub struct MqttOptions {
    /// The largest packet accepted, in bytes.
    pub max_packet: u32,
    /// The largest packet accepted before CONNECT, in bytes.
    pub max_packet_before_login: u32,
    /// Messages in flight towards a client that asks for no fewer, at least 1.
    pub max_inflight: u16,
    /// QoS 1 and 2 publications of a client that are not yet answered (3.2.2.3.3), at least 1.
    pub receive_maximum: u16,
    /// Publications of a client each second; `None` for any number.
    pub max_publish_rate: Option<u32>,
    /// Subscriptions of one client.
    pub max_subscriptions: usize,
    /// Levels of a topic name or filter.
    pub max_topic_levels: usize,
    /// Bytes of a topic name or filter.
    pub max_topic_length: usize,
    /// Topic aliases in each direction (3.2.2.3.8).
    pub topic_aliases: u16,
    /// The longest keep-alive, in seconds (3.2.2.3.14).
    pub max_keep_alive: Option<u16>,
    /// The longest session expiry interval (3.2.2.3.2).
    pub max_session_expiry: Option<Millis>,
    /// Whether a payload that says it is UTF-8 is checked (3.3.2.3.2).
    pub check_payload_format: bool,
    /// The response information of CONNACK, `%c` for the client id; empty for none (3.2.2.3.15).
    pub response_topic: ByteString,
    /// Where clients are sent when the broker stops (4.11).
    pub server_reference: Option<ByteString>,
}

impl Default for MqttOptions {
    fn default() -> Self {
        Self {
            max_packet: 16 << 20,
            max_packet_before_login: 64 << 10,
            max_inflight: 1_000,
            receive_maximum: 1_000,
            max_publish_rate: None,
            max_subscriptions: 10_000,
            max_topic_levels: 128,
            max_topic_length: 65_535,
            topic_aliases: 64,
            max_keep_alive: None,
            max_session_expiry: None,
            check_payload_format: false,
            response_topic: ByteString::from_static("response/%c"),
            server_reference: None,
        }
    }
}

/// One MQTT client.
pub struct MqttSession {
    options: Arc<MqttOptions>,
    phase: Phase,
}

enum Phase {
    /// Nothing has come.
    New,
    /// CONNECT has come; who it is from is not yet known.
    Proving(Box<Proving>),
    /// CONNECT has come; the client id is still another connection's.
    Arriving(Box<Arriving>),
    Open(Box<Open>),
    Closed,
}

/// The state of a connected client. Small while idle: what is rare is boxed or empty.
struct Open {
    options: Arc<MqttOptions>,
    version: Version,
    client_id: ByteString,
    keep_alive: KeepAlive,
    /// When something was last heard, on the monotonic clock.
    heard: Millis,
    /// The largest packet the client takes.
    client_max_packet: u32,
    window: u16,
    /// Whether reason strings may go into packets other than CONNACK and DISCONNECT.
    problem_information: bool,
    /// Publications of QoS 1 and 2 that are not answered.
    unanswered: u32,
    rate: Option<Box<Rate>>,
    outbound: Aliases,
    /// CONNACK is out; nothing may be sent before it (3.2).
    answered: bool,
    draining: bool,
    /// DISCONNECT is out: nothing may follow.
    parted: bool,
    /// Why the connection has to end, as soon as what the client has already sent is read: its goodbye
    /// may be in it.
    kicked: Option<Box<Gone>>,
    /// How long the session outlives the connection.
    life: Life,
    routes: Routes,
    subs: Subscriptions,
    ids: PacketIds,
    inbound: IdSet,
    /// Made by the first alias.
    aliases: Option<Box<InboundAliases<ByteString>>>,
    /// Items of the front event that have been sent.
    cursor: u32,
    will: Option<WillId>,
    /// Who it is, where it has proved that by a method.
    proof: Option<Box<Proof>>,
    /// The session's queue and its consumer, if it outlives the connection.
    queue: Option<(Arc<QueueCell>, Option<Consumer>)>,
    flights: Flights,
    /// Packets that go out when what they answer is durable, in the order of their tokens.
    #[allow(clippy::box_collection, reason = "an idle client pays for a pointer, not for a queue")]
    deferred: Option<Box<VecDeque<Bytes>>>,
    retained: Option<Box<retained::Line>>,
    writing: Option<Box<deliver::Writing>>,
}

/// The subscription tag of the session's own queue.
const QUEUE_SUB: SubTag = SubTag(u32::MAX);
/// The subscription tag of what came by a subscription that has ended.
const ENDED_SUB: SubTag = SubTag(u32::MAX - 1);

impl MqttSession {
    /// A session that waits for CONNECT.
    pub const fn new(options: Arc<MqttOptions>) -> Self {
        Self { options, phase: Phase::New }
    }
}

impl Session for MqttSession {
    fn on_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        match &mut self.phase {
            Phase::New => self.on_connect(input, port),
            Phase::Proving(_) => self.on_proving_input(input, port),
            Phase::Arriving(_) => Ok(Progress::Wait),
            // No answer may come before CONNACK (3.2).
            Phase::Open(open) if !open.answered => Ok(Progress::Wait),
            Phase::Open(open) => open.on_input(input, port),
            Phase::Closed => Err(Close::Clean),
        }
    }

    fn on_events(&mut self, port: &mut Port) -> Result<(), Close> {
        match &mut self.phase {
            Phase::Open(open) => open.on_events(port),
            Phase::Proving(_) => self.on_proving_events(port),
            Phase::Arriving(_) => self.on_claim_events(port),
            Phase::New | Phase::Closed => {
                port.events.clear();
                Ok(())
            }
        }
    }

    fn on_confirms(&mut self, port: &mut Port) -> Result<(), Close> {
        while let Some(confirm) = port.next_confirm() {
            if let Phase::Open(open) = &mut self.phase {
                open.on_confirm(confirm, port)?;
            }
        }
        if let Phase::Open(open) = &mut self.phase {
            open.part_when_settled(port);
        }
        Ok(())
    }

    fn on_deadline(&mut self, port: &mut Port) -> Result<(), Close> {
        match &mut self.phase {
            Phase::Arriving(_) => self.claim_now(port),
            Phase::Open(open) if open.kicked.is_some() => {
                let gone = open.kicked.take().map_or(Gone::TakenOver, |gone| *gone);
                Err(open.on_kick(&gone, port))
            }
            Phase::Open(open) if open.deadline().is_some_and(|at| at <= port.now.mono) => {
                if !port.may_read() {
                    // Whatever the client has sent meanwhile could not be read.
                    open.heard = port.now.mono;
                    return Ok(());
                }
                let why = format!("nothing came for more than one and a half times {} s", open.keep_alive.0);
                open.say_goodbye(Reason::KEEP_ALIVE_TIMEOUT, &why, port);
                Err(Close::TimedOut("keep-alive"))
            }
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Option<Millis> {
        match &self.phase {
            Phase::Arriving(arriving) => Some(arriving.patience),
            Phase::Open(open) => open.deadline(),
            Phase::New | Phase::Proving(_) | Phase::Closed => None,
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    fn drain(&mut self, port: &mut Port) {
        if let Phase::Open(open) = &mut self.phase {
            open.drain(port);
        }
    }

    fn on_closed(&mut self, _how: Closed, port: &mut Port) {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Open(mut open) => open.on_closed(port),
            Phase::Arriving(arriving) => {
                port.release(&arriving.client_id);
            }
            Phase::New | Phase::Proving(_) | Phase::Closed => {}
        }
    }
}

impl Open {
    fn deadline(&self) -> Option<Millis> {
        if self.kicked.is_some() {
            return Some(self.heard);
        }
        self.keep_alive.deadline_ms(self.heard.0).map(Millis)
    }

    fn on_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        if self.draining && self.version.is_v5() {
            return self.on_last_input(input, port);
        }
        let Some(rate) = &mut self.rate else { return self.on_frames(input, port) };
        let allowance = rate.spend(input, self.options.max_packet, port.now.mono);
        let Some(at) = allowance.more_at else { return self.on_frames(input, port) };
        let held = input.split_off(allowance.bytes);
        let progress = self.on_frames(input, port);
        input.unsplit(held);
        port.count(Cause::PublishRate);
        port.call_at(at);
        progress.map(|_| Progress::Wait)
    }

    fn on_frames(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        self.heard = port.now.mono;
        let mut base = 0;
        let mut at = 0;
        let mut frames = 0;
        let progress = loop {
            if frames >= ROUND_FRAMES || at >= ROUND_BYTES {
                break Progress::More;
            }
            let rest = input.get(at..).unwrap_or_default();
            let decoded = match decode(rest, self.version, Limits::from_client(self.options.max_packet)) {
                Ok(Some(decoded)) => decoded,
                Ok(None) => break Progress::NeedInput,
                Err(error) => {
                    let raw = input.split_to(at).freeze();
                    self.flush(raw.slice(base..), port);
                    return Err(self.violation(error, port));
                }
            };
            frames += 1;
            let len = decoded.len;
            match decoded.packet {
                Packet::Publish(publish) => {
                    if let Err(close) = self.on_publish(&publish, at - base, len, port) {
                        let raw = input.split_to(at).freeze();
                        self.flush(raw.slice(base..), port);
                        return Err(close);
                    }
                }
                Packet::Puback(ack) => self.on_puback(&ack, port),
                Packet::Pubrec(ack) => self.on_pubrec(&ack, port),
                Packet::Pubrel(ack) => self.on_pubrel(ack.packet_id, port),
                Packet::Pubcomp(ack) => self.on_pubcomp(ack.packet_id, port),
                Packet::Pingreq => {
                    port.traffic.answered();
                    port.out.with(encode::pingresp);
                }
                _ => {
                    // What was published before takes effect before.
                    let staged = Bytes::copy_from_slice(input.get(base..at).unwrap_or_default());
                    self.flush(staged, port);
                    base = at + len;
                    let frame = input.get(at..base).unwrap_or_default();
                    self.on_control(frame, port)?;
                }
            }
            at += len;
        };
        port.traffic.packets_in = port.traffic.packets_in.wrapping_add(frames as u32);
        let raw = input.split_to(at).freeze();
        self.flush(raw.slice(base..), port);
        Ok(progress)
    }

    /// Carries out what the round has gathered.
    fn flush(&mut self, raw: Bytes, port: &mut Port) {
        self.settle_acked(port);
        port.flush(raw);
    }

    fn on_control(&mut self, frame: &[u8], port: &mut Port) -> Result<(), Close> {
        let limits = Limits::from_client(self.options.max_packet);
        let Ok(Some(decoded)) = decode(frame, self.version, limits) else { return Ok(()) };
        match decoded.packet {
            Packet::Subscribe(subscribe) => self.on_subscribe(&subscribe, port),
            Packet::Unsubscribe(unsubscribe) => self.on_unsubscribe(&unsubscribe, port),
            Packet::Disconnect(disconnect) => Err(self.on_disconnect(&disconnect, port)),
            Packet::Auth(auth) => self.on_auth(&auth, port),
            _ => Ok(()),
        }
    }

    fn on_disconnect(&mut self, disconnect: &Disconnect<'_>, port: &mut Port) -> Close {
        use wharfmq_mqtt::PropertyId::SessionExpiryInterval;
        if let Some(seconds) = disconnect.properties.u32(SessionExpiryInterval)
            && !self.change_life(seconds)
        {
            let why = "session expiry set at DISCONNECT after 0 at CONNECT";
            self.say_goodbye(Reason::PROTOCOL_ERROR, why, port);
            return Close::Violation(why.into());
        }
        if disconnect.reason == Reason::SUCCESS {
            self.take_back_will(port);
        }
        Close::Clean
    }

    fn on_events(&mut self, port: &mut Port) -> Result<(), Close> {
        if self.draining || !self.answered {
            return Ok(());
        }
        self.send_retained(port);
        let mut taken = 0;
        while port.out.len() < OUT_HIGH
            && self.retained.as_ref().is_none_or(|line| line.is_between())
            && let Some(event) = port.events.pop_front()
        {
            let bytes = event.bytes();
            let done = match &event {
                CoreEvent::Chunk(chunk, run) => self.send_chunk(chunk, run, port),
                CoreEvent::Deliver(delivery) => self.send_queued(delivery, port),
                CoreEvent::Kick(gone) => {
                    self.kicked = Some(Box::new(gone.clone()));
                    true
                }
                CoreEvent::Revoked(..)
                | CoreEvent::Made(..)
                | CoreEvent::Claimed
                | CoreEvent::Authenticated(_) => true,
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
        self.pass_on(port);
        self.settle_acked(port);
        port.flush(Bytes::new());
        Ok(())
    }

    fn on_kick(&mut self, gone: &Gone, port: &mut Port) -> Close {
        let (reason, why) = match gone {
            Gone::TakenOver => {
                (Reason::SESSION_TAKEN_OVER, "another connection took over the client id".into())
            }
            Gone::Deleted => (Reason::ADMINISTRATIVE_ACTION, "the session was deleted".into()),
            Gone::Closed(why) => (Reason::ADMINISTRATIVE_ACTION, why.clone()),
        };
        self.say_goodbye(reason, &why, port);
        Close::Refused(why)
    }

    /// Has `packet` sent once everything this client caused before is durable.
    fn defer(&mut self, packet: Bytes, port: &mut Port) {
        self.deferred.get_or_insert_default().push_back(packet);
        port.traffic.answered();
        port.confirm(Reply::Deferred.token());
        port.flush(Bytes::new());
    }

    fn on_closed(&mut self, port: &mut Port) {
        self.let_will_go(port);
        self.settle_acked(port);
        self.count_unfinished(port);
        port.client_went();
        for (tag, sub) in self.subs.drain() {
            self.end_live(tag, &sub, port);
        }
        self.park(port);
        port.release(&self.client_id);
    }
}
