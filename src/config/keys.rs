//! The table of all configuration keys: what the loader accepts and what `config explain` prints.
//!
//! [`super::schema`] declares each key once, as a documented field; the tables here are made
//! from that declaration, so the text, the type and the default cannot drift from what is read.

use toml::Value;

use super::fields::Kind;
use super::schema;

/// Every section of the file. The first is the top level.
pub const SECTIONS: &[&Section] = &[
    &schema::Config::SECTION,
    &schema::Listener::SECTION,
    &schema::Tls::SECTION,
    &schema::Security::SECTION,
    &schema::Store::SECTION,
    &schema::Address::SECTION,
    &schema::Forward::SECTION,
    &schema::Limits::SECTION,
    &schema::Mqtt::SECTION,
    &schema::Log::SECTION,
];

/// Keys and sections that a later version will have, and what they are for. They are refused, never ignored.
pub const LATER: &[(&str, &str)] =
    &[("acl", "access rules ([[acl]])"), ("store.encryption_key_file", "encryption of the journal")];

/// How often a section may stand in the file, and how its instances are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Once: `[name]`, or the top level.
    Table,
    /// Any number of times: `[[name]]`, counted from 0.
    List,
    /// Any number of times under a name: `[name.NAME]`.
    Map,
}

/// A section of the configuration.
#[derive(Debug)]
pub struct Section {
    /// Its name in the file, empty for the top level.
    pub name: &'static str,
    /// How often it may stand there.
    pub shape: Shape,
    /// What it is for.
    pub text: &'static str,
    /// Its keys, in the order in which they are shown.
    pub keys: &'static [Key],
}

/// One configuration key.
#[derive(Debug)]
pub struct Key {
    /// Its name within its section.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Whether its section is incomplete without it.
    pub required: bool,
    /// The default as it would stand in the file, if there is one.
    pub default: Option<&'static str>,
    /// A value as it would stand in the file.
    pub example: &'static str,
    /// What it does, with unit and limits.
    pub text: &'static str,
    /// Whether the schema accepts a value.
    pub accepts: fn(&Value) -> bool,
}

impl Section {
    /// The section of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SECTIONS.iter().copied().find(|section| section.name == name)
    }

    /// The key of that name.
    pub fn key(&'static self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The section's header as it stands in the file, `NAME` for the part that is free.
    pub fn header(&self) -> String {
        match self.shape {
            Shape::Table => format!("[{}]", self.name),
            Shape::List => format!("[[{}]]", self.name),
            Shape::Map => format!("[{}.NAME]", self.name),
        }
    }

    /// How a key of this section is addressed in documentation: `limits.max_frame`, `tls.NAME.key`.
    pub fn path_of(&self, key: &Key) -> String {
        match (self.name, self.shape) {
            ("", _) => key.name.to_owned(),
            (name, Shape::Table | Shape::List) => format!("{name}.{}", key.name),
            (name, Shape::Map) => format!("{name}.NAME.{}", key.name),
        }
    }
}

/// The names that may stand at the top level: keys and sections.
pub fn top_level_names() -> impl Iterator<Item = &'static str> {
    let sections = SECTIONS.iter().map(|section| section.name).filter(|name| !name.is_empty());
    schema::Config::SECTION.keys.iter().map(|key| key.name).chain(sections)
}

/// What `path` will be for in a later version, if it names such a key.
pub fn later(path: &str) -> Option<&'static str> {
    LATER.iter().find(|(key, _)| path == *key).map(|(_, what)| *what)
}

/// The candidate that `word` most probably meant, if one is near enough to be worth naming.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are never near anything, and the distance costs the product of the lengths.
    if word.len() > 64 {
        return None;
    }
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3).max(2))
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, delete or replace to turn `a` into `b` (Levenshtein), case aside.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let value = (diagonal + usize::from(from != *to)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = value;
            left = value;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("Max_Frame", "max_frame"), 0);
    }

    #[test]
    fn far_words_have_no_neighbour() {
        assert_eq!(nearest("max_fram", ["max_frame", "memory"].into_iter()), Some("max_frame"));
        assert_eq!(nearest("zzzzzzzz", ["max_frame", "memory"].into_iter()), None);
        assert_eq!(nearest("", ["key"].into_iter()), None);
    }

    #[test]
    fn every_default_and_example_is_accepted() {
        for section in SECTIONS {
            for key in section.keys {
                for text in key.default.into_iter().chain([key.example]) {
                    let table: toml::Table = format!("x = {text}").parse().unwrap();
                    assert!((key.accepts)(&table["x"]), "{}: {text}", section.path_of(key));
                }
            }
        }
    }

    #[test]
    fn every_key_is_explained_and_named_once() {
        for section in SECTIONS {
            assert!(!section.text.trim().is_empty(), "{}", section.name);
            for (n, key) in section.keys.iter().enumerate() {
                assert!(key.text.trim().len() > 20, "{}", section.path_of(key));
                assert!(section.keys[..n].iter().all(|other| other.name != key.name), "{} twice", key.name);
                assert!(later(&section.path_of(key)).is_none(), "{} is both there and later", key.name);
            }
        }
    }
}
