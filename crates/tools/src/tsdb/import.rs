//! `tsdb import`: a Prometheus data directory into our store, window after window.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use blocks::Database;
use flags::{Flag, Flags};
use model::TimestampMs;
use store_metrics::Imported;

use super::source::{Kind, kind_of, no_database, open_store, parse_selectors, say_how_to_unlock};
use crate::command::{Context, Failure, Usage};
use crate::progress::{self, Progress};

/// Windows that are done, in the store's directory, until the import has ended.
const JOURNAL: &str = "import.journal";

pub const USAGE: Usage = Usage {
    arguments: "<prometheus data dir>",
    count: (1, 1),
    flags: &[
        Flag::value("storage.tsdb.path", "", "The metrics store to import into; created when missing."),
        Flag::list("match", "Series selector. Can be specified multiple times. Default: everything."),
        Flag::value(
            "min-time",
            "-9223372036854775808",
            "Oldest sample to import, in milliseconds since the Unix epoch.",
        ),
        Flag::value(
            "max-time",
            "9223372036854775807",
            "Newest sample to import, in milliseconds since the Unix epoch.",
        ),
    ],
    help: "\
Reads all blocks, deletions left out, and the head: write-ahead log, checkpoint, late samples, exemplars.
The source stays as it is. Stop Prometheus first, or import a snapshot of it; stop our Prometheus service,
too, for the store has one owner. An import that was interrupted goes on where it was when it is started
again. Samples that the store has already stay as they are. Data that is older than the retention of the
service goes when the service runs.

Examples:
  cloudos-monitor tsdb import /var/lib/prometheus
  cloudos-monitor tsdb import --storage.tsdb.path=/data/metrics --match='{job=\"node\"}' /var/lib/prometheus
",
    run,
};

fn run(flags: &Flags, args: &[String], context: &Context) -> Result<(), Failure> {
    let Some(from) = args.first().map(PathBuf::from) else { return Ok(()) };
    let to = match flags.get("storage.tsdb.path") {
        "" => context.store.clone(),
        path => PathBuf::from(path),
    };
    match kind_of(&from) {
        Some(Kind::Prometheus) => {}
        Some(Kind::Ours) => {
            return Err(Failure::new(format!(
                "{} is a metrics store, no Prometheus database",
                from.display()
            )));
        }
        None => return Err(no_database(&from)),
    }
    if kind_of(&to) == Some(Kind::Prometheus) {
        let to = to.display();
        return Err(Failure::new(format!(
            "{to} holds a Prometheus database: give another directory with --storage.tsdb.path"
        )));
    }
    let _guard = Database::lock(&from)?;
    let store = open_store(&to).map_err(say_how_to_unlock)?;
    let mut progress = Progress::new();
    let database = Database::open(&from, &mut |done, files| {
        progress.show(|| format!("reading the log: file {done} of {files}"));
    })?;
    for warning in &database.report().warnings {
        progress.line(&format!("warning: {warning}"));
    }
    let given = (flags.number("min-time")?, flags.number("max-time")?);
    let matchers = parse_selectors(flags.all("match"))?;
    let mut journal = Journal::open(&to, &from, flags)?;
    let import = Import { database: &database, matchers: &matchers, given };
    let total = import.run(&store, &mut journal, &mut progress)?;
    let wanted = |labels: &model::Labels| super::source::matches(&matchers, labels);
    let exemplars = database.head().exemplars().filter(|(labels, _)| wanted(labels));
    let exemplars = store.importer().exemplars(exemplars)?;
    store.close()?;
    journal.remove();
    progress.line(&format!(
        "imported {} samples in {} parts ({} on disk) and {exemplars} exemplars from {}",
        progress::count(total.samples),
        total.parts,
        progress::bytes(total.bytes),
        from.display()
    ));
    Ok(())
}

struct Import<'a> {
    database: &'a Database,
    matchers: &'a [Vec<model::Matcher>],
    given: (TimestampMs, TimestampMs),
}

impl Import<'_> {
    fn run(
        &self,
        store: &store_metrics::Store,
        journal: &mut Journal,
        progress: &mut Progress,
    ) -> Result<Imported, Failure> {
        let mut total = Imported::default();
        let Some((oldest, newest)) = self.database.time_range() else { return Ok(total) };
        let (oldest, newest) = (oldest.max(self.given.0), newest.min(self.given.1));
        let importer = store.importer();
        let mut t = oldest;
        while t <= newest {
            let (first, last) = importer.window(t);
            if !self.has_data(first, last) {
                // The next window with data, however far away.
                match self.next_data(last) {
                    Some(next) => t = next,
                    None => break,
                }
                continue;
            }
            if !journal.is_done(first) {
                let imported = self.window(store, (first.max(oldest), last.min(newest)), &total, progress)?;
                total.parts += imported.parts;
                total.series += imported.series;
                total.samples += imported.samples;
                total.bytes += imported.bytes;
                journal.done(first)?;
            }
            let Some(next) = last.checked_add(1) else { break };
            t = next;
        }
        Ok(total)
    }

    fn window(
        &self,
        store: &store_metrics::Store,
        (mint, maxt): (TimestampMs, TimestampMs),
        before: &Imported,
        progress: &mut Progress,
    ) -> Result<Imported, Failure> {
        let mut window = store.importer().begin(mint);
        let (mut series, mut samples) = (0u64, before.samples);
        let wanted = |labels: &model::Labels| super::source::matches(self.matchers, labels);
        self.database.walk::<Failure>(mint, maxt, &wanted, |labels, columns| {
            series += 1;
            samples += columns.len() as u64;
            progress.show(|| {
                format!(
                    "{}: {} series, {} samples so far",
                    progress::time(mint),
                    progress::count(series),
                    progress::count(samples)
                )
            });
            Ok(window.add(labels, columns)?)
        })?;
        Ok(window.finish()?)
    }

    fn ranges(&self) -> impl Iterator<Item = (TimestampMs, TimestampMs)> {
        let blocks = self.database.blocks().iter().map(|(_, meta)| (meta.min_time, meta.max_time - 1));
        blocks.chain(self.database.head().time_range())
    }

    fn has_data(&self, mint: TimestampMs, maxt: TimestampMs) -> bool {
        self.ranges().any(|(min, max)| min <= maxt && max >= mint)
    }

    /// The earliest start of something that begins after `t`.
    fn next_data(&self, t: TimestampMs) -> Option<TimestampMs> {
        self.ranges().map(|(min, _)| min).filter(|min| *min > t).min()
    }
}

/// Which windows are in the store. Lost with a crash, a window is imported twice, which changes nothing.
struct Journal {
    path: PathBuf,
    done: Vec<TimestampMs>,
}

impl Journal {
    /// Reads what an interrupted import of the same data has left.
    fn open(store: &Path, from: &Path, flags: &Flags) -> Result<Journal, Failure> {
        let path = store.join(JOURNAL);
        let from = fs::canonicalize(from)?;
        let matches = flags.all("match").join(" ");
        let (mint, maxt) = (flags.get("min-time"), flags.get("max-time"));
        let head = format!("{} {mint} {maxt} {matches}", from.display()).replace('\n', " ");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.lines();
        if lines.next() == Some(&head) {
            let done = lines.filter_map(|line| line.parse().ok()).collect();
            return Ok(Journal { path, done });
        }
        fs::write(&path, format!("{head}\n"))?;
        Ok(Journal { path, done: Vec::new() })
    }

    fn is_done(&self, window: TimestampMs) -> bool {
        self.done.contains(&window)
    }

    fn done(&mut self, window: TimestampMs) -> Result<(), Failure> {
        let mut file = fs::File::options().append(true).open(&self.path)?;
        writeln!(file, "{window}")?;
        self.done.push(window);
        Ok(())
    }

    fn remove(self) {
        let _ = fs::remove_file(self.path);
    }
}
