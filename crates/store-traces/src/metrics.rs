//! Counters of the trace store; the kernel's own are beside them.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct TraceStoreMetrics {
    pub spans_received: AtomicU64,
    pub spans_refused: AtomicU64,
    /// Gauges: spans in memory and their estimated size.
    pub head_spans: AtomicU64,
    pub head_bytes: AtomicU64,
    pub flushes: AtomicU64,
    pub flush_failures: AtomicU64,
    pub merges: AtomicU64,
    pub merge_failures: AtomicU64,
    pub maintenance_panics: AtomicU64,
    pub parts_expired: AtomicU64,
    pub searches: AtomicU64,
    /// Blocks whose columns a search looked at, and blocks it could leave out.
    pub blocks_searched: AtomicU64,
    pub blocks_skipped: AtomicU64,
    /// Damaged blocks that reads left out.
    pub corrupt_reads: AtomicU64,
    /// Log records that passed their checksum and could not be understood.
    pub records_undecodable: AtomicU64,
    /// Parents that `edges` did not look for because of its limit.
    pub edge_lookups_skipped: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

pub(crate) fn set(gauge: &AtomicU64, n: usize) {
    gauge.store(n as u64, Ordering::Relaxed);
}
