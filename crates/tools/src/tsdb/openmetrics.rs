//! `tsdb create-blocks-from openmetrics`: samples of the past from text.
//!
//! The text is read in passes: the first counts the samples of each window, every further one keeps the
//! windows that fit into memory together and writes them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use blocks::BlockWriter;
use expfmt::parse::{Dialect, Event, Parser};
use flags::{Flag, Flags};
use model::{Labels, LabelsBuilder, TimestampMs};
use storage::metrics::SampleColumns;

use super::export::{block_width, new_ulid};
use super::source::{open_store, say_how_to_unlock};
use super::table::{render, size_of};
use crate::command::{Context, Failure, Usage, say};
use crate::progress::{self, Progress};

/// Samples kept at once, 16 bytes each.
const SAMPLES_MAX: u64 = 16 << 20;

pub const USAGE: Usage = Usage {
    arguments: "<input file> [<output directory>]",
    count: (1, 2),
    flags: &[
        Flag::value("storage.tsdb.path", "", "The metrics store to import into; created when missing."),
        Flag::value("max-block-duration", "2h", "Longest block to write: 2h times a power of three."),
        Flag::list(
            "label",
            "Label to attach to metrics. Can be specified multiple times. Example --label=label_name=label_value",
        ),
        Flag::switch("human-readable", false, "Print human readable values."),
        Flag::switch("r", false, "Short for --human-readable."),
        Flag::switch("quiet", false, "Do not print created blocks."),
        Flag::switch("q", false, "Short for --quiet."),
    ],
    help: "\
Every sample needs a timestamp. Without an output directory the samples go into the metrics store, whose
service must be stopped; with one, Prometheus blocks are written there.

Examples:
  cloudos-monitor tsdb create-blocks-from openmetrics history.om
  cloudos-monitor tsdb create-blocks-from openmetrics --label=dc=eu history.om /tmp/blocks
",
    run,
};

fn run(flags: &Flags, args: &[String], context: &Context) -> Result<(), Failure> {
    let Some(input) = args.first() else { return Ok(()) };
    let text = std::fs::read(input).map_err(|e| Failure::new(format!("{input}: {e}")))?;
    let extra = extra_labels(flags.all("label"))?;
    let reader = Reader { text: &text, extra: &extra };
    match args.get(1) {
        Some(out) => {
            let width = block_width(flags.duration_ms("max-block-duration")?)?;
            let rows = to_blocks(&reader, Path::new(out), width)?;
            let human = flags.is_on("human-readable") || flags.is_on("r");
            match flags.is_on("quiet") || flags.is_on("q") {
                true => Ok(()),
                false => say(&render(&rows, human, true)),
            }
        }
        None => {
            let to = match flags.get("storage.tsdb.path") {
                "" => context.store.clone(),
                path => PathBuf::from(path),
            };
            to_store(&reader, &to)
        }
    }
}

fn extra_labels(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let parse = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::new(format!("error: expected KEY=VALUE got '{text}'"))),
    };
    given.iter().map(parse).collect()
}

fn to_blocks(reader: &Reader, out: &Path, width: i64) -> Result<Vec<super::table::Row>, Failure> {
    std::fs::create_dir_all(out).map_err(|e| Failure::new(format!("create output dir: {e}")))?;
    let mut rows = Vec::new();
    reader.for_each_window(&|t| (t.div_euclid(width) * width, width), |_, series| {
        let mut writer = BlockWriter::create(out, new_ulid(), series.iter().map(|(labels, _)| labels))?;
        for (labels, samples) in series {
            writer.add(labels, samples)?;
        }
        if let Some(meta) = writer.finish()? {
            let size = size_of(&out.join(&meta.ulid));
            rows.push((meta, size));
        }
        Ok(())
    })?;
    Ok(rows)
}

fn to_store(reader: &Reader, to: &Path) -> Result<(), Failure> {
    let store = open_store(to).map_err(say_how_to_unlock)?;
    let importer = store.importer();
    let (mut samples, mut parts) = (0, 0);
    let window_of = |t| {
        let (first, last) = importer.window(t);
        (first, last - first + 1)
    };
    reader.for_each_window(&window_of, |first, series| {
        let mut window = importer.begin(first);
        for (labels, columns) in series {
            window.add(labels, columns)?;
        }
        let imported = window.finish()?;
        samples += imported.samples;
        parts += imported.parts;
        Ok(())
    })?;
    store.close()?;
    Progress::new().line(&format!("imported {} samples in {parts} parts", progress::count(samples)));
    Ok(())
}

struct Reader<'a> {
    text: &'a [u8],
    extra: &'a [(String, String)],
}

type Series = [(Labels, SampleColumns)];

impl Reader<'_> {
    /// Shows the samples window by window, series in the order of labels. `window_of` gives the start and
    /// the length of the window of a time.
    fn for_each_window(
        &self,
        window_of: &dyn Fn(TimestampMs) -> (TimestampMs, i64),
        mut visit: impl FnMut(TimestampMs, &Series) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut counts: BTreeMap<TimestampMs, u64> = BTreeMap::new();
        self.read(|_, t, _| *counts.entry(window_of(t).0).or_default() += 1)
            .map_err(|failure| Failure::new(format!("getting min and max timestamp: {failure}")))?;
        let windows: Vec<(TimestampMs, u64)> = counts.into_iter().collect();
        let mut at = 0;
        while at < windows.len() {
            let (from, mut total) = (at, 0);
            while at < windows.len() && (at == from || total + windows[at].1 <= SAMPLES_MAX) {
                total += windows[at].1;
                at += 1;
            }
            let (first, last) = (windows[from].0, windows[at - 1].0);
            let mut kept: BTreeMap<TimestampMs, HashMap<Labels, Vec<(TimestampMs, f64)>>> = BTreeMap::new();
            self.read(|labels, t, value| {
                let start = window_of(t).0;
                if (first..=last).contains(&start) {
                    let series = kept.entry(start).or_default();
                    match series.get_mut(labels) {
                        Some(samples) => samples.push((t, value)),
                        None => {
                            series.insert(labels.clone(), vec![(t, value)]);
                        }
                    }
                }
            })?;
            for (start, series) in kept {
                let mut series: Vec<(Labels, SampleColumns)> =
                    series.into_iter().map(|(labels, samples)| (labels, columns(samples))).collect();
                series.sort_by(|a, b| a.0.cmp(&b.0));
                visit(start, &series)?;
            }
        }
        Ok(())
    }

    fn read(&self, mut visit: impl FnMut(&Labels, TimestampMs, f64)) -> Result<(), Failure> {
        let mut parser = Parser::new(self.text, Dialect::OpenMetrics);
        let mut known: HashMap<&[u8], Labels> = HashMap::new();
        let failed = |e: expfmt::parse::ParseError| Failure::new(format!("next: {e}"));
        while let Some(event) = parser.next().map_err(failed)? {
            let Event::Series(series) = event else { continue };
            if !known.contains_key(series.raw) {
                let mut builder = LabelsBuilder::default();
                for (name, value) in series.pairs().map_err(failed)? {
                    builder.set(name, value);
                }
                for (name, value) in self.extra {
                    builder.set(name, value);
                }
                known.insert(series.raw, builder.build());
            }
            let Some(labels) = known.get(series.raw) else { continue };
            let Some(t) = series.timestamp else {
                return Err(Failure::new("expected timestamp for series got none"));
            };
            visit(labels, t, series.value);
        }
        Ok(())
    }
}

/// Samples in the order of time; of two with one time the first stays.
fn columns(mut samples: Vec<(TimestampMs, f64)>) -> SampleColumns {
    samples.sort_by_key(|(t, _)| *t);
    samples.dedup_by_key(|(t, _)| *t);
    let (float_times, floats) = samples.into_iter().unzip();
    SampleColumns { float_times, floats, ..SampleColumns::default() }
}
