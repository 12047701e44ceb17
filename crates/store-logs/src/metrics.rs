//! Counters of the log store; the kernel's own are beside them.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct LogStoreMetrics {
    pub entries_received: AtomicU64,
    pub bytes_received: AtomicU64,
    /// Entries that were there already.
    pub entries_duplicate: AtomicU64,
    pub pushes_refused: AtomicU64,
    /// Gauges: what is in memory.
    pub head_streams: AtomicU64,
    pub head_entries: AtomicU64,
    pub head_bytes: AtomicU64,
    pub flushes: AtomicU64,
    pub flush_failures: AtomicU64,
    pub merges: AtomicU64,
    pub merge_failures: AtomicU64,
    pub maintenance_panics: AtomicU64,
    pub parts_expired: AtomicU64,
    /// Parts rewritten because a retention rule ended some of their streams.
    pub parts_trimmed: AtomicU64,
    /// Groups that reads decoded, and groups that their skip filter spared.
    pub groups_read: AtomicU64,
    pub groups_skipped: AtomicU64,
    /// Log records that passed their checksum and could not be understood.
    pub records_undecodable: AtomicU64,
    /// Parts that passed their checksum and could not be understood.
    pub parts_undecodable: AtomicU64,
    /// Gauge: live listeners.
    pub listeners: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

pub(crate) fn set(gauge: &AtomicU64, n: usize) {
    gauge.store(n as u64, Ordering::Relaxed);
}
