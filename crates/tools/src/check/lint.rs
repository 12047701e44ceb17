//! Which lints are asked for (`--lint`), and the lint of rules: duplicates.

use std::collections::BTreeMap;

use ::rules::GroupSpec;

use crate::command::{Failure, say};

/// What is looked for beyond validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lints {
    pub duplicate_rules: bool,
    pub fatal: bool,
}

impl Lints {
    /// Reads `all`, `duplicate-rules`, `none` or a list of them with commas.
    pub fn parse(text: &str, fatal: bool) -> Result<Lints, Failure> {
        let mut lints = Lints { duplicate_rules: false, fatal };
        for option in text.split(',').map(str::trim) {
            match option {
                "all" | "duplicate-rules" => lints.duplicate_rules = true,
                // Checked for configurations elsewhere: nothing here may scrape longer than it looks back.
                "none" | "too-long-scrape-interval" => {}
                other => say(&format!("WARNING: unknown lint option: {other:?}\n"))?,
            }
        }
        Ok(lints)
    }
}

/// Rules that record or alert the same, with the same labels, told in the original's words.
pub fn duplicates(groups: &[GroupSpec]) -> Option<String> {
    let mut seen: BTreeMap<(&str, BTreeMap<&str, &str>), u32> = BTreeMap::new();
    for group in groups {
        for rule in &group.rules {
            let labels = group.labels.iter().chain(&rule.labels);
            let labels = labels.map(|(n, v)| (n.as_str(), v.as_str())).collect();
            *seen.entry((rule.name(), labels)).or_default() += 1;
        }
    }
    let twice: Vec<_> = seen.into_iter().filter(|(_, count)| *count > 1).collect();
    if twice.is_empty() {
        return None;
    }
    let mut text = format!("{} duplicate rule(s) found.\n", twice.len());
    for ((name, labels), _) in twice {
        text.push_str(&format!("Metric: {name}\nLabel(s):\n"));
        labels.iter().for_each(|(name, value)| text.push_str(&format!("\t{name}: {value}\n")));
    }
    Some(text + "Might cause inconsistency while recording expressions")
}
