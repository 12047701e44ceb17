//! Routes, inhibition rules and time intervals as the file writes them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ::config::Duration;
use alerting::{IntervalSpec, MatcherMode, RouteSpec, TimeInterval, new_matcher, parse_matchers};
use model::{MatchOp, Matcher};
use serde::Deserialize;

/// The `group_by` entry that stands for all labels.
const ALL_LABELS: &str = "...";

/// Routes nest at most this deep.
const DEPTH_MAX: usize = 100;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    pub receiver: String,
    pub group_by: Option<Vec<String>>,
    pub matchers: Option<Vec<String>>,
    #[serde(rename = "match")]
    pub match_equal: Option<BTreeMap<String, String>>,
    pub match_re: Option<BTreeMap<String, String>>,
    pub mute_time_intervals: Option<Vec<String>>,
    pub active_time_intervals: Option<Vec<String>>,
    #[serde(rename = "continue")]
    pub continues: bool,
    pub routes: Option<Vec<Route>>,
    pub group_wait: Option<Duration>,
    pub group_interval: Option<Duration>,
    pub repeat_interval: Option<Duration>,
    pub labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InhibitRule {
    pub name: String,
    pub source_match: Option<BTreeMap<String, String>>,
    pub source_match_re: Option<BTreeMap<String, String>>,
    pub source_matchers: Option<Vec<String>>,
    pub target_match: Option<BTreeMap<String, String>>,
    pub target_match_re: Option<BTreeMap<String, String>>,
    pub target_matchers: Option<Vec<String>>,
    pub equal: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NamedInterval {
    pub name: String,
    pub time_intervals: Vec<Interval>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Interval {
    pub times: Option<Vec<Times>>,
    pub weekdays: Option<Vec<String>>,
    pub days_of_month: Option<Vec<String>>,
    pub months: Option<Vec<String>>,
    pub years: Option<Vec<String>>,
    pub location: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    pub start_time: String,
    pub end_time: String,
}

impl Route {
    pub(crate) fn validate_root(&self) -> Result<(), String> {
        fn empty<T>(list: &Option<Vec<T>>) -> bool {
            list.as_ref().is_none_or(Vec::is_empty)
        }
        if self.continues {
            return Err("cannot have continue in root route".into());
        }
        if self.receiver.is_empty() {
            return Err("root route must specify a default receiver".into());
        }
        let has_map = |map: &Option<BTreeMap<String, String>>| map.as_ref().is_some_and(|m| !m.is_empty());
        if has_map(&self.match_equal) || has_map(&self.match_re) || !empty(&self.matchers) {
            return Err("root route must not have any matchers".into());
        }
        if !empty(&self.mute_time_intervals) {
            return Err("root route must not have any mute time intervals".into());
        }
        if !empty(&self.active_time_intervals) {
            return Err("root route must not have any active time intervals".into());
        }
        Ok(())
    }

    /// Checks names and times of this route and those below.
    pub(crate) fn validate(
        &self,
        receivers: &HashSet<String>,
        intervals: &HashSet<String>,
    ) -> Result<(), String> {
        self.validate_at(receivers, intervals, 0)
    }

    fn validate_at(
        &self,
        receivers: &HashSet<String>,
        intervals: &HashSet<String>,
        depth: usize,
    ) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("routes are nested deeper than {DEPTH_MAX} levels"));
        }
        let group_by = self.group_by.as_deref().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for label in group_by {
            if label.is_empty() {
                return Err(format!("invalid label name {label:?} in group_by list"));
            }
            if !seen.insert(label) {
                return Err(format!("duplicated label {label:?} in group_by"));
            }
        }
        if group_by.len() > 1 && group_by.iter().any(|label| label == ALL_LABELS) {
            return Err("cannot have wildcard group_by (`...`) and other labels at the same time".into());
        }
        for (value, name) in
            [(self.group_interval, "group_interval"), (self.repeat_interval, "repeat_interval")]
        {
            if value.is_some_and(Duration::is_zero) {
                return Err(format!("{name} cannot be zero"));
            }
        }
        if !self.receiver.is_empty() && !receivers.contains(&self.receiver) {
            return Err(format!("undefined receiver {:?} used in route", self.receiver));
        }
        for name in self.mute_time_intervals.iter().chain(&self.active_time_intervals).flatten() {
            if !intervals.contains(name) {
                return Err(format!("undefined time interval {name:?} used in route"));
            }
        }
        if self.labels.iter().flatten().any(|(_, value)| value.contains("{{")) {
            return Err("templates in route labels are not supported yet".into());
        }
        for route in self.routes.iter().flatten() {
            route.validate_at(receivers, intervals, depth + 1)?;
        }
        Ok(())
    }

    pub(crate) fn compile(&self, mode: MatcherMode) -> Result<RouteSpec, String> {
        let std = |d: Option<Duration>| d.map(Duration::to_std);
        let all = |names: &Vec<String>| names.iter().any(|name| name == ALL_LABELS);
        let by_all = self.group_by.as_ref().is_some_and(all);
        Ok(RouteSpec {
            receiver: (!self.receiver.is_empty()).then(|| self.receiver.clone()),
            matchers: matchers(&self.match_equal, &self.match_re, &self.matchers, mode)?,
            group_by: self.group_by.clone().filter(|_| !by_all).map(|names| names.into_iter().collect()),
            group_by_all: by_all,
            group_wait: std(self.group_wait),
            group_interval: std(self.group_interval),
            repeat_interval: std(self.repeat_interval),
            mute_time_intervals: self.mute_time_intervals.clone().unwrap_or_default(),
            active_time_intervals: self.active_time_intervals.clone().unwrap_or_default(),
            labels: self.labels.clone().unwrap_or_default(),
            continues: self.continues,
            routes: self
                .routes
                .iter()
                .flatten()
                .map(|route| route.compile(mode))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl InhibitRule {
    pub(crate) fn compile(&self, mode: MatcherMode) -> Result<alerting::InhibitRule, String> {
        Ok(alerting::InhibitRule {
            name: self.name.clone(),
            source: matchers(&self.source_match, &self.source_match_re, &self.source_matchers, mode)?,
            target: matchers(&self.target_match, &self.target_match_re, &self.target_matchers, mode)?,
            equal: self.equal.clone().unwrap_or_default(),
        })
    }
}

impl Interval {
    pub(crate) fn compile(&self) -> Result<TimeInterval, String> {
        let times = self.times.iter().flatten();
        TimeInterval::new(&IntervalSpec {
            times: times.map(|t| (t.start_time.clone(), t.end_time.clone())).collect(),
            weekdays: self.weekdays.clone().unwrap_or_default(),
            days_of_month: self.days_of_month.clone().unwrap_or_default(),
            months: self.months.clone().unwrap_or_default(),
            years: self.years.clone().unwrap_or_default(),
            location: self.location.clone().unwrap_or_default(),
        })
    }
}

/// The three ways to write matchers, joined.
fn matchers(
    equal: &Option<BTreeMap<String, String>>,
    regex: &Option<BTreeMap<String, String>>,
    texts: &Option<Vec<String>>,
    mode: MatcherMode,
) -> Result<Vec<Matcher>, String> {
    let mut out = Vec::new();
    for (name, value) in equal.iter().flatten() {
        out.push(new_matcher(MatchOp::Equal, name, value)?);
    }
    for (name, value) in regex.iter().flatten() {
        out.push(new_matcher(MatchOp::Regex, name, value)?);
    }
    for text in texts.iter().flatten() {
        out.extend(parse_matchers(text, mode)?);
    }
    Ok(out)
}
