//! The file system as the journal needs it: one flat directory of files.
//!
//! Small on purpose, so that a simulated disk can stand in its place.

use std::fs::{File as StdFile, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, statvfs};
use rustix::io::pwritev;

/// A directory that the journal has for itself.
pub trait Disk: Send + Sync {
    /// Opens a file, creating it if `create` says so.
    fn open(&self, name: &str, create: bool) -> io::Result<Arc<dyn File>>;

    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Gives a file another name; a file that has it already is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names durable.
    fn sync_names(&self) -> io::Result<()>;

    /// Bytes that may still be allocated.
    fn free(&self) -> io::Result<u64>;

    /// Where `name` is found, for messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// An open file.
pub trait File: Send + Sync {
    /// Writes some of `parts` at `at` and says how many bytes.
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize>;

    /// Reads some bytes from `at` and says how many; 0 at the end of the file.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;

    /// Makes the content durable, and as much of the rest as is needed to read it.
    fn sync(&self) -> io::Result<()>;

    /// Makes the file `len` bytes long, with its blocks allocated.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Length in bytes.
    fn size(&self) -> io::Result<u64>;
}

/// Buffers handed to one system call; the kernel's own limit.
const MAX_PARTS: usize = 1024;

/// Writes all of `parts` from `at` on.
pub(crate) fn write_all(file: &dyn File, mut parts: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        let some = parts.get(..MAX_PARTS).unwrap_or(parts);
        match file.write_at(some, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut parts, written);
                at += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads from `at` until `into` is full or the file ends; says how many bytes.
pub(crate) fn read_full(file: &dyn File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The whole content of a file.
pub(crate) fn read_whole(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(name, false)?;
    let size = usize::try_from(file.size()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut content = vec![0; size];
    let read = read_full(file.as_ref(), &mut content, 0)?;
    content.truncate(read);
    Ok(content)
}

/// Writes a file that is there whole and durable afterwards, or not at all.
pub(crate) fn write_whole(disk: &dyn Disk, name: &str, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    let made = format!("{name}.tmp");
    let written = write_aside(disk, &made, parts).and_then(|()| disk.rename(&made, name));
    if written.is_err() {
        // What is left is swept at the next start if it cannot be removed now.
        let _ignored = disk.remove(&made);
    }
    written?;
    disk.sync_names()
}

fn write_aside(disk: &dyn Disk, name: &str, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    let file = disk.open(name, true)?;
    file.truncate(0)?;
    write_all(file.as_ref(), parts, 0)?;
    file.sync()
}

/// A directory of the operating system, locked against other processes while this lives.
pub struct RealDisk {
    dir: PathBuf,
    names: StdFile,
    _lock: StdFile,
}

impl RealDisk {
    /// Opens the directory `dir`, making it if it is missing. `WouldBlock`: another process has it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { names: StdFile::open(dir)?, dir: dir.to_path_buf(), _lock: lock })
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str, create: bool) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create);
        Ok(Arc::new(RealFile(options.open(self.dir.join(name))?)))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.file_name().into_string()));
        names.filter_map(|name: io::Result<_>| name.map(Result::ok).transpose()).collect()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.dir.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.names.sync_all()
    }

    fn free(&self) -> io::Result<u64> {
        let stat = statvfs(&self.dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

struct RealFile(StdFile);

impl File for RealFile {
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        Ok(pwritev(&self.0, parts, at)?)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.0.read_at(into, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match fallocate(&self.0, FallocateFlags::empty(), 0, len) {
            // Some file systems cannot allocate ahead; a hole costs speed and the early notice only.
            Err(rustix::io::Errno::OPNOTSUPP) => self.0.set_len(len),
            done => Ok(done?),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
