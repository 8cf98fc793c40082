//! What is written is read again as it was: any structure, in all versions and encodings.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod arbitrary;

use arbitrary::{Any, Choice};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use wharfmq_openwire::{Decoder, Encoder, Format, Message, Structure, frame_len, read_head, write_head};

const FRAME_MAX: usize = 1 << 20;

fn formats() -> impl Iterator<Item = Format> {
    (1..=12_u8).flat_map(|version| {
        [(false, 0), (false, 200), (true, 0), (true, 200)].map(|(tight, cache)| Format {
            version,
            tight,
            stack_traces: true,
            cache,
        })
    })
}

/// Writes structures as one connection does.
fn written(format: Format, structures: &[Structure]) -> Vec<Bytes> {
    let mut encoder = Encoder::new(format);
    let frame = |structure| {
        let mut out = BytesMut::new();
        encoder.encode(structure, &mut out);
        assert_eq!(frame_len(&out, FRAME_MAX).unwrap(), Some(out.len()));
        out.freeze()
    };
    structures.iter().map(frame).collect()
}

fn read(format: Format, frames: &[Bytes]) -> Vec<Structure> {
    let mut decoder = Decoder::new(format);
    frames.iter().map(|frame| decoder.decode(&frame.slice(4..)).unwrap()).collect()
}

/// NetworkBridgeFilter alone has a field that later versions do not have.
fn is_whole_in_12(structure: &Structure) -> bool {
    !format!("{structure:?}").contains("network_ttl")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn structures_come_back(choices in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..6)) {
        let structures: Vec<_> =
            choices.iter().map(|bytes| Structure::any(&mut Choice::new(bytes))).collect();
        for format in formats() {
            let frames = written(format, &structures);
            let back = read(format, &frames);
            if format.version == 12 {
                for (sent, came) in structures.iter().zip(&back).filter(|(sent, _)| is_whole_in_12(sent)) {
                    prop_assert_eq!(sent, came, "{:?}", format);
                }
            }
            // What a version does not have is lost once, and nothing after that.
            let again = written(format, &back);
            prop_assert_eq!(&frames, &again, "{:?}", format);
            prop_assert_eq!(&back, &read(format, &again));
        }
    }

    /// One encoding carries what came in another.
    #[test]
    fn encodings_say_the_same(choice in prop::collection::vec(any::<u8>(), 0..400)) {
        let structure = Structure::any(&mut Choice::new(&choice));
        for version in 1..=12 {
            let in_version = |format: &Format| format.version == version;
            let all: Vec<_> = formats()
                .filter(in_version)
                .map(|format| read(format, &written(format, std::slice::from_ref(&structure))))
                .collect();
            prop_assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }

    #[test]
    fn heads_come_back(choice in prop::collection::vec(any::<u8>(), 0..400)) {
        let message = Message::any(&mut Choice::new(&choice));
        let mut head = BytesMut::new();
        write_head(&message, &mut head);
        let back = read_head(&head.freeze()).unwrap();
        // Nothing is lost; exceptions alone, which only stand within other structures, come without their places.
        if !format!("{message:?}").contains("Throwable") && !format!("{message:?}").contains("network_ttl") {
            prop_assert_eq!(back, message);
        }
    }
}
