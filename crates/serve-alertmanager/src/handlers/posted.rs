//! Alerts of a request body, read straight into label sets.
//!
//! Senders repeat all their alerts every minute or so, which makes this the path that decides how many
//! alerts a server can hold. A body this reader does not understand is read again, slowly, by one that knows
//! the original's words for what is wrong with it.

use std::borrow::Cow;
use std::fmt;

use alerting::{Alert, Annotations};
use model::Labels;
use model::civil::{Civil, days_from_civil};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

#[derive(Deserialize)]
struct Posted<'a> {
    #[serde(borrow)]
    labels: Pairs<'a>,
    #[serde(borrow, default)]
    annotations: Pairs<'a>,
    #[serde(borrow, default, rename = "startsAt")]
    starts_at: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "endsAt")]
    ends_at: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "generatorURL")]
    generator_url: Option<Cow<'a, str>>,
}

/// Names and values in order of appearance.
#[derive(Default)]
struct Pairs<'a>(Vec<(Text<'a>, Text<'a>)>);

/// Borrowed from the body unless it has escapes.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Every alert of the body with whether it says when it ends; `None` when any of it is not as it should be.
pub fn read(body: &[u8], now: i64) -> Option<Vec<(Alert, bool)>> {
    let posted: Vec<Posted<'_>> = serde_json::from_slice(body).ok()?;
    posted.into_iter().map(|posted| alert(posted, now)).collect()
}

fn alert(posted: Posted<'_>, now: i64) -> Option<(Alert, bool)> {
    let starts = optional_time(posted.starts_at.as_deref())?;
    let ends = optional_time(posted.ends_at.as_deref())?;
    let labels = posted.labels.sorted();
    let annotations = posted.annotations.0.into_iter().map(|(name, value)| (name.0, value.0));
    let alert = Alert {
        labels: Labels::from_sorted(labels.iter().map(|(name, value)| (&*name.0, &*value.0))),
        annotations: annotations.collect::<Annotations>(),
        starts_at: starts.or(ends).unwrap_or(now),
        ends_at: ends.unwrap_or(0),
        updated_at: now,
        generator_url: posted.generator_url.unwrap_or_default().into_owned(),
        timeout: false,
        inherited: false,
    };
    Some((alert, ends.is_some()))
}

impl<'a> Pairs<'a> {
    /// By name; the last of a repeated name stays.
    fn sorted(mut self) -> Vec<(Text<'a>, Text<'a>)> {
        self.0.reverse();
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        self.0.dedup_by(|later, first| later.0 == first.0);
        self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Pairs<'a>, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// The outer `None` is a time this reader does not know; the zero time counts as absent.
fn optional_time(text: Option<&str>) -> Option<Option<i64>> {
    match text {
        None | Some("") => Some(None),
        Some(text) if text.starts_with("0001-01-01T00:00:00") => Some(None),
        Some(text) => rfc3339(text).map(Some),
    }
}

/// `2006-01-02T15:04:05.999999999Z` or with an offset, in nanoseconds.
fn rfc3339(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
    };
    let sign = |at: usize| text.as_bytes().get(at).copied();
    if [sign(4), sign(7), sign(10), sign(13), sign(16)].map(Option::unwrap_or_default) != *b"--T::" {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    if !(1..=12).contains(&month) || day == 0 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let first = days_from_civil(year, month, 1);
    if day > Civil::of_unix(first * 86_400).days_in_month() {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 9 {
            return None;
        }
        let (digits_text, after) = fraction.split_at(digits);
        nanos = digits_text.parse::<i64>().ok()? * 10i64.pow(9 - u32::try_from(digits).ok()?);
        rest = after;
    }
    let offset = match rest.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let two = |range: std::ops::Range<usize>| -> Option<i64> {
                let part = rest.get(range)?;
                part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
            };
            let (hours, minutes) = (two(1..3)?, two(4..6)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let days = first + i64::from(day) - 1;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_or_left_to_the_slow_reader() {
        let cases = [
            ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
            ("2024-02-29T12:30:45.123456789Z", Some(1_709_209_845_123_456_789)),
            ("2024-02-29T12:30:45.5+01:30", Some(1_709_204_445_500_000_000)),
            ("2024-02-29T12:30:45-00:30", Some(1_709_211_645_000_000_000)),
            ("2023-02-29T12:30:45Z", None),
            ("2024-13-01T12:30:45Z", None),
            ("2024-02-29 12:30:45Z", None),
            ("2024-02-29T12:30:45", None),
            ("2024-02-29T12:30:45.Z", None),
            ("2024-02-29T12:30:45.1234567890Z", None),
            ("2024-02-29T24:00:00Z", None),
            ("9999-12-31T23:59:59Z", None),
            ("ü", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(rfc3339(text), expected, "{text}");
        }
    }

    #[test]
    fn bodies_are_read_or_left_to_the_slow_reader() {
        let body = br#"[{"labels":{"b":"2","a":"x\n","e":"","b":"3"},"annotations":{"s":"","t":"u"},
            "endsAt":"0001-01-01T00:00:00.000Z","unknown":[1,{}]}]"#;
        let alerts = read(body, 7).unwrap();
        let (alert, has_end) = &alerts[0];
        assert_eq!(alert.labels, Labels::from_pairs([("a", "x\n"), ("b", "3")]));
        assert_eq!(alert.annotations, Annotations::from([("s", ""), ("t", "u")]));
        assert_eq!((alert.starts_at, *has_end), (7, false));
        for bad in [
            "{}",
            "[{}]",
            "[{\"labels\":{\"a\":1}}]",
            "[",
            "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"now\"}]",
        ] {
            assert!(read(bad.as_bytes(), 7).is_none(), "{bad}");
        }
    }
}
