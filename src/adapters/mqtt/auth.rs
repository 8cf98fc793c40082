//! Who the client is: user name and password (3.1.3.5, 3.1.3.6), and enhanced authentication (4.12).
//!
//! Nothing of the session is touched before that is known: neither the client id is claimed nor another
//! connection pushed out.

use bytes::BytesMut;
use wharfmq_core::CoreEvent;
use wharfmq_mqtt::{
    Auth, Connect, Limits, Packet, Properties, PropertyId, PropertyWriter, Reason, Value, decode, encode,
};

use super::connect::Arriving;
use super::{Close, MqttSession, Open, Phase, Progress};
use crate::broker::{Login, Port};
use crate::security::scram::{Exchange, Failure, MECHANISM};
use crate::security::{Credentials, Denied, Principal, Users, random};

/// What a client hears that cannot prove who it is: the same for a name that nobody has, which would
/// otherwise tell those that somebody has.
const WRONG: &str = "the user name or the password is wrong";

/// How a CONNECT says who it is.
pub(super) enum Opening {
    /// By user name and password, or not at all.
    Plain(Option<Credentials>),
    /// By a method (3.1.2.11.9), with its first data (3.1.2.11.10) if there are any.
    Method { offered: bool, data: Option<Vec<u8>> },
}

/// A client whose CONNECT is read and who it is not yet known.
pub(super) struct Proving {
    arriving: Arriving,
    step: Step,
}

enum Step {
    /// The password of this user is being checked.
    Password(Option<String>),
    /// Packets go to and fro.
    Scram(Scram),
}

/// One run of SCRAM.
enum Scram {
    /// Nothing has been said; or, if so, the client was asked to.
    Fresh { asked: bool },
    /// The client's first message was answered.
    Begun(Box<Exchange>),
}

/// What comes next in a run.
enum Turn {
    Ask(Vec<u8>),
    Done(Principal, Vec<u8>),
}

/// Who a client has proved to be by a method, for as long as it stays.
pub(super) struct Proof {
    user: String,
    /// The server's last message, for CONNACK.
    last: Vec<u8>,
    /// The client is proving it anew (4.12.1).
    again: Option<Scram>,
}

impl Opening {
    pub(super) fn of(connect: &Connect<'_>) -> Self {
        match connect.properties.text(PropertyId::AuthenticationMethod) {
            Some(method) => Self::Method {
                offered: method == MECHANISM,
                data: connect.properties.binary(PropertyId::AuthenticationData).map(<[u8]>::to_vec),
            },
            None => Self::Plain(Credentials::given(connect.user_name, connect.password)),
        }
    }
}

impl Proving {
    /// Whether it is the broker's turn.
    pub(super) const fn waits(&self) -> bool {
        matches!(self.step, Step::Password(_))
    }
}

impl MqttSession {
    /// Finds out who has sent CONNECT, or begins to.
    pub(super) fn prove(
        &mut self,
        arriving: Arriving,
        opening: Opening,
        port: &mut Port,
    ) -> Result<(), Close> {
        let (offered, data) = match opening {
            Opening::Plain(given) => {
                let user = given.as_ref().map(|credentials| credentials.user.clone());
                match port.login(given) {
                    Login::Granted => self.claim(arriving, port)?,
                    Login::Wait => {
                        let step = Step::Password(user);
                        self.phase = Phase::Proving(Box::new(Proving { arriving, step }));
                    }
                    Login::Denied(why) => return Err(refuse(&arriving, user.as_deref(), why, port)),
                }
                return Ok(());
            }
            Opening::Method { offered, data } => (offered, data),
        };
        if !offered || port.users().is_none() {
            return Err(refuse(&arriving, None, Denied::Method, port));
        }
        let step = Step::Scram(Scram::Fresh { asked: false });
        self.prove_on(Box::new(Proving { arriving, step }), data.as_deref(), port)
    }

    /// Takes the next data of the method.
    fn prove_on(
        &mut self,
        mut proving: Box<Proving>,
        data: Option<&[u8]>,
        port: &mut Port,
    ) -> Result<(), Close> {
        let Step::Scram(scram) = &mut proving.step else { return Ok(()) };
        match scram.step(data, port) {
            Ok(Turn::Ask(data)) => {
                let packet = auth_packet(Reason::CONTINUE_AUTHENTICATION, &data);
                if packet.len() > proving.arriving.client_max_packet() as usize {
                    return Err(Close::Refused("the client takes no packet as large as AUTH".into()));
                }
                port.out.put(&packet);
                self.phase = Phase::Proving(proving);
                Ok(())
            }
            Ok(Turn::Done(principal, last)) => {
                let mut arriving = proving.arriving;
                arriving.proof = Some(Box::new(Proof { user: principal.name.clone(), last, again: None }));
                port.is_now(principal);
                self.claim(arriving, port)
            }
            Err(Failure { user, why }) => {
                Err(refuse_as(&proving.arriving, user.as_deref(), why, Reason::NOT_AUTHORIZED, port))
            }
        }
    }

    /// Packets before CONNACK: AUTH and DISCONNECT alone [MQTT-3.1.2-30].
    pub(super) fn on_proving_input(
        &mut self,
        input: &mut BytesMut,
        port: &mut Port,
    ) -> Result<Progress, Close> {
        let Phase::Proving(proving) = &self.phase else { return Ok(Progress::NeedInput) };
        if proving.waits() {
            return Ok(Progress::Wait);
        }
        let arriving = &proving.arriving;
        let limits = Limits::from_client(self.options.max_packet_before_login);
        let (len, data) = match decode(input, arriving.version(), limits) {
            Ok(None) => return Ok(Progress::NeedInput),
            Ok(Some(decoded)) => match decoded.packet {
                Packet::Disconnect(_) => return Err(Close::Clean),
                Packet::Auth(auth) if auth.reason == Reason::CONTINUE_AUTHENTICATION && is_ours(&auth) => {
                    (decoded.len, data_of(&auth))
                }
                _ => {
                    let why =
                        "another packet than the next AUTH of the method [MQTT-4.12.0-5, MQTT-3.1.2-30]";
                    arriving.refuse(Reason::PROTOCOL_ERROR, why, port);
                    return Err(Close::Violation(why.into()));
                }
            },
            Err(error) => {
                let why = format!("{} [{}]", error.text(), error.clause());
                arriving.refuse(error.reason(), &why, port);
                return Err(Close::Violation(why));
            }
        };
        drop(input.split_to(len));
        if let Phase::Proving(proving) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.prove_on(proving, data.as_deref(), port)?;
        }
        Ok(self.progress(input))
    }

    /// What came of a password.
    pub(super) fn on_proving_events(&mut self, port: &mut Port) -> Result<(), Close> {
        while let Some(event) = port.events.pop_front() {
            port.taken(event.bytes());
            let CoreEvent::Authenticated(verdict) = event else { continue };
            let Phase::Proving(proving) = std::mem::replace(&mut self.phase, Phase::Closed) else { break };
            let Step::Password(user) = proving.step else { break };
            match verdict {
                Ok(name) => {
                    port.is_now(Principal { name: name.into() });
                    self.claim(proving.arriving, port)?;
                }
                Err(why) => {
                    port.report_refused(user.as_deref(), why);
                    proving.arriving.refuse(Reason::BAD_USER_NAME_OR_PASSWORD, WRONG, port);
                    return Err(Close::Refused(format!("login: {why}")));
                }
            }
            break;
        }
        Ok(())
    }
}

impl Scram {
    fn step(&mut self, data: Option<&[u8]>, port: &Port) -> Result<Turn, Failure> {
        let failed = |why| Failure { user: None, why };
        match (std::mem::replace(self, Self::Fresh { asked: true }), data.unwrap_or_default()) {
            // The client begins in SCRAM; one that has said nothing yet is asked to.
            (Self::Fresh { asked: false }, []) => Ok(Turn::Ask(Vec::new())),
            (Self::Fresh { .. }, first) => {
                let users = port.users().ok_or_else(|| failed(Denied::NoUsers))?;
                let (exchange, answer) = begin(first, &users)?;
                *self = Self::Begun(Box::new(exchange));
                Ok(Turn::Ask(answer))
            }
            (Self::Begun(exchange), last) => {
                exchange.finish(last).map(|(principal, answer)| Turn::Done(principal, answer))
            }
        }
    }
}

fn begin(first: &[u8], users: &Users) -> Result<(Exchange, Vec<u8>), Failure> {
    let nonce = random().map_err(|why| Failure { user: None, why: Denied::Exchange(why) })?;
    Exchange::begin(first, &nonce, users)
}

impl Proof {
    /// The properties that CONNACK has of it [MQTT-4.12.0-5].
    pub(super) fn properties(&mut self) -> BytesMut {
        let mut block = BytesMut::new();
        put(&mut PropertyWriter::new(&mut block), &std::mem::take(&mut self.last));
        block
    }
}

impl Open {
    /// AUTH of a client that is connected: it proves anew who it is, and deliveries go on (4.12.1).
    pub(super) fn on_auth(&mut self, packet: &Auth<'_>, port: &mut Port) -> Result<(), Close> {
        let Some(mut proof) = self.proof.take() else {
            let why = "AUTH without an authentication method in CONNECT [MQTT-4.12.0-7]";
            self.say_goodbye(Reason::PROTOCOL_ERROR, why, port);
            return Err(Close::Violation(why.into()));
        };
        let done = self.prove_again(&mut proof, packet, port);
        self.proof = Some(proof);
        done
    }

    fn prove_again(&mut self, proof: &mut Proof, packet: &Auth<'_>, port: &mut Port) -> Result<(), Close> {
        let run = match (packet.reason, &mut proof.again) {
            _ if !is_ours(packet) => Err("AUTH with another authentication method [MQTT-4.12.1-1]"),
            (Reason::RE_AUTHENTICATE, again @ None) => Ok(again.insert(Scram::Fresh { asked: false })),
            (Reason::CONTINUE_AUTHENTICATION, Some(run)) => Ok(run),
            _ => Err("AUTH out of turn [MQTT-4.12.0-3]"),
        };
        let run = run.map_err(|why| {
            self.say_goodbye(Reason::PROTOCOL_ERROR, why, port);
            Close::Violation(why.into())
        })?;
        let data = data_of(packet);
        let (user, why) = match run.step(data.as_deref(), port) {
            Ok(Turn::Ask(data)) => return self.send_auth(Reason::CONTINUE_AUTHENTICATION, &data, port),
            Ok(Turn::Done(principal, last)) if principal.name == proof.user => {
                proof.again = None;
                return self.send_auth(Reason::SUCCESS, &last, port);
            }
            Ok(Turn::Done(principal, _)) => (Some(principal.name), Denied::OtherUser),
            Err(failure) => (failure.user, failure.why),
        };
        port.report_refused(user.as_deref().or(Some(&proof.user)), why.text());
        self.say_goodbye(Reason::NOT_AUTHORIZED, WRONG, port);
        Err(Close::Refused(format!("re-authentication: {why} [MQTT-4.12.1-2]")))
    }

    fn send_auth(&self, reason: Reason, data: &[u8], port: &mut Port) -> Result<(), Close> {
        let packet = auth_packet(reason, data);
        if packet.len() > self.client_max_packet as usize {
            return Err(Close::Refused("the client takes no packet as large as AUTH".into()));
        }
        port.out.put(&packet);
        Ok(())
    }
}

/// Whether an AUTH goes on with the method of CONNECT, the only one there is.
fn is_ours(auth: &Auth<'_>) -> bool {
    auth.properties.text(PropertyId::AuthenticationMethod) == Some(MECHANISM)
}

fn data_of(auth: &Auth<'_>) -> Option<Vec<u8>> {
    auth.properties.binary(PropertyId::AuthenticationData).map(<[u8]>::to_vec)
}

fn put(writer: &mut PropertyWriter<'_>, data: &[u8]) {
    // Neither can fail: both are shorter than 64 KiB.
    let _ = writer.put(PropertyId::AuthenticationMethod, Value::Text(MECHANISM));
    if !data.is_empty() {
        let _ = writer.put(PropertyId::AuthenticationData, Value::Binary(data));
    }
}

fn auth_packet(reason: Reason, data: &[u8]) -> BytesMut {
    let (mut packet, mut scratch) = (BytesMut::new(), BytesMut::new());
    let mut writer = PropertyWriter::new(&mut scratch);
    put(&mut writer, data);
    let properties: Properties<'_> = writer.finish();
    // Cannot fail: the properties are short.
    let _ = encode::auth(&mut packet, &Auth { reason, properties });
    packet
}

/// Refuses a CONNECT, and has the log say so.
fn refuse(arriving: &Arriving, user: Option<&str>, why: Denied, port: &mut Port) -> Close {
    let reason = match why {
        Denied::UnknownUser | Denied::WrongPassword | Denied::Unreadable => Reason::BAD_USER_NAME_OR_PASSWORD,
        Denied::Busy => Reason::SERVER_BUSY,
        Denied::Method => Reason::BAD_AUTHENTICATION_METHOD,
        Denied::Anonymous | Denied::NoUsers | Denied::Exchange(_) | Denied::OtherUser => {
            Reason::NOT_AUTHORIZED
        }
    };
    refuse_as(arriving, user, why, reason, port)
}

fn refuse_as(arriving: &Arriving, user: Option<&str>, why: Denied, reason: Reason, port: &mut Port) -> Close {
    port.report_refused(user, why.text());
    let told = match why {
        Denied::UnknownUser | Denied::WrongPassword | Denied::Unreadable | Denied::Exchange(_) => WRONG,
        _ => why.text(),
    };
    arriving.refuse(reason, told, port);
    Close::Refused(format!("login: {why}"))
}
