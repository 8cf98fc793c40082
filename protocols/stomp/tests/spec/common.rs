//! Short spellings for the tests.

use wharfmq_stomp::{Decoded, Error, Frame, Limits, Scan, Version, decode};

pub(crate) const V10: Version = Version::V1_0;
pub(crate) const V11: Version = Version::V1_1;
pub(crate) const V12: Version = Version::V1_2;

pub(crate) fn try_decode(input: &[u8], version: Version) -> Result<Decoded<'_>, Error> {
    decode(input, &mut Scan::default(), &Limits::DEFAULT, version)
}

pub(crate) fn frame(input: &[u8], version: Version) -> Frame<'_> {
    match try_decode(input, version) {
        Ok(Decoded::Frame(frame)) => frame,
        other => panic!("not a frame but {other:?}: {}", input.escape_ascii()),
    }
}

pub(crate) fn error(input: &[u8], version: Version) -> Error {
    try_decode(input, version).expect_err("the input is malformed")
}

pub(crate) fn is_incomplete(input: &[u8], version: Version) -> bool {
    matches!(try_decode(input, version), Ok(Decoded::Incomplete { .. }))
}

pub(crate) fn pairs(frame: &Frame<'_>) -> Result<Vec<(String, String)>, Error> {
    frame.headers().map(|header| header.map(|h| (h.name.into_owned(), h.value.into_owned()))).collect()
}

pub(crate) fn value(input: &[u8], version: Version, name: &str) -> Option<String> {
    frame(input, version).get(name).expect("well-formed headers").map(|value| value.into_owned())
}

pub(crate) fn header_error(input: &[u8], version: Version) -> Error {
    pairs(&frame(input, version)).expect_err("the headers are malformed")
}
