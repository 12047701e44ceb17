//! When groups are due: one heap of timers for all groups of a configuration.
//!
//! A task per group would be simpler and cost a kilobyte or two each; thousands of groups that sleep most of
//! the time cost a heap entry here, and a task only while they are being flushed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::group::Group;
use crate::manager::lock;

#[derive(Default)]
pub(crate) struct Schedule {
    heap: Mutex<BinaryHeap<Reverse<Entry>>>,
    /// The earliest entry has changed.
    earlier: Notify,
}

/// Ordered by time. A group whose time was moved has an outdated entry left, which it ignores.
struct Entry {
    due: Instant,
    group: Arc<Group>,
}

impl Schedule {
    pub fn add(&self, due: Instant, group: Arc<Group>) {
        let mut heap = lock(&self.heap);
        let is_earliest = heap.peek().is_none_or(|Reverse(first)| due < first.due);
        heap.push(Reverse(Entry { due, group }));
        drop(heap);
        if is_earliest {
            self.earlier.notify_one();
        }
    }

    /// Hands over every group at its time, not before `start`, until cancelled.
    pub async fn run(&self, start: Instant, stop: CancellationToken, flush: impl Fn(Instant, Arc<Group>)) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(start) => {}
        }
        loop {
            let next = lock(&self.heap).peek().map(|Reverse(first)| first.due);
            // Without any group there is nothing to wait for but a new one.
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.earlier.notified() => continue,
                () = tokio::time::sleep_until(next) => {}
            }
            for entry in self.take_due(Instant::now()) {
                flush(entry.due, entry.group);
            }
        }
    }

    fn take_due(&self, now: Instant) -> Vec<Entry> {
        let mut heap = lock(&self.heap);
        let mut out = Vec::new();
        while heap.peek().is_some_and(|Reverse(first)| first.due <= now) {
            out.extend(heap.pop().map(|Reverse(entry)| entry));
        }
        out
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.due == other.due
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}
