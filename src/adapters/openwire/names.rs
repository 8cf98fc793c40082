//! What a destination names: one destination or several.
//!
//! `a,topic://b` as a queue names the queue `a` and the topic `b`. Options behind a question mark are cut off
//! by the client and never come.

use std::sync::Arc;

use smallvec::SmallVec;
use wharfmq_core::{Address, Kind, Pattern};
use wharfmq_openwire::{Destination, DestinationKind};

use super::fault::{INVALID_DESTINATION, Stop};
use crate::adapters::destination::OpenWireName;
/// The address of a temporary destination, which need not be there.
pub(super) fn temporary(kind: DestinationKind, name: &str) -> Result<Address, Stop> {
    Ok(name_of(kind, name).address()?)
}

/// A destination as clients know it.
pub(super) use crate::adapters::destination::openwire as destination_of;
use crate::broker::{Port, is_temporary};

/// Destinations that one may name.
const ELEMENTS_MAX: usize = 64;

/// What the elements of a destination are called; the schemes of ActiveMQ's own.
const SCHEMES: [(&str, DestinationKind); 4] = [
    ("queue://", DestinationKind::Queue),
    ("topic://", DestinationKind::Topic),
    ("temp-queue://", DestinationKind::TempQueue),
    ("temp-topic://", DestinationKind::TempTopic),
];

/// Reads each element with its kind.
pub(super) fn elements(destination: &Destination) -> Result<SmallVec<[(DestinationKind, String); 1]>, Stop> {
    let name = destination.physical_name.as_ref().map(|name| name.decode()).unwrap_or_default();
    if name.is_empty() {
        return Err(Stop::fault(INVALID_DESTINATION, "the destination has no name"));
    }
    if name.contains('\0') {
        // Clients of MQTT must not be sent one.
        return Err(Stop::fault(INVALID_DESTINATION, "the name of the destination has a U+0000 in it"));
    }
    if destination.kind.is_temporary() || !name.contains(',') {
        return Ok(std::iter::once((destination.kind, name.into_owned())).collect());
    }
    let mut list = SmallVec::new();
    for text in name.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        if list.len() == ELEMENTS_MAX {
            let why = format!("a destination may name {ELEMENTS_MAX} destinations");
            return Err(Stop::fault(INVALID_DESTINATION, why));
        }
        let found = SCHEMES.iter().find_map(|(scheme, kind)| Some((*kind, text.strip_prefix(scheme)?)));
        let (kind, name) = found.unwrap_or((destination.kind, text));
        list.push((kind, name.to_owned()));
    }
    if list.is_empty() {
        return Err(Stop::fault(INVALID_DESTINATION, "the destination names nothing"));
    }
    Ok(list)
}

/// The addresses to send to, each once.
pub(super) fn addresses(destination: &Destination, port: &Port) -> Result<SmallVec<[Arc<Address>; 1]>, Stop> {
    let mut found: SmallVec<[Arc<Address>; 1]> = SmallVec::new();
    for (kind, name) in elements(destination)? {
        let address = name_of(kind, &name).address()?;
        if address.kind == Kind::Topic && name.contains(['*', '>']) {
            return Err(Stop::fault(INVALID_DESTINATION, "a message is not sent to a wildcard"));
        }
        if is_temporary(&address.name) {
            port.reach_temporary(&address)?;
        }
        let address = Arc::new(address);
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Ok(found)
}

/// The patterns to consume from, each once.
pub(super) fn patterns(destination: &Destination, port: &Port) -> Result<SmallVec<[Pattern; 1]>, Stop> {
    let mut found: SmallVec<[Pattern; 1]> = SmallVec::new();
    for (kind, name) in elements(destination)? {
        let pattern = if kind.is_temporary() {
            Pattern::of(&name_of(kind, &name).address()?)?
        } else {
            Pattern::parse(kind_of(kind), name)?
        };
        port.may_subscribe(&pattern)?;
        if !found.contains(&pattern) {
            found.push(pattern);
        }
    }
    Ok(found)
}

/// A destination in one text, as ActiveMQ writes it.
pub(super) fn qualified(address: &Address) -> String {
    let OpenWireName { kind, is_temporary, name } = OpenWireName::of(address);
    format!("{}{}://{name}", if is_temporary { "temp-" } else { "" }, kind.scheme())
}

fn name_of(kind: DestinationKind, name: &str) -> OpenWireName<'_> {
    OpenWireName { kind: kind_of(kind), is_temporary: kind.is_temporary(), name }
}

pub(super) const fn kind_of(kind: DestinationKind) -> Kind {
    if kind.is_topic() { Kind::Topic } else { Kind::Queue }
}
