use proptest::prelude::*;
use wharfmq_base::Millis;

use super::date::Date;
use super::*;

/// Minutes since 1970 of a moment in UTC.
fn minutes(year: u64, month: u8, day: u8, hour: u64, minute: u64) -> u64 {
    let wanted = Date { year, month, day };
    let day = (0..200_000).find(|&day| Date::of_day(day) == Some(wanted)).unwrap();
    day * DAY_MINUTES + hour * 60 + minute
}

fn at(year: u64, month: u8, day: u8, hour: u64, minute: u64) -> Millis {
    Millis(minutes(year, month, day, hour, minute) * MINUTE_MS)
}

fn next(text: &str, after: Millis) -> Millis {
    Cron::parse(text).unwrap().next(after).unwrap()
}

/// The cases of ActiveMQ's own test of its parser.
#[test]
fn as_activemq_has_it() {
    let monday = Millis(at(2010, 11, 15, 9, 15).0 + 30_000);
    assert_eq!(next("* * * * 5", monday), at(2010, 11, 19, 0, 0));
    assert_eq!(next("50 20 * * 5", at(2011, 3, 7, 9, 15)), at(2011, 3, 11, 20, 50));
    assert_eq!(next("50 20 * * 5", at(2011, 3, 11, 22, 0)), at(2011, 3, 18, 20, 50));
    assert_eq!(next("0 20 * 4,5 0", at(2011, 3, 7, 9, 15)), at(2011, 4, 3, 20, 0));
    assert_eq!(next("0 20 * 4,5 0", at(2011, 4, 30, 22, 0)), at(2011, 5, 1, 20, 0));
    assert_eq!(next("0 20 * 4,5 0", at(2011, 5, 30, 22, 0)), at(2012, 4, 1, 20, 0));
    assert_eq!(next("* * * 12 *", monday), at(2010, 12, 1, 0, 0));
    assert_eq!(next("* * 1 * *", at(2010, 12, 15, 9, 15)), at(2011, 1, 1, 0, 0));
    assert_eq!(next("* * 1 12 *", at(2010, 12, 15, 9, 15)), at(2011, 12, 1, 0, 0));
    assert_eq!(next("* * 16 * *", monday), at(2010, 11, 16, 0, 0));
    assert_eq!(next("30 * * * *", Millis(20 * MINUTE_MS)), Millis(30 * MINUTE_MS));
    assert_eq!(next("* 1 * * *", at(1972, 3, 2, 17, 10)), at(1972, 3, 3, 1, 0));
    for valid in ["30 08 10 06 ? ", "30 08 ? 06 5 ", "30 08 ? 06 * ", "* * * * 1-6", "* * * * 1,2,5 "] {
        assert!(Cron::parse(valid).is_ok(), "{valid}");
    }
    assert!(Cron::parse("*/10 0-4,8-12 * * 1-2,3-6/2 ").is_ok());
}

#[test]
fn a_time_is_always_a_later_one() {
    let noon = at(2026, 3, 1, 12, 0);
    assert_eq!(next("0 12 * * *", noon), at(2026, 3, 2, 12, 0));
    assert_eq!(next("0 12 * * *", Millis(noon.0 - 1)), noon);
    assert_eq!(next("* * * * *", Millis(noon.0 + 1)), Millis(noon.0 + MINUTE_MS));
}

#[test]
fn a_step_leaves_what_it_divides() {
    let after = at(2026, 3, 1, 0, 0);
    assert_eq!(next("1-59/2 * * * *", after), Millis(after.0 + 2 * MINUTE_MS));
    assert_eq!(next("0 0 */10 * *", after), at(2026, 3, 10, 0, 0));
    assert_eq!(next("50,20/20 * * * *", after), Millis(after.0 + 20 * MINUTE_MS));
}

#[test]
fn one_day_field_is_enough_where_both_are_given() {
    // 13 March 2026 is a Friday, as is the 6th.
    assert_eq!(next("0 0 13 * 5", at(2026, 3, 1, 0, 0)), at(2026, 3, 6, 0, 0));
    assert_eq!(next("0 0 10 * 5", at(2026, 3, 6, 0, 0)), at(2026, 3, 10, 0, 0));
    assert_eq!(next("0 0 ? * 7", at(2026, 3, 1, 0, 0)), at(2026, 3, 8, 0, 0));
}

#[test]
fn the_leap_day_comes_even_after_eight_years() {
    assert_eq!(next("0 0 29 2 *", at(2096, 3, 1, 0, 0)), at(2104, 2, 29, 0, 0));
}

#[test]
fn what_is_no_cron_entry() {
    let field = |text: &str| match Cron::parse(text) {
        Err(CronError::Field(name, ..)) => name,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(field("60 * * * *"), "minute");
    assert_eq!(field("* 24 * * *"), "hour");
    assert_eq!(field("* * 0 * *"), "day of the month");
    assert_eq!(field("* * * 13 *"), "month");
    assert_eq!(field("* * * * 8"), "day of the week");
    for minute in ["", "-", "5-", "5-1", "1,", ",", "a", "+1", "*/0", "*/", "5/7", "1/2/3", "999", "1-2-3"] {
        let text = format!("{minute} * * * *");
        assert!(Cron::parse(&text).is_err(), "{text}");
    }
    for text in ["", "* * * *", "* * * * * *"] {
        assert_eq!(Cron::parse(text), Err(CronError::Fields), "{text}");
    }
    assert_eq!(Cron::parse("0 0 30 2 *"), Err(CronError::Never));
    assert_eq!(Cron::parse("0 0 31 2,4,6,9,11 *"), Err(CronError::Never));
    assert!(Cron::parse("0 0 30 2 1").is_ok(), "every Monday of February");
    assert_eq!(Cron::parse(&format!("* * * * *{}", " ".repeat(CRON_BYTES_MAX))), Err(CronError::TooLong));
    assert_eq!(Cron::parse("* * * * *").unwrap().next(Millis::NEVER), None);
}

/// A cron entry as tables of what each field's words say.
struct Naive {
    fields: [[bool; 64]; 5],
    free: [bool; 5],
}

impl Naive {
    fn of(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        let says = |word: &str, n: usize| {
            let (list, step) = word.split_once('/').unwrap_or((word, "1"));
            let meant = list.split(',').any(|item| {
                let (from, to) = item.split_once('-').unwrap_or((item, item));
                matches!(item, "*" | "?") || (from.parse().unwrap()..=to.parse().unwrap()).contains(&n)
            });
            meant && n.is_multiple_of(step.parse().unwrap())
        };
        let mut fields: [[bool; 64]; 5] =
            std::array::from_fn(|at| std::array::from_fn(|n| says(words[at], n)));
        fields[4][0] |= fields[4][7];
        Self { fields, free: std::array::from_fn(|at| matches!(words[at], "*" | "?")) }
    }

    fn says_something(&self) -> bool {
        let fields = self.fields.iter().zip(FIELDS);
        fields.into_iter().all(|(says, field)| (field.low..=field.high).any(|n| says[usize::from(n)]))
    }

    fn day(&self, day: u64) -> bool {
        let date = Date::of_day(day).unwrap();
        let of_month = self.fields[2][usize::from(date.day)];
        let of_week = self.fields[4][((day + 4) % 7) as usize];
        let either = !self.free[2] && !self.free[4];
        self.fields[3][usize::from(date.month)]
            && if either { of_month || of_week } else { of_month && of_week }
    }

    /// The first minute that is meant among these.
    fn first(&self, minutes: std::ops::Range<u64>) -> Option<u64> {
        let days = minutes.start / DAY_MINUTES..minutes.end.div_ceil(DAY_MINUTES);
        let hours = days.filter(|&day| self.day(day)).flat_map(|day| day * 24..(day + 1) * 24);
        let hours = hours.filter(|hour| self.fields[1][(hour % 24) as usize]);
        let mut all = hours.flat_map(|hour| hour * 60..(hour + 1) * 60);
        all.find(|minute| minutes.contains(minute) && self.fields[0][(minute % 60) as usize])
    }
}

fn word(low: u8, high: u8) -> impl Strategy<Value = String> {
    let item = prop_oneof![
        (low..=high).prop_map(|n| n.to_string()),
        (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
    ];
    let list = prop::collection::vec(item, 1..4).prop_map(|items| items.join(","));
    let all = prop_oneof![Just("*".to_owned()), Just("?".to_owned())];
    let plain = prop_oneof![2 => all, 3 => list];
    (plain, prop_oneof![3 => Just(0), 1 => 1..8u8])
        .prop_map(|(plain, step)| if step == 0 { plain } else { format!("{plain}/{step}") })
}

fn entry() -> impl Strategy<Value = String> {
    (word(0, 59), word(0, 23), word(1, 31), word(1, 12), word(0, 7))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

proptest! {
    #[test]
    fn the_next_time_is_the_first_that_is_meant(
        text in entry(),
        start in 0..60 * 366 * DAY_MINUTES,
        ms in 0..MINUTE_MS,
    ) {
        let horizon = start + 1 + HORIZON_DAYS * DAY_MINUTES;
        let naive = Naive::of(&text);
        let expected = naive.says_something().then(|| naive.first(start + 1..horizon)).flatten();
        let found = Cron::parse(&text).ok().and_then(|cron| cron.next(Millis(start * MINUTE_MS + ms)));
        prop_assert_eq!(found, expected.map(|minute| Millis(minute * MINUTE_MS)));
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,40}") {
        if let Ok(cron) = Cron::parse(&text) {
            prop_assert!(cron.next(Millis(0)).is_some());
        }
    }
}
