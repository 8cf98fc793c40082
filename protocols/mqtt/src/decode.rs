//! Bytes to packets: nothing is copied and nothing allocated.

mod ack;
mod connect;
mod publish;
mod subscribe;

pub use connect::{ConnectError, Refusal, decode_connect};

use crate::read::Reader;
use crate::{Error, FrameHead, Packet, Peer, Version, frame};

/// What the decoder is told about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest packet accepted, in bytes, fixed header included.
    pub max_packet: u32,
    /// Who has sent the bytes.
    pub from: Peer,
}

impl Limits {
    /// For a broker that reads from a client.
    #[must_use]
    pub const fn from_client(max_packet: u32) -> Self {
        Self { max_packet, from: Peer::Client }
    }

    /// For a client that reads from a broker.
    #[must_use]
    pub const fn from_server(max_packet: u32) -> Self {
        Self { max_packet, from: Peer::Server }
    }
}

/// A packet and how many bytes of the input it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<T> {
    /// The packet.
    pub packet: T,
    /// Bytes of the whole packet.
    pub len: usize,
}

/// Decodes the packet at the start of `input`; `Ok(None)` while it is not complete.
///
/// The packet borrows from `input`; [`crate::offset_in`] tells where a part of it lies.
/// CONNECT is not accepted here, see [`decode_connect`].
///
/// # Errors
/// Every rule of the specification that can be checked without knowing the session's past. After an error the
/// rest of the stream has no meaning.
#[inline]
pub fn decode(input: &[u8], version: Version, limits: Limits) -> Result<Option<Decoded<Packet<'_>>>, Error> {
    let Some(head) = frame(input, limits.max_packet)? else { return Ok(None) };
    let Some(packet) = input.get(..head.total_len as usize) else { return Ok(None) };
    let packet = decode_frame(packet, head, version, limits.from)?;
    Ok(Some(Decoded { packet, len: head.total_len as usize }))
}

const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;
const SUBSCRIBE: u8 = 8;
const SUBACK: u8 = 9;
const UNSUBSCRIBE: u8 = 10;
const UNSUBACK: u8 = 11;
const PINGREQ: u8 = 12;
const PINGRESP: u8 = 13;
const DISCONNECT: u8 = 14;
const AUTH: u8 = 15;

#[inline]
fn decode_frame(packet: &[u8], head: FrameHead, version: Version, from: Peer) -> Result<Packet<'_>, Error> {
    if version.is_v5() && !head.is_minimal() {
        return Err(Error::VarIntNotMinimal);
    }
    let body = Reader::new(packet.get(usize::from(head.header_len)..).unwrap_or_default());
    if head.packet_type() == PUBLISH {
        return publish::decode(body, head, version, from).map(Packet::Publish);
    }
    if let &[first @ (0x40 | 0x50 | 0x62 | 0x70), 2, high, low] = packet {
        return ack::shortest(first >> 4, u16::from_be_bytes([high, low]));
    }
    check_head(head, version, from)?;
    decode_other(body, head, version, from)
}

fn decode_other<'a>(
    body: Reader<'a>,
    head: FrameHead,
    version: Version,
    from: Peer,
) -> Result<Packet<'a>, Error> {
    let v5 = version.is_v5();
    Ok(match head.packet_type() {
        CONNACK => Packet::Connack(connect::connack(body, version)?),
        PUBACK => Packet::Puback(ack::ack(body, v5, ack::allowed_first)?),
        PUBREC => Packet::Pubrec(ack::ack(body, v5, ack::allowed_first)?),
        PUBREL => Packet::Pubrel(ack::ack(body, v5, ack::allowed_second)?),
        PUBCOMP => Packet::Pubcomp(ack::ack(body, v5, ack::allowed_second)?),
        SUBSCRIBE => Packet::Subscribe(subscribe::subscribe(body, version)?),
        SUBACK => Packet::Suback(subscribe::suback(body, version)?),
        UNSUBSCRIBE => Packet::Unsubscribe(subscribe::unsubscribe(body, version)?),
        UNSUBACK => Packet::Unsuback(subscribe::unsuback(body, v5)?),
        PINGREQ => body.finish().map(|()| Packet::Pingreq)?,
        PINGRESP => body.finish().map(|()| Packet::Pingresp)?,
        DISCONNECT => Packet::Disconnect(ack::disconnect(body, v5, from)?),
        AUTH if v5 => Packet::Auth(ack::auth(body, from)?),
        _ => return Err(Error::ReservedPacketType),
    })
}

/// Checks that this side may send the packet, and its flags (table 2-2).
fn check_head(head: FrameHead, version: Version, from: Peer) -> Result<(), Error> {
    let kind = head.packet_type();
    match (kind, from) {
        (CONNECT, Peer::Client) => return Err(Error::SecondConnect),
        (CONNACK | SUBACK | UNSUBACK | PINGRESP, Peer::Client)
        | (CONNECT | SUBSCRIBE | UNSUBSCRIBE | PINGREQ, Peer::Server) => return Err(Error::WrongDirection),
        (DISCONNECT, Peer::Server) if !version.is_v5() => return Err(Error::WrongDirection),
        _ => {}
    }
    // MQTT 3.1 calls the flags of these packets unused, and lets repeated ones carry DUP.
    let expected = if matches!(kind, PUBREL | SUBSCRIBE | UNSUBSCRIBE) { 0x02 } else { 0 };
    if head.first & 0x0F != expected && version != Version::V31 {
        return Err(Error::FixedHeaderFlags);
    }
    Ok(())
}
