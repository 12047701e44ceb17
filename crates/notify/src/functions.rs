//! The functions of notification templates.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use platform::Clock;
use template::time::{Duration, Time, Zone, parse};
use template::{Functions, Kind, Value, display};

use crate::json;

pub(crate) fn functions(clock: Arc<dyn Clock>) -> Functions {
    let mut f = Functions::new();
    text(&mut f);
    times(&mut f, clock);
    collections(&mut f);
    f
}

fn text(f: &mut Functions) {
    f.add("toUpper", &[Kind::Str], |call| Ok(call.text(0).to_uppercase().into()));
    f.add("toLower", &[Kind::Str], |call| Ok(call.text(0).to_lowercase().into()));
    f.add("title", &[Kind::Str], |call| Ok(title(call.text(0)).into()));
    f.add("trimSpace", &[Kind::Str], |call| Ok(call.text(0).trim().into()));
    f.add("join", &[Kind::Str, Kind::Any], |call| match call.arg(1).flatten() {
        Value::List(items) => {
            let parts: Vec<String> = items.iter().map(display).collect();
            Ok(parts.join(call.text(0)).into())
        }
        other => Err(format!("wrong type for value; expected []string; got {}", other.type_name())),
    });
    f.add("match", &[Kind::Str, Kind::Str], |call| {
        let pattern = re2::Regex::new(call.text(0)).map_err(|e| e.to_string())?;
        Ok(Value::Bool(pattern.is_match(call.text(1))))
    });
    f.add("reReplaceAll", &[Kind::Str, Kind::Str, Kind::Str], |call| {
        let pattern = re2::Regex::new(call.text(0)).map_err(|e| e.to_string())?;
        Ok(pattern.replace_all(call.text(2), call.text(1)).into())
    });
    f.add("safeHtml", &[Kind::Str], |call| Ok(Value::Html(call.text(0).into())));
    f.add("safeUrl", &[Kind::Str], |call| Ok(Value::Url(call.text(0).into())));
    f.add("urlUnescape", &[Kind::Str], |call| unescape(call.text(0)).map(Value::from));
    f.add("toJson", &[Kind::Any], |call| Ok(json::encode(call.arg(0)).into()));
    f.add("base64encode", &[Kind::Str], |call| Ok(URL_SAFE.encode(call.text(0)).into()));
    f.add("base64decode", &[Kind::Str], |call| {
        let bytes = URL_SAFE.decode(call.text(0)).map_err(|e| e.to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    });
}

fn times(f: &mut Functions, clock: Arc<dyn Clock>) {
    f.add("date", &[Kind::Str, Kind::Time], |call| match call.arg(1) {
        Value::Time(t) => Ok(t.format(call.text(0)).into()),
        other => Err(format!("wrong type for value; expected time.Time; got {}", other.type_name())),
    });
    f.add("tz", &[Kind::Str, Kind::Time], |call| match call.arg(1) {
        Value::Time(t) => Ok(Value::Time(t.in_zone(call.text(0))?)),
        other => Err(format!("wrong type for value; expected time.Time; got {}", other.type_name())),
    });
    let now = clock.clone();
    f.add("now", &[], move |_| Ok(Value::Time(Time::from_ns(now.now_ns()))));
    f.add("since", &[Kind::Time], move |call| match call.arg(0) {
        Value::Time(t) => Ok(Value::Duration(Time::from_ns(clock.now_ns()).sub(t))),
        other => Err(format!("wrong type for value; expected time.Time; got {}", other.type_name())),
    });
    template::humanize::install(f);
    f.add("toDate", &[Kind::Str, Kind::Str], |call| {
        Ok(Value::Time(parse(call.text(0), call.text(1), &Zone::Utc).unwrap_or_else(|_| Time::zero())))
    });
    f.add("mustToDate", &[Kind::Str, Kind::Str], |call| {
        parse(call.text(0), call.text(1), &Zone::Utc).map(Value::Time)
    });
    f.add("duration", &[Kind::Int], |call| Ok(Value::Duration(Duration(call.int(0)))));
}

fn collections(f: &mut Functions) {
    f.add_variadic("stringSlice", &[], Kind::Str, |call| Ok(Value::list(call.args.to_vec())));
    f.add_variadic("list", &[], Kind::Any, |call| Ok(Value::list(call.args.to_vec())));
    f.add_variadic("append", &[Kind::Any], Kind::Any, |call| match call.arg(0).flatten() {
        Value::List(items) => {
            let mut items = (*items).clone();
            items.extend(call.args.iter().skip(1).cloned());
            Ok(Value::list(items))
        }
        other => Err(format!("wrong type for value; expected a list; got {}", other.type_name())),
    });
    f.add_variadic("dict", &[], Kind::Any, |call| {
        if !call.args.len().is_multiple_of(2) {
            return Err("dict expects even number of arguments".into());
        }
        let mut map = std::collections::BTreeMap::new();
        for pair in call.args.chunks(2) {
            let key = pair.first().and_then(Value::as_str).ok_or("dict keys must be strings")?;
            map.insert(key.to_owned(), pair.get(1).cloned().unwrap_or_default());
        }
        Ok(map.into())
    });
    f.add("routeLabels", &[], |call| match call.root {
        Value::Object(data) => Ok(data.field("RouteLabels").unwrap_or_default()),
        _ => Ok(Value::Nil),
    });
}

/// The first letter of each word in capitals, the others small.
fn title(text: &str) -> String {
    let (mut out, mut inside) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || (inside && matches!(c, '\'' | '_'));
    }
    out
}

/// `url.QueryUnescape`.
fn unescape(text: &str) -> Result<String, String> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let Some(value) = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) else {
                    let bad = String::from_utf8_lossy(after.get(..2).unwrap_or(after)).into_owned();
                    return Err(format!("invalid URL escape \"%{bad}\""));
                };
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            byte => out.push(*byte),
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
