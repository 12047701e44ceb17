//! Rule files: groups of rules in YAML.
//!
//! Reading gives everything that is wrong with a file, not just the first thing, each in the words and with
//! the position (line and column of the value, `0:0` where there is none) that the original gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::section::{Section, refuse};
use config::{ConfigError, Duration, Spanned};
use model::METRIC_NAME;
use model::labels::{is_classic_label_name, is_classic_metric_name};
use promql_syntax::ParseOptions;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};

/// A group as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupSpec {
    pub name: String,
    /// The global evaluation interval when absent.
    pub interval: Option<Duration>,
    pub query_offset: Option<Duration>,
    /// Samples or alerts one rule may give; zero: any number.
    pub limit: usize,
    pub labels: BTreeMap<String, String>,
    pub rules: Vec<RuleSpec>,
}

/// A rule as written: a recording rule when `record` is set, an alerting rule when `alert` is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSpec {
    pub record: String,
    pub alert: String,
    pub expr: String,
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

    /// The rule's own labels over those of its group.
    pub fn all_labels(&self, group: &GroupSpec) -> BTreeMap<String, String> {
        let mut labels = group.labels.clone();
        labels.extend(self.labels.clone());
        labels
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Which experimental parts of the language expressions may use.
    pub options: ParseOptions,
    /// Unknown fields are somebody else's (`--ignore-unknown-fields`).
    pub ignore_unknown: bool,
    /// Names of metrics and labels have to be classic ones (`metric_name_validation_scheme: legacy`).
    pub legacy_names: bool,
}

/// Reads and checks one file.
pub fn load_file(path: &Path, reading: &Reading) -> Result<Vec<GroupSpec>, Vec<ConfigError>> {
    let text = config::read(path).map_err(|e| vec![e])?;
    parse_file(&path.display().to_string(), &text, reading)
}

/// Checks the text of one file; `file` is the name used in errors.
pub fn parse_file(file: &str, text: &str, reading: &Reading) -> Result<Vec<GroupSpec>, Vec<ConfigError>> {
    let groups = match reading.ignore_unknown {
        true => config::parse_unchecked::<RawFile<true>>(file, text)
            .map(|f| f.groups.into_iter().map(Into::into).collect()),
        false => config::parse_unchecked::<RawFile<false>>(file, text).map(|f| f.groups),
    };
    let groups: Vec<RawGroup<false>> = groups.map_err(|e| vec![e])?;
    let errors = check(&groups, reading);
    match errors.is_empty() {
        true => Ok(groups.into_iter().map(GroupSpec::from).collect()),
        false => Err(errors.into_iter().map(|message| ConfigError::new(file, message)).collect()),
    }
}

/// A value and where it stands.
type Text = Option<Spanned<String>>;

fn value(text: &Text) -> &str {
    text.as_ref().map_or("", |t| &t.value)
}

fn position(text: &Text) -> String {
    let at = text.as_ref().map(|t| t.referenced);
    format!("{}:{}", at.map_or(0, |l| l.line()), at.map_or(0, |l| l.column()))
}

/// The file as YAML has it; `LENIENT` passes over unknown fields.
#[derive(Debug, Default)]
struct RawFile<const LENIENT: bool> {
    groups: Vec<RawGroup<LENIENT>>,
}

#[derive(Debug, Default)]
struct RawGroup<const LENIENT: bool> {
    name: String,
    interval: Option<Duration>,
    query_offset: Option<Duration>,
    limit: i64,
    labels: BTreeMap<String, String>,
    rules: Vec<RawRule<LENIENT>>,
}

#[derive(Debug, Default)]
struct RawRule<const LENIENT: bool> {
    record: Text,
    alert: Text,
    expr: Text,
    hold: Duration,
    keep_firing_for: Duration,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// The next value; null is the type's default.
fn next<'de, T: Deserialize<'de> + Default, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    Ok(map.next_value::<Option<T>>()?.unwrap_or_default())
}

fn unknown<'de, A: MapAccess<'de>>(
    lenient: bool,
    key: &str,
    kind: &str,
    map: &mut A,
) -> Result<bool, A::Error> {
    match lenient {
        true => map.next_value::<IgnoredAny>().map(|_| true),
        false => Err(refuse(map, format!("field {key} not found in type rulefmt.{kind}"))),
    }
}

impl<const LENIENT: bool> Section for RawFile<LENIENT> {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "groups" => self.groups = next(map)?,
            key => return unknown(LENIENT, key, "RuleGroups", map),
        }
        Ok(true)
    }
}

impl<const LENIENT: bool> Section for RawGroup<LENIENT> {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = next(map)?,
            "interval" => self.interval = map.next_value()?,
            "query_offset" => self.query_offset = map.next_value()?,
            "limit" => self.limit = next(map)?,
            "labels" => self.labels = next(map)?,
            "rules" => self.rules = next(map)?,
            key => return unknown(LENIENT, key, "RuleGroup", map),
        }
        Ok(true)
    }
}

impl<const LENIENT: bool> Section for RawRule<LENIENT> {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "record" => self.record = map.next_value()?,
            "alert" => self.alert = map.next_value()?,
            "expr" => self.expr = map.next_value()?,
            "for" => self.hold = next(map)?,
            "keep_firing_for" => self.keep_firing_for = next(map)?,
            "labels" => self.labels = next(map)?,
            "annotations" => self.annotations = next(map)?,
            key => return unknown(LENIENT, key, "Rule", map),
        }
        Ok(true)
    }
}

macro_rules! deserialize {
    ($($type:ident),*) => {$(
        impl<'de, const LENIENT: bool> Deserialize<'de> for $type<LENIENT> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                config::section::deserialize(deserializer)
            }
        }
    )*};
}

deserialize!(RawFile, RawGroup, RawRule);

impl From<RawGroup<true>> for RawGroup<false> {
    fn from(raw: RawGroup<true>) -> RawGroup<false> {
        let RawGroup { name, interval, query_offset, limit, labels, rules } = raw;
        let strict = |r: RawRule<true>| {
            let RawRule { record, alert, expr, hold, keep_firing_for, labels, annotations } = r;
            RawRule { record, alert, expr, hold, keep_firing_for, labels, annotations }
        };
        let rules = rules.into_iter().map(strict).collect();
        RawGroup { name, interval, query_offset, limit, labels, rules }
    }
}

impl From<RawGroup<false>> for GroupSpec {
    fn from(raw: RawGroup<false>) -> GroupSpec {
        let text = |text: Text| text.map(|t| t.value).unwrap_or_default();
        let rule = |r: RawRule<false>| RuleSpec {
            record: text(r.record),
            alert: text(r.alert),
            expr: text(r.expr),
            hold: r.hold,
            keep_firing_for: r.keep_firing_for,
            labels: r.labels,
            annotations: r.annotations,
        };
        GroupSpec {
            name: raw.name,
            // Zero is no interval: the original takes the global one then.
            interval: raw.interval.filter(|interval| !interval.is_zero()),
            query_offset: raw.query_offset,
            limit: usize::try_from(raw.limit).unwrap_or(0),
            labels: raw.labels,
            rules: raw.rules.into_iter().map(rule).collect(),
        }
    }
}

/// Everything that is wrong, in the order of the file.
fn check(groups: &[RawGroup<false>], reading: &Reading) -> Vec<String> {
    let (mut errors, mut names) = (Vec::new(), BTreeSet::new());
    for group in groups {
        // The original loses the position of groups and says so.
        if group.name.is_empty() {
            errors.push("0:0: Groupname must not be empty".to_owned());
        }
        if !names.insert(&group.name) {
            errors.push(format!("0:0: groupname: \"{}\" is repeated in the same file", group.name));
        }
        let bad = group.labels.keys().filter(|name| !is_label_name(name, reading));
        errors.extend(bad.map(|name| format!("invalid label name: {name}")));
        for (i, rule) in group.rules.iter().enumerate() {
            let shown = if value(&rule.alert).is_empty() { value(&rule.record) } else { value(&rule.alert) };
            for (place, error) in check_rule(rule, reading) {
                let place = if place.is_empty() { place } else { format!("{place}: ") };
                let name = &group.name;
                errors.push(format!("{place}group {name:?}, rule {}, {shown:?}: {error}", i + 1));
            }
        }
    }
    errors
}

fn is_label_name(name: &str, reading: &Reading) -> bool {
    name != METRIC_NAME && is_annotation_name(name, reading)
}

fn is_annotation_name(name: &str, reading: &Reading) -> bool {
    !name.is_empty() && (!reading.legacy_names || is_classic_label_name(name))
}

/// What is wrong with one rule: where, and what.
fn check_rule(rule: &RawRule<false>, reading: &Reading) -> Vec<(String, String)> {
    let mut errors = Vec::new();
    let (record, alert, expr) = (value(&rule.record), value(&rule.alert), value(&rule.expr));
    let both = || format!("{}: {}", position(&rule.record), position(&rule.alert));
    match (record.is_empty(), alert.is_empty()) {
        (false, false) => errors.push((both(), "only one of 'record' and 'alert' must be set".to_owned())),
        (true, true) => errors.push((both(), "one of 'record' or 'alert' must be set".to_owned())),
        _ => {}
    }
    if expr.is_empty() {
        errors.push((position(&rule.expr), "field 'expr' must be set in rule".to_owned()));
    } else if let Err(e) = promql_syntax::parse_with(expr, reading.options) {
        errors.push((position(&rule.expr), format!("could not parse expression: {e}")));
    }
    if !record.is_empty() {
        let name_is_bad = reading.legacy_names && !is_classic_metric_name(record);
        let checks = [
            (!rule.annotations.is_empty(), "invalid field 'annotations' in recording rule".to_owned()),
            (!rule.hold.is_zero(), "invalid field 'for' in recording rule".to_owned()),
            (!rule.keep_firing_for.is_zero(), "invalid field 'keep_firing_for' in recording rule".to_owned()),
            (name_is_bad, format!("invalid recording rule name: {record}")),
            (
                record.contains(['{', '}']),
                format!("braces present in the recording rule name; should it be in expr?: {record}"),
            ),
        ];
        let wrong = checks.into_iter().filter(|(is, _)| *is);
        errors.extend(wrong.map(|(_, text)| (position(&rule.record), text)));
    }
    let mut nowhere = |text: String| errors.push((String::new(), text));
    for name in rule.labels.keys().filter(|name| !is_label_name(name, reading)) {
        nowhere(format!("invalid label name: {name}"));
    }
    for name in rule.annotations.keys().filter(|name| !is_annotation_name(name, reading)) {
        nowhere(format!("invalid annotation name: {name}"));
    }
    if !alert.is_empty() {
        for (kind, texts) in [("label", &rule.labels), ("annotation", &rule.annotations)] {
            for (name, text) in texts {
                if let Err(e) = crate::expand::check(alert, text) {
                    nowhere(format!("{kind} {name:?}: {e}"));
                }
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<GroupSpec>, String> {
        let joined = |e: Vec<ConfigError>| e.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        parse_file("r.yml", text, &Reading::default()).map_err(joined)
    }

    #[test]
    fn a_full_group() {
        let text = "groups:\n- name: g\n  interval: 30s\n  limit: 5\n  query_offset: 1m\n  labels: {team: a, severity: b}\n  \
                    rules:\n  - record: a:b\n    expr: sum(up)\n  - alert: Down\n    expr: up == 0\n    for: 1m\n    \
                    keep_firing_for: 2m\n    labels: {severity: page}\n    annotations: {summary: '{{ $labels.job }} is down'}\n";
        let groups = parse(text).unwrap();
        let g = &groups[0];
        assert_eq!((g.name.as_str(), g.interval, g.limit), ("g", Some(Duration::from_secs(30)), 5));
        assert_eq!(g.query_offset, Some(Duration::from_secs(60)));
        assert_eq!((g.rules[0].name(), g.rules[1].name()), ("a:b", "Down"));
        assert_eq!(
            (g.rules[1].hold, g.rules[1].keep_firing_for),
            (Duration::from_secs(60), Duration::from_secs(120))
        );
        let labels = g.rules[1].all_labels(g);
        assert_eq!((labels["team"].as_str(), labels["severity"].as_str()), ("a", "page"));
    }

    #[test]
    fn nothing_is_a_file_too() {
        for text in ["", "groups:\n", "groups: []\n", "# no rules yet\n", "groups: [{name: g}]\n"] {
            assert!(parse(text).unwrap().iter().all(|g| g.rules.is_empty()), "{text}");
        }
    }

    /// What the original's tool prints for the same files, its name in front.
    #[test]
    fn mistakes_in_the_words_of_the_original() {
        let check = |rules: &str, expected: &[&str]| {
            let text = format!("groups:\n- name: g\n  rules:\n  - {rules}\n");
            let got = parse(&text).unwrap_err();
            let expected: Vec<String> = expected.iter().map(|e| format!("r.yml: {e}")).collect();
            assert_eq!(got, expected.join("\n"), "{rules}");
        };
        let both = "4:14: 4:24: group \"g\", rule 1, \"b\": only one of 'record' and 'alert' must be set";
        check("{record: a, alert: b, expr: up}", &[both]);
        check("{expr: up}", &["0:0: 0:0: group \"g\", rule 1, \"\": one of 'record' or 'alert' must be set"]);
        check("{alert: A}", &["0:0: group \"g\", rule 1, \"A\": field 'expr' must be set in rule"]);
        let unclosed = "could not parse expression: 1:5: parse error: unclosed left parenthesis";
        check("{record: a, expr: \"up (\"}", &[&format!("4:23: group \"g\", rule 1, \"a\": {unclosed}")]);
        check(
            "{record: a, expr: up, for: 1m, keep_firing_for: 2m, annotations: {a: b}}",
            &[
                "4:14: group \"g\", rule 1, \"a\": invalid field 'annotations' in recording rule",
                "4:14: group \"g\", rule 1, \"a\": invalid field 'for' in recording rule",
                "4:14: group \"g\", rule 1, \"a\": invalid field 'keep_firing_for' in recording rule",
            ],
        );
        let braces = "braces present in the recording rule name; should it be in expr?: a{b}";
        check("{record: \"a{b}\", expr: up}", &[&format!("4:14: group \"g\", rule 1, \"a{{b}}\": {braces}")]);
        check(
            "{alert: A, expr: up, labels: {__name__: x, \"\": y}, annotations: {\"\": z}}",
            &[
                "group \"g\", rule 1, \"A\": invalid label name: ",
                "group \"g\", rule 1, \"A\": invalid label name: __name__",
                "group \"g\", rule 1, \"A\": invalid annotation name: ",
            ],
        );
        check(
            "{alert: B, expr: up, labels: {a: '{{ $nope }}'}, annotations: {c: '{{ nofunc }}'}}",
            &[
                "group \"g\", rule 1, \"B\": label \"a\": template: __alert_B:1: undefined variable \"$nope\"",
                "group \"g\", rule 1, \"B\": annotation \"c\": template: __alert_B:1: function \"nofunc\" not defined",
            ],
        );
    }

    #[test]
    fn groups_have_names_of_their_own() {
        let e = parse("groups:\n- name: ''\n- name: g\n- name: g\n  labels: {__name__: x}\n").unwrap_err();
        let expected = "r.yml: 0:0: Groupname must not be empty\nr.yml: 0:0: groupname: \"g\" is repeated in the \
                        same file\nr.yml: invalid label name: __name__";
        assert_eq!(e, expected);
    }

    #[test]
    fn unknown_fields_are_refused_or_passed_over() {
        let rule = "groups: [{name: g, rules: [{alert: A, expr: up, fro: 1m}], more: 1}]\nextra: {a: [b]}\n";
        let e = parse(rule).unwrap_err();
        assert!(e.contains("r.yml:1:") && e.contains("field fro not found in type rulefmt.Rule"), "{e}");
        let reading = Reading { ignore_unknown: true, ..Reading::default() };
        assert_eq!(parse_file("r.yml", rule, &reading).unwrap()[0].rules[0].alert, "A");
    }

    #[test]
    fn names_may_be_any_text_or_classic_only() {
        let text = "groups: [{name: g, rules: [{record: 'ünï', expr: up, labels: {'ä b': c}}]}]\n";
        assert!(parse(text).is_ok());
        let reading = Reading { legacy_names: true, ..Reading::default() };
        let e = parse_file("r.yml", text, &reading).unwrap_err();
        assert!(e[0].to_string().contains("invalid recording rule name: ünï"), "{}", e[0]);
        assert!(e[1].to_string().contains("invalid label name: ä b"), "{}", e[1]);
    }
}
