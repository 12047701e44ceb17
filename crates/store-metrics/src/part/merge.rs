//! Several parts become one: a walk over all of them in label order, one series in memory at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use index::SeriesId;
use kernel::{PartInfo, Table};
use model::Labels;
use storage::StoreError;
use storage::metrics::SampleColumns;

use super::{Lineage, PartBuilder, SeriesPart};
use crate::merge_columns::remove_ranges;
use crate::state::Tombstones;

/// Writes the samples of `parts` that their tombstones leave. Of two samples with one time, that of the
/// earlier part in the list stays.
pub fn merge_parts(
    table: &Table,
    parts: &[(Arc<SeriesPart>, Arc<Tombstones>)],
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<PartInfo>>, StoreError> {
    let lineage = Lineage::merged(parts.iter().map(|(part, _)| {
        let info = part.part().info();
        (info.id, info.max_time, &part.meta().lineage)
    }));
    let mut builder = PartBuilder::with_lineage(table, lineage);
    let mut heads: BinaryHeap<Reverse<(Labels, usize, SeriesId)>> = BinaryHeap::new();
    let mut counts = Vec::with_capacity(parts.len());
    for (at, (part, _)) in parts.iter().enumerate() {
        counts.push(part.series_count()?);
        if counts[at] > 0 {
            heads.push(Reverse((part.labels(0)?, at, 0)));
        }
    }
    let mut current: Option<Labels> = None;
    let mut columns = SampleColumns::default();
    while let Some(Reverse((labels, at, series))) = heads.pop() {
        if stop() {
            return Ok(None);
        }
        let (part, tombstones) = &parts[at];
        if series as usize + 1 < counts[at] {
            heads.push(Reverse((part.labels(series + 1)?, at, series + 1)));
        }
        if current.as_ref() != Some(&labels) {
            if let Some(done) = current.replace(labels) {
                builder.add(&done, &columns)?;
            }
            columns.clear();
        }
        let mut own = SampleColumns::default();
        part.read(series, i64::MIN, i64::MAX, &mut own)?;
        remove_ranges(&mut own, &tombstones.of(series));
        crate::merge_columns::merge_columns(&mut columns, &own);
    }
    if let Some(done) = current {
        builder.add(&done, &columns)?;
    }
    builder.finish().map(Some)
}
