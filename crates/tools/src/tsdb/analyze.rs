//! `tsdb analyze`: which labels make a block large and which come and go, in promtool's words.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::path::Path;

use blocks::chunk::Encoding;
use blocks::{Block, Meta, SeriesEntry, blocks_in};
use flags::{Flag, Flags};
use model::{METRIC_NAME, Matcher};

use super::source::{Kind, kind_of, matches, no_database, parse_selectors};
use super::table::go_duration;
use crate::command::{Context, Failure, Usage, say};

pub const USAGE: Usage = Usage {
    arguments: "[<db path>] [<block id>]",
    count: (0, 2),
    flags: &[
        Flag::value("limit", "20", "How many items to show in each list."),
        Flag::switch("extended", false, "Run extended analysis."),
        Flag::value("match", "", "Series selector to analyze. Only 1 set of matchers is supported now."),
    ],
    help: "\
Looks at one block of a Prometheus data directory, by default the newest. For the metrics store of a running
service the page /tsdb-status shows the same; `tsdb export` makes blocks of it.

Example:
  cloudos-monitor tsdb analyze --limit=10 /var/lib/prometheus
",
    run,
};

fn run(flags: &Flags, args: &[String], context: &Context) -> Result<(), Failure> {
    let dir = args.first().map_or(context.store.as_path(), Path::new);
    let limit: usize = flags.number("limit")?;
    let selector = flags.get("match");
    let matchers = match selector {
        "" => Vec::new(),
        text => parse_selectors(&[text.to_owned()])?,
    };
    match kind_of(dir) {
        Some(Kind::Prometheus) => {}
        Some(Kind::Ours) => {
            return Err(Failure::new(format!(
                "{} is a metrics store, which has no blocks: see /tsdb-status, or analyze what \
                 `tsdb export` writes",
                dir.display()
            )));
        }
        None => return Err(no_database(dir)),
    }
    let blocks = blocks_in(dir)?;
    let wanted = args.get(1).map(String::as_str);
    let found = match wanted {
        Some(id) => blocks.iter().find(|(_, meta)| meta.ulid == id),
        None => blocks.last(),
    };
    let Some((path, _)) = found else {
        return Err(Failure::new(match wanted {
            Some(id) => format!("block {id} not found"),
            None => "no blocks found".to_owned(),
        }));
    };
    let block = Block::open(path)?;
    let mut out = head(block.meta(), selector);
    let mut usage = LabelUsage::default();
    for series in block.series() {
        let series = series?;
        if matches(&matchers, &series.labels) {
            usage.add(&series, block.meta());
        }
    }
    usage.describe(&mut out, !matchers.is_empty(), limit, block.meta());
    if flags.is_on("extended") {
        describe_chunks(&block, &matchers, &mut out)?;
    }
    say(&out)
}

fn head(meta: &Meta, selector: &str) -> String {
    let mut out = format!(
        "Block ID: {}\nDuration: {}\nTotal Series: {}\n",
        meta.ulid,
        go_duration(meta.max_time - meta.min_time),
        meta.stats.num_series
    );
    if !selector.is_empty() {
        let _ = writeln!(out, "Matcher: {selector}");
    }
    out
}

#[derive(Default)]
struct LabelUsage {
    series: u64,
    entries: u64,
    /// Milliseconds of the block's range that series with a label do not cover.
    uncovered_by_name: HashMap<String, u64>,
    uncovered_by_pair: HashMap<String, u64>,
    count_by_pair: HashMap<String, u64>,
    values: BTreeMap<String, BTreeSet<String>>,
    series_by_metric: HashMap<String, u64>,
}

impl LabelUsage {
    fn add(&mut self, series: &SeriesEntry, meta: &Meta) {
        let covered = match (series.chunks.first(), series.chunks.last()) {
            (Some(first), Some(last)) => last.max_t.wrapping_sub(first.min_t) as u64,
            _ => 0,
        };
        let uncovered = (meta.max_time.wrapping_sub(meta.min_time) as u64).wrapping_sub(covered);
        self.series += 1;
        for (name, value) in &series.labels {
            let pair = format!("{name}={value}");
            let by_name = self.uncovered_by_name.entry(name.to_owned()).or_default();
            *by_name = by_name.wrapping_add(uncovered);
            let by_pair = self.uncovered_by_pair.entry(pair.clone()).or_default();
            *by_pair = by_pair.wrapping_add(uncovered);
            *self.count_by_pair.entry(pair).or_default() += 1;
            self.entries += 1;
            self.values.entry(name.to_owned()).or_default().insert(value.to_owned());
        }
        if series.labels.has(METRIC_NAME) {
            *self.series_by_metric.entry(series.labels.metric_name().to_owned()).or_default() += 1;
        }
    }

    fn describe(self, out: &mut String, selected: bool, limit: usize, meta: &Meta) {
        let _ = writeln!(out, "Label names: {}", self.values.len());
        if selected {
            let _ = writeln!(out, "Matched series: {}", self.series);
        }
        let _ = writeln!(out, "Postings (unique label pairs): {}", self.uncovered_by_pair.len());
        let _ = writeln!(out, "Postings entries (total label pairs): {}", self.entries);
        let range = meta.max_time.wrapping_sub(meta.min_time) as u64 as f64;
        let share = |(key, ms): (String, u64)| (key, (ms as f64 / range) as u64);
        let lengths: Vec<(String, u64)> = self
            .values
            .iter()
            .map(|(name, values)| (name.clone(), values.iter().map(|value| value.len() as u64).sum()))
            .collect();
        let cardinality: Vec<(String, u64)> =
            self.values.iter().map(|(name, values)| (name.clone(), values.len() as u64)).collect();
        let mut list = |title: &str, items: Vec<(String, u64)>| describe_list(out, title, items, limit);
        list(
            "Label pairs most involved in churning",
            self.uncovered_by_pair.into_iter().map(share).collect(),
        );
        list(
            "Label names most involved in churning",
            self.uncovered_by_name.into_iter().map(share).collect(),
        );
        list("Most common label pairs", self.count_by_pair.into_iter().collect());
        list("Label names with highest cumulative label value length", lengths);
        list("Highest cardinality labels", cardinality);
        list("Highest cardinality metric names", self.series_by_metric.into_iter().collect());
    }
}

/// Largest first; equal ones, whose order is chance in the original, by name.
fn describe_list(out: &mut String, title: &str, mut items: Vec<(String, u64)>, limit: usize) {
    items.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let _ = writeln!(out, "\n{title}:");
    for (key, n) in items.into_iter().take(limit) {
        let _ = writeln!(out, "{n} {key}");
    }
}

fn describe_chunks(block: &Block, matchers: &[Vec<Matcher>], out: &mut String) -> Result<(), Failure> {
    let mut total = 0;
    let (mut float_samples, mut float_bytes) = (Vec::new(), Vec::new());
    let (mut histogram_samples, mut histogram_bytes, mut buckets) = (Vec::new(), Vec::new(), Vec::new());
    for series in block.series() {
        let series = series?;
        if !matches(matchers, &series.labels) {
            continue;
        }
        for chunk in &series.chunks {
            let (encoding, samples, bytes) = block.chunk_size(chunk)?;
            total += 1;
            if matches!(encoding, Encoding::Xor | Encoding::Xor2) {
                float_samples.push(samples);
                float_bytes.push(bytes);
                continue;
            }
            histogram_samples.push(samples);
            histogram_bytes.push(bytes);
            let columns = block.chunk(chunk)?;
            let count = |h: &model::FloatHistogram| h.positive_buckets.len() + h.negative_buckets.len();
            buckets.push(columns.histograms.iter().map(|(_, h)| count(h)).sum());
        }
    }
    out.push_str("\nCompaction analysis:\n\n");
    describe_distribution(out, "samples per float chunk", float_samples, total);
    describe_distribution(out, "bytes per float chunk", float_bytes, total);
    describe_distribution(out, "samples per histogram chunk", histogram_samples, total);
    describe_distribution(out, "bytes per histogram chunk", histogram_bytes, total);
    describe_distribution(out, "buckets per histogram chunk", buckets, total);
    Ok(())
}

fn describe_distribution(out: &mut String, what: &str, mut values: Vec<usize>, total: usize) {
    values.sort_unstable();
    let (Some(&min), Some(&max)) = (values.first(), values.last()) else {
        let _ = writeln!(out, "{what}: N/A\n");
        return;
    };
    let mut step = 10;
    while step < (max - min) / 10 && step <= 10_000 {
        step *= 10;
    }
    let (start, end) = (min - min % step, max - max % step + step);
    let mut counts = vec![0usize; (end - start) / step + 1];
    for value in &values {
        counts[(value - start) / step] += 1;
    }
    let average = values.iter().sum::<usize>() / values.len();
    let _ = writeln!(out, "{what} (min/avg/max): {min}/{average}/{max}");
    let width = |n: usize| n.to_string().len();
    let count_width = width(counts.iter().copied().max().unwrap_or(0));
    for (bucket, count) in counts.iter().enumerate() {
        let _ = writeln!(
            out,
            "[{:left$}, {:right$}]: {count:count_width$} {}",
            bucket * step + start + 1,
            (bucket + 1) * step + start,
            "#".repeat(100 * count / total.max(1)),
            left = width(end),
            right = width(end + step),
        );
    }
    out.push('\n');
}
