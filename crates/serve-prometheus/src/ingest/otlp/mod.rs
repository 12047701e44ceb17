//! OpenTelemetry's metrics as series.
//!
//! A resource becomes `job`, `instance`, promoted labels and a series `target_info`; explicit histograms
//! become classic series or custom buckets, exponential ones native histograms. A metric that cannot be
//! translated is left out and logged, the others are stored.

mod attributes;
mod deltas;
mod exponential;
mod histograms;
mod names;

use model::{Exemplar, Labels, MetricType, TimestampMs, Value, float, stale_nan};
use storage::metrics::SeriesRef;
use storage::{Appender, StoreError};
use wire::otlp::metrics::{
    self, Data, FLAG_NO_RECORDED_VALUE, HistogramPoint, Metric, NumberPoint, Point, ResourceMetrics,
    ScopeMetrics, SummaryPoint, Temporality,
};

use super::{Delta, Inner, WriteError, newest_accepted, too_far_ahead};
use crate::config::Otlp;
use attributes::{SeriesLabels, attribute_text, target_info};
pub use deltas::Deltas;
use names::{Kind, LabelNamer};

/// Metrics whose translation failed that are logged of one request.
const FAULTS_LOGGED_MAX: usize = 10;
/// OpenMetrics' limit on the labels of an exemplar, in characters.
const EXEMPLAR_CHARS_MAX: usize = 128;
/// Samples of `target_info` for one resource of one request: points further apart than this many half
/// lookbacks get none in between.
const TARGET_INFO_SAMPLES_MAX: u64 = 100;

impl Inner {
    /// Stores an export request. What it leaves out is logged, not told.
    pub fn write_otlp(
        &self,
        mut request: Vec<ResourceMetrics>,
        config: &Otlp,
    ) -> std::result::Result<(), WriteError> {
        if self.options.delta == Delta::AddedUp {
            self.deltas.add_up(&mut request);
        }
        let mut translation = Translation {
            config,
            namer: LabelNamer {
                escapes: config.translation_strategy.escapes(),
                underscore_sanitization: config.label_name_underscore_sanitization,
                keep_multiple_underscores: config.label_name_preserve_multiple_underscores,
            },
            keeps_delta: self.options.delta == Delta::Stored,
            type_and_unit_labels: self.options.type_and_unit_labels,
            appender: self.store.appender(),
            newest: newest_accepted(),
        };
        let mut faults = 0;
        let mut note = |fault: String| {
            faults += 1;
            if faults <= FAULTS_LOGGED_MAX {
                tracing::warn!("an OTLP metric was left out: {fault}");
            }
        };
        for resource in &request {
            translation.resource(resource, self.options.lookback_ms, &mut note)?;
        }
        translation.appender.commit().map_err(WriteError::failed)
    }
}

/// Why a point was not stored.
enum PointError {
    /// It has no translation; the others go on.
    Fault(String),
    /// The store said no; the request fails.
    Store(StoreError),
}

impl From<StoreError> for PointError {
    fn from(e: StoreError) -> PointError {
        PointError::Store(e)
    }
}

impl From<String> for PointError {
    fn from(fault: String) -> PointError {
        PointError::Fault(fault)
    }
}

type Result<T> = std::result::Result<T, PointError>;

struct Translation<'s> {
    config: &'s Otlp,
    namer: LabelNamer,
    keeps_delta: bool,
    type_and_unit_labels: bool,
    appender: Box<dyn Appender + 's>,
    newest: TimestampMs,
}

fn millis(nanos: u64) -> TimestampMs {
    (nanos / 1_000_000) as TimestampMs
}

impl Translation<'_> {
    fn resource(
        &mut self,
        resource: &ResourceMetrics,
        lookback_ms: i64,
        note: &mut impl FnMut(String),
    ) -> std::result::Result<(), StoreError> {
        let base = match SeriesLabels::of_resource(&resource.resource, self.config, self.namer) {
            Ok(base) => base,
            Err(fault) => {
                note(fault);
                return Ok(());
            }
        };
        let mut times = None;
        for scope in &resource.scopes {
            for metric in &scope.metrics {
                widen(&mut times, &metric.data);
                match self.metric(metric, scope, &base) {
                    Ok(()) => {}
                    Err(PointError::Fault(fault)) => note(fault),
                    Err(PointError::Store(e)) => return Err(e),
                }
            }
        }
        let Some((first, last)) = times else { return Ok(()) };
        match target_info(&resource.resource, self.config, self.namer) {
            Ok(Some(labels)) => self.append_target_info(&labels, first, last, lookback_ms),
            Ok(None) => Ok(()),
            Err(fault) => {
                note(fault);
                Ok(())
            }
        }
    }

    /// One sample every half lookback, so that queries find it at every time between the points.
    fn append_target_info(
        &mut self,
        labels: &Labels,
        first: u64,
        last: u64,
        lookback_ms: i64,
    ) -> std::result::Result<(), StoreError> {
        let interval = (lookback_ms / 2).max(1) as u64;
        let (first, last) = (millis(first) as u64, millis(last) as u64);
        let between = (last - first).div_ceil(interval);
        let mut series = None;
        if between <= TARGET_INFO_SAMPLES_MAX {
            for step in 0..between {
                series = Some(self.append(
                    series,
                    labels,
                    0,
                    (first + step * interval) as i64,
                    Value::Float(1.0),
                )?);
            }
        }
        self.append(series, labels, 0, last as i64, Value::Float(1.0)).map(|_| ())
    }

    fn metric(&mut self, metric: &Metric, scope: &ScopeMetrics, base: &SeriesLabels) -> Result<()> {
        let (kind, metric_type, temporality, points) = match &metric.data {
            Data::Gauge(points) => (Kind::Gauge, MetricType::Gauge, None, points.len()),
            Data::Sum { points, temporality, monotonic: true } => {
                (Kind::MonotonicSum, MetricType::Counter, Some(*temporality), points.len())
            }
            Data::Sum { points, temporality, monotonic: false } => {
                (Kind::Other, MetricType::Gauge, Some(*temporality), points.len())
            }
            Data::Histogram { points, temporality } => {
                (Kind::Other, MetricType::Histogram, Some(*temporality), points.len())
            }
            Data::Exponential { points, temporality } => {
                (Kind::Other, MetricType::Histogram, Some(*temporality), points.len())
            }
            Data::Summary(points) => (Kind::Other, MetricType::Summary, None, points.len()),
            Data::None => return Err("unsupported metric type".to_owned().into()),
        };
        let delta = temporality == Some(Temporality::Delta);
        let cumulative = matches!(temporality, None | Some(Temporality::Cumulative));
        let kept = delta && self.keeps_delta;
        if !cumulative && !kept {
            let fault = format!("invalid temporality and type combination for metric {:?}", metric.name);
            return Err(fault.into());
        }
        if points == 0 {
            return Err(format!("empty data points. {} is dropped", metric.name).into());
        }
        let name = names::metric(&metric.name, &metric.unit, kind, self.config.translation_strategy)?;
        let mut labels = base.with_scope(scope, self.config)?;
        if self.type_and_unit_labels {
            let shown = if delta { MetricType::Unknown } else { metric_type };
            labels.set_type_and_unit(shown, names::unit(&metric.unit));
        }
        match &metric.data {
            Data::Gauge(points) => points.iter().try_for_each(|p| self.number(p, &name, &labels, false)),
            Data::Sum { points, .. } => points.iter().try_for_each(|p| self.number(p, &name, &labels, true)),
            Data::Histogram { points, .. } if self.config.convert_histograms_to_nhcb => points
                .iter()
                .try_for_each(|p| self.native(&p.point, histograms::explicit(p, delta), &name, &labels)),
            Data::Histogram { points, .. } => points.iter().try_for_each(|p| self.classic(p, &name, &labels)),
            Data::Exponential { points, .. } => points.iter().try_for_each(|p| {
                let histogram = histograms::exponential(p, delta)?;
                self.native(&p.point, histogram, &name, &labels)
            }),
            Data::Summary(points) => points.iter().try_for_each(|p| self.summary(p, &name, &labels)),
            Data::None => Ok(()),
        }
    }

    fn number(
        &mut self,
        point: &NumberPoint,
        name: &str,
        labels: &SeriesLabels,
        exemplars: bool,
    ) -> Result<()> {
        let labels = labels.with_point(&point.point.attributes)?.named(name, None);
        let series = self.sample(&point.point, &labels, point.value)?;
        if exemplars {
            self.exemplars(&point.point.exemplars, |_| Some(series))?;
        }
        Ok(())
    }

    fn native(
        &mut self,
        point: &Point,
        histogram: model::FloatHistogram,
        name: &str,
        labels: &SeriesLabels,
    ) -> Result<()> {
        if !model::is_stale(histogram.sum) {
            expfmt::native::validate(&histogram)?;
        }
        let labels = labels.with_point(&point.attributes)?.named(name, None);
        let value = Value::Histogram(histogram.into());
        let series = self.append(None, &labels, millis(point.start), millis(point.time), value)?;
        self.exemplars(&point.exemplars, |_| Some(series))
    }

    /// `_sum`, `_count` and one `_bucket` for each bound.
    fn classic(&mut self, point: &HistogramPoint, name: &str, labels: &SeriesLabels) -> Result<()> {
        let labels = labels.with_point(&point.point.attributes)?;
        if let Some(sum) = point.sum {
            self.sample(&point.point, &labels.named(&format!("{name}_sum"), None), sum)?;
        }
        self.sample(&point.point, &labels.named(&format!("{name}_count"), None), point.count as f64)?;
        let (bucket, mut cumulative, mut series) = (format!("{name}_bucket"), 0u64, Vec::new());
        for (bound, count) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
            cumulative = cumulative.wrapping_add(*count);
            let labels = labels.named(&bucket, Some(("le", &float::format_f(*bound))));
            series.push((*bound, self.sample(&point.point, &labels, cumulative as f64)?));
        }
        let labels = labels.named(&bucket, Some(("le", "+Inf")));
        series.push((f64::INFINITY, self.sample(&point.point, &labels, point.count as f64)?));
        self.exemplars(&point.point.exemplars, |value| {
            series.iter().find(|(bound, _)| value <= *bound).map(|(_, series)| *series)
        })
    }

    fn summary(&mut self, point: &SummaryPoint, name: &str, labels: &SeriesLabels) -> Result<()> {
        let labels = labels.with_point(&point.point.attributes)?;
        self.sample(&point.point, &labels.named(&format!("{name}_sum"), None), point.sum)?;
        self.sample(&point.point, &labels.named(&format!("{name}_count"), None), point.count as f64)?;
        for (quantile, value) in &point.quantiles {
            let labels = labels.named(name, Some(("quantile", &float::format_f(*quantile))));
            self.sample(&point.point, &labels, *value)?;
        }
        Ok(())
    }

    fn sample(&mut self, point: &Point, labels: &Labels, value: f64) -> Result<SeriesRef> {
        let nothing = point.flags & FLAG_NO_RECORDED_VALUE != 0;
        let value = Value::Float(if nothing { stale_nan() } else { value });
        Ok(self.append(None, labels, millis(point.start), millis(point.time), value)?)
    }

    fn append(
        &mut self,
        series: Option<SeriesRef>,
        labels: &Labels,
        start: TimestampMs,
        t: TimestampMs,
        value: Value,
    ) -> std::result::Result<SeriesRef, StoreError> {
        if t > self.newest {
            return Err(too_far_ahead());
        }
        match start {
            0 => self.appender.append(series, labels, t, value),
            start => self.appender.append_with_start(series, labels, start, t, value),
        }
    }

    /// Adds exemplars to the series `series_of` their values.
    fn exemplars(
        &mut self,
        exemplars: &[metrics::Exemplar],
        series_of: impl Fn(f64) -> Option<SeriesRef>,
    ) -> Result<()> {
        for exemplar in exemplars {
            let Some(series) = series_of(exemplar.value) else { continue };
            let mut ids = Vec::new();
            if !exemplar.trace_id.is_zero() {
                ids.push(("trace_id".to_owned(), exemplar.trace_id.to_string()));
            }
            if !exemplar.span_id.is_zero() {
                ids.push(("span_id".to_owned(), exemplar.span_id.to_string()));
            }
            let filtered: Vec<(String, String)> =
                exemplar.attributes.iter().map(|(key, value)| (key.clone(), attribute_text(value))).collect();
            let chars = ids
                .iter()
                .chain(&filtered)
                .map(|(k, v)| k.chars().count() + v.chars().count())
                .sum::<usize>();
            if chars <= EXEMPLAR_CHARS_MAX {
                ids.extend(filtered);
            }
            let exemplar = Exemplar {
                labels: Labels::from_pairs(ids),
                value: exemplar.value,
                timestamp: Some(millis(exemplar.time)).filter(|t| *t > 0),
            };
            if let Err(e) = self.appender.append_exemplar(series, exemplar) {
                tracing::debug!("an exemplar was refused: {e}");
            }
        }
        Ok(())
    }
}

/// Widens a range of nanoseconds by the times of a metric's points.
fn widen(times: &mut Option<(u64, u64)>, data: &Data) {
    let mut add = |point: &Point| {
        let (first, last) = times.unwrap_or((point.time, point.time));
        *times = Some((first.min(point.time), last.max(point.time)));
    };
    match data {
        Data::Gauge(points) | Data::Sum { points, .. } => points.iter().for_each(|p| add(&p.point)),
        Data::Histogram { points, .. } => points.iter().for_each(|p| add(&p.point)),
        Data::Exponential { points, .. } => points.iter().for_each(|p| add(&p.point)),
        Data::Summary(points) => points.iter().for_each(|p| add(&p.point)),
        Data::None => {}
    }
}
