//! A cache bounded by bytes: what was not asked for since the hand came by last goes first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

#[derive(Debug)]
pub struct Cache<K, V> {
    inner: Mutex<Inner<K, V>>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Inner<K, V> {
    entries: HashMap<K, Entry<V>, foldhash::fast::RandomState>,
    /// The order in which the hand visits.
    ring: VecDeque<K>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    used: bool,
}

impl<K: Copy + Eq + Hash, V: Clone> Cache<K, V> {
    pub fn new(bytes_max: usize) -> Cache<K, V> {
        let inner = Inner { entries: HashMap::default(), ring: VecDeque::new(), bytes: 0 };
        Cache { inner: Mutex::new(inner), bytes_max }
    }

    pub fn get(&self, key: K) -> Option<V> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = inner.entries.get_mut(&key)?;
        entry.used = true;
        Some(entry.value.clone())
    }

    /// Adds a value that takes `bytes`. One that would take a large share of the cache is not kept.
    pub fn insert(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max / 4 {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        if let Some(old) = inner.entries.insert(key, Entry { value, bytes, used: false }) {
            inner.bytes -= old.bytes;
        } else {
            inner.ring.push_back(key);
        }
        inner.bytes += bytes;
        while inner.bytes > self.bytes_max {
            let Some(key) = inner.ring.pop_front() else { break };
            match inner.entries.get_mut(&key) {
                Some(entry) if entry.used => {
                    entry.used = false;
                    inner.ring.push_back(key);
                }
                Some(_) => {
                    inner.bytes -= inner.entries.remove(&key).map_or(0, |entry| entry.bytes);
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_entries_outlive_unused_ones() {
        let cache = Cache::new(100);
        for key in 0..4 {
            cache.insert(key, key * 10, 25);
        }
        assert_eq!(cache.get(0), Some(0));
        cache.insert(4, 40, 25);
        assert_eq!((cache.get(0), cache.get(1), cache.get(4)), (Some(0), None, Some(40)));
        cache.insert(5, 50, 26);
        assert_eq!(cache.get(5), None, "larger than a quarter");
        cache.insert(4, 41, 20);
        assert_eq!(cache.get(4), Some(41));
    }
}
