//! Few bytes that stand for much.

use bytes::{BufMut, Bytes, BytesMut};
use wharfmq_openwire::{Decoder, Encoder, Error, Format, Structure};

use super::wire::{Body, LOOSE, TIGHT};
use crate::counted::most;

/// Memory for the parts of one command, and for what growing tables hold twice meanwhile.
const PARTS_MAX: usize = 5 << 20;

/// Reads a bomb: whatever comes of it, it takes no more memory than the parts of a command may.
fn defuse(body: &Body, format: Format) -> Result<Structure, Error> {
    let bytes = Bytes::copy_from_slice(&body.0);
    let (read, memory) = most(|| Decoder::new(format).decode(&bytes));
    assert!(memory < PARTS_MAX, "{memory} bytes for {}", bytes.len());
    if let Ok(read) = &read {
        let mut out = BytesMut::new();
        Encoder::new(format).encode(read, &mut out);
        assert_eq!(Decoder::new(format).decode(&out.freeze().slice(4..)).as_ref(), Ok(read));
    }
    read
}

fn is_too_large(read: &Result<Structure, Error>) -> bool {
    matches!(read, Err(Error::TooLarge(..)))
}

#[test]
fn an_array_of_32767_nulls() {
    let body = Body::of(33).int(1).raw([0]).int(2).raw([1, 0x7f, 0xff]).raw(vec![0; 32_767]);
    assert!(defuse(&body, LOOSE).is_ok());
    let mut bits = vec![false, true];
    bits.resize(2 + 32_767, false);
    let body = Body::of(33).bits(&bits).int(1).int(2).raw([0x7f, 0xff]);
    assert!(defuse(&body, TIGHT).is_ok());
}

#[test]
fn arrays_that_are_longer_than_what_they_hold() {
    for count in [1_u16, 32_767, 0x8000, 0xffff] {
        let body = Body::of(33).int(1).raw([0]).int(2).raw([1]).raw(count.to_be_bytes());
        assert!(matches!(defuse(&body, LOOSE), Err(Error::Truncated | Error::Negative(_))));
        let body = Body::of(33)
            .bits(&[false, true, true, true, true, true, true, true])
            .int(1)
            .int(2)
            .raw(count.to_be_bytes());
        assert!(matches!(defuse(&body, TIGHT), Err(Error::Truncated | Error::Negative(_))));
    }
}

/// Small structures by the thousand.
#[test]
fn an_array_of_the_smallest_structures() {
    for type_id in [101, 120, 124, 14, 53, 60] {
        let rest: &[u8] = match type_id {
            14 => &[0; 6],
            60 => &[0; 5],
            _ => &[0],
        };
        let element = [&[1, type_id][..], rest].concat();
        let body = Body::of(33).int(1).raw([0]).int(2).raw([1, 0x7f, 0xff]).raw(element.repeat(32_767));
        assert!(is_too_large(&defuse(&body, LOOSE)), "type {type_id}");
        let body = Body::of(33).int(1).raw([0]).int(2).raw([1, 0x10, 0]).raw(element.repeat(0x1000));
        assert!(defuse(&body, LOOSE).is_ok(), "4,096 of type {type_id}");
    }
}

/// Each message of a premarshalled form has a boolean stream of its own, with arrays of a bit an element.
#[test]
fn arrays_in_nested_frames() {
    let mut nested = BytesMut::new();
    let message = wharfmq_openwire::Message {
        broker_path: Some(vec![None; 32_767]),
        cluster: Some(vec![None; 32_767]),
        ..Default::default()
    };
    Encoder::new(TIGHT).encode(&message, &mut nested);
    let nested = nested.freeze();
    let count = 500_u16;
    let mut bits = vec![false, true];
    bits.extend([true, true].repeat(count.into()));
    let mut elements = BytesMut::new();
    for _ in 0..count {
        // Its type, then the frame: a length, the type again, and the rest.
        elements.put_u8(nested[4]);
        elements.put_slice(&nested);
    }
    let body = Body::of(33).bits(&bits).int(1).int(2).raw(count.to_be_bytes()).raw(elements);
    assert!(is_too_large(&defuse(&body, TIGHT)));
}

#[test]
fn a_message_in_a_nested_frame() {
    let mut nested = BytesMut::new();
    Encoder::new(TIGHT).encode(&wharfmq_openwire::Message::default(), &mut nested);
    let nested = nested.freeze();
    let dispatch = |announced: u8, frame: &[u8]| {
        // No consumer, no destination, a message in a frame of its own.
        let body = Body::of(21).bits(&[false, false, false, true, true]).int(0);
        body.raw([announced]).raw(frame).int(0)
    };
    let whole = defuse(&dispatch(23, &nested), TIGHT).unwrap();
    let Structure::MessageDispatch(read) = whole else { panic!("{whole:?}") };
    assert_eq!(read.message, Some(Box::default()));
    assert!(matches!(defuse(&dispatch(24, &nested), TIGHT), Err(Error::UnexpectedType { .. })));
    for (len, error) in [(-1, "below zero"), (i32::MAX, "before"), (0, "ends before"), (3, "ends before")] {
        let mut lie = nested.to_vec();
        lie[..4].copy_from_slice(&i32::to_be_bytes(len));
        let read = defuse(&dispatch(23, &lie), TIGHT).unwrap_err();
        assert!(read.to_string().contains(error), "{len}: {read}");
    }
    let mut longer = nested.to_vec();
    longer[..4].copy_from_slice(&(nested.len() as i32 - 3).to_be_bytes());
    longer.push(0);
    assert_eq!(defuse(&dispatch(23, &longer), TIGHT), Err(Error::Trailing(1)));
}

#[test]
fn a_stack_trace_without_end() {
    let frame = Body::default().raw([0, 0, 0]).int(7);
    let exception = |frames: u16, causes: usize| {
        let one = Body::default().text("a.B").text("c").raw(frames.to_be_bytes());
        let one = one.raw(frame.0.repeat(frames.into()));
        let chain = [&[1][..], &one.0].concat().repeat(causes);
        Body::of(16).int(1).raw([0]).raw(chain).raw([0, 0])
    };
    assert!(defuse(&exception(100, 10), LOOSE).is_ok());
    assert!(is_too_large(&defuse(&exception(32_767, 1), LOOSE)));
    assert!(is_too_large(&defuse(&exception(1_000, 32), LOOSE)));
    assert!(defuse(&exception(0, 32), LOOSE).is_ok());
    assert_eq!(defuse(&exception(0, 33), LOOSE), Err(Error::TooDeep));
    assert_eq!(defuse(&exception(0, 100_000), LOOSE), Err(Error::TooDeep));
    let negative = Body::of(16).int(1).raw([0, 1]).text("a.B").text("c").raw([0xff, 0xff]);
    assert!(matches!(defuse(&negative, LOOSE), Err(Error::Negative(_))));
}

#[test]
fn nesting_has_an_end() {
    let deep = |levels: usize| {
        // A DataResponse in a DataResponse.
        let link = Body::default().int(1).raw([0]).int(2).raw([1, 32]);
        let last = Body::default().int(1).raw([0]).int(2).raw([0]);
        Body::of(32).raw(link.0.repeat(levels)).raw(last.0)
    };
    assert!(defuse(&deep(16), LOOSE).is_ok());
    for levels in [17, 100, 100_000] {
        assert_eq!(defuse(&deep(levels), LOOSE), Err(Error::TooDeep));
    }
    // A broker among the peers of a broker among the peers of a broker.
    let link = Body::default().int(1).raw([0; 3]).raw([1, 0, 1, 1, 2]);
    let body = Body::of(2).raw(link.0.repeat(1_000));
    assert_eq!(defuse(&body, LOOSE), Err(Error::TooDeep));
}

#[test]
fn lengths_that_no_frame_has_room_for() {
    for len in [-1, i32::MIN, i32::MAX, 0x0fff_ffff, 5] {
        let body = Body::of(60).int(1).raw([1]).int(len).raw([0; 4]);
        assert!(matches!(defuse(&body, LOOSE), Err(Error::Negative(_) | Error::Truncated)));
        let body = Body::of(60).bits(&[true]).int(1).int(len).raw([0; 4]);
        assert!(matches!(defuse(&body, TIGHT), Err(Error::Negative(_) | Error::Truncated)));
    }
    let body = Body::of(53).raw([1, 0xff, 0xff]).raw("abc");
    assert_eq!(defuse(&body, LOOSE), Err(Error::Truncated));
}
