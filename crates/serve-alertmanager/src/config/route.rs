//! Routes as the file writes them, and matchers in their three notations.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ::config::{Duration, Fault};
use alerting::{MatcherMode, RouteSpec, is_label_name, new_matcher, parse_matchers};
use model::labels::is_classic_label_name;
use model::{MatchOp, Matcher};
use serde::Deserialize;

use super::or_default;

/// The `group_by` entry that stands for all labels.
const ALL_LABELS: &str = "...";

/// Routes nest at most this deep.
const DEPTH_MAX: usize = 100;

/// Label names and the expressions their values must match. An expression may be forgotten, which is
/// then said.
pub(super) type Regexes = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    #[serde(deserialize_with = "or_default")]
    pub receiver: String,
    pub group_by: Option<Vec<String>>,
    pub matchers: Option<Vec<String>>,
    #[serde(rename = "match")]
    pub match_equal: Option<BTreeMap<String, String>>,
    pub match_re: Option<Regexes>,
    pub mute_time_intervals: Option<Vec<String>>,
    pub active_time_intervals: Option<Vec<String>>,
    #[serde(rename = "continue", deserialize_with = "or_default")]
    pub continues: bool,
    pub routes: Option<Vec<Route>>,
    pub group_wait: Option<Duration>,
    pub group_interval: Option<Duration>,
    pub repeat_interval: Option<Duration>,
    pub labels: Option<BTreeMap<String, String>>,
}

impl Route {
    /// What a route can be wrong about by itself; those below are judged before their parent.
    pub(super) fn validate_self(&self, mode: MatcherMode, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::new(format!("routes are nested deeper than {DEPTH_MAX} levels")));
        }
        self.each_below(|route| route.validate_self(mode, depth + 1))?;
        self.matchers(mode)?;
        check_names(self.match_equal.iter().flatten().map(|(name, _)| name)).map_err(|f| f.under("match"))?;
        self.validate_grouping(mode)?;
        for (value, key) in
            [(self.group_interval, "group_interval"), (self.repeat_interval, "repeat_interval")]
        {
            if value.is_some_and(Duration::is_zero) {
                return Err(Fault::new(format!("{key} cannot be zero")).under(key));
            }
        }
        for name in self.labels.iter().flatten().map(|(name, _)| name) {
            if !is_label_name(name, mode) {
                let message = format!("invalid label name {name:?}");
                return Err(Fault::new(message).under(name).under("labels"));
            }
        }
        Ok(())
    }

    fn validate_grouping(&self, mode: MatcherMode) -> Result<(), Fault> {
        let names = self.group_by.as_deref().unwrap_or_default();
        let at = |i: usize, message: String| Err(Fault::new(message).at(i).under("group_by"));
        for (i, name) in names.iter().enumerate() {
            if name != ALL_LABELS && !is_label_name(name, mode) {
                return at(i, format!("invalid label name {name:?} in group_by list"));
            }
        }
        let all = names.iter().position(|name| name == ALL_LABELS);
        if let Some(i) = all.filter(|_| names.iter().any(|name| name != ALL_LABELS)) {
            return at(i, "cannot have wildcard group_by (`...`) and other labels at the same time".into());
        }
        let mut seen = BTreeSet::new();
        for (i, name) in names.iter().enumerate() {
            if name != ALL_LABELS && !seen.insert(name) {
                return at(i, format!("duplicated label {name:?} in group_by"));
            }
        }
        Ok(())
    }

    /// The root takes every alert at every time.
    pub(super) fn validate_root(&self) -> Result<(), Fault> {
        if self.receiver.is_empty() {
            return Err(Fault::new("root route must specify a default receiver"));
        }
        let matchers = [
            ("match", self.match_equal.iter().flatten().count()),
            ("match_re", self.match_re.iter().flatten().count()),
            ("matchers", self.matchers.iter().flatten().count()),
        ];
        if let Some((key, _)) = matchers.iter().find(|(_, count)| *count > 0) {
            return Err(Fault::new("root route must not have any matchers").under(key));
        }
        for (list, key, word) in [
            (&self.mute_time_intervals, "mute_time_intervals", "mute"),
            (&self.active_time_intervals, "active_time_intervals", "active"),
        ] {
            if list.iter().flatten().next().is_some() {
                let message = format!("root route must not have any {word} time intervals");
                return Err(Fault::new(message).under(key));
            }
        }
        Ok(())
    }

    pub(super) fn validate_receivers(&self, receivers: &HashSet<&str>) -> Result<(), Fault> {
        self.each_below(|route| route.validate_receivers(receivers))?;
        if !self.receiver.is_empty() && !receivers.contains(self.receiver.as_str()) {
            let message = format!("undefined receiver {:?} used in route", self.receiver);
            return Err(Fault::new(message).under("receiver"));
        }
        Ok(())
    }

    pub(super) fn validate_intervals(&self, intervals: &HashSet<&str>) -> Result<(), Fault> {
        self.each_below(|route| route.validate_intervals(intervals))?;
        for (list, key) in [
            (&self.active_time_intervals, "active_time_intervals"),
            (&self.mute_time_intervals, "mute_time_intervals"),
        ] {
            for (i, name) in list.iter().flatten().enumerate() {
                if !intervals.contains(name.as_str()) {
                    let message = format!("undefined time interval {name:?} used in route");
                    return Err(Fault::new(message).at(i).under(key));
                }
            }
        }
        Ok(())
    }

    fn each_below(&self, mut check: impl FnMut(&Route) -> Result<(), Fault>) -> Result<(), Fault> {
        for (i, route) in self.routes.iter().flatten().enumerate() {
            check(route).map_err(|f| f.at(i).under("routes"))?;
        }
        Ok(())
    }

    fn matchers(&self, mode: MatcherMode) -> Result<Vec<Matcher>, Fault> {
        matchers("", &self.match_equal, &self.match_re, &self.matchers, mode)
    }

    pub(crate) fn compile(&self, mode: MatcherMode) -> Result<RouteSpec, Fault> {
        let std = |d: Option<Duration>| d.map(Duration::to_std);
        let all = |names: &Vec<String>| names.iter().any(|name| name == ALL_LABELS);
        let by_all = self.group_by.as_ref().is_some_and(all);
        let below = self.routes.iter().flatten().enumerate();
        Ok(RouteSpec {
            receiver: (!self.receiver.is_empty()).then(|| self.receiver.clone()),
            matchers: self.matchers(mode)?,
            group_by: self.group_by.clone().filter(|_| !by_all).map(|names| names.into_iter().collect()),
            group_by_all: by_all,
            group_wait: std(self.group_wait),
            group_interval: std(self.group_interval),
            repeat_interval: std(self.repeat_interval),
            mute_time_intervals: self.mute_time_intervals.clone().unwrap_or_default(),
            active_time_intervals: self.active_time_intervals.clone().unwrap_or_default(),
            labels: self.labels.clone().unwrap_or_default(),
            continues: self.continues,
            routes: below
                .map(|(i, route)| route.compile(mode).map_err(|f| f.at(i).under("routes")))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Names in `match` and `match_re` are classic ones in every mode.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), Fault> {
    for name in names {
        if !is_classic_label_name(name) {
            return Err(Fault::new(format!("invalid label name {name:?}")).under(name));
        }
    }
    Ok(())
}

/// The three ways to write matchers, joined. `prefix` stands before the keys: `source_match`.
pub(super) fn matchers(
    prefix: &str,
    equal: &Option<BTreeMap<String, String>>,
    regex: &Option<Regexes>,
    texts: &Option<Vec<String>>,
    mode: MatcherMode,
) -> Result<Vec<Matcher>, Fault> {
    let mut out = Vec::new();
    for (name, value) in equal.iter().flatten() {
        let matcher = new_matcher(MatchOp::Equal, name, value);
        out.push(matcher.map_err(|e| Fault::new(e).under(name).under(&format!("{prefix}match")))?);
    }
    for (name, value) in regex.iter().flatten() {
        let fault = |message: String| Fault::new(message).under(name).under(&format!("{prefix}match_re"));
        if !is_classic_label_name(name) {
            return Err(fault(format!("invalid label name {name:?}")));
        }
        let value = value.as_deref().ok_or_else(|| fault(format!("invalid regexp value for {name:?}")))?;
        new_matcher(MatchOp::Regex, name, value).map_err(fault)?;
        // With its anchors, as the original keeps it: group keys show it so.
        out.push(new_matcher(MatchOp::Regex, name, &format!("^(?:{value})$")).map_err(fault)?);
    }
    for (i, text) in texts.iter().flatten().enumerate() {
        let parsed = parse_matchers(text, mode);
        out.extend(parsed.map_err(|e| Fault::new(e).at(i).under(&format!("{prefix}matchers")))?);
    }
    Ok(out)
}
