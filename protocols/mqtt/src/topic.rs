//! Topic names and topic filters: what is valid, and what matches what (section 4.7, 4.8.2).

use crate::Error;

/// The longest topic name or filter, in bytes (MQTT-4.7.3-3).
pub const MAX_TOPIC: usize = 65_535;

/// Whether `topic` is a topic name that can be published to. See [`check_topic`].
#[must_use]
pub fn valid_topic(topic: &str) -> bool {
    check_topic(topic).is_ok()
}

/// Checks a topic name: not empty, at most [`MAX_TOPIC`] bytes, no wildcard, no U+0000.
///
/// # Errors
/// What is wrong with it.
pub fn check_topic(topic: &str) -> Result<(), Error> {
    if topic.is_empty() {
        return Err(Error::TopicEmpty);
    }
    if topic.len() > MAX_TOPIC {
        return Err(Error::TopicTooLong);
    }
    check_name(topic.as_bytes())
}

/// Whether `filter` is a topic filter that can be subscribed to. See [`check_filter`].
#[must_use]
pub fn valid_filter(filter: &str) -> bool {
    check_filter(filter).is_ok()
}

/// Checks a topic filter: not empty, at most [`MAX_TOPIC`] bytes, no U+0000, `+` and `#` alone in their
/// level and `#` in the last one only. `$share/` has no meaning here; see [`parse_filter`].
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), Error> {
    if filter.is_empty() {
        return Err(Error::FilterEmpty);
    }
    if filter.len() > MAX_TOPIC {
        return Err(Error::TopicTooLong);
    }
    let bytes = filter.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let starts_level = at == 0 || bytes.get(at - 1) == Some(&b'/');
        let next = bytes.get(at + 1);
        match byte {
            0 => return Err(Error::NulInString),
            b'#' if !starts_level || next.is_some() => return Err(Error::FilterHash),
            b'+' if !starts_level || next.is_some_and(|&next| next != b'/') => return Err(Error::FilterPlus),
            _ => {}
        }
    }
    Ok(())
}

/// A subscription's filter, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedFilter<'a> {
    /// The share name of `$share/{name}/{filter}`.
    pub share: Option<&'a str>,
    /// The topic filter proper.
    pub filter: &'a str,
}

/// Checks a filter and takes `$share/{name}/` off it (MQTT-4.8.2-1, MQTT-4.8.2-2).
///
/// # Errors
/// What is wrong with the filter or with the share name.
pub fn parse_filter(text: &str) -> Result<ParsedFilter<'_>, Error> {
    let Some(shared) = shared_part(text) else {
        check_filter(text)?;
        return Ok(ParsedFilter { share: None, filter: text });
    };
    let (share, filter) = shared.split_once('/').unwrap_or((shared, ""));
    if share.is_empty() || share.contains(['+', '#']) {
        return Err(Error::ShareName);
    }
    if filter.is_empty() {
        return Err(Error::ShareFilter);
    }
    check_filter(filter)?;
    Ok(ParsedFilter { share: Some(share), filter })
}

/// Whether the filter names a shared subscription, valid or not.
#[must_use]
pub fn is_shared(filter: &str) -> bool {
    shared_part(filter).is_some()
}

/// Whether a valid `filter` (without `$share`) matches a valid `topic` (section 4.7).
///
/// Walks both level by level without an index: for tests, oracles and single checks, not for routing.
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    // MQTT-4.7.2-1: a leading wildcard does not reach into `$SYS/...` and the like.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = topic.split('/');
    let mut patterns = filter.split('/');
    loop {
        match (patterns.next(), names.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some(pattern), Some(name)) if pattern == "+" || pattern == name => {}
            _ => return false,
        }
    }
}

fn shared_part(text: &str) -> Option<&str> {
    text.strip_prefix("$share/")
}

const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
const PLUS: u64 = u64::from_ne_bytes([b'+'; 8]);
const HASH: u64 = u64::from_ne_bytes([b'#'; 8]);

/// Checks that none of the bytes is U+0000, `+` or `#`, eight at a time.
#[inline]
pub(crate) fn check_name(bytes: &[u8]) -> Result<(), Error> {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut found = 0;
    for word in words {
        let word = u64::from_ne_bytes(*word);
        found |= zero_bytes(word) | zero_bytes(word ^ PLUS) | zero_bytes(word ^ HASH);
    }
    let mut bad = found != 0;
    for byte in tail {
        bad |= matches!(byte, 0 | b'+' | b'#');
    }
    if bad { Err(name_fault(bytes)) } else { Ok(()) }
}

/// Not zero exactly if one of the word's bytes is zero.
#[inline]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

#[cold]
fn name_fault(bytes: &[u8]) -> Error {
    if bytes.contains(&0) { Error::NulInString } else { Error::TopicWildcard }
}
