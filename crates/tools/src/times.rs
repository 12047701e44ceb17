//! Times as people write them on a command line.

use crate::command::Failure;

/// Unix seconds or RFC 3339, as seconds. The error says what the time is for.
pub fn parse(what: &str, text: &str) -> Result<f64, Failure> {
    let rfc3339 = || text.parse::<jiff::Timestamp>().map(|t| t.as_millisecond() as f64 / 1000.0);
    let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite());
    seconds.or_else(|| rfc3339().ok()).ok_or_else(|| {
        Failure::new(format!("error parsing {what} time: cannot parse {text:?} to a valid timestamp"))
    })
}

/// Now, as Unix seconds.
pub fn now() -> f64 {
    jiff::Timestamp::now().as_millisecond() as f64 / 1000.0
}
