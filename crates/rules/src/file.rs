//! Rule files: groups of rules in YAML.

use std::collections::BTreeMap;
use std::path::Path;

use config::{ConfigError, Duration, Validate};
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RuleFile {
    #[serde(deserialize_with = "null_is_empty")]
    groups: Vec<GroupSpec>,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// A group as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    pub name: String,
    /// The global evaluation interval when absent.
    pub interval: Option<Duration>,
    pub query_offset: Option<Duration>,
    /// Samples or alerts one rule may give; zero: any number.
    #[serde(default)]
    pub limit: usize,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub rules: Vec<RuleSpec>,
}

/// A rule as written: a recording rule when `record` is set, an alerting rule when `alert` is.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSpec {
    pub record: String,
    pub alert: String,
    pub expr: String,
    #[serde(rename = "for")]
    pub hold: Duration,
    pub keep_firing_for: Duration,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

impl RuleSpec {
    /// The name of the rule, whatever its kind.
    pub fn name(&self) -> &str {
        if self.record.is_empty() { &self.alert } else { &self.record }
    }
}

impl Validate for RuleFile {
    fn validate(&mut self) -> Result<(), String> {
        let mut names = std::collections::BTreeSet::new();
        for group in &self.groups {
            if group.name.is_empty() {
                return Err("Groupname must not be empty".into());
            }
            if !names.insert(&group.name) {
                return Err(format!("groupname: {:?} is repeated in the same file", group.name));
            }
            for (i, rule) in group.rules.iter().enumerate() {
                let place =
                    |e: String| format!("group {:?}, rule {}, {:?}: {e}", group.name, i + 1, rule.name());
                check_rule(rule, &group.labels).map_err(place)?;
            }
        }
        Ok(())
    }
}

/// What the original checks, in its words.
fn check_rule(rule: &RuleSpec, group_labels: &BTreeMap<String, String>) -> Result<(), String> {
    match (rule.record.is_empty(), rule.alert.is_empty()) {
        (false, false) => return Err("only one of 'record' and 'alert' must be set".into()),
        (true, true) => return Err("one of 'record' or 'alert' must be set".into()),
        _ => {}
    }
    if rule.expr.is_empty() {
        return Err("field 'expr' must be set in rule".into());
    }
    promql_syntax::parse(&rule.expr).map_err(|e| format!("could not parse expression: {e}"))?;
    if !rule.record.is_empty() {
        if !rule.annotations.is_empty() {
            return Err("invalid field 'annotations' in recording rule".into());
        }
        if !rule.hold.is_zero() {
            return Err("invalid field 'for' in recording rule".into());
        }
        if !rule.keep_firing_for.is_zero() {
            return Err("invalid field 'keep_firing_for' in recording rule".into());
        }
        if rule.record.contains(['{', '}']) {
            let text =
                format!("braces present in the recording rule name; should it be in expr?: {}", rule.record);
            return Err(text);
        }
    }
    for (name, value) in rule.labels.iter().chain(group_labels) {
        if name.is_empty() || name == model::METRIC_NAME {
            return Err(format!("invalid label name: {name}"));
        }
        crate::expand::check(value).map_err(|e| format!("label {name:?}: {e}"))?;
    }
    for (name, value) in &rule.annotations {
        if name.is_empty() {
            return Err(format!("invalid annotation name: {name}"));
        }
        crate::expand::check(value).map_err(|e| format!("annotation {name:?}: {e}"))?;
    }
    Ok(())
}

/// Reads and checks one file.
pub fn load_file(path: &Path) -> Result<Vec<GroupSpec>, ConfigError> {
    parse_file(&path.display().to_string(), &config::read(path)?)
}

/// Checks the text of one file; `file` is the name used in errors.
pub fn parse_file(file: &str, text: &str) -> Result<Vec<GroupSpec>, ConfigError> {
    config::parse::<RuleFile>(file, text).map(|f| f.groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_group() {
        let text = "groups:\n- name: g\n  interval: 30s\n  limit: 5\n  rules:\n  - record: a:b\n    expr: sum(up)\n  \
                    - alert: Down\n    expr: up == 0\n    for: 1m\n    labels: {severity: page}\n    annotations: \
                    {summary: '{{ $labels.job }} is down'}\n";
        let groups = parse_file("r.yml", text).unwrap();
        let g = &groups[0];
        assert_eq!((g.name.as_str(), g.interval, g.limit), ("g", Some(Duration::from_secs(30)), 5));
        assert_eq!((g.rules[0].name(), g.rules[1].name()), ("a:b", "Down"));
        assert_eq!(g.rules[1].hold, Duration::from_secs(60));
        assert!(parse_file("r.yml", "groups:\n").unwrap().is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        let check = |rules: &str, part: &str| {
            let e = parse_file("r.yml", &format!("groups:\n- name: g\n  rules:\n  - {rules}\n"))
                .unwrap_err()
                .to_string();
            assert!(e.starts_with("r.yml") && e.contains(part), "{e}");
        };
        check("{record: a, alert: b, expr: up}", "only one of 'record' and 'alert' must be set");
        check("{expr: up}", "one of 'record' or 'alert' must be set");
        check("{alert: A}", "field 'expr' must be set in rule");
        check("{alert: A, expr: 'up ('}", "group \"g\", rule 1, \"A\": could not parse expression: ");
        check("{record: a, expr: up, for: 1m}", "invalid field 'for' in recording rule");
        check("{alert: A, expr: up, fro: 1m}", "fro");
        check("{alert: A, expr: up, labels: {__name__: x}}", "invalid label name: __name__");
        check("{alert: A, expr: up, annotations: {a: '{{ $nope }}'}}", "undefined variable");
        let twice = parse_file("r.yml", "groups:\n- {name: g}\n- {name: g}\n").unwrap_err().to_string();
        assert!(twice.contains("groupname: \"g\" is repeated in the same file"), "{twice}");
    }
}
