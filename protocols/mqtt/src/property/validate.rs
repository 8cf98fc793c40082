//! Checks a property block against the rules of the packet it is in.

use super::{Place, Properties, PropertyId, PropertyType, Value};
use crate::Error;
use crate::read::Reader;
use crate::topic::check_topic;

/// Reads the property block at `place`: its length, then its content, all of it checked.
#[inline]
pub(crate) fn read<'a>(reader: &mut Reader<'a>, place: Place) -> Result<Properties<'a>, Error> {
    let len = reader.var_int()?;
    if len == 0 {
        return Ok(Properties::EMPTY);
    }
    let raw = reader.take(len as usize)?;
    check_block(raw, place)?;
    Ok(Properties::from_raw(raw))
}

/// Reads one property; its value has the right type, nothing else is checked.
#[inline]
pub(super) fn property<'a>(reader: &mut Reader<'a>) -> Result<(PropertyId, Value<'a>), Error> {
    let id = PropertyId::from_byte(reader.u8()?).ok_or(Error::UnknownProperty)?;
    let value = match id.kind() {
        PropertyType::Byte => Value::Byte(reader.u8()?),
        PropertyType::U16 => Value::U16(reader.u16()?),
        PropertyType::U32 => Value::U32(reader.u32()?),
        PropertyType::VarInt => Value::VarInt(reader.var_int()?),
        PropertyType::Text => Value::Text(reader.text()?),
        PropertyType::Binary => Value::Binary(reader.binary()?),
        PropertyType::Pair => Value::Pair(reader.text()?, reader.text()?),
    };
    Ok((id, value))
}

/// Passes over one value.
pub(super) fn skip(reader: &mut Reader<'_>, kind: PropertyType) -> Result<(), Error> {
    match kind {
        PropertyType::Byte => reader.take(1).map(drop),
        PropertyType::U16 => reader.take(2).map(drop),
        PropertyType::U32 => reader.take(4).map(drop),
        PropertyType::VarInt => reader.var_int().map(drop),
        PropertyType::Text | PropertyType::Binary => reader.binary().map(drop),
        PropertyType::Pair => {
            reader.binary()?;
            reader.binary().map(drop)
        }
    }
}

/// Whether a value is in the range the specification gives it, wherever it stands.
pub(super) fn check_value(id: PropertyId, value: Value<'_>) -> Result<(), Error> {
    use PropertyId as P;
    let fine = match (id, value) {
        (P::TopicAlias, Value::U16(0)) => return Err(Error::TopicAliasZero),
        (P::ResponseTopic, Value::Text(topic)) => {
            return check_topic(topic).map_err(|_| Error::ResponseTopicWildcard);
        }
        (P::ReceiveMaximum, Value::U16(value)) => value != 0,
        (P::MaximumPacketSize, Value::U32(value)) => value != 0,
        (P::SubscriptionIdentifier, Value::VarInt(value)) => value != 0,
        // All one-byte properties are flags or, for Maximum QoS, 0 or 1 as well.
        (_, Value::Byte(value)) => value <= 1,
        _ => true,
    };
    if fine { Ok(()) } else { Err(Error::PropertyValue) }
}

fn check_block(raw: &[u8], place: Place) -> Result<(), Error> {
    let mut reader = Reader::new(raw);
    let mut seen = 0u64;
    while !reader.is_empty() {
        let (id, value) = property(&mut reader)?;
        if id.places() & place as u16 == 0 {
            return Err(Error::MisplacedProperty);
        }
        let bit = 1u64 << id as u8;
        if seen & bit != 0 && !may_repeat(id, place) {
            return Err(Error::DuplicateProperty);
        }
        seen |= bit;
        check_value(id, value)?;
        check_sender(id, place)?;
    }
    check_auth(seen, place)
}

const fn may_repeat(id: PropertyId, place: Place) -> bool {
    matches!(
        (id, place),
        (PropertyId::UserProperty, _) | (PropertyId::SubscriptionIdentifier, Place::PublishDown)
    )
}

/// Properties that only one side may send, though the packet itself goes both ways.
const fn check_sender(id: PropertyId, place: Place) -> Result<(), Error> {
    match (id, place) {
        (PropertyId::SubscriptionIdentifier, Place::PublishUp) => Err(Error::SubscriptionIdFromClient),
        (PropertyId::SessionExpiryInterval, Place::DisconnectDown) => Err(Error::SessionExpiryFromServer),
        _ => Ok(()),
    }
}

const fn check_auth(seen: u64, place: Place) -> Result<(), Error> {
    let method = seen & (1 << PropertyId::AuthenticationMethod as u8) != 0;
    let data = seen & (1 << PropertyId::AuthenticationData as u8) != 0;
    match place {
        Place::Connect if data && !method => Err(Error::AuthDataWithoutMethod),
        Place::Auth if !method => Err(Error::AuthMethodMissing),
        _ => Ok(()),
    }
}
