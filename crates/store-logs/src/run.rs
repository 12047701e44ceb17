//! A run: a piece of a stream in memory, in order of arrival. Readers share it; a push that finds it
//! shared copies it first, so what a reader holds never changes.

use model::{Labels, LogEntry, TimestampNs};

/// A run that has reached this is closed. Bounds what copying it costs.
const RUN_BYTES_MAX: usize = 256 << 10;
const RUN_ROWS_MAX: usize = 4096;

/// How many of the last metadata sets a new row is compared with.
const METADATA_LOOKBACK: usize = 8;

/// Memory of a row beside its text.
const ROW_BYTES: usize = 24;

/// Memory of a metadata set beside its bytes.
const METADATA_SET_BYTES: usize = 32;

#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    times: Vec<TimestampNs>,
    /// Where the n-th line ends in `text`.
    ends: Vec<u32>,
    text: String,
    metadata_sets: Vec<Labels>,
    metadata: Vec<u32>,
    metadata_bytes: usize,
    /// The push that brought each row, for views of an earlier state.
    pushes: Vec<u32>,
    unsorted: bool,
    pub min: TimestampNs,
    pub max: TimestampNs,
}

impl Run {
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// Of lines and metadata, as a part counts them.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.metadata_bytes
    }

    pub fn is_full(&self) -> bool {
        self.text.len() >= RUN_BYTES_MAX || self.times.len() >= RUN_ROWS_MAX
    }

    /// Appends a row and returns the memory that it takes.
    pub fn append(&mut self, entry: &LogEntry, push: u32) -> usize {
        let first = self.times.is_empty();
        self.unsorted |= !first && entry.ts < self.max;
        self.min = if first { entry.ts } else { self.min.min(entry.ts) };
        self.max = if first { entry.ts } else { self.max.max(entry.ts) };
        let metadata = &entry.structured_metadata;
        let recent = self.metadata_sets.iter().enumerate().rev().take(METADATA_LOOKBACK);
        let known = recent.into_iter().find(|(_, set)| *set == metadata).map(|(number, _)| number);
        let mut bytes = ROW_BYTES + entry.line.len();
        let number = known.unwrap_or_else(|| {
            bytes += METADATA_SET_BYTES + metadata.as_packed().len();
            self.metadata_sets.push(metadata.clone());
            self.metadata_sets.len() - 1
        });
        self.metadata.push(number as u32);
        self.metadata_bytes += metadata.as_packed().len();
        self.times.push(entry.ts);
        self.text.push_str(&entry.line);
        self.ends.push(self.text.len() as u32);
        self.pushes.push(push);
        bytes
    }

    pub fn time(&self, row: usize) -> TimestampNs {
        self.times.get(row).copied().unwrap_or_default()
    }

    pub fn line(&self, row: usize) -> &str {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(row).copied().unwrap_or(start);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    pub fn metadata(&self, row: usize) -> &Labels {
        &self.metadata_sets[self.metadata[row] as usize]
    }

    pub fn contains(&self, entry: &LogEntry) -> bool {
        if self.times.is_empty() || entry.ts < self.min || entry.ts > self.max {
            return false;
        }
        let same =
            |row: usize| self.line(row) == entry.line && *self.metadata(row) == entry.structured_metadata;
        if self.unsorted {
            let rows = self.times.iter().enumerate();
            return rows.into_iter().any(|(row, ts)| *ts == entry.ts && same(row));
        }
        let first = self.times.partition_point(|ts| *ts < entry.ts);
        let equal = self.times[first..].iter().take_while(|ts| **ts == entry.ts).count();
        (first..first + equal).any(same)
    }

    /// Rows of `start..end` that pushes up to `push` brought, in order of time and then of arrival.
    pub fn sorted_rows(&self, start: TimestampNs, end: TimestampNs, push: u32) -> Vec<u32> {
        let wanted = |row: &usize| {
            let ts = self.times[*row];
            start <= ts && ts < end && self.pushes[*row] <= push
        };
        let mut rows: Vec<u32> = (0..self.rows()).filter(wanted).map(|row| row as u32).collect();
        if self.unsorted {
            rows.sort_by_key(|row| self.times[*row as usize]);
        }
        rows
    }

    /// The push that brought the first row.
    pub fn first_push(&self) -> u32 {
        self.pushes.first().copied().unwrap_or_default()
    }
}
