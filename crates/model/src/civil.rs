//! Dates of the Gregorian calendar, in UTC.
//!
//! Years are counted from March, so that the leap day is the last, in eras of 400 years, after which
//! everything repeats (Howard Hinnant, "chrono-compatible low-level date algorithms").

const SECONDS_PER_DAY: i64 = 86_400;

/// Days from the first of March of year 0 to the Unix epoch.
const EPOCH_DAYS: i64 = 719_468;

const DAYS_PER_ERA: i64 = 146_097;

/// Calendar fields of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    /// Sunday is 0.
    pub weekday: u32,
    /// 1 to 366.
    pub year_day: u32,
}

impl Civil {
    /// The fields of seconds since the epoch.
    pub fn of_unix(seconds: i64) -> Civil {
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
        let shifted = days + EPOCH_DAYS;
        let era = shifted.div_euclid(DAYS_PER_ERA);
        let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_index + 2) / 5 + 1) as u32;
        let month = (if month_index < 10 { month_index + 3 } else { month_index - 9 }) as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            weekday: (days + 4).rem_euclid(7) as u32,
            year_day: (days - days_from_civil(year, 1, 1) + 1) as u32,
        }
    }

    /// How many days this month has.
    pub fn days_in_month(&self) -> u32 {
        match self.month {
            2 if self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

/// Days since the epoch of a calendar date.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_index = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_index + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - EPOCH_DAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        let check = |seconds: i64, date: (i64, u32, u32), clock: (u32, u32, u32), rest: (u32, u32, u32)| {
            let c = Civil::of_unix(seconds);
            assert_eq!((c.year, c.month, c.day), date, "{seconds}");
            assert_eq!((c.hour, c.minute, c.second), clock, "{seconds}");
            assert_eq!((c.weekday, c.year_day, c.days_in_month()), rest, "{seconds}");
            assert_eq!(days_from_civil(c.year, c.month, c.day), seconds.div_euclid(SECONDS_PER_DAY));
        };
        check(0, (1970, 1, 1), (0, 0, 0), (4, 1, 31));
        check(-1, (1969, 12, 31), (23, 59, 59), (3, 365, 31));
        check(1_709_251_199, (2024, 2, 29), (23, 59, 59), (4, 60, 29));
        // 1900 was no leap year, 2000 was one.
        check(-2_203_977_600, (1900, 2, 28), (0, 0, 0), (3, 59, 28));
        check(951_782_400, (2000, 2, 29), (0, 0, 0), (2, 60, 29));
        check(-62_135_596_800, (1, 1, 1), (0, 0, 0), (1, 1, 31));
    }

    #[test]
    fn no_instant_is_too_far() {
        for seconds in [i64::MIN, i64::MAX] {
            let c = Civil::of_unix(seconds);
            assert_eq!(days_from_civil(c.year, c.month, c.day), seconds.div_euclid(SECONDS_PER_DAY));
        }
    }
}
