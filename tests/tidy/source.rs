//! The files of the repository, and what in them is code.

use std::fs;
use std::path::{Path, PathBuf};

/// A file, and the parts of it that rules look at. All texts have the same lines.
pub(super) struct Source {
    /// From the root of the repository.
    pub(super) path: String,
    pub(super) text: String,
    /// Without comments and without what stands in quotes.
    pub(super) code: String,
    /// `code` without what is compiled for tests only.
    pub(super) shipped: String,
}

impl Source {
    /// Whether it is in that folder, or is that file.
    pub(super) fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// What a rule found, as `path:line: what`.
pub(super) fn place(source: &Source, line: usize, what: &str) -> String {
    format!("{}:{}: {what}", source.path, line + 1)
}

/// Fails with all that was found, if anything was.
#[track_caller]
pub(super) fn assert_clean(found: &[String], instead: &str) {
    assert!(found.is_empty(), "{} places. {instead}\n{}\n", found.len(), found.join("\n"));
}

/// All Rust files of the repository.
pub(super) fn sources() -> Vec<Source> {
    files("rs").into_iter().map(|(path, text)| read(path, text)).collect()
}

/// Path and text of all files that end so.
pub(super) fn files(extension: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                let short = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push((short, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no .{extension} files in {}", root.display());
    found.sort();
    found
}

fn read(path: String, text: String) -> Source {
    let code = code_of(&text);
    let shipped = if is_for_tests(&path) { blank(&code) } else { without_tests(&code) };
    Source { path, text, code, shipped }
}

/// By its name: a file of tests, of benchmarks, or of what only these use.
fn is_for_tests(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap();
    let stem = name.trim_end_matches(".rs");
    let folders = ["tests", "benches", "examples"];
    path.split('/').any(|part| folders.contains(&part))
        || ["tests", "testing", "model", "sim", "golden"].contains(&stem)
        || ["_tests", "_bench", "_testing"].iter().any(|end| stem.ends_with(end))
        || path.contains("/sim/")
}

fn blank(code: &str) -> String {
    code.chars().map(|c| if c == '\n' { c } else { ' ' }).collect()
}

/// Blanks items behind `#[cfg(test)]` and its like.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(at) = out[from..].find("#[cfg(").map(|at| from + at) {
        let line_end = out[at..].find('\n').map_or(out.len(), |end| at + end);
        from = line_end;
        // Quotes are blanked: what is behind a feature shows as `feature = "   "`.
        if !out[at..line_end].contains("(test") {
            continue;
        }
        let end = end_of_item(&out, line_end);
        out.replace_range(at..end, &blank(&out[at..end]));
        from = end;
    }
    out
}

/// Where the item that begins there ends: behind its block, or behind its semicolon.
fn end_of_item(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return from + at + 1;
                }
            }
            ';' if depth == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The text with comments and the insides of literals as blanks, byte for byte at its place.
fn code_of(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let mut at = 0;
    while at < out.len() {
        let end =
            at + literal(&text.as_bytes()[at..], at.checked_sub(1).map(|before| text.as_bytes()[before]));
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // Only whole literals and comments are replaced, so what is left is still text.
    String::from_utf8(out).unwrap()
}

/// How long the comment or literal is that begins here; 0 if none does.
fn literal(rest: &[u8], before: Option<u8>) -> usize {
    let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => find(rest, b"*/").map_or(rest.len(), |end| end + 2),
        [b'"', ..] => 1 + quoted(&rest[1..], b'"'),
        [b'r', b'"' | b'#', ..] if !in_word => raw(&rest[1..]).map_or(0, |end| end + 1),
        [b'b', b'r', b'"' | b'#', ..] if !in_word => raw(&rest[2..]).map_or(0, |end| end + 2),
        // A lifetime has no quote behind its first letter.
        [b'\'', b'\\', ..] => 1 + quoted(&rest[1..], b'\''),
        [b'\'', first, ..] => {
            let width = 1 + first.leading_ones().saturating_sub(1) as usize;
            if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
        }
        _ => 0,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string from its first `#` or quote on; `None` for a raw identifier.
fn raw(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let end = [&b"\""[..], &b"#".repeat(hashes)].concat();
    Some(find(&rest[hashes + 1..], &end).map_or(rest.len(), |at| hashes + 1 + at + end.len()))
}

fn find(rest: &[u8], what: &[u8]) -> Option<usize> {
    rest.windows(what.len()).position(|window| window == what)
}

#[test]
fn code_is_told_from_text() {
    let text = "a /* b */ 'c' \"d\\\"e\" r#\"f\"g\"# 'h: i // j\n'k'";
    assert_eq!(code_of(text).split_whitespace().collect::<Vec<_>>(), ["a", "'h:", "i"]);
    let text = "a();\n#[cfg(test)]\nmod tests { b(); }\nc();\n#[cfg(test)]\nmod d;\ne();";
    let shipped = without_tests(text);
    assert_eq!(shipped.split_whitespace().collect::<Vec<_>>(), ["a();", "c();", "e();"]);
    assert_eq!(shipped.lines().count(), text.lines().count());
}
