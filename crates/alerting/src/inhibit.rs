//! Inhibition: an alert is muted while another, more important one fires.

use std::collections::{BTreeMap, HashMap};
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

/// Sources that share the values of a rule's `equal` labels, by fingerprint.
type Sources = BTreeMap<u64, Arc<Alert>>;

/// Sources by the values of a rule's `equal` labels.
type Index = HashMap<Vec<String>, Sources>;

/// The rules and, for each, the firing sources by the values of its `equal` labels.
#[derive(Debug, Default)]
pub(crate) struct Inhibitor {
    rules: Vec<(InhibitRule, Mutex<Index>)>,
}

impl Inhibitor {
    pub fn new(rules: Vec<InhibitRule>) -> Inhibitor {
        Inhibitor { rules: rules.into_iter().map(|rule| (rule, Mutex::default())).collect() }
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Takes note of an alert that may inhibit others.
    pub fn observe(&self, alert: &Arc<Alert>) {
        for (rule, sources) in &self.rules {
            if Matcher::all_match(&rule.source, &alert.labels) {
                let key = equal_values(rule, &alert.labels);
                lock(sources).entry(key).or_default().insert(alert.fingerprint(), alert.clone());
            }
        }
    }

    /// The fingerprint of an alert that mutes one with these labels now.
    pub fn muted_by(&self, labels: &Labels, now: TimestampNs) -> Option<u64> {
        self.rules.iter().find_map(|(rule, sources)| {
            if !Matcher::all_match(&rule.target, labels) {
                return None;
            }
            // What is source and target at once must not be muted by its own kind.
            let two_sided = Matcher::all_match(&rule.source, labels);
            let sources = lock(sources);
            let candidates = sources.get(&equal_values(rule, labels))?;
            candidates
                .iter()
                .find(|(_, source)| {
                    let also_target = two_sided && Matcher::all_match(&rule.target, &source.labels);
                    !(also_target || source.resolved_at(now))
                })
                .map(|(fingerprint, _)| *fingerprint)
        })
    }

    /// Forgets sources that are over.
    pub fn collect(&self, now: TimestampNs) {
        for (_, sources) in &self.rules {
            lock(sources).retain(|_, alerts| {
                alerts.retain(|_, alert| !alert.resolved_at(now));
                !alerts.is_empty()
            });
        }
    }
}

fn equal_values(rule: &InhibitRule, labels: &Labels) -> Vec<String> {
    rule.equal.iter().map(|name| labels.get(name).to_owned()).collect()
}
