//! From the bytes of a series' labels, as a sender writes them, to the series.
//!
//! A sender repeats the same label sets in every request, so for a known series one hash and one comparison
//! replace decoding, checking and sorting its labels. The labels kept here are the very allocation the store
//! keeps, so an entry costs 32 bytes. Series nobody has asked for between two sweeps are forgotten.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use hashbrown::HashTable;
use model::Labels;
use storage::metrics::SeriesRef;

/// Entries kept; at this size every series not asked for since the last sweep goes, then any.
const SERIES_MAX: usize = 2_000_000;
/// How often idle series are looked for, at most.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// Set in an entry when it is asked for. References with this bit are not kept.
const ASKED: u64 = 1 << 63;

pub struct KnownSeries {
    table: RwLock<Table>,
}

struct Table {
    entries: HashTable<Entry>,
    swept: Instant,
}

struct Entry {
    hash: u64,
    labels: Labels,
    series: AtomicU64,
}

/// A series to be remembered.
pub struct NewSeries {
    pub hash: u64,
    pub labels: Labels,
    pub series: SeriesRef,
}

impl Default for KnownSeries {
    fn default() -> KnownSeries {
        KnownSeries { table: RwLock::new(Table { entries: HashTable::new(), swept: Instant::now() }) }
    }
}

impl KnownSeries {
    pub fn hash(run: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64(run)
    }

    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// For looking up the series of one request under one lock.
    pub fn read(&self) -> Lookup<'_> {
        Lookup { table: self.table.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Remembers the new series of a request.
    pub fn add(&self, series: impl IntoIterator<Item = NewSeries>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for NewSeries { hash, labels, series: SeriesRef(series) } in series {
            if series & ASKED != 0 {
                continue;
            }
            let known = table.entries.find_mut(hash, |entry| entry.hash == hash && entry.labels == labels);
            if let Some(entry) = known {
                entry.series = AtomicU64::new(series | ASKED);
                continue;
            }
            table.make_room();
            let entry = Entry { hash, labels, series: AtomicU64::new(series | ASKED) };
            table.entries.insert_unique(hash, entry, |entry| entry.hash);
        }
    }
}

impl Table {
    fn make_room(&mut self) {
        let full = self.entries.len() >= SERIES_MAX;
        let grows = self.entries.len() == self.entries.capacity();
        let due = grows && self.swept.elapsed() >= SWEEP_INTERVAL;
        if !full && !due {
            return;
        }
        self.sweep();
        if self.entries.len() >= SERIES_MAX {
            let mut odd = false;
            self.entries.retain(|_| {
                odd = !odd;
                odd
            });
        }
    }

    /// Forgets what nobody has asked for since the last time.
    fn sweep(&mut self) {
        self.swept = Instant::now();
        self.entries.retain(|entry| {
            let series = entry.series.get_mut();
            let asked = *series & ASKED != 0;
            *series &= !ASKED;
            asked
        });
    }
}

pub struct Lookup<'k> {
    table: RwLockReadGuard<'k, Table>,
}

impl Lookup<'_> {
    pub fn len(&self) -> usize {
        self.table.entries.len()
    }

    /// The series with this hash whose labels `is_same` accepts.
    #[inline]
    pub fn find(&self, hash: u64, mut is_same: impl FnMut(&Labels) -> bool) -> Option<(SeriesRef, &Labels)> {
        let entry = self.table.entries.find(hash, |entry| entry.hash == hash && is_same(&entry.labels))?;
        let series = entry.series.load(Ordering::Relaxed);
        if series & ASKED == 0 {
            entry.series.fetch_or(ASKED, Ordering::Relaxed);
        }
        Some((SeriesRef(series & !ASKED), &entry.labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_with_one_hash_are_told_apart_by_their_labels() {
        let known = KnownSeries::default();
        let labels = |i: u64| Labels::from_pairs([("i", i.to_string())]);
        known.add((0..3).map(|i| NewSeries { hash: 7, labels: labels(i), series: SeriesRef(i) }));
        let lookup = known.read();
        for i in 0..3 {
            let found = lookup.find(7, |l| *l == labels(i)).map(|(series, _)| series);
            assert_eq!(found, Some(SeriesRef(i)));
        }
        assert!(lookup.find(7, |_| false).is_none() && lookup.find(8, |_| true).is_none());
    }

    #[test]
    fn a_new_reference_replaces_the_old_one() {
        let known = KnownSeries::default();
        let labels = Labels::from_pairs([("a", "b")]);
        for series in [SeriesRef(1), SeriesRef(2)] {
            known.add([NewSeries { hash: 1, labels: labels.clone(), series }]);
        }
        known.add([NewSeries { hash: 2, labels, series: SeriesRef(u64::MAX) }]);
        assert_eq!(known.len(), 1);
        assert_eq!(known.read().find(1, |_| true).map(|(series, _)| series), Some(SeriesRef(2)));
    }

    #[test]
    fn a_sweep_keeps_what_was_asked_for() {
        let known = KnownSeries::default();
        let labels = |i: u64| Labels::from_pairs([("i", i.to_string())]);
        known.add((0..10).map(|i| NewSeries { hash: i, labels: labels(i), series: SeriesRef(i) }));
        let sweep = || known.table.write().unwrap().sweep();
        sweep();
        assert_eq!(known.len(), 10, "new series count as asked for");
        assert!(known.read().find(3, |_| true).is_some());
        sweep();
        assert_eq!(known.len(), 1);
    }
}
