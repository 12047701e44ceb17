//! What can be chosen.

use std::time::Duration;

use kernel::FsyncPolicy;
use model::Matcher;

#[derive(Debug, Clone, PartialEq)]
pub struct LogStoreSettings {
    /// Entries older than this are removed. Zero: never.
    pub retention: Duration,
    /// Streams that are kept for another time.
    pub retention_rules: Vec<RetentionRule>,
    /// Oldest parts are removed beyond this. Zero: never.
    pub retention_bytes: u64,
    pub fsync: FsyncPolicy,
    /// Writing stops while the disk has less free space.
    pub free_space_floor: u64,
    /// The head is flushed when it is estimated to take this much memory…
    pub head_bytes_flush: usize,
    /// …or when its oldest entry has waited this long.
    pub head_age_flush: Duration,
    /// Pushes wait while the head, what is being flushed included, takes this much memory.
    pub head_bytes_max: usize,
    /// How long a push waits for the head to shrink before it is refused.
    pub push_wait_max: Duration,
    /// Decompressed pages kept in memory.
    pub page_cache_bytes: usize,
}

/// How long the streams that match are kept. The rule with the highest priority wins; of equals the
/// shortest.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionRule {
    pub matchers: Vec<Matcher>,
    pub priority: i64,
    /// Zero: for ever.
    pub period: Duration,
}

impl Default for LogStoreSettings {
    fn default() -> LogStoreSettings {
        LogStoreSettings {
            retention: Duration::ZERO,
            retention_rules: Vec::new(),
            retention_bytes: 0,
            fsync: FsyncPolicy::Interval(Duration::from_millis(100)),
            free_space_floor: 64 << 20,
            head_bytes_flush: 32 << 20,
            // As long as Loki waits for an idle chunk: small parts cost more than a longer log.
            head_age_flush: Duration::from_secs(1800),
            head_bytes_max: 96 << 20,
            push_wait_max: Duration::from_secs(10),
            page_cache_bytes: 32 << 20,
        }
    }
}

/// Width of a time partition: one day. Merges stay within.
pub(crate) const PARTITION_NS: i64 = 24 * 3600 * 1_000_000_000;

/// A flush writes at most this many parts, however scattered the entries' times are; the oldest share one.
pub(crate) const PARTITIONS_PER_FLUSH_MAX: usize = 16;
