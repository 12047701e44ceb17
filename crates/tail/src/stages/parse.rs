//! Stages that take a text apart: json, logfmt, regex.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json_path::JsonPath;
use super::{Context, Transform};
use crate::config::{JsonConfig, LogfmtConfig, RegexConfig};
use crate::entry::Entry;

pub(super) struct Json {
    expressions: Vec<(String, JsonPath)>,
    source: Option<String>,
    drop_malformed: bool,
}

impl Json {
    pub fn new(config: &JsonConfig) -> Result<Json, String> {
        if config.expressions.is_empty() {
            return Err("JMES expression is required".into());
        }
        check_source(&config.source)?;
        let compile = |(name, path): (&String, &Option<String>)| {
            let path = path.as_deref().filter(|path| !path.is_empty());
            // A name alone may hold anything; it is no expression.
            let parsed = match path {
                Some(path) => JsonPath::parse(path)?,
                None => JsonPath::parse(&format!("\"{name}\""))?,
            };
            Ok((name.clone(), parsed))
        };
        let expressions = config.expressions.iter().map(compile).collect::<Result<Vec<_>, String>>()?;
        Ok(Json { expressions, source: config.source.clone(), drop_malformed: config.drop_malformed })
    }
}

/// A source that is written must not be empty, as in the original.
fn check_source(source: &Option<String>) -> Result<(), String> {
    match source.as_deref() {
        Some("") => Err("empty source".into()),
        _ => Ok(()),
    }
}

impl Transform for Json {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let Some(text) = entry.source(self.source.as_deref()) else { return true };
        let Ok(value) = serde_json::from_str::<Value>(text) else { return !self.drop_malformed };
        if !value.is_object() {
            return !self.drop_malformed;
        }
        for (name, path) in &self.expressions {
            if let Some(found) = path.find(&value).and_then(text_of) {
                entry.extracted.insert(name.clone(), found);
            }
        }
        true
    }
}

/// How a value reads as a label: texts as they are, the rest as JSON. Null is as good as missing.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

pub(super) struct Logfmt {
    /// Key in the line, name of the value.
    mapping: BTreeMap<String, String>,
    source: Option<String>,
}

impl Logfmt {
    pub fn new(config: &LogfmtConfig) -> Result<Logfmt, String> {
        if config.mapping.is_empty() {
            return Err("logfmt mapping is required".into());
        }
        check_source(&config.source)?;
        let pair = |(name, key): (&String, &Option<String>)| {
            let key = key.as_ref().filter(|key| !key.is_empty()).unwrap_or(name);
            (key.clone(), name.clone())
        };
        Ok(Logfmt { mapping: config.mapping.iter().map(pair).collect(), source: config.source.clone() })
    }
}

impl Transform for Logfmt {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let Some(text) = entry.source(self.source.as_deref()) else { return true };
        let mut found = Vec::new();
        logfmt_pairs(text, |key, value| {
            if let Some(name) = self.mapping.get(key) {
                found.push((name.clone(), value));
            }
        });
        entry.extracted.extend(found);
        true
    }
}

/// Visits `key=value`, `key="quoted value"` and bare keys; what is neither is passed over.
fn logfmt_pairs(text: &str, mut visit: impl FnMut(&str, String)) {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '"').unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        if key.is_empty() {
            let skip = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest = &rest[skip..];
            continue;
        }
        let Some(after) = after.strip_prefix('=') else {
            visit(key, String::new());
            rest = after.trim_start_matches('"');
            continue;
        };
        if let Some(quoted) = after.strip_prefix('"') {
            let Some((value, tail)) = unquote(quoted) else { return };
            visit(key, value);
            rest = tail;
        } else {
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            let (value, tail) = after.split_at(end);
            visit(key, value.to_string());
            rest = tail;
        }
    }
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

pub(super) struct Regex {
    regex: re2::Regex,
    /// Number of a group and its name.
    groups: Vec<(usize, String)>,
    source: Option<String>,
}

impl Regex {
    pub fn new(config: &RegexConfig) -> Result<Regex, String> {
        if config.expression.is_empty() {
            return Err("expression is required".into());
        }
        check_source(&config.source)?;
        let regex = re2::Regex::new(&config.expression).map_err(|e| e.to_string())?;
        let named = regex.group_names().into_iter().enumerate();
        let groups = named.filter_map(|(number, name)| Some((number, name?))).collect();
        Ok(Regex { regex, groups, source: config.source.clone() })
    }
}

impl Transform for Regex {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let Some(text) = entry.source(self.source.as_deref()) else { return true };
        let Some(captures) = self.regex.captures(text) else { return true };
        let group = |(number, name): &(usize, String)| {
            (name.clone(), captures.get(*number, text).unwrap_or_default().to_string())
        };
        let found: Vec<(String, String)> = self.groups.iter().map(group).collect();
        entry.extracted.extend(found);
        true
    }
}
