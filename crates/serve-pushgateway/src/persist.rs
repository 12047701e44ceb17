//! Keeping the groups over restarts.
//!
//! The file is one JSON document, `{"version":1,"groups":[…]}`, replaced as a whole: written beside the
//! old one, synced, renamed. Numbers are strings, because JSON knows neither NaN nor infinity.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use expfmt::{Bucket, Family, LabelPairs, Metric, MetricValue, Quantile};
use front::CancellationToken;
use model::{MetricType, float};
use serde::{Deserialize, Serialize};

use crate::grouping::GroupingKey;
use crate::store::{Group, Store, Stored};

const VERSION: u32 = 1;

#[derive(Debug, Clone)]
pub struct Persistence {
    file: PathBuf,
    interval: Duration,
}

impl Persistence {
    pub fn new(file: PathBuf, interval_ms: i64) -> Persistence {
        Persistence { file, interval: Duration::from_millis(interval_ms.max(0) as u64) }
    }

    /// Reads the file; none is fine. One that cannot be understood is moved aside, never overwritten.
    pub fn load(&self) -> Result<Vec<(GroupingKey, Group)>, String> {
        let shown = self.file.display();
        let bytes = match fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(format!("cannot read {shown}: {e}")),
        };
        match decode(&bytes) {
            Ok(groups) => Ok(groups),
            Err(reason) => {
                let aside = beside(&self.file, "unreadable");
                fs::rename(&self.file, &aside).map_err(|e| {
                    format!("{shown} is not readable ({reason}) and cannot be moved aside: {e}")
                })?;
                tracing::error!(
                    "Could not load persisted metrics from {shown}: {reason}. The file is now {}; starting empty.",
                    aside.display()
                );
                Ok(Vec::new())
            }
        }
    }

    pub fn save(&self, groups: &[(GroupingKey, Group)]) -> io::Result<()> {
        let bytes = encode(groups)?;
        let temporary = beside(&self.file, "in_progress");
        let result = (|| {
            let mut file = File::create(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.file)?;
            match self.file.parent().filter(|p| !p.as_os_str().is_empty()) {
                Some(dir) => File::open(dir)?.sync_all(),
                None => Ok(()),
            }
        })();
        if result.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        result
    }
}

/// Saves after changes, at most once per interval, and a last time at the end. After that the store
/// accepts nothing, so that whatever was acknowledged is on disk.
pub async fn keep(persistence: Option<Persistence>, store: Arc<Store>, shutdown: CancellationToken) {
    let Some(persistence) = persistence else {
        shutdown.cancelled().await;
        store.close();
        return;
    };
    let mut saved = Instant::now();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = store.changed.notified() => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(persistence.interval.saturating_sub(saved.elapsed())) => {}
        }
        saved = Instant::now();
        save(&persistence, store.groups()).await;
    }
    save(&persistence, store.close()).await;
}

async fn save(persistence: &Persistence, groups: Vec<(GroupingKey, Group)>) {
    let persistence = persistence.clone();
    let work = move || {
        let shown = persistence.file.display();
        match persistence.save(&groups) {
            Ok(()) => tracing::debug!("Metrics persisted to {shown}"),
            Err(e) => tracing::error!("error persisting metrics to {shown}: {e}"),
        }
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}.{}", std::process::id()));
    file.with_file_name(name)
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    groups: Vec<GroupRecord>,
}

#[derive(Serialize, Deserialize)]
struct GroupRecord {
    labels: GroupingKey,
    families: Vec<FamilyRecord>,
}

#[derive(Serialize, Deserialize)]
struct FamilyRecord {
    name: String,
    help: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unit: String,
    #[serde(rename = "type")]
    kind: String,
    time_ns: i64,
    metrics: Vec<MetricRecord>,
}

#[derive(Serialize, Deserialize)]
struct MetricRecord {
    labels: LabelPairs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sum: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<String>,
    /// Upper bounds with counts, or quantiles with values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<(String, String)>,
}

fn encode(groups: &[(GroupingKey, Group)]) -> io::Result<Vec<u8>> {
    let family = |stored: &Stored| FamilyRecord {
        name: stored.family.name.clone(),
        help: stored.family.help.clone(),
        unit: stored.family.unit.clone(),
        kind: stored.family.kind.as_str().to_owned(),
        time_ns: stored.time_ns,
        metrics: stored.family.metrics.iter().map(metric_record).collect(),
    };
    let group = |(labels, group): &(GroupingKey, Group)| GroupRecord {
        labels: labels.clone(),
        families: group.families.values().map(family).collect(),
    };
    let document = Document { version: VERSION, groups: groups.iter().map(group).collect() };
    serde_json::to_vec(&document).map_err(io::Error::other)
}

fn metric_record(metric: &Metric<LabelPairs>) -> MetricRecord {
    let text = |v: f64| Some(float::format_g(v));
    let labels = metric.labels.clone();
    let pair = |a: f64, b: f64| (float::format_g(a), float::format_g(b));
    match &metric.value {
        MetricValue::Number(v) => {
            MetricRecord { labels, value: text(*v), sum: None, count: None, parts: Vec::new() }
        }
        MetricValue::Histogram { buckets, sum, count } => {
            let parts = buckets.iter().map(|b| pair(b.upper_bound, b.cumulative_count)).collect();
            MetricRecord { labels, value: None, sum: text(*sum), count: text(*count), parts }
        }
        MetricValue::Summary { quantiles, sum, count } => {
            let parts = quantiles.iter().map(|q| pair(q.quantile, q.value)).collect();
            MetricRecord { labels, value: None, sum: text(*sum), count: text(*count), parts }
        }
    }
}

fn decode(bytes: &[u8]) -> Result<Vec<(GroupingKey, Group)>, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if document.version != VERSION {
        return Err(format!("version {} of the file is not known here", document.version));
    }
    let mut groups = Vec::with_capacity(document.groups.len());
    for record in document.groups {
        let mut group = Group::default();
        for family in record.families {
            let (name, stored) = (family.name.clone(), decode_family(family)?);
            group.families.insert(name, stored);
        }
        groups.push((record.labels, group));
    }
    Ok(groups)
}

fn decode_family(record: FamilyRecord) -> Result<Stored, String> {
    let kind = match record.kind.as_str() {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        "gaugehistogram" => MetricType::GaugeHistogram,
        "summary" => MetricType::Summary,
        "unknown" => MetricType::Unknown,
        other => return Err(format!("unknown type {other:?}")),
    };
    let mut metrics = Vec::with_capacity(record.metrics.len());
    for metric in record.metrics {
        let (labels, value) = (metric.labels.clone(), decode_value(kind, metric)?);
        metrics.push(Metric { labels, value, timestamp: None });
    }
    let family = Family { name: record.name, help: record.help, unit: record.unit, kind, metrics };
    Ok(Stored { family: Arc::new(family), time_ns: record.time_ns })
}

fn decode_value(kind: MetricType, record: MetricRecord) -> Result<MetricValue, String> {
    let number = |text: &str| text.parse::<f64>().map_err(|_| format!("{text:?} is not a number"));
    let field = |text: Option<String>| number(text.as_deref().ok_or("a value is missing")?);
    Ok(match kind {
        MetricType::Histogram | MetricType::GaugeHistogram => {
            let mut buckets = Vec::with_capacity(record.parts.len());
            for (bound, count) in &record.parts {
                let (upper_bound, cumulative_count) = (number(bound)?, number(count)?);
                buckets.push(Bucket { upper_bound, cumulative_count, exemplar: None });
            }
            MetricValue::Histogram { buckets, sum: field(record.sum)?, count: field(record.count)? }
        }
        MetricType::Summary => {
            let mut quantiles = Vec::with_capacity(record.parts.len());
            for (quantile, value) in &record.parts {
                quantiles.push(Quantile { quantile: number(quantile)?, value: number(value)? });
            }
            MetricValue::Summary { quantiles, sum: field(record.sum)?, count: field(record.count)? }
        }
        _ => MetricValue::Number(field(record.value)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_survive_and_damage_is_moved_aside() {
        let dir = tempfile::tempdir().unwrap();
        let persistence = Persistence::new(dir.path().join("push.json"), 0);
        assert_eq!(persistence.load(), Ok(Vec::new()));
        let text = "# TYPE a gauge\na{b=\"c\"} +Inf\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 3\nh_count 4\n\
                    # TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 3\ns_count 4\n";
        let mut group = Group::default();
        for family in expfmt::read_families(text.as_bytes()).unwrap() {
            let name = family.name.clone();
            group.families.insert(name, Stored { family: Arc::new(family), time_ns: 7 });
        }
        let groups = vec![(vec![("job".to_owned(), "j".to_owned())], group)];
        persistence.save(&groups).unwrap();
        assert_eq!(persistence.load(), Ok(groups));
        fs::write(&persistence.file, "{").unwrap();
        assert_eq!(persistence.load(), Ok(Vec::new()));
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(
            names.len() == 1 && names[0].to_string_lossy().starts_with("push.json.unreadable."),
            "{names:?}"
        );
    }
}
