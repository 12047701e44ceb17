//! Times and durations in API parameters: Unix seconds with a fraction or RFC 3339; seconds or `5m`.

use model::TimestampMs;

/// The API's extreme times, as in the original (`time.Unix(math.MinInt64/1000+62135596801, 0)`).
pub const MIN_TIME: TimestampMs = -9_223_309_901_257_974;
pub const MAX_TIME: TimestampMs = 9_223_309_901_257_974;

/// Parses a time parameter.
pub fn parse_time(text: &str) -> Result<TimestampMs, String> {
    let bad = || format!("cannot parse {text:?} to a valid timestamp");
    if let Ok(seconds) = text.parse::<f64>() {
        if !seconds.is_finite() || seconds.abs() > (MAX_TIME / 1000) as f64 {
            return Err(bad());
        }
        return Ok((seconds * 1000.0).round() as i64);
    }
    parse_rfc3339(text).ok_or_else(bad)
}

/// Parses a duration parameter: float seconds or Prometheus' notation. Milliseconds.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = seconds * 1000.0;
        if !ms.is_finite() || ms.abs() > (i64::MAX / 1_000_000) as f64 {
            return Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"));
        }
        return Ok(ms as i64);
    }
    model::duration::parse(text).map_err(|_| format!("cannot parse {text:?} to a valid duration"))
}

/// `2026-01-02T03:04:05.678Z` or with an offset; milliseconds.
fn parse_rfc3339(text: &str) -> Option<TimestampMs> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(timestamp.as_millisecond())
}

/// RFC 3339 with up to nanoseconds, as Go's `time.Time` marshals; UTC.
pub fn format_rfc3339(ms: TimestampMs) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(t) => t.to_string(),
        Err(_) => "0001-01-01T00:00:00Z".into(),
    }
}

/// Appends Unix seconds with at most three decimals, the form of API timestamps.
pub fn write_seconds(out: &mut String, ms: TimestampMs) {
    if ms < 0 {
        out.push('-');
    }
    let (seconds, fraction) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
    model::float::write_integer(out, seconds);
    if fraction > 0 {
        // Thousandths without zeros at the end.
        out.push('.');
        let digits = [fraction / 100, fraction / 10 % 10, fraction % 10];
        let len = digits.iter().rposition(|digit| *digit > 0).map_or(0, |last| last + 1);
        digits.iter().take(len).for_each(|digit| out.push((b'0' + *digit as u8) as char));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |text: &str, ms: i64| assert_eq!(parse_time(text), Ok(ms), "{text}");
        check("0", 0);
        check("1700000000.123", 1_700_000_000_123);
        check("2015-06-03T13:21:58.555Z", 1_433_337_718_555);
        check("2015-06-03T14:21:58.555+01:00", 1_433_337_718_555);
        for bad in ["", "now", "NaN", "1e300", "2015-06-03"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1.5"), Ok(1500));
        assert_eq!(parse_duration("5m"), Ok(300_000));
        assert!(parse_duration("abc").is_err() && parse_duration("1e300").is_err());
    }

    #[test]
    fn seconds_keep_what_they_need() {
        let show = |ms| {
            let mut out = String::new();
            write_seconds(&mut out, ms);
            out
        };
        assert_eq!(
            (show(1000), show(1500), show(-1), show(1_234_056)),
            ("1".into(), "1.5".into(), "-0.001".into(), "1234.056".into())
        );
    }
}
