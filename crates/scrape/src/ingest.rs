//! One exposition into the store.

use std::borrow::Cow;

use expfmt::{Dialect, Event, Parser};
use model::{Exemplar, Labels, LabelsBuilder, TimestampMs, Value, stale_nan};
use relabel::RelabelConfig;
use storage::metrics::{Appender, SeriesRef};
use storage::{ErrorKind, StoreError};

use crate::cache::SeriesCache;
use crate::config::{NameValidation, ScrapeConfig};
use crate::metadata::MetadataCache;
use crate::metrics::ScrapeMetrics;

/// How a job's samples are treated.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    honor_labels: bool,
    honor_timestamps: bool,
    track_timestamps_staleness: bool,
    sample_limit: u64,
    label_limit: u64,
    label_name_length_limit: u64,
    label_value_length_limit: u64,
    legacy_names: bool,
    metric_relabel_configs: Vec<RelabelConfig>,
}

impl Rules {
    pub(crate) fn new(config: &ScrapeConfig) -> Rules {
        Rules {
            honor_labels: config.honor_labels,
            honor_timestamps: config.honor_timestamps,
            track_timestamps_staleness: config.track_timestamps_staleness,
            sample_limit: config.sample_limit,
            label_limit: config.label_limit,
            label_name_length_limit: config.label_name_length_limit,
            label_value_length_limit: config.label_value_length_limit,
            legacy_names: config.metric_name_validation_scheme == Some(NameValidation::Legacy),
            metric_relabel_configs: config.metric_relabel_configs.clone(),
        }
    }
}

/// What an exposition held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) scraped: u64,
    pub(crate) post_relabel: u64,
    pub(crate) series_added: u64,
}

pub(crate) struct Ingest<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) target: &'a Labels,
    pub(crate) cache: &'a mut SeriesCache,
    pub(crate) metadata: &'a mut MetadataCache,
    pub(crate) metrics: &'a ScrapeMetrics,
    pub(crate) t: TimestampMs,
    counts: Counts,
    rejected: Rejected,
    over_limit: bool,
}

/// Samples the store would not take, each kind logged once per scrape.
#[derive(Default)]
struct Rejected {
    out_of_order: u64,
    duplicate: u64,
    out_of_bounds: u64,
}

impl<'a> Ingest<'a> {
    pub(crate) fn new(
        rules: &'a Rules,
        target: &'a Labels,
        cache: &'a mut SeriesCache,
        metadata: &'a mut MetadataCache,
        metrics: &'a ScrapeMetrics,
        t: TimestampMs,
    ) -> Ingest<'a> {
        let (counts, rejected) = (Counts::default(), Rejected::default());
        Ingest { rules, target, cache, metadata, metrics, t, counts, rejected, over_limit: false }
    }

    /// Appends everything. After an error nothing of it may be committed.
    pub(crate) fn body(
        &mut self,
        appender: &mut dyn Appender,
        body: &[u8],
        dialect: Dialect,
    ) -> (Counts, Result<(), String>) {
        self.metadata.begin();
        let result = self.events(appender, body, dialect);
        self.metadata.end();
        self.log_rejected();
        (self.counts, result)
    }

    fn events(&mut self, appender: &mut dyn Appender, body: &[u8], dialect: Dialect) -> Result<(), String> {
        let mut parser = Parser::new(body, dialect);
        while let Some(event) = parser.next().map_err(|e| e.0)? {
            match event {
                Event::Type { name, kind } => self.metadata.set_kind(&name, kind),
                Event::Help { name, text } => self.metadata.set_help(&name, &text),
                Event::Unit { name, unit } => self.metadata.set_unit(&name, &unit),
                Event::Comment(_) => {}
                Event::Series(series) => self.sample(appender, &series)?,
            }
        }
        if self.over_limit {
            self.metrics.sample_limit.inc();
            return Err("sample limit exceeded".into());
        }
        Ok(())
    }

    fn sample(
        &mut self,
        appender: &mut dyn Appender,
        sample: &expfmt::parse::Series<'_>,
    ) -> Result<(), String> {
        self.counts.scraped += 1;
        let own_time = sample.timestamp.filter(|_| self.rules.honor_timestamps);
        let t = own_time.unwrap_or(self.t);
        let value = Value::Float(sample.value);
        let tracked = own_time.is_none() || self.rules.track_timestamps_staleness;

        let known = self.cache.see(sample.raw).map(|(entry, again)| (entry.series.clone(), again));
        if let Some((series, again)) = known {
            let Some((series, labels)) = series else { return Ok(()) };
            if self.is_over_limit() {
                return Ok(());
            }
            self.counts.post_relabel += 1;
            if again && own_time.is_none() {
                self.rejected.duplicate += 1;
                return Ok(());
            }
            let appended = appender.append(Some(series), &labels, t, value);
            if let Some(stored) = self.accepted(appended)? {
                // The store may have dropped an idle series and taken it up again under a new reference.
                if stored != series {
                    self.cache.insert(sample.raw, Some((stored, labels)));
                }
                self.exemplar(appender, stored, sample, t);
            }
            if tracked {
                self.cache.track(sample.raw);
            }
            return Ok(());
        }

        let pairs = sample.pairs().map_err(|e| e.0)?;
        let Some(labels) = self.labels(&pairs)? else {
            self.cache.insert(sample.raw, None);
            return Ok(());
        };
        if self.is_over_limit() {
            return Ok(());
        }
        self.counts.post_relabel += 1;
        let appended = appender.append(None, &labels, t, value);
        if let Some(series) = self.accepted(appended)? {
            self.cache.insert(sample.raw, Some((series, labels)));
            self.counts.series_added += 1;
            self.exemplar(appender, series, sample, t);
            if tracked {
                self.cache.track(sample.raw);
            }
        }
        Ok(())
    }

    fn is_over_limit(&mut self) -> bool {
        let limit = self.rules.sample_limit;
        self.over_limit |= limit != 0 && self.counts.post_relabel >= limit;
        self.over_limit
    }

    /// Sorts out which refusals concern one sample and which end the scrape.
    fn accepted(&mut self, appended: Result<SeriesRef, StoreError>) -> Result<Option<SeriesRef>, String> {
        let error = match appended {
            Ok(series) => return Ok(Some(series)),
            Err(e) => e,
        };
        match error.kind {
            ErrorKind::OutOfOrder => self.rejected.out_of_order += 1,
            ErrorKind::DuplicateTimestamp => self.rejected.duplicate += 1,
            ErrorKind::OutOfBounds => self.rejected.out_of_bounds += 1,
            _ => return Err(error.message),
        }
        Ok(None)
    }

    fn exemplar(
        &mut self,
        appender: &mut dyn Appender,
        series: SeriesRef,
        sample: &expfmt::parse::Series<'_>,
        t: TimestampMs,
    ) {
        let Some(raw) = &sample.exemplar else { return };
        let exemplar = raw.decode();
        let exemplar = Exemplar { timestamp: Some(exemplar.timestamp.unwrap_or(t)), ..exemplar };
        match appender.append_exemplar(series, exemplar) {
            // The same exemplar is exposed until a new one replaces it.
            Err(e) if e.kind == ErrorKind::DuplicateTimestamp => {}
            Err(e) if e.kind == ErrorKind::OutOfOrder => self.metrics.exemplar_out_of_order.inc(),
            Err(e) => tracing::debug!("exemplar refused: {e}"),
            Ok(()) => {}
        }
    }

    /// The labels a series is stored under; `None` when metric relabelling drops it.
    fn labels(&self, exposed: &[(Cow<'_, str>, Cow<'_, str>)]) -> Result<Option<Labels>, String> {
        let mut builder = LabelsBuilder::default();
        for (name, value) in exposed {
            builder.set(name.as_ref(), value.as_ref());
        }
        if self.rules.honor_labels {
            for (name, value) in self.target {
                // An exposed empty value is a wish too: `instance=""` keeps the target's instance away.
                if !exposed.iter().any(|(n, _)| n == name) {
                    builder.set(name, value);
                }
            }
        } else {
            self.add_target_labels(&mut builder);
        }
        let Some(builder) = relabel::process(builder, &self.rules.metric_relabel_configs) else {
            return Ok(None);
        };
        let labels = builder.build();
        if labels.is_empty() {
            return Ok(None);
        }
        self.check(&labels)?;
        Ok(Some(labels))
    }

    /// The target's labels win; what they displace moves to `exported_…`.
    fn add_target_labels(&self, builder: &mut LabelsBuilder) {
        let mut displaced = Vec::new();
        for (name, value) in self.target {
            let exposed = builder.get(name);
            if !exposed.is_empty() {
                displaced.push((name, exposed.to_owned()));
            }
            builder.set(name, value);
        }
        displaced.sort_by_key(|(name, _)| name.len());
        for (name, value) in displaced {
            let mut moved = format!("exported_{name}");
            while !builder.get(&moved).is_empty() {
                moved.insert_str(0, "exported_");
            }
            builder.set(moved, value);
        }
    }

    fn check(&self, labels: &Labels) -> Result<(), String> {
        let metric = labels.metric_name();
        if metric.is_empty() {
            return Err("missing metric name (__name__ label)".into());
        }
        if self.rules.legacy_names {
            let classic = model::labels::is_classic_metric_name(metric)
                && labels.iter().all(|(name, _)| model::labels::is_classic_label_name(name));
            if !classic {
                return Err(format!("invalid metric name or label names: {labels}"));
            }
        }
        let rules = self.rules;
        let count = labels.len() as u64;
        if rules.label_limit != 0 && count > rules.label_limit {
            return Err(format!(
                "label_limit exceeded (metric: {metric:.50}, number of labels: {count}, limit: {})",
                rules.label_limit
            ));
        }
        if rules.label_name_length_limit == 0 && rules.label_value_length_limit == 0 {
            return Ok(());
        }
        for (name, value) in labels {
            let length = name.len() as u64;
            if rules.label_name_length_limit != 0 && length > rules.label_name_length_limit {
                return Err(format!(
                    "label_name_length_limit exceeded (metric: {metric:.50}, label name: {name:.50}, \
                     length: {length}, limit: {})",
                    rules.label_name_length_limit
                ));
            }
            let length = value.len() as u64;
            if rules.label_value_length_limit != 0 && length > rules.label_value_length_limit {
                let shown: String = value.chars().take(50).collect();
                return Err(format!(
                    "label_value_length_limit exceeded (metric: {metric:.50}, label name: {name:.50}, \
                     value: {shown:?}, length: {length}, limit: {})",
                    rules.label_value_length_limit
                ));
            }
        }
        Ok(())
    }

    fn log_rejected(&self) {
        let Rejected { out_of_order, duplicate, out_of_bounds } = self.rejected;
        self.metrics.out_of_order.add(out_of_order);
        self.metrics.duplicate.add(duplicate);
        self.metrics.out_of_bounds.add(out_of_bounds);
        for (count, what) in [
            (out_of_order, "out-of-order samples"),
            (duplicate, "samples with different value but same timestamp"),
            (out_of_bounds, "samples that are too old or are too far into the future"),
        ] {
            if count > 0 {
                tracing::warn!(target = %self.target, num_dropped = count, "Error on ingesting {what}");
            }
        }
    }
}

/// Ends series: appends the staleness marker to each.
pub(crate) fn append_stale(appender: &mut dyn Appender, series: &[(SeriesRef, Labels)], t: TimestampMs) {
    for (series, labels) in series {
        if let Err(e) = appender.append(Some(*series), labels, t, Value::Float(stale_nan())) {
            // A target that went and came back has newer samples: nothing to end.
            tracing::debug!("staleness marker refused: {e}");
        }
    }
}
