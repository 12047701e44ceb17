//! What a loop remembers about the series of its target, by the key each has in the exposition.
//!
//! Targets expose their series in the same order every time, so each entry knows which one came after it
//! last time: in the steady state a line costs one comparison with the key expected there, no hashing, and
//! nothing is allocated. The cache also knows which series the last scrape saw, which is how the end of a
//! series is noticed.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{HashSet, HashTable};
use model::Labels;
use storage::metrics::SeriesRef;

/// No entry.
const NONE: u32 = u32::MAX;

/// A cache may grow to this many times what the last good scrape left in it, and [`SLACK`] more, before it
/// is cleaned after a failed one too. Both as in the original.
const GROWTH_MAX: usize = 2;
const SLACK: usize = 1000;

#[derive(Default)]
pub(crate) struct SeriesCache {
    entries: Vec<Entry>,
    /// The keys of all entries in their order, which is mostly the order they come in: comparing them with an
    /// exposition reads memory from one end to the other.
    keys: Vec<u8>,
    /// Places in `entries`, by the hash of the key.
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    /// The entry expected first.
    first: Option<u32>,
    /// The entry seen last in this scrape.
    last: Option<u32>,
    /// The number of the scrape in progress; the first is 1.
    scrape: u32,
    /// Entries the scrape in progress saw.
    seen: usize,
    /// How many tracked series the scrape in progress saw, and the one before.
    tracked_now: usize,
    tracked_before: usize,
    /// The scrape in progress tracked a series that the one before did not.
    appeared: bool,
    /// Entries after the last good scrape.
    good: usize,
}

/// One way of writing a series.
pub(crate) struct Entry {
    /// Where its key is in `keys`.
    key: Range<usize>,
    /// `None`: metric relabelling dropped it.
    pub(crate) series: Option<SeriesRef>,
    pub(crate) labels: Labels,
    /// The entry that followed this one last time.
    next: u32,
    /// The last scrape that exposed it.
    seen: u32,
    /// The last scrape that exposed it in a way that lets its absence end it, and the one before that.
    tracked: u32,
    tracked_earlier: u32,
    /// The start timestamp a zero sample was written for.
    start: i64,
}

/// An entry's place, valid until the scrape ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryId(u32);

impl SeriesCache {
    /// Begins the next scrape.
    pub(crate) fn begin(&mut self) {
        self.scrape += 1;
        self.seen = 0;
        self.last = None;
        self.tracked_before = std::mem::take(&mut self.tracked_now);
        self.appeared = false;
    }

    /// The key the next sample probably has; empty when nothing is known.
    pub(crate) fn expected(&self) -> &[u8] {
        self.candidate().map_or(&[], |at| key_of(&self.entries, &self.keys, at))
    }

    /// What is known about a sample, and whether this scrape has seen the very same series already.
    /// `is_expected`: the key equals [`SeriesCache::expected`].
    pub(crate) fn see(&mut self, key: &[u8], is_expected: bool) -> Option<(EntryId, bool)> {
        let expected =
            self.candidate().filter(|at| is_expected || key_of(&self.entries, &self.keys, *at) == key);
        let at = match expected {
            Some(at) => at,
            None => {
                let hash = self.hasher.hash_one(key);
                let same = |at: &u32| key_of(&self.entries, &self.keys, *at) == key;
                let at = *self.index.find(hash, same)?;
                self.link(at);
                at
            }
        };
        self.last = Some(at);
        let entry = self.entries.get_mut(at as usize)?;
        let again = entry.seen == self.scrape;
        if !again {
            entry.seen = self.scrape;
            self.seen += 1;
        }
        Some((EntryId(at), again))
    }

    pub(crate) fn entry(&self, id: EntryId) -> &Entry {
        &self.entries[id.0 as usize]
    }

    /// The store knows the series under another reference now.
    pub(crate) fn set_series(&mut self, id: EntryId, series: SeriesRef) {
        self.entries[id.0 as usize].series = Some(series);
    }

    /// Remembers a key that [`SeriesCache::see`] did not know.
    pub(crate) fn insert(&mut self, key: &[u8], series: Option<SeriesRef>, labels: Labels) -> EntryId {
        let at = self.entries.len() as u32;
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        let entry = Entry {
            key: start..self.keys.len(),
            series,
            labels,
            next: NONE,
            seen: self.scrape,
            tracked: 0,
            tracked_earlier: 0,
            start: 0,
        };
        self.entries.push(entry);
        self.seen += 1;
        let (entries, keys, hasher) = (&self.entries, &self.keys, &self.hasher);
        let hash_of = |at: &u32| hasher.hash_one(key_of(entries, keys, *at));
        self.index.insert_unique(hasher.hash_one(key), at, hash_of);
        self.link(at);
        self.last = Some(at);
        EntryId(at)
    }

    /// Whether the series counts from another start than before; remembers it.
    pub(crate) fn restarts(&mut self, id: EntryId, start: i64) -> bool {
        std::mem::replace(&mut self.entries[id.0 as usize].start, start) != start
    }

    /// Notes that the absence of the series will mean its end.
    pub(crate) fn track(&mut self, id: EntryId) {
        let entry = &mut self.entries[id.0 as usize];
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
        for entry in &self.entries {
            let Some(series) = entry.series else { continue };
            if entry.seen == self.scrape {
                alive.insert(series);
            } else if entry.tracked != 0 && entry.tracked + 1 == self.scrape {
                gone.push((series, entry.labels.clone()));
            }
        }
        // One series may be written in two ways; it lives as long as one of them is exposed.
        gone.retain(|(series, _)| !alive.contains(series));
        gone
    }

    /// Makes a scrape that is refused half-way one that exposed nothing.
    pub(crate) fn roll_back(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry.seen == self.scrape) {
            if entry.tracked == self.scrape {
                entry.tracked = entry.tracked_earlier;
            }
            entry.seen = self.scrape - 1;
        }
        self.seen = 0;
        self.tracked_now = 0;
        self.appeared = true;
    }

    /// Ends a scrape and forgets what it did not expose, unless it failed: then everything is kept for the
    /// next one, as long as the cache has not grown too much. True when that was the case.
    pub(crate) fn end(&mut self, is_good: bool) -> bool {
        if is_good {
            if self.seen < self.entries.len() {
                self.keep_seen_since(self.scrape);
            }
            self.good = self.entries.len();
            return false;
        }
        let is_too_big = self.entries.len() > self.good * GROWTH_MAX + SLACK;
        if is_too_big {
            self.keep_seen_since(self.scrape);
        }
        is_too_big
    }

    /// All series the last scrape tracked, for the end of the target.
    pub(crate) fn tracked(&self) -> Vec<(SeriesRef, Labels)> {
        let tracked = self.entries.iter().filter(|e| e.tracked == self.scrape && e.tracked != 0);
        tracked.filter_map(|e| Some((e.series?, e.labels.clone()))).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn candidate(&self) -> Option<u32> {
        match self.last {
            None => self.first,
            Some(last) => self.entries.get(last as usize).map(|e| e.next).filter(|next| *next != NONE),
        }
    }

    /// Expects `at` behind the entry seen last from now on.
    fn link(&mut self, at: u32) {
        match self.last {
            None => self.first = Some(at),
            Some(last) => {
                if let Some(entry) = self.entries.get_mut(last as usize) {
                    entry.next = at;
                }
            }
        }
    }

    fn keep_seen_since(&mut self, scrape: u32) {
        let mut moved = vec![NONE; self.entries.len()];
        let mut kept = 0;
        for (entry, to) in self.entries.iter().zip(&mut moved) {
            if entry.seen >= scrape {
                *to = kept;
                kept += 1;
            }
        }
        let mut keys = Vec::with_capacity(self.keys.len());
        self.entries.retain_mut(|entry| {
            let stays = entry.seen >= scrape;
            if stays {
                let start = keys.len();
                keys.extend_from_slice(self.keys.get(entry.key.clone()).unwrap_or_default());
                entry.key = start..keys.len();
            }
            stays
        });
        keys.shrink_to_fit();
        self.keys = keys;
        self.entries.shrink_to(2 * kept as usize);
        let place = |at: u32| moved.get(at as usize).copied().unwrap_or(NONE);
        for entry in &mut self.entries {
            entry.next = place(entry.next);
        }
        self.first = self.first.map(place).filter(|at| *at != NONE);
        self.last = None;
        self.index.clear();
        let (entries, keys, hasher) = (&self.entries, &self.keys, &self.hasher);
        let hash_of = |at: &u32| hasher.hash_one(key_of(entries, keys, *at));
        self.index.shrink_to(2 * entries.len(), hash_of);
        for at in 0..entries.len() as u32 {
            self.index.insert_unique(hash_of(&at), at, hash_of);
        }
    }
}

/// The key of the entry at `at`.
fn key_of<'k>(entries: &[Entry], keys: &'k [u8], at: u32) -> &'k [u8] {
    let range = entries.get(at as usize).map(|entry| entry.key.clone());
    range.and_then(|range| keys.get(range)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one scrape that exposes `lines`; returns what vanished.
    fn scrape(cache: &mut SeriesCache, lines: &[(&str, &str)], refuse: bool) -> Vec<String> {
        cache.begin();
        for (raw, name) in lines {
            let is_expected = cache.expected() == raw.as_bytes();
            let id = match cache.see(raw.as_bytes(), is_expected) {
                Some((id, _)) => {
                    assert_eq!(cache.entry(id).labels.metric_name(), *name);
                    id
                }
                None => {
                    let labels = Labels::from_pairs([("__name__", *name)]);
                    cache.insert(raw.as_bytes(), Some(SeriesRef(labels.hash64())), labels)
                }
            };
            cache.track(id);
        }
        if refuse {
            cache.roll_back();
        }
        let mut gone: Vec<_> = cache.vanished().into_iter().map(|(_, labels)| labels.to_string()).collect();
        cache.end(!refuse);
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
    fn what_is_gone_is_forgotten() {
        let mut cache = SeriesCache::default();
        scrape(&mut cache, &[("a", "a"), ("b", "b"), ("c", "c")], false);
        scrape(&mut cache, &[("c", "c"), ("a", "a")], false);
        assert_eq!(cache.len(), 2);
        scrape(&mut cache, &[("a", "a"), ("c", "c")], false);
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn any_order_finds_the_right_series() {
        let mut cache = SeriesCache::default();
        let names: Vec<String> = (0..50).map(|i| format!("s{i}")).collect();
        for step in [1, 7, 3, 49, 11, 1] {
            let lines: Vec<(&str, &str)> =
                (0..50).map(|i| &names[i * step % 50]).map(|n| (n.as_str(), n.as_str())).collect();
            assert!(scrape(&mut cache, &lines, false).is_empty());
        }
        cache.begin();
        assert_eq!(cache.expected(), b"s0");
    }

    #[test]
    fn failing_scrapes_do_not_fill_the_cache() {
        let mut cache = SeriesCache::default();
        let mut largest = 0;
        for round in 0..20 {
            let names: Vec<String> = (0..500).map(|i| format!("s{round}_{i}")).collect();
            let lines: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), n.as_str())).collect();
            scrape(&mut cache, &lines, true);
            largest = largest.max(cache.len());
        }
        assert!(largest <= SLACK + 500, "{largest}");
    }
}
