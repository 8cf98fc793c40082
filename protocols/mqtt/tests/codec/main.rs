//! The codec seen from outside: golden bytes, the clauses of the specification, round trips, hostile input, and
//! other codecs as oracles.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod clauses_3;
mod clauses_5;
mod clauses_connect;
mod golden;
mod hostile;
mod model;
mod oracle;
mod round_trip;
mod state;
mod topics;

use wharfmq_mqtt::{Connect, ConnectError, Error, Limits, Packet, Version, decode, decode_connect};

const MAX: u32 = 1 << 20;

/// What a broker makes of one whole packet.
fn up(version: Version, input: &[u8]) -> Result<Packet<'_>, Error> {
    one(version, input, Limits::from_client(MAX))
}

/// What a client makes of one whole packet.
fn down(version: Version, input: &[u8]) -> Result<Packet<'_>, Error> {
    one(version, input, Limits::from_server(MAX))
}

fn one(version: Version, input: &[u8], limits: Limits) -> Result<Packet<'_>, Error> {
    let decoded = decode(input, version, limits)?.expect("a whole packet");
    assert_eq!(decoded.len, input.len());
    Ok(decoded.packet)
}

fn connect(input: &[u8]) -> Result<Connect<'_>, ConnectError> {
    let decoded = decode_connect(input, MAX)?.expect("a whole packet");
    assert_eq!(decoded.len, input.len());
    Ok(decoded.packet)
}

/// A packet from its first byte and the parts of its body; at most 127 bytes.
fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut packet = vec![first, u8::try_from(body.len()).expect("short")];
    assert!(body.len() < 128);
    packet.extend(body);
    packet
}

/// A string or binary field.
fn field(content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut field = u16::try_from(content.len()).expect("short").to_be_bytes().to_vec();
    field.extend(content);
    field
}
