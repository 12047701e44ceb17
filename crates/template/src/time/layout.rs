//! Go's reference-time layouts: `Mon Jan 2 15:04:05 MST 2006` tells how to print (here) and how to
//! read (`parse`).

use super::Time;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// One element of a layout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    LongMonth,
    ShortMonth,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    ShortWeekday,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour24,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    ShortYear,
    Pm,
    LowerPm,
    ZoneName,
    /// `-0700` and its relatives: prints Z for UTC, has a colon, includes minutes, includes seconds.
    Offset {
        z: bool,
        colon: bool,
        minutes: bool,
        seconds: bool,
    },
    /// `.000` (fixed) or `.999` (trailing zeros dropped), with its separator.
    Fraction {
        digits: usize,
        trim: bool,
        separator: char,
    },
}

/// Elements by prefix, longer before shorter.
const PREFIXES: &[(&str, Part<'static>)] = &[
    ("January", Part::LongMonth),
    ("Jan", Part::ShortMonth),
    ("Monday", Part::LongWeekday),
    ("Mon", Part::ShortWeekday),
    ("MST", Part::ZoneName),
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::ShortYear),
    ("15", Part::Hour24),
    ("1", Part::NumMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("__2", Part::SpaceYearDay),
    ("_2006", Part::Text("_")),
    ("_2", Part::SpaceDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::Pm),
    ("pm", Part::LowerPm),
    ("-07:00:00", Part::Offset { z: false, colon: true, minutes: true, seconds: true }),
    ("-07:00", Part::Offset { z: false, colon: true, minutes: true, seconds: false }),
    ("-070000", Part::Offset { z: false, colon: false, minutes: true, seconds: true }),
    ("-0700", Part::Offset { z: false, colon: false, minutes: true, seconds: false }),
    ("-07", Part::Offset { z: false, colon: false, minutes: false, seconds: false }),
    ("Z07:00:00", Part::Offset { z: true, colon: true, minutes: true, seconds: true }),
    ("Z07:00", Part::Offset { z: true, colon: true, minutes: true, seconds: false }),
    ("Z070000", Part::Offset { z: true, colon: false, minutes: true, seconds: true }),
    ("Z0700", Part::Offset { z: true, colon: false, minutes: true, seconds: false }),
    ("Z07", Part::Offset { z: true, colon: false, minutes: false, seconds: false }),
];

pub(super) fn parts(layout: &str) -> Vec<Part<'_>> {
    let (mut out, mut text_from, mut at) = (Vec::new(), 0, 0);
    while at < layout.len() {
        let rest = &layout[at..];
        let hit = fraction(rest).or_else(|| {
            PREFIXES
                .iter()
                .find(|(prefix, part)| {
                    rest.starts_with(prefix)
                        // `Jan` and `Mon` inside longer lower-case words are plain text.
                        && !(matches!(part, Part::ShortMonth | Part::ShortWeekday)
                            && rest[prefix.len()..].starts_with(|c: char| c.is_ascii_lowercase()))
                })
                .map(|(prefix, part)| (prefix.len(), *part))
        });
        // An underscore before a year is text.
        let Some((width, part)) = hit.filter(|(_, part)| !matches!(part, Part::Text(_))) else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if text_from < at {
            out.push(Part::Text(&layout[text_from..at]));
        }
        out.push(part);
        at += width;
        text_from = at;
    }
    if text_from < layout.len() {
        out.push(Part::Text(&layout[text_from..]));
    }
    out
}

/// `.000`, `,999`: a run of equal digits that no other digit follows.
fn fraction(rest: &str) -> Option<(usize, Part<'static>)> {
    let separator = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digit = rest[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let run = rest[1..].chars().take_while(|c| *c == digit).count();
    if rest[1 + run..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((1 + run, Part::Fraction { digits: run, trim: digit == '9', separator }))
}

pub(super) fn format(time: &Time, layout: &str) -> String {
    use std::fmt::Write;
    let (offset, abbreviation) = time.offset();
    let civil = time.civil();
    let mut out = String::with_capacity(layout.len() + 10);
    let hour12 = if civil.hour.is_multiple_of(12) { 12 } else { civil.hour % 12 };
    let month = MONTHS[(civil.month as usize + 11) % 12];
    let weekday = WEEKDAYS[civil.weekday as usize % 7];
    for part in parts(layout) {
        // Writing to a string cannot fail.
        let _ = match part {
            Part::Text(text) => out.write_str(text),
            Part::LongMonth => out.write_str(month),
            Part::ShortMonth => out.write_str(&month[..3]),
            Part::NumMonth => write!(out, "{}", civil.month),
            Part::ZeroMonth => write!(out, "{:02}", civil.month),
            Part::LongWeekday => out.write_str(weekday),
            Part::ShortWeekday => out.write_str(&weekday[..3]),
            Part::Day => write!(out, "{}", civil.day),
            Part::SpaceDay => write!(out, "{:2}", civil.day),
            Part::ZeroDay => write!(out, "{:02}", civil.day),
            Part::SpaceYearDay => write!(out, "{:3}", civil.year_day),
            Part::ZeroYearDay => write!(out, "{:03}", civil.year_day),
            Part::Hour24 => write!(out, "{:02}", civil.hour),
            Part::Hour12 => write!(out, "{hour12}"),
            Part::ZeroHour12 => write!(out, "{hour12:02}"),
            Part::Minute => write!(out, "{}", civil.minute),
            Part::ZeroMinute => write!(out, "{:02}", civil.minute),
            Part::Second => write!(out, "{}", civil.second),
            Part::ZeroSecond => write!(out, "{:02}", civil.second),
            Part::LongYear => write!(out, "{:04}", civil.year),
            Part::ShortYear => write!(out, "{:02}", civil.year.rem_euclid(100)),
            Part::Pm => out.write_str(if civil.hour >= 12 { "PM" } else { "AM" }),
            Part::LowerPm => out.write_str(if civil.hour >= 12 { "pm" } else { "am" }),
            Part::ZoneName if abbreviation.is_empty() => {
                let minutes = offset.abs() / 60;
                let sign = if offset < 0 { '-' } else { '+' };
                write!(out, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
            }
            Part::ZoneName => out.write_str(&abbreviation),
            Part::Offset { z: true, .. } if offset == 0 => out.write_str("Z"),
            Part::Offset { colon, minutes, seconds, .. } => {
                let total = offset.abs();
                let colon = if colon { ":" } else { "" };
                let _ = write!(out, "{}{:02}", if offset < 0 { '-' } else { '+' }, total / 3600);
                if minutes {
                    let _ = write!(out, "{colon}{:02}", total / 60 % 60);
                }
                if seconds {
                    let _ = write!(out, "{colon}{:02}", total % 60);
                }
                Ok(())
            }
            Part::Fraction { digits, trim, separator } => {
                let text = format!("{:09}", time.nanos);
                let text = text.get(..digits.min(9)).unwrap_or(&text);
                let text = if trim { text.trim_end_matches('0') } else { text };
                if text.is_empty() { Ok(()) } else { write!(out, "{separator}{text}") }
            }
        };
    }
    out
}

/// The element as the layout writes it, for error messages.
pub(super) fn name(part: &Part<'_>) -> String {
    match part {
        Part::Text(text) => (*text).to_owned(),
        Part::Fraction { digits, trim, separator } => {
            format!("{separator}{}", if *trim { "9" } else { "0" }.repeat(*digits))
        }
        part => PREFIXES
            .iter()
            .find(|(_, known)| known == part)
            .map_or_else(String::new, |(prefix, _)| (*prefix).to_owned()),
    }
}
