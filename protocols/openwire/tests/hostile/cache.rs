//! The object cache in the hands of a peer that means no good.

use bytes::{Bytes, BytesMut};
use wharfmq_openwire::{
    ConnectionId, Decoder, Destination, DestinationKind, Encoder, Error, Format, Message, Nested, ProducerId,
    SessionInfo, Structure, XATransactionId,
};

use super::wire::{Body, LOOSE, TIGHT};
use crate::counted::held;

const CACHED: Format = Format { cache: 1_024, ..LOOSE };
/// What a table may take: what is counted of it, and what that is rough about.
const TABLE_MAX: isize = 6 << 20;

/// A DestinationInfo whose connection id is new at an index.
fn with_id(index: i16, id: &str) -> Bytes {
    let body = Body::of(9).int(1).raw([0, 1]).raw(index.to_be_bytes()).raw([1, 120]).text(id);
    body.raw([0, 0]).0.into()
}

/// The same with what is known at an index.
fn hit(index: i16) -> Bytes {
    Body::of(9).int(1).raw([0, 0]).raw(index.to_be_bytes()).raw([0, 0]).0.into()
}

#[test]
fn an_index_that_no_table_has() {
    for index in [1_024, i16::MAX, -2, i16::MIN] {
        let read = Decoder::new(CACHED).decode(&with_id(index, "a"));
        assert_eq!(read, Err(Error::CacheIndex(index)));
    }
}

#[test]
fn what_was_never_sent() {
    for index in [0, 1, 1_023, 1_024, i16::MAX, -1, -2, i16::MIN] {
        let mut decoder = Decoder::new(CACHED);
        assert_eq!(decoder.decode(&hit(index)), Err(Error::CacheIndex(index)));
        decoder.decode(&with_id(5, "a")).unwrap();
        assert_eq!(decoder.decode(&hit(index)), Err(Error::CacheIndex(index)));
        decoder.decode(&hit(5)).unwrap();
    }
}

#[test]
fn what_is_sent_at_minus_1_is_not_kept() {
    let mut decoder = Decoder::new(CACHED);
    let before = held();
    for _ in 0..10_000 {
        decoder.decode(&with_id(-1, &"x".repeat(1_000))).unwrap();
    }
    assert!(held() - before < 10_000, "{} bytes", held() - before);
    assert_eq!(decoder.decode(&hit(-1)), Err(Error::CacheIndex(-1)));
}

#[test]
fn what_is_written_over_is_gone() {
    let mut decoder = Decoder::new(CACHED);
    for n in 0..10_000 {
        decoder.decode(&with_id(7, &format!("{n}{}", "x".repeat(10_000)))).unwrap();
    }
    let Ok(Structure::RemoveSubscriptionInfo(info)) = decoder.decode(&hit(7)) else { panic!("a hit") };
    assert!(info.connection_id.unwrap().value.as_ref().unwrap().decode().starts_with("9999x"));
    assert!(held() < 1 << 20);
}

#[test]
fn another_type_than_was_kept() {
    let mut decoder = Decoder::new(CACHED);
    decoder.decode(&with_id(3, "a")).unwrap();
    // A SessionInfo whose session id is what is known as a connection id.
    let body = Body::of(4).int(1).raw([0, 0]).raw(3_i16.to_be_bytes());
    let read = decoder.decode(&body.0.into());
    assert!(matches!(read, Err(Error::UnexpectedType { found: 120, .. })), "{read:?}");
}

#[test]
fn an_endless_stream_of_entries_ends() {
    let mut decoder = Decoder::new(CACHED);
    let name = "x".repeat(60_000);
    let before = held();
    let end = (0..).map(|n: i32| decoder.decode(&with_id((n % 1_024) as i16, &name)));
    let (count, error) = end.enumerate().find_map(|(n, read)| Some((n, read.err()?))).unwrap();
    assert!(matches!(error, Error::TooLarge(..)), "{error:?}");
    assert!((50..100).contains(&count), "{count} entries of 60 kB");
    assert!(held() - before < TABLE_MAX, "{} bytes", held() - before);
}

#[test]
fn short_entries_may_come_for_ever() {
    let mut decoder = Decoder::new(CACHED);
    let before = held();
    for n in 0..200_000_i32 {
        decoder.decode(&with_id((n % 1_024) as i16, &n.to_string())).unwrap();
    }
    assert!(held() - before < 1 << 20, "{} bytes", held() - before);
}

/// An entry keeps neither its frame nor what else lay beside that in memory.
#[test]
fn an_entry_does_not_keep_its_frame() {
    let ids: [(u8, &[u8]); 6] =
        [(120, &[]), (121, &[0; 8]), (122, &[0; 16]), (123, &[0; 16]), (124, &[]), (100, &[])];
    for format in [CACHED, Format { tight: true, ..CACHED }] {
        for (type_id, rest) in ids {
            let mut decoder = Decoder::new(format);
            let before = held();
            for index in 0..100_i16 {
                // A RemoveInfo of the id, in a piece of memory of 1 MiB.
                let body = if format.tight {
                    let longs = vec![false; rest.len() / 4];
                    let bits = [&[false, true, true, true, true][..], &longs, &[false, false]].concat();
                    let body = Body::of(12).bits(&bits).int(1).raw(index.to_be_bytes());
                    body.raw([type_id, 0, 1]).raw("a")
                } else {
                    let body = Body::of(12).int(1).raw([0, 1]).raw(index.to_be_bytes());
                    body.raw([1, type_id]).text("a").raw(rest).raw([0; 8])
                };
                let mut piece = body.0.clone();
                piece.resize(1 << 20, 0);
                let piece = Bytes::from(piece);
                decoder.decode(&piece.slice(..body.0.len())).unwrap();
            }
            assert!(held() - before < 1 << 20, "type {type_id}: {} bytes", held() - before);
        }
    }
}

/// What is written for one peer comes from others: it keeps nothing of theirs, and has a bound as well.
#[test]
fn a_writer_keeps_neither_frames_nor_large_ids() {
    for format in [CACHED, Format { cache: 1_024, ..TIGHT }] {
        let (mut encoder, mut decoder) = (Encoder::new(format), Decoder::new(format));
        let before = held();
        for n in 0..1_500 {
            let mut piece = format!("id-{n}").into_bytes();
            let len = piece.len();
            piece.resize(20_000, b'x');
            let piece = Bytes::from(piece);
            let producer = ProducerId {
                connection_id: Some(wharfmq_openwire::Text::from_wire(piece.slice(..len))),
                ..Default::default()
            };
            let large = XATransactionId { global_transaction_id: Some(piece.clone()), ..Default::default() };
            let message = Message {
                producer_id: Some(producer.into()),
                destination: Some(Destination::new(DestinationKind::Queue, "q".repeat(3_000 + n)).into()),
                original_transaction_id: Some(wharfmq_openwire::TransactionId::Xa(large).into()),
                ..Default::default()
            };
            let mut out = BytesMut::new();
            encoder.encode(&message, &mut out);
            let read: Message = decoder.decode_as(message.type_id(), &out.freeze().slice(4..)).unwrap();
            assert_eq!(read, message);
        }
        assert!(held() - before < 2 << 20, "{} bytes", held() - before);
    }
}

#[test]
fn more_objects_than_a_table_has() {
    let format = Format { cache: 101, ..TIGHT };
    let (mut encoder, mut decoder) = (Encoder::new(format), Decoder::new(format));
    for n in 0..5_000 {
        let session_id = wharfmq_openwire::SessionId { connection_id: None, value: n * n % 311 };
        let info = SessionInfo { session_id: Some(session_id.into()), ..Default::default() };
        let mut out = BytesMut::new();
        encoder.encode(&info, &mut out);
        let read = decoder.decode(&out.freeze().slice(4..)).unwrap();
        assert_eq!(read, Structure::SessionInfo(Box::new(info)));
    }
}

#[test]
fn null_is_cached_as_well() {
    let mut decoder = Decoder::new(CACHED);
    let null = Body::of(9).int(1).raw([0, 1, 0, 2, 0, 0, 0]);
    decoder.decode(&null.0.into()).unwrap();
    let Ok(Structure::RemoveSubscriptionInfo(info)) = decoder.decode(&hit(2)) else { panic!("a hit") };
    assert_eq!(info.connection_id, None::<std::sync::Arc<ConnectionId>>);
}
