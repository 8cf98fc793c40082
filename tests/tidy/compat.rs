//! The page of differences to ActiveMQ: each row names a test that is there.

use std::fs;
use std::path::Path;

use super::source::assert_clean;

const PAGE: &str = "activemq-compat.md";
const HEAD: &str = "| area | ActiveMQ Classic | WharfMQ | why | test |";

#[test]
fn every_row_says_how_it_is_seen() {
    let mut found = Vec::new();
    for (number, line) in rows() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match &cells[..] {
            [area, _, ours, _, test] if !area.is_empty() && !ours.is_empty() && test.starts_with('`') => {}
            [_, _, _, _, _] => found.push(format!("{PAGE}:{number}: too little in it")),
            _ => found.push(format!("{PAGE}:{number}: not the five columns of `{HEAD}`")),
        }
    }
    assert_clean(&found, "A row has five cells; the last one names a test in back quotes:");
}

#[test]
fn every_test_of_a_row_exists() {
    let mut found = Vec::new();
    for (number, line) in rows() {
        let tests = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        for name in tests.split('`').skip(1).step_by(2) {
            if let Some(what) = missing(name) {
                found.push(format!("{PAGE}:{number}: {name}: {what}"));
            }
        }
    }
    assert_clean(&found, "Name a test that shows the row, as it is called now:");
}

#[test]
fn every_table_has_the_same_head() {
    let page = page();
    let lines: Vec<&str> = page.lines().collect();
    let heads = lines.windows(2).filter(|pair| pair[1].starts_with("| ---")).map(|pair| pair[0]);
    let found: Vec<String> = heads.filter(|head| *head != HEAD).map(str::to_owned).collect();
    assert_clean(&found, &format!("The tables of {PAGE} begin with `{HEAD}`:"));
}

/// Why there is no test of that name; it is one of three kinds.
fn missing(name: &str) -> Option<String> {
    if let Some(case) = name.strip_prefix("interop/jms ") {
        return missing_case(case);
    }
    match name.strip_prefix("interop/").and_then(|rest| rest.split_once(' ')) {
        Some((script, case)) => missing_script(script, case),
        None => missing_rust(name),
    }
}

/// A case of the JMS program: `Class.method`.
fn missing_case(case: &str) -> Option<String> {
    let Some((class, method)) = case.split_once('.') else { return Some("not Class.case".to_owned()) };
    let file = format!("tests/interop/jms/{class}.java");
    let is_there = read(&file).contains(&format!("@Case\n    void {method}("));
    let runs = read("tests/interop/jms.rs").contains(&format!("\"{class}\""));
    (!is_there || !runs).then(|| format!("no such case in {file} that tests/interop/jms.rs runs"))
}

/// A case of a Python script, which `scripts.rs` has to run.
fn missing_script(script: &str, case: &str) -> Option<String> {
    const RUNS: &str = "tests/interop/scripts.rs";
    let runs = read(RUNS);
    let block = runs.split(&format!("\"{script}\"")).nth(1).unwrap_or_default();
    let mut cases = block.split('}').next().unwrap_or_default().split_whitespace();
    (!cases.any(|known| known == case)).then(|| format!("not run by {RUNS}"))
}

/// A test function: its path below `tests`, `src` or the root, where a file's name is that of its module.
fn missing_rust(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split("::").collect();
    let (test, module) = parts.split_last()?;
    let module = module.join("/");
    let files = ["tests/", "src/", ""].into_iter().flat_map(|root| {
        [format!("{root}{module}.rs"), format!("{root}{module}/mod.rs"), format!("{root}{module}/tests.rs")]
    });
    let is_there = files.map(|file| read(&file)).any(|source| is_test(&source, test));
    (!is_there).then(|| "no such test".to_owned())
}

/// Whether a source has a test of that name.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let start = format!("fn {name}(");
    let place = lines.iter().position(|line| line.trim_start_matches("async ").starts_with(&start));
    place.is_some_and(|at| {
        lines[at.saturating_sub(3)..at].iter().any(|line| line.starts_with("#[") && line.contains("test"))
    })
}

fn rows() -> Vec<(usize, String)> {
    let page = page();
    let lines = page.lines().enumerate().map(|(at, line)| (at + 1, line.to_owned()));
    lines.filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| ---") && line != HEAD).collect()
}

fn page() -> String {
    read(PAGE)
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default()
}
