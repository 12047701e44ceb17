//! One operation on one pair of values.

use std::sync::Arc;

use model::{FloatHistogram, Value};

use crate::histogram;
use crate::{Context, Place};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    TrimUpper,
    TrimLower,
}

impl Operator {
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Sub => "-",
            Operator::Mul => "*",
            Operator::Div => "/",
            Operator::Mod => "%",
            Operator::Pow => "^",
            Operator::Atan2 => "atan2",
            Operator::Eq => "==",
            Operator::Ne => "!=",
            Operator::Lt => "<",
            Operator::Le => "<=",
            Operator::Gt => ">",
            Operator::Ge => ">=",
            Operator::TrimUpper => "</",
            Operator::TrimLower => ">/",
        }
    }

    pub fn is_comparison(self) -> bool {
        use Operator::*;
        matches!(self, Eq | Ne | Lt | Le | Gt | Ge)
    }

    /// Whether the result is something else than what the metric's name says.
    pub fn changes_meaning(self) -> bool {
        !self.is_comparison() && !matches!(self, Operator::TrimUpper | Operator::TrimLower)
    }
}

/// The result of a pair: a value, and for comparisons whether it holds.
pub(super) struct Applied {
    pub value: Value,
    pub holds: bool,
}

fn float(op: Operator, a: f64, b: f64) -> (f64, bool) {
    match op {
        Operator::Add => (a + b, true),
        Operator::Sub => (a - b, true),
        Operator::Mul => (a * b, true),
        Operator::Div => (a / b, true),
        Operator::Mod => (a % b, true),
        Operator::Pow => (a.powf(b), true),
        Operator::Atan2 => (a.atan2(b), true),
        Operator::Eq => (a, a == b),
        Operator::Ne => (a, a != b),
        Operator::Lt => (a, a < b),
        Operator::Le => (a, a <= b),
        Operator::Gt => (a, a > b),
        Operator::Ge => (a, a >= b),
        // Only histograms can be trimmed; callers never get here with these two.
        Operator::TrimUpper | Operator::TrimLower => (f64::NAN, false),
    }
}

/// Between scalars a comparison gives 1 or 0.
pub fn scalars(op: Operator, a: f64, b: f64) -> f64 {
    let (value, holds) = float(op, a, b);
    if op.is_comparison() { f64::from(u8::from(holds)) } else { value }
}

/// Applies `op`. `None`, with a remark, when the types do not go together.
pub(super) fn apply(cx: &Context, place: Place, op: Operator, a: &Value, b: &Value) -> Option<Applied> {
    let done = |h: FloatHistogram| Some(Applied { value: Value::Histogram(Arc::new(h)), holds: true });
    match (a, b) {
        (Value::Float(x), Value::Float(y)) => {
            if matches!(op, Operator::TrimUpper | Operator::TrimLower) {
                return mismatch(cx, place, op, "float", "float");
            }
            let (value, holds) = float(op, *x, *y);
            Some(Applied { value: Value::Float(value), holds })
        }
        (Value::Float(x), Value::Histogram(h)) => match op {
            Operator::Mul => done(histogram::scale(h, *x)),
            _ => mismatch(cx, place, op, "float", "histogram"),
        },
        (Value::Histogram(h), Value::Float(y)) => match op {
            Operator::Mul => done(histogram::scale(h, *y)),
            Operator::Div => done(histogram::divide(h, *y)),
            Operator::TrimUpper => done(histogram::trim_upper(h, *y)),
            Operator::TrimLower => done(histogram::trim_lower(h, *y)),
            _ => mismatch(cx, place, op, "histogram", "float"),
        },
        (Value::Histogram(x), Value::Histogram(y)) => match op {
            Operator::Add | Operator::Sub => add(cx, place, op, x, y),
            Operator::Eq | Operator::Ne => {
                let holds = histogram::equal(x, y) == (op == Operator::Eq);
                Some(Applied { value: a.clone(), holds })
            }
            _ => mismatch(cx, place, op, "histogram", "histogram"),
        },
    }
}

fn mismatch(cx: &Context, place: Place, op: Operator, left: &str, right: &str) -> Option<Applied> {
    let op = op.as_str();
    cx.info(
        place,
        format!(
            "PromQL info: incompatible sample types encountered for binary operator {op:?}: {left} {op} {right}"
        ),
    );
    None
}

fn add(cx: &Context, place: Place, op: Operator, x: &FloatHistogram, y: &FloatHistogram) -> Option<Applied> {
    let mut total = histogram::Wide::new(x);
    let (result, what) = match op {
        Operator::Add => (total.add(y), "addition"),
        _ => (total.subtract(y), "subtraction"),
    };
    let Ok(added) = result else {
        let op = op.as_str();
        cx.warn(
            place,
            format!("PromQL warning: incompatible bucket layout encountered for binary operator {op}"),
        );
        return None;
    };
    if added.bounds_reconciled {
        cx.info(place, format!("PromQL info: mismatched custom buckets were reconciled during {what}"));
    }
    if added.reset_collision {
        cx.warn(place, format!("PromQL warning: conflicting counter resets during histogram {what}"));
    }
    if op == Operator::Sub {
        total.reset_hint = model::ResetHint::Gauge;
    }
    Some(Applied { value: Value::Histogram(Arc::new(total.finish())), holds: true })
}
