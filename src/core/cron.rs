//! Times given by the five fields of a crontab, as ActiveMQ reads them.
//!
//! The fields are minute, hour, day of the month, month and day of the week. A field is a list of numbers
//! and ranges split by commas, or `*` or `?` for everything; behind it `/N` leaves those numbers of the
//! whole list that N divides. Sunday is 0 or 7. A day is meant where it matches both day fields; where both
//! are restricted, where it matches one of them. Times are in UTC.

mod date;
#[cfg(test)]
mod tests;

use std::fmt;

use wharfmq_base::Millis;

use self::date::Date;
use crate::limits::CRON_BYTES_MAX;

const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u64 = 24 * 60;
/// Days within which anything happens that ever does: 29 February may be eight years away.
const HORIZON_DAYS: u64 = 9 * 366;

const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59 },
    Field { name: "hour", low: 0, high: 23 },
    Field { name: "day of the month", low: 1, high: 31 },
    Field { name: "month", low: 1, high: 12 },
    Field { name: "day of the week", low: 0, high: 7 },
];

/// Times that come again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: Box<str>,
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
    /// Whether one of the two day fields is enough.
    either_day: bool,
}

/// Why a text is no cron entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronError {
    /// It is longer than [`CRON_BYTES_MAX`].
    TooLong,
    /// It does not have five fields.
    Fields,
    /// One field cannot be read; which, and what it ranges over.
    Field(&'static str, u8, u8),
    /// There is no such time, as on 30 February.
    Never,
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is longer than {CRON_BYTES_MAX} bytes"),
            Self::Fields => f.write_str(
                "it has to have five fields: minute, hour, day of the month, month, day of the week",
            ),
            Self::Field(name, low, high) => write!(
                f,
                "the {name} has to be `*`, or numbers from {low} to {high} and ranges such as {low}-{high}, \
                 split by commas, with /STEP at the end where wanted"
            ),
            Self::Never => f.write_str("there is no such time"),
        }
    }
}

impl std::error::Error for CronError {}

impl Cron {
    /// Reads the five fields.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        if text.len() > CRON_BYTES_MAX {
            return Err(CronError::TooLong);
        }
        let mut words = text.split_ascii_whitespace();
        let mut word = || words.next().ok_or(CronError::Fields);
        let words_of_fields = [word()?, word()?, word()?, word()?, word()?];
        if words.next().is_some() {
            return Err(CronError::Fields);
        }
        let mut sets = [Set(0); 5];
        for ((set, field), word) in sets.iter_mut().zip(FIELDS).zip(words_of_fields) {
            *set = field.read(word).ok_or(CronError::Field(field.name, field.low, field.high))?;
        }
        let [minutes, hours, days, months, weekdays] = sets;
        let [_, _, day_word, _, weekday_word] = words_of_fields;
        let cron = Self {
            text: text.into(),
            minutes,
            hours,
            days,
            months,
            weekdays: Set(weekdays.0 & 0x7f | weekdays.0 >> 7),
            either_day: !is_all(day_word) && !is_all(weekday_word),
        };
        if cron.next(Millis(0)).is_none() { Err(CronError::Never) } else { Ok(cron) }
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first time after `now`, both by the wall clock. `None` only at the end of the calendar.
    pub fn next(&self, now: Millis) -> Option<Millis> {
        let minute = now.0 / MINUTE_MS + 1;
        let (today, of_day) = (minute / DAY_MINUTES, minute % DAY_MINUTES);
        let mut date = Date::of_day(today)?;
        for day in today..today + HORIZON_DAYS {
            let from = if day == today { of_day } else { 0 };
            if self.meets(date, day)
                && let Some(of_day) = self.time(from)
            {
                return (day * DAY_MINUTES + of_day).checked_mul(MINUTE_MS).map(Millis);
            }
            date = date.next();
        }
        None
    }

    fn meets(&self, date: Date, day: u64) -> bool {
        // 1 January 1970 was a Thursday.
        let weekday = self.weekdays.has(((day + 4) % 7) as u8);
        let of_month = self.days.has(date.day);
        let meets = if self.either_day { weekday || of_month } else { weekday && of_month };
        meets && self.months.has(date.month)
    }

    /// The first minute of a day from `from` on that is meant.
    fn time(&self, from: u64) -> Option<u64> {
        let (hour, minute) = ((from / 60) as u8, (from % 60) as u8);
        let this_hour = self.hours.has(hour).then(|| self.minutes.from(minute)).flatten();
        if let Some(minute) = this_hour {
            return Some(u64::from(hour) * 60 + u64::from(minute));
        }
        let (hour, minute) = (self.hours.from(hour + 1)?, self.minutes.from(0)?);
        Some(u64::from(hour) * 60 + u64::from(minute))
    }
}

/// Numbers below 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Set(u64);

impl Set {
    const fn has(self, n: u8) -> bool {
        self.0 >> n & 1 == 1
    }

    /// The smallest from `n` on.
    fn from(self, n: u8) -> Option<u8> {
        let rest = self.0 >> n << n;
        (rest != 0).then_some(rest.trailing_zeros() as u8)
    }
}

#[derive(Clone, Copy)]
struct Field {
    name: &'static str,
    low: u8,
    high: u8,
}

impl Field {
    /// The numbers that a word means; `None` where it cannot be read or means none.
    fn read(self, word: &str) -> Option<Set> {
        let (list, step) = match word.split_once('/') {
            Some((list, step)) => (list, number(step).filter(|step| *step > 0)?),
            None => (word, 1),
        };
        let mut set = 0;
        for item in list.split(',') {
            let (from, to) = self.range(item)?;
            for n in (from..=to).filter(|n| n % step == 0) {
                set |= 1 << n;
            }
        }
        (set != 0).then_some(Set(set))
    }

    fn range(self, item: &str) -> Option<(u8, u8)> {
        if is_all(item) {
            return Some((self.low, self.high));
        }
        let (from, to) = item.split_once('-').unwrap_or((item, item));
        let (from, to) = (number(from)?, number(to)?);
        (self.low <= from && from <= to && to <= self.high).then_some((from, to))
    }
}

fn number(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn is_all(word: &str) -> bool {
    matches!(word, "*" | "?")
}
