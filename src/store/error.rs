//! Why the log refuses or fails.

use std::fmt;
use std::io;
use std::path::PathBuf;

use wharfmq_base::Location;

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The disk or the log's own limit is full; space may return. Never answered to reserved batches.
    Full,
    /// The batch is larger than a segment may ever be: its size and the limit, in bytes.
    TooLarge(u64, u64),
    /// A write or sync failed, or the log is closed. It will never take anything again.
    Failed(String),
    /// Another process has taken the log over.
    Fenced,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the log is full: free disk space or raise limits.disk_free_min"),
            Self::TooLarge(size, limit) => write!(f, "a batch of {size} bytes exceeds the limit of {limit}"),
            Self::Failed(why) => write!(f, "the log has failed: {why}"),
            Self::Fenced => f.write_str("another broker has taken the log over"),
        }
    }
}

impl std::error::Error for AppendError {}

/// Why stored records could not be read back.
#[derive(Debug)]
pub enum ReadError {
    /// The file system said no.
    Io(io::Error),
    /// The bytes at this place are not what was written: the file and the place.
    Corrupt(PathBuf, Location),
    /// There is no such segment or record.
    Missing(Location),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "reading the log: {error}"),
            Self::Corrupt(file, at) => write!(f, "{}: corrupt at offset {}", file.display(), at.frame),
            Self::Missing(at) => write!(f, "no record at segment {} offset {}", at.segment, at.frame),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why a log could not be opened.
#[derive(Debug)]
pub enum RecoverError {
    /// The file system said no, about this file.
    Io(PathBuf, io::Error),
    /// A confirmed part of this file is damaged, and how.
    Corrupt(PathBuf, String),
    /// The file was written by a version this one does not know.
    Version(PathBuf, u32),
    /// Another process holds the log.
    Locked(PathBuf),
    /// The reader of the records could not make sense of one.
    Meaning(String),
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(file, error) => write!(f, "{}: {error}", file.display()),
            Self::Corrupt(file, how) => write!(
                f,
                "{}: damaged within what was confirmed ({how}); restore the file from a backup, or move it away \
                 to start without what it held",
                file.display()
            ),
            Self::Version(file, found) => {
                write!(f, "{}: format version {found} is newer than this program", file.display())
            }
            Self::Locked(file) => write!(f, "{}: another broker uses this data directory", file.display()),
            Self::Meaning(what) => write!(f, "the log holds a record that makes no sense: {what}"),
        }
    }
}

impl std::error::Error for RecoverError {}
