//! Recorded frames, changed.

use std::collections::HashMap;
use std::fmt;

use bytes::{Bytes, BytesMut};
use wharfmq_openwire::{Decoder, Encoder, Format, Structure};

use crate::counted::most;
use crate::recorded::{captures, format_of};

/// Frames of one kind, version and encoding that are changed.
const SAMPLES: usize = 1;
/// Bytes of the largest frame that is changed; larger ones hold but more content.
const FRAME_MAX: usize = 400;
/// Memory that a body may take for each of its bytes, and at any rate.
const MEMORY_A_BYTE: usize = 256;
const MEMORY: usize = 16 << 10;

/// A frame, and the decoder as it stands before it.
struct Sample {
    at: String,
    decoder: Decoder,
    body: Bytes,
}

/// A few frames of each kind in each version and encoding.
fn samples() -> Vec<Sample> {
    let (mut samples, mut taken) = (Vec::new(), HashMap::new());
    for capture in captures() {
        let format = format_of(&capture);
        let mut sides = HashMap::new();
        for (number, (connection, direction, frame)) in capture.lines.iter().enumerate() {
            let body = frame.slice(4..);
            let key = (*connection, direction.clone());
            // The first frame is in the format of all first frames.
            let decoder = sides.entry(key).or_insert_with(|| Decoder::new(Format::default()));
            let kind = (format.version, format.tight, format.cache, decoder.format() == format, body[0]);
            let count = taken.entry(kind).or_insert(0);
            if *count < SAMPLES && body.len() < FRAME_MAX {
                *count += 1;
                let at = format!("{} line {}", capture.name, number + 2);
                samples.push(Sample { at, decoder: decoder.clone(), body: body.clone() });
            }
            decoder.decode(&body).unwrap();
            if body[0] == 1 {
                *decoder = Decoder::new(format);
            }
        }
    }
    assert!(samples.len() > 300, "{} samples", samples.len());
    samples
}

impl Sample {
    /// Reads a changed body. What can be read can be written, and says the same then.
    fn check(&self, body: Vec<u8>, how: fmt::Arguments<'_>) -> Option<Structure> {
        let (body, mut decoder) = (Bytes::from(body), self.decoder.clone());
        let (read, memory) = most(|| decoder.decode(&body));
        let bound = MEMORY_A_BYTE * body.len() + MEMORY;
        assert!(memory <= bound, "{}, {how}: {memory} bytes for {}", self.at, body.len());
        match read {
            Ok(read) => {
                self.check_again(&read, how);
                Some(read)
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                None
            }
        }
    }

    fn check_again(&self, read: &Structure, how: fmt::Arguments<'_>) {
        let format = self.decoder.format();
        let mut out = BytesMut::new();
        Encoder::new(format).encode(read, &mut out);
        let back = Decoder::new(format).decode(&out.freeze().slice(4..));
        assert_eq!(back.as_ref(), Ok(read), "{}, {how}", self.at);
    }
}

/// Puts bytes over those at a place.
fn over(body: &[u8], at: usize, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut changed = body.to_vec();
    changed.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
    (changed != body).then_some(changed)
}

#[test]
fn every_byte_changed() {
    for sample in samples() {
        for at in 0..sample.body.len() {
            for flip in [1 << (at % 8), 0xff] {
                let changed = over(&sample.body, at, &[sample.body[at] ^ flip]).unwrap();
                sample.check(changed, format_args!("byte {at} ^ {flip:#x}"));
            }
        }
    }
}

#[test]
fn every_length_lied_about() {
    for sample in samples() {
        for at in 1..sample.body.len() {
            let lies: [&[u8]; 4] =
                [&[0x7f, 0xff], &[0xff, 0xff], &[0x7f, 0xff, 0xff, 0xff], &[0x80, 0, 0, 0]];
            for lie in lies {
                if let Some(changed) = over(&sample.body, at, lie) {
                    sample.check(changed, format_args!("{lie:02x?} at {at}"));
                }
            }
        }
    }
}

/// Every data type at every place: one of them in turn, so that all of them meet all kinds of places.
#[test]
fn every_type_in_every_place() {
    let types: Vec<u8> = (0..=130).collect();
    let mut turn = 0;
    for sample in samples() {
        for at in 0..sample.body.len() {
            for _ in 0..2 {
                turn += 1;
                if let Some(changed) = over(&sample.body, at, &[types[turn % types.len()]]) {
                    sample.check(changed, format_args!("type {} at {at}", types[turn % types.len()]));
                }
            }
        }
        for type_id in types.iter().filter(|id| **id != sample.body[0]) {
            sample.check(over(&sample.body, 0, &[*type_id]).unwrap(), format_args!("as type {type_id}"));
        }
    }
}

#[test]
fn every_truncation() {
    for sample in samples() {
        for len in 0..sample.body.len() {
            let read = sample.check(sample.body[..len].to_vec(), format_args!("{len} bytes of it"));
            assert!(read.is_none(), "{}: {len} of {} bytes: {read:?}", sample.at, sample.body.len());
        }
        let longer = [&sample.body[..], &[0]].concat();
        assert!(sample.check(longer, format_args!("a byte more")).is_none(), "{}", sample.at);
    }
}

/// In every other format than its own.
#[test]
fn every_format_taken_for_another() {
    for sample in samples() {
        for version in [1, 5, 9, 12] {
            for (tight, cache) in [(false, 0), (true, 0), (false, 1_024), (true, 1_024)] {
                let format = Format { version, tight, stack_traces: true, cache };
                let decoder = Decoder::new(format);
                let other = Sample { at: sample.at.clone(), decoder, body: sample.body.clone() };
                other.check(sample.body.to_vec(), format_args!("as {format:?}"));
            }
        }
    }
}
