//! Patterns of destination names.

use std::fmt;

use bytestring::ByteString;

use crate::address::{check_size, is_wildcard};
use crate::{Address, Kind, NameError};

/// A canonical name in which a whole level `*` stands for any one level, and a last level `>` for that
/// level, all below it, and the level above.
///
/// Everything else is literal, `+`, `#`, `/` and empty levels included. A name that begins with `$` or with
/// [`ADVISORY_PREFIX`] is matched by no pattern whose first level is a wildcard: whoever asks for everything
/// means what clients say, not what the broker says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    kind: Kind,
    text: ByteString,
    specificity: Specificity,
}

/// What the names of topics begin with at which the broker tells what happens in it.
pub const ADVISORY_PREFIX: &str = "ActiveMQ.Advisory.";

/// Whether patterns that begin with a wildcard do not match a name.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('$') || name.starts_with(ADVISORY_PREFIX)
}

/// How precisely a pattern names what it matches: the greater, the more specific.
///
/// More literal levels win, then the later first wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Specificity {
    literals: u8,
    first_wildcard: u8,
}

/// The place of the first wildcard in a pattern that has none.
const NO_WILDCARD: u8 = u8::MAX;

impl Pattern {
    /// A pattern from its canonical text. What follows a level `>` is ignored, as ActiveMQ does.
    pub fn parse(kind: Kind, text: impl Into<ByteString>) -> Result<Self, NameError> {
        let mut text = text.into();
        check_size(&text)?;
        let mut specificity = Specificity { literals: 0, first_wildcard: NO_WILDCARD };
        let mut end = 0;
        for (nth, level) in text.split('.').enumerate() {
            end += level.len();
            if is_wildcard(level) {
                specificity.first_wildcard = specificity.first_wildcard.min(nth as u8);
            } else {
                specificity.literals += 1;
            }
            if level == ">" {
                break;
            }
            end += 1;
        }
        if end < text.len() {
            text = ByteString::from(&text[..end]);
        }
        Ok(Self { kind, text, specificity })
    }

    /// A pattern from `queue://TEXT` or `topic://TEXT`, as settings write it.
    pub fn parse_canonical(text: &str) -> Result<Self, NameError> {
        let (kind, name) = Kind::split(text).ok_or(NameError::Scheme)?;
        Self::parse(kind, name)
    }

    /// The pattern that matches this destination and no other, unless its name has wildcard levels.
    pub fn of(address: &Address) -> Result<Self, NameError> {
        Self::parse(address.kind, address.name.clone())
    }

    /// The pattern that matches this very name, whatever its levels are.
    pub(super) fn exact(kind: Kind, text: ByteString) -> Self {
        Self { kind, text, specificity: Specificity { literals: u8::MAX, first_wildcard: NO_WILDCARD } }
    }

    /// What kind of destination it matches.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its canonical text.
    pub const fn text(&self) -> &ByteString {
        &self.text
    }

    /// Whether it matches one name only.
    pub const fn is_exact(&self) -> bool {
        self.specificity.first_wildcard == NO_WILDCARD
    }

    /// How specific it is.
    pub const fn specificity(&self) -> Specificity {
        self.specificity
    }

    /// Whether it matches a canonical name of its kind.
    pub fn matches(&self, name: &str) -> bool {
        if self.is_exact() {
            return &*self.text == name;
        }
        if self.specificity.first_wildcard == 0 && is_hidden(name) {
            return false;
        }
        let mut levels = name.split('.');
        for wanted in self.text.split('.') {
            if wanted == ">" {
                return true;
            }
            match levels.next() {
                Some(level) if wanted == "*" || wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }

    /// Whether it matches this destination, kind and name.
    pub fn matches_address(&self, address: &Address) -> bool {
        self.kind == address.kind && self.matches(&address.name)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.kind.scheme(), self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{NAME_BYTES_MAX, NAME_LEVELS_MAX};

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(Kind::Topic, text).unwrap()
    }

    #[test]
    fn wildcards_stand_for_levels() {
        for (text, yes, no) in [
            ("a.b", &["a.b"][..], &["a", "a.b.c", "a.B", "a..b"][..]),
            ("a.*", &["a.b", "a.", "a.*"], &["a", "a.b.c", "b.a"]),
            ("a.>", &["a", "a.b", "a.b.c", "a.", "a.$x"], &["b", "ab", "a/b"]),
            ("*.b", &["a.b", ".b"], &["b", "$a.b", "a.b.c"]),
            (">", &["a", "a.b", ".", "x.$y"], &["$SYS", "$SYS.x"]),
            ("*", &["a", "a/b"], &["a.b", "$a"]),
            ("*.>", &["a", "a.b"], &["$a", "$a.b"]),
            ("$SYS.>", &["$SYS", "$SYS.x"], &["SYS.x"]),
            ("a*.b>", &["a*.b>"], &["ax.b", "a.b"]),
            ("+.#", &["+.#"], &["a.b"]),
        ] {
            let pattern = pattern(text);
            for name in yes {
                assert!(pattern.matches(name), "{text} matches {name}");
            }
            for name in no {
                assert!(!pattern.matches(name), "{text} does not match {name}");
            }
        }
    }

    #[test]
    fn what_follows_the_rest_wildcard_is_ignored() {
        assert_eq!(pattern("a.>.b.c"), pattern("a.>"));
        assert_eq!(pattern("a.>x").text(), "a.>x");
        assert_eq!(pattern("a.>."), pattern("a.>"));
    }

    #[test]
    fn kinds_do_not_mix() {
        let pattern = Pattern::parse_canonical("queue://orders.>").unwrap();
        assert!(pattern.matches_address(&Address::queue("orders.eu")));
        assert!(!pattern.matches_address(&Address::topic("orders.eu")));
        assert_eq!(pattern.to_string(), "queue://orders.>");
        assert_eq!(Pattern::parse_canonical("orders.>"), Err(NameError::Scheme));
    }

    #[test]
    fn specificity_prefers_literals_then_a_late_wildcard() {
        let ascending = [">", "*.*", "*.b", "a.>", "*.b.c", "a.*.c", "a.b.*", "a.b.c"];
        for pair in ascending.windows(2) {
            let (less, more) = (pattern(pair[0]).specificity(), pattern(pair[1]).specificity());
            assert!(less <= more, "{} before {}", pair[0], pair[1]);
        }
        assert!(pattern("a.*.c").specificity() < pattern("a.b.*").specificity());
    }

    #[test]
    fn limits() {
        assert_eq!(Pattern::parse(Kind::Topic, ""), Err(NameError::Empty));
        assert!(Pattern::parse(Kind::Topic, vec!["*"; NAME_LEVELS_MAX].join(".")).is_ok());
        assert_eq!(Pattern::parse(Kind::Topic, vec!["*"; 129].join(".")), Err(NameError::TooDeep));
        assert_eq!(Pattern::parse(Kind::Topic, vec!["*"; 1000].join(".")), Err(NameError::TooDeep));
        assert_eq!(Pattern::parse(Kind::Topic, "x".repeat(NAME_BYTES_MAX + 1)), Err(NameError::TooLong));
    }
}
