//! Questions about the current state, answered for APIs and pages.

use std::sync::Arc;

use model::{Labels, Matcher, TimestampNs};

use crate::alert::{Alert, fingerprint_text, order_labels};
use crate::manager::{Alertmanager, Applied};
use crate::route::Route;

/// What an alert is, seen from the receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    Active,
    Suppressed,
    /// Received before any configuration was applied.
    Unprocessed,
}

impl AlertState {
    pub fn as_str(self) -> &'static str {
        match self {
            AlertState::Active => "active",
            AlertState::Suppressed => "suppressed",
            AlertState::Unprocessed => "unprocessed",
        }
    }
}

/// An alert with everything that is known about its way.
#[derive(Debug, Clone)]
pub struct AlertView {
    pub alert: Arc<Alert>,
    pub fingerprint: String,
    pub receivers: Vec<String>,
    pub state: AlertState,
    pub silenced_by: Vec<String>,
    pub inhibited_by: Vec<String>,
    /// Names of time intervals.
    pub muted_by: Vec<String>,
}

/// A group with the alerts that were asked for.
#[derive(Debug, Clone)]
pub struct GroupView {
    pub labels: Labels,
    pub route_labels: std::collections::BTreeMap<String, String>,
    pub receiver: String,
    pub alerts: Vec<AlertView>,
}

/// Which alerts to show.
pub struct AlertQuery {
    pub active: bool,
    pub silenced: bool,
    pub inhibited: bool,
    pub unprocessed: bool,
    pub muted: bool,
    pub filter: Vec<Matcher>,
    /// Shows alerts only that go to a receiver it accepts.
    pub receiver: Option<re2::Regex>,
}

impl Default for AlertQuery {
    fn default() -> AlertQuery {
        AlertQuery {
            active: true,
            silenced: true,
            inhibited: true,
            unprocessed: true,
            muted: true,
            filter: Vec::new(),
            receiver: None,
        }
    }
}

impl AlertQuery {
    fn accepts(&self, view: &AlertView) -> bool {
        !(!self.active && view.state == AlertState::Active
            || !self.unprocessed && view.state == AlertState::Unprocessed
            || !self.silenced && !view.silenced_by.is_empty()
            || !self.inhibited && !view.inhibited_by.is_empty()
            || !self.muted && !view.muted_by.is_empty())
    }

    fn accepts_labels(&self, labels: &Labels) -> bool {
        self.filter.iter().all(|matcher| matcher_accepts(matcher, labels))
    }

    fn accepts_receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }
}

/// A filter on an absent label holds when it would hold for the empty value.
fn matcher_accepts(matcher: &Matcher, labels: &Labels) -> bool {
    matcher.matches(labels.get(&matcher.name))
}

impl Alertmanager {
    /// The alerts that are not over, by fingerprint.
    pub fn query_alerts(&self, query: &AlertQuery) -> Vec<AlertView> {
        let now = self.clock.now_ns();
        let applied = self.applied();
        let mut out = Vec::new();
        for alert in self.alerts.list() {
            if alert.resolved_at(now) || !query.accepts_labels(&alert.labels) {
                continue;
            }
            let routes: Vec<Arc<Route>> =
                applied.iter().flat_map(|a| a.dispatcher.routes.matching(&alert.labels)).cloned().collect();
            if query.receiver.is_some() && !routes.iter().any(|r| query.accepts_receiver(&r.receiver)) {
                continue;
            }
            let view = self.view(applied.as_deref(), alert, &routes, now);
            if query.accepts(&view) {
                out.push(view);
            }
        }
        out.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        out
    }

    /// The groups with at least one alert to show, by labels, then receiver.
    pub fn query_groups(&self, query: &AlertQuery) -> Vec<GroupView> {
        let now = self.clock.now_ns();
        let Some(applied) = self.applied() else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for group in applied.dispatcher.groups() {
            if !query.accepts_receiver(&group.route.receiver) {
                continue;
            }
            let alerts: Vec<AlertView> = group
                .alerts()
                .into_iter()
                .filter(|alert| !alert.resolved_at(now) && query.accepts_labels(&alert.labels))
                .map(|alert| self.view(Some(&applied), alert, std::slice::from_ref(&group.route), now))
                .filter(|view| query.accepts(view))
                .collect();
            if !alerts.is_empty() {
                out.push(GroupView {
                    labels: group.labels.clone(),
                    route_labels: group.route.labels.clone(),
                    receiver: group.route.receiver.clone(),
                    alerts,
                });
            }
        }
        out.sort_by(|a, b| order_labels(&a.labels, &b.labels).then_with(|| a.receiver.cmp(&b.receiver)));
        out
    }

    fn view(
        &self,
        applied: Option<&Applied>,
        alert: Arc<Alert>,
        routes: &[Arc<Route>],
        now: TimestampNs,
    ) -> AlertView {
        let silenced_by = self.silences.muting(&alert.labels, now);
        let inhibited_by: Vec<String> = applied
            .and_then(|a| a.inhibitor.muted_by(&alert.labels, now))
            .map(fingerprint_text)
            .into_iter()
            .collect();
        // An alert on several routes is muted when all of them sleep.
        let sleeping: Vec<Vec<String>> = applied
            .iter()
            .flat_map(|a| routes.iter().map(|route| a.dispatcher.pipeline.muting_intervals(route, now)))
            .collect();
        let muted_by = if sleeping.iter().any(Vec::is_empty) { Vec::new() } else { sleeping.concat() };
        let state = if applied.is_none() {
            AlertState::Unprocessed
        } else if silenced_by.is_empty() && inhibited_by.is_empty() && muted_by.is_empty() {
            AlertState::Active
        } else {
            AlertState::Suppressed
        };
        AlertView {
            fingerprint: fingerprint_text(alert.fingerprint()),
            receivers: routes.iter().map(|route| route.receiver.clone()).collect(),
            alert,
            state,
            silenced_by,
            inhibited_by,
            muted_by,
        }
    }

    /// Alerts by state: active, suppressed, unprocessed.
    pub(crate) fn alert_counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for view in self.query_alerts(&AlertQuery::default()) {
            let slot = match view.state {
                AlertState::Active => 0,
                AlertState::Suppressed => 1,
                AlertState::Unprocessed => 2,
            };
            counts[slot] += 1;
        }
        counts
    }
}
