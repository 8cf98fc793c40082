//! Packets piece by piece, so that any piece can be wrong.

use crate::support::mqtt::{V5, V31, packet};

/// Bytes with their length in two bytes before them.
pub(super) fn field(content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut field = u16::try_from(content.len()).unwrap().to_be_bytes().to_vec();
    field.extend(content);
    field
}

/// A property block of less than 128 bytes with its length.
pub(super) fn block(properties: &[u8]) -> Vec<u8> {
    assert!(properties.len() < 128);
    let mut block = vec![u8::try_from(properties.len()).unwrap()];
    block.extend(properties);
    block
}

/// What begins and ends a CONNECT.
#[derive(Clone)]
pub(super) struct Connect {
    pub(super) name: Vec<u8>,
    pub(super) level: u8,
    pub(super) flags: u8,
    pub(super) keep_alive: u16,
    /// `None` where the version has no properties.
    pub(super) properties: Option<Vec<u8>>,
    /// Client id and all that follows.
    pub(super) payload: Vec<u8>,
}

/// A CONNECT that the broker takes.
pub(super) fn connect(version: u8) -> Connect {
    Connect {
        name: if version == V31 { b"MQIsdp".to_vec() } else { b"MQTT".to_vec() },
        level: version,
        flags: 2,
        keep_alive: 60,
        properties: (version == V5).then(Vec::new),
        payload: field("hostile"),
    }
}

impl Connect {
    pub(super) fn flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    pub(super) fn properties(self, properties: &[u8]) -> Self {
        Self { properties: Some(properties.to_vec()), ..self }
    }

    pub(super) fn payload(self, parts: &[Vec<u8>]) -> Self {
        Self { payload: parts.concat(), ..self }
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = field(&self.name);
        body.extend([self.level, self.flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if let Some(properties) = &self.properties {
            body.extend(block(properties));
        }
        body.extend(&self.payload);
        body
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        packet(0x10, &self.body())
    }
}

/// A PUBLISH; no identifier for 0.
pub(super) fn publish(version: u8, first: u8, topic: &[u8], id: Option<u16>, properties: &[u8]) -> Vec<u8> {
    let mut body = field(topic);
    body.extend(id.into_iter().flat_map(u16::to_be_bytes));
    if version == V5 {
        body.extend(block(properties));
    }
    body.extend(b"payload");
    packet(first, &body)
}

/// A SUBSCRIBE of filters and options.
pub(super) fn subscribe(version: u8, properties: &[u8], filters: &[(&[u8], u8)]) -> Vec<u8> {
    let mut body = start(version, 11, properties);
    for (filter, options) in filters {
        body.extend(field(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

/// An UNSUBSCRIBE.
pub(super) fn unsubscribe(version: u8, properties: &[u8], filters: &[&[u8]]) -> Vec<u8> {
    let mut body = start(version, 12, properties);
    body.extend(filters.iter().flat_map(field));
    packet(0xA2, &body)
}

/// An acknowledgement with whatever follows its identifier.
pub(super) fn ack(first: u8, id: u16, rest: &[u8]) -> Vec<u8> {
    packet(first, &[&id.to_be_bytes()[..], rest].concat())
}

/// Identifier and properties, as several packets begin.
pub(super) fn start(version: u8, id: u16, properties: &[u8]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == V5 {
        body.extend(block(properties));
    }
    body
}
