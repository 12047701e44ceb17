//! Request parameters in Loki's notations.

use front::Params;
use model::TimestampNs;
use storage::logs::{Direction, TimeRangeNs};

use crate::error::ApiError;

const SECOND: i64 = 1_000_000_000;

/// Range of a query that names no start.
const DEFAULT_SINCE: i64 = 3600 * SECOND;

/// Entries of a log query that names no limit.
const DEFAULT_LIMIT: usize = 100;

/// A range query without a step gets about this many points.
const DEFAULT_POINTS: i64 = 250;

/// A time: seconds with a fraction, seconds (up to ten digits), nanoseconds, or RFC 3339.
pub fn parse_time(text: &str) -> Result<TimestampNs, ApiError> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        // Keep the fraction exact to the microsecond: a float has no more to give at this size.
        let (whole, fraction) = (seconds.floor(), seconds - seconds.floor());
        return Ok((whole as i64)
            .saturating_mul(SECOND)
            .saturating_add((fraction * 1e6).round() as i64 * 1000));
    }
    match text.parse::<i64>() {
        Ok(number) if text.trim_start_matches('-').len() <= 10 => Ok(number.saturating_mul(SECOND)),
        Ok(number) => Ok(number),
        Err(_) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)),
            Err(_) => Err(ApiError::bad(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))),
        },
    }
}

/// A step: seconds with a fraction, or a duration. Nanoseconds.
fn parse_step(text: &str) -> Result<i64, ApiError> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ns = seconds * 1e9;
        if !ns.is_finite() || ns.abs() > i64::MAX as f64 {
            return Err(ApiError::bad(format!(
                "cannot parse {text:?} to a valid duration. It overflows int64"
            )));
        }
        return Ok(ns as i64);
    }
    logql_syntax::units::parse_query_duration(text)
        .map_err(|_| ApiError::bad(format!("cannot parse {text:?} to a valid duration")))
}

/// `start` and `end`, with `since` and the defaults.
pub fn bounds(params: &Params, now: TimestampNs) -> Result<TimeRangeNs, ApiError> {
    let end = params.get("end").map_or(Ok(now), parse_time)?;
    let since = match params.get("since") {
        Some(text) => model::duration::parse(text)
            .map_err(|e| ApiError::bad(format!("could not parse 'since' parameter: {e}")))?
            .saturating_mul(1_000_000),
        None => DEFAULT_SINCE,
    };
    // A range that ends in the future starts from now.
    let start = match params.get("start") {
        Some(text) => parse_time(text)?,
        None => end.min(now).saturating_sub(since),
    };
    Ok(TimeRangeNs { start, end })
}

/// Bounds of a query, which must not be empty.
pub fn query_bounds(params: &Params, now: TimestampNs) -> Result<TimeRangeNs, ApiError> {
    let range = bounds(params, now)?;
    if range.end <= range.start {
        return Err(ApiError::bad("end timestamp must not be before or equal to start time"));
    }
    Ok(range)
}

/// The step of a range query over `range`, with its default. Nanoseconds.
pub fn step(params: &Params, range: TimeRangeNs) -> Result<i64, ApiError> {
    let seconds = range.end.saturating_sub(range.start) / SECOND;
    let step = match params.get("step") {
        Some(text) => parse_step(text)?,
        None => (seconds / DEFAULT_POINTS).max(1) * SECOND,
    };
    if step <= 0 {
        return Err(ApiError::bad(
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    Ok(step)
}

pub fn interval(params: &Params) -> Result<i64, ApiError> {
    let interval = params.get("interval").map_or(Ok(0), parse_step)?;
    if interval < 0 {
        return Err(ApiError::bad("interval must be >= 0"));
    }
    Ok(interval)
}

pub fn limit(params: &Params) -> Result<usize, ApiError> {
    let Some(text) = params.get("limit") else { return Ok(DEFAULT_LIMIT) };
    let limit: i64 =
        text.parse().map_err(|_| ApiError::bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?;
    match usize::try_from(limit) {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(ApiError::bad("limit must be a positive value")),
    }
}

pub fn direction(params: &Params) -> Result<Direction, ApiError> {
    match params.get("direction").map(str::to_ascii_uppercase).as_deref() {
        None | Some("BACKWARD") => Ok(Direction::Backward),
        Some("FORWARD") => Ok(Direction::Forward),
        Some(_) => {
            let given = params.get("direction").unwrap_or("");
            Err(ApiError::bad(format!("invalid direction '{given}'")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |text: &str, ns: i64| assert_eq!(parse_time(text), Ok(ns), "{text}");
        check("1700000000", 1_700_000_000 * SECOND);
        check("1700000000.5", 1_700_000_000 * SECOND + SECOND / 2);
        check("1700000000000000001", 1_700_000_000_000_000_001);
        check("2023-11-14T22:13:20Z", 1_700_000_000 * SECOND);
        check("2023-11-14T22:13:20.000000007+00:00", 1_700_000_000 * SECOND + 7);
        assert_eq!(
            parse_time("soon").unwrap_err().message,
            "strconv.ParseInt: parsing \"soon\": invalid syntax"
        );
    }

    #[test]
    fn bounds_and_defaults() {
        let now = 1_700_000_000 * SECOND;
        let check = |query: &str, start: i64, end: i64| {
            let range = bounds(&Params::parse(query), now).unwrap();
            assert_eq!((range.start / SECOND, range.end / SECOND), (start, end), "{query}");
        };
        check("", 1_699_996_400, 1_700_000_000);
        check("since=5m", 1_699_999_700, 1_700_000_000);
        check("end=1600000000", 1_599_996_400, 1_600_000_000);
        check("start=1&end=2", 1, 2);
        check("end=1800000000&since=1h", 1_699_996_400, 1_800_000_000);
    }

    #[test]
    fn steps() {
        let check = |query: &str, hours: i64, expected: Result<i64, &str>| {
            let range = TimeRangeNs { start: 0, end: hours * 3600 * SECOND };
            let got = step(&Params::parse(query), range).map(|ns| ns / 1_000_000).map_err(|e| e.message);
            assert_eq!(got, expected.map_err(str::to_owned), "{query}");
        };
        check("", 1, Ok(14_000));
        check("", 0, Ok(1_000));
        check("step=15", 1, Ok(15_000));
        check("step=0.5", 1, Ok(500));
        check("step=1m", 1, Ok(60_000));
        check("step=x", 1, Err("cannot parse \"x\" to a valid duration"));
        check(
            "step=0",
            1,
            Err("zero or negative query resolution step widths are not accepted. Try a positive integer"),
        );
    }
}
