//! From the log back into memory after a start.
//!
//! Series get new ids; the log's own ids are only good to follow a definition to its samples. What a flush
//! has written already is skipped, so memory ends up holding what it held before, not more.

use std::collections::HashMap;

use index::SeriesId;
use kernel::{Lsn, Table};
use model::{Labels, TimestampMs, Value};
use storage::StoreError;

use crate::error::from_kernel;
use crate::head::{Head, slot_of};
use crate::log::is_flushed;
use crate::metrics::StoreMetrics;
use crate::record::{Batch, Record};
use crate::state::State;

/// Replays the log into `head`. Returns the newest time met; `i64::MIN` without samples.
pub fn replay(
    table: &Table,
    head: &Head,
    state: &State,
    metrics: &StoreMetrics,
    window_ms: i64,
) -> Result<TimestampMs, StoreError> {
    let mut replay =
        Replay { head, state, window_ms, series: HashMap::default(), newest: i64::MIN, skipped: 0 };
    let report = table
        .replay(|lsn, bytes| {
            match Record::decode(bytes) {
                Ok(Record::Batch(batch)) => replay.batch(lsn, batch),
                Ok(Record::Deletion(deletion)) => {
                    for labels in &deletion.series {
                        replay.delete(labels, deletion.mint, deletion.maxt);
                    }
                }
                Err(error) => {
                    replay.skipped += 1;
                    tracing::error!(%error, %lsn, "a record of the metrics log makes no sense and is skipped");
                }
            }
            Ok(())
        })
        .map_err(from_kernel)?;
    if replay.skipped > 0 || !report.damage.is_empty() {
        tracing::error!(
            skipped = replay.skipped,
            damages = report.damage.len(),
            "the metrics log was damaged"
        );
    }
    StoreMetrics::add(&metrics.records_skipped, replay.skipped);
    Ok(replay.newest)
}

struct Replay<'r> {
    head: &'r Head,
    state: &'r State,
    window_ms: i64,
    /// The log's id → labels, and the head's id once a sample was kept.
    series: HashMap<SeriesId, (Labels, Option<SeriesId>), foldhash::fast::RandomState>,
    newest: TimestampMs,
    skipped: u64,
}

impl Replay<'_> {
    fn batch(&mut self, lsn: Lsn, batch: Batch) {
        for (id, labels) in batch.definitions {
            self.series.insert(id, (labels, None));
        }
        let floats = batch.floats.into_iter().map(|(id, t, value)| (id, t, Value::Float(value)));
        let histograms = batch.histograms.into_iter().map(|(id, t, value)| (id, t, Value::Histogram(value)));
        let mut starts = batch.starts.into_iter().peekable();
        for (at, (id, t, value)) in floats.chain(histograms).enumerate() {
            let start = starts.next_if(|(sample, _)| *sample == at).map_or(0, |(_, start)| start);
            self.sample(lsn, id, t, value, start);
        }
        for (id, exemplar) in batch.exemplars {
            match self.series.get(&id) {
                Some((labels, _)) => {
                    let mut ring = self.head.exemplars.lock().unwrap_or_else(|e| e.into_inner());
                    ring.push(labels, exemplar);
                }
                None => self.skipped += 1,
            }
        }
    }

    fn sample(&mut self, lsn: Lsn, id: SeriesId, t: TimestampMs, value: Value, start: TimestampMs) {
        self.newest = self.newest.max(t);
        self.head.note_newest(t);
        if is_flushed(&self.state.marks, lsn, t) {
            return;
        }
        // Without its definition a sample belongs to nobody: the record before was damaged.
        let Some((labels, known)) = self.series.get_mut(&id) else {
            self.skipped += 1;
            return;
        };
        let head_id = match known {
            Some(head_id) => *head_id,
            None => match self.head.series_id(labels) {
                Ok((head_id, _)) => *known.insert(head_id),
                Err(_) => {
                    self.skipped += 1;
                    return;
                }
            },
        };
        if let Some(series) = self.head.shard(head_id).series.get_mut(slot_of(head_id)) {
            series.push(t, value, start, self.window_ms, &self.head.times);
        }
        self.head.note_times(t, t);
    }

    fn delete(&mut self, labels: &Labels, mint: TimestampMs, maxt: TimestampMs) {
        let Some(id) = self.head.index().get(labels) else { return };
        if let Some(series) = self.head.shard(id).get_mut(id)
            && series.delete(mint, maxt, &self.head.times).is_err()
        {
            self.skipped += 1;
        }
    }
}
