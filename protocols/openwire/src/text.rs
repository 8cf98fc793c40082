//! Text as it stands on the wire.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// A string in modified UTF-8, undecoded: most of what is sent is never looked at.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Bytes);

impl Text {
    /// Text whose bytes are modified UTF-8 already.
    pub const fn from_wire(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Its bytes, in modified UTF-8.
    pub const fn wire(&self) -> &Bytes {
        &self.0
    }

    /// Its characters. What is no modified UTF-8 is shown as U+FFFD.
    pub fn decode(&self) -> Cow<'_, str> {
        crate::mutf8::decode_lossy(&self.0)
    }

    /// A copy that keeps nothing else in memory.
    #[must_use]
    pub fn compact(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// Whether it is what the tight encoding calls ASCII: each byte from 1 to 127.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.iter().all(|byte| (1..=0x7f).contains(byte))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        match crate::mutf8::encode(text) {
            Cow::Borrowed(bytes) => Self(Bytes::copy_from_slice(bytes)),
            Cow::Owned(bytes) => Self(bytes.into()),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        match crate::mutf8::encode(&text) {
            Cow::Borrowed(_) => Self(text.into_bytes().into()),
            Cow::Owned(bytes) => Self(bytes.into()),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.decode())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decode())
    }
}
