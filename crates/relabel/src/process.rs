//! Applying rules to a label set.

use model::LabelsBuilder;

use crate::config::{Action, RelabelConfig};
use crate::md5::md5;

/// Applies the rules in order. `None` means that the labelled thing is dropped.
pub fn process(mut labels: LabelsBuilder, rules: &[RelabelConfig]) -> Option<LabelsBuilder> {
    for rule in rules {
        if !process_step(&mut labels, rule) {
            return None;
        }
    }
    Some(labels)
}

/// Applies one rule; false when it drops the labelled thing.
pub fn process_step(labels: &mut LabelsBuilder, rule: &RelabelConfig) -> bool {
    match rule.action {
        Action::Keep => return rule.regex.is_match(&source(labels, rule)),
        Action::Drop => return !rule.regex.is_match(&source(labels, rule)),
        Action::KeepEqual => return labels.get(&rule.target_label) == source(labels, rule),
        Action::DropEqual => return labels.get(&rule.target_label) != source(labels, rule),
        Action::Replace => replace(labels, rule),
        Action::Lowercase => {
            let value = source(labels, rule).to_lowercase();
            labels.set(&rule.target_label, value);
        }
        Action::Uppercase => {
            let value = source(labels, rule).to_uppercase();
            labels.set(&rule.target_label, value);
        }
        Action::HashMod => {
            let bucket = shard(&source(labels, rule), rule.modulus);
            labels.set(&rule.target_label, bucket.to_string());
        }
        Action::LabelMap => label_map(labels, rule),
        Action::LabelDrop => {
            labels.retain(|name, _| !rule.regex.is_match(name));
        }
        Action::LabelKeep => {
            labels.retain(|name, _| rule.regex.is_match(name));
        }
    }
    true
}

/// The values of the source labels, joined; absent labels count as empty.
fn source(labels: &LabelsBuilder, rule: &RelabelConfig) -> String {
    let mut joined = String::new();
    for (i, name) in rule.source_labels.iter().enumerate() {
        if i > 0 {
            joined.push_str(&rule.separator);
        }
        joined.push_str(labels.get(name));
    }
    joined
}

fn replace(labels: &mut LabelsBuilder, rule: &RelabelConfig) {
    let value = source(labels, rule);
    let Some(captures) = rule.regex.captures(&value) else { return };
    let mut target = String::new();
    rule.regex.expand(&rule.target_label, &value, &captures, &mut target);
    if target.is_empty() {
        return;
    }
    let mut replacement = String::new();
    rule.regex.expand(&rule.replacement, &value, &captures, &mut replacement);
    if replacement.is_empty() {
        labels.remove(&target);
    } else {
        labels.set(target, replacement);
    }
}

/// Copies every label whose name matches to the name the replacement gives.
fn label_map(labels: &mut LabelsBuilder, rule: &RelabelConfig) {
    // Decided on the labels as they were, so that a copy is never copied again.
    let copies: Vec<(String, String)> = labels
        .iter()
        .filter(|(name, value)| !value.is_empty() && rule.regex.is_match(name))
        .map(|(name, value)| (rule.regex.replace_all(name, &rule.replacement), value.to_owned()))
        .collect();
    for (name, value) in copies {
        if !name.is_empty() {
            labels.set(name, value);
        }
    }
}

/// The last eight bytes of the MD5 sum, big-endian, modulo `modulus` (zero is refused by validation).
fn shard(value: &str, modulus: u64) -> u64 {
    let sum = md5(value.as_bytes());
    let low = sum[8..].iter().fold(0u64, |acc, b| acc << 8 | u64::from(*b));
    low.checked_rem(modulus).unwrap_or(0)
}
