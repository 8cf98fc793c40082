//! How large a frame may be.

/// What [`decode`](crate::decode) accepts. Nothing is allocated, so these bound what a caller must
/// buffer for one peer and how long a header walk can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole frame, from its command to its NUL.
    pub frame: usize,
    /// Bytes of all header lines of a frame with their line ends.
    pub head: usize,
    /// Header lines of a frame.
    pub headers: usize,
    /// Bytes of one header line.
    pub line: usize,
}

impl Limits {
    /// After login: frames of 16 MiB; 64 KiB of headers, 1,000 of them, each at most 16 KiB.
    pub const DEFAULT: Self = Self { frame: 16 << 20, head: 64 << 10, headers: 1_000, line: 16 << 10 };

    /// Before login: frames of 32 KiB with at most 64 headers, each at most 16 KiB, which leaves room
    /// for a token as the passcode.
    pub const BEFORE_LOGIN: Self = Self { frame: 32 << 10, head: 32 << 10, headers: 64, line: 16 << 10 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
