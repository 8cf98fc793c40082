//! PUBLISH (3.3): the packet this crate is measured by.

use crate::property::{self, Place};
use crate::read::Reader;
use crate::topic::check_name;
use crate::{Error, FrameHead, Peer, Properties, PropertyId, Publish, Qos, Version};

#[inline]
pub(super) fn decode<'a>(
    mut body: Reader<'a>,
    head: FrameHead,
    version: Version,
    from: Peer,
) -> Result<Publish<'a>, Error> {
    let qos = Qos::from_bits(head.first >> 1 & 3).ok_or(Error::PublishQos)?;
    let mut dup = head.first & 8 != 0;
    if dup && qos == Qos::AtMostOnce {
        if version != Version::V31 {
            return Err(Error::DupOnQos0);
        }
        // MQTT 3.1 gives the flag no meaning there.
        dup = false;
    }
    let topic = topic(&mut body)?;
    let packet_id = if qos == Qos::AtMostOnce { None } else { Some(body.packet_id()?) };
    let properties = if version.is_v5() { properties(&mut body, from)? } else { Properties::EMPTY };
    if topic.is_empty() {
        check_alias(version, properties)?;
    }
    let payload = body.rest();
    Ok(Publish {
        dup,
        qos,
        retain: head.first & 1 != 0,
        topic,
        packet_id,
        properties,
        payload,
        header_len: head.header_len,
        payload_at: head.total_len - payload.len() as u32,
    })
}

/// A topic name; may be empty, which the caller judges.
#[inline]
fn topic<'a>(body: &mut Reader<'a>) -> Result<&'a str, Error> {
    let bytes = body.binary()?;
    check_name(bytes)?;
    str::from_utf8(bytes).map_err(|_| Error::InvalidUtf8)
}

#[inline]
fn properties<'a>(body: &mut Reader<'a>, from: Peer) -> Result<Properties<'a>, Error> {
    let place = match from {
        Peer::Client => Place::PublishUp,
        Peer::Server => Place::PublishDown,
    };
    property::read(body, place)
}

#[cold]
fn check_alias(version: Version, properties: Properties<'_>) -> Result<(), Error> {
    if !version.is_v5() {
        return Err(Error::TopicEmpty);
    }
    properties.u16(PropertyId::TopicAlias).map(drop).ok_or(Error::TopicMissing)
}
