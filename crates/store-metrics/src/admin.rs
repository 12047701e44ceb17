//! Maintenance by hand: snapshots, and what is on disk in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use kernel::{Backup, PartId};
use model::TimestampMs;
use model::civil::Civil;
use storage::StoreError;
use storage::metrics::{BlockSummary, MetricsAdmin};

use crate::error::from_kernel;
use crate::store::{Core, LivePart, Store};

/// Folder of the snapshots within the store's.
const SNAPSHOTS: &str = "snapshots";

impl MetricsAdmin for Store {
    fn clean_tombstones(&self) -> Result<(), StoreError> {
        self.core().clean_tombstones()
    }

    fn snapshot(&self, skip_head: bool) -> Result<String, StoreError> {
        self.core().take_snapshot(skip_head)
    }

    fn blocks(&self) -> Vec<BlockSummary> {
        let mut blocks: Vec<BlockSummary> = self.core().parts().iter().map(summary).collect();
        blocks.sort_by(|a, b| (a.min_time, &a.id).cmp(&(b.min_time, &b.id)));
        blocks
    }
}

impl Core {
    fn take_snapshot(&self, skip_head: bool) -> Result<String, StoreError> {
        let what = if skip_head { Backup::PartsOnly } else { Backup::Everything };
        let name = self.snapshot_name();
        // A deletion changes parts and log, one after the other: not in between.
        let _maintenance = self.maintenance();
        self.table.back_up(&self.table.dir().join(SNAPSHOTS).join(&name), what).map_err(from_kernel)?;
        Ok(name)
    }

    /// The original's form. The digits only keep snapshots of one second apart.
    fn snapshot_name(&self) -> String {
        static TAKEN: AtomicU64 = AtomicU64::new(0);
        let now_ns = self.now_ns();
        let seconds = now_ns.div_euclid(1_000_000_000);
        let Civil { year, month, day, hour, minute, second, .. } = Civil::of_unix(seconds);
        let mut seed = now_ns.to_le_bytes().to_vec();
        seed.extend_from_slice(&TAKEN.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let digits = xxhash_rust::xxh3::xxh3_64(&seed);
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z-{digits:016x}")
    }
}

fn summary(live: &LivePart) -> BlockSummary {
    let part = &live.part;
    let info = part.part().info();
    let meta = part.meta();
    let id = ulid(info.id, info.max_time);
    let sources: Vec<String> = meta.lineage.sources.iter().map(|(part, max_t)| ulid(*part, *max_t)).collect();
    BlockSummary {
        min_time: info.min_time,
        max_time: info.max_time.saturating_add(1),
        series: meta.series,
        samples: meta.samples,
        histograms: meta.histograms,
        chunks: meta.chunks,
        tombstones: live.tombstones.len() as u64,
        bytes: info.bytes,
        level: meta.lineage.level,
        sources: if sources.is_empty() { vec![id.clone()] } else { sources },
        id,
    }
}

/// A part's name as a ULID: 48 bits of time, here the part's newest, and 80 bits that tell parts of one time
/// apart, in Crockford's base 32.
fn ulid(part: PartId, max_t: TimestampMs) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let time = max_t.clamp(0, (1 << 48) - 1) as u128;
    let bits = time << 80 | u128::from(part.0);
    (0..26).rev().map(|digit| char::from(DIGITS[(bits >> (5 * digit)) as usize % 32])).collect()
}
