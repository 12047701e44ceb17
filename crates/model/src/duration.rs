//! Durations in Prometheus' notation: `1h30m`, `5m`, `15s`, `100ms`.

use std::fmt;

/// Milliseconds per unit, largest first, in the only order Prometheus accepts.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationError(String);

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DurationError {}

/// Parses `([0-9]+(y|w|d|h|m|s|ms))+` with units in descending order, or `0`. Milliseconds.
/// Error texts are those of Prometheus' `model.ParseDuration`.
pub fn parse(s: &str) -> Result<i64, DurationError> {
    let bad = || DurationError(format!("not a valid duration string: {s:?}"));
    match s {
        "0" => return Ok(0),
        "" => return Err(DurationError("empty duration string".into())),
        _ => {}
    }
    let (mut rest, mut total, mut next_unit) = (s, 0i64, 0usize);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let at = UNITS[next_unit..].iter().position(|(u, _)| *u == unit).ok_or_else(bad)? + next_unit;
        let overflow = || DurationError("duration out of range".into());
        if number.is_empty() {
            return Err(bad());
        }
        let n: i64 = number.parse().map_err(|_| overflow())?;
        total = n.checked_mul(UNITS[at].1).and_then(|ms| total.checked_add(ms)).ok_or_else(overflow)?;
        // The original keeps nanoseconds in 64 bits.
        if total > i64::MAX / 1_000_000 {
            return Err(overflow());
        }
        next_unit = at + 1;
        rest = after;
    }
    Ok(total)
}

/// Prints milliseconds as Prometheus does: `1h30m`, `0s`, `-5m`. Years and weeks only when exact.
pub fn format(ms: i64) -> String {
    if ms == 0 {
        return "0s".into();
    }
    let mut out = String::from(if ms < 0 { "-" } else { "" });
    let mut left = ms.unsigned_abs();
    for (unit, size) in UNITS {
        let size = size as u64;
        let exact_only = matches!(unit, "y" | "w");
        if exact_only && !left.is_multiple_of(size) {
            continue;
        }
        if left >= size {
            out.push_str(&(left / size).to_string());
            out.push_str(unit);
            left %= size;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        let check = |text: &str, ms: i64, printed: &str| {
            assert_eq!(parse(text), Ok(ms), "{text}");
            assert_eq!(format(ms), printed);
        };
        check("0", 0, "0s");
        check("15s", 15_000, "15s");
        check("1h30m", 5_400_000, "1h30m");
        check("90m", 5_400_000, "1h30m");
        check("1d", 86_400_000, "1d");
        check("25h", 90_000_000, "1d1h");
        check("2w", 14 * 86_400_000, "2w");
        check("100ms", 100, "100ms");
        check("1y", 365 * 86_400_000, "1y");
    }

    #[test]
    fn refuses_what_prometheus_refuses() {
        for bad in ["", "1", "s", "1m1h", "1s1s", "-1m", "1.5h", "1h ", "99999999999y"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse("1x").unwrap_err().to_string(), "not a valid duration string: \"1x\"");
    }
}
