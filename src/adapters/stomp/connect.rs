//! CONNECT: the version, the heart-beats, and who the client is.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use bytestring::ByteString;
use wharfmq_core::{Address, CoreEvent};
use wharfmq_stomp::{
    Command, Decoded, Frame, HeartBeat, HeartBeats, Limits, Version, decode, encode_connected, encode_error,
    encode_version_refused, negotiate,
};

use super::{Close, Open, Phase, Progress, StompSession};
use crate::adapters::destination::stomp_name;
use crate::adapters::routes::Routes;
use crate::broker::{Login, Port};
use crate::security::{Credentials, Denied, Principal};

/// As it stands in CONNECTED.
const SERVER: &str = concat!("WharfMQ/", env!("CARGO_PKG_VERSION"));
/// Bytes of a client id.
const CLIENT_ID_BYTES_MAX: usize = 1_024;

/// A client whose password is being checked.
pub(super) struct Proving {
    open: Box<Open>,
    user: Option<String>,
}

impl StompSession {
    pub(super) fn on_handshake(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        let limits = Limits { frame: self.options.max_frame_before_login, ..Limits::BEFORE_LOGIN };
        loop {
            let frame = match decode(input, &mut self.scan, &limits, Version::V1_0) {
                Ok(Decoded::Incomplete { .. }) => return Ok(Progress::NeedInput),
                Ok(Decoded::HeartBeat(len)) => {
                    input.advance(len);
                    continue;
                }
                Ok(Decoded::Frame(frame)) => frame,
                Err(error) => return Err(refuse(&error.to_string(), port)),
            };
            let len = frame.consumed();
            let open = Box::new(self.on_connect(&frame, port)?);
            let given = credentials(&frame, port)?;
            let user = given.as_ref().map(|given| given.user.clone());
            match port.login(given) {
                Login::Granted => self.welcome(open, port),
                Login::Wait => self.proving = Some(Box::new(Proving { open, user })),
                Login::Denied(why) => return Err(deny(user.as_deref(), why.text(), why, port)),
            }
            input.advance(len);
            return Ok(match &self.proving {
                Some(_) => Progress::Wait,
                None if input.is_empty() => Progress::NeedInput,
                None => Progress::More,
            });
        }
    }

    /// It is known who the client is.
    fn welcome(&mut self, mut open: Box<Open>, port: &mut Port) {
        let ours = self.heart_beat(open.version);
        port.out.with(|out| encode_connected(out, open.version, &open.session, SERVER, ours));
        (open.heard, open.sent) = (port.now.mono, port.now.mono);
        port.introduce(&open.session);
        self.open = Some(open);
    }

    /// What came of a password.
    pub(super) fn on_verdict(&mut self, port: &mut Port) -> Result<(), Close> {
        while let Some(event) = port.events.pop_front() {
            port.taken(event.bytes());
            let CoreEvent::Authenticated(verdict) = event else { continue };
            let Some(proving) = self.proving.take() else { continue };
            match verdict {
                Ok(name) => {
                    port.is_now(Principal { name: name.into() });
                    self.welcome(proving.open, port);
                    break;
                }
                Err(why) => return Err(deny(proving.user.as_deref(), why, Denied::WrongPassword, port)),
            }
        }
        Ok(())
    }

    /// What the broker offers; versions before 1.1 know no heart-beats.
    fn heart_beat(&self, version: Version) -> Option<HeartBeat> {
        (version > Version::V1_0).then_some(self.options.heart_beat)
    }

    fn on_connect(&self, frame: &Frame<'_>, port: &mut Port) -> Result<Open, Close> {
        if !matches!(frame.command(), Command::Connect | Command::Stomp) {
            return Err(refuse(&format!("{} before CONNECT", frame.command()), port));
        }
        let get = |name| frame.get(name);
        let read = || Ok((get("accept-version")?, get("heart-beat")?, get("client-id")?));
        let (versions, theirs, client_id) =
            read().map_err(|error: wharfmq_stomp::Error| refuse(&error.to_string(), port))?;
        let Ok(version) = negotiate(versions.as_deref()) else {
            port.out.with(encode_version_refused);
            return Err(Close::Violation("CONNECT: no common version".into()));
        };
        let theirs = HeartBeat::parse(theirs.as_deref()).map_err(|error| refuse(&error.to_string(), port))?;
        let client_id = client_id.filter(|id| !id.is_empty()).map(|id| ByteString::from(&*id));
        if client_id.as_ref().is_some_and(|id| id.len() > CLIENT_ID_BYTES_MAX) {
            return Err(refuse("client-id is too long", port));
        }
        let ours = self.heart_beat(version);
        let session = match &client_id {
            Some(id) => id.clone(),
            None => format!("ID:wharfmq-{:x}-{}", port.now.wall.0, port.conn().0).into(),
        };
        Ok(Open {
            version,
            limits: Limits { frame: self.options.max_frame, ..Limits::DEFAULT },
            client_id,
            session,
            beats: HeartBeats::agree(ours.unwrap_or_default(), theirs),
            heard: port.now.mono,
            sent: port.now.mono,
            phase: Phase::Open,
            routes: Routes::new(address),
            subs: Default::default(),
            receipts: Default::default(),
            acks: Default::default(),
            tx_acks: Vec::new(),
            raw: BytesMut::new(),
            cursor: 0,
            spelling: None,
            scratch: BytesMut::new(),
            replaying: VecDeque::new(),
        })
    }
}

/// What the client says of who it is.
fn credentials(frame: &Frame<'_>, port: &mut Port) -> Result<Option<Credentials>, Close> {
    let read = || Ok((frame.get("login")?, frame.get("passcode")?));
    let (login, passcode) = read().map_err(|error: wharfmq_stomp::Error| refuse(&error.to_string(), port))?;
    Ok(Credentials::given(login.as_deref(), passcode.as_deref().map(str::as_bytes)))
}

/// Refuses a login, and has the log say so; the client is not told which part was wrong.
fn deny(user: Option<&str>, why: &str, kind: Denied, port: &mut Port) -> Close {
    port.report_refused(user, why);
    let message = match kind {
        Denied::UnknownUser | Denied::WrongPassword | Denied::Unreadable => "login or passcode is wrong",
        Denied::Busy => "the broker is busy with other logins; try again",
        _ => "not authorized: login and passcode are needed",
    };
    port.out.with(|out| encode_error(out, Version::V1_0, message, None, "The connection closes."));
    Close::Refused(format!("login: {why}"))
}

/// Says why there is no session; by the rules of 1.0, as no version is agreed on.
fn refuse(why: &str, port: &mut Port) -> Close {
    port.out.with(|out| encode_error(out, Version::V1_0, why, None, "The connection closes."));
    Close::Violation(why.to_owned())
}

/// The destination that a client sends to.
fn address(text: &str) -> Result<Address, String> {
    stomp_name(text).and_then(|name| name.address()).map_err(|error| error.to_string())
}
