//! What the store must answer, worked out the slow and obvious way.

use std::collections::{BTreeMap, BTreeSet};

use model::{Labels, LogEntry, Matcher};
use storage::logs::{Direction, StreamBatch, TimeRangeNs};

/// Entries of each stream in order of arrival.
#[derive(Default)]
pub(crate) struct Oracle {
    pub streams: BTreeMap<Labels, Vec<LogEntry>>,
}

impl Oracle {
    pub fn push(&mut self, batches: &[StreamBatch]) {
        for batch in batches.iter().filter(|batch| !batch.entries.is_empty()) {
            let entries = self.streams.entry(batch.labels.clone()).or_default();
            for entry in &batch.entries {
                if !entries.contains(entry) {
                    entries.push(entry.clone());
                }
            }
        }
    }

    /// Streams with an entry in the range.
    pub fn select(&self, matchers: &[Matcher], range: TimeRangeNs) -> BTreeSet<Labels> {
        let matching = self.streams.iter().filter(|(labels, _)| Matcher::all_match(matchers, labels));
        let reaching = matching.filter(|(_, entries)| entries.iter().any(|entry| range.contains(entry.ts)));
        reaching.map(|(labels, _)| labels.clone()).collect()
    }

    pub fn read(&self, stream: &Labels, range: TimeRangeNs, direction: Direction) -> Vec<LogEntry> {
        let entries = self.streams.get(stream).into_iter().flatten();
        let mut found: Vec<LogEntry> = entries.filter(|entry| range.contains(entry.ts)).cloned().collect();
        found.sort_by_key(|entry| entry.ts);
        if direction == Direction::Backward {
            found.reverse();
        }
        found
    }

    pub fn values(&self, name: &str) -> Vec<String> {
        let values: BTreeSet<&str> = self.streams.keys().map(|labels| labels.get(name)).collect();
        values.into_iter().filter(|value| !value.is_empty()).map(str::to_string).collect()
    }
}
