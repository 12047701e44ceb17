//! Questions about the current state, answered for APIs and pages.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use model::{Labels, Matcher, TimestampNs};

use crate::alert::{Alert, order_labels};
use crate::deliver::Target;
use crate::history::{Delivery, HistoryQuery, LastAttempt};
use crate::inhibit::{InhibitRule, Inhibition};
use crate::manager::{Alertmanager, Applied};
use crate::pipeline::targets;
use crate::route::{Route, RouteTree};
use crate::silences::{Muter, Silence};

/// Alerts looked at before others get at the silences again.
const VIEWS_AT_ONCE: usize = 500;

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
    pub fingerprint: u64,
    /// The routes it takes, or, in a group, all routes asked for that it takes.
    pub routes: Vec<Arc<Route>>,
    pub state: AlertState,
    /// Ids of silences.
    pub silenced_by: Vec<String>,
    pub inhibited_by: Option<Inhibition>,
    /// Names of the time intervals that mute the group it is shown in.
    pub muted_by: Vec<String>,
}

/// A group with the alerts that were asked for.
#[derive(Debug, Clone)]
pub struct GroupView {
    pub labels: Labels,
    pub key: String,
    pub route: Arc<Route>,
    pub alerts: Vec<AlertView>,
}

/// Why an alert is told to nobody, or to whom it is.
#[derive(Debug, Clone)]
pub struct Why {
    pub view: AlertView,
    pub silences: Vec<Arc<Silence>>,
    /// The firing alert behind an inhibition, and the rule.
    pub inhibition: Option<(Arc<Alert>, InhibitRule)>,
    /// Per route of the alert, the time intervals that mute it now.
    pub routes: Vec<(Arc<Route>, Vec<String>)>,
}

/// Which alerts to show.
pub struct AlertQuery {
    pub active: bool,
    pub silenced: bool,
    pub inhibited: bool,
    pub unprocessed: bool,
    /// Of groups: whether those are shown that a time interval mutes.
    pub muted: bool,
    pub filter: Vec<Matcher>,
    /// Shows alerts only that go to a receiver it accepts.
    pub receiver: Option<re2::Regex>,
    /// Shows alerts only that go to one of these receivers.
    pub receivers: Option<BTreeSet<String>>,
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
            receivers: None,
        }
    }
}

impl AlertQuery {
    fn accepts(&self, view: &AlertView) -> bool {
        !(!self.active && view.state == AlertState::Active
            || !self.unprocessed && view.state == AlertState::Unprocessed
            || !self.silenced && !view.silenced_by.is_empty()
            || !self.inhibited && view.inhibited_by.is_some())
    }

    fn accepts_labels(&self, labels: &Labels) -> bool {
        self.filter.iter().all(|matcher| matcher_accepts(matcher, labels))
    }

    fn accepts_receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|pattern| pattern.is_match(name))
            && self.receivers.as_ref().is_none_or(|names| names.contains(name))
    }
}

/// A filter on an absent label holds when it would hold for the empty value.
fn matcher_accepts(matcher: &Matcher, labels: &Labels) -> bool {
    matcher.matches(labels.get(&matcher.name))
}

impl Alertmanager {
    /// Shows the alerts that are not over, by fingerprint, until `show` says that it has seen enough. It may
    /// take its time: nothing is locked meanwhile.
    pub fn query_alerts(&self, query: &AlertQuery, show: &mut dyn FnMut(AlertView) -> ControlFlow<()>) {
        let now = self.clock.now_ns();
        let applied = self.applied();
        let mut views = Vec::with_capacity(VIEWS_AT_ONCE);
        for alerts in self.alerts.list().chunks(VIEWS_AT_ONCE) {
            let mut muter = self.silences.muter(now);
            for alert in alerts {
                if alert.resolved_at(now) || !query.accepts_labels(&alert.labels) {
                    continue;
                }
                let matching = applied.iter().flat_map(|a| a.dispatcher.routes.matching(&alert.labels));
                let routes: Vec<Arc<Route>> = matching.cloned().collect();
                if !routes.is_empty() && !routes.iter().any(|r| query.accepts_receiver(&r.receiver)) {
                    continue;
                }
                let view = view(&mut muter, applied.as_deref(), alert.clone(), routes, now);
                if query.accepts(&view) {
                    views.push(view);
                }
            }
            drop(muter);
            for view in views.drain(..) {
                if show(view).is_break() {
                    return;
                }
            }
        }
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
            let muted_by = applied.dispatcher.pipeline.muting_intervals(&group.route, now);
            if !query.muted && !muted_by.is_empty() {
                continue;
            }
            let mut muter = self.silences.muter(now);
            let alerts: Vec<AlertView> = group
                .alerts()
                .into_iter()
                .filter(|alert| !alert.resolved_at(now) && query.accepts_labels(&alert.labels))
                .filter_map(|alert| {
                    let mut routes: Vec<Arc<Route>> = applied
                        .dispatcher
                        .routes
                        .matching(&alert.labels)
                        .into_iter()
                        .filter(|route| query.accepts_receiver(&route.receiver))
                        .cloned()
                        .collect();
                    routes.sort_by(|a, b| a.receiver.cmp(&b.receiver));
                    let mut view = view(&mut muter, Some(&applied), alert, routes, now);
                    let is_shown = query.accepts(&view);
                    if !muted_by.is_empty() {
                        view.state = AlertState::Suppressed;
                        view.muted_by.clone_from(&muted_by);
                    }
                    is_shown.then_some(view)
                })
                .collect();
            if !alerts.is_empty() {
                let (labels, key) = (group.labels.clone(), group.key.clone());
                out.push(GroupView { labels, key, route: group.route.clone(), alerts });
            }
        }
        out.sort_by(|a, b| {
            let by_labels = order_labels(&a.labels, &b.labels);
            by_labels
                .then_with(|| a.route.receiver.cmp(&b.route.receiver))
                .then_with(|| a.route.id.cmp(&b.route.id))
        });
        out
    }

    /// Explains what happens to one alert now; `None` when it is not known or over.
    pub fn why(&self, fingerprint: u64) -> Option<Why> {
        let now = self.clock.now_ns();
        let applied = self.applied();
        let alert = self.alerts.get(fingerprint).filter(|alert| !alert.resolved_at(now))?;
        let routes: Vec<Arc<Route>> =
            applied.iter().flat_map(|a| a.dispatcher.routes.matching(&alert.labels)).cloned().collect();
        let sleeping = |route: &Arc<Route>| {
            applied.as_ref().map(|a| a.dispatcher.pipeline.muting_intervals(route, now)).unwrap_or_default()
        };
        let by_route = routes.iter().map(|route| (route.clone(), sleeping(route))).collect();
        let view = view(&mut self.silences.muter(now), applied.as_deref(), alert, routes, now);
        let silences = view.silenced_by.iter().filter_map(|id| self.silences.get(id)).collect();
        let inhibition = view.inhibited_by.and_then(|inhibition| {
            let rule = applied.as_ref()?.inhibitor.rule(inhibition.rule)?.clone();
            Some((self.alerts.get(inhibition.source)?, rule))
        });
        Some(Why { view, silences, inhibition, routes: by_route })
    }

    /// What was told lately, newest first.
    pub fn history(&self, query: &HistoryQuery) -> Vec<Arc<Delivery>> {
        self.history.query(query)
    }

    /// The receivers in force by name, with their integrations and what these did last.
    pub fn receivers(&self) -> Vec<ReceiverView> {
        let Some(applied) = self.applied() else {
            return Vec::new();
        };
        let integration = |target: Target<'_>| IntegrationView {
            kind: target.integration.kind(),
            index: target.index,
            sends_resolved: target.integration.sends_resolved(),
            last: self.history.last(&target.name),
        };
        let receivers = &applied.dispatcher.pipeline.receivers;
        receivers
            .iter()
            .map(|(name, integrations)| ReceiverView {
                name: name.clone(),
                integrations: targets(name, integrations).map(integration).collect(),
            })
            .collect()
    }

    /// All routes in force, the root first; none before the first configuration.
    pub fn routes(&self) -> Option<RouteTree> {
        self.applied().map(|applied| applied.dispatcher.routes.clone())
    }

    /// Alerts by state: active, suppressed, unprocessed.
    pub(crate) fn alert_counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        self.query_alerts(&AlertQuery::default(), &mut |view| {
            let slot = match view.state {
                AlertState::Active => 0,
                AlertState::Suppressed => 1,
                AlertState::Unprocessed => 2,
            };
            counts[slot] += 1;
            ControlFlow::Continue(())
        });
        counts
    }
}

/// A receiver and its ways to tell.
#[derive(Debug, Clone)]
pub struct ReceiverView {
    pub name: String,
    pub integrations: Vec<IntegrationView>,
}

#[derive(Debug, Clone)]
pub struct IntegrationView {
    pub kind: &'static str,
    /// Which of the receiver's integrations of that kind.
    pub index: usize,
    pub sends_resolved: bool,
    /// `None` when nothing was sent since the start.
    pub last: Option<LastAttempt>,
}

fn view(
    muter: &mut Muter<'_>,
    applied: Option<&Applied>,
    alert: Arc<Alert>,
    routes: Vec<Arc<Route>>,
    now: TimestampNs,
) -> AlertView {
    let fingerprint = alert.fingerprint();
    let silenced_by = muter.muting(fingerprint, &alert.labels);
    let inhibited_by = applied.and_then(|a| a.inhibitor.muted_by(&alert.labels, now));
    let state = if applied.is_none() {
        AlertState::Unprocessed
    } else if silenced_by.is_empty() && inhibited_by.is_none() {
        AlertState::Active
    } else {
        AlertState::Suppressed
    };
    AlertView { alert, fingerprint, routes, state, silenced_by, inhibited_by, muted_by: Vec::new() }
}
