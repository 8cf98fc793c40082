//! Names of transactions that a transaction manager coordinates.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

/// Bytes of each of the two parts, as XA has them.
const PART_BYTES_MAX: usize = 64;

/// The name of a transaction branch, given by its transaction manager.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid {
    format: i32,
    global: Bytes,
    branch: Bytes,
}

/// Why something is no name of a transaction branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XidError {
    /// The format is -1, which XA keeps for no name at all.
    Format,
    /// The global part has no byte or too many.
    Global,
    /// The branch qualifier has too many bytes.
    Branch,
}

impl fmt::Display for XidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("the format of an xid is not -1"),
            Self::Global => {
                write!(f, "the global transaction id of an xid has 1 to {PART_BYTES_MAX} bytes")
            }
            Self::Branch => write!(f, "the branch qualifier of an xid has at most {PART_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for XidError {}

impl Xid {
    /// A name of these parts.
    pub fn new(format: i32, global: impl Into<Bytes>, branch: impl Into<Bytes>) -> Result<Self, XidError> {
        let (global, branch) = (global.into(), branch.into());
        if format == -1 {
            Err(XidError::Format)
        } else if global.is_empty() || global.len() > PART_BYTES_MAX {
            Err(XidError::Global)
        } else if branch.len() > PART_BYTES_MAX {
            Err(XidError::Branch)
        } else {
            Ok(Self { format, global, branch })
        }
    }

    /// Which kind of names it is.
    pub const fn format(&self) -> i32 {
        self.format
    }

    /// What all branches of the transaction share.
    pub const fn global(&self) -> &Bytes {
        &self.global
    }

    /// Which of its branches it is.
    pub const fn branch(&self) -> &Bytes {
        &self.branch
    }

    /// The name of the queue that keeps what the branch sends.
    pub(super) fn queue_name(&self) -> ByteString {
        self.to_string().into()
    }

    /// The branch that a queue of this name is for.
    pub(super) fn of_queue(name: &str) -> Option<Self> {
        let (format, rest) = name.split_once('-')?;
        let (global, branch) = rest.split_once('-')?;
        let format = u32::from_str_radix(format, 16).ok()?;
        Self::new(format.cast_signed(), from_hex(global)?, from_hex(branch)?).ok()
    }
}

/// The three parts in hexadecimal digits.
impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-", self.format)?;
        self.global.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.branch.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_after_its_branch() {
        for format in [0, 4660, i32::MAX, i32::MIN, -2] {
            let xid = Xid::new(format, vec![0, 255, 16], vec![7; 64]).unwrap();
            assert_eq!(Xid::of_queue(&xid.queue_name()), Some(xid));
        }
        let short = Xid::new(1, vec![1], Bytes::new()).unwrap();
        assert_eq!(&*short.queue_name(), "1-01-");
        assert_eq!(Xid::of_queue("1-01-"), Some(short));
        for wrong in ["", "1", "1-01", "1-0-", "1--", "x-01-", "1-0g-", "1-\u{e9}-", "ffffffff-01-"] {
            assert_eq!(Xid::of_queue(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parts_have_bounds() {
        assert_eq!(Xid::new(-1, vec![1], vec![]), Err(XidError::Format));
        assert_eq!(Xid::new(0, vec![], vec![1]), Err(XidError::Global));
        assert_eq!(Xid::new(0, vec![0; 65], vec![]), Err(XidError::Global));
        assert_eq!(Xid::new(0, vec![0; 64], vec![0; 65]), Err(XidError::Branch));
        assert!(Xid::new(0, vec![0; 64], vec![0; 64]).is_ok());
    }
}
