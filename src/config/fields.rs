//! The types a configuration value can have, and how people write them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use wharfmq_base::{ByteSize, Millis, parse_duration};

/// What a key takes, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The name of the type, such as `size`, as a sentence can use it after "a".
    pub name: &'static str,
    /// How it is written; empty where the name says it all.
    pub form: &'static str,
    /// Whether a relative path in a file counts from the file's folder.
    pub is_path: bool,
}

impl Kind {
    const fn new(name: &'static str, form: &'static str) -> Self {
        Self { name, form, is_path: false }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            "" => f.write_str(self.name),
            form => write!(f, "{}: {form}", self.name),
        }
    }
}

/// A type that a key of the schema may have.
pub trait Field: DeserializeOwned {
    /// What people are told about it.
    const KIND: Kind;
    /// Whether a key of this type must be given unless it has a default.
    const REQUIRED: bool = true;
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;
}

impl Field for bool {
    const KIND: Kind = Kind::new("boolean", "true or false");
}

impl Field for String {
    const KIND: Kind = Kind::new("text", "");
}

impl Field for u32 {
    const KIND: Kind = Kind::new("whole number", "0 to 4294967295");
}

impl Field for u64 {
    const KIND: Kind = Kind::new("whole number", "0 or more");
}

impl Field for f64 {
    const KIND: Kind = Kind::new("number", "");
}

impl Field for PathBuf {
    const KIND: Kind = Kind {
        name: "path",
        form: "in a configuration file, a relative one counts from the file's folder",
        is_path: true,
    };
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub ByteSize);

impl Field for Size {
    const KIND: Kind =
        Kind::new("size", "a number and a unit (B, kB, MB, GB, KiB, MiB, GiB, TiB), such as \"16MiB\"");
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: wharfmq_base::ParseUnitError| error.to_string())
    }
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Millis);

impl Field for Span {
    const KIND: Kind = Kind::new("duration", "a number and a unit (ms, s, m, h, d, w), such as \"10s\"");
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_duration(text).map(Self).map_err(|error| error.to_string())
    }
}

/// An amount of memory or disk: of what there is, or in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Percent of what there is, 1 to 100.
    Percent(u8),
    /// So many bytes.
    Bytes(ByteSize),
}

impl Share {
    /// The bytes it stands for where there are so many.
    pub const fn of(self, whole: u64) -> ByteSize {
        match self {
            Self::Percent(percent) => ByteSize(whole / 100 * percent as u64),
            Self::Bytes(size) => size,
        }
    }
}

impl Field for Share {
    const KIND: Kind =
        Kind::new("share or size", "\"1%\" to \"100%\" of what there is, or a size such as \"4GiB\"");
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(number) = text.trim().strip_suffix('%') else {
            return text.parse().map(|Size(size)| Self::Bytes(size));
        };
        match number.trim().parse() {
            Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
            _ => Err(format!("`{text}` is not a share from 1% to 100%")),
        }
    }
}

/// Several names, or one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Names(pub Vec<String>);

impl Field for Names {
    const KIND: Kind = Kind::new("text or list of texts", "");
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<String>),
    One(String),
}

impl From<OneOrMany> for Names {
    fn from(written: OneOrMany) -> Self {
        match written {
            OneOrMany::Many(names) => Self(names),
            // The environment and --set have only text, in which a list stands as TOML.
            OneOrMany::One(text) => match text.parse::<toml::Value>().ok().map(Vec::deserialize) {
                Some(Ok(names)) => Self(names),
                _ => Self(vec![text]),
            },
        }
    }
}

/// Lets a type that people write as text, or as a bare number where `from_number` says so, be read by serde.
macro_rules! read_as_text {
    ($type:ty, $from_number:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(TextOrNumber($from_number))?.parse().map_err(D::Error::custom)
            }
        }
    };
}

read_as_text!(Size, true);
read_as_text!(Share, true);
// A bare number would leave open of what.
read_as_text!(Span, false);

struct TextOrNumber(bool);

impl Visitor<'_> for TextOrNumber {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text with a number and a unit")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<String, E> {
        if self.0 { Ok(number.to_string()) } else { Err(E::invalid_type(Unexpected::Signed(number), &self)) }
    }
}

/// Declares an enumeration whose values people write as the given words.
macro_rules! choice {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $about:literal])* $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        pub enum $name {
            $($(#[doc = $about])* #[serde(rename = $word)] $variant,)+
        }

        impl Field for $name {
            const KIND: Kind = Kind::new("choice", concat!("one of", $(" ", $word),+));
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)+ })
            }
        }
    };
}

choice! {
    /// Whether clients show certificates.
    ClientAuth {
        /// They are not asked.
        None = "none",
        /// They are asked, and may decline.
        Optional = "optional",
        /// Who shows none is refused.
        Required = "required",
    }
}

choice! {
    /// Which part of a client certificate names the user.
    Identity {
        /// The common name of the subject.
        Cn = "cn",
        /// The whole subject.
        Dn = "dn",
        /// The first DNS name among the alternative names.
        SanDns = "san-dns",
        /// The first URI among the alternative names.
        SanUri = "san-uri",
    }
}

choice! {
    /// Where messages are kept.
    StoreKind {
        /// In the embedded journal, on disk.
        Journal = "journal",
        /// In memory only: nothing survives a stop.
        Memory = "memory",
    }
}

choice! {
    /// When a stored message counts as stored.
    Sync {
        /// Once it is on disk.
        Always = "always",
    }
}

choice! {
    /// What happens to a message that a full queue has no room for.
    Overflow {
        /// Its producer waits.
        Block = "block",
        /// It is refused.
        Reject = "reject",
        /// The oldest message makes room.
        DropOldest = "drop-oldest",
        /// The oldest message moves to the dead-letter queue.
        DeadLetter = "dead-letter",
    }
}

choice! {
    /// What a negative acknowledgement means.
    Nack {
        /// A failed delivery.
        Retry = "retry",
        /// To the dead letters at once.
        DeadLetter = "dead-letter",
        /// Dropped and counted.
        Discard = "discard",
    }
}

choice! {
    /// What the groups of messages mean.
    Groups {
        /// A group goes to one consumer.
        Sticky = "sticky",
        /// Of a group one message at a time.
        Strict = "strict",
        /// Nothing.
        None = "none",
    }
}

choice! {
    /// Which member of a shared subscription gets a message.
    SharedChoice {
        /// Each in turn.
        Fair = "fair",
        /// The same for a topic.
        Sticky = "sticky",
    }
}

choice! {
    /// How log lines look.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_may_be_a_size() {
        assert_eq!("50%".parse(), Ok(Share::Percent(50)));
        assert_eq!("4GiB".parse(), Ok(Share::Bytes(ByteSize(4 << 30))));
        assert_eq!(Share::Percent(25).of(1_000), ByteSize(250));
        for wrong in ["0%", "101%", "-1%", "%", "half", ""] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bare_numbers_are_sizes_but_not_durations() {
        let read = |text: &str| text.parse::<toml::Table>().unwrap()["x"].clone();
        assert_eq!(Size::deserialize(read("x = 4096")), Ok(Size(ByteSize(4096))));
        assert!(Size::deserialize(read("x = -1")).is_err());
        assert!(Size::deserialize(read("x = true")).is_err());
        assert!(Span::deserialize(read("x = 5")).is_err());
        assert_eq!(Span::deserialize(read("x = \"5s\"")), Ok(Span(Millis(5000))));
    }
}
