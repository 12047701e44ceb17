//! Go's built-in functions.

use crate::compare;
use crate::functions::{Body, Functions, Kind, Maybe};
use crate::number::is_print;
use crate::printf::{sprint, sprintf, sprintln};
use crate::value::Value;

/// What Go says when a function looks at the type of something that is not there.
const NO_TYPE: &str = "reflect: call of reflect.Value.Type on zero Value";

pub(crate) fn install(functions: &mut Functions) {
    let mut add = |name: &str, params: usize, variadic: bool, body: Body| {
        functions.insert(name, &vec![Kind::Any; params], variadic.then_some(Kind::Any), body);
    };
    add("and", 1, true, Body::And);
    add("or", 1, true, Body::Or);
    add("call", 1, true, Body::Call);
    add("not", 1, false, Body::Builtin(|args| Ok(Maybe::plain(Value::Bool(!truth(arg(args, 0)))))));
    add("len", 1, false, Body::Builtin(|args| length(arg(args, 0)).map(Maybe::plain)));
    add("index", 1, true, Body::Builtin(index));
    add("slice", 1, true, Body::Builtin(|args| slice(args).map(Maybe::plain)));
    add("eq", 1, true, Body::Builtin(|args| flag(compare::any_equal(args))));
    add("ne", 2, false, Body::Builtin(|args| flag(compare::any_equal(args).map(|equal| !equal))));
    add("lt", 2, false, Body::Builtin(|args| flag(compare::less(args))));
    add("le", 2, false, Body::Builtin(|args| flag(compare::less_or_equal(args))));
    add("gt", 2, false, Body::Builtin(|args| flag(compare::less_or_equal(args).map(|less| !less))));
    add("ge", 2, false, Body::Builtin(|args| flag(compare::less(args).map(|less| !less))));
    functions.add_variadic("print", &[], Kind::Any, |call| Ok(sprint(call.args).into()));
    functions.add_variadic("println", &[], Kind::Any, |call| Ok(sprintln(call.args).into()));
    functions.add_variadic("printf", &[Kind::Str], Kind::Any, |call| {
        Ok(sprintf(call.text(0), call.args.get(1..).unwrap_or(&[])).into())
    });
    functions.add_variadic("html", &[], Kind::Any, |call| Ok(escape_html(&joined(call.args)).into()));
    functions.add_variadic("js", &[], Kind::Any, |call| Ok(escape_js(&joined(call.args)).into()));
    functions.add_variadic("urlquery", &[], Kind::Any, |call| Ok(query_escape(&joined(call.args)).into()));
}

fn flag(result: Result<bool, String>) -> Result<Maybe, String> {
    result.map(|b| Maybe::plain(Value::Bool(b)))
}

fn arg(args: &[Maybe], index: usize) -> Option<&Value> {
    args.get(index).and_then(Maybe::as_ref)
}

pub(crate) fn truth(value: Option<&Value>) -> bool {
    value.is_some_and(Value::truth)
}

fn length(value: Option<&Value>) -> Result<Value, String> {
    match value {
        None => Err(NO_TYPE.into()),
        Some(Value::Nil) => Err("len of nil pointer".into()),
        Some(value) => {
            let length = value.length().ok_or_else(|| format!("len of type {}", value.type_name()))?;
            Ok(Value::Int(length as i64))
        }
    }
}

fn index(args: &[Maybe]) -> Result<Maybe, String> {
    let Some(item) = arg(args, 0).filter(|item| !matches!(item, Value::Nil)) else {
        return Err("index of untyped nil".into());
    };
    let mut item = Maybe::plain(item.clone());
    for key in args.iter().skip(1) {
        let Some(container) = &item.value else { break };
        let value = element(container, key.as_ref().filter(|key| !matches!(key, Value::Nil)))?;
        item = Maybe::element(container, value);
    }
    Ok(item)
}

/// A position within `0..=limit`.
fn position(key: Option<&Value>, limit: usize) -> Result<usize, String> {
    let n = match key {
        Some(Value::Int(n)) => *n,
        Some(Value::Byte(n)) => i64::from(*n),
        Some(Value::Duration(d)) => d.0,
        None | Some(Value::Nil) => return Err("cannot index slice/array with nil".into()),
        Some(other) => return Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    let position = usize::try_from(n).ok().filter(|n| *n <= limit);
    position.ok_or_else(|| format!("index out of range: {n}"))
}

fn element(item: &Value, key: Option<&Value>) -> Result<Value, String> {
    let name = || match key {
        Some(Value::Str(name)) => Ok(name),
        None => Err("value is nil; should be of type string".to_owned()),
        Some(other) => Err(format!("value has type {}; should be string", other.type_name())),
    };
    // The end itself passes the first check and is then refused by the list.
    let past_end = |what: &str| format!("reflect: {what} index out of range");
    match &item.flatten() {
        Value::List(items) => {
            let n = position(key, items.len())?;
            items.get(n).cloned().ok_or_else(|| past_end("slice"))
        }
        Value::Str(s) | Value::Html(s) | Value::Url(s) => {
            let n = position(key, s.len())?;
            s.as_bytes().get(n).map(|b| Value::Byte(*b)).ok_or_else(|| past_end("string"))
        }
        Value::StrMap(map) => Ok(Value::str(map.get(&**name()?).map_or("", String::as_str))),
        Value::Map(map) => Ok(map.get(&**name()?).cloned().unwrap_or_default()),
        Value::Nil => Err("index of nil pointer".into()),
        _ => Err(format!("can't index item of type {}", item.type_name())),
    }
}

fn slice(args: &[Maybe]) -> Result<Value, String> {
    let Some(item) = arg(args, 0).filter(|item| !matches!(item, Value::Nil)) else {
        return Err("slice of untyped nil".into());
    };
    let bounds = args.get(1..).unwrap_or_default();
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let flat = item.flatten();
    let length = match &flat {
        Value::Str(_) | Value::Html(_) | Value::Url(_) if bounds.len() == 3 => {
            return Err("cannot 3-index slice a string".into());
        }
        Value::Str(s) | Value::Html(s) | Value::Url(s) => s.len(),
        Value::List(items) => items.len(),
        _ => return Err(format!("can't slice item of type {}", item.type_name())),
    };
    let mut ends = [0, length, length];
    for (slot, bound) in ends.iter_mut().zip(bounds) {
        if bound.boxed || matches!(bound.as_ref(), Some(Value::Nil)) {
            // Unlike `index`, Go's `slice` does not look into the box.
            return Err("cannot index slice/array with type interface {}".into());
        }
        *slot = position(bound.as_ref(), length)?;
    }
    let [start, end, capacity] = ends;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    if end > capacity {
        return Err(format!("invalid slice index: {end} > {capacity}"));
    }
    let cut =
        |s: &str| String::from_utf8_lossy(s.as_bytes().get(start..end).unwrap_or_default()).into_owned();
    Ok(match &flat {
        Value::List(items) => {
            let items = items.get(start..end).unwrap_or_default().to_vec();
            match item {
                Value::List(_) => Value::list(items),
                typed => Value::typed_list(typed.type_name(), items),
            }
        }
        Value::Html(s) => Value::Html(cut(s).into()),
        Value::Url(s) => Value::Url(cut(s).into()),
        other => cut(other.as_str().unwrap_or_default()).into(),
    })
}

/// The text that `html`, `js` and `urlquery` work on. Nil shows as a missing value does.
fn joined(args: &[Value]) -> String {
    if let [Value::Str(text)] = args {
        return text.to_string();
    }
    let shown: Vec<Value> = args
        .iter()
        .map(|arg| if matches!(arg, Value::Nil) { Value::str("<no value>") } else { arg.clone() })
        .collect();
    sprint(&shown)
}

/// The `html` function of `text/template`, which leaves the plus sign alone.
fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// The `js` function of `text/template`.
fn escape_js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if c < ' ' || (!c.is_ascii() && !is_print(c)) => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// `url.QueryEscape`: spaces become plus signs, hexadecimal in capitals.
fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
