//! `eq ne lt le gt ge`.

use std::cmp::Ordering;

use crate::functions::{Functions, Kind};
use crate::value::Value;

#[derive(PartialEq, Clone, Copy)]
enum Basic {
    Bool,
    Int,
    Float,
    Str,
}

const INCOMPATIBLE: &str = "incompatible types for comparison";
const INVALID: &str = "invalid type for comparison";

pub(crate) fn install(functions: &mut Functions) {
    functions.add_variadic("eq", &[Kind::Any], Kind::Any, |call| {
        let (first, others) = call.args.split_first().ok_or("missing argument for comparison")?;
        if others.is_empty() {
            return Err("missing argument for comparison".into());
        }
        for other in others {
            if equal(first, other)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    });
    functions.add("ne", &[Kind::Any; 2], |call| Ok(Value::Bool(!equal(call.arg(0), call.arg(1))?)));
    functions.add("lt", &[Kind::Any; 2], |call| {
        Ok(Value::Bool(order(call.arg(0), call.arg(1))? == Some(Ordering::Less)))
    });
    functions.add("le", &[Kind::Any; 2], |call| {
        Ok(Value::Bool(matches!(order(call.arg(0), call.arg(1))?, Some(Ordering::Less | Ordering::Equal))))
    });
    functions.add("gt", &[Kind::Any; 2], |call| {
        Ok(Value::Bool(order(call.arg(0), call.arg(1))? == Some(Ordering::Greater)))
    });
    functions.add("ge", &[Kind::Any; 2], |call| {
        Ok(Value::Bool(matches!(order(call.arg(0), call.arg(1))?, Some(Ordering::Greater | Ordering::Equal))))
    });
}

fn basic(value: &Value) -> Option<Basic> {
    Some(match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(_) | Value::Duration(_) => Basic::Int,
        Value::Float(_) => Basic::Float,
        Value::Str(_) | Value::Html(_) | Value::Url(_) => Basic::Str,
        _ => return None,
    })
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(n) => *n,
        Value::Duration(d) => d.0,
        _ => 0,
    }
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Nil, Value::Nil) => return Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => return Ok(false),
        (Value::Time(a), Value::Time(b)) => return Ok(a == b),
        _ => {}
    }
    match (basic(a), basic(b)) {
        (Some(x), Some(y)) if x == y => Ok(order(a, b)? == Some(Ordering::Equal)),
        (Some(_), Some(_)) => Err(INCOMPATIBLE.into()),
        _ if a.type_name() != b.type_name() => Err(INCOMPATIBLE.into()),
        _ => Err(format!("non-comparable type {}: {}", crate::display(a), a.type_name())),
    }
}

/// `None` for NaN, which is neither less, equal nor greater.
fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    let (x, y) = (basic(a).ok_or(INVALID)?, basic(b).ok_or(INVALID)?);
    if x != y {
        return Err(INCOMPATIBLE.into());
    }
    Ok(match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => match (a.as_str(), b.as_str()) {
            (Some(a), Some(b)) => Some(a.cmp(b)),
            _ => Some(int(a).cmp(&int(b))),
        },
    })
}
