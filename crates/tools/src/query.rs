//! `query`: asks a server, prints what a person or (`-o json`) a program wants to read.

mod analyze;

use flags::{Flag, Flags};
use reqwest::Method;
use serde_json::Value;

use crate::command::{Action, Command, Context, Failure, Usage, say};
use crate::http::Server;

pub const COMMAND: Command = Command {
    name: "query",
    about: "Run query against a Prometheus server",
    action: Action::Group(&[
        Command { name: "instant", about: "Run instant query", action: Action::Run(&INSTANT) },
        Command { name: "range", about: "Run range query", action: Action::Run(&RANGE) },
        Command { name: "series", about: "Run series query", action: Action::Run(&SERIES) },
        Command { name: "labels", about: "Run labels query", action: Action::Run(&LABELS) },
        Command {
            name: "analyze",
            about: "Run queries against your Prometheus to analyze the usage pattern of certain metrics",
            action: Action::Run(&analyze::ANALYZE),
        },
    ]),
};

const FORMAT: Flag = Flag::value("format", "promql", "Output format of the query: promql or json.");
const SHORT_FORMAT: Flag = Flag::value("o", "", "Short for --format.");
const CLIENT: Flag =
    Flag::value("http.config.file", "", "HTTP client configuration file to connect to Prometheus.");

const INSTANT: Usage = Usage {
    arguments: "<server> <expr>",
    count: (2, 2),
    flags: &[
        FORMAT,
        SHORT_FORMAT,
        CLIENT,
        Flag::value("time", "", "Query evaluation time (RFC3339 or Unix timestamp)."),
    ],
    help: "\
Example:
  cloudos-monitor query instant http://localhost:9090 'sum by (job) (up)'
",
    run: instant,
};

const RANGE: Usage = Usage {
    arguments: "<server> <expr>",
    count: (2, 2),
    flags: &[
        FORMAT,
        SHORT_FORMAT,
        CLIENT,
        Flag::list("header", "Extra headers to send to server: name=value."),
        Flag::value(
            "start",
            "",
            "Query range start time (RFC3339 or Unix timestamp); five minutes before the end.",
        ),
        Flag::value("end", "", "Query range end time (RFC3339 or Unix timestamp); now."),
        Flag::value("step", "", "Query step size (duration); fits 250 steps into the range."),
    ],
    help: "\
Example:
  cloudos-monitor query range --step 1m http://localhost:9090 'rate(node_cpu_seconds_total[5m])'
",
    run: range,
};

const SERIES: Usage = Usage {
    arguments: "<server>",
    count: (1, 1),
    flags: &[
        FORMAT,
        SHORT_FORMAT,
        CLIENT,
        Flag::list("match", "Series selector. Can be specified multiple times."),
        Flag::value("start", "", "Start time (RFC3339 or Unix timestamp)."),
        Flag::value("end", "", "End time (RFC3339 or Unix timestamp)."),
    ],
    help: "\
Example:
  cloudos-monitor query series --match 'up{job=\"node\"}' http://localhost:9090
",
    run: series,
};

const LABELS: Usage = Usage {
    arguments: "<server> <name>",
    count: (2, 2),
    flags: &[
        FORMAT,
        SHORT_FORMAT,
        CLIENT,
        Flag::list("match", "Series selector. Can be specified multiple times."),
        Flag::value("start", "", "Start time (RFC3339 or Unix timestamp)."),
        Flag::value("end", "", "End time (RFC3339 or Unix timestamp)."),
    ],
    help: "\
Example:
  cloudos-monitor query labels http://localhost:9090 job
",
    run: labels,
};

fn json_wanted(flags: &Flags) -> Result<bool, Failure> {
    let short = flags.get("o");
    match if short.is_empty() { flags.get("format") } else { short } {
        "promql" => Ok(false),
        "json" => Ok(true),
        other => Err(Failure::new(format!(
            "error: enum value must be one of promql,json, got '{other}', try --help"
        ))),
    }
}

fn server(flags: &Flags, args: &[String]) -> Result<Server, Failure> {
    Server::new(args.first().map_or("", String::as_str), flags.get("http.config.file"))
}

fn instant(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    let expr = args.get(1).map_or("", String::as_str);
    let mut params = vec![("query", expr)];
    if !flags.get("time").is_empty() {
        params.push(("time", flags.get("time")));
    }
    let data = server(flags, args)?.api(Method::POST, "/api/v1/query", &params)?;
    show(&data, json_wanted(flags)?)
}

fn range(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    let expr = args.get(1).map_or("", String::as_str);
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0.0, |d| d.as_secs_f64());
    let time = |name: &str, otherwise: f64| -> Result<f64, Failure> {
        let text = flags.get(name);
        if text.is_empty() {
            return Ok(otherwise);
        }
        crate::times::parse(name, text)
    };
    let end = time("end", now)?;
    let start = time("start", end - 300.0)?;
    if start >= end {
        return Err(Failure::new("start time is not before end time"));
    }
    let step = match flags.get("step") {
        "" => ((end - start) / 250.0).floor().max(1.0).to_string(),
        text => text.to_owned(),
    };
    let (start, end) = (start.to_string(), end.to_string());
    let params = [("query", expr), ("start", start.as_str()), ("end", end.as_str()), ("step", step.as_str())];
    let data = server(flags, args)?.api(Method::POST, "/api/v1/query_range", &params)?;
    show(&data, json_wanted(flags)?)
}

/// The parameters that say which series and when.
fn selection(flags: &Flags) -> Vec<(&str, &str)> {
    let mut params: Vec<(&str, &str)> = flags.all("match").iter().map(|m| ("match[]", m.as_str())).collect();
    params.extend(
        ["start", "end"].into_iter().map(|name| (name, flags.get(name))).filter(|(_, v)| !v.is_empty()),
    );
    params
}

fn series(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    if flags.all("match").is_empty() {
        return Err(Failure::new("error: required flag --match not provided, try --help"));
    }
    let data = server(flags, args)?.api(Method::GET, "/api/v1/series", &selection(flags))?;
    if json_wanted(flags)? {
        return say(&format!("{data}\n"));
    }
    for metric in data.as_array().into_iter().flatten() {
        say(&format!("{}\n", metric_text(metric)))?;
    }
    Ok(())
}

fn labels(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    let path = format!("/api/v1/label/{}/values", args.get(1).map_or("", String::as_str));
    let data = server(flags, args)?.api(Method::GET, &path, &selection(flags))?;
    if json_wanted(flags)? {
        return say(&format!("{data}\n"));
    }
    for value in data.as_array().into_iter().flatten().filter_map(Value::as_str) {
        say(&format!("{value}\n"))?;
    }
    Ok(())
}

fn show(data: &Value, json: bool) -> Result<(), Failure> {
    let result = data.get("result").unwrap_or(&Value::Null);
    if json {
        return say(&format!("{result}\n"));
    }
    let mut lines = Vec::new();
    match data.get("resultType").and_then(Value::as_str) {
        Some("scalar") => lines.push(format!("scalar: {}", sample(result))),
        Some("string") => lines.push(result.get(1).and_then(Value::as_str).unwrap_or("").to_owned()),
        Some("vector") => {
            for series in result.as_array().into_iter().flatten() {
                let value =
                    series.get("value").map(sample).or_else(|| series.get("histogram").map(histogram));
                lines.push(format!("{} => {}", metric_text(&series["metric"]), value.unwrap_or_default()));
            }
        }
        _ => {
            for series in result.as_array().into_iter().flatten() {
                lines.push(format!("{} =>", metric_text(&series["metric"])));
                let list =
                    |name: &str| series.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
                lines.extend(list("values").iter().map(sample));
                lines.extend(list("histograms").iter().map(histogram));
            }
        }
    }
    say(&format!("{}\n", lines.join("\n")))
}

/// `value @[time]` of a pair.
fn sample(pair: &Value) -> String {
    let value = pair.get(1).and_then(Value::as_str).unwrap_or("");
    format!("{value} @[{}]", pair.get(0).unwrap_or(&Value::Null))
}

fn histogram(pair: &Value) -> String {
    let h = pair.get(1).unwrap_or(&Value::Null);
    let text = |name: &str| h.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let bucket = |b: &Value| {
        let part = |i: usize| b.get(i).and_then(Value::as_str).unwrap_or("").to_owned();
        let (open, close) = match b.get(0).and_then(Value::as_i64) {
            Some(1) => ('[', ')'),
            Some(2) => ('(', ')'),
            Some(3) => ('[', ']'),
            _ => ('(', ']'),
        };
        format!("{open}{},{}{close}:{}", part(1), part(2), part(3))
    };
    let buckets: Vec<String> =
        h.get("buckets").and_then(Value::as_array).into_iter().flatten().map(bucket).collect();
    let time = pair.get(0).unwrap_or(&Value::Null);
    format!("Count: {}, Sum: {}, Buckets: [{}] @[{time}]", text("count"), text("sum"), buckets.join(" "))
}

/// A label set as PromQL writes it.
fn metric_text(metric: &Value) -> String {
    let pairs: Vec<(&str, &str)> = metric
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or("")))
        .collect();
    let text = model::Labels::from_pairs(pairs).to_string();
    if text.is_empty() { "{}".into() } else { text }
}
