//! What a loop remembers about the series of its target, keyed by their raw bytes.
//!
//! In the steady state a line costs one lookup here and nothing is allocated. The cache also knows which
//! series the last scrape saw, which is how the end of a series is noticed.

use std::collections::HashSet;

use hashbrown::HashMap;
use model::Labels;
use storage::metrics::SeriesRef;

/// How often entries are looked through for ones that were not seen since the last time.
const SCRAPES_KEPT: u64 = 10;

#[derive(Default)]
pub(crate) struct SeriesCache {
    by_raw: HashMap<Box<[u8]>, Entry, foldhash::fast::RandomState>,
    /// The number of the scrape in progress; the first is 1.
    scrape: u64,
    /// How many tracked series the scrape in progress saw, and the one before.
    tracked_now: usize,
    tracked_before: usize,
    /// The scrape in progress tracked a series that the one before did not.
    appeared: bool,
}

/// One way of writing a series.
pub(crate) struct Entry {
    /// `None`: metric relabelling dropped it.
    pub(crate) series: Option<(SeriesRef, Labels)>,
    /// The last scrape that exposed it.
    seen: u64,
    /// The last scrape that exposed it in a way that lets its absence end it, and the one before that.
    tracked: u64,
    tracked_earlier: u64,
}

impl SeriesCache {
    /// Begins the next scrape.
    pub(crate) fn begin(&mut self) {
        self.scrape += 1;
        self.tracked_before = std::mem::take(&mut self.tracked_now);
        self.appeared = false;
    }

    /// What is known about a line, and whether this scrape has seen the very same series already.
    pub(crate) fn see(&mut self, raw: &[u8]) -> Option<(&Entry, bool)> {
        let entry = self.by_raw.get_mut(raw)?;
        let again = entry.seen == self.scrape;
        entry.seen = self.scrape;
        Some((entry, again))
    }

    pub(crate) fn insert(&mut self, raw: &[u8], series: Option<(SeriesRef, Labels)>) {
        let entry = Entry { series, seen: self.scrape, tracked: 0, tracked_earlier: 0 };
        self.by_raw.insert(raw.into(), entry);
    }

    /// Notes that the absence of `raw` will mean its end.
    pub(crate) fn track(&mut self, raw: &[u8]) {
        let Some(entry) = self.by_raw.get_mut(raw) else { return };
        if entry.tracked != self.scrape {
            self.appeared |= entry.tracked + 1 != self.scrape;
            entry.tracked_earlier = entry.tracked;
            entry.tracked = self.scrape;
            self.tracked_now += 1;
        }
    }

    /// The series the previous scrape tracked and this one did not see.
    pub(crate) fn vanished(&self) -> Vec<(SeriesRef, Labels)> {
        // As many as before and none of them new: nothing went. Saves the walk in the steady state.
        if self.tracked_now == self.tracked_before && !self.appeared {
            return Vec::new();
        }
        let (mut alive, mut gone) = (HashSet::new(), Vec::new());
        for entry in self.by_raw.values() {
            let Some((series, labels)) = &entry.series else { continue };
            if entry.seen == self.scrape {
                alive.insert(labels.hash64());
            } else if entry.tracked != 0 && entry.tracked + 1 == self.scrape {
                gone.push((*series, labels.clone()));
            }
        }
        // One series may be written in two ways; it lives as long as one of them is exposed.
        gone.retain(|(_, labels)| !alive.contains(&labels.hash64()));
        gone
    }

    /// Makes a scrape that is refused half-way one that exposed nothing.
    pub(crate) fn roll_back(&mut self) {
        for entry in self.by_raw.values_mut().filter(|entry| entry.seen == self.scrape) {
            if entry.tracked == self.scrape {
                entry.tracked = entry.tracked_earlier;
            }
            entry.seen = self.scrape - 1;
        }
        self.tracked_now = 0;
        self.appeared = true;
    }

    /// Ends a scrape and forgets what has long been gone.
    pub(crate) fn end(&mut self) {
        if self.scrape.is_multiple_of(SCRAPES_KEPT) {
            let oldest = self.scrape - SCRAPES_KEPT;
            self.by_raw.retain(|_, entry| entry.seen > oldest);
        }
    }

    /// All series the last scrape tracked, for the end of the target.
    pub(crate) fn tracked(&self) -> Vec<(SeriesRef, Labels)> {
        let tracked = self.by_raw.values().filter(|e| e.tracked == self.scrape && e.tracked != 0);
        tracked.filter_map(|e| e.series.clone()).collect()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_raw.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one scrape that exposes `lines`; returns what vanished.
    fn scrape(cache: &mut SeriesCache, lines: &[(&str, &str)], refuse: bool) -> Vec<String> {
        cache.begin();
        for (raw, name) in lines {
            if cache.see(raw.as_bytes()).is_none() {
                let labels = Labels::from_pairs([("__name__", *name)]);
                cache.insert(raw.as_bytes(), Some((SeriesRef(labels.hash64()), labels)));
            }
            cache.track(raw.as_bytes());
        }
        if refuse {
            cache.roll_back();
        }
        let mut gone: Vec<_> = cache.vanished().into_iter().map(|(_, labels)| labels.to_string()).collect();
        cache.end();
        gone.sort();
        gone
    }

    #[test]
    fn the_end_of_a_series_is_noticed_once() {
        let mut cache = SeriesCache::default();
        let (a, b, c) = (("a", "a"), ("b", "b"), ("c", "c"));
        assert!(scrape(&mut cache, &[a, b], false).is_empty());
        assert!(scrape(&mut cache, &[a, b], false).is_empty());
        assert_eq!(scrape(&mut cache, &[a], false), ["b"]);
        assert!(scrape(&mut cache, &[a], false).is_empty());
        assert_eq!(scrape(&mut cache, &[c], false), ["a"], "as many series as before, but another one");
        assert_eq!(scrape(&mut cache, &[], false), ["c"]);
        assert!(scrape(&mut cache, &[], false).is_empty());
        assert!(scrape(&mut cache, &[a], false).is_empty(), "it came back");
        assert_eq!(scrape(&mut cache, &[], false), ["a"]);
    }

    #[test]
    fn a_refused_scrape_ends_what_the_one_before_had() {
        let mut cache = SeriesCache::default();
        let (a, b, new) = (("a", "a"), ("b", "b"), ("new", "new"));
        scrape(&mut cache, &[a, b], false);
        assert_eq!(scrape(&mut cache, &[a, new], true), ["a", "b"]);
        assert!(scrape(&mut cache, &[], false).is_empty());
    }

    #[test]
    fn a_series_written_in_two_ways_lives_while_one_is_there() {
        let mut cache = SeriesCache::default();
        scrape(&mut cache, &[("a{}", "a")], false);
        assert!(scrape(&mut cache, &[("a", "a")], false).is_empty());
    }

    #[test]
    fn old_entries_are_forgotten() {
        let mut cache = SeriesCache::default();
        scrape(&mut cache, &[("a", "a"), ("b", "b")], false);
        for _ in 0..2 * SCRAPES_KEPT {
            scrape(&mut cache, &[("a", "a")], false);
        }
        assert_eq!(cache.len(), 1);
    }
}
