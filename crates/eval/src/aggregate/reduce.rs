//! Aggregations that keep a small state per group and step.

use super::cell::{Cell, Outcome, Remark};
use super::group::{Grouping, Groups};
use crate::{Column, Context, EvalError, Place, Series, SeriesStream};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduce {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
}

impl Reduce {
    fn name(self) -> &'static str {
        match self {
            Reduce::Sum => "sum",
            Reduce::Avg => "avg",
            Reduce::Count => "count",
            Reduce::Min => "min",
            Reduce::Max => "max",
            Reduce::Group => "group",
            Reduce::Stddev => "stddev",
            Reduce::Stdvar => "stdvar",
        }
    }
}

/// Aggregates the stream over `steps` steps. Holds the groups, never the input.
/// `place` is the aggregated expression, for remarks.
pub fn reduce(
    cx: &Context,
    steps: usize,
    op: Reduce,
    grouping: &Grouping,
    input: &mut dyn SeriesStream,
    place: Place,
) -> Result<Vec<Series>, EvalError> {
    let mut groups: Groups<Vec<Cell>> = Groups::new();
    while let Some(series) = input.next()? {
        cx.check()?;
        if series.column.all_absent() {
            continue;
        }
        let labels = grouping.group_of(&series.labels);
        let cells = groups.entry(labels, series.drop_name, Vec::new);
        if cells.is_empty() {
            cx.hold(steps)?;
            cells.resize(steps, Cell::default());
        }
        for (step, cell) in cells.iter_mut().enumerate() {
            if let Some(v) = series.column.float(step) {
                cell.add_float(op, v);
            } else if let Some(h) = series.column.histogram(step) {
                cell.add_histogram(op, h, |remark| tell(cx, op, remark, place, &series));
            }
        }
    }
    let finished = groups.all.into_iter().map(|(labels, drop_name, cells)| {
        let mut column = Column::absent(steps);
        for (step, cell) in cells.into_iter().enumerate() {
            match cell.finish(op) {
                Outcome::Nothing => {}
                Outcome::Value(value) => column.set(step, value),
                Outcome::MixOfFloatsAndHistograms => cx.warn(
                    place,
                    "PromQL warning: encountered a mix of histograms and floats for aggregation",
                ),
            }
        }
        Series { labels, drop_name, column }
    });
    Ok(finished.collect())
}

fn tell(cx: &Context, op: Reduce, remark: Remark, place: Place, series: &Series) {
    match remark {
        Remark::HistogramIgnored => {
            cx.info(place, format!("PromQL info: ignored histogram in {} aggregation", op.name()));
        }
        Remark::Incompatible => cx.warn(
            place,
            format!(
                "PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name {:?}",
                series.labels.metric_name()
            ),
        ),
        Remark::BoundsReconciled => {
            cx.info(place, "PromQL info: mismatched custom buckets were reconciled during aggregation");
        }
        Remark::ResetCollision => {
            cx.warn(place, "PromQL warning: conflicting counter resets during histogram aggregation");
        }
    }
}
