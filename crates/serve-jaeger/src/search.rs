//! The parameters of a trace search. Error texts are the original's.

use std::time::Duration;

use front::Params;
use model::span::TraceId;
use storage::traces::TraceQuery;

use crate::reply::ApiError;

/// Traces of a search that asks for no number, and the most it may ask for.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 10_000;
/// Looked back over when no start is given.
const LOOKBACK_NS: i64 = 2 * 86_400 * 1_000_000_000;

/// A search by properties, or a list of ids.
#[derive(Debug, Clone, PartialEq)]
pub enum Search {
    Query(TraceQuery),
    Ids(Vec<TraceId>),
}

pub fn parse(params: &Params, now_ns: i64) -> Result<Search, ApiError> {
    let mut ids = Vec::new();
    for text in params.all("traceID") {
        ids.push(parse_id(text)?);
    }
    if !ids.is_empty() {
        return Ok(Search::Ids(ids));
    }
    let end = micros(params, "end")?.unwrap_or(now_ns);
    let start = micros(params, "start")?.unwrap_or_else(|| end.saturating_sub(LOOKBACK_NS));
    let (min, max) = (duration(params, "minDuration")?, duration(params, "maxDuration")?);
    if let (Some(min), Some(max)) = (min, max)
        && max < min
    {
        return Err(ApiError::bad_request("'maxDuration' should be greater than 'minDuration'"));
    }
    let limit = match params.get("limit") {
        None => LIMIT_DEFAULT,
        Some(text) => match text.parse::<usize>() {
            Ok(n) if n > 0 => n.min(LIMIT_MAX),
            _ => {
                let text = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
                return Err(ApiError::bad_request(text));
            }
        },
    };
    let text = |name: &str| params.get(name).map(str::to_owned);
    Ok(Search::Query(TraceQuery {
        service: text("service"),
        operation: text("operation").filter(|o| o != "all"),
        tags: tags(params)?,
        start_min: start,
        start_max: end,
        duration_min: min,
        duration_max: max,
        limit,
    }))
}

/// Hexadecimal, as printed by us.
pub fn parse_id(text: &str) -> Result<TraceId, ApiError> {
    TraceId::from_hex(text).filter(|id| !id.is_zero()).ok_or_else(|| {
        ApiError::bad_request(format!("unable to parse param 'traceID': {text:?} is no trace id"))
    })
}

/// A time in microseconds, as nanoseconds.
pub fn micros(params: &Params, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let parsed = text.parse::<i64>().map_err(|_| {
        let reason = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
        ApiError::bad_request(format!("unable to parse param '{name}': {reason}"))
    })?;
    Ok(Some(parsed.saturating_mul(1000)))
}

fn tags(params: &Params) -> Result<Vec<(String, String)>, ApiError> {
    let mut out = Vec::new();
    for tag in params.all("tag") {
        let (key, value) = tag.split_once(':').ok_or_else(|| {
            ApiError::bad_request(format!("malformed 'tag' parameter, expecting key:value, received: {tag}"))
        })?;
        out.push((key.to_owned(), value.to_owned()));
    }
    for tags in params.all("tags").filter(|t| !t.is_empty()) {
        let parsed: std::collections::BTreeMap<String, String> = serde_json::from_str(tags).map_err(|e| {
            ApiError::bad_request(format!("malformed 'tags' parameter, cannot unmarshal JSON: {e}"))
        })?;
        out.extend(parsed);
    }
    Ok(out)
}

fn duration(params: &Params, name: &str) -> Result<Option<Duration>, ApiError> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let parsed = go_duration(text).ok_or_else(|| {
        ApiError::bad_request(format!("unable to parse param '{name}': time: invalid duration {text:?}"))
    })?;
    Ok(Some(parsed))
}

/// Go's durations: `1h2.5s`, `300ms`, `10us`.
fn go_duration(text: &str) -> Option<Duration> {
    const UNITS: &[(&str, f64)] = &[
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &rest[..end])?;
        seconds += number * factor;
        rest = &rest[end..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, ms: Option<u64>| {
            assert_eq!(go_duration(text), ms.map(Duration::from_millis), "{text}");
        };
        check("1h2.5s", Some(3_602_500));
        check("300ms", Some(300));
        check("1000us", Some(1));
        check("0", Some(0));
        for bad in ["", "5", "s", "1x", "-1s", "1e9h"] {
            check(bad, None);
        }
    }
}
