//! Recorded sessions of the ActiveMQ client with its broker: every frame is read and written again, byte
//! for byte, as its own sender wrote it.
//!
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use bytes::BytesMut;
use std::collections::HashMap;
use wharfmq_openwire::{Decoder, Encoder, Format, Proposal, Structure, frame_len, negotiate};

mod recorded;

use recorded::{captures, format_of};

/// What one direction of a connection needs.
struct Side {
    decoder: Decoder,
    encoder: Encoder,
}

#[test]
fn every_frame_is_written_as_it_was_read() {
    let (mut frames, mut seen) = (0, HashMap::new());
    for capture in captures() {
        let format = format_of(&capture);
        let mut sides: HashMap<(u32, String), Side> = HashMap::new();
        for (number, (connection, direction, frame)) in capture.lines.iter().enumerate() {
            let at = format!("{} line {}", capture.name, number + 2);
            let len = frame_len(frame, 1 << 24).unwrap();
            assert_eq!(len, Some(frame.len()), "{at}");
            let body = frame.slice(4..);
            let key = (*connection, direction.clone());
            let first = !sides.contains_key(&key);
            let side = sides
                .entry(key)
                .or_insert_with(|| Side { decoder: Decoder::new(format), encoder: Encoder::new(format) });
            let (read, mut out) = if first {
                let read = Decoder::new(Format::default()).decode(&body).expect(&at);
                let mut out = BytesMut::new();
                Encoder::new(Format::default()).encode(&read, &mut out);
                (read, out)
            } else {
                let read = side.decoder.decode(&body).expect(&at);
                let mut out = BytesMut::new();
                side.encoder.encode(&read, &mut out);
                (read, out)
            };
            assert_eq!(hex(&out.split()), hex(frame), "{at}: {read:?}");
            *seen.entry(frame[4]).or_insert(0) += 1;
            frames += 1;
        }
    }
    assert_eq!(frames, 7_730);
    assert!(seen.len() > 25, "{seen:?}");
}

#[test]
fn both_sides_negotiate_what_was_then_spoken() {
    for capture in captures() {
        let proposal = |direction: &str| {
            let line = capture.lines.iter().find(|(_, of, _)| of == direction).unwrap();
            let read = Decoder::new(Format::default()).decode(&line.2.slice(4..)).unwrap();
            let Structure::WireFormatInfo(info) = read else { panic!("{read:?}") };
            Proposal::read(&info).unwrap()
        };
        let (client, broker) = (proposal("C>B"), proposal("B>C"));
        assert_eq!(negotiate(&client, &broker), negotiate(&broker, &client));
        assert_eq!(negotiate(&client, &broker), format_of(&capture), "{}", capture.name);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
