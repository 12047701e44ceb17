//! `tsdb bench write`: how fast the store takes samples, in promtool's stages.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flags::{Flag, Flags};
use model::{Labels, Value};
use storage::metrics::{MetricsStore, SeriesRef};
use store_metrics::Store;

use super::source::open_store;
use crate::command::{Context, Failure, Usage, say};

/// Between two scrapes, as in the original.
const INTERVAL_MS: i64 = 30_000;
/// Series of one scrape.
const BATCH: usize = 1000;

pub const USAGE: Usage = Usage {
    arguments: "<file>",
    count: (1, 1),
    flags: &[
        Flag::value("out", "benchout", "Set the output path."),
        Flag::value("metrics", "10000", "Number of metrics to read."),
        Flag::value("scrapes", "3000", "Number of scrapes to simulate."),
    ],
    help: "\
The file has one series per line: {\"__name__\":\"up\",\"job\":\"a\"}. The store is made below the output path,
which must not exist yet, and stays there.

Example:
  cloudos-monitor tsdb dump --format=seriesjson > series.json
  cloudos-monitor tsdb bench write --metrics=20000 --scrapes=100 series.json
",
    run,
};

fn run(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    let Some(file) = args.first().map(Path::new) else { return Ok(()) };
    let (metrics, scrapes): (usize, i64) = (flags.number("metrics")?, flags.number("scrapes")?);
    let out = PathBuf::from(flags.get("out"));
    if out.exists() {
        return Err(Failure::new(format!("{} exists already", out.display())));
    }
    let series = stage("readData", || read_series(file, metrics))?.0;
    let store = open_store(&out.join("storage"))?;
    let (total, took) = stage("ingestScrapes", || ingest(&store, &series, scrapes))?;
    let rate = total as f64 / took.as_secs_f64().max(1e-9);
    say(&format!(" > total samples: {total}\n > samples/sec: {}\n", model::float::format_f(rate.round())))?;
    stage("stopStorage", || Ok(store.close()?))?;
    Ok(())
}

fn stage<T>(name: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<(T, Duration), Failure> {
    say(&format!(">> start stage={name}\n"))?;
    let start = Instant::now();
    let result = work()?;
    let took = start.elapsed();
    say(&format!(">> completed stage={name} duration={took:.3?}\n"))?;
    Ok((result, took))
}

fn read_series(file: &Path, limit: usize) -> Result<Vec<Labels>, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::new(format!("{}: {e}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|e| failed(&e))?;
    let mut seen = HashSet::new();
    let mut series = Vec::new();
    for line in text.lines().take(limit) {
        // Not quite JSON: the original strips the marks and splits.
        let plain = line.replace(['"', '{', '}'], "");
        let pairs: Option<Vec<(&str, &str)>> = plain.split(',').map(|pair| pair.split_once(':')).collect();
        let pairs = pairs.ok_or_else(|| failed(&format!("no label pairs: {line}")))?;
        let labels = Labels::from_pairs(pairs);
        if seen.insert(labels.clone()) {
            series.push(labels);
        }
    }
    Ok(series)
}

/// Scrape after scrape, each a batch of its own. Returns the number of samples.
fn ingest(store: &Store, series: &[Labels], scrapes: i64) -> Result<u64, Failure> {
    let mut known: Vec<Option<SeriesRef>> = vec![None; series.len()];
    let mut total = 0;
    for scrape in 1..=scrapes {
        let (t, value) = (scrape * INTERVAL_MS, (123_456_789 + 1000 * scrape) as f64);
        for (series, known) in series.chunks(BATCH).zip(known.chunks_mut(BATCH)) {
            let mut appender = store.appender();
            for (labels, known) in series.iter().zip(known) {
                *known = Some(appender.append(*known, labels, t, Value::Float(value))?);
                total += 1;
            }
            appender.commit()?;
        }
    }
    Ok(total)
}
