//! One aggregation group: alerts that are told together, and the timer that says when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use model::{Labels, TimestampNs};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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
    /// Asks for the first flush at once.
    hurry: Notify,
}

#[derive(Default)]
struct State {
    alerts: HashMap<u64, Arc<Alert>>,
    has_flushed: bool,
}

impl Group {
    pub fn new(route: Arc<Route>, labels: Labels) -> Group {
        let key = format!("{}:{}", route.key, label_set_text(&labels));
        Group { route, labels, key, state: Mutex::default(), hurry: Notify::new() }
    }

    /// Adds or replaces an alert.
    pub fn insert(&self, alert: Arc<Alert>, now: TimestampNs) {
        let mut state = lock(&self.state);
        // An alert that has waited its time elsewhere (before a restart, say) does not wait again.
        if !state.has_flushed && alert.starts_at.saturating_add(nanos(self.route.group_wait)) < now {
            self.hurry.notify_one();
        }
        state.alerts.insert(alert.fingerprint(), alert);
    }

    pub fn alerts(&self) -> Vec<Arc<Alert>> {
        let mut alerts: Vec<Arc<Alert>> = lock(&self.state).alerts.values().cloned().collect();
        alerts.sort_by(|a, b| a.order(b));
        alerts
    }

    /// Whether everything it was about is over and told.
    pub fn is_done(&self) -> bool {
        let state = lock(&self.state);
        state.has_flushed && state.alerts.is_empty()
    }

    /// Flushes after `group_wait`, then every `group_interval`, until cancelled.
    pub async fn run(self: Arc<Self>, pipeline: Arc<Pipeline>, stop: CancellationToken) {
        let mut next = Instant::now() + self.route.group_wait;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
                () = self.hurry.notified() => {}
            }
            next = Instant::now() + self.route.group_interval;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.flush(&pipeline) => {}
            }
        }
    }

    async fn flush(&self, pipeline: &Pipeline) {
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
