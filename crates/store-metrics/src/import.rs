//! Bulk import: whole windows of series, written straight as parts, past log and head.
//!
//! Appending old samples would be refused as too late, and would pass everything through memory. An import
//! takes series in the order of their labels, one at a time, and makes one part of each window; when that
//! is published, all of it is there and durable. What overlaps existing data merges as queries merge parts:
//! of two samples with one time the one that was there first stays.

use kernel::{PartInfo, Publication};
use model::{Exemplar, Labels, TimestampMs};
use storage::metrics::SampleColumns;
use storage::{ErrorKind, StoreError};

use crate::error::from_kernel;
use crate::part::PartBuilder;
use crate::store::{Core, Store};

/// Makes imports into one store. Several may be under way, beside writers and readers.
pub struct Importer<'s> {
    core: &'s Core,
}

/// One window on its way into the store. Dropped unfinished, it leaves nothing.
pub struct WindowImport<'s> {
    core: &'s Core,
    builder: PartBuilder<'s>,
    mint: TimestampMs,
    maxt: TimestampMs,
    last: Option<Labels>,
    imported: Imported,
}

/// What an import of a window brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    pub parts: u64,
    pub series: u64,
    pub samples: u64,
    /// On disk.
    pub bytes: u64,
}

impl Store {
    pub fn importer(&self) -> Importer<'_> {
        Importer { core: self.core() }
    }
}

impl<'s> Importer<'s> {
    /// The window that `t` falls into: first and last time, both included.
    pub fn window(&self, t: TimestampMs) -> (TimestampMs, TimestampMs) {
        let width = self.core.settings.partition_width_ms();
        let start = t.div_euclid(width).saturating_mul(width);
        (start, start.saturating_add(width - 1))
    }

    /// Puts exemplars, oldest first, into the ring and the log. Returns how many are new; those that the
    /// ring would refuse from a writer are left out.
    pub fn exemplars<'e>(
        &self,
        exemplars: impl IntoIterator<Item = &'e (Labels, Exemplar)>,
    ) -> Result<u64, StoreError> {
        let new = {
            let mut ring = self.core.exemplars();
            let before = ring.appended;
            exemplars.into_iter().for_each(|(series, exemplar)| ring.push(series, exemplar.clone()));
            ring.appended - before
        };
        if new > 0 {
            // A generation of the log begins with what is in the ring.
            self.core.begin_generation(&mut self.core.log.pause());
        }
        Ok(new)
    }

    /// Begins the import of the window that `t` falls into.
    pub fn begin(&self, t: TimestampMs) -> WindowImport<'s> {
        let (mint, maxt) = self.window(t);
        WindowImport {
            core: self.core,
            builder: PartBuilder::new(&self.core.table),
            mint,
            maxt,
            last: None,
            imported: Imported::default(),
        }
    }
}

impl WindowImport<'_> {
    /// Adds all samples that a series has in this window. `Invalid` when series do not ascend, or samples
    /// do not ascend in time or lie outside the window.
    pub fn add(&mut self, labels: &Labels, columns: &SampleColumns) -> Result<(), StoreError> {
        if columns.is_empty() {
            return Ok(());
        }
        let refuse = |what: &str| Err(StoreError::new(ErrorKind::Invalid, format!("{labels}: {what}")));
        if self.last.as_ref().is_some_and(|last| last >= labels) {
            return refuse("series are not in the order of their labels");
        }
        if columns.float_times.len() != columns.floats.len() {
            return refuse("columns of times and values differ in length");
        }
        let ascending = columns.float_times.is_sorted_by(|a, b| a < b)
            && columns.histograms.is_sorted_by(|a, b| a.0 < b.0)
            && columns.start_times.is_sorted_by(|a, b| a.0 < b.0);
        if !ascending {
            return refuse("samples are not in the order of time");
        }
        let inside = |t: Option<TimestampMs>| t.is_none_or(|t| (self.mint..=self.maxt).contains(&t));
        let floats = [columns.float_times.first(), columns.float_times.last()];
        let histograms = [columns.histograms.first(), columns.histograms.last()];
        let all_inside = floats.iter().all(|t| inside(t.copied()))
            && histograms.iter().all(|sample| inside(sample.map(|(t, _)| *t)));
        if !all_inside {
            return refuse("samples outside the window");
        }
        self.last = Some(labels.clone());
        self.imported.series += 1;
        self.imported.samples += columns.len() as u64;
        self.builder.add(labels, columns)
    }

    /// Makes the window durable and visible.
    pub fn finish(self) -> Result<Imported, StoreError> {
        let mut imported = self.imported;
        let parts: Vec<PartInfo> = self.builder.finish()?;
        if parts.is_empty() {
            return Ok(imported);
        }
        imported.parts = parts.len() as u64;
        imported.bytes = parts.iter().map(|part| part.bytes).sum();
        let maintenance = self.core.maintenance();
        let publication = Publication { add: parts, ..Publication::default() };
        self.core.table.publish(publication).map_err(from_kernel)?;
        self.core.refresh_parts(&maintenance.state, false);
        Ok(imported)
    }
}
