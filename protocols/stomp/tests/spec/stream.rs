//! Frames that arrive in pieces.

use wharfmq_stomp::{Decoded, Limits, Scan, Version, decode};

use crate::common::*;

const FRAMES: [&[u8]; 6] = [
    b"CONNECT\r\naccept-version:1.2\r\nhost:x\r\n\r\n\0",
    b"SEND\ndestination:/queue/a\ncontent-length:4\n\na\0\nb\0",
    b"SEND\r\na:b\r\n\r\ntext\0",
    b"MESSAGE\na\\c:\xc3\xa9\\n\n\n\xff\n\n\0",
    b"DISCONNECT\n\n\0",
    b"ACK\nid:1\n\n\n\0",
];

/// Feeds `input` in pieces of `step` bytes as a connection does, and counts frames and heart-beats.
fn feed(input: &[u8], step: usize, version: Version) -> (Vec<Vec<u8>>, usize) {
    let (mut scan, mut buffer) = (Scan::default(), Vec::new());
    let (mut frames, mut beats) = (Vec::new(), 0);
    for piece in input.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            let used = match decode(&buffer, &mut scan, &Limits::DEFAULT, version).unwrap() {
                Decoded::Incomplete { .. } => break,
                Decoded::HeartBeat(bytes) => {
                    beats += bytes;
                    bytes
                }
                Decoded::Frame(frame) => {
                    assert_eq!(frame.whole_range(), 0..frame.consumed());
                    frames.push(buffer[frame.whole_range()].to_vec());
                    frame.consumed()
                }
            };
            buffer.drain(..used);
        }
    }
    assert!(buffer.is_empty());
    (frames, beats)
}

#[test]
fn stream_split_at_every_byte() {
    for whole in FRAMES {
        for cut in 0..whole.len() {
            let mut scan = Scan::default();
            let first = decode(&whole[..cut], &mut scan, &Limits::DEFAULT, V12);
            assert!(matches!(first, Ok(Decoded::Incomplete { .. })), "{first:?} at {cut}");
            assert!(scan.scanned() <= cut);
            let second = decode(whole, &mut scan, &Limits::DEFAULT, V12);
            assert!(matches!(second, Ok(Decoded::Frame(frame)) if frame.consumed() == whole.len()));
            assert_eq!(scan.scanned(), 0);
        }
    }
}

#[test]
fn stream_in_pieces_of_every_size() {
    let mut input = b"\r\n\n".to_vec();
    for frame in FRAMES {
        input.extend_from_slice(frame);
        input.extend_from_slice(b"\n\r\n");
    }
    for step in 1..=input.len() {
        let (frames, beats) = feed(&input, step, V12);
        assert_eq!(frames, FRAMES, "in pieces of {step}");
        assert_eq!(beats, 3 + 3 * FRAMES.len());
    }
}

#[test]
fn stream_tells_what_is_missing() {
    let whole = b"SEND\ncontent-length:10\n\n0123456789\0";
    let head = whole.len() - 11;
    for cut in head..whole.len() {
        match try_decode(&whole[..cut], V12) {
            Ok(Decoded::Incomplete { missing }) => assert_eq!(missing, Some(whole.len() - cut)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn stream_resumes_where_it_stopped() {
    let mut input = b"SEND\n\n".to_vec();
    let mut scan = Scan::default();
    for _ in 0..100 {
        input.extend_from_slice(&[b'x'; 1000]);
        assert!(matches!(decode(&input, &mut scan, &Limits::DEFAULT, V12), Ok(Decoded::Incomplete { .. })));
        assert_eq!(scan.scanned(), input.len());
    }
    // A NUL put where the search has been is not seen: it really does not look twice.
    input[500] = 0;
    assert!(matches!(decode(&input, &mut scan, &Limits::DEFAULT, V12), Ok(Decoded::Incomplete { .. })));
    input.push(0);
    assert!(
        matches!(decode(&input, &mut scan, &Limits::DEFAULT, V12), Ok(Decoded::Frame(frame)) if frame.consumed() == input.len())
    );
}

#[test]
fn stream_scan_of_another_input_does_not_panic() {
    let mut scan = Scan::default();
    let long = b"SEND\na:b\n\nbody without an end";
    assert!(decode(long, &mut scan, &Limits::DEFAULT, V12).is_ok());
    assert!(matches!(decode(b"S", &mut scan, &Limits::DEFAULT, V12), Ok(Decoded::Incomplete { .. })));
}
