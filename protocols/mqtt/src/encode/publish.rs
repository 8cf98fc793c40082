//! PUBLISH: whole, or its head alone so that the rest can be chained by reference.

use super::{field_len, fill_var_int, var_int};
use crate::{EncodeError, PacketId, Properties, Publish, Qos, Version, var_int_len};
use bytes::{BufMut, BytesMut};

/// What comes before the payload of a PUBLISH.
#[derive(Clone, Copy, Debug)]
pub struct PublishHead<'a> {
    /// Only with QoS above 0.
    pub dup: bool,
    /// Quality of service.
    pub qos: Qos,
    /// The retain flag.
    pub retain: bool,
    /// May be empty in MQTT 5, with a topic alias.
    pub topic: &'a str,
    /// There if QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// Properties to write. Must be empty in MQTT 3.x.
    pub properties: Properties<'a>,
    /// Bytes of further properties that the caller puts between this head and the payload: what all subscribers
    /// of a message are sent alike can be chained together with the payload. Must be 0 in MQTT 3.x.
    pub shared_properties_len: usize,
}

impl<'a> From<&Publish<'a>> for PublishHead<'a> {
    fn from(publish: &Publish<'a>) -> Self {
        Self {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            topic: publish.topic,
            packet_id: publish.packet_id,
            properties: publish.properties,
            shared_properties_len: 0,
        }
    }
}

/// Appends a PUBLISH up to its payload (and up to the shared properties) and answers the length of the whole
/// packet, what is still to come included.
///
/// # Errors
/// [`EncodeError::FieldTooLong`], [`EncodeError::PacketTooLong`], [`EncodeError::PacketId`] and
/// [`EncodeError::Version`].
#[inline]
pub fn publish_head(
    out: &mut BytesMut,
    version: Version,
    head: &PublishHead<'_>,
    payload_len: usize,
) -> Result<usize, EncodeError> {
    let above_0 = head.qos != Qos::AtMostOnce;
    if above_0 != head.packet_id.is_some() || (head.dup && !above_0) {
        return Err(EncodeError::PacketId);
    }
    let own = head.properties.raw();
    let properties = own.len().saturating_add(head.shared_properties_len);
    let mut after_topic = usize::from(above_0) * 2;
    if version.is_v5() {
        after_topic += var_int_len(var_int(properties)?);
    } else if properties != 0 {
        return Err(EncodeError::Version);
    }
    let rest = properties.saturating_add(payload_len);
    let remaining = var_int(rest.saturating_add(field_len(head.topic.as_bytes())? + after_topic))?;

    // Fixed header and topic length in one piece, then packet identifier and property length in another.
    let mut front = [0; 7];
    front[0] = 0x30 | (head.dup as u8) << 3 | (head.qos as u8) << 1 | head.retain as u8;
    let mut length = [0; 4];
    let length_len = fill_var_int(&mut length, remaining);
    front[1..5].copy_from_slice(&length);
    front[1 + length_len..3 + length_len].copy_from_slice(&(head.topic.len() as u16).to_be_bytes());
    out.reserve(7 + head.topic.len() + after_topic + own.len());
    out.put_slice(&front[..3 + length_len]);
    out.put_slice(head.topic.as_bytes());
    if let Some(id) = head.packet_id {
        out.put_u16(id.get());
    }
    if version.is_v5() {
        super::put_var_int(out, properties as u32);
        out.put_slice(own);
    }
    Ok(1 + length_len + remaining as usize)
}

/// Appends a whole PUBLISH.
///
/// # Errors
/// As [`publish_head`].
pub fn publish(
    out: &mut BytesMut,
    version: Version,
    head: &PublishHead<'_>,
    payload: &[u8],
) -> Result<usize, EncodeError> {
    if head.shared_properties_len != 0 {
        return Err(EncodeError::PropertyValue);
    }
    let total = publish_head(out, version, head, payload.len())?;
    out.put_slice(payload);
    Ok(total)
}
