//! A log store in memory, for tests of queries and of front doors.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Labels, LogEntry, Matcher, TimestampNs};
use storage::logs::{
    Direction, EntryRef, Listener, LogStatistics, LogStore, Needle, StreamBatch, StreamHandle, TimeRangeNs,
};
use storage::{LogQuerier, StoreError};

/// Keeps everything, sorted; nothing survives it.
#[derive(Default)]
pub struct MemoryStore {
    streams: Mutex<Vec<StreamBatch>>,
    listeners: Mutex<Vec<Listener>>,
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Adds lines of one stream, given as time, line and metadata.
    pub fn add(&self, labels: &[(&str, &str)], lines: &[(TimestampNs, &str)]) {
        let entry = |(ts, line): &(TimestampNs, &str)| LogEntry {
            ts: *ts,
            line: (*line).to_owned(),
            structured_metadata: Labels::empty(),
        };
        let batch = StreamBatch {
            labels: Labels::from_pairs(labels.iter().copied()),
            entries: lines.iter().map(entry).collect(),
        };
        // Memory never refuses.
        let _ = self.push(vec![batch]);
    }
}

impl LogStore for MemoryStore {
    fn push(&self, batches: Vec<StreamBatch>) -> Result<(), StoreError> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for batch in &batches {
            let at = streams.binary_search_by(|s| s.labels.cmp(&batch.labels)).unwrap_or_else(|at| {
                streams.insert(at, StreamBatch { labels: batch.labels.clone(), entries: Vec::new() });
                at
            });
            let entries = &mut streams[at].entries;
            for entry in &batch.entries {
                if !entries.contains(entry) {
                    let place = entries.partition_point(|e| e.ts <= entry.ts);
                    entries.insert(place, entry.clone());
                }
            }
        }
        drop(streams);
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for batch in &batches {
            listeners.retain_mut(|listener| listener(batch).is_continue());
        }
        Ok(())
    }

    fn querier(&self) -> Result<Arc<dyn LogQuerier>, StoreError> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::new(MemoryQuerier { streams: streams.clone() }))
    }

    fn subscribe(&self, listener: Listener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }
}

struct MemoryQuerier {
    streams: Vec<StreamBatch>,
}

impl MemoryQuerier {
    fn matching<'a>(
        &'a self,
        matchers: &'a [Matcher],
        range: TimeRangeNs,
    ) -> impl Iterator<Item = (usize, &'a StreamBatch)> {
        self.streams.iter().enumerate().filter(move |(_, s)| {
            Matcher::all_match(matchers, &s.labels) && s.entries.iter().any(|e| range.contains(e.ts))
        })
    }
}

impl LogQuerier for MemoryQuerier {
    fn select(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<Vec<StreamHandle>, StoreError> {
        let handle =
            |(i, s): (usize, &StreamBatch)| StreamHandle { labels: s.labels.clone(), token: i as u64 };
        Ok(self.matching(matchers, range).map(handle).collect())
    }

    fn read(
        &self,
        stream: &StreamHandle,
        range: TimeRangeNs,
        direction: Direction,
        needles: &[Needle],
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let Some(stream) = self.streams.get(stream.token as usize) else { return Ok(()) };
        let mut found: Vec<&LogEntry> = stream
            .entries
            .iter()
            .filter(|e| range.contains(e.ts) && needles.iter().all(|n| e.line.contains(&n.0)))
            .collect();
        if direction == Direction::Backward {
            found.reverse();
        }
        for e in found {
            let entry = EntryRef { ts: e.ts, line: &e.line, structured_metadata: &e.structured_metadata };
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn label_names(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<Vec<String>, StoreError> {
        let mut names: Vec<String> = self
            .matching(matchers, range)
            .flat_map(|(_, s)| s.labels.iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>())
            .collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRangeNs,
    ) -> Result<Vec<String>, StoreError> {
        let values = self.matching(matchers, range).map(|(_, s)| s.labels.get(name).to_owned());
        let mut values: Vec<String> = values.filter(|v| !v.is_empty()).collect();
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    fn statistics(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<LogStatistics, StoreError> {
        let mut total = LogStatistics::default();
        for (_, s) in self.matching(matchers, range) {
            total.streams += 1;
            total.blocks += 1;
            for e in s.entries.iter().filter(|e| range.contains(e.ts)) {
                total.entries += 1;
                total.bytes += e.line.len() as u64;
            }
        }
        Ok(total)
    }
}
