//! Durations in selectors: plain ones and expressions that know the query's step and range.

use std::fmt;

use crate::PosRange;

/// A duration of a selector: a plain one is known when parsed, an expression when the query's times are.
#[derive(Debug, Clone, Default)]
pub struct DurationValue {
    /// Milliseconds; meaningless while `expr` is there.
    pub ms: i64,
    pub expr: Option<Box<DurationExpr>>,
}

/// What `step()` and `range()` stand for, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueryTimes {
    pub step_ms: i64,
    pub range_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

impl DurationOp {
    pub fn as_str(self) -> &'static str {
        match self {
            DurationOp::Add => "+",
            DurationOp::Sub => "-",
            DurationOp::Mul => "*",
            DurationOp::Div => "/",
            DurationOp::Mod => "%",
            DurationOp::Pow => "^",
        }
    }
}

#[derive(Debug, Clone)]
pub enum DurationExpr {
    /// Seconds.
    Number {
        seconds: f64,
        is_duration: bool,
        pos: PosRange,
    },
    Step(PosRange),
    Range(PosRange),
    Sign {
        negative: bool,
        expr: Box<DurationExpr>,
        pos: PosRange,
    },
    Binary {
        op: DurationOp,
        lhs: Box<DurationExpr>,
        rhs: Box<DurationExpr>,
    },
    MinOf(Box<DurationExpr>, Box<DurationExpr>, PosRange),
    MaxOf(Box<DurationExpr>, Box<DurationExpr>, PosRange),
    Paren(Box<DurationExpr>, PosRange),
}

impl DurationValue {
    pub fn from_ms(ms: i64) -> DurationValue {
        DurationValue { ms, expr: None }
    }

    pub fn is_zero(&self) -> bool {
        self.ms == 0 && self.expr.is_none()
    }

    /// Milliseconds, for a query with these times. The error is the text for the user.
    pub fn resolve(&self, times: QueryTimes) -> Result<i64, (PosRange, String)> {
        let Some(expr) = &self.expr else { return Ok(self.ms) };
        let ms = expr.evaluate(times)? * 1000.0;
        if !ms.is_finite() || ms.abs() >= i64::MAX as f64 / 1e6 {
            return Err((expr.pos(), "duration out of range".into()));
        }
        Ok(ms.round() as i64)
    }
}

impl DurationExpr {
    pub fn pos(&self) -> PosRange {
        match self {
            DurationExpr::Number { pos, .. } | DurationExpr::Sign { pos, .. } => *pos,
            DurationExpr::Step(pos) | DurationExpr::Range(pos) | DurationExpr::Paren(_, pos) => *pos,
            DurationExpr::MinOf(_, _, pos) | DurationExpr::MaxOf(_, _, pos) => *pos,
            DurationExpr::Binary { lhs, rhs, .. } => lhs.pos().to(rhs.pos()),
        }
    }

    /// Whether the value does not depend on the query.
    pub fn is_constant(&self) -> bool {
        match self {
            DurationExpr::Number { .. } => true,
            DurationExpr::Step(_) | DurationExpr::Range(_) => false,
            DurationExpr::Sign { expr, .. } | DurationExpr::Paren(expr, _) => expr.is_constant(),
            DurationExpr::Binary { lhs, rhs, .. }
            | DurationExpr::MinOf(lhs, rhs, _)
            | DurationExpr::MaxOf(lhs, rhs, _) => lhs.is_constant() && rhs.is_constant(),
        }
    }

    /// Seconds.
    pub fn evaluate(&self, times: QueryTimes) -> Result<f64, (PosRange, String)> {
        Ok(match self {
            DurationExpr::Number { seconds, .. } => *seconds,
            DurationExpr::Step(_) => times.step_ms as f64 / 1000.0,
            DurationExpr::Range(_) => times.range_ms as f64 / 1000.0,
            DurationExpr::Sign { negative: true, expr, .. } => -expr.evaluate(times)?,
            DurationExpr::Sign { expr, .. } | DurationExpr::Paren(expr, _) => expr.evaluate(times)?,
            DurationExpr::MinOf(a, b, _) => a.evaluate(times)?.min(b.evaluate(times)?),
            DurationExpr::MaxOf(a, b, _) => a.evaluate(times)?.max(b.evaluate(times)?),
            DurationExpr::Binary { op, lhs, rhs } => {
                let (a, b) = (lhs.evaluate(times)?, rhs.evaluate(times)?);
                match op {
                    DurationOp::Add => a + b,
                    DurationOp::Sub => a - b,
                    DurationOp::Mul => a * b,
                    DurationOp::Pow => a.powf(b),
                    DurationOp::Div if b == 0.0 => return Err((self.pos(), "division by zero".into())),
                    DurationOp::Mod if b == 0.0 => return Err((self.pos(), "modulo by zero".into())),
                    DurationOp::Div => a / b,
                    DurationOp::Mod => a % b,
                }
            }
        })
    }
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DurationExpr::Number { seconds, is_duration: true, .. } => {
                f.write_str(&model::duration::format((*seconds * 1000.0) as i64))
            }
            DurationExpr::Number { seconds, .. } => f.write_str(&model::float::format_f(*seconds)),
            DurationExpr::Step(_) => f.write_str("step()"),
            DurationExpr::Range(_) => f.write_str("range()"),
            DurationExpr::Sign { negative, expr, .. } => {
                write!(f, "{}{expr}", if *negative { "-" } else { "+" })
            }
            DurationExpr::Binary { op, lhs, rhs } => write!(f, "{lhs} {} {rhs}", op.as_str()),
            DurationExpr::MinOf(a, b, _) => write!(f, "min_of({a}, {b})"),
            DurationExpr::MaxOf(a, b, _) => write!(f, "max_of({a}, {b})"),
            DurationExpr::Paren(expr, _) => write!(f, "({expr})"),
        }
    }
}

impl fmt::Display for DurationValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expr {
            Some(expr) => expr.fmt(f),
            None => f.write_str(&model::duration::format(self.ms)),
        }
    }
}
