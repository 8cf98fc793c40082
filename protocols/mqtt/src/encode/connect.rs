//! CONNECT and CONNACK.

use super::{begin, field_len, properties_len, put_field, put_properties};
use crate::{Connack, Connect, EncodeError, Version};
use bytes::{BufMut, BytesMut};

/// Appends CONNECT in the version it names.
///
/// # Errors
/// [`EncodeError::FieldTooLong`], [`EncodeError::PacketTooLong`], and [`EncodeError::Version`] for properties or
/// for a password without user name in MQTT 3.x.
pub fn connect(out: &mut BytesMut, connect: &Connect<'_>) -> Result<usize, EncodeError> {
    let version = connect.version;
    if connect.password.is_some() && connect.user_name.is_none() && !version.is_v5() {
        return Err(EncodeError::Version);
    }
    let name = version.protocol_name().as_bytes();
    let total = begin(out, 0x10, 2 + name.len() + 4 + fields_len(connect)?)?;
    put_field(out, name);
    out.put_slice(&[version.level(), flags(connect)]);
    out.put_u16(connect.keep_alive);
    put_properties(out, version, connect.properties);
    put_field(out, connect.client_id.as_bytes());
    if let Some(will) = &connect.will {
        put_properties(out, version, will.properties);
        put_field(out, will.topic.as_bytes());
        put_field(out, will.payload);
    }
    if let Some(user_name) = connect.user_name {
        put_field(out, user_name.as_bytes());
    }
    if let Some(password) = connect.password {
        put_field(out, password);
    }
    Ok(total)
}

/// Appends CONNACK. In MQTT 3.x the code is a [`crate::ConnectReturn`]; MQTT 3.1 has no session present.
///
/// # Errors
/// [`EncodeError::Version`] and [`EncodeError::PacketTooLong`].
pub fn connack(out: &mut BytesMut, version: Version, connack: &Connack<'_>) -> Result<usize, EncodeError> {
    let total = begin(out, 0x20, 2 + properties_len(version, connack.properties)?)?;
    let session_present = connack.session_present && version != Version::V31;
    out.put_slice(&[u8::from(session_present), connack.code.0]);
    put_properties(out, version, connack.properties);
    Ok(total)
}

/// Bytes of properties and payload.
fn fields_len(connect: &Connect<'_>) -> Result<usize, EncodeError> {
    let mut len = properties_len(connect.version, connect.properties)?;
    len += field_len(connect.client_id.as_bytes())?;
    if let Some(will) = &connect.will {
        len += properties_len(connect.version, will.properties)?;
        len += field_len(will.topic.as_bytes())? + field_len(will.payload)?;
    }
    if let Some(user_name) = connect.user_name {
        len += field_len(user_name.as_bytes())?;
    }
    if let Some(password) = connect.password {
        len += field_len(password)?;
    }
    Ok(len)
}

const fn flags(connect: &Connect<'_>) -> u8 {
    let mut flags = (connect.clean_start as u8) << 1
        | (connect.password.is_some() as u8) << 6
        | (connect.user_name.is_some() as u8) << 7;
    if let Some(will) = &connect.will {
        flags |= 0x04 | (will.qos as u8) << 3 | (will.retain as u8) << 5;
    }
    flags
}
