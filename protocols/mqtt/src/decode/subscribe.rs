//! SUBSCRIBE, UNSUBSCRIBE and their acknowledgements (3.8 to 3.11).

use crate::property::{self, Place};
use crate::read::Reader;
use crate::topic::parse_filter;
use crate::{
    Error, Filters, Properties, Reason, Suback, Subscribe, SubscriptionOptions, Subscriptions, Unsuback,
    Unsubscribe, Version,
};

pub(super) fn subscribe(mut body: Reader<'_>, version: Version) -> Result<Subscribe<'_>, Error> {
    let packet_id = body.packet_id()?;
    let properties = read_properties(&mut body, version.is_v5(), Place::Subscribe)?;
    let raw = body.rest();
    let mut count = 0;
    while !body.is_empty() {
        let filter = body.text()?;
        let options = SubscriptionOptions::from_bits(body.u8()?, version)?;
        if check_subscription_filter(filter)? && options.no_local {
            return Err(Error::NoLocalOnShared);
        }
        count += 1;
    }
    if count == 0 {
        return Err(Error::NoFilters);
    }
    Ok(Subscribe { packet_id, properties, subscriptions: Subscriptions { raw, count, version } })
}

pub(super) fn unsubscribe(mut body: Reader<'_>, version: Version) -> Result<Unsubscribe<'_>, Error> {
    let packet_id = body.packet_id()?;
    let properties = read_properties(&mut body, version.is_v5(), Place::Unsubscribe)?;
    let raw = body.rest();
    let mut count = 0;
    while !body.is_empty() {
        check_subscription_filter(body.text()?)?;
        count += 1;
    }
    if count == 0 {
        return Err(Error::NoFilters);
    }
    Ok(Unsubscribe { packet_id, properties, filters: Filters { raw, count } })
}

pub(super) fn suback(mut body: Reader<'_>, version: Version) -> Result<Suback<'_>, Error> {
    let packet_id = body.packet_id()?;
    let properties = read_properties(&mut body, version.is_v5(), Place::Suback)?;
    let codes = body.rest();
    let allowed = if version.is_v5() { allowed_in_suback } else { allowed_in_suback_v3 };
    check_codes(codes, allowed)?;
    Ok(Suback { packet_id, properties, codes })
}

pub(super) fn unsuback(mut body: Reader<'_>, v5: bool) -> Result<Unsuback<'_>, Error> {
    let packet_id = body.packet_id()?;
    let properties = read_properties(&mut body, v5, Place::Unsuback)?;
    if !v5 {
        body.finish()?;
        return Ok(Unsuback { packet_id, properties, codes: &[] });
    }
    let codes = body.rest();
    check_codes(codes, allowed_in_unsuback)?;
    Ok(Unsuback { packet_id, properties, codes })
}

fn read_properties<'a>(body: &mut Reader<'a>, v5: bool, place: Place) -> Result<Properties<'a>, Error> {
    if v5 { property::read(body, place) } else { Ok(Properties::EMPTY) }
}

/// Checks a filter; true for a shared subscription. What is wrong with a share name is the server's to say
/// in its acknowledgement: the other subscriptions of the packet stand.
fn check_subscription_filter(filter: &str) -> Result<bool, Error> {
    match parse_filter(filter) {
        Ok(parsed) => Ok(parsed.share.is_some()),
        Err(Error::ShareName | Error::ShareFilter) => Ok(true),
        Err(error) => Err(error),
    }
}

fn check_codes(codes: &[u8], allowed: fn(u8) -> bool) -> Result<(), Error> {
    if codes.is_empty() {
        return Err(Error::NoReasonCodes);
    }
    if codes.iter().all(|&code| allowed(code)) { Ok(()) } else { Err(Error::ReasonCode) }
}

/// MQTT-3.9.3-2 of 3.1.1.
const fn allowed_in_suback_v3(code: u8) -> bool {
    matches!(code, 0..=2 | 0x80)
}

/// MQTT-3.9.3-2.
const fn allowed_in_suback(code: u8) -> bool {
    matches!(
        Reason(code),
        Reason(0..=2)
            | Reason::UNSPECIFIED_ERROR
            | Reason::IMPLEMENTATION_SPECIFIC_ERROR
            | Reason::NOT_AUTHORIZED
            | Reason::TOPIC_FILTER_INVALID
            | Reason::PACKET_IDENTIFIER_IN_USE
            | Reason::QUOTA_EXCEEDED
            | Reason::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
            | Reason::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
            | Reason::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
    )
}

/// MQTT-3.11.3-2.
const fn allowed_in_unsuback(code: u8) -> bool {
    matches!(
        Reason(code),
        Reason::SUCCESS
            | Reason::NO_SUBSCRIPTION_EXISTED
            | Reason::UNSPECIFIED_ERROR
            | Reason::IMPLEMENTATION_SPECIFIC_ERROR
            | Reason::NOT_AUTHORIZED
            | Reason::TOPIC_FILTER_INVALID
            | Reason::PACKET_IDENTIFIER_IN_USE
    )
}
