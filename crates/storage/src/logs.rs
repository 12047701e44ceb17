//! Logs: pushing batches of streams and reading lines back.

use std::ops::ControlFlow;
use std::sync::Arc;

use model::{Labels, LogEntry, Matcher, TimestampNs};

use crate::StoreError;

/// New entries of one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamBatch {
    pub labels: Labels,
    pub entries: Vec<LogEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A half-open time range `start..end` in nanoseconds, as Loki's API means it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRangeNs {
    pub start: TimestampNs,
    pub end: TimestampNs,
}

impl TimeRangeNs {
    pub fn contains(&self, ts: TimestampNs) -> bool {
        self.start <= ts && ts < self.end
    }
}

/// Something every returned line must contain (case-sensitively): a store may use it to skip blocks,
/// and may still return lines without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle(pub String);

/// One stream of a selection.
#[derive(Debug, Clone)]
pub struct StreamHandle {
    pub labels: Labels,
    /// The querier's own token, only meaningful to the querier that gave it.
    pub token: u64,
}

/// A borrowed entry, as it is read.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    pub ts: TimestampNs,
    pub line: &'a str,
    pub structured_metadata: &'a Labels,
}

/// Figures of one selection: Loki's `index/stats`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStatistics {
    pub streams: u64,
    pub blocks: u64,
    pub entries: u64,
    pub bytes: u64,
}

/// Hears of accepted batches; see [`LogStore::subscribe`].
pub type Listener = Box<dyn FnMut(&StreamBatch) -> ControlFlow<()> + Send>;

/// The log store as others see it.
pub trait LogStore: Send + Sync {
    /// Stores all streams or none. When this returns, they survive the death of the process.
    /// Entries need not be sorted; an entry equal in time, line and metadata to a stored one is dropped.
    fn push(&self, batches: Vec<StreamBatch>) -> Result<(), StoreError>;

    /// A consistent view of everything pushed so far.
    fn querier(&self) -> Result<Arc<dyn LogQuerier>, StoreError>;

    /// Calls `listener` with every batch accepted from now on, in order, after it is durable,
    /// until it returns `Break`. Must not block.
    fn subscribe(&self, listener: Listener);
}

/// Reads from one consistent view.
pub trait LogQuerier: Send + Sync {
    /// The streams that match and have entries in `range` (block precision), ordered by labels.
    fn select(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<Vec<StreamHandle>, StoreError>;

    /// Visits the stream's entries in `range` in time order until `visit` breaks.
    /// Entries of equal time come in arrival order (reversed when backward).
    fn read(
        &self,
        stream: &StreamHandle,
        range: TimeRangeNs,
        direction: Direction,
        needles: &[Needle],
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Label names of the streams that match, sorted.
    fn label_names(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<Vec<String>, StoreError>;

    /// Values of `name` in the streams that match, sorted.
    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRangeNs,
    ) -> Result<Vec<String>, StoreError>;

    fn statistics(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<LogStatistics, StoreError>;
}
