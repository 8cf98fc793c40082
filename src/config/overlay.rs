//! Values from outside the file: the environment, `--set` and the options of their own.

use std::ffi::OsString;
use std::path::PathBuf;

use toml::Value;

use super::entries::{Entries, Slot};
use super::problem::{Origin, Problem};

/// What the names of our environment variables begin with.
pub const ENV_PREFIX: &str = "WHARFMQ__";

/// The options of the command line that stand for configuration keys.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--memory`
    pub memory: bool,
    /// `--dev-tls`: certificates made by the broker itself, for trying things out.
    pub dev_tls: bool,
    /// `--listen`, each; any replaces all listeners of other sources.
    pub listen: Vec<String>,
    /// `--log`
    pub log: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
}

/// Takes `WHARFMQ__SECTION__KEY` variables.
pub fn env(variables: &[(OsString, OsString)], entries: &mut Entries, problems: &mut Vec<Problem>) {
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        let Some(path) = name.strip_prefix(ENV_PREFIX) else { continue };
        let origin = Origin::Env(name.to_owned());
        let Some(value) = value.to_str() else {
            problems.push(Problem::new(origin, "the value is not UTF-8"));
            continue;
        };
        let path = path.to_ascii_lowercase();
        put(&path.split("__").collect::<Vec<_>>(), value, origin, entries, problems);
    }
}

/// Takes `--set KEY=VALUE` options.
pub fn set(assignments: &[String], entries: &mut Entries, problems: &mut Vec<Problem>) {
    for assignment in assignments {
        let origin = Origin::Flag(format!("--set {assignment}"));
        match assignment.split_once('=') {
            Some((path, value)) => {
                put(&path.trim().split('.').collect::<Vec<_>>(), value.trim(), origin, entries, problems);
            }
            None => problems.push(Problem::new(origin, "write --set KEY=VALUE")),
        }
    }
}

/// Takes the options of their own.
pub fn flags(flags: &Flags, entries: &mut Entries, problems: &mut Vec<Problem>) {
    let mut given = |flag: &str, path: &[&str], value: &str| {
        put(path, value, Origin::Flag(format!("{flag} {value}").trim_end().to_owned()), entries, problems);
    };
    if let Some(level) = &flags.log {
        given("--log", &["log", "level"], level);
    }
    if let Some(format) = &flags.log_format {
        given("--log-format", &["log", "format"], format);
    }
    if flags.memory {
        let origin = Origin::Flag("--memory".into());
        put(&["store", "kind"], "memory", origin, entries, problems);
    }
    if let Some(folder) = &flags.data_dir {
        let origin = Origin::Flag(format!("--data-dir {}", folder.display()));
        match folder.to_str() {
            Some(folder) => put(&["data_dir"], folder, origin, entries, problems),
            None => problems.push(Problem::new(origin, "the path is not UTF-8")),
        }
    }
    if !flags.listen.is_empty() {
        entries.clear("listener");
    }
    for (n, url) in flags.listen.iter().enumerate() {
        let origin = Origin::Flag(format!("--listen {url}"));
        put(&["listener", &n.to_string(), "url"], url, origin, entries, problems);
    }
}

fn put(path: &[&str], text: &str, origin: Origin, entries: &mut Entries, problems: &mut Vec<Problem>) {
    let slot = match Slot::locate(path) {
        Ok(slot) => slot,
        Err((what, hint)) => return problems.push(Problem { at: origin, what, hint }),
    };
    match slot.value(text) {
        Some(value) => entries.set(&slot, value, origin),
        None => {
            let (what, hint) = slot.refuse(&Value::String(text.to_owned()));
            problems.push(Problem { at: origin.clone(), what, hint });
            entries.refuse(&slot, origin);
        }
    }
}
