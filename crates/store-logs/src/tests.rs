//! The store against a plain list of entries, through flushes, merges, restarts and crashes.

mod cases;
mod model_check;
mod oracle;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use ::model::{Labels, LogEntry, Matcher};
use platform::{ManualClock, SimDisk};
use storage::logs::{Direction, Needle, StreamBatch, StreamHandle, TimeRangeNs};
use storage::{LogQuerier, LogStore};

use crate::{FsyncPolicy, LogStoreSettings, Logs};

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// Where the clock begins: 2023-11-14T22:13:20Z.
pub(crate) const NOW: i64 = 1_700_000_000 * SECOND;

pub(crate) const ALWAYS: TimeRangeNs = TimeRangeNs { start: i64::MIN, end: i64::MAX };

pub(crate) fn settings() -> LogStoreSettings {
    LogStoreSettings { fsync: FsyncPolicy::Off, ..LogStoreSettings::default() }
}

/// A disk, a clock and a store without a thread.
pub(crate) struct World {
    pub disk: SimDisk,
    pub clock: Arc<ManualClock>,
    pub store: Option<Logs>,
    pub settings: LogStoreSettings,
}

impl World {
    pub fn new(settings: LogStoreSettings) -> World {
        let (disk, clock) = (SimDisk::new(), Arc::new(ManualClock::at_ms(NOW / 1_000_000)));
        let mut world = World { disk, clock, store: None, settings };
        world.open();
        world
    }

    pub fn store(&self) -> &Logs {
        self.store.as_ref().unwrap()
    }

    fn open(&mut self) {
        let disk = Arc::new(self.disk.clone());
        let opened = Logs::open_on(disk, Path::new("/logs"), self.settings.clone(), self.clock.clone());
        self.store = Some(opened.unwrap());
    }

    /// As `kill -9` and a new start.
    pub fn crash(&mut self) {
        // The old store must be gone before its lock can be taken again.
        self.store = None;
        self.disk.kill();
        self.open();
    }
}

pub(crate) fn stream(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

pub(crate) fn entry(ts: i64, line: &str) -> LogEntry {
    LogEntry { ts, line: line.to_string(), structured_metadata: Labels::empty() }
}

pub(crate) fn batch(job: &str, entries: Vec<LogEntry>) -> StreamBatch {
    StreamBatch { labels: stream(&[("job", job)]), entries }
}

pub(crate) fn push(store: &Logs, job: &str, entries: &[(i64, &str)]) {
    let entries = entries.iter().map(|(ts, line)| entry(*ts, line)).collect();
    store.push(vec![batch(job, entries)]).unwrap();
}

pub(crate) fn read(
    querier: &dyn LogQuerier,
    handle: &StreamHandle,
    range: TimeRangeNs,
    direction: Direction,
    needles: &[Needle],
) -> Vec<LogEntry> {
    let mut entries = Vec::new();
    let visit = &mut |entry: storage::logs::EntryRef<'_>| {
        entries.push(LogEntry {
            ts: entry.ts,
            line: entry.line.to_string(),
            structured_metadata: entry.structured_metadata.clone(),
        });
        ControlFlow::Continue(())
    };
    querier.read(handle, range, direction, needles, visit).unwrap();
    entries
}

/// Times and lines of one job.
pub(crate) fn lines(store: &Logs, job: &str, direction: Direction) -> Vec<(i64, String)> {
    let querier = store.querier().unwrap();
    let handles = querier.select(&[Matcher::equal("job", job)], ALWAYS).unwrap();
    let entries = handles.iter().flat_map(|handle| read(querier.as_ref(), handle, ALWAYS, direction, &[]));
    entries.map(|entry| (entry.ts, entry.line)).collect()
}
