//! The small packets, in their shortest form.

use super::{begin, properties_len, put_properties};
use crate::{Ack, AckKind, Auth, Disconnect, EncodeError, Properties, Reason, Version};
use bytes::{BufMut, BytesMut};

/// Appends PUBACK, PUBREC, PUBREL or PUBCOMP. Success without properties takes four bytes in every version;
/// in MQTT 3.x there is nothing else, so the reason must be success.
///
/// # Errors
/// [`EncodeError::Version`] and [`EncodeError::PacketTooLong`].
#[inline]
pub fn ack(out: &mut BytesMut, version: Version, kind: AckKind, ack: &Ack<'_>) -> Result<usize, EncodeError> {
    let first = (kind as u8) << 4 | if matches!(kind, AckKind::Pubrel) { 2 } else { 0 };
    let [high, low] = ack.packet_id.get().to_be_bytes();
    if ack.reason == Reason::SUCCESS && ack.properties.is_empty() {
        out.put_slice(&[first, 2, high, low]);
        return Ok(4);
    }
    let tail = reason_len(version, ack.reason, ack.properties)?;
    let total = begin(out, first, 2 + tail)?;
    out.put_slice(&[high, low]);
    put_reason(out, tail, ack.reason, ack.properties);
    Ok(total)
}

/// Appends DISCONNECT.
///
/// # Errors
/// [`EncodeError::Version`] for a reason or properties in MQTT 3.x, and [`EncodeError::PacketTooLong`].
pub fn disconnect(
    out: &mut BytesMut,
    version: Version,
    disconnect: &Disconnect<'_>,
) -> Result<usize, EncodeError> {
    let tail = reason_len(version, disconnect.reason, disconnect.properties)?;
    let total = begin(out, 0xE0, tail)?;
    put_reason(out, tail, disconnect.reason, disconnect.properties);
    Ok(total)
}

/// Appends AUTH, which MQTT 5 alone has.
///
/// # Errors
/// [`EncodeError::PacketTooLong`].
pub fn auth(out: &mut BytesMut, auth: &Auth<'_>) -> Result<usize, EncodeError> {
    if auth.reason == Reason::SUCCESS && auth.properties.is_empty() {
        return begin(out, 0xF0, 0);
    }
    let total = begin(out, 0xF0, 1 + properties_len(Version::V5, auth.properties)?)?;
    out.put_u8(auth.reason.0);
    put_properties(out, Version::V5, auth.properties);
    Ok(total)
}

/// Appends PINGREQ: two bytes.
pub fn pingreq(out: &mut BytesMut) -> usize {
    out.put_slice(&[0xC0, 0]);
    2
}

/// Appends PINGRESP: two bytes.
pub fn pingresp(out: &mut BytesMut) -> usize {
    out.put_slice(&[0xD0, 0]);
    2
}

/// Bytes of reason code and properties: nothing for plain success, one without properties.
fn reason_len(version: Version, reason: Reason, properties: Properties<'_>) -> Result<usize, EncodeError> {
    match (reason, properties.is_empty()) {
        (Reason::SUCCESS, true) => Ok(0),
        _ if !version.is_v5() => Err(EncodeError::Version),
        (_, true) => Ok(1),
        (_, false) => Ok(1 + properties_len(version, properties)?),
    }
}

fn put_reason(out: &mut BytesMut, len: usize, reason: Reason, properties: Properties<'_>) {
    if len > 0 {
        out.put_u8(reason.0);
    }
    if len > 1 {
        put_properties(out, Version::V5, properties);
    }
}
