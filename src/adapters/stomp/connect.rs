//! CONNECT: the version, the heart-beats, and who the client is.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use bytestring::ByteString;
use wharfmq_core::Address;
use wharfmq_stomp::{
    Command, Decoded, Frame, HeartBeat, HeartBeats, Limits, Version, decode, encode_connected, encode_error,
    encode_version_refused, negotiate,
};

use super::{Close, Open, Phase, Progress, StompSession};
use crate::adapters::destination::stomp_name;
use crate::adapters::routes::Routes;
use crate::broker::Port;

/// As it stands in CONNECTED.
const SERVER: &str = concat!("WharfMQ/", env!("CARGO_PKG_VERSION"));
/// Bytes of a client id.
const CLIENT_ID_BYTES_MAX: usize = 1_024;

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
            self.open = Some(Box::new(self.on_connect(&frame, port)?));
            input.advance(len);
            return Ok(if input.is_empty() { Progress::NeedInput } else { Progress::More });
        }
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
        // Versions before 1.1 know no heart-beats.
        let ours = (version > Version::V1_0).then_some(self.options.heart_beat);
        let session = match &client_id {
            Some(id) => id.clone(),
            None => format!("ID:wharfmq-{:x}-{}", port.now.wall.0, port.conn().0).into(),
        };
        port.out.with(|out| encode_connected(out, version, &session, SERVER, ours));
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

/// Says why there is no session; by the rules of 1.0, as no version is agreed on.
fn refuse(why: &str, port: &mut Port) -> Close {
    port.out.with(|out| encode_error(out, Version::V1_0, why, None, "The connection closes."));
    Close::Violation(why.to_owned())
}

/// The destination that a client sends to.
fn address(text: &str) -> Result<Address, String> {
    stomp_name(text).and_then(|name| name.address()).map_err(|error| error.to_string())
}
