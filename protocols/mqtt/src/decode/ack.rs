//! The small packets: acknowledgements of PUBLISH, DISCONNECT and AUTH.

use super::{PUBACK, PUBREC, PUBREL};
use crate::property::{self, Place};
use crate::read::Reader;
use crate::{Ack, Auth, Disconnect, Error, Packet, PacketId, Peer, Properties, Reason};

/// An acknowledgement of four bytes, which nearly all are, and which every version and both sides write alike.
#[inline]
pub(super) fn shortest<'a>(kind: u8, packet_id: u16) -> Result<Packet<'a>, Error> {
    let ack = Ack::success(PacketId::new(packet_id).ok_or(Error::PacketIdZero)?);
    Ok(match kind {
        PUBACK => Packet::Puback(ack),
        PUBREC => Packet::Pubrec(ack),
        PUBREL => Packet::Pubrel(ack),
        _ => Packet::Pubcomp(ack),
    })
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP: in MQTT 5 the reason code may be left out if it is success, and the
/// property length if there are no properties (3.4.2.1).
#[inline]
pub(super) fn ack<'a>(mut body: Reader<'a>, v5: bool, allowed: fn(Reason) -> bool) -> Result<Ack<'a>, Error> {
    let packet_id = body.packet_id()?;
    let mut ack = Ack::success(packet_id);
    if v5 && !body.is_empty() {
        (ack.reason, ack.properties) = reason_and_properties(&mut body, Place::Ack)?;
        if !allowed(ack.reason) {
            return Err(Error::ReasonCode);
        }
    }
    body.finish()?;
    Ok(ack)
}

/// Reason codes of PUBACK and PUBREC (MQTT-3.4.2-1, MQTT-3.5.2-1).
pub(super) fn allowed_first(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::SUCCESS
            | Reason::NO_MATCHING_SUBSCRIBERS
            | Reason::UNSPECIFIED_ERROR
            | Reason::IMPLEMENTATION_SPECIFIC_ERROR
            | Reason::NOT_AUTHORIZED
            | Reason::TOPIC_NAME_INVALID
            | Reason::PACKET_IDENTIFIER_IN_USE
            | Reason::QUOTA_EXCEEDED
            | Reason::PAYLOAD_FORMAT_INVALID
    )
}

/// Reason codes of PUBREL and PUBCOMP (MQTT-3.6.2-1, MQTT-3.7.2-1).
pub(super) fn allowed_second(reason: Reason) -> bool {
    matches!(reason, Reason::SUCCESS | Reason::PACKET_IDENTIFIER_NOT_FOUND)
}

pub(super) fn disconnect(mut body: Reader<'_>, v5: bool, from: Peer) -> Result<Disconnect<'_>, Error> {
    let mut disconnect = Disconnect { reason: Reason::SUCCESS, properties: Properties::EMPTY };
    if v5 && !body.is_empty() {
        let place = match from {
            Peer::Client => Place::DisconnectUp,
            Peer::Server => Place::DisconnectDown,
        };
        (disconnect.reason, disconnect.properties) = reason_and_properties(&mut body, place)?;
        if !allowed_in_disconnect(disconnect.reason, from) {
            return Err(Error::ReasonCode);
        }
    }
    body.finish()?;
    Ok(disconnect)
}

pub(super) fn auth(mut body: Reader<'_>, from: Peer) -> Result<Auth<'_>, Error> {
    let mut auth = Auth { reason: Reason::SUCCESS, properties: Properties::EMPTY };
    let short = body.is_empty();
    if !short {
        auth.reason = Reason(body.u8()?);
        auth.properties = property::read(&mut body, Place::Auth)?;
    }
    let allowed = match from {
        Peer::Client => matches!(auth.reason, Reason::CONTINUE_AUTHENTICATION | Reason::RE_AUTHENTICATE),
        Peer::Server => matches!(auth.reason, Reason::SUCCESS | Reason::CONTINUE_AUTHENTICATION),
    };
    if !allowed {
        return Err(Error::ReasonCode);
    }
    if !short && auth.properties.is_empty() {
        return Err(Error::AuthMethodMissing);
    }
    body.finish()?;
    Ok(auth)
}

/// A reason code, and properties unless the packet ends after it.
fn reason_and_properties<'a>(body: &mut Reader<'a>, place: Place) -> Result<(Reason, Properties<'a>), Error> {
    let reason = Reason(body.u8()?);
    let properties = if body.is_empty() { Properties::EMPTY } else { property::read(body, place)? };
    Ok((reason, properties))
}

/// Table 3-10 with its column "sent by" (MQTT-3.14.2-1).
fn allowed_in_disconnect(reason: Reason, from: Peer) -> bool {
    match reason {
        Reason::SUCCESS
        | Reason::UNSPECIFIED_ERROR
        | Reason::MALFORMED_PACKET
        | Reason::PROTOCOL_ERROR
        | Reason::IMPLEMENTATION_SPECIFIC_ERROR
        | Reason::TOPIC_NAME_INVALID
        | Reason::RECEIVE_MAXIMUM_EXCEEDED
        | Reason::TOPIC_ALIAS_INVALID
        | Reason::PACKET_TOO_LARGE
        | Reason::MESSAGE_RATE_TOO_HIGH
        | Reason::QUOTA_EXCEEDED
        | Reason::ADMINISTRATIVE_ACTION
        | Reason::PAYLOAD_FORMAT_INVALID => true,
        Reason::DISCONNECT_WITH_WILL => from == Peer::Client,
        Reason::BAD_AUTHENTICATION_METHOD => from == Peer::Server,
        Reason(0x87 | 0x89 | 0x8B | 0x8D..=0x8F | 0x9A..=0xA2) => from == Peer::Server,
        _ => false,
    }
}
