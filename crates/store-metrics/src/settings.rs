//! What the store can be told, and its limits.

use kernel::{FsyncPolicy, WalOptions};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How far behind the newest sample of the store a sample may come late
    /// (`storage.tsdb.out_of_order_time_window`). Zero: samples must come in time order.
    pub out_of_order_window_ms: i64,
    /// Data older than this, seen from the newest sample, goes (`storage.tsdb.retention.time`).
    /// Zero: it stays.
    pub retention_ms: i64,
    /// The oldest parts go when all take more than this (`storage.tsdb.retention.size`). Zero: no limit.
    pub retention_bytes: u64,
    /// Time is cut into windows of this length; a window is written to disk half a window after its end
    /// (`storage.tsdb.min-block-duration`).
    pub window_ms: i64,
    /// Merged parts stay within a partition of this length.
    pub partition_ms: i64,
    /// More series in memory are refused.
    pub series_max: usize,
    /// When samples in memory take more than this, they are written to disk early.
    pub head_bytes_max: usize,
    /// The newest exemplars kept (`storage.exemplars.max_exemplars`).
    pub exemplars_max: usize,
    /// Decoded pages of parts kept for the next query.
    pub page_cache_bytes: usize,
    /// When the log is forced to the platter.
    pub fsync: FsyncPolicy,
    pub wal_segment_bytes: u64,
    /// Whether a thread flushes, merges and expires by itself. Tests call
    /// [`maintain`](crate::Store::maintain) instead.
    pub background: bool,
}

impl Settings {
    /// Parts expire as a whole, so with a short retention they must not grow to a full partition: a tenth
    /// of the retention, in whole windows.
    pub(crate) fn partition_width_ms(&self) -> i64 {
        let window = self.window_ms.max(1);
        let wanted = match self.retention_ms {
            0 => self.partition_ms,
            retention => self.partition_ms.min(retention / 10),
        };
        (wanted / window).max(1) * window
    }
}

impl Default for Settings {
    fn default() -> Settings {
        let wal = WalOptions::default();
        Settings {
            out_of_order_window_ms: 0,
            retention_ms: 15 * 24 * HOUR_MS,
            retention_bytes: 0,
            window_ms: 2 * HOUR_MS,
            partition_ms: 24 * HOUR_MS,
            // At the planned 1 KiB of memory a series with its chunks, this is about 10 GiB.
            series_max: 10_000_000,
            head_bytes_max: 2 << 30,
            exemplars_max: 100_000,
            page_cache_bytes: 64 << 20,
            fsync: wal.fsync,
            wal_segment_bytes: wal.segment_bytes,
            background: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_shrink_with_the_retention() {
        let check = |retention_hours: i64, expected_hours: i64| {
            let settings = Settings { retention_ms: retention_hours * HOUR_MS, ..Settings::default() };
            assert_eq!(settings.partition_width_ms(), expected_hours * HOUR_MS, "{retention_hours} h");
        };
        check(15 * 24, 24);
        check(0, 24);
        check(100, 10);
        check(1, 2);
    }
}
