//! CONNECT: who the client is, and which session is its own.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{CoreEvent, QueueCell};
use wharfmq_mqtt::state::{IdSet, InboundAliases, KeepAlive, PacketIds};
use wharfmq_mqtt::{
    Connack, Connect, PropertyId, PropertyWriter, Reason, Refusal, Value, Version, decode_connect, encode,
};

use super::flights::Flights;
use super::session::{self, Life};
use super::will::will_of;
use super::{Close, MqttOptions, MqttSession, Open, Phase, Progress, QUEUE_SUB};
use crate::adapters::destination::mqtt_address;
use crate::adapters::routes::Routes;
use crate::broker::{Claim, Port, Will, WillId};

/// How long a newcomer waits for the holder of its client id to let go, in milliseconds.
const PATIENCE_MS: u64 = 1_000;
/// Bytes of a client id.
const CLIENT_ID_BYTES_MAX: usize = 1_024;

/// A client that has said CONNECT and waits for its client id.
pub(super) struct Arriving {
    pub(super) client_id: ByteString,
    /// When it takes the client id whoever holds it, on the monotonic clock.
    pub(super) patience: Millis,
    version: Version,
    clean_start: bool,
    keep_alive: KeepAlive,
    life: Life,
    window: u16,
    client_max_packet: u32,
    assigned: bool,
    will: Option<Box<Will>>,
}

impl MqttSession {
    pub(super) fn on_connect(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        let (len, arriving) = match decode_connect(input, self.options.max_packet_before_login) {
            Ok(None) => return Ok(Progress::NeedInput),
            Ok(Some(decoded)) => (decoded.len, Arriving::new(&decoded.packet, &self.options, port)),
            Err(error) => {
                if let Some(refusal) = error.refusal() {
                    let version = error.version.unwrap_or(Version::V311);
                    send_refusal(version, refusal, port);
                }
                return Err(Close::Violation(format!(
                    "CONNECT: {} [{}]",
                    error.error.text(),
                    error.error.clause()
                )));
            }
        };
        let arriving = match arriving {
            Ok(arriving) => arriving,
            Err((version, reason)) => {
                send_refusal(version, Refusal::V5(reason), port);
                return Err(Close::Refused(format!("CONNECT: {reason}")));
            }
        };
        drop(input.split_to(len));
        let claim = port.claim(&arriving.client_id);
        self.phase = Phase::Arriving(Box::new(arriving));
        match claim {
            Claim::Granted => self.arrive(port)?,
            Claim::Wait => return Ok(Progress::Wait),
        }
        Ok(if input.is_empty() { Progress::NeedInput } else { Progress::More })
    }

    pub(super) fn on_claim_events(&mut self, port: &mut Port) -> Result<(), Close> {
        while let Some(event) = port.events.pop_front() {
            port.taken(event.bytes());
            match event {
                CoreEvent::Claimed => self.arrive(port)?,
                CoreEvent::Kick(_) => {
                    return Err(Close::Refused("another connection took over the client id".into()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn claim_now(&mut self, port: &mut Port) -> Result<(), Close> {
        if let Phase::Arriving(arriving) = &self.phase
            && arriving.patience <= port.now.mono
        {
            port.claim_now(&arriving.client_id);
            self.arrive(port)?;
        }
        Ok(())
    }

    /// The client id is ours: answers CONNECT and takes up the session.
    fn arrive(&mut self, port: &mut Port) -> Result<(), Close> {
        let Phase::Arriving(arriving) = &mut self.phase else { return Ok(()) };
        let will = arriving.leave_will(port)?;
        if let Phase::Arriving(arriving) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.phase = Phase::Open(Box::new(arriving.open(&self.options, will, port)));
        }
        Ok(())
    }
}

impl Arriving {
    fn new(connect: &Connect<'_>, options: &MqttOptions, port: &Port) -> Result<Self, (Version, Reason)> {
        let version = connect.version;
        let properties = connect.properties;
        let refused = |reason| Err((version, reason));
        if properties.text(PropertyId::AuthenticationMethod).is_some() {
            return refused(Reason::BAD_AUTHENTICATION_METHOD);
        }
        if connect.client_id.len() > CLIENT_ID_BYTES_MAX {
            return refused(Reason::CLIENT_IDENTIFIER_NOT_VALID);
        }
        if connect.client_id.is_empty() && !version.is_v5() && !connect.clean_start {
            return refused(Reason::CLIENT_IDENTIFIER_NOT_VALID);
        }
        let assigned = connect.client_id.is_empty();
        let client_id = if assigned {
            ByteString::from(format!("auto-{:016x}-{}", port.now.wall.0, port.conn().0))
        } else {
            ByteString::from(connect.client_id)
        };
        let will = connect.will.as_ref().map(|will| will_of(will, version)).transpose();
        let will = will.map_err(|reason| (version, reason))?.flatten();
        let seconds = properties.u32(PropertyId::SessionExpiryInterval);
        Ok(Self {
            client_id,
            patience: port.now.mono.plus(Millis(PATIENCE_MS)),
            version,
            clean_start: connect.clean_start,
            keep_alive: KeepAlive(connect.keep_alive),
            life: Life::new(session::asked(version, connect.clean_start, seconds), options),
            window: properties
                .u16(PropertyId::ReceiveMaximum)
                .unwrap_or(options.max_inflight)
                .min(options.max_inflight),
            client_max_packet: properties.u32(PropertyId::MaximumPacketSize).unwrap_or(u32::MAX),
            assigned,
            will,
        })
    }

    /// Stores the will: whoever is let in can rely on it.
    fn leave_will(&mut self, port: &mut Port) -> Result<Option<WillId>, Close> {
        let Some(will) = self.will.take() else { return Ok(None) };
        let left = port.leave_will(&self.client_id, *will, self.life.granted);
        left.map(Some).map_err(|refused| {
            send_refusal(self.version, Refusal::V5(Reason::QUOTA_EXCEEDED), port);
            Close::Refused(format!("CONNECT: {refused}"))
        })
    }

    fn open(self, options: &Arc<MqttOptions>, will: Option<WillId>, port: &mut Port) -> Open {
        let name = self.client_id.clone();
        let mut found = port.find(Class::Session, &name);
        if let Some(cell) = &found {
            port.expire_queue(cell, Millis::NEVER);
            if self.clean_start || cell.lock().is_deleted() {
                // A deletion that fails is logged where it happens; the session begins anew all the same.
                let _ = port.delete(cell);
                found = None;
            }
        }
        let present = found.is_some();
        port.exchange_will(&name, present, will);
        let kept = match found {
            None if self.life.granted > Millis(0) => {
                port.open(Class::Session, &name, true).ok().map(|(cell, _)| cell)
            }
            found => found,
        };
        let mut open = Open {
            options: Arc::clone(options),
            version: self.version,
            client_id: self.client_id.clone(),
            keep_alive: self.keep_alive,
            heard: port.now.mono,
            client_max_packet: self.client_max_packet,
            window: self.window,
            answered: false,
            draining: false,
            kicked: None,
            life: self.life,
            routes: Routes::new(|topic| mqtt_address(topic).map_err(|error| error.to_string())),
            subs: Vec::new(),
            ids: PacketIds::default(),
            inbound: IdSet::new(),
            aliases: InboundAliases::new(if self.version.is_v5() { options.topic_aliases } else { 0 }),
            cursor: 0,
            will,
            queue: None,
            flights: Flights::default(),
            deferred: None,
            retained: None,
            writing: None,
        };
        if let Some(cell) = &kept {
            port.expel(cell);
            open.begin_life(cell, port);
        }
        self.answer(present, &mut open, kept.is_some() || will.is_some(), port);
        if let Some(cell) = kept {
            open.take_up(&cell, present, port);
        }
        open
    }

    fn answer(&self, session_present: bool, open: &mut Open, stored: bool, port: &mut Port) {
        let mut scratch = BytesMut::new();
        let mut writer = PropertyWriter::new(&mut scratch);
        if self.version.is_v5() {
            // None of these can fail: the values are in range and the texts short.
            let _ = writer.put(PropertyId::MaximumPacketSize, Value::U32(open.options.max_packet));
            let _ = writer.put(PropertyId::TopicAliasMaximum, Value::U16(open.options.topic_aliases));
            self.life.tell(&mut writer);
            if self.assigned {
                let _ = writer.put(PropertyId::AssignedClientIdentifier, Value::Text(&self.client_id));
            }
        }
        let connack = Connack { session_present, code: Reason::SUCCESS, properties: writer.finish() };
        let mut packet = BytesMut::new();
        let _ = encode::connack(&mut packet, self.version, &connack);
        if stored {
            open.defer(packet.freeze(), port);
        } else {
            port.out.put(&packet);
            open.answered = true;
        }
    }
}

impl Open {
    /// Takes up the session's queue, with the subscriptions and the flights of earlier connections.
    fn take_up(&mut self, cell: &Arc<QueueCell>, present: bool, port: &mut Port) {
        port.set_own(Some(cell));
        self.queue = Some((Arc::clone(cell), None));
        if present {
            self.restore_subscriptions(cell, port);
            self.resume(cell, port);
        }
        port.flush(Bytes::new());
        match port.consume(cell, self.want(QUEUE_SUB)) {
            Ok(consumer) => self.queue = Some((Arc::clone(cell), Some(consumer))),
            Err(error) => {
                tracing::error!(client = %self.client_id, %error, "a session cannot be consumed from")
            }
        }
    }
}

fn send_refusal(version: Version, refusal: Refusal, port: &mut Port) {
    let code = match refusal {
        Refusal::V3(code) => Reason(code as u8),
        Refusal::V5(reason) if version.is_v5() => reason,
        Refusal::V5(reason) => Reason(reason.to_connack_v3() as u8),
    };
    let connack = Connack { session_present: false, code, properties: wharfmq_mqtt::Properties::EMPTY };
    // Cannot fail: nothing in the packet has a length of its own.
    let _ = port.out.with(|out| encode::connack(out, version, &connack));
}
