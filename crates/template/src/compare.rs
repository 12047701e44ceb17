//! `eq ne lt le gt ge`.
//!
//! Only values of one basic kind compare; signed and unsigned integers are compared by value. A NaN is
//! neither less than, equal to nor greater than anything.

use crate::functions::Maybe;
use crate::value::Value;

const INVALID: &str = "invalid type for comparison";

/// A value by its basic kind.
enum Basic<'a> {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str(&'a str),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match value {
        Value::Bool(b) => Basic::Bool(*b),
        Value::Int(n) => Basic::Int(*n),
        Value::Duration(d) => Basic::Int(d.0),
        Value::Byte(n) => Basic::Uint(u64::from(*n)),
        Value::Float(v) => Basic::Float(*v),
        Value::Str(s) | Value::Html(s) | Value::Url(s) => Basic::Str(s),
        _ => return None,
    })
}

/// Nil and "nothing" are the same to a comparison.
fn given(args: &[Maybe], index: usize) -> Option<&Value> {
    args.get(index).and_then(Maybe::as_ref).filter(|value| !matches!(value, Value::Nil))
}

fn incompatible(a: &Value, b: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name())
}

/// Whether the first argument equals any of the others.
pub(crate) fn any_equal(args: &[Maybe]) -> Result<bool, String> {
    if args.len() < 2 {
        return Err("missing argument for comparison".into());
    }
    let first = given(args, 0);
    for index in 1..args.len() {
        if equal(first, given(args, index))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: Option<&Value>, b: Option<&Value>) -> Result<bool, String> {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => return Ok(a.is_none() && b.is_none()),
    };
    Ok(match (basic(a), basic(b)) {
        (Some(Basic::Bool(x)), Some(Basic::Bool(y))) => x == y,
        (Some(Basic::Int(x)), Some(Basic::Int(y))) => x == y,
        (Some(Basic::Uint(x)), Some(Basic::Uint(y))) => x == y,
        (Some(Basic::Int(x)), Some(Basic::Uint(y))) | (Some(Basic::Uint(y)), Some(Basic::Int(x))) => {
            u64::try_from(x).is_ok_and(|x| x == y)
        }
        (Some(Basic::Float(x)), Some(Basic::Float(y))) => x == y,
        (Some(Basic::Str(x)), Some(Basic::Str(y))) => x == y,
        (None, None) => return same(a, b),
        _ => return Err(incompatible(a, b)),
    })
}

/// Equality of things that are no basic values: only structs can be compared.
fn same(a: &Value, b: &Value) -> Result<bool, String> {
    if let (Value::Time(a), Value::Time(b)) = (a, b) {
        return Ok(a == b);
    }
    let shape = |value: &Value| match value.flatten() {
        Value::List(_) => "list",
        Value::Map(_) | Value::StrMap(_) => "map",
        _ => "struct",
    };
    if shape(a) != shape(b) {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            crate::sprintf("%s", std::slice::from_ref(a)),
            a.type_name(),
            b.type_name(),
            crate::display(b)
        ));
    }
    if shape(b) != "struct" {
        let shown = crate::sprintf("%s", std::slice::from_ref(b));
        return Err(format!("non-comparable type {shown}: {}", b.type_name()));
    }
    Ok(a.type_name() == b.type_name() && crate::display(a) == crate::display(b))
}

pub(crate) fn less(args: &[Maybe]) -> Result<bool, String> {
    let (a, b) = (given(args, 0).ok_or(INVALID)?, given(args, 1).ok_or(INVALID)?);
    Ok(match (basic(a).ok_or(INVALID)?, basic(b).ok_or(INVALID)?) {
        (Basic::Bool(_), Basic::Bool(_)) => return Err(INVALID.into()),
        (Basic::Int(x), Basic::Int(y)) => x < y,
        (Basic::Uint(x), Basic::Uint(y)) => x < y,
        (Basic::Int(x), Basic::Uint(y)) => i128::from(x) < i128::from(y),
        (Basic::Uint(x), Basic::Int(y)) => i128::from(x) < i128::from(y),
        (Basic::Float(x), Basic::Float(y)) => x < y,
        (Basic::Str(x), Basic::Str(y)) => x < y,
        _ => return Err(incompatible(a, b)),
    })
}

pub(crate) fn less_or_equal(args: &[Maybe]) -> Result<bool, String> {
    Ok(less(args)? || any_equal(args)?)
}
