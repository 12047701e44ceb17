//! Plays a test: series in, rules evaluated step by step, alerts and queries compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Labels, TimestampMs, Value};
use platform::{ManualClock, SimDisk};
use promql::notation;
use promql::{Engine, EngineSettings, QueryContext, QueryValue};
use re2::Regex;
use rules::{OfflineRules, QueriedSample, QueryEngine};
use storage::MetricsStore;
use store_metrics::Store;

use super::diff;
use super::file::{AlertCheck, Case, ExprCheck, TestFile};
use crate::command::say;

pub struct Options<'o> {
    pub debug: bool,
    pub diff: bool,
    pub only: Vec<Regex>,
    pub engine: &'o Arc<Engine>,
    pub reading: rules::Reading,
}

/// The engine of all tests: everything of the stable language, and what `features` adds.
pub fn engine(features: &[String]) -> Arc<Engine> {
    let mut settings = EngineSettings::default();
    for feature in features {
        promql::features::enable(&mut settings, feature);
    }
    Arc::new(Engine::new(settings))
}

/// Runs one test. Returns what went wrong, in the original's words.
pub fn case(case: &Case, file: &TestFile, rule_files: &[PathBuf], options: &Options<'_>) -> Vec<String> {
    Test::prepare(case, file, rule_files, options).and_then(Test::run).unwrap_or_else(|errors| errors)
}

struct Test<'t> {
    case: &'t Case,
    options: &'t Options<'t>,
    fuzzy: bool,
    start: TimestampMs,
    step_ms: i64,
    store: Arc<Store>,
    rules: OfflineRules,
    /// Samples to come, in the order of their times.
    input: Vec<(TimestampMs, Labels, Value)>,
}

impl<'t> Test<'t> {
    fn prepare(
        case: &'t Case,
        file: &TestFile,
        rule_files: &[PathBuf],
        options: &'t Options<'t>,
    ) -> Result<Test<'t>, Vec<String>> {
        let one = |e: String| vec![e];
        if let Some(check) = case.alert_rule_test.iter().find(|check| check.alertname.is_empty()) {
            let group = match case.name.as_str() {
                "" => String::new(),
                name => format!(" (in TestGroup {name})"),
            };
            let at = check.eval_time;
            return Err(one(format!(
                "an item under alert_rule_test misses required attribute alertname at eval_time {at}{group}"
            )));
        }
        let start = case.start_timestamp.as_ref().map_or(Ok(0), |start| start.ms()).map_err(one)?;
        let step_ms = file.evaluation_interval_ms();
        let settings = store_metrics::Settings { background: false, retention_ms: 0, ..Default::default() };
        let clock = Arc::new(ManualClock::at_ms(start));
        let store = Store::open_on(Arc::new(SimDisk::new()), Path::new("/test"), settings, clock);
        let store = Arc::new(store.map_err(|e| one(e.to_string()))?);
        let queries = Arc::new(Queries { engine: options.engine.clone(), store: store.clone() });
        let settings = rules::Settings {
            files: rule_files.to_vec(),
            interval_ms: step_ms,
            external_labels: case.external_labels.clone(),
            external_url: case.external_url.clone(),
            reading: options.reading,
            ..rules::Settings::default()
        };
        let mut rules = OfflineRules::load(&settings, queries, store.clone())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        rules.order(&file.group_eval_order);
        let interval_ms = case.interval.map_or(step_ms, config::Duration::as_ms);
        let mut input = Vec::new();
        for (i, series) in case.input_series.iter().enumerate() {
            let line = format!("{} {}", series.series, series.values.as_text());
            // The original reads all series as one script whose first line says `load`.
            let line =
                notation::series_line(&line).map_err(|e| one(format!("{}: parse error: {e}", i + 2)))?;
            for (n, value) in line.values.into_iter().enumerate() {
                let Some(value) = value else { continue };
                input.push((start + n as i64 * interval_ms, line.labels.clone(), value));
            }
        }
        input.sort_by_key(|(t, _, _)| *t);
        Ok(Test { case, options, fuzzy: file.fuzzy_compare, start, step_ms, store, rules, input })
    }

    fn run(mut self) -> Result<Vec<String>, Vec<String>> {
        let began = std::time::Instant::now();
        if self.options.debug {
            let _ = say(&format!("DEBUG: Starting test {}\n", self.case.name));
        }
        let alerts = self.case.alert_rule_test.iter().map(|check| check.eval_time.as_ms());
        let exprs = self.case.promql_expr_test.iter().map(|check| check.eval_time.as_ms());
        let end = alerts.chain(exprs).max().unwrap_or(0);
        let mut checks: Vec<&AlertCheck> = self.case.alert_rule_test.iter().collect();
        checks.sort_by_key(|check| check.eval_time.as_ms());
        let mut checks = checks.into_iter().peekable();
        let mut failures = Vec::new();
        let mut elapsed = 0;
        while elapsed <= end {
            self.feed(self.start + elapsed).map_err(|e| vec![e])?;
            let broken = self.rules.eval(self.start + elapsed);
            if !broken.is_empty() {
                let time = model::duration::format(elapsed);
                let text = |(rule, e): (String, String)| format!("    rule: {rule}, time: {time}, err: {e}");
                failures.extend(broken.into_iter().map(text));
                return Ok(failures);
            }
            while let Some(check) = checks.next_if(|c| c.eval_time.as_ms() < elapsed + self.step_ms) {
                failures.extend(self.check_alerts(check));
            }
            elapsed += self.step_ms;
        }
        // Queries may look at moments after the last evaluation.
        self.feed(TimestampMs::MAX).map_err(|e| vec![e])?;
        failures.extend(self.case.promql_expr_test.iter().filter_map(|check| self.check_expr(check)));
        if self.options.debug {
            self.dump(end);
            let _ = say(&format!("DEBUG: Test {} finished, took {:?}\n", self.case.name, began.elapsed()));
        }
        Ok(failures)
    }

    /// Appends the samples up to and including `until`.
    fn feed(&mut self, until: TimestampMs) -> Result<(), String> {
        let due = self.input.partition_point(|(t, _, _)| *t <= until);
        let mut appender = self.store.appender();
        for (t, labels, value) in self.input.drain(..due) {
            appender.append(None, &labels, t, value).map_err(|e| e.to_string())?;
        }
        appender.commit().map_err(|e| e.to_string())
    }

    fn check_alerts(&self, check: &AlertCheck) -> Option<String> {
        let mut got: Vec<Shown> = self
            .rules
            .firing(&check.alertname)
            .into_iter()
            .map(|alert| Shown {
                labels: alert.labels.without_name(),
                annotations: (*alert.annotations).clone(),
            })
            .collect();
        let mut expected: Vec<Shown> = check
            .exp_alerts
            .iter()
            .map(|alert| {
                let mut labels = alert.exp_labels.clone();
                labels.insert("alertname".into(), check.alertname.clone());
                Shown { labels: Labels::from_pairs(labels), annotations: alert.exp_annotations.clone() }
            })
            .collect();
        expected.sort_by(|a, b| a.labels.cmp(&b.labels));
        got.sort_by(|a, b| a.labels.cmp(&b.labels));
        if expected == got {
            return None;
        }
        let (alert, time) = (&check.alertname, check.eval_time);
        let name = match self.case.name.as_str() {
            "" => String::new(),
            name => format!("    name: {name},\n"),
        };
        Some(match self.options.diff {
            true => format!(
                "{name}    alertname: {alert}, time: {time}, \n        diff: {}",
                diff::render(&sections(&expected), &sections(&got)).replace('\n', "\n            ")
            ),
            false => format!(
                "{name}    alertname: {alert}, time: {time}, \n        exp:{}, \n        got:{}",
                shown(&expected),
                shown(&got)
            ),
        })
    }

    fn check_expr(&self, check: &ExprCheck) -> Option<String> {
        let place = format!("    expr: {}, time: {}", promql_syntax::quote(&check.expr), check.eval_time);
        let time = self.start + check.eval_time.as_ms();
        let queries = Queries { engine: self.options.engine.clone(), store: self.store.clone() };
        let mut got = match queries.instant(&check.expr, time) {
            Ok(samples) => samples,
            Err(e) => return Some(format!("{place}, err: {e}")),
        };
        let mut expected = Vec::new();
        for sample in &check.exp_samples {
            let labels = match labels(&sample.labels) {
                Ok(labels) => labels,
                Err(e) => {
                    return Some(format!(
                        "{place}, err: labels {}: {e}",
                        promql_syntax::quote(&sample.labels)
                    ));
                }
            };
            let value = match sample.histogram.as_str() {
                "" => Value::Float(sample.value),
                text => match notation::histogram(text) {
                    Ok((h, "")) => Value::Histogram(h.into()),
                    Ok((_, rest)) => {
                        return Some(format!("{place}, err: histogram {text:?}: unexpected {rest:?}"));
                    }
                    Err(e) => return Some(format!("{place}, err: histogram {text:?}: {e}")),
                },
            };
            expected.push(QueriedSample { labels, value });
        }
        expected.sort_by(|a, b| a.labels.cmp(&b.labels));
        got.sort_by(|a, b| a.labels.cmp(&b.labels));
        let same = expected.len() == got.len()
            && expected.iter().zip(&got).all(|(a, b)| a.labels == b.labels && self.same(&a.value, &b.value));
        (!same)
            .then(|| format!("{place},\n        exp: {}\n        got: {}", samples(&expected), samples(&got)))
    }

    fn same(&self, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Float(a), Value::Float(b)) if self.fuzzy => {
                a == b || (a - b).abs() <= f64::EPSILON * a.abs().max(b.abs())
            }
            // As in the original, NaN is no expectation that can be met.
            (Value::Float(a), Value::Float(b)) => a == b,
            _ => value_text(a) == value_text(b),
        }
    }

    /// Everything in the store, for `--debug`.
    fn dump(&self, end: i64) {
        let at = end + 1000;
        let range = model::duration::format(at);
        let _ = say(&format!("DEBUG: Dump of all data (input_series and rules) at {range}:\n"));
        let query = format!("{{__name__=~\".+\"}}[{range}]");
        let context = QueryContext::default();
        let Ok(result) = self.options.engine.instant(&*self.store, &query, self.start + at, &context) else {
            return;
        };
        let QueryValue::Matrix(all) = result.value else { return };
        for series in all {
            let _ = say(&format!("{} =>\n", label_text(&series.labels)));
            for (t, v) in series.floats.0.iter().zip(&series.floats.1) {
                let _ = say(&format!("{} @[{t}]\n", model::float::format_g(*v)));
            }
            for (t, h) in &series.histograms {
                let _ = say(&format!("{} @[{t}]\n", promql::histogram_text(h)));
            }
        }
    }
}

/// A label set as expected samples write it: a selector of one series.
fn labels(text: &str) -> Result<Labels, String> {
    if text.trim().is_empty() {
        return Ok(Labels::empty());
    }
    let (labels, rest) = notation::metric(text.trim()).map_err(|e| format!("parse error: {e}"))?;
    match rest.trim() {
        "" => Ok(labels),
        rest => Err(format!("parse error: unexpected {rest:?}")),
    }
}

#[derive(PartialEq)]
struct Shown {
    labels: Labels,
    annotations: BTreeMap<String, String>,
}

fn sections(alerts: &[Shown]) -> Vec<diff::Sections> {
    let pairs = |labels: &Labels| labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let alert = |a: &Shown| vec![("Annotations", a.annotations.clone()), ("Labels", pairs(&a.labels))];
    alerts.iter().map(alert).collect()
}

fn shown(alerts: &[Shown]) -> String {
    if alerts.is_empty() {
        return "[]".into();
    }
    let mut out = "[\n".to_owned();
    for (i, alert) in alerts.iter().enumerate() {
        let annotations = Labels::from_pairs(alert.annotations.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let comma = if i + 1 < alerts.len() { "," } else { "" };
        out.push_str(&format!(
            "            {i}:\n              Labels:{}\n              Annotations:{}{comma}\n",
            label_text(&alert.labels),
            label_text(&annotations)
        ));
    }
    out + "            ]"
}

/// `{name="value", …}`, the metric name as a label among the others.
fn label_text(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(n, v)| format!("{n}={}", promql_syntax::quote(v))).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn samples(samples: &[QueriedSample]) -> String {
    if samples.is_empty() {
        return "nil".into();
    }
    let all = samples.iter().map(|s| format!("{} {}", label_text(&s.labels), value_text(&s.value)));
    all.collect::<Vec<_>>().join(", ")
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Float(v) => exponent(*v),
        Value::Histogram(h) => notation::histogram_text(h),
    }
}

/// Go's `%E` with the shortest digits: `3E+00`.
fn exponent(v: f64) -> String {
    if v.is_nan() {
        return "NaN".into();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let text = format!("{v:E}");
    let (digits, power) = text.split_once('E').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}E{sign}{:02}", power.abs())
}

/// The rules' view of the engine.
struct Queries {
    engine: Arc<Engine>,
    store: Arc<Store>,
}

impl QueryEngine for Queries {
    fn instant(&self, expr: &str, time_ms: i64) -> Result<Vec<QueriedSample>, String> {
        let context = QueryContext::default();
        let result = self.engine.instant(&*self.store, expr, time_ms, &context).map_err(|e| e.message)?;
        match result.value {
            QueryValue::Vector(samples) => {
                Ok(samples.into_iter().map(|s| QueriedSample { labels: s.labels, value: s.value }).collect())
            }
            QueryValue::Scalar { v, .. } => {
                Ok(vec![QueriedSample { labels: Labels::empty(), value: Value::Float(v) }])
            }
            _ => Err("rule result is not a vector or scalar".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::METRIC_NAME;

    use super::*;

    #[test]
    fn numbers_as_go_prints_them() {
        for (v, text) in
            [(3.0, "3E+00"), (0.1, "1E-01"), (-12345.0, "-1.2345E+04"), (1e300, "1E+300"), (0.0, "0E+00")]
        {
            assert_eq!(exponent(v), text);
        }
        assert_eq!(exponent(f64::NAN), "NaN");
        let labels = Labels::from_pairs([(METRIC_NAME, "a"), ("b", "c\"d")]);
        assert_eq!(label_text(&labels), r#"{__name__="a", b="c\"d"}"#);
    }
}
