//! Go's reference-time layouts: `Mon Jan 2 15:04:05 MST 2006` tells how to print and how to read.

use std::sync::Arc;

use model::civil::days_from_civil;

use super::{Time, Zone};

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
enum Part<'a> {
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

fn parts(layout: &str) -> Vec<Part<'_>> {
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
                .map(|(prefix, part)| match part {
                    // An underscore before the year is text of its own.
                    Part::Text(_) => (1, *part),
                    part => (prefix.len(), *part),
                })
        });
        let Some((width, part)) = hit else {
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
                write!(out, "{sign}{:02}", minutes / 60).and_then(|()| match minutes % 60 {
                    0 => Ok(()),
                    rest => write!(out, "{rest:02}"),
                })
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

/// What has been read so far.
struct Fields {
    year: i64,
    month: u32,
    day: u32,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    pm: Option<bool>,
    offset: Option<i32>,
    zone_name: String,
}

/// Go's `time.ParseInLocation`: `zone` holds for texts that name none.
pub fn parse(layout: &str, text: &str, zone: &Zone) -> Result<Time, String> {
    let fail = |rest: &str, element: &str, detail: &str| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}{detail}",
            crate::quote(text),
            crate::quote(layout),
            crate::quote(rest),
            crate::quote(element)
        )
    };
    let mut fields = Fields {
        year: 0,
        month: 1,
        day: 1,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        pm: None,
        offset: None,
        zone_name: String::new(),
    };
    let mut rest = text;
    let elements = parts(layout);
    for (i, part) in elements.iter().enumerate() {
        let fraction_follows = matches!(elements.get(i + 1), Some(Part::Fraction { .. }));
        rest = read(part, rest, &mut fields, fraction_follows).ok_or_else(|| fail(rest, &name(part), ""))?;
    }
    if !rest.is_empty() {
        return Err(format!("parsing time {}: extra text: {}", crate::quote(text), crate::quote(rest)));
    }
    let range = |what: &str| format!("parsing time {}: {what} out of range", crate::quote(text));
    if let Some(pm) = fields.pm {
        fields.hour = fields.hour % 12 + if pm { 12 } else { 0 };
    }
    if !(1..=12).contains(&fields.month) {
        return Err(range("month"));
    }
    let month_days = days_from_civil(
        if fields.month == 12 { fields.year + 1 } else { fields.year },
        fields.month % 12 + 1,
        1,
    ) - days_from_civil(fields.year, fields.month, 1);
    if fields.day < 1 || i64::from(fields.day) > month_days {
        return Err(range("day"));
    }
    for (value, limit, what) in
        [(fields.hour, 24, "hour"), (fields.minute, 60, "minute"), (fields.second, 60, "second")]
    {
        if value >= limit {
            return Err(range(what));
        }
    }
    let days = match fields.year_day {
        Some(day) => days_from_civil(fields.year, 1, 1) + i64::from(day) - 1,
        None => days_from_civil(fields.year, fields.month, fields.day),
    };
    let local = days * 86_400
        + i64::from(fields.hour) * 3600
        + i64::from(fields.minute) * 60
        + i64::from(fields.second);
    let (unix, zone) = match fields.offset {
        Some(0) => (local, Zone::Utc),
        Some(offset) => {
            (local - i64::from(offset), Zone::Fixed(offset, Arc::from(fields.zone_name.as_str())))
        }
        None if fields.zone_name == "UTC" => (local, Zone::Utc),
        None if !fields.zone_name.is_empty() => (local, Zone::Fixed(0, Arc::from(fields.zone_name.as_str()))),
        None => {
            let guess = Time { unix: local, nanos: 0, zone: zone.clone() };
            let first = i64::from(guess.offset().0);
            let again = Time { unix: local - first, ..guess };
            (local - i64::from(again.offset().0), zone.clone())
        }
    };
    Ok(Time { unix, nanos: fields.nanos, zone })
}

/// Reads one element; returns what is left, or `None` when the text does not fit.
fn read<'t>(part: &Part<'_>, text: &'t str, fields: &mut Fields, fraction_follows: bool) -> Option<&'t str> {
    let fixed = |n: usize| -> Option<(u32, &'t str)> {
        let digits = text.get(..n).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        Some((digits.parse().ok()?, &text[n..]))
    };
    let loose = || fixed(2).or_else(|| fixed(1));
    let word = |table: &'static [&'static str], short: bool| -> Option<(usize, &'t str)> {
        table.iter().enumerate().find_map(|(i, name)| {
            let name = if short { name.get(..3)? } else { name };
            let head = text.get(..name.len())?;
            head.eq_ignore_ascii_case(name).then(|| (i, &text[name.len()..]))
        })
    };
    let mut set = |slot: fn(&mut Fields) -> &mut u32, hit: Option<(u32, &'t str)>| -> Option<&'t str> {
        let (value, rest) = hit?;
        *slot(fields) = value;
        Some(rest)
    };
    match part {
        Part::Text(expected) => text.strip_prefix(expected),
        Part::LongMonth => set(|f| &mut f.month, word(&MONTHS, false).map(|(i, rest)| (i as u32 + 1, rest))),
        Part::ShortMonth => set(|f| &mut f.month, word(&MONTHS, true).map(|(i, rest)| (i as u32 + 1, rest))),
        Part::NumMonth => set(|f| &mut f.month, loose()),
        Part::ZeroMonth => set(|f| &mut f.month, fixed(2)),
        Part::LongWeekday => word(&WEEKDAYS, false).map(|(_, rest)| rest),
        Part::ShortWeekday => word(&WEEKDAYS, true).map(|(_, rest)| rest),
        Part::SpaceDay => match text.strip_prefix(' ') {
            Some(rest) => read(&Part::Day, rest, fields, fraction_follows),
            None => set(|f| &mut f.day, loose()),
        },
        Part::Day => set(|f| &mut f.day, loose()),
        Part::ZeroDay => set(|f| &mut f.day, fixed(2)),
        Part::SpaceYearDay | Part::ZeroYearDay => {
            let trimmed = text.trim_start_matches(' ');
            let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count().min(3);
            fields.year_day = Some(trimmed.get(..digits)?.parse().ok()?);
            trimmed.get(digits..)
        }
        Part::Hour24 => set(|f| &mut f.hour, loose()),
        Part::Hour12 => set(|f| &mut f.hour, loose()),
        Part::ZeroHour12 => set(|f| &mut f.hour, fixed(2)),
        Part::Minute => set(|f| &mut f.minute, loose()),
        Part::ZeroMinute => set(|f| &mut f.minute, fixed(2)),
        Part::Second | Part::ZeroSecond => {
            let hit = if *part == Part::Second { loose() } else { fixed(2) };
            let rest = set(|f| &mut f.second, hit)?;
            // A fraction after the seconds is accepted even when the layout has none.
            let is_fraction =
                rest.starts_with(['.', ',']) && rest[1..].starts_with(|c: char| c.is_ascii_digit());
            if is_fraction && !fraction_follows { read_fraction(rest, fields) } else { Some(rest) }
        }
        Part::LongYear => {
            let (year, rest) = fixed(4)?;
            fields.year = i64::from(year);
            Some(rest)
        }
        Part::ShortYear => {
            let (year, rest) = fixed(2)?;
            fields.year = i64::from(year) + if year >= 69 { 1900 } else { 2000 };
            Some(rest)
        }
        Part::Pm | Part::LowerPm => {
            let (am, pm) = if *part == Part::Pm { ("AM", "PM") } else { ("am", "pm") };
            fields.pm = Some(match text.get(..2)? {
                half if half == am => false,
                half if half == pm => true,
                _ => return None,
            });
            text.get(2..)
        }
        Part::ZoneName => {
            let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
            if !(3..=5).contains(&letters) {
                return None;
            }
            fields.zone_name = text[..letters].to_owned();
            Some(&text[letters..])
        }
        Part::Offset { z: true, .. } if text.starts_with('Z') => {
            fields.offset = Some(0);
            Some(&text[1..])
        }
        Part::Offset { colon, minutes, seconds, .. } => {
            let sign = match text.chars().next()? {
                '+' => 1,
                '-' => -1,
                _ => return None,
            };
            let mut rest = &text[1..];
            let mut total = 0;
            for (wanted, unit) in [(true, 3600), (*minutes, 60), (*seconds, 1)] {
                if !wanted {
                    continue;
                }
                if *colon && unit != 3600 {
                    rest = rest.strip_prefix(':')?;
                }
                let digits = rest.get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
                total += digits.parse::<i32>().ok()? * unit;
                rest = &rest[2..];
            }
            fields.offset = Some(sign * total);
            Some(rest)
        }
        Part::Fraction { trim: true, .. } if !text.starts_with(['.', ',']) => Some(text),
        Part::Fraction { digits, trim, .. } => {
            let rest = read_fraction(text, fields)?;
            (*trim || text.len() - rest.len() == digits + 1).then_some(rest)
        }
    }
}

fn read_fraction<'t>(text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    let digits = text.get(1..)?.bytes().take_while(u8::is_ascii_digit).count();
    let number = text.get(1..1 + digits).filter(|d| !d.is_empty())?;
    let nine: String = number.chars().chain(std::iter::repeat('0')).take(9).collect();
    fields.nanos = nine.parse().ok()?;
    text.get(1 + digits..)
}

/// The element as the layout writes it, for error messages.
fn name(part: &Part<'_>) -> String {
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
