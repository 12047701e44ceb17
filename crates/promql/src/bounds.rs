//! The time span of the samples a query can touch.

use model::TimestampMs;
use promql_syntax::Expr;

use crate::resolve::timestamp;

/// The first and last time any selector reads, when the (resolved) expression is evaluated for
/// `start..=end`. `None` when nothing is read.
pub(crate) fn bounds(
    expr: &Expr,
    start: TimestampMs,
    end: TimestampMs,
    lookback: i64,
) -> Option<(TimestampMs, TimestampMs)> {
    match expr {
        Expr::Vector(s) => {
            let (first, last) = at_or(timestamp(s.at), start, end);
            let ahead = if s.smoothed { lookback } else { 0 };
            Some((
                first.saturating_sub(s.offset.ms).saturating_sub(lookback),
                (last.saturating_sub(s.offset.ms)).saturating_add(ahead),
            ))
        }
        Expr::Matrix(m) => {
            let s = &m.selector;
            let (first, last) = at_or(timestamp(s.at), start, end);
            let (first, last) = (first.saturating_sub(s.offset.ms), last.saturating_sub(s.offset.ms));
            let before = m.range.ms.saturating_add(if s.anchored || s.smoothed { lookback } else { 0 });
            Some((first.saturating_sub(before), last.saturating_add(if s.smoothed { lookback } else { 0 })))
        }
        Expr::Subquery(s) => {
            let (first, last) = at_or(timestamp(s.at), start, end);
            let (first, last) = (first.saturating_sub(s.offset.ms), last.saturating_sub(s.offset.ms));
            bounds(&s.expr, first.saturating_sub(s.range.ms), last, lookback)
        }
        other => other
            .children()
            .into_iter()
            .filter_map(|child| bounds(child, start, end, lookback))
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))),
    }
}

fn at_or(at: Option<TimestampMs>, start: TimestampMs, end: TimestampMs) -> (TimestampMs, TimestampMs) {
    at.map_or((start, end), |at| (at, at))
}
