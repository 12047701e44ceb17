//! Reading times with Go's layouts.

use std::sync::Arc;

use model::civil::days_from_civil;

use super::layout::{MONTHS, Part, WEEKDAYS, name, parts};
use super::{Time, Zone};

/// What has been read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    pm: Option<bool>,
    is_utc: bool,
    offset: Option<i32>,
    zone_name: String,
}

/// Why an element could not be read.
enum Bad {
    /// The text is not of its form.
    Form,
    /// Its value cannot be; what is left after it.
    Range(&'static str),
}

type Read<'t> = Result<&'t str, Bad>;

/// How `time` quotes in its errors: bytes outside ASCII in hexadecimal.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'\x7f' => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out + "\""
}

/// Go's `time.ParseInLocation`: `zone` holds for texts that name none.
pub fn parse(layout: &str, text: &str, zone: &Zone) -> Result<Time, String> {
    let said = |detail: &str| format!("parsing time {}: {detail}", quote(text));
    let fail = |rest: &str, element: &str| {
        let (layout, rest, element) = (quote(layout), quote(rest), quote(element));
        format!("parsing time {} as {layout}: cannot parse {rest} as {element}", quote(text))
    };
    let (mut fields, mut rest) = (Fields::default(), text);
    let elements = parts(layout);
    for (i, part) in elements.iter().enumerate() {
        if let Part::Text(expected) = part {
            rest = skip(rest, expected).map_err(|rest| fail(rest, expected))?;
            continue;
        }
        let next = elements.iter().skip(i + 1).find(|part| !matches!(part, Part::Text(_)));
        let fraction_follows = matches!(next, Some(Part::Fraction { .. }));
        rest = match read(part, rest, &mut fields, fraction_follows) {
            Ok(rest) => rest,
            Err(Bad::Form) => return Err(fail(rest, &name(part))),
            Err(Bad::Range(what)) => return Err(said(&format!("{what} out of range"))),
        };
    }
    if !rest.is_empty() {
        return Err(said(&format!("extra text: {}", quote(rest))));
    }
    match fields.pm {
        Some(true) if fields.hour < 12 => fields.hour += 12,
        Some(false) if fields.hour == 12 => fields.hour = 0,
        _ => {}
    }
    let days = date(&fields).map_err(said)?;
    let local = days * 86_400
        + i64::from(fields.hour) * 3600
        + i64::from(fields.minute) * 60
        + i64::from(fields.second);
    let (unix, zone) = place(&fields, local, zone);
    Ok(Time { unix, nanos: fields.nanos, zone })
}

/// Literal text; any number of blanks matches any other. On failure, where it stopped.
fn skip<'t>(text: &'t str, expected: &str) -> Result<&'t str, &'t str> {
    let (mut rest, mut expected) = (text, expected);
    while let Some(c) = expected.chars().next() {
        if c == ' ' {
            if !rest.is_empty() && !rest.starts_with(' ') {
                return Err(rest);
            }
            expected = expected.trim_start_matches(' ');
            rest = rest.trim_start_matches(' ');
            continue;
        }
        rest = rest.strip_prefix(c).ok_or(rest)?;
        expected = &expected[c.len_utf8()..];
    }
    Ok(rest)
}

/// The day since 1970, from month and day or from the day of the year.
fn date(fields: &Fields) -> Result<i64, &'static str> {
    let year = fields.year;
    let first_of = |month: u32| match month {
        13.. => days_from_civil(year + 1, 1, 1),
        month => days_from_civil(year, month, 1),
    };
    let (mut month, mut day) = (fields.month.unwrap_or(1), fields.day.unwrap_or(1));
    if let Some(year_day) = fields.year_day {
        let wanted = first_of(1) + i64::from(year_day) - 1;
        if year_day < 1 || wanted >= first_of(13) {
            return Err("day-of-year out of range");
        }
        let of_year = (1..=12).rev().find(|month| first_of(*month) <= wanted).unwrap_or(1);
        if fields.month.is_some_and(|month| month != of_year) {
            return Err("day-of-year does not match month");
        }
        let of_month = u32::try_from(wanted - first_of(of_year) + 1).unwrap_or(1);
        if fields.day.is_some_and(|day| day != of_month) {
            return Err("day-of-year does not match day");
        }
        (month, day) = (of_year, of_month);
    }
    if day < 1 || i64::from(day) > first_of(month + 1) - first_of(month) {
        return Err("day out of range");
    }
    Ok(first_of(month) + i64::from(day) - 1)
}

/// The instant and its zone, for a local time in seconds.
fn place(fields: &Fields, local: i64, zone: &Zone) -> (i64, Zone) {
    if fields.is_utc {
        return (local, Zone::Utc);
    }
    let at = |unix: i64| Time { unix, nanos: 0, zone: zone.clone() }.offset();
    let named = &fields.zone_name;
    if let Some(offset) = fields.offset {
        let unix = local - i64::from(offset);
        let (known, abbreviation) = at(unix);
        let same = known == offset && (named.is_empty() || *named == abbreviation);
        let fixed = || Zone::Fixed(offset, Arc::from(named.as_str()));
        return (unix, if same { zone.clone() } else { fixed() });
    }
    // The offset before a change of the clock decides whether the one after it holds.
    let first = at(local - i64::from(at(local).0));
    if named.is_empty() || first.1 == *named {
        return (local - i64::from(first.0), zone.clone());
    }
    let hours = named.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok()).unwrap_or(0);
    (local, Zone::Fixed(hours * 3600, Arc::from(named.as_str())))
}

fn digit(text: &str, index: usize) -> Option<u32> {
    text.as_bytes().get(index).filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0'))
}

/// One or two digits; `fixed`: two.
fn number(text: &str, fixed: bool) -> Result<(u32, &str), Bad> {
    match (digit(text, 0), digit(text, 1)) {
        (Some(tens), Some(ones)) => Ok((tens * 10 + ones, &text[2..])),
        (Some(ones), None) if !fixed => Ok((ones, &text[1..])),
        _ => Err(Bad::Form),
    }
}

/// A name of a table in any case; `short`: its first three letters.
fn word<'t>(table: &[&str], short: bool, text: &'t str) -> Result<(u32, &'t str), Bad> {
    let found = table.iter().zip(0..).find_map(|(name, i)| {
        let name = if short { name.get(..3)? } else { name };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (i, &text[name.len()..]))
    });
    found.ok_or(Bad::Form)
}

fn limited<'t>((value, rest): (u32, &'t str), below: u32, what: &'static str) -> Result<(u32, &'t str), Bad> {
    if value < below { Ok((value, rest)) } else { Err(Bad::Range(what)) }
}

/// Reads one element.
fn read<'t>(part: &Part<'_>, text: &'t str, fields: &mut Fields, fraction_follows: bool) -> Read<'t> {
    let mut rest;
    match part {
        Part::Text(_) => rest = text,
        Part::LongMonth | Part::ShortMonth => {
            let (month, after) = word(&MONTHS, *part == Part::ShortMonth, text)?;
            (fields.month, rest) = (Some(month + 1), after);
        }
        Part::NumMonth | Part::ZeroMonth => {
            let (month, after) = number(text, *part == Part::ZeroMonth)?;
            if !(1..=12).contains(&month) {
                return Err(Bad::Range("month"));
            }
            (fields.month, rest) = (Some(month), after);
        }
        Part::LongWeekday | Part::ShortWeekday => {
            (_, rest) = word(&WEEKDAYS, *part == Part::ShortWeekday, text)?;
        }
        Part::Day | Part::SpaceDay | Part::ZeroDay => {
            let blank = *part == Part::SpaceDay && text.starts_with(' ');
            let (day, after) = number(&text[usize::from(blank)..], *part == Part::ZeroDay)?;
            (fields.day, rest) = (Some(day), after);
        }
        Part::SpaceYearDay | Part::ZeroYearDay => {
            let fixed = *part == Part::ZeroYearDay;
            let blanks = if fixed { 0 } else { text.bytes().take(2).take_while(|b| *b == b' ').count() };
            let text = &text[blanks..];
            let digits = text.bytes().take(3).take_while(u8::is_ascii_digit).count();
            if digits == 0 || (fixed && digits != 3) {
                return Err(Bad::Form);
            }
            fields.year_day = text[..digits].parse().ok();
            rest = &text[digits..];
        }
        Part::Hour24 => (fields.hour, rest) = limited(number(text, false)?, 24, "hour")?,
        Part::Hour12 | Part::ZeroHour12 => {
            (fields.hour, rest) = limited(number(text, *part == Part::ZeroHour12)?, 13, "hour")?;
        }
        Part::Minute | Part::ZeroMinute => {
            (fields.minute, rest) = limited(number(text, *part == Part::ZeroMinute)?, 60, "minute")?;
        }
        Part::Second | Part::ZeroSecond => {
            (fields.second, rest) = limited(number(text, *part == Part::ZeroSecond)?, 60, "second")?;
            // A fraction after the seconds is accepted even when the layout has none.
            if rest.starts_with(['.', ',']) && digit(rest, 1).is_some() && !fraction_follows {
                rest = fraction(rest, usize::MAX, fields)?;
            }
        }
        Part::LongYear => {
            let year = text.get(..4).filter(|year| year.bytes().all(|b| b.is_ascii_digit()));
            fields.year = year.and_then(|year| year.parse().ok()).ok_or(Bad::Form)?;
            rest = &text[4..];
        }
        Part::ShortYear => {
            let year: i64 = text.get(..2).and_then(|year| year.parse().ok()).ok_or(Bad::Form)?;
            fields.year = year + if year >= 69 { 1900 } else { 2000 };
            rest = &text[2..];
        }
        Part::Pm | Part::LowerPm => {
            let halves = if *part == Part::Pm { ["AM", "PM"] } else { ["am", "pm"] };
            let half = text.get(..2).and_then(|half| halves.iter().position(|known| *known == half));
            fields.pm = Some(half.ok_or(Bad::Form)? == 1);
            rest = &text[2..];
        }
        Part::ZoneName => match text.strip_prefix("UTC") {
            Some(after) => (fields.is_utc, rest) = (true, after),
            None => {
                let (zone, after) = text.split_at(zone_name(text).ok_or(Bad::Form)?);
                (fields.zone_name, rest) = (zone.to_owned(), after);
            }
        },
        Part::Offset { z: true, .. } if text.starts_with('Z') => {
            (fields.is_utc, rest) = (true, &text[1..]);
        }
        Part::Offset { colon, minutes, seconds, .. } => {
            rest = offset(text, *colon, *minutes, *seconds, fields)?;
        }
        Part::Fraction { trim: true, .. } => {
            let present = text.starts_with(['.', ',']) && digit(text, 1).is_some();
            rest = if present { fraction(text, usize::MAX, fields)? } else { text };
        }
        Part::Fraction { digits, .. } => rest = fraction(text, *digits, fields)?,
    }
    Ok(rest)
}

/// `-07:00` and its relatives.
fn offset<'t>(text: &'t str, colon: bool, minutes: bool, seconds: bool, fields: &mut Fields) -> Read<'t> {
    const UNITS: [(i32, u32, &str); 3] = [
        (3600, 24, "time zone offset hour"),
        (60, 60, "time zone offset minute"),
        (1, 60, "time zone offset second"),
    ];
    let wanted = 1 + usize::from(minutes) + usize::from(seconds);
    let step = if colon { 3 } else { 2 };
    let width = 3 + (wanted - 1) * step;
    let (shape, rest) = text.split_at_checked(width).ok_or(Bad::Form)?;
    let (mut total, mut excess, mut form) = (0, None, Ok(()));
    for (i, (unit, most, what)) in UNITS.into_iter().enumerate().take(wanted) {
        if i > 0 && colon && shape.as_bytes().get(i * step) != Some(&b':') {
            return Err(Bad::Form);
        }
        let at = 1 + i * step;
        // After a number that is none, the following ones do not count.
        match shape.get(at..at + 2).ok_or(Bad::Form).and_then(|digits| number(digits, true)) {
            Ok((value, _)) if form.is_ok() => {
                total += i32::try_from(value).unwrap_or(0) * unit;
                excess = if value > most { Some(what) } else { excess };
            }
            Ok(_) => {}
            Err(bad) => form = Err(bad),
        }
    }
    if let Some(what) = excess {
        return Err(Bad::Range(what));
    }
    form?;
    fields.offset = Some(match shape.as_bytes().first() {
        Some(b'+') => total,
        Some(b'-') => -total,
        _ => return Err(Bad::Form),
    });
    Ok(rest)
}

/// A point or comma and up to `most` digits, or exactly that many when there is a number.
fn fraction<'t>(text: &'t str, most: usize, fields: &mut Fields) -> Read<'t> {
    let exact = most != usize::MAX;
    if !text.starts_with(['.', ',']) {
        return Err(Bad::Form);
    }
    let found = text.bytes().skip(1).take(most).take_while(u8::is_ascii_digit).count();
    if found == 0 || (exact && found != most) {
        return Err(Bad::Form);
    }
    // What is finer than a nanosecond is dropped.
    let nine: String = text[1..=found].chars().chain(std::iter::repeat('0')).take(9).collect();
    fields.nanos = nine.parse().unwrap_or(0);
    Ok(&text[found + 1..])
}

/// The length of a zone's abbreviation: three or four capital letters, `GMT+3`, `-03`.
fn zone_name(text: &str) -> Option<usize> {
    let signed = |text: &str| {
        let digits = text.get(1..).unwrap_or_default().bytes().take_while(u8::is_ascii_digit).count();
        let hours = text.get(1..1 + digits).and_then(|hours| hours.parse::<u32>().ok());
        let is_signed = text.starts_with(['+', '-']) && hours.is_some_and(|hours| hours <= 23);
        is_signed.then_some(1 + digits)
    };
    if text.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed(rest).unwrap_or(0));
    }
    if text.starts_with(['+', '-']) {
        return signed(text);
    }
    let letters = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    let known = match letters {
        3 => true,
        4 => text.as_bytes().get(3) == Some(&b'T') || text.starts_with("WITA"),
        5 => text.as_bytes().get(4) == Some(&b'T'),
        _ => false,
    };
    known.then_some(letters)
}
