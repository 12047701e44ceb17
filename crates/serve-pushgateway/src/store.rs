//! The groups: what was pushed last under each grouping key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use expfmt::{Family, LabelPairs, Metric, MetricValue};
use model::MetricType;
use tokio::sync::Notify;

use crate::check::{self, Index};
use crate::grouping::GroupingKey;

/// When the group was last changed by a push; 0 when that never worked.
pub const PUSH_TIME: &str = "push_time_seconds";
const PUSH_TIME_HELP: &str = "Last Unix time when changing this group in the Pushgateway succeeded.";

/// When a push to the group last failed; 0 when that never happened.
pub const FAILURE_TIME: &str = "push_failure_time_seconds";
const FAILURE_TIME_HELP: &str = "Last Unix time when changing this group in the Pushgateway failed.";

pub struct Store {
    inner: Mutex<Inner>,
    /// Told after every change.
    pub changed: Notify,
}

struct Inner {
    groups: BTreeMap<GroupingKey, Group>,
    index: Index,
    /// After the last write to disk nothing is accepted any more.
    closed: bool,
}

/// Families of one group by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    pub families: BTreeMap<String, Stored>,
}

/// One family and when it was pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub family: Arc<Family<LabelPairs>>,
    pub time_ns: i64,
}

/// One push.
pub struct Push {
    pub key: GroupingKey,
    pub families: Vec<Family<LabelPairs>>,
    /// Takes the place of the whole group (PUT) rather than of families of the same name (POST).
    pub replace: bool,
    pub check: bool,
    pub now_ns: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub enum PushError {
    /// The text of the original, without its prefix.
    Inconsistent(String),
    ShuttingDown,
}

impl Group {
    /// Whether the last push to this group worked.
    pub fn last_push_successful(&self) -> bool {
        self.time(PUSH_TIME) >= self.time(FAILURE_TIME)
    }

    fn time(&self, name: &str) -> f64 {
        let value = self.families.get(name).and_then(|s| s.family.metrics.first()).map(|m| &m.value);
        match value {
            Some(MetricValue::Number(seconds)) => *seconds,
            _ => 0.0,
        }
    }
}

impl Store {
    /// `own` are the families of the service itself, `groups` what was persisted.
    pub fn new(own: Vec<Family>, groups: Vec<(GroupingKey, Group)>) -> Store {
        let mut index = Index::new(&own);
        for stored in groups.iter().flat_map(|(_, group)| group.families.values()) {
            index.add(&stored.family);
        }
        let groups = groups.into_iter().collect();
        Store { inner: Mutex::new(Inner { groups, index, closed: false }), changed: Notify::new() }
    }

    pub fn push(&self, push: Push) -> Result<(), PushError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(PushError::ShuttingDown);
        }
        let result = inner.push(push);
        drop(inner);
        self.changed.notify_one();
        result.map_err(PushError::Inconsistent)
    }

    /// Removing a group that does not exist is fine.
    pub fn delete(&self, key: &GroupingKey) -> Result<(), PushError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(PushError::ShuttingDown);
        }
        inner.remove(key);
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    pub fn wipe(&self) -> Result<(), PushError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(PushError::ShuttingDown);
        }
        let keys: Vec<GroupingKey> = inner.groups.keys().cloned().collect();
        for key in keys {
            inner.remove(&key);
        }
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// All groups as of now; families are shared, not copied.
    pub fn groups(&self) -> Vec<(GroupingKey, Group)> {
        self.lock().groups.iter().map(|(key, group)| (key.clone(), group.clone())).collect()
    }

    /// The last state, after which nothing is accepted.
    pub fn close(&self) -> Vec<(GroupingKey, Group)> {
        self.lock().closed = true;
        self.groups()
    }

    /// The help text that wins over pushed ones.
    pub fn own_help(&self, name: &str) -> Option<String> {
        self.lock().index.own_help(name).map(str::to_owned)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, push: Push) -> Result<(), String> {
        let Push { key, mut families, replace, check, now_ns } = push;
        // What these two say is ours to say.
        families.retain(|family| family.name != PUSH_TIME && family.name != FAILURE_TIME);
        let before = self.groups.get(&key).cloned().unwrap_or_default();
        if families.iter().any(|f| f.metrics.iter().any(|m| m.timestamp.is_some())) {
            self.fail(&key, before, now_ns);
            return Err("pushed metrics must not have timestamps".into());
        }
        for family in &mut families {
            sanitize(family, &key);
        }

        // Take out what would be replaced, look, then put in the new or the old.
        let gone: Vec<String> = if replace {
            before.families.keys().cloned().collect()
        } else {
            families.iter().map(|f| f.name.clone()).filter(|n| before.families.contains_key(n)).collect()
        };
        let mut group = before.clone();
        for stored in gone.iter().filter_map(|name| group.families.remove(name)) {
            self.index.remove(&stored.family);
        }
        let failed = match before.families.get(FAILURE_TIME) {
            Some(stored) => stored.clone(),
            None => Stored { family: Arc::new(time_family(&key, FAILURE_TIME, 0)), time_ns: now_ns },
        };
        // The times of two groups can collide: `instance=""` in the path or added here is the same label.
        for stored in [FAILURE_TIME, PUSH_TIME].iter().filter_map(|name| group.families.remove(*name)) {
            self.index.remove(&stored.family);
        }
        let mut all: Vec<Stored> =
            families.into_iter().map(|f| Stored { family: Arc::new(f), time_ns: now_ns }).collect();
        all.push(failed);
        all.push(Stored { family: Arc::new(time_family(&key, PUSH_TIME, now_ns)), time_ns: now_ns });
        let mut problems = Vec::new();
        for stored in &all {
            if check {
                self.index.check(&stored.family, &mut problems);
            }
            self.index.add(&stored.family);
        }
        if let Some(problem) = check::summary(problems) {
            for stored in all.iter().chain(group.families.values()) {
                self.index.remove(&stored.family);
            }
            for stored in before.families.values() {
                self.index.add(&stored.family);
            }
            self.fail(&key, before, now_ns);
            return Err(problem);
        }
        for stored in all {
            group.families.insert(stored.family.name.clone(), stored);
        }
        self.groups.insert(key, group);
        Ok(())
    }

    /// Notes a failed push; the group's metrics stay. A group that exists only to say so is not made when
    /// its times would collide with another's and so break the scrape.
    fn fail(&mut self, key: &GroupingKey, mut group: Group, now_ns: i64) {
        let mut times = vec![time_family(key, FAILURE_TIME, now_ns)];
        if !group.families.contains_key(PUSH_TIME) {
            times.push(time_family(key, PUSH_TIME, 0));
        }
        let old = group.families.remove(FAILURE_TIME);
        if let Some(old) = &old {
            self.index.remove(&old.family);
        }
        let mut problems = Vec::new();
        for family in &times {
            self.index.check(family, &mut problems);
        }
        if !problems.is_empty() {
            if let Some(old) = &old {
                self.index.add(&old.family);
            }
            return;
        }
        for family in times {
            self.index.add(&family);
            let stored = Stored { family: Arc::new(family), time_ns: now_ns };
            group.families.insert(stored.family.name.clone(), stored);
        }
        self.groups.insert(key.clone(), group);
    }

    fn remove(&mut self, key: &GroupingKey) {
        let Some(group) = self.groups.remove(key) else { return };
        for stored in group.families.values() {
            self.index.remove(&stored.family);
        }
    }
}

fn time_family(key: &GroupingKey, name: &str, value_ns: i64) -> Family<LabelPairs> {
    let help = if name == PUSH_TIME { PUSH_TIME_HELP } else { FAILURE_TIME_HELP };
    let value = MetricValue::Number(value_ns as f64 / 1e9);
    let mut family = Family {
        name: name.to_owned(),
        help: help.to_owned(),
        unit: String::new(),
        kind: MetricType::Gauge,
        metrics: vec![Metric { labels: LabelPairs::new(), value, timestamp: None }],
    };
    sanitize(&mut family, key);
    family
}

/// Puts the group's labels over those of the metrics, adds an empty `instance` where there is none (so
/// that a scrape with `honor_labels` does not add its own), and sorts.
fn sanitize(family: &mut Family<LabelPairs>, key: &GroupingKey) {
    for metric in &mut family.metrics {
        for (name, value) in key {
            match metric.labels.iter_mut().find(|(known, _)| known == name) {
                Some(pair) => pair.1.clone_from(value),
                None => metric.labels.push((name.clone(), value.clone())),
            }
        }
        if !metric.labels.iter().any(|(name, _)| name == "instance") {
            metric.labels.push(("instance".into(), String::new()));
        }
        metric.labels.sort();
    }
}
