//! `query analyze`: how many buckets the histograms of a server really use.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use flags::{Flag, Flags};
use model::Labels;
use reqwest::Method;
use serde_json::Value;

use crate::command::{Context, Failure, Usage, say};
use crate::http::Server;
use crate::times;

pub const ANALYZE: Usage = Usage {
    arguments: "",
    count: (0, 0),
    flags: &[
        Flag::value("http.config.file", "", "HTTP client configuration file to connect to Prometheus."),
        Flag::value("server", "", "Prometheus server to query."),
        Flag::value("type", "", "Type of metric: histogram."),
        Flag::value("duration", "1h", "Time frame to analyze."),
        Flag::value("time", "", "Query time (RFC3339 or Unix timestamp), defaults to now."),
        Flag::list("match", "Series selector. Can be specified multiple times."),
    ],
    help: "\
Example:
  cloudos-monitor query analyze --server=http://localhost:9090 --type=histogram \\
    --match=prometheus_http_request_duration_seconds_bucket
",
    run,
};

const HEADER: &str = "\
Bucket stats for each histogram series over time
------------------------------------------------
First the min, avg, and max number of populated buckets, followed by the total
number of buckets (only if different from the max number of populated buckets
which is typical for classic but not native histograms).

";

const FOOTER: &str = "
Aggregated bucket stats
-----------------------
Each line shows min/avg/max over the series above.
";

fn run(flags: &Flags, _: &[String], _: &Context) -> Result<(), Failure> {
    let missing: Vec<String> = ["server", "type", "match"]
        .into_iter()
        .filter(|name| if *name == "match" { flags.all(name).is_empty() } else { flags.get(name).is_empty() })
        .map(|name| format!("'--{name}'"))
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(Failure::new(format!(
            "cloudos-monitor: error: required flag(s) {missing} not provided, try --help"
        )));
    }
    let kind = flags.get("type");
    if kind != "histogram" {
        return Err(Failure::new(format!("analyze type is {kind}, must be 'histogram'")));
    }
    let duration = crate::tsdb::go_duration(flags.duration_ms("duration")?);
    let time = match flags.get("time") {
        "" => times::now(),
        text => times::parse("analyze", text).map_err(|_| {
            Failure::new(format!("error parsing time '{text}': cannot parse {text:?} to a valid timestamp"))
        })?,
    };
    let server = Server::new(flags.get("server"), flags.get("http.config.file"))?;
    say(HEADER)?;
    let (mut native, mut classic) = (Totals::default(), Totals::default());
    for selector in flags.all("match") {
        let (query, time) = (format!("{selector}[{duration}]"), time.to_string());
        let params = [("query", query.as_str()), ("time", time.as_str())];
        let data = server.data(Method::POST, "/api/v1/query", &params)?;
        if data["resultType"] != "matrix" {
            return Err(Failure::new("query of buckets resulted in non-Matrix"));
        }
        let mut buckets: BTreeMap<String, Vec<Bucket>> = BTreeMap::new();
        for series in data["result"].as_array().into_iter().flatten() {
            let labels = labels(&series["metric"]);
            if let Some(values) = series["values"].as_array() {
                let classic = !labels.get("le").is_empty() && labels.metric_name().ends_with("_bucket");
                if classic {
                    let name = format!("{}{}", labels.metric_name(), without_bound(&labels));
                    buckets.entry(name).or_default().push(Bucket::read(&labels, values));
                }
            } else if let Some(stats) = of_native(&series["histograms"]) {
                say(&format!("- {labels} (native): {stats}\n"))?;
                native.add(&stats);
            }
        }
        for (name, buckets) in buckets {
            if let Some(stats) = of_classic(buckets)? {
                say(&format!("- {name} (classic): {stats}\n"))?;
                classic.add(&stats);
            }
        }
    }
    say(FOOTER)?;
    for (kind, totals) in [("Native", native), ("Classic", classic)] {
        if totals.count > 0 {
            say(&format!("\n{kind} {totals}\n"))?;
        }
    }
    Ok(())
}

fn labels(metric: &Value) -> Labels {
    let pairs = metric.as_object().into_iter().flatten();
    Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or(""))))
}

/// A label set in braces, without name and bound.
fn without_bound(labels: &Labels) -> String {
    let shown = labels.iter().filter(|(name, _)| *name != "__name__" && *name != "le");
    let pairs: Vec<String> =
        shown.map(|(name, value)| format!("{name}={}", promql_syntax::quote(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Populated buckets over time.
#[derive(Debug, PartialEq)]
struct Stats {
    min: i64,
    average: f64,
    max: i64,
    total: i64,
}

impl Stats {
    fn new(populated: &[i64], total: i64) -> Option<Stats> {
        let average = populated.iter().sum::<i64>() as f64 / populated.len() as f64;
        Some(Stats { min: *populated.iter().min()?, average, max: *populated.iter().max()?, total })
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:.3}/{}", self.min, self.average, self.max)?;
        if self.max != self.total { write!(f, "/{}", self.total) } else { Ok(()) }
    }
}

struct Bucket {
    bound: f64,
    /// Time as written, cumulative count.
    values: Vec<(String, f64)>,
}

impl Bucket {
    fn read(labels: &Labels, values: &[Value]) -> Bucket {
        let number = |v: &Value| v.as_str().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        Bucket {
            bound: labels.get("le").parse().unwrap_or(0.0),
            values: values.iter().map(|pair| (pair[0].to_string(), number(&pair[1]))).collect(),
        }
    }
}

fn of_classic(mut buckets: Vec<Bucket>) -> Result<Option<Stats>, Failure> {
    let total = buckets.len() as i64;
    let Some(first) = buckets.first().map(|bucket| bucket.values.len()).filter(|n| *n >= 2) else {
        return Ok(None);
    };
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    let mut populated = Vec::with_capacity(first);
    for at in 0..first {
        let (mut count, mut below) = (0, None);
        for bucket in &buckets {
            // Series may begin and end at different times: what is missing counts as empty.
            let Some((time, value)) = bucket.values.get(at) else { break };
            if below.is_some_and(|(other, _)| other != time) {
                return Err(Failure::new("matrix result is not time aligned"));
            }
            count += i64::from((value - below.map_or(0.0, |(_, v)| v)).trunc() != 0.0);
            below = Some((time, *value));
        }
        populated.push(count);
    }
    Ok(Stats::new(&populated, total))
}

fn of_native(histograms: &Value) -> Option<Stats> {
    let histograms = histograms.as_array().filter(|list| list.len() > 1)?;
    let (mut bounds, mut populated) = (BTreeSet::new(), Vec::new());
    for pair in histograms {
        let buckets = pair[1]["buckets"].as_array().map_or(&[][..], Vec::as_slice);
        bounds.extend(buckets.iter().map(|b| format!("{} {} {}", b[0], b[1], b[2])));
        populated.push(buckets.len() as i64);
    }
    Stats::new(&populated, bounds.len() as i64)
}

/// Minimum, average and maximum of one figure over all series.
#[derive(Debug, Default, PartialEq)]
struct Spread {
    min: i64,
    max: i64,
    average: f64,
}

impl Spread {
    fn add(&mut self, n: i64, count: i64) {
        (self.min, self.max) = if count == 1 { (n, n) } else { (self.min.min(n), self.max.max(n)) };
        self.average += n as f64 / count as f64 - self.average / count as f64;
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:.3}/{}", self.min, self.average, self.max)
    }
}

#[derive(Debug, Default)]
struct Totals {
    count: i64,
    min: Spread,
    average: Spread,
    max: Spread,
    total: Spread,
}

impl Totals {
    fn add(&mut self, stats: &Stats) {
        self.count += 1;
        self.min.add(stats.min, self.count);
        self.average.add(stats.average as i64, self.count);
        self.max.add(stats.max, self.count);
        self.total.add(stats.total, self.count);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { count, min, average, max, total } = self;
        write!(f, "histogram series ({count} in total):\n- min populated: {min}\n")?;
        write!(f, "- avg populated: {average}\n- max populated: {max}")?;
        if max != total { write!(f, "\n- total: {total}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bucket(bound: f64, values: &[f64]) -> Bucket {
        let values = values.iter().enumerate().map(|(t, v)| (t.to_string(), *v)).collect();
        Bucket { bound, values }
    }

    #[test]
    fn classic_buckets_are_counted_by_what_they_add() {
        let buckets =
            vec![bucket(f64::INFINITY, &[3.0, 9.0]), bucket(1.0, &[0.0, 2.0]), bucket(5.0, &[3.0, 4.0])];
        let stats = of_classic(buckets).unwrap().unwrap();
        assert_eq!(stats, Stats { min: 1, average: 2.0, max: 3, total: 3 });
        assert_eq!(stats.to_string(), "1/2.000/3");
        assert!(of_classic(vec![bucket(1.0, &[1.0])]).unwrap().is_none());
        let shifted = Bucket { bound: 2.0, values: vec![("7".into(), 1.0), ("8".into(), 1.0)] };
        assert!(of_classic(vec![bucket(1.0, &[1.0, 1.0]), shifted]).is_err());
    }

    #[test]
    fn native_buckets_are_those_that_are_there() {
        let one = json!([1, { "buckets": [[0, "1", "2", "3"]] }]);
        let two = json!([2, { "buckets": [[0, "1", "2", "4"], [0, "2", "4", "1"]] }]);
        assert_eq!(of_native(&json!([one, two])).unwrap().to_string(), "1/1.500/2");
        assert!(of_native(&json!([one])).is_none());
    }
}
