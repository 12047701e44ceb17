//! The walk over a metric expression.

use logql_syntax::MetricExpr;
use logql_syntax::ast::{Grouping, RangeOp, VectorOp};
use model::Labels;
use storage::LogQuerier;

use super::range::Source;
use super::series::{Series, Steps};
use super::{aggregate, binary, functions, range};
use crate::engine::{Limits, QueryContext};
use crate::error::QueryError;
use crate::stats::Stats;

/// The value of a subexpression at all steps.
pub(crate) enum Evaluated {
    Scalar(f64),
    Series(Vec<Series>),
}

pub(crate) struct Evaluator<'a> {
    source: Source<'a>,
    pub stats: Stats,
}

impl<'a> Evaluator<'a> {
    pub fn new(
        querier: &'a dyn LogQuerier,
        steps: Steps,
        context: &'a QueryContext,
        limits: &'a Limits,
    ) -> Evaluator<'a> {
        Evaluator { source: Source { querier, steps, context, limits }, stats: Stats::default() }
    }

    pub fn evaluate(&mut self, expr: &MetricExpr) -> Result<Evaluated, QueryError> {
        self.source.context.check()?;
        Ok(match expr {
            MetricExpr::Literal(value) => Evaluated::Scalar(*value),
            MetricExpr::VectorLiteral(value) => {
                let values = vec![*value; self.source.steps.count];
                Evaluated::Series(vec![Series { labels: Labels::empty(), values }])
            }
            MetricExpr::Range(range) => {
                Evaluated::Series(range::evaluate(&self.source, range, None, &mut self.stats)?)
            }
            MetricExpr::Vector(vector) => {
                if vector.op == VectorOp::Sum
                    && let MetricExpr::Range(range) = vector.inner.as_ref()
                    && is_additive(range.op)
                {
                    let all = Grouping::default();
                    let grouping = vector.grouping.as_ref().unwrap_or(&all);
                    let series = range::evaluate(&self.source, range, Some(grouping), &mut self.stats)?;
                    return Ok(Evaluated::Series(series));
                }
                let inner = self.series(&vector.inner)?;
                Evaluated::Series(aggregate::aggregate(vector, inner, self.source.steps.count))
            }
            MetricExpr::Binary(operation) => {
                let left = self.evaluate(&operation.left)?;
                let right = self.evaluate(&operation.right)?;
                binary::evaluate(operation, left, right)?
            }
            MetricExpr::LabelReplace(replace) => {
                let inner = self.series(&replace.inner)?;
                Evaluated::Series(functions::label_replace(replace, inner)?)
            }
        })
    }

    /// Whether the order of an instant result means something.
    pub fn keeps_order(&self, expr: &MetricExpr) -> bool {
        match expr {
            MetricExpr::Vector(v) => matches!(v.op, VectorOp::Sort | VectorOp::SortDesc),
            _ => false,
        }
    }

    /// The value of `expr` as series; a number is a series without labels.
    fn series(&mut self, expr: &MetricExpr) -> Result<Vec<Series>, QueryError> {
        Ok(match self.evaluate(expr)? {
            Evaluated::Series(series) => series,
            Evaluated::Scalar(v) => {
                vec![Series { labels: Labels::empty(), values: vec![v; self.source.steps.count] }]
            }
        })
    }
}

/// Functions whose sum over series is the function over the union of their entries.
fn is_additive(op: RangeOp) -> bool {
    matches!(op, RangeOp::Count | RangeOp::Rate | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum)
}
