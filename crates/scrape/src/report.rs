//! The series a scrape reports about itself: `up` and its companions.

use model::{Labels, TimestampMs, Value, stale_nan};
use storage::metrics::{Appender, SeriesRef};

/// What one scrape was like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Report {
    pub(crate) up: bool,
    pub(crate) duration_seconds: f64,
    pub(crate) scraped: u64,
    pub(crate) post_relabel: u64,
    pub(crate) series_added: u64,
    pub(crate) timeout_seconds: f64,
    pub(crate) sample_limit: u64,
    /// −1 when the body was larger than allowed.
    pub(crate) body_bytes: i64,
}

const NAMES: [&str; 8] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
];

/// How many report series a target has at most.
pub(crate) const SERIES_MAX: usize = NAMES.len();

/// How many of [`NAMES`] there are without `extra_scrape_metrics`.
const PLAIN: usize = 5;

/// The report series of one target.
pub(crate) struct ReportSeries {
    series: Vec<(Labels, Option<SeriesRef>)>,
}

impl ReportSeries {
    pub(crate) fn new(target: &Labels, extra: bool) -> ReportSeries {
        let names = &NAMES[..if extra { NAMES.len() } else { PLAIN }];
        let labels = |name: &&str| target.to_builder().set(model::METRIC_NAME, *name).build();
        ReportSeries { series: names.iter().map(|name| (labels(name), None)).collect() }
    }

    pub(crate) fn append(&mut self, appender: &mut dyn Appender, t: TimestampMs, report: &Report) {
        let values = [
            f64::from(u8::from(report.up)),
            report.duration_seconds,
            report.scraped as f64,
            report.post_relabel as f64,
            report.series_added as f64,
            report.timeout_seconds,
            report.sample_limit as f64,
            report.body_bytes as f64,
        ];
        self.append_values(appender, t, &values);
    }

    /// Ends the report series.
    pub(crate) fn append_stale(&mut self, appender: &mut dyn Appender, t: TimestampMs) {
        self.append_values(appender, t, &[stale_nan(); NAMES.len()]);
    }

    fn append_values(&mut self, appender: &mut dyn Appender, t: TimestampMs, values: &[f64]) {
        for ((labels, series), value) in self.series.iter_mut().zip(values) {
            // A target that came back has written newer values already: not an error.
            if let Ok(known) = appender.append(*series, labels, t, Value::Float(*value)) {
                *series = Some(known);
            }
        }
    }
}
