//! All groups: loading their files, running their schedules, replacing them on reload.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::ConfigError;
use platform::Clock;
use storage::MetricsStore;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::QueryEngine;
use crate::alerting_rule::AlertingRule;
use crate::expand::Expander;
use crate::file::{GroupSpec, load_file};
use crate::group::{Group, GroupState, Rule, Shared, Tools, phase_ms};
use crate::metrics::RuleMetrics;
use crate::notifier::Notifier;
use crate::recording_rule::RecordingRule;
use crate::restore::Tolerance;

/// What is injected.
pub struct Parts {
    pub engine: Arc<dyn QueryEngine>,
    pub store: Arc<dyn MetricsStore>,
    pub clock: Arc<dyn Clock>,
    pub notifier: Arc<Notifier>,
    pub metrics: RuleMetrics,
}

/// What configuration and flags say.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Rule files, globs expanded.
    pub files: Vec<PathBuf>,
    pub interval_ms: i64,
    pub query_offset_ms: i64,
    pub external_labels: BTreeMap<String, String>,
    pub external_url: String,
    /// `--rules.alert.resend-delay`, 1m.
    pub resend_ms: i64,
    /// `--rules.alert.for-outage-tolerance`, 1h.
    pub outage_tolerance_ms: i64,
    /// `--rules.alert.for-grace-period`, 10m.
    pub grace_ms: i64,
}

/// Groups evaluated at the same time.
const CONCURRENT_MAX: usize = 4;

pub struct RuleManager {
    parts: Parts,
    state: Mutex<State>,
    slots: Semaphore,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

#[derive(Default)]
struct State {
    settings: Settings,
    groups: Vec<Running>,
}

struct Running {
    group: Shared,
    cancel: CancellationToken,
}

/// A group as its file and the settings say.
pub(crate) fn build_group(
    file: &str,
    spec: &GroupSpec,
    settings: &Settings,
    engine: &Arc<dyn QueryEngine>,
) -> Group {
    let external = Arc::new(settings.external_labels.clone());
    let rule = |rule: &crate::RuleSpec| {
        let mut labels = spec.labels.clone();
        labels.extend(rule.labels.clone());
        if rule.record.is_empty() {
            let expander =
                Expander::new(&rule.alert, engine.clone(), external.clone(), &settings.external_url);
            Rule::Alerting(AlertingRule::new(rule, labels, expander))
        } else {
            Rule::Recording(RecordingRule::new(rule, labels))
        }
    };
    let rules = spec.rules.iter().map(rule).collect();
    let interval = spec.interval.map_or(settings.interval_ms, config::Duration::as_ms).max(1);
    let offset = spec.query_offset.map_or(settings.query_offset_ms, config::Duration::as_ms);
    let fingerprint = format!("{spec:?} {interval} {offset}");
    Group::new(spec.name.clone(), file.to_owned(), interval, offset, spec.limit, fingerprint, rules)
}

impl RuleManager {
    pub fn new(parts: Parts) -> Arc<RuleManager> {
        Arc::new(RuleManager {
            parts,
            state: Mutex::default(),
            slots: Semaphore::new(CONCURRENT_MAX),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads all files and replaces the groups; on an error nothing is changed. Groups that did not change
    /// go on undisturbed, changed ones keep the state of their alerts. Must run within a Tokio runtime.
    pub fn apply(self: &Arc<Self>, settings: Settings) -> Result<(), Vec<ConfigError>> {
        let loaded = load(&settings.files)?;
        let mut state = self.lock();
        let same_surroundings = state.settings.external_labels == settings.external_labels
            && state.settings.external_url == settings.external_url;
        let mut before: BTreeMap<String, Running> =
            state.groups.drain(..).map(|r| (r.group.key(), r)).collect();
        let mut groups = Vec::new();
        for (file, spec) in loaded {
            let group = build_group(&file, &spec, &settings, &self.parts.engine);
            match before.remove(&group.key()) {
                Some(old) if same_surroundings && old.group.fingerprint == group.fingerprint => {
                    groups.push(old)
                }
                Some(old) => {
                    old.cancel.cancel();
                    group.inherit(&old.group);
                    // Whatever the new group did not take over ends now.
                    old.group.end_series(&*self.parts.store, self.parts.clock.now_ms());
                    groups.push(self.spawn(group));
                }
                None => groups.push(self.spawn(group)),
            }
        }
        state.settings = settings;
        state.groups = groups;
        drop(state);
        for old in before.into_values() {
            old.cancel.cancel();
            old.group.end_series(&*self.parts.store, self.parts.clock.now_ms());
        }
        Ok(())
    }

    fn spawn(self: &Arc<Self>, group: Group) -> Running {
        let (group, cancel) = (Arc::new(group), self.shutdown.child_token());
        let key = group.key();
        self.parts.metrics.group_interval.with(&[&key]).set(group.interval_ms as f64 / 1000.0);
        self.parts.metrics.group_rules.with(&[&key]).set(group.lock().slots.len() as f64);
        let (manager, task_group, task_cancel) = (self.clone(), group.clone(), cancel.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = task_cancel.cancelled() => {}
                () = manager.schedule(task_group) => {}
            }
        });
        Running { group, cancel }
    }

    /// Evaluates a group at every multiple of its interval, shifted by its phase.
    async fn schedule(self: Arc<Self>, group: Shared) {
        let (interval, key) = (group.interval_ms, group.key());
        let phase = phase_ms(&key, interval);
        let next_after = |now: i64| (now - phase).div_euclid(interval) * interval + phase + interval;
        let mut due = next_after(self.parts.clock.now_ms());
        loop {
            let wait = (due - self.parts.clock.now_ms()).max(0) as u64;
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let Ok(slot) = self.slots.acquire().await else { return };
            self.parts.metrics.iterations.with(&[&key]).inc();
            let (manager, evaluated) = (self.clone(), group.clone());
            let work = tokio::task::spawn_blocking(move || manager.evaluate(&evaluated, due));
            if work.await.is_err() {
                tracing::error!(
                    group = group.name,
                    "evaluating the group panicked; it goes on at the next interval"
                );
            }
            drop(slot);
            let next = next_after(self.parts.clock.now_ms());
            let missed = ((next - due) / interval - 1).max(0) as u64;
            self.parts.metrics.iterations.with(&[&key]).add(missed);
            self.parts.metrics.iterations_missed.with(&[&key]).add(missed);
            due = next;
        }
    }

    /// One evaluation, and its alerts on their way.
    pub(crate) fn evaluate(&self, group: &Group, time: i64) {
        let (tolerance, resend_ms) = {
            let state = self.lock();
            let s = &state.settings;
            (Tolerance { outage_ms: s.outage_tolerance_ms, grace_ms: s.grace_ms }, s.resend_ms)
        };
        let tools = Tools {
            engine: &*self.parts.engine,
            store: &*self.parts.store,
            metrics: &self.parts.metrics,
            tolerance,
            resend_ms,
        };
        let exprs: BTreeMap<String, String> = group
            .lock()
            .slots
            .iter()
            .filter_map(|slot| match &slot.rule {
                Rule::Alerting(rule) => Some((rule.name.clone(), rule.expr.clone())),
                Rule::Recording(_) => None,
            })
            .collect();
        for alert in group.eval(&tools, time) {
            let expr = exprs.get(alert.labels.get("alertname")).map_or("", String::as_str);
            self.parts.notifier.send(vec![alert], expr);
        }
    }

    /// All groups in the order of their files.
    pub fn groups(&self) -> Vec<GroupState> {
        let groups: Vec<Shared> = self.lock().groups.iter().map(|r| r.group.clone()).collect();
        groups.iter().map(|group| group.state()).collect()
    }

    pub fn notifier(&self) -> &Arc<Notifier> {
        &self.parts.notifier
    }

    /// Ends all schedules; returns when no evaluation runs any more.
    pub async fn shutdown(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// All groups of all files, or everything that is wrong with them.
fn load(files: &[PathBuf]) -> Result<Vec<(String, GroupSpec)>, Vec<ConfigError>> {
    let (mut groups, mut errors) = (Vec::new(), Vec::new());
    for path in files {
        match load_file(path) {
            Ok(loaded) => groups.extend(loaded.into_iter().map(|g| (path.display().to_string(), g))),
            Err(e) => errors.push(e),
        }
    }
    if errors.is_empty() { Ok(groups) } else { Err(errors) }
}
