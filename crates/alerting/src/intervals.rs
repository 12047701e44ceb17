//! Time intervals: when a route is active or muted.
//!
//! All given fields of an interval must hold; within a field any element suffices. Everything is
//! checked when it is read, so that asking is a comparison of numbers.

#[cfg(test)]
mod tests;

use model::TimestampNs;

/// An interval as written in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntervalSpec {
    /// `HH:MM` pairs, the end exclusive.
    pub times: Vec<(String, String)>,
    pub weekdays: Vec<String>,
    pub days_of_month: Vec<String>,
    pub months: Vec<String>,
    pub years: Vec<String>,
    /// An IANA zone, `Local`, or empty for UTC.
    pub location: String,
}

/// A checked interval.
#[derive(Debug, Clone)]
pub struct TimeInterval {
    /// Minutes of the day, half open.
    times: Vec<(i32, i32)>,
    weekdays: Vec<(i32, i32)>,
    days_of_month: Vec<(i32, i32)>,
    months: Vec<(i32, i32)>,
    years: Vec<(i32, i32)>,
    zone: jiff::tz::TimeZone,
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// Names of the months as configuration files write them.
pub const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl TimeInterval {
    /// Checks a written interval. Error texts are the original's.
    pub fn new(spec: &IntervalSpec) -> Result<TimeInterval, String> {
        Ok(TimeInterval {
            times: spec.times.iter().map(|(from, to)| time_range(from, to)).collect::<Result<_, _>>()?,
            weekdays: spec.weekdays.iter().map(|text| weekdays(text)).collect::<Result<_, _>>()?,
            days_of_month: spec.days_of_month.iter().map(|text| days(text)).collect::<Result<_, _>>()?,
            months: spec.months.iter().map(|text| months(text)).collect::<Result<_, _>>()?,
            years: spec.years.iter().map(|text| years(text)).collect::<Result<_, _>>()?,
            zone: zone(&spec.location)?,
        })
    }

    pub fn contains(&self, at: TimestampNs) -> bool {
        let Ok(timestamp) = jiff::Timestamp::from_second(at.div_euclid(1_000_000_000)) else {
            return false;
        };
        let local = timestamp.to_zoned(self.zone.clone());
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let within = |ranges: &[(i32, i32)], value: i32| {
            ranges.is_empty() || ranges.iter().any(|(from, to)| *from <= value && value <= *to)
        };
        let last_day = i32::from(local.days_in_month());
        (self.times.is_empty() || self.times.iter().any(|(from, to)| *from <= minute && minute < *to))
            && within(&self.weekdays, i32::from(local.weekday().to_sunday_zero_offset()))
            && within(&self.months, i32::from(local.month()))
            && within(&self.years, i32::from(local.year()))
            && (self.days_of_month.is_empty()
                || self
                    .days_of_month
                    .iter()
                    .any(|range| day_matches(*range, i32::from(local.day()), last_day)))
    }
}

/// Negative days count from the end of the month; a range is clamped to the month it meets.
fn day_matches((from, to): (i32, i32), day: i32, last: i32) -> bool {
    let from_end = |day: i32| if day < 0 { last + 1 + day } else { day };
    let (begin, end) = (from_end(from), from_end(to));
    // A range that begins after the month has ended does not meet it.
    begin <= last && (begin.max(1)..=end.min(last)).contains(&day)
}

/// Names are taken literally, as Go's time zone database has them.
fn zone(name: &str) -> Result<jiff::tz::TimeZone, String> {
    match name {
        "" | "UTC" => return Ok(jiff::tz::TimeZone::UTC),
        "Local" => return Ok(jiff::tz::TimeZone::system()),
        name if name.contains("..") || name.starts_with(['/', '\\']) => {
            return Err("time: invalid location name".into());
        }
        _ => {}
    }
    let found = jiff::tz::TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name));
    found.ok_or_else(|| format!("unknown time zone {name}"))
}

fn time_range(from: &str, to: &str) -> Result<(i32, i32), String> {
    if from.is_empty() || to.is_empty() {
        return Err("both start and end times must be provided".into());
    }
    let (from, to) = (minutes(from)?, minutes(to)?);
    if from >= to {
        return Err("start time cannot be equal or greater than end time".into());
    }
    Ok((from, to))
}

fn minutes(text: &str) -> Result<i32, String> {
    let bad = || format!("couldn't parse timestamp {text}, invalid format");
    let (hour, minute) = text.split_once(':').ok_or_else(bad)?;
    let two = |part: &str| -> Option<i32> {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok()).flatten()
    };
    match (two(hour), two(minute)) {
        (Some(24), Some(0)) => Ok(24 * 60),
        (Some(hour @ 0..=23), Some(minute @ 0..=59)) => Ok(hour * 60 + minute),
        _ => Err(bad()),
    }
}

fn bounds(text: &str) -> Result<(String, String), String> {
    let lower = text.to_lowercase();
    let parts: Vec<&str> = lower.split(':').collect();
    match parts[..] {
        [one] => Ok((one.to_owned(), one.to_owned())),
        [from, to] => Ok((from.to_owned(), to.to_owned())),
        _ => Err(format!("couldn't parse range {lower}, invalid format")),
    }
}

fn weekdays(text: &str) -> Result<(i32, i32), String> {
    let (from, to) = bounds(text)?;
    let number = |name: &str| {
        let at = WEEKDAYS.iter().position(|day| *day == name);
        at.map(|at| at as i32).ok_or_else(|| format!("{name} is not a valid weekday"))
    };
    let (from, to) = (number(&from)?, number(&to)?);
    if from > to {
        return Err("start day cannot be before end day".into());
    }
    Ok((from, to))
}

fn integer(text: &str) -> Result<i32, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let problem = match text.parse() {
        Ok(number) => return Ok(number),
        Err(_) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => "value out of range",
        Err(_) => "invalid syntax",
    };
    Err(format!("strconv.Atoi: parsing {text:?}: {problem}"))
}

fn days(text: &str) -> Result<(i32, i32), String> {
    let (from, to) = bounds(text)?;
    let (from, to) = (integer(&from)?, integer(&to)?);
    for day in [from, to] {
        if day == 0 || !(-31..=31).contains(&day) {
            return Err(format!("{day} is not a valid day of the month: out of range"));
        }
    }
    if from < 0 && to > 0 {
        return Err("end day must be negative if start day is negative".into());
    }
    // Judged in the shortest month: what is wrong there may still be right in others, and is refused.
    let absolute = |day: i32| if day < 0 { 28 + day } else { day };
    if absolute(from) > absolute(to) {
        return Err(format!("end day {to} is always before start day {from}"));
    }
    Ok((from, to))
}

fn months(text: &str) -> Result<(i32, i32), String> {
    let (from, to) = bounds(text)?;
    let number = |name: &str| {
        let by_name = MONTHS.iter().position(|month| *month == name).map(|at| at as i32 + 1);
        by_name.or_else(|| integer(name).ok()).ok_or_else(|| format!("{name} is not a valid month"))
    };
    let (begin, end) = (number(&from)?, number(&to)?);
    if begin > end {
        let name = |month: i32| {
            usize::try_from(month.saturating_sub(1)).ok().and_then(|at| MONTHS.get(at)).unwrap_or(&"")
        };
        return Err(format!("end month {} is before start month {}", name(end), name(begin)));
    }
    Ok((begin, end))
}

fn years(text: &str) -> Result<(i32, i32), String> {
    let (from, to) = bounds(text)?;
    let (from, to) = (integer(&from)?, integer(&to)?);
    if from > to {
        return Err(format!("end year {to} is before start year {from}"));
    }
    Ok((from, to))
}
