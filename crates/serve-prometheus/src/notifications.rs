//! Notes for whoever looks at a page right now: the configuration was refused, the log is still being read,
//! the server is going down. A list, and a live stream of its changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use expfmt::{Counter, Registry};
use serde::Serialize;
use tokio::sync::broadcast;

pub const RELOAD_FAILED: &str = "Configuration reload has failed.";
pub const STARTING: &str = "Prometheus is starting and replaying the write-ahead log (WAL).";
pub const STOPPING: &str = "Prometheus is shutting down and gracefully stopping all operations.";

/// Changes a slow subscriber may be behind before it misses some.
const BACKLOG: usize = 64;

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notification {
    pub text: &'static str,
    /// RFC 3339.
    pub date: String,
    pub active: bool,
}

/// All notes. Cheap to clone.
#[derive(Clone)]
pub struct Notifications {
    inner: Arc<Inner>,
}

struct Inner {
    active: Mutex<Vec<Notification>>,
    changes: broadcast::Sender<Notification>,
    subscribers: AtomicUsize,
    subscribers_max: usize,
    sent: Counter,
    dropped: Counter,
}

impl Notifications {
    pub fn new(subscribers_max: usize, registry: &Registry) -> Notifications {
        let inner = Arc::new(Inner {
            active: Mutex::default(),
            changes: broadcast::channel(BACKLOG).0,
            subscribers: AtomicUsize::new(0),
            subscribers_max,
            sent: registry.counter(
                "prometheus_api_notification_updates_sent_total",
                "Total number of notification updates sent.",
            ),
            dropped: registry.counter(
                "prometheus_api_notification_updates_dropped_total",
                "Total number of notification updates dropped.",
            ),
        });
        let counted = inner.clone();
        registry.gauge_fn(
            "prometheus_api_notification_active_subscribers",
            "The current number of active notification subscribers.",
            move || counted.subscribers.load(Ordering::Relaxed) as f64,
        );
        Notifications { inner }
    }

    fn active_mut(&self) -> std::sync::MutexGuard<'_, Vec<Notification>> {
        self.inner.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a note; the same text is not added twice.
    pub fn add(&self, text: &'static str) {
        let mut active = self.active_mut();
        if active.iter().any(|note| note.text == text) {
            return;
        }
        let date = crate::times::format_rfc3339(crate::handlers::now_ms());
        let note = Notification { text, date, active: true };
        active.push(note.clone());
        self.send(note);
    }

    /// Takes a note away.
    pub fn remove(&self, text: &str) {
        let mut active = self.active_mut();
        if let Some(at) = active.iter().position(|note| note.text == text) {
            let note = active.remove(at);
            self.send(Notification { active: false, ..note });
        }
    }

    fn send(&self, note: Notification) {
        // Nobody listening is no failure.
        if let Ok(count) = self.inner.changes.send(note) {
            self.inner.sent.add(count as u64);
        }
    }

    pub fn list(&self) -> Vec<Notification> {
        self.active_mut().clone()
    }

    /// The notes of now and a stream of what changes; `None` when there are too many listeners.
    pub fn subscribe(&self) -> Option<Subscription> {
        let inner = &self.inner;
        if inner.subscribers.fetch_add(1, Ordering::Relaxed) >= inner.subscribers_max {
            inner.subscribers.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        // Under the lock, so that no change falls between the list and the stream.
        let active = self.active_mut();
        let pending = active.iter().rev().cloned().collect();
        Some(Subscription { inner: inner.clone(), pending, changes: inner.changes.subscribe() })
    }
}

/// One listener.
pub struct Subscription {
    inner: Arc<Inner>,
    /// What was there before, the last one first.
    pending: Vec<Notification>,
    changes: broadcast::Receiver<Notification>,
}

impl Subscription {
    /// The next note; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Notification> {
        if let Some(note) = self.pending.pop() {
            return Some(note);
        }
        loop {
            match self.changes.recv().await {
                Ok(note) => return Some(note),
                Err(broadcast::error::RecvError::Lagged(missed)) => self.inner.dropped.add(missed),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inner.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn listeners_hear_what_is_and_what_changes() {
        let notes = Notifications::new(1, &Registry::new());
        notes.add(STARTING);
        notes.add(STARTING);
        let mut heard = notes.subscribe().unwrap();
        assert!(notes.subscribe().is_none());
        notes.remove(STARTING);
        notes.add(RELOAD_FAILED);
        for (text, active) in [(STARTING, true), (STARTING, false), (RELOAD_FAILED, true)] {
            let note = heard.next().await.unwrap();
            assert_eq!((note.text, note.active), (text, active));
        }
        assert_eq!(notes.list().len(), 1);
        drop(heard);
        assert!(notes.subscribe().is_some());
    }
}
