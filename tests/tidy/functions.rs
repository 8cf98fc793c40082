//! How long files and functions may be.

use super::source::{Source, assert_clean, files, place, sources};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn files_are_short() {
    let mut found = Vec::new();
    for extension in ["rs", "py", "mjs"] {
        for (path, text) in files(extension) {
            let lines = text.lines().count();
            if lines > FILE_LINES_MAX {
                found.push(format!("{path}: {lines} lines"));
            }
        }
    }
    assert_clean(&found, &format!("Split what has over {FILE_LINES_MAX} lines by what its parts are about:"));
}

#[test]
fn functions_fit_a_screen() {
    let mut found = Vec::new();
    for source in sources() {
        for (name, line, lines) in functions(&source).filter(|(_, _, lines)| *lines > FUNCTION_LINES_MAX) {
            found.push(place(&source, line, &format!("`{name}` has {lines} lines")));
        }
    }
    assert_clean(&found, &format!("Split what has over {FUNCTION_LINES_MAX} lines into its steps:"));
}

/// Name, first line and length of every function with a body.
fn functions(source: &Source) -> impl Iterator<Item = (String, usize, usize)> + '_ {
    let code = &source.code;
    code.match_indices("fn ").filter_map(move |(at, _)| {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let body = at + code[at..].find(['{', ';'])?;
        if name.is_empty() || code[body..].starts_with(';') && !is_in_brackets(&code[at..body]) {
            return None;
        }
        let end = end_of_block(code, at)?;
        let lines = code[at..end].matches('\n').count() + 1;
        Some((name, code[..at].matches('\n').count(), lines))
    })
}

/// Whether a semicolon there belongs to a type like `[u8; 4]`.
fn is_in_brackets(before: &str) -> bool {
    before.matches('[').count() > before.matches(']').count()
}

fn end_of_block(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(from + at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn functions_are_measured() {
    let code = "fn a() {\n if x {\n }\n}\ntrait T { fn none(); }\nfn b(x: [u8; 4]) {}\nlet c: fn (u8);\n";
    let source = Source {
        path: String::new(),
        text: code.to_owned(),
        code: code.to_owned(),
        shipped: code.to_owned(),
    };
    let found: Vec<_> = functions(&source).collect();
    assert_eq!(found, [("a".to_owned(), 0, 4), ("b".to_owned(), 5, 1)]);
}
