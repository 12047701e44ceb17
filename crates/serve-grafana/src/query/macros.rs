//! Time ranges, intervals and the macros that stand for them.

use serde_json::Value;

/// Prometheus refuses more points per series; Grafana widens the step before it comes to that.
const SAFE_POINTS_MAX: i64 = 11_000;
/// A century: steps beyond it mean nothing, and sums of two stay far from overflow.
const STEP_MS_MAX: i64 = 100 * 365 * 86_400_000;
/// The scrape interval assumed when a data source names none.
const SCRAPE_INTERVAL_MS: i64 = 15_000;

/// The step of one query and what its macros mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    pub from: i64,
    pub to: i64,
    /// `$__interval`, also the step of a range query.
    pub step_ms: i64,
    rate_ms: i64,
}

impl Interval {
    /// `asked_ms` is the browser's idea (panel width), `minimum_ms` the query's own, `scrape_ms` the data
    /// source's scrape interval.
    pub fn new(
        from: i64,
        to: i64,
        asked_ms: i64,
        points: i64,
        minimum_ms: Option<i64>,
        scrape_ms: Option<i64>,
    ) -> Interval {
        let range = to.saturating_sub(from).max(1);
        let scrape = scrape_ms.unwrap_or(SCRAPE_INTERVAL_MS).clamp(1, STEP_MS_MAX);
        let minimum = minimum_ms.unwrap_or(scrape).min(STEP_MS_MAX);
        let asked_ms = asked_ms.min(STEP_MS_MAX);
        let calculated = if asked_ms > 0 { asked_ms } else { round_interval(range / points.max(1)) };
        let safe = round_interval(range / SAFE_POINTS_MAX + i64::from(range % SAFE_POINTS_MAX > 0));
        let step_ms = calculated.max(minimum).max(safe).max(1);
        // Grafana's rule: wide enough for two scrapes whatever the step.
        let rate_ms = (step_ms + scrape).max(4 * scrape);
        Interval { from, to, step_ms, rate_ms }
    }

    /// Replaces the macros in an expression. Longer names go first: `$__interval_ms` holds `$__interval`.
    pub fn interpolate(&self, expr: &str) -> String {
        if !expr.contains("$__") && !expr.contains("${__") {
            return expr.to_owned();
        }
        let range = self.to.saturating_sub(self.from);
        let seconds = (range as f64 / 1000.0).round() as i64;
        let values = [
            ("__rate_interval_ms", self.rate_ms.to_string()),
            ("__rate_interval", model::duration::format(self.rate_ms)),
            ("__interval_ms", self.step_ms.to_string()),
            ("__interval", model::duration::format(self.step_ms)),
            ("__range_ms", range.to_string()),
            ("__range_s", seconds.to_string()),
            ("__range", format!("{seconds}s")),
            ("__auto", model::duration::format(self.step_ms)),
            ("__from", self.from.to_string()),
            ("__to", self.to.to_string()),
        ];
        let mut out = expr.to_owned();
        for (name, value) in values {
            out = out.replace(&format!("${{{name}}}"), &value).replace(&format!("${name}"), &value);
        }
        out
    }
}

/// Grafana's ladder of pleasant intervals, milliseconds.
pub fn round_interval(ms: i64) -> i64 {
    const LADDER: &[(i64, i64)] = &[
        (10, 1),
        (15, 10),
        (35, 20),
        (75, 50),
        (150, 100),
        (350, 200),
        (750, 500),
        (1_500, 1_000),
        (3_500, 2_000),
        (7_500, 5_000),
        (12_500, 10_000),
        (17_500, 15_000),
        (25_000, 20_000),
        (45_000, 30_000),
        (90_000, 60_000),
        (210_000, 120_000),
        (450_000, 300_000),
        (750_000, 600_000),
        (1_050_000, 900_000),
        (1_500_000, 1_200_000),
        (2_700_000, 1_800_000),
        (5_400_000, 3_600_000),
        (9_000_000, 7_200_000),
        (16_200_000, 10_800_000),
        (32_400_000, 21_600_000),
        (86_400_000, 43_200_000),
        (604_800_000, 86_400_000),
        (1_814_400_000, 604_800_000),
        (3_628_800_000, 2_592_000_000),
    ];
    LADDER.iter().find(|(below, _)| ms < *below).map_or(31_536_000_000, |(_, rounded)| *rounded)
}

/// Milliseconds as a number or text, or `now`, `now-6h`, `now+5m`.
pub fn parse_time(value: &Value, now_ms: i64) -> Option<i64> {
    let text = match value {
        Value::Number(n) => return n.as_f64().map(|n| n as i64),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    if let Ok(ms) = text.parse::<i64>() {
        return Some(ms);
    }
    if let Some(offset) = text.strip_prefix("now") {
        return match offset.chars().next() {
            None => Some(now_ms),
            Some('-') => model::duration::parse(&offset[1..]).ok().map(|d| now_ms.saturating_sub(d)),
            Some('+') => model::duration::parse(&offset[1..]).ok().map(|d| now_ms.saturating_add(d)),
            Some(_) => None,
        };
    }
    text.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_round_as_in_the_original() {
        let check = |ms, rounded| assert_eq!(round_interval(ms), rounded, "{ms}");
        check(12, 10);
        check(37, 50);
        check(120, 100);
        check(1501, 2000);
        check(7200, 5000);
        check(45000, 60000);
        check(130000, 120000);
        check(999999, 900000);
    }

    #[test]
    fn steps_respect_scrape_interval_and_safety() {
        let hour = 3_600_000;
        let step = |to, asked, points, min| Interval::new(0, to, asked, points, min, Some(15_000)).step_ms;
        assert_eq!(step(hour, 0, 1000, None), 15_000);
        assert_eq!(step(hour, 0, 1000, Some(5_000)), 5_000);
        assert_eq!(step(hour, 60_000, 1000, None), 60_000);
        assert_eq!(step(365 * 24 * hour, 1_000, 1000, None), 3_600_000);
    }

    #[test]
    fn no_number_is_too_large() {
        let (min, max) = (i64::MIN, i64::MAX);
        for (from, to) in [(min, max), (0, max), (min, 0)] {
            for n in [0, 1, max] {
                let i = Interval::new(from, to, n, n, Some(n), Some(n));
                assert!((1..=STEP_MS_MAX).contains(&i.step_ms), "{from} {to} {n}");
                assert!(!i.interpolate("$__rate_interval $__range").contains('$'));
            }
        }
    }

    #[test]
    fn macros_expand() {
        let i = Interval::new(0, 3_600_000, 30_000, 100, None, Some(15_000));
        let check = |expr: &str, expected: &str| assert_eq!(i.interpolate(expr), expected);
        check("rate(x[$__rate_interval])", "rate(x[1m])");
        check("x[${__interval}] $__interval_ms", "x[30s] 30000");
        check("x[$__range] $__range_s $__range_ms", "x[3600s] 3600 3600000");
        check("$__from $__to", "0 3600000");
    }

    #[test]
    fn times() {
        let check = |v: Value, expected| assert_eq!(parse_time(&v, 10_000_000), expected);
        check(serde_json::json!("1700000000000"), Some(1_700_000_000_000));
        check(serde_json::json!(5), Some(5));
        check(serde_json::json!("now-1h"), Some(6_400_000));
        check(serde_json::json!("now"), Some(10_000_000));
        check(serde_json::json!("soon"), None);
        check(serde_json::json!({}), None);
    }
}
