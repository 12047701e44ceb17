//! What can be chosen.

use std::time::Duration;

use kernel::FsyncPolicy;

#[derive(Debug, Clone, PartialEq)]
pub struct TraceStoreSettings {
    /// Spans that arrived longer ago are removed, part by part. Their own time does not count: old traces
    /// may be loaded and clocks may be wrong. Zero: never.
    pub retention: Duration,
    /// Oldest parts are removed beyond this. Zero: never.
    pub retention_bytes: u64,
    pub fsync: FsyncPolicy,
    /// Writing stops while the disk has less free space.
    pub free_space_floor: u64,
    /// The head is flushed when its spans are estimated to take this much memory…
    pub head_bytes_flush: usize,
    /// …or when its oldest span has waited this long.
    pub head_age_flush: Duration,
    /// Pushes wait while the head, what is being flushed included, takes this much memory.
    pub head_bytes_max: usize,
    /// How long a push waits for the head to shrink before it is refused.
    pub push_wait_max: Duration,
    /// Decompressed pages kept in memory.
    pub page_cache_bytes: usize,
    /// Traces returned by a search that names no limit.
    pub search_limit_default: usize,
    /// The largest limit a search may name.
    pub search_limit_max: usize,
}

impl Default for TraceStoreSettings {
    fn default() -> TraceStoreSettings {
        TraceStoreSettings {
            retention: Duration::from_secs(7 * 24 * 3600),
            retention_bytes: 0,
            fsync: FsyncPolicy::Interval(Duration::from_millis(100)),
            free_space_floor: 64 << 20,
            head_bytes_flush: 32 << 20,
            head_age_flush: Duration::from_secs(300),
            head_bytes_max: 96 << 20,
            page_cache_bytes: 32 << 20,
            push_wait_max: Duration::from_secs(10),
            // Jaeger's own default and ClickHouse backend's ceiling.
            search_limit_default: 100,
            search_limit_max: 10_000,
        }
    }
}

/// Width of a time partition: one day. Merges stay within.
pub const PARTITION_NS: i64 = 24 * 3600 * 1_000_000_000;

/// A flush writes at most this many parts, however scattered the spans' times are; the oldest share one.
pub const PARTITIONS_PER_FLUSH_MAX: usize = 16;

/// `edges` looks for at most this many traces' missing parents in other parts.
pub const EDGE_LOOKUPS_MAX: usize = 10_000;
