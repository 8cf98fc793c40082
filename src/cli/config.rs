//! `wharfmq config check|explain|show`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::Failure;
use super::args::ConfigCommand;
use crate::config::keys::{Key, SECTIONS, Section, Shape, later, nearest};
use crate::config::{self, Sources};
use crate::serve;

/// Does what is asked about the configuration.
pub(super) fn run(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check { file } => check(file),
        ConfigCommand::Explain { key: None } => print(&all()),
        ConfigCommand::Explain { key: Some(key) } => print(&explain(&key)?),
        ConfigCommand::Show(options) => {
            print(&config::show(&config::load(&options.sources(std::env::vars_os()))?))
        }
    }
}

/// Checks a file alone: what the environment adds is no part of it.
fn check(file: PathBuf) -> Result<(), Failure> {
    let name = file.display().to_string();
    let loaded = config::load(&Sources { file: Some(file), ..Sources::default() });
    match loaded.and_then(|loaded| serve::check(&loaded)) {
        Ok(()) => print(&format!("{name}: no errors\n")),
        Err(problems) => {
            let count = problems.0.len();
            let errors = if count == 1 { "error" } else { "errors" };
            Err(Failure::Usage(format!("{count} {errors} in the configuration\n{problems}")))
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| Failure::Run(error.to_string())),
    }
}

/// All keys, each with the first line of its text.
fn all() -> String {
    SECTIONS.iter().map(|section| list(section)).collect::<Vec<_>>().join("\n")
}

/// The text of a key, of all keys of that name, or of a section.
fn explain(asked: &str) -> Result<String, Failure> {
    let asked = asked.trim_matches(['[', ']']);
    if let Some(what) = later(asked) {
        return Err(Failure::Usage(format!("`{asked}`: this version does not have {what} yet")));
    }
    let (section, name) = match asked.split_once('.') {
        Some((section, rest)) => (Some(section), rest.rsplit('.').next().unwrap_or(rest)),
        None => (None, asked),
    };
    let within = SECTIONS.iter().filter(|found| section.is_none_or(|section| found.name == section));
    let texts: Vec<String> = within.filter_map(|section| Some(about(section, section.key(name)?))).collect();
    if !texts.is_empty() {
        return Ok(texts.join("\n"));
    }
    if let Some(section) = Section::find(asked).filter(|section| !section.name.is_empty()) {
        return Ok(list(section));
    }
    let paths: Vec<String> =
        SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| section.path_of(key))).collect();
    let names = SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| key.name));
    let near = nearest(asked, paths.iter().map(String::as_str).chain(names));
    let near = near
        .map_or_else(|| "all keys: wharfmq config explain".into(), |near| format!("did you mean `{near}`?"));
    Err(Failure::Usage(format!("unknown key `{asked}`\n    {near}")))
}

fn list(section: &Section) -> String {
    let mut out = String::new();
    let header = if section.name.is_empty() { String::new() } else { section.header() + " " };
    let _ = writeln!(out, "{header}{}", first_sentence(section.text));
    for key in section.keys {
        let _ = writeln!(out, "  {:<32} {}", section.path_of(key), first_sentence(key.text));
    }
    out
}

/// The part that says what a thing is, without the conditions that may follow it.
fn first_sentence(text: &str) -> String {
    let text = reflow(text);
    let end = text.find(". ").into_iter().chain(text.find(": ")).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or_default().trim_end_matches('.').to_owned()
}

fn about(section: &Section, key: &Key) -> String {
    let path = section.path_of(key);
    let default = match (key.default, key.required) {
        (Some(default), _) => default,
        (None, true) => "none, it must be given",
        (None, false) => "none",
    };
    let header = if section.name.is_empty() { "at the top of the file".into() } else { section.header() };
    let given = match section.shape {
        Shape::Table => path.clone(),
        Shape::List => format!("{}.0.{}", section.name, key.name),
        Shape::Map => format!("{}.default.{}", section.name, key.name),
    };
    let variable = given.to_uppercase().replace('.', "__");
    let example = key.example.trim_matches('"');
    let mut out = String::new();
    let _ = writeln!(out, "{path}\n  {}\n", key.text.trim().replace("\n ", "\n  "));
    let _ = writeln!(out, "  type         {}", key.kind);
    let _ = writeln!(out, "  default      {default}");
    let _ = writeln!(out, "  in the file  {} = {}   ({header})", key.name, key.example);
    let _ = writeln!(out, "  environment  WHARFMQ__{variable}={example}");
    let _ = writeln!(out, "  option       --set {given}={example}");
    out
}

fn reflow(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::entries::Slot;

    #[test]
    fn every_key_is_explained_by_its_path() {
        for section in SECTIONS {
            for key in section.keys {
                let path = section.path_of(key);
                let text = explain(&path).unwrap();
                assert!(text.starts_with(&path) && text.contains(key.example), "{text}");
                assert!(text.contains(&reflow(key.text)[..10]), "{text}");
                assert!(all().contains(&path));
                let option =
                    text.lines().find_map(|line| line.trim().strip_prefix("option       --set ")).unwrap();
                let (path, value) = option.split_once('=').unwrap();
                let slot = Slot::locate(&path.split('.').collect::<Vec<_>>()).unwrap();
                assert!(slot.value(value).is_some(), "{option}");
            }
        }
    }

    #[test]
    fn short_names_sections_and_mistakes() {
        assert!(explain("max_frame").unwrap().starts_with("limits.max_frame\n"));
        assert!(explain("[limits]").unwrap().contains("limits.memory"));
        assert!(explain("tls.default.key").unwrap().starts_with("tls.NAME.key\n"));
        assert!(
            explain("limits.max_fram").unwrap_err().to_string().contains("did you mean `limits.max_frame`?")
        );
        assert!(explain("acl").unwrap_err().to_string().contains("does not have access rules"));
        assert_eq!(explain("zzzzzzzzzz").unwrap_err().code(), 2);
    }
}
