//! Raw header blocks made from raw header blocks.

use bytes::BytesMut;

use super::header::{Header, HeaderRules, headers};
use super::write::put_header;
use crate::error::Error;

/// Copies a raw header block without the headers called one of `names`, all of their repetitions.
///
/// Meant for what holds for one hop only or poses as the receiver's own: receipt, transaction,
/// message-id, subscription, redelivered, and content-length where it is written anew. Lines stay
/// escaped as they came and end in LF, so the result suits [`Encoder::raw`](crate::Encoder::raw) in the
/// same version.
///
/// # Errors
/// A malformed line; `out` then holds the lines before it.
pub fn strip(
    block: &[u8],
    rules: impl Into<HeaderRules>,
    names: &[&str],
    out: &mut BytesMut,
) -> Result<(), Error> {
    out.reserve(block.len());
    for header in headers(block, rules) {
        let Header { name, line, .. } = header?;
        if !names.contains(&&*name) {
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\n");
        }
    }
    Ok(())
}

/// Copies a raw header block written by the rules `from` as the rules `to` write it.
///
/// What `to` cannot say becomes a question mark; see [`Encoder::header`](crate::Encoder::header).
///
/// # Errors
/// A malformed line; `out` then holds the lines before it.
pub fn reescape(
    block: &[u8],
    from: impl Into<HeaderRules>,
    to: impl Into<HeaderRules>,
    out: &mut BytesMut,
) -> Result<(), Error> {
    let to = to.into();
    out.reserve(block.len());
    for header in headers(block, from) {
        let header = header?;
        put_header(out, &header.name, &header.value, to);
    }
    Ok(())
}
