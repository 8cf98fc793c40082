//! Changes to a users file: what people wrote around the users stays as it is.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::users::{Fault, Written, parse, random, read};
use super::{PrepareError, UsersError, Verifier, prepare_name};

/// Only the owner reads and writes.
const MODE: u32 = 0o600;

/// A users file being changed.
pub struct UsersFile {
    path: PathBuf,
    /// As it was read; `None` where there is no file yet.
    before: Option<String>,
    text: String,
    written: Written,
}

/// Why a change was not made.
#[derive(Debug)]
pub enum EditError {
    /// The file cannot be read as it is.
    File(UsersError),
    /// That is no user name.
    Name(PrepareError),
    /// There is such a user already.
    Exists(String),
    /// There is no such user.
    Missing(String),
    /// The file is laid out in a way that is not changed here.
    ByHand,
    /// Somebody else has changed the file.
    Changed,
    /// The system said no.
    Io(io::Error),
    /// There are no random numbers.
    Random(&'static str),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Name(why) => write!(f, "this is no user name: {why}"),
            Self::Exists(name) => {
                write!(f, "user `{name}` is there already; change the password with: wharfmq user passwd")
            }
            Self::Missing(name) => write!(f, "there is no user `{name}`"),
            Self::ByHand => f.write_str("its layout is not one that is changed here; change it by hand"),
            Self::Changed => f.write_str("somebody else changed it at the same time; try again"),
            Self::Io(error) => error.fmt(f),
            Self::Random(why) => f.write_str(why),
        }
    }
}

impl UsersFile {
    /// Reads the file. One that is not there is empty.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(path: &Path) -> Result<Self, EditError> {
        // Through links, so that the file changes and not what leads to it.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let before = if path.exists() { Some(content(&path)?) } else { None };
        let text = before.clone().unwrap_or_default();
        let written = understood(&path, &text)?;
        Ok(Self { path, before, text, written })
    }

    /// Whether there is such a file yet.
    pub const fn is_there(&self) -> bool {
        self.before.is_some()
    }

    /// The names in order, each with the rounds its password is hashed with.
    pub fn list(&self) -> Vec<(&str, u32)> {
        let users = self.written.users.iter();
        let mut names: Vec<_> =
            users.map(|(name, entry)| (name.as_str(), entry.verifier.iterations())).collect();
        names.sort_unstable();
        names
    }

    /// Whether there is a user of that name, which is prepared here.
    ///
    /// # Errors
    /// A text that is no name.
    pub fn has(&self, name: &str) -> Result<bool, EditError> {
        Ok(self.written.users.contains_key(&*prepare_name(name).map_err(EditError::Name)?))
    }

    /// Adds a user.
    ///
    /// # Errors
    /// A name that is none, or is there already.
    pub fn add(&mut self, name: &str, verifier: &Verifier) -> Result<(), EditError> {
        let name = prepare_name(name).map_err(EditError::Name)?.into_owned();
        if self.written.users.contains_key(&name) {
            return Err(EditError::Exists(name));
        }
        let mut text = self.text.clone();
        if text.trim().is_empty() {
            text =
                format!("{HEAD}secret = \"{}\"\n", BASE64.encode(random::<32>().map_err(EditError::Random)?));
        } else if !text.ends_with('\n') {
            text.push('\n');
        }
        let header = if self.text.contains("[[user]]") {
            format!("[[user]]\nname = {}", quoted(&name))
        } else {
            format!("[user.{}]", key(&name))
        };
        text.push_str(&format!("\n{header}\npassword = \"{verifier}\"\n"));
        self.change(text, &name, Some(verifier))
    }

    /// Gives a user another password.
    ///
    /// # Errors
    /// No such user.
    pub fn set(&mut self, name: &str, verifier: &Verifier) -> Result<(), EditError> {
        let name = prepare_name(name).map_err(EditError::Name)?.into_owned();
        let entry = self.written.users.get(&name).ok_or_else(|| EditError::Missing(name.clone()))?;
        let mut text = self.text.clone();
        text.replace_range(entry.span.clone(), &format!("\"{verifier}\""));
        self.change(text, &name, Some(verifier))
    }

    /// Removes a user.
    ///
    /// # Errors
    /// No such user.
    pub fn remove(&mut self, name: &str) -> Result<(), EditError> {
        let name = prepare_name(name).map_err(EditError::Name)?.into_owned();
        let entry = self.written.users.get(&name).ok_or_else(|| EditError::Missing(name.clone()))?;
        let (before, after) = self.text.split_at_checked(entry.span.start).ok_or(EditError::ByHand)?;
        let start = headers(before).last().ok_or(EditError::ByHand)?;
        let end = headers(after).find(|at| *at > 0).map_or(self.text.len(), |at| entry.span.start + at);
        let mut text = self.text.clone();
        text.replace_range(start..end, "");
        text.truncate(text.trim_end().len());
        text.push('\n');
        self.change(text, &name, None)
    }

    /// Takes over a changed text if it says what it is meant to say.
    fn change(&mut self, text: String, name: &str, wanted: Option<&Verifier>) -> Result<(), EditError> {
        let written = parse(&text).map_err(|_| EditError::ByHand)?;
        let same = |(of, entry): (&String, &super::users::Entry)| {
            of == name || self.written.users.get(of).is_some_and(|was| was.verifier == entry.verifier)
        };
        let others = self.written.users.keys().filter(|of| *of != name).count();
        let kept = written.users.iter().all(same)
            && written.users.len() == others + usize::from(wanted.is_some())
            && written.users.get(name).map(|entry| &entry.verifier) == wanted
            && (self.written.secret.is_none() || written.secret == self.written.secret);
        if !kept {
            return Err(EditError::ByHand);
        }
        (self.text, self.written) = (text, written);
        Ok(())
    }

    /// Writes the file: the old one or the new one is there at any time, and only its owner can read it.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&mut self) -> Result<(), EditError> {
        let now = if self.path.exists() { Some(content(&self.path)?) } else { None };
        if now != self.before {
            return Err(EditError::Changed);
        }
        self.replace().map_err(EditError::Io)?;
        self.before = Some(self.text.clone());
        Ok(())
    }

    fn replace(&self) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let beside = self.path.with_file_name(format!(".{name}.{}.new", std::process::id()));
        // What a crash left of an earlier process of this number.
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside)?;
        let done = self.fill(&mut file).and_then(|()| fs::rename(&beside, &self.path));
        if done.is_err() {
            let _ = fs::remove_file(&beside);
        }
        done?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }

    fn fill(&self, file: &mut File) -> io::Result<()> {
        if let Ok(before) = fs::metadata(&self.path) {
            let made = file.metadata()?;
            // A broker that could read the file must not be locked out by whoever edits it.
            if (before.uid(), before.gid()) != (made.uid(), made.gid()) {
                fchown(&*file, Some(before.uid()), Some(before.gid()))?;
            }
        }
        file.write_all(self.text.as_bytes())?;
        file.sync_all()
    }
}

/// What a new file begins with.
const HEAD: &str = "\
# Users of WharfMQ. Change them with: wharfmq user add|passwd|remove NAME
# A running broker reads this file again on SIGHUP.

# From this come the salts that are shown for names that don't exist, so that they can't be told from others.
";

fn content(path: &Path) -> Result<String, EditError> {
    let failed =
        |what| EditError::File(UsersError { file: path.to_owned(), faults: vec![Fault { at: None, what }] });
    read(path).map(|(text, _)| text).map_err(failed)
}

fn understood(path: &Path, text: &str) -> Result<Written, EditError> {
    parse(text).map_err(|faults| EditError::File(UsersError { file: path.to_owned(), faults }))
}

/// Where lines begin that begin a section.
fn headers(text: &str) -> impl Iterator<Item = usize> + '_ {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        line.trim_start().starts_with('[').then_some(start)
    })
}

/// A name as a key of TOML.
fn key(name: &str) -> String {
    let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if bare { name.to_owned() } else { quoted(name) }
}

/// A name has no control characters, so these two are all there is to escape.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
