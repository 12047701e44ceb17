//! The head: entries that are not in parts yet, by stream.

use std::sync::Arc;
use std::time::Duration;

use index::{LiveIndex, SeriesId};
use model::{Labels, LogEntry, TimestampNs};
use storage::{ErrorKind, StoreError};

use crate::run::Run;

/// Memory of a stream beside its labels and runs: index entries, vectors.
const STREAM_BYTES: usize = 512;

/// How many of a stream's last runs a new entry is compared with. Later reads find all duplicates; this
/// only keeps repeated pushes from filling the memory and from being told to listeners.
const DUPLICATE_LOOKBACK_RUNS: usize = 2;

#[derive(Default)]
pub(crate) struct Head {
    index: LiveIndex,
    /// By series id of the index.
    streams: Vec<StreamHead>,
    bytes: usize,
    entries: usize,
    /// When the first entry came, on the monotonic clock.
    since: Option<Duration>,
    /// Number of the last push.
    push: u32,
}

#[derive(Default)]
pub(crate) struct StreamHead {
    pub runs: Vec<Arc<Run>>,
    min: TimestampNs,
    max: TimestampNs,
}

impl StreamHead {
    pub fn overlaps(&self, start: TimestampNs, end: TimestampNs) -> bool {
        self.min < end && start <= self.max
    }

    /// The push that brought the first entry.
    pub fn first_push(&self) -> u32 {
        self.runs.first().map_or(0, |run| run.first_push())
    }

    fn has(&self, entry: &LogEntry) -> bool {
        entry.ts <= self.max
            && self.runs.iter().rev().take(DUPLICATE_LOOKBACK_RUNS).any(|run| run.contains(entry))
    }
}

impl Head {
    pub fn index(&self) -> &LiveIndex {
        &self.index
    }

    pub fn stream(&self, id: SeriesId) -> Option<&StreamHead> {
        self.streams.get(id as usize)
    }

    /// All streams in label order.
    pub fn sorted_streams(&self) -> Vec<(&Labels, &StreamHead)> {
        let numbered = self.streams.iter().enumerate();
        let mut streams: Vec<(&Labels, &StreamHead)> = numbered
            .filter_map(|(id, stream)| Some((self.index.labels_of(id as SeriesId)?, stream)))
            .collect();
        streams.sort_unstable_by(|a, b| a.0.cmp(b.0));
        streams
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn entries(&self) -> usize {
        self.entries
    }

    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    pub fn since(&self) -> Option<Duration> {
        self.since
    }

    pub fn last_push(&self) -> u32 {
        self.push
    }

    /// The entries that are inserted next belong together for every view.
    pub fn begin_push(&mut self, now: Duration) {
        self.since.get_or_insert(now);
        // The head's memory limit is reached long before 2^32 pushes.
        self.push = self.push.saturating_add(1);
    }

    /// Adds the entries that are new and returns the positions of the others.
    pub fn insert(&mut self, labels: &Labels, entries: &[LogEntry]) -> Result<Vec<usize>, StoreError> {
        let mut duplicates = Vec::new();
        if entries.is_empty() {
            return Ok(duplicates);
        }
        let Some((id, new)) = self.index.get_or_insert(labels) else {
            return Err(StoreError::new(ErrorKind::LimitExceeded, "more than 2^32 streams in memory"));
        };
        if new {
            self.streams.push(StreamHead::default());
            self.bytes += STREAM_BYTES + labels.as_packed().len();
        }
        let stream = &mut self.streams[id as usize];
        for (position, entry) in entries.iter().enumerate() {
            let first = stream.runs.is_empty();
            if !first && stream.has(entry) {
                duplicates.push(position);
                continue;
            }
            stream.min = if first { entry.ts } else { stream.min.min(entry.ts) };
            stream.max = if first { entry.ts } else { stream.max.max(entry.ts) };
            if stream.runs.last().is_none_or(|run| run.is_full()) {
                stream.runs.push(Arc::default());
            }
            if let Some(run) = stream.runs.last_mut() {
                self.bytes += Arc::make_mut(run).append(entry, self.push);
                self.entries += 1;
            }
        }
        Ok(duplicates)
    }
}
