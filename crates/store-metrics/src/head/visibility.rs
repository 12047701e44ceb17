//! What a reader sees while batches arrive: whole batches, and only those committed before it began.
//!
//! Commits are numbered. A reader remembers the number current at its start. Chunks only grow at their
//! end, so to hide later samples from a reader it is enough to know where the series ended at that time.
//! That is recorded, per series, by the first commit that touches the series after the newest reader
//! began; with no reader about nothing is recorded at all. Late samples are not hidden.
//!
//! The gate makes a commit's many small changes one change: commits hold it for reading, a beginning
//! reader for writing.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use index::SeriesId;
use model::TimestampMs;
use smallvec::SmallVec;

#[derive(Debug, Default)]
pub struct Visibility {
    gate: RwLock<()>,
    commits: AtomicU64,
    next_view: AtomicU64,
    /// Views in use: number → the commit it began at.
    active: Mutex<BTreeMap<u64, u64>>,
    /// One above the newest active view's commit; zero without views. Changes under the closed gate only,
    /// except that it may drop to zero.
    newest: AtomicU64,
    oldest: AtomicU64,
}

/// The right to apply one commit.
pub struct Applying<'a> {
    _open: RwLockReadGuard<'a, ()>,
    /// Views that must not see this commit began at `newest - 1` or before.
    newest: u64,
    oldest: u64,
}

/// A point in the order of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    pub number: u64,
    pub commit: u64,
}

impl Visibility {
    /// Begins to apply a commit.
    pub fn apply(&self) -> Applying<'_> {
        let open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.commits.fetch_add(1, Ordering::Relaxed);
        let newest = self.newest.load(Ordering::Acquire);
        Applying { _open: open, newest, oldest: self.oldest.load(Ordering::Acquire) }
    }

    /// Closes the gate: no commit is half applied while the guard lives.
    pub fn close_gate(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a view. The gate is closed by the caller, who looks at other things in the same moment.
    pub fn begin_view(&self, _closed: &RwLockWriteGuard<'_, ()>) -> View {
        let view = View {
            number: self.next_view.fetch_add(1, Ordering::Relaxed),
            commit: self.commits.load(Ordering::Relaxed),
        };
        let mut active = self.active();
        active.insert(view.number, view.commit);
        self.note_extremes(&active);
        view
    }

    pub fn end_view(&self, view: View) {
        let mut active = self.active();
        active.remove(&view.number);
        self.note_extremes(&active);
    }

    /// The number the next view will have.
    pub fn next_view(&self) -> u64 {
        self.next_view.load(Ordering::Relaxed)
    }

    /// Whether a view that began before view `number` is still in use.
    pub fn has_view_before(&self, number: u64) -> bool {
        self.active().first_key_value().is_some_and(|(oldest, _)| *oldest < number)
    }

    fn note_extremes(&self, active: &BTreeMap<u64, u64>) {
        let newest = active.last_key_value().map_or(0, |(_, commit)| commit + 1);
        let oldest = active.first_key_value().map_or(0, |(_, commit)| *commit);
        self.newest.store(newest, Ordering::Release);
        self.oldest.store(oldest, Ordering::Release);
    }

    fn active(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where series ended when views began, kept beside the series they speak of.
#[derive(Debug, Default)]
pub struct Endings {
    /// Ascending by commit: series → (a view's commit, the newest time that view may see).
    by_series: HashMap<SeriesId, SmallVec<[(u64, TimestampMs); 1]>, foldhash::fast::RandomState>,
}

impl Endings {
    /// Called before a commit appends to a series that ends at `last_t`.
    pub fn note(&mut self, applying: &Applying<'_>, id: SeriesId, last_t: TimestampMs) {
        let Some(newest) = applying.newest.checked_sub(1) else {
            if !self.by_series.is_empty() {
                self.by_series = HashMap::default();
            }
            return;
        };
        let endings = self.by_series.entry(id).or_default();
        endings.retain(|(commit, _)| *commit >= applying.oldest);
        if endings.last().is_none_or(|(commit, _)| *commit < newest) {
            endings.push((newest, last_t));
        }
    }

    /// The newest time of the series that `view` may see.
    pub fn visible_until(&self, view: View, id: SeriesId) -> TimestampMs {
        let endings = self.by_series.get(&id).map_or(&[][..], |endings| endings);
        endings.iter().find(|(commit, _)| *commit >= view.commit).map_or(i64::MAX, |(_, last_t)| *last_t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_sees_where_series_ended_when_it_began() {
        let (visibility, mut endings) = (Visibility::default(), Endings::default());
        let mut last_t = 0;
        let mut commit = |endings: &mut Endings| {
            let applying = visibility.apply();
            endings.note(&applying, 7, last_t);
            last_t += 10;
        };
        let begin = || visibility.begin_view(&visibility.close_gate());
        commit(&mut endings);
        assert!(endings.by_series.is_empty(), "nobody reads, nothing is recorded");

        let first = begin();
        commit(&mut endings);
        commit(&mut endings);
        let second = begin();
        assert_eq!(endings.visible_until(first, 7), 10);
        assert_eq!(endings.visible_until(second, 7), i64::MAX);
        commit(&mut endings);
        assert_eq!((endings.visible_until(first, 7), endings.visible_until(second, 7)), (10, 30));
        assert_eq!(endings.visible_until(second, 8), i64::MAX);
        assert!(visibility.has_view_before(second.number));

        visibility.end_view(first);
        assert!(!visibility.has_view_before(second.number));
        visibility.end_view(second);
        commit(&mut endings);
        assert!(endings.by_series.is_empty());
    }
}
