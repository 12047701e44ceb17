//! Series, streams of series, and sets that merge series of equal labels.

use std::collections::HashMap;

use model::{Labels, METRIC_NAME};

use crate::{Column, Context, EvalError};

#[derive(Debug, Clone)]
pub struct Series {
    pub labels: Labels,
    /// The metric name is no longer right and goes when the query is done (delayed name removal).
    pub drop_name: bool,
    pub column: Column,
}

/// Series, one at a time. Streams are exhausted after the first `None`.
pub trait SeriesStream {
    fn next(&mut self) -> Result<Option<Series>, EvalError>;
}

/// Series that exist already.
pub struct VecStream {
    series: std::vec::IntoIter<Series>,
}

impl VecStream {
    pub fn new(series: Vec<Series>) -> VecStream {
        VecStream { series: series.into_iter() }
    }
}

impl SeriesStream for VecStream {
    fn next(&mut self) -> Result<Option<Series>, EvalError> {
        Ok(self.series.next())
    }
}

/// Reads a stream to its end, dropping series without any value. Counts against the sample limit.
pub fn collect(cx: &Context, stream: &mut dyn SeriesStream) -> Result<Vec<Series>, EvalError> {
    let mut all = Vec::new();
    while let Some(series) = stream.next()? {
        cx.check()?;
        let weight = series.column.weight();
        if weight > 0 {
            // Absent steps take memory too, if not much.
            cx.hold(weight.max(series.column.len() / 8))?;
            all.push(series);
        }
    }
    Ok(all)
}

/// Labels that describe the metric rather than the series, and go with its name.
pub fn is_metadata_label(name: &str) -> bool {
    matches!(name, METRIC_NAME | "__type__" | "__unit__")
}

/// The labels once the metric's name no longer fits.
pub fn without_metadata(labels: &Labels) -> Labels {
    // They sort before nearly everything else.
    let first = labels.iter().map(|(name, _)| name).take_while(|name| *name <= "__unit__");
    let mut names = first.filter(|name| is_metadata_label(name));
    match (names.next(), names.next()) {
        (None, _) => labels.clone(),
        (Some(METRIC_NAME), None) => labels.without_name(),
        _ => labels.filter(|name| !is_metadata_label(name)),
    }
}

/// Drops the name of every series marked so and merges those that become equal.
pub fn drop_metadata_labels(series: Vec<Series>) -> Result<Vec<Series>, EvalError> {
    if !series.iter().any(|s| s.drop_name) {
        // Even without removal, equal label sets may not meet.
        return MergeSet::merge(series);
    }
    MergeSet::merge(series.into_iter().map(|mut s| {
        if s.drop_name {
            s.labels = without_metadata(&s.labels);
            s.drop_name = false;
        }
        s
    }))
}

/// Collects series under their labels, in order of first appearance. Series of equal labels become one
/// as long as they have values at different steps.
#[derive(Default)]
pub struct MergeSet {
    series: Vec<Series>,
    by_labels: HashMap<Labels, usize, foldhash::fast::RandomState>,
}

/// The error for two values of one label set at one step.
pub(crate) fn same_labelset() -> EvalError {
    EvalError::execution("vector cannot contain metrics with the same labelset")
}

impl MergeSet {
    pub fn merge(series: impl IntoIterator<Item = Series>) -> Result<Vec<Series>, EvalError> {
        let mut set = MergeSet::default();
        for s in series {
            set.add(s)?;
        }
        Ok(set.into_series())
    }

    pub fn add(&mut self, series: Series) -> Result<(), EvalError> {
        let Some(&at) = self.by_labels.get(&series.labels) else {
            self.by_labels.insert(series.labels.clone(), self.series.len());
            self.series.push(series);
            return Ok(());
        };
        let target = &mut self.series[at];
        target.drop_name |= series.drop_name;
        for (step, value) in series.column.iter() {
            if target.column.has(step) {
                return Err(same_labelset());
            }
            target.column.set(step, value);
        }
        Ok(())
    }

    pub fn contains(&self, labels: &Labels) -> bool {
        self.by_labels.contains_key(labels)
    }

    /// The column of `labels`, made on first use.
    pub fn entry(&mut self, labels: &Labels, steps: usize) -> &mut Series {
        let at = match self.by_labels.get(labels) {
            Some(&at) => at,
            None => {
                self.by_labels.insert(labels.clone(), self.series.len());
                let column = Column::absent(steps);
                self.series.push(Series { labels: labels.clone(), drop_name: false, column });
                self.series.len() - 1
            }
        };
        &mut self.series[at]
    }

    pub fn into_series(self) -> Vec<Series> {
        self.series
    }
}
