//! The table of MQTT's numbered statements, held against the specification's numbering and the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::source::assert_clean;

const PAGE: &str = "protocols/mqtt/CONFORMANCE.md";

/// Sections of MQTT 5.0 with the number of their last statement; all below it exist but 2.2.1-1.
const MQTT_5: &[(&str, u32)] = &[
    ("1.5.4", 3),
    ("1.5.5", 1),
    ("1.5.7", 1),
    ("2.1.3", 1),
    ("2.2.1", 6),
    ("2.2.2", 1),
    ("3.1.0", 2),
    ("3.1.2", 30),
    ("3.1.3", 12),
    ("3.1.4", 6),
    ("3.2.0", 2),
    ("3.2.2", 22),
    ("3.3.1", 13),
    ("3.3.2", 20),
    ("3.3.4", 10),
    ("3.4.2", 3),
    ("3.5.2", 3),
    ("3.6.1", 1),
    ("3.6.2", 3),
    ("3.7.2", 3),
    ("3.8.1", 1),
    ("3.8.3", 5),
    ("3.8.4", 8),
    ("3.9.2", 2),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.11.2", 2),
    ("3.11.3", 2),
    ("3.12.4", 1),
    ("3.14.0", 1),
    ("3.14.1", 1),
    ("3.14.2", 4),
    ("3.14.4", 3),
    ("3.15.1", 1),
    ("3.15.2", 3),
    ("4.1.0", 2),
    ("4.2", 1),
    ("4.3.1", 1),
    ("4.3.2", 5),
    ("4.3.3", 13),
    ("4.4.0", 2),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.0", 1),
    ("4.7.1", 2),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.2", 6),
    ("4.9.0", 3),
    ("4.12.0", 7),
    ("4.12.1", 2),
    ("4.13.1", 1),
    ("4.13.2", 1),
    ("6.0.0", 4),
];

/// The same of MQTT 3.1.1, without a gap.
const MQTT_3_1_1: &[(&str, u32)] = &[
    ("1.5.3", 3),
    ("2.2.2", 2),
    ("2.3.1", 7),
    ("3.1.0", 2),
    ("3.1.2", 24),
    ("3.1.3", 11),
    ("3.1.4", 5),
    ("3.2.0", 1),
    ("3.2.2", 6),
    ("3.3.1", 12),
    ("3.3.2", 3),
    ("3.3.4", 1),
    ("3.3.5", 2),
    ("3.6.1", 1),
    ("3.8.1", 1),
    ("3.8.3", 4),
    ("3.8.4", 6),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.12.4", 1),
    ("3.14.1", 1),
    ("3.14.4", 3),
    ("4.1.0", 2),
    ("4.3.1", 1),
    ("4.3.2", 2),
    ("4.3.3", 2),
    ("4.4.0", 1),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.1", 3),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.0", 2),
    ("6.0.0", 4),
    ("7.0.0", 2),
    ("7.1.1", 1),
    ("7.1.2", 1),
];

#[test]
fn every_statement_of_mqtt_has_its_line() {
    let page = page();
    let mut found = Vec::new();
    for (title, sections, missing) in
        [("MQTT 5.0", MQTT_5, &["2.2.1-1"][..]), ("MQTT 3.1.1", MQTT_3_1_1, &[])]
    {
        let all =
            sections.iter().flat_map(|(section, last)| (1..=*last).map(move |n| format!("{section}-{n}")));
        let expected: Vec<String> = all.filter(|id| !missing.contains(&id.as_str())).collect();
        let lines = lines(&page, title);
        let mut seen = BTreeSet::new();
        for line in &lines {
            let [id, demand, binds, shown] = &line[..] else {
                found.push(format!("{title}: not four columns: {line:?}"));
                continue;
            };
            if !expected.contains(id) {
                found.push(format!("{title}: there is no {id}"));
            }
            if !seen.insert(id.clone()) {
                found.push(format!("{title}: {id} twice"));
            }
            if demand.is_empty()
                || shown.is_empty()
                || !["server", "client", "both"].contains(&binds.as_str())
            {
                found.push(format!("{title}: {id} says too little"));
            }
        }
        found.extend(expected.iter().filter(|id| !seen.contains(*id)).map(|id| format!("{title}: no {id}")));
        let order: Vec<&String> = lines.iter().filter_map(|line| line.first()).collect();
        if found.is_empty() && order != expected.iter().collect::<Vec<_>>() {
            found.push(format!("{title}: not in the order of the specification"));
        }
        let with_tests = lines.iter().filter(|line| line.iter().any(|cell| cell.contains("::"))).count();
        let counts = format!("| {title} | {} | {with_tests} | {} |", lines.len(), lines.len() - with_tests);
        if !page.contains(&counts) {
            found.push(format!("{title}: the counts are `{counts}`"));
        }
    }
    assert_clean(&found, &format!("Correct {PAGE}:"));
}

#[test]
fn every_test_named_for_a_statement_exists() {
    let page = page();
    let mut found = Vec::new();
    for name in page.split('`').skip(1).step_by(2).filter(|name| name.contains("::") && !name.contains('…'))
    {
        let parts: Vec<&str> = name.split("::").collect();
        let (Some((test, file)), true) = (parts.split_last(), parts.len() > 1) else { continue };
        let path = match file {
            ["codec", file] => format!("protocols/mqtt/tests/codec/{file}.rs"),
            [file] => format!("tests/conformance/mqtt/{file}.rs"),
            _ => format!("tests/{}.rs", file.join("/")),
        };
        let source = fs::read_to_string(root().join(&path)).unwrap_or_default();
        if !is_test(&source, test) {
            found.push(format!("{name}: no such test in {path}"));
        }
    }
    assert_clean(&found, &format!("Correct {PAGE}:"));
}

#[test]
fn every_test_of_a_statement_is_named_for_one() {
    let page = page();
    let mut found = Vec::new();
    let folder = "tests/conformance/mqtt";
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let test = line.strip_prefix("fn mqtt").and_then(|rest| rest.split('(').next());
            if let Some(test) = test
                && !page.contains(&format!("`{file}::mqtt{test}`"))
            {
                found.push(format!("{folder}/{file}.rs: mqtt{test} is not in {PAGE}"));
            }
        }
    }
    assert_clean(&found, "Name the statement that each of these shows:");
}

/// Whether there is a test of that name. One that is ignored has a mark in between, and one within
/// `proptest!` is indented.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let place = lines.iter().position(|line| line.starts_with(&format!("fn {name}(")));
    place.is_some_and(|at| lines[at.saturating_sub(2)..at].contains(&"#[test]"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join(PAGE)).unwrap()
}

/// The rows below a title, without the heads of their tables.
fn lines(page: &str, title: &str) -> Vec<Vec<String>> {
    let start = page.find(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("{PAGE} has no `{title}`"));
    let body = &page[start + 4..];
    let body = &body[..body.find("\n## ").unwrap_or(body.len())];
    let rows = body.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.filter(|row| !["id", "---"].contains(&row[0].as_str())).collect()
}
