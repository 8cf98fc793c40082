//! What the protocol remembers of a connection: its version, heart-beats and acknowledgement modes.

use std::fmt;

use crate::error::Error;
use crate::frame::Version;

/// All that is spoken here, as a header value.
pub const SUPPORTED_VERSIONS: &str = "1.0,1.1,1.2";

/// How many of its intervals a peer may be silent before it counts as dead.
///
/// The specification asks for some margin against timing inaccuracies. A peer sends when its own timer
/// fires, so one beat may follow the last by almost an interval plus its timer's delay and the network's;
/// a second interval covers one that is late or delayed behind a large frame, and still finds a dead peer
/// in a time that the client itself chose.
pub const PEER_GRACE: u64 = 2;

/// The highest version common to the header `accept-version` and this crate (1.1 and 1.2, "Protocol
/// Negotiation"). Without the header it is 1.0; unknown versions in the list are passed over.
///
/// # Errors
/// [`Error::Version`], whose text is the body of the ERROR frame that the specification shows.
pub fn negotiate(accept_version: Option<&str>) -> Result<Version, Error> {
    let Some(list) = accept_version else { return Ok(Version::V1_0) };
    list.split(',').filter_map(|name| Version::parse(name.trim())).max().ok_or(Error::Version)
}

/// A `heart-beat` header: what its sender can do and what it would like, in milliseconds. 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartBeat {
    /// The shortest interval at which it can promise beats.
    pub can_send_ms: u32,
    /// The interval at which it wants to get them.
    pub wants_ms: u32,
}

impl HeartBeat {
    /// Reads the value of the header; no header is the same as `0,0`. Numbers above 2^32 - 1 count as that.
    ///
    /// # Errors
    /// [`Error::HeartBeat`] unless it is two decimal numbers with a comma between. Spaces around them
    /// are tolerated.
    pub fn parse(value: Option<&str>) -> Result<Self, Error> {
        let Some(value) = value else { return Ok(Self::default()) };
        let (can_send, wants) = value.split_once(',').ok_or(Error::HeartBeat)?;
        Ok(Self { can_send_ms: parse_ms(can_send)?, wants_ms: parse_ms(wants)? })
    }
}

impl fmt::Display for HeartBeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.can_send_ms, self.wants_ms)
    }
}

/// The heart-beats agreed on, seen from one side. Times are milliseconds of any steady clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartBeats {
    /// The interval this side has promised, or 0 for none.
    pub send_ms: u32,
    /// The interval the peer has promised, or 0 for none.
    pub expect_ms: u32,
}

impl HeartBeats {
    /// From the headers of both sides: in each direction the greater of what one can and the other
    /// wants, and none if either is 0 (1.1 and 1.2, "Heart-beating").
    pub fn agree(ours: HeartBeat, theirs: HeartBeat) -> Self {
        let interval = |can: u32, wants: u32| if can == 0 || wants == 0 { 0 } else { can.max(wants) };
        Self {
            send_ms: interval(ours.can_send_ms, theirs.wants_ms),
            expect_ms: interval(theirs.can_send_ms, ours.wants_ms),
        }
    }

    /// When to send an LF if nothing else is sent before: at three quarters of the interval, so that a
    /// timer that fires late still keeps the promise. None if nothing was promised.
    pub fn send_at(self, last_sent_ms: u64) -> Option<u64> {
        let interval = u64::from(self.send_ms);
        (interval > 0).then(|| last_sent_ms.saturating_add((interval * 3 / 4).max(1)))
    }

    /// When the peer counts as dead if nothing arrives before; see [`PEER_GRACE`]. Any byte is a sign
    /// of life, not only a whole frame. None if the peer promised nothing.
    pub fn dead_at(self, last_heard_ms: u64) -> Option<u64> {
        let interval = u64::from(self.expect_ms);
        (interval > 0).then(|| last_heard_ms.saturating_add(interval * PEER_GRACE))
    }
}

/// How the deliveries of a subscription are acknowledged ("SUBSCRIBE ack Header").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// By being sent.
    #[default]
    Auto,
    /// By ACK, which covers all deliveries of the subscription up to the one it names.
    Client,
    /// By ACK, each for itself. Since 1.1; accepted from 1.0 clients as well.
    ClientIndividual,
}

impl AckMode {
    /// Reads the value of the header `ack` of a SUBSCRIBE; no header is `auto`.
    ///
    /// # Errors
    /// [`Error::AckMode`] for any other word.
    pub fn parse(value: Option<&str>) -> Result<Self, Error> {
        match value {
            None | Some("auto") => Ok(Self::Auto),
            Some("client") => Ok(Self::Client),
            Some("client-individual") => Ok(Self::ClientIndividual),
            Some(_) => Err(Error::AckMode),
        }
    }

    /// As it stands in the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Client => "client",
            Self::ClientIndividual => "client-individual",
        }
    }
}

fn parse_ms(text: &str) -> Result<u32, Error> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::HeartBeat);
    }
    // Only digits: all that can fail is the size.
    Ok(digits.parse().unwrap_or(u32::MAX))
}
