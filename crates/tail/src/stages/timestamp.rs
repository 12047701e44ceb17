//! The stage that takes an entry's time from its text.

use std::time::{SystemTime, UNIX_EPOCH};

use model::TimestampNs;
use model::civil::days_from_civil;
use template::time::{Time, Zone, parse};

use super::{Context, Transform};
use crate::config::{ActionOnFailure, TimestampConfig};
use crate::entry::Entry;

pub(crate) fn now_ns() -> TimestampNs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// Go's names for layouts.
const NAMED_LAYOUTS: &[(&str, &str)] = &[
    ("ANSIC", "Mon Jan _2 15:04:05 2006"),
    ("UnixDate", "Mon Jan _2 15:04:05 MST 2006"),
    ("RubyDate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("RFC822", "02 Jan 06 15:04 MST"),
    ("RFC822Z", "02 Jan 06 15:04 -0700"),
    ("RFC850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("RFC3339", "2006-01-02T15:04:05Z07:00"),
    ("RFC3339Nano", RFC3339_NANO),
];

pub(super) fn parse_rfc3339(text: &str) -> Option<TimestampNs> {
    parse(RFC3339_NANO, text, &Zone::Utc).ok().map(|time| time.unix_ns())
}

enum Format {
    /// A number of units since the epoch; nanoseconds in a unit.
    Unix(i64),
    Layout(String),
}

impl Format {
    fn new(text: &str) -> Format {
        match text {
            "Unix" => Format::Unix(1_000_000_000),
            "UnixMs" => Format::Unix(1_000_000),
            "UnixUs" => Format::Unix(1_000),
            "UnixNs" => Format::Unix(1),
            text => {
                let named = NAMED_LAYOUTS.iter().find(|(name, _)| *name == text);
                Format::Layout(named.map_or(text, |(_, layout)| layout).to_string())
            }
        }
    }

    fn read(&self, text: &str, zone: &Zone, now: TimestampNs) -> Option<TimestampNs> {
        match self {
            // Seconds may have a fraction.
            Format::Unix(1_000_000_000) if text.contains('.') => {
                let (whole, fraction) = text.split_once('.')?;
                let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
                let nanos: i64 = digits.parse().ok()?;
                whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
            }
            Format::Unix(unit) => text.parse::<i64>().ok()?.checked_mul(*unit),
            Format::Layout(layout) => {
                let time = parse(layout, text, zone).ok()?;
                let civil = time.civil();
                // A layout without a year means the year that makes it nearest to now.
                Some(if civil.year == 0 { in_this_year(&time, now) } else { time }.unix_ns())
            }
        }
    }
}

fn in_this_year(time: &Time, now: TimestampNs) -> Time {
    let (then, today) = (time.civil(), Time::from_ns(now).civil());
    let year = match (then.month, today.month) {
        (12, 1) => today.year - 1,
        (1, 12) => today.year + 1,
        _ => today.year,
    };
    let days = days_from_civil(year, then.month, then.day) - days_from_civil(0, then.month, then.day);
    Time { unix: time.unix + days * 86_400, ..time.clone() }
}

pub(super) struct TimestampStage {
    source: String,
    formats: Vec<Format>,
    zone: Zone,
    on_failure: ActionOnFailure,
    /// The last time that was read, by labels: what fudging goes on from.
    last: std::collections::HashMap<Vec<(String, String)>, TimestampNs>,
}

/// Streams whose last time is remembered for fudging.
const FUDGED_STREAMS_MAX: usize = 1000;

impl TimestampStage {
    pub fn new(config: &TimestampConfig) -> Result<TimestampStage, String> {
        if config.source.is_empty() {
            return Err("timestamp source value is required if timestamp is specified".into());
        }
        if config.format.is_empty() {
            return Err("timestamp format is required".into());
        }
        let zone = match config.location.as_deref() {
            None | Some("") => Zone::Utc,
            Some(name) => Time::from_ns(0).in_zone(name)?.zone,
        };
        let formats = std::iter::once(&config.format).chain(&config.fallback_formats);
        Ok(TimestampStage {
            source: config.source.clone(),
            formats: formats.map(|format| Format::new(format)).collect(),
            zone,
            on_failure: config.action_on_failure,
            last: std::collections::HashMap::new(),
        })
    }
}

impl Transform for TimestampStage {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let now = now_ns();
        let text = entry.extracted.get(&self.source);
        let read = text.and_then(|text| self.formats.iter().find_map(|f| f.read(text, &self.zone, now)));
        if self.on_failure == ActionOnFailure::Skip {
            entry.ts = read.unwrap_or(entry.ts);
            return true;
        }
        let key: Vec<(String, String)> = entry.labels.clone().into_iter().collect();
        let fudged = read.or_else(|| self.last.get(&key).map(|last| last.saturating_add(1)));
        if let Some(ts) = fudged {
            entry.ts = ts;
            if self.last.len() >= FUDGED_STREAMS_MAX {
                self.last.clear();
            }
            self.last.insert(key, ts);
        }
        true
    }
}
