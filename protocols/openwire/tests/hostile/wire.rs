//! Bodies of frames, by hand.

use bytes::Bytes;
use wharfmq_openwire::{Decoder, Error, Format, Structure};

pub(super) const LOOSE: Format = Format { version: 12, tight: false, stack_traces: true, cache: 0 };
pub(super) const TIGHT: Format = Format { tight: true, ..LOOSE };

/// Bytes after bytes.
#[derive(Clone, Default)]
pub(super) struct Body(pub(super) Vec<u8>);

impl Body {
    pub(super) fn of(type_id: u8) -> Self {
        Self(vec![type_id])
    }

    pub(super) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    pub(super) fn int(self, value: i32) -> Self {
        self.raw(value.to_be_bytes())
    }

    /// A text of the loose encoding.
    pub(super) fn text(self, text: &str) -> Self {
        self.raw([1]).raw((text.len() as u16).to_be_bytes()).raw(text)
    }

    /// The header of the boolean stream, and so many bits.
    pub(super) fn bits(self, bits: &[bool]) -> Self {
        let len = bits.len().div_ceil(8);
        let mut bytes = vec![0; len];
        for (at, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
            bytes[at / 8] |= 1 << (at % 8);
        }
        self.raw([0x80]).raw((len as u16).to_be_bytes()).raw(bytes)
    }

    pub(super) fn read(&self, format: Format) -> Result<Structure, Error> {
        Decoder::new(format).decode(&Bytes::copy_from_slice(&self.0))
    }
}
