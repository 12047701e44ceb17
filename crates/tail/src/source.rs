//! A source: a followed file or a journal, its pipeline, and what is known of its position.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use model::TimestampNs;

use crate::batch::Batch;
use crate::entry::Entry;
use crate::file::{FollowedFile, Line, Places, ReadEnd};
use crate::journal::Cursors;
use crate::metrics::Metrics;
use crate::positions::Position;
use crate::stages::{Context, Pipeline, now_ns};

/// Cuts a text to at most `max` bytes, between characters.
pub(crate) fn truncate(text: &mut String, max: usize) {
    if text.len() > max {
        let mut end = max;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

/// What all sources put their lines into.
pub(crate) struct Intake {
    pub batch: Batch,
    pub metrics: Arc<Metrics>,
    /// Cut lines are sent as far as they go; otherwise they are dropped.
    pub cuts_long_lines: bool,
    pub rate: Option<Rate>,
    last_ts: TimestampNs,
    /// Kept for its buffer.
    out: Vec<Entry>,
}

/// `limits_config.readline_rate`.
pub(crate) struct Rate {
    pub per_second: f64,
    pub burst: f64,
    /// Lines beyond the rate are dropped; otherwise reading waits.
    pub drops: bool,
    tokens: f64,
    filled: Instant,
}

impl Rate {
    pub fn new(per_second: f64, burst: f64, drops: bool) -> Rate {
        Rate { per_second, burst, drops, tokens: burst, filled: Instant::now() }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled = now;
    }

    /// When reading may go on; `None`: at once.
    pub fn blocked_until(&mut self, now: Instant) -> Option<Instant> {
        self.fill(now);
        let missing = 1.0 - self.tokens;
        let blocked = !self.drops && missing > 0.0 && self.per_second > 0.0;
        blocked.then(|| now + std::time::Duration::from_secs_f64((missing / self.per_second).min(60.0)))
    }
}

impl Intake {
    pub fn new(metrics: Arc<Metrics>, cuts_long_lines: bool, rate: Option<Rate>) -> Intake {
        Intake { batch: Batch::default(), metrics, cuts_long_lines, rate, last_ts: 0, out: Vec::new() }
    }

    /// The time of a line that has none of its own. No two are the same, or Loki would take equal lines
    /// for one.
    fn next_ts(&mut self) -> TimestampNs {
        self.last_ts = now_ns().max(self.last_ts.saturating_add(1));
        self.last_ts
    }

    /// Whether the rate allows another line.
    fn admits(&mut self, now: Instant) -> bool {
        let Some(rate) = &mut self.rate else { return true };
        rate.fill(now);
        if rate.drops && rate.tokens < 1.0 {
            self.metrics.dropped_lines("readline_rate");
            return false;
        }
        rate.tokens -= 1.0;
        true
    }

    fn take(&mut self, pipeline: &mut Pipeline, entry: Entry, now: Instant) {
        let metrics = self.metrics.clone();
        pipeline.process(entry, &Context { now, metrics: &metrics }, &mut self.out);
        self.drain(now);
    }

    fn release(&mut self, pipeline: &mut Pipeline, all: bool, now: Instant) {
        let metrics = self.metrics.clone();
        pipeline.release(all, &Context { now, metrics: &metrics }, &mut self.out);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        for entry in self.out.drain(..) {
            if entry.labels.is_empty() {
                self.metrics.dropped_lines("no_labels");
            } else {
                self.batch.add(entry, now);
            }
        }
    }
}

/// A followed file.
pub(crate) struct FileSource {
    pub followed: FollowedFile,
    /// With `filename`.
    pub labels: BTreeMap<String, String>,
    pub pipeline: Pipeline,
    /// Where reading began.
    pub begin: Option<Position>,
    /// There may be something to read.
    pub dirty: bool,
    /// Renamed away, to be looked at again soon.
    pub draining: bool,
}

impl FileSource {
    /// The key in the positions file.
    pub fn key(&self) -> String {
        self.followed.path.display().to_string()
    }

    /// Reads one chunk.
    pub fn read(&mut self, places: &mut Places, intake: &mut Intake, now: Instant) -> io::Result<ReadEnd> {
        let (labels, pipeline) = (&self.labels, &mut self.pipeline);
        let mut count = 0;
        let path = self.followed.path.display().to_string();
        let end = self.followed.read(places, &mut |line: Line<'_>| {
            count += 1;
            if line.cut && !intake.cuts_long_lines {
                intake.metrics.dropped_lines("line_too_long");
                return;
            }
            if line.cut {
                intake.metrics.mutated_entries.with(&["", "", "line_too_long"]).inc();
            }
            if intake.admits(now) {
                let ts = intake.next_ts();
                let mut text = String::from_utf8_lossy(line.bytes).into_owned();
                if line.cut && text.ends_with('\u{fffd}') {
                    // The cut went through a character.
                    text.pop();
                }
                intake.take(pipeline, Entry::new(ts, text, labels, line.start), now);
            }
        })?;
        if count > 0 {
            intake.metrics.read_lines.with(&[&path]).add(count);
        }
        if matches!(end, ReadEnd::Finished | ReadEnd::Gone) {
            intake.release(&mut self.pipeline, true, now);
        }
        Ok(end)
    }

    pub fn release_due(&mut self, intake: &mut Intake, now: Instant) {
        if self.pipeline.deadline().is_some_and(|deadline| deadline <= now) {
            intake.release(&mut self.pipeline, false, now);
        }
    }

    /// Everything before this has gone into a batch.
    pub fn position(&self) -> Option<Position> {
        let (id, head, read_to) = self.followed.place()?;
        let offset = self.pipeline.held().map_or(read_to, |held| held.min(read_to));
        Some(Position { text: offset.to_string(), file: Some((id, head)), next: self.followed.after(id) })
    }
}

/// A followed journal.
pub(crate) struct JournalSource {
    pub scrape: usize,
    pub key: String,
    pub pipeline: Pipeline,
    pub cursors: Cursors,
    /// Stops with the source.
    pub running: Option<crate::journal::Journal>,
}

impl JournalSource {
    pub fn take(&mut self, line: crate::journal::JournalLine, intake: &mut Intake, now: Instant) {
        let origin = self.cursors.add(line.cursor);
        intake.metrics.journal_lines.inc();
        match line.entry {
            Some((text, labels)) => {
                let entry = Entry::new(line.ts, text, &labels, origin);
                intake.take(&mut self.pipeline, entry, now);
            }
            None => intake.metrics.journal_errors.with(&["no_message"]).inc(),
        }
    }

    pub fn release_due(&mut self, intake: &mut Intake, now: Instant) {
        if self.pipeline.deadline().is_some_and(|deadline| deadline <= now) {
            intake.release(&mut self.pipeline, false, now);
        }
    }

    pub fn position(&mut self) -> Option<Position> {
        let cursor = self.cursors.before(self.pipeline.held())?;
        Some(Position { text: cursor.to_string(), file: None, next: Vec::new() })
    }
}
