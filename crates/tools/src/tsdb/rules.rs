//! `tsdb create-blocks-from rules`: what recording rules would have recorded, had they been there.
//!
//! A server that has the data is asked, rule by rule and window by window, at the very moments at which it
//! would have evaluated the group.

use std::path::{Path, PathBuf};

use ::rules::{Recording, RecordingGroup};
use blocks::BlockWriter;
use flags::{Flag, Flags};
use model::{Labels, TimestampMs};
use reqwest::Method;
use serde_json::Value;
use storage::metrics::SampleColumns;
use store_metrics::Store;

use super::export::{block_width, new_ulid};
use super::source::{open_store, say_how_to_unlock};
use crate::command::{Context, Failure, Usage, complain};
use crate::http::Server;
use crate::{check, times};

/// Points of one answer; servers refuse more than 11,000.
const POINTS_MAX: i64 = 10_000;

/// How far before now a backfill ends when nobody says otherwise: what is newer a server still has in memory.
const DISTANCE_SECONDS: f64 = 3.0 * 3600.0;

pub const USAGE: Usage = Usage {
    arguments: "<rule-files>...",
    count: (1, usize::MAX),
    flags: &[
        Flag::value("http.config.file", "", "HTTP client configuration file to connect to Prometheus."),
        Flag::value(
            "url",
            "http://localhost:9090",
            "The URL for the Prometheus API with the data where the rule will be backfilled from.",
        ),
        Flag::value(
            "start",
            "",
            "The time to start backfilling the new rule from. Must be a RFC3339 formatted date or Unix timestamp. \
             Required.",
        ),
        Flag::value("end", "", "Where to end; three hours ago. RFC3339 or Unix timestamp."),
        Flag::value("output-dir", "", "Write Prometheus blocks there instead of into the metrics store."),
        Flag::value("storage.tsdb.path", "", "The metrics store to import into; created when missing."),
        Flag::value("max-block-duration", "2h", "Longest block to write: 2h times a power of three."),
        Flag::value(
            "eval-interval",
            "60s",
            "How frequently to evaluate rules when backfilling if a value is not set in the recording rule files.",
        ),
        Flag::list("enable-feature", "Comma separated feature names to enable."),
    ],
    help: "\
Alerting rules are not evaluated. Rules that build upon each other need one run each. Without --output-dir
the samples go into the metrics store, whose service must be stopped; the server asked is another one, or the
same one read from a copy.

Example:
  cloudos-monitor tsdb create-blocks-from rules --start=2026-11-01T00:00:00Z --output-dir=/tmp/blocks rules.yml
",
    run,
};

fn run(flags: &Flags, args: &[String], context: &Context) -> Result<(), Failure> {
    if flags.get("start").is_empty() {
        return Err(Failure::new(
            "cloudos-monitor: error: required flag(s) '--start' not provided, try --help",
        ));
    }
    check::must_exist(args)?;
    let start = times::parse("start", flags.get("start"))?;
    let end = match flags.get("end") {
        "" => times::now() - DISTANCE_SECONDS,
        text => times::parse("end", text)?,
    };
    if start >= end {
        return Err(Failure::new("start time is not before end time"));
    }
    // Whole seconds, as in the original.
    let range = ((start.floor() * 1000.0) as TimestampMs, (end.floor() * 1000.0) as TimestampMs);
    let files: Vec<PathBuf> = args.iter().map(PathBuf::from).collect();
    let interval_ms = flags.duration_ms("eval-interval")?;
    let groups = RecordingGroup::load(&files, &check::reading(flags), interval_ms).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|e| format!("rule importer parse error: {e}")).collect();
        Failure::new(lines.join("\n"))
    })?;
    let server = Server::new(flags.get("url"), flags.get("http.config.file"))?;
    let mut sink = match flags.get("output-dir") {
        "" => Sink::Store(open_store(&store_path(flags, context)).map_err(say_how_to_unlock)?),
        dir => Sink::blocks(Path::new(dir), block_width(flags.duration_ms("max-block-duration")?)?)?,
    };
    let mut failed = false;
    for group in &groups {
        complain(&format!("processing group {}", group.key));
        for rule in &group.rules {
            complain(&format!("processing rule {}: {}", rule.at, rule.name));
            if let Err(e) = backfill(&server, group, rule, range, &mut sink) {
                complain(&format!("rule importer error: {}", e.message));
                failed = true;
            }
        }
    }
    if let Sink::Store(store) = sink {
        store.close()?;
    }
    if failed { Err(Failure::new("error importing rules")) } else { Ok(()) }
}

fn store_path(flags: &Flags, context: &Context) -> PathBuf {
    match flags.get("storage.tsdb.path") {
        "" => context.store.clone(),
        path => PathBuf::from(path),
    }
}

type Series = Vec<(Labels, SampleColumns)>;

/// Where samples go.
enum Sink {
    Store(Store),
    Blocks { dir: PathBuf, width: i64 },
}

impl Sink {
    fn blocks(dir: &Path, width: i64) -> Result<Sink, Failure> {
        std::fs::create_dir_all(dir).map_err(|e| Failure::new(format!("create output dir: {e}")))?;
        Ok(Sink::Blocks { dir: dir.to_owned(), width })
    }

    /// First and last moment of the window of a time.
    fn window(&self, t: TimestampMs) -> (TimestampMs, TimestampMs) {
        match self {
            Sink::Store(store) => store.importer().window(t),
            Sink::Blocks { width, .. } => {
                let first = t.div_euclid(*width) * width;
                (first, first + width - 1)
            }
        }
    }

    /// Writes the series of one window, sorted by labels.
    fn write(&mut self, first: TimestampMs, series: &Series) -> Result<(), Failure> {
        match self {
            Sink::Store(store) => {
                let mut window = store.importer().begin(first);
                for (labels, columns) in series {
                    window.add(labels, columns)?;
                }
                window.finish()?;
            }
            Sink::Blocks { dir, .. } => {
                let mut writer =
                    BlockWriter::create(dir, new_ulid(), series.iter().map(|(labels, _)| labels))?;
                for (labels, samples) in series {
                    writer.add(labels, samples)?;
                }
                writer.finish()?;
            }
        }
        Ok(())
    }
}

/// Evaluates one rule over the whole range.
fn backfill(
    server: &Server,
    group: &RecordingGroup,
    rule: &Recording,
    (start, end): (TimestampMs, TimestampMs),
    sink: &mut Sink,
) -> Result<(), Failure> {
    let mut from = start;
    while from <= end {
        let (first, last) = sink.window(from);
        let mut found: Series = Vec::new();
        let mut at = group.first_at(from.max(first));
        let until = last.min(end);
        while at <= until {
            let chunk_end = until.min(at.saturating_add((POINTS_MAX - 1) * group.interval_ms));
            merge(&mut found, query(server, rule, (at, chunk_end), group.interval_ms)?);
            let taken = (chunk_end - at) / group.interval_ms + 1;
            at += taken * group.interval_ms;
        }
        if !found.is_empty() {
            found.sort_by(|a, b| a.0.cmp(&b.0));
            sink.write(first, &found)?;
        }
        let Some(next) = last.checked_add(1) else { break };
        from = next;
    }
    Ok(())
}

fn query(
    server: &Server,
    rule: &Recording,
    (start, end): (TimestampMs, TimestampMs),
    step_ms: i64,
) -> Result<Series, Failure> {
    let seconds = |ms: i64| (ms as f64 / 1000.0).to_string();
    let (start, end, step) = (seconds(start), seconds(end), seconds(step_ms));
    let params = [
        ("query", rule.expr.as_str()),
        ("start", start.as_str()),
        ("end", end.as_str()),
        ("step", step.as_str()),
    ];
    let data = server
        .data(Method::POST, "/api/v1/query_range", &params)
        .map_err(|e| Failure::new(format!("query range: {}", e.message)))?;
    match data["resultType"].as_str() {
        Some("matrix") => Ok(read(rule, &data["result"])),
        other => Err(Failure::new(format!("rule result is wrong type {}", other.unwrap_or("none")))),
    }
}

/// The series of an answer under the labels they are recorded with. Native histograms are left out: an answer
/// does not hold all that there is to store of them.
fn read(rule: &Recording, result: &Value) -> Series {
    let mut out = Series::new();
    for series in result.as_array().into_iter().flatten() {
        let pairs = series["metric"].as_object().into_iter().flatten();
        let labels = Labels::from_pairs(pairs.map(|(n, v)| (n.as_str(), v.as_str().unwrap_or(""))));
        let mut columns = SampleColumns::default();
        for pair in series["values"].as_array().into_iter().flatten() {
            let value = pair[1].as_str().and_then(|text| text.parse::<f64>().ok());
            if let (Some(t), Some(v)) = (pair[0].as_f64(), value) {
                columns.float_times.push((t * 1000.0).round() as TimestampMs);
                columns.floats.push(v);
            }
        }
        if !columns.floats.is_empty() {
            merge(&mut out, vec![(rule.labels_of(&labels), columns)]);
        }
    }
    out
}

/// Adds later samples to series that are known. Of two results that are recorded under the same labels the
/// first stays.
fn merge(known: &mut Series, more: Series) {
    for (labels, columns) in more {
        match known.iter_mut().find(|(other, _)| *other == labels) {
            None => known.push((labels, columns)),
            Some((_, before)) => {
                let newest = before.float_times.last().copied().unwrap_or(TimestampMs::MIN);
                let later = columns.float_times.iter().zip(&columns.floats).filter(|(t, _)| **t > newest);
                for (t, v) in later {
                    before.float_times.push(*t);
                    before.floats.push(*v);
                }
            }
        }
    }
}
