//! Stages that change the line or where it goes: output, replace, pack, decolorize, tenant.

use super::{Context, Transform};
use crate::config::{PackConfig, ReplaceConfig, TenantConfig};
use crate::entry::Entry;

pub(super) struct Output(pub String);

impl Transform for Output {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        if let Some(line) = entry.extracted.get(&self.0) {
            entry.line = line.clone();
        }
        true
    }
}

pub(super) struct Replace {
    regex: re2::Regex,
    /// Names of groups by number.
    groups: Vec<Option<String>>,
    source: Option<String>,
    replace: String,
}

impl Replace {
    pub fn new(config: &ReplaceConfig) -> Result<Replace, String> {
        if config.expression.is_empty() {
            return Err("expression is required".into());
        }
        let regex = re2::Regex::new(&config.expression).map_err(|e| e.to_string())?;
        let groups = regex.group_names();
        Ok(Replace { regex, groups, source: config.source.clone(), replace: config.replace.clone() })
    }

    /// Every group of every match gives way to the replacement, or the match when there are no groups.
    /// Named groups are also extracted.
    fn replaced(&self, text: &str, extracted: &mut Vec<(String, String)>) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        let mut at = 0;
        while at <= text.len() {
            let Some((start, end)) = self.regex.find_at(text, at) else { break };
            let captures = text.get(start..).and_then(|rest| Some((self.regex.captures(rest)?, rest)));
            let mut ranges = Vec::new();
            if let Some((captures, rest)) = &captures {
                for (number, name) in self.groups.iter().enumerate().skip(1) {
                    let Some((from, to)) = captures.range(number) else { continue };
                    if let Some(name) = name {
                        extracted.push((name.clone(), rest.get(from..to).unwrap_or_default().to_string()));
                    }
                    ranges.push((start + from, start + to));
                }
            }
            if ranges.is_empty() {
                ranges.push((start, end));
            }
            for (from, to) in ranges {
                // Groups in groups: the outer one has replaced the inner one already.
                if from >= copied {
                    out.push_str(text.get(copied..from)?);
                    out.push_str(&self.replace);
                    copied = to;
                }
            }
            at = if end > start { end } else { next_char(text, end) };
        }
        if copied == 0 && out.is_empty() {
            return None;
        }
        out.push_str(text.get(copied..)?);
        Some(out)
    }
}

fn next_char(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(at + 1, |c| at + c.len_utf8())
}

impl Transform for Replace {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let Some(text) = entry.source(self.source.as_deref()) else { return true };
        let mut extracted = Vec::new();
        let replaced = self.replaced(text, &mut extracted);
        entry.extracted.extend(extracted);
        match (replaced, self.source.as_deref()) {
            (Some(text), None | Some("")) => entry.line = text,
            (Some(text), Some(source)) => drop(entry.extracted.insert(source.to_string(), text)),
            (None, _) => {}
        }
        true
    }
}

pub(super) struct Pack {
    labels: Vec<String>,
    ingest_timestamp: bool,
}

impl Pack {
    pub fn new(config: &PackConfig) -> Pack {
        Pack { labels: config.labels.clone(), ingest_timestamp: config.ingest_timestamp }
    }
}

impl Transform for Pack {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let mut packed = serde_json::Map::new();
        for name in &self.labels {
            if let Some(value) = entry.labels.remove(name) {
                packed.insert(name.clone(), value.into());
            }
        }
        packed.sort_keys();
        packed.insert("_entry".into(), std::mem::take(&mut entry.line).into());
        entry.line = serde_json::Value::Object(packed).to_string();
        if self.ingest_timestamp {
            entry.ts = super::timestamp::now_ns();
        }
        true
    }
}

pub(super) struct Decolorize;

impl Transform for Decolorize {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        if entry.line.contains('\x1b') {
            entry.line = strip_colours(&entry.line);
        }
        true
    }
}

/// Leaves out `ESC [ parameters letter`.
fn strip_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("\x1b[") {
        let sequence = &rest[at + 2..];
        let Some(end) = sequence.find(|c: char| !(c.is_ascii_digit() || c == ';')) else { break };
        out.push_str(&rest[..at]);
        let last = sequence[end..].chars().next().map_or(0, char::len_utf8);
        rest = &sequence[end + last..];
    }
    out.push_str(rest);
    out
}

pub(super) enum Tenant {
    Label(String),
    Source(String),
    Value(String),
}

impl Tenant {
    pub fn new(config: &TenantConfig) -> Result<Tenant, String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match (given(&config.label), given(&config.source), given(&config.value)) {
            (Some(label), None, None) => Ok(Tenant::Label(label)),
            (None, Some(source), None) => Ok(Tenant::Source(source)),
            (None, None, Some(value)) => Ok(Tenant::Value(value)),
            (None, None, None) => Err("source or value config are required".into()),
            _ => {
                Err("source and value are mutually exclusive: you should set source or value but not both"
                    .into())
            }
        }
    }
}

impl Transform for Tenant {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let found = match self {
            Tenant::Label(name) => entry.labels.get(name).cloned(),
            Tenant::Source(name) => entry.extracted.get(name).cloned(),
            Tenant::Value(value) => Some(value.clone()),
        };
        if let Some(tenant) = found.filter(|tenant| !tenant.is_empty()) {
            entry.tenant = Some(tenant);
        }
        true
    }
}
