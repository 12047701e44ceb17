//! One aggregation group: alerts that are told together, and when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use model::{Labels, TimestampNs};
use tokio::time::Instant;

use crate::alert::Alert;
use crate::manager::lock;
use crate::notification::NotifiedAlert;
use crate::pipeline::{Flush, Pipeline};
use crate::route::Route;
use crate::silences::nanos;

pub(crate) struct Group {
    pub route: Arc<Route>,
    pub labels: Labels,
    /// `{}/{a="b"}:{alertname="x"}`, the group's name in logs and payloads.
    pub key: String,
    state: Mutex<State>,
}

struct State {
    /// By fingerprint.
    alerts: BTreeMap<u64, Arc<Alert>>,
    has_flushed: bool,
    /// When the next flush is due.
    due: Instant,
    phase: Phase,
}

/// Flushes of one group never overlap; one that is due meanwhile follows at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Flushing,
    FlushingAndDue,
    /// Dropped by the dispatcher; what is left of its timer has no effect.
    Closed,
}

impl Group {
    /// A group whose first flush is due after `group_wait`.
    pub fn new(route: Arc<Route>, labels: Labels) -> Group {
        let key = format!("{}:{}", route.key, label_set_text(&labels));
        let state = State {
            alerts: BTreeMap::new(),
            has_flushed: false,
            due: Instant::now() + route.group_wait,
            phase: Phase::Waiting,
        };
        Group { route, labels, key, state: Mutex::new(state) }
    }

    /// Adds or replaces an alert; `true` when the first flush is due at once because of it.
    pub fn insert(&self, alert: Arc<Alert>, now: TimestampNs) -> bool {
        let mut state = lock(&self.state);
        // An alert that has waited its time elsewhere (before a restart, say) does not wait again.
        let waited = alert.starts_at.saturating_add(nanos(self.route.group_wait)) < now;
        let fingerprint = alert.fingerprint();
        // Requests run side by side: an older report may come here after a younger one.
        if state.alerts.get(&fingerprint).is_none_or(|known| known.updated_at <= alert.updated_at) {
            state.alerts.insert(fingerprint, alert);
        }
        if state.has_flushed || !waited {
            return false;
        }
        state.due = state.due.min(Instant::now());
        true
    }

    /// When the next flush is due.
    pub fn due(&self) -> Instant {
        lock(&self.state).due
    }

    pub fn alerts(&self) -> Vec<Arc<Alert>> {
        let mut alerts: Vec<Arc<Alert>> = lock(&self.state).alerts.values().cloned().collect();
        alerts.sort_by(|a, b| a.order(b));
        alerts
    }

    /// Hands every fingerprint of an alert that is still to be told to `take`.
    pub fn fingerprints(&self, take: &mut dyn FnMut(u64)) {
        lock(&self.state).alerts.keys().copied().for_each(take);
    }

    /// Closes the group if everything it was about is over and told.
    pub fn close_if_done(&self) -> bool {
        let mut state = lock(&self.state);
        let is_done = state.has_flushed && state.alerts.is_empty() && state.phase == Phase::Waiting;
        if is_done {
            state.phase = Phase::Closed;
        }
        is_done
    }

    /// Begins the flush that was due at `due`, unless that time was moved, and returns when the next one is
    /// due; the flush itself follows with [`Group::flush`] when the second value says so.
    pub fn begin(&self, due: Instant) -> Option<(Instant, bool)> {
        let mut state = lock(&self.state);
        if state.due != due || state.phase == Phase::Closed {
            return None;
        }
        let now = Instant::now();
        // Kept to its own rhythm; after a standstill of the machine what was missed is not made up for.
        state.due = due + self.route.group_interval;
        if state.due <= now {
            state.due = now + self.route.group_interval;
        }
        let is_free = state.phase == Phase::Waiting;
        state.phase = if is_free { Phase::Flushing } else { Phase::FlushingAndDue };
        Some((state.due, is_free))
    }

    /// Flushes until nothing is due.
    pub async fn flush(&self, pipeline: &Pipeline) {
        loop {
            self.flush_once(pipeline).await;
            let mut state = lock(&self.state);
            state.phase = match state.phase {
                Phase::FlushingAndDue => Phase::Flushing,
                _ => Phase::Waiting,
            };
            if state.phase == Phase::Waiting {
                return;
            }
        }
    }

    async fn flush_once(&self, pipeline: &Pipeline) {
        let now = pipeline.clock.now_ns();
        let alerts: Vec<NotifiedAlert> = {
            lock(&self.state).has_flushed = true;
            self.alerts()
                .into_iter()
                .map(|alert| NotifiedAlert { resolved: alert.resolved_at(now), alert })
                .collect()
        };
        if alerts.is_empty() {
            return;
        }
        let resolved: Vec<Arc<Alert>> =
            alerts.iter().filter(|a| a.resolved).map(|a| a.alert.clone()).collect();
        let flush = Flush { route: &self.route, key: &self.key, labels: &self.labels, alerts, now };
        if pipeline.run(flush).await {
            let mut state = lock(&self.state);
            for alert in resolved {
                // One that fired again in the meantime is another alert by now.
                let fingerprint = alert.fingerprint();
                if state.alerts.get(&fingerprint).is_some_and(|current| Arc::ptr_eq(current, &alert)) {
                    state.alerts.remove(&fingerprint);
                }
            }
        }
    }
}

/// `{a="b", c="d"}`
fn label_set_text(labels: &Labels) -> String {
    let mut out = String::from("{");
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
        out.push('=');
        // Writing to a string cannot fail.
        let _ = model::labels::write_quoted(&mut out, value);
    }
    out.push('}');
    out
}
