//! How far a store has got with its log, readable while it is being opened.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Places in the log, in bytes since the store began: where replay begins, where it will end, where it is.
#[derive(Debug, Default)]
pub struct ReplayProgress {
    min: AtomicU64,
    max: AtomicU64,
    current: AtomicU64,
    done: AtomicBool,
}

impl ReplayProgress {
    pub fn begin(&self, min: u64, max: u64) {
        self.min.store(min, Ordering::Relaxed);
        self.current.store(min, Ordering::Relaxed);
        self.max.store(max, Ordering::Relaxed);
    }

    pub fn at(&self, current: u64) {
        self.current.store(current, Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.current.store(self.max(), Ordering::Relaxed);
        self.done.store(true, Ordering::Release);
    }

    pub fn min(&self) -> u64 {
        self.min.load(Ordering::Relaxed)
    }

    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    pub fn current(&self) -> u64 {
        self.current.load(Ordering::Relaxed)
    }

    /// Whether everything was replayed. The store may still take a moment to open.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}
