//! The bytes of the format, worked out by hand with another program: a change of one is a new version.

use wharfmq_base::Lsn;

use super::header::{SEGMENT_HEAD, SegmentHeader};
use super::{checkpoint, index};
use crate::entries;
use crate::frames::{Frames, Salt};

const SEGMENT: &str = "\
    5768617266536567010000000700000003000000000000002a000000000000000000000000000000\
    000102030405060708090a0b0c0d0e0f00000000eae912d5";

const FRAME: &str = "\
    77467231805d94b8aabb2534150000002a0000000000000029000000000000000300000002000300\
    05020005000000697868656c6c6f06000000000000000000";

const INDEX: &str = "\
    57686172664964780100000007000000000102030405060708090a0b0c0d0e0f2a00000000000000\
    2a0000000000000040100000000000000a000000000000006ccba20fa16302ab0010000000000200\
    6978";

const CHECKPOINT: &str = "\
    576861726643686b010000000700000029000000000000002a000000000000000300000000000000\
    0500000000000000fbd293a300000000000000004df9d2507374617465";

const SALT: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn segment_header() {
    let head = SegmentHeader { number: 7, epoch: 3, first: Lsn(42), key: 0, salt: SALT }.encode();
    assert_eq!(head.len(), SEGMENT_HEAD as usize);
    assert_eq!(hex(&head[..64]), SEGMENT);
    assert_eq!(hex(&head[2048..2048 + 64]), SEGMENT);
    assert_eq!(head.iter().filter(|byte| **byte != 0).count(), {
        2 * head[..64].iter().filter(|byte| **byte != 0).count()
    });
}

#[test]
fn frame() {
    let mut frames = Frames::default();
    frames.push(5, b"ix", (1, 5), &[b"he", b"llo"], 1000);
    frames.push(6, b"", (0, 0), &[], 1000);
    frames.seal();
    frames.stamp(Lsn(42), Lsn(41), 3, &Salt::new(SALT));
    assert_eq!(hex(&frames.bytes), FRAME);
}

#[test]
fn index_file() {
    let mut entries = Vec::new();
    entries::add(&mut entries, 4096, 0, b"ix");
    let used = u64::from(SEGMENT_HEAD) + FRAME.len() as u64 / 2;
    let head = index::Head { number: 7, salt: SALT, first: Lsn(42), last: Lsn(42), used };
    assert_eq!(hex(&head.encode(&entries)) + &hex(&entries), INDEX);
}

#[test]
fn checkpoint_file() {
    let head = checkpoint::Head { upto: Lsn(41), durable: Lsn(42), epoch: 3, active: 7 };
    assert_eq!(hex(&head.encode(b"state")) + &hex(b"state"), CHECKPOINT);
}
