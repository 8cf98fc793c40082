//! Quantities with their units in the type, and how people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A point in time or a span, in milliseconds. Which clock it is of is said where it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The far future.
    pub const NEVER: Self = Self(u64::MAX);

    /// `self` later by `span`.
    #[must_use]
    pub const fn plus(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span from `earlier` to `self`, 0 where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for Millis {
    fn from(span: Duration) -> Self {
        Self(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A number of bytes, written as `16MiB`, `1.5 GB` or `4096`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Why a duration or a size could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseUnitError {
    what: &'static str,
    text: String,
}

impl fmt::Display for ParseUnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a {}", self.text, self.what)
    }
}

impl std::error::Error for ParseUnitError {}

impl FromStr for ByteSize {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let factor = |unit: &str| match unit {
            "" | "B" => Some(1.0),
            "kB" | "KB" => Some(1e3),
            "MB" => Some(1e6),
            "GB" => Some(1e9),
            "TB" => Some(1e12),
            "KiB" => Some(1024.0),
            "MiB" => Some(1_048_576.0),
            "GiB" => Some(1_073_741_824.0),
            "TiB" => Some(1_099_511_627_776.0),
            _ => None,
        };
        parse(text, factor).map(Self).ok_or_else(|| ParseUnitError {
            what: "size: write a number and a unit, such as 16MiB, 1GiB or 500kB",
            text: text.into(),
        })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("TiB", 1u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// Reads a duration such as `500ms`, `1s`, `1.5h`, `4d` as milliseconds.
pub fn parse_duration(text: &str) -> Result<Millis, ParseUnitError> {
    let factor = |unit: &str| match unit {
        "ms" => Some(1.0),
        "s" => Some(1e3),
        "m" | "min" => Some(60e3),
        "h" => Some(3_600e3),
        "d" => Some(86_400e3),
        "w" => Some(604_800e3),
        _ => None,
    };
    parse(text, factor).map(Millis).ok_or_else(|| ParseUnitError {
        what: "duration: write a number and a unit, such as 500ms, 10s, 5m, 2h or 4d",
        text: text.into(),
    })
}

/// Writes a duration as [`parse_duration`] reads it, in the largest unit that makes it a whole number.
pub fn write_duration(span: Millis) -> String {
    for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if span.0 >= ms && span.0.is_multiple_of(ms) {
            return format!("{}{unit}", span.0 / ms);
        }
    }
    format!("{}ms", span.0)
}

fn parse(text: &str, factor: impl Fn(&str) -> Option<f64>) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.replace('_', "").parse().ok()?;
    let value = (number * factor(unit.trim())?).round();
    // f64 holds whole numbers exactly up to 2^53, far beyond any size or span that makes sense here.
    (value.is_finite() && (0.0..9e15).contains(&value)).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!("16MiB".parse(), Ok(ByteSize(16 << 20)));
        assert_eq!("1.5 GB".parse(), Ok(ByteSize(1_500_000_000)));
        assert_eq!("4096".parse(), Ok(ByteSize(4096)));
        assert_eq!("1_000".parse(), Ok(ByteSize(1000)));
        assert!("".parse::<ByteSize>().is_err());
        assert!("-1".parse::<ByteSize>().is_err());
        assert!("12 parsecs".parse::<ByteSize>().is_err());
        assert_eq!(ByteSize(16 << 20).to_string(), "16MiB");
        assert_eq!(ByteSize(1000).to_string(), "1000B");
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("500ms"), Ok(Millis(500)));
        assert_eq!(parse_duration("1.5h"), Ok(Millis(5_400_000)));
        assert_eq!(parse_duration("4d"), Ok(Millis(345_600_000)));
        assert!(parse_duration("5").is_err());
        assert!(parse_duration("1e99s").is_err());
        for text in ["4d", "36h", "10m", "90s", "1500ms", "0ms"] {
            assert_eq!(parse_duration(text).map(write_duration), Ok(text.into()));
        }
    }
}
