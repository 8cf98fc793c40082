//! Packets by hand, well-formed or not.

use crate::support::mqtt::{V5, packet, string};

/// The parts of a CONNECT; anything may be wrong.
#[derive(Clone)]
pub(super) struct Connect {
    pub(super) name: &'static str,
    pub(super) level: u8,
    pub(super) flags: u8,
    pub(super) keep_alive: u16,
    /// Encoded; MQTT 5 only.
    pub(super) properties: Vec<u8>,
    /// All that comes behind the variable header.
    pub(super) payload: Vec<u8>,
}

impl Connect {
    /// A clean session, a client id and nothing else.
    pub(super) fn new(version: u8, id: &str) -> Self {
        Self {
            name: if version == 3 { "MQIsdp" } else { "MQTT" },
            level: version,
            flags: 0x02,
            keep_alive: 60,
            properties: Vec::new(),
            payload: string(id),
        }
    }

    /// With a will of these flags (QoS and retain) and, in MQTT 5, these properties.
    pub(super) fn will(mut self, flags: u8, properties: &[u8], topic: &str, payload: &str) -> Self {
        self.flags |= 0x04 | flags;
        if self.level == V5 {
            self.payload.extend(block(properties));
        }
        self.payload.extend(string(topic));
        self.payload.extend(string(payload));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = string(self.name);
        body.extend([self.level, self.flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.level == V5 {
            body.extend(block(&self.properties));
        }
        body.extend(&self.payload);
        packet(0x10, &body)
    }
}

/// Properties with their length before them.
pub(super) fn block(properties: &[u8]) -> Vec<u8> {
    // A packet writes the same kind of length behind its first byte.
    packet(0, properties)[1..].to_vec()
}

/// The body with an empty property block at `at`, in MQTT 5.
pub(super) fn with_block(version: u8, first: u8, head: &[u8], tail: &[u8]) -> Vec<u8> {
    let between: &[u8] = if version == V5 { &[0] } else { &[] };
    packet(first, &[head, between, tail].concat())
}

/// A SUBSCRIBE of these filters and options.
pub(super) fn subscribe(version: u8, id: u16, properties: &[u8], filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == V5 {
        body.extend(block(properties));
    }
    for (filter, options) in filters {
        body.extend(string(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

/// An UNSUBSCRIBE of these filters.
pub(super) fn unsubscribe(version: u8, id: u16, filters: &[&str]) -> Vec<u8> {
    let body: Vec<u8> = filters.iter().flat_map(|filter| string(filter)).collect();
    with_block(version, 0xA2, &id.to_be_bytes(), &body)
}

/// An acknowledgement with a reason code (MQTT 5).
pub(super) fn ack(first: u8, id: u16, reason: u8) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    packet(first, &[high, low, reason])
}

/// A property of one number.
pub(super) fn number(id: u8, value: &[u8]) -> Vec<u8> {
    [&[id][..], value].concat()
}

/// A property of one text.
pub(super) fn text(id: u8, value: &str) -> Vec<u8> {
    number(id, &string(value))
}

/// A user property.
pub(super) fn pair(name: &str, value: &str) -> Vec<u8> {
    [&[0x26][..], &string(name), &string(value)].concat()
}

/// The properties in a block without its length, each as it was encoded.
#[track_caller]
pub(super) fn split(mut raw: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(&id) = raw.first() {
        let len = 1 + width(id, &raw[1..]);
        found.push(raw[..len].to_vec());
        raw = &raw[len..];
    }
    found
}

/// How many bytes the value of a property has.
fn width(id: u8, value: &[u8]) -> usize {
    let string = |at: usize| 2 + usize::from(u16::from_be_bytes([value[at], value[at + 1]]));
    match id {
        0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => 1,
        0x13 | 0x21 | 0x22 | 0x23 => 2,
        0x02 | 0x11 | 0x18 | 0x27 => 4,
        0x0B => 1 + value.iter().take_while(|byte| **byte & 0x80 != 0).count(),
        0x26 => string(0) + string(string(0)),
        _ => string(0),
    }
}

/// The value of a property of a block, if it is there.
pub(super) fn find(raw: &[u8], id: u8) -> Option<Vec<u8>> {
    split(raw).into_iter().find(|property| property[0] == id).map(|property| property[1..].to_vec())
}

/// All values of a property of a block.
pub(super) fn find_all(raw: &[u8], id: u8) -> Vec<Vec<u8>> {
    split(raw)
        .into_iter()
        .filter(|property| property[0] == id)
        .map(|property| property[1..].to_vec())
        .collect()
}

/// The properties of a CONNACK's body, which are short.
#[track_caller]
pub(super) fn of_connack(body: &[u8]) -> &[u8] {
    assert!(body[2] < 0x80 && usize::from(body[2]) == body.len() - 3, "{body:02x?}");
    &body[3..]
}
