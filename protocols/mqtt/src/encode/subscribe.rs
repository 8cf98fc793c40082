//! SUBSCRIBE, UNSUBSCRIBE and their acknowledgements.

use super::{begin, field_len, properties_len, put_field, put_properties};
use crate::{
    EncodeError, PacketId, Properties, Suback, Subscription, SubscriptionOptions, Unsuback, Version,
};
use bytes::{BufMut, BytesMut};

/// Appends SUBSCRIBE.
///
/// # Errors
/// [`EncodeError::Empty`] without a subscription, [`EncodeError::FieldTooLong`], [`EncodeError::PacketTooLong`],
/// and [`EncodeError::Version`] for properties or options that MQTT 3.x has not.
pub fn subscribe(
    out: &mut BytesMut,
    version: Version,
    packet_id: PacketId,
    properties: Properties<'_>,
    subscriptions: &[Subscription<'_>],
) -> Result<usize, EncodeError> {
    if subscriptions.is_empty() {
        return Err(EncodeError::Empty);
    }
    let mut remaining = 2 + properties_len(version, properties)?;
    for subscription in subscriptions {
        let options = subscription.options;
        if !version.is_v5() && options != SubscriptionOptions::from_qos(options.qos) {
            return Err(EncodeError::Version);
        }
        remaining += field_len(subscription.filter.as_bytes())? + 1;
    }
    let total = begin(out, 0x82, remaining)?;
    out.put_u16(packet_id.get());
    put_properties(out, version, properties);
    for subscription in subscriptions {
        put_field(out, subscription.filter.as_bytes());
        out.put_u8(subscription.options.bits());
    }
    Ok(total)
}

/// Appends SUBACK. In MQTT 3.x a code is the granted QoS or 0x80.
///
/// # Errors
/// [`EncodeError::Empty`] without a code, [`EncodeError::PacketTooLong`] and [`EncodeError::Version`].
pub fn suback(out: &mut BytesMut, version: Version, suback: &Suback<'_>) -> Result<usize, EncodeError> {
    if suback.codes.is_empty() {
        return Err(EncodeError::Empty);
    }
    codes(out, version, 0x90, suback.packet_id, suback.properties, suback.codes)
}

/// Appends UNSUBSCRIBE.
///
/// # Errors
/// [`EncodeError::Empty`] without a filter, [`EncodeError::FieldTooLong`], [`EncodeError::PacketTooLong`] and
/// [`EncodeError::Version`].
pub fn unsubscribe(
    out: &mut BytesMut,
    version: Version,
    packet_id: PacketId,
    properties: Properties<'_>,
    filters: &[&str],
) -> Result<usize, EncodeError> {
    if filters.is_empty() {
        return Err(EncodeError::Empty);
    }
    let mut remaining = 2 + properties_len(version, properties)?;
    for filter in filters {
        remaining += field_len(filter.as_bytes())?;
    }
    let total = begin(out, 0xA2, remaining)?;
    out.put_u16(packet_id.get());
    put_properties(out, version, properties);
    for filter in filters {
        put_field(out, filter.as_bytes());
    }
    Ok(total)
}

/// Appends UNSUBACK; MQTT 3.x has no codes, and none are written there.
///
/// # Errors
/// [`EncodeError::Empty`] without a code in MQTT 5, [`EncodeError::PacketTooLong`] and [`EncodeError::Version`].
pub fn unsuback(out: &mut BytesMut, version: Version, unsuback: &Unsuback<'_>) -> Result<usize, EncodeError> {
    if !version.is_v5() {
        return codes(out, version, 0xB0, unsuback.packet_id, unsuback.properties, &[]);
    }
    if unsuback.codes.is_empty() {
        return Err(EncodeError::Empty);
    }
    codes(out, version, 0xB0, unsuback.packet_id, unsuback.properties, unsuback.codes)
}

fn codes(
    out: &mut BytesMut,
    version: Version,
    first: u8,
    packet_id: PacketId,
    properties: Properties<'_>,
    codes: &[u8],
) -> Result<usize, EncodeError> {
    let total = begin(out, first, 2 + properties_len(version, properties)? + codes.len())?;
    out.put_u16(packet_id.get());
    put_properties(out, version, properties);
    out.put_slice(codes);
    Ok(total)
}
