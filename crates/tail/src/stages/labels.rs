//! Stages that decide on labels and structured metadata.

use std::collections::BTreeMap;

use super::{Context, Transform};
use crate::entry::Entry;

/// Name of the label, name of the extracted value.
fn mapping(written: &BTreeMap<String, Option<String>>) -> Vec<(String, String)> {
    let pair = |(name, source): (&String, &Option<String>)| {
        (name.clone(), source.clone().filter(|source| !source.is_empty()).unwrap_or_else(|| name.clone()))
    };
    written.iter().map(pair).collect()
}

pub(super) struct SetLabels(Vec<(String, String)>);

impl SetLabels {
    pub fn new(written: &BTreeMap<String, Option<String>>) -> Result<SetLabels, String> {
        if written.is_empty() {
            return Err("label stage config cannot be empty".into());
        }
        if let Some(bad) = written.keys().find(|name| !model::labels::is_classic_label_name(name)) {
            return Err(format!("invalid label name: {bad}"));
        }
        Ok(SetLabels(mapping(written)))
    }
}

impl Transform for SetLabels {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        for (name, source) in &self.0 {
            if let Some(value) = entry.extracted.get(source) {
                entry.labels.insert(name.clone(), value.clone());
            }
        }
        true
    }
}

pub(super) struct StructuredMetadata(Vec<(String, String)>);

impl StructuredMetadata {
    pub fn new(written: &BTreeMap<String, Option<String>>) -> Result<StructuredMetadata, String> {
        if written.is_empty() {
            return Err("structured_metadata stage config cannot be empty".into());
        }
        Ok(StructuredMetadata(mapping(written)))
    }
}

impl Transform for StructuredMetadata {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        for (name, source) in &self.0 {
            // A label that moves to the metadata is a label no more.
            let moved = entry.labels.remove(source);
            if let Some(value) = entry.extracted.get(source).cloned().or(moved) {
                entry.metadata.insert(name.clone(), value);
            }
        }
        true
    }
}

pub(super) struct StaticLabels(BTreeMap<String, String>);

impl StaticLabels {
    pub fn new(written: &BTreeMap<String, Option<String>>) -> StaticLabels {
        let pair = |(name, value): (&String, &Option<String>)| Some((name.clone(), value.clone()?));
        StaticLabels(written.iter().filter_map(pair).collect())
    }
}

impl Transform for StaticLabels {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        entry.labels.extend(self.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        true
    }
}

pub(super) struct LabelDrop(pub Vec<String>);

impl Transform for LabelDrop {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        entry.labels.retain(|name, _| !self.0.contains(name));
        true
    }
}

pub(super) struct LabelAllow(pub Vec<String>);

impl Transform for LabelAllow {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        entry.labels.retain(|name, _| self.0.contains(name));
        true
    }
}
