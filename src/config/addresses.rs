//! `[[address]]`: what is written for a pattern, with the range of each value.

use std::ops::RangeInclusive;

use wharfmq_base::{ByteSize, Millis};

use super::destinations::check_pattern;
use super::entries::{Entries, Instance};
use super::fields::{Size, Span};
use super::problem::Problem;
use super::schema::Address;
use super::settings::{AddressSettings, Grave};

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 3_600 * SECOND;
/// Bytes of the name of a header.
const HEADER_BYTES_MAX: usize = 255;

/// Checks the settings of all patterns.
pub(super) fn resolve(
    written: Vec<Address>,
    entries: &Entries,
    problems: &mut Vec<Problem>,
) -> Vec<AddressSettings> {
    let mut addresses: Vec<AddressSettings> = Vec::with_capacity(written.len());
    for (n, address) in written.into_iter().enumerate() {
        let mut check = Check { entries, at: Instance::Number(n), problems };
        if let Err(what) = check_pattern(&address.pattern) {
            check.wrong("match", what);
        } else if addresses.iter().any(|other| other.pattern == address.pattern) {
            check.wrong("match", format!("`{}` has settings already", address.pattern));
        }
        addresses.push(check.settings(address));
    }
    addresses
}

struct Check<'a> {
    entries: &'a Entries,
    at: Instance,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn settings(&mut self, written: Address) -> AddressSettings {
        self.is_for_topics(&written);
        AddressSettings {
            max_deliveries: self.max_deliveries(written.max_deliveries),
            redelivery_delay: self.span("redelivery_delay", written.redelivery_delay, 0..=DAY),
            redelivery_backoff: self.backoff(written.redelivery_backoff),
            nack: written.nack,
            lock_timeout: self.span("lock_timeout", written.lock_timeout, SECOND..=30 * DAY),
            dead_letter: self.grave("dead_letter", written.dead_letter),
            expired: self.grave("expired", written.expired),
            expiry: self.span("expiry", written.expiry, 1..=u64::MAX),
            max_messages: self.number("max_messages", written.max_messages, 1..=u64::MAX),
            max_bytes: self.max_bytes(written.max_bytes),
            overflow: written.overflow,
            priority: written.priority,
            groups: written.groups,
            dedup: self.span("dedup", written.dedup, SECOND..=7 * DAY),
            dedup_by: self.header("dedup_by", written.dedup_by),
            single_active: written.single_active,
            last_value: self.header("last_value", written.last_value),
            paused: written.paused,
            history: self.number("history", written.history, 1..=100_000),
            history_age: self.span("history_age", written.history_age, SECOND..=30 * DAY),
            pattern: written.pattern,
        }
    }

    fn is_for_topics(&mut self, written: &Address) {
        if written.pattern.starts_with("topic://") {
            return;
        }
        for (key, is_set) in
            [("history", written.history.is_some()), ("history_age", written.history_age.is_some())]
        {
            if is_set {
                self.wrong(key, format!("`{key}` is for topics: a queue keeps its messages anyway"));
            }
        }
    }

    fn max_deliveries(&mut self, written: Option<u32>) -> Option<u8> {
        let checked = self.number("max_deliveries", written.map(u64::from), 0..=u64::from(u8::MAX))?;
        u8::try_from(checked).ok()
    }

    fn backoff(&mut self, factor: Option<f64>) -> Option<f64> {
        if factor.is_some_and(|factor| !(1.0..=1000.0).contains(&factor)) {
            self.wrong("redelivery_backoff", "`redelivery_backoff` goes from 1.0 to 1000".into());
        }
        factor
    }

    fn max_bytes(&mut self, size: Option<Size>) -> Option<ByteSize> {
        if size.is_some_and(|Size(size)| size.0 == 0) {
            self.wrong("max_bytes", "`max_bytes` is at least 1B".into());
        }
        size.map(|Size(size)| size)
    }

    fn number(&mut self, key: &'static str, number: Option<u64>, range: RangeInclusive<u64>) -> Option<u64> {
        if number.is_some_and(|number| !range.contains(&number)) {
            let (least, most) = (range.start(), range.end());
            self.wrong(
                key,
                match *most {
                    u64::MAX => format!("`{key}` is at least {least}"),
                    most => format!("`{key}` goes from {least} to {most}"),
                },
            );
        }
        number
    }

    fn span(&mut self, key: &'static str, span: Option<Span>, range: RangeInclusive<u64>) -> Option<Millis> {
        let Span(span) = span?;
        if !range.contains(&span.0) {
            let least = in_words(*range.start());
            self.wrong(
                key,
                match *range.end() {
                    u64::MAX => format!("`{key}` is at least {least}"),
                    most => format!("`{key}` goes from {least} to {}", in_words(most)),
                },
            );
        }
        Some(span)
    }

    fn header(&mut self, key: &'static str, name: Option<String>) -> Option<String> {
        let fits = |name: &String| {
            (1..=HEADER_BYTES_MAX).contains(&name.len()) && !name.contains(|c: char| c.is_control())
        };
        if name.as_ref().is_some_and(|name| !fits(name)) {
            self.wrong(key, format!("`{key}` is the name of a header, of 1 to {HEADER_BYTES_MAX} bytes"));
        }
        name
    }

    fn grave(&mut self, key: &'static str, written: Option<String>) -> Option<Grave> {
        let written = written?;
        let read = read_grave(&written);
        if read.is_none() {
            let what = format!(
                "`{key}`: `{written}` is neither queue://NAME, where `%n` may stand once in NAME and not \
                 alone, nor drop"
            );
            self.wrong(key, what);
        }
        read
    }

    fn wrong(&mut self, key: &'static str, what: String) {
        self.problems.push(Problem::new(self.entries.origin("address", &self.at, key), what));
    }
}

fn read_grave(written: &str) -> Option<Grave> {
    if written == "drop" {
        return Some(Grave::Drop);
    }
    let name =
        written.strip_prefix("queue://").filter(|name| !name.is_empty() && !name.contains(['*', '>']))?;
    let Some((before, after)) = name.split_once("%n") else { return Some(Grave::Queue(name.to_owned())) };
    let is_name = name != "%n" && !after.contains("%n");
    is_name.then(|| Grave::Around(before.to_owned(), after.to_owned()))
}

fn in_words(ms: u64) -> String {
    match ms {
        ms if ms >= DAY => format!("{}d", ms / DAY),
        ms if ms >= SECOND => format!("{}s", ms / SECOND),
        ms => format!("{ms}ms"),
    }
}
