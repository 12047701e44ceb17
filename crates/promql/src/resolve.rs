//! Settles what depends on the query's times: duration expressions, `@ start()`, `@ end()`.

use model::TimestampMs;
use promql_syntax::{At, DurationValue, Expr, QueryTimes, VectorSelector};

use crate::QueryError;

/// Times further from the epoch than this (285,000 years) are taken as this, so that adding and
/// subtracting any durations a query can name stays within 64 bits.
pub(crate) const MAX_TIME_MS: i64 = 9_000_000_000_000_000;

/// Start, end and step of the whole query, also inside subqueries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryRange {
    pub start: TimestampMs,
    pub end: TimestampMs,
    pub step: i64,
}

/// Rewrites the tree so that every duration is plain and every `@` a timestamp.
pub(crate) fn resolve(input: &str, expr: &mut Expr, range: QueryRange) -> Result<(), QueryError> {
    Resolver { input, range }.expr(expr)
}

struct Resolver<'a> {
    input: &'a str,
    range: QueryRange,
}

impl Resolver<'_> {
    fn expr(&self, expr: &mut Expr) -> Result<(), QueryError> {
        match expr {
            Expr::Number(_) | Expr::String(_) => Ok(()),
            Expr::Vector(selector) => self.selector(selector),
            Expr::Matrix(matrix) => {
                self.selector(&mut matrix.selector)?;
                self.duration(&mut matrix.range, true)
            }
            Expr::Subquery(subquery) => {
                self.duration(&mut subquery.range, true)?;
                if let Some(step) = &mut subquery.step {
                    self.duration(step, true)?;
                }
                self.duration(&mut subquery.offset, false)?;
                self.at(&mut subquery.at);
                self.expr(&mut subquery.expr)
            }
            Expr::Call(call) => call.args.iter_mut().try_for_each(|arg| self.expr(arg)),
            Expr::Aggregate(aggregate) => {
                if let Some(param) = &mut aggregate.param {
                    self.expr(param)?;
                }
                self.expr(&mut aggregate.expr)
            }
            Expr::Binary(binary) => {
                self.expr(&mut binary.lhs)?;
                self.expr(&mut binary.rhs)
            }
            Expr::Unary(unary) => self.expr(&mut unary.expr),
            Expr::Paren(paren) => self.expr(&mut paren.expr),
        }
    }

    fn selector(&self, selector: &mut VectorSelector) -> Result<(), QueryError> {
        self.at(&mut selector.at);
        self.duration(&mut selector.offset, false)
    }

    fn at(&self, at: &mut Option<At>) {
        *at = match *at {
            Some(At::Timestamp(t)) => Some(At::Timestamp(t.clamp(-MAX_TIME_MS, MAX_TIME_MS))),
            Some(At::Start) => Some(At::Timestamp(self.range.start)),
            Some(At::End) => Some(At::Timestamp(self.range.end)),
            None => None,
        };
    }

    fn duration(&self, value: &mut DurationValue, positive: bool) -> Result<(), QueryError> {
        let Some(pos) = value.expr.as_ref().map(|e| e.pos()) else { return Ok(()) };
        let fail = |pos: promql_syntax::PosRange, message: &str| {
            QueryError::bad_data(format!("{}: {message}", pos.describe(self.input)))
        };
        let times = QueryTimes { step_ms: self.range.step, range_ms: self.range.end - self.range.start };
        let ms = value.resolve(times).map_err(|(pos, message)| fail(pos, &message))?;
        if positive && ms <= 0 {
            return Err(fail(pos, "duration must be greater than 0"));
        }
        *value = DurationValue::from_ms(ms);
        Ok(())
    }
}

/// The timestamp of a resolved `@`.
pub(crate) fn timestamp(at: Option<At>) -> Option<TimestampMs> {
    match at {
        Some(At::Timestamp(t)) => Some(t),
        _ => None,
    }
}
