//! `tsdb export`: our store as Prometheus blocks.

use std::path::{Path, PathBuf};

use blocks::{BlockWriter, Meta};
use flags::{Flag, Flags};
use model::{Matcher, TimestampMs};
use storage::metrics::{MetricsStore, SampleColumns};
use store_metrics::Store;

use super::source::{Kind, kind_of, no_database, open_store, parse_selectors, say_how_to_unlock};
use super::table::{render, size_of};
use crate::command::{Context, Failure, Usage, say};
use crate::progress::{self, Progress};

/// The shortest block Prometheus makes; longer ones are three, nine… times as long.
const BLOCK_MS: i64 = 2 * 3_600_000;

pub const USAGE: Usage = Usage {
    arguments: "<output directory>",
    count: (1, 1),
    flags: &[
        Flag::value("storage.tsdb.path", "", "The metrics store to export."),
        Flag::list("match", "Series selector. Can be specified multiple times. Default: everything."),
        Flag::value(
            "min-time",
            "-9223372036854775808",
            "Oldest sample to export, in milliseconds since the Unix epoch.",
        ),
        Flag::value(
            "max-time",
            "9223372036854775807",
            "Newest sample to export, in milliseconds since the Unix epoch.",
        ),
        Flag::value(
            "max-block-duration",
            "18h",
            "Longest block: 2h times a power of three, as Prometheus aligns blocks.",
        ),
        Flag::switch("human-readable", false, "Print human readable values."),
        Flag::switch("r", false, "Short for --human-readable."),
        Flag::switch("quiet", false, "Do not print created blocks."),
        Flag::switch("q", false, "Short for --quiet."),
    ],
    help: "\
The blocks are what Prometheus itself would write: put them into the data directory of a Prometheus that is
stopped, or read them with promtool. Exemplars are no part of blocks.

Examples:
  cloudos-monitor tsdb export /tmp/blocks
  cloudos-monitor tsdb export --match='{job=\"node\"}' --min-time=1700000000000 /tmp/blocks
",
    run,
};

fn run(flags: &Flags, args: &[String], context: &Context) -> Result<(), Failure> {
    let Some(out) = args.first().map(PathBuf::from) else { return Ok(()) };
    let from = match flags.get("storage.tsdb.path") {
        "" => context.store.clone(),
        path => PathBuf::from(path),
    };
    if kind_of(&from) != Some(Kind::Ours) {
        return Err(no_database(&from));
    }
    let width = block_width(flags.duration_ms("max-block-duration")?)?;
    let matchers = parse_selectors(flags.all("match"))?;
    let store = open_store(&from).map_err(say_how_to_unlock)?;
    let Some((oldest, newest)) = store.time_range() else {
        return Err(Failure::new(format!("{}: nothing is stored", from.display())));
    };
    let given: (TimestampMs, TimestampMs) = (flags.number("min-time")?, flags.number("max-time")?);
    let (oldest, newest) = (oldest.max(given.0), newest.min(given.1));
    std::fs::create_dir_all(&out)?;
    let mut progress = Progress::new();
    let mut rows = Vec::new();
    let mut start = oldest.div_euclid(width) * width;
    while start <= newest {
        let range = (start.max(oldest), (start + width - 1).min(newest));
        if let Some(meta) = write_block(&store, &out, range, &matchers, &mut progress)? {
            let size = size_of(&out.join(&meta.ulid));
            rows.push((meta, size));
        }
        start += width;
    }
    match flags.is_on("quiet") || flags.is_on("q") {
        true => Ok(()),
        false => say(&render(&rows, flags.is_on("human-readable") || flags.is_on("r"), true)),
    }
}

/// Checks that a width is one that Prometheus has.
pub fn block_width(ms: i64) -> Result<i64, Failure> {
    let mut width = BLOCK_MS;
    while width < ms {
        width *= 3;
    }
    match width == ms {
        true => Ok(width),
        false => Err(Failure::new(
            "error: the longest block must be 2h times a power of three: 2h, 6h, 18h, 54h, …",
        )),
    }
}

fn write_block(
    store: &Store,
    out: &Path,
    (mint, maxt): (TimestampMs, TimestampMs),
    matchers: &[Vec<Matcher>],
    progress: &mut Progress,
) -> Result<Option<Meta>, Failure> {
    let querier = store.querier(mint, maxt)?;
    let mut handles = Vec::new();
    if matchers.is_empty() {
        handles = querier.select(&[])?;
    }
    for set in matchers {
        handles.extend(querier.select(set)?);
    }
    handles.sort_by(|a, b| a.labels.cmp(&b.labels));
    handles.dedup_by(|a, b| a.labels == b.labels);
    if handles.is_empty() {
        return Ok(None);
    }
    let labels = handles.iter().map(|handle| &handle.labels);
    let mut writer = BlockWriter::create(out, new_ulid(), labels)?;
    let mut columns = SampleColumns::default();
    for (done, handle) in handles.iter().enumerate() {
        querier.read(handle, mint, maxt, &mut columns)?;
        writer.add(&handle.labels, &columns)?;
        progress.show(|| {
            let (done, all) = (progress::count(done as u64), progress::count(handles.len() as u64));
            format!("{}: {done} of {all} series", progress::time(mint))
        });
    }
    Ok(writer.finish()?)
}

/// A new block's name.
pub fn new_ulid() -> String {
    use std::hash::{BuildHasher, RandomState};
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // The standard library's hash keys are random and new with each state.
    let random = || u128::from(RandomState::new().hash_one(now));
    blocks::ulid(now.as_millis() as i64, random() << 64 | random())
}
