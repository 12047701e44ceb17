//! Inhibition: an alert is muted while another, more important one fires.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use model::{Labels, Matcher, TimestampNs};

use crate::alert::Alert;
use crate::manager::lock;

/// Alerts matching `target` are muted while one matching `source` fires with the same `equal` labels.
#[derive(Debug, Clone, Default)]
pub struct InhibitRule {
    pub name: String,
    pub source: Vec<Matcher>,
    pub target: Vec<Matcher>,
    pub equal: Vec<String>,
}

/// The rules and, for each, the firing sources by the values of its `equal` labels.
#[derive(Debug, Default)]
pub(crate) struct Inhibitor {
    rules: Vec<(InhibitRule, Mutex<Index>)>,
}

/// Sources by a hash over the values of the `equal` labels; what collides is told apart when it is read.
type Index = HashMap<u64, Sources>;

/// Sources whose `equal` labels have the same values, in the order of their ends: the first one looked at
/// mutes or none does.
#[derive(Debug, Default)]
struct Sources {
    alerts: HashMap<u64, Arc<Alert>>,
    /// Those that match the source side only.
    one_sided: BTreeSet<(TimestampNs, u64)>,
    two_sided: BTreeSet<(TimestampNs, u64)>,
}

/// Why an alert is muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inhibition {
    /// The alert that mutes it.
    pub source: u64,
    /// The rule's place in the configuration.
    pub rule: usize,
}

impl Inhibitor {
    pub fn new(rules: Vec<InhibitRule>) -> Inhibitor {
        Inhibitor { rules: rules.into_iter().map(|rule| (rule, Mutex::default())).collect() }
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn rule(&self, index: usize) -> Option<&InhibitRule> {
        self.rules.get(index).map(|(rule, _)| rule)
    }

    /// Takes note of an alert that may inhibit others.
    pub fn observe(&self, alert: &Arc<Alert>) {
        for (rule, sources) in &self.rules {
            if Matcher::all_match(&rule.source, &alert.labels) {
                let two_sided = Matcher::all_match(&rule.target, &alert.labels);
                lock(sources).entry(equal_hash(rule, &alert.labels)).or_default().put(alert, two_sided);
            }
        }
    }

    /// What mutes an alert with these labels now: the first rule that does, and of its sources the one that
    /// will fire longest.
    pub fn muted_by(&self, labels: &Labels, now: TimestampNs) -> Option<Inhibition> {
        self.rules.iter().enumerate().find_map(|(index, (rule, sources))| {
            if !Matcher::all_match(&rule.target, labels) {
                return None;
            }
            // What is source and target at once must not be muted by its own kind.
            let two_sided = Matcher::all_match(&rule.source, labels);
            let sources = lock(sources);
            let source = sources.get(&equal_hash(rule, labels))?.longest(two_sided, |source| {
                !source.resolved_at(now) && has_equal(rule, &source.labels, labels)
            })?;
            Some(Inhibition { source, rule: index })
        })
    }

    /// Forgets sources that are over.
    pub fn collect(&self, now: TimestampNs) {
        for (_, sources) in &self.rules {
            lock(sources).retain(|_, sources| {
                sources.collect(now);
                !sources.alerts.is_empty()
            });
        }
    }
}

impl Sources {
    fn put(&mut self, alert: &Arc<Alert>, two_sided: bool) {
        let fingerprint = alert.fingerprint();
        let by_end = if two_sided { &mut self.two_sided } else { &mut self.one_sided };
        if let Some(old) = self.alerts.insert(fingerprint, alert.clone()) {
            by_end.remove(&(old.ends_at, fingerprint));
        }
        by_end.insert((alert.ends_at, fingerprint));
    }

    /// The acceptable source that ends last; one-sided ones only when the target is two-sided.
    fn longest(&self, target_is_two_sided: bool, accepts: impl Fn(&Alert) -> bool) -> Option<u64> {
        let last = |by_end: &BTreeSet<(TimestampNs, u64)>| {
            let accepted = |id: &u64| self.alerts.get(id).is_some_and(|alert| accepts(alert));
            by_end.iter().rev().find(|(_, id)| accepted(id)).copied()
        };
        let two_sided = if target_is_two_sided { None } else { last(&self.two_sided) };
        last(&self.one_sided).max(two_sided).map(|(_, fingerprint)| fingerprint)
    }

    fn collect(&mut self, now: TimestampNs) {
        self.alerts.retain(|_, alert| !alert.resolved_at(now));
        for by_end in [&mut self.one_sided, &mut self.two_sided] {
            by_end.retain(|(end, _)| *end > now);
        }
    }
}

/// An absent label equals an empty one.
fn has_equal(rule: &InhibitRule, a: &Labels, b: &Labels) -> bool {
    rule.equal.iter().all(|name| a.get(name) == b.get(name))
}

fn equal_hash(rule: &InhibitRule, labels: &Labels) -> u64 {
    let mut hash = DefaultHasher::new();
    for name in &rule.equal {
        labels.get(name).hash(&mut hash);
    }
    hash.finish()
}
