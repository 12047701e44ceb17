//! Functions of one float, and the few with scalar bounds. Histograms have no place in them.

use eval::EvalError;
use promql_syntax::Call;

use super::arg;
use crate::evaluator::Evaluator;
use crate::stream::{Stream, map};

pub(super) type Elementwise = fn(f64) -> f64;

pub(super) fn elementwise(name: &str) -> Option<Elementwise> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => |v| v * 180.0 / std::f64::consts::PI,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => |v| v * std::f64::consts::PI / 180.0,
        "sgn" => |v| {
            if v < 0.0 {
                -1.0
            } else if v > 0.0 {
                1.0
            } else {
                v
            }
        },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}

pub(super) fn map_floats(input: Stream<'_>, f: Elementwise) -> Stream<'_> {
    map(input, move |mut series| {
        series.column.map_floats(|_, v| f(v));
        Ok((!series.column.all_absent()).then_some(series))
    })
}

/// Unlike `f64::min`, NaN wins.
pub(super) fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

/// Unlike `f64::max`, NaN wins.
pub(super) fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// `clamp`, `clamp_min`, `clamp_max`, `round`.
pub(super) fn bounded<'a>(ev: &Evaluator<'a>, call: &'a Call) -> Result<Stream<'a>, EvalError> {
    let input = arg(call, 0)?;
    let scalar = |index: usize| call.args.get(index).map(|e| ev.scalar(e)).transpose();
    let first = scalar(1)?;
    let computed = match call.function.name {
        "clamp" => {
            let (low, high) = (first.unwrap_or_default(), scalar(2)?.unwrap_or_default());
            map(ev.vector(input)?, move |mut series| {
                series.column.map_floats(|step, v| max(low[step], min(high[step], v)));
                for step in 0..series.column.len() {
                    // An empty interval has no values in it.
                    if high[step] < low[step] {
                        series.column.clear(step);
                    }
                }
                Ok((!series.column.all_absent()).then_some(series))
            })
        }
        name => {
            let f: fn(f64, f64) -> f64 = match name {
                "clamp_min" => max,
                "clamp_max" => min,
                _ => round_to,
            };
            let bound = first.unwrap_or_else(|| vec![1.0; ev.steps.len()]);
            map(ev.vector(input)?, move |mut series| {
                series.column.map_floats(|step, v| f(v, bound[step]));
                Ok((!series.column.all_absent()).then_some(series))
            })
        }
    };
    ev.without_names(computed, input)
}

/// The nearest multiple of `to`; halves go up. Dividing by the inverse keeps decimal fractions exact.
fn round_to(v: f64, to: f64) -> f64 {
    let inverse = 1.0 / to;
    (v * inverse + 0.5).floor() / inverse
}
