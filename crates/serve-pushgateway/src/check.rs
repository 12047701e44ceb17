//! Would this push break the scrape? An index over all groups answers in time proportional to the push;
//! the number of groups does not matter.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use expfmt::{Family, LabelPairs, Metric, MetricValue};
use model::{MetricType, float};

/// Name, type and labels of everything the groups hold.
pub struct Index {
    /// How many groups hold a family of this name and type.
    kinds: HashMap<String, Vec<(MetricType, usize)>>,
    /// How many metrics have these labels. Two independent 64-bit hashes stand for name and labels.
    metrics: HashMap<(u64, u64), usize>,
    /// Families of the service itself.
    own: HashMap<String, (MetricType, String)>,
    hashers: [RandomState; 2],
}

impl Index {
    pub fn new(own: &[Family]) -> Index {
        let own = own.iter().map(|f| (f.name.clone(), (f.kind, f.help.clone()))).collect();
        Index {
            kinds: HashMap::new(),
            metrics: HashMap::new(),
            own,
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    /// The help text this service itself uses for a name, which wins over pushed ones.
    pub fn own_help(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(|(_, help)| help.as_str())
    }

    pub fn add(&mut self, family: &Family<LabelPairs>) {
        let kinds = self.kinds.entry(family.name.clone()).or_default();
        match kinds.iter_mut().find(|(kind, _)| *kind == family.kind) {
            Some((_, groups)) => *groups += 1,
            None => kinds.push((family.kind, 1)),
        }
        for metric in &family.metrics {
            let key = self.key(&family.name, metric);
            *self.metrics.entry(key).or_default() += 1;
        }
    }

    pub fn remove(&mut self, family: &Family<LabelPairs>) {
        if let Some(kinds) = self.kinds.get_mut(&family.name) {
            for (kind, groups) in kinds.iter_mut() {
                if *kind == family.kind {
                    *groups = groups.saturating_sub(1);
                }
            }
            kinds.retain(|(_, groups)| *groups > 0);
            if kinds.is_empty() {
                self.kinds.remove(&family.name);
            }
        }
        for metric in &family.metrics {
            let key = self.key(&family.name, metric);
            if let Some(count) = self.metrics.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.metrics.remove(&key);
                }
            }
        }
    }

    /// Checks `family` as if it were in the index; what it replaces has been removed before. Appends what
    /// is wrong to `problems`.
    pub fn check(&self, family: &Family<LabelPairs>, problems: &mut Vec<String>) {
        let name = &family.name;
        if let Some((own, _)) = self.own.get(name)
            && *own != family.kind
        {
            let (is, should) = (type_name(family.kind), type_name(*own));
            problems.push(format!("gathered metric family {name} has type {is} but should have {should}"));
            return;
        }
        if let Some(kind) = self.kind_of(name)
            && kind != family.kind
        {
            for metric in &family.metrics {
                let shown = show(family, metric);
                problems.push(format!("collected metric {name:?} {shown} is not a {}", type_name(kind)));
            }
            return;
        }
        if let Err(e) = self.check_suffixes(family) {
            problems.push(e);
            return;
        }
        let mut seen = HashSet::new();
        for metric in &family.metrics {
            let key = self.key(name, metric);
            if !seen.insert(key) || self.metrics.contains_key(&key) {
                problems.push(format!(
                    "collected metric {name:?} {} was collected before with the same name and label values",
                    show(family, metric)
                ));
            }
        }
    }

    /// The type a name has now; the service's own comes first.
    fn kind_of(&self, name: &str) -> Option<MetricType> {
        let own = self.own.get(name).map(|(kind, _)| *kind);
        own.or_else(|| self.kinds.get(name).and_then(|kinds| kinds.first()).map(|(kind, _)| *kind))
    }

    /// `x_count` beside a histogram `x` would give two series of one name.
    fn check_suffixes(&self, family: &Family<LabelPairs>) -> Result<(), String> {
        let name = &family.name;
        for suffix in ["_count", "_sum", "_bucket"] {
            let Some(base) = name.strip_suffix(suffix).filter(|base| !base.is_empty()) else { continue };
            let what = match self.kind_of(base) {
                Some(MetricType::Histogram) => "histogram",
                Some(MetricType::Summary) if suffix != "_bucket" => "summary",
                _ => continue,
            };
            return Err(format!(
                "collected metric named {name:?} collides with previously collected {what} named {base:?}"
            ));
        }
        let (what, suffixes): (&str, &[&str]) = match family.kind {
            MetricType::Summary => ("histogram or summary", &["_count", "_sum"]),
            MetricType::Histogram => ("histogram or summary", &["_count", "_sum", "_bucket"]),
            _ => return Ok(()),
        };
        for suffix in suffixes {
            let other = format!("{name}{suffix}");
            if self.kind_of(&other).is_some() {
                let what = if *suffix == "_bucket" { "histogram" } else { what };
                return Err(format!(
                    "collected {what} named {name:?} collides with previously collected metric named {other:?}"
                ));
            }
        }
        Ok(())
    }

    fn key(&self, name: &str, metric: &Metric<LabelPairs>) -> (u64, u64) {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            name.hash(&mut hasher);
            metric.labels.hash(&mut hasher);
            hasher.finish()
        };
        let [a, b] = &self.hashers;
        (hash(a), hash(b))
    }
}

/// One problem as it is, several as a list.
pub fn summary(mut problems: Vec<String>) -> Option<String> {
    match problems.len() {
        0 => None,
        1 => problems.pop(),
        n => Some(format!("{n} error(s) occurred:\n* {}", problems.join("\n* "))),
    }
}

/// A metric in protobuf's text form, as the original's messages quote it.
fn show(family: &Family<LabelPairs>, metric: &Metric<LabelPairs>) -> String {
    let mut out = String::from("{ ");
    for (name, value) in &metric.labels {
        out.push_str(&format!("label:{{name:{name:?} value:{value:?}}} "));
    }
    match &metric.value {
        MetricValue::Number(v) => {
            let kind = type_name(family.kind).to_lowercase();
            out.push_str(&format!("{kind}:{{value:{}}}", float::format_g(*v)));
        }
        MetricValue::Histogram { sum, count, .. } => {
            out.push_str(&format!("histogram:{{sample_count:{count} sample_sum:{}}}", float::format_g(*sum)));
        }
        MetricValue::Summary { sum, count, .. } => {
            out.push_str(&format!("summary:{{sample_count:{count} sample_sum:{}}}", float::format_g(*sum)));
        }
    }
    out.push('}');
    out
}

/// The name of a type in the protobuf format.
pub fn type_name(kind: MetricType) -> &'static str {
    match kind {
        MetricType::Counter => "COUNTER",
        MetricType::Gauge => "GAUGE",
        MetricType::Summary => "SUMMARY",
        MetricType::Histogram => "HISTOGRAM",
        MetricType::GaugeHistogram => "GAUGE_HISTOGRAM",
        _ => "UNTYPED",
    }
}
