//! From a decoded push request to batches for the store: every limit, every rule, every refusal.
//!
//! What is good in a request is stored even when the rest is refused; the reply then still is an error and
//! says what was wrong, each text once.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use model::{Labels, LabelsBuilder, LogEntry, MatchOp, TimestampNs};
use storage::logs::StreamBatch;
use wire::loki::{PushLabels, PushStream};

use crate::config::LimitsConfig;
use crate::error::ApiError;
use crate::levels;
use crate::metrics::Metrics;

const SERVICE_NAME: &str = "service_name";
const UNKNOWN_SERVICE: &str = "unknown_service";

/// A request after all checks.
#[derive(Debug, Default)]
pub struct Ingest {
    pub batches: Vec<StreamBatch>,
    pub lines: u64,
    /// Of lines and structured metadata.
    pub bytes: u64,
    pub metadata_bytes: u64,
    /// Refusals with their counts, in order of appearance.
    errors: Vec<(String, usize)>,
}

impl Ingest {
    /// Checks a request as it arrived at `now`.
    pub fn check(
        streams: Vec<PushStream>,
        limits: &LimitsConfig,
        now: TimestampNs,
        metrics: &Metrics,
    ) -> Result<Ingest, ApiError> {
        if streams.is_empty() {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "error at least one valid stream is required for ingestion",
            ));
        }
        let mut ingest = Ingest::default();
        let mut merged: BTreeMap<Labels, Vec<LogEntry>> = BTreeMap::new();
        for stream in streams {
            let size =
                (stream.entries.len() as u64, stream.entries.iter().map(entry_bytes).sum::<usize>() as u64);
            match stream_labels(stream.labels, limits) {
                Ok(labels) => ingest.entries(&labels, stream.entries, limits, now, metrics, &mut merged),
                Err((reason, message)) => {
                    metrics.discard(reason, size.0, size.1);
                    ingest.refuse(message);
                }
            }
        }
        ingest.batches = merged
            .into_iter()
            .filter(|(_, entries)| !entries.is_empty())
            .map(|(labels, entries)| StreamBatch { labels, entries })
            .collect();
        Ok(ingest)
    }

    /// The reply to what was refused; `None` when everything was fine.
    pub fn refusal(&self) -> Option<ApiError> {
        let show = |(message, count): &(String, usize)| match count {
            1 => message.clone(),
            n => format!("{n} errors like: {message}"),
        };
        let text = self.errors.iter().map(show).collect::<Vec<_>>().join("; ");
        (!text.is_empty()).then(|| ApiError::bad(text))
    }

    fn refuse(&mut self, message: String) {
        match self.errors.iter_mut().find(|(m, _)| *m == message) {
            Some((_, count)) => *count += 1,
            None => self.errors.push((message, 1)),
        }
    }

    fn entries(
        &mut self,
        labels: &Labels,
        entries: Vec<LogEntry>,
        limits: &LimitsConfig,
        now: TimestampNs,
        metrics: &Metrics,
        merged: &mut BTreeMap<Labels, Vec<LogEntry>>,
    ) {
        let kept = merged.entry(labels.clone()).or_default();
        kept.reserve(entries.len());
        let mut last = TimestampNs::MIN;
        for mut entry in entries {
            if let Err((reason, message)) = check_entry(labels, &mut entry, limits, now) {
                metrics.discard(reason, 1, entry_bytes(&entry) as u64);
                self.refuse(message);
                continue;
            }
            if limits.increment_duplicate_timestamp && entry.ts <= last {
                entry.ts = last.saturating_add(1);
            }
            last = entry.ts;
            let metadata = metadata_bytes(&entry.structured_metadata);
            self.lines += 1;
            self.metadata_bytes += metadata as u64;
            self.bytes += (metadata + entry.line.len()) as u64;
            if limits.discover_log_levels && !entry.structured_metadata.has(levels::DETECTED_LEVEL) {
                let fields = &limits.log_level_fields;
                let level = levels::detect(fields, labels, &entry.structured_metadata, &entry.line);
                entry.structured_metadata = with(&entry.structured_metadata, levels::DETECTED_LEVEL, level);
            }
            kept.push(entry);
        }
    }
}

/// The reason label of the metrics, and the text of the reply.
type Refusal = (&'static str, String);

fn stream_labels(labels: PushLabels, limits: &LimitsConfig) -> Result<Labels, Refusal> {
    let pairs = match labels {
        PushLabels::Pairs(pairs) => {
            let bad = pairs.iter().find(|(name, _)| !model::labels::is_classic_label_name(name));
            if let Some((name, _)) = bad {
                let shown = Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
                let e = format!("invalid label name {name:?}");
                return Err(("invalid_labels", format!("error parsing labels '{shown}' with error: {e}")));
            }
            pairs
        }
        PushLabels::Text(text) => {
            let refuse =
                |e: String| ("invalid_labels", format!("error parsing labels '{text}' with error: {e}"));
            let matchers = logql_syntax::parse_selector(&text).map_err(|e| refuse(e.to_string()))?;
            if let Some(matcher) = matchers.iter().find(|m| m.op != MatchOp::Equal) {
                return Err(refuse(format!("label {:?} is not given by =", matcher.name)));
            }
            matchers.into_iter().map(|m| (m.name, m.value)).collect()
        }
    };
    if pairs.iter().all(|(_, value)| value.is_empty()) {
        return Err(("missing_labels", "error at least one label pair is required per stream".into()));
    }
    let shown = || Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))).to_string();
    // The label that we add does not count.
    let count = pairs.iter().filter(|(name, _)| name != SERVICE_NAME).count();
    if count > limits.max_label_names_per_series {
        let limit = limits.max_label_names_per_series;
        let message = format!("entry for stream '{}' has {count} label names; limit {limit}", shown());
        return Err(("max_label_names_per_series", message));
    }
    for (i, (name, value)) in pairs.iter().enumerate() {
        if name.len() > limits.max_label_name_length {
            let message = format!("stream '{}' has label name too long: '{name}'", shown());
            return Err(("label_name_too_long", message));
        }
        if value.len() > limits.max_label_value_length {
            let message = format!("stream '{}' has label value too long: '{value}'", shown());
            return Err(("label_value_too_long", message));
        }
        if pairs[..i].iter().any(|(earlier, _)| earlier == name) {
            let message = format!("stream '{}' has duplicate label name: '{name}'", shown());
            return Err(("duplicate_label_names", message));
        }
    }
    let labels = Labels::from_pairs(pairs);
    if limits.discover_service_name.is_empty() || labels.has(SERVICE_NAME) {
        return Ok(labels);
    }
    let names = limits.discover_service_name.iter();
    let found = names.map(|name| labels.get(name)).find(|value| !value.is_empty()).unwrap_or(UNKNOWN_SERVICE);
    Ok(with(&labels, SERVICE_NAME, found))
}

fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    let mut builder: LabelsBuilder = labels.to_builder();
    builder.set(name, value);
    builder.build()
}

fn check_entry(
    labels: &Labels,
    entry: &mut LogEntry,
    limits: &LimitsConfig,
    now: TimestampNs,
) -> Result<(), Refusal> {
    let oldest = now.saturating_sub(limits.reject_old_samples_max_age.as_ns());
    if limits.reject_old_samples && entry.ts < oldest {
        let (ts, oldest) = (rfc3339(entry.ts), rfc3339(oldest));
        let message = format!(
            "entry for stream '{labels}' has timestamp too old: {ts}, oldest acceptable timestamp is: {oldest}"
        );
        return Err(("greater_than_max_sample_age", message));
    }
    if entry.ts > now.saturating_add(limits.creation_grace_period.as_ns()) {
        let message = format!("entry for stream '{labels}' has timestamp too new: {}", rfc3339(entry.ts));
        return Err(("too_far_in_future", message));
    }
    let line_max = usize::try_from(limits.max_line_size.bytes()).unwrap_or(usize::MAX);
    if line_max > 0 && entry.line.len() > line_max {
        if !limits.max_line_size_truncate {
            let length = entry.line.len();
            let message = format!(
                "max entry size '{line_max}' bytes exceeded for stream '{labels}' while adding an entry with \
                 length '{length}' bytes"
            );
            return Err(("line_too_long", message));
        }
        let mut end = line_max;
        while !entry.line.is_char_boundary(end) {
            end -= 1;
        }
        entry.line.truncate(end);
    }
    check_metadata(labels, &entry.structured_metadata, limits)?;
    if entry.structured_metadata.iter().any(|(name, _)| !model::labels::is_classic_label_name(name)) {
        let clean = entry.structured_metadata.iter().map(|(n, v)| (metadata_name(n), v.to_owned()));
        entry.structured_metadata = Labels::from_pairs(clean.collect::<Vec<_>>());
    }
    Ok(())
}

fn check_metadata(labels: &Labels, metadata: &Labels, limits: &LimitsConfig) -> Result<(), Refusal> {
    if metadata.is_empty() {
        return Ok(());
    }
    let advice = |key: &str, verb: &str| {
        format!("Please see `limits_config.{key}` or contact your Loki administrator to {verb}.")
    };
    if !limits.allow_structured_metadata {
        let advice = advice("allow_structured_metadata", "enable it");
        let message = format!(
            "stream '{labels}' includes structured metadata, but this feature is disallowed. {advice}"
        );
        return Err(("disallowed_structured_metadata", message));
    }
    let (bytes, bytes_max) = (metadata_bytes(metadata) as u64, limits.max_structured_metadata_size.bytes());
    if bytes_max > 0 && bytes > bytes_max {
        let advice = advice("max_structured_metadata_size", "increase it");
        let message = format!(
            "stream '{labels}' has structured metadata too large: '{bytes}' bytes, limit: '{bytes_max}' bytes. \
             {advice}"
        );
        return Err(("structured_metadata_too_large", message));
    }
    let (count, count_max) = (metadata.len(), limits.max_structured_metadata_entries_count);
    if count_max > 0 && count > count_max {
        let advice = advice("max_structured_metadata_entries_count", "increase it");
        let message = format!(
            "stream '{labels}' has too many structured metadata labels: '{count}', limit: '{count_max}'. {advice}"
        );
        return Err(("structured_metadata_too_many", message));
    }
    Ok(())
}

/// A label name made of any text, as OpenTelemetry names are translated.
fn metadata_name(name: &str) -> String {
    let mut out: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert_str(0, "key_");
    }
    out
}

fn metadata_bytes(metadata: &Labels) -> usize {
    metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
}

fn entry_bytes(entry: &LogEntry) -> usize {
    entry.line.len() + metadata_bytes(&entry.structured_metadata)
}

/// Whole seconds in UTC, as Go's `time.RFC3339` prints.
fn rfc3339(ts: TimestampNs) -> String {
    jiff::Timestamp::from_second(ts.div_euclid(1_000_000_000))
        .map_or_else(|_| ts.to_string(), |t| t.to_string())
}
