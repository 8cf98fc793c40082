//! Compressed contents: the zlib format, inflated up to a bound.

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

use crate::Malformed;

/// What a first piece holds: most contents, and little where a stream says much.
const FIRST_BYTES: usize = 4_096;

/// What a zlib stream holds. No more than `most` bytes are inflated, and memory grows with what comes out
/// and not with what a length says.
pub fn inflate(stream: &[u8], most: usize) -> Result<Bytes, Malformed> {
    // One more than is taken, so that what is too large shows.
    let out = first(stream, most.saturating_add(1))?;
    if out.len() > most { Err(Malformed::TooLarge) } else { Ok(out.into()) }
}

/// What a compressed Bytes message holds: four bytes say how many there are, and a zlib stream holds them
/// and, as Java's client packs its whole buffer, zeros behind them.
pub fn inflate_bytes(content: &[u8], most: usize) -> Result<Bytes, Malformed> {
    let (len, stream) = content.split_first_chunk().ok_or(Malformed::Truncated)?;
    let len = usize::try_from(i32::from_be_bytes(*len)).map_err(|_| Malformed::Negative)?;
    if len > most {
        return Err(Malformed::TooLarge);
    }
    let out = first(stream, len)?;
    if out.len() == len { Ok(out.into()) } else { Err(Malformed::Compression) }
}

/// The first bytes that a stream holds, all of them where there are fewer.
fn first(mut stream: &[u8], most: usize) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    let mut zlib = Decompress::new(true);
    while out.len() < most {
        if out.len() == out.capacity() {
            out.reserve_exact(out.len().max(FIRST_BYTES).min(most - out.len()));
        }
        let (read, written) = (zlib.total_in(), out.len());
        let status = zlib.decompress_vec(stream, &mut out, FlushDecompress::None);
        if status.map_err(|_| Malformed::Compression)? == Status::StreamEnd {
            break;
        }
        let read = (zlib.total_in() - read) as usize;
        stream = stream.get(read..).unwrap_or_default();
        if read == 0 && out.len() == written {
            return Err(Malformed::Truncated);
        }
    }
    out.truncate(most);
    Ok(out)
}

/// A zlib stream that holds these bytes.
#[cfg(test)]
pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}
