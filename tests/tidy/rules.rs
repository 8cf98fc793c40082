//! What is not to be written.

use super::source::{Source, assert_clean, files, place, sources};

/// Where a rule looks.
#[derive(Clone, Copy)]
enum Scope {
    /// The code of everything, tests included.
    Code,
    /// Code that is shipped.
    Shipped,
    /// All text, comments and strings included.
    Text,
}

struct Rule {
    /// What is forbidden; glued together so that this file does not break its own rules.
    what: &'static [&'static str],
    scope: Scope,
    /// Folders in which it holds; none: everywhere.
    folders: &'static [&'static str],
    instead: &'static str,
}

const PRODUCT: &[&str] = &["src", "protocols/mqtt/src", "protocols/openwire/src", "protocols/stomp/src"];

const RULES: &[Rule] = &[
    Rule {
        what: &["TO", "DO"],
        scope: Scope::Text,
        folders: &[],
        instead: "do it, or say in the present tense what is not supported",
    },
    Rule { what: &["FIX", "ME"], scope: Scope::Text, folders: &[], instead: "fix it" },
    Rule { what: &["X", "XX"], scope: Scope::Text, folders: &[], instead: "say what the danger is" },
    Rule { what: &["db", "g!("], scope: Scope::Code, folders: &[], instead: "use tracing, or nothing" },
    Rule { what: &["to", "do!("], scope: Scope::Code, folders: &[], instead: "write it" },
    Rule {
        what: &["unimple", "mented!("],
        scope: Scope::Code,
        folders: &[],
        instead: "write it, or answer an error",
    },
    Rule {
        what: &[".unw", "rap()"],
        scope: Scope::Shipped,
        folders: PRODUCT,
        instead: "answer an error, or use `let … else` where it cannot be",
    },
    Rule {
        what: &["thread::", "sleep"],
        scope: Scope::Code,
        folders: &[],
        instead: "wait for a condition with a deadline (in tests: support::until)",
    },
    Rule {
        what: &["time::", "sleep("],
        scope: Scope::Code,
        folders: &["tests"],
        instead: "wait for a condition with a deadline (support::until)",
    },
    Rule {
        what: &["std::sync::", "Mutex"],
        scope: Scope::Shipped,
        folders: &["src/core", "src/broker", "src/adapters", "src/net"],
        instead: "use RankedMutex, which checks the order of locks, or parking_lot where there is none",
    },
    Rule {
        what: &["SystemTime::", "now"],
        scope: Scope::Shipped,
        folders: &["src/base", "src/core", "src/broker", "src/adapters", "protocols"],
        instead: "take the time as an argument: it comes from runtime::Clock",
    },
    Rule {
        what: &["Instant::", "now"],
        scope: Scope::Shipped,
        folders: &["src/base", "src/core", "src/broker", "src/adapters", "protocols"],
        instead: "take the time as an argument: it comes from runtime::Clock",
    },
    Rule { what: &["/wo", "rk/"], scope: Scope::Text, folders: &[], instead: "name no path of one machine" },
    Rule {
        what: &["/tm", "p/"],
        scope: Scope::Text,
        folders: PRODUCT,
        instead: "name no path of one machine",
    },
    Rule { what: &["/ho", "me/"], scope: Scope::Text, folders: &[], instead: "name no path of one machine" },
    Rule {
        what: &["println", "!("],
        scope: Scope::Shipped,
        folders: &[
            "src/core",
            "src/store",
            "src/broker",
            "src/adapters",
            "src/net",
            "src/runtime",
            "src/serve",
        ],
        instead: "use tracing; only the command line prints",
    },
];

#[test]
fn nothing_is_written_that_has_a_better_word() {
    let mut found = Vec::new();
    for source in sources() {
        for rule in RULES.iter().filter(|rule| rule.holds_in(&source)) {
            let what = rule.what.concat();
            for (line, _) in rule.text(&source).lines().enumerate().filter(|(_, text)| has(text, &what)) {
                found.push(place(&source, line, &format!("`{what}`: {}", rule.instead)));
            }
        }
    }
    assert_clean(&found, "Not to be written:");
}

#[test]
fn no_text_refers_to_a_tracker() {
    let mut found = Vec::new();
    for source in sources() {
        for (line, text) in source.text.lines().enumerate().filter(|(_, text)| names_an_issue(text)) {
            found.push(place(&source, line, text.trim()));
        }
    }
    assert_clean(&found, "Say the reason itself instead of the number under which it was discussed:");
}

#[test]
fn scripts_do_not_sleep() {
    let mut found = Vec::new();
    for (path, text) in files("py") {
        let sleeps = |line: &&str| path.starts_with("tests/") && line.contains(&["time.", "sleep("].concat());
        found.extend(text.lines().filter(sleeps).map(|line| format!("{path}: {line}")));
    }
    assert_clean(&found, "Wait for a condition with a deadline (waiting.Box.take):");
}

impl Rule {
    fn holds_in(&self, source: &Source) -> bool {
        self.folders.is_empty() || self.folders.iter().any(|folder| source.is_in(folder))
    }

    fn text<'a>(&self, source: &'a Source) -> &'a str {
        match self.scope {
            Scope::Code => &source.code,
            Scope::Shipped => &source.shipped,
            Scope::Text => &source.text,
        }
    }
}

/// Whether the text holds `what`, a word as a word of its own.
fn has(text: &str, what: &str) -> bool {
    text.match_indices(what).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + what.len()..].chars().next();
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let goes_on_before = is_word(before) && what.starts_with(char::is_alphanumeric);
        let goes_on_after = is_word(after) && what.ends_with(char::is_alphanumeric);
        !goes_on_before && !goes_on_after
    })
}

/// Whether it holds `#` and a number, as trackers are written.
fn names_an_issue(text: &str) -> bool {
    text.match_indices('#').any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let digits = text[at + 1..].chars().take_while(char::is_ascii_digit).count();
        let after = text[at + 1 + digits..].chars().next();
        let starts_word = before.is_none_or(|c| c.is_whitespace() || c == '(');
        digits > 0 && starts_word && !after.is_some_and(|c| c.is_alphanumeric())
    })
}

#[test]
fn words_are_found() {
    assert!(has("a b c", "b") && has("(b)", "b") && has("x.f()", ".f()"));
    assert!(!has("abc", "b") && !has("ab_", "ab"));
    let issue = ["see ", "#", "12"].concat();
    assert!(names_an_issue(&issue) && !names_an_issue("a/#1x") && !names_an_issue("{:#04}"));
}
