//! What an administrator may ask of a metrics store, beside reading and writing.

use model::TimestampMs;

use crate::StoreError;

/// Maintenance of a store by hand (`/api/v1/admin/tsdb/...`, `/api/v1/status/tsdb/blocks`).
pub trait MetricsAdmin: Send + Sync {
    /// Removes the deleted samples from the disk and forgets the tombstones. Takes as long as rewriting
    /// the parts that have some.
    fn clean_tombstones(&self) -> Result<(), StoreError>;

    /// Writes a copy of the store that opens as a store of its own: the folder `snapshots/<name>` within the
    /// store's folder. Returns the name, `20060102T150405Z-` and sixteen hexadecimal digits.
    /// `skip_head`: without what is only in memory and log yet.
    fn snapshot(&self, skip_head: bool) -> Result<String, StoreError>;

    /// The immutable pieces on disk, by time. The head is not among them.
    fn blocks(&self) -> Vec<BlockSummary>;
}

/// One immutable piece on disk in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSummary {
    /// In the form of a ULID; the same as long as the piece lives.
    pub id: String,
    pub min_time: TimestampMs,
    /// One past the newest sample, as the original counts.
    pub max_time: TimestampMs,
    pub series: u64,
    pub samples: u64,
    /// Of the samples, the native histograms.
    pub histograms: u64,
    pub chunks: u64,
    /// Deletions that still have to be applied.
    pub tombstones: u64,
    pub bytes: u64,
    /// 1 for what was written from memory, one more with each merge.
    pub level: u32,
    /// The level-1 pieces that were merged into this one, itself when it is one.
    pub sources: Vec<String>,
}
