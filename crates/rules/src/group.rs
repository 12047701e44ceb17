//! A rule group at work: its rules in order, on one schedule.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use model::{Labels, Value, stale_nan};
use storage::{ErrorKind, MetricsStore};

use crate::QueryEngine;
use crate::alert::ActiveAlert;
use crate::alerting_rule::AlertingRule;
use crate::metrics::RuleMetrics;
use crate::recording_rule::RecordingRule;
use crate::restore::{Tolerance, restore};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Unknown,
    Ok,
    Err,
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Ok => "ok",
            Health::Err => "err",
        }
    }
}

/// A rule as pages and the API see it.
#[derive(Debug, Clone)]
pub struct RuleState {
    pub kind: RuleKind,
    pub name: String,
    pub expr: String,
    /// As written, templates not expanded.
    pub labels: std::collections::BTreeMap<String, String>,
    pub health: Health,
    pub last_error: String,
    pub evaluation_seconds: f64,
    /// Unix milliseconds; zero before the first.
    pub last_evaluation: i64,
}

#[derive(Debug, Clone)]
pub enum RuleKind {
    Recording,
    Alerting {
        state: crate::AlertState,
        hold_ms: i64,
        keep_firing_ms: i64,
        annotations: std::collections::BTreeMap<String, String>,
        alerts: Vec<ActiveAlert>,
    },
}

/// A group as pages and the API see it.
#[derive(Debug, Clone)]
pub struct GroupState {
    pub name: String,
    pub file: String,
    pub interval_ms: i64,
    pub limit: usize,
    pub evaluation_seconds: f64,
    pub last_evaluation: i64,
    pub rules: Vec<RuleState>,
}

pub(crate) enum Rule {
    Alerting(AlertingRule),
    Recording(RecordingRule),
}

/// A rule and what its last evaluation left behind.
pub(crate) struct Slot {
    pub rule: Rule,
    pub health: Health,
    pub last_error: String,
    pub seconds: f64,
    pub at: i64,
    /// Series written last time; those that vanish are ended.
    pub series: BTreeSet<Labels>,
}

pub(crate) struct Group {
    pub name: String,
    pub file: String,
    pub interval_ms: i64,
    pub offset_ms: i64,
    pub limit: usize,
    /// Tells whether a reload left the group as it was.
    pub fingerprint: String,
    pub inner: Mutex<Inner>,
}

pub(crate) struct Inner {
    pub slots: Vec<Slot>,
    pub seconds: f64,
    pub at: i64,
    /// Evaluations so far, up to the one that restores.
    evaluations: u32,
}

/// What an evaluation needs.
pub(crate) struct Tools<'a> {
    pub engine: &'a dyn QueryEngine,
    pub store: &'a dyn MetricsStore,
    pub metrics: &'a RuleMetrics,
    pub tolerance: Tolerance,
    pub resend_ms: i64,
}

impl Group {
    pub fn new(
        name: String,
        file: String,
        interval_ms: i64,
        offset_ms: i64,
        limit: usize,
        fingerprint: String,
        rules: Vec<Rule>,
    ) -> Group {
        let slot = |rule| Slot {
            rule,
            health: Health::Unknown,
            last_error: String::new(),
            seconds: 0.0,
            at: 0,
            series: BTreeSet::new(),
        };
        let slots = rules.into_iter().map(slot).collect();
        let inner = Mutex::new(Inner { slots, seconds: 0.0, at: 0, evaluations: 0 });
        Group { name, file, interval_ms, offset_ms, limit, fingerprint, inner }
    }

    /// `file;name`, the label of the group's metrics.
    pub fn key(&self) -> String {
        format!("{};{}", self.file, self.name)
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Evaluates all rules in order at `time`. Returns the alerts to send.
    pub fn eval(&self, tools: &Tools<'_>, time: i64) -> Vec<ActiveAlert> {
        let began = Instant::now();
        let key = self.key();
        let mut inner = self.lock();
        let mut due = Vec::new();
        let evaluations = inner.evaluations;
        for slot in &mut inner.slots {
            let rule_began = Instant::now();
            tools.metrics.evaluations.with(&[&key]).inc();
            let mut result = slot.eval(tools, time, self.offset_ms, self.limit);
            if let Rule::Alerting(rule) = &mut slot.rule {
                // At the first evaluation scrapes and recorded series may not be there yet.
                let turn = evaluations > 0 || rule.hold_ms < tools.tolerance.grace_ms;
                if !rule.restored && turn && result.is_ok() {
                    match restore(rule, tools.store, time, tools.tolerance) {
                        Ok(()) => result = slot.write_restored(tools, time),
                        Err(e) => tracing::warn!(group = self.name, "restoring alert times failed: {e}"),
                    }
                }
                if let Rule::Alerting(rule) = &mut slot.rule {
                    due.extend(rule.take_due(time, tools.resend_ms, self.interval_ms));
                }
            }
            slot.at = time;
            slot.seconds = rule_began.elapsed().as_secs_f64();
            tools.metrics.evaluation_seconds.observe(slot.seconds);
            match result {
                Ok(()) => {
                    slot.health = Health::Ok;
                    slot.last_error.clear();
                }
                Err(e) => {
                    tools.metrics.evaluation_failures.with(&[&key]).inc();
                    if slot.last_error != e {
                        tracing::warn!(group = self.name, "evaluating a rule failed: {e}");
                    }
                    slot.health = Health::Err;
                    slot.last_error = e;
                }
            }
        }
        inner.evaluations = evaluations.saturating_add(1);
        inner.at = time;
        inner.seconds = began.elapsed().as_secs_f64();
        tools.metrics.group_last_duration.with(&[&key]).set(inner.seconds);
        tools.metrics.group_last_evaluation.with(&[&key]).set(time as f64 / 1000.0);
        due
    }

    pub fn state(&self) -> GroupState {
        let inner = self.lock();
        GroupState {
            name: self.name.clone(),
            file: self.file.clone(),
            interval_ms: self.interval_ms,
            limit: self.limit,
            evaluation_seconds: inner.seconds,
            last_evaluation: inner.at,
            rules: inner.slots.iter().map(Slot::state).collect(),
        }
    }

    /// Takes over what an equal-named group of before a reload knew: alerts, written series, health.
    pub fn inherit(&self, before: &Group) {
        let (mut mine, mut theirs) = (self.lock(), before.lock());
        mine.evaluations = theirs.evaluations;
        for slot in &mut mine.slots {
            let same = theirs.slots.iter_mut().find(|old| match (&slot.rule, &old.rule) {
                (Rule::Alerting(a), Rule::Alerting(b)) => a.name == b.name && a.labels == b.labels,
                (Rule::Recording(a), Rule::Recording(b)) => a.name == b.name && a.labels == b.labels,
                _ => false,
            });
            let Some(old) = same else {
                // A rule added by a reload has nothing to restore.
                if let Rule::Alerting(rule) = &mut slot.rule {
                    rule.restored = theirs.evaluations > 1;
                }
                continue;
            };
            slot.series = std::mem::take(&mut old.series);
            (slot.health, slot.last_error, slot.at) = (old.health, old.last_error.clone(), old.at);
            if let (Rule::Alerting(rule), Rule::Alerting(old)) = (&mut slot.rule, &mut old.rule) {
                rule.active = std::mem::take(&mut old.active);
                rule.restored = old.restored;
            }
        }
    }

    /// Ends all series that nobody took over: after the group is gone.
    pub fn end_series(&self, store: &dyn MetricsStore, time: i64) {
        let mut inner = self.lock();
        let ended: Vec<(Labels, Value)> = inner
            .slots
            .iter_mut()
            .flat_map(|slot| std::mem::take(&mut slot.series))
            .map(|labels| (labels, Value::Float(stale_nan())))
            .collect();
        if let Err(e) = append(store, &ended, time) {
            tracing::warn!(group = self.name, "ending the group's series failed: {e}");
        }
    }
}

impl Slot {
    fn eval(&mut self, tools: &Tools<'_>, time: i64, offset_ms: i64, limit: usize) -> Result<(), String> {
        let samples = match &mut self.rule {
            Rule::Recording(rule) => rule.eval(tools.engine, time, offset_ms, limit)?,
            Rule::Alerting(rule) => {
                let series = rule.eval(tools.engine, time, offset_ms, limit)?;
                series.into_iter().map(|(labels, v)| (labels, Value::Float(v))).collect()
            }
        };
        self.write(tools.store, samples, time)
    }

    /// Writes the series of a rule whose alert times have just been restored.
    fn write_restored(&mut self, tools: &Tools<'_>, time: i64) -> Result<(), String> {
        let Rule::Alerting(rule) = &self.rule else { return Ok(()) };
        let samples = rule.series().into_iter().map(|(labels, v)| (labels, Value::Float(v))).collect();
        self.write(tools.store, samples, time)
    }

    /// Appends samples, and ends series that were written last time and are not any more.
    fn write(
        &mut self,
        store: &dyn MetricsStore,
        mut samples: Vec<(Labels, Value)>,
        time: i64,
    ) -> Result<(), String> {
        let now: BTreeSet<Labels> = samples.iter().map(|(labels, _)| labels.clone()).collect();
        let gone = self.series.difference(&now).cloned();
        samples.extend(gone.map(|labels| (labels, Value::Float(stale_nan()))));
        append(store, &samples, time)?;
        self.series = now;
        Ok(())
    }

    fn state(&self) -> RuleState {
        let (kind, name, expr, labels) = match &self.rule {
            Rule::Recording(r) => (RuleKind::Recording, &r.name, &r.expr, &r.labels),
            Rule::Alerting(r) => {
                let kind = RuleKind::Alerting {
                    state: r.state(),
                    hold_ms: r.hold_ms,
                    keep_firing_ms: r.keep_firing_ms,
                    annotations: r.annotations.clone(),
                    alerts: r.live().cloned().collect(),
                };
                (kind, &r.name, &r.expr, &r.labels)
            }
        };
        RuleState {
            kind,
            name: name.clone(),
            expr: expr.clone(),
            labels: labels.clone(),
            health: self.health,
            last_error: self.last_error.clone(),
            evaluation_seconds: self.seconds,
            last_evaluation: self.at,
        }
    }
}

fn append(store: &dyn MetricsStore, samples: &[(Labels, Value)], time: i64) -> Result<(), String> {
    if samples.is_empty() {
        return Ok(());
    }
    let mut appender = store.appender();
    for (labels, value) in samples {
        match appender.append(None, labels, time, value.clone()) {
            Ok(_) => {}
            // A slow clock or a repeated evaluation: the sample is there already.
            Err(e) if matches!(e.kind, ErrorKind::OutOfOrder | ErrorKind::DuplicateTimestamp) => {
                tracing::debug!("rule sample not stored: {e}");
            }
            Err(e) => return Err(e.message),
        }
    }
    appender.commit().map_err(|e| e.message)
}

/// Where in its interval a group is evaluated: spread by name, the same after every restart.
pub(crate) fn phase_ms(key: &str, interval_ms: i64) -> i64 {
    let hash = Labels::from_pairs([("group", key)]).hash64();
    (hash % interval_ms.max(1) as u64) as i64
}

pub(crate) type Shared = Arc<Group>;
