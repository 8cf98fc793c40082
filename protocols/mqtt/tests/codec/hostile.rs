//! Bytes that are cut, changed or plain noise.

use crate::model::{Model, model, version};
use proptest::prelude::*;
use wharfmq_mqtt::{Limits, Packet, Peer, Version, decode, decode_connect};

/// Reads everything there is in a packet, so that lazy parts are tried as well.
fn touch(packet: &Packet<'_>) -> usize {
    format!("{packet:?}").len()
}

fn try_all(input: &[u8]) {
    for version in [Version::V31, Version::V311, Version::V5] {
        for from in [Peer::Client, Peer::Server] {
            if let Ok(Some(decoded)) = decode(input, version, Limits { max_packet: 1 << 16, from }) {
                assert!(decoded.len <= input.len());
                touch(&decoded.packet);
            }
        }
    }
    if let Ok(Some(decoded)) = decode_connect(input, 1 << 16) {
        assert!(decoded.len <= input.len());
        assert!(!format!("{decoded:?}").is_empty());
    }
}

proptest! {
    #[test]
    fn every_prefix_is_incomplete_and_what_follows_is_left_alone(
        model in model(),
        version in version(),
        tail in proptest::collection::vec(any::<u8>(), 0..9),
    ) {
        prop_assume!(model.exists_in(version));
        let input = model.encode(version);
        let limits = Limits { max_packet: u32::try_from(input.len()).unwrap(), from: model.from() };
        let is_connect = matches!(model, Model::Connect(..));
        for end in 0..input.len() {
            if is_connect {
                prop_assert!(matches!(decode_connect(&input[..end], limits.max_packet), Ok(None)));
            } else {
                prop_assert_eq!(decode(&input[..end], version, limits), Ok(None));
            }
        }
        let longer = [&input[..], &tail].concat();
        if is_connect {
            prop_assert_eq!(decode_connect(&longer, limits.max_packet).unwrap().unwrap().len, input.len());
        } else {
            prop_assert_eq!(decode(&longer, version, limits).unwrap().unwrap().len, input.len());
        }
    }

    #[test]
    fn noise_never_panics(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        try_all(&input);
    }

    #[test]
    fn noise_behind_a_true_header_never_panics(
        first in any::<u8>(),
        body in proptest::collection::vec(prop_oneof![0..6u8, any::<u8>()], 0..127),
    ) {
        let mut input = vec![first, u8::try_from(body.len()).unwrap()];
        input.extend(body);
        try_all(&input);
    }

    #[test]
    fn changed_packets_never_panic(
        model in model(),
        version in version(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<proptest::sample::Index>(),
    ) {
        prop_assume!(model.exists_in(version));
        let mut input = model.encode(version);
        for (at, byte) in changes {
            let at = at.index(input.len());
            input[at] = byte;
        }
        try_all(&input);
        try_all(&input[..cut.index(input.len())]);
    }
}
