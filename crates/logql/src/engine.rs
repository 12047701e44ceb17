//! The entry point: one query in, one result out. Calls block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use logql_syntax::Expr;
use model::TimestampNs;
use storage::LogQuerier;
use storage::logs::Direction;

use crate::error::{ErrorKind, QueryError};
use crate::log_query;
use crate::metric::series::{Point, SeriesPoints, Steps};
use crate::metric::{Evaluated, Evaluator};
use crate::stats::Stats;

/// What a query may cost. Defaults are Loki's.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Series of a metric query's result.
    pub max_query_series: usize,
    /// Series between the parts of a metric query; guards memory.
    pub max_inner_series: usize,
    /// Steps of a range query.
    pub max_steps: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_query_series: 500, max_inner_series: 200_000, max_steps: 11_000 }
    }
}

/// The one who waits for the answer, as far as the query cares.
#[derive(Debug, Clone)]
pub struct QueryContext {
    pub deadline: Option<Instant>,
    pub cancelled: Arc<AtomicBool>,
    /// Threads that one query may use.
    pub parallelism: usize,
}

impl Default for QueryContext {
    fn default() -> QueryContext {
        QueryContext { deadline: None, cancelled: Arc::default(), parallelism: 1 }
    }
}

impl QueryContext {
    /// Fails when nobody waits any more or time is up.
    pub fn check(&self) -> Result<(), QueryError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(QueryError::new(ErrorKind::Cancelled, "the request was cancelled by the client"));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let message = "request timed out, decrease the duration of the request or add more label \
                           matchers (prefer exact match over regex match) to reduce the amount of data \
                           processed";
            return Err(QueryError::new(ErrorKind::Timeout, message));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeParams {
    Instant(TimestampNs),
    Range { start: TimestampNs, end: TimestampNs, step: i64 },
}

/// What only log queries look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogParams {
    pub limit: usize,
    pub direction: Direction,
    /// Return entries at least this many nanoseconds apart; 0 returns all.
    pub interval: i64,
    /// Keep structured metadata and parsed labels apart from the stream's.
    pub categorize: bool,
}

#[derive(Debug, Clone)]
pub struct QueryResult {
    pub data: QueryData,
    pub stats: Stats,
}

#[derive(Debug, Clone, PartialEq)]
pub enum QueryData {
    Streams(Vec<log_query::ResultStream>),
    Vector(Vec<(model::Labels, Point)>),
    Matrix(Vec<SeriesPoints>),
    Scalar(Point),
}

#[derive(Debug, Clone, Default)]
pub struct Engine {
    limits: Limits,
}

impl Engine {
    pub fn new(limits: Limits) -> Engine {
        Engine { limits }
    }

    pub fn query(
        &self,
        querier: &dyn LogQuerier,
        expr: &Expr,
        time: TimeParams,
        log: &LogParams,
        context: &QueryContext,
    ) -> Result<QueryResult, QueryError> {
        let started = Instant::now();
        let (data, mut stats) = match (expr, time) {
            (Expr::Log(expr), TimeParams::Range { start, end, .. }) => {
                let (streams, stats) = log_query::run(querier, expr, start, end, log, context)?;
                (QueryData::Streams(streams), stats)
            }
            (Expr::Log(_), TimeParams::Instant(_)) => {
                return Err(QueryError::bad(
                    "log queries are not supported as an instant query type, please change your query to a \
                     range query type",
                ));
            }
            (Expr::Metric(expr), TimeParams::Instant(at)) => {
                let steps = Steps::instant(at);
                let mut evaluator = Evaluator::new(querier, steps, context, &self.limits);
                let value = evaluator.evaluate(expr)?;
                let ordered = evaluator.keeps_order(expr);
                (self.vector(value, &steps, ordered)?, evaluator.stats)
            }
            (Expr::Metric(expr), TimeParams::Range { start, end, step }) => {
                let steps = Steps::range(start, end, step);
                if steps.count > self.limits.max_steps + 1 {
                    return Err(QueryError::bad(
                        "exceeded maximum resolution of 11,000 points per time series. Try increasing the \
                         value of the step parameter",
                    ));
                }
                let mut evaluator = Evaluator::new(querier, steps, context, &self.limits);
                let value = evaluator.evaluate(expr)?;
                (self.matrix(value, &steps)?, evaluator.stats)
            }
        };
        stats.elapsed = started.elapsed();
        Ok(QueryResult { data, stats })
    }

    fn vector(&self, value: Evaluated, steps: &Steps, ordered: bool) -> Result<QueryData, QueryError> {
        let t = steps.start.div_euclid(1_000_000);
        let series = match value {
            Evaluated::Scalar(v) => return Ok(QueryData::Scalar(Point { t, v })),
            Evaluated::Series(series) => series,
        };
        let mut samples: Vec<(model::Labels, Point)> = series
            .into_iter()
            .filter(|s| !s.is_empty())
            .map(|s| {
                let v = s.values.first().copied().unwrap_or(f64::NAN);
                (s.labels, Point { t, v })
            })
            .collect();
        self.check_series(samples.len())?;
        if !ordered {
            samples.sort_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(QueryData::Vector(samples))
    }

    fn matrix(&self, value: Evaluated, steps: &Steps) -> Result<QueryData, QueryError> {
        let mut series: Vec<SeriesPoints> = match value {
            Evaluated::Scalar(v) => {
                let labels = model::Labels::empty();
                vec![
                    crate::metric::series::Series { labels, values: vec![v; steps.count] }.into_points(steps),
                ]
            }
            Evaluated::Series(series) => {
                series.into_iter().filter(|s| !s.is_empty()).map(|s| s.into_points(steps)).collect()
            }
        };
        self.check_series(series.len())?;
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(QueryData::Matrix(series))
    }

    fn check_series(&self, count: usize) -> Result<(), QueryError> {
        let limit = self.limits.max_query_series;
        if count > limit {
            return Err(QueryError::new(
                ErrorKind::Limit,
                format!(
                    "maximum number of series ({limit}) reached for a single query; consider reducing query \
                     cardinality by adding more specific stream selectors, reducing the time range, or \
                     aggregating results with functions like sum(), count() or topk()"
                ),
            ));
        }
        Ok(())
    }
}
