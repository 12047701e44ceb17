//! Go's `time.Time` and `time.Duration`, as far as templates show them.

use std::fmt;
use std::sync::Arc;

use model::civil::Civil;

use crate::value::Value;

mod layout;
pub use layout::parse;

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
            name => {
                Zone::Named(jiff::tz::TimeZone::get(name).map_err(|_| format!("unknown time zone {name}"))?)
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
            unix: self.unix + d.0.div_euclid(1_000_000_000) + nanos.div_euclid(1_000_000_000),
            nanos: nanos.rem_euclid(1_000_000_000) as u32,
            zone: self.zone.clone(),
        }
    }

    pub fn sub(&self, other: &Time) -> Duration {
        let ns = i128::from(self.unix - other.unix) * 1_000_000_000 + i128::from(self.nanos)
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

/// Methods of `time.Time`; `None` when there is no such method.
pub(crate) fn time_method(t: &Time, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    let civil = || t.civil();
    let number = |n: i64| Value::Int(n);
    let wrong = |want: usize| Err(format!("wrong number of args for {name}: want {want} got {}", args.len()));
    let value = match (name, args) {
        ("Format", [Value::Str(pattern)]) => t.format(pattern).into(),
        ("Add", [Value::Duration(d)]) => Value::Time(t.add(*d)),
        ("Add", [Value::Int(n)]) => Value::Time(t.add(Duration(*n))),
        ("Sub", [Value::Time(other)]) => Value::Duration(t.sub(other)),
        ("After", [Value::Time(other)]) => Value::Bool(t.sub(other).0 > 0),
        ("Before", [Value::Time(other)]) => Value::Bool(t.sub(other).0 < 0),
        ("Equal", [Value::Time(other)]) => Value::Bool(t == other),
        ("Format" | "Add" | "Sub" | "After" | "Before" | "Equal", [other]) => {
            return Some(Err(format!("wrong type for value; got {}", other.type_name())));
        }
        ("Format" | "Add" | "Sub" | "After" | "Before" | "Equal", _) => return Some(wrong(1)),
        ("Unix", []) => number(t.unix),
        ("UnixMilli", []) => number(t.unix_ns().div_euclid(1_000_000)),
        ("UnixMicro", []) => number(t.unix_ns().div_euclid(1_000)),
        ("UnixNano", []) => number(t.unix_ns()),
        ("UTC", []) => Value::Time(Time { zone: Zone::Utc, ..t.clone() }),
        ("Local", []) => Value::Time(t.in_zone("Local").unwrap_or_else(|_| t.clone())),
        ("String", []) => t.to_string().into(),
        ("IsZero", []) => Value::Bool(t.is_zero()),
        ("Year", []) => number(civil().year),
        ("Month", []) => Value::str(layout::MONTHS[(civil().month as usize + 11) % 12]),
        ("Day", []) => number(civil().day.into()),
        ("Hour", []) => number(civil().hour.into()),
        ("Minute", []) => number(civil().minute.into()),
        ("Second", []) => number(civil().second.into()),
        ("Nanosecond", []) => number(t.nanos.into()),
        ("YearDay", []) => number(civil().year_day.into()),
        ("Weekday", []) => Value::str(layout::WEEKDAYS[civil().weekday as usize % 7]),
        (
            "Unix" | "UnixMilli" | "UnixMicro" | "UnixNano" | "UTC" | "Local" | "String" | "IsZero" | "Year"
            | "Month" | "Day" | "Hour" | "Minute" | "Second" | "Nanosecond" | "YearDay" | "Weekday",
            _,
        ) => return Some(wrong(0)),
        _ => return None,
    };
    Some(Ok(value))
}

/// Methods of `time.Duration`; `None` when there is no such method.
pub(crate) fn duration_method(d: Duration, name: &str) -> Option<Value> {
    let ns = d.0;
    Some(match name {
        "Hours" => Value::Float(ns as f64 / 3.6e12),
        "Minutes" => Value::Float(ns as f64 / 6e10),
        "Seconds" => Value::Float(ns as f64 / 1e9),
        "Milliseconds" => Value::Int(ns / 1_000_000),
        "Microseconds" => Value::Int(ns / 1_000),
        "Nanoseconds" => Value::Int(ns),
        "String" => d.to_string().into(),
        _ => return None,
    })
}
