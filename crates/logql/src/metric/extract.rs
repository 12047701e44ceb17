//! From an entry that passed the pipeline to a number and the series it belongs to.

use logql_syntax::ast::{Conversion, Grouping, RangeAggregation, RangeOp, Unit};
use model::Labels;

use crate::error::{ErrorKind, QueryError};
use crate::pipeline::labels::{ERROR, ERROR_DETAILS};
use crate::pipeline::{LabelState, LabelTest, read_number};

/// Which number an entry stands for.
pub(super) enum Extractor {
    /// 1 for each entry.
    One,
    /// The bytes of its line.
    Bytes,
    Unwrap {
        label: String,
        conversion: Conversion,
        filters: Vec<LabelTest>,
    },
}

impl Extractor {
    pub fn compile(range: &RangeAggregation) -> Result<Extractor, QueryError> {
        Ok(match (&range.unwrap, range.op) {
            (Some(unwrap), _) => Extractor::Unwrap {
                label: unwrap.label.clone(),
                conversion: unwrap.conversion,
                filters: unwrap.filters.iter().map(LabelTest::compile).collect::<Result<_, _>>()?,
            },
            (None, RangeOp::Bytes | RangeOp::BytesRate) => Extractor::Bytes,
            (None, _) => Extractor::One,
        })
    }

    pub fn unwrapped_label(&self) -> Option<&str> {
        match self {
            Extractor::Unwrap { label, .. } => Some(label),
            _ => None,
        }
    }

    /// Adds the names of the labels it reads.
    pub fn add_labels_read(&self, names: &mut Vec<String>) {
        if let Extractor::Unwrap { label, filters, .. } = self {
            names.push(label.clone());
            filters.iter().for_each(|filter| filter.add_labels_read(names));
        }
    }

    /// The entry's number; `None` when it has none or a filter after `unwrap` drops it.
    pub fn number(&self, line: &str, state: &mut LabelState) -> Option<f64> {
        let Extractor::Unwrap { label, conversion, filters } = self else {
            return Some(if matches!(self, Extractor::One) { 1.0 } else { line.len() as f64 });
        };
        let text = state.get(label)?;
        let outcome = match conversion {
            Conversion::Number => read_number(text, Unit::Number),
            Conversion::Bytes => read_number(text, Unit::Bytes),
            Conversion::Duration | Conversion::DurationSeconds => {
                read_number(text, Unit::Duration).map(|ns| ns / 1e9)
            }
        };
        let value = outcome.unwrap_or_else(|details| {
            state.set_error("SampleExtractionErr", &details);
            0.0
        });
        filters.iter().all(|filter| filter.accepts(state)).then_some(value)
    }
}

/// Which labels of an entry name its series.
pub(super) enum SeriesLabels {
    /// All but these, which is also what no grouping means.
    Without(Vec<String>),
    /// These only, sorted.
    By(Vec<String>),
}

impl SeriesLabels {
    /// `dropped` is the unwrapped label where it no longer names a series: it is a number now.
    pub fn new(grouping: Option<&Grouping>, dropped: Option<&str>) -> SeriesLabels {
        let mut labels: Vec<String> = grouping.map(|g| g.labels.clone()).unwrap_or_default();
        match grouping {
            Some(g) if !g.without => {
                labels.retain(|label| Some(label.as_str()) != dropped);
                labels.sort_unstable();
                labels.dedup();
                SeriesLabels::By(labels)
            }
            _ => {
                labels.extend(dropped.map(str::to_owned));
                SeriesLabels::Without(labels)
            }
        }
    }

    /// The labels that decide about the series, when that is known.
    pub fn needed(&self) -> Option<&[String]> {
        match self {
            SeriesLabels::By(labels) => Some(labels),
            SeriesLabels::Without(_) => None,
        }
    }

    /// Whether a stream's entries all belong to the series of the stream's own labels as long as their
    /// labels are untouched.
    pub fn keeps_streams(&self) -> bool {
        matches!(self, SeriesLabels::Without(labels) if labels.is_empty())
    }

    /// Writes what identifies the series into `key`: names and values, each followed by a byte that UTF-8
    /// does not have.
    pub fn write_key(&self, state: &LabelState, key: &mut Vec<u8>) {
        key.clear();
        let mut put = |name: &str, value: &str| {
            for text in [name, value] {
                key.extend_from_slice(text.as_bytes());
                key.push(0xff);
            }
        };
        match self {
            SeriesLabels::By(labels) => {
                for name in labels {
                    match state.get(name) {
                        Some(value) if !value.is_empty() => put(name, value),
                        _ => {}
                    }
                }
            }
            SeriesLabels::Without(labels) => {
                for (name, value, _) in state.pairs() {
                    if !labels.iter().any(|l| l == name) {
                        put(name, value);
                    }
                }
            }
        }
    }

    /// The series' labels.
    pub fn labels(&self, state: &LabelState) -> Labels {
        match self {
            SeriesLabels::By(labels) => Labels::from_sorted(
                labels.iter().filter_map(|name| state.get(name).map(|value| (name.as_str(), value))),
            ),
            SeriesLabels::Without(labels) => {
                state.collect(|name, _| !labels.iter().any(|l| l == name) && name != ERROR)
            }
        }
    }
}

/// An entry that a pipeline could not read must not silently count in a metric query.
pub(super) fn refuse_errors(state: &LabelState) -> Result<(), QueryError> {
    let Some(kind) = state.get(ERROR) else { return Ok(()) };
    let series = state.collect(|_, _| true).filter(|name| name != ERROR_DETAILS || state.has_error());
    Err(QueryError::new(
        ErrorKind::Pipeline,
        format!(
            "pipeline error: '{kind}' for series: '{series}'.\n\
             Use a label filter to intentionally skip this error. (e.g | __error__!=\"{kind}\").\n\
             To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
             The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n"
        ),
    ))
}
