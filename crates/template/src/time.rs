//! Go's `time.Time` and `time.Duration`, as far as templates show them.

use std::fmt;
use std::sync::Arc;

use model::civil::{Civil, days_from_civil};

use crate::functions::Kind;
use crate::value::{Object, Signature, Value};

mod layout;
mod parse;
pub use parse::parse;

/// Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub i64);

/// A point in time and the zone it is shown in.
#[derive(Debug, Clone)]
pub struct Time {
    pub unix: i64,
    pub nanos: u32,
    pub zone: Zone,
}

/// A time zone.
#[derive(Debug, Clone)]
pub enum Zone {
    Utc,
    /// Seconds east of Greenwich, and the abbreviation (empty: the offset is printed).
    Fixed(i32, Arc<str>),
    Named(jiff::tz::TimeZone),
}

impl PartialEq for Time {
    fn eq(&self, other: &Time) -> bool {
        (self.unix, self.nanos) == (other.unix, other.nanos)
    }
}

/// The Unix time of Go's zero `Time`, 1 January of year 1.
const ZERO_UNIX: i64 = -62_135_596_800;

impl Time {
    pub fn from_ms(ms: i64) -> Time {
        Time { unix: ms.div_euclid(1000), nanos: (ms.rem_euclid(1000) * 1_000_000) as u32, zone: Zone::Utc }
    }

    pub fn from_ns(ns: i64) -> Time {
        Time {
            unix: ns.div_euclid(1_000_000_000),
            nanos: ns.rem_euclid(1_000_000_000) as u32,
            zone: Zone::Utc,
        }
    }

    /// The zero time, which means "not set".
    pub fn zero() -> Time {
        Time { unix: ZERO_UNIX, nanos: 0, zone: Zone::Utc }
    }

    pub fn is_zero(&self) -> bool {
        self.unix == ZERO_UNIX && self.nanos == 0
    }

    /// Nanoseconds since the epoch, clamped to what 64 bits hold.
    pub fn unix_ns(&self) -> i64 {
        self.unix.saturating_mul(1_000_000_000).saturating_add(i64::from(self.nanos))
    }

    /// The same instant shown in the IANA zone `name` (or `UTC`, `Local`).
    pub fn in_zone(&self, name: &str) -> Result<Time, String> {
        let zone = match name {
            "" | "UTC" => Zone::Utc,
            "Local" => Zone::Named(jiff::tz::TimeZone::system()),
            name if name.contains("..") || name.starts_with('/') || name.contains('\\') => {
                return Err("time: invalid location name".into());
            }
            name => {
                // Go takes names literally; the database here would take any case.
                let found = jiff::tz::TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name));
                Zone::Named(found.ok_or_else(|| format!("unknown time zone {name}"))?)
            }
        };
        Ok(Time { zone, ..self.clone() })
    }

    /// Seconds east of Greenwich and the zone's abbreviation at this time.
    pub fn offset(&self) -> (i32, String) {
        match &self.zone {
            Zone::Utc => (0, "UTC".into()),
            Zone::Fixed(offset, name) => (*offset, name.to_string()),
            Zone::Named(zone) => {
                let Ok(timestamp) = jiff::Timestamp::from_second(self.unix) else {
                    return (0, "UTC".into());
                };
                let info = zone.to_offset_info(timestamp);
                (info.offset().seconds(), info.abbreviation().to_owned())
            }
        }
    }

    pub fn civil(&self) -> Civil {
        Civil::of_unix(self.unix.saturating_add(i64::from(self.offset().0)))
    }

    /// Go's `Format`.
    pub fn format(&self, pattern: &str) -> String {
        layout::format(self, pattern)
    }

    pub fn add(&self, d: Duration) -> Time {
        let nanos = i64::from(self.nanos) + d.0.rem_euclid(1_000_000_000);
        Time {
            unix: self
                .unix
                .saturating_add(d.0.div_euclid(1_000_000_000))
                .saturating_add(nanos.div_euclid(1_000_000_000)),
            nanos: nanos.rem_euclid(1_000_000_000) as u32,
            zone: self.zone.clone(),
        }
    }

    /// How far this time lies above a multiple of `ns` since the zero time.
    fn above_multiple(&self, ns: i64) -> i64 {
        if ns <= 0 {
            return 0;
        }
        let since_zero =
            (i128::from(self.unix) - i128::from(ZERO_UNIX)) * 1_000_000_000 + i128::from(self.nanos);
        since_zero.rem_euclid(i128::from(ns)) as i64
    }

    /// The same time of day that many years, months and days later; days that do not exist run over.
    fn add_date(&self, years: i64, months: i64, days: i64) -> Time {
        let civil = self.civil();
        let (year, month) = (civil.year.saturating_add(years), i64::from(civil.month) - 1);
        let month = month.saturating_add(months);
        let year = year.saturating_add(month.div_euclid(12)).clamp(-200_000_000, 200_000_000);
        let first = days_from_civil(year, month.rem_euclid(12) as u32 + 1, 1);
        let day = first.saturating_add(i64::from(civil.day) - 1).saturating_add(days);
        let seconds = i64::from(civil.hour) * 3600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
        let local = day.saturating_mul(86_400).saturating_add(seconds);
        let naive = Time { unix: local.saturating_sub(i64::from(self.offset().0)), ..self.clone() };
        // The zone's offset may be another one then.
        Time { unix: local.saturating_sub(i64::from(naive.offset().0)), ..naive }
    }

    pub fn sub(&self, other: &Time) -> Duration {
        let ns = (i128::from(self.unix) - i128::from(other.unix)) * 1_000_000_000 + i128::from(self.nanos)
            - i128::from(other.nanos);
        Duration(ns.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

/// `2006-01-02 15:04:05.999999999 -0700 MST`
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// `1h2m3.5s`, `1.5µs`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let fraction = |f: &mut fmt::Formatter<'_>, value: u64, unit: u64| -> fmt::Result {
            write!(f, "{}", value / unit)?;
            let rest = value % unit;
            if rest > 0 {
                let width = unit.ilog10() as usize;
                let digits = format!("{rest:0width$}");
                write!(f, ".{}", digits.trim_end_matches('0'))?;
            }
            Ok(())
        };
        match ns {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{ns}ns"),
            1_000..1_000_000 => {
                fraction(f, ns, 1_000)?;
                f.write_str("µs")
            }
            1_000_000..1_000_000_000 => {
                fraction(f, ns, 1_000_000)?;
                f.write_str("ms")
            }
            _ => {
                let (hours, minutes) = (ns / 3_600_000_000_000, ns / 60_000_000_000 % 60);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                fraction(f, ns % 60_000_000_000, 1_000_000_000)?;
                f.write_str("s")
            }
        }
    }
}

/// The parameters of a method of `time.Time`; `None` when there is no such method.
pub(crate) fn time_signature(name: &str) -> Option<&'static [Kind]> {
    Some(match name {
        "Format" => &[Kind::Str],
        "Add" | "Round" | "Truncate" => &[Kind::Duration],
        "AddDate" => &[Kind::Int, Kind::Int, Kind::Int],
        "Sub" | "After" | "Before" | "Equal" | "Compare" => &[Kind::Time],
        "Unix" | "UnixMilli" | "UnixMicro" | "UnixNano" | "UTC" | "Local" | "String" | "IsZero" | "Year"
        | "Month" | "Day" | "Hour" | "Minute" | "Second" | "Nanosecond" | "YearDay" | "Weekday" => &[],
        _ => return None,
    })
}

/// Calls a method of `time.Time` with arguments that fit [`time_signature`].
pub(crate) fn time_method(t: &Time, name: &str, args: &[Value]) -> Value {
    let civil = || t.civil();
    let number = |n: i64| Value::Int(n);
    let int = |index: usize| match args.get(index) {
        Some(Value::Int(n)) => *n,
        _ => 0,
    };
    match (name, args.first()) {
        ("Format", Some(Value::Str(pattern))) => t.format(pattern).into(),
        ("Add", Some(Value::Duration(d))) => Value::Time(t.add(*d)),
        ("Truncate", Some(Value::Duration(d))) => Value::Time(t.add(Duration(-t.above_multiple(d.0)))),
        ("Round", Some(Value::Duration(d))) => {
            let above = t.above_multiple(d.0);
            Value::Time(t.add(Duration(if above < d.0 - above { -above } else { d.0 - above })))
        }
        ("AddDate", _) => Value::Time(t.add_date(int(0), int(1), int(2))),
        ("Sub", Some(Value::Time(other))) => Value::Duration(t.sub(other)),
        ("After", Some(Value::Time(other))) => Value::Bool(t.sub(other).0 > 0),
        ("Before", Some(Value::Time(other))) => Value::Bool(t.sub(other).0 < 0),
        ("Equal", Some(Value::Time(other))) => Value::Bool(t == other),
        ("Compare", Some(Value::Time(other))) => number(t.sub(other).0.signum()),
        ("Unix", _) => number(t.unix),
        ("UnixMilli", _) => number(t.unix_ns().div_euclid(1_000_000)),
        ("UnixMicro", _) => number(t.unix_ns().div_euclid(1_000)),
        ("UnixNano", _) => number(t.unix_ns()),
        ("UTC", _) => Value::Time(Time { zone: Zone::Utc, ..t.clone() }),
        ("Local", _) => Value::Time(t.in_zone("Local").unwrap_or_else(|_| t.clone())),
        ("String", _) => t.to_string().into(),
        ("IsZero", _) => Value::Bool(t.is_zero()),
        ("Year", _) => number(civil().year),
        ("Month", _) => Value::object(Named {
            type_name: "time.Month",
            text: layout::MONTHS.get((civil().month as usize + 11) % 12).copied().unwrap_or_default(),
        }),
        ("Day", _) => number(civil().day.into()),
        ("Hour", _) => number(civil().hour.into()),
        ("Minute", _) => number(civil().minute.into()),
        ("Second", _) => number(civil().second.into()),
        ("Nanosecond", _) => number(t.nanos.into()),
        ("YearDay", _) => number(civil().year_day.into()),
        ("Weekday", _) => Value::object(Named {
            type_name: "time.Weekday",
            text: layout::WEEKDAYS.get(civil().weekday as usize % 7).copied().unwrap_or_default(),
        }),
        _ => Value::Nil,
    }
}

/// A month or a day of the week: a number that prints as its name.
#[derive(Debug)]
struct Named {
    type_name: &'static str,
    text: &'static str,
}

impl Object for Named {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        (name == "String").then_some((&[], None))
    }

    fn method(&self, name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        (name == "String").then(|| Ok(self.text.into()))
    }

    fn stringer(&self) -> Option<String> {
        Some(self.text.to_owned())
    }
}

/// The parameters of a method of `time.Duration`; `None` when there is no such method.
pub(crate) fn duration_signature(name: &str) -> Option<&'static [Kind]> {
    Some(match name {
        "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Microseconds" | "Nanoseconds" | "String"
        | "Abs" => &[],
        "Round" | "Truncate" => &[Kind::Duration],
        _ => return None,
    })
}

/// Calls a method of `time.Duration` with arguments that fit [`duration_signature`].
pub(crate) fn duration_method(d: Duration, name: &str, args: &[Value]) -> Value {
    let ns = d.0;
    let unit = match args.first() {
        Some(Value::Duration(unit)) => unit.0,
        _ => 0,
    };
    // Whole units and the rest are turned into floats separately, which keeps large values exact.
    let in_units = |unit: i64| (ns / unit) as f64 + (ns % unit) as f64 / unit as f64;
    match name {
        "Hours" => Value::Float(in_units(3_600_000_000_000)),
        "Minutes" => Value::Float(in_units(60_000_000_000)),
        "Seconds" => Value::Float(in_units(1_000_000_000)),
        "Milliseconds" => Value::Int(ns / 1_000_000),
        "Microseconds" => Value::Int(ns / 1_000),
        "Nanoseconds" => Value::Int(ns),
        "String" => d.to_string().into(),
        "Abs" => Value::Duration(Duration(ns.saturating_abs())),
        "Truncate" if unit > 0 => Value::Duration(Duration(ns - ns % unit)),
        "Round" if unit > 0 => {
            let rest = (ns % unit).abs();
            let toward_zero = ns - ns % unit;
            // Half a unit goes away from zero.
            let up = rest >= unit - rest;
            let rounded = if up { toward_zero.saturating_add(unit * ns.signum()) } else { toward_zero };
            Value::Duration(Duration(rounded))
        }
        "Truncate" | "Round" => Value::Duration(d),
        _ => Value::Nil,
    }
}
