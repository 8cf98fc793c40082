//! From all sources to settings: defaults, then the file, then the environment, then `--set`, then the
//! options of their own; the later beats the earlier.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use super::document;
use super::entries::Entries;
use super::overlay::{self, Flags};
use super::problem::{Origin, Problem, Problems};
use super::resolve::resolve;
use super::schema::Config;
use super::settings::Settings;

/// How large a configuration file may be.
const FILE_MAX: u64 = 4 << 20;

/// Where a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if any.
    pub file: Option<PathBuf>,
    /// The environment; variables that are not ours are skipped.
    pub env: Vec<(OsString, OsString)>,
    /// `KEY=VALUE` of each `--set`.
    pub set: Vec<String>,
    /// The options of their own.
    pub flags: Flags,
}

/// A configuration that is complete and without fault.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the program uses.
    pub settings: Settings,
    /// What was written, with the defaults.
    pub config: Config,
    /// What was given, and where.
    pub entries: Entries,
}

/// Reads, checks and completes a configuration; or names everything that is wrong with it.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let entries = gather(sources, &mut problems);
    let resolved = entries.assemble(&mut problems).map(|config| {
        let settings = resolve(config.clone(), &entries, sources.flags.dev_tls, &mut problems);
        Loaded { settings, config, entries }
    });
    problems.sort_by_key(|problem| match &problem.at {
        Origin::File(_, line, column) => (0, *line, *column),
        _ => (1, 0, 0),
    });
    match resolved {
        Some(loaded) if problems.is_empty() => Ok(loaded),
        _ => Err(Problems(problems)),
    }
}

/// What all sources say, the later over the earlier.
fn gather(sources: &Sources, problems: &mut Vec<Problem>) -> Entries {
    let mut entries = Entries::default();
    if let Some(file) = &sources.file {
        match read_limited(file) {
            Ok(text) => document::read(file, &text, &mut entries, problems),
            Err(why) => problems.push(Problem::new(Origin::Default, format!("{}: {why}", file.display()))),
        }
    }
    overlay::env(&sources.env, &mut entries, problems);
    overlay::set(&sources.set, &mut entries, problems);
    overlay::flags(&sources.flags, &mut entries, problems);
    entries
}

/// What `security.users_file` is set to. Other faults than those of reading count for nothing: the users
/// file may be what a configuration still lacks.
///
/// # Errors
/// Sources that cannot be read.
pub fn users_file(sources: &Sources) -> Result<Option<PathBuf>, Problems> {
    let mut problems = Vec::new();
    let entries = gather(sources, &mut problems);
    let config = entries.assemble(&mut problems);
    match config {
        Some(config) if problems.is_empty() => Ok(config.security.users_file),
        _ => Err(Problems(problems)),
    }
}

fn read_limited(file: &PathBuf) -> Result<String, String> {
    let size = fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > FILE_MAX {
        return Err(format!("{size} bytes are more than the {FILE_MAX} that a configuration may have"));
    }
    fs::read_to_string(file).map_err(|error| error.to_string())
}
