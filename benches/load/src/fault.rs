//! Why a run ends early.

use std::{fmt, io};

/// What ends a run: the program stops at the first one and says it.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(String, io::Error),
    Broken(String),
}

pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    pub(crate) fn broken<T>(what: impl Into<String>) -> Result<T> {
        Err(Self::Broken(what.into()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(doing, error) => write!(f, "{doing}: {error}"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl From<rustix::io::Errno> for Fault {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io("system call".to_owned(), error.into())
    }
}

/// Says what was being done when an input or output failed.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Fault::Io(what(), error))
    }
}
