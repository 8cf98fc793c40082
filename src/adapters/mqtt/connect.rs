//! CONNECT: who the client is, and which session is its own.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{CoreEvent, QueueCell};
use wharfmq_mqtt::state::{IdSet, KeepAlive, PacketIds};
use wharfmq_mqtt::{
    Connack, Connect, ConnectReturn, Error, Properties, PropertyId, Reason, Refusal, Version, decode_connect,
    encode,
};

use super::answers::fitting;
use super::auth::{Opening, Proof};
use super::connack::{self, Offer};
use super::flights::Flights;
use super::outbound_alias::Aliases;
use super::rate::Rate;
use super::session::{self, Life};
use super::subscriptions::Subscriptions;
use super::will::will_of;
use super::{Close, MqttOptions, MqttSession, Open, Phase, Progress, QUEUE_SUB};
use crate::adapters::destination::mqtt_address;
use crate::adapters::routes::Routes;
use crate::broker::{Cause, Claim, Port, Will, WillId};

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
    problem_information: bool,
    /// Topic aliases that the client takes.
    client_aliases: u16,
    /// The properties of CONNACK.
    offer: Bytes,
    will: Option<Box<Will>>,
    /// Who it is, where it has proved that by a method.
    pub(super) proof: Option<Box<Proof>>,
}

/// What a client finds of its session.
struct Found {
    /// Its queue, where it outlives the connection.
    cell: Option<Arc<QueueCell>>,
    /// It is that of an earlier connection.
    present: bool,
    /// An earlier one has just ended.
    ended: bool,
}

/// A CONNECT that is not accepted.
struct Refused {
    version: Version,
    reason: Reason,
    /// What is wrong and what would be right.
    why: String,
    /// The largest packet the client takes.
    max_packet: u32,
}

impl MqttSession {
    pub(super) fn on_connect(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        let (len, opening, arriving) = match decode_connect(input, self.options.max_packet_before_login) {
            Ok(None) => return Ok(Progress::NeedInput),
            Ok(Some(decoded)) => {
                let arriving = Arriving::new(&decoded.packet, &self.options, port);
                (decoded.len, Opening::of(&decoded.packet), arriving)
            }
            Err(error) => {
                if error.error == Error::PacketTooLarge {
                    port.count(Cause::PacketTooLarge);
                }
                let why = format!("{} [{}]", error.error.text(), error.error.clause());
                if let Some(refusal) = error.refusal() {
                    let version = error.version.unwrap_or(Version::V311);
                    send_refusal(version, refusal, &why, u32::MAX, port);
                }
                return Err(Close::Violation(format!("CONNECT: {why}")));
            }
        };
        let arriving = match arriving {
            Ok(arriving) => arriving,
            Err(Refused { version, reason, why, max_packet }) => {
                send_refusal(version, Refusal::V5(reason), &why, max_packet, port);
                return Err(Close::Refused(format!("CONNECT: {reason}: {why}")));
            }
        };
        drop(input.split_to(len));
        self.prove(arriving, opening, port)?;
        Ok(self.progress(input))
    }

    /// It is known who the client is: asks for its client id.
    pub(super) fn claim(&mut self, mut arriving: Arriving, port: &mut Port) -> Result<(), Close> {
        let claim = port.claim(&arriving.client_id);
        arriving.patience = port.now.mono.plus(Millis(PATIENCE_MS));
        self.phase = Phase::Arriving(Box::new(arriving));
        if claim == Claim::Granted { self.arrive(port) } else { Ok(()) }
    }

    /// What may be done with `input` after a packet of the handshake.
    pub(super) fn progress(&self, input: &BytesMut) -> Progress {
        match &self.phase {
            Phase::Arriving(_) => Progress::Wait,
            Phase::Proving(proving) if proving.waits() => Progress::Wait,
            _ if input.is_empty() => Progress::NeedInput,
            _ => Progress::More,
        }
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
        let session = arriving.find_session(will, port)?;
        if let Phase::Arriving(arriving) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.phase = Phase::Open(Box::new(arriving.open(&self.options, will, session, port)));
        }
        Ok(())
    }
}

impl Arriving {
    fn new(connect: &Connect<'_>, options: &MqttOptions, port: &Port) -> Result<Self, Refused> {
        let version = connect.version;
        let properties = connect.properties;
        let max_packet = properties.u32(PropertyId::MaximumPacketSize).unwrap_or(u32::MAX);
        let refused = |reason, why: String| Err(Refused { version, reason, why, max_packet });
        if connect.client_id.len() > CLIENT_ID_BYTES_MAX {
            let why = format!("the client id has more than {CLIENT_ID_BYTES_MAX} bytes");
            return refused(Reason::CLIENT_IDENTIFIER_NOT_VALID, why);
        }
        if connect.client_id.is_empty() && !version.is_v5() && !connect.clean_start {
            let why = "an empty client id needs a clean session".into();
            return refused(Reason::CLIENT_IDENTIFIER_NOT_VALID, why);
        }
        if let Some(why) = connect.will.as_ref().and_then(|will| options.check_will(will)) {
            port.count(why.cause());
            return refused(why.reason(), format!("the will: {}", why.text(options)));
        }
        let assigned = connect.client_id.is_empty();
        let client_id = if assigned {
            ByteString::from(format!("auto-{:016x}-{}", port.now.wall.0, port.conn().0))
        } else {
            ByteString::from(connect.client_id)
        };
        let will = connect.will.as_ref().map(|will| will_of(will, version)).transpose();
        let will = will.map_err(|reason| Refused {
            version,
            reason,
            why: "the will's topic cannot be published to".into(),
            max_packet,
        })?;
        let seconds = properties.u32(PropertyId::SessionExpiryInterval);
        let life = Life::new(session::asked(version, connect.clean_start, seconds), options);
        let (keep_alive, told) = connack::keep_alive(connect.keep_alive, options.max_keep_alive);
        let offer = Offer {
            options,
            client_id: &client_id,
            assigned,
            keep_alive: told.then_some(keep_alive),
            life,
            asks_response: properties.flag(PropertyId::RequestResponseInformation).unwrap_or(false),
            max_packet,
        };
        let offer = if version.is_v5() { offer.properties() } else { Some(Bytes::new()) };
        let Some(offer) = offer else {
            let why = "the answer to CONNECT is larger than your maximum packet size";
            return refused(Reason::PACKET_TOO_LARGE, why.into());
        };
        Ok(Self {
            client_id,
            patience: Millis::NEVER,
            version,
            clean_start: connect.clean_start,
            keep_alive: KeepAlive(keep_alive),
            life,
            window: properties
                .u16(PropertyId::ReceiveMaximum)
                .unwrap_or(options.max_inflight)
                .min(options.max_inflight),
            client_max_packet: max_packet,
            problem_information: properties.flag(PropertyId::RequestProblemInformation).unwrap_or(true),
            client_aliases: properties.u16(PropertyId::TopicAliasMaximum).unwrap_or(0),
            offer,
            will: will.flatten(),
            proof: None,
        })
    }

    pub(super) const fn version(&self) -> Version {
        self.version
    }

    pub(super) const fn client_max_packet(&self) -> u32 {
        self.client_max_packet
    }

    /// Tells the client that it is not let in.
    pub(super) fn refuse(&self, reason: Reason, why: &str, port: &mut Port) {
        send_refusal(self.version, Refusal::V5(reason), why, self.client_max_packet, port);
    }

    /// Stores the will: whoever is let in can rely on it.
    fn leave_will(&mut self, port: &mut Port) -> Result<Option<WillId>, Close> {
        let Some(will) = self.will.take() else { return Ok(None) };
        let left = port.leave_will(&self.client_id, *will, self.life.granted);
        left.map(Some).map_err(|refused| {
            let why = refused.to_string();
            send_refusal(
                self.version,
                Refusal::V5(Reason::QUOTA_EXCEEDED),
                &why,
                self.client_max_packet,
                port,
            );
            Close::Refused(format!("CONNECT: {refused}"))
        })
    }

    /// The session to go on with, or a new one if it is to outlive the connection.
    fn find_session(&self, will: Option<WillId>, port: &mut Port) -> Result<Found, Close> {
        let name = &self.client_id;
        let mut session = Found { cell: port.find(Class::Session, name), present: false, ended: false };
        if let Some(cell) = &session.cell {
            port.expire_queue(cell, Millis::NEVER);
            if self.clean_start || cell.lock().is_deleted() {
                // A deletion that fails is logged where it happens; the session begins anew all the same.
                let _ = port.delete(cell);
                (session.cell, session.ended) = (None, true);
            }
        }
        session.present = session.cell.is_some();
        if !session.present && self.life.granted > Millis(0) {
            match port.open(Class::Session, name, true) {
                Ok((cell, _)) => session.cell = Some(cell),
                Err(refused) => {
                    will.into_iter().for_each(|will| port.drop_will(will));
                    self.refuse(Reason::QUOTA_EXCEEDED, &refused.to_string(), port);
                    return Err(Close::Refused(format!("CONNECT: {refused}")));
                }
            }
        }
        Ok(session)
    }

    fn open(
        mut self,
        options: &Arc<MqttOptions>,
        will: Option<WillId>,
        session: Found,
        port: &mut Port,
    ) -> Open {
        let Found { cell: kept, present, ended } = session;
        port.client_came();
        port.introduce(&self.client_id);
        port.traffic.heard();
        port.exchange_will(&self.client_id, present, will);
        let mut open = Open {
            options: Arc::clone(options),
            version: self.version,
            client_id: self.client_id.clone(),
            keep_alive: self.keep_alive,
            heard: port.now.mono,
            client_max_packet: self.client_max_packet,
            window: self.window,
            problem_information: self.problem_information,
            unanswered: 0,
            rate: options.max_publish_rate.and_then(|rate| Rate::new(rate, port.now.mono)),
            outbound: Aliases::new(self.client_aliases, options.topic_aliases),
            answered: false,
            draining: false,
            parted: false,
            kicked: None,
            life: self.life,
            routes: Routes::new(|topic| mqtt_address(topic).map_err(|error| error.to_string())),
            subs: Subscriptions::default(),
            ids: PacketIds::default(),
            inbound: IdSet::new(),
            aliases: None,
            cursor: 0,
            will,
            proof: self.proof.take(),
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
        self.answer(present, &mut open, kept.is_some() || will.is_some() || ended, port);
        if let Some(cell) = kept {
            open.take_up(&cell, present, port);
        }
        open
    }

    fn answer(&self, session_present: bool, open: &mut Open, stored: bool, port: &mut Port) {
        let mut properties = BytesMut::from(&self.offer[..]);
        if let Some(proof) = &mut open.proof {
            properties.extend_from_slice(&proof.properties());
        }
        let properties = Properties::from_raw(&properties);
        let connack = Connack { session_present, code: Reason::SUCCESS, properties };
        let mut packet = BytesMut::new();
        let _ = encode::connack(&mut packet, self.version, &connack);
        if stored {
            open.defer(packet.freeze(), port);
        } else {
            port.traffic.answered();
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

fn send_refusal(version: Version, refusal: Refusal, why: &str, most: u32, port: &mut Port) {
    let code = match refusal {
        Refusal::V3(code) => Reason(code as u8),
        Refusal::V5(reason) if version.is_v5() => reason,
        Refusal::V5(reason) => match reason.to_connack_v3() {
            // Where no return code says it the connection is closed without one (MQTT-3.2.2-6 of 3.1.1).
            ConnectReturn::ServerUnavailable if !is_unavailable(reason) => return,
            code => Reason(code as u8),
        },
    };
    let texts: &[_] = if version.is_v5() { &[(PropertyId::ReasonString, why)] } else { &[] };
    let packet = fitting(most, texts, |out, properties| {
        encode::connack(out, version, &Connack { session_present: false, code, properties })
    });
    port.out.put(&packet);
}

/// Whether a client does well to try again later, which is what "server unavailable" tells those of MQTT 3.
const fn is_unavailable(reason: Reason) -> bool {
    matches!(reason, Reason::SERVER_UNAVAILABLE | Reason::SERVER_BUSY | Reason::SERVER_SHUTTING_DOWN)
}
