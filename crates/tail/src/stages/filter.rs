//! Stages that let some entries through: drop, match, limit, sampling.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use model::{Labels, Matcher};
use platform::Random;
use storage::logs::EntryRef;

use super::{Context, CustomMetrics, Pipeline, Transform, timestamp};
use crate::config::{DropConfig, LimitConfig, MatchAction, MatchConfig, SamplingConfig};
use crate::entry::Entry;

pub(super) struct Drop {
    sources: Vec<String>,
    separator: String,
    expression: Option<re2::Regex>,
    value: Option<String>,
    older_than_ns: Option<i64>,
    longer_than: Option<usize>,
    reason: String,
}

impl Drop {
    pub fn new(config: &DropConfig) -> Result<Drop, String> {
        let sources = config.source.list();
        let empty = sources.is_empty()
            && config.expression.is_none()
            && config.value.is_none()
            && config.older_than.is_none()
            && config.longer_than.is_none();
        if empty {
            return Err("drop stage config must contain at least one of `source`, `expression`, `older_than` or `longer_than`".into());
        }
        if config.expression.is_some() && config.value.is_some() {
            return Err("only one of `expression` or `value` can be set".into());
        }
        if config.value.is_some() && sources.is_empty() {
            return Err("`value` needs a `source`".into());
        }
        let expression = config.expression.as_deref().map(re2::Regex::new).transpose();
        Ok(Drop {
            sources,
            separator: config.separator.clone().unwrap_or_else(|| ";".into()),
            expression: expression.map_err(|e| e.to_string())?,
            value: config.value.clone(),
            older_than_ns: config.older_than.map(|age| age.as_ms().saturating_mul(1_000_000)),
            longer_than: config.longer_than.map(|size| size.0 as usize),
            reason: reason(&config.drop_counter_reason, "drop_stage"),
        })
    }

    /// All conditions that are given must hold.
    fn drops(&self, entry: &Entry) -> bool {
        if self.longer_than.is_some_and(|max| entry.line.len() <= max) {
            return false;
        }
        if self.older_than_ns.is_some_and(|age| entry.ts >= timestamp::now_ns().saturating_sub(age)) {
            return false;
        }
        if self.sources.is_empty() {
            return self.expression.as_ref().is_none_or(|regex| regex.is_match(&entry.line));
        }
        let values: Option<Vec<&str>> =
            self.sources.iter().map(|name| entry.extracted.get(name).map(String::as_str)).collect();
        let Some(values) = values else { return false };
        let text = values.join(&self.separator);
        self.value.as_ref().is_none_or(|value| *value == text)
            && self.expression.as_ref().is_none_or(|regex| regex.is_match(&text))
    }
}

fn reason(given: &Option<String>, default: &str) -> String {
    given.clone().filter(|reason| !reason.is_empty()).unwrap_or_else(|| default.into())
}

impl Transform for Drop {
    fn apply(&mut self, entry: &mut Entry, context: &Context<'_>) -> bool {
        let drops = self.drops(entry);
        if drops {
            context.metrics.dropped_lines(&self.reason);
        }
        !drops
    }
}

pub(super) struct Match {
    matchers: Vec<Matcher>,
    filter: logql::pipeline::Pipeline,
    action: MatchAction,
    reason: String,
    pub pipeline: Pipeline,
}

impl Match {
    pub fn new(config: &MatchConfig, custom: &Arc<CustomMetrics>) -> Result<Match, String> {
        if config.action == MatchAction::Drop && !config.stages.is_empty() {
            return Err("stages are not allowed with action drop".into());
        }
        if config.action == MatchAction::Keep && config.stages.is_empty() {
            return Err(
                "match stage requires at least one additional stage to be defined in '- stages'".into()
            );
        }
        let expr = logql_syntax::parse_log(&config.selector).map_err(|e| e.to_string())?;
        Ok(Match {
            matchers: expr.matchers,
            filter: logql::pipeline::Pipeline::compile(&expr.stages).map_err(|e| e.to_string())?,
            action: config.action,
            reason: reason(&config.drop_counter_reason, "match_stage"),
            pipeline: Pipeline::compile(&config.stages, custom)?,
        })
    }

    fn matches(&self, entry: &Entry) -> bool {
        let value = |matcher: &Matcher| entry.labels.get(&matcher.name).map_or("", String::as_str);
        if !self.matchers.iter().all(|matcher| matcher.matches(value(matcher))) {
            return false;
        }
        let labels = Labels::from_sorted(entry.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let metadata = Labels::empty();
        let entry = EntryRef { ts: entry.ts, line: &entry.line, structured_metadata: &metadata };
        self.filter.process(entry, &mut self.filter.state(&labels)).is_some()
    }

    pub fn apply(&mut self, entry: Entry, context: &Context<'_>, out: &mut Vec<Entry>) {
        match (self.matches(&entry), self.action) {
            (false, _) => out.push(entry),
            (true, MatchAction::Drop) => context.metrics.dropped_lines(&self.reason),
            (true, MatchAction::Keep) => self.pipeline.process(entry, context, out),
        }
    }
}

pub(super) struct Limit {
    rate: f64,
    burst: f64,
    by_label: Option<String>,
    /// By label value; one for all without label.
    buckets: HashMap<String, Bucket>,
    buckets_max: usize,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Limit {
    pub fn new(config: &LimitConfig) -> Result<Limit, String> {
        if config.rate <= 0.0 || config.burst < 1.0 {
            return Err("limit stage: invalid rate or burst".into());
        }
        if !config.drop {
            return Err("limit without `drop: true` is not supported: use limits_config.readline_rate".into());
        }
        let by_label = Some(config.by_label_name.clone()).filter(|name| !name.is_empty());
        let buckets_max = if config.max_distinct_labels == 0 { 10_000 } else { config.max_distinct_labels };
        Ok(Limit { rate: config.rate, burst: config.burst, by_label, buckets: HashMap::new(), buckets_max })
    }
}

impl Transform for Limit {
    fn apply(&mut self, entry: &mut Entry, context: &Context<'_>) -> bool {
        let key = match &self.by_label {
            None => "",
            Some(name) => match entry.labels.get(name) {
                Some(value) => value,
                None => return true,
            },
        };
        if !self.buckets.contains_key(key) {
            if self.buckets.len() >= self.buckets_max {
                self.buckets.clear();
            }
            self.buckets.insert(key.to_string(), Bucket { tokens: self.burst, filled: context.now });
        }
        let Some(bucket) = self.buckets.get_mut(key) else { return true };
        let passed = context.now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.rate).min(self.burst);
        bucket.filled = context.now;
        if bucket.tokens < 1.0 {
            context.metrics.dropped_lines("ratelimited");
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

pub(super) struct Sampling {
    /// Entries out of 2^32.
    share: u64,
    random: Random,
    reason: String,
}

impl Sampling {
    pub fn new(config: &SamplingConfig) -> Result<Sampling, String> {
        if !(0.0..=1.0).contains(&config.rate) {
            return Err(
                "sampling stage failed to parse rate,Sampling Rate must be between 0.0 and 1.0".into()
            );
        }
        Ok(Sampling {
            share: (config.rate * 4_294_967_296.0) as u64,
            random: Random::new(timestamp::now_ns() as u64),
            reason: reason(&config.drop_counter_reason, "sampling_stage"),
        })
    }
}

impl Transform for Sampling {
    fn apply(&mut self, _: &mut Entry, context: &Context<'_>) -> bool {
        let keeps = self.random.below(1 << 32) < self.share;
        if !keeps {
            context.metrics.dropped_lines(&self.reason);
        }
        keeps
    }
}
