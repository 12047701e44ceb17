//! Go's built-in functions, except `and` and `or`, which the executor evaluates lazily.

use crate::functions::{Functions, Kind};
use crate::html;
use crate::printf::{display, sprintf};
use crate::value::Value;

pub(crate) fn install(functions: &mut Functions) {
    crate::exec::install_comparisons(functions);
    functions.add("not", &[Kind::Any], |call| Ok(Value::Bool(!call.arg(0).truth())));
    functions.add("len", &[Kind::Any], |call| match call.arg(0) {
        Value::Nil => Err("len of nil pointer".into()),
        value => {
            let length = value.length().ok_or_else(|| format!("len of type {}", value.type_name()))?;
            Ok(Value::Int(length as i64))
        }
    });
    functions.add_variadic("index", &[Kind::Any], Kind::Any, |call| {
        let mut value = call.arg(0).flatten();
        if matches!(value, Value::Nil) {
            return Err("index of untyped nil".into());
        }
        for key in call.args.iter().skip(1) {
            value = index(&value.flatten(), key)?;
        }
        Ok(value)
    });
    functions.add_variadic("slice", &[Kind::Any], Kind::Any, |call| slice(call.args));
    functions.add_variadic("print", &[], Kind::Any, |call| Ok(sprint(call.args, false).into()));
    functions.add_variadic("println", &[], Kind::Any, |call| Ok(sprint(call.args, true).into()));
    functions.add_variadic("printf", &[Kind::Str], Kind::Any, |call| {
        Ok(sprintf(call.text(0), call.args.get(1..).unwrap_or(&[])).into())
    });
    functions.add_variadic("html", &[], Kind::Any, |call| Ok(html::escape_text(&joined(call.args)).into()));
    functions
        .add_variadic("js", &[], Kind::Any, |call| Ok(html::escape_js_builtin(&joined(call.args)).into()));
    // A URL, so that the escaping mode does not encode it once more.
    functions.add_variadic("urlquery", &[], Kind::Any, |call| {
        Ok(Value::Url(html::query_escape(&joined(call.args)).into()))
    });
    functions.add_variadic("call", &[Kind::Any], Kind::Any, |call| match call.arg(0) {
        Value::Nil => Err("call of nil".into()),
        value => Err(format!("non-function {} of type {}", display(value), value.type_name())),
    });
}

fn index(value: &Value, key: &Value) -> Result<Value, String> {
    let position = |length: usize| -> Result<usize, String> {
        match key {
            Value::Int(n) if *n >= 0 && (*n as u64) < length as u64 => Ok(*n as usize),
            Value::Int(n) => Err(format!("index out of range: {n}")),
            Value::Nil => Err("cannot index slice/array with nil".into()),
            other => Err(format!("cannot index slice/array with type {}", other.type_name())),
        }
    };
    let name = || match key {
        Value::Str(name) => Ok(name),
        Value::Nil => Err("value is nil; should be of type string".to_owned()),
        other => Err(format!("value has type {}; should be string", other.type_name())),
    };
    match value {
        Value::List(items) => Ok(items.get(position(items.len())?).cloned().unwrap_or_default()),
        Value::Str(s) | Value::Html(s) | Value::Url(s) => {
            Ok(Value::Int(s.as_bytes().get(position(s.len())?).copied().map_or(0, i64::from)))
        }
        Value::StrMap(map) => Ok(Value::str(map.get(&**name()?).map_or("", String::as_str))),
        Value::Map(map) => Ok(map.get(&**name()?).cloned().unwrap_or_default()),
        Value::Nil => Err("index of nil pointer".into()),
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(args: &[Value]) -> Result<Value, String> {
    let Some((item, bounds)) = args.split_first() else {
        return Err("slice of untyped nil".into());
    };
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let item = item.flatten();
    let length = match &item {
        Value::Nil => return Err("slice of untyped nil".into()),
        Value::Str(_) if bounds.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Str(s) => s.len(),
        Value::List(items) => items.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut ends = [0, length];
    for (slot, bound) in ends.iter_mut().zip(bounds) {
        *slot = match bound {
            Value::Int(n) if *n >= 0 && *n as u64 <= length as u64 => *n as usize,
            Value::Int(n) => return Err(format!("index out of range: {n}")),
            other => return Err(format!("cannot index slice/array with type {}", other.type_name())),
        };
    }
    let [from, to] = ends;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    Ok(match &item {
        Value::Str(s) => {
            String::from_utf8_lossy(s.as_bytes().get(from..to).unwrap_or_default()).into_owned().into()
        }
        Value::List(items) => Value::list(items.get(from..to).unwrap_or_default().to_vec()),
        _ => Value::Nil,
    })
}

/// `fmt.Sprint` puts a space between operands when neither is a string; `Sprintln` always does.
fn sprint(args: &[Value], line: bool) -> String {
    let mut out = String::new();
    let is_text = |value: &Value| value.as_str().is_some();
    for (i, arg) in args.iter().enumerate() {
        let after_text = i > 0 && args.get(i - 1).is_some_and(is_text);
        if i > 0 && (line || !(is_text(arg) || after_text)) {
            out.push(' ');
        }
        out.push_str(&display(arg));
    }
    if line {
        out.push('\n');
    }
    out
}

fn joined(args: &[Value]) -> String {
    match args {
        [one] if one.as_str().is_some() => one.as_str().unwrap_or("").to_owned(),
        args => sprint(args, false),
    }
}
