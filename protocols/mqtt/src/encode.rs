//! Packets to bytes. Every function appends to `out`, answers how many bytes it has appended, and checks
//! lengths before it writes, so that an error leaves `out` as it was.
//!
//! Strings are written as they are: that a topic has no wildcard is for the caller to see to.
//! A peer's maximum packet size is the caller's as well: compare the answer and cut `out` back.

mod ack;
mod connect;
mod publish;
mod subscribe;

pub use ack::{ack, auth, disconnect, pingreq, pingresp};
pub use connect::{connack, connect};
pub use publish::{PublishHead, publish, publish_head};
pub use subscribe::{suback, subscribe, unsuback, unsubscribe};

use crate::{EncodeError, MAX_VAR_INT, Properties, Version, var_int_len};
use bytes::{BufMut, BytesMut};

/// Appends a variable byte integer of at most [`MAX_VAR_INT`].
#[inline]
pub(crate) fn put_var_int(out: &mut BytesMut, value: u32) {
    let mut bytes = [0; 4];
    let len = fill_var_int(&mut bytes, value);
    out.put_slice(&bytes[..len]);
}

/// Writes a variable byte integer and answers its length.
#[inline]
fn fill_var_int(bytes: &mut [u8; 4], mut value: u32) -> usize {
    let mut len = 0;
    for byte in bytes {
        len += 1;
        *byte = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    len
}

/// Starts a packet: checks its size, makes room and writes the fixed header.
fn begin(out: &mut BytesMut, first: u8, remaining: usize) -> Result<usize, EncodeError> {
    let remaining = var_int(remaining)?;
    let total = 1 + var_int_len(remaining) + remaining as usize;
    out.reserve(total);
    out.put_u8(first);
    put_var_int(out, remaining);
    Ok(total)
}

/// Whether the length can be written as a variable byte integer.
#[inline]
fn var_int(len: usize) -> Result<u32, EncodeError> {
    match u32::try_from(len) {
        Ok(len) if len <= MAX_VAR_INT => Ok(len),
        _ => Err(EncodeError::PacketTooLong),
    }
}

/// Bytes of a string or binary field with its length.
#[inline]
const fn field_len(field: &[u8]) -> Result<usize, EncodeError> {
    if field.len() > u16::MAX as usize { Err(EncodeError::FieldTooLong) } else { Ok(2 + field.len()) }
}

/// Appends a field whose length [`field_len`] has checked.
#[inline]
fn put_field(out: &mut BytesMut, field: &[u8]) {
    out.put_u16(field.len() as u16);
    out.put_slice(field);
}

/// Bytes of a property block with its length: none in MQTT 3.x.
#[inline]
fn properties_len(version: Version, properties: Properties<'_>) -> Result<usize, EncodeError> {
    let raw = properties.raw().len();
    match version {
        Version::V5 => Ok(var_int_len(var_int(raw)?) + raw),
        _ if raw == 0 => Ok(0),
        _ => Err(EncodeError::Version),
    }
}

/// Appends a block that [`properties_len`] has measured.
fn put_properties(out: &mut BytesMut, version: Version, properties: Properties<'_>) {
    if version.is_v5() {
        put_var_int(out, properties.raw().len() as u32);
        out.put_slice(properties.raw());
    }
}
