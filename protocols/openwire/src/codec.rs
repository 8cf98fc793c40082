//! Frames: commands of one direction of a connection, in the format that was negotiated.

use bytes::{BufMut, Bytes, BytesMut};

use crate::cache::{ReadCache, WriteCache};
use crate::error::Error;
use crate::negotiate::CACHE_SIZE_MIN;
use crate::reader::Reader;
use crate::recent::Recent;
use crate::structure::{Nested, Structure};
use crate::writer::Writer;

/// Bytes of the scratch buffer that are kept from one command to the next.
const SCRATCH_KEPT: usize = 64 << 10;

/// How commands are written, as both sides agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// 1 to 12.
    pub version: u8,
    /// Whether flags come as bits in front.
    pub tight: bool,
    /// Whether exceptions say where they were thrown, and what caused them.
    pub stack_traces: bool,
    /// Entries of the object cache of each direction; 0 for none.
    pub cache: u16,
}

impl Default for Format {
    /// What holds before the negotiation: loose and uncached.
    fn default() -> Self {
        Self { version: 1, tight: false, stack_traces: false, cache: 0 }
    }
}

/// How long the first frame in `input` is, its four bytes of size included; `None` where that is not
/// known yet. A frame whose body is larger than `max` is refused as soon as its size is known.
pub fn frame_len(input: &[u8], max: usize) -> Result<Option<usize>, Error> {
    let Some(size) = input.first_chunk() else { return Ok(None) };
    let size =
        usize::try_from(i32::from_be_bytes(*size)).map_err(|_| Error::Negative("the size of a frame"))?;
    if size == 0 {
        return Err(Error::Truncated);
    }
    if size > max {
        return Err(Error::TooLarge("the size of a frame", max as u64));
    }
    Ok(Some(size + 4))
}

/// Reads commands. They have to be read in their order, as the object cache is a part of it.
#[derive(Clone, Debug)]
pub struct Decoder {
    format: Format,
    cache: Option<ReadCache>,
    /// Only of what is loose and uncached.
    recent: Option<Recent>,
}

impl Decoder {
    /// A decoder of what is sent from the negotiation on.
    pub fn new(format: Format) -> Self {
        let recent = (format.cache == 0 && !format.tight).then(Recent::default);
        Self { format, cache: (format.cache > 0).then(|| ReadCache::new(format.cache)), recent }
    }

    /// The format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Reads the body of a frame: its type byte and what follows. What it holds refers to `body`.
    pub fn decode(&mut self, body: &Bytes) -> Result<Structure, Error> {
        let type_id = *body.first().ok_or(Error::Truncated)?;
        self.decode_as(type_id, body)
    }

    /// The same for a structure of a known type.
    pub fn decode_as<T: Nested>(&mut self, type_id: u8, body: &Bytes) -> Result<T, Error> {
        let mut reader = Reader::new(body, self.format, self.cache.as_mut(), self.recent.as_mut())?;
        let read = T::read(type_id, &mut reader)?;
        reader.finish()?;
        Ok(read)
    }
}

/// Writes commands, in the order in which they are sent.
#[derive(Debug)]
pub struct Encoder {
    format: Format,
    cache: Option<WriteCache>,
    scratch: BytesMut,
}

impl Encoder {
    /// An encoder of what is sent from the negotiation on. A cache too small for its writer is not used.
    pub fn new(format: Format) -> Self {
        let cache = (format.cache >= CACHE_SIZE_MIN).then(|| WriteCache::new(format.cache));
        Self { format, cache, scratch: BytesMut::new() }
    }

    /// The format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Appends a command as one frame.
    pub fn encode<T: Nested>(&mut self, command: &T, out: &mut BytesMut) {
        if let Some(cache) = &mut self.cache {
            cache.sweep();
        }
        let start = out.len();
        out.put_u32(0);
        out.put_u8(command.type_id());
        if self.format.tight {
            self.scratch.clear();
            let mut writer = Writer::new(&mut self.scratch, self.format, self.cache.as_mut());
            command.write(&mut writer);
            writer.into_bits(out);
            out.put_slice(&self.scratch);
            if self.scratch.capacity() > SCRATCH_KEPT {
                self.scratch = BytesMut::new();
            }
        } else {
            command.write(&mut Writer::new(out, self.format, self.cache.as_mut()));
        }
        let size = (out.len() - start - 4) as u32;
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&size.to_be_bytes());
        }
    }
}
