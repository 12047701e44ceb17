//! Those who want to hear of every accepted batch.

use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::logs::{Listener, StreamBatch};

use crate::metrics::{LogStoreMetrics, set};

#[derive(Default)]
pub(crate) struct Listeners {
    list: Mutex<Vec<Listener>>,
}

impl Listeners {
    pub fn add(&self, listener: Listener, metrics: &LogStoreMetrics) {
        let mut list = self.lock();
        list.push(listener);
        set(&metrics.listeners, list.len());
    }

    /// Whoever holds this decides the order in which batches are told.
    pub fn turn(&self) -> Turn<'_> {
        Turn { list: self.lock() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Turn<'a> {
    list: MutexGuard<'a, Vec<Listener>>,
}

impl Turn<'_> {
    pub fn nobody(&self) -> bool {
        self.list.is_empty()
    }

    pub fn tell(&mut self, batches: &[StreamBatch], metrics: &LogStoreMetrics) {
        for batch in batches.iter().filter(|batch| !batch.entries.is_empty()) {
            self.list.retain_mut(|listener| listener(batch).is_continue());
        }
        set(&metrics.listeners, self.list.len());
    }
}
