//! CONNECT, which tells the version of all that follows, and CONNACK (3.1, 3.2).

use super::{CONNECT, Decoded};
use crate::property::{self, Place};
use crate::read::Reader;
use crate::topic::check_topic;
use crate::{Connack, Connect, ConnectReturn, Error, Properties, Qos, Reason, Version, Will, frame};
use core::fmt;

/// Why a CONNECT was not accepted, and in which version the refusal is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// What is wrong.
    pub error: Error,
    /// The version of the refusal; `None` if the bytes do not look like MQTT or the packet was not read.
    pub version: Option<Version>,
}

/// What to send before the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A CONNACK of MQTT 3.x with this return code.
    V3(ConnectReturn),
    /// A CONNACK of MQTT 5 with this reason code.
    V5(Reason),
}

impl ConnectError {
    /// The CONNACK to send before closing; `None` to close without a word.
    ///
    /// MQTT 3.x has return codes only for an unsupported level (MQTT-3.1.2-2) and a rejected client identifier
    /// (MQTT-3.1.3-8); everything else is answered by closing (MQTT-3.1.4-1 of 3.1.1).
    #[must_use]
    pub const fn refusal(self) -> Option<Refusal> {
        match (self.version, self.error) {
            (Some(Version::V5), error) => Some(Refusal::V5(error.reason())),
            (Some(_), Error::ProtocolLevel | Error::ClientIdRejected) => {
                Some(Refusal::V3(self.error.reason().to_connack_v3()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for ConnectError {}

/// Decodes the CONNECT a connection has to begin with; `Ok(None)` while it is not complete.
///
/// Anything else is refused at its first byte. `max_packet` counts the whole packet, in bytes.
///
/// # Errors
/// What is wrong, with [`ConnectError::refusal`] for the answer.
pub fn decode_connect(input: &[u8], max_packet: u32) -> Result<Option<Decoded<Connect<'_>>>, ConnectError> {
    let unread = |error| ConnectError { error, version: None };
    match input.first() {
        None => return Ok(None),
        Some(first) if first >> 4 != CONNECT => return Err(unread(Error::FirstPacketNotConnect)),
        Some(first) if first & 0x0F != 0 => return Err(unread(Error::FixedHeaderFlags)),
        Some(_) => {}
    }
    let Some(head) = frame(input, max_packet).map_err(unread)? else { return Ok(None) };
    let len = head.total_len as usize;
    let Some(body) = input.get(usize::from(head.header_len)..len) else { return Ok(None) };
    let mut body = Reader::new(body);
    let version = read_version(&mut body)?;
    let in_version = |error| ConnectError { error, version: Some(version) };
    if version.is_v5() && !head.is_minimal() {
        return Err(in_version(Error::VarIntNotMinimal));
    }
    let packet = read_connect(body, version).map_err(in_version)?;
    Ok(Some(Decoded { packet, len }))
}

/// CONNACK, at the client's end.
pub(super) fn connack(mut body: Reader<'_>, version: Version) -> Result<Connack<'_>, Error> {
    let flags = body.u8()?;
    let code = Reason(body.u8()?);
    // The byte is reserved in MQTT 3.1, which has no session present.
    let session_present = version != Version::V31 && flags & 1 != 0;
    if flags > 1 && version != Version::V31 {
        return Err(Error::ConnackFlags);
    }
    if session_present && code != Reason::SUCCESS {
        return Err(Error::SessionPresentOnFailure);
    }
    let (allowed, properties) = if version.is_v5() {
        (allowed_in_connack(code), property::read(&mut body, Place::Connack)?)
    } else {
        (code.0 <= ConnectReturn::NotAuthorized as u8, Properties::EMPTY)
    };
    if !allowed {
        return Err(Error::ReasonCode);
    }
    body.finish()?;
    Ok(Connack { session_present, code, properties })
}

fn read_version(body: &mut Reader<'_>) -> Result<Version, ConnectError> {
    let unread = |error| ConnectError { error, version: None };
    let name = body.binary().map_err(unread)?;
    if name != b"MQTT" && name != b"MQIsdp" {
        return Err(unread(Error::ProtocolName));
    }
    match (name, body.u8().map_err(unread)?) {
        (b"MQIsdp", 3) => Ok(Version::V31),
        (b"MQTT", 4) => Ok(Version::V311),
        (b"MQTT", 5) => Ok(Version::V5),
        (b"MQTT", 6..=0x7F) => Err(ConnectError { error: Error::ProtocolLevel, version: Some(Version::V5) }),
        // Bridges set the top bit of level 3 or 4 and try again without it on return code 1.
        _ => Err(ConnectError { error: Error::ProtocolLevel, version: Some(Version::V311) }),
    }
}

/// The connect flags (3.1.2.3).
struct Flags(u8);

impl Flags {
    const RESERVED: u8 = 0x01;
    const CLEAN: u8 = 0x02;
    const WILL: u8 = 0x04;
    const WILL_RETAIN: u8 = 0x20;
    const PASSWORD: u8 = 0x40;
    const USER_NAME: u8 = 0x80;

    const fn has(&self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    const fn will_qos(&self) -> u8 {
        self.0 >> 3 & 3
    }

    /// Checks what the flags alone can say.
    const fn check(&self, version: Version) -> Result<(), Error> {
        if self.has(Self::RESERVED) && !matches!(version, Version::V31) {
            return Err(Error::ConnectReservedFlag);
        }
        if !self.has(Self::WILL) && (self.has(Self::WILL_RETAIN) || self.will_qos() != 0) {
            return Err(Error::WillFlagsWithoutWill);
        }
        if self.has(Self::PASSWORD) && !self.has(Self::USER_NAME) && !version.is_v5() {
            return Err(Error::PasswordWithoutUserName);
        }
        Ok(())
    }
}

/// Everything after the protocol level.
fn read_connect(mut body: Reader<'_>, version: Version) -> Result<Connect<'_>, Error> {
    let flags = Flags(body.u8()?);
    flags.check(version)?;
    let clean_start = flags.has(Flags::CLEAN);
    let keep_alive = body.u16()?;
    let properties = read_properties(&mut body, version, Place::Connect)?;
    let client_id = body.text()?;
    // MQTT 3.1 knows no empty identifier at all, MQTT 5 always allows it.
    if client_id.is_empty() && (version == Version::V31 || version == Version::V311 && !clean_start) {
        return Err(Error::ClientIdRejected);
    }
    let will = if flags.has(Flags::WILL) { Some(read_will(&mut body, version, &flags)?) } else { None };
    // MQTT 3.1 allows both to be missing in spite of their flags, for the sake of clients of version 3.
    let present = |body: &Reader<'_>, flag| flags.has(flag) && !(version == Version::V31 && body.is_empty());
    let user_name = if present(&body, Flags::USER_NAME) { Some(body.text()?) } else { None };
    let password = if present(&body, Flags::PASSWORD) { Some(body.binary()?) } else { None };
    body.finish()?;
    Ok(Connect { version, clean_start, keep_alive, client_id, will, user_name, password, properties })
}

fn read_will<'a>(body: &mut Reader<'a>, version: Version, flags: &Flags) -> Result<Will<'a>, Error> {
    let qos = Qos::from_bits(flags.will_qos()).ok_or(Error::WillQos)?;
    let properties = read_properties(body, version, Place::Will)?;
    let topic = body.text()?;
    check_topic(topic)?;
    let payload = body.binary()?;
    Ok(Will { qos, retain: flags.has(Flags::WILL_RETAIN), topic, payload, properties })
}

fn read_properties<'a>(
    body: &mut Reader<'a>,
    version: Version,
    place: Place,
) -> Result<Properties<'a>, Error> {
    if version.is_v5() { property::read(body, place) } else { Ok(Properties::EMPTY) }
}

/// MQTT-3.2.2-8.
const fn allowed_in_connack(code: Reason) -> bool {
    matches!(code.0, 0 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F)
}
