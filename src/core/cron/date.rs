//! Days of the Gregorian calendar.

/// Days from 1 March of the year 0 to 1 January 1970.
const BEFORE_1970: u64 = 719_468;
/// Days of 400 years, after which the calendar repeats itself.
const ERA_DAYS: u64 = 146_097;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: u64,
    /// From 1.
    pub(super) month: u8,
    /// From 1.
    pub(super) day: u8,
}

impl Date {
    /// The date of a day, counted from 1 January 1970.
    ///
    /// Years are counted from 1 March, so that the leap day is a year's last; then the month follows from
    /// the day of the year by a line through the lengths 31, 30, 31, 30, 31.
    pub(super) fn of_day(day: u64) -> Option<Self> {
        let day = day.checked_add(BEFORE_1970)?;
        let (era, of_era) = (day / ERA_DAYS, day % ERA_DAYS);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        Some(Self { year, month: month as u8, day: day as u8 })
    }

    /// The day after.
    pub(super) const fn next(self) -> Self {
        let Self { year, month, day } = self;
        if day < self.last_of_month() {
            return Self { day: day + 1, ..self };
        }
        if month < 12 {
            Self { month: month + 1, day: 1, year }
        } else {
            Self { year: year + 1, month: 1, day: 1 }
        }
    }

    const fn last_of_month(self) -> u8 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year.is_multiple_of(4)
                && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            _ => 31,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_days() {
        for (day, year, month, of_month) in [
            (0, 1970, 1, 1),
            (59, 1970, 3, 1),
            (11_016, 2000, 2, 29),
            (20_512, 2026, 2, 28),
            (47_541, 2100, 3, 1),
        ] {
            assert_eq!(Date::of_day(day), Some(Date { year, month, day: of_month }), "{day}");
        }
        assert_eq!(Date::of_day(u64::MAX), None);
    }

    #[test]
    fn the_next_day_is_the_day_after() {
        let mut date = Date::of_day(0).unwrap();
        for day in 1..2 * ERA_DAYS {
            date = date.next();
            assert_eq!(Date::of_day(day), Some(date));
        }
    }
}
