//! Durations in Go's own notation, which some keys have: `90s`, `1h30m`, `1.5h`, `250ms`.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time as Go's `time.ParseDuration` reads it; never negative here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GoDuration(Duration);

impl GoDuration {
    pub const fn from_secs(seconds: u64) -> GoDuration {
        GoDuration(Duration::from_secs(seconds))
    }

    pub fn whole_seconds(self) -> u64 {
        self.0.as_secs()
    }

    pub fn to_std(self) -> Duration {
        self.0
    }
}

/// Nanoseconds in each unit.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

impl FromStr for GoDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<GoDuration, String> {
        let invalid = || format!("time: invalid duration {text:?}");
        if text == "0" {
            return Ok(GoDuration::default());
        }
        let (mut nanoseconds, mut rest) = (0.0, text.strip_prefix('+').unwrap_or(text));
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(end);
            let number: f64 = number.parse().map_err(|_| invalid())?;
            let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            if unit.is_empty() {
                return Err(format!("time: missing unit in duration {text:?}"));
            }
            let known = UNITS.iter().find(|(name, _)| *name == unit);
            let (_, scale) =
                known.ok_or_else(|| format!("time: unknown unit {unit:?} in duration {text:?}"))?;
            nanoseconds += number * scale;
            rest = after;
        }
        // Go counts in 64 bits.
        if nanoseconds > i64::MAX as f64 {
            return Err(invalid());
        }
        Ok(GoDuration(Duration::from_nanos(nanoseconds as u64)))
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<GoDuration, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let seconds = self.0.as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match (hours, minutes) {
            (0, 0) => s.collect_str(&format_args!("{seconds}s")),
            (0, _) => s.collect_str(&format_args!("{minutes}m{seconds}s")),
            _ => s.collect_str(&format_args!("{hours}h{minutes}m{seconds}s")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        let check = |text: &str, ms: u128| {
            assert_eq!(text.parse::<GoDuration>().unwrap().to_std().as_millis(), ms, "{text}");
        };
        check("0", 0);
        check("90s", 90_000);
        check("1h30m", 5_400_000);
        check("1.5h", 5_400_000);
        check("+250ms", 250);
        check("1s500000us", 1_500);
        for bad in ["", "5", "1d", "s", "-1s", "1..5s", "99999999999h", "1s ", "soon"] {
            assert!(bad.parse::<GoDuration>().is_err(), "{bad}");
        }
    }
}
