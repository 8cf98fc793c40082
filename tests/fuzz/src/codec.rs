//! Decoder and encoder against each other.

use bytes::BytesMut;
use wharfmq_mqtt::encode::{self, PublishHead};
use wharfmq_mqtt::{
    AckKind, EncodeError, Limits, Packet, Peer, Properties, PropertyWriter, Version, decode as decode_packet,
    decode_connect, frame,
};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
const MAX: u32 = 1 << 20;

/// A stream of packets, in every version and from either end. What is decoded is encoded again, and must
/// then mean the same.
pub fn decode(data: &[u8]) {
    for version in VERSIONS {
        for from in [Peer::Client, Peer::Server] {
            stream(data, version, Limits { max_packet: MAX, from });
        }
    }
}

/// The first packet of a connection.
pub fn connect(data: &[u8]) {
    let decoded = match decode_connect(data, MAX) {
        Ok(Some(decoded)) => decoded,
        Ok(None) => return,
        Err(error) => {
            // The refusal can be said, and says something other than success.
            assert!(!error.to_string().is_empty());
            let _ = error.refusal();
            return;
        }
    };
    assert!(decoded.len <= data.len());
    for end in [0, decoded.len / 2, decoded.len - 1] {
        let part = decode_connect(&data[..end], MAX);
        // What is wrong with the whole packet may show early; here nothing was wrong.
        assert!(matches!(part, Ok(None)), "a part of a good CONNECT: {part:?}");
    }
    check_properties(decoded.packet.properties);
    if let Some(will) = &decoded.packet.will {
        check_properties(will.properties);
    }
    let mut out = BytesMut::new();
    let written = encode::connect(&mut out, &decoded.packet).expect("what was decoded can be encoded");
    assert_eq!(written, out.len());
    let again = decode_connect(&out, MAX).unwrap().unwrap();
    assert_eq!(again.packet, decoded.packet);
}

fn stream(data: &[u8], version: Version, limits: Limits) {
    let mut rest = data;
    while let Ok(Some(decoded)) = decode_packet(rest, version, limits) {
        let head = frame(rest, limits.max_packet).unwrap().unwrap();
        assert_eq!(decoded.len, head.total_len as usize);
        assert!((2..=rest.len()).contains(&decoded.len));
        let (whole, behind) = rest.split_at(decoded.len);
        assert_eq!(decode_packet(&whole[..whole.len() - 1], version, limits), Ok(None), "a part of it");
        check_ranges(&decoded.packet, whole);
        again(&decoded.packet, version, limits);
        rest = behind;
    }
}

fn again(packet: &Packet<'_>, version: Version, limits: Limits) {
    let mut out = BytesMut::new();
    let written = write(packet, version, &mut out).expect("what was decoded can be encoded");
    assert_eq!(written, out.len());
    let second = decode_packet(&out, version, limits).unwrap().unwrap();
    assert_eq!(second.len, written);
    assert_eq!(said(packet), said(&second.packet));
    let mut once_more = BytesMut::new();
    write(&second.packet, version, &mut once_more).unwrap();
    assert_eq!(out, once_more);
}

/// A packet in words, without how long its fixed header was.
fn said(packet: &Packet<'_>) -> String {
    match packet {
        Packet::Publish(publish) => format!("{:?} {:?}", PublishHead::from(publish), publish.payload),
        other => format!("{other:?}"),
    }
}

fn check_ranges(packet: &Packet<'_>, whole: &[u8]) {
    let Packet::Publish(publish) = packet else { return };
    assert_eq!(&whole[publish.topic_range()], publish.topic.as_bytes());
    assert_eq!(&whole[publish.payload_range()], publish.payload);
    assert_eq!(&whole[publish.properties_range()], publish.properties.raw());
    if let Some(range) = publish.packet_id_range() {
        let id = publish.packet_id.unwrap().get().to_be_bytes();
        assert_eq!(whole[range], id);
    }
    check_properties(publish.properties);
    let _ = publish.check_payload_format();
}

/// What was validated once is read in full ever after, and copies are what they copy.
fn check_properties(properties: Properties<'_>) {
    let count = properties.iter().count();
    let pieces: Vec<_> = properties.raw_iter().collect();
    assert_eq!(pieces.len(), count);
    let joined: Vec<u8> = pieces.iter().flat_map(|(_, raw)| raw.iter().copied()).collect();
    assert_eq!(joined, properties.raw());
    let mut copied = BytesMut::new();
    PropertyWriter::new(&mut copied).copy(properties, |_| true);
    assert_eq!(copied, properties.raw());
    let mut written = BytesMut::new();
    let mut writer = PropertyWriter::new(&mut written);
    for (id, value) in properties {
        writer.put(id, value).expect("what was read can be written");
    }
    assert_eq!(written, properties.raw());
}

fn write(packet: &Packet<'_>, version: Version, out: &mut BytesMut) -> Result<usize, EncodeError> {
    match packet {
        Packet::Connack(connack) => encode::connack(out, version, connack),
        Packet::Publish(publish) => {
            encode::publish(out, version, &PublishHead::from(publish), publish.payload)
        }
        Packet::Puback(ack) => encode::ack(out, version, AckKind::Puback, ack),
        Packet::Pubrec(ack) => encode::ack(out, version, AckKind::Pubrec, ack),
        Packet::Pubrel(ack) => encode::ack(out, version, AckKind::Pubrel, ack),
        Packet::Pubcomp(ack) => encode::ack(out, version, AckKind::Pubcomp, ack),
        Packet::Subscribe(subscribe) => {
            let list: Vec<_> = subscribe.subscriptions.iter().collect();
            assert_eq!(list.len(), subscribe.subscriptions.len());
            encode::subscribe(out, version, subscribe.packet_id, subscribe.properties, &list)
        }
        Packet::Suback(suback) => encode::suback(out, version, suback),
        Packet::Unsubscribe(unsubscribe) => {
            let list: Vec<_> = unsubscribe.filters.iter().collect();
            assert_eq!(list.len(), unsubscribe.filters.len());
            encode::unsubscribe(out, version, unsubscribe.packet_id, unsubscribe.properties, &list)
        }
        Packet::Unsuback(unsuback) => encode::unsuback(out, version, unsuback),
        Packet::Pingreq => Ok(encode::pingreq(out)),
        Packet::Pingresp => Ok(encode::pingresp(out)),
        Packet::Disconnect(disconnect) => encode::disconnect(out, version, disconnect),
        Packet::Auth(auth) => encode::auth(out, auth),
    }
}
