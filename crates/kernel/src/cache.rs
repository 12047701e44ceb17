//! Pages kept in memory after they were verified and decompressed, within a budget of bytes.
//!
//! Each shard has a young and an old generation. New and used pages are young; when the young have filled
//! half of the shard's budget they become the old ones, and the old ones that nobody used meanwhile go.
//! That costs one hash lookup, no list to maintain, and forgets about what was not used lately.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::metrics::{KernelMetrics, add, set};
use crate::part::{PageRef, PartId};

/// Readers on different cores seldom meet in one of so many.
const SHARDS: usize = 8;

/// A page that takes more than this share of a shard would push out too much.
const PAGE_SHARE: usize = 4;

type Key = (PartId, PageRef);

#[derive(Debug)]
pub(crate) struct PageCache {
    shards: Vec<Mutex<Shard>>,
    shard_bytes: usize,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Key, Bytes>,
    young_bytes: usize,
    old: HashMap<Key, Bytes>,
    old_bytes: usize,
}

impl PageCache {
    /// At most `bytes_max` bytes; with zero nothing is kept.
    pub fn new(bytes_max: usize) -> PageCache {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        PageCache { shards, shard_bytes: bytes_max / SHARDS }
    }

    pub fn get(&self, part: PartId, page: PageRef, metrics: &KernelMetrics) -> Option<Bytes> {
        if self.shard_bytes == 0 {
            return None;
        }
        let key = (part, page);
        let mut shard = self.shard(key);
        let found = shard.young.get(&key).cloned().or_else(|| {
            let bytes = shard.old.remove(&key)?;
            shard.old_bytes -= bytes.len();
            shard.insert(key, bytes.clone(), self.shard_bytes);
            Some(bytes)
        });
        add(if found.is_some() { &metrics.page_cache_hits } else { &metrics.page_cache_misses }, 1);
        found
    }

    pub fn insert(&self, part: PartId, page: PageRef, bytes: &Bytes, metrics: &KernelMetrics) {
        if bytes.len() > self.shard_bytes / PAGE_SHARE || bytes.is_empty() {
            return;
        }
        let key = (part, page);
        self.shard(key).insert(key, bytes.clone(), self.shard_bytes);
        set(&metrics.page_cache_bytes, self.bytes() as u64);
    }

    fn bytes(&self) -> usize {
        let sum = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young_bytes + shard.old_bytes
        };
        self.shards.iter().map(sum).sum()
    }

    fn shard(&self, (part, page): Key) -> std::sync::MutexGuard<'_, Shard> {
        // Neighbouring pages are read together: spread them.
        let number = (part.0.wrapping_mul(31)).wrapping_add(u64::from(page.0)) as usize % SHARDS;
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn insert(&mut self, key: Key, bytes: Bytes, budget: usize) {
        // A page takes at most a quarter of the budget, so it fits into an empty generation.
        if self.young_bytes + bytes.len() > budget / 2 {
            self.old = std::mem::take(&mut self.young);
            self.old_bytes = std::mem::take(&mut self.young_bytes);
        }
        self.young_bytes += bytes.len();
        if let Some(before) = self.young.insert(key, bytes) {
            self.young_bytes -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn the_budget_holds_and_used_pages_stay() {
        let metrics = KernelMetrics::default();
        let cache = PageCache::new(80_000);
        let page = |n: u32| (PartId(1), PageRef(n));
        let (hot_part, hot_page) = page(0);
        let bytes = Bytes::from(vec![7; 500]);
        cache.insert(hot_part, hot_page, &bytes, &metrics);
        for n in 1..2_000 {
            let (part, page) = page(n);
            cache.insert(part, page, &bytes, &metrics);
            assert!(cache.get(hot_part, hot_page, &metrics).is_some(), "after {n} others");
            assert!(metrics.page_cache_bytes.load(Ordering::Relaxed) <= 80_000);
        }
        let (part, cold) = page(1);
        assert!(cache.get(part, cold, &metrics).is_none());
        assert_eq!(metrics.page_cache_misses.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn huge_pages_and_empty_budgets_are_left_out() {
        let metrics = KernelMetrics::default();
        let bytes = Bytes::from(vec![7; 5_000]);
        for budget in [0, 80_000] {
            let cache = PageCache::new(budget);
            cache.insert(PartId(1), PageRef(1), &bytes, &metrics);
            assert!(cache.get(PartId(1), PageRef(1), &metrics).is_none(), "{budget}");
        }
    }
}
